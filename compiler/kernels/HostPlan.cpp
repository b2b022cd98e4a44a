//===- HostPlan.cpp - Sizes of temporaries and the plan function ----------===//

#include "compiler/kernels/HostEmitter.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;
using namespace aft;

//===----------------------------------------------------------------------===//
// Extents
//===----------------------------------------------------------------------===//

Value ExtentCloner::get(OpFoldResult extent) {
  OpFoldResult found = shapes.representative(extent);
  if (std::optional<int64_t> constant = getConstantIntValue(found))
    return b.create<arith::ConstantIndexOp>(*constant);
  return exact(cast<Value>(found));
}

Value ExtentCloner::exact(Value value) {
  if (Value mapped = known.lookup(value))
    return mapped;
  Operation *def = value.getDefiningOp();
  if (auto dim = dyn_cast_or_null<tensor::DimOp>(def)) {
    auto argument = dyn_cast<BlockArgument>(dim.getSource());
    std::optional<int64_t> index = dim.getConstantIndex();
    OpFoldResult same = shapes.representative(value);
    if (!argument && same != OpFoldResult(value))
      return get(same);
    if (!argument || !index) {
      dim.emitOpError("must read an extent of an argument");
      return Value();
    }
    return known[value] = argumentExtent(argument, *index);
  }
  if (!def || !isMemoryEffectFree(def) || isa<tensor::ExtractOp>(def)) {
    emitError(value.getLoc())
        << "not supported yet: an extent that depends on the contents of "
           "tensors";
    return Value();
  }
  IRMapping mapping;
  for (Value operand : def->getOperands()) {
    Value mapped = exact(operand);
    if (!mapped)
      return Value();
    mapping.map(operand, mapped);
  }
  Operation *clone = b.clone(*def, mapping);
  for (auto [result, cloned] :
       llvm::zip_equal(def->getResults(), clone->getResults()))
    known[result] = cloned;
  return known[value];
}

//===----------------------------------------------------------------------===//
// Arena
//===----------------------------------------------------------------------===//

/// Splits an extent into constants and atoms: products are taken apart.
static void addFactors(OpFoldResult extent, ShapeAnalysis &shapes,
                       SmallVectorImpl<Value> &factors, int64_t &constant) {
  extent = shapes.representative(extent);
  if (std::optional<int64_t> known = getConstantIntValue(extent)) {
    constant *= *known;
    return;
  }
  Value value = cast<Value>(extent);
  if (auto product = value.getDefiningOp<arith::MulIOp>()) {
    addFactors(product.getLhs(), shapes, factors, constant);
    addFactors(product.getRhs(), shapes, factors, constant);
    return;
  }
  factors.push_back(value);
}

static int64_t bytesOf(Type element) {
  return llvm::divideCeil(element.getIntOrFloatBitWidth(), 8);
}

void aft::planArena(HostPlan &plan) {
  // A fixed order of factors, so that B * T and T * B are the same.
  llvm::DenseMap<Value, unsigned> order;
  for (const HostBuffer &buffer : plan.assignment.buffers()) {
    if (buffer.kind != HostBuffer::arena) {
      plan.temporaryOf.push_back(-1);
      continue;
    }
    Temporary temporary;
    temporary.first = buffer.first;
    temporary.last = buffer.last;
    auto type = cast<RankedTensorType>(buffer.value.getType());
    temporary.bytes = bytesOf(type.getElementType());
    for (OpFoldResult extent : plan.shapes.shape(buffer.value))
      addFactors(extent, plan.shapes, temporary.factors, temporary.bytes);
    for (Value factor : temporary.factors)
      order.try_emplace(factor, order.size());
    llvm::sort(temporary.factors, [&](Value a, Value b) {
      return order.lookup(a) < order.lookup(b);
    });
    plan.temporaryOf.push_back(plan.temporaries.size());
    plan.temporaries.push_back(std::move(temporary));
  }
  plan.regions = packArena(plan.temporaries);
}

Value aft::regionUnits(ImplicitLocOpBuilder &b, const ArenaRegion &region,
                       ExtentCloner &extents) {
  Value units = b.create<arith::ConstantIndexOp>(1);
  for (Value factor : region.factors) {
    Value extent = extents.get(factor);
    if (!extent)
      return Value();
    units = b.createOrFold<arith::MulIOp>(units, extent);
  }
  if (region.factors.empty())
    return units;
  // (units + 3) & ~3
  Value more = b.create<arith::AddIOp>(
      units, b.create<arith::ConstantIndexOp>(unitMultiple - 1));
  return b.create<arith::AndIOp>(
      more, b.create<arith::ConstantIndexOp>(-unitMultiple));
}

FailureOr<SmallVector<Value>> aft::regionBytes(ImplicitLocOpBuilder &b,
                                               HostPlan &plan,
                                               ExtentCloner &extents) {
  SmallVector<Value> bytes;
  for (const ArenaRegion &region : plan.regions) {
    Value units = regionUnits(b, region, extents);
    if (!units)
      return failure();
    bytes.push_back(b.createOrFold<arith::MulIOp>(
        units, b.create<arith::ConstantIndexOp>(region.bytes)));
  }
  return bytes;
}

//===----------------------------------------------------------------------===//
// Plan function
//===----------------------------------------------------------------------===//

/// 1 + the index of a message.
static int64_t codeOf(HostPlan &plan, StringRef message,
                      SmallVectorImpl<std::string> &messages) {
  std::string text = (plan.source.getName() + ": " + message).str();
  auto it = llvm::find(messages, text);
  int64_t index = std::distance(messages.begin(), it);
  if (it == messages.end())
    messages.push_back(text);
  return 1 + index;
}

/// 0, or the code of the first check that fails.
static FailureOr<Value> emitChecks(ImplicitLocOpBuilder &b, HostPlan &plan,
                                   ExtentCloner &extents,
                                   SmallVectorImpl<std::string> &messages) {
  SmallVector<std::pair<Value, int64_t>> conditions;
  for (auto assertion : plan.source.getOps<cf::AssertOp>()) {
    Value holds = extents.exact(assertion.getArg());
    if (!holds)
      return failure();
    conditions.push_back({holds, codeOf(plan, assertion.getMsg(), messages)});
  }
  Value result = b.create<arith::ConstantIndexOp>(0);
  for (auto [holds, number] : llvm::reverse(conditions)) {
    Value code = b.create<arith::ConstantIndexOp>(number);
    result = b.create<arith::SelectOp>(holds, result, code);
  }
  return result;
}

LogicalResult aft::emitPlan(HostPlan &plan,
                            SmallVectorImpl<std::string> &messages) {
  func::FuncOp source = plan.source;
  ImplicitLocOpBuilder b(source.getLoc(), source.getContext());
  b.setInsertionPointAfter(source);
  Type index = b.getIndexType();
  auto list = MemRefType::get({ShapedType::kDynamic}, index);
  auto single = MemRefType::get({1}, index);
  auto function = b.create<func::FuncOp>(
      (source.getName() + planSuffix).str(),
      b.getFunctionType({list, list, single}, {index}));
  function->setAttr(planAttrName, b.getUnitAttr());
  Block *block = function.addEntryBlock();
  b.setInsertionPointToStart(block);

  SmallVector<int64_t> firstExtent;
  int64_t count = 0;
  for (const InterfaceValue &input : plan.interface.inputs) {
    firstExtent.push_back(count);
    count += input.type.getRank();
  }
  ExtentCloner extents(
      b, plan.shapes, [&](BlockArgument argument, int64_t dim) -> Value {
        Value at = b.create<arith::ConstantIndexOp>(
            firstExtent[argument.getArgNumber()] + dim);
        return b.create<memref::LoadOp>(block->getArgument(0), at);
      });
  FailureOr<Value> result = emitChecks(b, plan, extents, messages);
  FailureOr<SmallVector<Value>> regions = regionBytes(b, plan, extents);
  if (failed(result) || failed(regions))
    return failure();
  int64_t place = 0;
  for (Value output : source.front().getTerminator()->getOperands())
    for (OpFoldResult extent : plan.shapes.shape(output)) {
      Value value = extents.get(extent);
      if (!value)
        return failure();
      Value at = b.create<arith::ConstantIndexOp>(place++);
      b.create<memref::StoreOp>(value, block->getArgument(1), at);
    }
  Value zero = b.create<arith::ConstantIndexOp>(0), total = zero;
  for (Value bytes : *regions)
    total = b.createOrFold<arith::AddIOp>(total, bytes);
  b.create<memref::StoreOp>(total, block->getArgument(2), zero);
  // Before all other checks, which read what has wrapped around.
  if (Value overflows = emitOverflow(b, *block)) {
    Value code = b.create<arith::ConstantIndexOp>(
        codeOf(plan, "sizes of tensors are larger than 64 bits can count", messages));
    result = b.create<arith::SelectOp>(overflows, code, *result).getResult();
  }
  b.create<func::ReturnOp>(*result);
  return success();
}
