//===- Plugin.cpp - A pass plugin that counts the mixers of a module ------===//

#include "dialect/ir/AFT.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Tools/Plugins/PassPlugin.h"
#include "llvm/Config/llvm-config.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;

namespace {
struct CountMixers : PassWrapper<CountMixers, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(CountMixers)
  StringRef getArgument() const override { return "test-count-mixers"; }
  StringRef getDescription() const override { return "Counts mixers"; }
  void runOnOperation() override {
    int count = 0;
    getOperation().walk([&](Operation *op) {
      count += isa<aft::FullOp, aft::LocalOp, aft::SimpleOp, aft::ConvOp>(op);
    });
    llvm::outs() << "mixers: " << count << '\n';
  }
};
} // namespace

extern "C" LLVM_ATTRIBUTE_WEAK PassPluginLibraryInfo mlirGetPassPluginInfo() {
  return {MLIR_PLUGIN_API_VERSION, "CountMixers", LLVM_VERSION_STRING,
          [] { PassRegistration<CountMixers>(); }};
}
