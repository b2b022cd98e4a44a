//===- MixerCommon.cpp - What the emission of all mixers shares -----------===//

#include "compiler/vector/MixerCommon.h"

#include "mlir/Dialect/Math/IR/Math.h"

#include <limits>

using namespace mlir;
using namespace aft;

Type aft::accumulationOf(Value memref) {
  return computeType(cast<MemRefType>(memref.getType()).getElementType());
}

Value LaneEmitter::infinity(bool negative) {
  double value = std::numeric_limits<double>::infinity();
  return number(negative ? -value : value);
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

/// In the accumulation type: a bias may be stored in f32 for a bf16 mixer.
Value LaneEmitter::withElement(Value value) { return e.convert(value, element); }

Value LaneEmitter::load(Value memref, Value t) {
  return withElement(e.load(memref, {batch, t, channel}, lanes));
}

void LaneEmitter::store(Value value, Value memref, Value t) {
  if (streaming)
    e.storeStreaming(value, memref, {batch, t, channel});
  else
    e.store(value, memref, {batch, t, channel});
}

void LaneEmitter::prefetch(ArrayRef<Value> memrefs, Value t, bool next) {
  Value first = next ? e.add(channel, std::max<int64_t>(lanes, 1)) : channel;
  for (Value memref : memrefs)
    e.builder.create<memref::PrefetchOp>(e.loc, memref, ValueRange{batch, t, first},
                                         /*isWrite=*/false, /*localityHint=*/2,
                                         /*isDataCache=*/true);
}

//===----------------------------------------------------------------------===//
// The state
//===----------------------------------------------------------------------===//

MixState LaneEmitter::emptyState() {
  return {oneScale ? number(0) : infinity(true), number(0), number(0)};
}

Value LaneEmitter::finite(Value m) { return e.select(e.equal(m, infinity(true)), number(0), m); }

MixState LaneEmitter::add(const MixState &state, Value x, Value v) {
  Value m = e.fmaxNumber(state.m, x), base = finite(m);
  Value old = e.exp(e.fsub(state.m, base)), weight = e.exp(e.fsub(x, base));
  // A key of weight 0 is hidden: its value, perhaps NaN, must not be seen.
  Value term = e.select(e.equal(weight, number(0)), number(0), e.fmul(weight, v));
  return {m, e.fma(state.n, old, term), e.fma(state.z, old, weight)};
}

MixState LaneEmitter::merge(const MixState &a, const MixState &b) {
  if (oneScale)
    return {a.m, e.fadd(a.n, b.n), oneSum ? a.z : e.fadd(a.z, b.z)};
  Value m = e.fmaxNumber(a.m, b.m), base = finite(m);
  Value first = e.exp(e.fsub(a.m, base)), second = e.exp(e.fsub(b.m, base));
  return {m, e.fma(a.n, first, e.fmul(b.n, second)), e.fma(a.z, first, e.fmul(b.z, second))};
}

Value LaneEmitter::ratio(const MixState &state) {
  Value none = e.equal(state.z, number(0));
  return e.select(none, number(0), e.fdiv(state.n, e.select(none, number(1), state.z)));
}

Value LaneEmitter::logz(const MixState &state) {
  Value none = e.equal(state.z, number(0));
  Value logarithm = e.log(e.select(none, number(1), state.z));
  return e.select(none, infinity(true), e.fadd(finite(state.m), logarithm));
}

MixState LaneEmitter::loop(Value lower, Value upper, const MixState &state,
                           llvm::function_ref<MixState(Value, MixState)> body) {
  return MixState::from(
      e.loop(lower, upper, e.index(1), state.values(), [&](Value i, ValueRange carried) {
        return body(i, MixState::from(carried)).values();
      }));
}

MixState LaneEmitter::when(Value condition, const MixState &state,
                           llvm::function_ref<MixState()> yes) {
  return MixState::from(e.branch(
      condition, {type, type, type}, [&] { return yes().values(); },
      [&] { return state.values(); }));
}

Value LaneEmitter::stateMemory(int64_t count) {
  int64_t parts = oneSum ? 1 : oneScale ? 2 : 3;
  return e.scratch({count, parts, std::max<int64_t>(lanes, 1)}, element);
}

void LaneEmitter::keep(const MixState &state, Value memory, Value index) {
  SmallVector<Value> parts = {state.n};
  if (!oneSum)
    parts.push_back(state.z);
  if (!oneScale)
    parts.push_back(state.m);
  for (auto [part, value] : llvm::enumerate(parts))
    e.store(value, memory, {index, e.index(part), e.index(0)});
}

MixState LaneEmitter::kept(Value memory, Value index) {
  auto part = [&](int64_t i) { return e.load(memory, {index, e.index(i), e.index(0)}, lanes); };
  return {oneScale ? number(0) : part(2), part(0), oneSum ? number(0) : part(1)};
}

//===----------------------------------------------------------------------===//
// Gates
//===----------------------------------------------------------------------===//

Value LaneEmitter::gate(Gate gate, Value q) {
  switch (gate) {
  case Gate::sigmoid: {
    Value one = number(1);
    return e.fdiv(one, e.fadd(one, e.exp(e.fsub(number(0), q))));
  }
  case Gate::relu:
    return e.fmax(q, number(0));
  case Gate::tanh:
    return e.builder.create<math::TanhOp>(e.loc, q);
  case Gate::none:
    return number(1);
  }
  return Value();
}

/// Without 1 - g(q), which leaves nothing where the gate is saturated.
Value LaneEmitter::gateDerivative(Gate kind, Value q) {
  Value one = number(1), zero = number(0);
  // x / (1 + x)^2 of x = exp(-|a|). LLVM would take |a| before a is widened, for which there are no
  // instructions in bf16.
  auto bell = [&](Value a) {
    Value isPositive = e.compare(arith::CmpFPredicate::OGT, a, zero);
    Value x = e.exp(e.select(isPositive, e.fsub(zero, a), a)), sum = e.fadd(one, x);
    return e.fdiv(x, e.fmul(sum, sum));
  };
  switch (kind) {
  case Gate::sigmoid:
    return bell(q);
  case Gate::relu: {
    Value positive = e.compare(arith::CmpFPredicate::OGT, q, zero);
    return e.select(positive, one, zero);
  }
  case Gate::tanh:
    return e.fmul(number(4), bell(e.fadd(q, q)));
  case Gate::none:
    return zero;
  }
  return Value();
}

Value aft::visibleKeys(Emitter &e, Value lengths, Value batch, Value keys) {
  if (!lengths)
    return keys;
  Value length = e.builder.create<memref::LoadOp>(e.loc, lengths, batch);
  length = e.builder.create<arith::IndexCastOp>(e.loc, e.builder.getIndexType(), length);
  return e.max(e.min(length, keys), e.index(0));
}
