//===- ProgramTest.cpp - Programs from text to results --------------------===//

#include "aft/program.h"
#include "aft/profile.h"
#include "test/TemporaryFolder.h"

#include <cstdlib>
#include <fstream>
#include <gtest/gtest.h>
#include <thread>

using namespace aft;

namespace {

// Scalar code in the form that the vector phase leaves: a kernel on memrefs, an
// entry that launches it, and the entry's plan.
const char kAdd[] = R"mlir(
module attributes {aft.checks = ["'a' and 'b' must have equal lengths"]} {
  func.func private @add(%a: memref<?xf32>, %b: memref<?xf32>, %y: memref<?xf32>,
                         %begin: index, %end: index) -> index attributes {aft.kernel} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %n = memref.dim %y, %c0 : memref<?xf32>
    scf.for %i = %begin to %end step %c1 {
      %p = memref.load %a[%i] : memref<?xf32>
      %q = memref.load %b[%i] : memref<?xf32>
      %s = arith.addf %p, %q : f32
      memref.store %s, %y[%i] : memref<?xf32>
    }
    return %n : index
  }
  func.func @main(%a: memref<?xf32>, %b: memref<?xf32>, %y: memref<?xf32>, %arena: memref<?xi8>)
      attributes {aft.entry, aft.interface = {
        inputs = [{name = "a", type = tensor<?xf32>}, {name = "b", type = tensor<?xf32>}],
        outputs = [{type = tensor<?xf32>}]}} {
    aft.launch @add ins(%a, %b) outs(%y) : (memref<?xf32>, memref<?xf32>, memref<?xf32>) -> ()
    return
  }
  func.func @main.plan(%dims: memref<?xindex>, %out: memref<?xindex>, %bytes: memref<1xindex>)
      -> index attributes {aft.plan} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %a = memref.load %dims[%c0] : memref<?xindex>
    %b = memref.load %dims[%c1] : memref<?xindex>
    memref.store %a, %out[%c0] : memref<?xindex>
    memref.store %c0, %bytes[%c0] : memref<1xindex>
    %same = arith.cmpi eq, %a, %b : index
    %code = arith.select %same, %c0, %c1 : index
    return %code : index
  }
}
)mlir";

std::shared_ptr<Program> compiled(const std::string &text, int threads = 2) {
  CompileOptions options;
  options.cacheDir = "";
  options.threads = threads;
  std::shared_ptr<Program> program;
  Status status = Program::compile(text, "test.mlir", options, program);
  EXPECT_TRUE(status.ok()) << status.message;
  return program;
}

Buffer bufferOf(std::vector<float> &values) {
  return {values.data(), DType::f32, {static_cast<int64_t>(values.size())}};
}

TEST(Program, RunsForEveryLengthWithoutRecompiling) {
  auto program = compiled(kAdd);
  ASSERT_TRUE(program);
  for (int64_t length : {0, 1, 7, 1000}) {
    std::vector<float> a(length, 1.5f), b(length), y(length, -1);
    for (int64_t i = 0; i < length; ++i)
      b[i] = static_cast<float>(i);
    std::vector<std::vector<int64_t>> shapes;
    ASSERT_TRUE(program->outputShapes("main", {bufferOf(a), bufferOf(b)}, shapes).ok());
    ASSERT_EQ(shapes, std::vector<std::vector<int64_t>>{{length}});
    Status status = program->run("main", {bufferOf(a), bufferOf(b)}, {bufferOf(y)});
    ASSERT_TRUE(status.ok()) << status.message;
    for (int64_t i = 0; i < length; ++i)
      ASSERT_EQ(y[i], 1.5f + static_cast<float>(i));
  }
}

TEST(Program, RefusesWrongInputsByName) {
  auto program = compiled(kAdd);
  ASSERT_TRUE(program);
  std::vector<float> a(4), b(5), y(4);
  EXPECT_EQ(program->run("main", {bufferOf(a), bufferOf(b)}, {bufferOf(y)}).message,
            "entry 'main': 'a' and 'b' must have equal lengths");
  Buffer wrong = bufferOf(b);
  wrong.dtype = DType::i32;
  EXPECT_EQ(program->run("main", {bufferOf(a), wrong}, {bufferOf(y)}).message,
            "entry 'main': input 1 ('b') must be tensor<?xf32>, found tensor<5xi32>");
  EXPECT_EQ(program->run("main", {bufferOf(a)}, {bufferOf(y)}).message,
            "entry 'main' takes 2 inputs, found 1");
  EXPECT_EQ(program->run("other", {}, {}).message, "no entry 'other', expected one of: main");
  EXPECT_EQ(program->run("main", {bufferOf(a), bufferOf(a)}, {bufferOf(b)}).message,
            "entry 'main': output 0 must be tensor<4xf32>, found tensor<5xf32>");
}

// Results of this size go past the caches where their place is aligned; the bits are the same
// wherever they go, and those of a short sequence, whose results do not.
TEST(Program, ComputesLargeResultsWhereverTheyLie) {
  auto program = compiled(R"mlir(
func.func @main(%q: tensor<1x?x64xf32>, %k: tensor<1x?x64xf32>, %v: tensor<1x?x64xf32>)
    -> tensor<1x?x64xf32> {
  %y = aft.simple %q, %k, %v causal : (tensor<1x?x64xf32>, tensor<1x?x64xf32>,
                                       tensor<1x?x64xf32>) -> tensor<1x?x64xf32>
  return %y : tensor<1x?x64xf32>
})mlir");
  ASSERT_TRUE(program);
  constexpr int64_t kLength = 70000, kShort = 500, kChannels = 64, kLine = 16;
  std::vector<float> x(kLength * kChannels), results(kLength * kChannels + 2 * kLine, -9);
  for (size_t i = 0; i < x.size(); ++i)
    x[i] = static_cast<float>(static_cast<int64_t>(i * 7919 % 2003) - 1001) / 500;
  auto run = [&](float *y, int64_t length) {
    Buffer in = {x.data(), DType::f32, {1, length, kChannels}};
    Buffer out = {y, DType::f32, {1, length, kChannels}};
    Status status = program->run("main", {in, in, in}, {out});
    EXPECT_TRUE(status.ok()) << status.message;
    return std::vector<float>(y, y + length * kChannels);
  };
  auto misplaced = reinterpret_cast<uintptr_t>(results.data()) / sizeof(float) % kLine;
  float *aligned = results.data() + (kLine - misplaced) % kLine;
  std::vector<float> expected = run(aligned, kLength);
  std::vector<float> elsewhere = run(aligned + 1, kLength), brief = run(aligned, kShort);
  EXPECT_EQ(expected, elsewhere);
  expected.resize(brief.size());
  EXPECT_EQ(expected, brief);
  EXPECT_EQ(results.back(), -9) << "nothing is written beside the result";
}

TEST(Program, ServesManyThreadsAtOnce) {
  auto program = compiled(kAdd, 4);
  ASSERT_TRUE(program);
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&, t] {
      std::vector<float> a(257, static_cast<float>(t)), b(257, 1), y(257);
      for (int round = 0; round < 50; ++round) {
        std::fill(y.begin(), y.end(), 0.f);
        if (!program->run("main", {bufferOf(a), bufferOf(b)}, {bufferOf(y)}).ok())
          ++wrong;
        for (float value : y)
          wrong += value != static_cast<float>(t + 1);
      }
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST(Program, ReportsToTheProfileOfItsThread) {
  auto program = compiled(kAdd);
  ASSERT_TRUE(program);
  std::vector<float> a(10, 1), b(10, 2), y(10);
  Profile profile;
  {
    Profile::Scope scope(profile);
    ASSERT_TRUE(program->run("main", {bufferOf(a), bufferOf(b)}, {bufferOf(y)}).ok());
  }
  ASSERT_TRUE(program->run("main", {bufferOf(a), bufferOf(b)}, {bufferOf(y)}).ok());
  EXPECT_EQ(y, std::vector<float>(10, 3));
  std::vector<KernelTotal> kernels = profile.kernels();
  ASSERT_EQ(kernels.size(), 1u);
  EXPECT_EQ(kernels[0].entry, "main");
  EXPECT_EQ(kernels[0].kernel, "kernel_0");
  EXPECT_EQ(kernels[0].launches, 1);
  EXPECT_EQ(kernels[0].groups, 10);
  EXPECT_EQ(kernels[0].bytes, 3 * 10 * 4);
  EXPECT_EQ(profile.entries()[0].runs, 1);
}

TEST(Program, RunsKernelsThroughTheHostsParallelFor) {
  // The host runs each group for itself, the last first.
  std::vector<std::string> launched;
  aft_runtime_t host{&launched, [](void *self, aft_kernel_t kernel, void *const *buffers,
                                   const int64_t *dims, const char *name) {
                       static_cast<std::vector<std::string> *>(self)->push_back(name);
                       for (int64_t group = kernel(buffers, dims, 0, 0); group-- > 0;)
                         kernel(buffers, dims, group, group + 1);
                     }};
  auto program = compiled(kAdd);
  ASSERT_TRUE(program);
  std::vector<float> a(100, 1), b(100, 2), y(100);
  ASSERT_TRUE(program->run("main", {bufferOf(a), bufferOf(b)}, {bufferOf(y)}, host).ok());
  EXPECT_EQ(y, std::vector<float>(100, 3));
  EXPECT_EQ(launched, std::vector<std::string>{"kernel_0"});
}

/// Compiles with a cache folder and checks the result of 1 + 2.
CompileStats compileAndCheck(const std::string &text, const std::string &folder) {
  CompileOptions options;
  options.cacheDir = folder;
  options.threads = 1;
  std::shared_ptr<Program> program;
  Status status = Program::compile(text, "test.mlir", options, program);
  EXPECT_TRUE(status.ok()) << status.message;
  if (!program)
    return {};
  std::vector<float> a(3, 1), b(3, 2), y(3);
  EXPECT_TRUE(program->run("main", {bufferOf(a), bufferOf(b)}, {bufferOf(y)}).ok());
  EXPECT_EQ(y, std::vector<float>(3, 3));
  return program->stats();
}

TEST(Program, ComesFromTheCacheUnlessDamaged) {
  namespace fs = std::filesystem;
  test::TemporaryFolder temporary;
  const std::string &folder = temporary.path;
  EXPECT_FALSE(compileAndCheck(kAdd, folder).fromCache);
  CompileStats cached = compileAndCheck(kAdd, folder);
  EXPECT_TRUE(cached.fromCache);
  EXPECT_EQ(cached.kernels, 1);
  EXPECT_EQ(cached.launches, 1);
  EXPECT_FALSE(compileAndCheck(std::string(kAdd) + "// other", folder).fromCache);
  for (const auto &entry : fs::directory_iterator(folder)) {
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(fs::file_size(entry) / 2));
    file.write("damaged", 7);
  }
  EXPECT_FALSE(compileAndCheck(kAdd, folder).fromCache);
  EXPECT_TRUE(compileAndCheck(kAdd, folder).fromCache);
}

std::vector<std::string> phasesOf(const Program &program) {
  std::vector<std::string> names;
  for (const PhaseTime &time : program.stats().phases) {
    EXPECT_GE(time.milliseconds, 0);
    names.push_back(time.phase);
  }
  return names;
}

TEST(Program, TimesItsPhases) {
  using Names = std::vector<std::string>;
  test::TemporaryFolder folder;
  CompileOptions options;
  options.cacheDir = folder.path;
  std::shared_ptr<Program> first, second;
  ASSERT_TRUE(Program::compile(kAdd, "test.mlir", options, first).ok());
  ASSERT_TRUE(Program::compile(kAdd, "test.mlir", options, second).ok());
  EXPECT_EQ(phasesOf(*first), (Names{"load", "parse", "graph", "kernels", "tile", "vector", "llvm",
                                     "binary", "store", "link"}));
  EXPECT_EQ(phasesOf(*second), (Names{"load", "link"}));
  double sum = 0;
  for (const PhaseTime &time : first->stats().phases)
    sum += time.milliseconds;
  EXPECT_LE(sum, first->stats().milliseconds);
}

TEST(Program, DumpsOfOneProcessLieApart) {
  test::TemporaryFolder folder;
  std::string root = folder.path, cache = root + "/cache";
  auto text = [&](const std::string &name) {
    std::ifstream file(root + "/dumps/" + name);
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  CompileOptions options;
  options.cacheDir = cache;
  std::shared_ptr<Program> program;
  setenv("AFT_DUMP_DIR", (root + "/dumps").c_str(), 1);
  ASSERT_TRUE(Program::compile(kAdd, "test.mlir", options, program).ok());
  std::string other = kAdd;
  other.replace(other.find("arith.addf"), 10, "arith.mulf");
  ASSERT_TRUE(Program::compile(other, "test.mlir", options, program).ok());
  unsetenv("AFT_DUMP_DIR");
  EXPECT_NE(text("01-graph.mlir").find("arith.addf"), std::string::npos);
  EXPECT_NE(text("2/01-graph.mlir").find("arith.mulf"), std::string::npos);
  // The cache has been filled meanwhile.
  ASSERT_TRUE(Program::compile(kAdd, "test.mlir", options, program).ok());
  EXPECT_TRUE(program->stats().fromCache);
  // A folder that was asked for must be one.
  std::ofstream(root + "/file") << "no folder";
  options.dumpDir = root + "/file";
  Status status = Program::compile(kAdd, "test.mlir", options, program);
  EXPECT_NE(status.message.find("/file: Not a directory"), std::string::npos) << status.message;
}

/// Mixers, a product and elementwise code: several kernels, two of them equal.
const char kLayers[] = R"mlir(
func.func @main(%x: tensor<?x?x32xf32>, %w: tensor<32x32xf32>) -> tensor<?x?x32xf32> {
  %a = aft.simple %x, %x, %x causal : (tensor<?x?x32xf32>, tensor<?x?x32xf32>, tensor<?x?x32xf32>) -> tensor<?x?x32xf32>
  %b = arith.addf %a, %x : tensor<?x?x32xf32>
  %c = aft.simple %b, %b, %b causal : (tensor<?x?x32xf32>, tensor<?x?x32xf32>, tensor<?x?x32xf32>) -> tensor<?x?x32xf32>
  %d = math.exp %c : tensor<?x?x32xf32>
  return %d : tensor<?x?x32xf32>
}
)mlir";

/// The code in a cache folder: the larger of two entries. The other one is the
/// report on the compilation, which tells how long it took.
std::string storedIn(const std::string &folder) {
  std::string code;
  int entries = 0;
  for (const auto &file : std::filesystem::directory_iterator(folder)) {
    std::ifstream stream(file.path(), std::ios::binary);
    std::string bytes(std::istreambuf_iterator<char>(stream), {});
    if (bytes.size() > code.size())
      code = std::move(bytes);
    ++entries;
  }
  EXPECT_EQ(entries, 2);
  return code;
}

TEST(Program, CompilesTheSameTextToTheSameCode) {
  std::vector<std::string> stored;
  for (int i = 0; i < 3; ++i) {
    test::TemporaryFolder folder, dumps;
    CompileOptions options;
    options.cacheDir = folder.path;
    options.dumpDir =
        dumps.path; // compiles kernels, too, which this process has after the first time
    std::shared_ptr<Program> program;
    Status status = Program::compile(kLayers, "test.mlir", options, program);
    ASSERT_TRUE(status.ok()) << status.message;
    EXPECT_LT(program->stats().kernels, program->stats().launches);
    stored.push_back(storedIn(folder.path));
  }
  EXPECT_FALSE(stored[0].empty());
  EXPECT_EQ(stored[0], stored[1]);
  EXPECT_EQ(stored[0], stored[2]);
}

const char kBf16Product[] = R"mlir(
func.func @main(%a: tensor<16x3xbf16>, %b: tensor<3x32xbf16>) -> tensor<16x32xbf16> {
  %zero = arith.constant 0.0 : bf16
  %e = tensor.empty() : tensor<16x32xbf16>
  %f = linalg.fill ins(%zero : bf16) outs(%e : tensor<16x32xbf16>) -> tensor<16x32xbf16>
  %r = linalg.matmul ins(%a, %b : tensor<16x3xbf16>, tensor<3x32xbf16>) outs(%f : tensor<16x32xbf16>) -> tensor<16x32xbf16>
  return %r : tensor<16x32xbf16>
}
)mlir";

TEST(Program, ComputesProductsOfBf16InEveryWay) {
  test::TemporaryFolder folder;
  CompileOptions options;
  options.cacheDir = folder.path;
  for (Bf16Products products :
       {Bf16Products::f32, Bf16Products::pairs, Bf16Products::tiles, Bf16Products::automatic}) {
    options.bf16Products = products;
    std::shared_ptr<Program> program;
    Status status = Program::compile(kBf16Product, "test.mlir", options, program);
    if (products == Bf16Products::tiles &&
        status.message.find("in tiles need a CPU with") != std::string::npos)
      continue;
    ASSERT_TRUE(status.ok()) << status.message;
    // What was made in one way is not taken for the other; `automatic` is one of them.
    EXPECT_EQ(program->stats().fromCache, products == Bf16Products::automatic);
    // 1 + 1 + 1 = 3 in bf16.
    std::vector<uint16_t> a(16 * 3, 0x3f80), b(3 * 32, 0x3f80), y(16 * 32);
    status =
        program->run("main", {{a.data(), DType::bf16, {16, 3}}, {b.data(), DType::bf16, {3, 32}}},
                     {{y.data(), DType::bf16, {16, 32}}});
    ASSERT_TRUE(status.ok()) << status.message;
    EXPECT_EQ(y, std::vector<uint16_t>(16 * 32, 0x4040));
  }
}

TEST(Program, RefusesWhatIsNoNumberOfThreads) {
  for (int threads : {-1, 4097, std::numeric_limits<int>::max()}) {
    CompileOptions options;
    options.cacheDir = "";
    options.threads = threads;
    std::shared_ptr<Program> program;
    EXPECT_EQ(Program::compile("", "wide.mlir", options, program).message,
              "wide.mlir: expected 0 to 4096 threads, found " + std::to_string(threads));
    EXPECT_EQ(program, nullptr);
  }
}

const char kProduct[] = R"mlir(
func.func @main(%a: tensor<2x1xf32>, %b: tensor<1x1xf32>) -> tensor<2x1xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x1xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<2x1xf32>) -> tensor<2x1xf32>
  %r = linalg.matmul ins(%a, %b : tensor<2x1xf32>, tensor<1x1xf32>) outs(%f : tensor<2x1xf32>) -> tensor<2x1xf32>
  return %r : tensor<2x1xf32>
}
)mlir";

/// Each way has its own code in the cache; without request products are exact.
TEST(Program, RoundsFactorsToTF32OnRequest) {
  test::TemporaryFolder folder;
  CompileOptions options;
  options.cacheDir = folder.path;
  options.target = "cuda-emulated";
  constexpr float more = 1 + 1.0f / 4096, tie = -1 - 1.0f / 2048, next = -1 - 1.0f / 1024;
  auto run = [&](bool cached) {
    std::shared_ptr<Program> program;
    Status status = Program::compile(kProduct, "test.mlir", options, program);
    EXPECT_TRUE(status.ok()) << status.message;
    EXPECT_EQ(program->stats().fromCache, cached);
    float a[] = {more, tie}, b[] = {1}, y[2];
    status = program->run("main", {{a, DType::f32, {2, 1}}, {b, DType::f32, {1, 1}}},
                          {{y, DType::f32, {2, 1}}});
    EXPECT_TRUE(status.ok()) << status.message;
    return std::pair(y[0], y[1]);
  };
  EXPECT_EQ(run(false), std::pair(more, tie));
  options.f32Products = F32Products::tf32;
  EXPECT_EQ(run(false), std::pair(1.0f, next));
  options.f32Products = F32Products::exact;
  EXPECT_EQ(run(true), std::pair(more, tie));
  options.f32Products = F32Products::tf32;
  options.target = "cpu";
  std::shared_ptr<Program> program;
  EXPECT_EQ(
      Program::compile(kProduct, "test.mlir", options, program).message,
      "products of f32 in TF32 need target cuda[:sm_XX] or cuda-emulated, found target 'cpu'");
}

TEST(Program, RefusesCodeForAnotherCPU) {
  std::shared_ptr<Program> program;
  CompileOptions options;
  options.cacheDir = "";
  options.cpu = "z80";
  EXPECT_EQ(Program::compile(kAdd, "test.mlir", options, program).message,
            "unknown CPU 'z80', expected native or a CPU name of LLVM");
  options.cpu = "x86-64";
  EXPECT_TRUE(Program::compile(kAdd, "test.mlir", options, program).ok());
}

TEST(Program, ReportsSyntaxErrorsWithTheirPlace) {
  std::shared_ptr<Program> program;
  CompileOptions options;
  options.cacheDir = "";
  Status status =
      Program::compile("func.func @main() {\n  nonsense\n}", "bad.mlir", options, program);
  EXPECT_EQ(program, nullptr);
  EXPECT_NE(status.message.find("bad.mlir:2:"), std::string::npos) << status.message;
}

} // namespace
