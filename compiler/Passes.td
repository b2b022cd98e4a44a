//===- Passes.td - Passes that belong to no phase -------------------------===//

#ifndef AFT_COMPILER_PASSES_TD
#define AFT_COMPILER_PASSES_TD

include "mlir/Pass/PassBase.td"

def CheckPhase : Pass<"aft-check-phase", "::mlir::ModuleOp"> {
  let summary = "Checks that a module has the form a phase promises";
  let description = [{
    The last pass of every phase. What it refuses is a program that the phase
    does not support yet, so its errors name the operation that was left over.
    Functions that came in the form of a later phase (hand-written kernels) pass.
  }];
  let options = [Option<"phase", "phase", "std::string", "\"\"",
                        "graph, kernels, tile, vector or llvm">];
}

#endif // AFT_COMPILER_PASSES_TD
