//===- GenericEmission.cpp - Vector code of any linalg operation ----------===//

#include "compiler/vector/GenericEmission.h"

#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Linalg/Utils/Utils.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace aft;

//===----------------------------------------------------------------------===//
// What can be vectorised
//===----------------------------------------------------------------------===//

Value GenericEmitter::extentOf(int64_t dim) {
  for (OpOperand &operand : op->getOpOperands()) {
    if (!isa<MemRefType>(operand.get().getType()))
      continue;
    AffineMap map = op.getMatchingIndexingMap(&operand);
    for (auto [position, result] : llvm::enumerate(map.getResults()))
      if (result == e.builder.getAffineDimExpr(dim))
        return e.dim(operand.get(), position);
  }
  return Value();
}

Access GenericEmitter::accessOf(OpOperand &operand, int64_t dim) {
  auto type = dyn_cast<MemRefType>(operand.get().getType());
  if (!type)
    return Access::Uniform;
  AffineMap map = op.getMatchingIndexingMap(&operand);
  if (!map.isFunctionOfDim(dim))
    return Access::Uniform;
  for (AffineExpr result : map.getResults().drop_back())
    if (result.isFunctionOfDim(dim))
      return Access::Irregular;
  auto [strides, offset] = getStridesAndOffset(type);
  // Booleans take a byte in memory but a bit in a vector.
  bool contiguous = map.getResults().back() == e.builder.getAffineDimExpr(dim) &&
                    strides.back() == 1 && !type.getElementType().isInteger(1);
  return contiguous ? Access::Contiguous : Access::Irregular;
}

/// Whether a value in the body depends on the index of a loop.
bool GenericEmitter::varies(Value value, int64_t dim) {
  llvm::SetVector<Operation *> slice;
  BackwardSliceOptions options;
  options.inclusive = true;
  options.filter = [&](Operation *inner) { return inner->getBlock() == op.getBlock(); };
  if (value.getDefiningOp())
    getBackwardSlice(value, &slice, options);
  auto comesIn = [&](Value operand) {
    auto argument = dyn_cast<BlockArgument>(operand);
    return argument && argument.getOwner() == op.getBlock() &&
           accessOf(op->getOpOperand(argument.getArgNumber()), dim) != Access::Uniform;
  };
  return comesIn(value) || llvm::any_of(slice, [&](Operation *inner) {
           auto own = dyn_cast<linalg::IndexOp>(inner);
           return (own && static_cast<int64_t>(own.getDim()) == dim) ||
                  llvm::any_of(inner->getOperands(), comesIn);
         });
}

bool GenericEmitter::bodyCanVectorize(int64_t dim) {
  for (Operation &inner : op.getBlock()->without_terminator()) {
    if (isa<arith::ConstantOp, linalg::IndexOp>(inner))
      continue;
    // The place of a tile and an index in it.
    if (isa<affine::AffineApplyOp>(inner)) {
      if (llvm::any_of(inner.getOperands(), [&](Value operand) { return varies(operand, dim); }))
        return false;
      continue;
    }
    if (auto load = dyn_cast<memref::LoadOp>(inner)) {
      // Uniform, or consecutive along the vector dimension.
      auto [strides, offset] = getStridesAndOffset(load.getMemRefType());
      for (auto [position, index] : llvm::enumerate(load.getIndices())) {
        auto own = index.getDefiningOp<linalg::IndexOp>();
        bool isLast = position + 1 == load.getIndices().size() && strides.back() == 1;
        bool along = own && static_cast<int64_t>(own.getDim()) == dim;
        if (along ? !isLast : varies(index, dim))
          return false;
      }
      if (load.getMemRefType().getElementType().isInteger(1))
        return false;
      continue;
    }
    if (!OpTrait::hasElementwiseMappableTraits(&inner) || inner.getNumResults() != 1)
      return false;
  }
  return true;
}

bool GenericEmitter::canVectorize(int64_t dim) {
  bool anyContiguous = false;
  for (OpOperand &operand : op->getOpOperands()) {
    Access access = accessOf(operand, dim);
    if (access == Access::Irregular)
      return false;
    if (op.isDpsInit(&operand) && isParallel(dim) && access != Access::Contiguous)
      return false;
    anyContiguous |= access == Access::Contiguous;
  }
  if (!isParallel(dim))
    for (Operation *combiner : combiners)
      if (!combiner || !arith::getNeutralElement(combiner))
        return false;
  return anyContiguous && bodyCanVectorize(dim);
}

void GenericEmitter::chooseVectorDim() {
  int64_t best = 0;
  for (int64_t dim = 0; dim < static_cast<int64_t>(iterators.size()); ++dim) {
    if (getConstantIntValue(extents[dim]) == 1 || !canVectorize(dim))
      continue;
    int64_t score = isParallel(dim) ? 1 : 0;
    for (OpOperand &operand : op->getOpOperands())
      score += 2 * (accessOf(operand, dim) == Access::Contiguous);
    if (score > best) {
      best = score;
      vectorDim = dim;
    }
  }
}

/// As many lanes as the widest type in the body has in a register. What is the same in
/// all lanes stays a number: an f64 there costs no lanes.
int64_t GenericEmitter::lanes() {
  llvm::SmallDenseSet<Value> same;
  for (OpOperand *operand : op.getDpsInputOperands())
    if (vectorDim >= 0 && accessOf(*operand, vectorDim) == Access::Uniform)
      same.insert(op.getMatchingBlockArgument(operand));
  unsigned widest = 32;
  for (Operation &inner : *op.getBlock()) {
    bool varies = false;
    for (Value operand : inner.getOperands()) {
      if (same.contains(operand))
        continue;
      varies = true;
      if (operand.getType().isIntOrFloat())
        widest = std::max(widest, operand.getType().getIntOrFloatBitWidth());
    }
    if (!varies && inner.getNumOperands() > 0)
      same.insert(inner.result_begin(), inner.result_end());
  }
  return std::max<int64_t>(vectorBits / widest, 2);
}

//===----------------------------------------------------------------------===//
// Loops
//===----------------------------------------------------------------------===//

LogicalResult GenericEmitter::prepare() {
  int64_t loops = iterators.size();
  for (int64_t dim = 0; dim < loops; ++dim) {
    extents.push_back(extentOf(dim));
    if (!extents.back())
      return op->emitOpError() << "loop dimension " << dim
                               << " has no operand that gives its extent";
  }
  for (OpOperand &output : op.getDpsInitsMutable()) {
    SmallVector<Operation *> found;
    bool reduces =
        op.getMatchingIndexingMap(&output).getNumResults() < static_cast<unsigned>(loops);
    unsigned position = output.getOperandNumber() - op.getNumDpsInputs();
    Value reduced = reduces ? matchReduction(op.getRegionOutputArgs(), position, found) : Value();
    combiners.push_back(reduced && found.size() == 1 ? found.front() : nullptr);
  }
  return success();
}

LogicalResult GenericEmitter::run() {
  if (failed(prepare()))
    return failure();
  chooseVectorDim();
  SmallVector<int64_t> parallel;
  for (int64_t dim = 0; dim < static_cast<int64_t>(iterators.size()); ++dim)
    if (dim != vectorDim)
      (isParallel(dim) ? parallel : reductions).push_back(dim);
  emitParallel(parallel);
  return success();
}

void GenericEmitter::emitParallel(ArrayRef<int64_t> dims) {
  if (dims.empty()) {
    if (vectorDim >= 0 && isParallel(vectorDim))
      return emitVectorBlocks();
    return emitPoint(0);
  }
  e.loop(e.index(0), extents[dims.front()], e.index(1), [&](Value index) {
    indices[dims.front()] = index;
    emitParallel(dims.drop_front());
  });
}

/// Whether a polynomial is computed, each step of which waits for the one before.
bool GenericEmitter::isDeep() {
  return llvm::any_of(*op.getBlock(), [](Operation &inner) {
    return isa<math::ExpOp, math::ErfOp, math::LogOp, math::TanhOp>(inner);
  });
}

/// The vector dimension in blocks of several registers (only worth it for the
/// independent accumulators of a reduction, and of two for what waits long), one
/// register, one element.
void GenericEmitter::emitVectorBlocks() {
  SmallVector<int64_t> blocks;
  if (!reductions.empty())
    blocks.push_back(4 * lanes());
  else if (isDeep())
    blocks.push_back(2 * lanes());
  blocks.push_back(lanes());
  Value lower = e.index(0), extent = extents[vectorDim];
  for (int64_t block : blocks) {
    Value upper = e.roundDown(extent, block);
    e.loop(lower, upper, e.index(block), [&](Value index) {
      indices[vectorDim] = index;
      emitPoint(block);
    });
    lower = upper;
  }
  e.loop(lower, extent, e.index(1), [&](Value index) {
    indices[vectorDim] = index;
    emitPoint(0);
  });
}

/// All parallel dimensions are fixed: reduces over the others and stores.
void GenericEmitter::emitPoint(int64_t lanes) {
  SmallVector<Value> values;
  bool reduces = !reductions.empty() || (vectorDim >= 0 && !isParallel(vectorDim));
  if (reduces)
    values = reduceOver(reductions, loadOutputs(lanes), lanes);
  else
    values = cloneBody(loadOutputs(lanes), lanes);
  for (auto [operand, value] : llvm::zip_equal(op.getDpsInitsMutable(), values))
    store(operand, value, lanes);
}

SmallVector<Value> GenericEmitter::reduceOver(ArrayRef<int64_t> dims, ValueRange accumulators,
                                              int64_t lanes) {
  if (dims.empty()) {
    if (vectorDim >= 0 && !isParallel(vectorDim) && !vectorIsShared)
      return reduceLanes(accumulators);
    return cloneBody(accumulators, lanes);
  }
  bool shared = dims.front() == sharedDim;
  return e.loop(shared ? sharedStart : e.index(0), extents[dims.front()],
                e.index(shared ? sharedStep : 1), accumulators,
                [&](Value index, ValueRange carried) {
                  indices[dims.front()] = index;
                  return reduceOver(dims.drop_front(), carried, lanes);
                });
}

Value GenericEmitter::combine(Operation *combiner, Value a, Value b) {
  return e.builder
      .create(e.loc, combiner->getName().getIdentifier(), ValueRange{a, b}, a.getType())
      ->getResult(0);
}

/// The vector dimension is reduced: independent accumulators in the lanes of
/// several registers, combined at the end; the rest one by one.
SmallVector<Value> GenericEmitter::reduceLanes(ValueRange accumulators) {
  SmallVector<Value> results(accumulators);
  Value lower = e.index(0), extent = extents[vectorDim];
  for (int64_t block : {4 * lanes(), lanes()}) {
    Value upper = e.roundDown(extent, block);
    SmallVector<Value> neutral;
    for (Operation *combiner : combiners) {
      TypedAttr element = *arith::getNeutralElement(combiner);
      auto type = VectorType::get({block}, element.getType());
      neutral.push_back(
          e.builder.create<arith::ConstantOp>(e.loc, DenseElementsAttr::get(type, element)));
    }
    SmallVector<Value> vectors =
        e.loop(lower, upper, e.index(block), neutral, [&](Value index, ValueRange carried) {
          indices[vectorDim] = index;
          return cloneBody(carried, block);
        });
    for (auto [result, vector, combiner] : llvm::zip_equal(results, vectors, combiners)) {
      auto combineTwo = [&, combiner = combiner](Value a, Value b) {
        return combine(combiner, a, b);
      };
      result = combineTwo(result, e.reduce(vector, combineTwo));
    }
    lower = upper;
  }
  return e.loop(lower, extent, e.index(1), results, [&](Value index, ValueRange carried) {
    indices[vectorDim] = index;
    return cloneBody(carried, 0);
  });
}

//===----------------------------------------------------------------------===//
// Operands
//===----------------------------------------------------------------------===//

SmallVector<Value> GenericEmitter::addressOf(OpOperand &operand) {
  SmallVector<Value> address;
  for (AffineExpr expr : op.getMatchingIndexingMap(&operand).getResults()) {
    if (auto dim = dyn_cast<AffineDimExpr>(expr))
      address.push_back(indices[dim.getPosition()]);
    else if (auto constant = dyn_cast<AffineConstantExpr>(expr))
      address.push_back(e.index(constant.getValue()));
    else
      address.push_back(e.builder.create<affine::AffineApplyOp>(
          e.loc, AffineMap::get(indices.size(), 0, expr), indices));
  }
  return address;
}

Value GenericEmitter::load(OpOperand &operand, int64_t lanes) {
  Value source = operand.get();
  auto type = dyn_cast<MemRefType>(source.getType());
  if (!type)
    return source;
  SmallVector<Value> address = addressOf(operand);
  if (lanes > 0 && accessOf(operand, vectorDim) == Access::Contiguous)
    return e.builder.create<vector::LoadOp>(e.loc, VectorType::get({lanes}, type.getElementType()),
                                            source, address);
  return e.builder.create<memref::LoadOp>(e.loc, source, address);
}

void GenericEmitter::store(OpOperand &operand, Value value, int64_t lanes) {
  SmallVector<Value> address = addressOf(operand);
  if (lanes > 0 && accessOf(operand, vectorDim) == Access::Contiguous)
    e.builder.create<vector::StoreOp>(e.loc, widened(value, lanes), operand.get(), address);
  else
    e.builder.create<memref::StoreOp>(e.loc, value, operand.get(), address);
}

SmallVector<Value> GenericEmitter::loadOutputs(int64_t lanes) {
  SmallVector<Value> values;
  for (OpOperand &operand : op.getDpsInitsMutable()) {
    // An output that the body does not read has no defined content yet.
    bool isRead = op.payloadUsesValueFromOperand(&operand);
    values.push_back(isRead ? load(operand, lanes) : Value());
  }
  if (llvm::is_contained(values, Value()) && !reductions.empty())
    for (auto [value, operand] : llvm::zip_equal(values, op.getDpsInitsMutable()))
      if (!value)
        value = load(operand, lanes);
  return values;
}

//===----------------------------------------------------------------------===//
// The body
//===----------------------------------------------------------------------===//

Value GenericEmitter::widened(Value value, int64_t lanes) {
  if (lanes == 0 || isa<VectorType>(value.getType()))
    return value;
  return e.builder.create<vector::BroadcastOp>(e.loc, VectorType::get({lanes}, value.getType()),
                                               value);
}

/// The body for one point or for `lanes` consecutive ones. What is the same in
/// all lanes stays scalar.
SmallVector<Value> GenericEmitter::cloneBody(ValueRange accumulators, int64_t lanes) {
  IRMapping map;
  for (OpOperand *operand : op.getDpsInputOperands()) {
    BlockArgument argument = op.getMatchingBlockArgument(operand);
    if (!argument.use_empty())
      map.map(argument, load(*operand, lanes));
  }
  for (auto [argument, value] : llvm::zip_equal(op.getRegionOutputArgs(), accumulators))
    if (value)
      map.map(argument, value);
  for (Operation &inner : op.getBlock()->without_terminator())
    map.map(inner.getResult(0), cloneOperation(inner, map, lanes));
  SmallVector<Value> results;
  for (auto [index, yielded] : llvm::enumerate(op.getBlock()->getTerminator()->getOperands())) {
    Value value = map.lookupOrDefault(yielded);
    // A reduction carries vectors from iteration to iteration.
    if (accumulators[index] && isa<VectorType>(accumulators[index].getType()))
      value = widened(value, lanes);
    results.push_back(value);
  }
  return results;
}

/// Reads a number where there may be none: places outside are replaced by the first, which an
/// empty array does not have, and its memory may be nowhere.
Value GenericEmitter::loadIfAny(memref::LoadOp load, Type type, llvm::function_ref<Value()> read) {
  Value isThere;
  for (auto [dim, index] : llvm::enumerate(load.getIndices())) {
    auto choice = index.getDefiningOp<arith::SelectOp>();
    if (!load.getMemRefType().isDynamicDim(dim) || !choice ||
        !isConstantIntValue(choice.getFalseValue(), 0))
      continue;
    Value some = e.less(e.index(0), e.dim(load.getMemRef(), static_cast<int64_t>(dim)));
    isThere = isThere ? e.both(isThere, some) : some;
  }
  if (!isThere)
    return read();
  return e.branch(
      isThere, {type}, [&] { return Emitter::Values{read()}; },
      [&] {
        TypedAttr zero = e.builder.getZeroAttr(type);
        return Emitter::Values{e.builder.create<arith::ConstantOp>(e.loc, zero)};
      })[0];
}

Value GenericEmitter::cloneOperation(Operation &inner, IRMapping &map, int64_t lanes) {
  if (auto index = dyn_cast<linalg::IndexOp>(inner)) {
    int64_t dim = index.getDim();
    if (lanes == 0 || dim != vectorDim)
      return indices[dim];
    auto type = VectorType::get({lanes}, e.builder.getIndexType());
    SmallVector<Attribute> steps;
    for (int64_t step = 0; step < lanes; ++step)
      steps.push_back(e.builder.getIndexAttr(step));
    Value offsets = e.builder.create<arith::ConstantOp>(e.loc, DenseElementsAttr::get(type, steps));
    return e.builder.create<arith::AddIOp>(e.loc, widened(indices[dim], lanes), offsets);
  }
  if (auto load = dyn_cast<memref::LoadOp>(inner)) {
    SmallVector<Value> address;
    bool varies = false;
    for (Value index : load.getIndices()) {
      Value mapped = map.lookupOrDefault(index);
      if (isa<VectorType>(mapped.getType())) {
        mapped = indices[vectorDim];
        varies = true;
      }
      address.push_back(mapped);
    }
    Type type = varies ? VectorType::get({lanes}, load.getType()) : load.getType();
    return loadIfAny(load, type, [&]() -> Value {
      if (varies)
        return e.builder.create<vector::LoadOp>(e.loc, type, load.getMemRef(), address);
      return e.builder.create<memref::LoadOp>(e.loc, load.getMemRef(), address);
    });
  }
  SmallVector<Value> operands;
  bool varies = false;
  for (Value operand : inner.getOperands()) {
    operands.push_back(map.lookupOrDefault(operand));
    varies |= isa<VectorType>(operands.back().getType());
  }
  Type type = inner.getResult(0).getType();
  if (varies) {
    for (Value &operand : operands)
      operand = widened(operand, lanes);
    type = VectorType::get({lanes}, type);
  }
  OperationState state(e.loc, inner.getName(), operands, type, inner.getAttrs());
  state.propertiesAttr = inner.getPropertiesAsAttribute();
  return e.builder.create(state)->getResult(0);
}

LogicalResult aft::emitGeneric(linalg::LinalgOp op, OpBuilder &builder, unsigned vectorBits) {
  return GenericEmitter(op, builder, vectorBits).run();
}

void aft::expandCopies(func::FuncOp function) {
  SmallVector<memref::CopyOp> copies;
  function.walk([&](memref::CopyOp copy) { copies.push_back(copy); });
  for (memref::CopyOp copy : copies) {
    OpBuilder builder(copy);
    linalg::makeMemRefCopyOp(builder, copy.getLoc(), copy.getSource(), copy.getTarget());
    copy.erase();
  }
}
