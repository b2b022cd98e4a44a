//===- CompileObjects.cpp - One object per kernel, compiled in parallel ---===//

#include "compiler/Pipeline.h"
#include "compiler/binary/Codegen.h"
#include "compiler/binary/Object.h"
#include "compiler/binary/ObjectStore.h"
#include "compiler/binary/Parts.h"
#include "compiler/report/PassTimer.h"
#include "mlir/IR/Threading.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace aft;

/// A kernel written by hand may have any name.
static std::string fileName(StringRef part, StringRef suffix) {
  std::string name = ("06-binary-" + part + suffix).str();
  for (char &c : name)
    if (!llvm::isAlnum(c) && !StringRef("-_.").contains(c))
      c = '_';
  return name;
}

namespace {
struct Compiled {
  ObjectCode code;
  double milliseconds = 0;
};
} // namespace

/// Looks for the code where it may have been compiled before, unless text is wanted, too.
static LogicalResult compilePart(Part &part, const PipelineOptions &options, bool keepText,
                                 Compiled &result) {
  auto start = std::chrono::steady_clock::now();
  ObjectStore *store = part.key.empty() || keepText ? nullptr : options.objects;
  std::optional<std::string> known = store ? store->load(part.key) : std::nullopt;
  if (known) {
    result.code.object = std::move(*known);
  } else {
    FailureOr<ObjectCode> code = compileObject(*part.module, options.target, keepText);
    if (failed(code))
      return failure();
    result.code = std::move(*code);
    if (store)
      store->store(part.key, result.code.object);
  }
  result.milliseconds = millisecondsSince(start);
  return success();
}

FailureOr<std::vector<NamedObject>>
aft::compileObjects(ModuleOp module, const PipelineOptions &options, std::string *assembly) {
  PhaseTimer timer(options.report, phaseName(Phase::Binary));
  std::vector<Part> parts = splitParts(module, options.target);
  std::vector<Compiled> compiled(parts.size());
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
        return compilePart(parts[entry.second], options, keepText, compiled[entry.second]);
      });
  if (failed(result))
    return failure();
  std::vector<NamedObject> objects;
  for (auto [part, made] : llvm::zip_equal(parts, compiled)) {
    if (!options.dumpDir.empty()) {
      writeDumpFile(module, options.dumpDir, fileName(part.name, ".ll"), made.code.llvmIR);
      writeDumpFile(module, options.dumpDir, fileName(part.name, ".s"), made.code.assembly);
    }
    if (assembly)
      *assembly += "# " + part.name + "\n" + made.code.assembly;
    if (options.report)
      options.report->objects.push_back(
          {part.name, made.milliseconds, static_cast<int64_t>(made.code.object.size())});
    objects.push_back({part.name, std::move(made.code.object)});
  }
  return objects;
}
