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

//===----------------------------------------------------------------------===//
// Classes of equal extents
//===----------------------------------------------------------------------===//

Value ShapeAnalysis::root(Value value) {
  auto it = parent.find(value);
  if (it == parent.end()) {
    parent[value] = value;
    members.push_back(value);
    if (std::optional<int64_t> constant = getConstantIntValue(value))
      constants[value] = *constant;
    return value;
  }
  while (it->second != value) {
    value = it->second;
    it = parent.find(value);
  }
  return value;
}

OpFoldResult ShapeAnalysis::representative(OpFoldResult extent) {
  auto value = dyn_cast<Value>(extent);
  if (!value) // Static extents are i64 attributes here, index ones there.
    return OpBuilder(function.getContext())
        .getIndexAttr(*getConstantIntValue(extent));
  Value found = root(value);
  if (auto it = constants.find(found); it != constants.end())
    return OpBuilder(function.getContext()).getIndexAttr(it->second);
  return found;
}

void ShapeAnalysis::unite(OpFoldResult left, OpFoldResult right) {
  left = representative(left);
  right = representative(right);
  if (left == right)
    return;
  auto l = dyn_cast<Value>(left), r = dyn_cast<Value>(right);
  if (!l && !r)
    return;
  if (!l || !r) {
    constants[l ? l : r] = *getConstantIntValue(l ? right : left);
    return;
  }
  // The earlier one dominates every use of the later one.
  Operation *lop = l.getDefiningOp(), *rop = r.getDefiningOp();
  bool leftFirst = !lop || (rop && lop->isBeforeInBlock(rop));
  if (leftFirst)
    parent[r] = l;
  else
    parent[l] = r;
}

LogicalResult ShapeAnalysis::require(OpFoldResult left, OpFoldResult right,
                                     Operation *op) {
  OpFoldResult l = representative(left), r = representative(right);
  if (l == r)
    return success();
  if (!isa<Value>(l) && !isa<Value>(r))
    return op->emitOpError()
           << "needs equal extents, found " << *getConstantIntValue(l)
           << " and " << *getConstantIntValue(r);
  checks.push_back({left, right, /*equal=*/true, op});
  unite(l, r);
  return success();
}

void ShapeAnalysis::requireAtMost(OpFoldResult left, OpFoldResult right,
                                  Operation *op) {
  OpFoldResult l = representative(left), r = representative(right);
  if (l == r || (!isa<Value>(l) && !isa<Value>(r) &&
                 *getConstantIntValue(l) <= *getConstantIntValue(r)))
    return;
  checks.push_back({left, right, /*equal=*/false, op});
}

/// Takes an extent apart: a value, or none, and a constant that is added to it.
static std::pair<Value, int64_t> splitSum(OpFoldResult extent) {
  int64_t constant = 0;
  while (true) {
    if (std::optional<int64_t> known = getConstantIntValue(extent))
      return {Value(), constant + *known};
    auto value = cast<Value>(extent);
    Operation *op = value.getDefiningOp();
    std::optional<int64_t> last;
    if (isa_and_nonnull<arith::AddIOp, arith::SubIOp>(op))
      last = getConstantIntValue(op->getOperand(1));
    if (!last)
      return {value, constant};
    constant += isa<arith::AddIOp>(op) ? *last : -*last;
    extent = op->getOperand(0);
  }
}

/// Whether the plan can compute it: no content of a tensor has a part in it.
static bool followsFromShapes(Value value) {
  Operation *op = value.getDefiningOp();
  if (isa_and_nonnull<tensor::DimOp>(op))
    return true;
  return op && isMemoryEffectFree(op) && op->getNumRegions() == 0 && !isa<tensor::ExtractOp>(op) &&
         llvm::all_of(op->getOperands(), followsFromShapes);
}

static bool isNeverNegative(OpFoldResult extent) {
  if (std::optional<int64_t> constant = getConstantIntValue(extent))
    return *constant >= 0;
  Operation *op = cast<Value>(extent).getDefiningOp();
  return isa_and_nonnull<tensor::DimOp>(op) ||
         (isa_and_nonnull<arith::AddIOp, arith::MulIOp, arith::DivSIOp, arith::DivUIOp,
                          arith::MaxSIOp>(op) &&
          llvm::all_of(op->getOperands(), isNeverNegative));
}

void ShapeAnalysis::requireNotNegative(OpFoldResult extent, Operation *op) {
  auto whole = dyn_cast<Value>(extent);
  if (isNeverNegative(representative(extent)) || (whole && !followsFromShapes(whole)))
    return;
  Builder builder(op);
  auto [value, constant] = splitSum(extent);
  // n - 3 is said of n.
  if (value && constant < 0)
    requireAtMost(builder.getIndexAttr(-constant), value, op);
  else
    requireAtMost(builder.getIndexAttr(0), extent, op);
}

void ShapeAnalysis::requireWithin(OffsetSizeAndStrideOpInterface op, ArrayRef<OpFoldResult> whole) {
  OpBuilder builder(op);
  Location loc = op.getLoc();
  auto plus = [&](Value value, int64_t constant) -> OpFoldResult {
    if (!value)
      return builder.getIndexAttr(constant);
    if (constant == 0)
      return value;
    Value number = builder.create<arith::ConstantIndexOp>(loc, constant);
    return builder.createOrFold<arith::AddIOp>(loc, value, number);
  };
  for (auto [offset, size, stride, extent] :
       llvm::zip_equal(op.getMixedOffsets(), op.getMixedSizes(), op.getMixedStrides(), whole)) {
    requireNotNegative(offset, op);
    requireNotNegative(size, op);
    auto [begin, first] = splitSum(offset);
    auto [count, more] = splitSum(size);
    auto [end, last] = splitSum(extent);
    std::optional<int64_t> step = getConstantIntValue(stride);
    // What depends on contents is the program's own business.
    if (!step || (begin && !followsFromShapes(begin)) || (count && !followsFromShapes(count)))
      continue;
    // offset + (size - 1) * step + 1 <= extent, all constants on the left.
    int64_t constant = first + (more - 1) * *step + 1 - last;
    if (count && *step != 1)
      count = builder.createOrFold<arith::MulIOp>(
          loc, count, builder.create<arith::ConstantIndexOp>(loc, *step));
    Value sum = begin ? begin : count;
    if (begin && count)
      sum = builder.createOrFold<arith::AddIOp>(loc, begin, count);
    bool isSame = sum && end && representative(sum) == representative(end);
    if (constant <= 0 && (!sum || isSame))
      continue;
    requireAtMost(plus(sum, std::max<int64_t>(constant, 0)),
                  plus(end, std::max<int64_t>(-constant, 0)), op);
  }
}

SmallVector<Value> ShapeAnalysis::merged() {
  SmallVector<Value> result;
  for (Value value : members)
    if (!getConstantIntValue(value) && representative(value) != OpFoldResult(value))
      result.push_back(value);
  return result;
}

/// What earlier runs have established.
void ShapeAnalysis::readAsserts() {
  llvm::DenseMap<std::pair<Value, int64_t>, Value> dims;
  for (auto dim : function.getOps<tensor::DimOp>()) {
    std::optional<int64_t> index = dim.getConstantIndex();
    if (!index || !isa<BlockArgument>(dim.getSource()))
      continue;
    auto [it, isNew] = dims.try_emplace({dim.getSource(), *index}, dim);
    if (!isNew)
      unite(it->second, dim.getResult());
  }
  for (auto assertion : function.getOps<cf::AssertOp>()) {
    auto compare = assertion.getArg().getDefiningOp<arith::CmpIOp>();
    if (compare && compare.getPredicate() == arith::CmpIPredicate::eq &&
        compare.getLhs().getType().isIndex())
      unite(compare.getLhs(), compare.getRhs());
  }
}

std::string ShapeAnalysis::describe(OpFoldResult extent) {
  if (std::optional<int64_t> constant = getConstantIntValue(extent))
    return std::to_string(*constant);
  auto dim = cast<Value>(extent).getDefiningOp<tensor::DimOp>();
  auto argument = dim ? dyn_cast<BlockArgument>(dim.getSource()) : nullptr;
  if (!argument || !dim.getConstantIndex())
    return "a computed extent";
  std::string text = "dimension " + std::to_string(*dim.getConstantIndex()) +
                     " of argument " +
                     std::to_string(argument.getArgNumber());
  if (auto name = function.getArgAttrOfType<StringAttr>(
          argument.getArgNumber(), "aft.name"))
    text += " ('" + name.str() + "')";
  return text;
}

//===----------------------------------------------------------------------===//
// Shapes
//===----------------------------------------------------------------------===//

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
  for (auto [result, dims] : llvm::zip_equal(op->getResults(), letters.results)) {
    Extents extents;
    auto type = cast<RankedTensorType>(result.getType());
    for (auto [dim, letter] : llvm::enumerate(dims)) {
      OpFoldResult extent = bound.lookup(letter);
      if (!extent && !type.isDynamicDim(dim))
        bound[letter] = Builder(op).getIndexAttr(type.getDimSize(dim));
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
