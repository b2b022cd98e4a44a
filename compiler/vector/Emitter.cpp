//===- Emitter.cpp - Writing loops and vector code by hand ----------------===//

#include "compiler/vector/Emitter.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <limits>

using namespace mlir;
using namespace aft;

int64_t aft::lanesFor(Type accumulation, unsigned vectorBits) {
  return std::max<int64_t>(1, vectorBits / accumulation.getIntOrFloatBitWidth());
}

Type aft::computeType(Type element) {
  return element.isBF16() || element.isF16() ? Float32Type::get(element.getContext()) : element;
}

//===----------------------------------------------------------------------===//
// Indices
//===----------------------------------------------------------------------===//

Value Emitter::index(int64_t value) { return builder.create<arith::ConstantIndexOp>(loc, value); }
Value Emitter::add(Value a, Value b) { return builder.createOrFold<arith::AddIOp>(loc, a, b); }
Value Emitter::sub(Value a, Value b) { return builder.createOrFold<arith::SubIOp>(loc, a, b); }
Value Emitter::mul(Value a, Value b) { return builder.createOrFold<arith::MulIOp>(loc, a, b); }
Value Emitter::min(Value a, Value b) { return builder.createOrFold<arith::MinSIOp>(loc, a, b); }
Value Emitter::max(Value a, Value b) { return builder.createOrFold<arith::MaxSIOp>(loc, a, b); }
Value Emitter::div(Value a, int64_t b) {
  return builder.createOrFold<arith::DivUIOp>(loc, a, index(b));
}
Value Emitter::ceilDiv(Value a, int64_t b) { return div(add(a, b - 1), b); }
Value Emitter::roundDown(Value a, int64_t b) { return mul(div(a, b), b); }
Value Emitter::rest(Value a, Value b) { return builder.createOrFold<arith::RemUIOp>(loc, a, b); }
Value Emitter::less(Value a, Value b) {
  return builder.create<arith::CmpIOp>(loc, arith::CmpIPredicate::slt, a, b);
}
Value Emitter::below(Value a, Value b) {
  return builder.create<arith::CmpIOp>(loc, arith::CmpIPredicate::ult, a, b);
}
Value Emitter::same(Value a, Value b) {
  return builder.create<arith::CmpIOp>(loc, arith::CmpIPredicate::eq, a, b);
}
Value Emitter::dim(Value memref, int64_t dimension) {
  return builder.createOrFold<memref::DimOp>(loc, memref, dimension);
}

Value Emitter::both(Value a, Value b) { return builder.create<arith::AndIOp>(loc, a, b); }
Value Emitter::either(Value a, Value b) { return builder.create<arith::OrIOp>(loc, a, b); }

//===----------------------------------------------------------------------===//
// Control flow
//===----------------------------------------------------------------------===//

Emitter::Values Emitter::loop(Value lower, Value upper, Value step, ValueRange carried,
                              LoopBody body) {
  auto loop = builder.create<scf::ForOp>(loc, lower, upper, step, carried);
  OpBuilder::InsertionGuard guard(builder);
  // A loop without carried values has its terminator already.
  if (carried.empty())
    builder.setInsertionPoint(loop.getBody()->getTerminator());
  else
    builder.setInsertionPointToStart(loop.getBody());
  Values results = body(loop.getInductionVar(), loop.getRegionIterArgs());
  if (!carried.empty())
    builder.create<scf::YieldOp>(loc, results);
  return Values(loop.getResults());
}

void Emitter::loop(Value lower, Value upper, Value step, llvm::function_ref<void(Value)> body) {
  loop(lower, upper, step, ValueRange{}, [&](Value i, ValueRange) {
    body(i);
    return Values{};
  });
}

void Emitter::grid(ArrayRef<Value> extents, llvm::function_ref<void(ArrayRef<Value>)> body) {
  SmallVector<OpFoldResult> bounds;
  for (Value extent : extents)
    bounds.push_back(getAsOpFoldResult(extent));
  auto forall = builder.create<scf::ForallOp>(loc, bounds, ValueRange{}, std::nullopt);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPoint(forall.getTerminator());
  Values indices(forall.getInductionVars());
  body(indices);
}

Emitter::Values Emitter::branch(Value condition, TypeRange types, llvm::function_ref<Values()> yes,
                                llvm::function_ref<Values()> no) {
  auto branch = builder.create<scf::IfOp>(loc, types, condition, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(builder);
  auto fill = [&](Block *block, llvm::function_ref<Values()> body) {
    if (types.empty())
      builder.setInsertionPoint(block->getTerminator());
    else
      builder.setInsertionPointToStart(block);
    Values values = body();
    if (!types.empty())
      builder.create<scf::YieldOp>(loc, values);
  };
  fill(branch.thenBlock(), yes);
  fill(branch.elseBlock(), no);
  return Values(branch.getResults());
}

void Emitter::when(Value condition, llvm::function_ref<void()> body) {
  auto branch = builder.create<scf::IfOp>(loc, condition, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPoint(branch.thenBlock()->getTerminator());
  body();
}

//===----------------------------------------------------------------------===//
// Numbers
//===----------------------------------------------------------------------===//

Type Emitter::typeOf(Type element, int64_t lanes) {
  return lanes > 0 ? Type(VectorType::get({lanes}, element)) : element;
}

Value Emitter::number(Type type, double value) {
  Type element = getElementTypeOrSelf(type);
  TypedAttr scalar = builder.getFloatAttr(element, value);
  if (auto vector = dyn_cast<VectorType>(type))
    return builder.create<arith::ConstantOp>(loc, DenseElementsAttr::get(vector, scalar));
  return builder.create<arith::ConstantOp>(loc, scalar);
}

Value Emitter::broadcast(Value scalar, Type type) {
  if (scalar.getType() == type || !isa<VectorType>(type))
    return scalar;
  return builder.create<vector::BroadcastOp>(loc, type, scalar);
}

Value Emitter::fadd(Value a, Value b) { return builder.create<arith::AddFOp>(loc, a, b); }
Value Emitter::fsub(Value a, Value b) { return builder.create<arith::SubFOp>(loc, a, b); }
Value Emitter::fmul(Value a, Value b) { return builder.create<arith::MulFOp>(loc, a, b); }
Value Emitter::fdiv(Value a, Value b) { return builder.create<arith::DivFOp>(loc, a, b); }
Value Emitter::fma(Value a, Value b, Value c) { return builder.create<math::FmaOp>(loc, a, b, c); }
Value Emitter::fmax(Value a, Value b) { return builder.create<arith::MaximumFOp>(loc, a, b); }
Value Emitter::fmaxNumber(Value a, Value b) { return builder.create<arith::MaxNumFOp>(loc, a, b); }
Value Emitter::exp(Value a) { return builder.create<math::ExpOp>(loc, a); }
Value Emitter::log(Value a) { return builder.create<math::LogOp>(loc, a); }
Value Emitter::compare(arith::CmpFPredicate predicate, Value a, Value b) {
  return builder.create<arith::CmpFOp>(loc, predicate, a, b);
}
Value Emitter::equal(Value a, Value b) { return compare(arith::CmpFPredicate::OEQ, a, b); }
Value Emitter::isFinite(Value a) {
  Value infinity = number(a.getType(), std::numeric_limits<double>::infinity());
  return compare(arith::CmpFPredicate::OLT, builder.create<math::AbsFOp>(loc, a), infinity);
}
Value Emitter::select(Value condition, Value a, Value b) {
  return builder.create<arith::SelectOp>(loc, condition, a, b);
}

Value Emitter::convert(Value value, Type element) {
  Type from = getElementTypeOrSelf(value);
  if (from == element)
    return value;
  Type to = element;
  if (auto vector = dyn_cast<VectorType>(value.getType()))
    to = VectorType::get(vector.getShape(), element);
  if (from.getIntOrFloatBitWidth() < element.getIntOrFloatBitWidth())
    return builder.create<arith::ExtFOp>(loc, to, value);
  return builder.create<arith::TruncFOp>(loc, to, value);
}

Value Emitter::load(Value memref, ValueRange indices, int64_t lanes) {
  Type element = cast<MemRefType>(memref.getType()).getElementType();
  Value value = lanes > 0 ? Value(builder.create<vector::LoadOp>(
                                loc, VectorType::get({lanes}, element), memref, indices))
                          : Value(builder.create<memref::LoadOp>(loc, memref, indices));
  return isa<FloatType>(element) ? convert(value, computeType(element)) : value;
}

void Emitter::store(Value value, Value memref, ValueRange indices) {
  Type element = cast<MemRefType>(memref.getType()).getElementType();
  if (isa<FloatType>(element))
    value = convert(value, element);
  if (isa<VectorType>(value.getType()))
    builder.create<vector::StoreOp>(loc, value, memref, indices);
  else
    builder.create<memref::StoreOp>(loc, value, memref, indices);
}

void Emitter::storeStreaming(Value value, Value memref, ValueRange indices) {
  value = convert(value, cast<MemRefType>(memref.getType()).getElementType());
  builder.create<vector::StoreOp>(loc, value, memref, indices, /*nontemporal=*/true);
}

Value Emitter::scratch(ArrayRef<int64_t> shape, Type element) {
  OpBuilder::InsertionGuard guard(builder);
  Operation *parent = builder.getInsertionBlock()->getParentOp();
  auto function = dyn_cast<func::FuncOp>(parent);
  if (!function)
    function = parent->getParentOfType<func::FuncOp>();
  builder.setInsertionPointToStart(&function.front());
  return builder.create<memref::AllocaOp>(loc, MemRefType::get(shape, element),
                                          builder.getI64IntegerAttr(64));
}

Value Emitter::reduce(Value vector, llvm::function_ref<Value(Value, Value)> combine) {
  auto type = dyn_cast<VectorType>(vector.getType());
  if (!type)
    return vector;
  int64_t lanes = type.getDimSize(0);
  while (lanes > 1) {
    // Halves as vectors of their own: the adds stay vector adds to the end.
    int64_t half = lanes / 2;
    Value low = builder.create<vector::ExtractStridedSliceOp>(
        loc, vector, ArrayRef<int64_t>{0}, ArrayRef<int64_t>{half}, ArrayRef<int64_t>{1});
    Value high = builder.create<vector::ExtractStridedSliceOp>(
        loc, vector, ArrayRef<int64_t>{half}, ArrayRef<int64_t>{half}, ArrayRef<int64_t>{1});
    vector = combine(low, high);
    lanes = half;
  }
  return builder.create<vector::ExtractOp>(loc, vector, ArrayRef<int64_t>{0});
}
