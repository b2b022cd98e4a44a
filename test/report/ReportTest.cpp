//===- ReportTest.cpp - Costs of kernels and the data of reports ----------===//
// Numbers are counted by hand.

#include "compiler/Pipeline.h"
#include "compiler/kernels/Interface.h"
#include "compiler/report/CompileReport.h"
#include "compiler/report/KernelCost.h"
#include "compiler/report/Page.h"
#include "runtime/jit/Context.h"

#include <gtest/gtest.h>

using namespace aft;

//===----------------------------------------------------------------------===//
// Expressions
//===----------------------------------------------------------------------===//

namespace {
const Expression s0 = Expression::symbol(0), s1 = Expression::symbol(1);
} // namespace

TEST(Expression, Evaluates) {
  Expression e = ceilDivide(s0 * s1, 4) * 4 + min(s0, 3) - floorDivide(s1, 2);
  EXPECT_EQ(e.evaluate({5, 7}), 36 + 3 - 3);
  EXPECT_EQ(e.evaluate({1, 1}), 4 + 1 - 0);
  EXPECT_EQ(max(s0, s1).evaluate({2, 9}), 9);
}

TEST(Expression, FoldsConstants) {
  EXPECT_EQ((Expression(6) * 7).constant(), 42);
  EXPECT_EQ((s0 * 0).constant(), 0);
  EXPECT_EQ((s0 * 4 * 8).toJSON(), llvm::json::Value(llvm::json::Array{"*", 32, "s0"}));
  EXPECT_EQ((s0 + 0).toJSON(), llvm::json::Value("s0"));
}

TEST(Expression, IsUnknownWhereAPartIs) {
  EXPECT_FALSE((Expression() + 1).known());
  // Too large to be exact.
  Expression large = int64_t(1) << 62;
  EXPECT_FALSE((large * (large * s0)).known());
  EXPECT_FALSE(floorDivide(s0, 0).evaluate({1}).has_value());
  EXPECT_FALSE(s1.evaluate({1}).has_value());
}

TEST(Expression, ReplacesSymbols) {
  EXPECT_EQ((s0 * s1).replaceSymbols({Expression(3), s0}).evaluate({5}), 15);
}

TEST(Expression, SurvivesJSON) {
  Expression e =
      ceilDivide(s0 + 3, 4) * min(s1, 8) + Expression::make(Expression::Kind::Modulo, s0, 5);
  EXPECT_EQ(Expression::fromJSON(e.toJSON()).evaluate({9, 20}), e.evaluate({9, 20}));
  EXPECT_FALSE(Expression::fromJSON(llvm::json::Array{"?", 1, 2}).known());
  EXPECT_FALSE(Expression::fromJSON("x").known());
}

//===----------------------------------------------------------------------===//
// Costs
//===----------------------------------------------------------------------===//

namespace {
struct Work {
  double flops, bytes;
};
} // namespace

/// The cost of the only function of a text, called with these extents.
static Work costOf(const std::string &text, std::vector<double> dims) {
  Context context;
  mlir::OwningOpRef<mlir::ModuleOp> module = parseProgram(text, "test", *context.context);
  EXPECT_TRUE(module);
  KernelCost cost = aft::costOf(*module->getOps<mlir::func::FuncOp>().begin());
  return {cost.flops.evaluate(dims).value_or(-1), cost.bytes.evaluate(dims).value_or(-1)};
}

TEST(KernelCost, MatmulWithBiasAndExponential) {
  Work work = costOf(R"(
func.func private @k(%a: tensor<?x8xf32>, %b: tensor<8x16xf32>, %bias: tensor<16xf32>, %y: tensor<?x16xf32>) -> tensor<?x16xf32> {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %n = tensor.dim %a, %c0 : tensor<?x8xf32>
  %e = tensor.empty(%n) : tensor<?x16xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<?x16xf32>) -> tensor<?x16xf32>
  %m = linalg.matmul ins(%a, %b : tensor<?x8xf32>, tensor<8x16xf32>) outs(%f : tensor<?x16xf32>) -> tensor<?x16xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%m, %bias : tensor<?x16xf32>, tensor<16xf32>) outs(%y : tensor<?x16xf32>) {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %s = arith.addf %p, %q : f32
    %t = math.exp %s : f32
    linalg.yield %t : f32
  } -> tensor<?x16xf32>
  return %r : tensor<?x16xf32>
})",
                     {5, 8, 8, 16, 16, 5, 16});
  EXPECT_EQ(work.flops, 2 * 5 * 8 * 16 + 2 * 5 * 16);
  EXPECT_EQ(work.bytes, 4 * (5 * 8 + 8 * 16 + 16 + 5 * 16));
}

TEST(KernelCost, ResultThatIsReadCountsTwice) {
  Work work = costOf(R"(
func.func private @k(%a: tensor<?xbf16>, %y: tensor<?xbf16>) -> tensor<?xbf16> {
  %r = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%a : tensor<?xbf16>) outs(%y : tensor<?xbf16>) {
  ^bb0(%p: bf16, %o: bf16):
    %s = arith.addf %p, %o : bf16
    linalg.yield %s : bf16
  } -> tensor<?xbf16>
  return %r : tensor<?xbf16>
})",
                     {100, 100});
  EXPECT_EQ(work.flops, 100);
  EXPECT_EQ(work.bytes, 2 * (100 + 100 + 100));
}

TEST(KernelCost, GatheredRowsAndIntegers) {
  Work work = costOf(R"(
func.func private @k(%ids: tensor<?xi64>, %table: tensor<1000x4xf32>, %y: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %r = linalg.generic {indexing_maps = [affine_map<(i, c) -> (i)>, affine_map<(i, c) -> (i, c)>], iterator_types = ["parallel", "parallel"]}
      ins(%ids : tensor<?xi64>) outs(%y : tensor<?x4xf32>) {
  ^bb0(%id: i64, %o: f32):
    %i = arith.index_cast %id : i64 to index
    %c = linalg.index 1 : index
    %v = tensor.extract %table[%i, %c] : tensor<1000x4xf32>
    linalg.yield %v : f32
  } -> tensor<?x4xf32>
  return %r : tensor<?x4xf32>
})",
                     {7, 1000, 4, 7, 4});
  EXPECT_EQ(work.flops, 0);
  EXPECT_EQ(work.bytes, 8 * 7 + 4 * 7 * 4 + 4 * 7 * 4);
}

static std::string mixer(const std::string &op, const std::string &bias) {
  return "func.func private @k(%q: tensor<?x?x8xf32>, %w: " + bias +
         ", %y: tensor<?x?x8xf32>) -> tensor<?x?x8xf32> {\n %r = " + op +
         " outs(%y) : (tensor<?x?x8xf32>, tensor<?x?x8xf32>, tensor<?x?x8xf32>, " + bias +
         ", tensor<?x?x8xf32>) -> tensor<?x?x8xf32>\n return %r : tensor<?x?x8xf32>\n}";
}

TEST(KernelCost, MixersCountTheirPairs) {
  // B = 2, T = 5, d = 8: 8 * 80 besides the pairs, each of which is worth 4 * B * d.
  double rest = 8 * 2 * 5 * 8, perPair = 4 * 2 * 8;
  Work work = costOf(mixer("aft.full %q, %q, %q, %w", "tensor<?x?xf32>"), {2, 5, 8, 5, 5, 2, 5, 8});
  EXPECT_EQ(work.flops, perPair * 25 + rest);
  EXPECT_EQ(work.bytes, 4 * (80 + 25 + 80));
  work =
      costOf(mixer("aft.full %q, %q, %q, %w causal", "tensor<?x?xf32>"), {2, 5, 8, 5, 5, 2, 5, 8});
  EXPECT_EQ(work.flops, perPair * (1 + 2 + 3 + 4 + 5) + rest);
  work = costOf(mixer("aft.local %q, %q, %q, %w window = 3 causal", "tensor<?x3xf32>"),
                {2, 5, 8, 5, 3, 2, 5, 8});
  EXPECT_EQ(work.flops, perPair * (1 + 2 + 3 + 3 + 3) + rest);
  work = costOf(mixer("aft.local %q, %q, %q, %w window = 3", "tensor<?x5xf32>"),
                {2, 5, 8, 5, 5, 2, 5, 8});
  EXPECT_EQ(work.flops, perPair * (3 + 4 + 5 + 4 + 3) + rest);
  // A window longer than the sequence sees the sequence.
  work = costOf(mixer("aft.local %q, %q, %q, %w window = 32 causal", "tensor<?x32xf32>"),
                {2, 2, 8, 2, 32, 2, 2, 8});
  EXPECT_EQ(work.flops, perPair * 3 + 8 * 2 * 2 * 8);
}

TEST(KernelCost, ConvolutionOnAGridHasDenominatorsPerHead) {
  Work work = costOf(R"(
func.func private @k(%q: tensor<2x12x8xf32>, %k: tensor<2x12x4xf32>, %f: tensor<4x3x3xf32>, %y: tensor<2x12x8xf32>) -> tensor<2x12x8xf32> {
  %r = aft.conv %q, %k, %q, %f grid = [3, 4] outs(%y) : (tensor<2x12x8xf32>, tensor<2x12x4xf32>, tensor<2x12x8xf32>, tensor<4x3x3xf32>, tensor<2x12x8xf32>) -> tensor<2x12x8xf32>
  return %r : tensor<2x12x8xf32>
})",
                     {});
  // Along 3: 2 + 3 + 2 pairs; along 4: 3 + 4 + 3.
  EXPECT_EQ(work.flops, 2 * 2 * (7 * 10) * (8 + 4) + 8 * 2 * 12 * 8);
  EXPECT_EQ(work.bytes, 4 * (2 * 12 * 8 + 2 * 12 * 4 + 4 * 9 + 2 * 12 * 8));
}

//===----------------------------------------------------------------------===//
// Reports of whole programs
//===----------------------------------------------------------------------===//

/// Runs the phases up to kernels and gives their report.
static llvm::json::Object reportOf(const std::string &text) {
  Context context;
  Messages messages(*context.context);
  mlir::OwningOpRef<mlir::ModuleOp> module = parseProgram(text, "test.mlir", *context.context);
  CompileReport report;
  PipelineOptions options;
  options.report = &report;
  bool good = module && mlir::succeeded(runPhases(*module, Phase::Kernels, options));
  EXPECT_TRUE(good) << messages.status(good).message;
  return report.toJSON();
}

static const char kLayers[] = R"(
func.func @main(%x: tensor<?x?x64xf32> {aft.name = "x"}, %g: tensor<64xf32>, %b: tensor<64xf32>, %band: tensor<?x8xf32>) -> tensor<?x?x64xf32> {
  %n = aft.layer_norm %x, %g, %b : (tensor<?x?x64xf32>, tensor<64xf32>, tensor<64xf32>) -> tensor<?x?x64xf32> loc("norm")
  %y = aft.local %n, %n, %n, %band window = 8 causal : (tensor<?x?x64xf32>, tensor<?x?x64xf32>, tensor<?x?x64xf32>, tensor<?x8xf32>) -> tensor<?x?x64xf32> loc("mixer")
  %z = arith.addf %x, %y : tensor<?x?x64xf32> loc("residual")
  return %z : tensor<?x?x64xf32>
})";

static const llvm::json::Object &item(const llvm::json::Object &object, const char *list,
                                      size_t index) {
  return *(*object.getArray(list))[index].getAsObject();
}

TEST(CompileReport, LaunchesHavePlacesAndCostsOverTheEntrysExtents) {
  llvm::json::Object report = reportOf(kLayers);
  const llvm::json::Object &entry = item(report, "entries", 0);
  EXPECT_EQ(*entry.getString("name"), "main");
  EXPECT_EQ((*entry.getArray("extents"))[1], llvm::json::Value("x[1]"));
  EXPECT_EQ((*entry.getArray("static"))[2], llvm::json::Value(64));
  ASSERT_EQ(entry.getArray("launches")->size(), 3u);
  const llvm::json::Object &mixer = item(entry, "launches", 1);
  EXPECT_EQ((*mixer.getArray("places"))[0], llvm::json::Value("mixer"));
  std::vector<double> extents = {2, 16, 64, 64, 64, 16, 8};
  double pairs = 8 * 16 - 8 * 7 / 2;
  EXPECT_EQ(Expression::fromJSON(*mixer.get("flops")).evaluate(extents),
            4 * 2 * 64 * pairs + 8 * 2 * 16 * 64);
  EXPECT_EQ(Expression::fromJSON(*mixer.get("bytes")).evaluate(extents),
            4 * (2 * 16 * 64 + 16 * 8 + 2 * 16 * 64));
}

TEST(CompileReport, BuffersLieInTheArenaWhileTheyLive) {
  llvm::json::Object report = reportOf(kLayers);
  const llvm::json::Object &entry = item(report, "entries", 0);
  ASSERT_EQ(entry.getArray("buffers")->size(), 2u);
  std::vector<double> extents = {2, 16, 64, 64, 64, 16, 8};
  const llvm::json::Object &norm = item(entry, "buffers", 0), &mixed = item(entry, "buffers", 1);
  EXPECT_EQ(*norm.getInteger("first"), 0);
  EXPECT_EQ(*norm.getInteger("last"), 1);
  EXPECT_EQ(*mixed.getInteger("first"), 1);
  EXPECT_EQ(*mixed.getInteger("last"), 2);
  EXPECT_EQ(*mixed.getString("kernel"), "kernel_1_local");
  EXPECT_EQ(Expression::fromJSON(*entry.get("arena")).evaluate(extents), 2 * 4 * 2 * 16 * 64);
  EXPECT_EQ(Expression::fromJSON(*mixed.get("bytes")).evaluate(extents), 4 * 2 * 16 * 64);
  // Three rows are planned as four.
  extents[0] = 1;
  extents[1] = 3;
  EXPECT_EQ(Expression::fromJSON(*entry.get("arena")).evaluate(extents), 2 * 4 * 4 * 64);
}

/// The remark of this reason (empty: fused) by a pass, or null.
static const llvm::json::Object *findRemark(const llvm::json::Object &report, const char *pass,
                                            llvm::StringRef reason) {
  for (const llvm::json::Value &value : *report.getArray("remarks")) {
    const llvm::json::Object &remark = *value.getAsObject();
    if (*remark.getString("pass") == pass && *remark.getString("reason") == reason)
      return &remark;
  }
  return nullptr;
}

TEST(CompileReport, SaysWhatWasFusedAndWhyNot) {
  llvm::json::Object report = reportOf(kLayers);
  // The parts of the norm form one kernel.
  const llvm::json::Object *fused = findRemark(report, "aft-form-kernels", "");
  ASSERT_TRUE(fused);
  EXPECT_TRUE(*fused->getBoolean("fused"));
  EXPECT_EQ((*fused->getArray("places"))[0], llvm::json::Value("norm"));
  const llvm::json::Object *own =
      findRemark(report, "aft-form-kernels", "an aft operation is a kernel of its own");
  ASSERT_TRUE(own);
  EXPECT_EQ(*own->getString("producer"), "local");
  EXPECT_FALSE(*own->getBoolean("fused"));
  EXPECT_TRUE(findRemark(report, "aft-form-kernels",
                         "its user is an aft operation, which is a kernel of its own"));
}

TEST(CompileReport, NamesUsersOutsideTheKernel) {
  llvm::json::Object report = reportOf(R"(
func.func @main(%a: tensor<?x32xf32>, %b: tensor<32x32xf32>) -> (tensor<?x32xf32>, tensor<?x32xf32>) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %n = tensor.dim %a, %c0 : tensor<?x32xf32>
  %e = tensor.empty(%n) : tensor<?x32xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<?x32xf32>) -> tensor<?x32xf32>
  %m = linalg.matmul ins(%a, %b : tensor<?x32xf32>, tensor<32x32xf32>) outs(%f : tensor<?x32xf32>) -> tensor<?x32xf32>
  %t = math.tanh %m : tensor<?x32xf32>
  return %m, %t : tensor<?x32xf32>, tensor<?x32xf32>
})");
  const llvm::json::Object *remark =
      findRemark(report, "aft-form-kernels", "has another user outside the kernel");
  ASSERT_TRUE(remark);
  EXPECT_EQ(*remark->getString("producer"), "matmul");
  EXPECT_EQ(*remark->getString("consumer"), "tanh");
}

TEST(CompileReport, MergedOperationsKeepBothPlaces) {
  llvm::json::Object report = reportOf(R"(
func.func @main(%a: tensor<?x32xf32>) -> tensor<?x32xf32> {
  %s = math.tanh %a : tensor<?x32xf32> loc("first")
  %t = math.exp %s : tensor<?x32xf32> loc("second")
  return %t : tensor<?x32xf32>
})");
  const llvm::json::Object *remark = findRemark(report, "aft-fuse-elementwise", "");
  ASSERT_TRUE(remark);
  EXPECT_EQ(*remark->getString("producer"), "tanh");
  EXPECT_EQ(*remark->getString("consumer"), "exp");
  EXPECT_EQ((*remark->getArray("places"))[0], llvm::json::Value("first -> second"));
  const llvm::json::Object &launch = item(item(report, "entries", 0), "launches", 0);
  EXPECT_EQ(*launch.getArray("places"), llvm::json::Array({"second", "first"}));
}

TEST(CompileReport, SaysWhyElementwiseOperationsWereNotMerged) {
  // tanh is read twice, and computing it twice costs more than reading it.
  llvm::json::Object report = reportOf(R"(
func.func @main(%a: tensor<?x32xf32>) -> (tensor<?x32xf32>, tensor<?x32xf32>) {
  %s = math.tanh %a : tensor<?x32xf32>
  %t = math.exp %s : tensor<?x32xf32>
  %u = math.sin %s : tensor<?x32xf32>
  return %t, %u : tensor<?x32xf32>, tensor<?x32xf32>
})");
  const llvm::json::Object *remark =
      findRemark(report, "aft-fuse-elementwise",
                 "has several users, and computing it again costs more than reading it");
  ASSERT_TRUE(remark);
  EXPECT_EQ(*remark->getString("producer"), "tanh");
  EXPECT_FALSE(findRemark(report, "aft-fuse-elementwise", ""));
}

TEST(CompileReport, TimesPhasesAndPasses) {
  llvm::json::Object report = reportOf(kLayers);
  ASSERT_EQ(report.getArray("phases")->size(), 2u);
  const llvm::json::Object &kernels = item(report, "phases", 1);
  EXPECT_EQ(*kernels.getString("name"), "kernels");
  double passes = 0;
  bool found = false;
  for (const llvm::json::Value &pass : *kernels.getArray("passes")) {
    found |= *pass.getAsObject()->getString("name") == "aft-form-kernels";
    passes += *pass.getAsObject()->getNumber("ms");
  }
  EXPECT_TRUE(found);
  EXPECT_GT(passes, 0);
}

//===----------------------------------------------------------------------===//
// The page
//===----------------------------------------------------------------------===//

TEST(Page, EscapesWhatCouldEndTheScript) {
  std::string page =
      renderPage(llvm::json::Object{{"program", "</script><img src=x onerror=alert(1)>@STYLE@"}});
  EXPECT_EQ(page.find("<img"), std::string::npos);
  EXPECT_NE(page.find("\\u003c/script>\\u003cimg src=x onerror=alert(1)>@STYLE@"),
            std::string::npos);
}

TEST(Page, PrintsOneLinePerItem) {
  EXPECT_EQ(printReport(
                llvm::json::Object{{"b", llvm::json::Array{1, llvm::json::Array{2}}}, {"a", "x"}}),
            "{\n \"a\": \"x\",\n \"b\": [\n  1,\n  [2]\n ]\n}\n");
}
