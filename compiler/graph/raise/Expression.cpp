//===- Expression.cpp - Formulas and the extents of their variables --------===//

#include "compiler/graph/raise/Expression.h"

#include "compiler/graph/raise/Distances.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

#include <limits>

using namespace mlir;
using namespace aft::raise;

/// A formula has no more nodes, as a tree.
static constexpr int kSize = 256;

//===----------------------------------------------------------------------===//
// Nodes
//===----------------------------------------------------------------------===//

int Formulas::newVariable(int64_t extent) {
  extents.push_back(extent);
  opposites.push_back(-1);
  bounds.push_back(ShapedType::isDynamic(extent) ? std::numeric_limits<int64_t>::max() : extent);
  homes.emplace_back();
  return static_cast<int>(extents.size()) - 1;
}

int Formulas::mirrored(int var) {
  if (opposites[var] < 0) {
    int opposite = newVariable(extents[var]);
    opposites[var] = opposite;
    opposites[opposite] = var;
    homes[opposite] = homes[var];
  }
  return opposites[var];
}

Node *Formulas::make(Kind kind) {
  Node &node = nodes.emplace_back();
  node.kind = kind;
  return &node;
}

Vars aft::raise::varsOf(const Index &index) {
  Vars vars = index.var >= 0 ? Vars(1) << index.var : 0;
  vars |= index.minus >= 0 ? Vars(1) << index.minus : 0;
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

Expr Formulas::variable(int var) {
  Node *node = make(Kind::Variable);
  node->var = var;
  node->vars = Vars(1) << var;
  return node;
}

Expr Formulas::index(Index index) {
  Node *node = make(Kind::Variable);
  node->vars = varsOf(index);
  node->place = {index};
  return node;
}

Expr Formulas::inside(Expr term, Place place, ArrayRef<int64_t> bounds) {
  Node *node = make(Kind::Inside);
  node->operands = {term};
  node->size = term->size + 1;
  node->vars = term->vars;
  for (const Index &index : place)
    node->vars |= varsOf(index);
  node->place = std::move(place);
  node->bounds.assign(bounds.begin(), bounds.end());
  return node;
}

Expr Formulas::number(FloatAttr number) {
  Node *node = make(Kind::Number);
  node->number = number;
  return node;
}

Expr Formulas::below(ArrayRef<std::pair<Expr, int64_t>> terms, int64_t number) {
  Node *node = make(Kind::Below);
  for (auto [term, coefficient] : terms) {
    node->operands.push_back(term);
    node->bounds.push_back(coefficient);
    node->vars |= term->vars;
    node->size += term->size;
  }
  node->bounds.push_back(number);
  return node;
}

Expr Formulas::choice(Expr condition, double then, double otherwise) {
  Builder builder(block->front().getContext());
  Node *node = make(Kind::Choice);
  node->operands = {condition, number(builder.getF32FloatAttr(then)),
                    number(builder.getF32FloatAttr(otherwise))};
  node->size = condition->size + 3;
  node->vars = condition->vars;
  return node;
}

Expr Formulas::scaled(Expr e, double factor) {
  Node *node = make(Kind::Scaled);
  node->operands = {e};
  node->number = Builder(block->front().getContext()).getF64FloatAttr(factor);
  node->size = e->size + 1;
  node->vars = e->vars;
  return node;
}

Expr Formulas::log(Expr e) {
  Node *node = make(Kind::Log);
  node->operands = {e};
  node->size = e->size + 1;
  node->vars = e->vars;
  return node;
}

Expr Formulas::logPower(Expr base, Expr exponent) {
  Node *node = make(Kind::LogPower);
  node->operands = {base, exponent};
  node->size = base->size + exponent->size + 1;
  node->vars = base->vars | exponent->vars;
  return node->size > kSize ? nullptr : node;
}

Expr Formulas::lookup(Value tensor, ArrayRef<Expr> places) {
  Node *node = make(Kind::Lookup);
  node->tensor = tensor;
  for (Expr place : places) {
    node->operands.push_back(place);
    node->size += place->size;
    node->vars |= place->vars;
  }
  return node->size > kSize ? nullptr : node;
}

Expr Formulas::asWeights(Expr e) {
  Value value = tables && e->kind == Kind::Element ? tables->asWeights(e->tensor) : Value();
  return value ? element(value, e->place) : e;
}

Expr Formulas::logOfTable(Expr e) {
  Value value = tables && e->kind == Kind::Element ? tables->logarithms(e->tensor) : Value();
  return value ? element(value, e->place) : nullptr;
}

bool aft::raise::same(Expr a, Expr b) {
  if (a == b)
    return true;
  if (a->kind != b->kind || a->vars != b->vars || a->operands.size() != b->operands.size() ||
      a->tensor != b->tensor || a->place != b->place || a->number != b->number ||
      a->var != b->var || a->bounds != b->bounds)
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

double aft::raise::factorOf(Expr e) { return cast<FloatAttr>(e->number).getValueAsDouble(); }

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

bool aft::raise::isTidy(Expr e) {
  Vars seen = 0;
  auto isNew = [&](const Index &index) {
    return index.isVariable() && !(std::exchange(seen, seen | varsOf(index)) & varsOf(index));
  };
  return e->kind == Kind::Element && llvm::all_of(e->place, [&](const Index &index) {
           return index.parts.empty()
                      ? isNew(index)
                      : !index.partial && llvm::all_of(index.parts, isNew) &&
                            llvm::all_of(index.extents, [](ExtentId id) { return id.isNumber(); });
         });
}

bool aft::raise::hasExponential(Expr e) {
  e = stripped(e);
  if (e->kind != Kind::Scalar)
    return false;
  return isa<math::ExpOp>(e->op) ||
         (isa<arith::AddFOp, arith::MulFOp, arith::DivFOp, arith::MaximumFOp, arith::MaxNumFOp>(
              e->op) &&
          llvm::any_of(e->operands, hasExponential));
}

static void rename(Index &index, int from, int to) {
  index.var = index.var == from ? to : index.var;
  index.minus = index.minus == from ? to : index.minus;
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

static void replace(Index &index, int var, int64_t number) {
  if (index.var == var) {
    index.var = -1;
    index.offset += number;
  }
  for (Index &part : index.parts)
    replace(part, var, number);
}

Expr Formulas::at(Expr e, int var, int64_t number) {
  if (!has(e, var))
    return e;
  Node *node = make(e->kind);
  *node = *e;
  node->vars = e->vars & ~(Vars(1) << var);
  if (e->kind == Kind::Variable && e->place.empty())
    node->place = {Index::variable(std::exchange(node->var, -1))};
  for (Index &index : node->place)
    replace(index, var, number);
  for (Expr &operand : node->operands)
    operand = at(operand, var, number);
  return node;
}

//===----------------------------------------------------------------------===//
// Extents
//===----------------------------------------------------------------------===//

ExtentId aft::raise::extentIdOf(OpFoldResult size) {
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
    return extentIdOf(empty.getMixedSizes()[dim]);
  if (auto move = dyn_cast_or_null<tensor::CastOp>(op))
    return extentOf(move.getSource(), dim);
  if (auto concat = dyn_cast_or_null<tensor::ConcatOp>(op))
    if (static_cast<int64_t>(concat.getDim()) != dim)
      return extentOf(concat.getInputs()[0], dim);
  if (auto expand = dyn_cast_or_null<tensor::ExpandShapeOp>(op)) {
    Builder builder(op->getContext());
    return extentIdOf(
        getMixedValues(expand.getStaticOutputShape(), expand.getOutputShape(), builder)[dim]);
  }
  if (auto collapse = dyn_cast_or_null<tensor::CollapseShapeOp>(op)) {
    int64_t only = -1, count = 0;
    const ReassociationIndices group = collapse.getReassociationIndices()[dim];
    for (int64_t source : group)
      if (collapse.getSrcType().getDimSize(source) != 1) {
        only = source;
        ++count;
      }
    if (count == 1)
      return extentOf(collapse.getSrc(), only);
  }
  if (auto pad = dyn_cast_or_null<tensor::PadOp>(op))
    if (isConstantIntValue(pad.getMixedLowPad()[dim], 0) &&
        isConstantIntValue(pad.getMixedHighPad()[dim], 0))
      return extentOf(pad.getSource(), dim);
  if (auto slice = dyn_cast_or_null<tensor::ExtractSliceOp>(op))
    if (slice.getSourceType().getRank() == type.getRank())
      return extentIdOf(slice.getMixedSizes()[dim]);
  return {tensor.getAsOpaquePointer(), dim};
}

void Formulas::note(int var, Value tensor, int64_t dim) {
  homes[var].push_back({tensor, dim});
  int64_t extent = cast<RankedTensorType>(tensor.getType()).getDimSize(dim);
  if (!ShapedType::isDynamic(extent)) {
    extents[var] = extent;
    noteBelow(var, extent);
  }
}

bool Formulas::sameExtent(int a, int b) const {
  return llvm::any_of(homes[a], [&](auto one) {
    ExtentId id = extentOf(one.first, one.second);
    return llvm::any_of(homes[b],
                        [&](auto other) { return id == extentOf(other.first, other.second); });
  });
}

/// The extents that one is the product of; itself where it is none.
static void appendFactors(ExtentId extent, SmallVectorImpl<ExtentId> &factors) {
  Operation *op =
      extent.isNumber() ? nullptr : Value::getFromOpaquePointer(extent.source).getDefiningOp();
  if (auto collapse = dyn_cast_or_null<tensor::CollapseShapeOp>(op)) {
    for (int64_t source : collapse.getReassociationIndices()[extent.number])
      appendFactors(extentOf(collapse.getSrc(), source), factors);
    return;
  }
  if (auto product = dyn_cast_or_null<arith::MulIOp>(op)) {
    appendFactors(extentIdOf(product.getLhs()), factors);
    return appendFactors(extentIdOf(product.getRhs()), factors);
  }
  auto apply = dyn_cast_or_null<affine::AffineApplyOp>(op);
  SmallVector<ExtentId> own;
  SmallVector<AffineExpr> rest;
  if (apply)
    rest.push_back(apply.getAffineMap().getResult(0));
  while (!rest.empty()) {
    AffineExpr e = rest.pop_back_val();
    if (auto product = dyn_cast<AffineBinaryOpExpr>(e);
        product && e.getKind() == AffineExprKind::Mul) {
      rest.append({product.getRHS(), product.getLHS()});
    } else if (auto number = dyn_cast<AffineConstantExpr>(e)) {
      own.push_back({nullptr, number.getValue()});
    } else if (auto symbol = dyn_cast<AffineSymbolExpr>(e)) {
      unsigned place = apply.getAffineMap().getNumDims() + symbol.getPosition();
      own.push_back(extentIdOf(apply.getMapOperands()[place]));
    } else {
      own.clear();
      break;
    }
  }
  if (own.empty())
    factors.push_back(extent);
  for (ExtentId factor : own)
    appendFactors(factor, factors);
}

/// The factors of the extent of a dimension that are not 1.
static SmallVector<ExtentId> factorsOf(std::pair<Value, int64_t> home) {
  SmallVector<ExtentId> factors;
  appendFactors(extentOf(home.first, home.second), factors);
  llvm::erase_if(factors, [](ExtentId extent) { return extent == ExtentId{nullptr, 1}; });
  return factors;
}

/// Takes the factors of a variable's extent from those that are left of a product; whether they
/// are there.
static bool takeFactors(ArrayRef<std::pair<Value, int64_t>> homes,
                        SmallVectorImpl<ExtentId> &left) {
  return llvm::any_of(homes, [&](auto home) {
    SmallVector<ExtentId> rest(left.begin(), left.end());
    for (ExtentId factor : factorsOf(home)) {
      auto *own = llvm::find(rest, factor);
      if (own == rest.end())
        return false;
      rest.erase(own);
    }
    left.assign(rest.begin(), rest.end());
    return true;
  });
}

bool Formulas::isProduct(int var, ArrayRef<int> factors) const {
  int64_t count = 1;
  for (int factor : factors)
    if (ShapedType::isDynamic(extents[factor]) ||
        __builtin_mul_overflow(count, extents[factor], &count))
      count = ShapedType::kDynamic;
  if (count >= 0)
    return count == extents[var];
  return llvm::any_of(homes[var], [&](auto home) {
    SmallVector<ExtentId> left = factorsOf(home);
    return llvm::all_of(factors, [&](int factor) { return takeFactors(homes[factor], left); }) &&
           left.empty();
  });
}

void Formulas::unify(int a, int b) {
  homes[a].append(homes[b].begin(), homes[b].end());
  homes[b] = homes[a];
  if (ShapedType::isDynamic(extents[a]))
    extents[a] = extents[b];
  extents[b] = extents[a];
}
