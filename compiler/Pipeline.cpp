//===- Pipeline.cpp - The phases of the compiler, on one page -------------===//

#include "compiler/Pipeline.h"

#include "compiler/Passes.h"
#include "compiler/graph/Passes.h"
#include "compiler/kernels/Pipeline.h"
#include "compiler/llvm/Passes.h"
#include "compiler/nvvm/Passes.h"
#include "compiler/report/DescribeProgram.h"
#include "compiler/report/PassTimer.h"
#include "compiler/tile/Passes.h"
#include "compiler/vector/Passes.h"
#include "mlir/Conversion/AffineToStandard/AffineToStandard.h"
#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/FuncToLLVM/ConvertFuncToLLVMPass.h"
#include "mlir/Conversion/MathToLLVM/MathToLLVM.h"
#include "mlir/Conversion/MathToLibm/MathToLibm.h"
#include "mlir/Conversion/MemRefToLLVM/MemRefToLLVM.h"
#include "mlir/Conversion/ReconcileUnrealizedCasts/ReconcileUnrealizedCasts.h"
#include "mlir/Conversion/SCFToControlFlow/SCFToControlFlow.h"
#include "mlir/Conversion/VectorToLLVM/ConvertVectorToLLVMPass.h"
#include "mlir/Conversion/VectorToSCF/VectorToSCF.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Support/FileUtilities.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/ToolOutputFile.h"

using namespace mlir;
using namespace aft;

static constexpr Phase kCpuPhases[] = {Phase::Graph, Phase::Kernels, Phase::Tile, Phase::Vector,
                                       Phase::LLVM};
static constexpr Phase kCudaPhases[] = {Phase::Graph, Phase::Kernels, Phase::Tile, Phase::Vector,
                                        Phase::NVVM};

ArrayRef<Phase> aft::mlirPhases(const Target &target) {
  return target.device == Device::Cuda ? kCudaPhases : kCpuPhases;
}

StringRef aft::phaseName(Phase phase) {
  switch (phase) {
  case Phase::Graph: return "graph";
  case Phase::Kernels: return "kernels";
  case Phase::Tile: return "tile";
  case Phase::Vector: return "vector";
  case Phase::LLVM: return "llvm";
  case Phase::NVVM: return "nvvm";
  case Phase::Binary: return "binary";
  }
  return "?";
}

std::optional<Phase> aft::phaseNamed(StringRef name) {
  for (Phase phase : {Phase::Graph, Phase::Kernels, Phase::Tile, Phase::Vector, Phase::LLVM,
                      Phase::NVVM, Phase::Binary})
    if (name == phaseName(phase))
      return phase;
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// The passes of each phase
//===----------------------------------------------------------------------===//

static void buildGraph(OpPassManager &passes, const PipelineOptions &options) {
  passes.addPass(createInliner());
  passes.addPass(createCanonicalize());
  passes.addPass(createCSEPass());
  passes.addPass(createRaiseMixers(options.fast, options.report));
  passes.addPass(createCanonicalize());
  passes.addPass(createCSEPass());
  passes.addPass(createFoldTransposes());
  if (options.training) {
    const AdamWOptions &adamw = *options.training;
    passes.addPass(createBuildTraining({adamw.lossEntry, adamw.beta1, adamw.beta2, adamw.eps,
                                        adamw.weightDecay, adamw.clipNorm}));
    passes.addPass(createInliner());
    passes.addPass(createSymbolDCEPass());
  }
  passes.addPass(createDropGradientStops());
  passes.addPass(createCanonicalize());
  passes.addPass(createCSEPass());
}

static void buildKernels(OpPassManager &passes, const PipelineOptions &options) {
  buildKernelsPipeline(passes, options.lowMemory, options.target.threadBlocks(),
                       options.target.tf32, options.report);
}

static void buildTile(OpPassManager &passes, const PipelineOptions &options) {
  passes.addNestedPass<func::FuncOp>(
      createTileKernels({options.target.vectorBits, options.threads, options.target.tiles,
                         options.target.threadBlocks(), options.target.tf32}));
  passes.addPass(createCanonicalize({/*keepCopies=*/true}));
  passes.addPass(createCSEPass());
}

static void buildVector(OpPassManager &passes, const PipelineOptions &options) {
  unsigned bits = options.target.vectorBits;
  bool threadBlocks = options.target.threadBlocks();
  passes.addPass(createBufferizeKernels({threadBlocks}));
  OpPassManager &functions = passes.nest<func::FuncOp>();
  // Tiles that are computed in place are still copied onto themselves here.
  functions.addPass(createCSEPass());
  functions.addPass(createCanonicalize({/*keepCopies=*/true}));
  if (threadBlocks) {
    functions.addPass(createMapToThreads({options.target.tf32}));
  } else {
    functions.addPass(createVectorizeMixers({bits, options.target.productDots()}));
    functions.addPass(
        createVectorizeLinalg({bits, options.target.productDots(), options.training.has_value()}));
    functions.addPass(createGridToRange());
  }
  // Arithmetic of bf16 is that of f32, rounded: LLVM would call a function for
  // the rounding, which nobody provides, where the CPU has no instruction.
  static const std::string narrow[] = {"bf16"};
  arith::ArithEmulateUnsupportedFloatsOptions widen;
  widen.sourceTypeStrs = narrow;
  functions.addPass(arith::createArithEmulateUnsupportedFloats(widen));
  functions.addPass(createApproximateMath(
      {/*exp2=*/threadBlocks, /*avx512=*/bits == 512 && !threadBlocks}));
  functions.addPass(createLoopInvariantCodeMotionPass());
  functions.addPass(createCanonicalizerPass());
  functions.addPass(createCSEPass());
}

/// Everything else by MLIR's own conversions. `expandBf16`: rounding to bf16 by integer
/// arithmetic.
static void convertToLLVM(OpPassManager &passes, bool expandBf16) {
  OpPassManager &functions = passes.nest<func::FuncOp>();
  functions.addPass(createConvertVectorToSCFPass());
  functions.addPass(memref::createExpandStridedMetadataPass());
  functions.addPass(createLowerAffinePass());
  functions.addPass(createConvertSCFToCFPass());
  arith::ArithExpandOpsPassOptions expand;
  expand.includeBf16 = expandBf16;
  functions.addPass(arith::createArithExpandOpsPass(expand));
  functions.addPass(createCanonicalizerPass());
  functions.addPass(createCSEPass());
  functions.addPass(createConvertMathToLLVMPass());
  // Takes vectors apart where it calls libm (tanh of f64).
  passes.addPass(createConvertMathToLibmPass());
  OpPassManager &inParallel = passes.nest<func::FuncOp>();
  inParallel.addPass(createConvertVectorToLLVMPass());
  inParallel.addPass(createArithToLLVMConversionPass());
  passes.addPass(createFinalizeMemRefToLLVMConversionPass());
  passes.addPass(createConvertFuncToLLVMPass());
  passes.addPass(createConvertControlFlowToLLVMPass());
  passes.addPass(createReconcileUnrealizedCastsPass());
  passes.addNestedPass<LLVM::LLVMFuncOp>(createCSEPass());
}

static void buildLLVM(OpPassManager &passes, const PipelineOptions &options) {
  if (options.target.device == Device::CudaEmulated) {
    passes.addNestedPass<func::FuncOp>(createEmulateThreads());
    passes.addNestedPass<func::FuncOp>(createGridToRange());
  }
  // Before anything looks for a function of libm or libc by its name.
  passes.addPass(createPrefixSymbols());
  passes.addPass(createLowerKernelABI());
  passes.addPass(createLowerHostABI());
  convertToLLVM(passes, !options.target.bf16);
}

static void buildNVVM(OpPassManager &passes, const PipelineOptions &options) {
  passes.addPass(createOutlineDevice());
  OpPassManager &device = passes.nest<ModuleOp>();
  device.addNestedPass<func::FuncOp>(createGridToRange());
  device.addPass(createLowerThreads());
  device.addNestedPass<func::FuncOp>(createLowerWarps());
  // A GPU rounds to bf16 itself.
  convertToLLVM(device, /*expandBf16=*/false);
  passes.addNestedPass<func::FuncOp>(createGridToRange());
  passes.addNestedPass<func::FuncOp>(createCanonicalizerPass());
  buildLLVM(passes, options);
}

void aft::buildPhase(Phase phase, OpPassManager &passes, const PipelineOptions &options) {
  switch (phase) {
  case Phase::Graph: buildGraph(passes, options); break;
  case Phase::Kernels: buildKernels(passes, options); break;
  case Phase::Tile: buildTile(passes, options); break;
  case Phase::Vector: buildVector(passes, options); break;
  case Phase::LLVM: buildLLVM(passes, options); break;
  case Phase::NVVM: buildNVVM(passes, options); break;
  case Phase::Binary: return;
  }
  passes.addPass(createCheckPhase({phaseName(phase).str(), options.target.threadBlocks()}));
}

namespace {
struct PhaseFlags : PassPipelineOptions<PhaseFlags> {
  Option<std::string> target{*this, "target",
                             llvm::cl::desc("cpu (this machine's), cuda[:sm_XX] or cuda-emulated"),
                             llvm::cl::init("cpu")};
  Option<bool> tf32{*this, "tf32", llvm::cl::desc("Matrix products of f32 by tensor cores"),
                    llvm::cl::init(false)};
};
} // namespace

void aft::registerPipelines() {
  for (Phase phase : {Phase::Graph, Phase::Kernels, Phase::Tile, Phase::Vector, Phase::LLVM,
                      Phase::NVVM}) {
    std::string name = ("aft-" + phaseName(phase)).str();
    std::string summary = ("The phase '" + phaseName(phase) + "' for the CPU of this machine").str();
    PassPipelineRegistration<PhaseFlags>(
        name, summary, [phase](OpPassManager &passes, const PhaseFlags &flags) {
          PipelineOptions options;
          options.target = Target::host();
          if (std::string error = options.target.setDevice(flags.target); !error.empty())
            llvm::report_fatal_error(StringRef(error), /*gen_crash_diag=*/false);
          options.target.tf32 = flags.tf32;
          if (phase == Phase::NVVM)
            options.target.device = Device::Cuda;
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
  // llvm and nvvm are the same step for different targets.
  int number = std::min(static_cast<int>(phase), static_cast<int>(Phase::LLVM)) + 1;
  std::string stem = llvm::formatv("0{0}-{1}.mlir", number, phaseName(phase));
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

namespace {
/// Where a failing phase leaves what is needed to replay it. The name is not
/// guessable, the folder may be everybody's.
struct Reproducer : ReproducerStream {
  std::string path;
  llvm::raw_fd_ostream stream;
  Reproducer(std::string path, int fd) : path(std::move(path)), stream(fd, true) {}
  StringRef description() override { return path; }
  raw_ostream &os() override { return stream; }
};
} // namespace

LogicalResult aft::runPhase(ModuleOp module, Phase phase, const PipelineOptions &options) {
  PhaseTimer timer(options.report, phaseName(phase));
  PassManager passes(module.getContext(), ModuleOp::getOperationName());
  timer.watch(passes);
  // Once per phase, below, instead of after every pass: aft-opt does the latter.
  passes.enableVerifier(false);
  buildPhase(phase, passes, options);
  std::string reproducer;
  passes.enableCrashReproducerGeneration(
      [&](std::string &error) -> std::unique_ptr<ReproducerStream> {
        llvm::SmallString<128> model(options.dumpDir), path;
        if (model.empty())
          llvm::sys::path::system_temp_directory(true, model);
        else
          llvm::sys::fs::create_directories(model);
        llvm::sys::path::append(model, "aft-" + phaseName(phase) + "-%%%%%%%%.mlir");
        int fd;
        if (std::error_code code = llvm::sys::fs::createUniqueFile(model, fd, path)) {
          error = "cannot write " + model.str().str() + ": " + code.message();
          return nullptr;
        }
        reproducer = path.str();
        return std::make_unique<Reproducer>(reproducer, fd);
      });
  if (failed(passes.run(module)) || failed(verify(module))) {
    InFlightDiagnostic error = module.emitError() << "phase '" << phaseName(phase) << "' failed";
    if (!reproducer.empty())
      error << "; replay it with: aft-opt --run-reproducer " << reproducer;
    return error;
  }
  dump(module, phase, options.dumpDir);
  if (phase == Phase::Kernels && options.report)
    describeProgram(module, *options.report);
  return success();
}

LogicalResult aft::runPhases(ModuleOp module, Phase last, const PipelineOptions &options) {
  for (Phase phase : mlirPhases(options.target)) {
    if (phase <= last && failed(runPhase(module, phase, options)))
      return failure();
    if (phase == Phase::Kernels && phase < last && options.tune) {
      PhaseTimer timer(options.report, "tune");
      options.tune(module, options);
    }
  }
  return success();
}
