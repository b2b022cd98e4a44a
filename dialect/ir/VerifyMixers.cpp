//===- VerifyMixers.cpp - Verifiers of the mixers and their derivatives ---===//
// The constraint numbers are those of the operations' documentation.

#include "dialect/ir/AFT.h"
#include "dialect/ir/ShapeCheck.h"

using namespace mlir;
using namespace aft;

namespace {
using Named = std::pair<StringRef, Value>;
using NamedShape = std::pair<StringRef, StringRef>;

/// Dimension letters of a mixer's operands.
struct Layout {
  StringRef query = "BTd", key = "BSd", value = "BSd", bias, logz = "BTd";
  StringRef biasName;
};
} // namespace

static int64_t rankOf(Value value) { return cast<ShapedType>(value.getType()).getRank(); }
static int64_t extentOf(Value value, unsigned dim) {
  return cast<ShapedType>(value.getType()).getDimSize(dim);
}
static Type elementOf(Value value) { return cast<ShapedType>(value.getType()).getElementType(); }

/// C1 (shapes), C2 (element types) and C3 (lengths) of every mixer.
template <typename OpT>
static LogicalResult verifyOperands(OpT op, ShapeCheck &check, const Layout &layout, Value bias) {
  check.fix('d');
  if (failed(check.floating("q", op.getQ())) ||
      failed(check.sameElement({{"q", op.getQ()}, {"k", op.getK()}, {"v", op.getV()}})) ||
      failed(check.shape("q", op.getQ(), layout.query)) ||
      failed(check.shape("k", op.getK(), layout.key)) ||
      failed(check.shape("v", op.getV(), layout.value)))
    return failure();
  if (bias && (failed(check.shape(layout.biasName, bias, layout.bias)) ||
               failed(check.bias(layout.biasName, bias, op.getQ()))))
    return failure();
  if (Value lengths = op.getLengths())
    if (failed(check.shape("lengths", lengths, "B")) ||
        failed(check.integer("lengths", lengths, {32})))
      return failure();
  return success();
}

/// C4: one result y, or y with R = N/Z and log Z for the derivative.
template <typename OpT>
static LogicalResult verifyForwardResults(OpT op, ShapeCheck &check, const Layout &layout) {
  SmallVector<NamedShape> shapes = {{"y", layout.query}};
  if (check.numResults() != 1) {
    if (check.numResults() != 3)
      return op.emitOpError() << "must have 1 result (y) or 3 (y, ratio, logz), found "
                              << check.numResults();
    shapes.push_back({"ratio", layout.query});
    shapes.push_back({"logz", layout.logz});
  }
  if (failed(check.results(shapes)) ||
      failed(check.sameElement({{"q", op.getQ()}, {"y", check.result(0)}})))
    return failure();
  if (shapes.size() == 3 && (failed(check.accumulation("ratio", check.result(1), op.getQ())) ||
                             failed(check.accumulation("logz", check.result(2), op.getQ()))))
    return failure();
  return success();
}

bool LocalGradOp::hasBandInParts() {
  ValueRange values =
      getOperation()->getNumResults() ? ValueRange((*this)->getResults()) : ValueRange(getInits());
  return values.size() == 4 && rankOf(values[3]) == 3;
}

/// A derivative's dy (C1, C2), the saved ratio and logz (C4; C9 of conv_grad) and
/// the gradients (C5; C10 of conv_grad).
template <typename OpT>
static LogicalResult verifyGradResults(OpT op, ShapeCheck &check, const Layout &layout,
                                       Value bias) {
  auto local = dyn_cast<LocalGradOp>(op.getOperation());
  bool inParts = local && local.hasBandInParts();
  if (failed(check.shape("dy", op.getDy(), layout.query)) ||
      failed(check.sameElement({{"q", op.getQ()}, {"dy", op.getDy()}})) ||
      failed(check.shape("ratio", op.getRatio(), layout.query)) ||
      failed(check.shape("logz", op.getLogz(), layout.logz)) ||
      failed(check.accumulation("ratio", op.getRatio(), op.getQ())) ||
      failed(check.accumulation("logz", op.getLogz(), op.getQ())))
    return failure();
  SmallVector<NamedShape> shapes = {{"dq", layout.query}, {"dk", layout.key}, {"dv", layout.value}};
  std::string biasName = ("d" + layout.biasName).str();
  if (bias)
    shapes.push_back({biasName, inParts ? StringRef("PTL") : layout.bias});
  if (inParts && op.getInits().empty())
    return op.emitOpError() << "takes '" << biasName << "' in parts only with destinations";
  if (failed(check.results(shapes)) ||
      (inParts && failed(check.accumulation(biasName, check.result(3), op.getQ()))))
    return failure();
  SmallVector<Value> sources = {op.getQ(), op.getK(), op.getV()};
  if (bias && !inParts)
    sources.push_back(bias);
  for (auto [index, source] : llvm::enumerate(sources))
    if (elementOf(check.result(index)) != elementOf(source))
      return op.emitOpError() << "'" << shapes[index].first << "' must have element type "
                              << elementOf(source) << ", found " << elementOf(check.result(index));
  return success();
}

//===----------------------------------------------------------------------===//
// What is special in each mixer
//===----------------------------------------------------------------------===//

template <typename OpT> static FailureOr<Layout> fullLayout(OpT op, ShapeCheck &check) {
  Layout layout;
  layout.biasName = "w";
  layout.bias = rankOf(op.getW()) == 3 ? "BTS" : "TS";
  return layout;
}

/// C5 of full, C6 of full_grad: causal needs T <= S.
template <typename OpT> static LogicalResult verifyFull(OpT op, ShapeCheck &check) {
  int64_t queries = check.extent('T'), keys = check.extent('S');
  if (op.getCausal() && !ShapedType::isDynamic(queries) && !ShapedType::isDynamic(keys) &&
      queries > keys)
    return op.emitOpError() << "causal needs T <= S, found T = " << queries
                            << " queries and S = " << keys << " keys";
  return success();
}

static Layout sequenceLayout() {
  Layout layout;
  layout.key = layout.value = "BTd";
  return layout;
}

/// C5 of local, C6 of local_grad: window >= 1. The next number: the band has
/// 2 * window - 1 taps, or window when causal.
template <typename OpT> static FailureOr<Layout> localLayout(OpT op, ShapeCheck &check) {
  int64_t window = op.getWindow();
  if (window < 1)
    return op.emitOpError() << "window must be at least 1, found " << window
                            << " (a window of 0 is aft.simple)";
  if (int64_t taps; llvm::MulOverflow<int64_t>(window, 2, taps))
    return op.emitOpError() << "window is too large: " << window;
  check.bind('L', op.getCausal() ? window : 2 * window - 1,
             "window = " + std::to_string(window) + (op.getCausal() ? " causal" : ""));
  Layout layout = sequenceLayout();
  layout.biasName = "band";
  layout.bias = "TL";
  return layout;
}

/// C5 and C6 of conv: the grid, and causal in one dimension only.
template <typename OpT> static FailureOr<Layout> convLayout(OpT op, ShapeCheck &check) {
  ArrayRef<int64_t> grid = op.getGrid() ? *op.getGrid() : ArrayRef<int64_t>();
  if (op.getGrid() && (grid.empty() || grid.size() > 3))
    return op.emitOpError() << "grid must have 1 to 3 extents, found " << grid.size();
  int64_t positions = 1;
  for (int64_t extent : grid)
    if (extent < 1 || llvm::MulOverflow(positions, extent, positions))
      return op.emitOpError() << "grid extents must be positive and their product must fit "
                                 "64 bits, found "
                              << extent;
  unsigned axes = grid.empty() ? 1 : grid.size();
  if (op.getCausal() && axes > 1)
    return op.emitOpError() << "causal is defined on 1-D grids only, found a grid of " << axes
                            << " extents";
  if (!grid.empty())
    check.bind('T', positions, "the product of grid");
  Layout layout;
  layout.key = layout.logz = "BTh";
  layout.value = "BTd";
  layout.biasName = "filter";
  static constexpr StringRef shapes[] = {"hx", "hyx", "hzyx"};
  layout.bias = shapes[axes - 1];
  return layout;
}

/// C7 and C8 of conv: heads of equal size, and a filter with taps.
template <typename OpT> static LogicalResult verifyConv(OpT op, ShapeCheck &check) {
  int64_t channels = check.extent('d'), heads = check.extent('h');
  if (ShapedType::isDynamic(heads))
    return op.emitOpError() << "the number of heads h must be static";
  if (heads < 1 || channels % heads != 0)
    return op.emitOpError() << "the number of channels d must be a multiple of the number of "
                               "heads h, found d = "
                            << channels << " and h = " << heads;
  Value filter = op.getFilter();
  for (int64_t dim = 1; dim < rankOf(filter); ++dim)
    if (extentOf(filter, dim) == 0)
      return op.emitOpError() << "'filter' must have at least one tap on every axis, found 0 "
                                 "on axis "
                              << dim - 1;
    else if (ShapedType::isDynamic(extentOf(filter, dim)))
      return op.emitOpError() << "'filter' must have a static number of taps on every axis, "
                                 "found a dynamic one on axis "
                              << dim - 1;
  return success();
}

//===----------------------------------------------------------------------===//
// The operations
//===----------------------------------------------------------------------===//

template <typename OpT>
static LogicalResult verifyForward(OpT op, ShapeCheck &check, FailureOr<Layout> layout,
                                   Value bias) {
  if (failed(layout) || failed(verifyOperands(op, check, *layout, bias)))
    return failure();
  return verifyForwardResults(op, check, *layout);
}

template <typename OpT>
static LogicalResult verifyGrad(OpT op, ShapeCheck &check, FailureOr<Layout> layout, Value bias) {
  if (failed(layout) || failed(verifyOperands(op, check, *layout, bias)))
    return failure();
  return verifyGradResults(op, check, *layout, bias);
}

LogicalResult FullOp::verify() {
  ShapeCheck check(*this, getInits());
  if (failed(verifyForward(*this, check, fullLayout(*this, check), getW())))
    return failure();
  return verifyFull(*this, check);
}

LogicalResult FullGradOp::verify() {
  ShapeCheck check(*this, getInits());
  if (failed(verifyGrad(*this, check, fullLayout(*this, check), getW())))
    return failure();
  return verifyFull(*this, check);
}

LogicalResult LocalOp::verify() {
  ShapeCheck check(*this, getInits());
  return verifyForward(*this, check, localLayout(*this, check), getBand());
}

LogicalResult LocalGradOp::verify() {
  ShapeCheck check(*this, getInits());
  return verifyGrad(*this, check, localLayout(*this, check), getBand());
}

LogicalResult SimpleOp::verify() {
  ShapeCheck check(*this, getInits());
  return verifyForward(*this, check, sequenceLayout(), Value());
}

LogicalResult SimpleGradOp::verify() {
  ShapeCheck check(*this, getInits());
  return verifyGrad(*this, check, sequenceLayout(), Value());
}

LogicalResult ConvOp::verify() {
  ShapeCheck check(*this, getInits());
  if (failed(verifyForward(*this, check, convLayout(*this, check), getFilter())))
    return failure();
  return verifyConv(*this, check);
}

LogicalResult ConvGradOp::verify() {
  ShapeCheck check(*this, getInits());
  if (failed(verifyGrad(*this, check, convLayout(*this, check), getFilter())))
    return failure();
  return verifyConv(*this, check);
}
