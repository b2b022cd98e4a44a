//===- LibraryProducts.cpp - Kernels as products of a library -------------===//

#include "compiler/kernels/Generic.h"
#include "compiler/kernels/Interface.h"
#include "compiler/kernels/Passes.h"
#include "compiler/kernels/ProductForm.h"
#include "compiler/kernels/decompose/Decompose.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;

namespace aft {
#define GEN_PASS_DEF_ROUNDPRODUCTS
#define GEN_PASS_DEF_MARKPRODUCTS
#include "compiler/kernels/Passes.h.inc"
} // namespace aft

using namespace aft;

namespace {
/// What a reader of a product does with it first: it adds a bias, rounds the sum, or both.
struct Beginning {
  Value bias; ///< null: none is added
  Type type;  ///< of the sum
  bool operator==(const Beginning &) const = default;
};
} // namespace

/// The sum with a bias that a reader makes of a product, and the bias; null where it makes
/// something else.
static std::pair<arith::AddFOp, Value> sumWithBias(OpOperand &use) {
  auto reader = cast<linalg::GenericOp>(use.getOwner());
  BlockArgument product = reader.getMatchingBlockArgument(&use);
  auto sum = product.hasOneUse() ? dyn_cast<arith::AddFOp>(*product.user_begin()) : nullptr;
  if (!sum)
    return {};
  Value other = sum.getLhs() == product ? sum.getRhs() : sum.getLhs();
  if (auto wide = other.getDefiningOp<arith::ExtFOp>())
    other = wide.getIn();
  auto term = dyn_cast<BlockArgument>(other);
  if (!term || term.getOwner() != reader.getBody())
    return {};
  OpOperand &bias = *reader.getMatchingOpOperand(term);
  AffineMap map = reader.getMatchingIndexingMap(&bias);
  AffineExpr column = reader.getMatchingIndexingMap(&use).getResults().back();
  bool isRow = reader.isDpsInput(&bias) && map.getNumResults() == 1 && map.getResult(0) == column;
  return isRow ? std::pair(sum, bias.get()) : std::pair(arith::AddFOp(), Value());
}

/// Nothing where it does neither, or what no library does.
static std::optional<Beginning> beginningOf(OpOperand &use) {
  auto reader = dyn_cast<linalg::GenericOp>(use.getOwner());
  if (!reader || !reader.isDpsInput(&use))
    return std::nullopt;
  auto [sum, bias] = sumWithBias(use);
  Value value = sum ? sum.getResult() : Value(reader.getMatchingBlockArgument(&use));
  if (value.use_empty())
    return std::nullopt;
  auto rounding = dyn_cast<arith::TruncFOp>(*value.user_begin());
  Type type = rounding ? rounding.getType() : value.getType();
  bool rounded = rounding && llvm::all_of(value.getUsers(), [&](Operation *user) {
                   return isa<arith::TruncFOp>(user) && user->getResult(0).getType() == type;
                 });
  if (!rounded)
    type = value.getType();
  if (bias ? elementOf(bias) != type : !rounded)
    return std::nullopt;
  return Beginning{bias, type};
}

/// What all that read a product begin with.
static std::optional<Beginning> commonBeginning(Value product) {
  std::optional<Beginning> common;
  for (OpOperand &use : product.getUses()) {
    std::optional<Beginning> found = beginningOf(use);
    if (!found || (common && *common != *found))
      return std::nullopt;
    common = found;
  }
  // The bias must be there before the product.
  Operation *bias = common && common->bias ? common->bias.getDefiningOp() : nullptr;
  if (bias && (bias->getBlock() != product.getDefiningOp()->getBlock() ||
               !bias->isBeforeInBlock(product.getDefiningOp())))
    return std::nullopt;
  return common;
}

/// Whether a library does by itself what comes after the product.
static bool hasEpilogue(Value product) {
  if (!product.hasOneUse())
    return false;
  auto reader = dyn_cast<linalg::GenericOp>(*product.user_begin());
  return reader && matchEpilogue(reader, product);
}

/// Makes the readers of a product read what they begin with.
static void readBegun(Value product, Value begun, const Beginning &beginning) {
  for (OpOperand &use : llvm::make_early_inc_range(product.getUses())) {
    if (use.getOwner() == begun.getDefiningOp())
      continue;
    BlockArgument argument = cast<linalg::GenericOp>(use.getOwner()).getMatchingBlockArgument(&use);
    arith::AddFOp sum = beginning.bias ? sumWithBias(use).first : nullptr;
    Value value = sum ? sum.getResult() : Value(argument);
    bool rounds = value.getType() != beginning.type;
    argument.setType(beginning.type);
    use.set(begun);
    if (!rounds)
      value.replaceAllUsesWith(argument);
    else
      for (Operation *user : llvm::make_early_inc_range(value.getUsers()))
        if (user != sum) {
          user->getResult(0).replaceAllUsesWith(argument);
          user->erase();
        }
    if (sum)
      sum.erase();
  }
}

static void begin(linalg::LinalgOp product, const Beginning &beginning) {
  OpBuilder builder(product->getContext());
  builder.setInsertionPointAfter(product);
  Value result = product->getResult(0);
  unsigned loops = rankOf(result);
  Generic g(builder, product.getLoc());
  SmallVector<OpFoldResult> sizes = product.getDpsInits()[0]
                                        .getDefiningOp<linalg::FillOp>()
                                        .getDpsInits()[0]
                                        .getDefiningOp<tensor::EmptyOp>()
                                        .getMixedSizes();
  SmallVector<Generic::Operand> operands{g.leading(result, loops)};
  if (beginning.bias)
    operands.push_back(g.at(beginning.bias, loops, {loops - 1}));
  Generic::Operand made = g.leading(g.empty(sizes, beginning.type), loops);
  Value begun = g.parallel(operands, {made}, [&](ImplicitLocOpBuilder &b, ValueRange args) {
    Value sum = args[0];
    if (beginning.bias)
      sum = b.create<arith::AddFOp>(sum, toFloat(b, args[1], sum.getType()));
    return SmallVector<Value>{toFloat(b, sum, beginning.type)};
  })[0];
  readBegun(result, begun, beginning);
}

namespace {

struct RoundProducts : aft::impl::RoundProductsBase<RoundProducts> {
  void runOnOperation() override {
    SmallVector<linalg::LinalgOp> products;
    getOperation().walk([&](linalg::LinalgOp op) {
      auto fill = isMatmul(op) ? op.getDpsInits()[0].getDefiningOp<linalg::FillOp>() : nullptr;
      if (fill && fill.getDpsInits()[0].getDefiningOp<tensor::EmptyOp>())
        products.push_back(op);
    });
    for (linalg::LinalgOp product : products)
      if (std::optional<Beginning> beginning = commonBeginning(product->getResult(0));
          beginning && !hasEpilogue(product->getResult(0)))
        begin(product, *beginning);
    // Readers that do nothing else, and operands that are read no longer.
    RewritePatternSet patterns(&getContext());
    linalg::GenericOp::getCanonicalizationPatterns(patterns, &getContext());
    linalg::populateEraseUnusedOperandsAndResultsPatterns(patterns);
    if (failed(applyPatternsAndFoldGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

struct MarkProducts : aft::impl::MarkProductsBase<MarkProducts> {
  using Base::Base;
  void runOnOperation() override {
    for (auto kernel : getOperation().getOps<func::FuncOp>()) {
      if (!kernel->hasAttr(kernelAttrName))
        continue;
      if (std::optional<ProductForm> form = matchProduct(kernel)) {
        form->tf32 = tf32 && form->type.isF32();
        kernel->setAttr(productAttrName, attributeOf(*form, &getContext()));
      } else if (std::optional<ColumnSumsForm> sums = matchColumnSums(kernel)) {
        kernel->setAttr(columnSumsAttrName, attributeOf(*sums, &getContext()));
      }
    }
  }
};

} // namespace
