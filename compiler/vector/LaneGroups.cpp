//===- LaneGroups.cpp - Channels as lanes, with and without heads ---------===//

#include "compiler/vector/MixerCommon.h"

#include <numeric>

using namespace mlir;
using namespace aft;

//===----------------------------------------------------------------------===//
// Heads
//===----------------------------------------------------------------------===//

/// The lane of the first channel of the group's head number `head`, which may
/// lie outside of the group.
Value LaneEmitter::firstLaneOf(int64_t head) {
  Value first = e.mul(e.add(this->head(), head), perHead);
  return e.sub(first, channel);
}

/// A mask of the lanes from `first` on.
Value LaneEmitter::lanesFrom(Value first) {
  Type i32 = e.builder.getI32Type();
  SmallVector<int32_t> numbers = llvm::to_vector(llvm::seq<int32_t>(0, lanes));
  auto type = VectorType::get({lanes}, i32);
  Value lane = e.builder.create<arith::ConstantOp>(
      e.loc, DenseElementsAttr::get(type, ArrayRef<int32_t>(numbers)));
  Value bound = e.builder.create<arith::IndexCastOp>(e.loc, i32, first);
  bound = e.builder.create<vector::BroadcastOp>(e.loc, type, bound);
  return e.builder.create<arith::CmpIOp>(e.loc, arith::CmpIPredicate::sge, lane, bound);
}

Value LaneEmitter::gatherHeads(llvm::function_ref<Value(Value)> at) {
  if (perHead == 1 && lanes > 0) {
    Value value = number(0);
    for (int64_t lane = 0; lane < lanes; ++lane)
      value = e.builder.create<vector::InsertOp>(e.loc, at(e.add(channel, lane)), value,
                                                 ArrayRef<int64_t>{lane});
    return value;
  }
  Value value = e.broadcast(at(head()), type);
  if (!straddles())
    return value;
  Value last = e.div(e.add(channel, lanes - 1), perHead);
  for (int64_t i = 1; i < mostHeads(); ++i) {
    Value next = e.broadcast(at(e.min(e.add(head(), i), last)), type);
    value = e.select(lanesFrom(firstLaneOf(i)), next, value);
  }
  return value;
}

void LaneEmitter::scatterHeads(Value value, llvm::function_ref<void(Value, Value)> body) {
  for (int64_t i = 0, count = straddles() ? mostHeads() : 1; i < count; ++i) {
    Value lane = firstLaneOf(i);
    Value isHere = e.below(lane, e.index(std::max<int64_t>(lanes, 1)));
    e.when(isHere, [&] {
      Value one = value;
      if (isa<VectorType>(value.getType()))
        one = e.builder.create<vector::ExtractElementOp>(e.loc, value, lane);
      body(one, e.add(head(), i));
    });
  }
}

void LaneEmitter::splitHeads(Value value, llvm::function_ref<void(Value, Value)> body) {
  if (!straddles())
    return body(value, head());
  Value zero = number(0);
  for (int64_t i = 0; i < mostHeads(); ++i) {
    Value first = firstLaneOf(i);
    e.when(e.less(first, e.index(lanes)), [&] {
      Value own = e.select(lanesFrom(first), value, zero);
      body(e.select(lanesFrom(firstLaneOf(i + 1)), zero, own), e.add(head(), i));
    });
  }
}

void LaneEmitter::reduceHeads(Value value, llvm::function_ref<void(Value, Value)> body) {
  splitHeads(value, [&](Value own, Value head) {
    body(e.reduce(own, [&](Value a, Value b) { return e.fadd(a, b); }), head);
  });
}

Value LaneEmitter::loadPerHead(Value memref, Value t) {
  if (perHead == 1)
    return load(memref, t);
  return gatherHeads([&](Value head) { return withElement(e.load(memref, {batch, t, head}, 0)); });
}

void LaneEmitter::storePerHead(Value value, Value memref, Value t) {
  if (perHead == 1)
    return store(value, memref, t);
  scatterHeads(value, [&](Value number, Value head) { e.store(number, memref, {batch, t, head}); });
}

//===----------------------------------------------------------------------===//
// Lane groups
//===----------------------------------------------------------------------===//

/// The widest power of two that is not more than the channels.
static int64_t chooseLanes(Type accumulation, unsigned vectorBits, int64_t channels) {
  int64_t lanes = lanesFor(accumulation, vectorBits);
  while (lanes > channels)
    lanes /= 2;
  return lanes;
}

/// Calls `body` for the group at `channel`, with fewer lanes at the end.
static void emitGroup(Emitter &e, Type accumulation, int64_t lanes, Value batch, Value channel,
                      int64_t channels, int64_t perHead,
                      llvm::function_ref<void(LaneEmitter &)> body) {
  auto vectorGroup = [&] {
    LaneEmitter group(e, accumulation, lanes, batch, channel);
    group.perHead = perHead;
    body(group);
  };
  auto scalarGroup = [&](Value single) {
    LaneEmitter group(e, accumulation, 0, batch, single);
    group.perHead = perHead;
    body(group);
  };
  if (lanes == 1)
    return scalarGroup(channel);
  if (channels % lanes == 0)
    return vectorGroup();
  Value whole = e.less(channel, e.index(channels / lanes * lanes));
  e.branch(
      whole, {},
      [&] {
        vectorGroup();
        return Emitter::Values{};
      },
      [&] {
        e.loop(channel, e.index(channels), e.index(1), scalarGroup);
        return Emitter::Values{};
      });
}

void aft::forEachLaneGroup(Emitter &e, Type accumulation, unsigned vectorBits, Value batches,
                           int64_t channels, int64_t perHead,
                           llvm::function_ref<void(LaneEmitter &)> body, int64_t shared) {
  int64_t lanes = chooseLanes(accumulation, vectorBits, channels);
  Value groups = e.index((channels + lanes * shared - 1) / (lanes * shared));
  e.grid({batches, groups}, [&](ArrayRef<Value> index) {
    emitGroup(e, accumulation, lanes, index[0], e.mul(index[1], lanes * shared), channels, perHead,
              body);
  });
}

void aft::forEachLaneGroupOfHead(Emitter &e, Type accumulation, unsigned vectorBits, Value batch,
                                 Value head, int64_t perHead,
                                 llvm::function_ref<void(LaneEmitter &)> body) {
  int64_t lanes = chooseLanes(accumulation, vectorBits, perHead);
  while (perHead % lanes != 0)
    lanes /= 2;
  Value first = e.mul(head, perHead);
  e.loop(first, e.add(first, perHead), e.index(lanes), [&](Value channel) {
    // Lanes divide the head, so there is no narrower rest.
    emitGroup(e, accumulation, lanes, batch, channel, lanes, perHead, body);
  });
}

void aft::forEachLaneGroupOfBatch(Emitter &e, Type accumulation, unsigned vectorBits, Value batch,
                                  int64_t channels, int64_t perHead,
                                  llvm::function_ref<void(LaneEmitter &)> body) {
  int64_t lanes = chooseLanes(accumulation, vectorBits, channels);
  e.loop(e.index(0), e.index(channels), e.index(lanes), [&](Value channel) {
    emitGroup(e, accumulation, lanes, batch, channel, channels, perHead, body);
  });
}

void aft::forEachLaneGroupOfRange(Emitter &e, Type accumulation, unsigned vectorBits, Value batch,
                                  Value first, Value last, int64_t channels,
                                  llvm::function_ref<void(LaneEmitter &)> body) {
  int64_t lanes = chooseLanes(accumulation, vectorBits, channels);
  e.loop(first, last, e.index(lanes), [&](Value channel) {
    emitGroup(e, accumulation, lanes, batch, channel, channels, /*perHead=*/1, body);
  });
}

LaneBlocks::LaneBlocks(Type accumulation, unsigned vectorBits, int64_t channels, int64_t perHead)
    : accumulation(accumulation), channels(channels), perHead(perHead),
      lanes(chooseLanes(accumulation, vectorBits, channels)) {
  if (perHead > 1)
    while (channels % std::lcm(perHead, lanes) != 0)
      lanes /= 2;
  size = std::lcm(perHead, lanes);
}

void LaneBlocks::forEachGroup(Emitter &e, Value batch, Value block,
                              llvm::function_ref<void(LaneEmitter &)> body) const {
  Value first = e.mul(block, size);
  if (size == lanes)
    return emitGroup(e, accumulation, lanes, batch, first, channels, perHead, body);
  e.loop(first, e.add(first, size), e.index(lanes), [&](Value channel) {
    emitGroup(e, accumulation, lanes, batch, channel, channels, perHead, body);
  });
}
