//===- Roof.cpp - What the machine can do at best -------------------------===//
// Both measurements are kernels like the generated ones: a grid of one group per
// thread, launched on the pool until the best of several rounds is known.

#include "runtime/core/Roof.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <memory>

using namespace aft;

using Clock = std::chrono::steady_clock;

/// What a round should take at least, for the clock and the wake-up of threads
/// not to matter, and how many there are.
static constexpr double kRoundSeconds = 0.02;
static constexpr int kRounds = 5;
/// Independent sums: enough to hide the latency of a multiplication and
/// addition on two ports, and few enough for 16 registers.
static constexpr int kSums = 10;
static constexpr int64_t kLargestRead = 256 << 20;

namespace {
template <int Bytes> struct Vectors {
  typedef float F __attribute__((vector_size(Bytes)));
  typedef int64_t I __attribute__((vector_size(Bytes)));
};

/// The arguments of both kernels, as their dims.
enum Argument { Groups, Repeat, BytesPerGroup };
} // namespace

/// Multiplies and adds in registers. The result must be used for the loop to
/// stay; it converges to 2.
template <int Bytes> [[gnu::always_inline]] inline float multiplyAndAdd(int64_t repeat) {
  using F = typename Vectors<Bytes>::F;
  F sums[kSums], half = F{} + 0.5f, one = F{} + 1.0f;
  for (int i = 0; i < kSums; ++i)
    sums[i] = F{} + static_cast<float>(i);
  for (int64_t n = 0; n < repeat; ++n) {
#pragma clang loop unroll(full)
    for (int i = 0; i < kSums; ++i)
      sums[i] = sums[i] * half + one;
  }
  for (int i = 1; i < kSums; ++i)
    sums[0] += sums[i];
  float all = 0;
  for (int lane = 0; lane < Bytes / 4; ++lane)
    all += sums[0][lane];
  return all;
}

/// Reads a piece of memory as fast as it comes.
template <int Bytes>
[[gnu::always_inline]] inline int64_t readAll(const char *memory, int64_t bytes, int64_t repeat) {
  using I = typename Vectors<Bytes>::I;
  constexpr int streams = 8;
  I sums[streams] = {};
  for (int64_t n = 0; n < repeat; ++n) {
    for (int64_t at = 0; at + streams * Bytes <= bytes; at += streams * Bytes)
#pragma clang loop unroll(full)
      for (int i = 0; i < streams; ++i)
        sums[i] ^= *reinterpret_cast<const I *>(memory + at + i * Bytes);
    asm volatile("" ::: "memory");
  }
  for (int i = 1; i < streams; ++i)
    sums[0] ^= sums[i];
  return sums[0][0];
}

#define AFT_ROOF_KERNELS(suffix, bytes, target)                                                    \
  target static int64_t flops##suffix(void *const *buffers, const int64_t *dims, int64_t begin,    \
                                      int64_t end) {                                               \
    for (int64_t group = begin; group < end; ++group)                                              \
      static_cast<float *>(buffers[0])[16 * group] = multiplyAndAdd<bytes>(dims[Repeat]);          \
    return dims[Groups];                                                                           \
  }                                                                                                \
  target static int64_t read##suffix(void *const *buffers, const int64_t *dims, int64_t begin,     \
                                     int64_t end) {                                                \
    for (int64_t group = begin; group < end; ++group)                                              \
      static_cast<int64_t *>(buffers[0])[8 * group] =                                              \
          readAll<bytes>(static_cast<const char *>(buffers[1]) + group * dims[BytesPerGroup],      \
                         dims[BytesPerGroup], dims[Repeat]);                                       \
    return dims[Groups];                                                                           \
  }

namespace {
struct Kernels {
  const char *vectors;
  int bytes;
  aft_kernel_t flops, read;
};
} // namespace

#if defined(__x86_64__)
AFT_ROOF_KERNELS(512, 64, __attribute__((target("avx512f,fma"))))
AFT_ROOF_KERNELS(256, 32, __attribute__((target("avx2,fma"))))
#endif
AFT_ROOF_KERNELS(128, 16, )

static Kernels choose() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f"))
    return {"AVX-512", 64, flops512, read512};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    return {"AVX2", 32, flops256, read256};
#endif
  return {"128-bit vectors", 16, flops128, read128};
}

/// Work per second: doubles `repeat` until a round is long enough.
static double best(ThreadPool &pool, aft_kernel_t kernel, void *const *buffers, int64_t *dims,
                   double workPerRepeat) {
  double least = 0;
  for (int round = 0; round < kRounds;) {
    auto start = Clock::now();
    pool.launch(kernel, buffers, dims);
    double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    if (seconds < kRoundSeconds && dims[Repeat] < (int64_t(1) << 40)) {
      dims[Repeat] *= 2;
      continue;
    }
    least = round++ == 0 ? seconds : std::min(least, seconds);
  }
  return workPerRepeat * static_cast<double>(dims[Repeat]) / least;
}

Roof aft::measureRoof(ThreadPool &pool) {
  Kernels kernels = choose();
  int64_t threads = pool.threads();
  Roof roof;
  roof.vectors = kernels.vectors;
  // A cache line per group for its result.
  std::vector<int64_t> results(8 * threads);
  int64_t dims[] = {threads, 1 << 16, 0};
  void *buffers[] = {results.data(), nullptr};
  double lanes = kernels.bytes / 4.0;
  roof.flopsPerSecond =
      best(pool, kernels.flops, buffers, dims, 2 * lanes * kSums * static_cast<double>(threads));
  std::unique_ptr<void, decltype(&std::free)> memory(std::aligned_alloc(4096, kLargestRead),
                                                     std::free);
  if (!memory)
    return roof;
  std::fill_n(static_cast<char *>(memory.get()), kLargestRead, char(1));
  buffers[1] = memory.get();
  for (int64_t bytes : {threads * (128 << 10), int64_t(4 << 20), int64_t(16 << 20), kLargestRead}) {
    dims[Repeat] = 1;
    dims[BytesPerGroup] = bytes / threads / 512 * 512;
    int64_t read = dims[BytesPerGroup] * threads;
    roof.bandwidths.push_back(
        {read, best(pool, kernels.read, buffers, dims, static_cast<double>(read))});
  }
  return roof;
}
