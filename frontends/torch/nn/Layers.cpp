//===- Layers.cpp - The four AFT layers -----------------------------------===//

#include "aft/nn.h"
#include "frontends/torch/nn/Clone.h"
#include "frontends/torch/nn/Functional.h"
#include "frontends/torch/nn/Options.h"
#include "frontends/torch/nn/Plain.h"

#include <ATen/ATen.h>
#include <torch/nn/init.h>

#include <limits>

using namespace aft::nn;
using torch::Tensor;
namespace F = aft::nn::functional;
namespace P = aft::nn::plain;

/// Standard deviation with which the factors of a position bias begin.
static constexpr double kFactorStd = 0.01;
/// Under the square root of the filter's re-parameterisation.
static constexpr double kFilterEps = 1e-5;

//===----------------------------------------------------------------------===//
// AFTLayer
//===----------------------------------------------------------------------===//

/// What all four layers ask of their options.
static MixerOptions checked(MixerOptions options) {
  checkAtLeast("AFTLayer", "dim", options.dim(), 1);
  checkAtLeast("AFTLayer", "context", options.context(), 0);
  checkAtLeast("AFTLayer", "rank", options.rank(), 0);
  return options;
}

AFTLayer::AFTLayer(MixerOptions opts, int64_t keyChannels)
    : options(checked(std::move(opts))),
      query(register_module("query", torch::nn::Linear(options.dim(), options.dim()))),
      key(register_module("key", torch::nn::Linear(options.dim(), keyChannels))),
      value(register_module("value", torch::nn::Linear(options.dim(), options.dim()))),
      output(register_module("output", torch::nn::Linear(options.dim(), options.dim()))) {}

void AFTLayer::clone_(torch::nn::Module &other, const Device &device) {
  copyInto(other, *this, device);
}

Tensor AFTLayer::forward(Tensor x) {
  return output(mix(query(x), key(x), value(x)));
}

Tensor AFTLayer::step(Tensor x, Tensor positions, MixerState &state) {
  TORCH_CHECK(options.causal(), "only a causal layer can be run step by step");
  return output(mixStep(query(x), key(x), value(x), positions, state));
}

Tensor AFTLayer::zeros(std::vector<int64_t> shape, double value) const {
  return at::full(shape, value, query->weight.options().requires_grad(false));
}

/// m, n and z of no key at all, kept in f32 or wider; by plain operators in the
/// element type.
MixerState AFTLayer::emptySums(int64_t batch, int64_t keyChannels) const {
  at::ScalarType type = query->weight.scalar_type();
  if (type == at::kBFloat16 && !options.plain())
    type = at::kFloat;
  auto sums = [&](int64_t channels, double value) {
    return zeros({batch, channels}, value).to(type);
  };
  return {sums(keyChannels, -std::numeric_limits<double>::infinity()), sums(options.dim(), 0),
          sums(keyChannels, 0)};
}

//===----------------------------------------------------------------------===//
// full
//===----------------------------------------------------------------------===//

AFTFullImpl::AFTFullImpl(MixerOptions opts) : AFTLayer(opts, opts.dim()) {
  int64_t context = options.context(), rank = options.rank();
  TORCH_CHECK(context > 0, "AFTFull needs the option context, the longest sequence");
  if (rank > 0) {
    u = register_parameter("u", at::randn({context, rank}) * kFactorStd);
    v = register_parameter("v", at::randn({context, rank}) * kFactorStd);
  } else {
    bias = register_parameter("bias", at::zeros({context, context}));
  }
}

std::shared_ptr<torch::nn::Module> AFTFullImpl::clone(const Device &device) const {
  return copied(*this, std::make_shared<AFTFullImpl>(options), device);
}

Tensor AFTFullImpl::mix(Tensor q, Tensor k, Tensor value) {
  int64_t length = q.size(1);
  TORCH_CHECK(length <= options.context(), "AFTFull was made for at most ", options.context(),
              " positions (context), found ", length);
  Tensor w = options.rank() > 0
                 ? at::matmul(u.slice(0, 0, length), v.slice(0, 0, length).transpose(0, 1))
                 : bias.slice(0, 0, length).slice(1, 0, length);
  return (options.plain() ? P::full : F::full)(q, k, value, w, options.causal(),
                                               options.gate());
}

MixerState AFTFullImpl::initialState(int64_t batch) const {
  return {zeros({batch, 0, options.dim()}), zeros({batch, 0, options.dim()})};
}

Tensor AFTFullImpl::mixStep(Tensor q, Tensor k, Tensor value, Tensor positions,
                            MixerState &state) {
  Tensor keys = at::cat({state[0], k}, 1), values = at::cat({state[1], value}, 1);
  int64_t seen = keys.size(1);
  Tensor w = options.rank() > 0
                 ? at::matmul(at::embedding(u, positions), v.slice(0, 0, seen).transpose(0, 1))
                 : at::embedding(bias, positions).slice(1, 0, seen);
  state = {keys, values};
  return (options.plain() ? P::full : F::full)(q, keys, values, w, true, options.gate());
}

//===----------------------------------------------------------------------===//
// local
//===----------------------------------------------------------------------===//

AFTLocalImpl::AFTLocalImpl(MixerOptions opts) : AFTLayer(opts, opts.dim()) {
  int64_t context = options.context(), window = options.window(), rank = options.rank();
  TORCH_CHECK(context > 0, "AFTLocal needs the option context, the longest sequence");
  checkAtLeast("AFTLocal", "window", window, 1);
  if (rank > 0) {
    u = register_parameter("u", at::randn({context, rank}) * kFactorStd);
    v = register_parameter("v", at::randn({context, rank}) * kFactorStd);
  } else {
    int64_t taps = options.causal() ? window : 2 * window - 1;
    band = register_parameter("band", at::zeros({context, taps}));
  }
}

std::shared_ptr<torch::nn::Module> AFTLocalImpl::clone(const Device &device) const {
  return copied(*this, std::make_shared<AFTLocalImpl>(options), device);
}

Tensor AFTLocalImpl::mix(Tensor q, Tensor k, Tensor value) {
  int64_t length = q.size(1);
  TORCH_CHECK(length <= options.context(), "AFTLocal was made for at most ", options.context(),
              " positions (context), found ", length);
  auto makeBand = options.plain() ? P::band : F::band;
  Tensor rows = options.rank() > 0 ? makeBand(u.slice(0, 0, length), v.slice(0, 0, length),
                                              options.window(), options.causal())
                                   : band.slice(0, 0, length);
  auto mixer = options.plain() ? P::local : F::local;
  return mixer(q, k, value, rows, options.window(), options.causal(), options.gate());
}

MixerState AFTLocalImpl::initialState(int64_t batch) const {
  int64_t dim = options.dim(), recent = options.window() - 1;
  MixerState state = emptySums(batch, dim);
  state.push_back(zeros({batch, recent, dim}, -std::numeric_limits<double>::infinity()));
  state.push_back(zeros({batch, recent, dim}));
  return state;
}

Tensor AFTLocalImpl::mixStep(Tensor q, Tensor k, Tensor value, Tensor positions,
                             MixerState &state) {
  Tensor rows;
  if (options.rank() > 0) {
    // Tap j of a row stands for the key at position - (window - 1) + j; those
    // before the sequence have no key, so any row of v does.
    Tensor taps = at::arange(options.window(), positions.options()) - (options.window() - 1);
    Tensor keys = (positions.unsqueeze(1) + taps.unsqueeze(0)).clamp_min(0);
    rows = (at::embedding(u, positions).unsqueeze(1) * at::embedding(v, keys)).sum(-1);
  } else {
    rows = at::embedding(band, positions);
  }
  Tensor y;
  MixerState next(5);
  std::tie(y, next[0], next[1], next[2], next[3], next[4]) =
      (options.plain() ? P::localOnline : F::localOnline)(
          q, k, value, rows, state[0], state[1], state[2], state[3], state[4],
          options.window(), options.gate());
  state = std::move(next);
  return y;
}

//===----------------------------------------------------------------------===//
// simple
//===----------------------------------------------------------------------===//

AFTSimpleImpl::AFTSimpleImpl(MixerOptions opts) : AFTLayer(opts, opts.dim()) {}

std::shared_ptr<torch::nn::Module> AFTSimpleImpl::clone(const Device &device) const {
  return copied(*this, std::make_shared<AFTSimpleImpl>(options), device);
}

Tensor AFTSimpleImpl::mix(Tensor q, Tensor k, Tensor value) {
  return (options.plain() ? P::simple : F::simple)(q, k, value, options.causal(),
                                                   options.gate());
}

MixerState AFTSimpleImpl::initialState(int64_t batch) const {
  return emptySums(batch, options.dim());
}

Tensor AFTSimpleImpl::mixStep(Tensor q, Tensor k, Tensor value, Tensor positions,
                              MixerState &state) {
  Tensor y;
  MixerState next(3);
  std::tie(y, next[0], next[1], next[2]) =
      (options.plain() ? P::simpleOnline : F::simpleOnline)(
          q, k, value, state[0], state[1], state[2], options.gate());
  state = std::move(next);
  return y;
}

//===----------------------------------------------------------------------===//
// conv
//===----------------------------------------------------------------------===//

/// The heads, as channels of the keys.
static int64_t checkedHeads(const MixerOptions &options) {
  checkAtLeast("AFTConv", "heads", options.heads(), 1);
  TORCH_CHECK(options.dim() % options.heads() == 0, "AFTConv needs dim (", options.dim(),
              ") to be a multiple of heads (", options.heads(), ")");
  return options.heads();
}

AFTConvImpl::AFTConvImpl(MixerOptions opts) : AFTLayer(opts, checkedHeads(opts)) {
  int64_t heads = options.heads(), taps = options.filter();
  checkAtLeast("AFTConv", "filter", taps, 1);
  for (int64_t extent : options.grid())
    checkAtLeast("AFTConv", "grid", extent, 1);
  size_t axes = options.grid().empty() ? 1 : options.grid().size();
  std::vector<int64_t> shape = {heads};
  shape.insert(shape.end(), axes, taps);
  filter = register_parameter("filter", at::randn(shape) * kFactorStd);
  gamma = register_parameter("gamma", at::zeros({heads}));
  beta = register_parameter("beta", at::zeros({heads}));
}

Tensor AFTConvImpl::effectiveFilter() const {
  std::vector<int64_t> axes, perHead = {options.heads()};
  for (int64_t axis = 1; axis < filter.dim(); ++axis) {
    axes.push_back(axis);
    perHead.push_back(1);
  }
  Tensor centred = filter - filter.mean(axes, /*keepdim=*/true);
  Tensor variance = (centred * centred).mean(axes, /*keepdim=*/true);
  return gamma.reshape(perHead) * centred / (variance + kFilterEps).sqrt() +
         beta.reshape(perHead);
}

std::shared_ptr<torch::nn::Module> AFTConvImpl::clone(const Device &device) const {
  return copied(*this, std::make_shared<AFTConvImpl>(options), device);
}

Tensor AFTConvImpl::mix(Tensor q, Tensor k, Tensor value) {
  auto mixer = options.plain() ? P::conv : F::conv;
  return mixer(q, k, value, effectiveFilter(), options.grid(), options.causal(),
               options.gate());
}

MixerState AFTConvImpl::initialState(int64_t batch) const {
  int64_t dim = options.dim(), heads = options.heads(), recent = options.filter() - 1;
  MixerState state = emptySums(batch, heads);
  state.push_back(zeros({batch, recent, heads}, -std::numeric_limits<double>::infinity()));
  state.push_back(zeros({batch, recent, dim}));
  return state;
}

Tensor AFTConvImpl::mixStep(Tensor q, Tensor k, Tensor value, Tensor positions,
                            MixerState &state) {
  Tensor y;
  MixerState next(5);
  std::tie(y, next[0], next[1], next[2], next[3], next[4]) =
      (options.plain() ? P::convOnline : F::convOnline)(
          q, k, value, effectiveFilter(), state[0], state[1], state[2], state[3], state[4],
          options.gate());
  state = std::move(next);
  return y;
}

std::shared_ptr<AFTLayer> aft::nn::makeLayer(const std::string &mixer,
                                             const MixerOptions &options) {
  if (mixer == "full")
    return std::make_shared<AFTFullImpl>(options);
  if (mixer == "local")
    return std::make_shared<AFTLocalImpl>(options);
  if (mixer == "simple")
    return std::make_shared<AFTSimpleImpl>(options);
  TORCH_CHECK(mixer == "conv", "mixer must be full, local, simple or conv, found '", mixer, "'");
  return std::make_shared<AFTConvImpl>(options);
}
