//===- ExampleSizes.h - The sizes at which models are captured ------------===//

#ifndef AFT_TORCH_BENCH_EXAMPLESIZES_H
#define AFT_TORCH_BENCH_EXAMPLESIZES_H

#include "frontends/torch/bench/Options.h"

#include <algorithm>

namespace aft::bench {

/// Small sizes, since a capture keeps what the module computes; none is another
/// extent of the model by chance.
struct ExampleSizes {
  explicit ExampleSizes(const Options &o)
      : taken{o.dim,    4 * o.dim, o.heads, o.window - 2, o.window - 1,
              o.window, o.rank,    o.vocab, o.length,     std::max<int64_t>(o.length, 64)} {
    batch = next(2);
    chunk = next(batch + 1);
    positions = next(chunk + 1);
    while (isTaken(positions + chunk))
      positions = next(positions + 1);
    length = next(40);
  }
  bool isTaken(int64_t size) const {
    return std::find(taken.begin(), taken.end(), size) != taken.end();
  }
  int64_t next(int64_t size) const {
    while (isTaken(size))
      ++size;
    return size;
  }
  std::vector<int64_t> taken;
  /// Sequences, tokens of a decode step, positions before it, and T of a whole
  /// sequence.
  int64_t batch, chunk, positions, length;
};

} // namespace aft::bench

#endif // AFT_TORCH_BENCH_EXAMPLESIZES_H
