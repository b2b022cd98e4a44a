//===- ScanEmission.cpp - Running sums in one walk --------------------------===//

#include "compiler/vector/GenericEmission.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace aft;

namespace {

/// Emits one running sum. Sums of narrower floats are kept in f64, so that their error does
/// not grow with their number.
class ScanEmitter : public GenericEmitter {
public:
  ScanEmitter(linalg::LinalgOp op, const ScanForm &form, OpBuilder &builder, unsigned vectorBits)
      : GenericEmitter(op, builder, vectorBits), form(form) {}
  LogicalResult run();

private:
  void chooseLanes();
  void emitOthers(ArrayRef<int64_t> dims);
  void emitLanes(Value lower, Value upper, int64_t lanes);
  void emitSum(int64_t lanes);
  Value added(Value sum, Value place, int64_t lanes);
  void finish(Value sum, Value place, int64_t lanes);
  Type sumType(int64_t lanes);

  const ScanForm &form;
};

} // namespace

/// A loop through which all operands run contiguously, or not at all.
void ScanEmitter::chooseLanes() {
  for (int64_t dim = 0; dim < static_cast<int64_t>(iterators.size()); ++dim)
    if (dim != form.place && dim != form.summed && getConstantIntValue(extents[dim]) != 1 &&
        canVectorize(dim))
      vectorDim = dim;
}

LogicalResult ScanEmitter::run() {
  if (failed(prepare()))
    return failure();
  chooseLanes();
  SmallVector<int64_t> others;
  for (int64_t dim = 0; dim < static_cast<int64_t>(iterators.size()); ++dim)
    if (dim != form.place && dim != form.summed && dim != vectorDim)
      others.push_back(dim);
  emitOthers(others);
  return success();
}

void ScanEmitter::emitOthers(ArrayRef<int64_t> dims) {
  if (!dims.empty())
    return e.loop(e.index(0), extents[dims.front()], e.index(1), [&](Value index) {
      indices[dims.front()] = index;
      emitOthers(dims.drop_front());
    });
  if (vectorDim < 0)
    return emitSum(0);
  Value whole = e.roundDown(extents[vectorDim], lanes());
  emitLanes(e.index(0), whole, lanes());
  emitLanes(whole, extents[vectorDim], 0);
}

void ScanEmitter::emitLanes(Value lower, Value upper, int64_t lanes) {
  e.loop(lower, upper, e.index(std::max<int64_t>(lanes, 1)), [&](Value index) {
    indices[vectorDim] = index;
    emitSum(lanes);
  });
}

Type ScanEmitter::sumType(int64_t lanes) {
  Type element = getElementTypeOrSelf(op.getDpsInits()[0].getType());
  return e.typeOf(isa<FloatType>(element) ? e.builder.getF64Type() : element, lanes);
}

/// The sum with the term of a place.
Value ScanEmitter::added(Value sum, Value place, int64_t lanes) {
  indices[form.summed] = indices[form.place] = place;
  IRMapping map;
  for (OpOperand *operand : op.getDpsInputOperands()) {
    BlockArgument argument = op.getMatchingBlockArgument(operand);
    if (!argument.use_empty())
      map.map(argument, load(*operand, lanes));
  }
  map.map(form.condition, e.builder.create<arith::ConstantOp>(e.loc, e.builder.getBoolAttr(true)));
  for (Operation &inner : op.getBlock()->without_terminator())
    if (!map.contains(inner.getResult(0)) && &inner != combiners[0])
      map.map(inner.getResult(0), cloneOperation(inner, map, lanes));
  Value term = widened(map.lookupOrDefault(form.term), lanes);
  if (isa<FloatType>(getElementTypeOrSelf(term.getType())))
    term = e.convert(term, getElementTypeOrSelf(sum.getType()));
  return combine(combiners[0], sum, term);
}

/// Adds a sum to the result at a place.
void ScanEmitter::finish(Value sum, Value place, int64_t lanes) {
  indices[form.place] = place;
  OpOperand &init = *op.getDpsInitOperand(0);
  Value before = load(init, lanes);
  if (isa<FloatType>(getElementTypeOrSelf(sum.getType())))
    sum = e.convert(sum, getElementTypeOrSelf(before.getType()));
  store(init, combine(combiners[0], before, sum), lanes);
}

/// Places that only terms or only results have are walked on their own.
void ScanEmitter::emitSum(int64_t lanes) {
  Value terms = extents[form.summed], places = extents[form.place];
  Value both = e.min(terms, places), none = e.index(0), one = e.index(1);
  Type type = sumType(lanes);
  Value zero = e.builder.create<arith::ConstantOp>(e.loc, e.builder.getZeroAttr(type));
  auto mirrored = [&](Value i, Value end) { return e.sub(e.sub(end, one), i); };
  auto walk = [&](Value start) {
    return e.loop(none, both, one, start, [&](Value i, ValueRange carried) {
      Value place = form.fromEnd ? mirrored(i, both) : i, sum = carried[0];
      if (!form.inclusive)
        finish(sum, place, lanes);
      sum = added(sum, place, lanes);
      if (form.inclusive)
        finish(sum, place, lanes);
      return Emitter::Values{sum};
    })[0];
  };
  if (!form.fromEnd) {
    Value all = walk(zero);
    return e.loop(both, places, one, [&](Value place) { finish(all, place, lanes); });
  }
  Value behind = e.loop(none, e.sub(terms, both), one, zero, [&](Value i, ValueRange carried) {
    return Emitter::Values{added(carried[0], mirrored(i, terms), lanes)};
  })[0];
  walk(behind);
}

LogicalResult aft::emitScan(linalg::LinalgOp op, const ScanForm &form, OpBuilder &builder,
                            unsigned vectorBits) {
  return ScanEmitter(op, form, builder, vectorBits).run();
}
