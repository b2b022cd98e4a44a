//===- Verify.cpp - Verifiers of the model operations and of launch -------===//

#include "dialect/ir/AFT.h"
#include "dialect/ir/ShapeCheck.h"
#include "mlir/Interfaces/FunctionInterfaces.h"

using namespace mlir;
using namespace aft;

static ShapedType shaped(Value value) { return cast<ShapedType>(value.getType()); }
static Type elementOf(Value value) { return shaped(value).getElementType(); }

static LogicalResult expectElement(Operation *op, StringRef name, Value value, Type expected) {
  if (elementOf(value) == expected)
    return success();
  return op->emitOpError() << "'" << name << "' must have element type " << expected
                           << ", found " << elementOf(value);
}

/// Letters "ab…" for the leading dimensions of a value of any rank, with the
/// given letters for the trailing ones.
static std::string leading(int64_t rank, StringRef trailing) {
  std::string letters;
  for (int64_t i = 0; i < rank - static_cast<int64_t>(trailing.size()); ++i)
    letters.push_back(static_cast<char>('A' + i));
  return letters + trailing.str();
}

static LogicalResult atLeastRank(Operation *op, StringRef name, Value value, int64_t rank) {
  if (shaped(value).getRank() >= rank)
    return success();
  return op->emitOpError() << "'" << name << "' must have rank " << rank
                           << " or more, found rank " << shaped(value).getRank();
}

LogicalResult BandOp::verify() {
  ShapeCheck check(*this, getInits());
  if (getWindow() < 1)
    return emitOpError() << "window must be at least 1, found " << int64_t(getWindow());
  check.bind('L', getCausal() ? getWindow() : 2 * getWindow() - 1, "window");
  if (failed(check.floating("u", getU())) ||
      failed(check.sameElement({{"u", getU()}, {"v", getV()}})) ||
      failed(check.shape("u", getU(), "Tr")) || failed(check.shape("v", getV(), "Tr")) ||
      failed(check.results({{"band", "tL"}})))
    return failure();
  int64_t rows = check.extent('t'), most = check.extent('T');
  if (!ShapedType::isDynamic(rows) && !ShapedType::isDynamic(most) && rows > most)
    return emitOpError() << "the band has " << rows << " rows but 'u' and 'v' have only "
                         << most;
  return success();
}

LogicalResult BandGradOp::verify() {
  ShapeCheck check(*this, getInits());
  if (getWindow() < 1)
    return emitOpError() << "window must be at least 1, found " << int64_t(getWindow());
  check.bind('L', getCausal() ? getWindow() : 2 * getWindow() - 1, "window");
  if (failed(check.floating("u", getU())) ||
      failed(check.sameElement({{"u", getU()}, {"v", getV()}})) ||
      failed(check.shape("u", getU(), "Tr")) || failed(check.shape("v", getV(), "Tr")) ||
      failed(check.shape("dband", getDband(), "tL")) ||
      failed(check.results({{"du", "Tr"}, {"dv", "Tr"}})))
    return failure();
  return success();
}

LogicalResult LayerNormOp::verify() {
  ShapeCheck check(*this, getInits());
  if (failed(atLeastRank(*this, "x", getX(), 1)) || failed(check.floating("x", getX())))
    return failure();
  std::string x = leading(shaped(getX()).getRank(), "d");
  std::string rows = StringRef(x).drop_back().str();
  if (failed(check.shape("x", getX(), x)) || failed(check.shape("gamma", getGamma(), "d")) ||
      failed(check.shape("beta", getBeta(), "d")) ||
      failed(check.sameElement({{"gamma", getGamma()}, {"beta", getBeta()}})))
    return failure();
  if (!(getEps().convertToDouble() >= 0))
    return emitOpError() << "eps must not be negative, found " << getEps().convertToDouble();
  if (check.numResults() == 1)
    return check.results({{"y", x}});
  if (failed(check.results({{"y", x}, {"mean", rows}, {"rstd", rows}})))
    return failure();
  Type acc = accumulationType(elementOf(getX()));
  if (failed(expectElement(*this, "mean", check.result(1), acc)))
    return failure();
  return expectElement(*this, "rstd", check.result(2), acc);
}

LogicalResult LayerNormGradOp::verify() {
  ShapeCheck check(*this, getInits());
  if (failed(atLeastRank(*this, "x", getX(), 1)) || failed(check.floating("x", getX())))
    return failure();
  std::string x = leading(shaped(getX()).getRank(), "d");
  std::string rows = StringRef(x).drop_back().str();
  Type acc = accumulationType(elementOf(getX()));
  if (failed(check.shape("x", getX(), x)) || failed(check.shape("dy", getDy(), x)) ||
      failed(check.shape("gamma", getGamma(), "d")) ||
      failed(check.shape("mean", getMean(), rows)) ||
      failed(check.shape("rstd", getRstd(), rows)) ||
      failed(expectElement(*this, "mean", getMean(), acc)) ||
      failed(expectElement(*this, "rstd", getRstd(), acc)))
    return failure();
  return check.results({{"dx", x}, {"dgamma", "d"}, {"dbeta", "d"}});
}

LogicalResult EmbeddingOp::verify() {
  ShapeCheck check(*this, getInits());
  std::string ids = leading(shaped(getIds()).getRank(), "");
  if (failed(check.integer("ids", getIds(), {32, 64})) ||
      failed(check.floating("table", getTable())) || failed(check.shape("ids", getIds(), ids)) ||
      failed(check.shape("table", getTable(), "vd")) || failed(check.results({{"y", ids + "d"}})))
    return failure();
  return check.sameElement({{"table", getTable()}, {"y", check.result(0)}});
}

LogicalResult EmbeddingGradOp::verify() {
  ShapeCheck check(*this, getInits());
  std::string ids = leading(shaped(getIds()).getRank(), "");
  if (failed(check.integer("ids", getIds(), {32, 64})) || failed(check.floating("dy", getDy())) ||
      failed(check.shape("ids", getIds(), ids)) || failed(check.shape("dy", getDy(), ids + "d")))
    return failure();
  return check.results({{"dtable", "vd"}});
}

LogicalResult CrossEntropyOp::verify() {
  ShapeCheck check(*this, getInits());
  if (failed(check.floating("logits", getLogits())) ||
      failed(check.integer("targets", getTargets(), {32, 64})) ||
      failed(check.shape("logits", getLogits(), "Nv")) ||
      failed(check.shape("targets", getTargets(), "N")))
    return failure();
  if (failed(check.numResults() == 1 ? check.results({{"loss", ""}})
                                     : check.results({{"loss", ""}, {"lse", "N"}})))
    return failure();
  Type acc = accumulationType(elementOf(getLogits()));
  if (failed(expectElement(*this, "loss", check.result(0), acc)))
    return failure();
  return check.numResults() == 1 ? success() : expectElement(*this, "lse", check.result(1), acc);
}

LogicalResult CrossEntropyGradOp::verify() {
  ShapeCheck check(*this, getInits());
  Type acc = accumulationType(elementOf(getLogits()));
  if (failed(check.floating("logits", getLogits())) ||
      failed(check.integer("targets", getTargets(), {32, 64})) ||
      failed(check.shape("dloss", getDloss(), "")) ||
      failed(expectElement(*this, "dloss", getDloss(), acc)) ||
      failed(check.shape("logits", getLogits(), "Nv")) ||
      failed(check.shape("targets", getTargets(), "N")) ||
      failed(check.shape("lse", getLse(), "N")) ||
      failed(expectElement(*this, "lse", getLse(), acc)) ||
      failed(check.results({{"dlogits", "Nv"}})))
    return failure();
  return check.sameElement({{"logits", getLogits()}, {"dlogits", check.result(0)}});
}

LogicalResult DropoutOp::verify() {
  ShapeCheck check(*this, getInits());
  std::string x = leading(shaped(getX()).getRank(), "");
  double p = getP().convertToDouble();
  if (!(p >= 0 && p < 1))
    return emitOpError() << "p must be in [0, 1), found " << p;
  if (failed(check.floating("x", getX())) || failed(check.integer("seed", getSeed(), {64})) ||
      failed(check.shape("x", getX(), x)) || failed(check.shape("seed", getSeed(), "")) ||
      failed(check.results({{"y", x}})))
    return failure();
  return check.sameElement({{"x", getX()}, {"y", check.result(0)}});
}

LogicalResult AdamWOp::verify() {
  ShapeCheck check(*this, getInits());
  std::string p = leading(shaped(getParam()).getRank(), "");
  if (failed(check.floating("param", getParam())) || failed(check.shape("param", getParam(), p)) ||
      failed(check.shape("grad", getGrad(), p)) || failed(check.shape("m", getM(), p)) ||
      failed(check.shape("v", getV(), p)) || failed(check.shape("lr", getLr(), "")) ||
      failed(check.floating("lr", getLr())) || failed(check.shape("step", getStep(), "")) ||
      failed(check.integer("step", getStep(), {64})) ||
      failed(check.shape("scale", getScale(), "")) || failed(check.floating("scale", getScale())))
    return failure();
  if (failed(check.sameElement({{"m", getM()}, {"v", getV()}})) ||
      failed(check.results({{"param", p}, {"m", p}, {"v", p}})))
    return failure();
  for (auto [name, value] : {std::pair<StringRef, double>{"beta1", getBeta1().convertToDouble()},
                             {"beta2", getBeta2().convertToDouble()}})
    if (!(value >= 0 && value < 1))
      return emitOpError() << name << " must be in [0, 1), found " << value;
  return success();
}

LogicalResult LaunchOp::verify() {
  if (getNumResults() != 0 && getNumResults() != getInits().size())
    return emitOpError() << "must have no results or one for each of its " << getInits().size()
                         << " destinations, found " << getNumResults();
  return success();
}

LogicalResult LaunchOp::verifySymbolUses(SymbolTableCollection &symbols) {
  Operation *kernel = symbols.lookupNearestSymbolFrom(*this, getKernelAttr());
  auto function = dyn_cast_or_null<FunctionOpInterface>(kernel);
  if (!function)
    return emitOpError() << "kernel '" << getKernel() << "' is not a function of this module";
  return success();
}
