//===- LargePagesTest.cpp - Weights in pages of 2 MiB ---------------------===//

#include "frontends/torch/ops/LargePages.h"

#include "gtest/gtest.h"

#include <ATen/ATen.h>

#include <cinttypes>
#include <cstdio>
#include <fstream>
#include <string>
#include <sys/mman.h>

using namespace aft;

static constexpr int64_t kMiB = 1 << 20;

namespace {
/// Memory of small pages, all of it touched.
struct Mapping {
  explicit Mapping(int64_t bytes) : bytes(bytes) {
    memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    madvise(memory, bytes, MADV_NOHUGEPAGE);
    auto *numbers = static_cast<float *>(memory);
    for (int64_t i = 0; i < bytes / 4; ++i)
      numbers[i] = static_cast<float>(i % 1000);
    madvise(memory, bytes, MADV_HUGEPAGE);
  }
  ~Mapping() { munmap(memory, bytes); }
  at::Tensor part(int64_t from, int64_t size) {
    return at::from_blob(static_cast<char *>(memory) + from, {size / 4}, at::kFloat);
  }
  void *memory;
  int64_t bytes;
};
} // namespace

/// What of a mapping is in large pages. The kernel moves pages of its own accord, too, so only what
/// is there afterwards says anything.
static int64_t inLargePages(const Mapping &mapping) {
  auto first = reinterpret_cast<uintptr_t>(mapping.memory);
  std::ifstream file("/proc/self/smaps");
  int64_t bytes = 0;
  bool within = false;
  for (std::string line; std::getline(file, line);) {
    uintptr_t begin, end;
    if (std::sscanf(line.c_str(), "%" SCNxPTR "-%" SCNxPTR " ", &begin, &end) == 2)
      within = begin < first + mapping.bytes && first < end;
    else if (within && line.rfind("AnonHugePages:", 0) == 0)
      bytes += std::stoll(line.substr(14)) << 10;
  }
  return bytes;
}

TEST(LargePages, HoldWhatTensorsHold) {
  Mapping mapping(33 * kMiB);
  // Arrays of 1 MiB with a page between them: no large page belongs to one of them alone.
  Tensors tensors;
  for (int64_t i = 0; i < 32; ++i)
    tensors.push_back(mapping.part(i * (kMiB + 4096), kMiB));
  int64_t moved = ops::useLargePages(tensors);
  if (moved == 0)
    GTEST_SKIP() << "this kernel moves no memory into large pages, or has none to spare";
  EXPECT_EQ(moved % (2 * kMiB), 0);
  EXPECT_LE(moved, 33 * kMiB);
  EXPECT_GE(inLargePages(mapping), moved);
  at::Tensor all = mapping.part(0, 33 * kMiB);
  EXPECT_TRUE(all.equal(at::arange(all.numel()).remainder(1000).to(at::kFloat)));
}

TEST(LargePages, LeaveOthersAlone) {
  Mapping mapping(65 * kMiB);
  // Every second MiB: each large page would hold something else, too.
  Tensors apart;
  for (int64_t i = 0; i < 32; ++i)
    apart.push_back(mapping.part(2 * i * kMiB, kMiB));
  EXPECT_EQ(ops::useLargePages(apart), 0);
  // Of little use.
  EXPECT_EQ(ops::useLargePages({mapping.part(0, 8 * kMiB)}), 0);
  EXPECT_EQ(ops::useLargePages({}), 0);
}
