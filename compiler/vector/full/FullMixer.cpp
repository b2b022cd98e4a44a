//===- FullMixer.cpp - What aft.full and its derivative share -------------===//

#include "compiler/vector/full/FullMixer.h"

#include "llvm/ADT/TypeSwitch.h"

#include <limits>

using namespace mlir;
using namespace aft;

/// Most rows of a work group in f32 (their sums take bytes), whole strips of any length,
/// and the fewest when there would else be less than so many groups.
static constexpr int64_t kMostRows = 528, kFewestRows = 96, kWantedGroups = 16;
/// Most channels of a work group in f32, and lane groups that are packed together.
static constexpr int64_t kBlockChannels = 256, kBundle = 4;
/// Most rows of a strip whose sums are in vectors.
static constexpr int64_t kMostStrip = 8;
/// Terms that are added one after the other.
static constexpr int64_t kBlockTerms = 128;

//===----------------------------------------------------------------------===//
// Operands
//===----------------------------------------------------------------------===//

template <typename OpT> static void fill(FullMixer &mixer, OpT op) {
  mixer.q = op.getQ();
  mixer.k = op.getK();
  mixer.v = op.getV();
  mixer.w = op.getW();
  mixer.lengths = op.getLengths();
  mixer.inits = op.getInits();
  mixer.gate = op.getGate();
  mixer.causal = op.getCausal();
}

/// The first operand has the element type of q.
static PackedForm formFor(Operation *op, unsigned vectorBits, PairDots pairDots) {
  Value first = op->getOperand(0);
  bool isBF16 = getElementTypeOrSelf(first).isBF16();
  PackedForm form(accumulationOf(first), isBF16 ? pairDots : PairDots::None, vectorBits);
  // More rows gain nothing here: weights are packed strip by strip.
  if (!form.inTiles())
    form.blocks.strip = std::min(form.blocks.strip, kMostStrip);
  return form;
}

FullMixer::FullMixer(Operation *op, Emitter &e, unsigned vectorBits, PairDots pairDots)
    : e(e), vectorBits(vectorBits), element(accumulationOf(op->getOperand(0))),
      form(formFor(op, vectorBits, pairDots)), lanes(form.lanes), strip(form.blocks.strip) {
  llvm::TypeSwitch<Operation *>(op)
      .Case([&](FullOp full) { fill(*this, full); })
      .Case([&](FullGradOp grad) {
        fill(*this, grad);
        dy = grad.getDy();
        ratio = grad.getRatio();
        logz = grad.getLogz();
      });
  channels = cast<MemRefType>(q.getType()).getDimSize(2);
  perBatchBias = cast<MemRefType>(w.getType()).getRank() == 3;
  batches = e.dim(q, 0);
  queries = e.dim(q, 1);
  keys = e.dim(k, 1);
}

//===----------------------------------------------------------------------===//
// Work groups
//===----------------------------------------------------------------------===//

int64_t FullMixer::mostRows() const {
  int64_t most = element.isF64() ? kMostRows / 2 : kMostRows;
  return most / strip * strip;
}

int64_t FullMixer::blockChannels() const {
  int64_t most = element.isF64() ? kBlockChannels / 2 : kBlockChannels;
  return std::min(most, (channels + lanes - 1) / lanes * lanes);
}

int64_t FullMixer::channelBlocks() const {
  return (channels + blockChannels() - 1) / blockChannels();
}

static Value divideUp(Emitter &e, Value a, Value b) {
  Value padded = e.sub(e.add(a, b), e.index(1));
  return e.builder.createOrFold<arith::DivUIOp>(e.loc, padded, b);
}

Value FullMixer::evenRows(Value rows, Value most) const {
  Value blocks = divideUp(e, rows, e.min(most, e.index(mostRows())));
  Value size = divideUp(e, rows, e.max(blocks, e.index(1)));
  return e.max(e.mul(e.ceilDiv(size, strip), strip), e.index(strip));
}

Value FullMixer::rowsOfGroup(Value rows) const {
  Value all = e.mul(e.mul(rows, batches), channelBlocks());
  return evenRows(rows, e.max(e.div(all, kWantedGroups), e.index(kFewestRows)));
}

Value FullMixer::rowBlocks(Value rows, Value size) const { return divideUp(e, rows, size); }

ChannelRange FullMixer::channelsOf(Value block) const {
  Value first = e.mul(block, blockChannels());
  return {first, e.min(e.add(first, blockChannels()), e.index(channels))};
}

int64_t FullMixer::bundleChannels() const { return kBundle * lanes; }

void FullMixer::forEachBundle(const ChannelRange &block,
                              llvm::function_ref<void(const ChannelRange &)> body) const {
  e.loop(block.first, block.last, e.index(bundleChannels()),
         [&](Value first) { body({first, e.min(e.add(first, bundleChannels()), block.last)}); });
}

void FullMixer::forEachGroup(Value batch, const ChannelRange &range,
                             llvm::function_ref<void(LaneEmitter &)> body) const {
  forEachLaneGroupOfRange(e, element, vectorBits, batch, range.first, range.last, channels, body);
}

/// By whole cache lines, of which the last one may lie beyond the row.
void FullMixer::prefetch(ValueRange memrefs, Value batch, Value t,
                         const ChannelRange &bundle) const {
  constexpr int64_t kLineBits = 64 * 8;
  for (Value memref : memrefs) {
    int64_t line = kLineBits / cast<MemRefType>(memref.getType()).getElementTypeBitWidth();
    for (int64_t channel = 0; channel < std::min(bundleChannels(), channels); channel += line)
      prefetchAt(e, memref, {batch, t, e.add(bundle.first, channel)}, /*isWrite=*/false);
  }
}

//===----------------------------------------------------------------------===//
// Pairs of a query and a key
//===----------------------------------------------------------------------===//

Value FullMixer::keysSeenBy(Value t, Value visible) const {
  if (!causal)
    return visible;
  // The last query sees the last key.
  return e.min(e.add(e.add(t, e.sub(keys, queries)), 1), visible);
}

Value FullMixer::firstQueryOf(Value key) const {
  if (!causal)
    return e.index(0);
  return e.max(e.sub(key, e.sub(keys, queries)), e.index(0));
}

SmallVector<Value> FullMixer::biasAt(Value batch, Value t, Value key) const {
  if (perBatchBias)
    return {batch, t, key};
  return {t, key};
}

void FullMixer::prefetchBias(Value batch, Value t, Value key) const {
  prefetchAt(e, w, biasAt(batch, e.min(t, e.sub(queries, e.index(1))), key), /*isWrite=*/false);
}

Value FullMixer::bias(LaneEmitter &group, Value t, Value key) const {
  Value one = e.load(w, biasAt(group.batch, t, key), 0);
  return e.broadcast(e.convert(one, element), group.type);
}

Value FullMixer::biases(Value batch, Value t, Value key, Value count) const {
  if (!count)
    return e.convert(e.load(w, biasAt(batch, t, key), lanes), element);
  return loadSome(e, w, biasAt(batch, t, key), element, lanes, count,
                  -std::numeric_limits<double>::infinity());
}

Value FullMixer::largestBias(Value batch, Value t, Value firstKey, Value count) const {
  constexpr int64_t kAtOnce = 4; // A maximum waits for the one before it.
  double infinity = std::numeric_limits<double>::infinity();
  SmallVector<Value> start(kAtOnce, e.number(e.typeOf(element, lanes), -infinity));
  auto larger = [&](Value a, Value b) { return runningMax(e, a, b); };
  Value whole = e.roundDown(e.max(count, e.index(0)), kAtOnce * lanes);
  SmallVector<Value> tops =
      e.loop(e.index(0), whole, e.index(kAtOnce * lanes), start, [&](Value i, ValueRange carried) {
        Emitter::Values next;
        for (int64_t part = 0; part < kAtOnce; ++part) {
          Value key = e.add(firstKey, e.add(i, part * lanes));
          next.push_back(larger(carried[part], biases(batch, t, key, Value())));
        }
        return next;
      });
  Value first = e.add(firstKey, whole);
  Value most = larger(larger(tops[0], tops[1]), larger(tops[2], tops[3]));
  auto body = [&](Value i, Value left, ValueRange top) {
    return Emitter::Values{larger(top[0], biases(batch, t, e.add(first, i), left))};
  };
  most = e.reduce(overVectors(e, e.sub(count, whole), lanes, most, body)[0], larger);
  return e.select(e.equal(most, e.number(element, -infinity)), e.number(element, 0), most);
}

Value FullMixer::gateOf(LaneEmitter &group, Value query) const {
  return gate == Gate::sigmoid ? form.sigmoid(e, query) : group.gate(gate, query);
}

Value FullMixer::gatedGradient(LaneEmitter &group, Value t) const {
  return e.fmul(group.load(dy, t), gateOf(group, group.load(q, t)));
}

//===----------------------------------------------------------------------===//
// Numbers
//===----------------------------------------------------------------------===//

double aft::separableRange(Type accumulation) { return accumulation.isF64() ? 600 : 60; }

double aft::safeRange(Type accumulation) { return accumulation.isF64() ? 40 : 20; }

Value aft::isSound(Emitter &e, Value sum, Value areSafe) {
  Type type = sum.getType();
  double least = getElementTypeOrSelf(type).isF64() ? 0x1p-900 : 0x1p-100;
  Value isLarge = e.compare(arith::CmpFPredicate::OGE, e.builder.create<math::AbsFOp>(e.loc, sum),
                            e.number(type, least));
  return e.both(e.isFinite(sum), e.either(areSafe, isLarge));
}

Value aft::inAllLanes(Emitter &e, Value condition) {
  if (!isa<VectorType>(condition.getType()))
    return condition;
  return e.builder.create<vector::ReductionOp>(e.loc, vector::CombiningKind::AND, condition);
}

Value aft::runningMax(Emitter &e, Value maximum, Value value) {
  return e.select(e.compare(arith::CmpFPredicate::OGT, value, maximum), value, maximum);
}

static Value maskFor(Emitter &e, int64_t lanes, Value count) {
  auto type = VectorType::get({lanes}, e.builder.getI1Type());
  // Nothing at all where the count is negative.
  return e.builder.create<vector::CreateMaskOp>(e.loc, type, e.max(count, e.index(0)));
}

/// Calls `body` for the first `count` of `lanes` elements, one by one, and tells it
/// where an element is in memory.
static void forSome(Emitter &e, ValueRange indices, int64_t lanes, Value count,
                    llvm::function_ref<void(Value i, ValueRange place)> body) {
  e.loop(e.index(0), e.min(count, e.index(lanes)), e.index(1), [&](Value i) {
    SmallVector<Value> place(indices);
    place.back() = e.add(place.back(), i);
    body(i, place);
  });
}

/// Whether the target may have masked loads and stores: LLVM takes those of bf16
/// apart and then calls a conversion that libgcc lacks.
static bool hasMasks(Type stored) { return stored.getIntOrFloatBitWidth() >= 32; }

Value aft::loadSome(Emitter &e, Value memref, ValueRange indices, Type accumulation, int64_t lanes,
                    Value count, double other) {
  Type stored = cast<MemRefType>(memref.getType()).getElementType();
  if (!hasMasks(stored)) {
    Value some = e.scratch({lanes}, accumulation);
    e.store(e.number(e.typeOf(accumulation, lanes), other), some, e.index(0));
    forSome(e, indices, lanes, count, [&](Value i, ValueRange place) {
      e.store(e.convert(e.load(memref, place, 0), accumulation), some, i);
    });
    return e.load(some, e.index(0), lanes);
  }
  auto type = VectorType::get({lanes}, stored);
  Value loaded = e.builder.create<vector::MaskedLoadOp>(
      e.loc, type, memref, indices, maskFor(e, lanes, count), e.number(type, other));
  return e.convert(loaded, accumulation);
}

void aft::storeSome(Emitter &e, Value value, Value memref, ValueRange indices, Value count) {
  int64_t lanes = cast<VectorType>(value.getType()).getDimSize(0);
  Type stored = cast<MemRefType>(memref.getType()).getElementType();
  if (!hasMasks(stored)) {
    Value some = e.scratch({lanes}, getElementTypeOrSelf(value));
    e.store(value, some, e.index(0));
    forSome(e, indices, lanes, count,
            [&](Value i, ValueRange place) { e.store(e.load(some, i, 0), memref, place); });
    return;
  }
  e.builder.create<vector::MaskedStoreOp>(e.loc, memref, indices, maskFor(e, lanes, count),
                                          e.convert(value, stored));
}

SmallVector<Value> aft::sumInBlocks(Emitter &e, Value first, Value last, ValueRange start,
                                    llvm::function_ref<SmallVector<Value>(Value)> terms) {
  auto plus = [&](ValueRange a, ValueRange b) {
    SmallVector<Value> sums;
    for (auto [left, right] : llvm::zip_equal(a, b))
      sums.push_back(e.fadd(left, right));
    return sums;
  };
  SmallVector<Value> zeros;
  for (Value value : start)
    zeros.push_back(e.number(value.getType(), 0));
  return e.loop(first, last, e.index(kBlockTerms), start, [&](Value block, ValueRange sums) {
    Value end = e.min(e.add(block, kBlockTerms), last);
    SmallVector<Value> part =
        e.loop(block, end, e.index(1), zeros,
               [&](Value i, ValueRange carried) { return plus(carried, terms(i)); });
    return plus(sums, part);
  });
}

Value aft::exponentOf(LaneEmitter &group, Value k, Value bias) {
  Emitter &e = group.e;
  Value none = group.infinity(true);
  Value hidden = e.either(e.equal(k, none), e.equal(bias, none));
  return e.select(hidden, none, e.fadd(k, bias));
}

MixState aft::addExactly(LaneEmitter &group, Value first, Value last, const MixState &state,
                         llvm::function_ref<Value(Value)> exponent,
                         llvm::function_ref<Value(Value)> value) {
  Emitter &e = group.e;
  Value top = e.loop(first, last, e.index(1), state.m, [&](Value key, ValueRange carried) {
    return Emitter::Values{runningMax(e, carried[0], exponent(key))};
  })[0];
  Value base = group.finite(top), factor = e.exp(e.fsub(state.m, base));
  SmallVector<Value> start = {e.fmul(state.n, factor), e.fmul(state.z, factor)};
  SmallVector<Value> total = sumInBlocks(e, first, last, start, [&](Value key) {
    Value weight = e.exp(e.fsub(exponent(key), base));
    // A key of weight 0 is hidden: its value must not be seen.
    Value term =
        e.select(e.equal(weight, group.number(0)), group.number(0), e.fmul(weight, value(key)));
    return SmallVector<Value>{term, weight};
  });
  return {top, total[0], total[1]};
}
