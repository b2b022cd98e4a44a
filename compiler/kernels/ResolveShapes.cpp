//===- ResolveShapes.cpp - Extents from arguments, destinations, checks ---===//
// Afterwards every tensor.dim reads an argument, extents that must be equal are
// one value, every operation has destinations, and what the types do not prove
// stands in cf.assert.

#include "compiler/kernels/Passes.h"
#include "compiler/kernels/Shapes.h"
#include "dialect/ir/AFT.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"

using namespace mlir;

namespace aft {
#define GEN_PASS_DEF_RESOLVESHAPES
#include "compiler/kernels/Passes.h.inc"
} // namespace aft

using namespace aft;

namespace {

struct ResolveShapes : aft::impl::ResolveShapesBase<ResolveShapes> {
  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (function.isExternal())
      return;
    if (!function.getBody().hasOneBlock()) {
      function.emitOpError("not supported yet: control flow between blocks");
      return signalPassFailure();
    }
    ShapeAnalysis shapes(function);
    if (failed(shapes.run()))
      return signalPassFailure();
    replaceDims(function, shapes);
    for (Operation &op :
         llvm::make_early_inc_range(function.front().without_terminator())) {
      if (isKernelOp(&op))
        addDestinations(&op, shapes);
      if (auto generic = dyn_cast<linalg::GenericOp>(op))
        dropUnreadDestinations(generic, shapes);
    }
    mergeClasses(function, shapes);
    addAsserts(function, shapes);
  }

  /// tensor.dim inside the bodies of operations.
  static void replaceDims(func::FuncOp function, ShapeAnalysis &shapes) {
    SmallVector<tensor::DimOp> dims;
    function.walk([&](tensor::DimOp dim) {
      if (dim->getBlock() != &function.front() &&
          !isa<BlockArgument>(dim.getSource()) && dim.getConstantIndex())
        dims.push_back(dim);
    });
    for (tensor::DimOp dim : dims) {
      OpBuilder builder(dim);
      OpFoldResult extent =
          shapes.shape(dim.getSource())[*dim.getConstantIndex()];
      dim.replaceAllUsesWith(
          getValueOrCreateConstantIndexOp(builder, dim.getLoc(), extent));
      dim.erase();
    }
  }

  static Value emptyLike(OpBuilder &builder, Value value,
                         ShapeAnalysis &shapes) {
    auto type = cast<RankedTensorType>(value.getType());
    SmallVector<Value> dynamic;
    for (auto [dim, extent] : llvm::enumerate(shapes.shape(value)))
      if (type.isDynamicDim(dim))
        dynamic.push_back(
            getValueOrCreateConstantIndexOp(builder, value.getLoc(), extent));
    return builder.create<tensor::EmptyOp>(value.getLoc(), type, dynamic);
  }

  /// Value form to destination form: the destinations are the last group of
  /// operands.
  static void addDestinations(Operation *op, ShapeAnalysis &shapes) {
    FailureOr<DimensionLetters> letters = dimensionLetters(op);
    if (op->getNumOperands() != letters->operands.size())
      return;
    OpBuilder builder(op);
    SmallVector<Value> inits;
    for (Value result : op->getResults())
      inits.push_back(emptyLike(builder, result, shapes));
    unsigned before = op->getNumOperands();
    op->insertOperands(before, inits);
    // Operations with optional operands count their groups.
    StringRef segments = "operandSegmentSizes";
    if (auto sizes = op->getAttrOfType<DenseI32ArrayAttr>(segments)) {
      SmallVector<int32_t> counts(sizes.asArrayRef());
      counts.back() = inits.size();
      op->setAttr(segments, builder.getDenseI32ArrayAttr(counts));
    }
  }

  /// A destination whose contents do not matter should not keep a tensor
  /// alive.
  static void dropUnreadDestinations(linalg::GenericOp op,
                                     ShapeAnalysis &shapes) {
    if (op.getNumReductionLoops() != 0)
      return;
    for (OpOperand &init : op.getDpsInitsMutable()) {
      if (op.payloadUsesValueFromOperand(&init) ||
          init.get().getDefiningOp<tensor::EmptyOp>())
        continue;
      OpBuilder builder(op);
      init.set(emptyLike(builder, init.get(), shapes));
    }
  }

  /// Uses one value per class, except where a check compares two of them.
  static void mergeClasses(func::FuncOp function, ShapeAnalysis &shapes) {
    auto builder = OpBuilder::atBlockBegin(&function.front());
    for (Value value : shapes.merged()) {
      Value replacement = getValueOrCreateConstantIndexOp(
          builder, value.getLoc(), shapes.representative(value));
      value.replaceUsesWithIf(replacement, [](OpOperand &use) {
        auto compare = dyn_cast<arith::CmpIOp>(use.getOwner());
        return !compare || !llvm::any_of(compare->getUsers(), [](auto *user) {
          return isa<cf::AssertOp>(user);
        });
      });
    }
  }

  static void addAsserts(func::FuncOp function, ShapeAnalysis &shapes) {
    OpBuilder builder(function.front().getTerminator());
    for (const ShapeCheckpoint &check : shapes.checkpoints()) {
      Location loc = check.op->getLoc();
      std::string message = shapes.describe(check.left) +
                            (check.equal ? " must equal "
                                         : " must not be larger than ") +
                            shapes.describe(check.right) + " (required by " +
                            check.op->getName().getStringRef().str() + ")";
      Value left = getValueOrCreateConstantIndexOp(builder, loc, check.left);
      Value right = getValueOrCreateConstantIndexOp(builder, loc, check.right);
      Value holds = builder.create<arith::CmpIOp>(
          loc,
          check.equal ? arith::CmpIPredicate::eq : arith::CmpIPredicate::sle,
          left, right);
      builder.create<cf::AssertOp>(loc, holds, message);
    }
  }
};

} // namespace
