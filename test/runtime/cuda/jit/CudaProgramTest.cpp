//===- CudaProgramTest.cpp - Compiled programs on a driver without a GPU --===//
// Kernels of the driver for tests run what the same program is for emulation; products are
// those of the library for tests.

#include "EmulatedKernels.h"
#include "FakeBlas.h"
#include "runtime/core/Npy.h"
#include "runtime/cuda/Allocator.h"
#include "runtime/cuda/Runner.h"
#include "runtime/cuda/Staging.h"
#include "runtime/jit/Compile.h"
#include "runtime/jit/Reference.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <gtest/gtest.h>
#include <map>
#include <random>
#include <set>
#include <sstream>

using namespace aft;
using namespace aft::test;
using fake::blasState;
using fake::state;

namespace {

std::string textOf(const std::string &name) {
  std::ifstream file(std::string(AFT_INPUTS) + "/" + name);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

class CudaProgramTest : public ::testing::Test {
protected:
  void SetUp() override {
    fake::reset();
    blasState() = {};
    blasState().workspaceBytes = 1000;
    std::shared_ptr<const cuda::Driver> driver;
    ASSERT_EQ(cuda::Driver::open(AFT_FAKE_DRIVER, driver).message, "");
    ASSERT_EQ(cuda::Device::open(driver, 0, device).message, "");
  }
  void TearDown() override {
    program.reset();
    emulated.reset();
    device.reset();
    EXPECT_EQ(state().memory.size(), 0u);
    EXPECT_EQ(state().execs.size(), 0u);
    fake::reset();
  }

  CompileOptions options(const std::string &target) const {
    CompileOptions result;
    result.target = target;
    result.cacheDir = "";
    result.threads = 1;
    result.f32Products = f32Products;
    if (training)
      result.training = std::make_shared<TrainingOptions>();
    return result;
  }

  /// Compiles `text` for the GPU, and for emulation; `library`: whether there is cuBLASLt.
  /// In ASSERT_NO_FATAL_FAILURE, so that a test that has no program ends there.
  void load(const std::string &text, bool library = true) {
    this->text = text;
    PipelineOptions pipeline;
    ASSERT_EQ(pipelineOptions(options("cuda"), pipeline).message, "");
    Package compiled;
    ASSERT_EQ(compilePackage(text, "program", pipeline, compiled).message, "");
    // As the cache keeps it.
    std::optional<Package> package = Package::deserialize(compiled.serialize());
    ASSERT_TRUE(package);
    cuda::RunnerOptions runnerOptions;
    if (library)
      ASSERT_EQ(cuda::Products::open(device, {AFT_FAKE_BLAS}, runnerOptions.products).message, "");
    for (const cuda::KernelCode &kernel : package->device.kernels) {
      if (kernel.product)
        products[kernel.name] = *kernel.product;
      if (kernel.columnSums)
        sums.insert(kernel.name);
    }
    std::shared_ptr<cuda::Runner> made;
    ASSERT_EQ(cuda::Runner::create(device, package->device, runnerOptions, made).message, "");
    runner = made.get();
    ASSERT_EQ(loadPackage(std::move(*package), 1, program, std::move(made)).message, "");
    ASSERT_EQ(Program::compile(text, "program", options("cuda-emulated"), emulated).message, "");
  }

  /// Numbers for the inputs of an entry, whose dynamic extents are `extents` by name.
  std::vector<Array> inputsOf(const EntryInfo &entry,
                              const std::map<std::string, std::vector<int64_t>> &extents) {
    std::mt19937 random(7);
    std::normal_distribution<double> normal(0, 0.3);
    std::vector<Array> arrays;
    for (const ValueInfo &input : entry.inputs) {
      auto shape = extents.find(input.name);
      Array &array = arrays.emplace_back();
      Status made = makeArray(input.type.dtype,
                              shape == extents.end() ? input.type.shape : shape->second, array);
      EXPECT_EQ(made.message, "");
      bool whole = input.type.dtype == DType::i32 || input.type.dtype == DType::i64;
      bool square = input.name.rfind("v.", 0) == 0;
      for (int64_t i = 0; i < array.elements(); ++i) {
        double value = normal(random);
        array.set(i, whole    ? static_cast<double>((i * 7 + 3) % 40)
                     : square ? value * value
                              : value);
      }
    }
    return arrays;
  }

  /// The results of an entry on copies of the inputs.
  static std::vector<Array> run(const Program &program, const std::string &entry,
                                std::vector<Array> inputs, const aft_runtime_t *runtime = nullptr) {
    std::vector<Buffer> in = buffersOf(inputs), out;
    std::vector<std::vector<int64_t>> shapes;
    EXPECT_EQ(program.outputShapes(entry, in, shapes).message, "");
    const EntryInfo &info = *program.entry(entry);
    std::vector<Array> outputs(shapes.size());
    for (size_t i = 0; i < shapes.size(); ++i) {
      EXPECT_TRUE(makeArray(info.outputs[i].type.dtype, shapes[i], outputs[i]).ok());
      int alias = info.outputs[i].alias;
      out.push_back(alias < 0 ? outputs[i].buffer() : in[static_cast<size_t>(alias)]);
    }
    EXPECT_EQ(
        (runtime ? program.run(entry, in, out, *runtime) : program.run(entry, in, out)).message,
        "");
    for (size_t i = 0; i < outputs.size(); ++i)
      if (int alias = info.outputs[i].alias; alias >= 0)
        outputs[i] = inputs[static_cast<size_t>(alias)];
    return outputs;
  }

  static std::vector<Buffer> buffersOf(std::vector<Array> &arrays) {
    std::vector<Buffer> buffers;
    for (Array &array : arrays)
      buffers.push_back(array.buffer());
    return buffers;
  }

  /// Gives the driver's kernels their code.
  std::vector<Array> emulate(const std::string &entry, const std::vector<Array> &inputs) {
    EmulatedKernels kernels;
    return run(*emulated, entry, inputs, &kernels.runtime());
  }

  void expectClose(const std::vector<Array> &found, const std::vector<Array> &expected,
                   std::vector<Array> inputs) {
    ASSERT_EQ(found.size(), expected.size());
    ReferenceFacts facts;
    facts.tf32 = f32Products == F32Products::tf32;
    facts.products = static_cast<int>(products.size());
    for (size_t i = 0; i < found.size(); ++i) {
      Comparison comparison = compareWithReference(found[i], expected[i], buffersOf(inputs), facts);
      EXPECT_LE(comparison.error, comparison.limit) << "result " << i;
    }
  }

  /// How often kernels of sums ran since countProducts.
  int countSums() const {
    int count = 0;
    for (const fake::Launch &launch : state().launches)
      count += sums.count(launch.kernel);
    return count;
  }

  /// How often products ran, by the library and by kernels, since the last time.
  std::pair<int, int> countProducts() {
    std::pair<int, int> counts;
    for (const fake::Launch &launch : state().launches) {
      counts.first += launch.kernel == "cublasLtMatmul";
      counts.second += products.count(launch.kernel);
    }
    state().launches.clear();
    return counts;
  }

  bool training = false;
  F32Products f32Products = F32Products::exact;
  std::string text;
  std::map<std::string, cuda::ProductCode> products; ///< that a library can stand in for
  std::set<std::string> sums;                        ///< that may be part of a product
  std::shared_ptr<cuda::Device> device;
  cuda::Runner *runner = nullptr; ///< of `program`
  std::shared_ptr<Program> program, emulated;
};

const std::map<std::string, std::vector<int64_t>> kExtents = {{"ids", {2, 19}}, {"targets", {38}}};

TEST_F(CudaProgramTest, ComputesAModelAsTheReference) {
  ASSERT_NO_FATAL_FAILURE(load(textOf("language-model.mlir")));
  std::vector<Array> inputs = inputsOf(*program->entry("main"), kExtents), expected;
  (void)emulate("main", inputs);
  ReferenceFacts facts;
  std::vector<Array> copies = inputs;
  ASSERT_EQ(runReference(text, "program", "main", buffersOf(copies), expected, facts).message, "");
  for (int call = 0; call < 3; ++call)
    expectClose(run(*program, "main", inputs), expected, inputs);
  EXPECT_EQ(countProducts(), std::pair(3 * (2 * 6 + 1), 0));
}

TEST_F(CudaProgramTest, TrainsAsTheCPU) {
  training = true;
  ASSERT_NO_FATAL_FAILURE(load(textOf("language-model.mlir")));
  std::shared_ptr<Program> cpu;
  ASSERT_EQ(Program::compile(text, "program", options("cpu"), cpu).message, "");
  std::vector<Array> inputs = inputsOf(*program->entry("train_step"), kExtents);
  std::vector<Array> expected = run(*cpu, "train_step", inputs);
  expectClose(emulate("train_step", inputs), expected, inputs);
  for (int call = 0; call < 4; ++call)
    expectClose(run(*program, "train_step", inputs), expected, inputs);
  // Each has two derivatives, and a bias whose gradient comes with that of the weight, twice
  // by a call and then by its recording. What is left are those of the norms.
  EXPECT_EQ(countSums(), 4 * (2 * 2));
  EXPECT_EQ(blasState().sums, 2 * (2 * 6 + 1));
  EXPECT_EQ(countProducts(), std::pair(4 * 3 * (2 * 6 + 1), 0));
  EXPECT_GE(runner->graphs().stats().launches, 2);
  EXPECT_EQ(blasState().reductionSchemes, cuda::blas::kReduceInComputeType);
}

TEST_F(CudaProgramTest, SumsGradientsOfBiasesWhereTheLibraryDoesNot) {
  training = true;
  ASSERT_NO_FATAL_FAILURE(load(textOf("language-model.mlir")));
  blasState().knowsSums = false;
  std::vector<Array> inputs = inputsOf(*program->entry("train_step"), kExtents);
  std::vector<Array> expected = emulate("train_step", inputs);
  for (int call = 0; call < 3; ++call)
    expectClose(run(*program, "train_step", inputs), expected, inputs);
  EXPECT_EQ(blasState().sums, 0);
  EXPECT_EQ(countSums(), 3 * (2 * 6 + 1 + 2 * 2));
  EXPECT_EQ(countProducts(), std::pair(3 * 3 * (2 * 6 + 1), 0));
}

/// Sums that nothing comes after.
TEST_F(CudaProgramTest, LaunchesSumsThatComeLast) {
  ASSERT_NO_FATAL_FAILURE(load(R"mlir(
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
)mlir"));
  EXPECT_EQ(sums.size(), 1u);
  std::vector<Array> inputs = inputsOf(*program->entry("main"), {{"x", {37, 8}}});
  std::vector<Array> expected = emulate("main", inputs);
  for (int call = 0; call < 3; ++call)
    expectClose(run(*program, "main", inputs), expected, inputs);
  EXPECT_EQ(countSums(), 3);
}

/// What comes before GELU is written with the bias and rounded, by the library, and read so by
/// GELU and its derivative; so are the logits.
TEST_F(CudaProgramTest, TrainsInBf16) {
  training = true;
  ASSERT_NO_FATAL_FAILURE(load(textOf("feed-forward-bf16.mlir")));
  int biases = 0;
  for (const auto &[name, product] : products) {
    EXPECT_EQ(product.result, DType::bf16) << name;
    EXPECT_FALSE(product.gelu) << name << ": the library's GELU is not the one by erf";
    biases += product.bias >= 0;
  }
  EXPECT_EQ(biases, 2);
  std::shared_ptr<Program> cpu;
  ASSERT_EQ(Program::compile(text, "program", options("cpu"), cpu).message, "");
  std::vector<Array> inputs =
      inputsOf(*program->entry("train_step"), {{"x", {37, 16}}, {"t", {37}}});
  std::vector<Array> expected = run(*cpu, "train_step", inputs);
  expectClose(emulate("train_step", inputs), expected, inputs);
  for (int call = 0; call < 3; ++call)
    expectClose(run(*program, "train_step", inputs), expected, inputs);
  EXPECT_EQ(countProducts(), std::pair(3 * 5, 0));
}

const char kProduct[] = R"mlir(
func.func @main(%x: tensor<7x40xf32>, %w: tensor<24x40xf32>) -> tensor<7x24xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<7x24xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<7x24xf32>) -> tensor<7x24xf32>
  %p = linalg.matmul_transpose_b ins(%x, %w : tensor<7x40xf32>, tensor<24x40xf32>) outs(%z : tensor<7x24xf32>) -> tensor<7x24xf32>
  return %p : tensor<7x24xf32>
}
)mlir";

/// The library and the kernel agree but for the order of their sums.
TEST_F(CudaProgramTest, RoundsFactorsToTF32OnRequest) {
  ASSERT_NO_FATAL_FAILURE(load(kProduct));
  std::vector<Array> inputs = inputsOf(*program->entry("main"), {});
  std::vector<Array> exact = emulate("main", inputs);
  expectClose(run(*program, "main", inputs), exact, inputs);
  EXPECT_EQ(blasState().tf32, 0);
  f32Products = F32Products::tf32;
  ASSERT_NO_FATAL_FAILURE(load(kProduct));
  std::vector<Array> kernel = emulate("main", inputs), library = run(*program, "main", inputs);
  EXPECT_EQ(blasState().tf32, 1);
  auto distance = [](const Array &a, const Array &b) {
    double most = 0;
    for (int64_t i = 0; i < a.elements(); ++i)
      most = std::max(most, std::abs(a.at(i) - b.at(i)));
    return most;
  };
  EXPECT_LT(distance(library[0], kernel[0]), 1e-6);
  EXPECT_GT(distance(library[0], exact[0]), 1e-5);
  expectClose(library, exact, inputs);
}

/// All products of a model, and of no other type.
TEST_F(CudaProgramTest, ComputesAModelInTF32OnRequest) {
  f32Products = F32Products::tf32;
  ASSERT_NO_FATAL_FAILURE(load(textOf("language-model.mlir")));
  std::vector<Array> inputs = inputsOf(*program->entry("main"), kExtents), expected;
  (void)emulate("main", inputs);
  ReferenceFacts facts;
  std::vector<Array> copies = inputs;
  ASSERT_EQ(runReference(text, "program", "main", buffersOf(copies), expected, facts).message, "");
  expectClose(run(*program, "main", inputs), expected, inputs);
  EXPECT_EQ(blasState().tf32, 2 * 6 + 1);
}

TEST_F(CudaProgramTest, RunsKernelsWithoutTheLibrary) {
  ASSERT_NO_FATAL_FAILURE(load(textOf("language-model.mlir"), /*library=*/false));
  std::vector<Array> inputs = inputsOf(*program->entry("main"), kExtents);
  std::vector<Array> expected = emulate("main", inputs), found = run(*program, "main", inputs);
  for (size_t i = 0; i < found.size(); ++i)
    EXPECT_EQ(found[i].bytes, expected[i].bytes) << "result " << i;
  EXPECT_EQ(countProducts(), std::pair(0, 2 * 6 + 1));
}

TEST_F(CudaProgramTest, RunsKernelsThatTheLibraryRefuses) {
  ASSERT_NO_FATAL_FAILURE(load(textOf("language-model.mlir")));
  blasState().knowsAlgorithms = false;
  std::vector<Array> inputs = inputsOf(*program->entry("main"), kExtents);
  std::vector<Array> expected = emulate("main", inputs);
  for (int call = 0; call < 3; ++call)
    EXPECT_EQ(run(*program, "main", inputs)[0].bytes, expected[0].bytes);
  EXPECT_EQ(countProducts(), std::pair(0, 3 * (2 * 6 + 1)));
  int asked = blasState().calls["cublasLtMatmulAlgoGetHeuristic"];
  EXPECT_LE(asked, 2 * 6 + 1) << "once per product";
}

TEST_F(CudaProgramTest, SaysWhichProductFails) {
  ASSERT_NO_FATAL_FAILURE(load(textOf("language-model.mlir")));
  std::vector<Array> inputs = inputsOf(*program->entry("main"), kExtents);
  (void)emulate("main", inputs);
  blasState().failures["cublasLtMatmul"] = 13;
  std::vector<Array> loss(2);
  ASSERT_TRUE(makeArray(DType::f32, {}, loss[0]).ok());
  ASSERT_TRUE(makeArray(DType::f32, {38, 40}, loss[1]).ok());
  std::string message = program->run("main", buffersOf(inputs), buffersOf(loss)).message;
  EXPECT_NE(message.find("entry 'main': kernel '"), std::string::npos) << message;
  EXPECT_NE(
      message.find("cuBLASLt cannot compute the product [38, 32] x [32, 32] of f32: status 13"),
      std::string::npos)
      << message;
}

/// x @ w.T + bias + x2 in bf16, and per batch x3 @ y3, kept in f32; depth may be 0.
const char kNarrow[] = R"mlir(
#rows = affine_map<(i, c) -> (i, c)>
#row = affine_map<(i, c) -> (c)>
func.func @main(%x: tensor<?x?xbf16> {aft.name = "x"}, %w: tensor<24x?xbf16> {aft.name = "w"}, %bias: tensor<24xbf16>, %x2: tensor<?x24xbf16> {aft.name = "x2"}, %x3: tensor<2x?x8xbf16> {aft.name = "x3"}, %y3: tensor<2x8x16xbf16>) -> (tensor<?x24xbf16>, tensor<2x?x16xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f32
  %n = tensor.dim %x, %c0 : tensor<?x?xbf16>
  %e = tensor.empty(%n) : tensor<?x24xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<?x24xf32>) -> tensor<?x24xf32>
  %p = linalg.matmul_transpose_b ins(%x, %w : tensor<?x?xbf16>, tensor<24x?xbf16>) outs(%z : tensor<?x24xf32>) -> tensor<?x24xf32>
  %e2 = tensor.empty(%n) : tensor<?x24xbf16>
  %y = linalg.generic {indexing_maps = [#rows, #row, #rows, #rows], iterator_types = ["parallel", "parallel"]} ins(%p, %bias, %x2 : tensor<?x24xf32>, tensor<24xbf16>, tensor<?x24xbf16>) outs(%e2 : tensor<?x24xbf16>) {
  ^bb0(%a: f32, %b: bf16, %c: bf16, %o: bf16):
    %b32 = arith.extf %b : bf16 to f32
    %c32 = arith.extf %c : bf16 to f32
    %s = arith.addf %a, %b32 : f32
    %t = arith.addf %s, %c32 : f32
    %r = arith.truncf %t : f32 to bf16
    linalg.yield %r : bf16
  } -> tensor<?x24xbf16>
  %m = tensor.dim %x3, %c1 : tensor<2x?x8xbf16>
  %e3 = tensor.empty(%m) : tensor<2x?x16xf32>
  %z3 = linalg.fill ins(%zero : f32) outs(%e3 : tensor<2x?x16xf32>) -> tensor<2x?x16xf32>
  %p3 = linalg.batch_matmul ins(%x3, %y3 : tensor<2x?x8xbf16>, tensor<2x8x16xbf16>) outs(%z3 : tensor<2x?x16xf32>) -> tensor<2x?x16xf32>
  return %y, %p3 : tensor<?x24xbf16>, tensor<2x?x16xf32>
}
)mlir";

/// GELU by tanh of x @ w + bias, in bf16.
const char kGelu[] = R"mlir(
#rows = affine_map<(i, c) -> (i, c)>
#row = affine_map<(i, c) -> (c)>
func.func @main(%x: tensor<?x16xbf16> {aft.name = "x"}, %w: tensor<16x24xbf16>, %bias: tensor<24xbf16>) -> tensor<?x24xbf16> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %half = arith.constant 0.5 : f32
  %one = arith.constant 1.0 : f32
  %a0 = arith.constant 0.7978845608 : f32
  %a1 = arith.constant 0.044715 : f32
  %n = tensor.dim %x, %c0 : tensor<?x16xbf16>
  %e = tensor.empty(%n) : tensor<?x24xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<?x24xf32>) -> tensor<?x24xf32>
  %p = linalg.matmul ins(%x, %w : tensor<?x16xbf16>, tensor<16x24xbf16>) outs(%z : tensor<?x24xf32>) -> tensor<?x24xf32>
  %e2 = tensor.empty(%n) : tensor<?x24xbf16>
  %y = linalg.generic {indexing_maps = [#rows, #row, #rows], iterator_types = ["parallel", "parallel"]} ins(%p, %bias : tensor<?x24xf32>, tensor<24xbf16>) outs(%e2 : tensor<?x24xbf16>) {
  ^bb0(%a: f32, %b: bf16, %o: bf16):
    %b32 = arith.extf %b : bf16 to f32
    %s0 = arith.addf %a, %b32 : f32
    %s16 = arith.truncf %s0 : f32 to bf16
    %s = arith.extf %s16 : bf16 to f32
    %s2 = arith.mulf %s, %s : f32
    %s3 = arith.mulf %s2, %s : f32
    %t = arith.mulf %s3, %a1 : f32
    %u = arith.addf %s, %t : f32
    %v = arith.mulf %u, %a0 : f32
    %w1 = math.tanh %v : f32
    %w2 = arith.addf %w1, %one : f32
    %g = arith.mulf %s, %half : f32
    %h = arith.mulf %g, %w2 : f32
    %r = arith.truncf %h : f32 to bf16
    linalg.yield %r : bf16
  } -> tensor<?x24xbf16>
  return %y : tensor<?x24xbf16>
}
)mlir";

TEST_F(CudaProgramTest, TakesGeluOfProducts) {
  ASSERT_NO_FATAL_FAILURE(load(kGelu));
  EXPECT_EQ(products.size(), 1u);
  std::vector<Array> inputs = inputsOf(*program->entry("main"), {{"x", {7, 16}}});
  std::vector<Array> expected, copies = inputs;
  (void)emulate("main", inputs);
  ReferenceFacts facts;
  ASSERT_EQ(runReference(text, "program", "main", buffersOf(copies), expected, facts).message, "");
  for (int call = 0; call < 3; ++call)
    expectClose(run(*program, "main", inputs), expected, inputs);
  EXPECT_EQ(state().launches.size(), 3u) << "one each";
  EXPECT_EQ(countProducts(), std::pair(3, 0));
  blasState().knowsAlgorithms = false;
  ASSERT_NO_FATAL_FAILURE(load(kGelu, /*library=*/false));
  (void)emulate("main", inputs);
  expectClose(run(*program, "main", inputs), expected, inputs);
  EXPECT_EQ(countProducts(), std::pair(0, 1));
}

TEST_F(CudaProgramTest, MultipliesBf16) {
  ASSERT_NO_FATAL_FAILURE(load(kNarrow));
  EXPECT_EQ(products.size(), 2u);
  for (int64_t depth : {40, 0}) {
    std::vector<Array> inputs =
        inputsOf(*program->entry("main"),
                 {{"x", {7, depth}}, {"w", {24, depth}}, {"x2", {7, 24}}, {"x3", {2, 5, 8}}});
    std::vector<Array> expected, copies = inputs;
    (void)emulate("main", inputs);
    ReferenceFacts facts;
    ASSERT_EQ(runReference(text, "program", "main", buffersOf(copies), expected, facts).message,
              "");
    for (int call = 0; call < 3; ++call)
      expectClose(run(*program, "main", inputs), expected, inputs);
    // Nothing to sum is no product for the library.
    EXPECT_EQ(countProducts(), depth ? std::pair(6, 0) : std::pair(3, 3));
  }
}

} // namespace
