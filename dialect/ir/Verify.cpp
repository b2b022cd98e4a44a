//===- Verify.cpp - Verifiers of the model operations and of launch -------===//

#include "dialect/ir/AFT.h"
#include "dialect/ir/ShapeCheck.h"
#include "mlir/Interfaces/FunctionInterfaces.h"

// The constraint numbers are those of the operations' documentation.

using namespace mlir;
using namespace aft;

static ShapedType shaped(Value value) { return cast<ShapedType>(value.getType()); }

/// Every one of `values` must be of floats.
static LogicalResult allFloating(ShapeCheck &check,
                                 ArrayRef<std::pair<StringRef, Value>> values) {
  for (auto [name, value] : values)
    if (failed(check.floating(name, value)))
      return failure();
  return success();
}

/// Letters "AB…" for the leading dimensions of a value of any rank, with the
/// given letters for the trailing ones.
static std::string leading(Value value, StringRef trailing) {
  std::string letters;
  int64_t count = shaped(value).getRank() - static_cast<int64_t>(trailing.size());
  for (int64_t i = 0; i < count; ++i)
    letters.push_back(static_cast<char>('A' + i));
  return letters + trailing.str();
}

//===----------------------------------------------------------------------===//
// band
//===----------------------------------------------------------------------===//

/// C1 to C3 of what band and its derivative share; binds the taps.
template <typename OpT> static LogicalResult verifyFactors(OpT op, ShapeCheck &check) {
  int64_t window = op.getWindow();
  if (window < 1)
    return op.emitOpError() << "window must be at least 1, found " << window;
  int64_t taps;
  if (llvm::MulOverflow<int64_t>(window, 2, taps))
    return op.emitOpError() << "window is too large: " << window;
  check.bind('L', op.getCausal() ? window : taps - 1, "window");
  if (failed(check.floating("u", op.getU())) ||
      failed(check.sameElement({{"u", op.getU()}, {"v", op.getV()}})) ||
      failed(check.shape("u", op.getU(), "Mr")) || failed(check.shape("v", op.getV(), "Mr")))
    return failure();
  return success();
}

/// C4.
template <typename OpT> static LogicalResult verifyRows(OpT op, ShapeCheck &check) {
  int64_t rows = check.extent('T'), most = check.extent('M');
  if (!ShapedType::isDynamic(rows) && !ShapedType::isDynamic(most) && rows > most)
    return op.emitOpError() << "the band has " << rows << " rows but 'u' and 'v' have only "
                            << most;
  return success();
}

LogicalResult BandOp::verify() {
  ShapeCheck check(*this, getInits());
  if (failed(verifyFactors(*this, check)) || failed(check.results({{"band", "TL"}})) ||
      failed(check.floating("band", check.result(0))))
    return failure();
  return verifyRows(*this, check);
}

LogicalResult BandGradOp::verify() {
  ShapeCheck check(*this, getInits());
  if (failed(verifyFactors(*this, check)) || failed(check.floating("dband", getDband())) ||
      failed(check.shape("dband", getDband(), "TL")) ||
      failed(check.results({{"du", "Mr"}, {"dv", "Mr"}})) ||
      failed(allFloating(check, {{"du", check.result(0)}, {"dv", check.result(1)}})))
    return failure();
  return verifyRows(*this, check);
}

//===----------------------------------------------------------------------===//
// layer_norm
//===----------------------------------------------------------------------===//

/// A row without channels has no mean.
static LogicalResult verifyChannels(Operation *op, Value x) {
  if (cast<ShapedType>(x.getType()).getShape().back() == 0)
    return op->emitOpError() << "'x' must have 1 or more channels (d), found 0";
  return success();
}

LogicalResult LayerNormOp::verify() {
  ShapeCheck check(*this, getInits());
  // C1, C2.
  if (failed(check.rank("x", getX(), 1)) || failed(check.floating("x", getX())) ||
      failed(check.floating("gamma", getGamma())) ||
      failed(check.sameElement({{"gamma", getGamma()}, {"beta", getBeta()}})))
    return failure();
  std::string x = leading(getX(), "d");
  std::string rows = StringRef(x).drop_back().str();
  // C3.
  if (failed(check.shape("x", getX(), x)) || failed(verifyChannels(*this, getX())) ||
      failed(check.shape("gamma", getGamma(), "d")) || failed(check.shape("beta", getBeta(), "d")))
    return failure();
  if (!(getEps().convertToDouble() >= 0)) // C4
    return emitOpError() << "eps must not be negative, found " << getEps().convertToDouble();
  // C5.
  unsigned count = check.numResults();
  if (count != 1 && count != 3)
    return emitOpError() << "must have 1 result (y) or 3 (y, mean, rstd), found " << count;
  SmallVector<std::pair<StringRef, StringRef>> shapes = {{"y", x}, {"mean", rows}, {"rstd", rows}};
  if (failed(check.results(ArrayRef(shapes).take_front(count))) ||
      failed(check.sameElement({{"x", getX()}, {"y", check.result(0)}})))
    return failure();
  if (count == 1)
    return success();
  if (failed(check.accumulation("mean", check.result(1), getX())))
    return failure();
  return check.accumulation("rstd", check.result(2), getX());
}

LogicalResult LayerNormGradOp::verify() {
  ShapeCheck check(*this, getInits());
  // C1, C2.
  if (failed(check.rank("x", getX(), 1)) ||
      failed(allFloating(check, {{"x", getX()}, {"dy", getDy()}, {"gamma", getGamma()}})))
    return failure();
  std::string x = leading(getX(), "d");
  std::string rows = StringRef(x).drop_back().str();
  // C3, C4.
  if (failed(check.shape("x", getX(), x)) || failed(verifyChannels(*this, getX())) ||
      failed(check.shape("dy", getDy(), x)) || failed(check.shape("gamma", getGamma(), "d")) ||
      failed(check.shape("mean", getMean(), rows)) ||
      failed(check.shape("rstd", getRstd(), rows)) ||
      failed(check.accumulation("mean", getMean(), getX())) ||
      failed(check.accumulation("rstd", getRstd(), getX())) ||
      failed(check.results({{"dx", x}, {"dgamma", "d"}, {"dbeta", "d"}})))
    return failure();
  return allFloating(check, {{"dx", check.result(0)},
                             {"dgamma", check.result(1)},
                             {"dbeta", check.result(2)}});
}

//===----------------------------------------------------------------------===//
// embedding, cross_entropy
//===----------------------------------------------------------------------===//

/// C1, and the shape of the ids.
static LogicalResult verifyIds(ShapeCheck &check, Value ids) {
  if (failed(check.rank("ids", ids, 0)) || failed(check.integer("ids", ids, {32, 64})))
    return failure();
  return check.shape("ids", ids, leading(ids, ""));
}

LogicalResult EmbeddingOp::verify() {
  ShapeCheck check(*this, getInits());
  // C2 and C3.
  if (failed(verifyIds(check, getIds())) || failed(check.floating("table", getTable())) ||
      failed(check.shape("table", getTable(), "vd")) ||
      failed(check.results({{"y", leading(getIds(), "") + "d"}})))
    return failure();
  return check.sameElement({{"table", getTable()}, {"y", check.result(0)}});
}

LogicalResult EmbeddingGradOp::verify() {
  ShapeCheck check(*this, getInits());
  // C2 and C3.
  if (failed(verifyIds(check, getIds())) || failed(check.floating("dy", getDy())) ||
      failed(check.shape("dy", getDy(), leading(getIds(), "") + "d")) ||
      failed(check.results({{"dtable", "vd"}})))
    return failure();
  return check.floating("dtable", check.result(0));
}

/// C1 to C3 of cross_entropy and its derivative.
template <typename OpT> static LogicalResult verifyTargets(OpT op, ShapeCheck &check) {
  if (failed(check.floating("logits", op.getLogits())) ||
      failed(check.integer("targets", op.getTargets(), {32, 64})) ||
      failed(check.shape("logits", op.getLogits(), "Nv")))
    return failure();
  return check.shape("targets", op.getTargets(), "N");
}

LogicalResult CrossEntropyOp::verify() {
  ShapeCheck check(*this, getInits());
  if (failed(verifyTargets(*this, check)))
    return failure();
  // C4.
  unsigned count = check.numResults();
  if (count != 1 && count != 2)
    return emitOpError() << "must have 1 result (loss) or 2 (loss, lse), found " << count;
  SmallVector<std::pair<StringRef, StringRef>> shapes = {{"loss", ""}, {"lse", "N"}};
  if (failed(check.results(ArrayRef(shapes).take_front(count))) ||
      failed(check.accumulation("loss", check.result(0), getLogits())))
    return failure();
  return count == 1 ? success() : check.accumulation("lse", check.result(1), getLogits());
}

LogicalResult CrossEntropyGradOp::verify() {
  ShapeCheck check(*this, getInits());
  // C3, C4, and C1 of the result.
  if (failed(verifyTargets(*this, check)) || failed(check.shape("dloss", getDloss(), "")) ||
      failed(check.shape("lse", getLse(), "N")) ||
      failed(check.accumulation("dloss", getDloss(), getLogits())) ||
      failed(check.accumulation("lse", getLse(), getLogits())) ||
      failed(check.results({{"dlogits", "Nv"}})))
    return failure();
  return check.sameElement({{"logits", getLogits()}, {"dlogits", check.result(0)}});
}

//===----------------------------------------------------------------------===//
// dropout, adamw
//===----------------------------------------------------------------------===//

LogicalResult DropoutOp::verify() {
  ShapeCheck check(*this, getInits());
  double p = getP().convertToDouble();
  if (!(p >= 0 && p < 1)) // C1
    return emitOpError() << "p must be in [0, 1), found " << p;
  // C2 to C4.
  if (failed(check.floating("x", getX())) || failed(check.integer("seed", getSeed(), {64})) ||
      failed(check.shape("seed", getSeed(), "")) || failed(check.rank("x", getX(), 0)))
    return failure();
  std::string x = leading(getX(), "");
  if (failed(check.shape("x", getX(), x)) || failed(check.results({{"y", x}})))
    return failure();
  return check.sameElement({{"x", getX()}, {"y", check.result(0)}});
}

LogicalResult AdamWOp::verify() {
  ShapeCheck check(*this, getInits());
  if (failed(check.rank("param", getParam(), 0)))
    return failure();
  std::string p = leading(getParam(), "");
  std::pair<StringRef, Value> tensors[] = {
      {"param", getParam()}, {"grad", getGrad()}, {"m", getM()}, {"v", getV()}};
  for (auto [name, value] : tensors) // C1
    if (failed(check.shape(name, value, p)))
      return failure();
  // C2, C3.
  if (failed(allFloating(check, tensors)) ||
      failed(check.sameElement({{"m", getM()}, {"v", getV()}})) ||
      failed(allFloating(check, {{"lr", getLr()}, {"scale", getScale()}})) ||
      failed(check.integer("step", getStep(), {64})) ||
      failed(check.shape("lr", getLr(), "")) || failed(check.shape("step", getStep(), "")) ||
      failed(check.shape("scale", getScale(), "")) ||
      failed(check.results({{"param", p}, {"m", p}, {"v", p}})))
    return failure();
  std::pair<StringRef, Value> updated[] = {{"param", getParam()}, {"m", getM()}, {"v", getV()}};
  for (auto [index, operand] : llvm::enumerate(updated))
    if (failed(check.sameElement({operand, {"its result", check.result(index)}})))
      return failure();
  for (auto [name, value] : {std::pair<StringRef, double>{"beta1", getBeta1().convertToDouble()},
                             {"beta2", getBeta2().convertToDouble()}})
    if (!(value >= 0 && value < 1)) // C4
      return emitOpError() << name << " must be in [0, 1), found " << value;
  return success();
}

//===----------------------------------------------------------------------===//
// launch
//===----------------------------------------------------------------------===//

/// C2.
LogicalResult LaunchOp::verify() {
  if (getNumResults() != 0 && getNumResults() != getInits().size())
    return emitOpError() << "must have no results or one for each of its " << getInits().size()
                         << " destinations, found " << getNumResults();
  return success();
}

/// C1.
LogicalResult LaunchOp::verifySymbolUses(SymbolTableCollection &symbols) {
  Operation *kernel = symbols.lookupNearestSymbolFrom(*this, getKernelAttr());
  auto function = dyn_cast_or_null<FunctionOpInterface>(kernel);
  if (!function)
    return emitOpError() << "kernel '" << getKernel() << "' is not a function of this module";
  return success();
}
