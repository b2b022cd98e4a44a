//===- Mixers.cpp - Rules of the aft operators ----------------------------===//

#include "frontends/torch/capture/Rules.h"

using namespace aft;
using namespace aft::capture;

static MixerOptions optionsOf(Operation &op) {
  MixerOptions options;
  options.causal = op.flag("causal");
  options.gate = op.text("gate", "sigmoid");
  if (op.has("lengths"))
    options.lengths = op.as("lengths", DType::i32);
  return options;
}

static Results full(Operation &op) {
  return op.f.full(op.value("q"), op.value("k"), op.value("v"), op.value("w"), optionsOf(op));
}

static Results local(Operation &op) {
  return op.f.local(op.value("q"), op.value("k"), op.value("v"), op.value("band"),
                    op.integer("window"), optionsOf(op));
}

static Results simple(Operation &op) {
  return op.f.simple(op.value("q"), op.value("k"), op.value("v"), optionsOf(op));
}

static Results conv(Operation &op) {
  return op.f.conv(op.value("q"), op.value("k"), op.value("v"), op.value("filter"),
                   op.integers("grid"), optionsOf(op));
}

static Results band(Operation &op) {
  return op.f.band(op.value("u"), op.value("v"), op.integer("window"), op.flag("causal"));
}

//===----------------------------------------------------------------------===//
// Step by step
//===----------------------------------------------------------------------===//

/// The sums are kept in the wide type.
static MixerState stateOf(Operation &op, bool ring) {
  DType type = op.value("q").dtype(), wide = type == DType::f64 ? DType::f64 : DType::f32;
  MixerState state;
  state.m = op.as("m", wide);
  state.n = op.as("n", wide);
  state.z = op.as("z", wide);
  if (ring) {
    state.recentK = op.as("recent_k", type);
    state.recentV = op.as("recent_v", type);
  }
  return state;
}

static Results listed(Value y, const MixerState &state, bool ring) {
  std::vector<Value> all = {y, state.m, state.n, state.z};
  if (ring)
    all.insert(all.end(), {state.recentK, state.recentV});
  return all;
}

static Results simpleOnline(Operation &op) {
  MixerState state = stateOf(op, false);
  Value y = op.f.simpleOnline(op.value("q"), op.value("k"), op.value("v"), state,
                              op.text("gate", "sigmoid"));
  return listed(y, state, false);
}

static Results localOnline(Operation &op) {
  MixerState state = stateOf(op, true);
  Value y = op.f.localOnline(op.value("q"), op.value("k"), op.value("v"), op.value("band"),
                             op.integer("window"), state, op.text("gate", "sigmoid"));
  return listed(y, state, true);
}

static Results convOnline(Operation &op) {
  MixerState state = stateOf(op, true);
  Value y = op.f.convOnline(op.value("q"), op.value("k"), op.value("v"), op.value("filter"), state,
                            op.text("gate", "sigmoid"));
  return listed(y, state, true);
}

void aft::capture::addMixerRules(Rules &rules) {
  rules["aft::full"] = full;
  rules["aft::local"] = local;
  rules["aft::simple"] = simple;
  rules["aft::conv"] = conv;
  rules["aft::band"] = band;
  rules["aft::simple_online"] = simpleOnline;
  rules["aft::local_online"] = localOnline;
  rules["aft::conv_online"] = convOnline;
}
