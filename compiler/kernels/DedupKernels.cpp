//===- DedupKernels.cpp - Gives identical kernels one body ----------------===//

#include "compiler/kernels/Interface.h"
#include "compiler/kernels/Passes.h"
#include "dialect/ir/AFT.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "llvm/ADT/StringMap.h"

using namespace mlir;

namespace aft {
#define GEN_PASS_DEF_DEDUPKERNELS
#include "compiler/kernels/Passes.h.inc"
} // namespace aft

using namespace aft;

namespace {

struct DedupKernels : aft::impl::DedupKernelsBase<DedupKernels> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    llvm::StringMap<func::FuncOp> bodies;
    llvm::DenseMap<StringAttr, StringAttr> renamed;
    unsigned count = 0;
    SmallVector<func::FuncOp> kernels;
    for (auto function : module.getOps<func::FuncOp>())
      if (function->hasAttr(kernelAttrName))
        kernels.push_back(function);
    SmallVector<func::FuncOp> kept;
    for (func::FuncOp kernel : kernels) {
      StringAttr name = kernel.getNameAttr();
      auto [it, isNew] = bodies.try_emplace(textOf(kernel), kernel);
      if (isNew) {
        renamed[name] = freshName(module, count, kernel);
        kept.push_back(kernel);
      } else {
        renamed[name] = renamed.lookup(it->second.getNameAttr());
        kernel.erase();
      }
    }
    module.walk([&](LaunchOp launch) {
      if (StringAttr name = renamed.lookup(launch.getKernelAttr().getAttr()))
        launch.setKernelAttr(FlatSymbolRefAttr::get(name));
    });
    for (func::FuncOp kernel : kept)
      kernel.setName(renamed.lookup(kernel.getNameAttr()));
  }

  /// The function without its name and locations. Values are numbered in
  /// order, so that equal functions have equal texts.
  static std::string textOf(func::FuncOp kernel) {
    StringAttr name = kernel.getNameAttr();
    kernel.setName("kernel");
    std::string text;
    llvm::raw_string_ostream stream(text);
    kernel->print(stream, OpPrintingFlags().useLocalScope());
    kernel.setName(name);
    return text;
  }

  /// What a profile should call the kernel: its mixer or product, else its kind.
  static std::string labelOf(func::FuncOp kernel) {
    std::string label;
    kernel.walk([&](Operation *op) {
      if (isa<AFTDialect>(op->getDialect()) || linalg::isaContractionOpInterface(
                                                   dyn_cast<linalg::LinalgOp>(op)))
        label = op->getName().stripDialect().str();
    });
    if (label == "generic" || label.empty())
      if (auto kind = kernel->getAttrOfType<StringAttr>(kindAttrName))
        label = kind.str();
    return label;
  }

  /// kernel_0_matmul, kernel_1_local, … but never the name of a function that
  /// stays.
  static StringAttr freshName(ModuleOp module, unsigned &count, func::FuncOp kernel) {
    std::string label = labelOf(kernel);
    while (true) {
      std::string name = "kernel_" + std::to_string(count++) + (label.empty() ? "" : "_" + label);
      auto taken = module.lookupSymbol<func::FuncOp>(name);
      if (!taken || taken->hasAttr(kernelAttrName))
        return StringAttr::get(module.getContext(), name);
    }
  }
};

} // namespace
