//===- ProgramFuzz.cpp - Programs as MLIR text ----------------------------===//
// An input is parsed, verified and taken through the graph phase. Nothing is run.

#include "Target.h"
#include "Worker.h"

#include "compiler/Pipeline.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Pass/PassManager.h"
#include "runtime/jit/Context.h"

using namespace mlir;
using namespace aft;
using namespace aft::fuzz;

static std::string printed(ModuleOp module) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  module.print(stream);
  return text;
}

namespace {

/// What is made once: each process begins with its own copy.
class Programs {
public:
  Programs() : passes(context.context.get(), ModuleOp::getOperationName()) {
    context.context->disableMultithreading();
    // runPhase would leave a reproducer of each failure.
    passes.enableVerifier(false);
    buildPhase(Phase::Graph, passes, PipelineOptions());
    // Passes collect their patterns when they are first run.
    OwningOpRef<ModuleOp> empty = ModuleOp::create(UnknownLoc::get(context.context.get()));
    promise(succeeded(passes.run(*empty)), "nothing is a program");
  }

  /// False where MLIR's parser crashed, after which nothing can be trusted.
  bool check(std::string_view text) {
    Messages messages(*context.context);
    OwningOpRef<ModuleOp> module = parseProgram(std::string(text), "input.mlir", *context.context);
    std::string refusal = messages.status(false).message;
    promise(module || !refusal.empty(), "a refusal has a message");
    if (!module)
      return refusal.find("MLIR's parser crashed") == std::string::npos;
    if (failed(passes.run(*module)) || failed(verify(*module)))
      return true;
    Messages again(*context.context);
    OwningOpRef<ModuleOp> copy = parseProgram(printed(*module), "printed.mlir", *context.context);
    promise(static_cast<bool>(copy), again.status(false).message.c_str());
    return true;
  }

private:
  Context context;
  PassManager passes;
};

} // namespace

/// In processes of their own: where MLIR 19's parser refuses a text, it may have written
/// to memory that it freed before (an operation with a region in a function that ends
/// too early), and what comes after cannot be trusted. So what a process that has taken
/// others before does not survive counts only if a new one does not survive it either.
/// libFuzzer does not see what such a process covers.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static Programs programs;
  static Worker worker([](std::string_view text) { return programs.check(text); });
  promise(worker.run(textOf(data, size)) || worker.runAlone(textOf(data, size)),
          "a program is taken or refused");
  return 0;
}
