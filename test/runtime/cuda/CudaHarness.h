//===- CudaHarness.h - Tests on a driver without a GPU --------------------===//

#ifndef AFT_TEST_RUNTIME_CUDA_CUDAHARNESS_H
#define AFT_TEST_RUNTIME_CUDA_CUDAHARNESS_H

#include "FakeDriver.h"
#include "runtime/core/CompiledProgram.h"
#include "runtime/cuda/Allocator.h"
#include "runtime/cuda/Runner.h"
#include "runtime/cuda/Staging.h"

#include <gtest/gtest.h>

namespace aft::test {

using cuda::Result;

/// Nothing may be left when a test ends, and this thread has no context as before.
class CudaTest : public ::testing::Test {
protected:
  void SetUp() override { fake::reset(); }
  void TearDown() override {
    device.reset();
    EXPECT_EQ(fake::state().memory.size(), 0u);
    EXPECT_EQ(fake::state().hostMemory.size(), 0u);
    EXPECT_EQ(fake::state().streams.size(), 0u);
    EXPECT_EQ(fake::state().events.size(), 0u);
    EXPECT_EQ(fake::state().modules.size(), 0u);
    EXPECT_EQ(fake::state().graphs.size(), 0u);
    EXPECT_EQ(fake::state().execs.size(), 0u);
    EXPECT_EQ(fake::state().contexts, 0);
    EXPECT_EQ(fake::depth(), 0u);
    fake::reset();
  }

  /// The message with which the GPU of that number is refused; "" when it opens.
  std::string open(int ordinal = 0) {
    std::shared_ptr<const cuda::Driver> driver;
    if (Status status = cuda::Driver::open(AFT_FAKE_DRIVER, driver); !status.ok())
      return status.message;
    return cuda::Device::open(driver, ordinal, device).message;
  }

  std::shared_ptr<cuda::Device> device;
};

/// A test's stream, as a host program has them.
class OwnStream {
public:
  explicit OwnStream(const cuda::Device &device) : device(device) {
    cuda::Device::Scope scope(device);
    EXPECT_EQ(device.driver().streamCreate(&stream, cuda::kStreamNonBlocking), Result::Success);
  }
  ~OwnStream() {
    cuda::Device::Scope scope(device);
    EXPECT_EQ(device.driver().streamDestroy(stream), Result::Success);
  }
  operator cuda::Stream() const { return stream; }

private:
  const cuda::Device &device;
  cuda::Stream stream = nullptr;
};

//===----------------------------------------------------------------------===//
// A program: main(x, w) -> y = x * w + 1, through scratch memory; w is one row.
// update(x, sum) -> (sum + x in its place, twice that).
//===----------------------------------------------------------------------===//

/// How many blocks an element-wise kernel of the test program takes: 4 elements each.
inline int64_t blocksOf(void *const *, const int64_t *dims, int64_t, int64_t) {
  return (dims[0] * dims[1] + 3) / 4;
}

inline int64_t planMain(const int64_t *dims, int64_t *output, int64_t *arenaBytes) {
  output[0] = dims[0];
  output[1] = dims[1];
  *arenaBytes = dims[0] * dims[1] * 4;
  return dims[1] == dims[2] ? 0 : 1;
}

inline void runMain(void *const *buffers, const int64_t *dims, void *arena,
                    const aft_runtime_t *runtime) {
  void *multiplied[] = {buffers[0], buffers[1], arena};
  int64_t multipliedDims[] = {dims[0], dims[1], dims[2], dims[0], dims[1]};
  runtime->parallel_for(runtime->self, blocksOf, multiplied, multipliedDims, "multiply");
  void *added[] = {arena, buffers[2]};
  int64_t addedDims[] = {dims[0], dims[1], dims[0], dims[1]};
  runtime->parallel_for(runtime->self, blocksOf, added, addedDims, "increment");
}

inline int64_t planUpdate(const int64_t *dims, int64_t *output, int64_t *arenaBytes) {
  output[0] = output[2] = dims[0];
  output[1] = output[3] = dims[1];
  *arenaBytes = 0;
  return 0;
}

inline void runUpdate(void *const *buffers, const int64_t *dims, void *,
                      const aft_runtime_t *runtime) {
  void *operands[] = {buffers[0], buffers[2], buffers[3]};
  int64_t extents[] = {dims[0], dims[1], dims[0], dims[1], dims[0], dims[1]};
  runtime->parallel_for(runtime->self, blocksOf, operands, extents, "accumulate");
}

class CudaProgramTest : public CudaTest {
protected:
  void SetUp() override {
    CudaTest::SetUp();
    registerKernels();
  }
  void TearDown() override {
    program.reset();
    runner.reset();
    CudaTest::TearDown();
  }

  static float *floats(uint64_t parameter) { return reinterpret_cast<float *>(parameter); }

  static void registerKernels() {
    auto &kernels = fake::state().kernels;
    kernels["multiply"] = {8, [](const std::vector<uint64_t> &p, unsigned) {
                             for (uint64_t i = 0; i < p[3] * p[4]; ++i)
                               floats(p[2])[i] = floats(p[0])[i] * floats(p[1])[i % p[4]];
                             return Result::Success;
                           }};
    kernels["increment"] = {6, [](const std::vector<uint64_t> &p, unsigned) {
                              for (uint64_t i = 0; i < p[2] * p[3]; ++i)
                                floats(p[1])[i] = floats(p[0])[i] + 1;
                              return Result::Success;
                            }};
    kernels["accumulate"] = {9, [](const std::vector<uint64_t> &p, unsigned) {
                               for (uint64_t i = 0; i < p[3] * p[4]; ++i) {
                                 floats(p[1])[i] += floats(p[0])[i];
                                 floats(p[2])[i] = 2 * floats(p[1])[i];
                               }
                               return Result::Success;
                             }};
  }

  static cuda::DeviceCode deviceCode() {
    cuda::DeviceCode code;
    code.ptx = {"sm_80", "// PTX"};
    code.kernels = {{"multiply", 128, 3, 5, 0, {"layers.0.scale"}},
                    {"increment", 64, 2, 4, 0, {"layers.0.shift", "layers.1.shift"}},
                    {"accumulate", 32, 3, 6, 0, {}}};
    return code;
  }

  class TestProgram : public CompiledProgram {
  public:
    using CompiledProgram::CompiledProgram;
    const CompileStats &stats() const override { return none; }
    std::string report() const override { return "{}"; }
    Status save(const std::string &, const SaveOptions &) const override { return {"no"}; }
    CompileStats none;
  };

  /// `weights`: what the second input of main is bound to, or null.
  /// In ASSERT_NO_FATAL_FAILURE, so that a test that has no program ends there.
  void load(const cuda::RunnerOptions &options = {}, float *weights = nullptr) {
    ASSERT_EQ(open(), "");
    Status status = cuda::Runner::create(device, deviceCode(), options, runner);
    ASSERT_TRUE(status.ok()) << status.message;
    TensorType any{DType::f32, {kDynamic, kDynamic}}, row{DType::f32, {kDynamic}};
    CompiledEntry main{{"main", {{"x", any}, {"w", row}}, {{"y", any}}}, runMain, planMain, {}};
    if (weights)
      main.bound = {std::nullopt, Buffer{weights, DType::f32, {3}}};
    CompiledEntry update{{"update", {{"x", any}, {"sum", any}}, {{"sum", any, 1}, {"twice", any}}},
                         runUpdate,
                         planUpdate,
                         {}};
    ProgramCode code;
    code.entries = {main, update};
    code.checks = {"x and w have the same width"};
    code.kernels = {{"multiply", {{2, 4}, {1, 4}, {2, 4}}}, {"increment", {{2, 4}, {2, 4}}}};
    code.runner = runner;
    program = std::make_unique<TestProgram>(std::move(code), 1);
  }

  std::string runOnHost(std::vector<float> &x, std::vector<float> &w, std::vector<float> &y) {
    auto rows = static_cast<int64_t>(x.size() / 3);
    return program
        ->run("main", {{x.data(), DType::f32, {rows, 3}}, {w.data(), DType::f32, {3}}},
              {{y.data(), DType::f32, {rows, 3}}})
        .message;
  }

  std::shared_ptr<cuda::Runner> runner;
  std::unique_ptr<TestProgram> program;
};

} // namespace aft::test

#endif // AFT_TEST_RUNTIME_CUDA_CUDAHARNESS_H
