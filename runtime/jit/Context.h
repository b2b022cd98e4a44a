//===- Context.h - A context, its messages and parsing --------------------===//

#ifndef AFT_RUNTIME_JIT_CONTEXT_H
#define AFT_RUNTIME_JIT_CONTEXT_H

#include "aft/program.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"

#include <mutex>
#include <optional>

namespace aft {

/// What a failure says that nobody said anything of.
inline constexpr const char *kNoMessage = "the compilation failed without a message";

/// Collects what a compilation has to say; an error fails it whatever the
/// passes return.
class Messages {
public:
  explicit Messages(mlir::MLIRContext &context);
  Status status(bool succeeded) const;

private:
  void take(mlir::Diagnostic &diagnostic);
  std::mutex mutex;
  bool failed = false;
  std::string text;
  mlir::ScopedDiagnosticHandler handler;
};

/// A context with everything loaded: passes run on several threads, where
/// loading is not allowed.
struct Context {
  Context();
  mlir::DialectRegistry registry;
  std::unique_ptr<mlir::MLIRContext> context;
};

/// Parses a program; null after a reported error. `name` stands for the file.
mlir::OwningOpRef<mlir::ModuleOp> parseProgram(const std::string &text, const std::string &name,
                                               mlir::MLIRContext &context);

/// The element types that programs may have.
std::optional<DType> dtypeOf(mlir::Type element);

} // namespace aft

#endif // AFT_RUNTIME_JIT_CONTEXT_H
