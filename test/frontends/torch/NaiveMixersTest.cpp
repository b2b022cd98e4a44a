//===- NaiveMixersTest.cpp - Mixers written by hand run as aft operations --===//

#include "CaptureHarness.h"

#include <torch/optim/adamw.h>

#include <cmath>
#include <limits>

using namespace aft;
using namespace aft::test;
using at::Tensor;
using at::indexing::None;
using at::indexing::Slice;

static constexpr double kInfinity = std::numeric_limits<double>::infinity();
static constexpr int64_t kLongest = 24, kChannels = 6;

namespace {
/// What a mixer makes of q, k, v and the bias of their length.
using Mixer = std::function<Tensor(Tensor q, Tensor k, Tensor v, Tensor w)>;

/// A layer around it, as one writes it by hand.
struct NaiveLayer : torch::nn::Module {
  explicit NaiveLayer(Mixer mixer) : mixer(std::move(mixer)) {
    for (auto *linear : {&toQ, &toK, &toV, &out})
      *linear = torch::nn::Linear(kChannels, kChannels);
    register_module("q", toQ);
    register_module("k", toK);
    register_module("v", toV);
    register_module("out", out);
    w = register_parameter("w", at::randn({kLongest, kLongest}));
  }
  Tensor forward(Tensor x) {
    int64_t length = x.size(1);
    Tensor bias = w.index({Slice(None, length), Slice(None, length)});
    return out(mixer(toQ(x), toK(x), toV(x), bias));
  }
  Mixer mixer;
  torch::nn::Linear toQ{nullptr}, toK{nullptr}, toV{nullptr}, out{nullptr};
  Tensor w;
};
} // namespace

static bool hasKernel(const Program &program, const std::string &kind) {
  return program.report().find("\"kind\":\"" + kind + "\"") != std::string::npos;
}

/// Compares with eager runs at several sizes and looks whether there is a kernel
/// of this kind; no other mixer.
static void expectRuns(const std::string &name, const Mixer &mixer, const std::string &kind,
                       bool fast = false, double tolerance = 4e-6) {
  SCOPED_TRACE(name);
  at::manual_seed(1);
  auto layer = std::make_shared<NaiveLayer>(mixer);
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
}

/// The same, and gradients as LibTorch's through some steps of training.
static void expectTrains(const std::string &name, const Mixer &mixer, const std::string &kind) {
  SCOPED_TRACE(name);
  at::manual_seed(2);
  auto layer = std::make_shared<NaiveLayer>(mixer), eager = std::make_shared<NaiveLayer>(mixer);
  auto parameters = layer->named_parameters();
  {
    at::NoGradGuard noGradients;
    for (auto &parameter : eager->named_parameters())
      parameter.value().copy_(parameters[parameter.key()]);
  }
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

static Tensor causalMask(const Tensor &w) {
  return at::ones({w.size(0), w.size(1)}, at::kBool).tril();
}

//===----------------------------------------------------------------------===//
// full
//===----------------------------------------------------------------------===//

static Tensor plainFull(Tensor q, Tensor k, Tensor v, Tensor w) {
  Tensor weights = w.exp(), keys = k.exp();
  return q.sigmoid() * at::matmul(weights, keys * v) / at::matmul(weights, keys);
}

static Tensor stableFull(Tensor q, Tensor k, Tensor v, Tensor w) {
  Tensor keys = (k - k.amax({1}, true).detach()).exp();
  Tensor weights = (w - w.amax({-1}, true).detach()).exp();
  return q.sigmoid() * (at::matmul(weights, keys * v) / at::matmul(weights, keys));
}

static Tensor maskedFull(Tensor q, Tensor k, Tensor v, Tensor w) {
  return plainFull(q, k, v, w.masked_fill(causalMask(w).logical_not(), -kInfinity));
}

static Tensor softmaxFull(Tensor q, Tensor k, Tensor v, Tensor w) {
  Tensor logits = w.unsqueeze(0).unsqueeze(-1) + k.unsqueeze(1);
  return q.sigmoid() * (at::softmax(logits, 2) * v.unsqueeze(1)).sum(2);
}

TEST(NaiveMixers, Full) {
  expectRuns("plain", plainFull, "full");
  expectRuns("maxima subtracted", stableFull, "full");
  expectRuns(
      "maxima with gradients",
      [](Tensor q, Tensor k, Tensor v, Tensor w) {
        Tensor keys = (k - k.amax({1}, true)).exp(), weights = (w - w.max()).exp();
        return q.relu() * (at::matmul(weights, keys * v) / at::matmul(weights, keys));
      },
      "full");
  expectRuns(
      "einsum",
      [](Tensor q, Tensor k, Tensor v, Tensor w) {
        Tensor weights = w.exp(), keys = k.exp();
        return q.tanh() * (at::einsum("ts,bsd->btd", {weights, keys * v}) /
                           at::einsum("ts,bsd->btd", {weights, keys}));
      },
      "full");
  expectRuns(
      "no gate",
      [](Tensor, Tensor k, Tensor v, Tensor w) {
        Tensor weights = w.exp(), keys = k.exp();
        return at::matmul(weights, keys * v) / at::matmul(weights, keys);
      },
      "full");
  expectRuns(
      "one product",
      [](Tensor q, Tensor k, Tensor v, Tensor w) {
        Tensor keys = k.exp();
        Tensor both = at::matmul(w.exp(), at::cat({keys * v, keys}, -1));
        auto parts = both.chunk(2, -1);
        return q.sigmoid() * parts[0] / parts[1];
      },
      "full");
  expectRuns(
      "one einsum",
      [](Tensor q, Tensor k, Tensor v, Tensor w) {
        Tensor keys = k.exp();
        Tensor both = at::einsum("ts,bsd->btd", {w.exp(), at::cat({keys * v, keys}, -1)});
        return q.sigmoid() * both.narrow(-1, 0, kChannels) / both.narrow(-1, kChannels, kChannels);
      },
      "full");
  expectRuns("softmax over time", softmaxFull, "full");
  expectRuns(
      "time first",
      [](Tensor q, Tensor k, Tensor v, Tensor w) {
        k = k.transpose(0, 1), v = v.transpose(0, 1), q = q.transpose(0, 1);
        Tensor keys = k.exp(), weights = w.exp();
        Tensor y = at::einsum("ts,sbd->tbd", {weights, keys * v}) /
                   at::einsum("ts,sbd->tbd", {weights, keys});
        return (q.sigmoid() * y).transpose(0, 1);
      },
      "full");
  expectRuns(
      "channels first",
      [](Tensor q, Tensor k, Tensor v, Tensor w) {
        k = k.transpose(1, 2), v = v.transpose(1, 2), q = q.transpose(1, 2);
        Tensor keys = k.exp(), weights = w.exp().t();
        Tensor y = at::matmul(keys * v, weights) / at::matmul(keys, weights);
        return (q.sigmoid() * y).transpose(1, 2);
      },
      "full");
}

TEST(NaiveMixers, CausalFull) {
  expectRuns("-inf filled in", maskedFull, "full");
  expectRuns(
      "where",
      [](Tensor q, Tensor k, Tensor v, Tensor w) {
        Tensor hidden = at::full({}, -kInfinity);
        return stableFull(q, k, v, at::where(causalMask(w), w, hidden));
      },
      "full");
  expectRuns(
      "weights times tril",
      [](Tensor q, Tensor k, Tensor v, Tensor w) {
        Tensor weights = w.exp() * at::ones_like(w).tril(), keys = k.exp();
        return q.sigmoid() * at::matmul(weights, keys * v) / at::matmul(weights, keys);
      },
      "full");
  expectRuns(
      "tril of the weights",
      [](Tensor q, Tensor k, Tensor v, Tensor w) {
        Tensor weights = w.exp().tril(), keys = k.exp();
        return q.sigmoid() * at::matmul(weights, keys * v) / at::matmul(weights, keys);
      },
      "full");
  expectRuns(
      "-inf added",
      [](Tensor q, Tensor k, Tensor v, Tensor w) {
        return plainFull(q, k, v, w + at::full({w.size(0), w.size(1)}, -kInfinity).triu(1));
      },
      "full");
  expectRuns(
      "ones compared with 0",
      [](Tensor q, Tensor k, Tensor v, Tensor w) {
        Tensor mask = at::ones({w.size(0), w.size(1)}).tril();
        return plainFull(q, k, v, w.masked_fill(mask == 0, -kInfinity));
      },
      "full");
  expectRuns(
      "places compared",
      [](Tensor q, Tensor k, Tensor v, Tensor w) {
        Tensor at_ = at::arange(w.size(0));
        return plainFull(q, k, v, w.masked_fill(at_.unsqueeze(0) > at_.unsqueeze(1), -kInfinity));
      },
      "full");
  expectRuns(
      "softmax over time",
      [](Tensor q, Tensor k, Tensor v, Tensor w) {
        return softmaxFull(q, k, v, w.masked_fill(causalMask(w).logical_not(), -kInfinity));
      },
      "full");
}

//===----------------------------------------------------------------------===//
// simple
//===----------------------------------------------------------------------===//

static Tensor cumulative(Tensor q, Tensor k, Tensor v, Tensor) {
  Tensor keys = k.exp();
  return q.sigmoid() * (keys * v).cumsum(1) / keys.cumsum(1);
}

static Tensor summed(Tensor q, Tensor k, Tensor v, Tensor) {
  Tensor keys = (k - k.amax({1}, true).detach()).exp();
  return q.sigmoid() * ((keys * v).sum({1}, true) / keys.sum({1}, true));
}

TEST(NaiveMixers, Simple) {
  expectRuns("running sums", cumulative, "simple");
  expectRuns(
      "running sums below a maximum",
      [](Tensor q, Tensor k, Tensor v, Tensor) {
        Tensor keys = (k - k.amax({1}, true)).exp();
        return q.sigmoid() * ((keys * v).cumsum(1) / keys.cumsum(1));
      },
      "simple");
  expectRuns("sums", summed, "simple");
  expectRuns(
      "softmax over time",
      [](Tensor q, Tensor k, Tensor v, Tensor) {
        return q.sigmoid() * (at::softmax(k, 1) * v).sum({1}, true);
      },
      "simple");
}

TEST(NaiveMixers, Training) {
  expectTrains("full", plainFull, "full");
  expectTrains("full with maxima", stableFull, "full");
  expectTrains("causal full", maskedFull, "full");
  expectTrains("softmax", softmaxFull, "full");
  expectTrains("running sums", cumulative, "simple");
  expectTrains("sums", summed, "simple");
}

//===----------------------------------------------------------------------===//
// What must stay
//===----------------------------------------------------------------------===//

TEST(NaiveMixers, SmallNumberInTheDenominator) {
  auto mixer = [](Tensor q, Tensor k, Tensor v, Tensor w) {
    Tensor weights = w.exp(), keys = k.exp();
    return q.sigmoid() * at::matmul(weights, keys * v) / (at::matmul(weights, keys) + 1e-6);
  };
  expectRuns("kept", mixer, "");
  expectRuns("dropped", mixer, "full", /*fast=*/true);
}

TEST(NaiveMixers, StaysAsWritten) {
  expectRuns(
      "denominator used elsewhere",
      [](Tensor q, Tensor k, Tensor v, Tensor w) {
        Tensor z = at::matmul(w.exp(), k.exp());
        return q.sigmoid() * at::matmul(w.exp(), k.exp() * v) / z + z.log();
      },
      "");
  expectRuns(
      "other weights below",
      [](Tensor q, Tensor k, Tensor v, Tensor w) {
        return q.sigmoid() * at::matmul(w.exp(), k.exp() * v) / at::matmul(w.exp(), q.exp());
      },
      "");
  expectRuns(
      "attention",
      [](Tensor q, Tensor k, Tensor v, Tensor) {
        return at::matmul(at::softmax(at::matmul(q, k.transpose(1, 2)), -1), v);
      },
      "");
}
