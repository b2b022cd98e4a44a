//===- NaiveHarness.h - Mixers written by hand, compiled and eager ---------===//

#ifndef AFT_TEST_NAIVE_HARNESS_H
#define AFT_TEST_NAIVE_HARNESS_H

#include "CaptureHarness.h"

#include <torch/optim/adamw.h>

#include <limits>

namespace aft::test {

using at::Tensor;
using at::indexing::None;
using at::indexing::Slice;

inline constexpr double kInfinity = std::numeric_limits<double>::infinity();
inline constexpr int64_t kLongest = 24, kChannels = 6;

/// What a mixer makes of q, k, v and the bias of their length.
using Mixer = std::function<Tensor(Tensor q, Tensor k, Tensor v, Tensor w)>;

/// A layer around it, as one writes it by hand. `whole`: the shape of a bias, or of a
/// filter, that is the same at all lengths.
struct NaiveLayer : torch::nn::Module {
  explicit NaiveLayer(Mixer mixer, std::vector<int64_t> whole = {})
      : mixer(std::move(mixer)), whole(std::move(whole)) {
    for (auto *linear : {&toQ, &toK, &toV, &out})
      *linear = torch::nn::Linear(kChannels, kChannels);
    register_module("q", toQ);
    register_module("k", toK);
    register_module("v", toV);
    register_module("out", out);
    w = register_parameter("w", this->whole.empty() ? at::randn({kLongest, kLongest})
                                                    : at::randn(this->whole));
  }
  Tensor forward(Tensor x) {
    int64_t length = x.size(1);
    Tensor bias = whole.empty() ? w.index({Slice(None, length), Slice(None, length)}) : w;
    return out(mixer(toQ(x), toK(x), toV(x), bias));
  }
  Mixer mixer;
  std::vector<int64_t> whole;
  torch::nn::Linear toQ{nullptr}, toK{nullptr}, toV{nullptr}, out{nullptr};
  Tensor w;
};

inline void copyParameters(const NaiveLayer &from, NaiveLayer &to) {
  at::NoGradGuard noGradients;
  auto parameters = from.named_parameters();
  for (auto &parameter : to.named_parameters())
    parameter.value().copy_(parameters[parameter.key()]);
}

inline bool hasKernel(const Program &program, const std::string &kind) {
  return program.report().find("\"kind\":\"" + kind + "\"") != std::string::npos;
}

/// Keys of 200, where the exponentials as written overflow, against doubles.
template <typename CompiledT> void expectLargeKeys(NaiveLayer &layer, CompiledT &compiled) {
  at::NoGradGuard noGradients;
  layer.toK->bias.add_(200);
  NaiveLayer exact(layer.mixer, layer.whole);
  exact.to(at::kDouble);
  copyParameters(layer, exact);
  Tensor x = at::randn({2, 9, kChannels});
  Tensor found = compiled(x);
  EXPECT_TRUE(found.isfinite().all().item<bool>());
  expectClose(found.to(at::kDouble), exact.forward(x.to(at::kDouble)), 1e-4);
}

/// Compares with eager runs at several sizes and looks whether there is a kernel
/// of this kind and of no other mixer; none: an empty kind.
inline void expectRuns(const std::string &name, const Mixer &mixer, const std::string &kind,
                       bool fast = false, double tolerance = 4e-6,
                       const std::vector<int64_t> &whole = {}) {
  SCOPED_TRACE(name);
  at::manual_seed(1);
  auto layer = std::make_shared<NaiveLayer>(mixer, whole);
  at::NoGradGuard noGradients;
  CompileModuleOptions options = withoutCache();
  options.compile.fast = fast;
  auto compiled = compile(layer, {at::randn({2, 7, kChannels})}, options);
  for (const char *each : {"full", "simple", "local", "conv"})
    EXPECT_EQ(hasKernel(compiled.program(), each), kind == each) << each << "\n" << compiled.text();
  for (auto [b, t] : std::vector<std::pair<int64_t, int64_t>>{{2, 7}, {3, 24}, {1, 3}}) {
    Tensor x = at::randn({b, t, kChannels});
    expectClose(compiled(x), layer->forward(x), tolerance);
  }
  if (!kind.empty())
    expectLargeKeys(*layer, compiled);
}

/// The same, and gradients as LibTorch's through some steps of training.
inline void expectTrains(const std::string &name, const Mixer &mixer, const std::string &kind,
                         const std::vector<int64_t> &whole = {}) {
  SCOPED_TRACE(name);
  at::manual_seed(2);
  auto layer = std::make_shared<NaiveLayer>(mixer, whole);
  auto eager = std::make_shared<NaiveLayer>(mixer, whole);
  auto parameters = layer->named_parameters();
  copyParameters(*layer, *eager);
  auto loss = [](Tensor y, Tensor target) { return at::mse_loss(y, target); };
  OptimizerOptions adamw;
  adamw.lr = 0x1p-7;
  // Far above the rounding of gradients that are 0, such as that of a key's bias.
  adamw.eps = 0x1p-10;
  Tensor x = at::randn({2, 7, kChannels}), target = at::randn({2, 7, kChannels});
  auto step = compileTraining(layer, loss, adamw, {x, target}, withoutCache());
  EXPECT_TRUE(hasKernel(step.program(), kind + "_grad")) << step.text();
  torch::optim::AdamW optimizer(
      eager->parameters(),
      torch::optim::AdamWOptions(0x1p-7).eps(0x1p-10).weight_decay(adamw.weightDecay));
  for (int64_t length : {7, 12, 3}) {
    x = at::randn({2, length, kChannels});
    target = at::randn({2, length, kChannels});
    optimizer.zero_grad();
    Tensor expected = loss(eager->forward(x), target);
    expected.backward();
    optimizer.step();
    expectClose(step(x, target), expected, 4e-6);
  }
  for (auto &parameter : eager->named_parameters()) {
    SCOPED_TRACE(parameter.key());
    expectClose(parameters[parameter.key()], parameter.value(), 1e-4);
  }
}

inline Tensor causalMask(const Tensor &w) {
  return at::ones({w.size(0), w.size(1)}, at::kBool).tril();
}

} // namespace aft::test

#endif // AFT_TEST_NAIVE_HARNESS_H
