//===- ProgramFuzz.cpp - Programs as MLIR text ----------------------------===//
// An input is parsed, verified and taken through the graph phase. Nothing is run.

#include "Target.h"

#include "compiler/Pipeline.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Pass/PassManager.h"
#include "runtime/jit/Context.h"

#include <sys/wait.h>

using namespace mlir;
using namespace aft;
using namespace aft::fuzz;

static std::string printed(ModuleOp module) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  module.print(stream);
  return text;
}

static void check(std::string_view text, MLIRContext &context) {
  Messages messages(context);
  OwningOpRef<ModuleOp> module = parseProgram(std::string(text), "input.mlir", context);
  promise(module || !messages.status(false).message.empty(), "a refusal has a message");
  if (!module)
    _exit(0);
  // runPhase would leave a reproducer of each failure.
  PassManager passes(&context, ModuleOp::getOperationName());
  passes.enableVerifier(false);
  buildPhase(Phase::Graph, passes, PipelineOptions());
  if (failed(passes.run(*module)) || failed(verify(*module)))
    return;
  Messages again(context);
  OwningOpRef<ModuleOp> copy = parseProgram(printed(*module), "printed.mlir", context);
  promise(static_cast<bool>(copy), again.status(false).message.c_str());
}

/// In a process of its own: where MLIR 19's parser refuses a text, it may have written
/// to memory that it freed before (an operation with a region in a function that ends
/// too early), and nothing that comes after can be trusted. libFuzzer does not see what
/// such a process covers.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  // Each process begins with its own copy of this one.
  static Context context;
  context.context->disableMultithreading();
  int status = 0;
  pid_t child = fork();
  if (child == 0) {
    check(textOf(data, size), *context.context);
    _exit(0);
  }
  promise(child > 0 && waitpid(child, &status, 0) == child, "a process can be had");
  promise(WIFEXITED(status) && WEXITSTATUS(status) == 0, "a program is taken or refused");
  return 0;
}
