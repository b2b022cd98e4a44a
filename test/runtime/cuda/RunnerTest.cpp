//===- RunnerTest.cpp - Programs on a GPU ---------------------------------===//

#include "CudaHarness.h"

#include "aft/profile.h"
#include "runtime/cuda/ResidentCall.h"

#include <cstdlib>
#include <thread>

using namespace aft;
using namespace aft::cuda;
using namespace aft::test;
using fake::state;

namespace {

class RunnerTest : public CudaProgramTest {
protected:
  std::vector<float> x{1, 2, 3, 4, 5, 6}, w{10, 20, 30}, y = std::vector<float>(6);
  const std::vector<float> expected{11, 41, 91, 41, 101, 181};
};

TEST_F(RunnerTest, RunsOnArraysOfTheHost) {
  ASSERT_NO_FATAL_FAILURE(load());
  EXPECT_EQ(runOnHost(x, w, y), "");
  EXPECT_EQ(y, expected);
  EXPECT_EQ(x, (std::vector<float>{1, 2, 3, 4, 5, 6}));
  ASSERT_EQ(state().launches.size(), 2u);
  EXPECT_EQ(state().launches[0].kernel, "multiply");
  EXPECT_EQ(state().launches[1].blocks, 2u);
  EXPECT_EQ(device->allocator().stats().used, 0);
}

TEST_F(RunnerTest, RunsOnNothing) {
  ASSERT_NO_FATAL_FAILURE(load());
  std::vector<float> none;
  EXPECT_EQ(runOnHost(none, w, none), "");
  EXPECT_EQ(state().launches.size(), 0u);
}

TEST_F(RunnerTest, UpdatesInputsInPlace) {
  ASSERT_NO_FATAL_FAILURE(load());
  std::vector<float> sum{1, 1, 1}, twice(3), add{1, 2, 3};
  Buffer sumBuffer{sum.data(), DType::f32, {1, 3}};
  for (int step = 0; step < 2; ++step) {
    Status status = program->run("update", {{add.data(), DType::f32, {1, 3}}, sumBuffer},
                                 {sumBuffer, {twice.data(), DType::f32, {1, 3}}});
    ASSERT_TRUE(status.ok()) << status.message;
  }
  EXPECT_EQ(sum, (std::vector<float>{3, 5, 7}));
  EXPECT_EQ(twice, (std::vector<float>{6, 10, 14}));
}

TEST_F(RunnerTest, ChecksCallsAsOnTheCPU) {
  ASSERT_NO_FATAL_FAILURE(load());
  std::vector<float> narrow(2);
  Buffer xBuffer{x.data(), DType::f32, {2, 3}}, yBuffer{y.data(), DType::f32, {2, 3}};
  EXPECT_EQ(program->run("main", {xBuffer, {narrow.data(), DType::f32, {2}}}, {yBuffer}).message,
            "entry 'main': x and w have the same width");
  EXPECT_EQ(program->run("main", {xBuffer}, {yBuffer}).message,
            "entry 'main' takes 2 inputs, found 1");
  aft_runtime_t host{};
  EXPECT_EQ(program->run("main", {xBuffer, xBuffer}, {yBuffer}, host).message,
            "entry 'main' is compiled for a GPU: no parallel_for of the host can run it");
}

TEST_F(RunnerTest, RepeatsACallOnItsMemory) {
  ASSERT_NO_FATAL_FAILURE(load({/*graphs=*/false}));
  std::vector<float> sum{1, 1, 1}, twice(3), add{1, 2, 3};
  Buffer sumBuffer{sum.data(), DType::f32, {1, 3}}, addBuffer{add.data(), DType::f32, {1, 3}};
  // As others share a program.
  std::shared_ptr<const Program> shared(program.get(), [](const Program *) {});
  std::shared_ptr<ResidentCall> call;
  Status status = ResidentCall::create(device, shared, "update", {addBuffer, sumBuffer},
                                       {sumBuffer, {twice.data(), DType::f32, {1, 3}}}, call);
  ASSERT_TRUE(status.ok()) << status.message;
  int copies = state().calls["cuMemcpyHtoDAsync_v2"], waits = state().calls["cuStreamSynchronize"];
  for (int i = 0; i < 3; ++i)
    EXPECT_TRUE(call->run().ok());
  EXPECT_EQ(state().calls["cuMemcpyHtoDAsync_v2"], copies) << "inputs are there";
  EXPECT_EQ(state().calls["cuStreamSynchronize"], waits) << "nothing waits";
  EXPECT_EQ(sum, (std::vector<float>{1, 1, 1})) << "nothing is copied back yet";
  EXPECT_TRUE(call->wait().ok());
  EXPECT_EQ(state().calls["cuStreamSynchronize"], waits + 1);
  EXPECT_TRUE(call->fetch().ok());
  EXPECT_EQ(sum, (std::vector<float>{4, 7, 10}));
  EXPECT_EQ(twice, (std::vector<float>{8, 14, 20}));
  state().fault = Result::IllegalAddress;
  EXPECT_EQ(call->wait().message, "GPU 0 (Fake GPU): a kernel of entry 'update' failed: "
                                  "CUDA_ERROR_ILLEGAL_ADDRESS (an illegal memory access was "
                                  "encountered)");
  state().fault = Result::Success;
  call.reset();
  EXPECT_EQ(device->allocator().stats().used, 0);
  EXPECT_EQ(ResidentCall::create(device, shared, "update", {addBuffer}, {}, call).message,
            "entry 'update' takes 2 inputs, found 1");
}

TEST_F(RunnerTest, KeepsBoundInputsOnTheGpu) {
  ASSERT_NO_FATAL_FAILURE(load({}, w.data()));
  for (int round = 0; round < 3; ++round) {
    Status status =
        program->run("main", {{x.data(), DType::f32, {2, 3}}}, {{y.data(), DType::f32, {2, 3}}});
    ASSERT_TRUE(status.ok()) << status.message;
    EXPECT_EQ(y, expected);
  }
  EXPECT_EQ(state().calls["cuMemcpyHtoDAsync_v2"], 3 + 1) << "x thrice, w once";
}

TEST_F(RunnerTest, SaysThatMemoryIsOut) {
  ASSERT_NO_FATAL_FAILURE(load());
  state().failures["cuMemAlloc_v2"] = {Result::OutOfMemory, 0, true};
  std::string message = runOnHost(x, w, y);
  EXPECT_EQ(message.substr(0, 71),
            "entry 'main': GPU 0 (Fake GPU) is out of memory: needed are 24 bytes, f");
  CallError error = CallError::None;
  Status status = program->run(0, {{x.data(), DType::f32, {2, 3}}, {w.data(), DType::f32, {3}}},
                               {{y.data(), DType::f32, {2, 3}}}, nullptr, error);
  EXPECT_EQ(error, CallError::Memory);
  state().failures.clear();
  EXPECT_EQ(runOnHost(x, w, y), "");
  EXPECT_EQ(y, expected);
}

TEST_F(RunnerTest, SurvivesEveryAllocationThatFails) {
  RunnerOptions options;
  options.graphs = false; // they keep memory
  ASSERT_NO_FATAL_FAILURE(load(options));
  std::vector<float> large(3 << 20, 1), result(large.size());
  for (int after = 0; after < 5; ++after) {
    device->allocator().trim();
    // Asked twice more before it is an error.
    state().failures["cuMemAlloc_v2"] = {Result::OutOfMemory, after, true};
    std::string message = runOnHost(large, w, result);
    if (!message.empty())
      EXPECT_NE(message.find("is out of memory"), std::string::npos) << message;
    EXPECT_EQ(device->allocator().stats().used, 0) << after;
    state().failures.clear();
  }
  EXPECT_EQ(runOnHost(large, w, result), "");
  EXPECT_EQ(result[1], 21);
}

TEST_F(RunnerTest, ReportsFaultsOfKernels) {
  ASSERT_NO_FATAL_FAILURE(load());
  state().kernels["increment"].body = [](auto &, unsigned) { return Result::IllegalAddress; };
  EXPECT_EQ(runOnHost(x, w, y),
            "entry 'main': GPU 0 (Fake GPU): a kernel of the call failed: "
            "CUDA_ERROR_ILLEGAL_ADDRESS (an illegal memory access was encountered); "
            "CUDA_LAUNCH_BLOCKING=1 finds out which");
  state().fault = Result::Success;
}

TEST_F(RunnerTest, FindsOutWhichKernelFaults) {
  setenv("CUDA_LAUNCH_BLOCKING", "1", 1);
  ASSERT_NO_FATAL_FAILURE(load(RunnerOptions::fromEnvironment()));
  unsetenv("CUDA_LAUNCH_BLOCKING");
  EXPECT_FALSE(RunnerOptions::fromEnvironment().synchronous);
  state().kernels["increment"].body = [](auto &, unsigned) { return Result::IllegalAddress; };
  EXPECT_EQ(runOnHost(x, w, y),
            "entry 'main': GPU 0 (Fake GPU): kernel 'increment' (layers.0.shift, layers.1.shift) "
            "failed: CUDA_ERROR_ILLEGAL_ADDRESS (an illegal memory access was encountered)");
  state().fault = Result::Success;
}

TEST_F(RunnerTest, FillsProfiles) {
  ASSERT_NO_FATAL_FAILURE(load());
  Profile profile;
  {
    Profile::Scope scope(profile);
    EXPECT_EQ(runOnHost(x, w, y), "");
    EXPECT_EQ(runOnHost(x, w, y), "");
  }
  EXPECT_EQ(y, expected);
  std::vector<KernelTotal> kernels = profile.kernels();
  ASSERT_EQ(kernels.size(), 2u);
  for (const KernelTotal &kernel : kernels) {
    EXPECT_EQ(kernel.launches, 2);
    EXPECT_EQ(kernel.groups, 2 * 2);
    EXPECT_EQ(kernel.bytes, kernel.kernel == "multiply" ? 2 * 60 : 2 * 48);
  }
  ASSERT_EQ(profile.entries().size(), 1u);
  EXPECT_EQ(profile.entries()[0].extents, (std::vector<int64_t>{2, 3, 3}));
  EXPECT_EQ(profile.entries()[0].arenaBytes, 24);
}

TEST_F(RunnerTest, ServesSeveralThreads) {
  ASSERT_NO_FATAL_FAILURE(load());
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int number = 0; number < 4; ++number)
    threads.emplace_back([&, number] {
      for (int round = 0; round < 50; ++round) {
        std::vector<float> mine(3 * (number + 1), static_cast<float>(number)), weights{1, 2, 3},
            result(mine.size());
        wrong += !runOnHost(mine, weights, result).empty();
        for (size_t i = 0; i < result.size(); ++i)
          wrong += result[i] != static_cast<float>(number) * weights[i % 3] + 1;
        wrong += fake::depth() != 0;
      }
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(wrong, 0);
}

//===----------------------------------------------------------------------===//
// Memory of the GPU, graphs
//===----------------------------------------------------------------------===//

/// Arrays on the GPU, as LibTorch has them.
class ResidentTest : public RunnerTest {
protected:
  void TearDown() override {
    memory.clear();
    stream.reset();
    RunnerTest::TearDown();
  }
  void prepare(const RunnerOptions &options = {}, float *weights = nullptr) {
    ASSERT_NO_FATAL_FAILURE(load(options, weights));
    stream = std::make_unique<OwnStream>(*device);
  }
  float *onGpu(const std::vector<float> &values) {
    memory.emplace_back();
    EXPECT_TRUE(memory.back().allocate(device->allocator(), 4 * values.size(), nullptr).ok());
    auto *data = static_cast<float *>(memory.back().pointer());
    std::copy(values.begin(), values.end(), data); // the fake's memory is the host's
    return data;
  }
  std::string runResident(float *x, float *w, float *y, Stream on) {
    return program
        ->runResident("main", {{x, DType::f32, {2, 3}}, {w, DType::f32, {3}}},
                      {{y, DType::f32, {2, 3}}}, on)
        .message;
  }
  std::string runResident(float *x, float *w, float *y) { return runResident(x, w, y, *stream); }
  static std::vector<float> read(const float *y) { return {y, y + 6}; }

  std::vector<DeviceMemory> memory;
  std::unique_ptr<OwnStream> stream;
};

TEST_F(ResidentTest, RunsOnTheStreamOfTheCaller) {
  ASSERT_NO_FATAL_FAILURE(prepare());
  float *gx = onGpu(x), *gw = onGpu(w), *gy = onGpu(y);
  EXPECT_EQ(runResident(gx, gw, gy), "");
  EXPECT_EQ(read(gy), expected);
  for (const fake::Launch &launch : state().launches)
    EXPECT_EQ(launch.stream, static_cast<Stream>(*stream));
  EXPECT_EQ(state().calls["cuMemcpyHtoDAsync_v2"], 0);
  EXPECT_EQ(state().calls["cuStreamSynchronize"], 0);
  EXPECT_EQ(runResident(gx, gw, gy, nullptr), "") << "the default stream";
}

TEST_F(ResidentTest, CopiesWhatIsBound) {
  ASSERT_NO_FATAL_FAILURE(prepare({}, w.data()));
  float *gx = onGpu(x), *gy = onGpu(y);
  for (int round = 0; round < 2; ++round) {
    Status status = program->runResident("main", {{gx, DType::f32, {2, 3}}},
                                         {{gy, DType::f32, {2, 3}}}, *stream);
    ASSERT_TRUE(status.ok()) << status.message;
  }
  EXPECT_EQ(read(gy), expected);
  EXPECT_EQ(state().calls["cuMemcpyHtoDAsync_v2"], 1);
  EXPECT_EQ(state().calls["cuStreamSynchronize"], 1) << "once: any stream may read it";
}

TEST_F(ResidentTest, RefusesBuffersThatAreNotAligned) {
  ASSERT_NO_FATAL_FAILURE(prepare());
  float *gx = onGpu({0, 1, 2, 3, 4, 5, 6}), *gw = onGpu(w), *gy = onGpu(y);
  auto text = [](float *pointer) { return std::to_string(reinterpret_cast<uintptr_t>(pointer)); };
  EXPECT_EQ(runResident(gx + 1, gw, gy), "entry 'main': input 0 ('x') must begin at a multiple of "
                                         "16 bytes, found address " +
                                             text(gx + 1));
  EXPECT_EQ(runResident(gx, gw, gy + 1), "entry 'main': output 0 ('y') must begin at a multiple of "
                                         "16 bytes, found address " +
                                             text(gy + 1));
  EXPECT_EQ(state().launches.size(), 0u);
}

TEST_F(ResidentTest, RefusesProgramsForTheCPU) {
  ProgramCode code;
  code.entries = {{{"main", {}, {}}, runMain, planMain, {}}};
  TestProgram cpu(std::move(code), 1);
  EXPECT_EQ(cpu.runResident("main", {}, {}, nullptr).message,
            "entry 'main' is compiled for the CPU: it cannot run on memory of a GPU");
}

TEST_F(ResidentTest, RecordsCallsThatRepeat) {
  ASSERT_NO_FATAL_FAILURE(prepare());
  float *gx = onGpu(x), *gw = onGpu(w), *gy = onGpu(y);
  for (int round = 0; round < 5; ++round) {
    std::fill(gy, gy + 6, 0.f);
    ASSERT_EQ(runResident(gx, gw, gy), "");
    EXPECT_EQ(read(gy), expected) << round;
  }
  EXPECT_EQ(runner->graphs().stats().captures, 1);
  EXPECT_EQ(runner->graphs().stats().launches, 4);
  EXPECT_EQ(state().calls["cuLaunchKernel"], 2 + 2) << "directly, then for the recording";
  EXPECT_EQ(state().calls["cuGraphLaunch"], 4);
  EXPECT_EQ(state().launches.size(), 5u * 2);
  EXPECT_EQ(state().launches.back().stream, static_cast<Stream>(*stream));
  // Also where the caller is on the default stream, which cannot be recorded.
  EXPECT_EQ(runResident(gx, gw, gy, nullptr), "");
  EXPECT_EQ(runner->graphs().stats().launches, 5);
}

TEST_F(ResidentTest, UpdatesGraphsForOtherMemory) {
  ASSERT_NO_FATAL_FAILURE(prepare());
  float *gw = onGpu(w);
  std::vector<float *> ys;
  for (int number = 0; number < 4; ++number) {
    std::vector<float> shifted = x;
    shifted[0] = static_cast<float>(number);
    float *gx = onGpu(shifted), *gy = onGpu(y);
    for (int round = 0; round < 2; ++round)
      ASSERT_EQ(runResident(gx, gw, gy), "");
    EXPECT_EQ(gy[0], 10.f * static_cast<float>(number) + 1);
    EXPECT_EQ(gy[5], 181);
  }
  GraphStats stats = runner->graphs().stats();
  EXPECT_EQ(stats.captures, 4);
  EXPECT_EQ(stats.instantiations, 2) << "two are kept side by side";
  EXPECT_EQ(stats.updates, 2);
  EXPECT_EQ(state().execs.size(), 2u);
}

TEST_F(ResidentTest, MakesGraphsAnewThatCannotBeUpdated) {
  ASSERT_NO_FATAL_FAILURE(prepare());
  float *gw = onGpu(w);
  state().failures["cuGraphExecUpdate_v2"] = {Result::GraphUpdateFailure, 0, true};
  for (int number = 0; number < 3; ++number) {
    float *gx = onGpu(x), *gy = onGpu(y);
    for (int round = 0; round < 2; ++round)
      ASSERT_EQ(runResident(gx, gw, gy), "");
    EXPECT_EQ(read(gy), expected);
  }
  EXPECT_EQ(runner->graphs().stats().updates, 0);
  EXPECT_EQ(runner->graphs().stats().instantiations, 3);
  EXPECT_EQ(state().execs.size(), 2u);
}

TEST_F(ResidentTest, KeepsFewGraphs) {
  ASSERT_NO_FATAL_FAILURE(prepare());
  std::vector<float> many(3 * 40, 1);
  float *gx = onGpu(many), *gw = onGpu(w), *gy = onGpu(many);
  for (int64_t rows = 1; rows <= 20; ++rows)
    for (int round = 0; round < 2; ++round)
      ASSERT_TRUE(program
                      ->runResident("main", {{gx, DType::f32, {rows, 3}}, {gw, DType::f32, {3}}},
                                    {{gy, DType::f32, {rows, 3}}}, *stream)
                      .ok());
  EXPECT_EQ(state().execs.size(), GraphCache::kMost);
  EXPECT_EQ(runner->graphs().stats().evictions, 20 - static_cast<int64_t>(GraphCache::kMost));
}

TEST_F(ResidentTest, GivesUpGraphsBeforeMemoryIsOut) {
  ASSERT_NO_FATAL_FAILURE(prepare());
  constexpr int64_t rows = 1 << 20;
  state().memoryBytes = 68 << 20; // for three arrays of the GPU and one arena
  float *gx = onGpu(std::vector<float>(3 * rows, 1)), *gw = onGpu(w),
        *gy = onGpu(std::vector<float>(3 * rows));
  auto run = [&](int64_t count, Stream on) {
    return program
        ->runResident("main", {{gx, DType::f32, {count, 3}}, {gw, DType::f32, {3}}},
                      {{gy, DType::f32, {count, 3}}}, on)
        .message;
  };
  for (int round = 0; round < 2; ++round)
    EXPECT_EQ(run(rows, *stream), "");
  EXPECT_EQ(state().execs.size(), 1u);
  // The arena of another stream is another one.
  EXPECT_EQ(run(rows - 1, nullptr), "");
  EXPECT_EQ(state().execs.size(), 0u);
  EXPECT_EQ(gy[1], 21);
}

TEST_F(ResidentTest, GoesOnWithoutGraphsThatFail) {
  for (const char *function : {"cuStreamBeginCapture_v2", "cuStreamEndCapture", "cuStreamCreate",
                               "cuGraphInstantiateWithFlags"}) {
    memory.clear();
    stream.reset();
    ASSERT_NO_FATAL_FAILURE(prepare());
    float *gx = onGpu(x), *gw = onGpu(w), *gy = onGpu(y);
    state().failures[function] = {Result::CaptureInvalidated};
    for (int round = 0; round < 3; ++round) {
      std::fill(gy, gy + 6, 0.f);
      ASSERT_EQ(runResident(gx, gw, gy), "") << function;
      EXPECT_EQ(read(gy), expected) << function;
    }
    EXPECT_EQ(runner->graphs().stats().launches, 0) << function;
    EXPECT_EQ(state().graphs.size(), 0u) << function;
    state().failures.clear();
  }
}

TEST_F(ResidentTest, SaysThatAGraphCannotBeLaunched) {
  ASSERT_NO_FATAL_FAILURE(prepare());
  float *gx = onGpu(x), *gw = onGpu(w), *gy = onGpu(y);
  ASSERT_EQ(runResident(gx, gw, gy), "");
  state().failures["cuGraphLaunch"] = {Result::InvalidValue};
  EXPECT_EQ(runResident(gx, gw, gy),
            "entry 'main': GPU 0 (Fake GPU): the graph of the call cannot be launched: "
            "CUDA_ERROR_INVALID_VALUE (invalid argument)");
  state().failures["cuGraphLaunch"] = {Result::IllegalAddress};
  EXPECT_EQ(runResident(gx, gw, gy),
            "entry 'main': GPU 0 (Fake GPU): a kernel before this call failed: "
            "CUDA_ERROR_ILLEGAL_ADDRESS (an illegal memory access was encountered)");
}

TEST_F(ResidentTest, CanBeRecordedByTheHost) {
  ASSERT_NO_FATAL_FAILURE(prepare());
  float *gx = onGpu(x), *gw = onGpu(w), *gy = onGpu(y);
  ASSERT_EQ(runResident(gx, gw, gy), ""); // the arena's segment is there
  Device::Scope scope(*device);
  const Driver &driver = device->driver();
  ASSERT_EQ(driver.streamBeginCapture(*stream, CaptureMode::Global), Result::Success);
  std::fill(gy, gy + 6, 0.f);
  EXPECT_EQ(runResident(gx, gw, gy), "");
  EXPECT_EQ(read(gy)[0], 0) << "it has not run yet";
  Graph graph = nullptr;
  ASSERT_EQ(driver.streamEndCapture(*stream, &graph), Result::Success);
  EXPECT_EQ(runner->graphs().stats().captures, 0);
  // Its scratch memory is not given to others meanwhile.
  DeviceMemory other;
  ASSERT_TRUE(other.allocate(device->allocator(), 24, *stream).ok());
  std::fill_n(static_cast<float *>(other.pointer()), 6, -1.f);
  GraphExec exec = nullptr;
  ASSERT_EQ(driver.graphInstantiate(&exec, graph, 0), Result::Success);
  ASSERT_EQ(driver.graphLaunch(exec, *stream), Result::Success);
  EXPECT_EQ(read(gy), expected);
  EXPECT_EQ(*static_cast<float *>(other.pointer()), -1);
  (void)driver.graphDestroy(graph);
  (void)driver.graphExecDestroy(exec);
}

TEST_F(ResidentTest, UsesNoGraphsWhereEveryKernelIsWaitedFor) {
  RunnerOptions options;
  options.synchronous = true;
  ASSERT_NO_FATAL_FAILURE(prepare(options));
  float *gx = onGpu(x), *gw = onGpu(w), *gy = onGpu(y);
  for (int round = 0; round < 3; ++round)
    EXPECT_EQ(runResident(gx, gw, gy), "");
  EXPECT_EQ(state().calls["cuGraphLaunch"], 0);
  EXPECT_EQ(state().calls["cuStreamSynchronize"], 3 * 2);
}

TEST_F(ResidentTest, IsTheSameWithAndWithoutGraphs) {
  std::vector<std::vector<fake::Launch>> seen;
  for (bool graphs : {false, true}) {
    RunnerOptions options;
    options.graphs = graphs;
    memory.clear();
    stream.reset();
    ASSERT_NO_FATAL_FAILURE(prepare(options));
    state().launches.clear();
    float *gx = onGpu(x), *gw = onGpu(w), *gy = onGpu(y);
    for (int round = 0; round < 3; ++round)
      ASSERT_EQ(runResident(gx, gw, gy), "");
    EXPECT_EQ(read(gy), expected);
    seen.push_back(state().launches);
  }
  ASSERT_EQ(seen[0].size(), seen[1].size());
  for (size_t i = 0; i < seen[0].size(); ++i) {
    EXPECT_EQ(seen[0][i].kernel, seen[1][i].kernel);
    EXPECT_EQ(seen[0][i].blocks, seen[1][i].blocks);
    EXPECT_EQ(seen[0][i].parameters.size(), seen[1][i].parameters.size());
  }
}

} // namespace
