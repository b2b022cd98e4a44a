//===- MixerOps.cpp - The mixers as differentiable operators --------------===//

#include "frontends/torch/ops/Autograd.h"
#include "frontends/torch/ops/Mixer.h"

#include <torch/library.h>

using namespace aft::ops;
using OptionalTensor = std::optional<Tensor>;
using std::string_view;
using Three = std::tuple<Tensor, Tensor, Tensor>;
using Four = std::tuple<Tensor, Tensor, Tensor, Tensor>;

//===----------------------------------------------------------------------===//
// The common operators: one forward, one backward
//===----------------------------------------------------------------------===//

static MixerKind kindOf(string_view mixer, int64_t window, at::IntArrayRef grid, bool causal,
                        string_view gate) {
  TORCH_CHECK(mixer == "full" || mixer == "local" || mixer == "simple" || mixer == "conv",
              "aft: mixer must be full, local, simple or conv, found '", mixer, "'");
  return {std::string(mixer), causal, std::string(gate), window, grid.vec()};
}

static MixerOperands operandsOf(const Tensor &q, const Tensor &k, const Tensor &v,
                                const OptionalTensor &bias, const OptionalTensor &lengths) {
  return {q, k, v, bias.value_or(Tensor()), lengths.value_or(Tensor())};
}

static Three forwardCompiled(string_view mixer, const Tensor &q, const Tensor &k, const Tensor &v,
                             const OptionalTensor &bias, const OptionalTensor &lengths,
                             int64_t window, at::IntArrayRef grid, bool causal, string_view gate) {
  auto results = mixerForward(kindOf(mixer, window, grid, causal, gate),
                              operandsOf(q, k, v, bias, lengths), /*saved=*/true);
  return {results[0], results[1], results[2]};
}

static Three forwardMeta(string_view mixer, const Tensor &q, const Tensor &k, const Tensor &v,
                         const OptionalTensor &bias, const OptionalTensor &lengths,
                         int64_t window, at::IntArrayRef grid, bool causal, string_view gate) {
  MixerKind kind = kindOf(mixer, window, grid, causal, gate);
  Extents extents("aft::" + kind.name);
  checkMixer(kind, operandsOf(q, k, v, bias, lengths), extents);
  Tensor y = at::empty_like(q, at::MemoryFormat::Contiguous);
  Tensor ratio = at::empty_like(y, y.options().dtype(accumulationOf(q.scalar_type())));
  return {y, ratio, mixer == "conv" ? at::empty_like(k, ratio.options(),
                                                     at::MemoryFormat::Contiguous)
                                    : at::empty_like(ratio)};
}

static Four backwardCompiled(const Tensor &dy, const Tensor &ratio, const Tensor &logz,
                             string_view mixer, const Tensor &q, const Tensor &k, const Tensor &v,
                             const OptionalTensor &bias, const OptionalTensor &lengths,
                             int64_t window, at::IntArrayRef grid, bool causal, string_view gate) {
  auto results = mixerBackward(kindOf(mixer, window, grid, causal, gate),
                               operandsOf(q, k, v, bias, lengths), dy, ratio, logz);
  results.resize(4);
  // A schema cannot say that the last result is absent.
  return {results[0], results[1], results[2],
          results[3].defined() ? results[3] : at::empty({0}, q.options())};
}

static Four backwardMeta(const Tensor &dy, const Tensor &ratio, const Tensor &logz,
                         string_view mixer, const Tensor &q, const Tensor &k, const Tensor &v,
                         const OptionalTensor &bias, const OptionalTensor &lengths,
                         int64_t window, at::IntArrayRef grid, bool causal, string_view gate) {
  auto like = [](const Tensor &x) { return at::empty_like(x, at::MemoryFormat::Contiguous); };
  return {like(q), like(k), like(v), bias ? like(*bias) : at::empty({0}, q.options())};
}

//===----------------------------------------------------------------------===//
// Autograd
//===----------------------------------------------------------------------===//

namespace {
struct MixerFunction : torch::autograd::Function<MixerFunction> {
  static Tensor forward(torch::autograd::AutogradContext *context, const MixerKind &kind,
                        const Tensor &q, const Tensor &k, const Tensor &v,
                        const OptionalTensor &bias, const OptionalTensor &lengths) {
    auto [y, ratio, logz] = callBelow<decltype(forwardCompiled)>("aft::mixer_forward", kind.name, q,
                                                                 k, v, bias, lengths, kind.window,
                                                                 kind.grid, kind.causal, kind.gate);
    context->save_for_backward({q, k, v, bias.value_or(Tensor()),
                                lengths.value_or(Tensor()), ratio, logz});
    context->saved_data["mixer"] = kind.name;
    context->saved_data["window"] = kind.window;
    context->saved_data["grid"] = kind.grid;
    context->saved_data["causal"] = kind.causal;
    context->saved_data["gate"] = kind.gate;
    return y;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext *context,
                                                 torch::autograd::variable_list gradients) {
    auto saved = context->get_saved_variables();
    auto &data = context->saved_data;
    std::string mixer = data["mixer"].toStringRef();
    auto [dq, dk, dv, dbias] = callBelow<decltype(backwardCompiled)>(
        "aft::mixer_backward", gradients[0], saved[5], saved[6], mixer, saved[0], saved[1],
        saved[2], optional(saved[3]), optional(saved[4]), data["window"].toInt(),
        data["grid"].toIntVector(), data["causal"].toBool(), data["gate"].toStringRef());
    auto once = onceDifferentiable("aft::" + mixer, {dq, dk, dv, dbias});
    return {Tensor(), once[0], once[1], once[2], saved[3].defined() ? once[3] : Tensor(),
            Tensor()};
  }
};
} // namespace

/// Without a derivative to come, only y is computed.
static Tensor mix(const MixerKind &kind, const MixerOperands &operands) {
  return mixerForward(kind, operands, /*saved=*/false)[0];
}

static Tensor mixMeta(const MixerKind &kind, const MixerOperands &operands) {
  Extents extents("aft::" + kind.name);
  checkMixer(kind, operands, extents);
  return at::empty_like(operands.q, at::MemoryFormat::Contiguous);
}

//===----------------------------------------------------------------------===//
// The operators of the four mixers
//===----------------------------------------------------------------------===//

using Mix = Tensor (*)(const MixerKind &, const MixerOperands &);

template <Mix implementation>
static Tensor full(const Tensor &q, const Tensor &k, const Tensor &v, const Tensor &w,
                   bool causal, const OptionalTensor &lengths, string_view gate) {
  return implementation(kindOf("full", 0, {}, causal, gate), operandsOf(q, k, v, w, lengths));
}

template <Mix implementation>
static Tensor local(const Tensor &q, const Tensor &k, const Tensor &v, const Tensor &band,
                    int64_t window, bool causal, const OptionalTensor &lengths,
                    string_view gate) {
  return implementation(kindOf("local", window, {}, causal, gate),
                        operandsOf(q, k, v, band, lengths));
}

template <Mix implementation>
static Tensor simple(const Tensor &q, const Tensor &k, const Tensor &v, bool causal,
                     const OptionalTensor &lengths, string_view gate) {
  return implementation(kindOf("simple", 0, {}, causal, gate),
                        operandsOf(q, k, v, std::nullopt, lengths));
}

template <Mix implementation>
static Tensor conv(const Tensor &q, const Tensor &k, const Tensor &v, const Tensor &filter,
                   at::IntArrayRef grid, bool causal, const OptionalTensor &lengths,
                   string_view gate) {
  return implementation(kindOf("conv", 0, grid, causal, gate),
                        operandsOf(q, k, v, filter, lengths));
}

/// The autograd kernels: with a derivative to come the common operators run,
/// else the plain operator below autograd.
static Tensor fullAutograd(const Tensor &q, const Tensor &k, const Tensor &v, const Tensor &w,
                           bool causal, const OptionalTensor &lengths, string_view gate) {
  if (needsGradient({q, k, v, w}))
    return MixerFunction::apply(kindOf("full", 0, {}, causal, gate), q, k, v, OptionalTensor(w),
                                lengths);
  return callBelow<decltype(full<mix>)>("aft::full", q, k, v, w, causal, lengths, gate);
}

static Tensor localAutograd(const Tensor &q, const Tensor &k, const Tensor &v,
                            const Tensor &band, int64_t window, bool causal,
                            const OptionalTensor &lengths, string_view gate) {
  if (needsGradient({q, k, v, band}))
    return MixerFunction::apply(kindOf("local", window, {}, causal, gate), q, k, v, OptionalTensor(band),
                                lengths);
  return callBelow<decltype(local<mix>)>("aft::local", q, k, v, band, window, causal, lengths,
                                         gate);
}

static Tensor simpleAutograd(const Tensor &q, const Tensor &k, const Tensor &v, bool causal,
                             const OptionalTensor &lengths, string_view gate) {
  if (needsGradient({q, k, v}))
    return MixerFunction::apply(kindOf("simple", 0, {}, causal, gate), q, k, v, OptionalTensor(),
                                lengths);
  return callBelow<decltype(simple<mix>)>("aft::simple", q, k, v, causal, lengths, gate);
}

static Tensor convAutograd(const Tensor &q, const Tensor &k, const Tensor &v,
                           const Tensor &filter, at::IntArrayRef grid, bool causal,
                           const OptionalTensor &lengths, string_view gate) {
  if (needsGradient({q, k, v, filter}))
    return MixerFunction::apply(kindOf("conv", 0, grid, causal, gate), q, k, v, OptionalTensor(filter),
                                lengths);
  return callBelow<decltype(conv<mix>)>("aft::conv", q, k, v, filter, grid, causal, lengths,
                                        gate);
}

template <Mix implementation> static void implement(torch::Library &m) {
  m.impl("full", full<implementation>);
  m.impl("local", local<implementation>);
  m.impl("simple", simple<implementation>);
  m.impl("conv", conv<implementation>);
}

TORCH_LIBRARY_IMPL(aft, CPU, m) {
  implement<mix>(m);
  m.impl("mixer_forward", forwardCompiled);
  m.impl("mixer_backward", backwardCompiled);
}
TORCH_LIBRARY_IMPL(aft, CUDA, m) {
  implement<mix>(m);
  m.impl("mixer_forward", forwardCompiled);
  m.impl("mixer_backward", backwardCompiled);
}

TORCH_LIBRARY_IMPL(aft, Meta, m) {
  implement<mixMeta>(m);
  m.impl("mixer_forward", forwardMeta);
  m.impl("mixer_backward", backwardMeta);
}

TORCH_LIBRARY_IMPL(aft, Autograd, m) {
  m.impl("full", fullAutograd);
  m.impl("local", localAutograd);
  m.impl("simple", simpleAutograd);
  m.impl("conv", convAutograd);
  m.impl("mixer_forward", torch::autograd::autogradNotImplementedFallback());
  m.impl("mixer_backward", torch::autograd::autogradNotImplementedFallback());
}
