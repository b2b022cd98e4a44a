//===- CudaHarness.cpp - Modules on a GPU that is none --------------------===//

#include "CudaHarness.h"

using namespace aft;

extern "C" cuda::Result cuCtxPushCurrent_v2(cuda::Context context);
extern "C" cuda::Result cuCtxPopCurrent_v2(cuda::Context *context);
extern "C" cuda::Result cuDeviceGet(int *device, int ordinal);
extern "C" cuda::Result cuDevicePrimaryCtxRetain(cuda::Context *context, int device);
extern "C" cuda::Result cuStreamCreate(cuda::Stream *stream, unsigned flags);

using namespace aft::test;

std::shared_ptr<Program> test::emulate(const std::string &text, const std::string &entry,
                                       std::shared_ptr<TrainingOptions> training) {
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

std::string test::messageOf(const std::function<void()> &work) {
  try {
    work();
  } catch (const c10::Error &error) {
    return error.what_without_backtrace();
  }
  return "";
}

void test::expectContains(const std::string &text, const std::string &part) {
  EXPECT_NE(text.find(part), std::string::npos) << text;
}

void *test::makeStream(int device) {
  cuda::Context context = nullptr;
  cuda::Stream stream = nullptr;
  int number = 0;
  EXPECT_EQ(cuDeviceGet(&number, device), cuda::Result::Success);
  EXPECT_EQ(cuDevicePrimaryCtxRetain(&context, number), cuda::Result::Success);
  EXPECT_EQ(cuCtxPushCurrent_v2(context), cuda::Result::Success);
  EXPECT_EQ(cuStreamCreate(&stream, cuda::kStreamNonBlocking), cuda::Result::Success);
  EXPECT_EQ(cuCtxPopCurrent_v2(&context), cuda::Result::Success);
  return stream;
}

std::shared_ptr<TrainingOptions> test::trainingLike(const OptimizerOptions &adamw) {
  auto training = std::make_shared<TrainingOptions>();
  training->lossEntry = "loss";
  training->weightDecay = adamw.weightDecay;
  return training;
}
