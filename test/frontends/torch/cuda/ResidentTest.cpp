//===- ResidentTest.cpp - Modules of the host whose programs run on a GPU -===//

#include "CudaHarness.h"

using namespace aft;
using namespace aft::test;
using fake::state;

namespace {

class Resident : public CudaTensors {
protected:
  /// Copies to and from the GPU since the last time.
  static std::pair<int, int> copies() {
    auto &calls = state().calls;
    std::pair<int, int> counts(calls["cuMemcpyHtoDAsync_v2"], calls["cuMemcpyDtoHAsync_v2"]);
    calls.clear();
    return counts;
  }

  static CompileModuleOptions onGpu(bool resident = true) {
    CompileModuleOptions options = uncached();
    options.compile.target = "cuda";
    options.resident = resident;
    return options;
  }
};

TEST_F(Resident, CopiesInputsAndResultsAlone) {
  torch::nn::Sequential model = makeModel();
  at::Tensor x = torch::randn({7, 8}), expected = model->forward(x).detach();
  auto compiled = compile(model, {x}, onGpu());
  std::shared_ptr<Program> emulated = emulate(compiled.text(), "forward");
  copies();
  EXPECT_TRUE(at::allclose(compiled(x), expected, 1e-4, 1e-5));
  // Two layers of a weight and a bias each, and a norm.
  EXPECT_EQ(copies(), std::pair(6 + 1, 1));
  for (int call = 0; call < 3; ++call) {
    EXPECT_TRUE(at::allclose(compiled(x), expected, 1e-4, 1e-5));
    EXPECT_EQ(copies(), std::pair(1, 1));
  }
  // Without, everything at each call.
  auto other = compile(model, {x}, onGpu(/*resident=*/false));
  other(x);
  copies();
  other(x);
  EXPECT_EQ(copies(), std::pair(6 + 1, 1));
}

TEST_F(Resident, SeesParametersThatChange) {
  torch::nn::Sequential model = makeModel();
  at::Tensor x = torch::randn({7, 8});
  auto compiled = compile(model, {x}, onGpu());
  std::shared_ptr<Program> emulated = emulate(compiled.text(), "forward");
  compiled(x);
  copies();
  {
    at::NoGradGuard guard;
    model->named_parameters()["3.weight"].mul_(2);
  }
  EXPECT_TRUE(at::allclose(compiled(x), model->forward(x).detach(), 1e-4, 1e-5));
  EXPECT_EQ(copies(), std::pair(1 + 1, 1));
  // Other memory.
  model->named_parameters()["3.bias"].set_data(torch::randn({4}));
  EXPECT_TRUE(at::allclose(compiled(x), model->forward(x).detach(), 1e-4, 1e-5));
  EXPECT_EQ(copies(), std::pair(1 + 1, 1));
}

TEST_F(Resident, TrainsWithCopiesOfTheBatchAndTheLoss) {
  torch::nn::Sequential model = makeModel(), onHost = makeModel();
  at::Tensor x = torch::randn({6, 8}), wanted = torch::randn({6, 4});
  OptimizerOptions adamw;
  adamw.lr = 0.01;
  auto hostStep = compileTraining(onHost, lossOf, adamw, {x, wanted}, uncached());
  auto step = compileTraining(model, lossOf, adamw, {x, wanted}, onGpu());
  std::shared_ptr<Program> emulated = emulate(step.text(), "train_step", trainingLike(adamw));
  at::Tensor before = model->named_parameters()["0.weight"].detach().clone();
  copies();
  int graphs = 0;
  for (int i = 0; i < 4; ++i) {
    at::Tensor loss = step(x, wanted);
    EXPECT_TRUE(loss.is_cpu());
    graphs += state().calls["cuGraphLaunch"];
    EXPECT_TRUE(at::allclose(loss, hostStep(x, wanted), 1e-4, 1e-5));
    // The batch, the number of the step and the learning rate; at first parameters and
    // moments, too.
    EXPECT_EQ(copies(), std::pair(4 + (i == 0 ? 3 * 6 : 0), 1)) << i;
  }
  EXPECT_GE(graphs, 2);
  EXPECT_TRUE(at::equal(model->named_parameters()["0.weight"], before));
  step.fetch();
  EXPECT_EQ(copies(), std::pair(0, 3 * 6));
  step.fetch();
  EXPECT_EQ(copies(), std::pair(0, 0)) << "nothing is new";
  auto expected = onHost->named_parameters();
  for (const auto &parameter : model->named_parameters())
    EXPECT_TRUE(at::allclose(parameter.value(), expected[parameter.key()], 1e-4, 1e-5))
        << parameter.key();
  for (const auto &[name, tensor] : step.state())
    for (const auto &[other, wantedTensor] : hostStep.state())
      if (name == other)
        EXPECT_TRUE(at::allclose(tensor, wantedTensor, 1e-3, 1e-6)) << name;
  // And goes on from there without copies.
  step(x, wanted);
  EXPECT_EQ(copies(), std::pair(4, 1));
}

TEST_F(Resident, GoesOnFromChangesAndAnotherState) {
  torch::nn::Sequential model = makeModel(), onHost = makeModel();
  at::Tensor x = torch::randn({6, 8}), wanted = torch::randn({6, 4});
  OptimizerOptions adamw;
  adamw.lr = 0.01;
  auto hostStep = compileTraining(onHost, lossOf, adamw, {x, wanted}, uncached());
  auto step = compileTraining(model, lossOf, adamw, {x, wanted}, onGpu());
  std::shared_ptr<Program> emulated = emulate(step.text(), "train_step", trainingLike(adamw));
  step(x, wanted);
  hostStep(x, wanted);
  auto change = [](torch::nn::Sequential &changed) {
    at::NoGradGuard guard;
    changed->named_parameters()["0.weight"].mul_(0.5);
  };
  change(model);
  expectContains(messageOf([&] { step(x, wanted); }),
                 "parameter '0.weight' was changed while its numbers after the last steps are on "
                 "the GPU alone; fetch() must be called before");
  step.fetch(); // what was changed is gone
  change(model);
  change(onHost);
  EXPECT_TRUE(at::allclose(step(x, wanted), hostStep(x, wanted), 1e-4, 1e-5));
  hostStep(x, wanted);
  step.loadState(hostStep.state());
  EXPECT_EQ(step.steps(), 3);
  step.fetch();
  {
    at::NoGradGuard guard;
    auto source = onHost->named_parameters();
    for (auto &parameter : model->named_parameters())
      parameter.value().copy_(source[parameter.key()]);
  }
  EXPECT_TRUE(at::allclose(step(x, wanted), hostStep(x, wanted), 1e-4, 1e-5));
}

/// A sum that goes on from call to call.
TEST_F(Resident, KeepsTheStateOfCalls) {
  torch::nn::Linear model(4, 4);
  at::NoGradGuard guard;
  CompileModuleOptions options = onGpu();
  options.state = {{1, 1}};
  Computation computation = [&](const Tensors &inputs) {
    at::Tensor sum = inputs[1] + model->forward(inputs[0]);
    return Tensors{sum * 2, sum};
  };
  at::Tensor x = torch::randn({3, 4}), start = torch::randn({3, 4});
  auto compiled = compileComputation(*model, computation, {x, start}, options);
  std::shared_ptr<Program> emulated = emulate(compiled.text(), "forward");
  compiled.run({x, start});
  copies();
  Tensors first = compiled.run({x, start});
  EXPECT_EQ(copies(), std::pair(2, 1));
  EXPECT_TRUE(first[1].is_meta());
  EXPECT_EQ(first[1].sizes(), start.sizes());
  Tensors second = compiled.run({x, first[1]}), again = compiled.run({x, first[1]});
  EXPECT_EQ(copies(), std::pair(2, 2)) << "the state stays";
  at::Tensor y = model->forward(x);
  EXPECT_TRUE(at::allclose(second[0], (start + 2 * y) * 2, 1e-4, 1e-5));
  EXPECT_TRUE(at::allclose(again[0], second[0]));
  EXPECT_TRUE(at::allclose(compiled.fetch(second[1]), start + 2 * y, 1e-4, 1e-5));
  EXPECT_TRUE(compiled.fetch(x).is_same(x));
  // Other tensors without numbers are no state.
  expectContains(messageOf([&] { compiled.run({x, at::empty_like(first[1])}); }),
                 "input 1 must be on cpu");
}

} // namespace
