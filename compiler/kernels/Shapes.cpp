//===- Shapes.cpp - Extents of tensors as values of the host function -----===//

#include "compiler/kernels/Shapes.h"
#include "dialect/ir/AFT.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace aft;

ShapeAnalysis::ShapeAnalysis(func::FuncOp function) : function(function) {
  auto builder = OpBuilder::atBlockBegin(&function.front());
  for (BlockArgument argument : function.getArguments()) {
    auto type = dyn_cast<RankedTensorType>(argument.getType());
    if (!type)
      continue;
    Extents extents;
    for (auto [dim, extent] : llvm::enumerate(type.getShape())) {
      if (!ShapedType::isDynamic(extent)) {
        extents.push_back(builder.getIndexAttr(extent));
        continue;
      }
      Value value =
          builder.create<tensor::DimOp>(argument.getLoc(), argument, dim);
      extents.push_back(value);
    }
    shapes[argument] = std::move(extents);
  }
}

Extents ShapeAnalysis::shape(Value tensor) {
  auto it = shapes.find(tensor);
  if (it == shapes.end()) {
    // Defined by no operation that was visited: only static types remain.
    Builder builder(function.getContext());
    return getAsIndexOpFoldResult(
        function.getContext(),
        cast<RankedTensorType>(tensor.getType()).getShape());
  }
  return llvm::map_to_vector(
      it->second, [&](OpFoldResult extent) { return representative(extent); });
}

LogicalResult ShapeAnalysis::define(Value result, Extents extents,
                                    Operation *op) {
  auto type = cast<RankedTensorType>(result.getType());
  Builder builder(op->getContext());
  for (auto [dim, extent] : llvm::enumerate(type.getShape())) {
    if (ShapedType::isDynamic(extent)) {
      if (!extents[dim])
        return op->emitOpError() << "not supported yet: dimension " << dim
                                 << " of result "
                                 << cast<OpResult>(result).getResultNumber()
                                 << " does not follow from the operands";
      continue;
    }
    OpFoldResult fixed = builder.getIndexAttr(extent);
    if (extents[dim] && failed(require(extents[dim], fixed, op)))
      return failure();
    extents[dim] = fixed;
  }
  shapes[result] = std::move(extents);
  return success();
}

OpFoldResult ShapeAnalysis::product(ArrayRef<OpFoldResult> factors,
                                    Operation *at) {
  int64_t constant = 1;
  SmallVector<Value> values;
  for (OpFoldResult factor : factors) {
    OpFoldResult known = representative(factor);
    if (auto value = dyn_cast<Value>(known))
      values.push_back(value);
    else
      constant *= *getConstantIntValue(known);
  }
  OpBuilder builder(at);
  if (values.empty())
    return builder.getIndexAttr(constant);
  if (constant != 1)
    values.push_back(
        builder.create<arith::ConstantIndexOp>(at->getLoc(), constant));
  if (values.size() == 1)
    return values.front();
  if (Value known = knownProduct(values))
    return known;
  Value result = values.front();
  for (Value value : ArrayRef(values).drop_front())
    result = builder.create<arith::MulIOp>(at->getLoc(), result, value);
  products.push_back({values, result});
  return result;
}

Value ShapeAnalysis::knownProduct(ArrayRef<Value> factors) {
  auto same = [](auto pair) {
    auto [l, r] = pair;
    std::optional<int64_t> constant = getConstantIntValue(l);
    return l == r || (constant && constant == getConstantIntValue(r));
  };
  for (const auto &[key, result] : products)
    if (key.size() == factors.size() &&
        llvm::all_of(llvm::zip_equal(key, factors), same))
      return result;
  return Value();
}

static void collectFactors(Value value, SmallVectorImpl<Value> &factors) {
  if (auto product = value.getDefiningOp<arith::MulIOp>()) {
    collectFactors(product.getLhs(), factors);
    collectFactors(product.getRhs(), factors);
  } else {
    factors.push_back(value);
  }
}

void ShapeAnalysis::visitProduct(arith::MulIOp op) {
  SmallVector<Value> atoms, factors, constants;
  collectFactors(op, atoms);
  for (Value atom : atoms) {
    OpFoldResult known = representative(atom);
    auto value = dyn_cast<Value>(known);
    (value ? factors : constants).push_back(value ? value : atom);
  }
  // Several constants would have been folded.
  factors.append(constants);
  if (Value known = knownProduct(factors))
    unite(known, op.getResult());
  else
    products.push_back({factors, op});
}

LogicalResult ShapeAnalysis::visitLinalg(linalg::LinalgOp op) {
  SmallVector<OpFoldResult> loops(op.getNumLoops());
  for (OpOperand &operand : op->getOpOperands()) {
    if (!isa<RankedTensorType>(operand.get().getType()))
      continue;
    Extents extents = shape(operand.get());
    AffineMap map = op.getMatchingIndexingMap(&operand);
    for (auto [expr, extent] : llvm::zip_equal(map.getResults(), extents)) {
      auto dim = dyn_cast<AffineDimExpr>(expr);
      if (!dim)
        continue;
      OpFoldResult &loop = loops[dim.getPosition()];
      if (!loop)
        loop = extent;
      else if (failed(require(loop, extent, op)))
        return failure();
    }
  }
  for (auto [result, init] :
       llvm::zip_equal(op->getResults(), op.getDpsInits()))
    if (failed(define(result, shape(init), op)))
      return failure();
  return success();
}

LogicalResult ShapeAnalysis::visitLetters(Operation *op,
                                          const DimensionLetters &letters) {
  llvm::SmallDenseMap<char, OpFoldResult> bound;
  for (auto [operand, dims] :
       llvm::zip(op->getOperands(), letters.operands))
    for (auto [letter, extent] : llvm::zip_equal(dims, shape(operand))) {
      auto [it, isNew] = bound.try_emplace(letter, extent);
      if (!isNew && failed(require(it->second, extent, op)))
        return failure();
    }
  bool causal = op->hasAttr("causal");
  if (isa<FullOp, FullGradOp>(op) && causal)
    requireAtMost(bound['T'], bound['S'], op);
  if (auto grid = op->getAttrOfType<DenseI64ArrayAttr>("grid")) {
    int64_t positions = 1;
    for (int64_t extent : grid.asArrayRef())
      positions *= extent;
    if (failed(require(bound['T'], Builder(op).getIndexAttr(positions), op)))
      return failure();
  }
  // Extents that the operands leave open are those of a destination.
  auto destinations = op->getOperands().drop_front(letters.operands.size());
  for (auto [result, dims] : llvm::zip_equal(op->getResults(), letters.results)) {
    Extents extents, given;
    if (!destinations.empty())
      given = shape(destinations[result.getResultNumber()]);
    auto type = cast<RankedTensorType>(result.getType());
    for (auto [dim, letter] : llvm::enumerate(dims)) {
      OpFoldResult extent = bound.lookup(letter);
      if (!extent && !type.isDynamicDim(dim))
        bound[letter] = Builder(op).getIndexAttr(type.getDimSize(dim));
      if (!extent && type.isDynamicDim(dim) && !given.empty())
        extent = bound[letter] = given[dim];
      extents.push_back(extent);
    }
    if (failed(define(result, std::move(extents), op)))
      return failure();
  }
  if (isa<BandOp, BandGradOp>(op) && bound.contains('t'))
    requireAtMost(bound['t'], bound['T'], op);
  return success();
}

LogicalResult ShapeAnalysis::visitReshape(Operation *op) {
  Extents extents;
  if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op)) {
    Extents source = shape(collapse.getSrc());
    for (const ReassociationIndices &group :
         collapse.getReassociationIndices()) {
      Extents factors;
      for (int64_t dim : group)
        factors.push_back(source[dim]);
      extents.push_back(product(factors, op));
    }
    // To a scalar: there are no groups.
    for (OpFoldResult extent : source)
      if (extents.empty() && failed(require(extent, Builder(op).getIndexAttr(1), op)))
        return failure();
    return define(collapse.getResult(), std::move(extents), op);
  }
  auto expand = cast<tensor::ExpandShapeOp>(op);
  OpBuilder builder(op);
  extents = getMixedValues(expand.getStaticOutputShape(),
                           expand.getOutputShape(), builder);
  Extents source = shape(expand.getSrc());
  for (OpFoldResult extent : extents)
    requireNotNegative(extent, op);
  for (auto [dim, group] : llvm::enumerate(expand.getReassociationIndices())) {
    Extents factors;
    for (int64_t part : group)
      factors.push_back(extents[part]);
    if (failed(require(source[dim], product(factors, op), op)))
      return failure();
  }
  return define(expand.getResult(), std::move(extents), op);
}

LogicalResult ShapeAnalysis::visitSpecial(Operation *op) {
  if (auto empty = dyn_cast<tensor::EmptyOp>(op)) {
    for (OpFoldResult size : empty.getMixedSizes())
      requireNotNegative(size, op);
    return define(empty.getResult(), empty.getMixedSizes(), op);
  }
  if (auto cast = dyn_cast<tensor::CastOp>(op)) {
    if (!isa<RankedTensorType>(cast.getType()) ||
        !isa<RankedTensorType>(cast.getSource().getType()))
      return op->emitOpError("not supported yet: unranked tensors");
    return define(cast.getResult(), shape(cast.getSource()), op);
  }
  if (isa<tensor::CollapseShapeOp, tensor::ExpandShapeOp>(op))
    return visitReshape(op);
  if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op))
    return visitSlice(slice);
  if (isa<tensor::PadOp, tensor::ConcatOp>(op))
    return visitJoin(op);
  if (auto insert = dyn_cast<tensor::InsertSliceOp>(op))
    return visitInsert(insert);
  if (auto softmax = dyn_cast<linalg::SoftmaxOp>(op))
    return define(op->getResult(0), shape(softmax.getInput()), op);
  // Operations that list the dynamic extents of their result.
  ValueRange sizes;
  if (auto generate = dyn_cast<tensor::GenerateOp>(op))
    sizes = generate.getDynamicExtents();
  else if (auto splat = dyn_cast<tensor::SplatOp>(op))
    sizes = splat.getDynamicSizes();
  else
    return op->emitOpError("not supported yet: this operation in a program "
                           "with dynamic extents");
  for (Value size : sizes)
    requireNotNegative(size, op);
  OpBuilder builder(op);
  auto type = cast<RankedTensorType>(op->getResult(0).getType());
  return define(op->getResult(0),
                getMixedValues(type.getShape(), sizes, builder), op);
}

LogicalResult ShapeAnalysis::visitSlice(tensor::ExtractSliceOp slice) {
  Extents extents;
  llvm::SmallBitVector dropped = slice.getDroppedDims();
  for (auto [dim, size] : llvm::enumerate(slice.getMixedSizes()))
    if (!dropped[dim])
      extents.push_back(size);
  requireWithin(slice, shape(slice.getSource()));
  return define(slice.getResult(), std::move(extents), slice);
}

LogicalResult ShapeAnalysis::visitInsert(tensor::InsertSliceOp insert) {
  Extents part = shape(insert.getSource()), whole = shape(insert.getDest());
  llvm::SmallBitVector dropped = insert.getDroppedDims();
  auto next = part.begin();
  for (auto [dim, size] : llvm::enumerate(insert.getMixedSizes()))
    if (!dropped[dim] && failed(require(size, *next++, insert)))
      return failure();
  requireWithin(insert, whole);
  return define(insert.getResult(), std::move(whole), insert);
}

/// pad and concat: extents that are sums.
LogicalResult ShapeAnalysis::visitJoin(Operation *op) {
  OpBuilder builder(op);
  auto sum = [&](ArrayRef<OpFoldResult> terms) -> OpFoldResult {
    Value total;
    for (OpFoldResult term : terms) {
      if (isConstantIntValue(term, 0))
        continue;
      Value value = getValueOrCreateConstantIndexOp(builder, op->getLoc(),
                                                    representative(term));
      total = total ? builder.createOrFold<arith::AddIOp>(op->getLoc(), total,
                                                          value)
                    : value;
    }
    return total ? OpFoldResult(total) : builder.getIndexAttr(0);
  };
  if (auto pad = dyn_cast<tensor::PadOp>(op)) {
    Extents extents = shape(pad.getSource());
    for (auto amounts : {pad.getMixedLowPad(), pad.getMixedHighPad()})
      for (OpFoldResult amount : amounts)
        requireNotNegative(amount, op);
    for (auto [extent, low, high] :
         llvm::zip_equal(extents, pad.getMixedLowPad(), pad.getMixedHighPad()))
      extent = sum({extent, low, high});
    return define(pad.getResult(), std::move(extents), op);
  }
  auto concat = cast<tensor::ConcatOp>(op);
  Extents extents = shape(concat.getInputs().front()), joined;
  for (Value input : concat.getInputs())
    for (auto [dim, extent] : llvm::enumerate(shape(input))) {
      if (dim == concat.getDim())
        joined.push_back(extent);
      else if (failed(require(extents[dim], extent, op)))
        return failure();
    }
  extents[concat.getDim()] = sum(joined);
  return define(concat.getResult(), std::move(extents), op);
}

/// arith and math on whole tensors.
LogicalResult ShapeAnalysis::visitElementwise(Operation *op) {
  std::optional<Extents> all;
  for (Value operand : op->getOperands()) {
    if (!isa<RankedTensorType>(operand.getType()))
      continue;
    Extents extents = shape(operand);
    if (!all)
      all = extents;
    for (auto [l, r] : llvm::zip_equal(*all, extents))
      if (failed(require(l, r, op)))
        return failure();
  }
  for (Value result : op->getResults())
    if (all && isa<RankedTensorType>(result.getType()) &&
        failed(define(result, *all, op)))
      return failure();
  return success();
}

LogicalResult ShapeAnalysis::visit(Operation *op) {
  if (auto dim = dyn_cast<tensor::DimOp>(op)) {
    std::optional<int64_t> index = dim.getConstantIndex();
    if (index && !isa<BlockArgument>(dim.getSource()) &&
        isa<RankedTensorType>(dim.getSource().getType()))
      unite(shape(dim.getSource())[*index], dim.getResult());
    return success();
  }
  if (auto product = dyn_cast<arith::MulIOp>(op);
      product && product.getType().isIndex())
    visitProduct(product);
  if (OpTrait::hasElementwiseMappableTraits(op))
    return visitElementwise(op);
  if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op))
    return visitLinalg(linalgOp);
  if (auto launch = dyn_cast<LaunchOp>(op)) {
    // On memrefs there are no results.
    for (auto [result, init] : llvm::zip_first(op->getResults(), launch.getInits()))
      if (failed(define(result, shape(init), op)))
        return failure();
    return success();
  }
  FailureOr<DimensionLetters> letters = dimensionLetters(op);
  if (succeeded(letters))
    return visitLetters(op, *letters);
  bool hasDynamic = llvm::any_of(op->getResultTypes(), [](Type type) {
    if (isa<UnrankedTensorType>(type))
      return true;
    auto tensor = dyn_cast<RankedTensorType>(type);
    return tensor && !tensor.hasStaticShape();
  });
  bool isShaped =
      isa<tensor::EmptyOp, tensor::CastOp, tensor::CollapseShapeOp, tensor::ExpandShapeOp,
          tensor::ExtractSliceOp, tensor::InsertSliceOp, tensor::PadOp, tensor::ConcatOp>(op);
  if (hasDynamic || isShaped)
    return visitSpecial(op);
  return success();
}

LogicalResult ShapeAnalysis::run() {
  readAsserts();
  for (Operation &op : function.front())
    if (failed(visit(&op)))
      return failure();
  return success();
}
