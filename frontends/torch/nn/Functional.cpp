//===- Functional.cpp - The aft operators as C++ functions ----------------===//

#include "frontends/torch/nn/Functional.h"

#include <ATen/core/dispatch/Dispatcher.h>

using at::Tensor;
using std::string;
using OptionalTensor = std::optional<Tensor>;

template <typename Signature> static auto find(const char *name) {
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, "").typed<Signature>();
}

namespace aft::nn::functional {

Tensor full(const Tensor &q, const Tensor &k, const Tensor &v, const Tensor &w, bool causal,
            const string &gate) {
  static auto op = find<Tensor(const Tensor &, const Tensor &, const Tensor &, const Tensor &,
                               bool, const OptionalTensor &, c10::string_view)>("aft::full");
  return op.call(q, k, v, w, causal, std::nullopt, gate);
}

Tensor local(const Tensor &q, const Tensor &k, const Tensor &v, const Tensor &band,
             int64_t window, bool causal, const string &gate) {
  static auto op =
      find<Tensor(const Tensor &, const Tensor &, const Tensor &, const Tensor &, int64_t, bool,
                  const OptionalTensor &, c10::string_view)>("aft::local");
  return op.call(q, k, v, band, window, causal, std::nullopt, gate);
}

Tensor simple(const Tensor &q, const Tensor &k, const Tensor &v, bool causal,
              const string &gate) {
  static auto op = find<Tensor(const Tensor &, const Tensor &, const Tensor &, bool,
                               const OptionalTensor &, c10::string_view)>("aft::simple");
  return op.call(q, k, v, causal, std::nullopt, gate);
}

Tensor conv(const Tensor &q, const Tensor &k, const Tensor &v, const Tensor &filter,
            at::IntArrayRef grid, bool causal, const string &gate) {
  static auto op =
      find<Tensor(const Tensor &, const Tensor &, const Tensor &, const Tensor &,
                  at::IntArrayRef, bool, const OptionalTensor &, c10::string_view)>("aft::conv");
  return op.call(q, k, v, filter, grid, causal, std::nullopt, gate);
}

Tensor band(const Tensor &u, const Tensor &v, int64_t window, bool causal) {
  static auto op = find<Tensor(const Tensor &, const Tensor &, int64_t, bool)>("aft::band");
  return op.call(u, v, window, causal);
}

std::tuple<Tensor, Tensor, Tensor, Tensor>
simpleOnline(const Tensor &q, const Tensor &k, const Tensor &v, const Tensor &m, const Tensor &n,
             const Tensor &z, const string &gate) {
  static auto op = find<std::tuple<Tensor, Tensor, Tensor, Tensor>(
      const Tensor &, const Tensor &, const Tensor &, const Tensor &, const Tensor &,
      const Tensor &, c10::string_view)>("aft::simple_online");
  return op.call(q, k, v, m, n, z, gate);
}

using SixTensors = std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor, Tensor>;

SixTensors localOnline(const Tensor &q, const Tensor &k, const Tensor &v, const Tensor &band,
                       const Tensor &m, const Tensor &n, const Tensor &z, const Tensor &recentK,
                       const Tensor &recentV, int64_t window, const string &gate) {
  static auto op = find<SixTensors(const Tensor &, const Tensor &, const Tensor &, const Tensor &,
                                   const Tensor &, const Tensor &, const Tensor &,
                                   const Tensor &, const Tensor &, int64_t, c10::string_view)>(
      "aft::local_online");
  return op.call(q, k, v, band, m, n, z, recentK, recentV, window, gate);
}

SixTensors convOnline(const Tensor &q, const Tensor &k, const Tensor &v, const Tensor &filter,
                      const Tensor &m, const Tensor &n, const Tensor &z, const Tensor &recentK,
                      const Tensor &recentV, const string &gate) {
  static auto op = find<SixTensors(const Tensor &, const Tensor &, const Tensor &, const Tensor &,
                                   const Tensor &, const Tensor &, const Tensor &,
                                   const Tensor &, const Tensor &, c10::string_view)>(
      "aft::conv_online");
  return op.call(q, k, v, filter, m, n, z, recentK, recentV, gate);
}

} // namespace aft::nn::functional
