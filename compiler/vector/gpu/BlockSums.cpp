//===- BlockSums.cpp - Long sums by the threads of a block ----------------===//

#include "compiler/vector/gpu/BlockSums.h"

using namespace mlir;
using namespace aft;

/// Partial sums that a thread adds.
static constexpr int64_t kCombined = 8;

void BlockSums::run(Emitter &e, llvm::function_ref<Value(Value, Value, int64_t)> part,
                    llvm::function_ref<void(Value, Value)> store) const {
  int64_t lanes = threads / count;
  Value parts = sharedMemory(e, {count, lanes}, type);
  forEachThread(e, threads, [&](Value thread) {
    SmallVector<Value> at = delinearize(e, thread, {e.index(count), e.index(lanes)});
    e.store(part(at[0], at[1], lanes), parts, at);
  });
  combine(e, parts, lanes, store);
}

void BlockSums::runAll(Emitter &e, llvm::function_ref<SmallVector<Value>(Value)> parts,
                       llvm::function_ref<void(Value, Value)> store) const {
  Value memory = sharedMemory(e, {count, threads}, type);
  forEachThread(e, threads, [&](Value thread) {
    for (auto [number, part] : llvm::enumerate(parts(thread)))
      e.store(part, memory, {e.index(number), thread});
  });
  combine(e, memory, threads, store);
}

/// Fewer and fewer parts, until one thread adds those of a sum.
void BlockSums::combine(Emitter &e, Value parts, int64_t lanes,
                        llvm::function_ref<void(Value, Value)> store) const {
  auto sumOf = [&](Value memory, Value number, Value first, int64_t terms, int64_t distance) {
    Value sum = e.load(memory, {number, first}, 0);
    for (int64_t i = 1; i < terms; ++i)
      sum = e.fadd(sum, e.load(memory, {number, e.add(first, i * distance)}, 0));
    return sum;
  };
  for (; lanes > kCombined; lanes /= kCombined) {
    int64_t left = lanes / kCombined;
    Value fewer = sharedMemory(e, {count, left}, type);
    forEachThread(e, threads, [&, parts](Value thread) {
      shareOut(e, thread, threads, e.index(count * left), [&](Value number) {
        SmallVector<Value> at = delinearize(e, number, {e.index(count), e.index(left)});
        e.store(sumOf(parts, at[0], at[1], kCombined, left), fewer, at);
      });
    });
    parts = fewer;
  }
  forEachThread(e, count,
                [&](Value number) { store(sumOf(parts, number, e.index(0), lanes, 1), number); });
}
