//===- Plain.h - The mixers in plain LibTorch operators -------------------===//
// What one would write without a compiler, in the fastest form known for eager
// LibTorch. They serve comparisons, not results: one maximum per channel is
// subtracted from the keys, so inputs of a large range overflow or vanish.

#ifndef AFT_TORCH_NN_PLAIN_H
#define AFT_TORCH_NN_PLAIN_H

#include "runtime/core/InternalApi.h"

#include <ATen/core/Tensor.h>

#include <string>
#include <tuple>

namespace aft::nn::plain {

using at::Tensor;

/// Shapes and meaning are those of the aft operators of the same name.
AFT_INTERNAL Tensor full(const Tensor &q, const Tensor &k, const Tensor &v, const Tensor &w,
                         bool causal, const std::string &gate);
AFT_INTERNAL Tensor local(const Tensor &q, const Tensor &k, const Tensor &v, const Tensor &band,
                          int64_t window, bool causal, const std::string &gate);
AFT_INTERNAL Tensor simple(const Tensor &q, const Tensor &k, const Tensor &v, bool causal,
                           const std::string &gate);
AFT_INTERNAL Tensor conv(const Tensor &q, const Tensor &k, const Tensor &v, const Tensor &filter,
                         at::IntArrayRef grid, bool causal, const std::string &gate);
Tensor band(const Tensor &u, const Tensor &v, int64_t window, bool causal);

std::tuple<Tensor, Tensor, Tensor, Tensor>
simpleOnline(const Tensor &q, const Tensor &k, const Tensor &v, const Tensor &m, const Tensor &n,
             const Tensor &z, const std::string &gate);
std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor, Tensor>
localOnline(const Tensor &q, const Tensor &k, const Tensor &v, const Tensor &band,
            const Tensor &m, const Tensor &n, const Tensor &z, const Tensor &recentK,
            const Tensor &recentV, int64_t window, const std::string &gate);
std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor, Tensor>
convOnline(const Tensor &q, const Tensor &k, const Tensor &v, const Tensor &filter,
           const Tensor &m, const Tensor &n, const Tensor &z, const Tensor &recentK,
           const Tensor &recentV, const std::string &gate);

} // namespace aft::nn::plain

#endif // AFT_TORCH_NN_PLAIN_H
