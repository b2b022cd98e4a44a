//===- EmulateWarps.cpp - What warps do together, on a CPU ----------------===//

#include "compiler/nvvm/WarpOps.h"
#include "compiler/vector/gpu/Fragment.h"
#include "compiler/vector/gpu/GpuOps.h"
#include "compiler/vector/gpu/Threads.h"

using namespace mlir;
using namespace aft;

void aft::copyAtOnce(CopyChunkOp copy) {
  OpBuilder builder(copy);
  auto type = VectorType::get({copy.getCount()}, copy.getFrom().getType().getElementType());
  Value chunk =
      builder.create<vector::LoadOp>(copy.getLoc(), type, copy.getFrom(), copy.getFromIndices());
  builder.create<vector::StoreOp>(copy.getLoc(), chunk, copy.getTo(), copy.getToIndices());
  copy.erase();
}

/// A factor's elements at places in its rows (or columns) and along the steps.
static Value loadFactor(Emitter &e, Value memref, ValueRange first, bool alongSteps, Value index,
                        Value step) {
  SmallVector<Value> at(first);
  Value &outer = at[at.size() - 2], &inner = at.back();
  outer = e.add(outer, alongSteps ? index : step);
  inner = e.add(inner, alongSteps ? step : index);
  return e.load(memref, at, 0);
}

/// Vectors of f32 rounded to TF32: to 10 bits of mantissa, of two the one farther from 0, as
/// cvt.rna.tf32.f32 does.
static Value roundToTF32(Emitter &e, Value value) {
  auto type = cast<VectorType>(value.getType());
  auto bitsType = VectorType::get(type.getShape(), e.builder.getI32Type());
  auto bits = [&](int32_t number) {
    return e.builder.create<arith::ConstantOp>(
        e.loc, DenseElementsAttr::get(bitsType, e.builder.getI32IntegerAttr(number)));
  };
  constexpr int32_t dropped = 23 - 10;
  Value raised = e.builder.create<arith::AddIOp>(
      e.loc, e.builder.create<arith::BitcastOp>(e.loc, bitsType, value), bits(1 << (dropped - 1)));
  Value cut = e.builder.create<arith::AndIOp>(e.loc, raised, bits(-(1 << dropped)));
  Value rounded = e.builder.create<arith::BitcastOp>(e.loc, type, cut);
  // A NaN might become infinite.
  Value isNaN = e.builder.create<arith::CmpFOp>(e.loc, arith::CmpFPredicate::UNO, value, value);
  return e.select(isNaN, value, rounded);
}

/// The numbers of a thread, all steps in their order.
static void multiply(WarpProductOp op) {
  OpBuilder builder(op);
  Emitter e(builder, op.getLoc());
  auto type = VectorType::get({kFragmentNumbers}, builder.getF32Type());
  Value lane = builder.create<arith::RemUIOp>(e.loc, op.getThread(), e.index(kWarpThreads));
  FragmentPlace place(e, lane);
  int64_t down = op.getRows() / kFragmentRows, across = op.getColumns() / kFragmentColumns;
  bool isF32 = op.getA().getType().getElementType().isF32();
  auto vectorOf = [&](llvm::function_ref<Value(int64_t)> at) {
    SmallVector<Value> numbers;
    for (int64_t i = 0; i < kFragmentNumbers; ++i)
      numbers.push_back(at(i));
    Value factors = builder.create<vector::FromElementsOp>(e.loc, type, numbers);
    return isF32 ? roundToTF32(e, factors) : factors;
  };
  SmallVector<Value> sums = e.loop(
      e.index(0), e.index(op.getDepth()), e.index(1), op.getSums(),
      [&](Value step, ValueRange carried) {
        SmallVector<Value> left, right, results;
        for (int64_t i = 0; i < down; ++i)
          left.push_back(vectorOf([&](int64_t number) {
            Value row = e.add(place.row, i * kFragmentRows + FragmentPlace::rowOf(number));
            return loadFactor(e, op.getA(), op.getAIndices(), !op.getTransposedA(), row, step);
          }));
        for (int64_t j = 0; j < across; ++j)
          right.push_back(vectorOf([&](int64_t number) {
            Value column =
                e.add(place.column, j * kFragmentColumns + FragmentPlace::columnOf(number));
            return loadFactor(e, op.getB(), op.getBIndices(), op.getTransposedB(), column, step);
          }));
        for (int64_t i = 0; i < down; ++i)
          for (int64_t j = 0; j < across; ++j)
            results.push_back(e.fma(left[i], right[j], carried[i * across + j]));
        return results;
      });
  op.replaceAllUsesWith(sums);
  op.erase();
}

void aft::emulateWarps(func::FuncOp kernel) {
  kernel.walk([](Operation *op) {
    if (auto copy = dyn_cast<CopyChunkOp>(op))
      copyAtOnce(copy);
    else if (auto product = dyn_cast<WarpProductOp>(op))
      multiply(product);
    else if (isa<CopyFenceOp, CopyWaitOp>(op))
      op->erase();
  });
}
