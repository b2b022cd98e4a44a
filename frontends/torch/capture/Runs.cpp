//===- Runs.cpp - What two runs of a module have in common -----------------===//

#include "frontends/torch/capture/Sizes.h"

#include <ATen/ATen.h>

#include <algorithm>

using namespace aft;
using namespace aft::capture;

static bool sameState(const TracedState &a, const TracedState &b) {
  if (a.name != b.name || a.isConstant != b.isConstant)
    return false;
  // Tensors that a forward makes anew must at least hold the same numbers.
  return a.tensor.is_same(b.tensor) ||
         (a.isConstant && a.tensor.dtype() == b.tensor.dtype() &&
          a.tensor.sizes() == b.tensor.sizes() && a.tensor.equal(b.tensor));
}

static bool sameCall(const Call &x, const Call &y) {
  return x.schema == y.schema && x.args.size() == y.args.size() && x.results == y.results &&
         x.name == y.name && x.source == y.source;
}

/// Whether two arguments differ in nothing but numbers that may follow sizes.
static bool sameArg(const Arg &p, const Arg &q) {
  bool number = p.kind == Arg::Kind::Int || p.kind == Arg::Kind::Ints;
  bool real = p.kind == Arg::Kind::Double;
  return p.kind == q.kind && p.values == q.values && (real || p.doubles == q.doubles) &&
         p.text == q.text && p.ints.size() == q.ints.size() && (number || p.ints == q.ints);
}

std::string capture::differenceOf(const Trace &a, const Trace &b) {
  for (size_t i = 0; i < std::min(a.calls.size(), b.calls.size()); ++i) {
    if (!sameCall(a.calls[i], b.calls[i]))
      return "another operator is called in place of " + describe(a, i);
    for (size_t j = 0; j < a.calls[i].args.size(); ++j)
      if (!sameArg(a.calls[i].args[j], b.calls[i].args[j]))
        return "the argument '" + a.calls[i].schema->arguments()[j].name() + "' differs of " +
               describe(a, i);
  }
  if (a.calls.size() != b.calls.size())
    return "more or fewer operators are called";
  if (a.states.size() != b.states.size() || a.values.size() != b.values.size() ||
      a.outputs != b.outputs)
    return "other tensors are used";
  for (size_t i = 0; i < a.states.size(); ++i)
    if (!sameState(a.states[i], b.states[i]))
      return "the tensor '" + a.states[i].name + "' holds other numbers";
  for (size_t i = 0; i < a.values.size(); ++i)
    if (a.values[i].tensor.dim() != b.values[i].tensor.dim() ||
        a.values[i].isConstant != b.values[i].isConstant ||
        a.values[i].dtype() != b.values[i].dtype())
      return "tensors have another rank or element type";
  return "";
}
