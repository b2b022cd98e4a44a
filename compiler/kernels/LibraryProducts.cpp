//===- LibraryProducts.cpp - Kernels as products of a library -------------===//

#include "compiler/kernels/Generic.h"
#include "compiler/kernels/Interface.h"
#include "compiler/kernels/Passes.h"
#include "compiler/kernels/ProductForm.h"
#include "compiler/kernels/decompose/Decompose.h"

using namespace mlir;

namespace aft {
#define GEN_PASS_DEF_ROUNDPRODUCTS
#define GEN_PASS_DEF_MARKPRODUCTS
#include "compiler/kernels/Passes.h.inc"
} // namespace aft

using namespace aft;

/// The type to which all that read a product round it before anything else; null where one
/// does not.
static Type roundedType(Value product) {
  Type type;
  for (OpOperand &use : product.getUses()) {
    auto reader = dyn_cast<linalg::GenericOp>(use.getOwner());
    if (!reader || !reader.isDpsInput(&use))
      return nullptr;
    for (Operation *user : reader.getMatchingBlockArgument(&use).getUsers()) {
      if (!isa<arith::TruncFOp>(user) || (type && type != user->getResult(0).getType()))
        return nullptr;
      type = user->getResult(0).getType();
    }
  }
  return type;
}

/// Whether a library does by itself what comes after the product.
static bool hasEpilogue(Value product) {
  if (!product.hasOneUse())
    return false;
  auto reader = dyn_cast<linalg::GenericOp>(*product.user_begin());
  return reader && matchEpilogue(reader, product);
}

/// Makes the readers of a product read `rounded`.
static void readRounded(Value product, Value rounded, Operation *rounding) {
  Type type = elementOf(rounded);
  for (OpOperand &use : llvm::make_early_inc_range(product.getUses())) {
    if (use.getOwner() == rounding)
      continue;
    auto reader = cast<linalg::GenericOp>(use.getOwner());
    BlockArgument argument = reader.getMatchingBlockArgument(&use);
    for (Operation *user : llvm::make_early_inc_range(argument.getUsers())) {
      user->getResult(0).replaceAllUsesWith(argument);
      user->erase();
    }
    argument.setType(type);
    use.set(rounded);
  }
}

static void round(linalg::LinalgOp product, Type type) {
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
  Value rounded = g.parallel({g.leading(result, loops)}, {g.leading(g.empty(sizes, type), loops)},
                             [&](ImplicitLocOpBuilder &b, ValueRange args) {
                               return SmallVector<Value>{toFloat(b, args[0], type)};
                             })[0];
  readRounded(result, rounded, rounded.getDefiningOp());
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
      if (Type type = roundedType(product->getResult(0));
          type && !hasEpilogue(product->getResult(0)))
        round(product, type);
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
