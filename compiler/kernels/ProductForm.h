//===- ProductForm.h - Kernels that a library's product can stand in for --===//
// On a GPU a matrix product with little after it is also what cuBLASLt computes, faster.
// Such a kernel says so in an attribute, with the numbers of its operands:
//
//   func.func private @kernel_5(%a, %b, %bias, %d) attributes {aft.kernel, aft.product = {
//     operands = array<i64: 0, 1, 3, -1, 2>, extents = array<i64: 5, 6, 1, -1>,
//     transposed = array<i1: false, true>, type = bf16, result_type = bf16}}
//
// It stays a kernel: where the library is missing or refuses, it runs.

#ifndef AFT_COMPILER_KERNELS_PRODUCTFORM_H
#define AFT_COMPILER_KERNELS_PRODUCTFORM_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

#include <optional>

namespace aft {

inline constexpr llvm::StringLiteral productAttrName = "aft.product";
inline constexpr llvm::StringLiteral columnSumsAttrName = "aft.column_sums";

/// D = A B + C + bias, without C and bias where they are -1, or GELU (by tanh) of that. All
/// row-major and dense: A [batch,m,k], B [batch,k,n], C and D [batch,m,n], bias [n].
struct ProductForm {
  /// Operands of the kernel.
  int64_t a = 0, b = 0, d = 0, c = -1, bias = -1;
  /// Where these stand among the extents of all operands; the batch: -1 where there is none.
  int64_t m = 0, n = 0, k = 0, batch = -1;
  bool transposedA = false, transposedB = false; ///< stored as [k,m], [n,k]
  bool gelu = false;
  bool tf32 = false;                             ///< factors of f32 may be rounded to TF32
  mlir::Type type;                               ///< of A and B
  mlir::Type resultType;                         ///< of C, D and bias
};

/// What a library does with a product on the way out: it adds operands of a generic, and
/// takes GELU of the sum.
struct ProductEpilogue {
  mlir::OpOperand *c = nullptr, *bias = nullptr;
  bool gelu = false;
};

/// Reads an elementwise operation as D = product + C + bias, in any order; roundings of
/// partial sums to the type of D may be left out. Where D is bf16 also as GELU by tanh of
/// that, however it is written: how exactly a library computes tanh is not known, but
/// better than bf16 can tell. GELU by erf, farther from that by tanh than f32 may be, is none,
/// and stays a kernel: runtime/cuda/README.md says why in bf16, too, and why in training both do.
std::optional<ProductEpilogue> matchEpilogue(mlir::linalg::GenericOp op, mlir::Value product);

/// Reads a kernel on tensors as a product; nothing where it is more or another.
std::optional<ProductForm> matchProduct(mlir::func::FuncOp kernel);

/// A kernel that sums the columns of a matrix, [rows,columns] to [columns]: what a library
/// gives besides a product that sums over the same rows (the gradients of a linear layer's
/// bias and weight). In the attribute `aft.column_sums`.
struct ColumnSumsForm {
  int64_t matrix = 0, sums = 0;  ///< operands of the kernel
  int64_t rows = 0, columns = 0; ///< among its extents
  mlir::Type type, resultType;
};

std::optional<ColumnSumsForm> matchColumnSums(mlir::func::FuncOp kernel);

/// Where an extent of an operand stands among all extents of a kernel on tensors.
int64_t extentPlace(mlir::func::FuncOp kernel, int64_t operand, int64_t dim);

/// As an attribute and back; nothing where the operation has none.
mlir::DictionaryAttr attributeOf(const ProductForm &form, mlir::MLIRContext *context);
std::optional<ProductForm> productOf(mlir::Operation *kernel);
mlir::DictionaryAttr attributeOf(const ColumnSumsForm &form, mlir::MLIRContext *context);
std::optional<ColumnSumsForm> columnSumsOf(mlir::Operation *kernel);

} // namespace aft

#endif // AFT_COMPILER_KERNELS_PRODUCTFORM_H
