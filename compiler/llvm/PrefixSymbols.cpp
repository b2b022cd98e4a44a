//===- PrefixSymbols.cpp - Names that no library has ----------------------===//

#include "compiler/llvm/Passes.h"
#include "compiler/llvm/Symbols.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/AttrTypeSubElements.h"
#include "mlir/IR/SymbolTable.h"

namespace aft {
#define GEN_PASS_DEF_PREFIXSYMBOLS
#include "compiler/llvm/Passes.h.inc"
} // namespace aft

using namespace mlir;
using namespace aft;

namespace {
struct PrefixSymbols : aft::impl::PrefixSymbolsBase<PrefixSymbols> {
  void runOnOperation() override {
    // All uses at once: a walk of the module per function would be slow.
    std::optional<SymbolTable::UseRange> uses =
        SymbolTable::getSymbolUses(&getOperation().getBodyRegion());
    if (!uses) {
      getOperation().emitError() << "has operations whose symbols are not known";
      return signalPassFailure();
    }
    llvm::DenseMap<StringAttr, StringAttr> names;
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (!function.isExternal()) {
        auto symbol = StringAttr::get(&getContext(), symbolOf(function.getName()));
        names[function.getNameAttr()] = symbol;
        function.setName(symbol);
      }
    AttrTypeReplacer replacer;
    replacer.addReplacement([&](FlatSymbolRefAttr reference) -> std::optional<Attribute> {
      StringAttr symbol = names.lookup(reference.getAttr());
      return symbol ? FlatSymbolRefAttr::get(symbol) : reference;
    });
    llvm::SmallPtrSet<Operation *, 32> users;
    for (SymbolTable::SymbolUse use : *uses)
      if (users.insert(use.getUser()).second)
        replacer.replaceElementsIn(use.getUser());
  }
};
} // namespace
