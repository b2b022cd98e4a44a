//===- BlockSums.cpp - Long sums by the threads of a block ----------------===//

#include "compiler/vector/gpu/BlockSums.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace aft;

void BlockSums::run(Emitter &e, llvm::function_ref<Value(Value, Value, int64_t)> part,
                    llvm::function_ref<void(Value, Value)> store) const {
  int64_t lanes = threads / count;
  assert(llvm::isPowerOf2_64(lanes) && lanes * count == threads && "threads must share evenly");
  int64_t group = std::min(lanes, kWarpThreads), left = lanes / group;
  Value ofWarps = left > 1 ? sharedMemory(e, {count, left}, type) : Value();
  forEachThread(e, threads, [&](Value thread) {
    SmallVector<Value> at = delinearize(e, thread, {e.index(count), e.index(lanes)});
    Value sum = reduceInWarp(e, vector::CombiningKind::ADD, part(at[0], at[1], lanes), group);
    SmallVector<Value> place = delinearize(e, at[1], {e.index(left), e.index(group)});
    Value isFirst = e.same(place[1], e.index(0));
    e.when(isFirst,
           [&] { left > 1 ? e.store(sum, ofWarps, {at[0], place[0]}) : store(sum, at[0]); });
  });
  if (left == 1)
    return;
  forEachThread(e, count, [&](Value number) {
    Value sum = e.load(ofWarps, {number, e.index(0)}, 0);
    for (int64_t i = 1; i < left; ++i)
      sum = e.fadd(sum, e.load(ofWarps, {number, e.index(i)}, 0));
    store(sum, number);
  });
}

void BlockSums::runAll(Emitter &e, llvm::function_ref<SmallVector<Value>(Value)> parts,
                       llvm::function_ref<void(Value, Value)> store) const {
  Value memory = sharedMemory(e, {count, threads}, type);
  forEachThread(e, threads, [&](Value thread) {
    for (auto [number, part] : llvm::enumerate(parts(thread)))
      e.store(part, memory, {e.index(number), thread});
  });
  auto sumOf = [&](Value number, Value lane, int64_t lanes) {
    Value sum = e.load(memory, {number, lane}, 0);
    for (int64_t i = lanes; i < threads; i += lanes)
      sum = e.fadd(sum, e.load(memory, {number, e.add(lane, i)}, 0));
    return sum;
  };
  run(e, sumOf, store);
}
