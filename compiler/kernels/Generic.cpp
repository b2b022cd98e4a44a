//===- Generic.cpp - Short ways to write linalg.generic -------------------===//

#include "compiler/kernels/Generic.h"

using namespace mlir;
using namespace aft;

Type aft::elementOf(Value value) {
  return cast<ShapedType>(value.getType()).getElementType();
}

unsigned aft::rankOf(Value value) {
  return cast<ShapedType>(value.getType()).getRank();
}

Value aft::number(ImplicitLocOpBuilder &b, Type type, double value) {
  return b.create<arith::ConstantOp>(b.getFloatAttr(type, value));
}

Value aft::integer(ImplicitLocOpBuilder &b, int64_t value) {
  return b.create<arith::ConstantOp>(b.getI64IntegerAttr(value));
}

Value aft::toFloat(ImplicitLocOpBuilder &b, Value value, Type type) {
  if (value.getType() == type)
    return value;
  if (value.getType().getIntOrFloatBitWidth() < type.getIntOrFloatBitWidth())
    return b.create<arith::ExtFOp>(type, value);
  return b.create<arith::TruncFOp>(type, value);
}

Generic::Operand Generic::leading(Value value, unsigned loops) {
  // A major submap without results would be the null map.
  if (rankOf(value) == 0)
    return scalar(value, loops);
  return {value, AffineMap::getMultiDimIdentityMap(loops, b.getContext())
                     .getMajorSubMap(rankOf(value))};
}

Generic::Operand Generic::at(Value value, unsigned loops,
                             ArrayRef<unsigned> which) {
  return {value, AffineMap::getMultiDimMapWithTargets(loops, which,
                                                      b.getContext())};
}

Generic::Operand Generic::scalar(Value value, unsigned loops) {
  return {value, AffineMap::get(loops, 0, b.getContext())};
}

Value Generic::empty(ArrayRef<OpFoldResult> sizes, Type element) {
  return b.create<tensor::EmptyOp>(sizes, element);
}

Value Generic::filled(ArrayRef<OpFoldResult> sizes, Type element,
                      double value) {
  return b
      .create<linalg::FillOp>(ValueRange{number(b, element, value)},
                              ValueRange{empty(sizes, element)})
      .getResult(0);
}

static SmallVector<ReassociationIndices> leadingGroups(unsigned rank,
                                                       unsigned dims) {
  SmallVector<ReassociationIndices> groups = {
      llvm::to_vector(llvm::seq<int64_t>(0, dims))};
  for (int64_t dim = dims; dim < rank; ++dim)
    groups.push_back({dim});
  return groups;
}

RankedTensorType aft::flattenedType(Type type, unsigned dims) {
  auto tensor = cast<RankedTensorType>(type);
  if (tensor.getRank() < dims || dims < 2)
    return tensor;
  return tensor::CollapseShapeOp::inferCollapsedType(
      tensor, leadingGroups(tensor.getRank(), dims));
}

Value Generic::flattened(Value value, unsigned dims) {
  if (rankOf(value) < dims || dims < 2)
    return value;
  return b.create<tensor::CollapseShapeOp>(
      value, leadingGroups(rankOf(value), dims));
}

Value Generic::unflattened(Value value, unsigned dims,
                           ArrayRef<OpFoldResult> sizes) {
  if (sizes.size() < dims || dims < 2)
    return value;
  SmallVector<int64_t> shape;
  SmallVector<Value> dynamic;
  dispatchIndexOpFoldResults(sizes, dynamic, shape);
  auto type = RankedTensorType::get(shape, elementOf(value));
  return b.create<tensor::ExpandShapeOp>(
      type, value, leadingGroups(sizes.size(), dims), sizes);
}

SmallVector<Value> Generic::parallel(ArrayRef<Operand> ins,
                                     ArrayRef<Operand> outs, Body body) {
  return reduce(ins, outs, {}, body);
}

SmallVector<Value> Generic::reduce(ArrayRef<Operand> ins,
                                   ArrayRef<Operand> outs,
                                   ArrayRef<unsigned> reduced, Body body) {
  unsigned loops = outs.front().map.getNumDims();
  SmallVector<Value> inputs, inits;
  SmallVector<AffineMap> maps;
  SmallVector<Type> types;
  for (const Operand &in : ins) {
    inputs.push_back(in.value);
    maps.push_back(in.map);
  }
  for (const Operand &out : outs) {
    inits.push_back(out.value);
    maps.push_back(out.map);
    types.push_back(out.value.getType());
  }
  SmallVector<utils::IteratorType> iterators(loops,
                                             utils::IteratorType::parallel);
  for (unsigned loop : reduced)
    iterators[loop] = utils::IteratorType::reduction;
  auto generic = b.create<linalg::GenericOp>(
      types, inputs, inits, maps, iterators,
      [&](OpBuilder &builder, Location loc, ValueRange arguments) {
        ImplicitLocOpBuilder inner(loc, builder);
        inner.create<linalg::YieldOp>(body(inner, arguments));
      });
  return llvm::to_vector_of<Value>(generic.getResults());
}
