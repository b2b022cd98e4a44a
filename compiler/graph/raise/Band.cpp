//===- Band.cpp - Biases that are 0 far from the diagonal ------------------===//

#include "compiler/graph/raise/Match.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace aft;
using namespace aft::raise;

/// A tensor with a border of zeros is the tensor inside.
static std::optional<Masked> insideBorder(Normalizer &normalizer, Expr e) {
  Expr origin = normalizer.originOf(e);
  auto pad =
      origin->kind == Kind::Element ? origin->tensor.getDefiningOp<tensor::PadOp>() : nullptr;
  Value border = pad ? pad.getConstantPaddingValue() : Value();
  if (!border || !matchPattern(border, m_AnyZeroFloat()))
    return std::nullopt;
  Place place = origin->place;
  Mask mask;
  for (auto [dim, index] : llvm::enumerate(place)) {
    std::optional<int64_t> low = getConstantIntValue(pad.getMixedLowPad()[dim]);
    int64_t extent = pad.getSourceType().getDimSize(dim);
    if (low == 0 && isConstantIntValue(pad.getMixedHighPad()[dim], 0))
      continue;
    if (!low || ShapedType::isDynamic(extent) || index.var < 0 || !index.parts.empty())
      return std::nullopt;
    index.offset -= *low;
    // 0 <= var - minus + offset < extent
    Inequality above;
    above.vars = {{index.var, 1}};
    if (index.minus >= 0)
      above.vars.push_back({index.minus, -1});
    llvm::sort(above.vars);
    above.number = index.offset - extent + 1;
    Inequality below = above.negated();
    below.number = -index.offset;
    mask.append({above, below});
  }
  return mask.empty() ? std::nullopt
                      : std::optional(Masked{normalizer.element(pad.getSource(), place), mask});
}

std::optional<Masked> aft::raise::masked(Normalizer &normalizer, Expr e) {
  if (std::optional<Masked> inside = insideBorder(normalizer, stripped(e)))
    return inside;
  e = normalizer.definitionOf(stripped(e));
  if (e->kind == Kind::Scaled) {
    std::optional<Masked> inner = masked(normalizer, e->operands[0]);
    return inner ? std::optional(Masked{normalizer.scaled(inner->inner, factorOf(e)), inner->mask})
                 : std::nullopt;
  }
  if (is<arith::SelectOp>(e))
    for (int kept : {1, 2})
      if (normalizer.number(e->operands[3 - kept]) == 0.0)
        if (std::optional<Mask> mask = normalizer.mask(e->operands[0], kept == 1))
          return Masked{e->operands[kept], *mask};
  if (is<arith::MulFOp>(e))
    for (int kept : {0, 1})
      if (std::optional<Mask> mask = normalizer.zeroOne(e->operands[1 - kept]))
        return Masked{e->operands[kept], *mask};
  return std::nullopt;
}

/// The bias as a product of one tensor with rows for queries and one for keys.
static void factorise(Formulas &formulas, Normalizer &normalizer, Expr e, MixerMatch &mixer) {
  e = normalizer.definitionOf(stripped(e));
  if (e->kind != Kind::Sum || ShapedType::isDynamic(formulas.staticExtent(e->var)))
    return;
  Product product = normalizer.product(e);
  if (product.isWeight() || product.shift != 0 || !product.factors.empty() ||
      product.totals.size() != 1 || product.totals[0].power != 1 ||
      product.totals[0].vars.size() != 1)
    return;
  const Product &term = *product.totals[0].term;
  if (term.isWeight() || !term.totals.empty())
    return;
  auto left = std::make_shared<Product>(), right = std::make_shared<Product>();
  left->number = product.number;
  for (const Power &factor : term.factors) {
    bool ofQuery = has(factor.base, mixer.query), ofKey = has(factor.base, mixer.key);
    if (ofQuery == ofKey)
      return;
    (ofQuery ? left : right)->factors.push_back(factor);
  }
  if (left->factors.empty() || right->factors.empty())
    return;
  mixer.rank = product.totals[0].vars[0];
  mixer.left = std::move(left);
  mixer.right = std::move(right);
}

void aft::raise::findBand(Formulas &formulas, Normalizer &normalizer, MixerMatch &mixer) {
  Vars pair = Vars(1) << mixer.query | Vars(1) << mixer.key;
  if (mixer.bias.size() != 1 || mixer.bias[0].power != 1 || mixer.bias[0].base->vars & ~pair)
    return;
  // How far keys are before and after a query where the bias may not be 0.
  std::optional<int64_t> before, after;
  bool exact = true;
  Expr inner = mixer.bias[0].base;
  while (std::optional<Masked> outer = masked(normalizer, inner)) {
    inner = outer->inner;
    for (const Inequality &mask : outer->mask) {
      int64_t ofKey = mask.of(mixer.key);
      std::optional<int64_t> &reach = ofKey > 0 ? after : before;
      if (mask.vars.size() == 2 && mask.values.empty() && std::abs(ofKey) == 1 &&
          mask.of(mixer.query) == -ofKey)
        reach = std::min(reach.value_or(-mask.number), -mask.number);
      else
        exact = false;
    }
  }
  if (mixer.causal)
    after = 0;
  if (!before || !after)
    return;
  int64_t window = std::max<int64_t>({*before, *after, 0}) + 1;
  int64_t extent = formulas.staticExtent(mixer.query);
  if (!ShapedType::isDynamic(extent) && window >= extent)
    return;
  mixer.window = window;
  if (exact && *before == window - 1 && (mixer.causal || *after == window - 1))
    factorise(formulas, normalizer, inner, mixer);
}
