//===- PairRate.cpp - How fast this machine multiplies pairs of bf16 ------===//
// A CPU may have vdpbf16ps and still do less work with it than with multiply-adds of
// f32: the feature tells only that it can.

#include "compiler/binary/PairRate.h"

#include "compiler/binary/Target.h"

#include <algorithm>
#include <chrono>

#ifdef __x86_64__
#include <immintrin.h>
#endif

using namespace aft;

/// Costs are near whole numbers, as an instruction takes a number of cycles of an
/// execution unit: up to 2, pairs are no slower and half as much is packed.
static constexpr double kMostCost = 2.5;

bool aft::pairDotsPay(double cost) { return cost > 0 && cost < kMostCost; }

#ifdef __x86_64__

/// Independent sums: enough to hide the latency of either instruction.
static constexpr int kSums = 16;
static constexpr int kSteps = 500;
/// The fastest of some rounds is not one that was interrupted, or in which the CPU was
/// still waking up the units for wide vectors.
static constexpr int kRounds = 12;

using Clock = std::chrono::steady_clock;

/// Keeps the compiler from computing sums in another way.
#define AFT_KEEP(sum) asm volatile("" : "+v"(sum))

__attribute__((target("avx512f,avx512bf16"))) static Clock::duration timePairs() {
  __m512 sums[kSums] = {};
  __m512i ones = _mm512_set1_epi32(0x3f803f80);
  AFT_KEEP(ones);
  auto pairs = (__m512bh)ones;
  Clock::time_point start = Clock::now();
  for (int step = 0; step < kSteps; ++step)
#pragma clang loop unroll(full)
    for (__m512 &sum : sums) {
      sum = _mm512_dpbf16_ps(sum, pairs, pairs);
      AFT_KEEP(sum);
    }
  return Clock::now() - start;
}

__attribute__((target("avx512f,avx512bf16"))) static Clock::duration timeNumbers() {
  __m512 sums[kSums] = {}, ones = _mm512_set1_ps(1);
  AFT_KEEP(ones);
  Clock::time_point start = Clock::now();
  for (int step = 0; step < kSteps; ++step)
#pragma clang loop unroll(full)
    for (__m512 &sum : sums) {
      sum = _mm512_fmadd_ps(ones, ones, sum);
      AFT_KEEP(sum);
    }
  return Clock::now() - start;
}

static double measure() {
  Clock::duration pairs = Clock::duration::max(), numbers = pairs;
  for (int round = 0; round < kRounds; ++round) {
    pairs = std::min(pairs, timePairs());
    numbers = std::min(numbers, timeNumbers());
  }
  return static_cast<double>(pairs.count()) /
         static_cast<double>(std::max<Clock::rep>(numbers.count(), 1));
}

#else
static double measure() { return 0; }
#endif

double aft::pairDotCost() {
  static const double cost = Target::host().pairDots == PairDots::Hardware ? measure() : 0;
  return cost;
}
