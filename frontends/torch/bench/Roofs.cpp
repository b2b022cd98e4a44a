//===- Roofs.cpp - What the machine can do at most ------------------------===//
// Rates that no program exceeds: multiply-adds in registers, reading and copying
// memory that no cache holds. They say how good a measured rate is.

#include "frontends/torch/bench/Subjects.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <thread>

using namespace aft::bench;

static constexpr int64_t kRounds = 4'000'000;       // of the multiply-adds, exact in f32
static constexpr int64_t kBytes = int64_t(1) << 28; // more than any cache
static constexpr int kChains = 12;                  // independent, as many as hide the latency

//===----------------------------------------------------------------------===//
// Multiply-adds
//===----------------------------------------------------------------------===//

/// Adds 1 times 1 to every lane of all chains in every round; returns the sum of
/// the first lanes.
template <typename Vector> [[gnu::always_inline]] static inline float chains(float one) {
  Vector sums[kChains], factor;
  for (size_t i = 0; i < sizeof(Vector) / sizeof(float); ++i)
    factor[i] = one;
#pragma unroll
  for (int j = 0; j < kChains; ++j)
    sums[j] = factor * static_cast<float>(j);
  for (int64_t round = 0; round < kRounds; ++round)
#pragma unroll
    for (int j = 0; j < kChains; ++j)
      sums[j] = sums[j] * factor + factor;
  float total = 0;
  for (int j = 0; j < kChains; ++j)
    total += sums[j][0];
  return total;
}

using Vector4 = float __attribute__((vector_size(16)));
static float chains4(float one) { return chains<Vector4>(one); }
#ifdef __x86_64__
using Vector8 = float __attribute__((vector_size(32)));
using Vector16 = float __attribute__((vector_size(64)));
__attribute__((target("avx2,fma"))) static float chains8(float one) { return chains<Vector8>(one); }
__attribute__((target("avx512f"))) static float chains16(float one) {
  return chains<Vector16>(one);
}
#endif

namespace {
struct Width {
  int64_t lanes;
  float (*run)(float);
};
} // namespace

static Width widest() {
#ifdef __x86_64__
  if (__builtin_cpu_supports("avx512f"))
    return {16, chains16};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    return {8, chains8};
#endif
  return {4, chains4};
}

/// Runs `work(thread)` on as many threads as the options say.
template <typename Work> static void onThreads(const Options &o, const Work &work) {
  std::vector<std::thread> others;
  for (int64_t thread = 1; thread < o.threads; ++thread)
    others.emplace_back(work, thread);
  work(0);
  for (std::thread &other : others)
    other.join();
}

static Subject makePeak(const Options &o) {
  Width width = widest();
  auto results = std::make_shared<std::vector<float>>(static_cast<size_t>(o.threads));
  Subject subject;
  subject.compiled = [o, width, results] {
    volatile float one = 1;
    onThreads(o, [&](int64_t thread) { (*results)[static_cast<size_t>(thread)] = width.run(one); });
  };
  subject.compiled();
  float expected = kChains * static_cast<float>(kRounds) + kChains * (kChains - 1) / 2;
  for (float result : *results)
    subject.check.add(std::abs(result - expected) / expected, 1e-6);
  subject.cost.flops = 2.0 * static_cast<double>(kRounds * kChains * width.lanes * o.threads);
  return subject;
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

namespace {
struct Memory {
  Memory() : from(kBytes / sizeof(uint64_t), 1), to(from.size(), 0) {}
  std::vector<uint64_t> from, to;
};
} // namespace

/// The part of `thread`: first and number of elements.
static std::pair<size_t, size_t> shareOf(const Options &o, int64_t thread) {
  size_t share = kBytes / sizeof(uint64_t) / static_cast<size_t>(o.threads);
  return {share * static_cast<size_t>(thread), share};
}

static Subject makeRead(const Options &o) {
  auto memory = std::make_shared<Memory>();
  auto sums = std::make_shared<std::vector<uint64_t>>(static_cast<size_t>(o.threads));
  Subject subject;
  subject.compiled = [o, memory, sums] {
    onThreads(o, [&](int64_t thread) {
      auto [first, count] = shareOf(o, thread);
      const uint64_t *data = memory->from.data() + first;
      uint64_t sum = 0;
      for (size_t i = 0; i < count; ++i)
        sum += data[i];
      (*sums)[static_cast<size_t>(thread)] = sum;
    });
  };
  subject.compiled();
  for (uint64_t sum : *sums)
    subject.check.add(sum == shareOf(o, 0).second ? 0 : 1, 1e-9);
  subject.cost.bytes =
      static_cast<double>(shareOf(o, 0).second * sizeof(uint64_t)) * static_cast<double>(o.threads);
  return subject;
}

static Subject makeCopy(const Options &o) {
  auto memory = std::make_shared<Memory>();
  Subject subject;
  subject.compiled = [o, memory] {
    onThreads(o, [&](int64_t thread) {
      auto [first, count] = shareOf(o, thread);
      std::memcpy(memory->to.data() + first, memory->from.data() + first, count * sizeof(uint64_t));
    });
  };
  subject.compiled();
  size_t copied = shareOf(o, 0).second * static_cast<size_t>(o.threads);
  bool same = std::equal(memory->to.begin(), memory->to.begin() + static_cast<long>(copied),
                         memory->from.begin());
  subject.check.add(same ? 0 : 1, 1e-9);
  subject.cost.bytes = 2.0 * static_cast<double>(copied * sizeof(uint64_t));
  return subject;
}

Subject aft::bench::makeRoof(const Options &o) {
  Subject subject = o.op == "fma" ? makePeak(o) : o.op == "read" ? makeRead(o) : makeCopy(o);
  subject.check.against = "arithmetic";
  return subject;
}
