//===- TrainingTest.cpp - Compiled training steps against LibTorch's ------===//

#include "CaptureHarness.h"

#include "aft/nn.h"

#include <torch/nn/utils/clip_grad.h>
#include <torch/optim/adamw.h>

using namespace aft;
using namespace aft::test;
using at::Tensor;

static Tensor lossOf(Tensor logits, Tensor targets) {
  return at::cross_entropy_loss(logits.flatten(0, 1), targets.flatten());
}

static void copyParameters(torch::nn::Module &from, torch::nn::Module &to) {
  at::NoGradGuard noGradients;
  auto source = from.named_parameters();
  for (auto &parameter : to.named_parameters())
    parameter.value().copy_(source[parameter.key()]);
}

/// Trains both for some steps of other sizes and compares losses and parameters.
template <typename Model>
static void expectSameTraining(Model compiledModel, Model eagerModel, double clip,
                               double tolerance) {
  copyParameters(*compiledModel, *eagerModel);
  OptimizerOptions options;
  options.lr = 0x1p-7; // exact in f32, as the step takes it
  options.weightDecay = 0.125;
  options.clipNorm = clip;
  auto batch = [](int64_t b, int64_t t) {
    return std::pair(at::randint(20, {b, t}, at::kLong), at::randint(20, {b, t}, at::kLong));
  };
  auto [ids, targets] = batch(2, 9);
  auto step = compileTraining(compiledModel, lossOf, options, {ids, targets}, withoutCache());
  torch::optim::AdamW optimizer(eagerModel->parameters(),
                                torch::optim::AdamWOptions(0x1p-7).weight_decay(0.125));
  for (auto [b, t] : std::vector<std::pair<int64_t, int64_t>>{{2, 9}, {3, 12}, {1, 5}}) {
    auto [x, y] = batch(b, t);
    optimizer.zero_grad();
    Tensor expected = lossOf(eagerModel->forward(x), y);
    expected.backward();
    if (clip > 0)
      torch::nn::utils::clip_grad_norm_(eagerModel->parameters(), clip);
    optimizer.step();
    expectClose(step(x, y), expected, tolerance);
  }
  EXPECT_EQ(step.steps(), 3);
  auto found = compiledModel->named_parameters();
  for (auto &parameter : eagerModel->named_parameters()) {
    SCOPED_TRACE(parameter.key());
    expectClose(found[parameter.key()], parameter.value(), 100 * tolerance);
  }
}

TEST(Training, LanguageModels) {
  for (const char *mixer : {"local", "simple", "full"}) {
    SCOPED_TRACE(mixer);
    torch::manual_seed(10);
    auto options = nn::LanguageModelOptions().layers(2).dim(16).context(16).mixer(mixer).window(4)
                       .rank(6).vocabulary(20).dropout(0);
    nn::LanguageModel compiled(options), eager(options);
    compiled->to(at::kDouble);
    eager->to(at::kDouble);
    expectSameTraining(compiled, eager, 0.5, 1e-9);
  }
}

TEST(Training, IgnoredTargetsHaveNoGradient) {
  auto options = torch::nn::LinearOptions(6, 5);
  for (double smoothing : {0.0, 0.1}) {
    torch::nn::Linear compiled(options), eager(options);
    compiled->to(at::kDouble);
    eager->to(at::kDouble);
    copyParameters(*compiled, *eager);
    auto loss = [=](Tensor y, Tensor ids) {
      return at::cross_entropy_loss(y, ids, {}, at::Reduction::Mean, -100, smoothing);
    };
    Tensor x = at::randn({4, 6}, at::kDouble), ids = torch::tensor({2L, -100L, 0L, -100L});
    auto step = compileTraining(compiled, loss, torch::optim::AdamWOptions(0x1p-7), {x, ids},
                                withoutCache());
    torch::optim::AdamW optimizer(eager->parameters(), torch::optim::AdamWOptions(0x1p-7));
    for (int i = 0; i < 3; ++i) {
      optimizer.zero_grad();
      Tensor expected = loss(eager(x), ids);
      expected.backward();
      optimizer.step();
      expectClose(step(x, ids), expected, 1e-12);
    }
    expectClose(compiled->weight, eager->weight, 1e-9);
  }
}

TEST(Training, RowsByIndicesAndUnusedInputs) {
  torch::nn::Linear compiled(8, 8), eager(8, 8);
  compiled->to(at::kDouble);
  eager->to(at::kDouble);
  copyParameters(*compiled, *eager);
  auto loss = [](Tensor y, Tensor last) {
    Tensor rows = y.gather(1, last.view({-1, 1, 1}).expand({-1, 1, 8})).squeeze(1);
    return (y.index({torch::arange(y.size(0)), last}) * rows).mean();
  };
  Tensor x = at::randn({2, 9, 8}, at::kDouble), last = torch::tensor({3L, 8L});
  auto step = compileTraining(compiled, loss, torch::optim::AdamWOptions(0x1p-7), {x, last},
                              withoutCache());
  torch::optim::AdamW optimizer(eager->parameters(), torch::optim::AdamWOptions(0x1p-7));
  for (int64_t batch : {2, 3, 5}) {
    Tensor in = at::randn({batch, 9, 8}, at::kDouble), ids = at::randint(9, {batch}, at::kLong);
    optimizer.zero_grad();
    Tensor expected = loss(eager(in), ids);
    expected.backward();
    optimizer.step();
    expectClose(step(in, ids), expected, 1e-12);
  }
  expectClose(compiled->weight, eager->weight, 1e-9);
}

namespace {
/// A small model that detaches, freezes and branches.
struct MixedImpl : torch::nn::Module {
  MixedImpl() : table(register_module("table", torch::nn::Embedding(20, 12))),
                frozen(register_module("frozen", torch::nn::Linear(12, 12))),
                head(register_module("head", torch::nn::Linear(12, 20))) {
    for (Tensor &parameter : frozen->parameters())
      parameter.set_requires_grad(false);
  }
  Tensor forward(Tensor ids) {
    Tensor x = table(ids);
    Tensor scale = (x * x).mean(-1, true).detach();
    Tensor y = at::tanh(frozen(x)) / (scale + 1);
    {
      at::NoGradGuard noGradients;
      y = y + x * 0.5;
    }
    return head(y + at::silu(x));
  }
  torch::nn::Embedding table;
  torch::nn::Linear frozen, head;
};
TORCH_MODULE(Mixed);
} // namespace

TEST(Training, DetachesAndFreezes) {
  torch::manual_seed(11);
  Mixed compiled, eager;
  compiled->to(at::kDouble);
  eager->to(at::kDouble);
  for (auto *model : {&compiled, &eager})
    for (Tensor &parameter : (*model)->frozen->parameters())
      parameter.set_requires_grad(false);
  Tensor before = compiled->frozen->weight.clone();
  copyParameters(*compiled, *eager);
  expectSameTraining(compiled, eager, 0, 1e-9);
}

TEST(Training, WhatTheLossDoesNotReachStays) {
  // A gradient of zeros would let its weights decay, which LibTorch's AdamW does not.
  struct Cut : torch::nn::Module {
    Cut() : first(register_module("first", torch::nn::Linear(4, 4))),
            second(register_module("second", torch::nn::Linear(4, 2))) {}
    Tensor forward(Tensor x) { return second(first(x).detach()); }
    torch::nn::Linear first, second;
  };
  torch::manual_seed(12);
  auto model = std::make_shared<Cut>();
  Tensor x = at::randn({3, 4}), first = model->first->weight.detach().clone(),
         second = model->second->weight.detach().clone();
  OptimizerOptions options;
  options.weightDecay = 0.5;
  auto step = compileTraining(
      model, [](Tensor y) { return y.square().sum(); }, options, {x}, withoutCache());
  step(x);
  EXPECT_TRUE(model->first->weight.equal(first));
  EXPECT_FALSE(model->second->weight.equal(second));
  // A batch without rows, of a fixed size, changes nothing but by decay.
  CompileModuleOptions fixed = withoutCache();
  fixed.dynamic = false;
  auto empty = compileTraining(
      model, [](Tensor y) { return y.square().sum(); }, options, {at::randn({0, 4})}, fixed);
  EXPECT_EQ(empty(at::randn({0, 4})).item<float>(), 0);
}

TEST(Training, DropoutIsRepeatableAndDiffersByStep) {
  auto train = [](int64_t seed) {
    torch::manual_seed(12);
    nn::LanguageModel model(nn::LanguageModelOptions().layers(1).dim(16).context(16).window(4)
                                .rank(4).vocabulary(20).dropout(0.5));
    OptimizerOptions options;
    options.lr = 0; // the same parameters at every step
    options.weightDecay = 0;
    Tensor ids = at::randint(20, {2, 16}, at::kLong);
    auto step = compileTraining(model, lossOf, options, {ids, ids}, withoutCache());
    step.setSeed(seed);
    std::vector<double> losses;
    for (int i = 0; i < 3; ++i)
      losses.push_back(step(ids, ids).item<double>());
    return losses;
  };
  std::vector<double> first = train(1), again = train(1), other = train(2);
  EXPECT_EQ(first, again);
  EXPECT_NE(first[0], first[1]);
  EXPECT_NE(first[0], other[0]);
}

TEST(Training, StateGoesOnBitForBit) {
  torch::manual_seed(13);
  auto options = nn::LanguageModelOptions().layers(1).dim(16).context(16).window(4).rank(4)
                     .vocabulary(20).dropout(0.1);
  nn::LanguageModel straight(options), resumed(options);
  copyParameters(*straight, *resumed);
  Tensor ids = at::randint(20, {2, 16}, at::kLong);
  auto a = compileTraining(straight, lossOf, OptimizerOptions(), {ids, ids}, withoutCache());
  auto b = compileTraining(resumed, lossOf, OptimizerOptions(), {ids, ids}, withoutCache());
  for (int i = 0; i < 4; ++i)
    a(ids, ids);
  b(ids, ids);
  b(ids, ids);
  nn::LanguageModel third(options);
  copyParameters(*resumed, *third);
  auto c = compileTraining(third, lossOf, OptimizerOptions(), {ids, ids}, withoutCache());
  c.loadState(b.state());
  c(ids, ids);
  c(ids, ids);
  auto expected = straight->named_parameters();
  for (auto &parameter : third->named_parameters())
    EXPECT_TRUE(parameter.value().equal(expected[parameter.key()])) << parameter.key();

  auto broken = b.state();
  broken.pop_back();
  EXPECT_NE(refusal([&] { c.loadState(broken); }).find("has no 'step'"), std::string::npos);
  broken = b.state();
  broken[0].second = at::zeros({3});
  EXPECT_NE(refusal([&] { c.loadState(broken); }).find("must be Float"), std::string::npos);
  EXPECT_EQ(c.steps(), 4);
}

TEST(Training, RefusesWhatIsNoLoss) {
  torch::nn::Linear module(4, 4);
  auto vector = [](Tensor y) { return y; };
  EXPECT_NE(refusal([&] {
              compileTraining(module, vector, OptimizerOptions(), {at::randn({2, 4})});
            }).find("the loss must be a scalar"),
            std::string::npos);
  auto constant = [](Tensor y) { return y.detach().sum(); };
  torch::nn::GELU nothing;
  EXPECT_NE(refusal([&] {
              compileTraining(nothing, constant, OptimizerOptions(), {at::randn({2, 4})});
            }).find("uses no parameter"),
            std::string::npos);
}

TEST(Training, RefusesRatesThatMeanNothing) {
  torch::nn::Linear module(4, 4);
  auto loss = [](Tensor y) { return y.sum(); };
  Tensor x = at::randn({2, 4});
  auto refused = [&](const OptimizerOptions &options, const std::string &message) {
    std::string found =
        refusal([&] { compileTraining(module, loss, options, {x}, withoutCache()); });
    EXPECT_NE(found.find(message), std::string::npos) << found;
  };
  auto with = [](double OptimizerOptions::*option, double value) {
    OptimizerOptions options;
    options.*option = value;
    return options;
  };
  using O = OptimizerOptions;
  refused(with(&O::lr, -1), "learning rate must be finite and at least 0, found -1");
  refused(with(&O::beta1, 1), "beta1 must be at least 0 and less than 1, found 1");
  refused(with(&O::beta2, std::nan("")), "beta2 must be at least 0 and less than 1, found nan");
  refused(with(&O::eps, -1e-3), "eps must be finite and at least 0, found -0.001");
  refused(with(&O::weightDecay, std::nan("")), "weightDecay must be finite and at least 0");
  refused(with(&O::clipNorm, -1), "clipNorm must be finite and at least 0, found -1");

  auto step = compileTraining(module, loss, O(), {x}, withoutCache());
  step.setLearningRate(0.5);
  for (double rate : {std::nan(""), -1e-3, 1e300, -std::numeric_limits<double>::infinity()})
    EXPECT_NE(refusal([&] { step.setLearningRate(rate); }).find("learning rate must be finite"),
              std::string::npos);
  EXPECT_EQ(step.learningRate(), 0.5);
}
