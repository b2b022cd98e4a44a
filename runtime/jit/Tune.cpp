//===- Tune.cpp - Tile sizes by measurement, and their memory -------------===//

#include "runtime/jit/Tune.h"

#include "compiler/kernels/Interface.h"
#include "compiler/report/DescribeProgram.h"
#include "mlir/IR/Diagnostics.h"
#include "runtime/core/Log.h"
#include "runtime/jit/Compile.h"
#include "runtime/jit/MeasuredProgram.h"
#include "runtime/jit/Report.h"
#include "runtime/jit/TileSearch.h"

#include <chrono>
#include <cmath>
#include <cstdio>
#include <unistd.h>

using namespace mlir;
using namespace aft;

std::string aft::shapesText(const std::vector<std::vector<int64_t>> &shapes) {
  std::string text;
  for (const std::vector<int64_t> &shape : shapes) {
    text += ' ';
    for (size_t dim = 0; dim < shape.size(); ++dim)
      text += (dim ? "x" : "") + std::to_string(shape[dim]);
  }
  return text;
}

namespace {

/// A kernel whose tiles can be scaled.
struct Tunable {
  std::string name;
  func::FuncOp kernel;
  TileKind kind;
  std::string key; ///< in the cache
};

/// The shapes that a program is measured with, and what follows from them.
struct Trial {
  std::vector<EntryShapes> entries;
  llvm::StringMap<std::string> work; ///< operations and bytes of a kernel's largest launch
};

} // namespace

//===----------------------------------------------------------------------===//
// What is measured
//===----------------------------------------------------------------------===//

static Trial makeTrial(ModuleOp module, const std::vector<std::vector<int64_t>> &shapes) {
  Trial trial;
  CompileReport report;
  describeProgram(module, report);
  llvm::StringMap<double> largest;
  for (func::FuncOp function : entriesOf(module)) {
    FailureOr<EntryInterface> interface = readInterface(function);
    if (failed(interface))
      continue;
    std::vector<std::vector<int64_t>> declared;
    for (const InterfaceValue &input : interface->inputs) {
      declared.emplace_back(input.type.getShape());
      for (int64_t &extent : declared.back())
        extent = ShapedType::isDynamic(extent) ? kDynamic : extent;
    }
    EntryShapes entry{function.getName().str(), concreteShapes(declared, shapes)};
    std::vector<double> extents;
    for (const std::vector<int64_t> &shape : entry.shapes)
      extents.insert(extents.end(), shape.begin(), shape.end());
    for (const CompileReport::Launch &launch : report.entry(entry.name).launches) {
      double flops = launch.flops.evaluate(extents).value_or(-1);
      double bytes = launch.bytes.evaluate(extents).value_or(-1);
      if (largest.try_emplace(launch.kernel, bytes).second || bytes > largest[launch.kernel]) {
        largest[launch.kernel] = bytes;
        trial.work[launch.kernel] =
            std::to_string(std::llround(flops)) + " " + std::to_string(std::llround(bytes));
      }
    }
    trial.entries.push_back(std::move(entry));
  }
  return trial;
}

/// The kernel's code whatever its name, its work, the machine and the threads.
static std::string keyOf(func::FuncOp kernel, const std::string &work,
                         const PipelineOptions &options) {
  func::FuncOp plain = kernel.clone();
  plain.setName("kernel");
  std::string text;
  llvm::raw_string_ostream(text) << plain;
  plain->erase();
  return hashOf("tile scale 1\n" + compilerIdentity() + "\n" + processorName() + "\n" +
                options.target.cpu + options.target.features + "\n" +
                std::to_string(options.threads) + "\n" + work + "\n" + text);
}

static std::vector<Tunable> tunablesOf(ModuleOp module, Trial &trial,
                                       const PipelineOptions &options) {
  std::vector<Tunable> all;
  for (func::FuncOp kernel : module.getOps<func::FuncOp>())
    if (std::optional<TileKind> kind = tileKindOf(kernel))
      all.push_back({kernel.getName().str(), kernel, *kind,
                     keyOf(kernel, trial.work[kernel.getName()], options)});
  return all;
}

//===----------------------------------------------------------------------===//
// What is remembered
//===----------------------------------------------------------------------===//

static std::string store(const TileScale &scale) {
  return std::to_string(scale.tile) + " " + std::to_string(scale.columns) + " " +
         std::to_string(scale.depth) + "\n";
}

/// Nothing where it is none of the kind's candidates.
static std::optional<TileScale> load(const Cache &cache, const Tunable &tunable) {
  std::optional<std::string> text = cache.load(tunable.key);
  for (const TileScale &candidate : tileCandidates(tunable.kind))
    if (text && *text == store(candidate))
      return candidate;
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// Measuring
//===----------------------------------------------------------------------===//

/// Compiles a copy of the module with other scales; errors are the candidate's own.
static std::optional<Package> compileScaled(ModuleOp module, ArrayRef<Tunable> tunables,
                                            ArrayRef<TileScale> scales, PipelineOptions options) {
  options.tune = nullptr;
  options.report = nullptr;
  options.dumpDir.clear();
  ScopedDiagnosticHandler quiet(module.getContext(), [](Diagnostic &) { return success(); });
  OwningOpRef<ModuleOp> copy = module.clone();
  for (auto [tunable, scale] : llvm::zip(tunables, scales))
    setTileScale(copy->lookupSymbol<func::FuncOp>(tunable.name), scale);
  Package package;
  if (failed(compileKernels(*copy, options, package)))
    return std::nullopt;
  return package;
}

/// One line, which a terminal keeps in one place.
static void showProgress(const std::string &name, size_t done, size_t all,
                         std::chrono::steady_clock::time_point start) {
  bool terminal = ::isatty(STDERR_FILENO) != 0;
  std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
  double left =
      done ? spent.count() / static_cast<double>(done) * static_cast<double>(all - done) : 0;
  std::fprintf(stderr, "%saft: tuning %s: %zu of %zu rounds done, %.0f s spent",
               terminal ? "\r" : "", name.c_str(), done, all, spent.count());
  if (done && done < all)
    std::fprintf(stderr, ", %.0f s left", left);
  std::fputs(terminal ? (done < all ? "\033[K" : "\033[K\n") : "\n", stderr);
  std::fflush(stderr);
}

/// The search for those that the cache knows nothing of.
static std::vector<TileScale> measureAll(ModuleOp module, ArrayRef<Tunable> tunables,
                                         const Trial &trial, const PipelineOptions &options) {
  std::vector<TileKind> kinds;
  for (const Tunable &tunable : tunables)
    kinds.push_back(tunable.kind);
  auto start = std::chrono::steady_clock::now();
  std::string name = trial.entries.front().name;
  return searchTiles(
      kinds,
      [&](const std::vector<TileScale> &scales) -> std::optional<std::vector<double>> {
        std::optional<Package> package = compileScaled(module, tunables, scales, options);
        if (!package)
          return std::nullopt;
        KernelTimes times;
        Status status = measureKernels(std::move(*package), trial.entries,
                                       static_cast<int>(options.threads), times);
        if (!status.ok()) {
          log("compile", "tuning: " + status.message);
          return std::nullopt;
        }
        std::vector<double> result;
        for (const Tunable &tunable : tunables)
          result.push_back(times[tunable.name]);
        return result;
      },
      [&](size_t done, size_t all) { showProgress(name, done, all, start); });
}

void aft::tuneKernels(ModuleOp module, const PipelineOptions &options, const Cache &cache,
                      const std::vector<std::vector<int64_t>> &shapes) {
  if (std::string missing = options.target.missingHere(); !missing.empty())
    return warn("nothing is tuned: this machine lacks " + missing);
  Trial trial = makeTrial(module, shapes);
  std::vector<Tunable> unknown;
  for (Tunable &tunable : tunablesOf(module, trial, options)) {
    std::optional<TileScale> scale = load(cache, tunable);
    log("cache", "tiles of " + tunable.name + ": " + (scale ? "found " : "missed ") + tunable.key);
    if (scale)
      setTileScale(tunable.kernel, *scale);
    else
      unknown.push_back(std::move(tunable));
  }
  if (unknown.empty() || trial.entries.empty())
    return;
  std::vector<TileScale> scales = measureAll(module, unknown, trial, options);
  for (auto [tunable, scale] : llvm::zip(unknown, scales)) {
    setTileScale(tunable.kernel, scale);
    (void)cache.store(tunable.key, store(scale)); // without it, the next program measures again
    log("compile", "tiles of " + tunable.name + ": " + scale.text());
  }
}
