//===- PrefixSymbols.cpp - Names that no library has ----------------------===//

#include "compiler/llvm/Passes.h"
#include "compiler/llvm/Symbols.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace aft {
#define GEN_PASS_DEF_PREFIXSYMBOLS
#include "compiler/llvm/Passes.h.inc"
} // namespace aft

using namespace mlir;
using namespace aft;

namespace {
struct PrefixSymbols : aft::impl::PrefixSymbolsBase<PrefixSymbols> {
  void runOnOperation() override {
    llvm::DenseMap<StringAttr, StringAttr> names;
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (!function.isExternal())
        names[function.getNameAttr()] =
            StringAttr::get(&getContext(), symbolOf(function.getName()));
    if (succeeded(renameSymbols(getOperation(), names)))
      return;
    getOperation().emitError() << "has operations whose symbols are not known";
    signalPassFailure();
  }
};
} // namespace
