//===- Measuring.cpp - Timing in turns, peak memory -----------------------===//

#include "frontends/torch/bench/Measuring.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <limits>
#include <malloc.h>
#include <stdexcept>
#include <thread>

using namespace aft::bench;

using Work = std::function<void()>;

void Check::add(double otherError, double otherLimit) {
  if (cap > 0)
    otherLimit = std::min(otherLimit, cap);
  if (std::isnan(otherError))
    otherError = std::numeric_limits<double>::infinity();
  if (limit == 0 || otherError / otherLimit > error / limit) {
    error = otherError;
    limit = otherLimit;
  }
}

//===----------------------------------------------------------------------===//
// Time
//===----------------------------------------------------------------------===//

static constexpr double kShort = 100, kSample = 1; // ms

/// Until the last of some calls is done.
static double milliseconds(const Work &work, const Work &wait, int64_t times = 1) {
  auto start = std::chrono::steady_clock::now();
  for (int64_t i = 0; i < times; ++i)
    work();
  if (wait)
    wait();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
}

namespace {

/// One of the two sides.
struct Side {
  explicit Side(const Work &work, const Work &wait = {}) : work(work), wait(wait) {
    for (int i = 0; i < 3; ++i)
      last = milliseconds(work, wait);
    inner = std::max<int64_t>(1, static_cast<int64_t>(kSample / std::max(last, 1e-3)));
  }

  /// The idle threads of one side's pool spin for some milliseconds and the
  /// caches are full of its data: short calls begin after a pause and a call
  /// that does not count.
  void turn() {
    if (last < kShort) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      milliseconds(work, wait);
    }
    last = milliseconds(work, wait, inner) / static_cast<double>(inner);
    samples.push_back(last);
  }

  Times times(int64_t calls) {
    std::sort(samples.begin(), samples.end());
    size_t count = samples.size();
    double median = (samples[(count - 1) / 2] + samples[count / 2]) / 2;
    double scale = 1 / static_cast<double>(calls);
    return {median * scale, samples.front() * scale, samples.back() * scale};
  }

  const Work work, wait;
  double last = 0;
  int64_t inner = 1;
  std::vector<double> samples;
};

} // namespace

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

double aft::bench::peakOf(const Work &work) {
  ::malloc_trim(0);
  std::ofstream("/proc/self/clear_refs") << "5"; // sets the peak to what is resident now
  work();
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.rfind("VmHWM:", 0) == 0)
      return std::strtod(line.c_str() + 6, nullptr) / 1024;
  return 0;
}

Measurement aft::bench::measure(const Subject &subject, int64_t repeat) {
  Measurement result;
  result.peakMiB = peakOf(subject.compiled);
  Side compiled(subject.compiled, subject.wait);
  if (!subject.eager) {
    for (int64_t i = 0; i < repeat; ++i)
      compiled.turn();
    result.compiled = compiled.times(subject.calls);
    return result;
  }
  Side eager(subject.eager);
  for (int64_t i = 0; i < repeat; ++i) {
    compiled.turn();
    eager.turn();
  }
  result.compiled = compiled.times(subject.calls);
  result.eager = eager.times(subject.calls);
  return result;
}

void aft::bench::serve(const Subject &subject) {
  Side side(subject.compiled, subject.wait);
  for (std::string line; std::getline(std::cin, line) && line != "quit";) {
    if (line != "run")
      throw std::runtime_error("expected 'run' or 'quit', found '" + line + "'");
    side.turn();
    std::printf("{\"ms\": %.9g}\n", side.last / static_cast<double>(subject.calls));
    std::fflush(stdout);
  }
}

//===----------------------------------------------------------------------===//
// A folder
//===----------------------------------------------------------------------===//

TemporaryFolder::TemporaryFolder() {
  std::error_code error;
  std::filesystem::path place = std::filesystem::temp_directory_path(error);
  folder = (error ? std::filesystem::path("/tmp") : place) / "aft-bench-XXXXXX";
  if (!::mkdtemp(folder.data()))
    throw std::runtime_error(folder + ": cannot be made: " + std::strerror(errno));
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code error;
  std::filesystem::remove_all(folder, error);
}
