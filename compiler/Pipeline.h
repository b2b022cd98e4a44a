//===- Pipeline.h - The phases of the compiler ----------------------------===//
// graph -> kernels -> tile -> vector -> llvm (nvvm for a GPU) -> binary. A phase is a list of
// passes; after each one the module is verified, checked against the phase's
// contract and, where wanted, written to a numbered file.

#ifndef AFT_COMPILER_PIPELINE_H
#define AFT_COMPILER_PIPELINE_H

#include "compiler/binary/NamedObject.h"
#include "compiler/binary/Target.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Support/LLVM.h"
#include "runtime/core/InternalApi.h"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace mlir {
class OpPassManager;
} // namespace mlir

namespace aft {

struct CompileReport;
class ObjectStore;

enum class Phase { Graph, Kernels, Tile, Vector, LLVM, NVVM, Binary };

/// "graph", "kernels", …: folder, `--compile-to` value and dump-file stem.
AFT_INTERNAL llvm::StringRef phaseName(Phase phase);
AFT_INTERNAL std::optional<Phase> phaseNamed(llvm::StringRef name);
/// The phases before binary, for a target.
AFT_INTERNAL llvm::ArrayRef<Phase> mlirPhases(const Target &target);

/// What the optimiser of a training step is made with.
struct AdamWOptions {
  std::string lossEntry = "main";
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weightDecay = 0.01, clipNorm = 0;
};

struct PipelineOptions {
  Target target;
  unsigned threads = 0; ///< that tiles are shared out to; 0: unknown
  std::string dumpDir;
  std::optional<AdamWOptions> training;
  /// Computes blocks again instead of keeping what the reverse pass reads of them.
  bool lowMemory = false;
  /// Allows what changes results by more than rounding: see aft-raise-mixers.
  bool fast = false;
  /// Called once the kernels are known: may choose how their tiles are scaled.
  std::function<void(mlir::ModuleOp, const PipelineOptions &)> tune;
  /// Object code of kernels that were compiled before; null: none.
  ObjectStore *objects = nullptr;
  CompileReport *report = nullptr; ///< filled in by the phases, if there is one
};

/// Adds the passes of one phase before binary.
void buildPhase(Phase phase, mlir::OpPassManager &passes, const PipelineOptions &options);

/// Registers `aft-graph`, `aft-kernels`, … for aft-opt.
void registerPipelines();

/// Runs one phase, verifies and dumps its result.
mlir::LogicalResult runPhase(mlir::ModuleOp module, Phase phase, const PipelineOptions &options);

/// Runs all phases of the target up to and including `last` (but binary) on a module in
/// tensor form. A failure has been reported as an error diagnostic.
mlir::LogicalResult runPhases(mlir::ModuleOp module, Phase last, const PipelineOptions &options);

/// The binary phase: splits a module after the llvm phase into one module per
/// kernel and one for the host, and compiles them in parallel. Unless null, `assembly`
/// receives what they are as text, each below its name.
mlir::FailureOr<std::vector<NamedObject>> compileObjects(mlir::ModuleOp module,
                                                         const PipelineOptions &options,
                                                         std::string *assembly = nullptr);

} // namespace aft

#endif // AFT_COMPILER_PIPELINE_H
