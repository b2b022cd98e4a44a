//===- OpChecks.h - Running a single operation, checking what it gives ----===//

#ifndef AFT_TORCH_BENCH_OPCHECKS_H
#define AFT_TORCH_BENCH_OPCHECKS_H

#include "frontends/torch/bench/Measuring.h"
#include "frontends/torch/bench/OpForms.h"

namespace aft::bench {

/// Throws std::runtime_error with the message of a failure.
void expectOk(const aft::Status &status);

std::vector<aft::Buffer> buffersOf(const Tensors &tensors);

/// The results of the program's entry, in memory of their own.
Tensors runCompiled(const aft::Program &program, const Tensors &inputs);

/// Compares `outputs`, what the program gave for `inputs`, with the reference
/// interpreter or, where that takes too long, with LibTorch in f64, and then the
/// program at a shorter length with the interpreter. `text` is the program's.
Check checkOp(const Options &options, const std::string &text, const aft::Program &program,
              const Tensors &inputs, const Tensors &outputs);

} // namespace aft::bench

#endif // AFT_TORCH_BENCH_OPCHECKS_H
