//===- Pipeline.cpp - The phases of the compiler, on one page -------------===//

#include "compiler/Pipeline.h"

#include "compiler/graph/Passes.h"
#include "compiler/kernels/Pipeline.h"
#include "compiler/llvm/Passes.h"
#include "compiler/tile/Passes.h"
#include "compiler/vector/Passes.h"
#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Support/FileUtilities.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/ToolOutputFile.h"

#include <unistd.h>

using namespace mlir;
using namespace aft;

static constexpr Phase kMlirPhases[] = {Phase::Graph, Phase::Kernels, Phase::Tile, Phase::Vector,
                                        Phase::LLVM};

StringRef aft::nameOf(Phase phase) {
  switch (phase) {
  case Phase::Graph: return "graph";
  case Phase::Kernels: return "kernels";
  case Phase::Tile: return "tile";
  case Phase::Vector: return "vector";
  case Phase::LLVM: return "llvm";
  case Phase::Binary: return "binary";
  }
  return "?";
}

std::optional<Phase> aft::phaseNamed(StringRef name) {
  for (Phase phase : kMlirPhases)
    if (name == nameOf(phase))
      return phase;
  return name == "binary" ? std::optional(Phase::Binary) : std::nullopt;
}

//===----------------------------------------------------------------------===//
// The passes of each phase
//===----------------------------------------------------------------------===//

static void buildGraph(OpPassManager &passes, const PipelineOptions &options) {
  passes.addPass(createInlinerPass());
  passes.addPass(createCanonicalizerPass());
  passes.addPass(createCSEPass());
}

static void buildKernels(OpPassManager &passes, const PipelineOptions &options) {
  buildKernelsPipeline(passes);
}

static void buildTile(OpPassManager &passes, const PipelineOptions &options) {}

static void buildVector(OpPassManager &passes, const PipelineOptions &options) {}

static void buildLLVM(OpPassManager &passes, const PipelineOptions &options) {
  passes.addPass(createLowerKernelABI());
  passes.addPass(createLowerHostABI());
  OpPassManager &functions = passes.nest<func::FuncOp>();
  functions.addPass(createConvertVectorToSCFPass());
  functions.addPass(memref::createExpandStridedMetadataPass());
  functions.addPass(createLowerAffinePass());
  functions.addPass(createConvertSCFToCFPass());
  arith::ArithExpandOpsPassOptions expand;
  expand.includeBf16 = !options.target.bf16;
  functions.addPass(arith::createArithExpandOpsPass(expand));
  functions.addPass(createCanonicalizerPass());
  functions.addPass(createCSEPass());
  passes.addPass(createConvertVectorToLLVMPass());
  passes.addPass(createConvertMathToLLVMPass());
  passes.addPass(createConvertMathToLibmPass());
  passes.addPass(createArithToLLVMConversionPass());
  passes.addPass(createFinalizeMemRefToLLVMConversionPass());
  passes.addPass(createConvertFuncToLLVMPass());
  passes.addPass(createConvertControlFlowToLLVMPass());
  passes.addPass(createReconcileUnrealizedCastsPass());
  passes.addPass(createCSEPass());
}

void aft::buildPhase(Phase phase, OpPassManager &passes, const PipelineOptions &options) {
  switch (phase) {
  case Phase::Graph: return buildGraph(passes, options);
  case Phase::Kernels: return buildKernels(passes, options);
  case Phase::Tile: return buildTile(passes, options);
  case Phase::Vector: return buildVector(passes, options);
  case Phase::LLVM: return buildLLVM(passes, options);
  case Phase::Binary: return;
  }
}

void aft::registerPipelines() {
  for (Phase phase : kMlirPhases) {
    std::string name = ("aft-" + nameOf(phase)).str();
    std::string summary = ("The phase '" + nameOf(phase) + "' for the CPU of this machine").str();
    PassPipelineRegistration<>(name, summary, [phase](OpPassManager &passes) {
      PipelineOptions options;
      options.target = Target::host();
      buildPhase(phase, passes, options);
    });
  }
}

//===----------------------------------------------------------------------===//
// Running them
//===----------------------------------------------------------------------===//

/// Writes NN-phase.mlir; a failure to do so is only a warning, the compilation
/// does not depend on it.
static void dump(ModuleOp module, Phase phase, const std::string &folder) {
  if (folder.empty())
    return;
  llvm::SmallString<128> path(folder);
  llvm::sys::fs::create_directories(folder);
  std::string stem = llvm::formatv("0{0}-{1}.mlir", static_cast<int>(phase) + 1, nameOf(phase));
  llvm::sys::path::append(path, stem);
  std::string error;
  std::unique_ptr<llvm::ToolOutputFile> file = openOutputFile(path, &error);
  if (!file) {
    module.emitWarning() << "cannot write the dump: " << error;
    return;
  }
  module.print(file->os());
  file->keep();
}

LogicalResult aft::runPhase(ModuleOp module, Phase phase, const PipelineOptions &options) {
  PassManager passes(module.getContext(), ModuleOp::getOperationName());
  buildPhase(phase, passes, options);
  std::string folder = options.dumpDir.empty() ? "/tmp" : options.dumpDir;
  std::string reproducer = folder + "/aft-" + nameOf(phase).str() + "-" +
                           std::to_string(::getpid()) + ".reproducer.mlir";
  passes.enableCrashReproducerGeneration(reproducer, /*genLocalReproducer=*/false);
  if (failed(passes.run(module)))
    return module.emitError() << "phase '" << nameOf(phase)
                              << "' failed; replay it with: aft-opt --run-reproducer "
                              << reproducer;
  dump(module, phase, options.dumpDir);
  return success();
}

LogicalResult aft::runPhases(ModuleOp module, Phase last, const PipelineOptions &options) {
  for (Phase phase : kMlirPhases)
    if (phase <= last && failed(runPhase(module, phase, options)))
      return failure();
  return success();
}
