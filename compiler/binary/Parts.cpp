//===- Parts.cpp - A program as modules that are compiled on their own ----===//

#include "compiler/binary/Parts.h"

#include "compiler/kernels/Interface.h"
#include "compiler/llvm/Symbols.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/SymbolTable.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/SHA256.h"
#include "llvm/Support/raw_ostream.h"

#include <deque>

using namespace mlir;
using namespace aft;

using Names = llvm::DenseMap<StringAttr, StringAttr>;

namespace {
/// Functions and globals with everything that they need.
struct Extract {
  OwningOpRef<ModuleOp> module;
  bool callsKernels = false; ///< of other parts, which are only declared
};
} // namespace

static Extract extract(ModuleOp source, const SymbolTable &symbols, ArrayRef<Operation *> roots) {
  Extract result{ModuleOp::create(source.getLoc())};
  OpBuilder builder = OpBuilder::atBlockBegin(result.module->getBody());
  llvm::SmallPtrSet<Operation *, 16> seen(roots.begin(), roots.end());
  std::deque<Operation *> queue(roots.begin(), roots.end());
  while (!queue.empty()) {
    Operation *op = queue.front();
    queue.pop_front();
    auto function = dyn_cast<LLVM::LLVMFuncOp>(op);
    bool isForeign = function && op->hasAttr(kernelAttrName) && !llvm::is_contained(roots, op);
    if (isForeign) {
      builder.create<LLVM::LLVMFuncOp>(op->getLoc(), function.getName(),
                                       function.getFunctionType());
      result.callsKernels = true;
      continue;
    }
    builder.clone(*op);
    if (std::optional<SymbolTable::UseRange> uses = SymbolTable::getSymbolUses(op))
      for (const SymbolTable::SymbolUse &use : *uses)
        if (Operation *used = symbols.lookup(use.getSymbolRef().getRootReference()))
          if (seen.insert(used).second)
            queue.push_back(used);
  }
  return result;
}

/// After the llvm phase the symbols of all operations are known.
static void rename(ModuleOp module, const Names &names) {
  LogicalResult renamed = renameSymbols(module, names);
  assert(succeeded(renamed) && "an operation of another dialect than LLVM's");
  (void)renamed;
}

/// Names of the part's own symbols (a kernel and what is called after it) that begin with
/// `base` instead of the kernel's.
static Names namesFrom(ModuleOp part, StringRef kernel, const std::string &base) {
  Names names;
  for (Operation &op : *part.getBody())
    if (auto symbol = dyn_cast<SymbolOpInterface>(op)) {
      StringRef rest = symbol.getName();
      if (rest.consume_front(kernel) && (rest.empty() || rest.front() == '.'))
        names[symbol.getNameAttr()] = StringAttr::get(part.getContext(), base + rest.str());
    }
  return names;
}

/// What a kernel is called besides its number: kernel_12_matmul is a matmul.
static StringRef labelOf(StringRef kernel) {
  StringRef label = kernel;
  if (label.consume_front("kernel_"))
    label = label.drop_while(llvm::isDigit);
  label.consume_front("_");
  return label.empty() ? "kernel" : label;
}

static std::string hashOf(ModuleOp module, const Target &target) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  stream << target.cpu << '\n' << target.features << '\n' << target.vectorBits << '\n';
  module.print(stream, OpPrintingFlags().assumeVerified());
  // A resource's text is its name.
  if (StringRef(text).contains("dense_resource"))
    return "";
  return llvm::toHex(llvm::SHA256::hash(llvm::arrayRefFromStringRef(text)), /*LowerCase=*/true);
}

/// Gives a part its key, and its symbols names that follow from it; what the kernel is called
/// then goes into `names`.
static void nameByContent(Part &part, StringAttr kernel, const Target &target, Names &names) {
  std::string label = symbolOf(labelOf(part.name));
  rename(*part.module, namesFrom(*part.module, kernel, label));
  part.key = hashOf(*part.module, target);
  std::string name = part.key.empty() ? kernel.str() : label + "." + part.key.substr(0, 32);
  rename(*part.module, namesFrom(*part.module, label, name));
  names[kernel] = StringAttr::get(kernel.getContext(), name);
}

std::vector<Part> aft::splitParts(ModuleOp module, const Target &target) {
  std::vector<Part> parts;
  SymbolTable symbols(module);
  SmallVector<Operation *> host;
  Names names;
  llvm::StringSet<> keys;
  for (auto function : module.getOps<LLVM::LLVMFuncOp>()) {
    if (function.isExternal())
      continue;
    if (function->hasAttr(entryAttrName) || function->hasAttr(planAttrName))
      host.push_back(function);
    if (!function->hasAttr(kernelAttrName))
      continue;
    Extract kernel = extract(module, symbols, {function});
    Part part{functionOf(function.getName()).str(), std::move(kernel.module), ""};
    if (!kernel.callsKernels)
      nameByContent(part, function.getNameAttr(), target, names);
    if (part.key.empty() || keys.insert(part.key).second)
      parts.push_back(std::move(part));
  }
  parts.push_back({"host", extract(module, symbols, host).module, ""});
  // Those without a key are the parts that call kernels.
  for (Part &part : parts)
    if (part.key.empty())
      rename(*part.module, names);
  return parts;
}
