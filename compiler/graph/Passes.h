//===- Passes.h - Passes of the graph phase -------------------------------===//

#ifndef AFT_COMPILER_GRAPH_PASSES_H
#define AFT_COMPILER_GRAPH_PASSES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Pass/Pass.h"

namespace aft {

/// What aft-differentiate does, for other passes: adds `@NAME_grad`. A failure
/// has been reported.
mlir::FailureOr<mlir::func::FuncOp> differentiate(mlir::func::FuncOp function);

/// The arguments with the attribute aft.param.
llvm::SmallVector<unsigned> parametersOf(mlir::func::FuncOp function);

/// The argument's aft.name, or "argN".
std::string argumentName(mlir::func::FuncOp function, unsigned argument);

struct CompileReport;
namespace raise {
class DistanceTables;
}

/// What aft-raise-mixers has to tell.
struct RaiseRemarks {
  struct Success {
    mlir::Operation *sum, *mixer;
    std::string note; ///< what is worth knowing about it
  };
  struct NearMiss {
    mlir::Operation *sum, *root;
    std::string reason;
  };
  std::vector<Success> successes;
  std::vector<NearMiss> misses;
  llvm::DenseSet<mlir::Operation *> raised; ///< sums that are gone
};

struct RaiseOptions {
  bool fast = false;                       ///< small numbers added to denominators are left out
  raise::DistanceTables *tables = nullptr; ///< of the function; null: none are known
};

/// Replaces what `root` computes by a mixer, where it is one; with it the
/// elementwise operations that follow and are part of it.
mlir::FailureOr<mlir::Operation *> raiseMixer(mlir::RewriterBase &rewriter,
                                              mlir::linalg::LinalgOp root,
                                              const RaiseOptions &options, RaiseRemarks &remarks);

/// With a report that the pass tells of its decisions; null: none.
std::unique_ptr<mlir::Pass> createRaiseMixers(bool fast, CompileReport *report);

#define GEN_PASS_DECL
#include "compiler/graph/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "compiler/graph/Passes.h.inc"

} // namespace aft

#endif // AFT_COMPILER_GRAPH_PASSES_H
