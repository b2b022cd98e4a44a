//===- Gates.cpp - What stands beside a mixer's sums -----------------------===//

#include "compiler/graph/raise/Matcher.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace aft;
using namespace aft::raise;

static bool isOne(Expr e) { return numberOf(e) == 1.0; }

/// x of 1 + exp(-x)
static Expr sigmoidArgument(Expr e) {
  if (!is<arith::AddFOp>(e))
    return nullptr;
  for (int side : {0, 1}) {
    Expr power = stripped(e->operands[side]);
    if (!isOne(e->operands[1 - side]) || !is<math::ExpOp>(power))
      continue;
    Expr negative = stripped(power->operands[0]);
    if (is<arith::NegFOp>(negative))
      return stripped(negative->operands[0]);
  }
  return nullptr;
}

static std::optional<std::pair<Gate, Expr>> gateOf(Expr e) {
  e = stripped(e);
  if (is<math::TanhOp>(e))
    return std::pair(Gate::tanh, stripped(e->operands[0]));
  if (is<arith::DivFOp>(e) && isOne(e->operands[0]))
    if (Expr x = sigmoidArgument(stripped(e->operands[1])))
      return std::pair(Gate::sigmoid, x);
  if (is<arith::MaximumFOp>(e) && numberOf(e->operands[1]) == 0.0)
    return std::pair(Gate::relu, stripped(e->operands[0]));
  if (is<arith::SelectOp>(e) && numberOf(e->operands[2]) == 0.0 &&
      is<arith::CmpFOp>(e->operands[0])) {
    Expr condition = e->operands[0];
    auto predicate = cast<arith::CmpFOp>(condition->op).getPredicate();
    if ((predicate == arith::CmpFPredicate::UGT || predicate == arith::CmpFPredicate::OGT) &&
        numberOf(condition->operands[1]) == 0.0 &&
        same(stripped(condition->operands[0]), stripped(e->operands[1])))
      return std::pair(Gate::relu, stripped(e->operands[1]));
  }
  return std::nullopt;
}

bool Matcher::takeGate(const Power &factor) {
  if (mixer.gated || factor.base->vars != allVars())
    return false;
  std::optional<std::pair<Gate, Expr>> gate;
  if (factor.power == -1) {
    if (Expr x = sigmoidArgument(factor.base))
      gate = {Gate::sigmoid, x};
  } else if (factor.power == 1) {
    gate = gateOf(factor.base);
    Followed followed = follow(formulas, factor.base);
    if (!gate && followed.definition)
      gate = gateOf(followed.definition);
  }
  if (!gate || gate->second->kind != Kind::Element)
    return false;
  mixer.gate = gate->first;
  Expr value = follow(formulas, gate->second).value;
  mixer.gated = value->kind == Kind::Element ? value : gate->second;
  return true;
}

void Matcher::takeRest() {
  mixer.number = product.number;
  for (const Power &factor : product.factors)
    if (!takeGate(factor))
      mixer.rest.push_back(factor);
}
