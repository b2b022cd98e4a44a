//===- Interface.h - What the host functions tell the JIT about entries ---===//
// The kernels phase turns tensors into memrefs and thereby loses which
// arguments were results, their names and aliases. They stay in attributes:
//
//   func.func @main(...) attributes {aft.entry, aft.interface = {
//     inputs  = [{name = "x", type = tensor<?x8xf32>, limits = array<i64: 1, 64, 8, 8>}],
//     outputs = [{type = tensor<?x8xf32>, alias = 0 : i64}]}}
//   func.func @main.plan(...) -> index attributes {aft.plan}
//   module attributes {aft.checks = ["message of shape check 0", ...]}
//
// The arguments of an entry are one memref per input, one per output and the
// arena. An output with an alias has its argument too (the same pointer as the
// input's); the body only uses the input's.

#ifndef AFT_COMPILER_KERNELS_INTERFACE_H
#define AFT_COMPILER_KERNELS_INTERFACE_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/BuiltinTypes.h"

namespace aft {

/// Unit attributes that say what a function is for.
inline constexpr llvm::StringLiteral kernelAttrName = "aft.kernel";
inline constexpr llvm::StringLiteral entryAttrName = "aft.entry";
inline constexpr llvm::StringLiteral planAttrName = "aft.plan";
/// String on a kernel: what it consists of (see Groups.h).
inline constexpr llvm::StringLiteral kindAttrName = "aft.kind";
/// Dictionary on an entry, and array of strings on the module.
inline constexpr llvm::StringLiteral interfaceAttrName = "aft.interface";
inline constexpr llvm::StringLiteral checksAttrName = "aft.checks";
/// Attributes of arguments and results of a program's functions.
inline constexpr llvm::StringLiteral nameAttrName = "aft.name";
inline constexpr llvm::StringLiteral aliasAttrName = "aft.alias";
/// On an argument: what its extents may be, array<i64: least, most, …>.
inline constexpr llvm::StringLiteral limitsAttrName = "aft.limits";
/// The companion of entry @f is @f.plan.
inline constexpr llvm::StringLiteral planSuffix = ".plan";

/// One argument or result of an entry.
struct InterfaceValue {
  std::string name; ///< from aft.name; may be empty
  mlir::RankedTensorType type;
  int64_t alias = -1; ///< results only: the input whose buffer it updates
  /// Inputs only: from aft.limits; may be null.
  mlir::DenseI64ArrayAttr limits = {};
};

struct EntryInterface {
  llvm::SmallVector<InterfaceValue> inputs, outputs;
};

/// The interface of a function on tensors. Fails with an error when an
/// argument or result is not a ranked tensor of a supported element type or an
/// alias is impossible.
mlir::FailureOr<EntryInterface> interfaceOf(mlir::func::FuncOp tensorFunction);

/// Stores an interface in the attribute aft.interface.
void writeInterface(mlir::func::FuncOp entry, const EntryInterface &interface);

/// Reads aft.interface back; fails with an error when it is missing or
/// malformed.
mlir::FailureOr<EntryInterface> readInterface(mlir::func::FuncOp entry);

/// The messages of the shape checks, in the order of their indices.
llvm::SmallVector<std::string> readChecks(mlir::ModuleOp module);

/// The entries of a module, in its order.
llvm::SmallVector<mlir::func::FuncOp> entriesOf(mlir::ModuleOp module);

/// The plan function of an entry, or null.
mlir::func::FuncOp planOf(mlir::func::FuncOp entry);

/// Whether a tensor of this element type can be an argument or a result.
bool isInterfaceElement(mlir::Type element);

} // namespace aft

#endif // AFT_COMPILER_KERNELS_INTERFACE_H
