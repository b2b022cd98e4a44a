//===- Roof.cpp - What the machine can do at best -------------------------===//
// The loops are kernels like the generated ones: a grid of one group per thread,
// launched on the pool.

#include "runtime/core/Roof.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <sys/mman.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

using namespace aft;

using Clock = std::chrono::steady_clock;

/// What a measurement should take at least, for the clock and the wake-up of
/// threads not to matter, and how many there are.
static constexpr double kMeasureSeconds = 0.02;
static constexpr int kMeasurements = 5;
/// Independent sums: enough to hide the latency of an operation on two ports,
/// and few enough for 16 registers.
static constexpr int kSums = 12;
/// One stream of addresses leaves part of the memory's speed unused, and the
/// hardware's own prefetching stops at the end of each page.
static constexpr int kStreams = 4, kVectorsOfStream = 2;
static constexpr int kAhead = 1024, kCacheLine = 64;
static constexpr int64_t kHugePage = 2 << 20;

namespace {
template <int Bytes> struct Vectors {
  typedef float F __attribute__((vector_size(Bytes)));
  typedef int64_t I __attribute__((vector_size(Bytes)));
};

/// The extents that a kernel gets, and its buffers.
enum Extent { Groups, Rounds, BytesPerGroup, Extents };
enum BufferOf { Results, From, To, Buffers };
} // namespace

//===----------------------------------------------------------------------===//
// What a group does
//===----------------------------------------------------------------------===//

/// Every lane of every sum converges to 2, from numbers that are none of them 2: the
/// compiler would leave out a sum that does not change.
template <int Bytes> [[gnu::always_inline]] inline double multiplyAndAdd(int64_t rounds) {
  using F = typename Vectors<Bytes>::F;
  F sums[kSums], half = F{} + 0.5f, one = F{} + 1.0f;
  for (int i = 0; i < kSums; ++i)
    sums[i] = F{} + static_cast<float>(3 + i);
  for (int64_t n = 0; n < rounds; ++n) {
#pragma clang loop unroll(full)
    for (int i = 0; i < kSums; ++i)
      sums[i] = sums[i] * half + one;
  }
  double all = 0;
  for (int i = 0; i < kSums; ++i)
    for (int lane = 0; lane < Bytes / 4; ++lane)
      all += static_cast<double>(sums[i][lane]);
  return all;
}

/// The sum of all words, which are 1.
template <int Bytes>
[[gnu::always_inline]] inline double readAll(const char *memory, int64_t bytes, int64_t rounds) {
  using I = typename Vectors<Bytes>::I;
  constexpr int64_t step = kVectorsOfStream * Bytes;
  int64_t part = bytes / kStreams;
  I sums[kStreams * kVectorsOfStream] = {};
  for (int64_t n = 0; n < rounds; ++n) {
    for (int64_t at = 0; at + step <= part; at += step) {
#pragma clang loop unroll(full)
      for (int stream = 0; stream < kStreams; ++stream) {
        const char *place = memory + stream * part + at;
#pragma clang loop unroll(full)
        for (int64_t line = 0; line < step; line += kCacheLine)
          __builtin_prefetch(place + kAhead + line);
#pragma clang loop unroll(full)
        for (int i = 0; i < kVectorsOfStream; ++i)
          sums[stream * kVectorsOfStream + i] += *reinterpret_cast<const I *>(place + i * Bytes);
      }
    }
    asm volatile("" ::: "memory");
  }
  double all = 0;
  for (const I &sum : sums)
    for (int lane = 0; lane < Bytes / 8; ++lane)
      all += static_cast<double>(sum[lane]);
  return all;
}

/// Where a group leaves its result.
static double &resultOf(void *const *buffers, int64_t group) {
  return static_cast<double *>(buffers[Results])[8 * group];
}

#define AFT_ROOF_KERNELS(suffix, bytes, target)                                                    \
  target static int64_t flops##suffix(void *const *buffers, const int64_t *extents, int64_t begin, \
                                      int64_t end) {                                               \
    for (int64_t group = begin; group < end; ++group)                                              \
      resultOf(buffers, group) = multiplyAndAdd<bytes>(extents[Rounds]);                           \
    return extents[Groups];                                                                        \
  }                                                                                                \
  target static int64_t read##suffix(void *const *buffers, const int64_t *extents, int64_t begin,  \
                                     int64_t end) {                                                \
    for (int64_t group = begin; group < end; ++group)                                              \
      resultOf(buffers, group) = readAll<bytes>(static_cast<const char *>(buffers[From]) +         \
                                                    group * extents[BytesPerGroup],                \
                                                extents[BytesPerGroup], extents[Rounds]);          \
    return extents[Groups];                                                                        \
  }

#if defined(__x86_64__)
AFT_ROOF_KERNELS(512, 64, __attribute__((target("avx512f,fma"))))
AFT_ROOF_KERNELS(256, 32, __attribute__((target("avx2,fma"))))

/// Every lane gains 2 in a round: two products of 1 and 1.
__attribute__((target("avx512f,avx512bf16"))) static int64_t
pairs512(void *const *buffers, const int64_t *extents, int64_t begin, int64_t end) {
  for (int64_t group = begin; group < end; ++group) {
    __m512 sums[kSums] = {};
    __m512bh ones = (__m512bh)_mm512_set1_epi16(0x3f80);
    for (int64_t n = 0; n < extents[Rounds]; ++n) {
#pragma clang loop unroll(full)
      for (int i = 0; i < kSums; ++i)
        sums[i] = _mm512_dpbf16_ps(sums[i], ones, ones);
    }
    double all = 0;
    for (const __m512 &sum : sums)
      for (int lane = 0; lane < 16; ++lane)
        all += static_cast<double>(sum[lane]);
    resultOf(buffers, group) = all;
  }
  return extents[Groups];
}
#endif
AFT_ROOF_KERNELS(128, 16, )

static int64_t copyAll(void *const *buffers, const int64_t *extents, int64_t begin, int64_t end) {
  for (int64_t group = begin; group < end; ++group)
    for (int64_t n = 0; n < extents[Rounds]; ++n)
      std::memcpy(static_cast<char *>(buffers[To]) + group * extents[BytesPerGroup],
                  static_cast<const char *>(buffers[From]) + group * extents[BytesPerGroup],
                  static_cast<size_t>(extents[BytesPerGroup]));
  return extents[Groups];
}

//===----------------------------------------------------------------------===//
// Loops
//===----------------------------------------------------------------------===//

namespace {
struct Kernels {
  const char *vectors;
  int bytes;
  aft_kernel_t flops, read, pairs;
};
} // namespace

static Kernels choose() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f"))
    return {"AVX-512", 64, flops512, read512,
            __builtin_cpu_supports("avx512bf16") ? pairs512 : nullptr};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    return {"AVX2", 32, flops256, read256, nullptr};
#endif
  return {"128-bit vectors", 16, flops128, read128, nullptr};
}

/// Memory full of words that are 1, in huge pages where the system has them.
RoofLoop::Memory RoofLoop::allocate(int64_t bytes) {
  int64_t size = (bytes + kHugePage - 1) / kHugePage * kHugePage;
  Memory memory(static_cast<char *>(std::aligned_alloc(kHugePage, static_cast<size_t>(size))),
                [](void *data) { std::free(data); });
  if (memory) {
    madvise(memory.get(), static_cast<size_t>(size), MADV_HUGEPAGE);
    std::fill_n(reinterpret_cast<int64_t *>(memory.get()), size / 8, 1);
  }
  return memory;
}

RoofLoop::RoofLoop(Kind kind, ThreadPool &pool, int64_t bytes)
    : kind(kind), pool(pool), results(8 * static_cast<size_t>(pool.threads())) {
  Kernels kernels = choose();
  double threads = static_cast<double>(pool.threads());
  vectorName = kernels.vectors;
  lanes = kernels.bytes / 4;
  if (kind == Kind::MultiplyAdd || kind == Kind::PairProducts) {
    bool pairs = kind == Kind::PairProducts;
    kernel = pairs ? kernels.pairs : kernels.flops;
    work = (pairs ? 4 : 2) * lanes * kSums * threads;
    return;
  }
  constexpr int64_t whole = kStreams * kVectorsOfStream * 64;
  bytesPerGroup = bytes / pool.threads() / whole * whole;
  int64_t all = bytesPerGroup * pool.threads();
  work = static_cast<double>(all) * (kind == Kind::Copy ? 2 : 1);
  from = allocate(all);
  if (kind == Kind::Copy && from)
    to = allocate(all);
  if (kind == Kind::Read ? from != nullptr : to != nullptr)
    kernel = kind == Kind::Read ? kernels.read : copyAll;
}

void RoofLoop::run(int64_t count) {
  rounds = count;
  int64_t extents[Extents] = {pool.threads(), rounds, bytesPerGroup};
  void *buffers[Buffers] = {results.data(), from.get(), to.get()};
  pool.launch(kernel, buffers, extents);
}

bool RoofLoop::right() const {
  double expected = 0;
  switch (kind) {
  case Kind::MultiplyAdd:
    expected = 2.0 * kSums * lanes;
    break;
  case Kind::PairProducts: // Above 2^25, f32 cannot count in twos.
    expected = 2.0 * static_cast<double>(std::min<int64_t>(rounds, 1 << 24)) * kSums * lanes;
    break;
  case Kind::Read:
    expected = static_cast<double>(rounds * bytesPerGroup / 8);
    break;
  case Kind::Copy:
    return std::memcmp(from.get(), to.get(), static_cast<size_t>(bytesPerGroup * pool.threads())) ==
           0;
  }
  for (size_t i = 0; i < results.size(); i += 8)
    if (!(std::abs(results[i] - expected) <= 1e-5 * expected))
      return false;
  return true;
}

//===----------------------------------------------------------------------===//
// Measurements
//===----------------------------------------------------------------------===//

/// Work per second: doubles the rounds until a measurement is long enough.
static double best(RoofLoop &loop, int64_t rounds) {
  double least = 0;
  for (int count = 0; count < kMeasurements;) {
    auto start = Clock::now();
    loop.run(rounds);
    double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    if (seconds < kMeasureSeconds && rounds < (int64_t(1) << 40)) {
      rounds *= 2;
      continue;
    }
    least = count++ == 0 ? seconds : std::min(least, seconds);
  }
  return loop.workPerRound() * static_cast<double>(rounds) / least;
}

int64_t aft::bytesBeyondCaches() {
  int64_t cache = std::max<int64_t>(0, sysconf(_SC_LEVEL3_CACHE_SIZE));
  int64_t memory = sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
  int64_t wanted = std::clamp<int64_t>(4 * cache, 256 << 20, 1 << 30);
  return std::min(wanted, memory / 8 / kHugePage * kHugePage);
}

Roof aft::measureRoof(ThreadPool &pool) {
  Roof roof;
  RoofLoop products(RoofLoop::Kind::MultiplyAdd, pool);
  roof.vectors = products.vectors();
  roof.flopsPerSecond = best(products, 1 << 16);
  for (int64_t bytes : {pool.threads() * int64_t(128 << 10), int64_t(4 << 20), int64_t(16 << 20),
                        bytesBeyondCaches()}) {
    RoofLoop reading(RoofLoop::Kind::Read, pool, bytes);
    if (reading.possible())
      roof.bandwidths.push_back({static_cast<int64_t>(reading.workPerRound()), best(reading, 1)});
  }
  return roof;
}
