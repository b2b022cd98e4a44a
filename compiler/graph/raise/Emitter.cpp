//===- Emitter.cpp - Makes tensors of formulas -----------------------------===//

#include "compiler/graph/raise/Emitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <cmath>

using namespace mlir;
using namespace aft;
using namespace aft::raise;

/// The same element of a tensor that has a dimension for each part of a place.
Expr Emitter::apart(Expr e) {
  if (llvm::all_of(e->place, [](const Index &index) { return index.parts.empty(); }))
    return e;
  auto type = cast<RankedTensorType>(e->tensor.getType());
  SmallVector<OpFoldResult> known = tensor::getMixedSizes(rewriter, loc, e->tensor), sizes;
  SmallVector<ReassociationIndices> groups;
  SmallVector<int64_t> shape;
  Place place;
  for (auto [dim, index] : llvm::enumerate(e->place)) {
    groups.emplace_back();
    for (size_t part = 0; part < std::max<size_t>(index.parts.size(), 1); ++part) {
      bool whole = index.parts.empty();
      groups.back().push_back(place.size());
      place.push_back(whole ? index : index.parts[part]);
      shape.push_back(whole ? type.getDimSize(dim) : index.extents[part].number);
      sizes.push_back(whole ? known[dim] : rewriter.getIndexAttr(shape.back()));
    }
  }
  Value value = rewriter.create<tensor::ExpandShapeOp>(
      loc, RankedTensorType::get(shape, type.getElementType()), e->tensor, groups, sizes);
  return formulas.element(value, place);
}

/// The same element of a tensor that is read at plain variables.
Expr Emitter::plain(Expr e) {
  if (!isa<RankedTensorType>(e->tensor.getType()))
    return e;
  e = apart(e);
  auto type = cast<RankedTensorType>(e->tensor.getType());
  if (isPlain(e))
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

/// The one dimension of a table that is looked up; the other one, if any, is read as a whole by
/// a variable of its own. Nothing where that is not so.
static std::optional<unsigned> searchedOf(Formulas &formulas, Expr lookup) {
  auto type = cast<RankedTensorType>(lookup->tensor.getType());
  if (!isa<FloatType>(type.getElementType()) || type.getRank() > 2)
    return std::nullopt;
  if (type.getRank() == 1)
    return 0;
  for (unsigned dim : {0, 1}) {
    Expr other = lookup->operands[1 - dim];
    if (other->kind != Kind::Variable)
      continue;
    Index index = other->index();
    if (index.isVariable() && index.parts.empty() && !(lookup->operands[dim]->vars & other->vars) &&
        formulas.staticExtent(index.var) == type.getDimSize(1 - dim) && !type.isDynamicDim(1 - dim))
      return dim;
  }
  return std::nullopt;
}

/// The element of rows that aft.embedding looks up. Unlike tensor.extract it has a derivative.
Expr Emitter::rowOf(Expr lookup, ArrayRef<int> order) {
  unsigned dim = *searchedOf(formulas, lookup);
  Expr row = lookup->operands[dim];
  SmallVector<int> loops;
  llvm::copy_if(order, std::back_inserter(loops), [&](int var) { return row->vars >> var & 1; });
  SmallVector<Expr> elements;
  collect(row, elements);
  Type number = rewriter.getI64Type();
  Value ids = generic(elements, loops, number, [&](OpBuilder &builder, ValueRange arguments) {
    Value id = scalar(builder, row, elements, arguments, loops);
    if (id.getType().isIndex())
      return builder.create<arith::IndexCastOp>(loc, number, id).getResult();
    return id.getType() == number ? id
                                  : builder.create<arith::ExtSIOp>(loc, number, id).getResult();
  });
  Value table = lookup->tensor;
  auto type = cast<RankedTensorType>(table.getType());
  Type real = type.getElementType();
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(rewriter, loc, table);
  if (type.getRank() == 1) {
    sizes.push_back(rewriter.getIndexAttr(1));
    table = rewriter.create<tensor::ExpandShapeOp>(
        loc, RankedTensorType::get({type.getDimSize(0), 1}, real), table,
        ArrayRef<ReassociationIndices>{{0, 1}}, sizes);
  } else if (dim == 1) {
    std::swap(sizes[0], sizes[1]);
    Value init = rewriter.create<tensor::EmptyOp>(loc, sizes, real);
    table = rewriter.create<linalg::TransposeOp>(loc, table, init, ArrayRef<int64_t>{1, 0})
                ->getResult(0);
  }
  SmallVector<int64_t> shape;
  Place place;
  for (int var : loops) {
    shape.push_back(formulas.staticExtent(var));
    place.push_back(Index::variable(var));
  }
  shape.push_back(cast<RankedTensorType>(table.getType()).getDimSize(1));
  place.push_back(Index::number(0));
  if (type.getRank() == 2)
    place.back() = lookup->operands[1 - dim]->index();
  Value rows =
      rewriter
          .create<EmbeddingOp>(loc, RankedTensorType::get(shape, real), ids, table, ValueRange())
          ->getResult(0);
  return formulas.element(rows, place);
}

/// The same formula with rows looked up before.
Expr Emitter::withRows(Expr e, ArrayRef<int> order) {
  if (e->kind == Kind::Lookup)
    return searchedOf(formulas, e) ? rowOf(e, order) : e;
  bool changes = false;
  SmallVector<Expr> operands;
  for (Expr operand : e->operands) {
    operands.push_back(withRows(operand, order));
    changes |= operands.back() != operand;
  }
  if (!changes)
    return e;
  size_t next = 0;
  Expr made = withOperands(formulas, e, [&](Expr) { return operands[next++]; });
  return made ? made : e;
}

bool Emitter::canWrite(ArrayRef<Power> terms) {
  SmallVector<Expr> elements;
  return llvm::all_of(terms, [&](const Power &term) { return collect(term.base, elements); }) &&
         llvm::all_of(elements, [](Expr e) {
           Vars seen = 0;
           auto isKnown = [](ExtentId extent) { return extent.isNumber(); };
           auto isSimple = [&](const Index &index) {
             bool twice = seen & varsOf(index);
             seen |= varsOf(index);
             return index.parts.empty() && index.minus < 0 && !twice;
           };
           return llvm::all_of(e->place, [&](const Index &index) {
             return index.parts.empty() ? isSimple(index)
                                        : !index.partial && llvm::all_of(index.parts, isSimple) &&
                                              llvm::all_of(index.extents, isKnown);
           });
         });
}

void Emitter::chooseElement(const MixerMatch &match) {
  SmallVector<Expr> elements;
  bool computes = match.added.has_value();
  for (ArrayRef<Power> terms : {ArrayRef(match.keys), ArrayRef(match.values)}) {
    computes |= terms.size() > 1;
    for (const Power &term : terms) {
      collect(term.base, elements);
      computes |= term.base->kind != Kind::Element;
    }
  }
  for (const Power &term : match.bias)
    if (!match.left)
      collect(term.base, elements);
  for (const Product *side : {match.left.get(), match.right.get()})
    for (const Power &term : side ? ArrayRef(side->factors) : ArrayRef<Power>())
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
  if (e->kind == Kind::Sum || e->kind == Kind::Inside)
    return false;
  // Only constants need no derivative.
  if (e->kind == Kind::Lookup && !searchedOf(formulas, e) && !matchPattern(e->tensor, m_Constant()))
    return false;
  if (e->kind == Kind::Element && isa<RankedTensorType>(e->tensor.getType()) &&
      llvm::none_of(elements, [&](Expr known) { return same(known, e); }))
    elements.push_back(e);
  return llvm::all_of(e->operands, [&](Expr operand) { return collect(operand, elements); });
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

Value Emitter::scalar(OpBuilder &builder, Expr e, ArrayRef<Expr> elements, ValueRange arguments,
                      ArrayRef<int> order) {
  if (e->kind == Kind::Number)
    return builder.create<arith::ConstantOp>(loc, e->number);
  if (e->kind == Kind::Variable) {
    const Index place = e->index();
    Value number = builder.create<arith::ConstantIndexOp>(loc, place.offset);
    if (place.var < 0)
      return number;
    Value index = builder.create<linalg::IndexOp>(
        loc, std::distance(order.begin(), llvm::find(order, place.var)));
    return place.offset == 0 ? index : builder.create<arith::AddIOp>(loc, index, number);
  }
  if (e->kind == Kind::Lookup) {
    SmallVector<Value> places;
    for (Expr operand : e->operands) {
      places.push_back(scalar(builder, operand, elements, arguments, order));
      if (!places.back().getType().isIndex())
        places.back() =
            builder.create<arith::IndexCastOp>(loc, builder.getIndexType(), places.back());
    }
    return builder.create<tensor::ExtractOp>(loc, e->tensor, places);
  }
  if (e->kind == Kind::Element) {
    for (auto [known, argument] : llvm::zip(elements, arguments))
      if (same(known, e))
        return argument;
    return e->tensor;
  }
  if (e->kind == Kind::Below) {
    Value sum = builder.create<arith::ConstantIndexOp>(loc, e->bounds.back());
    for (auto [operand, coefficient] : llvm::zip(e->operands, e->bounds)) {
      Value value = scalar(builder, operand, elements, arguments, order);
      if (!value.getType().isIndex())
        value = builder.create<arith::IndexCastOp>(loc, builder.getIndexType(), value);
      Value factor = builder.create<arith::ConstantIndexOp>(loc, coefficient);
      sum = builder.create<arith::AddIOp>(loc, sum,
                                          builder.create<arith::MulIOp>(loc, factor, value));
    }
    Value zero = builder.create<arith::ConstantIndexOp>(loc, 0);
    return builder.create<arith::CmpIOp>(loc, arith::CmpIPredicate::sle, sum, zero);
  }
  if (e->kind == Kind::Log)
    return logarithm(builder, e->operands[0], elements, arguments, order);
  if (e->kind == Kind::LogPower) {
    Value log = logarithm(builder, e->operands[0], elements, arguments, order),
          x = converted(builder, loc, scalar(builder, e->operands[1], elements, arguments, order),
                        log.getType()),
          zero = builder.create<arith::ConstantOp>(loc, builder.getFloatAttr(log.getType(), 0)),
          none = builder.create<arith::CmpFOp>(loc, arith::CmpFPredicate::OEQ, x, zero);
    return builder.create<arith::SelectOp>(loc, none, zero,
                                           builder.create<arith::MulFOp>(loc, x, log));
  }
  if (e->kind == Kind::Scaled) {
    Value x = scalar(builder, e->operands[0], elements, arguments, order);
    Type wide = x.getType().isF64() ? x.getType() : builder.getF32Type();
    x = converted(builder, loc, x, wide);
    Value factor = builder.create<arith::ConstantOp>(loc, builder.getFloatAttr(wide, factorOf(e)));
    return builder.create<arith::MulFOp>(loc, x, factor);
  }
  if (e->kind == Kind::Choice) {
    SmallVector<Value> parts;
    for (Expr operand : e->operands)
      parts.push_back(scalar(builder, operand, elements, arguments, order));
    return builder.create<arith::SelectOp>(loc, parts[0], parts[1], parts[2]);
  }
  if (isa<arith::SelectOp>(e->op) && isa<FloatType>(e->op->getResult(0).getType())) {
    // What is chosen is not rounded to the type of the choice: it may be an exponent now.
    SmallVector<Value> parts;
    for (Expr operand : e->operands)
      parts.push_back(scalar(builder, operand, elements, arguments, order));
    unsigned widths[] = {parts[1].getType().getIntOrFloatBitWidth(),
                         parts[2].getType().getIntOrFloatBitWidth()};
    Value &narrow = widths[0] < widths[1] ? parts[1] : parts[2];
    narrow = converted(builder, loc, narrow, parts[widths[0] < widths[1] ? 2 : 1].getType());
    return builder.create<arith::SelectOp>(loc, parts[0], parts[1], parts[2]);
  }
  IRMapping mapping;
  for (auto [operand, value] : llvm::zip(e->operands, e->op->getOperands())) {
    Value found = scalar(builder, operand, elements, arguments, order);
    // A formula leaves out casts between float types.
    if (isa<FloatType>(value.getType()))
      found = converted(builder, loc, found, value.getType());
    mapping.map(value, found);
  }
  return builder.clone(*e->op, mapping)->getResult(0);
}

/// log(exp(a) + exp(b))
static Value logAddExp(OpBuilder &builder, Location loc, Value a, Value b) {
  Value top = builder.create<arith::MaximumFOp>(loc, a, b),
        zero = builder.create<arith::ConstantOp>(loc, builder.getFloatAttr(a.getType(), 0)),
        equal = builder.create<arith::CmpFOp>(loc, arith::CmpFPredicate::OEQ, a, b);
  // Two equal infinities have no difference.
  Value apart = builder.create<math::AbsFOp>(loc, builder.create<arith::SubFOp>(loc, a, b));
  apart =
      builder.create<arith::SelectOp>(loc, equal, zero, builder.create<arith::NegFOp>(loc, apart));
  Value rest = builder.create<math::Log1pOp>(loc, builder.create<math::ExpOp>(loc, apart));
  return builder.create<arith::AddFOp>(loc, top, rest);
}

/// Of what is made of exponentials without forming them.
Value Emitter::logarithm(OpBuilder &builder, Expr e, ArrayRef<Expr> elements, ValueRange arguments,
                         ArrayRef<int> order) {
  Type wide = element.isF64() ? element : builder.getF32Type();
  e = stripped(e);
  auto plain = [&](Expr e) {
    return converted(builder, loc, scalar(builder, e, elements, arguments, order), wide);
  };
  if (std::optional<double> number = numberOf(e); number && *number >= 0)
    return builder.create<arith::ConstantOp>(loc, builder.getFloatAttr(wide, std::log(*number)));
  if (!hasExponential(e))
    return builder.create<math::LogOp>(loc, plain(e));
  if (is<math::ExpOp>(e))
    return plain(e->operands[0]);
  auto log = [&](int side) {
    return logarithm(builder, e->operands[side], elements, arguments, order);
  };
  Value a = log(0), b = log(1);
  if (is<arith::AddFOp>(e))
    return logAddExp(builder, loc, a, b);
  if (is<arith::MulFOp>(e))
    return builder.create<arith::AddFOp>(loc, a, b);
  if (is<arith::DivFOp>(e))
    return builder.create<arith::SubFOp>(loc, a, b);
  return is<arith::MaximumFOp>(e) ? builder.create<arith::MaximumFOp>(loc, a, b).getResult()
                                  : builder.create<arith::MaxNumFOp>(loc, a, b).getResult();
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

Value Emitter::generic(ArrayRef<Expr> elements, ArrayRef<int> order, Type type, Body body) {
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
  Value init = empty(order, type);
  maps.push_back(rewriter.getMultiDimIdentityMap(order.size()));
  SmallVector<utils::IteratorType> loops(order.size(), utils::IteratorType::parallel);
  auto op = rewriter.create<linalg::GenericOp>(
      loc, init.getType(), inputs, init, maps, loops,
      [&](OpBuilder &builder, Location, ValueRange arguments) {
        builder.create<linalg::YieldOp>(loc, body(builder, arguments));
      });
  return op.getResult(0);
}

Value Emitter::tensor(ArrayRef<Power> given, bool adds, double number, ArrayRef<int> order) {
  SmallVector<Expr> elements;
  SmallVector<Power> terms(given);
  for (Power &term : terms) {
    term.base = withRows(term.base, order);
    collect(term.base, elements);
  }
  bool copies = terms.size() == 1 && terms[0].power == 1 && number == (adds ? 0 : 1) &&
                terms[0].base->kind == Kind::Element && elements.size() == 1;
  if (copies) {
    Expr read = plain(elements[0]);
    bool inOrder = read->place.size() == order.size() &&
                   llvm::all_of(llvm::zip(read->place, order), [](auto pair) {
                     return std::get<0>(pair).var == std::get<1>(pair);
                   });
    if (inOrder && getElementTypeOrSelf(read->tensor.getType()) == element)
      return read->tensor;
  }
  return generic(elements, order, element, [&](OpBuilder &builder, ValueRange arguments) {
    return combined(builder, terms, adds, number, elements, arguments, order);
  });
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
