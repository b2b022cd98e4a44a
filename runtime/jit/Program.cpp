//===- Program.cpp - Programs compiled just in time -----------------------===//

#include "aft/program.h"

#include "compiler/binary/Ptxas.h"
#include "compiler/kernels/Interface.h"
#include "compiler/llvm/Symbols.h"
#include "runtime/core/CompiledProgram.h"
#include "runtime/core/Log.h"
#include "runtime/cuda/Runner.h"
#include "runtime/jit/Cache.h"
#include "runtime/jit/Compile.h"
#include "runtime/jit/KernelStore.h"
#include "runtime/jit/PhaseClock.h"
#include "runtime/jit/Report.h"
#include "runtime/jit/Save.h"
#include "runtime/jit/Tune.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/TargetSelect.h"

#include <cmath>
#include <mutex>

using namespace aft;

namespace {

/// Where what the compiler said of a program is: here, or, so that loading from
/// the cache stays quick, in the cache.
struct Compilation {
  std::string text;
  std::string cacheDir, key;

  /// Programs and what is said of them are apart in the cache.
  static std::string keyOf(const std::string &programKey) { return hashOf("report " + programKey); }
  std::string get() const {
    return text.empty() ? Cache(cacheDir).load(keyOf(key)).value_or("{}") : text;
  }
};

/// Its objects stay: save() links them into an artifact.
class JITProgram : public CompiledProgram {
public:
  JITProgram(ProgramCode code, int threads, Package package, const PipelineOptions &options,
             const CompileStats &stats, Compilation compilation)
      : CompiledProgram(std::move(code), threads), package(std::move(package)), options(options),
        compileStats(stats), compilation(std::move(compilation)) {
    this->options.report = nullptr;
  }
  /// `runner`: null for one on the GPU of that number.
  static Status create(Package package, const PipelineOptions &options, const CompileStats &stats,
                       Compilation compilation, int threads, int device,
                       std::shared_ptr<CallRunner> runner, std::shared_ptr<Program> &program);

  const CompileStats &stats() const override { return compileStats; }
  std::string report() const override {
    std::optional<MachineFacts> gpu = machine();
    return withStats(compilation.get(), compileStats, !compilation.key.empty(),
                     gpu ? &*gpu : nullptr);
  }
  Status save(const std::string &path, const SaveOptions &save) const override {
    return savePackage(package, options, path, save);
  }

private:
  Package package;
  PipelineOptions options;
  CompileStats compileStats;
  Compilation compilation;
};

} // namespace

/// Links objects into the process; `code` gets the entries' addresses.
static Status linkObjects(const Package &package, ProgramCode &code) {
  static std::once_flag once;
  std::call_once(once, [] {
    llvm::InitializeNativeTarget();
    llvm::InitializeNativeTargetAsmPrinter();
  });
  auto take = [](llvm::Error error) { return Status{llvm::toString(std::move(error))}; };
  auto created = llvm::orc::LLJITBuilder().create();
  if (!created)
    return take(created.takeError());
  std::shared_ptr<llvm::orc::LLJIT> jit = std::move(*created);
  auto process = llvm::orc::DynamicLibrarySearchGenerator::GetForCurrentProcess(
      jit->getDataLayout().getGlobalPrefix());
  if (!process)
    return take(process.takeError());
  jit->getMainJITDylib().addGenerator(std::move(*process));
  for (const NamedObject &object : package.objects)
    if (llvm::Error error =
            jit->addObjectFile(llvm::MemoryBuffer::getMemBufferCopy(object.object, object.name)))
      return take(std::move(error));
  for (const EntryInfo &entry : package.entries) {
    auto run = jit->lookup(symbolOf(entry.name));
    if (!run)
      return take(run.takeError());
    auto plan = jit->lookup(symbolOf(entry.name + planSuffix.str()));
    if (!plan)
      return take(plan.takeError());
    code.entries.push_back({entry, run->toPtr<aft_entry_t>(), plan->toPtr<aft_plan_t>(), {}});
  }
  code.checks = package.checks;
  code.kernels = package.kernels;
  code.memory = std::move(jit);
  return {};
}

Status JITProgram::create(Package package, const PipelineOptions &options,
                          const CompileStats &stats, Compilation compilation, int threads,
                          int device, std::shared_ptr<CallRunner> runner,
                          std::shared_ptr<Program> &result) {
  ProgramCode code;
  if (Status status = linkObjects(package, code); !status.ok())
    return status;
  code.runner = std::move(runner);
  if (!code.runner && !package.device.kernels.empty())
    if (Status status = cuda::Runner::create(device, package.device, code.runner); !status.ok())
      return status;
  result = std::make_shared<JITProgram>(std::move(code), threads, std::move(package), options,
                                        stats, std::move(compilation));
  return {};
}

Status aft::loadPackage(Package package, int threads, std::shared_ptr<Program> &program,
                        std::shared_ptr<CallRunner> runner) {
  return JITProgram::create(std::move(package), {}, {}, {}, threads, /*device=*/0,
                            std::move(runner), program);
}

/// Everything that the generated code depends on.
static std::string cacheKey(const std::string &text, const CompileOptions &wanted,
                            const PipelineOptions &options) {
  std::string all = "aft " + compilerIdentity() + "\n" + options.target.cpu + "\n" +
                    options.target.features + "\n" + std::to_string(options.threads) + "\n";
  if (const auto &training = options.training)
    for (const std::string &part :
         {training->lossEntry, std::to_string(training->beta1), std::to_string(training->beta2),
          std::to_string(training->eps * 1e12), std::to_string(training->weightDecay),
          std::to_string(training->clipNorm)})
      all += part + "\n";
  all += options.lowMemory ? "memory low\n" : "";
  all += options.fast ? "fast\n" : "";
  if (options.target.threadBlocks())
    all += "target " + wanted.target + " " + options.target.gpu + "\n";
  all += options.target.tf32 ? "tf32\n" : "";
  if (options.target.device == Device::Cuda)
    all += "ptxas " + ptxasIdentity() + "\n";
  all += "pairs " + std::to_string(static_cast<int>(options.target.pairDots)) +
         (options.target.tiles ? " tiles\n" : "\n");
  if (wanted.tune)
    all += "tuned for " + processorName() + shapesText(wanted.tuneShapes) + "\n";
  return hashOf(all + text);
}

/// "50 kernels, 690 launches, 1990 ms (graph 80, kernels 300, …)"
static std::string textOf(const CompileStats &stats, int knownKernels) {
  auto rounded = [](double value) { return std::to_string(std::llround(value)); };
  std::string phases;
  for (const PhaseTime &time : stats.phases)
    phases += (phases.empty() ? "" : ", ") + time.phase + " " + rounded(time.milliseconds);
  std::string known = knownKernels ? " (" + std::to_string(knownKernels) + " compiled before)" : "";
  return std::to_string(stats.kernels) + " kernels" + known + ", " +
         std::to_string(stats.launches) + " launches, " + rounded(stats.milliseconds) + " ms (" +
         phases + ")" + (stats.fromCache ? " from the cache" : "");
}

Status Program::compile(const std::string &text, const std::string &name,
                        const CompileOptions &options, std::shared_ptr<Program> &program) {
  PhaseClock clock;
  PipelineOptions pipeline;
  if (Status status = ThreadPool::check(options.threads); !status.ok())
    return {name + ": " + status.message};
  if (Status status = pipelineOptions(options, pipeline); !status.ok())
    return status;
  if (Status status = useDeviceHere(options, pipeline); !status.ok())
    return {name + ": " + status.message};
  pipeline.threads = options.threads > 0 ? options.threads : ThreadPool::defaultThreads();
  if (std::string missing = pipeline.target.missingHere(); !missing.empty())
    return {"code for CPU '" + options.cpu + "' cannot run here: this machine lacks " + missing};
  Cache cache(options.cacheDir);
  std::string key = cache.enabled() ? cacheKey(text, options, pipeline) : "";
  CompileStats stats;
  int knownKernels = 0;
  Compilation compilation{"", options.cacheDir, key};
  std::optional<Package> package;
  // A dump is wanted for what it shows on the way, which the cache would skip.
  if (pipeline.dumpDir.empty())
    if (std::optional<std::string> bytes = cache.load(key))
      package = Package::deserialize(*bytes);
  stats.fromCache = package.has_value();
  if (cache.enabled()) {
    clock.finished("load");
    log("cache", name + ": " + (stats.fromCache ? "found " : "missed ") + key);
  }
  if (!package) {
    package.emplace();
    CompileReport report;
    pipeline.report = &report;
    KernelStore kernels(cache);
    pipeline.objects = &kernels;
    Status status = compilePackage(text, name, pipeline, *package);
    pipeline.report = nullptr;
    pipeline.objects = nullptr;
    if (!status.ok())
      return status;
    knownKernels = kernels.found();
    for (const CompileReport::Phase &phase : report.phases)
      clock.add(phase.name, phase.milliseconds);
    compilation.text = compilationText(name, pipeline, report);
    if (cache.enabled()) {
      Status stored = cache.store(Compilation::keyOf(key), compilation.text);
      if (stored.ok())
        stored = cache.store(key, package->serialize());
      if (!stored.ok())
        log("cache", name + ": could not be stored: " + stored.message);
      clock.finished("store");
    }
  }
  stats.kernels = static_cast<int>(package->kernels.size());
  stats.launches = package->launches;
  std::shared_ptr<Program> created;
  if (Status status =
          JITProgram::create(std::move(*package), pipeline, stats, std::move(compilation),
                             options.threads, options.device, /*runner=*/nullptr, created);
      !status.ok())
    return {name + ": loading the generated code failed: " + status.message};
  clock.finished("link");
  stats.milliseconds = clock.total();
  stats.phases = clock.phases();
  const_cast<CompileStats &>(created->stats()) = stats;
  if (logs("compile"))
    log("compile", name + ": " + textOf(stats, knownKernels));
  program = std::move(created);
  return {};
}
