//===- OpForms.h - The single operations, as programs and in LibTorch -----===//

#ifndef AFT_TORCH_BENCH_OPFORMS_H
#define AFT_TORCH_BENCH_OPFORMS_H

#include "aft/graph.h"
#include "frontends/torch/bench/Options.h"

#include <ATen/core/Tensor.h>

#include <vector>

namespace aft::bench {

using Tensors = std::vector<at::Tensor>;

at::ScalarType scalarType(const Options &options);

/// Inputs: q, k, v and the bias, band or filter where there is one; a and b of
/// a matmul; a, w and bias of mlp. For fwdbwd then dy. Results: y, for fwdbwd then the gradients of
/// the inputs. B and T are dynamic.
Graph makeProgram(const Options &options);

/// Random numbers, or those of the files that --inputs names.
Tensors makeInputs(const Options &options);

/// Of the inputs and results, in order.
std::vector<std::string> inputNames(const Options &options);
std::vector<std::string> resultNames(const Options &options);

/// The inputs of the first sequence cut to `length` positions.
Tensors shortened(const Options &options, const Tensors &inputs, int64_t length);

/// The same results in plain LibTorch, in the inputs' element type.
Tensors eagerResults(const Options &options, const Tensors &inputs);

} // namespace aft::bench

#endif // AFT_TORCH_BENCH_OPFORMS_H
