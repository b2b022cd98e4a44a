//===- BandOps.cpp - The band of a factorised bias ------------------------===//

#include "frontends/torch/ops/Autograd.h"
#include "frontends/torch/ops/Kernels.h"

#include <ATen/ATen.h>
#include <torch/library.h>

using namespace aft::ops;
using Two = std::tuple<Tensor, Tensor>;

static int64_t tapsOf(int64_t window, bool causal) { return causal ? window : 2 * window - 1; }

static void check(const Tensor &u, const Tensor &v, int64_t window, bool causal,
                  Extents &extents) {
  at::ScalarType type = u.scalar_type();
  TORCH_CHECK(type == at::kFloat || type == at::kDouble || type == at::kBFloat16,
              "aft::band: 'u' must be float, double or bfloat16, found ", type);
  TORCH_CHECK(v.scalar_type() == type, "aft::band: 'v' must have u's element type ", type,
              ", found ", v.scalar_type());
  TORCH_CHECK(window >= 1, "aft::band: window must be at least 1, found ", window);
  extents.bind('l', tapsOf(window, causal));
  if (u.unsafeGetTensorImpl()->has_symbolic_sizes_strides() ||
      v.unsafeGetTensorImpl()->has_symbolic_sizes_strides())
    return;
  extents.check("u", u, "Tr");
  extents.check("v", v, "Tr");
}

static std::string attributes(int64_t window, bool causal) {
  return " window = " + std::to_string(window) + (causal ? " causal" : "");
}

static Tensor band(const Tensor &u, const Tensor &v, int64_t window, bool causal) {
  Extents extents("aft::band");
  check(u, v, window, causal, extents);
  if (u.numel() == 0)
    return at::zeros(extents.shapeOf("Tl"), u.options());
  return run({"band", {{u, "Tr"}, {v, "Tr"}}, {{u.scalar_type(), "Tl"}},
              "$0, $1" + attributes(window, causal)},
             extents)[0];
}

static Tensor bandMeta(const Tensor &u, const Tensor &v, int64_t window, bool causal) {
  Extents extents("aft::band");
  check(u, v, window, causal, extents);
  return at::empty_symint({u.sym_size(0), tapsOf(window, causal)}, u.options());
}

static Two backward(const Tensor &dband, const Tensor &u, const Tensor &v, int64_t window,
                    bool causal) {
  Extents extents("aft::band");
  check(u, v, window, causal, extents);
  extents.check("the gradient of the band", dband, "Tl");
  if (u.numel() == 0)
    return {at::zeros_like(u), at::zeros_like(v)};
  at::ScalarType type = u.scalar_type();
  auto results = run({"band_grad", {{dband, "Tl"}, {u, "Tr"}, {v, "Tr"}},
                      {{type, "Tr"}, {type, "Tr"}}, "$0, $1, $2" + attributes(window, causal)},
                     extents);
  return {results[0], results[1]};
}

static Two backwardMeta(const Tensor &dband, const Tensor &u, const Tensor &v, int64_t window,
                        bool causal) {
  return {at::empty_like(u, at::MemoryFormat::Contiguous),
          at::empty_like(v, at::MemoryFormat::Contiguous)};
}

namespace {
struct BandFunction : torch::autograd::Function<BandFunction> {
  static Tensor forward(torch::autograd::AutogradContext *context, const Tensor &u,
                        const Tensor &v, int64_t window, bool causal) {
    context->save_for_backward({u, v});
    context->saved_data["window"] = window;
    context->saved_data["causal"] = causal;
    return callBelow<decltype(band)>("aft::band", u, v, window, causal);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext *context,
                                                 torch::autograd::variable_list gradients) {
    auto saved = context->get_saved_variables();
    auto [du, dv] = callBelow<decltype(::backward)>(
        "aft::band_backward", gradients[0], saved[0], saved[1],
        context->saved_data["window"].toInt(), context->saved_data["causal"].toBool());
    auto once = onceDifferentiable("aft::band", {du, dv});
    return {once[0], once[1], Tensor(), Tensor()};
  }
};
} // namespace

static Tensor bandAutograd(const Tensor &u, const Tensor &v, int64_t window, bool causal) {
  if (needsGradient({u, v}))
    return BandFunction::apply(u, v, window, causal);
  return callBelow<decltype(band)>("aft::band", u, v, window, causal);
}

TORCH_LIBRARY_IMPL(aft, CPU, m) {
  m.impl("band", band);
  m.impl("band_backward", backward);
}
TORCH_LIBRARY_IMPL(aft, CUDA, m) {
  m.impl("band", band);
  m.impl("band_backward", backward);
}

TORCH_LIBRARY_IMPL(aft, Meta, m) {
  m.impl("band", bandMeta);
  m.impl("band_backward", backwardMeta);
}

TORCH_LIBRARY_IMPL(aft, Autograd, m) {
  m.impl("band", bandAutograd);
  m.impl("band_backward", torch::autograd::autogradNotImplementedFallback());
}
