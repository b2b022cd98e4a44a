//===- Expression.cpp - Elements, their definitions and extents -----------===//

#include "compiler/graph/raise/Expression.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace aft::raise;

/// An attempt opens no more definitions; a mixer is made of a few dozen.
static constexpr int kSteps = 500;
/// A formula has no more nodes, as a tree.
static constexpr int kSize = 256;

//===----------------------------------------------------------------------===//
// Nodes
//===----------------------------------------------------------------------===//

int Formulas::newVariable(int64_t extent) {
  extents.push_back(extent);
  homes.emplace_back();
  return static_cast<int>(extents.size()) - 1;
}

Node *Formulas::make(Kind kind) {
  Node &node = nodes.emplace_back();
  node.kind = kind;
  return &node;
}

static Vars varsOf(const Index &index) {
  Vars vars = index.var >= 0 ? Vars(1) << index.var : 0;
  for (const Index &part : index.parts)
    vars |= varsOf(part);
  return vars;
}

Expr Formulas::element(Value tensor, Place place) {
  TypedAttr constant;
  if (matchPattern(tensor, m_Constant(&constant))) {
    auto dense = dyn_cast<SplatElementsAttr>(constant);
    if (dense)
      constant = dyn_cast<TypedAttr>(dense.getSplatValue<Attribute>());
    if (isa_and_nonnull<FloatAttr, IntegerAttr>(constant)) {
      Node *node = make(Kind::Number);
      node->number = constant;
      return node;
    }
  }
  Node *node = make(Kind::Element);
  node->tensor = tensor;
  for (const Index &index : place)
    node->vars |= varsOf(index);
  node->place = std::move(place);
  return node;
}

Expr Formulas::scalar(Operation *op, ArrayRef<Expr> operands) {
  int size = 1;
  for (Expr operand : operands)
    size += operand->size;
  if (size > kSize)
    return nullptr;
  Node *node = make(Kind::Scalar);
  node->op = op;
  node->size = size;
  node->operands.append(operands.begin(), operands.end());
  for (Expr operand : operands)
    node->vars |= operand->vars;
  return node;
}

Expr Formulas::sum(int var, Expr term, Operation *op) {
  Node *node = make(Kind::Sum);
  node->op = op;
  node->var = var;
  node->operands = {term};
  node->size = term->size + 1;
  node->vars = term->vars & ~(Vars(1) << var);
  return node;
}

bool aft::raise::same(Expr a, Expr b) {
  if (a == b)
    return true;
  if (a->kind != b->kind || a->vars != b->vars || a->operands.size() != b->operands.size() ||
      a->tensor != b->tensor || a->place != b->place || a->number != b->number || a->var != b->var)
    return false;
  if (a->kind == Kind::Scalar &&
      (a->op->getName() != b->op->getName() ||
       a->op->getAttrDictionary() != b->op->getAttrDictionary() ||
       a->op->getPropertiesAsAttribute() != b->op->getPropertiesAsAttribute() ||
       a->op->getResultTypes() != b->op->getResultTypes()))
    return false;
  return llvm::all_of(llvm::zip(a->operands, b->operands),
                      [](auto pair) { return same(std::get<0>(pair), std::get<1>(pair)); });
}

Expr aft::raise::stripped(Expr e) {
  while (is<arith::ExtFOp>(e) || is<arith::TruncFOp>(e))
    e = e->operands[0];
  return e;
}

std::optional<double> aft::raise::numberOf(Expr e) {
  e = stripped(e);
  if (e->kind != Kind::Number)
    return std::nullopt;
  if (auto real = dyn_cast<FloatAttr>(e->number))
    return real.getValueAsDouble();
  APInt integer = cast<IntegerAttr>(e->number).getValue();
  return integer.getBitWidth() == 1 ? integer.getZExtValue() : double(integer.getSExtValue());
}

bool aft::raise::isPlain(Expr e) {
  Vars seen = 0;
  for (const Index &index : e->place) {
    if (!index.isVariable() || seen >> index.var & 1)
      return false;
    seen |= Vars(1) << index.var;
  }
  return e->kind == Kind::Element;
}

static void rename(Index &index, int from, int to) {
  index.var = index.var == from ? to : index.var;
  for (Index &part : index.parts)
    rename(part, from, to);
}

Expr Formulas::renamed(Expr e, int from, int to) {
  if (!has(e, from))
    return e;
  Node *node = make(e->kind);
  *node = *e;
  node->vars = (e->vars & ~(Vars(1) << from)) | Vars(1) << to;
  node->var = e->var == from ? to : e->var;
  for (Index &index : node->place)
    rename(index, from, to);
  for (Expr &operand : node->operands)
    operand = renamed(operand, from, to);
  return node;
}

//===----------------------------------------------------------------------===//
// Extents
//===----------------------------------------------------------------------===//

static ExtentId idOf(OpFoldResult size) {
  if (std::optional<int64_t> number = getConstantIntValue(size))
    return {nullptr, *number};
  Value value = cast<Value>(size);
  if (auto dim = value.getDefiningOp<tensor::DimOp>())
    if (std::optional<int64_t> index = dim.getConstantIndex())
      return extentOf(dim.getSource(), *index);
  return {value.getAsOpaquePointer(), -1};
}

ExtentId aft::raise::extentOf(Value tensor, int64_t dim) {
  auto type = cast<RankedTensorType>(tensor.getType());
  if (!type.isDynamicDim(dim))
    return {nullptr, type.getDimSize(dim)};
  Operation *op = tensor.getDefiningOp();
  if (auto structured = dyn_cast_or_null<linalg::LinalgOp>(op))
    return extentOf(structured.getDpsInits()[cast<OpResult>(tensor).getResultNumber()], dim);
  if (auto empty = dyn_cast_or_null<tensor::EmptyOp>(op))
    return idOf(empty.getMixedSizes()[dim]);
  if (auto move = dyn_cast_or_null<tensor::CastOp>(op))
    return extentOf(move.getSource(), dim);
  if (auto expand = dyn_cast_or_null<tensor::ExpandShapeOp>(op)) {
    Builder builder(op->getContext());
    return idOf(
        getMixedValues(expand.getStaticOutputShape(), expand.getOutputShape(), builder)[dim]);
  }
  if (auto collapse = dyn_cast_or_null<tensor::CollapseShapeOp>(op)) {
    int64_t only = -1, count = 0;
    for (int64_t source : collapse.getReassociationIndices()[dim])
      if (collapse.getSrcType().getDimSize(source) != 1) {
        only = source;
        ++count;
      }
    if (count == 1)
      return extentOf(collapse.getSrc(), only);
  }
  if (auto slice = dyn_cast_or_null<tensor::ExtractSliceOp>(op))
    if (slice.getSourceType().getRank() == type.getRank())
      return idOf(slice.getMixedSizes()[dim]);
  return {tensor.getAsOpaquePointer(), dim};
}

void Formulas::note(int var, Value tensor, int64_t dim) {
  homes[var].push_back({tensor, dim});
  int64_t extent = cast<RankedTensorType>(tensor.getType()).getDimSize(dim);
  if (!ShapedType::isDynamic(extent))
    extents[var] = extent;
}

bool Formulas::sameExtent(int a, int b) const {
  return llvm::any_of(homes[a], [&](auto one) {
    ExtentId id = extentOf(one.first, one.second);
    return llvm::any_of(homes[b],
                        [&](auto other) { return id == extentOf(other.first, other.second); });
  });
}

void Formulas::unify(int a, int b) {
  homes[a].append(homes[b].begin(), homes[b].end());
  homes[b] = homes[a];
  if (ShapedType::isDynamic(extents[a]))
    extents[a] = extents[b];
  extents[b] = extents[a];
}

//===----------------------------------------------------------------------===//
// Structured operations
//===----------------------------------------------------------------------===//

static bool isZeroFill(Value init) {
  Value value = init;
  if (auto fill = init.getDefiningOp<linalg::LinalgOp>()) {
    if (fill->getNumResults() != 1 || fill.getNumReductionLoops() != 0)
      return false;
    value = fill.getBlock()->getTerminator()->getOperand(0);
    auto argument = dyn_cast<BlockArgument>(value);
    if (argument && argument.getOwner() == fill.getBlock())
      value = fill.getMatchingOpOperand(argument)->get();
  }
  return matchPattern(value, m_AnyZeroFloat()) || matchPattern(value, m_Zero());
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
      return loop.var >= 0 && loop.offset == 0 ? formulas.variable(loop.var) : nullptr;
    }
    if (def->getNumRegions() != 0 || def->getNumResults() != 1 || isa<tensor::ExtractOp>(def))
      return nullptr;
    SmallVector<Expr> operands;
    for (Value operand : def->getOperands()) {
      operands.push_back(read(operand));
      if (!operands.back())
        return nullptr;
    }
    return formulas.scalar(def, operands);
  }
};
} // namespace

Expr Formulas::openStructured(linalg::LinalgOp op, const Place &place) {
  if (!op.hasPureTensorSemantics() || op.getNumDpsInits() != 1 || op.getNumLoops() > 8)
    return nullptr;
  OpOperand *init = op.getDpsInitOperand(0);
  AffineMap result = op.getMatchingIndexingMap(init);
  if (!result.isProjectedPermutation())
    return nullptr;
  SmallVector<Index> loops(op.getNumLoops());
  SmallVector<bool> set(op.getNumLoops());
  for (auto [expr, index] : llvm::zip(result.getResults(), place)) {
    loops[cast<AffineDimExpr>(expr).getPosition()] = index;
    set[cast<AffineDimExpr>(expr).getPosition()] = true;
  }
  SmallVector<int64_t, 4> ranges = op.getStaticLoopRanges();
  SmallVector<utils::IteratorType> kinds = op.getIteratorTypesArray();
  SmallVector<int> summed;
  for (unsigned loop = 0; loop < loops.size(); ++loop)
    if (set[loop] != (kinds[loop] == utils::IteratorType::parallel))
      return nullptr;
    else if (!set[loop] && ranges[loop] != 1) {
      if (count() >= kMaxVariables)
        return nullptr;
      loops[loop] = Index::variable(newVariable(ranges[loop]));
      summed.push_back(loops[loop].var);
    }
  for (OpOperand &operand : op->getOpOperands())
    if (std::optional<Place> at = placed(op.getMatchingIndexingMap(&operand), loops))
      for (auto [dim, index] : llvm::enumerate(*at))
        if (index.isVariable())
          note(index.var, operand.get(), dim);
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

Expr Formulas::variable(int var) {
  Node *node = make(Kind::Variable);
  node->var = var;
  node->vars = Vars(1) << var;
  return node;
}

//===----------------------------------------------------------------------===//
// Views
//===----------------------------------------------------------------------===//

static Index joined(ArrayRef<Index> indices, ArrayRef<int64_t> extents) {
  Index all;
  for (auto [index, extent] : llvm::zip(indices, extents))
    if (extent != 1) {
      all.parts.push_back(index);
      all.extents.push_back(extent);
    }
  if (all.parts.empty())
    return {};
  return all.parts.size() == 1 ? all.parts[0] : all;
}

/// The places along the dimensions that a collapsed one consists of.
static std::optional<Place> split(const Index &index, ArrayRef<int64_t> extents) {
  SmallVector<int64_t> wide;
  for (int64_t extent : extents)
    if (extent != 1)
      wide.push_back(extent);
  Place place(extents.size());
  if (wide.empty())
    return place;
  bool single = wide.size() == 1;
  // All but the outermost extent must be known and equal; it follows then.
  if (!single && (index.parts.size() != wide.size() ||
                  ArrayRef(wide).drop_front() != ArrayRef(index.extents).drop_front() ||
                  llvm::any_of(ArrayRef(wide).drop_front(), ShapedType::isDynamic)))
    return std::nullopt;
  unsigned next = 0;
  for (auto [dim, extent] : llvm::enumerate(extents))
    if (extent != 1)
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
    bool whole = idOf(slice.getMixedSizes()[dim]) == extentOf(slice.getSource(), dim);
    if (!whole && !index.parts.empty())
      return nullptr;
    index.offset += *offset;
    index.partial |= !whole;
    at.push_back(index);
  }
  return formulas.element(slice.getSource(), at);
}

static Expr openConcat(Formulas &formulas, tensor::ConcatOp concat, Place place) {
  Index &index = place[concat.getDim()];
  int64_t extent = index.var < 0 ? 1 : formulas.staticExtent(index.var);
  if (!index.parts.empty() || ShapedType::isDynamic(extent))
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

Expr Formulas::openView(Operation *op, const Place &place) {
  if (auto move = dyn_cast<tensor::CastOp>(op))
    return element(move.getSource(), place);
  if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op))
    return openSlice(*this, slice, place);
  if (auto concat = dyn_cast<tensor::ConcatOp>(op))
    return openConcat(*this, concat, place);
  Place at;
  if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op)) {
    for (const ReassociationIndices &group : expand.getReassociationIndices()) {
      ArrayRef<int64_t> extents =
          expand.getResultType().getShape().slice(group.front(), group.size());
      at.push_back(joined(ArrayRef(place).slice(group.front(), group.size()), extents));
    }
    return element(expand.getSrc(), at);
  }
  if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op)) {
    for (auto [dim, group] : llvm::enumerate(collapse.getReassociationIndices())) {
      std::optional<Place> parts =
          split(place[dim], collapse.getSrcType().getShape().slice(group.front(), group.size()));
      if (!parts)
        return nullptr;
      at.append(*parts);
    }
    return element(collapse.getSrc(), at);
  }
  return nullptr;
}

Expr Formulas::open(Expr e) {
  if (e->kind != Kind::Element || !isa<RankedTensorType>(e->tensor.getType()) || ++steps > kSteps)
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
