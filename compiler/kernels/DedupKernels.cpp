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

/// A function without its name and locations: everything that its text would tell, by the
/// addresses of what the context has once. Values have numbers in order, so that equal
/// functions have equal forms.
class FormOf {
public:
  explicit FormOf(func::FuncOp kernel) {
    StringAttr name = kernel.getNameAttr();
    kernel.setName("kernel");
    add(kernel);
    kernel.setName(name);
  }
  StringRef bytes() const {
    return {reinterpret_cast<const char *>(words.data()), words.size() * sizeof(uintptr_t)};
  }

private:
  void add(const void *unique) { words.push_back(reinterpret_cast<uintptr_t>(unique)); }
  void add(Value value) {
    words.push_back(numbers.try_emplace(value, numbers.size()).first->second);
  }
  void define(Value value) {
    add(value);
    add(value.getType().getAsOpaquePointer());
  }

  void add(Operation *op) {
    add(op->getName().getAsOpaquePointer());
    add(op->getAttrDictionary().getAsOpaquePointer());
    words.push_back(op->getNumOperands());
    for (Value operand : op->getOperands())
      add(operand);
    words.push_back(op->getNumResults());
    for (Value result : op->getResults())
      define(result);
    words.push_back(op->getNumSuccessors());
    for (Block *successor : op->getSuccessors())
      words.push_back(blocks.lookup(successor));
    words.push_back(op->getNumRegions());
    for (Region &region : op->getRegions())
      add(region);
  }

  void add(Region &region) {
    words.push_back(region.getBlocks().size());
    for (Block &block : region) {
      blocks.try_emplace(&block, blocks.size());
      words.push_back(block.getNumArguments());
      for (Value argument : block.getArguments())
        define(argument);
    }
    for (Block &block : region) {
      words.push_back(block.getOperations().size());
      for (Operation &op : block)
        add(&op);
    }
  }

  SmallVector<uintptr_t> words;
  llvm::DenseMap<Value, uintptr_t> numbers;
  llvm::DenseMap<Block *, uintptr_t> blocks;
};

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
      auto [it, isNew] = bodies.try_emplace(FormOf(kernel).bytes(), kernel);
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

  /// What a profile should call the kernel: its mixer or product, else its kind.
  static std::string labelOf(func::FuncOp kernel) {
    std::string label;
    kernel.walk([&](Operation *op) {
      if (isa<AFTDialect>(op->getDialect()) ||
          linalg::isaContractionOpInterface(dyn_cast<linalg::LinalgOp>(op)))
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
