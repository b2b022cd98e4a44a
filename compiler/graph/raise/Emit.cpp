//===- Emit.cpp - Writes a recognised mixer -------------------------------===//

#include "compiler/graph/raise/Emit.h"

#include "compiler/graph/raise/Emitter.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

#include <cmath>

using namespace mlir;
using namespace aft;
using namespace aft::raise;

static SmallVector<int> flattened(ArrayRef<SmallVector<int>> groups) {
  SmallVector<int> order;
  for (const SmallVector<int> &group : groups)
    order.append(group.begin(), group.end());
  return order;
}

namespace {
/// The operands of the mixer that a match describes.
struct Operands {
  Value q, k, v, w, lengths;
};
} // namespace

/// With borders of a number.
static Value padded(Emitter &emitter, Value value, ArrayRef<OpFoldResult> low,
                    ArrayRef<OpFoldResult> high, double number = 0) {
  RewriterBase &rewriter = emitter.rewriter;
  auto type = cast<RankedTensorType>(value.getType());
  Value border = rewriter.create<arith::ConstantOp>(emitter.loc,
                                                    rewriter.getFloatAttr(emitter.element, number));
  SmallVector<int64_t> lows, highs;
  SmallVector<Value> dynamicLows, dynamicHighs;
  dispatchIndexOpFoldResults(low, dynamicLows, lows);
  dispatchIndexOpFoldResults(high, dynamicHighs, highs);
  Type result = tensor::PadOp::inferResultType(type, lows, highs);
  return rewriter.create<tensor::PadOp>(emitter.loc, result, value, low, high, border).getResult();
}

/// The band of the bias [T, T]: with borders of 0, its rows laid end to end and
/// cut one element later each.
static Value bandOf(Emitter &emitter, const MixerMatch &match, Value bias) {
  RewriterBase &rewriter = emitter.rewriter;
  Location loc = emitter.loc;
  int64_t before = match.window - 1, after = match.causal ? 0 : before, taps = before + after + 1;
  OpFoldResult length = emitter.extent(match.query), none = rewriter.getIndexAttr(0);
  AffineExpr t = rewriter.getAffineSymbolExpr(0);
  auto computed = [&](AffineExpr e) {
    return affine::makeComposedFoldedAffineApply(rewriter, loc, e, {length});
  };
  OpFoldResult left = rewriter.getIndexAttr(before), right = rewriter.getIndexAttr(after);
  Value wide = padded(emitter, bias, {none, left}, {none, right});
  Value flat =
      rewriter.create<tensor::CollapseShapeOp>(loc, wide, ArrayRef<ReassociationIndices>{{0, 1}});
  flat = padded(emitter, flat, {none}, {length});
  SmallVector<OpFoldResult> sizes = {length, computed(t + taps)};
  auto [shape, dynamicSizes] = decomposeMixedValues(sizes);
  Value shifted =
      rewriter.create<tensor::ExpandShapeOp>(loc, RankedTensorType::get(shape, emitter.element),
                                             flat, ArrayRef<ReassociationIndices>{{0, 1}}, sizes);
  OpFoldResult one = rewriter.getIndexAttr(1);
  SmallVector<OpFoldResult> starts = {none, none}, strides = {one, one};
  sizes[1] = rewriter.getIndexAttr(taps);
  return rewriter.create<tensor::ExtractSliceOp>(
      loc, RankedTensorType::get({shape[0], taps}, emitter.element), shifted, starts, sizes,
      strides);
}

/// The band of a bias that is a product u v', of which the matrix is not formed.
static Value factorisedBand(Emitter &emitter, const MixerMatch &match) {
  Value u = emitter.tensor(match.left->factors, /*adds=*/false, match.left->number,
                           {match.query, match.rank});
  Value v = emitter.tensor(match.right->factors, /*adds=*/false, 1, {match.key, match.rank});
  int64_t taps = match.causal ? match.window : 2 * match.window - 1;
  auto type =
      RankedTensorType::get({emitter.formulas.staticExtent(match.query), taps}, emitter.element);
  return emitter.rewriter
      .create<BandOp>(emitter.loc, TypeRange{type}, u, v, ValueRange(), match.window, match.causal)
      ->getResult(0);
}

/// The filter [heads, taps...]; causal ones end at distance 0, others reach as far
/// before a query as behind it. Where the bias has no taps it is 0.
static Value filterOf(Emitter &emitter, const MixerMatch &match) {
  RewriterBase &rewriter = emitter.rewriter;
  SmallVector<SmallVector<int>> groups = {match.filter->heads};
  SmallVector<OpFoldResult> low = {rewriter.getIndexAttr(0)}, high = low;
  for (const Filter::Axis &axis : match.filter->axes) {
    groups.push_back({axis.tap});
    int64_t reach = std::max({-axis.first, axis.last, int64_t(0)});
    low.push_back(rewriter.getIndexAttr(axis.first + reach));
    high.push_back(rewriter.getIndexAttr((match.causal ? 0 : reach) - axis.last));
  }
  Value taps = emitter.tensor(match.bias, /*adds=*/true, 0, flattened(groups));
  taps = emitter.grouped(taps, groups);
  auto isZero = [](OpFoldResult size) { return isConstantIntValue(size, 0); };
  if (llvm::all_of(low, isZero) && llvm::all_of(high, isZero))
    return taps;
  return padded(emitter, taps, low, high);
}

/// One place more in front of a dimension.
static Value extended(Emitter &emitter, Value value, int64_t dim, double number) {
  int64_t rank = cast<RankedTensorType>(value.getType()).getRank();
  SmallVector<OpFoldResult> none(rank, emitter.rewriter.getIndexAttr(0)), low = none;
  low[dim] = emitter.rewriter.getIndexAttr(1);
  return padded(emitter, value, low, none, number);
}

/// What is added to the denominator is the weight of a first key whose value is 0. Without a
/// bias there is a query for it, too, whose result is cut off.
static void addFirstKey(Emitter &emitter, double weight, Operands &operands) {
  operands.k = extended(emitter, operands.k, 1, std::log(weight));
  operands.v = extended(emitter, operands.v, 1, 0);
  if (operands.w)
    operands.w =
        extended(emitter, operands.w, cast<ShapedType>(operands.w.getType()).getRank() - 1, 0);
  else
    operands.q = extended(emitter, operands.q, 1, 0);
}

static Value withoutFirst(Emitter &emitter, Value value) {
  RewriterBase &rewriter = emitter.rewriter;
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(rewriter, emitter.loc, value);
  SmallVector<OpFoldResult> starts(3, rewriter.getIndexAttr(0)),
      strides(3, rewriter.getIndexAttr(1));
  starts[1] = strides[1];
  sizes[1] = affine::makeComposedFoldedAffineApply(rewriter, emitter.loc,
                                                   rewriter.getAffineSymbolExpr(0) - 1, {sizes[1]});
  return rewriter.create<tensor::ExtractSliceOp>(emitter.loc, value, starts, sizes, strides);
}

static Operands operandsOf(Emitter &emitter, const MixerMatch &match) {
  SmallVector<int> batch(match.batch), channels(match.channels);
  SmallVector<SmallVector<int>> valueGroups = {batch, match.positions(), channels};
  SmallVector<SmallVector<int>> queryGroups = {batch, match.queries(), channels};
  SmallVector<SmallVector<int>> keyGroups = valueGroups;
  if (match.filter)
    keyGroups[2] = match.filter->heads;
  Operands result;
  Value k = emitter.tensor(match.keys, /*adds=*/true, 0, flattened(keyGroups));
  Value v = emitter.tensor(match.values, /*adds=*/false, 1, flattened(valueGroups));
  result.k = emitter.grouped(k, keyGroups);
  result.v = emitter.grouped(v, valueGroups);
  if (match.gated) {
    Value q = emitter.tensor(Power{match.gated, 1}, true, 0, flattened(queryGroups));
    result.q = emitter.grouped(q, queryGroups);
  } else if (emitter.formulas.sameExtent(match.query, match.key)) {
    result.q = result.v;
  } else {
    Value like =
        emitter.grouped(emitter.empty(flattened(queryGroups), emitter.element), queryGroups);
    result.q = emitter.zeros(cast<RankedTensorType>(like.getType()),
                             tensor::getMixedSizes(emitter.rewriter, emitter.loc, like));
  }
  if (match.filter) {
    result.w = filterOf(emitter, match);
  } else if (match.left) {
    result.w = factorisedBand(emitter, match);
  } else if (!match.bias.empty()) {
    bool batched = llvm::any_of(match.bias, [&](const Power &bias) {
      return llvm::any_of(match.batch, [&](int var) { return has(bias.base, var); });
    });
    SmallVector<SmallVector<int>> groups = {{match.query}, {match.key}};
    if (batched)
      groups.insert(groups.begin(), batch);
    Value w = emitter.tensor(match.bias, /*adds=*/true, 0, flattened(groups));
    result.w = match.window ? bandOf(emitter, match, w) : emitter.grouped(w, groups);
  }
  if (match.lengths)
    result.lengths = match.lengths->tensor;
  if (match.fromEnd)
    for (Value *operand : {&result.q, &result.k, &result.v})
      *operand = createMirrored(emitter.rewriter, emitter.loc, *operand, 1);
  if (match.added)
    addFirstKey(emitter, *match.added, result);
  return result;
}

static RankedTensorType resultType(Emitter &emitter, const Operands &operands) {
  auto q = cast<RankedTensorType>(operands.q.getType()),
       v = cast<RankedTensorType>(operands.v.getType());
  // What one of them knows of the shape.
  SmallVector<int64_t> shape(v.getShape());
  shape[1] = q.getDimSize(1);
  for (int dim : {0, 2})
    if (ShapedType::isDynamic(shape[dim]))
      shape[dim] = q.getDimSize(dim);
  return RankedTensorType::get(shape, emitter.element);
}

static Value createMixer(Emitter &emitter, const MixerMatch &match, const Operands &operands) {
  RankedTensorType type = resultType(emitter, operands);
  OpBuilder &builder = emitter.rewriter;
  if (!operands.w)
    return builder
        .create<SimpleOp>(emitter.loc, TypeRange{type}, operands.q, operands.k, operands.v,
                          operands.lengths, ValueRange(), match.causal || match.fromEnd, match.gate)
        ->getResult(0);
  if (match.filter) {
    DenseI64ArrayAttr grid;
    if (!match.filter->grid.empty())
      grid = builder.getDenseI64ArrayAttr(match.filter->grid);
    else if (match.filter->axes.size() > 1)
      grid = builder.getDenseI64ArrayAttr(llvm::map_to_vector(
          match.filter->queries(), [&](int var) { return emitter.formulas.staticExtent(var); }));
    return builder
        .create<ConvOp>(emitter.loc, TypeRange{type}, operands.q, operands.k, operands.v,
                        operands.w, operands.lengths, ValueRange(), grid, match.causal, match.gate)
        ->getResult(0);
  }
  if (match.window)
    return builder
        .create<LocalOp>(emitter.loc, TypeRange{type}, operands.q, operands.k, operands.v,
                         operands.w, operands.lengths, ValueRange(), match.window, match.causal,
                         match.gate)
        ->getResult(0);
  return builder
      .create<FullOp>(emitter.loc, TypeRange{type}, operands.q, operands.k, operands.v, operands.w,
                      operands.lengths, ValueRange(), match.causal, match.gate)
      ->getResult(0);
}

Value aft::raise::shaped(Emitter &emitter, Value value, RankedTensorType wanted) {
  auto type = cast<RankedTensorType>(value.getType());
  if (type.getRank() != wanted.getRank()) {
    SmallVector<OpFoldResult> known = tensor::getMixedSizes(emitter.rewriter, emitter.loc, value);
    SmallVector<OpFoldResult> sizes;
    SmallVector<int64_t> shape;
    SmallVector<ReassociationIndices> groups(type.getRank());
    int64_t next = 0;
    for (int64_t dim = 0; dim < wanted.getRank(); ++dim) {
      bool unit = wanted.getDimSize(dim) == 1;
      // An extent of 1 belongs to the dimension before it, or to the first.
      groups[unit ? std::max<int64_t>(next - 1, 0) : next].push_back(dim);
      sizes.push_back(unit ? emitter.rewriter.getIndexAttr(1) : known[next]);
      shape.push_back(unit ? 1 : type.getDimSize(next));
      next += !unit;
    }
    value = emitter.rewriter.create<tensor::ExpandShapeOp>(
        emitter.loc, RankedTensorType::get(shape, type.getElementType()), value, groups, sizes);
  }
  if (value.getType() != wanted)
    value = emitter.rewriter.create<tensor::CastOp>(emitter.loc, wanted, value);
  return value;
}

/// The match at one of its heads.
static MixerMatch atHead(Formulas &formulas, const MixerMatch &match, int64_t number) {
  MixerMatch result = match;
  for (SmallVectorImpl<Power> *terms : {&result.keys, &result.bias, &result.values})
    for (Power &term : *terms)
      term = {formulas.at(term.base, match.head, number), term.power};
  if (match.gated)
    result.gated = formulas.at(match.gated, match.head, number);
  return result;
}

/// The mixer, or one for each head; and its result at `place`.
static Expr mixed(Emitter &emitter, const MixerMatch &match, Operation *&mixer) {
  SmallVector<SmallVector<int>> groups = {SmallVector<int>(match.batch), match.queries(),
                                          SmallVector<int>(match.channels)};
  Place place;
  for (int var : flattened(groups))
    place.push_back(Index::variable(var));
  auto created = [&](const MixerMatch &one) {
    Operands operands = operandsOf(emitter, one);
    Value value = createMixer(emitter, one, operands);
    mixer = value.getDefiningOp();
    if (one.added && !operands.w)
      value = withoutFirst(emitter, value);
    if (one.fromEnd)
      value = createMirrored(emitter.rewriter, emitter.loc, value, 1);
    return emitter.ungrouped(value, groups);
  };
  if (match.head < 0)
    return emitter.formulas.element(created(match), place);
  SmallVector<SmallVector<int>> single = {{}};
  for (const Index &index : place)
    single.push_back({index.var});
  SmallVector<Value> heads;
  for (int64_t head = 0; head < emitter.formulas.staticExtent(match.head); ++head)
    heads.push_back(emitter.grouped(created(atHead(emitter.formulas, match, head)), single));
  place.insert(place.begin(), Index::variable(match.head));
  Value all = emitter.rewriter.create<tensor::ConcatOp>(emitter.loc, 0, heads);
  return emitter.formulas.element(all, place);
}

static bool canWriteAll(Emitter &emitter, const MixerMatch &match) {
  Power gated = {match.gated, 1};
  return emitter.canWrite(match.keys) && emitter.canWrite(match.values) &&
         (match.left
              ? emitter.canWrite(match.left->factors) && emitter.canWrite(match.right->factors)
              : emitter.canWrite(match.bias)) &&
         (!match.gated || emitter.canWrite(gated)) && (!match.lengths || isPlain(match.lengths));
}

Emitted aft::raise::emitMixer(Formulas &formulas, const MixerMatch &match,
                              ArrayRef<SmallVector<int>> dims, Operation *root,
                              RewriterBase &rewriter, Miss &miss) {
  OpBuilder::InsertionGuard guard(rewriter);
  rewriter.setInsertionPoint(root);
  Emitter emitter(formulas, rewriter, root);
  if (!canWriteAll(emitter, match)) {
    miss = {"an operand lies in memory in a way that cannot be written as a view", true};
    return {};
  }
  if (!emitter.canWrite(match.rest)) {
    miss = {"a factor beside the mixer cannot be written on its own", true};
    return {};
  }
  emitter.chooseElement(match);
  Operation *mixer = nullptr;
  SmallVector<Power> factors = {{mixed(emitter, match, mixer), 1}};
  emitter.element = emitter.result;
  factors.append(match.rest.begin(), match.rest.end());
  Value result = emitter.tensor(factors, /*adds=*/false, match.number, flattened(dims));
  if (!dims.empty())
    result = emitter.grouped(result, dims);
  auto type = cast<RankedTensorType>(root->getResult(0).getType());
  return {mixer, shaped(emitter, result, type)};
}
