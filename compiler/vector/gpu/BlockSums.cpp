//===- BlockSums.cpp - Long sums by the threads of a block ----------------===//

#include "compiler/vector/gpu/BlockSums.h"

using namespace mlir;
using namespace aft;

void BlockSums::run(Emitter &e, llvm::function_ref<Value(Value, Value, int64_t)> part,
                    llvm::function_ref<void(Value, Value)> store) const {
  constexpr int64_t combined = 8;
  int64_t lanes = threads / count;
  auto split = [&](Value thread, int64_t width) {
    return delinearize(e, thread, {e.index(count), e.index(width)});
  };
  auto sumOf = [&](Value memory, Value number, Value first, int64_t terms, int64_t distance) {
    Value sum = e.load(memory, {number, first}, 0);
    for (int64_t i = 1; i < terms; ++i)
      sum = e.fadd(sum, e.load(memory, {number, e.add(first, i * distance)}, 0));
    return sum;
  };
  Value parts = sharedMemory(e, {count, lanes}, type);
  forEachThread(e, threads, [&](Value thread) {
    SmallVector<Value> at = split(thread, lanes);
    e.store(part(at[0], at[1], lanes), parts, at);
  });
  for (; lanes > combined; lanes /= combined) {
    int64_t left = lanes / combined;
    Value fewer = sharedMemory(e, {count, left}, type);
    forEachThread(e, count * left, [&, parts](Value thread) {
      SmallVector<Value> at = split(thread, left);
      e.store(sumOf(parts, at[0], at[1], combined, left), fewer, at);
    });
    parts = fewer;
  }
  forEachThread(e, count,
                [&](Value number) { store(sumOf(parts, number, e.index(0), lanes, 1), number); });
}
