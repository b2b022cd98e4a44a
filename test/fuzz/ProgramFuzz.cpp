//===- ProgramFuzz.cpp - Programs as MLIR text ----------------------------===//
// An input is parsed, verified and taken through the graph phase. Nothing is run.

#include "Target.h"

#include "compiler/Pipeline.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Pass/PassManager.h"
#include "runtime/jit/Context.h"

using namespace mlir;
using namespace aft;
using namespace aft::fuzz;

/// A context keeps every type and attribute it has seen.
static constexpr unsigned kInputsPerContext = 500;

static std::string printed(ModuleOp module) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  module.print(stream);
  return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static std::unique_ptr<Context> context;
  static unsigned used = 0;
  if (!context || ++used > kInputsPerContext) {
    context = std::make_unique<Context>();
    context->context->disableMultithreading();
    used = 0;
  }
  MLIRContext *mlirContext = context->context.get();
  Messages messages(*mlirContext);
  bool crashed = false;
  OwningOpRef<ModuleOp> module =
      parseProgram(std::string(textOf(data, size)), "input.mlir", *mlirContext, &crashed);
  promise(module || !messages.status(false).message.empty(), "a refusal has a message");
  if (crashed) // known of MLIR 19's parser, and reported
    (void)context.release();
  if (!module)
    return 0;
  // runPhase would leave a reproducer of each failure.
  PassManager passes(mlirContext, ModuleOp::getOperationName());
  passes.enableVerifier(false);
  buildPhase(Phase::Graph, passes, PipelineOptions());
  if (failed(passes.run(*module)) || failed(verify(*module)))
    return 0;
  Messages again(*mlirContext);
  OwningOpRef<ModuleOp> copy = parseProgram(printed(*module), "printed.mlir", *mlirContext);
  promise(static_cast<bool>(copy), again.status(false).message.c_str());
  return 0;
}
