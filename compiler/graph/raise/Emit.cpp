//===- Emit.cpp - Writes a recognised mixer -------------------------------===//

#include "compiler/graph/raise/Emit.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace aft;
using namespace aft::raise;

namespace {

/// Makes tensors of formulas, before the operation that is replaced.
class Emitter {
public:
  Emitter(Formulas &formulas, RewriterBase &rewriter, Operation *root)
      : formulas(formulas), rewriter(rewriter), loc(root->getLoc()),
        result(getElementTypeOrSelf(root->getResult(0).getType())), element(result) {}

  OpFoldResult extent(int var) const {
    if (!ShapedType::isDynamic(formulas.staticExtent(var)))
      return rewriter.getIndexAttr(formulas.staticExtent(var));
    auto [tensor, dim] = formulas.home(var);
    return tensor::getMixedSize(rewriter, loc, tensor, dim);
  }
  RankedTensorType typeOf(ArrayRef<int> order) const {
    SmallVector<int64_t> shape;
    for (int var : order)
      shape.push_back(formulas.staticExtent(var));
    return RankedTensorType::get(shape, element);
  }
  Value empty(ArrayRef<int> order) {
    SmallVector<OpFoldResult> sizes;
    for (int var : order)
      sizes.push_back(extent(var));
    return rewriter.create<tensor::EmptyOp>(loc, sizes, element);
  }
  /// The product, or where `adds` the sum, of the terms over these loops.
  Value tensor(ArrayRef<Power> terms, bool adds, double number, ArrayRef<int> order);
  /// Whether it can.
  bool canWrite(ArrayRef<Power> terms);
  /// Takes the type that loses nothing of what the mixer reads.
  void chooseElement(const MixerMatch &match);
  /// The groups of dimensions as one dimension each; an empty one as extent 1.
  Value grouped(Value value, ArrayRef<SmallVector<int>> groups);
  Value ungrouped(Value value, ArrayRef<SmallVector<int>> groups);
  Value zeros(RankedTensorType type, ArrayRef<OpFoldResult> sizes);

  Formulas &formulas;
  RewriterBase &rewriter;
  Location loc;
  Type result;  ///< of what is replaced
  Type element; ///< of the tensors that are made

private:
  Expr plain(Expr e);
  bool collect(Expr e, SmallVectorImpl<Expr> &elements);
  Value scalar(OpBuilder &builder, Expr e, ArrayRef<Expr> elements, ValueRange arguments,
               ArrayRef<int> order);
  Value combined(OpBuilder &builder, ArrayRef<Power> terms, bool adds, double number,
                 ArrayRef<Expr> elements, ValueRange arguments, ArrayRef<int> order);
};

} // namespace

/// The same element of a tensor that is read at plain variables.
Expr Emitter::plain(Expr e) {
  auto type = dyn_cast<RankedTensorType>(e->tensor.getType());
  if (!type || isPlain(e))
    return e;
  SmallVector<OpFoldResult> offsets, sizes, strides(type.getRank(), rewriter.getIndexAttr(1));
  SmallVector<int64_t> shape;
  Place place;
  for (const Index &index : e->place) {
    offsets.push_back(rewriter.getIndexAttr(index.offset));
    sizes.push_back(index.var < 0 ? rewriter.getIndexAttr(1) : extent(index.var));
    if (index.var < 0)
      continue;
    shape.push_back(formulas.staticExtent(index.var));
    place.push_back(Index::variable(index.var));
  }
  auto slice = rewriter.create<tensor::ExtractSliceOp>(
      loc, RankedTensorType::get(shape, type.getElementType()), e->tensor, offsets, sizes, strides);
  return formulas.element(slice, place);
}

bool Emitter::canWrite(ArrayRef<Power> terms) {
  SmallVector<Expr> elements;
  return llvm::all_of(terms, [&](const Power &term) { return collect(term.base, elements); }) &&
         llvm::all_of(elements, [](Expr e) {
           Vars seen = 0;
           return llvm::all_of(e->place, [&](const Index &index) {
             bool twice = index.var >= 0 && seen >> index.var & 1;
             seen |= index.var >= 0 ? Vars(1) << index.var : 0;
             return index.parts.empty() && !twice;
           });
         });
}

void Emitter::chooseElement(const MixerMatch &match) {
  SmallVector<Expr> elements;
  bool computes = false;
  for (ArrayRef<Power> terms : {ArrayRef(match.keys), ArrayRef(match.values)}) {
    computes |= terms.size() > 1;
    for (const Power &term : terms) {
      collect(term.base, elements);
      computes |= term.base->kind != Kind::Element;
    }
  }
  for (const Power &term : match.bias)
    collect(term.base, elements);
  if (match.gated)
    elements.push_back(match.gated);
  element = result;
  if (element.isBF16() && computes)
    element = rewriter.getF32Type();
  for (Expr e : elements)
    if (auto type = dyn_cast<FloatType>(getElementTypeOrSelf(e->tensor.getType())))
      if (type.getWidth() > element.getIntOrFloatBitWidth())
        element = type;
}

bool Emitter::collect(Expr e, SmallVectorImpl<Expr> &elements) {
  if (e->kind == Kind::Sum)
    return false;
  if (e->kind == Kind::Element && isa<RankedTensorType>(e->tensor.getType()) &&
      llvm::none_of(elements, [&](Expr known) { return same(known, e); }))
    elements.push_back(e);
  return llvm::all_of(e->operands, [&](Expr operand) { return collect(operand, elements); });
}

Value Emitter::scalar(OpBuilder &builder, Expr e, ArrayRef<Expr> elements, ValueRange arguments,
                      ArrayRef<int> order) {
  if (e->kind == Kind::Number)
    return builder.create<arith::ConstantOp>(loc, e->number);
  if (e->kind == Kind::Variable)
    return builder.create<linalg::IndexOp>(loc,
                                           std::distance(order.begin(), llvm::find(order, e->var)));
  if (e->kind == Kind::Element) {
    for (auto [known, argument] : llvm::zip(elements, arguments))
      if (same(known, e))
        return argument;
    return e->tensor;
  }
  IRMapping mapping;
  for (auto [operand, value] : llvm::zip(e->operands, e->op->getOperands()))
    mapping.map(value, scalar(builder, operand, elements, arguments, order));
  return builder.clone(*e->op, mapping)->getResult(0);
}

static Value converted(OpBuilder &builder, Location loc, Value value, Type type) {
  unsigned from = value.getType().getIntOrFloatBitWidth(), to = type.getIntOrFloatBitWidth();
  if (value.getType() == type)
    return value;
  if (from == to)
    value = builder.create<arith::ExtFOp>(loc, builder.getF32Type(), value);
  if (from < to)
    return builder.create<arith::ExtFOp>(loc, type, value);
  return builder.create<arith::TruncFOp>(loc, type, value);
}

Value Emitter::combined(OpBuilder &builder, ArrayRef<Power> terms, bool adds, double number,
                        ArrayRef<Expr> elements, ValueRange arguments, ArrayRef<int> order) {
  Type wide = element.isF64() ? element : builder.getF32Type();
  Value total;
  if (number != (adds ? 0 : 1) || terms.empty())
    total = builder.create<arith::ConstantOp>(loc, builder.getFloatAttr(wide, number));
  for (const Power &term : terms) {
    Value value =
        converted(builder, loc, scalar(builder, term.base, elements, arguments, order), wide);
    for (int i = 0; i < std::abs(term.power); ++i) {
      bool inverse = term.power < 0;
      if (!total && inverse)
        total = builder.create<arith::ConstantOp>(loc, builder.getFloatAttr(wide, adds ? 0 : 1));
      if (!total)
        total = value;
      else if (adds)
        total = inverse ? builder.create<arith::SubFOp>(loc, total, value).getResult()
                        : builder.create<arith::AddFOp>(loc, total, value).getResult();
      else
        total = inverse ? builder.create<arith::DivFOp>(loc, total, value).getResult()
                        : builder.create<arith::MulFOp>(loc, total, value).getResult();
    }
  }
  return converted(builder, loc, total, element);
}

Value Emitter::tensor(ArrayRef<Power> terms, bool adds, double number, ArrayRef<int> order) {
  SmallVector<Expr> elements, plains;
  for (const Power &term : terms)
    collect(term.base, elements);
  SmallVector<AffineMap> maps;
  SmallVector<Value> inputs;
  MLIRContext *context = rewriter.getContext();
  for (Expr e : elements) {
    Expr read = plain(e);
    SmallVector<AffineExpr> dims;
    for (const Index &index : read->place)
      dims.push_back(
          rewriter.getAffineDimExpr(std::distance(order.begin(), llvm::find(order, index.var))));
    maps.push_back(AffineMap::get(order.size(), 0, dims, context));
    inputs.push_back(read->tensor);
  }
  bool copies = terms.size() == 1 && terms[0].power == 1 && number == (adds ? 0 : 1) &&
                terms[0].base->kind == Kind::Element && maps.size() == 1;
  if (copies && maps[0].isIdentity() && getElementTypeOrSelf(inputs[0].getType()) == element)
    return inputs[0];
  Value init = empty(order);
  maps.push_back(rewriter.getMultiDimIdentityMap(order.size()));
  SmallVector<utils::IteratorType> loops(order.size(), utils::IteratorType::parallel);
  auto generic = rewriter.create<linalg::GenericOp>(
      loc, init.getType(), inputs, init, maps, loops,
      [&](OpBuilder &builder, Location, ValueRange arguments) {
        Value result = combined(builder, terms, adds, number, elements, arguments, order);
        builder.create<linalg::YieldOp>(loc, result);
      });
  return generic.getResult(0);
}

static SmallVector<ReassociationIndices> reassociation(ArrayRef<SmallVector<int>> groups) {
  SmallVector<ReassociationIndices> result;
  int64_t next = 0;
  for (const SmallVector<int> &group : groups) {
    result.emplace_back();
    for (size_t i = 0; i < group.size(); ++i)
      result.back().push_back(next++);
  }
  return result;
}

/// Only the first group, the batch, may be empty.
Value Emitter::grouped(Value value, ArrayRef<SmallVector<int>> groups) {
  if (groups[0].empty()) {
    value = grouped(value, groups.drop_front());
    auto type = cast<RankedTensorType>(value.getType());
    SmallVector<int64_t> shape = {1};
    llvm::append_range(shape, type.getShape());
    SmallVector<OpFoldResult> sizes = {rewriter.getIndexAttr(1)};
    llvm::append_range(sizes, tensor::getMixedSizes(rewriter, loc, value));
    SmallVector<ReassociationIndices> parts = {{0, 1}};
    for (int64_t dim = 1; dim < type.getRank(); ++dim)
      parts.push_back({dim + 1});
    return rewriter.create<tensor::ExpandShapeOp>(
        loc, RankedTensorType::get(shape, type.getElementType()), value, parts, sizes);
  }
  if (llvm::all_of(groups, [](auto &group) { return group.size() == 1; }))
    return value;
  return rewriter.create<tensor::CollapseShapeOp>(loc, value, reassociation(groups));
}

Value Emitter::ungrouped(Value value, ArrayRef<SmallVector<int>> groups) {
  auto type = cast<RankedTensorType>(value.getType());
  if (groups[0].empty()) {
    SmallVector<ReassociationIndices> parts = {{0, 1}};
    for (int64_t dim = 2; dim < type.getRank(); ++dim)
      parts.push_back({dim});
    value = rewriter.create<tensor::CollapseShapeOp>(loc, value, parts);
    groups = groups.drop_front();
  }
  if (llvm::all_of(groups, [](auto &group) { return group.size() == 1; }))
    return value;
  SmallVector<int> order;
  SmallVector<OpFoldResult> sizes;
  for (const SmallVector<int> &group : groups)
    for (int var : group) {
      order.push_back(var);
      sizes.push_back(extent(var));
    }
  return rewriter.create<tensor::ExpandShapeOp>(loc, typeOf(order), value, reassociation(groups),
                                                sizes);
}

Value Emitter::zeros(RankedTensorType type, ArrayRef<OpFoldResult> sizes) {
  Value zero = rewriter.create<arith::ConstantOp>(loc, rewriter.getFloatAttr(element, 0));
  Value init = rewriter.create<tensor::EmptyOp>(loc, sizes, type.getElementType());
  return rewriter.create<linalg::FillOp>(loc, zero, init).getResult(0);
}

//===----------------------------------------------------------------------===//
// The mixer
//===----------------------------------------------------------------------===//

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

static Operands operandsOf(Emitter &emitter, const MixerMatch &match) {
  SmallVector<int> batch(match.batch), channels(match.channels);
  SmallVector<SmallVector<int>> keyGroups = {batch, {match.key}, channels};
  SmallVector<SmallVector<int>> queryGroups = {batch, {match.query}, channels};
  Operands result;
  Value k = emitter.tensor(match.keys, /*adds=*/true, 0, flattened(keyGroups));
  Value v = emitter.tensor(match.values, /*adds=*/false, 1, flattened(keyGroups));
  result.k = emitter.grouped(k, keyGroups);
  result.v = emitter.grouped(v, keyGroups);
  if (match.gated) {
    Value q = emitter.tensor(Power{match.gated, 1}, true, 0, flattened(queryGroups));
    result.q = emitter.grouped(q, queryGroups);
  } else if (emitter.formulas.sameExtent(match.query, match.key)) {
    result.q = result.v;
  } else {
    Value like = emitter.grouped(emitter.empty(flattened(queryGroups)), queryGroups);
    result.q = emitter.zeros(cast<RankedTensorType>(like.getType()),
                             tensor::getMixedSizes(emitter.rewriter, emitter.loc, like));
  }
  if (!match.bias.empty()) {
    bool batched = llvm::any_of(match.bias, [&](const Power &bias) {
      return llvm::any_of(match.batch, [&](int var) { return has(bias.base, var); });
    });
    SmallVector<SmallVector<int>> groups = {{match.query}, {match.key}};
    if (batched)
      groups.insert(groups.begin(), batch);
    Value w = emitter.tensor(match.bias, /*adds=*/true, 0, flattened(groups));
    result.w = emitter.grouped(w, groups);
  }
  if (match.lengths)
    result.lengths = match.lengths->tensor;
  return result;
}

static Value createMixer(Emitter &emitter, const MixerMatch &match, const Operands &operands) {
  auto q = cast<RankedTensorType>(operands.q.getType()),
       v = cast<RankedTensorType>(operands.v.getType());
  // What one of them knows of the shape.
  SmallVector<int64_t> shape(v.getShape());
  shape[1] = q.getDimSize(1);
  for (int dim : {0, 2})
    if (ShapedType::isDynamic(shape[dim]))
      shape[dim] = q.getDimSize(dim);
  auto type = RankedTensorType::get(shape, emitter.element);
  OpBuilder &builder = emitter.rewriter;
  if (!operands.w)
    return builder
        .create<SimpleOp>(emitter.loc, TypeRange{type}, operands.q, operands.k, operands.v,
                          operands.lengths, ValueRange(), match.causal, match.gate)
        ->getResult(0);
  return builder
      .create<FullOp>(emitter.loc, TypeRange{type}, operands.q, operands.k, operands.v, operands.w,
                      operands.lengths, ValueRange(), match.causal, match.gate)
      ->getResult(0);
}

/// With the root's extents of 1, and of its type.
static Value shaped(Emitter &emitter, Value value, RankedTensorType wanted) {
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

Emitted aft::raise::emitMixer(Formulas &formulas, const MixerMatch &match, ArrayRef<int> vars,
                              Operation *root, RewriterBase &rewriter, Miss &miss) {
  OpBuilder::InsertionGuard guard(rewriter);
  rewriter.setInsertionPoint(root);
  Emitter emitter(formulas, rewriter, root);
  Power gated = {match.gated, 1};
  if (!emitter.canWrite(match.keys) || !emitter.canWrite(match.values) ||
      !emitter.canWrite(match.bias) || (match.gated && !emitter.canWrite(gated)) ||
      (match.lengths && !isPlain(match.lengths))) {
    miss = {"an operand lies in memory in a way that cannot be written as a view", true};
    return {};
  }
  if (!emitter.canWrite(match.rest)) {
    miss = {"a factor beside the mixer cannot be written on its own", true};
    return {};
  }
  emitter.chooseElement(match);
  Value mixed = createMixer(emitter, match, operandsOf(emitter, match));
  emitter.element = emitter.result;
  SmallVector<SmallVector<int>> groups = {
      SmallVector<int>(match.batch), {match.query}, SmallVector<int>(match.channels)};
  Place place;
  for (int var : flattened(groups))
    place.push_back(Index::variable(var));
  SmallVector<Power> factors = {{formulas.element(emitter.ungrouped(mixed, groups), place), 1}};
  factors.append(match.rest.begin(), match.rest.end());
  Value result = emitter.tensor(factors, /*adds=*/false, match.number, vars);
  auto type = cast<RankedTensorType>(root->getResult(0).getType());
  return {mixed.getDefiningOp(), shaped(emitter, result, type)};
}
