//===- Functional.h - The aft operators as C++ functions ------------------===//
// Each calls the operator of the same name through LibTorch's dispatcher, so
// that autograd, capture and meta tensors see it.

#ifndef AFT_TORCH_NN_FUNCTIONAL_H
#define AFT_TORCH_NN_FUNCTIONAL_H

#include <ATen/core/Tensor.h>

#include <string>
#include <tuple>

namespace aft::nn::functional {

using at::Tensor;

Tensor full(const Tensor &q, const Tensor &k, const Tensor &v, const Tensor &w, bool causal,
            const std::string &gate);
Tensor local(const Tensor &q, const Tensor &k, const Tensor &v, const Tensor &band,
             int64_t window, bool causal, const std::string &gate);
Tensor simple(const Tensor &q, const Tensor &k, const Tensor &v, bool causal,
              const std::string &gate);
Tensor conv(const Tensor &q, const Tensor &k, const Tensor &v, const Tensor &filter,
            at::IntArrayRef grid, bool causal, const std::string &gate);
Tensor band(const Tensor &u, const Tensor &v, int64_t window, bool causal);

/// (y, m, n, z): causal simple over the next chunk.
std::tuple<Tensor, Tensor, Tensor, Tensor>
simpleOnline(const Tensor &q, const Tensor &k, const Tensor &v, const Tensor &m, const Tensor &n,
             const Tensor &z, const std::string &gate);
/// (y, m, n, z, recent_k, recent_v): causal local over the next chunk.
std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor, Tensor>
localOnline(const Tensor &q, const Tensor &k, const Tensor &v, const Tensor &band,
            const Tensor &m, const Tensor &n, const Tensor &z, const Tensor &recentK,
            const Tensor &recentV, int64_t window, const std::string &gate);
/// (y, m, n, z, recent_k, recent_v): causal 1-D conv over the next chunk.
std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor, Tensor>
convOnline(const Tensor &q, const Tensor &k, const Tensor &v, const Tensor &filter,
           const Tensor &m, const Tensor &n, const Tensor &z, const Tensor &recentK,
           const Tensor &recentV, const std::string &gate);

} // namespace aft::nn::functional

#endif // AFT_TORCH_NN_FUNCTIONAL_H
