//===- HeadNumbers.cpp - Numbers that the channels of a head share --------===//

#include "compiler/vector/grid/HeadNumbers.h"

#include <limits>

using namespace mlir;
using namespace aft;

static constexpr double kInfinity = std::numeric_limits<double>::infinity();

HeadNumbers::HeadNumbers(Emitter &e, Type element, int64_t heads, int64_t count, int64_t lanes)
    : e(e), element(element), count(count), width(llvm::alignTo(count, lanes)), lanes(lanes),
      memory(e.scratch({heads, width}, element)) {}

void HeadNumbers::fill(Value head, double rest, llvm::function_ref<Value(Value)> numberOf) {
  e.loop(e.index(0), e.index(count), e.index(1), [&](Value i) { put(numberOf(i), head, i); });
  for (int64_t i = count; i < width; ++i)
    put(e.number(element, rest), head, e.index(i));
}

void HeadNumbers::forEachVector(llvm::function_ref<void(Value)> body) {
  e.loop(e.index(0), e.index(width), e.index(lanes), body);
}

void HeadNumbers::map(Value head, llvm::function_ref<Value(Value)> body) {
  forEachVector(
      [&](Value i) { e.store(body(e.load(memory, {head, i}, lanes)), memory, {head, i}); });
}

Value HeadNumbers::combine(Value head, Value start, llvm::function_ref<Value(Value, Value)> body) {
  Value first = e.broadcast(start, e.typeOf(element, lanes));
  Value all =
      e.loop(e.index(0), e.index(width), e.index(lanes), first, [&](Value i, ValueRange carried) {
        return Emitter::Values{body(carried[0], e.load(memory, {head, i}, lanes))};
      })[0];
  return e.reduce(all, body);
}

Value HeadNumbers::largest(Value head) {
  Value none = e.number(element, -kInfinity);
  Value top = combine(head, none, [&](Value a, Value b) { return e.fmaxNumber(a, b); });
  return e.select(e.equal(top, none), e.number(element, 0), top);
}

//===----------------------------------------------------------------------===//
// HeadLanes
//===----------------------------------------------------------------------===//

static int64_t lanesOf(const LaneBlocks &blocks) { return std::max<int64_t>(blocks.lanes, 1); }

int64_t HeadLanes::numbersOf(const LaneBlocks &blocks, int64_t count) {
  return blocks.heads() * count * lanesOf(blocks);
}

HeadLanes::HeadLanes(Emitter &e, const LaneBlocks &blocks, int64_t count)
    : e(e), blocks(blocks), count(count),
      memory(e.scratch({blocks.heads(), count, lanesOf(blocks)}, blocks.accumulation)) {}

void HeadLanes::clear() {
  Value zero = e.number(e.typeOf(blocks.accumulation, blocks.lanes), 0);
  e.loop(e.index(0), e.index(blocks.heads()), e.index(1), [&](Value head) {
    e.loop(e.index(0), e.index(count), e.index(1),
           [&](Value i) { e.store(zero, memory, {head, i, e.index(0)}); });
  });
}

void HeadLanes::add(LaneEmitter &group, Value value, Value firstHead, Value i) {
  group.splitHeads(value, [&](Value own, Value head) {
    SmallVector<Value> place = {e.sub(head, firstHead), i, e.index(0)};
    e.store(e.fadd(e.load(memory, place, group.lanes), own), memory, place);
  });
}

Value HeadLanes::sum(Value head, Value i) {
  Value lanes = e.load(memory, {head, i, e.index(0)}, blocks.lanes);
  return e.reduce(lanes, [&](Value a, Value b) { return e.fadd(a, b); });
}
