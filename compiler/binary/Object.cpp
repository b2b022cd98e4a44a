//===- Object.cpp - From modules in the LLVM dialect to object code -------===//

#include "compiler/binary/Object.h"

#include "compiler/binary/Bf16Moves.h"
#include "compiler/binary/Codegen.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/Verifier.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/Transforms/Utils/Cloning.h"

#include <mutex>

using namespace mlir;
using namespace aft;

static std::unique_ptr<llvm::TargetMachine> createMachine(const Target &target,
                                                          std::string &error) {
  static std::once_flag once;
  std::call_once(once, [] {
    llvm::InitializeNativeTarget();
    llvm::InitializeNativeTargetAsmPrinter();
  });
  std::string triple = llvm::sys::getDefaultTargetTriple();
  const llvm::Target *backend = llvm::TargetRegistry::lookupTarget(triple, error);
  if (!backend)
    return nullptr;
  llvm::TargetOptions options;
  // Multiplications and additions may be fused; everything else keeps IEEE
  // semantics, because the mixers rely on infinities.
  options.AllowFPOpFusion = llvm::FPOpFusion::Fast;
  return std::unique_ptr<llvm::TargetMachine>(
      backend->createTargetMachine(triple, target.cpu, target.features, options, llvm::Reloc::PIC_,
                                   std::nullopt, llvm::CodeGenOptLevel::Default));
}

/// Kernels come vectorised, unrolled and without calls to inline but that of their
/// body: what is left to do is less than -O2, which takes twice as long for code
/// that is no faster.
static constexpr const char *kPasses =
    "cgscc(inline),"
    "function<eager-inv>("
    "sroa<modify-cfg>,early-cse<memssa>,simplifycfg,instcombine<no-verify-fixpoint>,"
    "loop-mssa(loop-rotate,licm<allowspeculation>),simplifycfg,"
    "loop(indvars,loop-deletion,loop-unroll-full),"
    "sroa<modify-cfg>,early-cse<memssa>,gvn<>,instcombine<no-verify-fixpoint>,"
    "loop-mssa(licm<allowspeculation>),"
    "simplifycfg<bonus-inst-threshold=1;sink-common-insts>,adce),"
    "globaldce";

/// Compares numbers of bf16 as f32. LLVM's passes narrow a comparison with a constant to
/// the type that the number was widened from, which its code generator takes apart lane by
/// lane.
static void widenComparisons(llvm::Module &module) {
  for (llvm::Function &function : module)
    for (llvm::Instruction &instruction : llvm::instructions(function)) {
      auto *compare = llvm::dyn_cast<llvm::FCmpInst>(&instruction);
      if (!compare || !compare->getOperand(0)->getType()->getScalarType()->isBFloatTy())
        continue;
      llvm::IRBuilder<> builder(compare);
      for (llvm::Use &operand : compare->operands())
        operand =
            builder.CreateFPExt(operand, operand->getType()->getWithNewType(builder.getFloatTy()));
    }
}

/// Stores past the caches are made for places that are aligned to a register, which MLIR does
/// not know; others are none to LLVM.
static void alignStreamingStores(llvm::Module &module, unsigned vectorBits) {
  const llvm::DataLayout &layout = module.getDataLayout();
  for (llvm::Function &function : module)
    for (llvm::Instruction &instruction : llvm::instructions(function)) {
      auto *store = llvm::dyn_cast<llvm::StoreInst>(&instruction);
      if (!store || !store->hasMetadata(llvm::LLVMContext::MD_nontemporal))
        continue;
      uint64_t bytes = layout.getTypeStoreSize(store->getValueOperand()->getType());
      store->setAlignment(llvm::Align(std::min<uint64_t>(llvm::bit_floor(bytes), vectorBits / 8)));
    }
}

/// Functions carry the target too, for inlining and cost models.
static void setTarget(llvm::Module &module, const Target &target,
                      const llvm::TargetMachine &machine) {
  module.setDataLayout(machine.createDataLayout());
  module.setTargetTriple(machine.getTargetTriple().str());
  for (llvm::Function &function : module) {
    if (function.isDeclaration())
      continue;
    function.addFnAttr("target-cpu", target.cpu);
    function.addFnAttr("target-features", target.features);
    function.addFnAttr("prefer-vector-width", std::to_string(target.vectorBits));
    function.addFnAttr("min-legal-vector-width", std::to_string(target.vectorBits));
  }
}

FailureOr<ObjectCode> aft::compileObject(ModuleOp module, const Target &target, bool keepText) {
  std::string error;
  std::unique_ptr<llvm::TargetMachine> machine = createMachine(target, error);
  if (!machine) {
    module.emitError() << "no code generator for this machine: " << error;
    return failure();
  }
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> code = translateModuleToLLVMIR(module, context);
  if (!code) {
    module.emitError() << "translation to LLVM IR failed";
    return failure();
  }
  setTarget(*code, target, *machine);
  alignStreamingStores(*code, target.vectorBits);
  llvm::raw_string_ostream stream(error);
  if (llvm::verifyModule(*code, &stream)) {
    module.emitError() << "generated LLVM IR is invalid: " << error;
    return failure();
  }
  if (llvm::Error failure = runPasses(*code, *machine, kPasses)) {
    module.emitError() << "LLVM's passes: " << llvm::toString(std::move(failure));
    return mlir::failure();
  }
  widenComparisons(*code);
  if (!target.bf16)
    moveBf16AsIntegers(*code);
  ObjectCode result;
  if (keepText) {
    llvm::raw_string_ostream text(result.llvmIR);
    code->print(text, nullptr);
    std::unique_ptr<llvm::Module> copy = llvm::CloneModule(*code);
    if (failed(emitCode(*copy, *machine, llvm::CodeGenFileType::AssemblyFile, result.assembly))) {
      module.emitError() << "the code generator cannot print assembly";
      return failure();
    }
  }
  if (failed(emitCode(*code, *machine, llvm::CodeGenFileType::ObjectFile, result.object))) {
    module.emitError() << "the code generator cannot write object files";
    return failure();
  }
  return result;
}

std::string aft::emitObject(llvm::Module &module, const Target &target, std::string &error) {
  std::string object;
  std::unique_ptr<llvm::TargetMachine> machine = createMachine(target, error);
  if (!machine)
    return object;
  setTarget(module, target, *machine);
  if (failed(emitCode(module, *machine, llvm::CodeGenFileType::ObjectFile, object)))
    error = "the code generator cannot write object files";
  return object;
}
