//===- Symbols.cpp - What functions are called in object code -------------===//

#include "compiler/llvm/Symbols.h"

#include "mlir/IR/AttrTypeSubElements.h"
#include "mlir/IR/SymbolTable.h"

using namespace mlir;
using namespace aft;

LogicalResult aft::renameSymbols(ModuleOp module,
                                 const llvm::DenseMap<StringAttr, StringAttr> &names) {
  // All uses at once: a walk of the module per function would be slow.
  std::optional<SymbolTable::UseRange> uses = SymbolTable::getSymbolUses(&module.getBodyRegion());
  if (!uses)
    return failure();
  for (auto symbol : module.getOps<SymbolOpInterface>())
    if (StringAttr name = names.lookup(symbol.getNameAttr()))
      symbol.setName(name);
  AttrTypeReplacer replacer;
  replacer.addReplacement([&](FlatSymbolRefAttr reference) -> std::optional<Attribute> {
    StringAttr name = names.lookup(reference.getAttr());
    return name ? FlatSymbolRefAttr::get(name) : reference;
  });
  llvm::SmallPtrSet<Operation *, 32> users;
  for (SymbolTable::SymbolUse use : *uses)
    if (users.insert(use.getUser()).second)
      replacer.replaceElementsIn(use.getUser());
  return success();
}
