//===- CudaTensorsTest.cpp - Compiled modules on tensors of a GPU ---------===//

#include "CudaHarness.h"

using namespace aft;
using namespace aft::test;
using fake::state;

namespace {

TEST_F(CudaTensors, RunsWhereTheyAreOnTheCurrentStream) {
  torch::nn::Sequential model = makeModel();
  at::Tensor x = torch::randn({7, 8}), expected = model->forward(x).detach();
  model->to(at::kCUDA);
  at::Tensor onGpu = x.to(at::kCUDA);
  auto compiled = compile(model, {onGpu}, uncached());
  std::shared_ptr<Program> emulated = emulate(compiled.text(), "forward");
  void *stream = makeStream();
  state().calls.clear();
  state().launches.clear();
  {
    CurrentStream current(stream);
    for (int call = 0; call < 3; ++call) {
      at::Tensor y = compiled(onGpu);
      EXPECT_EQ(y.device(), at::Device(at::kCUDA, 0));
      EXPECT_TRUE(at::allclose(y.cpu(), expected, 1e-4, 1e-5)) << y.cpu() << expected;
    }
  }
  ASSERT_FALSE(state().launches.empty());
  int products = 0;
  for (const fake::Launch &launch : state().launches) {
    EXPECT_EQ(launch.stream, stream) << launch.kernel;
    products += launch.kernel == "cublasLtMatmul";
  }
  EXPECT_EQ(products, 3 * 2);
  // Nothing is copied, and nothing waited for.
  for (const char *function :
       {"cuMemcpyHtoDAsync_v2", "cuMemcpyDtoHAsync_v2", "cuStreamSynchronize", "cuCtxSynchronize"})
    EXPECT_EQ(state().calls[function], 0) << function;
  // Another size, on the default stream.
  at::Tensor y = compiled(onGpu.slice(0, 0, 3));
  EXPECT_TRUE(at::allclose(y.cpu(), expected.slice(0, 0, 3), 1e-4, 1e-5));
  EXPECT_EQ(state().launches.back().stream, nullptr);
}

/// Of what is on a GPU, too; where none is given they stay where the module is.
TEST_F(CudaTensors, CopiesOfModulesGoToTheDeviceThatIsGiven) {
  torch::manual_seed(4);
  nn::LanguageModel model(
      nn::LanguageModelOptions().vocabulary(20).layers(1).dim(16).context(12).window(4).rank(0));
  auto expectOn = [&](const torch::nn::Module &copy, at::Device device) {
    auto parameters = copy.named_parameters();
    ASSERT_EQ(parameters.keys(), model->named_parameters().keys());
    for (const auto &item : model->named_parameters()) {
      const at::Tensor &own = parameters[item.key()];
      EXPECT_EQ(own.device(), device) << item.key();
      EXPECT_NE(own.data_ptr(), item.value().data_ptr()) << item.key();
      EXPECT_TRUE(own.cpu().equal(item.value().cpu())) << item.key();
    }
  };
  at::Device first(at::kCUDA, 0), second(at::kCUDA, 1);
  auto copy = std::dynamic_pointer_cast<nn::LanguageModelImpl>(model->clone(first));
  expectOn(*copy, first);
  EXPECT_EQ(copy->blocks[0]->as<nn::BlockImpl>()->mixer->query->weight.device(), first);
  EXPECT_EQ(copy->positions.device(), first);
  expectOn(*copy->clone(), first);
  expectOn(*copy->clone(second), second);
  expectOn(*copy->clone(at::Device(at::kCPU)), at::kCPU);
  EXPECT_TRUE(model->positions.is_cpu());
}

TEST_F(CudaTensors, RunsALanguageModel) {
  torch::manual_seed(5);
  nn::LanguageModel model(
      nn::LanguageModelOptions().vocabulary(20).layers(1).dim(16).context(12).window(4).rank(4));
  model->eval();
  at::Tensor ids = torch::randint(20, {2, 9}), expected = model->forward(ids).detach();
  model->to(at::kCUDA);
  auto compiled = compile(model, {ids.to(at::kCUDA)}, uncached());
  std::shared_ptr<Program> emulated = emulate(compiled.text(), "forward");
  EXPECT_TRUE(at::allclose(compiled(ids.to(at::kCUDA)).cpu(), expected, 1e-4, 1e-5));
}

TEST_F(CudaTensors, TrainsParametersInPlace) {
  torch::nn::Sequential onHost = makeModel(), onGpu = makeModel();
  onGpu->to(at::kCUDA);
  at::Tensor x = torch::randn({6, 8}), wanted = torch::randn({6, 4});
  OptimizerOptions adamw;
  adamw.lr = 0.01;
  auto hostStep = compileTraining(onHost, lossOf, adamw, {x, wanted}, uncached());
  at::Tensor gpuX = x.to(at::kCUDA), gpuWanted = wanted.to(at::kCUDA);
  auto gpuStep = compileTraining(onGpu, lossOf, adamw, {gpuX, gpuWanted}, uncached());
  std::shared_ptr<Program> emulated = emulate(gpuStep.text(), "train_step", trainingLike(adamw));
  state().calls.clear();
  for (int step = 0; step < 4; ++step) {
    at::Tensor loss = gpuStep(gpuX, gpuWanted);
    EXPECT_TRUE(loss.is_cuda());
    EXPECT_TRUE(at::allclose(loss.cpu(), hostStep(x, wanted), 1e-4, 1e-5));
  }
  EXPECT_EQ(state().calls["cuMemcpyHtoDAsync_v2"], 0);
  EXPECT_GE(state().calls["cuGraphLaunch"], 1);
  auto expected = onHost->named_parameters();
  for (const auto &parameter : onGpu->named_parameters()) {
    EXPECT_TRUE(parameter.value().is_cuda());
    EXPECT_TRUE(at::allclose(parameter.value().cpu(), expected[parameter.key()], 1e-4, 1e-5))
        << parameter.key();
  }
  // The state goes from one device to the other.
  for (const auto &[name, tensor] : gpuStep.state())
    EXPECT_EQ(tensor.is_cuda(), name != "step") << name;
  gpuStep.loadState(hostStep.state());
  EXPECT_EQ(gpuStep.steps(), 4);
}

TEST_F(CudaTensors, NamesTensorsThatAreElsewhere) {
  at::Tensor x = torch::randn({7, 8});
  torch::nn::Sequential model = makeModel();
  auto compiled = compile(model, {x}, uncached());
  expectContains(messageOf([&] { compiled(x.to(at::kCUDA)); }),
                 "input 0 must be on cpu, as parameter '0.weight' is, found cuda:0");
  model->to(at::kCUDA);
  expectContains(messageOf([&] { compiled(x); }),
                 "parameter '0.weight' must be on cpu, as when the module was compiled, found "
                 "cuda:0");
  expectContains(messageOf([&] { compile(model, {x}, uncached()); }),
                 "input 0 must be on cuda:0, as parameter '0.weight' is, found cpu");
  model->children()[3]->to(at::kCPU);
  expectContains(messageOf([&] { compile(model, {x.to(at::kCUDA)}, uncached()); }),
                 "parameter '3.weight' must be on cuda:0, as parameter '0.weight' is, found cpu");
  expectContains(messageOf([&] {
                   compileTraining(model, lossOf, OptimizerOptions(),
                                   {x.to(at::kCUDA), torch::randn({7, 4}).to(at::kCUDA)},
                                   uncached());
                 }),
                 "parameter '3.weight' must be on cuda:0");
}

TEST_F(CudaTensors, RunsOnTheGpuWhereTheyAre) {
  torch::nn::Sequential model = makeModel();
  at::Tensor x = torch::randn({7, 8}), expected = model->forward(x).detach();
  const at::Device second(at::kCUDA, 1);
  model->to(second);
  at::Tensor onGpu = x.to(second);
  auto compiled = compile(model, {onGpu}, uncached());
  std::shared_ptr<Program> emulated = emulate(compiled.text(), "forward");
  void *stream = makeStream(1);
  {
    CurrentStream current(stream, 1);
    for (int call = 0; call < 3; ++call) {
      at::Tensor y = compiled(onGpu);
      EXPECT_EQ(y.device(), second);
      EXPECT_TRUE(at::allclose(y.cpu(), expected, 1e-4, 1e-5));
    }
  }
  ASSERT_FALSE(state().launches.empty());
  for (const fake::Launch &launch : state().launches) {
    EXPECT_EQ(launch.device, 1) << launch.kernel;
    EXPECT_EQ(launch.stream, stream) << launch.kernel;
  }
  expectContains(messageOf([&] { compiled(x.to(at::kCUDA)); }),
                 "input 0 must be on cuda:1, as parameter '0.weight' is, found cuda:0");
  model->children()[3]->to(at::Device(at::kCUDA, 0));
  expectContains(messageOf([&] { compile(model, {onGpu}, uncached()); }),
                 "parameter '3.weight' must be on cuda:1, as parameter '0.weight' is, found "
                 "cuda:0");
  state().devices = 1;
  // The second is open: a third, which LibTorch knows, is not.
  model = makeModel();
  CompileModuleOptions options = uncached();
  options.compile.target = "cuda";
  options.compile.device = 3;
  expectContains(messageOf([&] { compile(model, {x}, options); }),
                 "no GPU 3: the CUDA driver finds 1");
}

/// What indices may be is not looked at where that would wait for the GPU.
TEST_F(CudaTensors, LeavesIndicesWhereTheyAre) {
  torch::manual_seed(2);
  torch::nn::Sequential model(torch::nn::Embedding(5, 4), torch::nn::Linear(4, 3));
  at::Tensor ids = torch::randint(5, {2, 3});
  auto onHost = compile(model, {ids}, uncached());
  expectContains(messageOf([&] { onHost(ids + 5); }), "input 0 holds an index out of range");
  model->to(at::kCUDA);
  auto compiled = compile(model, {ids.to(at::kCUDA)}, uncached());
  std::shared_ptr<Program> emulated = emulate(compiled.text(), "forward");
  EXPECT_EQ(messageOf([&] { compiled((ids + 5).to(at::kCUDA)); }), "");
}

TEST_F(CudaTensors, CopiesViewsThatBeginAnywhere) {
  torch::nn::Sequential model = makeModel();
  at::Tensor all = torch::randn({8 * 3 + 1}), x = all.slice(0, 1).view({3, 8});
  at::Tensor expected = model->forward(x).detach();
  model->to(at::kCUDA);
  auto compiled = compile(model, {x.clone().to(at::kCUDA)}, uncached());
  std::shared_ptr<Program> emulated = emulate(compiled.text(), "forward");
  at::Tensor view = all.to(at::kCUDA).slice(0, 1).view({3, 8});
  ASSERT_NE(reinterpret_cast<uintptr_t>(view.data_ptr()) % 16, 0u);
  EXPECT_TRUE(at::allclose(compiled(view).cpu(), expected, 1e-4, 1e-5));
}

TEST_F(CudaTensors, SaysWhereNoProgramRuns) {
  torch::nn::Sequential model = makeModel();
  at::Tensor x = torch::randn({7, 8});
  model->to(at::kCUDA);
  CompileModuleOptions options = uncached();
  options.compile.target = "cuda-emulated";
  expectContains(messageOf([&] { compile(model, {x.to(at::kCUDA)}, options); }),
                 "parameter '0.weight' is on cuda:0, where code for the target 'cuda-emulated' "
                 "does not run; expected cuda[:sm_XX]");
}

} // namespace
