//===- Symbols.h - What functions are called in object code ---------------===//
// A program may have a function @exp or @memcpy. Under that name its code would be
// called wherever other code means the library's. So object code has names that
// no library has; users see theirs in tables, messages and reports.

#ifndef AFT_COMPILER_LLVM_SYMBOLS_H
#define AFT_COMPILER_LLVM_SYMBOLS_H

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringRef.h"

#include <string>

namespace aft {

/// No name of the compiler's own ("aft.launches") begins so.
inline constexpr llvm::StringLiteral symbolPrefix = "aft.code.";

/// The symbol of a program's function.
inline std::string symbolOf(llvm::StringRef function) { return (symbolPrefix + function).str(); }

/// What the function of a symbol is called.
inline llvm::StringRef functionOf(llvm::StringRef symbol) {
  symbol.consume_front(symbolPrefix);
  return symbol;
}

/// Renames those symbols of a module that `names` has, and what refers to them. Failure where there
/// are operations whose symbols are not known.
mlir::LogicalResult renameSymbols(mlir::ModuleOp module,
                                  const llvm::DenseMap<mlir::StringAttr, mlir::StringAttr> &names);

} // namespace aft

#endif // AFT_COMPILER_LLVM_SYMBOLS_H
