//===- WarpReduce.cpp - Numbers of a warp combined by shuffles ------------===//

#include "compiler/nvvm/WarpOps.h"
#include "compiler/vector/gpu/Threads.h"
#include "mlir/Conversion/LLVMCommon/Pattern.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;
using namespace aft;

/// What a shuffle moves.
static constexpr unsigned kRegisterBits = 32;

namespace {

/// Emits the shuffles of one reduction.
class ShuffleEmitter {
public:
  ShuffleEmitter(OpBuilder &builder, Location loc) : e(builder, loc), builder(builder) {}
  Value fromThread(Value value, int64_t distance);
  Value combine(vector::CombiningKind kind, Value own, Value other);

private:
  Value shuffle(Value word, int64_t distance);
  Value word(int64_t value) {
    return builder.create<arith::ConstantIntOp>(e.loc, value, kRegisterBits);
  }

  Emitter e;
  OpBuilder &builder;
};

struct LowerWarpReduce : ConvertOpToLLVMPattern<WarpReduceOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult matchAndRewrite(WarpReduceOp op, OpAdaptor,
                                ConversionPatternRewriter &rewriter) const override {
    ShuffleEmitter shuffles(rewriter, op.getLoc());
    Value value = op.getValue();
    for (int64_t distance : op.distances())
      value = shuffles.combine(op.getKind(), value, shuffles.fromThread(value, distance));
    rewriter.replaceOp(op, value);
    return success();
  }
};

} // namespace

/// 32 bits of the thread whose number differs by one bit.
Value ShuffleEmitter::shuffle(Value bits, int64_t distance) {
  return builder.create<NVVM::ShflOp>(e.loc, bits.getType(), /*all threads=*/word(-1), bits,
                                      word(distance), /*whole warps=*/word(kWarpThreads - 1),
                                      NVVM::ShflKind::bfly, UnitAttr());
}

/// A number of any type as one or two words.
Value ShuffleEmitter::fromThread(Value value, int64_t distance) {
  Type type = value.getType(), i64 = builder.getI64Type(), i32 = builder.getI32Type();
  if (type.isF32() || type.isInteger(kRegisterBits))
    return shuffle(value, distance);
  if (type.isIndex())
    return builder.create<arith::IndexCastOp>(
        e.loc, type, fromThread(builder.create<arith::IndexCastOp>(e.loc, i64, value), distance));
  unsigned bits = type.getIntOrFloatBitWidth();
  if (!isa<IntegerType>(type))
    return builder.create<arith::BitcastOp>(
        e.loc, type,
        fromThread(builder.create<arith::BitcastOp>(e.loc, builder.getIntegerType(bits), value),
                   distance));
  if (bits < kRegisterBits)
    return builder.create<arith::TruncIOp>(
        e.loc, type, shuffle(builder.create<arith::ExtUIOp>(e.loc, i32, value), distance));
  if (bits < 2 * kRegisterBits)
    return builder.create<arith::TruncIOp>(
        e.loc, type, fromThread(builder.create<arith::ExtUIOp>(e.loc, i64, value), distance));
  Value half = builder.create<arith::ConstantIntOp>(e.loc, kRegisterBits, i64);
  Value low = builder.create<arith::TruncIOp>(e.loc, i32, value);
  Value high = builder.create<arith::TruncIOp>(e.loc, i32,
                                               builder.create<arith::ShRUIOp>(e.loc, value, half));
  low = builder.create<arith::ExtUIOp>(e.loc, i64, shuffle(low, distance));
  high = builder.create<arith::ExtUIOp>(e.loc, i64, shuffle(high, distance));
  return builder.create<arith::OrIOp>(e.loc, low, builder.create<arith::ShLIOp>(e.loc, high, half));
}

Value ShuffleEmitter::combine(vector::CombiningKind kind, Value own, Value other) {
  // One instruction each, as aft-lower-threads has it.
  if (own.getType().isF32() && kind == vector::CombiningKind::MAXIMUMF)
    return builder.create<LLVM::MaximumOp>(e.loc, own, other);
  if (own.getType().isF32() && kind == vector::CombiningKind::MINIMUMF)
    return builder.create<LLVM::MinimumOp>(e.loc, own, other);
  return vector::makeArithReduction(builder, e.loc, kind, own, other);
}

void aft::populateWarpReduceLowering(const LLVMTypeConverter &converter,
                                     RewritePatternSet &patterns) {
  patterns.add<LowerWarpReduce>(converter);
}
