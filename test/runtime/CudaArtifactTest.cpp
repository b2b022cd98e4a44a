//===- CudaArtifactTest.cpp - Artifacts and the JIT on a driver without a GPU //
// What is compiled is loaded into the driver of FakeDriver.h, which this program finds as
// libcuda.so.1. A kernel there is a function of the test.

#include "ArtifactHarness.h"
#include "runtime/PtxasHarness.h"
#include "runtime/artifact/Session.h"
#include "runtime/cuda/FakeBlas.h"
#include "runtime/cuda/FakeDriver.h"
#include "runtime/jit/Compile.h"
#include "runtime/jit/Save.h"

#include <gmock/gmock.h>

using namespace aft;
using namespace aft::test;
using testing::HasSubstr;

namespace {

using Parameters = std::vector<uint64_t>;

class CudaArtifactTest : public ArtifactTest {
protected:
  void SetUp() override {
    ArtifactTest::SetUp();
    writeProgram(path("ptxas"), kFakePtxas);
    assembler = std::make_unique<Variable>("AFT_PTXAS", path("ptxas").c_str());
    // The GPU stays open, as in any process.
    fake::State &state = fake::state();
    state.kernels.clear();
    state.launches.clear();
    state.images.clear();
    state.failures.clear();
    state.fault = fake::Result::Success;
  }

  /// Compiles as aftc does, and lets the driver know the kernels.
  std::string savedForGpu(const std::string &text, const SaveOptions &save = {},
                          const std::string &target = "cuda:sm_90a") {
    CompileOptions options;
    options.target = target;
    options.f32Products = f32Products;
    PipelineOptions pipeline;
    Package package;
    Status status = pipelineOptions(options, pipeline);
    if (status.ok())
      status = compilePackage(text, "model.mlir", pipeline, package);
    if (status.ok())
      status = savePackage(package, pipeline, path("model.so"), save);
    EXPECT_TRUE(status.ok()) << status.message;
    know(package.device.kernels);
    ptx = package.device.ptx;
    return path("model.so");
  }

  /// What is said of a program's artifact in whose manifest one text became another.
  std::string refusalOf(const std::string &text, const char *from, const char *to) {
    std::string file = savedForGpu(text);
    edit(file, from, to);
    return refusal(file);
  }

  static void know(const std::vector<cuda::KernelCode> &kernels) {
    for (const cuda::KernelCode &kernel : kernels)
      fake::state().kernels[kernel.name] = {static_cast<size_t>(kernel.buffers + kernel.extents)};
  }

  /// The kernel of kAffine's main, which computes as it would on a GPU.
  static std::string knowAffine(const Manifest &manifest) {
    for (const cuda::KernelCode &kernel : manifest.device.kernels)
      if (kernel.buffers == 4) {
        fake::state().kernels[kernel.name].body = [](const Parameters &p, unsigned) {
          auto floats = [&](int i) { return reinterpret_cast<float *>(p[i]); };
          for (uint64_t i = 0; i < p[4] * 8; ++i)
            floats(3)[i] = floats(0)[i] * floats(1)[i % 8] + floats(2)[i % 8];
          return fake::Result::Success;
        };
        return kernel.name;
      }
    ADD_FAILURE() << "no kernel with x, w, b and y";
    return "";
  }

  std::shared_ptr<Artifact> opened(const std::string &file) {
    std::shared_ptr<Artifact> artifact;
    Failure failure = Artifact::open(file, {}, artifact);
    EXPECT_TRUE(failure.ok()) << failure.message;
    return artifact;
  }

  std::unique_ptr<Variable> assembler;
  cuda::DeviceCode::Image ptx;
  F32Products f32Products = F32Products::exact;
  alignas(16) float x[16] = {1, 2, 3}, y[16] = {};
};

TEST_F(CudaArtifactTest, SaysWhatRunsOnTheGpu) {
  VerifiedArtifact artifact;
  Failure failure = readArtifact(savedForGpu(kAffine), {}, /*anyCPU=*/false, artifact);
  ASSERT_TRUE(failure.ok()) << failure.message;
  const ManifestDevice &device = artifact.manifest.device;
  EXPECT_EQ(artifact.manifest.format, 2);
  ASSERT_EQ(device.images.size(), 2u);
  EXPECT_EQ(device.images[0].arch, "sm_90a");
  EXPECT_EQ(device.images[1].arch, "sm_90");
  EXPECT_TRUE(device.images[1].isPtx);
  EXPECT_THAT(artifact.device.ptx.bytes, HasSubstr(".target sm_90\n"));
  ASSERT_EQ(device.kernels.size(), 2u);
  EXPECT_EQ(device.kernels[0].registers, 17);
  EXPECT_EQ(device.kernels[0].places, std::vector<std::string>{"model.mlir:6:8"});
  EXPECT_THAT(artifact.manifestText, HasSubstr("\"target\": \"cuda\""));
}

TEST_F(CudaArtifactTest, LaunchesWhatWasCompiled) {
  std::shared_ptr<Artifact> artifact = opened(savedForGpu(kAffine, affineWeights(10)));
  ASSERT_TRUE(artifact);
  EXPECT_EQ(fake::state().images, std::vector<std::string>{"cubin for sm_90a"});
  std::string name = knowAffine(artifact->manifest());
  Status status = artifact->run("main", {{x, DType::f32, {2, 8}}}, {{y, DType::f32, {2, 8}}});
  EXPECT_TRUE(status.ok()) << status.message;
  EXPECT_EQ(y[0], 11);
  EXPECT_EQ(y[2], 3 * 3 + 10);
  EXPECT_EQ(y[15], 10);
  ASSERT_EQ(fake::state().launches.size(), 1u);
  const fake::Launch &launch = fake::state().launches[0];
  EXPECT_EQ(launch.kernel, name);
  EXPECT_EQ(launch.blocks, 1u);
  EXPECT_EQ(launch.threads, static_cast<unsigned>(artifact->manifest().device.kernels[0].threads));
  EXPECT_EQ(Parameters(launch.parameters.begin() + 4, launch.parameters.end()),
            (Parameters{2, 8, 8, 8, 2, 8}));
}

TEST_F(CudaArtifactTest, RunsFromCOnMemoryOfTheGpu) {
  aft_model *model = nullptr;
  ASSERT_EQ(aft_open(savedForGpu(kAffine, affineWeights(1)).c_str(), nullptr, &model), AFT_OK)
      << aft_message();
  EXPECT_STREQ(aft_target(model), "cuda");
  Manifest manifest;
  ASSERT_TRUE(Manifest::parse(aft_manifest(model), manifest).ok());
  knowAffine(manifest);
  int64_t shape[] = {2, 8};
  aft_buffer in = {x, AFT_F32, 2, shape}, out = {y, AFT_F32, 2, shape};
  EXPECT_EQ(aft_run_resident(model, 0, &in, 1, &out, 1, nullptr), AFT_OK) << aft_message();
  ASSERT_EQ(fake::state().launches.size(), 1u);
  EXPECT_EQ(fake::state().launches[0].parameters[0], reinterpret_cast<uint64_t>(x));
  EXPECT_EQ(fake::state().launches[0].stream, nullptr);
  EXPECT_EQ(y[1], 5);
  in.data = x + 1;
  shape[0] = 1;
  EXPECT_EQ(aft_run_resident(model, 0, &in, 1, &out, 1, nullptr), AFT_ERROR_ARGUMENT);
  EXPECT_THAT(aft_message(), HasSubstr("must begin at a multiple of 16 bytes"));
  EXPECT_EQ(aft_run_resident(model, 0, &in, 0, &out, 1, nullptr), AFT_ERROR_ARGUMENT);
  aft_close(model);

  ASSERT_EQ(aft_open(saved(kAffine, "cpu.so").c_str(), nullptr, &model), AFT_OK);
  EXPECT_STREQ(aft_target(model), "cpu");
  EXPECT_EQ(aft_run_resident(model, 0, &in, 1, &out, 1, nullptr), AFT_ERROR_ARGUMENT);
  EXPECT_STREQ(aft_message(),
               "entry 'main' is compiled for the CPU: it cannot run on memory of a GPU");
  aft_close(model);
}

/// The state is the session's, on the host; each step copies it.
TEST_F(CudaArtifactTest, StepsASession) {
  std::shared_ptr<Artifact> artifact = opened(savedForGpu(kSum));
  ASSERT_TRUE(artifact);
  // The sum of two operands, and twice the one operand.
  for (const cuda::KernelCode &kernel : artifact->manifest().device.kernels) {
    auto last = static_cast<size_t>(kernel.buffers - 1);
    ASSERT_TRUE(last == 1 || last == 2);
    fake::state().kernels[kernel.name].body = [last](const Parameters &p, unsigned) {
      auto floats = [&](size_t i) { return reinterpret_cast<float *>(p[i]); };
      for (int i = 0; i < 4; ++i)
        floats(last)[i] = floats(0)[i] + floats(last - 1)[i];
      return fake::Result::Success;
    };
  }
  std::unique_ptr<Session> session;
  ASSERT_TRUE(Session::create(artifact, 0, 1, session).ok());
  for (int step = 1; step <= 3; ++step) {
    Failure failure = session->step({{x, DType::f32, {1, 4}}}, {{y, DType::f32, {1, 4}}}, nullptr);
    ASSERT_TRUE(failure.ok()) << failure.message;
    EXPECT_EQ(static_cast<const float *>(session->states()[0].value.data)[1], 2 * step);
    EXPECT_EQ(y[1], 2 * 2 * step);
  }
}

TEST_F(CudaArtifactTest, CarriesPtxAloneWithoutPtxas) {
  Variable none("AFT_PTXAS", "");
  ASSERT_TRUE(opened(savedForGpu(kAffine)));
  EXPECT_EQ(fake::state().images, std::vector<std::string>{ptx.bytes});
}

TEST_F(CudaArtifactTest, FallsBackToPtxOnAnotherGpu) {
  ASSERT_TRUE(opened(savedForGpu(kAffine, {}, "cuda:sm_80")));
  EXPECT_EQ(fake::state().images, std::vector<std::string>{ptx.bytes});
}

TEST_F(CudaArtifactTest, RefusesWhatTheDriverRefuses) {
  std::string file = savedForGpu(kAffine);
  fake::state().failures["cuModuleLoadDataEx"] = {fake::Result::OutOfMemory};
  aft_model *model = nullptr;
  EXPECT_EQ(aft_open(file.c_str(), nullptr, &model), AFT_ERROR_DEVICE);
  EXPECT_EQ(aft_message(), file + ": is compiled for a GPU, sm_90a, sm_90 (PTX): GPU 0 (Fake GPU): "
                                  "the code for sm_90a cannot be loaded: CUDA_ERROR_OUT_OF_MEMORY "
                                  "(out of memory)");
  EXPECT_EQ(model, nullptr);
}

TEST_F(CudaArtifactTest, FindsDamageInTheCodeForTheGpu) {
  std::string file = savedForGpu(kAffine), bytes = readAll(file);
  bytes[bytes.find(".target sm_90")] = ',';
  writeAll(file, bytes);
  EXPECT_THAT(refusal(file), HasSubstr("the code for the GPU is damaged: expected SHA-256 "));
  EXPECT_EQ(fake::state().images.size(), 0u) << "it is verified before it is used";
}

TEST_F(CudaArtifactTest, ChecksSizesAndOperandsOfTheCodeForTheGpu) {
  auto refused = [&](const char *from, const char *to) { return refusalOf(kAffine, from, to); };
  EXPECT_THAT(refused("\"sm_90a\", \"bytes\": 16", "\"sm_90a\", \"bytes\": 9"),
              HasSubstr("device.bytes: expected the sum of its images, "));
  EXPECT_THAT(refused("\"kind\": \"cubin\"", "\"kind\": \"other\""),
              HasSubstr("device.images[0].kind: expected cubin or ptx, found \"other\""));
  EXPECT_THAT(refused("\"buffers\": 4", "\"buffers\": 5"),
              HasSubstr("].buffers: expected as many as the kernel's, 4, found 5"));
  EXPECT_THAT(refused("\"target\": \"cuda\"", "\"target\": \"hip\""),
              HasSubstr("device.target: expected cuda, found \"hip\""));
  EXPECT_EQ(fake::state().images.size(), 0u);
}

/// x @ w.T + bias, with the rows of x free.
const char kLinear[] = R"mlir(
#rows = affine_map<(i, c) -> (i, c)>
#row = affine_map<(i, c) -> (c)>
func.func @main(%x: tensor<?x8xf32> {aft.name = "x"}, %w: tensor<4x8xf32> {aft.name = "w"}, %b: tensor<4xf32> {aft.name = "b"}) -> tensor<?x4xf32> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %n = tensor.dim %x, %c0 : tensor<?x8xf32>
  %e = tensor.empty(%n) : tensor<?x4xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<?x4xf32>) -> tensor<?x4xf32>
  %p = linalg.matmul_transpose_b ins(%x, %w : tensor<?x8xf32>, tensor<4x8xf32>) outs(%z : tensor<?x4xf32>) -> tensor<?x4xf32>
  %y = linalg.generic {indexing_maps = [#rows, #row, #rows], iterator_types = ["parallel", "parallel"]} ins(%p, %b : tensor<?x4xf32>, tensor<4xf32>) outs(%e : tensor<?x4xf32>) {
  ^bb0(%a: f32, %bb: f32, %o: f32):
    %s = arith.addf %a, %bb : f32
    linalg.yield %s : f32
  } -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}
)mlir";

/// A library computes them as those of a program that has just been compiled.
TEST_F(CudaArtifactTest, RunsProductsByTheLibrary) {
  fake::blasState() = {};
  std::shared_ptr<Artifact> artifact = opened(savedForGpu(kLinear));
  ASSERT_TRUE(artifact);
  alignas(16) float bias[4] = {1, 2, 3, 4}, weights[32];
  for (int i = 0; i < 32; ++i)
    weights[i] = static_cast<float>(i % 8 == i / 8);
  Status status = artifact->run(
      "main", {{x, DType::f32, {2, 8}}, {weights, DType::f32, {4, 8}}, {bias, DType::f32, {4}}},
      {{y, DType::f32, {2, 4}}});
  EXPECT_TRUE(status.ok()) << status.message;
  ASSERT_EQ(fake::state().launches.size(), 1u);
  EXPECT_EQ(fake::state().launches[0].kernel, "cublasLtMatmul");
  EXPECT_EQ(std::vector<float>(y, y + 8), (std::vector<float>{2, 4, 6, 4, 1, 2, 3, 4}));
}

/// A name that is misspelt does not leave products to the library in silence.
TEST_F(CudaArtifactTest, WarnsOfUnknownWaysToMultiply) {
  std::string file = savedForGpu(kLinear);
  Variable products("AFT_CUDA_PRODUCTS", "kernel");
  testing::internal::CaptureStderr();
  EXPECT_TRUE(opened(file));
  EXPECT_NE(
      testing::internal::GetCapturedStderr().find(
          "AFT_CUDA_PRODUCTS: expected 'kernels' or nothing, found 'kernel', which is ignored"),
      std::string::npos);
}

TEST_F(CudaArtifactTest, SaysWhichKernelsAreProducts) {
  VerifiedArtifact artifact;
  Failure failure = readArtifact(savedForGpu(kLinear), {}, /*anyCPU=*/false, artifact);
  ASSERT_TRUE(failure.ok()) << failure.message;
  ASSERT_EQ(artifact.device.kernels.size(), 1u);
  const std::optional<cuda::ProductCode> &product = artifact.device.kernels[0].product;
  ASSERT_TRUE(product);
  EXPECT_FALSE(product->transposedA);
  EXPECT_TRUE(product->transposedB);
  EXPECT_EQ(product->c, -1);
  EXPECT_EQ(product->batch, -1);
  EXPECT_EQ((std::vector{product->a, product->b, product->bias, product->d}),
            (std::vector{0, 1, 2, 3}));
  EXPECT_EQ((std::vector{product->m, product->n, product->k}), (std::vector{5, 6, 1}));
  // What it was made of gives the same text.
  EXPECT_EQ(artifact.manifest.print(), artifact.manifestText);
}

/// That factors may be rounded is asked for when the artifact is made, and kept with it.
TEST_F(CudaArtifactTest, KeepsHowProductsAreComputed) {
  f32Products = F32Products::tf32;
  VerifiedArtifact artifact;
  Failure failure = readArtifact(savedForGpu(kLinear), {}, /*anyCPU=*/false, artifact);
  ASSERT_TRUE(failure.ok()) << failure.message;
  EXPECT_TRUE(artifact.device.kernels[0].product->tf32);
  EXPECT_THAT(artifact.manifestText, HasSubstr("\"f32Products\": \"tf32\""));
  EXPECT_THAT(artifact.device.ptx.bytes, HasSubstr("mma.sync.aligned.m16n8k8"));
  EXPECT_EQ(artifact.manifest.print(), artifact.manifestText);
  EXPECT_THAT(refusalOf(kLinear, "\"tf32\": true", "\"tf32\": 1234"),
              HasSubstr("device.kernels[0].product.tf32: expected true or false, found 1234"));
  f32Products = F32Products::exact;
  failure = readArtifact(savedForGpu(kLinear), {}, /*anyCPU=*/false, artifact);
  ASSERT_TRUE(failure.ok()) << failure.message;
  EXPECT_FALSE(artifact.device.kernels[0].product->tf32);
  EXPECT_THAT(artifact.manifestText, HasSubstr("\"f32Products\": \"exact\""));
  EXPECT_THAT(artifact.device.ptx.bytes, testing::Not(HasSubstr("mma.sync")));
}

/// A library would write where the kernel does not.
TEST_F(CudaArtifactTest, RefusesProductsOfOtherOperands) {
  auto refused = [&](const char *from, const char *to) { return refusalOf(kLinear, from, to); };
  const std::string where = "device.kernels[0].product";
  EXPECT_THAT(
      refused("\"d\": 3", "\"d\": 2"),
      HasSubstr(where +
                ": expected D to be an operand with 2 extents and elements of 4 bytes, found "));
  EXPECT_THAT(
      refused("\"d\": 3", "\"d\": 0"),
      HasSubstr(where + ": expected D to be another operand than A and B, found type f32, "));
  EXPECT_THAT(
      refused("\"a\": 0", "\"a\": 9"),
      HasSubstr(where + ": expected A to be an operand with 2 extents and elements of 4 bytes"));
  EXPECT_THAT(refused("\"a\": 0", "\"a\":-1"),
              HasSubstr(where + ".a: expected a number from 0 to "));
  EXPECT_THAT(refused("\"a\": 0", "\"o\": 0"),
              HasSubstr(where + ".a: expected a whole number, found nothing"));
  EXPECT_THAT(
      refused("\"bias\": 2", "\"bias\": 0"),
      HasSubstr(where +
                ": expected the bias to be an operand with 1 extents and elements of 4 bytes"));
  EXPECT_THAT(refused("\"bias\": 2", "\"batch\":0"),
              HasSubstr("expected A to be an operand with 3 extents"));
  EXPECT_THAT(refused("\"n\": 6", "\"n\": 4"),
              HasSubstr(where + ": expected extents of its operands: m 5, n 6, k 1, found "));
  EXPECT_THAT(refused("\"k\": 1", "\"k\": 0"), HasSubstr("expected extents of its operands"));
  EXPECT_THAT(refused("\"type\": \"f32\"", "\"type\": \"i32\""),
              HasSubstr("expected f32, bf16 or f64 as type"));
  EXPECT_THAT(refused("\"type\": \"f32\"", "\"type\": \"f99\""),
              HasSubstr(where + ".type: expected one of f32, f64, "));
  EXPECT_THAT(refused("\"resultType\": \"f32\"", "\"resultType\": \"f64\""),
              HasSubstr("expected f32, bf16 or f64 as type"));
  EXPECT_THAT(
      refused("[false, true]", "[true]"),
      HasSubstr(where + ".transposed: expected true or false for A and for B, found a list of 1"));
  EXPECT_THAT(refused("[false, true]", "[true, true]"),
              HasSubstr(where + ": expected extents of its operands: m 5, n 6, k 0"));
  EXPECT_EQ(fake::state().images.size(), 0u);
}

/// Sums of columns, which products may give besides.
TEST_F(CudaArtifactTest, ChecksSumsOfColumns) {
  const char text[] = R"mlir(
func.func @main(%x: tensor<?x8xf32> {aft.name = "x"}) -> tensor<8xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<8xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<8xf32>) -> tensor<8xf32>
  %s = linalg.generic {indexing_maps = [affine_map<(i, c) -> (i, c)>, affine_map<(i, c) -> (c)>], iterator_types = ["reduction", "parallel"]} ins(%x : tensor<?x8xf32>) outs(%z : tensor<8xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = arith.addf %o, %a : f32
    linalg.yield %t : f32
  } -> tensor<8xf32>
  return %s : tensor<8xf32>
}
)mlir";
  VerifiedArtifact artifact;
  ASSERT_TRUE(readArtifact(savedForGpu(text), {}, /*anyCPU=*/false, artifact).ok());
  const std::optional<cuda::ColumnSumsCode> &sums = artifact.device.kernels[0].columnSums;
  ASSERT_TRUE(sums);
  EXPECT_EQ((std::vector{sums->matrix, sums->sums, sums->rows, sums->columns}),
            (std::vector{0, 1, 0, 1}));
  auto refused = [&](const char *from, const char *to) { return refusalOf(text, from, to); };
  const std::string where = "device.kernels[0].columnSums: ";
  EXPECT_THAT(
      refused("\"sums\": 1", "\"sums\": 0"),
      HasSubstr(where +
                "expected the sums to be an operand with 1 extents and elements of 4 bytes"));
  EXPECT_THAT(refused("\"matrix\": 0", "\"matrix\": 1"),
              HasSubstr("expected the matrix to be an operand with 2 extents"));
  EXPECT_THAT(refused("\"rows\": 0", "\"rows\": 1"),
              HasSubstr(where + "expected extents of the matrix: rows 0, columns 1"));
  EXPECT_EQ(fake::state().images.size(), 0u);
}

TEST_F(CudaArtifactTest, NamesKernelAndPlaceOfAFault) {
  Variable blocking("CUDA_LAUNCH_BLOCKING", "1");
  std::shared_ptr<Artifact> artifact = opened(savedForGpu(kAffine, affineWeights(0)));
  ASSERT_TRUE(artifact);
  std::string name = knowAffine(artifact->manifest());
  fake::state().kernels[name].body = [](const Parameters &, unsigned) {
    return fake::Result::IllegalAddress;
  };
  Status status = artifact->run("main", {{x, DType::f32, {2, 8}}}, {{y, DType::f32, {2, 8}}});
  EXPECT_THAT(status.message, HasSubstr("kernel '" + name +
                                        "' (model.mlir:6:8) failed: "
                                        "CUDA_ERROR_ILLEGAL_ADDRESS"));
  fake::state().fault = fake::Result::Success;
}

/// The JIT takes the architecture from the GPU, and the cache keeps cubins and places.
TEST_F(CudaArtifactTest, CompilesForTheGpuThatIsThere) {
  VerifiedArtifact artifact;
  ASSERT_TRUE(readArtifact(savedForGpu(kAffine), {}, /*anyCPU=*/false, artifact).ok());
  std::string name = artifact.manifest.device.kernels[0].name;
  Variable blocking("CUDA_LAUNCH_BLOCKING", "1");
  fake::state().kernels[name].body = [](const Parameters &, unsigned) {
    return fake::Result::IllegalAddress;
  };
  CompileOptions options;
  options.target = "cuda";
  options.cacheDir = path("cache");
  for (bool cached : {false, true}) {
    std::shared_ptr<Program> program;
    Status status = Program::compile(kAffine, "model.mlir", options, program);
    ASSERT_TRUE(status.ok()) << status.message;
    EXPECT_EQ(program->stats().fromCache, cached);
    EXPECT_EQ(fake::state().images.back(), "cubin for sm_90a");
    status =
        program->run("main", {{x, DType::f32, {2, 8}}, {x, DType::f32, {8}}, {x, DType::f32, {8}}},
                     {{y, DType::f32, {2, 8}}});
    EXPECT_THAT(status.message, HasSubstr("kernel '" + name + "' (model.mlir:6:8) failed"));
    fake::state().fault = fake::Result::Success;
  }
  // Without ptxas it is another program.
  Variable none("AFT_PTXAS", "");
  std::shared_ptr<Program> program;
  ASSERT_TRUE(Program::compile(kAffine, "model.mlir", options, program).ok());
  EXPECT_FALSE(program->stats().fromCache);
  EXPECT_THAT(fake::state().images.back(), HasSubstr(".target sm_90\n"));
}

TEST_F(CudaArtifactTest, IsWhatAProgramSaves) {
  savedForGpu(kAffine); // lets the driver know the kernels
  CompileOptions options;
  options.target = "cuda";
  options.cacheDir = "";
  std::shared_ptr<Program> program;
  Status status = Program::compile(kAffine, "model.mlir", options, program);
  ASSERT_TRUE(status.ok()) << status.message;
  status = program->save(path("saved.so"), affineWeights(1));
  EXPECT_TRUE(status.ok()) << status.message;
  EXPECT_EQ(refusal(path("saved.so")), "");
}

} // namespace
