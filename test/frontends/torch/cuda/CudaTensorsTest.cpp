//===- CudaTensorsTest.cpp - Compiled modules on tensors of a GPU ---------===//

#include "EmulatedKernels.h"
#include "FakeBlas.h"
#include "FakeCudaDevice.h"
#include "aft/nn.h"
#include "aft/torch.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

using namespace aft;
using namespace aft::test;
using fake::state;

extern "C" cuda::Result cuCtxPushCurrent_v2(cuda::Context context);
extern "C" cuda::Result cuCtxPopCurrent_v2(cuda::Context *context);
extern "C" cuda::Result cuDevicePrimaryCtxRetain(cuda::Context *context, int device);
extern "C" cuda::Result cuStreamCreate(cuda::Stream *stream, unsigned flags);

namespace {

/// Kernels of programs have the same names: each test begins without any.
class CudaTensors : public ::testing::Test {
protected:
  void SetUp() override { state().kernels.clear(); }
};

torch::nn::Sequential makeModel() {
  torch::manual_seed(3);
  return torch::nn::Sequential(torch::nn::Linear(8, 16), torch::nn::GELU(),
                               torch::nn::LayerNorm(torch::nn::LayerNormOptions({16})),
                               torch::nn::Linear(16, 4));
}

at::Tensor lossOf(at::Tensor y, at::Tensor wanted) { return (y - wanted).square().mean(); }

CompileModuleOptions uncached() {
  CompileModuleOptions options;
  options.compile.cacheDir = "";
  return options;
}

/// Gives the driver's kernels their code: that of the same program for emulation, which
/// runs once on zeros, with 5 where an extent is free. The code is there while the result is.
[[nodiscard]] std::shared_ptr<Program>
emulate(const std::string &text, const std::string &entry,
        std::shared_ptr<TrainingOptions> training = nullptr) {
  CompileOptions options;
  options.target = "cuda-emulated";
  options.cacheDir = "";
  options.training = std::move(training);
  std::shared_ptr<Program> program;
  EXPECT_EQ(Program::compile(text, "emulated", options, program).message, "");
  std::vector<std::vector<char>> memory;
  auto buffer = [&](DType dtype, std::vector<int64_t> shape) {
    int64_t bytes = sizeOf(dtype);
    for (int64_t &extent : shape)
      bytes *= extent = extent == kDynamic ? 5 : extent;
    memory.emplace_back(static_cast<size_t>(bytes));
    return Buffer{memory.back().data(), dtype, shape};
  };
  std::vector<Buffer> in, out;
  for (const ValueInfo &input : program->entry(entry)->inputs)
    in.push_back(buffer(input.type.dtype, input.type.shape));
  std::vector<std::vector<int64_t>> shapes;
  EXPECT_EQ(program->outputShapes(entry, in, shapes).message, "");
  for (size_t i = 0; i < shapes.size(); ++i) {
    const ValueInfo &output = program->entry(entry)->outputs[i];
    out.push_back(output.alias < 0 ? buffer(output.type.dtype, shapes[i])
                                   : in[static_cast<size_t>(output.alias)]);
  }
  EmulatedKernels kernels;
  EXPECT_EQ(program->run(entry, in, out, kernels.runtime()).message, "");
  return program;
}

std::string messageOf(const std::function<void()> &work) {
  try {
    work();
  } catch (const c10::Error &error) {
    return error.what_without_backtrace();
  }
  return "";
}

void expectContains(const std::string &text, const std::string &part) {
  EXPECT_NE(text.find(part), std::string::npos) << text;
}

/// A stream of the driver's, as LibTorch has them.
void *makeStream() {
  cuda::Context context = nullptr;
  cuda::Stream stream = nullptr;
  EXPECT_EQ(cuDevicePrimaryCtxRetain(&context, 0), cuda::Result::Success);
  EXPECT_EQ(cuCtxPushCurrent_v2(context), cuda::Result::Success);
  EXPECT_EQ(cuStreamCreate(&stream, cuda::kStreamNonBlocking), cuda::Result::Success);
  EXPECT_EQ(cuCtxPopCurrent_v2(&context), cuda::Result::Success);
  return stream;
}

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
  auto training = std::make_shared<TrainingOptions>();
  training->lossEntry = "loss";
  training->weightDecay = adamw.weightDecay;
  std::shared_ptr<Program> emulated = emulate(gpuStep.text(), "train_step", training);
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

TEST_F(CudaTensors, SaysWhereNoProgramRuns) {
  torch::nn::Sequential model = makeModel();
  model->to(at::Device(at::kCUDA, 1));
  at::Tensor x = torch::randn({7, 8});
  expectContains(messageOf([&] { compile(model, {x.to(at::Device(at::kCUDA, 1))}, uncached()); }),
                 "parameter '0.weight' is on cuda:1; programs run on cuda:0");
  model = makeModel();
  model->to(at::kCUDA);
  CompileModuleOptions options = uncached();
  options.compile.target = "cuda-emulated";
  expectContains(messageOf([&] { compile(model, {x.to(at::kCUDA)}, options); }),
                 "parameter '0.weight' is on cuda:0, where code for the target 'cuda-emulated' "
                 "does not run; expected cuda[:sm_XX]");
}

} // namespace
