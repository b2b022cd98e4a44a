//===- Ptx.cpp - From the kernels of a GPU to PTX -------------------------===//

#include "compiler/binary/Codegen.h"
#include "compiler/kernels/Interface.h"
#include "compiler/nvvm/Device.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/InstrTypes.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/Verifier.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Target/TargetMachine.h"

#include <mutex>

using namespace mlir;
using namespace aft;

extern "C" {
void LLVMInitializeNVPTXTargetInfo();
void LLVMInitializeNVPTXTarget();
void LLVMInitializeNVPTXTargetMC();
void LLVMInitializeNVPTXAsmPrinter();
}

/// What drivers of CUDA 12 and later read.
static constexpr const char *kPtxFeature = "+ptx80";
static constexpr const char *kTriple = "nvptx64-nvidia-cuda";

static std::unique_ptr<llvm::TargetMachine> createMachine(const std::string &arch,
                                                          std::string &error) {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeNVPTXTargetInfo();
    LLVMInitializeNVPTXTarget();
    LLVMInitializeNVPTXTargetMC();
    LLVMInitializeNVPTXAsmPrinter();
  });
  const llvm::Target *backend = llvm::TargetRegistry::lookupTarget(kTriple, error);
  if (!backend)
    return nullptr;
  llvm::TargetOptions options;
  // As on a CPU: products and sums may be fused, infinities stay what they are.
  options.AllowFPOpFusion = llvm::FPOpFusion::Fast;
  return std::unique_ptr<llvm::TargetMachine>(
      backend->createTargetMachine(kTriple, arch, kPtxFeature, options, llvm::Reloc::PIC_,
                                   std::nullopt, llvm::CodeGenOptLevel::Default));
}

/// Whether instructions stand in the code that one architecture has alone, such as sm_90a.
static bool needsOwnArchitecture(ModuleOp device) {
  WalkResult result = device.walk([](Operation *op) {
    StringRef name = op->getName().getStringRef();
    bool own = name.starts_with("nvvm.wgmma") || name == "nvvm.setmaxregister";
    if (auto assembly = dyn_cast<LLVM::InlineAsmOp>(op))
      own = assembly.getAsmString().contains("wgmma.") ||
            assembly.getAsmString().contains("setmaxnreg.");
    return own ? WalkResult::interrupt() : WalkResult::advance();
  });
  return result.wasInterrupted();
}

/// What the PTX is made for: later GPUs read it, unless it is for one architecture alone.
static std::string ptxArchitecture(ModuleOp device, StringRef gpu) {
  if (gpu.ends_with("a") && !needsOwnArchitecture(device))
    return gpu.drop_back().str();
  return gpu.str();
}

/// At last, once it is known where pointers point to, so is how they are aligned: vectors in
/// shared memory are loaded as such.
static constexpr const char *kPasses =
    "default<O2>,function(infer-address-spaces,instcombine<no-verify-fixpoint>,infer-alignment)";

/// Instructions that all threads of a warp execute together must not be moved to where only
/// some of them are; LLVM knows that of barriers alone.
static void keepWarpsTogether(llvm::Module &code) {
  for (llvm::Function &function : code)
    if (function.getName().starts_with("llvm.nvvm.mma.") ||
        function.getName().starts_with("llvm.nvvm.ldmatrix."))
      for (llvm::User *user : function.users())
        llvm::cast<llvm::CallBase>(user)->setConvergent();
}

/// Says which functions the host launches, and with how many threads.
static void markKernels(ModuleOp device, llvm::Module &code) {
  llvm::LLVMContext &context = code.getContext();
  llvm::NamedMDNode *notes = code.getOrInsertNamedMetadata("nvvm.annotations");
  auto note = [&](llvm::Function *function, const char *name, int64_t value) {
    auto *number = llvm::ConstantInt::get(llvm::Type::getInt32Ty(context), value);
    notes->addOperand(llvm::MDNode::get(context, {llvm::ConstantAsMetadata::get(function),
                                                  llvm::MDString::get(context, name),
                                                  llvm::ConstantAsMetadata::get(number)}));
  };
  for (auto kernel : device.getOps<LLVM::LLVMFuncOp>()) {
    llvm::Function *function = code.getFunction(kernel.getName());
    auto threads = kernel->getAttrOfType<IntegerAttr>(threadsAttrName);
    if (!function || !threads)
      continue;
    note(function, "kernel", 1);
    note(function, "maxntidx", threads.getInt());
    // As a rule no more than one block has to fit: else ptxas spills to make room for two.
    auto resident = kernel->getAttrOfType<IntegerAttr>(residentAttrName);
    note(function, "minctasm", resident ? resident.getInt() : 1);
  }
}

static std::vector<DeviceKernel> describeKernels(ModuleOp device) {
  std::vector<DeviceKernel> kernels;
  for (auto function : device.getOps<LLVM::LLVMFuncOp>()) {
    auto threads = function->getAttrOfType<IntegerAttr>(threadsAttrName);
    if (!threads)
      continue;
    DeviceKernel kernel;
    kernel.name = function.getName().str();
    kernel.threads = static_cast<int>(threads.getInt());
    kernel.sharedBytes =
        static_cast<int>(function->getAttrOfType<IntegerAttr>(sharedAttrName).getInt());
    for (Type type : function.getArgumentTypes())
      ++(isa<LLVM::LLVMPointerType>(type) ? kernel.buffers : kernel.extents);
    kernel.product = productOf(function);
    kernel.columnSums = columnSumsOf(function);
    kernels.push_back(std::move(kernel));
  }
  return kernels;
}

FailureOr<DeviceCode> aft::compileDevice(ModuleOp module, const Target &target,
                                         const std::string &dumpDir) {
  auto fail = [&](const Twine &message) -> FailureOr<DeviceCode> {
    module.emitError(message);
    return failure();
  };
  auto device = module.lookupSymbol<ModuleOp>(deviceModuleName);
  if (!device)
    return fail(Twine("expected a module @") + deviceModuleName + " after phase 'nvvm'");
  std::string error;
  DeviceCode result{target.gpu, ptxArchitecture(device, target.gpu), "", "",
                    describeKernels(device)};
  std::unique_ptr<llvm::TargetMachine> machine = createMachine(result.ptxArch, error);
  if (!machine)
    return fail("this LLVM has no code generator for PTX: " + error);
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> code = translateModuleToLLVMIR(device, context);
  if (!code)
    return fail("translation to LLVM IR failed");
  code->setTargetTriple(kTriple);
  code->setDataLayout(machine->createDataLayout());
  markKernels(device, *code);
  keepWarpsTogether(*code);
  llvm::raw_string_ostream stream(error);
  if (llvm::verifyModule(*code, &stream))
    return fail("generated LLVM IR is invalid: " + error);
  if (llvm::Error problem = runPasses(*code, *machine, kPasses))
    return fail("LLVM's passes: " + llvm::toString(std::move(problem)));
  std::string text;
  llvm::raw_string_ostream ir(text);
  code->print(ir, nullptr);
  if (!dumpDir.empty())
    writeDumpFile(module, dumpDir, "06-binary-device.ll", text);
  if (failed(emitCode(*code, *machine, llvm::CodeGenFileType::AssemblyFile, result.ptx)))
    return fail("the code generator cannot print PTX");
  if (!dumpDir.empty())
    writeDumpFile(module, dumpDir, "06-binary-device.ptx", result.ptx);
  return result;
}
