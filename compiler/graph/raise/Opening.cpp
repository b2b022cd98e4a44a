//===- Opening.cpp - What the element of a tensor is computed as -----------===//

#include "compiler/graph/raise/Expression.h"
#include "dialect/ir/AFT.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace aft::raise;

//===----------------------------------------------------------------------===//
// Structured operations
//===----------------------------------------------------------------------===//

/// What a tensor is filled with; the tensor itself where that is not known.
static Value filledWith(Value init) {
  auto fill = init.getDefiningOp<linalg::LinalgOp>();
  if (!fill || fill->getNumResults() != 1 || fill.getNumReductionLoops() != 0)
    return init;
  Value value = fill.getBlock()->getTerminator()->getOperand(0);
  auto argument = dyn_cast<BlockArgument>(value);
  return argument && argument.getOwner() == fill.getBlock()
             ? fill.getMatchingOpOperand(argument)->get()
             : value;
}

static bool isZeroFill(Value init) {
  Value value = filledWith(init);
  return matchPattern(value, m_AnyZeroFloat()) || matchPattern(value, m_Zero());
}

/// Whether no number is below it.
static bool isLowestFill(Value init) {
  FloatAttr number;
  SplatElementsAttr all;
  Value value = filledWith(init);
  if (matchPattern(value, m_Constant(&all)))
    number = dyn_cast<FloatAttr>(all.getSplatValue<Attribute>());
  else
    matchPattern(value, m_Constant(&number));
  return number && number.getValue().isNegative() &&
         (number.getValue().isInfinity() || number.getValue().isLargest());
}

/// The place of an operand when the loops stand at `loops`.
static std::optional<Place> placed(AffineMap map, ArrayRef<Index> loops) {
  Place place;
  for (AffineExpr result : map.getResults()) {
    if (auto loop = dyn_cast<AffineDimExpr>(result))
      place.push_back(loops[loop.getPosition()]);
    else if (auto number = dyn_cast<AffineConstantExpr>(result))
      place.push_back(Index::number(number.getValue()));
    else
      return std::nullopt;
  }
  return place;
}

namespace {
/// Reads the body of a structured operation as a formula.
struct BodyReader {
  Formulas &formulas;
  linalg::LinalgOp op;
  ArrayRef<Index> loops;
  DenseMap<Value, Expr> known;

  Expr read(Value value) {
    if (Expr e = known.lookup(value))
      return e;
    Expr e = compute(value);
    known[value] = e;
    return e;
  }

  Expr compute(Value value) {
    if (auto argument = dyn_cast<BlockArgument>(value);
        argument && argument.getOwner() == op.getBlock()) {
      OpOperand *operand = op.getMatchingOpOperand(argument);
      std::optional<Place> place = placed(op.getMatchingIndexingMap(operand), loops);
      return place ? formulas.element(operand->get(), *place) : nullptr;
    }
    Operation *def = value.getDefiningOp();
    if (!def || def->getBlock() != op.getBlock() || isa<arith::ConstantOp>(def))
      return formulas.element(value, {});
    if (auto index = dyn_cast<linalg::IndexOp>(def)) {
      const Index &loop = loops[index.getDim()];
      return loop.var >= 0 && loop.minus < 0 && loop.offset == 0 ? formulas.variable(loop.var)
                                                                 : nullptr;
    }
    if (def->getNumRegions() != 0 || def->getNumResults() != 1)
      return nullptr;
    auto extract = dyn_cast<tensor::ExtractOp>(def);
    SmallVector<Expr> operands;
    for (Value operand : extract ? ValueRange(extract.getIndices()) : def->getOperands()) {
      operands.push_back(read(operand));
      if (!operands.back())
        return nullptr;
    }
    return extract ? formulas.lookup(extract.getTensor(), operands)
                   : formulas.scalar(def, operands);
  }
};
} // namespace

/// Where the loops stand at a place of the result; those that are reduced get variables.
bool Formulas::enterLoops(linalg::LinalgOp op, const Place &place, SmallVectorImpl<Index> &loops,
                          SmallVectorImpl<int> &summed) {
  AffineMap result = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  if (!result.isProjectedPermutation())
    return false;
  loops.resize(op.getNumLoops());
  SmallVector<bool> set(op.getNumLoops());
  for (auto [expr, index] : llvm::zip(result.getResults(), place)) {
    loops[cast<AffineDimExpr>(expr).getPosition()] = index;
    set[cast<AffineDimExpr>(expr).getPosition()] = true;
  }
  SmallVector<int64_t, 4> ranges = op.getStaticLoopRanges();
  SmallVector<utils::IteratorType> kinds = op.getIteratorTypesArray();
  for (unsigned loop = 0; loop < loops.size(); ++loop)
    if (set[loop] != (kinds[loop] == utils::IteratorType::parallel))
      return false;
    else if (!set[loop] && ranges[loop] != 1) {
      if (count() >= kMaxVariables)
        return false;
      loops[loop] = Index::variable(newVariable(ranges[loop]));
      summed.push_back(loops[loop].var);
    }
  for (OpOperand &operand : op->getOpOperands())
    if (std::optional<Place> at = placed(op.getMatchingIndexingMap(&operand), loops))
      for (auto [dim, index] : llvm::enumerate(*at))
        if (index.isVariable())
          note(index.var, operand.get(), dim);
  return true;
}

Expr Formulas::openStructured(linalg::LinalgOp op, const Place &place) {
  if (!op.hasPureTensorSemantics() || op.getNumDpsInits() != 1 || op.getNumLoops() > 8)
    return nullptr;
  if (Expr convolved = openTaps(op, place))
    return convolved;
  if (std::optional<MirrorForm> form = mirrorFormOf(op))
    return openMirror(op, *form, place);
  SmallVector<Index> loops;
  SmallVector<int> summed;
  if (!enterLoops(op, place, loops, summed))
    return nullptr;
  OpOperand *init = op.getDpsInitOperand(0);
  BodyReader reader{*this, op, loops, DenseMap<Value, Expr>()};
  Value yielded = op.getBlock()->getTerminator()->getOperand(0);
  if (op.getNumReductionLoops() == 0)
    return reader.read(yielded);
  // acc + term
  auto add = yielded.getDefiningOp<arith::AddFOp>();
  BlockArgument acc = op.getMatchingBlockArgument(init);
  if (!add || !acc.hasOneUse() || !isZeroFill(init->get()))
    return nullptr;
  Value term = add.getLhs() == acc ? add.getRhs() : add.getLhs();
  if (term == acc || (add.getLhs() != acc && add.getRhs() != acc))
    return nullptr;
  Expr e = reader.read(term);
  for (int var : summed)
    e = e ? sum(var, e, op) : nullptr;
  return e;
}

Expr Formulas::openMaximum(Expr e, SmallVectorImpl<int> &vars) {
  auto op = e->kind == Kind::Element && isa<RankedTensorType>(e->tensor.getType())
                ? e->tensor.getDefiningOp<linalg::LinalgOp>()
                : linalg::LinalgOp();
  if (!op || op->getBlock() != block || !op.hasPureTensorSemantics() || op.getNumDpsInits() != 1 ||
      op.getNumLoops() > 8 || op.getNumReductionLoops() == 0)
    return nullptr;
  Operation *last = op.getBlock()->getTerminator()->getOperand(0).getDefiningOp();
  BlockArgument acc = op.getMatchingBlockArgument(op.getDpsInitOperand(0));
  if (!last || !isa<arith::MaximumFOp, arith::MaxNumFOp>(last) || !acc.hasOneUse() ||
      !llvm::is_contained(last->getOperands(), acc) || !isLowestFill(op.getDpsInits()[0]))
    return nullptr;
  SmallVector<Index> loops;
  if (!enterLoops(op, e->place, loops, vars))
    return nullptr;
  BodyReader reader{*this, op, loops, DenseMap<Value, Expr>()};
  return reader.read(last->getOperand(last->getOperand(0) == acc ? 1 : 0));
}

/// A flipped tensor at a place is the tensor at the place as far from its end.
Expr Formulas::openMirror(linalg::LinalgOp op, const MirrorForm &form, const Place &place) {
  AffineMap read = op.getMatchingIndexingMap(op.getDpsInputOperand(0)),
            written = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  Builder builder(op.getContext());
  unsigned from = *read.getResultPosition(builder.getAffineDimExpr(form.summed)),
           to = *written.getResultPosition(builder.getAffineDimExpr(form.place));
  Value input = op.getDpsInputs()[0];
  ExtentId extent = extentIdOf(form.extent);
  Index index = place[to];
  if (!mirrors || count() >= kMaxVariables || !(extentOf(input, from) == extent) ||
      !(extentOf(op->getResult(0), to) == extent))
    return nullptr;
  if (index.isVariable()) {
    note(index.var, op->getResult(0), to);
    index.var = mirrored(index.var);
    note(index.var, input, from);
  } else if (index.var < 0 && index.parts.empty() && extent.isNumber()) {
    index.offset = extent.number - 1 - index.offset;
  } else {
    return nullptr;
  }
  SmallVector<Index> loops(op.getNumLoops());
  for (auto [expr, own] : llvm::zip(written.getResults(), place))
    loops[cast<AffineDimExpr>(expr).getPosition()] = own;
  loops[form.summed] = index;
  return element(input, *placed(read, loops));
}

//===----------------------------------------------------------------------===//
// Views
//===----------------------------------------------------------------------===//

static bool isOne(ExtentId extent) { return extent == ExtentId{nullptr, 1}; }

static Index joined(ArrayRef<Index> indices, ArrayRef<ExtentId> extents) {
  Index all;
  for (auto [index, extent] : llvm::zip(indices, extents))
    if (!isOne(extent)) {
      all.parts.push_back(index);
      all.extents.push_back(extent);
    }
  if (all.parts.empty())
    return {};
  return all.parts.size() == 1 ? all.parts[0] : all;
}

/// The places along the dimensions that a collapsed one consists of.
static std::optional<Place> split(const Index &index, ArrayRef<ExtentId> extents) {
  SmallVector<ExtentId> wide;
  for (ExtentId extent : extents)
    if (!isOne(extent))
      wide.push_back(extent);
  Place place(extents.size());
  if (wide.empty())
    return place;
  bool single = wide.size() == 1;
  // All but the outermost extent must be equal; it follows then.
  if (!single && (index.parts.size() != wide.size() ||
                  ArrayRef(wide).drop_front() != ArrayRef(index.extents).drop_front()))
    return std::nullopt;
  unsigned next = 0;
  for (auto [dim, extent] : llvm::enumerate(extents))
    if (!isOne(extent))
      place[dim] = single ? index : index.parts[next++];
  return place;
}

static Expr openSlice(Formulas &formulas, tensor::ExtractSliceOp slice, const Place &place) {
  llvm::SmallBitVector dropped = slice.getDroppedDims();
  Place at;
  unsigned next = 0;
  for (int64_t dim = 0; dim < slice.getSourceType().getRank(); ++dim) {
    std::optional<int64_t> offset = getConstantIntValue(slice.getMixedOffsets()[dim]);
    if (!offset || getConstantIntValue(slice.getMixedStrides()[dim]) != 1)
      return nullptr;
    Index index = dropped[dim] ? Index() : place[next++];
    bool whole = extentIdOf(slice.getMixedSizes()[dim]) == extentOf(slice.getSource(), dim);
    if (*offset != 0 && !index.parts.empty())
      return nullptr;
    index.offset += *offset;
    index.partial |= !whole;
    int64_t extent = slice.getSourceType().getDimSize(dim);
    if (index.var >= 0 && index.minus < 0 && !ShapedType::isDynamic(extent))
      formulas.noteBelow(index.var, extent - index.offset);
    at.push_back(index);
  }
  return formulas.element(slice.getSource(), at);
}

static Expr openConcat(Formulas &formulas, tensor::ConcatOp concat, Place place) {
  Index &index = place[concat.getDim()];
  int64_t extent = index.var < 0 ? 1 : formulas.staticExtent(index.var);
  if (!index.parts.empty() || index.minus >= 0 || ShapedType::isDynamic(extent))
    return nullptr;
  for (Value input : concat.getInputs()) {
    int64_t size = cast<RankedTensorType>(input.getType()).getDimSize(concat.getDim());
    if (ShapedType::isDynamic(size))
      return nullptr;
    index.partial = index.var >= 0 && extent != size;
    if (index.offset >= 0 && index.offset + extent <= size)
      return formulas.element(input, place);
    index.offset -= size;
  }
  return nullptr;
}

/// Rows of a table: their places are those that the ids name.
static Expr openEmbedding(Formulas &formulas, aft::EmbeddingOp op, Place place) {
  const Index channel = place.pop_back_val();
  if (channel.minus >= 0 || channel.offset != 0 || !channel.parts.empty())
    return nullptr;
  Expr id = formulas.element(op.getIds(), place);
  return formulas.lookup(op.getTable(), {id, formulas.index(channel)});
}

Expr Formulas::openView(Operation *op, const Place &place) {
  if (auto move = dyn_cast<tensor::CastOp>(op))
    return element(move.getSource(), place);
  if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op))
    return openSlice(*this, slice, place);
  if (auto concat = dyn_cast<tensor::ConcatOp>(op))
    return openConcat(*this, concat, place);
  if (auto embedding = dyn_cast<aft::EmbeddingOp>(op))
    return openEmbedding(*this, embedding, place);
  Place at;
  if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op)) {
    for (const ReassociationIndices &group : expand.getReassociationIndices()) {
      auto extents = llvm::map_to_vector(
          group, [&](int64_t dim) { return extentOf(expand.getResult(), dim); });
      at.push_back(joined(ArrayRef(place).slice(group.front(), group.size()), extents));
    }
    return element(expand.getSrc(), at);
  }
  if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op)) {
    // A scalar is in no group of dimensions, though its source may have some, of extent 1.
    if (place.empty())
      at.resize(collapse.getSrcType().getRank());
    for (auto [dim, group] : llvm::enumerate(collapse.getReassociationIndices())) {
      auto extents = llvm::map_to_vector(
          group, [&](int64_t source) { return extentOf(collapse.getSrc(), source); });
      std::optional<Place> parts = split(place[dim], extents);
      if (!parts)
        parts = divided(place[dim], extents);
      if (!parts && place[dim].isVariable() &&
          llvm::all_of(extents, [](ExtentId extent) { return extent.isNumber(); }))
        for (ExtentId extent : splits.contains(place[dim].var) ? ArrayRef<ExtentId>() : extents)
          splits[place[dim].var].push_back(extent.number);
      if (!parts)
        return nullptr;
      at.append(*parts);
    }
    return element(collapse.getSrc(), at);
  }
  return nullptr;
}

Expr Formulas::open(Expr e) {
  if (e->kind != Kind::Element || !isa<RankedTensorType>(e->tensor.getType()) || ++steps > limit)
    return nullptr;
  Operation *op = e->tensor.getDefiningOp();
  if (!op || op->getBlock() != block)
    return nullptr;
  Expr result = nullptr;
  if (auto structured = dyn_cast<linalg::LinalgOp>(op))
    result = openStructured(structured, e->place);
  else
    result = openView(op, e->place);
  if (!result)
    return nullptr;
  for (auto [dim, index] : llvm::enumerate(e->place))
    if (index.isVariable())
      note(index.var, e->tensor, dim);
  opened.insert(op);
  return result;
}
