//===- Rows.cpp - Sequences that are put together row by row ----------------===//
// A loop over time leaves its rows in a list that is joined, or writes each into a tensor. What
// is written joins the rows before, the new one and those behind, or chooses by the place.

#include "compiler/graph/raise/Recurrence.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace aft::raise;

static int64_t extentAlong(Value value, int64_t dim) {
  return cast<RankedTensorType>(value.getType()).getDimSize(dim);
}

/// What joins rows that are laid end to end, where `root` gives them a dimension of their own.
static tensor::ConcatOp laidEndToEnd(Operation *root, int64_t &dim) {
  auto expand = dyn_cast<tensor::ExpandShapeOp>(root);
  auto concat = expand ? expand.getSrc().getDefiningOp<tensor::ConcatOp>() : tensor::ConcatOp();
  if (!concat)
    return {};
  ReassociationIndices group = expand.getReassociationIndices()[concat.getDim()];
  dim = group[0];
  auto isRow = [&](Value input) {
    return extentOf(input, concat.getDim()) == extentOf(expand.getResult(), group[1]);
  };
  bool fits =
      group.size() == 2 &&
      expand.getResultType().getDimSize(dim) == static_cast<int64_t>(concat.getInputs().size()) &&
      llvm::all_of(concat.getInputs(), isRow);
  return fits ? concat : tensor::ConcatOp();
}

/// select(place == row, written, before) along the only dimension of the condition
static std::optional<int64_t> writtenAlong(Operation *root) {
  auto op = dyn_cast<linalg::LinalgOp>(root);
  if (!op || op.getNumReductionLoops() != 0 || op->getNumResults() != 1 ||
      !op.hasPureTensorSemantics())
    return std::nullopt;
  auto select = op.getBlock()->getTerminator()->getOperand(0).getDefiningOp<arith::SelectOp>();
  auto condition = select ? dyn_cast<BlockArgument>(select.getCondition()) : BlockArgument();
  if (!condition || condition.getOwner() != op.getBlock())
    return std::nullopt;
  OpOperand *operand = op.getMatchingOpOperand(condition);
  AffineMap map = op.getMatchingIndexingMap(operand),
            result = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  std::optional<int64_t> dim;
  for (auto [at, expr] : llvm::enumerate(map.getResults())) {
    if (extentAlong(operand->get(), at) == 1)
      continue;
    std::optional<unsigned> place = result.getResultPosition(expr);
    if (dim || !place)
      return std::nullopt;
    dim = *place;
  }
  return dim;
}

std::optional<int64_t> aft::raise::rowsAlong(Operation *root) {
  int64_t dim = 0;
  if (auto concat = dyn_cast<tensor::ConcatOp>(root))
    return concat.getDim();
  return laidEndToEnd(root, dim) ? std::optional(dim) : writtenAlong(root);
}

namespace {
/// The rows from `row` on are those of `value` in [first, last).
struct Part {
  Value value;
  int64_t first, last, row;
};

class RowFinder {
public:
  RowFinder(Formulas &formulas, const Place &place, int64_t dim, SmallVectorImpl<Expr> &rows,
            DenseSet<Operation *> &joins)
      : formulas(formulas), normalizer(formulas, 0, false), place(place), dim(dim), rows(rows),
        joins(joins) {}
  void find(Value whole, int64_t count);

private:
  bool enter(const Part &part);
  void enterConcat(tensor::ConcatOp concat, const Part &part);
  bool enterSlice(tensor::ExtractSliceOp slice, const Part &part);
  bool enterWrite(const Part &part);
  std::optional<int64_t> rowOf(Expr condition);
  Place at(Index index) const {
    Place result = place;
    result[dim] = index;
    return result;
  }

  Formulas &formulas;
  Normalizer normalizer;
  const Place &place;
  int64_t dim;
  SmallVectorImpl<Expr> &rows;
  DenseSet<Operation *> &joins;
  SmallVector<Part> open;
};
} // namespace

void RowFinder::enterConcat(tensor::ConcatOp concat, const Part &part) {
  int64_t start = 0;
  for (Value input : concat.getInputs()) {
    int64_t end = start + extentAlong(input, dim);
    int64_t first = std::max(part.first, start), last = std::min(part.last, end);
    open.push_back({input, first - start, last - start, part.row + first - part.first});
    start = end;
  }
}

bool RowFinder::enterSlice(tensor::ExtractSliceOp slice, const Part &part) {
  RankedTensorType type = slice.getSourceType();
  if (type.getRank() != slice.getType().getRank())
    return false;
  std::optional<int64_t> start = getConstantIntValue(slice.getMixedOffsets()[dim]);
  for (int64_t other = 0; other < type.getRank(); ++other)
    if (!isConstantIntValue(slice.getMixedStrides()[other], 1) ||
        (other != dim &&
         (!isConstantIntValue(slice.getMixedOffsets()[other], 0) ||
          !(extentIdOf(slice.getMixedSizes()[other]) == extentOf(slice.getSource(), other)))))
      return false;
  if (!start)
    return false;
  open.push_back({slice.getSource(), part.first + *start, part.last + *start, part.row});
  return true;
}

/// The only true one.
static std::optional<int64_t> onlyTrue(DenseElementsAttr all) {
  std::optional<int64_t> found;
  for (auto [place, value] : llvm::enumerate(all.getValues<bool>())) {
    if (value && found)
      return std::nullopt;
    if (value)
      found = place;
  }
  return found;
}

/// The only place at which place == number holds.
std::optional<int64_t> RowFinder::rowOf(Expr condition) {
  condition = normalizer.definitionOf(condition);
  DenseElementsAttr all;
  if (condition->kind == Kind::Element && matchPattern(condition->tensor, m_Constant(&all)))
    return all.getElementType().isInteger(1) &&
                   all.getNumElements() == static_cast<int64_t>(rows.size())
               ? onlyTrue(all)
               : std::nullopt;
  if (!is<arith::CmpIOp>(condition) ||
      cast<arith::CmpIOp>(condition->op).getPredicate() != arith::CmpIPredicate::eq)
    return std::nullopt;
  std::optional<Inequality> a = normalizer.linear(condition->operands[0]),
                            b = normalizer.linear(condition->operands[1]);
  if (!a || !b)
    return std::nullopt;
  Inequality apart = a->plus(*b, -1);
  int64_t factor = apart.of(place[dim].var);
  if (apart.vars.size() != 1 || !apart.values.empty() || std::abs(factor) != 1)
    return std::nullopt;
  return -factor * apart.number;
}

bool RowFinder::enterWrite(const Part &part) {
  bool whole = extentAlong(part.value, dim) == static_cast<int64_t>(rows.size());
  if (!whole || writtenAlong(part.value.getDefiningOp()) != dim)
    return false;
  Expr written = formulas.open(formulas.element(part.value, place));
  if (!written || !is<arith::SelectOp>(written))
    return false;
  Expr before = written->operands[2];
  std::optional<int64_t> row = rowOf(written->operands[0]);
  if (!row || before->kind != Kind::Element || before->place != place)
    return false;
  bool inside = part.first <= *row && *row < part.last;
  if (inside) {
    int64_t own = part.row + *row - part.first;
    rows[own] = formulas.at(written->operands[1], place[dim].var, *row);
    open.push_back({before->tensor, *row + 1, part.last, own + 1});
  }
  open.push_back({before->tensor, part.first, inside ? *row : part.last, part.row});
  return true;
}

bool RowFinder::enter(const Part &part) {
  Operation *op = part.value.getDefiningOp();
  auto concat = dyn_cast_or_null<tensor::ConcatOp>(op);
  if (concat && static_cast<int64_t>(concat.getDim()) == dim &&
      llvm::none_of(concat.getInputs(),
                    [&](Value v) { return ShapedType::isDynamic(extentAlong(v, dim)); })) {
    enterConcat(concat, part);
  } else if (auto slice = dyn_cast_or_null<tensor::ExtractSliceOp>(op)) {
    if (!enterSlice(slice, part))
      return false;
  } else if (auto move = dyn_cast_or_null<tensor::CastOp>(op)) {
    open.push_back({move.getSource(), part.first, part.last, part.row});
  } else if (!op || !enterWrite(part)) {
    return false;
  }
  joins.insert(op);
  return true;
}

void RowFinder::find(Value whole, int64_t count) {
  open.push_back({whole, 0, count, 0});
  while (!open.empty()) {
    Part part = open.pop_back_val();
    if (part.first >= part.last || enter(part))
      continue;
    for (int64_t row = part.first; row < part.last; ++row)
      rows[part.row + row - part.first] = formulas.element(part.value, at(Index::number(row)));
  }
}

SmallVector<Expr> aft::raise::findRows(Formulas &formulas, Operation *root, const Place &place,
                                       int64_t dim, DenseSet<Operation *> &joins) {
  SmallVector<Expr> rows(extentAlong(root->getResult(0), dim));
  tensor::ConcatOp laid = laidEndToEnd(root, dim);
  Place own = place;
  own.erase(own.begin() + dim);
  // Extents are those of something other than the root, which is to go.
  auto structured = dyn_cast<linalg::LinalgOp>(root);
  Value like = laid         ? laid.getInputs()[0]
               : structured ? structured.getDpsInits()[0]
                            : cast<tensor::ConcatOp>(root).getInputs()[0];
  for (auto [at, index] : llvm::enumerate(laid ? own : place))
    if (index.isVariable() && (laid || static_cast<int64_t>(at) != dim))
      formulas.note(index.var, like, at);
  if (laid) {
    for (auto [row, input] : llvm::zip(rows, laid.getInputs()))
      row = formulas.element(input, own);
    joins.insert(laid);
    return rows;
  }
  RowFinder(formulas, place, dim, rows, joins).find(root->getResult(0), rows.size());
  return rows;
}
