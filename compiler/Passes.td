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
                        "graph, kernels, tile, vector, llvm or nvvm">,
                 Option<"threadBlocks", "thread-blocks", "bool", "false",
                        "Whether kernels are made for a GPU">];
}

def Canonicalize : Pass<"aft-canonicalize"> {
  let summary = "MLIR's canonicalizer without its wrong patterns";
  let description = [{
    MLIR 19 mistreats a tensor.expand_shape with two dynamic extents in one group
    in two patterns: tensor.dim of one, and collapse_shape of one. The first is
    left out here, the second replaced. (MLIR's option `disable-patterns` would
    do, but a pipeline with such names cannot be parsed again, and so no
    reproducer replayed.) A number that is widened and narrowed again is itself, which
    MLIR 19 does not know.
  }];
  let options = [Option<"keepCopies", "keep-copies", "bool", "false",
                        "Keep generics that only copy">];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::tensor::TensorDialect"];
}

#endif // AFT_COMPILER_PASSES_TD
