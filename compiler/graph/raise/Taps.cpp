//===- Taps.cpp - Depth-wise convolutions written tap by tap ---------------===//
// A convolution of every channel with a filter of its own is lowered to the sum
// over the filter's taps of a shifted, padded input times that tap's weights. Read
// at a place t it is the sum over all t' of weight[t' - t + before] * input[t'],
// where t' - t + before is a tap.

#include "compiler/graph/raise/Expression.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

#include <set>

using namespace mlir;
using namespace aft::raise;

/// More taps than a grid of 64 by 64 has are not looked at.
static constexpr size_t kTaps = 4096;

namespace {
/// Where one tap reads: the same tensors as all others, at places of its own.
struct Tap {
  Expr input, weight;
};

/// An axis along which the taps differ.
struct Axis {
  int input, weight;   ///< dimensions
  int64_t first, last; ///< of the weights
  int64_t shift;       ///< place of the input beside that of the result, less the tap's number
};
} // namespace

/// The scalar that an elementwise operation on two tensors computes, without
/// casts; null where it is another.
template <typename OpT> static Operation *bodyOf(linalg::LinalgOp op) {
  if (!op || op->getNumResults() != 1 || op.getNumDpsInputs() != 2 ||
      op.getNumReductionLoops() != 0 ||
      !op.getMatchingIndexingMap(op.getDpsInitOperand(0)).isIdentity())
    return nullptr;
  auto plain = [](Value value) {
    while (Operation *def = value.getDefiningOp()) {
      if (!isa<arith::ExtFOp, arith::TruncFOp>(def))
        break;
      value = def->getOperand(0);
    }
    return value;
  };
  Operation *scalar = plain(op.getBlock()->getTerminator()->getOperand(0)).getDefiningOp();
  if (!isa_and_nonnull<OpT>(scalar))
    return nullptr;
  for (unsigned side : {0, 1})
    if (plain(scalar->getOperand(side)) != op.getBlock()->getArgument(side) &&
        plain(scalar->getOperand(1 - side)) != op.getBlock()->getArgument(side))
      return nullptr;
  return scalar;
}

namespace aft::raise {
/// Reads one such sum.
class TapReader {
public:
  TapReader(Formulas &formulas, const Place &place) : formulas(formulas), place(place) {}
  Expr read(linalg::LinalgOp op);

private:
  bool collect(Value value);
  bool addTap(linalg::LinalgOp product);
  Expr behindViews(Expr e, bool throughPads);
  bool findAxes();
  bool isComplete();
  Expr convolved(linalg::LinalgOp op);

  Formulas &formulas;
  const Place &place;
  Operation *product = nullptr; ///< the multiplication of one tap
  SmallVector<Tap> taps;
  SmallVector<Axis, 3> axes;
  SmallVector<Operation *> seen;
  Vars bordered = 0; ///< places along dimensions that grew by zeros
};
} // namespace aft::raise

/// Follows views, and where that is asked for what pads with zeros.
Expr TapReader::behindViews(Expr e, bool throughPads) {
  bool padded = false;
  while (e->kind == Kind::Element) {
    Operation *op = e->tensor.getDefiningOp();
    if (!op || op->getBlock() != formulas.block)
      break;
    Expr next = nullptr;
    if (auto pad = dyn_cast<tensor::PadOp>(op)) {
      Value zero = pad.getConstantPaddingValue();
      if (!throughPads || !zero || !matchPattern(zero, m_AnyZeroFloat()))
        break;
      Place at = e->place;
      for (auto [index, low, high] : llvm::zip(at, pad.getMixedLowPad(), pad.getMixedHighPad())) {
        std::optional<int64_t> before = getConstantIntValue(low);
        bool grows = before != 0 || !isConstantIntValue(high, 0);
        if (!before || (grows && (index.var < 0 || !index.parts.empty())))
          return e;
        index.offset -= *before;
        bordered |= grows ? Vars(1) << index.var : 0;
      }
      padded = true;
      next = formulas.element(pad.getSource(), at);
    } else if (isa<tensor::CastOp, tensor::ExpandShapeOp, tensor::CollapseShapeOp>(op) ||
               // What was cut off under a border of zeros is not 0.
               (!padded && isa<tensor::ExtractSliceOp>(op))) {
      next = formulas.openView(op, e->place);
    }
    if (!next)
      break;
    seen.push_back(op);
    e = next;
  }
  return e;
}

bool TapReader::addTap(linalg::LinalgOp op) {
  Operation *scalar = bodyOf<arith::MulFOp>(op);
  if (!scalar || taps.size() >= kTaps)
    return false;
  std::optional<unsigned> input;
  for (unsigned side : {0, 1}) {
    AffineMap map = op.getMatchingIndexingMap(op.getDpsInputOperand(side));
    if (map.isIdentity() ==
            op.getMatchingIndexingMap(op.getDpsInputOperand(1 - side)).isIdentity() ||
        !map.isProjectedPermutation())
      return false;
    if (map.isIdentity())
      input = side;
  }
  OpOperand *other = op.getDpsInputOperand(1 - *input);
  Place at;
  for (AffineExpr result : op.getMatchingIndexingMap(other).getResults())
    at.push_back(place[cast<AffineDimExpr>(result).getPosition()]);
  product = scalar;
  seen.push_back(op);
  taps.push_back({behindViews(formulas.element(op.getDpsInputOperand(*input)->get(), place), true),
                  behindViews(formulas.element(other->get(), at), false)});
  return true;
}

/// The taps of a sum, in any order.
bool TapReader::collect(Value value) {
  auto op = value.getDefiningOp<linalg::LinalgOp>();
  if (!op || op->getBlock() != formulas.block)
    return false;
  if (!bodyOf<arith::AddFOp>(op))
    return addTap(op);
  seen.push_back(op);
  return llvm::all_of(op.getDpsInputOperands(), [&](OpOperand *operand) {
    return op.getMatchingIndexingMap(operand).isIdentity() && collect(operand->get());
  });
}

/// Which dimensions of the weights count the taps, and which of the input they
/// shift.
bool TapReader::findAxes() {
  const Tap &one = taps.front();
  auto alike = [&](Expr a, Expr b) {
    return a->kind == Kind::Element && b->kind == Kind::Element && a->tensor == b->tensor &&
           a->place.size() == b->place.size();
  };
  if (!llvm::all_of(taps, [&](const Tap &tap) {
        return alike(tap.input, one.input) && alike(tap.weight, one.weight);
      }))
    return false;
  SmallVector<int> shifted, counted;
  for (size_t dim = 0; dim < one.input->place.size(); ++dim)
    if (llvm::any_of(taps, [&](const Tap &tap) {
          return tap.input->place[dim].offset != one.input->place[dim].offset;
        }))
      shifted.push_back(dim);
  for (size_t dim = 0; dim < one.weight->place.size(); ++dim)
    if (llvm::any_of(taps, [&](const Tap &tap) {
          return tap.weight->place[dim].offset != one.weight->place[dim].offset;
        }))
      counted.push_back(dim);
  if (shifted.size() != counted.size() || shifted.empty() || shifted.size() > 3)
    return false;
  for (auto [input, weight] : llvm::zip(shifted, counted)) {
    const Index &to = one.input->place[input], &number = one.weight->place[weight];
    if (to.var < 0 || to.minus >= 0 || !to.parts.empty() || number.var >= 0)
      return false;
    axes.push_back({input, weight, number.offset, number.offset, to.offset - number.offset});
    bordered &= ~(Vars(1) << to.var);
  }
  // Elsewhere what was added is read as zeros, not as no key.
  return bordered == 0;
}

/// Whether the taps fill a box of the weights, each shifted by its number.
bool TapReader::isComplete() {
  std::set<std::vector<int64_t>> numbers;
  for (const Tap &tap : taps) {
    std::vector<int64_t> own;
    Place input = tap.input->place, weight = tap.weight->place;
    for (Axis &axis : axes) {
      int64_t number = weight[axis.weight].offset;
      if (input[axis.input].offset - number != axis.shift)
        return false;
      axis.first = std::min(axis.first, number);
      axis.last = std::max(axis.last, number);
      own.push_back(number);
      input[axis.input].offset = taps.front().input->place[axis.input].offset;
      weight[axis.weight].offset = taps.front().weight->place[axis.weight].offset;
    }
    auto sameBut = [](const Place &a, const Place &b) {
      return llvm::all_of(llvm::zip(a, b), [](auto pair) {
        Index x = std::get<0>(pair), y = std::get<1>(pair);
        x.partial = y.partial = false;
        return x == y;
      });
    };
    if (!sameBut(input, taps.front().input->place) ||
        !sameBut(weight, taps.front().weight->place) || !numbers.insert(own).second)
      return false;
  }
  size_t count = 1;
  for (const Axis &axis : axes)
    count *= axis.last - axis.first + 1;
  return count == taps.size();
}

/// The sum over the places of the input.
Expr TapReader::convolved(linalg::LinalgOp op) {
  Place input = taps.front().input->place, weight = taps.front().weight->place, inside;
  SmallVector<int64_t, 2> bounds;
  SmallVector<int> keys;
  for (const Axis &axis : axes) {
    auto type = cast<RankedTensorType>(taps.front().input->tensor.getType());
    int key = formulas.newVariable(type.getDimSize(axis.input));
    Index tap;
    tap.var = key;
    tap.minus = input[axis.input].var;
    tap.offset = -axis.shift;
    weight[axis.weight] = tap;
    tap.offset -= axis.first;
    inside.push_back(tap);
    bounds.push_back(axis.last - axis.first + 1);
    input[axis.input] = Index::variable(key);
    formulas.note(key, taps.front().input->tensor, axis.input);
    keys.push_back(key);
  }
  Expr term = formulas.scalar(product, {formulas.element(taps.front().weight->tensor, weight),
                                        formulas.element(taps.front().input->tensor, input)});
  Expr e = formulas.inside(term, inside, bounds);
  for (int key : keys)
    e = formulas.sum(key, e, op);
  formulas.opened.insert(seen.begin(), seen.end());
  return e;
}

Expr TapReader::read(linalg::LinalgOp op) {
  if (!bodyOf<arith::AddFOp>(op) || !collect(op->getResult(0)) || !findAxes() || !isComplete() ||
      formulas.count() + static_cast<int>(axes.size()) > Formulas::kMaxVariables)
    return nullptr;
  return convolved(op);
}

Expr Formulas::openTaps(linalg::LinalgOp op, const Place &place) {
  return TapReader(*this, place).read(op);
}
