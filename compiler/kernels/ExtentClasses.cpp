//===- ExtentClasses.cpp - Which extents are equal, and what is required -----===//

#include "compiler/kernels/Shapes.h"
#include "dialect/ir/AFT.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace aft;

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
                          arith::MaxSIOp, arith::MinSIOp>(op) &&
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
  Operation *op = cast<Value>(extent).getDefiningOp();
  if (isa_and_nonnull<arith::MulIOp, arith::AddIOp, arith::SubIOp>(op)) {
    const char *sign = isa<arith::MulIOp>(op)   ? " times "
                       : isa<arith::AddIOp>(op) ? " plus "
                                                : " minus ";
    std::string left = describe(op->getOperand(0)), right = describe(op->getOperand(1));
    std::string unknown = "a computed extent";
    if (left != unknown && right != unknown)
      return left + sign + right;
  }
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
