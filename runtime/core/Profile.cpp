//===- Profile.cpp - Where programs spend their time ----------------------===//

#include "aft/profile.h"

#include "runtime/core/File.h"
#include "runtime/core/RunRecord.h"
#include "runtime/core/Timeline.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>

using namespace aft;

struct Profile::Impl {
  explicit Impl(size_t mostSlices) : timeline(mostSlices) {}
  mutable std::mutex mutex; ///< guards everything below
  std::map<std::pair<std::string, std::string>, KernelTotal> kernels;
  std::map<std::string, EntryTotal> entries;
  Timeline timeline;
};

Profile::Profile(size_t mostSlices) : impl(std::make_unique<Impl>(mostSlices)) {}
Profile::~Profile() = default;

static double milliseconds(int64_t nanoseconds) { return static_cast<double>(nanoseconds) * 1e-6; }

void Profile::add(const RunRecord &run) {
  std::lock_guard<std::mutex> lock(impl->mutex);
  EntryTotal &entry = impl->entries[run.entry];
  entry.entry = run.entry;
  ++entry.runs;
  entry.milliseconds += milliseconds(run.end - run.start);
  entry.arenaBytes = std::max(entry.arenaBytes, run.arenaBytes);
  entry.threads = std::max(entry.threads, run.threads);
  entry.extents = run.extents;
  for (const RunRecord::Launch &launch : run.launches) {
    KernelTotal &kernel = impl->kernels[{run.entry, launch.name}];
    kernel.entry = run.entry;
    kernel.kernel = launch.name;
    ++kernel.launches;
    kernel.groups += launch.groups;
    kernel.milliseconds += milliseconds(launch.end - launch.start);
    kernel.bytes += launch.bytes;
    for (const RunRecord::Work &work : launch.work)
      kernel.threadMilliseconds += milliseconds(work.busy);
    entry.kernelMilliseconds += milliseconds(launch.end - launch.start);
  }
  impl->timeline.add(run);
}

template <typename Total, typename Map> static std::vector<Total> slowestFirst(const Map &totals) {
  std::vector<Total> rows;
  for (const auto &total : totals)
    rows.push_back(total.second);
  std::sort(rows.begin(), rows.end(),
            [](const Total &a, const Total &b) { return a.milliseconds > b.milliseconds; });
  return rows;
}

std::vector<KernelTotal> Profile::kernels() const {
  std::lock_guard<std::mutex> lock(impl->mutex);
  return slowestFirst<KernelTotal>(impl->kernels);
}

std::vector<EntryTotal> Profile::entries() const {
  std::lock_guard<std::mutex> lock(impl->mutex);
  return slowestFirst<EntryTotal>(impl->entries);
}

std::string Profile::table() const {
  std::vector<KernelTotal> rows = kernels();
  double all = 0;
  for (const KernelTotal &row : rows)
    all += row.milliseconds;
  std::string text;
  for (const KernelTotal &row : rows) {
    char line[200];
    double seconds = row.milliseconds * 1e-3 + 1e-12;
    std::snprintf(line, sizeof line, "\n  %-32s %6lld launches %10.3f ms %5.1f %% %8.2f GB/s",
                  row.kernel.c_str(), static_cast<long long>(row.launches), row.milliseconds,
                  100 * row.milliseconds / (all + 1e-12),
                  static_cast<double>(row.bytes) * 1e-9 / seconds);
    text += line;
  }
  return text;
}

std::string Profile::trace() const {
  std::lock_guard<std::mutex> lock(impl->mutex);
  return impl->timeline.json();
}

Status Profile::writeTrace(const std::string &path) const { return writeFile(path, {trace()}); }

//===----------------------------------------------------------------------===//
// Which profiles are at work
//===----------------------------------------------------------------------===//

static Profile *&innermost() {
  thread_local Profile *profile = nullptr;
  return profile;
}

Profile::Scope::Scope(Profile &profile) : outer(innermost()) { innermost() = &profile; }
Profile::Scope::~Scope() { innermost() = outer; }

/// The profile of the whole process, written when it exits; null without
/// AFT_TRACE.
static Profile *ofProcess() {
  static std::string path;
  static Profile *profile = []() -> Profile * {
    const char *file = std::getenv("AFT_TRACE");
    if (!file || !*file)
      return nullptr;
    path = file;
    // Never destroyed: threads may still run entries while the process exits.
    static Profile *made = new Profile(Profile::kMostSlices);
    std::atexit([] {
      if (Status status = made->writeTrace(path); !status.ok())
        std::fprintf(stderr, "aft: AFT_TRACE: %s\n", status.message.c_str());
    });
    return made;
  }();
  return profile;
}

bool Profile::wanted() { return innermost() || ofProcess(); }

void Profile::deliver(const RunRecord &run) {
  for (Profile *profile : {innermost(), ofProcess()})
    if (profile)
      profile->add(run);
}
