//===- Programs.h - What is promised of programs that may be anything -----===//

#ifndef AFT_TEST_FUZZ_PROGRAMS_H
#define AFT_TEST_FUZZ_PROGRAMS_H

#include "Target.h"

#include "compiler/Pipeline.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassManager.h"
#include "runtime/jit/Context.h"

#include <functional>

namespace aft::fuzz {

/// Whether a message says something beside where.
inline bool saysSomething(std::string_view message) {
  message = message.substr(0, message.find_last_not_of(" \n\t") + 1);
  return !message.empty() && message.back() != ':' && message != kNoMessage;
}

/// Takes programs through the graph phase. What is made once: each process begins with its own
/// copy.
class Programs {
public:
  using Parser = std::function<mlir::OwningOpRef<mlir::ModuleOp>(
      const std::string &text, const std::string &name, mlir::MLIRContext &context)>;
  /// Others than those of the compiler are for tests of the promises; `last` comes after the phase.
  explicit Programs(Parser parse = parseProgram, std::unique_ptr<mlir::Pass> last = nullptr)
      : parse(std::move(parse)), passes(context.context.get(), mlir::ModuleOp::getOperationName()) {
    context.context->disableMultithreading();
    // runPhase would leave a reproducer of each failure.
    passes.enableVerifier(false);
    buildPhase(Phase::Graph, passes, PipelineOptions());
    // Passes collect their patterns when they are first run.
    auto empty = mlir::OwningOpRef<mlir::ModuleOp>(
        mlir::ModuleOp::create(mlir::UnknownLoc::get(context.context.get())));
    promise(mlir::succeeded(passes.run(*empty)), "nothing is a program");
    if (last)
      passes.addPass(std::move(last));
  }

  /// False where MLIR's parser crashed, after which nothing can be trusted.
  bool check(std::string_view text) {
    Messages messages(*context.context);
    mlir::OwningOpRef<mlir::ModuleOp> module =
        parse(std::string(text), "input.mlir", *context.context);
    std::string refusal = messages.status(false).message;
    promise(module || saysSomething(refusal), "a refusal has a message");
    if (!module)
      return refusal.find("MLIR's parser crashed") == std::string::npos;
    if (mlir::failed(passes.run(*module)) || mlir::failed(mlir::verify(*module))) {
      promise(saysSomething(messages.status(false).message), "a failure has a message");
      return true;
    }
    Messages again(*context.context);
    mlir::OwningOpRef<mlir::ModuleOp> copy =
        parse(printed(*module), "printed.mlir", *context.context);
    promise(static_cast<bool>(copy), again.status(false).message.c_str());
    return true;
  }

private:
  static std::string printed(mlir::ModuleOp module) {
    std::string text;
    llvm::raw_string_ostream stream(text);
    module.print(stream);
    return text;
  }

  Parser parse;
  Context context;
  mlir::PassManager passes;
};

} // namespace aft::fuzz

#endif // AFT_TEST_FUZZ_PROGRAMS_H
