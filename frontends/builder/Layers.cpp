//===- Layers.cpp - Normalisation, embedding, loss and dropout -------------===//

#include "frontends/builder/FunctionImpl.h"

#include <cmath>
#include <cstdio>

using namespace aft;
using Impl = Function::Impl;

/// Letters for all dimensions, or all but the last of a tensor.
static std::string leading(int count) {
  std::string letters;
  for (int dim = 0; dim < count; ++dim)
    letters += static_cast<char>('A' + dim);
  return letters;
}

static std::string decimal(double value) {
  char text[40];
  std::snprintf(text, sizeof text, "%.17e", value);
  return text;
}

Value Function::layerNorm(Value x, Value gamma, Value beta, double eps) {
  if (!impl->check("layer_norm", {x}) || !impl->checkFloat("layer_norm", x, "x"))
    return {};
  if (x.rank() == 0)
    return impl->fail("layer_norm", "expected rank 1 or more, found " + impl->typeTextOf(x));
  if (!(eps >= 0) || !std::isfinite(eps))
    return impl->fail("layer_norm", "eps must be finite and not negative, found " + decimal(eps));
  if (x.type().shape.back() == 0)
    return impl->fail("layer_norm", "x must have 1 or more channels, found " + impl->typeTextOf(x));
  DType dtype = gamma ? gamma.dtype() : beta ? beta.dtype() : x.dtype();
  Shape channels = {impl->extentOf(x, x.rank() - 1)};
  if (!gamma)
    gamma = impl->splat(numberText(1, dtype), dtype, channels);
  if (!beta)
    beta = impl->splat(numberText(0, dtype), dtype, channels);
  if (!impl->check("layer_norm", {gamma, beta}) ||
      !impl->checkSameType("layer_norm", gamma, beta, "gamma and beta") ||
      !impl->checkFloat("layer_norm", gamma, "gamma"))
    return {};
  std::string letters = leading(x.rank() - 1) + "d";
  return impl->aftOp("layer_norm", "$0, $1, $2 eps = " + decimal(eps),
                     {{"x", x, letters}, {"gamma", gamma, "d"}, {"beta", beta, "d"}},
                     {{x.dtype(), letters}})[0];
}

static bool checkIds(Impl &impl, const char *operation, Value ids, const char *what) {
  if (ids.dtype() == DType::i32 || ids.dtype() == DType::i64)
    return true;
  impl.fail(operation, std::string(what) + " must have element type i32 or i64, found " +
                           impl.typeTextOf(ids));
  return false;
}

Value Function::embedding(Value ids, Value table) {
  if (!impl->check("embedding", {ids, table}) || !checkIds(*impl, "embedding", ids, "ids") ||
      !impl->checkFloat("embedding", table, "table"))
    return {};
  std::string letters = leading(ids.rank());
  return impl->aftOp("embedding", "$0, $1", {{"ids", ids, letters}, {"table", table, "vd"}},
                     {{table.dtype(), letters + "d"}})[0];
}

Value Function::crossEntropy(Value logits, Value targets) {
  if (!impl->check("cross_entropy", {logits, targets}) ||
      !impl->checkFloat("cross_entropy", logits, "logits") ||
      !checkIds(*impl, "cross_entropy", targets, "targets"))
    return {};
  Impl::Letters letters;
  std::string rows = leading(targets.rank());
  if (!impl->bind("cross_entropy", {{"targets", targets, rows}, {"logits", logits, rows + "v"}},
                  letters))
    return {};
  if (targets.rank() != 1) {
    Polynomial count = 1;
    for (const Polynomial &extent : impl->shapeOf(targets))
      count = count * extent;
    logits = impl->viewAs(logits, {count, impl->extentOf(logits, logits.rank() - 1)});
    targets = impl->viewAs(targets, {count});
  }
  return impl->aftOp("cross_entropy", "$0, $1",
                     {{"logits", logits, "Nv"}, {"targets", targets, "N"}},
                     {{accumulationOf(logits.dtype()), ""}})[0];
}

Value Function::dropout(Value x, Value seed, double p, int64_t stream) {
  if (!impl->check("dropout", {x, seed}) || !impl->checkFloat("dropout", x, "x"))
    return {};
  if (!(p >= 0 && p < 1))
    return impl->fail("dropout", "p must be in [0, 1), found " + decimal(p));
  if (seed.dtype() != DType::i64 || seed.rank() != 0)
    return impl->fail("dropout", "seed must be tensor<i64>, found " + impl->typeTextOf(seed));
  if (stream < 0)
    stream = impl->streams++;
  std::string letters = leading(x.rank());
  return impl->aftOp("dropout", "$0, $1 p = " + decimal(p) + " stream = " + std::to_string(stream),
                     {{"x", x, letters}, {"seed", seed, ""}}, {{x.dtype(), letters}})[0];
}
