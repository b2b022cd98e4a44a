//===- LargePages.cpp - Weights in pages of 2 MiB -------------------------===//

#include "frontends/torch/ops/LargePages.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <string>
#include <vector>

#include <sys/mman.h>

using namespace aft;

static constexpr uintptr_t kLargePage = 2 << 20;
/// What lies between two arrays that were allocated one after the other.
static constexpr uintptr_t kGap = 16 << 10;
/// Less than that is seldom read from memory.
static constexpr int64_t kWorthwhile = 16 << 20;
/// Moving takes 0.2 to 2 ms for each MiB.
static constexpr std::chrono::milliseconds kLongest(250);
/// MADV_COLLAPSE, which older headers lack.
static constexpr int kCollapse = 25;

/// Whether whoever runs this machine does without large pages.
static bool areForbidden() {
  std::ifstream file("/sys/kernel/mm/transparent_hugepage/enabled");
  std::string line;
  return !std::getline(file, line) || line.find("[never]") != std::string::npos;
}

int64_t ops::useLargePages(const Tensors &tensors) {
  struct Range {
    uintptr_t begin, end;
  };
  std::vector<Range> ranges;
  int64_t bytes = 0;
  for (const at::Tensor &tensor : tensors)
    if (tensor.device().is_cpu() && tensor.is_contiguous() && tensor.nbytes() > 0) {
      auto begin = reinterpret_cast<uintptr_t>(tensor.const_data_ptr());
      ranges.push_back({begin, begin + tensor.nbytes()});
      bytes += static_cast<int64_t>(tensor.nbytes());
    }
  if (bytes < kWorthwhile || areForbidden())
    return 0;
  std::sort(ranges.begin(), ranges.end(),
            [](const Range &a, const Range &b) { return a.begin < b.begin; });
  auto end = std::chrono::steady_clock::now() + kLongest;
  int64_t moved = 0;
  auto move = [&](Range range) {
    uintptr_t page = (range.begin + kLargePage - 1) / kLargePage * kLargePage;
    for (; page + kLargePage <= range.end && std::chrono::steady_clock::now() < end;
         page += kLargePage)
      if (madvise(reinterpret_cast<void *>(page), kLargePage, kCollapse) == 0)
        moved += static_cast<int64_t>(kLargePage);
  };
  Range whole = ranges.front();
  for (const Range &range : ranges) {
    if (range.begin > whole.end + kGap) {
      move(whole);
      whole = range;
    }
    whole.end = std::max(whole.end, range.end);
  }
  move(whole);
  return moved;
}
