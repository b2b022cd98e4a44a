//===- RegisterMath.h - Functions as precise as bf16, by AVX-512 ----------===//
// Of one or several registers of f32, whose results are rounded to bf16 afterwards, which adds
// up to 4e-3 of them.

#ifndef AFT_COMPILER_VECTOR_REGISTERMATH_H
#define AFT_COMPILER_VECTOR_REGISTERMATH_H

#include "compiler/vector/Emitter.h"

namespace aft {

/// f32 in a register.
constexpr int64_t kRegisterLanes = 16;

/// An intrinsic of LLVM's with one result, and one with none.
mlir::Value callIntrinsic(Emitter &e, llvm::StringRef name, mlir::Type type,
                          mlir::ValueRange operands);
void callIntrinsic(Emitter &e, llvm::StringRef name, mlir::ValueRange operands);

/// exp(x): the error is 3e-6 of it, and 6e-8 more for each unit of x. exp(0) = 1; above
/// infinity, below 2^-126 0, NaN for NaN.
mlir::Value expForBF16(Emitter &e, mlir::Value x);
/// 1 / x: the error is 2^-14 of it.
mlir::Value reciprocalForBF16(Emitter &e, mlir::Value x);
/// 1 + erf(x): the error is 1.4e-3 of it for x above -3.5, and 1e-6 below.
mlir::Value onePlusErfForBF16(Emitter &e, mlir::Value x);

} // namespace aft

#endif // AFT_COMPILER_VECTOR_REGISTERMATH_H
