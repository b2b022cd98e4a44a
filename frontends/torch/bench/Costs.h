//===- Costs.h - The work and the traffic that cannot be avoided ----------===//
// The formulas are those that aft-bench --help states.

#ifndef AFT_TORCH_BENCH_COSTS_H
#define AFT_TORCH_BENCH_COSTS_H

#include "frontends/torch/bench/Options.h"

namespace aft::bench {

struct Cost {
  double flops = 0, bytes = 0;
};

/// Pairs (query, key) of one sequence that have a learned weight.
double weightedPairs(const Options &options);

/// Work of a mixer's or a product's forward pass.
double forwardFlops(const Options &options);

/// Work of the model's forward pass.
double modelFlops(const Options &options);

/// Work of the language model for the last token of the sequences.
double tokenFlops(const Options &options);

/// Bytes that measuring takes at the very least.
double leastMemory(const Options &options);

} // namespace aft::bench

#endif // AFT_TORCH_BENCH_COSTS_H
