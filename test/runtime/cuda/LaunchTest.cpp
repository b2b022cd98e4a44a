//===- LaunchTest.cpp - Modules and launches ------------------------------===//

#include "CudaHarness.h"

using namespace aft;
using namespace aft::cuda;
using namespace aft::test;
using fake::state;

namespace {

class ModuleTest : public CudaProgramTest {
protected:
  void TearDown() override {
    module.reset();
    CudaProgramTest::TearDown();
  }
  std::string load(const DeviceCode &code) {
    if (!device)
      EXPECT_EQ(open(), "");
    return Module::load(device, code, module).message;
  }
  std::shared_ptr<const Module> module;
};

TEST_F(ModuleTest, KnowsWhatRunsWhere) {
  DeviceProperties gpu;
  auto runs = [&](int capability, const char *arch, bool isPtx) {
    gpu.major = capability / 10;
    gpu.minor = capability % 10;
    return runsOn(arch, gpu, isPtx);
  };
  EXPECT_TRUE(runs(80, "sm_80", false));
  EXPECT_TRUE(runs(86, "sm_80", false));
  EXPECT_FALSE(runs(80, "sm_86", false)) << "a later one of the same generation";
  EXPECT_FALSE(runs(90, "sm_80", false)) << "machine code is of one generation";
  EXPECT_TRUE(runs(90, "sm_80", true));
  EXPECT_TRUE(runs(90, "sm_90a", true));
  EXPECT_FALSE(runs(100, "sm_90a", true)) << "'a' is for one architecture";
  EXPECT_TRUE(runs(120, "sm_100", true));
  EXPECT_FALSE(runs(90, "sm_", true));
  EXPECT_FALSE(runs(90, "sm_90x", true));
  EXPECT_FALSE(runs(90, "gfx90", true));
}

TEST_F(ModuleTest, PrefersCodeForTheArchitecture) {
  DeviceCode code = deviceCode();
  code.cubins = {{"sm_80", "cubin 80"}, {"sm_90", "cubin 90"}};
  EXPECT_EQ(load(code), "");
  EXPECT_EQ(state().images, std::vector<std::string>{"cubin 90"});
}

TEST_F(ModuleTest, FallsBackToPtx) {
  DeviceCode code = deviceCode();
  code.cubins = {{"sm_90", "cubin 90"}};
  state().failures["cuModuleLoadDataEx"] = {Result::NoBinaryForGpu};
  EXPECT_EQ(load(code), "");
  EXPECT_EQ(state().images, std::vector<std::string>{"// PTX"});
  state().failures["cuModuleLoadDataEx"] = {Result::InvalidImage};
  EXPECT_EQ(load(code), "") << "what a later ptxas made";
  code.cubins[0].arch = "sm_86";
  EXPECT_EQ(load(code), "");
  EXPECT_EQ(state().images.back(), "// PTX");
}

TEST_F(ModuleTest, SaysForWhichGpusTheCodeIs) {
  DeviceCode code = deviceCode();
  code.cubins = {{"sm_80", "cubin 80"}};
  code.ptx.arch = "sm_100";
  EXPECT_EQ(load(code), "GPU 0 (Fake GPU) is sm_90, but the program is compiled for sm_80, sm_100 "
                        "(PTX); --target=cuda:sm_90 compiles for this one");
  EXPECT_EQ(load({}), "GPU 0 (Fake GPU) is sm_90, but the program is compiled for no GPU; "
                      "--target=cuda:sm_90 compiles for this one");
}

TEST_F(ModuleTest, ShowsWhatTheDriversCompilerSays) {
  state().failures["cuModuleLoadDataEx"] = {Result::InvalidPtx};
  state().jitErrors = "ptxas application ptx input, line 7; error: Unknown symbol 'q'\n\n";
  EXPECT_EQ(load(deviceCode()),
            "GPU 0 (Fake GPU): the driver refuses the PTX for sm_80: CUDA_ERROR_INVALID_PTX (a PTX "
            "JIT compilation failed)\nptxas application ptx input, line 7; error: Unknown symbol "
            "'q'");
  state().failures["cuModuleLoadDataEx"] = {Result::UnsupportedPtxVersion};
  state().jitErrors = "";
  EXPECT_EQ(load(deviceCode()),
            "GPU 0 (Fake GPU): the driver refuses the PTX for sm_80: "
            "CUDA_ERROR_UNSUPPORTED_PTX_VERSION (the provided PTX was compiled with an unsupported "
            "toolchain.); the driver is for CUDA 12.4, a later one may read it");
}

TEST_F(ModuleTest, ChecksKernels) {
  DeviceCode code = deviceCode();
  code.kernels.push_back({"missing", 32, 1, 1, 0, {"a", "b", "c", "d", "e"}});
  EXPECT_EQ(load(code), "GPU 0 (Fake GPU): kernel 'missing' (a, b, c and 2 more) is not in the "
                        "code: CUDA_ERROR_NOT_FOUND (named symbol not found)");
  code = deviceCode();
  code.kernels[0].threads = 2048;
  EXPECT_EQ(load(code), "GPU 0 (Fake GPU): kernel 'multiply' (layers.0.scale) needs blocks of 2048 "
                        "threads, possible are 1024");
  code = deviceCode();
  code.kernels[0].extents = 510;
  EXPECT_EQ(load(code), "GPU 0 (Fake GPU): kernel 'multiply' (layers.0.scale) takes 513 "
                        "parameters, at most 512 are possible");
  EXPECT_EQ(state().modules.size(), 0u) << "what was loaded is unloaded";
}

TEST_F(ModuleTest, AsksForSharedMemory) {
  DeviceCode code = deviceCode();
  code.kernels[0].sharedBytes = 100 << 10;
  EXPECT_EQ(load(code), "");
  EXPECT_EQ(state().kernels["multiply"].dynamicSharedBytes, 100 << 10);
  EXPECT_EQ(state().calls["cuFuncSetAttribute"], 1) << "only where it is needed";
  state().kernels["multiply"].staticSharedBytes = 200 << 10;
  EXPECT_EQ(load(code), "GPU 0 (Fake GPU): kernel 'multiply' (layers.0.scale) needs 307200 bytes "
                        "of shared memory per block, there are 232448");
}

TEST_F(ModuleTest, IsUnloaded) {
  EXPECT_EQ(load(deviceCode()), "");
  EXPECT_EQ(state().modules.size(), 1u);
  module.reset();
  EXPECT_EQ(state().calls["cuModuleUnload"], 1);
}

//===----------------------------------------------------------------------===//
// Launches
//===----------------------------------------------------------------------===//

class LauncherTest : public ModuleTest {
protected:
  void SetUp() override {
    ModuleTest::SetUp();
    ASSERT_EQ(ModuleTest::load(deviceCode()), "");
  }
  /// Launches "increment" on a few numbers.
  void launch(const Launcher &launcher, const char *name = "increment",
              aft_kernel_t stub = blocksOf) {
    void *buffers[] = {in, out};
    int64_t dims[] = {2, 5, 2, 5};
    launcher.runtime()->parallel_for(launcher.runtime()->self, stub, buffers, dims, name);
  }
  float in[10] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, out[10] = {};
};

TEST_F(LauncherTest, HandsOnPointersAndExtents) {
  Device::Scope scope(*device);
  OwnStream stream(*device);
  Launcher launcher(*module, stream);
  launch(launcher);
  EXPECT_TRUE(launcher.status().ok()) << launcher.status().message;
  ASSERT_EQ(state().launches.size(), 1u);
  const fake::Launch &seen = state().launches[0];
  EXPECT_EQ(seen.kernel, "increment");
  EXPECT_EQ(seen.blocks, 3u);
  EXPECT_EQ(seen.threads, 64u);
  EXPECT_EQ(seen.sharedBytes, 0u);
  EXPECT_EQ(seen.stream, static_cast<Stream>(stream));
  EXPECT_EQ(seen.parameters, (std::vector<uint64_t>{reinterpret_cast<uint64_t>(in),
                                                    reinterpret_cast<uint64_t>(out), 2, 5, 2, 5}));
  EXPECT_EQ(out[9], 11);
  EXPECT_EQ(state().calls["cuStreamSynchronize"], 0) << "nothing waits";
}

TEST_F(LauncherTest, LaunchesNoEmptyGrid) {
  Device::Scope scope(*device);
  Launcher launcher(*module, nullptr);
  launch(launcher, "increment", [](auto...) -> int64_t { return 0; });
  EXPECT_TRUE(launcher.status().ok());
  EXPECT_EQ(state().launches.size(), 0u);
}

TEST_F(LauncherTest, RefusesGridsThatAreTooLarge) {
  Device::Scope scope(*device);
  Launcher launcher(*module, nullptr);
  launch(launcher, "increment", [](auto...) -> int64_t { return int64_t(1) << 31; });
  launch(launcher);
  EXPECT_EQ(launcher.status().message,
            "GPU 0 (Fake GPU): kernel 'increment' (layers.0.shift, layers.1.shift) needs "
            "2147483648 blocks, expected from 0 to 2147483647");
  EXPECT_EQ(state().launches.size(), 0u) << "nothing is launched after an error";
}

TEST_F(LauncherTest, RefusesUnknownKernels) {
  Device::Scope scope(*device);
  Launcher launcher(*module, nullptr);
  launch(launcher, "other");
  EXPECT_EQ(launcher.status().message,
            "GPU 0 (Fake GPU): kernel 'other' is not in the code for the GPU");
}

TEST_F(LauncherTest, NamesTheKernelThatCannotBeLaunched) {
  Device::Scope scope(*device);
  state().failures["cuLaunchKernel"] = {Result::LaunchOutOfResources};
  Launcher launcher(*module, nullptr);
  launch(launcher);
  EXPECT_EQ(launcher.status().message,
            "GPU 0 (Fake GPU): kernel 'increment' (layers.0.shift, layers.1.shift) failed: "
            "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES (too many resources requested for launch)");
}

TEST_F(LauncherTest, BlamesTheKernelThatFaults) {
  Device::Scope scope(*device);
  state().kernels["increment"].body = [](auto &, unsigned) { return Result::IllegalAddress; };
  {
    Launcher queued(*module, nullptr);
    launch(queued);
    EXPECT_TRUE(queued.status().ok()) << "it is not known yet";
    launch(queued);
    EXPECT_EQ(queued.status().message,
              "GPU 0 (Fake GPU): a kernel before kernel 'increment' (layers.0.shift, "
              "layers.1.shift) failed: CUDA_ERROR_ILLEGAL_ADDRESS (an illegal memory access was "
              "encountered); CUDA_LAUNCH_BLOCKING=1 finds out which");
  }
  for (LaunchMode mode : {LaunchMode::Synchronous, LaunchMode::Timed}) {
    state().fault = Result::Success;
    Launcher launcher(*module, nullptr, mode);
    launch(launcher);
    EXPECT_EQ(launcher.status().message,
              "GPU 0 (Fake GPU): kernel 'increment' (layers.0.shift, layers.1.shift) failed: "
              "CUDA_ERROR_ILLEGAL_ADDRESS (an illegal memory access was encountered)");
  }
  state().fault = Result::Success;
}

TEST_F(LauncherTest, TakesTimes) {
  Device::Scope scope(*device);
  KernelInfo info{"increment", {{2, 4}, {2, 4}}};
  KernelTable kernels{{"increment", &info}};
  Launcher launcher(*module, nullptr, LaunchMode::Timed, &kernels);
  launch(launcher);
  launch(launcher);
  std::vector<RunRecord::Launch> times = launcher.takeTimes();
  ASSERT_EQ(times.size(), 2u);
  EXPECT_EQ(times[0].name, "increment");
  EXPECT_EQ(times[0].groups, 3);
  EXPECT_EQ(times[0].bytes, 2 * 10 * 4);
  EXPECT_GE(times[0].end, times[0].start);
  EXPECT_GE(times[1].start, times[0].end);
}

TEST_F(LauncherTest, SaysThatTimesCannotBeTaken) {
  Device::Scope scope(*device);
  state().failures["cuEventCreate"] = {Result::OutOfMemory, 1};
  Launcher launcher(*module, nullptr, LaunchMode::Timed);
  launch(launcher);
  EXPECT_EQ(launcher.status().message, "GPU 0 (Fake GPU): times cannot be taken: "
                                       "CUDA_ERROR_OUT_OF_MEMORY (out of memory)");
  EXPECT_EQ(state().launches.size(), 0u);
}

} // namespace
