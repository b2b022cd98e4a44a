//===- DeviceTest.cpp - Driver, devices and copies ------------------------===//

#include "CudaHarness.h"
#include "runtime/cuda/Peaks.h"

#include <numeric>

using namespace aft;
using namespace aft::test;
using fake::state;
using testing::Test;

namespace {

std::string refusalOf(const std::string &path) {
  std::shared_ptr<const cuda::Driver> driver;
  std::string message = cuda::Driver::open(path, driver).message;
  EXPECT_EQ(message.empty(), driver != nullptr);
  return message;
}

bool contains(const std::string &text, const std::string &part) {
  return text.find(part) != std::string::npos;
}

TEST_F(CudaTest, SaysWhatItLookedForWithoutDriver) {
  std::string message = refusalOf("libaft-no-such-driver.so.1");
  EXPECT_TRUE(contains(message, "no CUDA driver: the system does not load "
                                "'libaft-no-such-driver.so.1'"))
      << message;
  EXPECT_TRUE(contains(message, "cannot open shared object file")) << message;
  EXPECT_TRUE(contains(message, "a CUDA toolkit is not needed")) << message;
}

TEST_F(CudaTest, RefusesOtherLibraries) {
  std::string message = refusalOf("libm.so.6");
  EXPECT_TRUE(contains(message, "'libm.so.6' is no CUDA driver: it lacks cuInit and ")) << message;
}

TEST_F(CudaTest, SaysWhichVersionIsNeeded) {
  state().version = 11080;
  EXPECT_EQ(refusalOf(AFT_FAKE_DRIVER), "the CUDA driver is too old: '" AFT_FAKE_DRIVER
                                        "' is for CUDA 11.8, needed is 12.0 or later (NVIDIA "
                                        "driver 525 or later)");
  // One that lacks functions is old, not broken.
  EXPECT_TRUE(contains(refusalOf(AFT_FAKE_OLD_DRIVER), "is for CUDA 11.4, needed is 12.0"));
}

TEST_F(CudaTest, SaysThatThereIsNoDevice) {
  state().devices = 0;
  EXPECT_EQ(refusalOf(AFT_FAKE_DRIVER), "no GPU: the CUDA driver '" AFT_FAKE_DRIVER
                                        "' finds no device that this process may use "
                                        "(CUDA_VISIBLE_DEVICES may hide some)");
  state().devices = 2;
  EXPECT_EQ(open(2), "no GPU 2: the CUDA driver finds 2 (CUDA_VISIBLE_DEVICES may hide some)");
  EXPECT_EQ(open(-1), "no GPU -1: the CUDA driver finds 2 (CUDA_VISIBLE_DEVICES may hide some)");
  EXPECT_EQ(open(1), "");
}

/// What NVIDIA says of an H100: 495 and 989 TFLOP/s by tensor cores, 3352 GB/s.
TEST_F(CudaTest, KnowsItsRoof) {
  state().clockKHz = 1830000;
  ASSERT_EQ(open(), "");
  Roof roof = cuda::roofOf(device->properties());
  ASSERT_EQ(roof.peaks.size(), 3u);
  EXPECT_EQ(roof.peaks[0].precision, "f32");
  EXPECT_EQ(roof.peaks[0].flopsPerSecond, roof.flopsPerSecond);
  EXPECT_NEAR(roof.flopsPerSecond, 61.8e12, 0.1e12);
  EXPECT_EQ(roof.peaks[1].precision, "tf32");
  EXPECT_NEAR(roof.peaks[1].flopsPerSecond, 495e12, 1e12);
  EXPECT_EQ(roof.peaks[2].precision, "bf16");
  EXPECT_NEAR(roof.peaks[2].flopsPerSecond, 989e12, 1e12);
  ASSERT_EQ(roof.bandwidths.size(), 1u);
  EXPECT_NEAR(roof.bandwidths[0].perSecond, 3352e9, 1e9);
  EXPECT_EQ(roof.source, "compute capability 9.0, 132 multiprocessors at 1830 MHz, memory of 5120 "
                         "bits at 2619 MHz");
}

/// Drivers may stop to tell, and GPUs come that are not known here.
TEST_F(CudaTest, KnowsNoRoofOfOtherGpus) {
  state().clockKHz = 0;
  ASSERT_EQ(open(), "");
  EXPECT_TRUE(cuda::roofOf(device->properties()).peaks.empty());
  device.reset();
  state().clockKHz = 1830000;
  state().memoryBusBits = 0;
  state().major = 99;
  ASSERT_EQ(open(), "");
  Roof roof = cuda::roofOf(device->properties());
  EXPECT_TRUE(roof.peaks.empty() && roof.bandwidths.empty() && roof.flopsPerSecond == 0);
}

TEST_F(CudaTest, NamesErrorsAsTheDriverDoes) {
  state().failures["cuInit"] = {static_cast<Result>(999)};
  EXPECT_EQ(refusalOf(AFT_FAKE_DRIVER),
            "the CUDA driver '" AFT_FAKE_DRIVER "' cannot be used: error 999");
  state().failures["cuDevicePrimaryCtxRetain"] = {Result::OutOfMemory};
  EXPECT_EQ(open(), "GPU 0 (Fake GPU): no context can be made: CUDA_ERROR_OUT_OF_MEMORY (out of "
                    "memory)");
}

TEST_F(CudaTest, RefusesOldDevices) {
  state().major = 7;
  EXPECT_EQ(open(), "GPU 0 (Fake GPU) is too old: its compute capability is 7.0, needed is 8.0 "
                    "(sm_80) or higher");
  EXPECT_EQ(state().calls["cuDevicePrimaryCtxRetain"], 0);
}

TEST_F(CudaTest, KnowsProperties) {
  ASSERT_EQ(open(), "");
  const cuda::DeviceProperties &facts = device->properties();
  EXPECT_EQ(facts.label(), "GPU 0 (Fake GPU)");
  EXPECT_EQ(facts.major * 10 + facts.minor, 90);
  EXPECT_EQ(facts.multiprocessors, 132);
  EXPECT_EQ(facts.mostBlocks, 2147483647);
  EXPECT_EQ(facts.mostSharedBytes, 227 << 10);
  EXPECT_EQ(facts.memoryBytes, 1 << 30);
}

TEST_F(CudaTest, ReleasesWhatAFailedOpenTook) {
  for (const char *function : {"cuStreamCreate", "cuMemGetInfo_v2", "cuCtxPushCurrent_v2"}) {
    state().failures[function] = {Result::InvalidValue};
    EXPECT_NE(open(), "") << function;
    EXPECT_EQ(state().contexts, 0) << function;
  }
}

TEST_F(CudaTest, LeavesTheContextOfTheHostAlone) {
  ASSERT_EQ(open(), "");
  EXPECT_EQ(fake::depth(), 0u);
  cuda::Device::Scope outer(*device);
  EXPECT_EQ(fake::depth(), 1u);
  cuda::Address memory;
  ASSERT_TRUE(device->allocator().allocate(100, nullptr, memory).ok());
  device->allocator().release(memory);
  device->allocator().trim();
  EXPECT_EQ(fake::depth(), 1u);
  EXPECT_EQ(state().deepest, 2);
}

TEST_F(CudaTest, DoesNotPopWhatItCouldNotPush) {
  ASSERT_EQ(open(), "");
  cuda::Device::Scope outer(*device);
  state().failures["cuCtxPushCurrent_v2"] = {Result::InvalidContext};
  {
    cuda::Device::Scope inner(*device);
    EXPECT_EQ(inner.status().message, "GPU 0 (Fake GPU): its context cannot be used: "
                                      "CUDA_ERROR_INVALID_CONTEXT (invalid device context)");
  }
  EXPECT_EQ(fake::depth(), 1u);
}

//===----------------------------------------------------------------------===//
// Copies
//===----------------------------------------------------------------------===//

class StagingTest : public CudaTest {
protected:
  void SetUp() override {
    CudaTest::SetUp();
    ASSERT_EQ(open(), "");
  }
  /// There and back.
  void roundTrip(int64_t bytes) {
    cuda::Device::Scope scope(*device);
    std::vector<char> from(bytes), to(bytes, 'x');
    std::iota(from.begin(), from.end(), 0);
    cuda::DeviceMemory memory;
    ASSERT_TRUE(memory.allocate(device->allocator(), bytes, device->stream()).ok());
    cuda::Staging &staging = device->staging();
    Status in = staging.copyIn(memory.address(), from.data(), bytes, device->stream());
    ASSERT_TRUE(in.ok()) << in.message;
    Status out = staging.copyOut(to.data(), memory.address(), bytes, device->stream());
    ASSERT_TRUE(out.ok()) << out.message;
    EXPECT_EQ(from, to) << bytes << " bytes";
  }
};

TEST_F(StagingTest, CopiesAnySize) {
  constexpr int64_t buffer = cuda::Staging::kBufferBytes;
  for (int64_t bytes : {int64_t(0), int64_t(1), buffer - 1, buffer, buffer + 1, 3 * buffer + 7})
    roundTrip(bytes);
  EXPECT_EQ(state().calls["cuMemHostAlloc"], 2) << "two buffers serve all";
  EXPECT_EQ(state().calls["cuMemcpyHtoDAsync_v2"], 1 + 1 + 1 + 2 + 4);
}

TEST_F(StagingTest, CopiesWithoutPinnedMemory) {
  state().failures["cuMemHostAlloc"] = {Result::OutOfMemory, 1, true};
  roundTrip(9 << 20);
  EXPECT_EQ(state().calls["cuMemcpyHtoDAsync_v2"], 1) << "all at once, by the driver";
}

TEST_F(StagingTest, SaysWhatFails) {
  cuda::Device::Scope scope(*device);
  char byte = 0;
  EXPECT_EQ(device->staging().copyIn(1, &byte, 1, nullptr).message,
            "GPU 0 (Fake GPU): copying to it failed: CUDA_ERROR_INVALID_VALUE (invalid argument)");
  EXPECT_EQ(device->staging().copyOut(&byte, 1, 1, nullptr).message,
            "GPU 0 (Fake GPU): copying from it failed: CUDA_ERROR_INVALID_VALUE (invalid "
            "argument)");
}

} // namespace
