//===- Subjects.h - Compiles and checks what is to be measured ------------===//

#ifndef AFT_TORCH_BENCH_SUBJECTS_H
#define AFT_TORCH_BENCH_SUBJECTS_H

#include "frontends/torch/bench/Measuring.h"

namespace aft::bench {

// Both throw std::exception with a message when compiling or running fails. A
// failed check is the caller's to judge.

/// A mixer or a matmul, built with aft/graph.h.
Subject makeOp(const Options &options);

/// The language model's forward pass, training step or decode step, captured
/// with aft/torch.h.
Subject makeModel(const Options &options);

/// The machine's rate of multiply-adds, of reading or of copying memory.
Subject makeRoof(const Options &options);

} // namespace aft::bench

#endif // AFT_TORCH_BENCH_SUBJECTS_H
