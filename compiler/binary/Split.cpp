//===- Split.cpp - One object per kernel, compiled in parallel ------------===//

#include "compiler/Pipeline.h"
#include "compiler/binary/Codegen.h"
#include "compiler/binary/Object.h"
#include "compiler/kernels/Interface.h"
#include "compiler/llvm/Symbols.h"
#include "compiler/report/PassTimer.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/IR/Threading.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/raw_ostream.h"

#include <deque>

using namespace mlir;
using namespace aft;

namespace {
/// A part of the program that becomes one object file.
struct Part {
  std::string name;
  OwningOpRef<ModuleOp> module;
  ObjectCode code;
  double milliseconds = 0;
};
} // namespace

/// Copies `roots` and everything they need into a module of their own. What is
/// defined in another part is only declared.
static OwningOpRef<ModuleOp> extract(ModuleOp source, const SymbolTable &symbols,
                                     ArrayRef<Operation *> roots) {
  OwningOpRef<ModuleOp> result = ModuleOp::create(source.getLoc());
  OpBuilder builder = OpBuilder::atBlockBegin(result->getBody());
  llvm::SmallPtrSet<Operation *, 16> seen(roots.begin(), roots.end());
  std::deque<Operation *> queue(roots.begin(), roots.end());
  while (!queue.empty()) {
    Operation *op = queue.front();
    queue.pop_front();
    auto function = dyn_cast<LLVM::LLVMFuncOp>(op);
    bool isForeign = function && op->hasAttr(kernelAttrName) && !llvm::is_contained(roots, op);
    if (isForeign) {
      auto declaration = builder.create<LLVM::LLVMFuncOp>(op->getLoc(), function.getName(),
                                                          function.getFunctionType());
      (void)declaration;
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

static std::vector<Part> split(ModuleOp module) {
  std::vector<Part> parts;
  SymbolTable symbols(module);
  SmallVector<Operation *> host;
  for (auto function : module.getOps<LLVM::LLVMFuncOp>()) {
    if (function.isExternal())
      continue;
    if (function->hasAttr(kernelAttrName))
      parts.push_back(
          {functionOf(function.getName()).str(), extract(module, symbols, {function}), {}, 0});
    else if (function->hasAttr(entryAttrName) || function->hasAttr(planAttrName))
      host.push_back(function);
  }
  parts.push_back({"host", extract(module, symbols, host), {}, 0});
  return parts;
}

/// A kernel written by hand may have any name.
static std::string fileName(StringRef part, StringRef suffix) {
  std::string name = ("06-binary-" + part + suffix).str();
  for (char &c : name)
    if (!llvm::isAlnum(c) && !StringRef("-_.").contains(c))
      c = '_';
  return name;
}

FailureOr<std::vector<NamedObject>>
aft::compileObjects(ModuleOp module, const PipelineOptions &options, std::string *assembly) {
  PhaseTimer timer(options.report, phaseName(Phase::Binary));
  std::vector<Part> parts = split(module);
  bool keepText = !options.dumpDir.empty() || assembly;
  // The largest first, so that the threads end together.
  std::vector<std::pair<int64_t, size_t>> order; // operations, negative; part
  for (auto [number, part] : llvm::enumerate(parts)) {
    int64_t operations = 0;
    part.module->walk([&](Operation *) { ++operations; });
    order.push_back({-operations, number});
  }
  llvm::sort(order);
  LogicalResult result =
      failableParallelForEach(module.getContext(), order, [&](auto entry) -> LogicalResult {
        Part &part = parts[entry.second];
        auto start = std::chrono::steady_clock::now();
        FailureOr<ObjectCode> code = compileObject(*part.module, options.target, keepText);
        if (failed(code))
          return failure();
        part.code = std::move(*code);
        part.milliseconds = millisecondsSince(start);
        return success();
      });
  if (failed(result))
    return failure();
  std::vector<NamedObject> objects;
  for (Part &part : parts) {
    if (!options.dumpDir.empty()) {
      writeDumpFile(module, options.dumpDir, fileName(part.name, ".ll"), part.code.llvmIR);
      writeDumpFile(module, options.dumpDir, fileName(part.name, ".s"), part.code.assembly);
    }
    if (assembly)
      *assembly += "# " + part.name + "\n" + part.code.assembly;
    if (options.report)
      options.report->objects.push_back(
          {part.name, part.milliseconds, static_cast<int64_t>(part.code.object.size())});
    objects.push_back({part.name, std::move(part.code.object)});
  }
  return objects;
}
