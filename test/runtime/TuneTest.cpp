//===- TuneTest.cpp - Tuned programs compute the same ---------------------===//

#include "runtime/jit/Tune.h"
#include "compiler/kernels/Interface.h"
#include "runtime/jit/Compile.h"
#include "runtime/jit/MeasuredProgram.h"
#include "runtime/jit/TileSearch.h"
#include "test/TemporaryFolder.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>

using namespace aft;
namespace fs = std::filesystem;

namespace {

/// A product with more steps of K than fit a block, then an operation on its result.
const char kProduct[] = R"mlir(
func.func @main(%a: tensor<?x700xf32>, %b: tensor<700x90xf32>) -> (tensor<?x90xf32>, tensor<?x90xf32>) {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %n = tensor.dim %a, %c0 : tensor<?x700xf32>
  %empty = tensor.empty(%n) : tensor<?x90xf32>
  %start = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x90xf32>) -> tensor<?x90xf32>
  %y = linalg.matmul ins(%a, %b : tensor<?x700xf32>, tensor<700x90xf32>) outs(%start : tensor<?x90xf32>) -> tensor<?x90xf32>
  %z = math.absf %y : tensor<?x90xf32>
  return %y, %z : tensor<?x90xf32>, tensor<?x90xf32>
}
)mlir";

constexpr int64_t kRows = 123, kDepth = 700, kColumns = 90;

/// How far the program's product is from the one in double.
double errorOf(const Program &program) {
  std::vector<float> a(kRows * kDepth), b(kDepth * kColumns), y(kRows * kColumns), z(y.size());
  for (size_t i = 0; i < a.size(); ++i)
    a[i] = static_cast<float>(static_cast<int>(i * 7919 % 31) - 15) / 16;
  for (size_t i = 0; i < b.size(); ++i)
    b[i] = static_cast<float>(static_cast<int>(i * 104729 % 29) - 14) / 16;
  Status status = program.run(
      "main", {{a.data(), DType::f32, {kRows, kDepth}}, {b.data(), DType::f32, {kDepth, kColumns}}},
      {{y.data(), DType::f32, {kRows, kColumns}}, {z.data(), DType::f32, {kRows, kColumns}}});
  EXPECT_TRUE(status.ok()) << status.message;
  double worst = 0;
  for (int64_t row = 0; row < kRows; ++row)
    for (int64_t column = 0; column < kColumns; ++column) {
      double sum = 0;
      for (int64_t k = 0; k < kDepth; ++k)
        sum += static_cast<double>(a[row * kDepth + k]) * b[k * kColumns + column];
      double found = y[row * kColumns + column];
      worst = std::max(
          {worst, std::abs(found - sum), std::abs(std::abs(found) - z[row * kColumns + column])});
    }
  return worst;
}

PipelineOptions optionsFor(unsigned threads) {
  PipelineOptions options;
  options.target = Target::host();
  options.threads = threads;
  return options;
}

TEST(Tune, EveryCandidateComputesTheSame) {
  for (unsigned threads : {1u, 2u})
    for (TileKind kind : {TileKind::Product, TileKind::Other})
      for (const TileScale &scale : tileCandidates(kind)) {
        PipelineOptions options = optionsFor(threads);
        int set = 0;
        options.tune = [&](mlir::ModuleOp module, const PipelineOptions &) {
          for (auto kernel : module.getOps<mlir::func::FuncOp>())
            if (tileKindOf(kernel) == kind) {
              setTileScale(kernel, scale);
              ++set;
            }
        };
        Package package;
        Status status = compilePackage(kProduct, "product", options, package);
        ASSERT_TRUE(status.ok()) << status.message;
        EXPECT_GE(set, kind == TileKind::Product ? 1 : 0);
        std::shared_ptr<Program> program;
        status = loadPackage(std::move(package), static_cast<int>(threads), program);
        ASSERT_TRUE(status.ok()) << status.message;
        EXPECT_LE(errorOf(*program), 1e-4) << scale.text();
      }
}

class TuneCache : public testing::Test {
protected:
  /// What is printed while the program is tuned.
  std::string tune(int threads, std::vector<std::vector<int64_t>> shapes = {}) {
    CompileOptions options;
    options.tune = true;
    options.threads = threads;
    options.cacheDir = folder;
    options.tuneShapes = std::move(shapes);
    PipelineOptions pipeline;
    EXPECT_TRUE(pipelineOptions(options, pipeline).ok());
    pipeline.threads = static_cast<unsigned>(threads);
    Package package;
    testing::internal::CaptureStderr();
    Status status = compilePackage(kProduct, "product", pipeline, package);
    std::string text = testing::internal::GetCapturedStderr();
    EXPECT_TRUE(status.ok()) << status.message;
    return text;
  }
  std::vector<std::string> keys() const {
    std::vector<std::string> all;
    for (const auto &entry : fs::directory_iterator(folder))
      all.push_back(entry.path().filename());
    return all;
  }

  test::TemporaryFolder temporary;
  const std::string folder = temporary.path;
};

TEST_F(TuneCache, RemembersByKernelThreadsAndWork) {
  EXPECT_NE(tune(1).find("rounds done"), std::string::npos);
  EXPECT_EQ(tune(1), "");
  EXPECT_NE(tune(2).find("rounds done"), std::string::npos);
  EXPECT_NE(tune(1, {{64, 700}, {700, 90}}).find("rounds done"), std::string::npos);
  EXPECT_EQ(tune(1, {{64, 700}, {700, 90}}), "");
}

TEST_F(TuneCache, MeasuresAgainWhatIsDamagedOrMeansNothing) {
  tune(1);
  Cache cache(folder);
  ASSERT_FALSE(keys().empty());
  for (const char *wrong : {"7 0 0\n", "", "99999999999999999999 0 0\n"}) {
    for (const std::string &key : keys())
      ASSERT_TRUE(cache.store(key, wrong).ok());
    EXPECT_NE(tune(1).find("rounds done"), std::string::npos) << wrong;
    for (const std::string &key : keys())
      EXPECT_NE(cache.load(key), wrong);
    EXPECT_EQ(tune(1), "");
  }
}

TEST_F(TuneCache, TunedProgramsAreApartFromOthers) {
  CompileOptions options;
  options.threads = 1;
  options.cacheDir = folder;
  std::shared_ptr<Program> plain, tuned, again;
  ASSERT_TRUE(Program::compile(kProduct, "product", options, plain).ok());
  options.tune = true;
  ASSERT_TRUE(Program::compile(kProduct, "product", options, tuned).ok());
  EXPECT_FALSE(tuned->stats().fromCache);
  ASSERT_TRUE(Program::compile(kProduct, "product", options, again).ok());
  EXPECT_TRUE(again->stats().fromCache);
  EXPECT_LE(errorOf(*again), 1e-4);
}

TEST(TuneShapes, TakesWhatFits) {
  using Shapes = std::vector<std::vector<int64_t>>;
  Shapes declared = {{64, 64}, {-1, 64}, {-1, -1, 8}};
  EXPECT_EQ(concreteShapes(declared, {{64, 64}, {5, 64}, {2, 3, 8}}),
            (Shapes{{64, 64}, {5, 64}, {2, 3, 8}}));
  // Only those with free extents.
  EXPECT_EQ(concreteShapes(declared, {{5, 64}, {2, 3, 8}}), (Shapes{{64, 64}, {5, 64}, {2, 3, 8}}));
  Shapes typical = {{64, 64}, {1024, 64}, {1, 1024, 8}};
  EXPECT_EQ(concreteShapes(declared, {}), typical);
  EXPECT_EQ(concreteShapes(declared, {{5, 63}, {2, 3, 8}}), typical);
}

} // namespace
