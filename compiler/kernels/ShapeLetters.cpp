//===- ShapeLetters.cpp - Dimension letters of the aft operations ---------===//

#include "compiler/kernels/Shapes.h"
#include "dialect/ir/AFT.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace aft;

using Letters = SmallVector<std::string>;

static int64_t rankOf(Value value) {
  return cast<ShapedType>(value.getType()).getRank();
}

/// Forward mixers: operands, optional lengths, then y, ratio and logz.
template <typename OpT>
static DimensionLetters forward(OpT op, Letters operands, std::string logz) {
  DimensionLetters letters{std::move(operands), {"BTd"}};
  if (op.getLengths())
    letters.operands.push_back("B");
  if (op->getNumResults() == 3)
    letters.results.append({"BTd", std::move(logz)});
  return letters;
}

/// Derivatives: dy, the operands, ratio, logz and optional lengths; the results
/// are shaped as the operands.
template <typename OpT>
static DimensionLetters backward(OpT op, Letters operands, std::string logz) {
  DimensionLetters letters{{"BTd"}, operands};
  letters.operands.append(operands);
  letters.operands.append({"BTd", std::move(logz)});
  if (op.getLengths())
    letters.operands.push_back("B");
  return letters;
}

static std::string filterLetters(Value filter) {
  static constexpr StringLiteral byRank[] = {"hx", "hyx", "hzyx"};
  return byRank[rankOf(filter) - 2].str();
}

static std::string biasLetters(Value w) { return rankOf(w) == 3 ? "BTS" : "TS"; }

/// Letters for the leading dimensions of a tensor of any rank.
static std::string leadingLetters(int64_t count) {
  std::string letters;
  for (int64_t i = 0; i < count; ++i)
    letters.push_back(static_cast<char>('0' + i));
  return letters;
}

bool aft::isKernelOp(Operation *op) {
  return isa<FullOp, LocalOp, SimpleOp, ConvOp, FullGradOp, LocalGradOp,
             SimpleGradOp, ConvGradOp, FullOnlineOp, SimpleOnlineOp,
             LocalOnlineOp, ConvOnlineOp, BandOp, BandGradOp, EmbeddingGradOp>(
      op);
}

/// Operations of models, which become generics.
static FailureOr<DimensionLetters> modelLetters(Operation *op) {
  using Result = FailureOr<DimensionLetters>;
  return llvm::TypeSwitch<Operation *, Result>(op)
      .Case([&](LayerNormOp o) -> Result {
        std::string rows = leadingLetters(rankOf(o.getX()) - 1);
        std::string x = rows + "d";
        DimensionLetters letters{{x, "d", "d"}, {x}};
        if (o->getNumResults() == 3)
          letters.results.append({rows, rows});
        return letters;
      })
      .Case([&](LayerNormGradOp o) -> Result {
        std::string rows = leadingLetters(rankOf(o.getX()) - 1);
        std::string x = rows + "d";
        return DimensionLetters{{x, x, "d", rows, rows}, {x, "d", "d"}};
      })
      .Case([&](EmbeddingOp o) -> Result {
        std::string ids = leadingLetters(rankOf(o.getIds()));
        return DimensionLetters{{ids, "vd"}, {ids + "d"}};
      })
      .Case([&](CrossEntropyOp o) -> Result {
        DimensionLetters letters{{"Nv", "N"}, {""}};
        if (o->getNumResults() == 2)
          letters.results.push_back("N");
        return letters;
      })
      .Case([&](CrossEntropyGradOp o) -> Result {
        return DimensionLetters{{"", "Nv", "N", "N"}, {"Nv"}};
      })
      .Case([&](FinishOp o) -> Result {
        return DimensionLetters{{"BTd", "BTd", "BTd"}, {"BTd"}};
      })
      .Case([&](DropoutOp o) -> Result {
        std::string x = leadingLetters(rankOf(o.getX()));
        return DimensionLetters{{x, ""}, {x}};
      })
      .Case([&](AdamWOp o) -> Result {
        std::string p = leadingLetters(rankOf(o.getParam()));
        return DimensionLetters{{p, p, p, p, "", "", ""}, {p, p, p}};
      })
      .Default([](Operation *) -> Result { return failure(); });
}

FailureOr<DimensionLetters> aft::dimensionLetters(Operation *op) {
  using Result = FailureOr<DimensionLetters>;
  const Letters same = {"BTd", "BTd", "BTd"};
  return llvm::TypeSwitch<Operation *, Result>(op)
      .Case([&](FullOp o) -> Result {
        return forward(o, {"BTd", "BSd", "BSd", biasLetters(o.getW())}, "BTd");
      })
      .Case([&](FullGradOp o) -> Result {
        return backward(o, {"BTd", "BSd", "BSd", biasLetters(o.getW())}, "BTd");
      })
      .Case([&](LocalOp o) -> Result {
        return forward(o, {"BTd", "BTd", "BTd", "TL"}, "BTd");
      })
      .Case([&](LocalGradOp o) -> Result {
        DimensionLetters letters = backward(o, {"BTd", "BTd", "BTd", "TL"}, "BTd");
        if (o.hasBandInParts())
          letters.results[3] = "PTL";
        return letters;
      })
      .Case([&](SimpleOp o) -> Result { return forward(o, same, "BTd"); })
      .Case([&](SimpleGradOp o) -> Result { return backward(o, same, "BTd"); })
      .Case([&](ConvOp o) -> Result {
        return forward(o, {"BTd", "BTh", "BTd", filterLetters(o.getFilter())},
                       "BTh");
      })
      .Case([&](ConvGradOp o) -> Result {
        return backward(o, {"BTd", "BTh", "BTd", filterLetters(o.getFilter())},
                        "BTh");
      })
      .Case([&](FullOnlineOp o) -> Result {
        return DimensionLetters{
            {"BSd", "BSd", biasLetters(o.getW()), "BTd", "BTd", "BTd"}, same};
      })
      .Case([&](SimpleOnlineOp o) -> Result {
        return DimensionLetters{{"BCd", "BCd", "BCd", "Bd", "Bd", "Bd"},
                                {"BCd", "Bd", "Bd", "Bd"}};
      })
      .Case([&](LocalOnlineOp o) -> Result {
        return DimensionLetters{
            {"BCd", "BCd", "BCd", "CL", "Bd", "Bd", "Bd", "BRd", "BRd"},
            {"BCd", "Bd", "Bd", "Bd", "BRd", "BRd"}};
      })
      .Case([&](ConvOnlineOp o) -> Result {
        return DimensionLetters{
            {"BCd", "BCh", "BCd", "hL", "Bh", "Bd", "Bh", "BRh", "BRd"},
            {"BCd", "Bh", "Bd", "Bh", "BRh", "BRd"}};
      })
      .Case([&](BandOp o) -> Result {
        // A dynamic number of rows is that of u and v.
        auto type = cast<ShapedType>(o->getResult(0).getType());
        return DimensionLetters{{"Tr", "Tr"},
                                {type.isDynamicDim(0) ? "TL" : "tL"}};
      })
      .Case([&](BandGradOp o) -> Result {
        return DimensionLetters{{"tL", "Tr", "Tr"}, {"Tr", "Tr"}};
      })
      .Case([&](EmbeddingGradOp o) -> Result {
        std::string ids = leadingLetters(rankOf(o.getIds()));
        return DimensionLetters{{ids, ids + "d"}, {"vd"}};
      })
      .Default([](Operation *other) { return modelLetters(other); });
}
