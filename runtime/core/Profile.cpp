//===- Profile.cpp - Where an entry spends its time -----------------------===//

#include "runtime/core/Profile.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <vector>

using namespace aft;

Profile::Profile(const aft_runtime_t *inner) : inner(inner) {
  callbacks.self = this;
  callbacks.parallel_for = [](void *self, aft_kernel_t kernel, void *const *buffers,
                              const int64_t *dims, const char *name) {
    auto &profile = *static_cast<Profile *>(self);
    auto start = std::chrono::steady_clock::now();
    profile.inner->parallel_for(profile.inner->self, kernel, buffers, dims, name);
    Total &total = profile.totals[name];
    ++total.launches;
    total.milliseconds +=
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
            .count();
  };
}

std::string Profile::table() const {
  std::vector<std::pair<std::string, Total>> rows(totals.begin(), totals.end());
  std::sort(rows.begin(), rows.end(), [](const auto &a, const auto &b) {
    return a.second.milliseconds > b.second.milliseconds;
  });
  double all = 0;
  for (const auto &row : rows)
    all += row.second.milliseconds;
  std::string text;
  for (const auto &[name, total] : rows) {
    char line[160];
    std::snprintf(line, sizeof line, "\n  %-32s %6d launches %10.3f ms %5.1f %%", name.c_str(),
                  total.launches, total.milliseconds, 100 * total.milliseconds / (all + 1e-12));
    text += line;
  }
  return text;
}
