//===- RunningSums.cpp - Sums of exponentials, walked in order ------------===//

#include "compiler/vector/RunningSums.h"

using namespace mlir;
using namespace aft;

Value aft::anyLane(Emitter &e, Value condition) {
  if (!isa<VectorType>(condition.getType()))
    return condition;
  return e.builder.create<vector::ReductionOp>(e.loc, vector::CombiningKind::OR, condition);
}

Value aft::lowest(Emitter &e, Type type) {
  auto element = cast<FloatType>(getElementTypeOrSelf(type));
  llvm::APFloat value = llvm::APFloat::getLargest(element.getFloatSemantics(), /*Negative=*/true);
  return e.number(type, value.convertToDouble());
}

void aft::addExactly(Emitter &e, Value term, Value &sum, Value &rest) {
  Value next = e.fadd(sum, term), added = e.fsub(next, sum);
  Value lost = e.fadd(e.fsub(sum, e.fsub(next, added)), e.fsub(term, added));
  // An infinite sum has lost nothing.
  Value isNumber = e.equal(lost, lost);
  sum = next;
  rest = e.fadd(rest, e.select(isNumber, lost, e.number(lost.getType(), 0)));
}

RunningSums::RunningSums(const Panel &panel)
    : panel(panel), e(panel.e),
      memory(e.scratch({panel.most, kParts, panel.width()}, panel.element)) {}

Value RunningSums::load(LaneEmitter &group, Value i, Part part) {
  return e.load(memory, {i, e.index(part), e.index(0)}, group.lanes);
}

void RunningSums::store(Value value, Value i, Part part) {
  e.store(value, memory, {i, e.index(part), e.index(0)});
}

void RunningSums::clear() {
  panel.forEachGroup([&](LaneEmitter &group, Value i) {
    store(lowest(e, group.type), i, kBase);
    for (int part = kN; part < kParts; ++part)
      store(group.number(0), i, Part(part));
  });
}

/// The base moves above x where that is above it.
MixState RunningSums::rebase(LaneEmitter &group, Value i, Value x, const MixState &state,
                             Value isAbove) {
  Value base = e.select(isAbove, e.fadd(x, group.number(kHeadroom)), state.m);
  Value factor = e.exp(e.fsub(state.m, base));
  store(base, i, kBase);
  for (int part = kOlderN; part < kParts; ++part)
    store(e.fmul(load(group, i, Part(part)), factor), i, Part(part));
  return {base, e.fmul(state.n, factor), e.fmul(state.z, factor)};
}

MixState RunningSums::add(LaneEmitter &group, Value i, Value x,
                          llvm::function_ref<Pair(Value)> terms) {
  MixState state{load(group, i, kBase), load(group, i, kN), load(group, i, kZ)};
  Value isAbove = e.compare(arith::CmpFPredicate::OGT, x, state.m);
  state =
      group.when(anyLane(e, isAbove), state, [&] { return rebase(group, i, x, state, isAbove); });
  auto [a, b] = terms(e.exp(e.fsub(x, state.m)));
  Value n = e.fadd(state.n, a), z = e.fadd(state.z, b);
  store(n, i, kN);
  store(z, i, kZ);
  return {state.m, e.fadd(n, load(group, i, kOlderN)), e.fadd(z, load(group, i, kOlderZ))};
}

MixState RunningSums::total(LaneEmitter &group, Value i) {
  return {load(group, i, kBase), e.fadd(load(group, i, kN), load(group, i, kOlderN)),
          e.fadd(load(group, i, kZ), load(group, i, kOlderZ))};
}

/// What a sum has lost is added again with the next run.
void RunningSums::endRun() {
  panel.forEachGroup([&](LaneEmitter &group, Value i) {
    for (auto [run, older, rest] :
         {std::tuple(kN, kOlderN, kRestN), std::tuple(kZ, kOlderZ, kRestZ)}) {
      Value sum = load(group, i, older), lost = group.number(0);
      addExactly(e, e.fadd(load(group, i, run), load(group, i, rest)), sum, lost);
      store(sum, i, older);
      store(lost, i, rest);
      store(group.number(0), i, run);
    }
  });
}
