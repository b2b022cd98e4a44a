//===- VerifyOnline.cpp - Verifiers of the mixers with a carried state ----===//

#include "dialect/ir/AFT.h"
#include "dialect/ir/ShapeCheck.h"

using namespace mlir;
using namespace aft;

// The constraint numbers are those of the operations' documentation; C1 are the
// shapes.

/// C3: the state is in the accumulation type.
static LogicalResult checkState(ShapeCheck &check, Value like,
                                ArrayRef<std::pair<StringRef, Value>> state) {
  for (auto [name, value] : state)
    if (failed(check.accumulation(name, value, like)))
      return failure();
  return success();
}

/// C2, C3: a result has the element type of the operand it continues.
static LogicalResult sameAsResults(ShapeCheck &check,
                                   ArrayRef<std::pair<StringRef, Value>> values) {
  for (auto [index, value] : llvm::enumerate(values))
    if (failed(check.sameElement({value, {"its result", check.result(index)}})))
      return failure();
  return success();
}

LogicalResult FullOnlineOp::verify() {
  ShapeCheck check(*this, getInits());
  check.fix('d');
  StringRef bias = cast<ShapedType>(getW().getType()).getRank() == 3 ? "BTS" : "TS";
  if (failed(check.floating("k", getK())) ||
      failed(check.sameElement({{"k", getK()}, {"v", getV()}})) ||
      failed(check.shape("k", getK(), "BSd")) || failed(check.shape("v", getV(), "BSd")) ||
      failed(check.shape("w", getW(), bias)) || failed(check.shape("m", getM(), "BTd")) ||
      failed(check.shape("n", getN(), "BTd")) || failed(check.shape("z", getZ(), "BTd")) ||
      failed(check.bias("w", getW(), getK())) ||
      failed(checkState(check, getK(), {{"m", getM()}, {"n", getN()}, {"z", getZ()}})) ||
      failed(check.results({{"m", "BTd"}, {"n", "BTd"}, {"z", "BTd"}})))
    return failure();
  return sameAsResults(check, {{"m", getM()}, {"n", getN()}, {"z", getZ()}});
}

LogicalResult FinishOp::verify() {
  ShapeCheck check(*this, getInits());
  check.fix('d');
  if (failed(check.floating("q", getQ())) || failed(check.shape("q", getQ(), "BTd")) ||
      failed(check.shape("n", getN(), "BTd")) || failed(check.shape("z", getZ(), "BTd")) ||
      failed(checkState(check, getQ(), {{"n", getN()}, {"z", getZ()}})) ||
      failed(check.results({{"y", "BTd"}})))
    return failure();
  return sameAsResults(check, {{"q", getQ()}});
}

/// What the three causal online mixers share; `key` are the letters of k.
template <typename OpT>
static LogicalResult verifyChunk(OpT op, ShapeCheck &check, StringRef key, StringRef max) {
  check.fix('d');
  if (failed(check.floating("q", op.getQ())) ||
      failed(check.sameElement({{"q", op.getQ()}, {"k", op.getK()}, {"v", op.getV()}})) ||
      failed(check.shape("q", op.getQ(), "BCd")) || failed(check.shape("k", op.getK(), key)) ||
      failed(check.shape("v", op.getV(), "BCd")) || failed(check.shape("m", op.getM(), max)) ||
      failed(check.shape("n", op.getN(), "Bd")) || failed(check.shape("z", op.getZ(), max)))
    return failure();
  return checkState(check, op.getQ(), {{"m", op.getM()}, {"n", op.getN()}, {"z", op.getZ()}});
}

template <typename OpT>
static LogicalResult verifyRecent(OpT op, ShapeCheck &check, StringRef key, StringRef max) {
  if (failed(check.shape("recent_k", op.getRecentK(), key)) ||
      failed(check.shape("recent_v", op.getRecentV(), "BRd")) ||
      failed(check.sameElement(
          {{"q", op.getQ()}, {"recent_k", op.getRecentK()}, {"recent_v", op.getRecentV()}})) ||
      failed(check.results({{"y", "BCd"},
                            {"m", max},
                            {"n", "Bd"},
                            {"z", max},
                            {"recent_k", key},
                            {"recent_v", "BRd"}})))
    return failure();
  return sameAsResults(check, {{"q", op.getQ()},
                               {"m", op.getM()},
                               {"n", op.getN()},
                               {"z", op.getZ()},
                               {"recent_k", op.getRecentK()},
                               {"recent_v", op.getRecentV()}});
}

LogicalResult SimpleOnlineOp::verify() {
  ShapeCheck check(*this, getInits());
  if (failed(verifyChunk(*this, check, "BCd", "Bd")) ||
      failed(check.results({{"y", "BCd"}, {"m", "Bd"}, {"n", "Bd"}, {"z", "Bd"}})))
    return failure();
  return sameAsResults(check, {{"q", getQ()}, {"m", getM()}, {"n", getN()}, {"z", getZ()}});
}

LogicalResult LocalOnlineOp::verify() {
  ShapeCheck check(*this, getInits());
  int64_t window = getWindow();
  if (window < 1) // C4
    return emitOpError() << "window must be at least 1, found " << window;
  check.bind('L', window, "window");
  check.bind('R', window - 1, "window - 1");
  if (failed(verifyChunk(*this, check, "BCd", "Bd")) ||
      failed(check.shape("band", getBand(), "CL")) || failed(check.bias("band", getBand(), getQ())))
    return failure();
  return verifyRecent(*this, check, "BRd", "Bd");
}

LogicalResult ConvOnlineOp::verify() {
  ShapeCheck check(*this, getInits());
  if (failed(verifyChunk(*this, check, "BCh", "Bh")) ||
      failed(check.shape("filter", getFilter(), "hL")) ||
      failed(check.bias("filter", getFilter(), getQ())))
    return failure();
  int64_t taps = check.extent('L');
  if (taps < 1) // C4; a dynamic extent is negative
    return emitOpError() << "'filter' must have a static number of taps, at least one";
  check.bind('R', taps - 1, "taps - 1");
  int64_t channels = check.extent('d'), heads = check.extent('h');
  if (ShapedType::isDynamic(heads)) // C5
    return emitOpError() << "the number of heads h must be static";
  if (heads < 1 || channels % heads != 0)
    return emitOpError() << "the number of channels d must be a multiple of the number of "
                            "heads h, found d = "
                         << channels << " and h = " << heads;
  return verifyRecent(*this, check, "BRh", "Bh");
}
