//===- RegisterMath.cpp - Functions as precise as bf16, by AVX-512 --------===//

#include "compiler/vector/RegisterMath.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace aft;

static constexpr int32_t kCurrentRounding = 4;

Value aft::callIntrinsic(Emitter &e, StringRef name, Type type, ValueRange operands) {
  return e.builder
      .create<LLVM::CallIntrinsicOp>(e.loc, type, e.builder.getStringAttr(name), operands)
      .getResult(0);
}

void aft::callIntrinsic(Emitter &e, StringRef name, ValueRange operands) {
  e.builder.create<LLVM::CallIntrinsicOp>(e.loc, TypeRange(), e.builder.getStringAttr(name),
                                          operands, LLVM::FastmathFlagsAttr());
}

static Value integer(Emitter &e, int64_t value, unsigned width) {
  Type type = e.builder.getIntegerType(width);
  return e.builder.create<arith::ConstantOp>(e.loc, e.builder.getIntegerAttr(type, value));
}

/// A function of whole registers, one after the other.
static Value perRegister(Emitter &e, ValueRange numbers,
                         llvm::function_ref<Value(ValueRange registers)> function) {
  auto type = cast<VectorType>(numbers[0].getType());
  int64_t count = type.getDimSize(0) / kRegisterLanes;
  if (count == 1)
    return function(numbers);
  Value all = e.number(type, 0);
  for (int64_t i = 0; i < count; ++i) {
    SmallVector<Value> parts;
    for (Value some : numbers)
      parts.push_back(e.builder.create<vector::ExtractStridedSliceOp>(
          e.loc, some, ArrayRef<int64_t>{i * kRegisterLanes}, ArrayRef<int64_t>{kRegisterLanes},
          ArrayRef<int64_t>{1}));
    all = e.builder.create<vector::InsertStridedSliceOp>(
        e.loc, function(parts), all, ArrayRef<int64_t>{i * kRegisterLanes}, ArrayRef<int64_t>{1});
  }
  return all;
}

static Value allLanes(Emitter &e) { return integer(e, -1, 16); }

/// The polynomial with these coefficients, from that of x^0 on.
static Value polynomial(Emitter &e, Value x, ArrayRef<double> coefficients) {
  Value p = e.number(x.getType(), coefficients.back());
  for (double coefficient : llvm::reverse(coefficients.drop_back()))
    p = e.fma(p, x, e.number(x.getType(), coefficient));
  return p;
}

/// The lanes whose 2^t is no number below 2^-126: where one is made, vscalefps takes a
/// hundred times as long on some CPUs.
static Value normalLanes(Emitter &e, Value t) {
  Value normal = e.compare(arith::CmpFPredicate::UGE, t, e.number(t.getType(), -126));
  return e.builder.create<vector::BitCastOp>(
      e.loc, VectorType::get({1}, e.builder.getIntegerType(kRegisterLanes)), normal);
}

/// 2^t = 2^floor(t) * p(t - floor(t)), where the coefficients of p are for the least
/// relative error on [0, 1]; the first is 1. Below 2^-126: 0.
static Value powerOfTwo(Emitter &e, Value t, ArrayRef<double> coefficients) {
  constexpr int32_t kBelow = 0x9; // t - floor(t), without exceptions
  Value all = allLanes(e), rounding = integer(e, kCurrentRounding, 32);
  Value below = integer(e, kBelow, 32);
  Value fraction = perRegister(e, t, [&](ValueRange x) {
    return callIntrinsic(e, "llvm.x86.avx512.mask.reduce.ps.512", x[0].getType(),
                         {x[0], below, x[0], all, rounding});
  });
  return perRegister(e, {polynomial(e, fraction, coefficients), t}, [&](ValueRange x) {
    Value normal = e.builder.create<vector::ExtractOp>(e.loc, normalLanes(e, x[1]), 0);
    return callIntrinsic(e, "llvm.x86.avx512.mask.scalef.ps.512", x[0].getType(),
                         {x[0], x[1], e.number(x[0].getType(), 0), normal, rounding});
  });
}

Value aft::expForBF16(Emitter &e, Value x) {
  Value t = e.fmul(x, e.number(x.getType(), 1.44269504088896341));
  return powerOfTwo(e, t, {1, 0.693044845, 0.241280208, 0.0522424682, 0.013426688});
}

Value aft::reciprocalForBF16(Emitter &e, Value x) {
  Value all = allLanes(e);
  return perRegister(e, x, [&](ValueRange x) {
    return callIntrinsic(e, "llvm.x86.avx512.rcp14.ps.512", x[0].getType(), {x[0], x[0], all});
  });
}

/// 2 / (1 + 2^-y), where y = x q(x^2) is the logarithm, to base 2, of (1 + erf x) / (1 - erf x).
/// q is for the least relative error up to |x| = 3.5, and rises beyond.
Value aft::onePlusErfForBF16(Emitter &e, Value x) {
  Value q = polynomial(e, e.fmul(x, x), {-3.2486872, -0.309811412, 0.00811311086, -0.000150127756});
  Value power = powerOfTwo(e, e.fmul(x, q), {1, 0.695116793, 0.227644962, 0.0770670687});
  Value half = e.number(x.getType(), 0.5);
  return reciprocalForBF16(e, e.fma(power, half, half));
}
