//===- Online.cpp - Mixers with a carried state, and the band --------------===//

#include "frontends/builder/FunctionImpl.h"

using namespace aft;
using Impl = Function::Impl;
using Named = Impl::Named;
using Letters = Impl::Letters;

static std::string gateText(const std::string &gate) {
  return gate == "sigmoid" ? "" : " gate = " + gate;
}

/// Floats, the state in the accumulation type, and a known gate.
static bool checkOnline(Impl &impl, const char *operation, const std::vector<Value> &values,
                        const MixerState &state, const std::string &gate) {
  if (!impl.check(operation, values) || !impl.check(operation, {state.m, state.n, state.z}) ||
      !impl.checkFloat(operation, values[0], "the operands"))
    return false;
  for (Value value : values)
    if (!impl.checkSameType(operation, values[0], value, "the operands"))
      return false;
  DType wide = accumulationOf(values[0].dtype());
  for (Value value : {state.m, state.n, state.z})
    if (value.dtype() != wide) {
      impl.fail(operation, std::string("the state must have element type ") + nameOf(wide) +
                               ", found " + impl.typeTextOf(value));
      return false;
    }
  if (gate == "sigmoid" || gate == "relu" || gate == "tanh" || gate == "none")
    return true;
  impl.fail(operation, "gate must be sigmoid, relu, tanh or none, found '" + gate + "'");
  return false;
}

void Function::fullOnline(Value k, Value v, Value w, MixerState &state) {
  if (!impl->check("full_online", {w}) ||
      !checkOnline(*impl, "full_online", {k, v}, state, "none"))
    return;
  DType wide = state.m.dtype();
  std::vector<Value> next = impl->aftOp(
      "full_online", "$0, $1, $2 state($3, $4, $5)",
      {{"k", k, "BSd"}, {"v", v, "BSd"}, {"w", w, w.rank() == 3 ? "BTS" : "TS"},
       {"m", state.m, "BTd"}, {"n", state.n, "BTd"}, {"z", state.z, "BTd"}},
      {{wide, "BTd"}, {wide, "BTd"}, {wide, "BTd"}});
  state = {next[0], next[1], next[2], {}, {}};
}

Value Function::finish(Value q, Value n, Value z, const std::string &gate) {
  if (!checkOnline(*impl, "finish", {q}, {n, n, z, {}, {}}, gate))
    return {};
  return impl->aftOp("finish", "$0, $1, $2" + gateText(gate),
                     {{"q", q, "BTd"}, {"n", n, "BTd"}, {"z", z, "BTd"}},
                     {{q.dtype(), "BTd"}})[0];
}

Value Function::simpleOnline(Value q, Value k, Value v, MixerState &state,
                             const std::string &gate) {
  if (!checkOnline(*impl, "simple_online", {q, k, v}, state, gate))
    return {};
  DType wide = state.m.dtype();
  std::vector<Value> next = impl->aftOp(
      "simple_online", "$0, $1, $2 state($3, $4, $5)" + gateText(gate),
      {{"q", q, "BCd"}, {"k", k, "BCd"}, {"v", v, "BCd"},
       {"m", state.m, "Bd"}, {"n", state.n, "Bd"}, {"z", state.z, "Bd"}},
      {{q.dtype(), "BCd"}, {wide, "Bd"}, {wide, "Bd"}, {wide, "Bd"}});
  state = {next[1], next[2], next[3], {}, {}};
  return next[0];
}

/// local and conv, whose states have one form. `key` and `max` are the letters
/// of k and of its maximum.
static Value windowOnline(Impl &impl, const char *name, Value q, Value k, Value v, Named bias,
                          MixerState &state, int64_t window, const std::string &gate,
                          const std::string &attributes) {
  if (!impl.check(name, {bias.value}) ||
      !checkOnline(impl, name, {q, k, v, state.recentK, state.recentV}, state, gate))
    return {};
  bool conv = bias.letters == "hL";
  std::string key = conv ? "BCh" : "BCd", max = conv ? "Bh" : "Bd", recent = conv ? "BRh" : "BRd";
  Letters letters;
  letters['L'] = {window, "follows from the window"};
  letters['R'] = {window - 1, "follows from the window"};
  DType dtype = q.dtype(), wide = state.m.dtype();
  std::vector<Value> next = impl.aftOp(
      name, "$0, $1, $2, $3 state($4, $5, $6, $7, $8)" + attributes + gateText(gate),
      {{"q", q, "BCd"}, {"k", k, key}, {"v", v, "BCd"}, bias, {"m", state.m, max},
       {"n", state.n, "Bd"}, {"z", state.z, max}, {"recentK", state.recentK, recent},
       {"recentV", state.recentV, "BRd"}},
      {{dtype, "BCd"}, {wide, max}, {wide, "Bd"}, {wide, max}, {dtype, recent}, {dtype, "BRd"}},
      letters);
  state = {next[1], next[2], next[3], next[4], next[5]};
  return next[0];
}

Value Function::localOnline(Value q, Value k, Value v, Value band, int64_t window,
                            MixerState &state, const std::string &gate) {
  if (!impl->checkWindow("local_online", window))
    return {};
  return windowOnline(*impl, "local_online", q, k, v, {"band", band, "CL"}, state, window, gate,
                      " window = " + std::to_string(window));
}

Value Function::convOnline(Value q, Value k, Value v, Value filter, MixerState &state,
                           const std::string &gate) {
  if (!impl->check("conv_online", {filter}))
    return {};
  if (filter.rank() != 2 || filter.dim(1) < 1)
    return impl->fail("conv_online", "'filter' must be [heads, taps] with a static number of "
                                     "taps, found " +
                                         impl->typeTextOf(filter));
  return windowOnline(*impl, "conv_online", q, k, v, {"filter", filter, "hL"}, state,
                      filter.dim(1), gate, "");
}

//===----------------------------------------------------------------------===//
// The band of a factorised bias
//===----------------------------------------------------------------------===//

static bool checkBand(Impl &impl, const char *operation, Value u, Value v, int64_t window) {
  if (!impl.check(operation, {u, v}) || !impl.checkFloat(operation, u, "'u'") ||
      !impl.checkSameType(operation, u, v, "'u' and 'v'"))
    return false;
  return impl.checkWindow(operation, window);
}

static std::string bandText(int64_t window, bool causal) {
  return " window = " + std::to_string(window) + (causal ? " causal" : "");
}

Value Function::band(Value u, Value v, int64_t window, bool causal, Extent length) {
  if (!checkBand(*impl, "band", u, v, window))
    return {};
  std::optional<Polynomial> rows = impl->fromExtent("band", length);
  Letters letters;
  if (!rows || !impl->bind("band", {{"u", u, "Mr"}, {"v", v, "Mr"}}, letters))
    return {};
  Polynomial most = impl->extentOf(u, 0);
  if (rows->constant() && most.constant() && *rows->constant() > *most.constant())
    return impl->fail("band", "length " + std::to_string(*rows->constant()) +
                                  " is more than the " + std::to_string(*most.constant()) +
                                  " positions of 'u' and 'v'");
  if (*rows != most) {
    u = impl->sliced(u, 0, 0, *rows, 1);
    v = impl->sliced(v, 0, 0, *rows, 1);
  }
  letters = {};
  letters['L'] = {causal ? window : 2 * window - 1, "follows from the window"};
  return impl->aftOp("band", "$0, $1" + bandText(window, causal),
                     {{"u", u, "Tr"}, {"v", v, "Tr"}}, {{u.dtype(), "TL"}}, letters)[0];
}

Value Function::band(Value u, Value v, int64_t window, bool causal) {
  if (!impl->check("band", {u}))
    return {};
  if (u.rank() != 2)
    return impl->fail("band", "'u' must have rank 2 [T, r], found " + impl->typeTextOf(u));
  return band(u, v, window, causal, extent(u, 0));
}

std::pair<Value, Value> Function::bandGrad(Value dband, Value u, Value v, int64_t window,
                                           bool causal) {
  if (!checkBand(*impl, "band_grad", u, v, window))
    return {};
  Letters letters;
  letters['L'] = {causal ? window : 2 * window - 1, "follows from the window"};
  std::vector<Value> grads =
      impl->aftOp("band_grad", "$0, $1, $2" + bandText(window, causal),
                  {{"dband", dband, "tL"}, {"u", u, "Tr"}, {"v", v, "Tr"}},
                  {{u.dtype(), "Tr"}, {v.dtype(), "Tr"}}, letters);
  return {grads[0], grads[1]};
}
