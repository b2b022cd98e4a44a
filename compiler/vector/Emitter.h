//===- Emitter.h - Writing loops and vector code by hand ------------------===//
// A thin layer over OpBuilder with the few things kernels are made of, so that
// the code that emits a kernel reads like the kernel.

#ifndef AFT_COMPILER_VECTOR_EMITTER_H
#define AFT_COMPILER_VECTOR_EMITTER_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Builders.h"

namespace aft {

/// Vector length for an accumulation type on a target with `vectorBits`.
int64_t lanesFor(mlir::Type accumulation, unsigned vectorBits);

/// The type computations on `element` are done in: f32 for bf16.
mlir::Type computeType(mlir::Type element);

class Emitter {
public:
  using Value = mlir::Value;
  using Values = llvm::SmallVector<Value>;
  using LoopBody = llvm::function_ref<Values(Value index, mlir::ValueRange carried)>;

  Emitter(mlir::OpBuilder &builder, mlir::Location loc) : builder(builder), loc(loc) {}

  mlir::OpBuilder &builder;
  mlir::Location loc;

  // Index arithmetic.
  Value index(int64_t value);
  Value add(Value a, Value b);
  Value add(Value a, int64_t b) { return b == 0 ? a : add(a, index(b)); }
  Value sub(Value a, Value b);
  Value mul(Value a, Value b);
  Value mul(Value a, int64_t b) { return b == 1 ? a : mul(a, index(b)); }
  Value min(Value a, Value b);
  Value max(Value a, Value b);
  /// a / b rounded down resp. up, both non-negative.
  Value div(Value a, int64_t b);
  Value ceilDiv(Value a, int64_t b);
  Value roundDown(Value a, int64_t b);
  /// What a / b leaves.
  Value rest(Value a, Value b);
  Value rest(Value a, int64_t b) { return b == 1 ? index(0) : rest(a, index(b)); }
  Value less(Value a, Value b);
  /// Whether a lies in [0, b).
  Value below(Value a, Value b);
  Value same(Value a, Value b);
  Value dim(Value memref, int64_t dimension);

  // Conditions and other bits.
  Value both(Value a, Value b);
  Value either(Value a, Value b);

  // Control flow. A loop yields its carried values.
  Values loop(Value lower, Value upper, Value step, mlir::ValueRange carried, LoopBody body);
  void loop(Value lower, Value upper, Value step, llvm::function_ref<void(Value)> body);
  /// Independent groups, the grid of a kernel.
  void grid(mlir::ArrayRef<Value> extents,
            llvm::function_ref<void(mlir::ArrayRef<Value>)> body);
  Values branch(Value condition, mlir::TypeRange types, llvm::function_ref<Values()> yes,
                llvm::function_ref<Values()> no);
  void when(Value condition, llvm::function_ref<void()> body);

  // Numbers: scalars, or vectors of `lanes` numbers.
  mlir::Type typeOf(mlir::Type element, int64_t lanes);
  Value number(mlir::Type type, double value);
  Value broadcast(Value scalar, mlir::Type type);
  Value fadd(Value a, Value b);
  Value fsub(Value a, Value b);
  Value fmul(Value a, Value b);
  Value fdiv(Value a, Value b);
  Value fma(Value a, Value b, Value c);
  /// The larger, NaN if one is NaN; the larger of the numbers.
  Value fmax(Value a, Value b);
  Value fmaxNumber(Value a, Value b);
  Value exp(Value a);
  Value log(Value a);
  Value compare(mlir::arith::CmpFPredicate predicate, Value a, Value b);
  Value equal(Value a, Value b);
  Value isFinite(Value a);
  Value select(Value condition, Value a, Value b);

  /// Loads `lanes` consecutive elements (a scalar for 0) in the compute type.
  Value load(Value memref, mlir::ValueRange indices, int64_t lanes);
  /// Stores in the memref's element type.
  void store(Value value, Value memref, mlir::ValueRange indices);
  /// The same past the caches, for vectors whose place is aligned to a register, or to
  /// themselves where they are shorter. A fence has to follow, before others may read it.
  void storeStreaming(Value value, Value memref, mlir::ValueRange indices);
  /// Scratch of a static shape, allocated once per call of the kernel.
  Value scratch(mlir::ArrayRef<int64_t> shape, mlir::Type element);
  /// The value in another float type.
  Value convert(Value value, mlir::Type element);
  /// All lanes combined by `combine`, in a tree.
  Value reduce(Value vector, llvm::function_ref<Value(Value, Value)> combine);
};

} // namespace aft

#endif // AFT_COMPILER_VECTOR_EMITTER_H
