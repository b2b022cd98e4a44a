//===- Register.cpp - All dialects, passes and pipelines of the project ---===//

#include "compiler/Register.h"

#include "compiler/Passes.h"
#include "compiler/Pipeline.h"
#include "compiler/graph/Passes.h"
#include "compiler/kernels/Passes.h"
#include "compiler/llvm/Passes.h"
#include "compiler/nvvm/Passes.h"
#include "compiler/tile/Passes.h"
#include "compiler/vector/BufferizableModels.h"
#include "compiler/vector/Passes.h"
#include "compiler/vector/gpu/GpuOps.h"
#include "dialect/derivative/Differentiable.h"
#include "dialect/ir/AFT.h"
#include "mlir/InitAllDialects.h"
#include "mlir/Dialect/Func/Extensions/InlinerExtension.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/InitAllPasses.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/GPU/GPUToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/NVVM/NVVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"

void aft::registerDialects(mlir::DialectRegistry &registry) {
  mlir::registerAllDialects(registry);
  mlir::registerAllExtensions(registry);
  registry.insert<AFTDialect, AFTGPUDialect>();
  registerBufferizableModels(registry);
  registerDerivatives(registry);
}

void aft::registerCompilerDialects(mlir::DialectRegistry &registry) {
  registry.insert<AFTDialect, AFTGPUDialect, mlir::affine::AffineDialect, mlir::arith::ArithDialect,
                  mlir::bufferization::BufferizationDialect, mlir::cf::ControlFlowDialect,
                  mlir::func::FuncDialect, mlir::gpu::GPUDialect, mlir::linalg::LinalgDialect, mlir::LLVM::LLVMDialect,
                  mlir::math::MathDialect, mlir::memref::MemRefDialect, mlir::NVVM::NVVMDialect, mlir::scf::SCFDialect,
                  mlir::tensor::TensorDialect, mlir::ub::UBDialect,
                  mlir::vector::VectorDialect>();
  registerBufferizableModels(registry);
  registerDerivatives(registry);
  // Interfaces of those dialects that their own registration leaves out.
  mlir::affine::registerValueBoundsOpInterfaceExternalModels(registry);
  mlir::arith::registerBufferizableOpInterfaceExternalModels(registry);
  mlir::arith::registerValueBoundsOpInterfaceExternalModels(registry);
  mlir::bufferization::func_ext::registerBufferizableOpInterfaceExternalModels(registry);
  mlir::linalg::registerAllDialectInterfaceImplementations(registry);
  mlir::memref::registerValueBoundsOpInterfaceExternalModels(registry);
  mlir::scf::registerBufferizableOpInterfaceExternalModels(registry);
  mlir::scf::registerValueBoundsOpInterfaceExternalModels(registry);
  mlir::tensor::registerBufferizableOpInterfaceExternalModels(registry);
  mlir::tensor::registerSubsetOpInterfaceExternalModels(registry);
  mlir::tensor::registerTilingInterfaceExternalModels(registry);
  mlir::tensor::registerValueBoundsOpInterfaceExternalModels(registry);
  mlir::tensor::registerInferTypeOpInterfaceExternalModels(registry);
  mlir::func::registerInlinerExtension(registry);
  mlir::registerConvertFuncToLLVMInterface(registry);
  mlir::registerConvertMemRefToLLVMInterface(registry);
  mlir::registerBuiltinDialectTranslation(registry);
  mlir::registerLLVMDialectTranslation(registry);
  mlir::registerNVVMDialectTranslation(registry);
  mlir::registerGPUDialectTranslation(registry);
}

void aft::registerPasses() {
  mlir::registerAllPasses();
  registerGraphPasses();
  registerKernelsPasses();
  registerTilePasses();
  registerVectorPasses();
  registerLLVMPasses();
  registerNVVMPasses();
  registerCompilerPasses();
  registerPipelines();
}
