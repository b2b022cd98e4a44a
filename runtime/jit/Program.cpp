//===- Program.cpp - Programs compiled just in time -----------------------===//

#include "aft/program.h"
#include "aft/profile.h"

#include "runtime/core/Arena.h"
#include "runtime/core/Log.h"
#include "runtime/core/ThreadPool.h"
#include "runtime/jit/Cache.h"
#include "runtime/jit/Compile.h"
#include "runtime/jit/PhaseClock.h"
#include "runtime/jit/Report.h"
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

/// The code of one entry.
struct EntryCode {
  aft_entry_t run;
  aft_plan_t plan;
};

class JITProgram : public Program {
public:
  static Status create(Package package, const CompileStats &stats, Compilation compilation,
                       int threads, std::shared_ptr<Program> &program);

  const std::vector<EntryInfo> &entries() const override { return package.entries; }
  const CompileStats &stats() const override { return compileStats; }
  std::string report() const override {
    return withStats(compilation.get(), compileStats, !compilation.key.empty());
  }
  Status outputShapes(const std::string &entry, const std::vector<Buffer> &inputs,
                      std::vector<std::vector<int64_t>> &shapes,
                      int64_t *arenaBytes) const override;
  Status run(const std::string &entry, const std::vector<Buffer> &inputs,
             const std::vector<Buffer> &outputs) const override {
    return run(entry, inputs, outputs, *pool->runtime());
  }
  Status run(const std::string &entry, const std::vector<Buffer> &inputs,
             const std::vector<Buffer> &outputs, const aft_runtime_t &runtime) const override;

private:
  Status find(const std::string &name, size_t &index) const;
  /// Checks the inputs and asks the plan; `dims` are the inputs' extents, then
  /// the outputs'.
  Status plan(size_t index, const std::vector<Buffer> &inputs, std::vector<int64_t> &dims,
              int64_t &arenaBytes) const;

  /// Runs an entry and reports to the profiles at work and to the log.
  void runMeasured(size_t index, void *const *buffers, const int64_t *dims, void *arena,
                   int64_t arenaBytes, const aft_runtime_t &runtime) const;

  Package package;
  KernelTable kernels;
  CompileStats compileStats;
  Compilation compilation;
  std::vector<EntryCode> code;
  std::unique_ptr<llvm::orc::LLJIT> jit;
  ThreadPool *pool = nullptr;
  mutable ArenaPool arenas;
};

} // namespace

static std::string textOf(const std::vector<int64_t> &shape, DType dtype) {
  std::string text = "tensor<";
  for (int64_t extent : shape)
    text += (extent == kDynamic ? "?" : std::to_string(extent)) + "x";
  return text + nameOf(dtype) + ">";
}

static std::string labelOf(const char *kind, size_t index, const std::string &name) {
  return std::string(kind) + " " + std::to_string(index) +
         (name.empty() ? "" : " ('" + name + "')");
}

/// Whether a buffer can stand for a declared value.
static Status checkBuffer(const char *kind, size_t index, const ValueInfo &info,
                          const Buffer &buffer) {
  bool fits = info.type.dtype == buffer.dtype && info.type.shape.size() == buffer.shape.size();
  for (size_t dim = 0; fits && dim < buffer.shape.size(); ++dim)
    fits = buffer.shape[dim] >= 0 &&
           (info.type.shape[dim] == kDynamic || info.type.shape[dim] == buffer.shape[dim]);
  if (!fits)
    return {labelOf(kind, index, info.name) + " must be " +
            textOf(info.type.shape, info.type.dtype) + ", found " +
            textOf(buffer.shape, buffer.dtype)};
  int64_t elements = sizeOf(buffer.dtype);
  for (int64_t extent : buffer.shape)
    if (__builtin_mul_overflow(elements, extent, &elements))
      return {labelOf(kind, index, info.name) + " is larger than 64 bits can count"};
  if (!buffer.data && elements > 0)
    return {labelOf(kind, index, info.name) + " has no memory"};
  return {};
}

Status JITProgram::create(Package package, const CompileStats &stats, Compilation compilation,
                          int threads, std::shared_ptr<Program> &result) {
  static std::once_flag once;
  std::call_once(once, [] {
    llvm::InitializeNativeTarget();
    llvm::InitializeNativeTargetAsmPrinter();
  });
  auto program = std::make_shared<JITProgram>();
  auto take = [](llvm::Error error) { return Status{llvm::toString(std::move(error))}; };
  auto jit = llvm::orc::LLJITBuilder().create();
  if (!jit)
    return take(jit.takeError());
  program->jit = std::move(*jit);
  auto process = llvm::orc::DynamicLibrarySearchGenerator::GetForCurrentProcess(
      program->jit->getDataLayout().getGlobalPrefix());
  if (!process)
    return take(process.takeError());
  program->jit->getMainJITDylib().addGenerator(std::move(*process));
  for (const NamedObject &object : package.objects)
    if (llvm::Error error = program->jit->addObjectFile(
            llvm::MemoryBuffer::getMemBufferCopy(object.object, object.name)))
      return take(std::move(error));
  for (const EntryInfo &entry : package.entries) {
    auto run = program->jit->lookup(entry.name);
    if (!run)
      return take(run.takeError());
    auto plan = program->jit->lookup(entry.name + ".plan");
    if (!plan)
      return take(plan.takeError());
    program->code.push_back({run->toPtr<aft_entry_t>(), plan->toPtr<aft_plan_t>()});
  }
  for (NamedObject &object : package.objects)
    object.object.clear();
  program->package = std::move(package);
  for (const KernelInfo &kernel : program->package.kernels)
    program->kernels.emplace(kernel.name, &kernel);
  program->compileStats = stats;
  program->compilation = std::move(compilation);
  program->pool = &ThreadPool::shared(threads);
  result = std::move(program);
  return {};
}

Status JITProgram::find(const std::string &name, size_t &index) const {
  std::string all;
  for (index = 0; index < package.entries.size(); ++index) {
    if (package.entries[index].name == name)
      return {};
    all += (all.empty() ? "" : ", ") + package.entries[index].name;
  }
  return {"no entry '" + name + "', expected one of: " + all};
}

Status JITProgram::plan(size_t index, const std::vector<Buffer> &inputs, std::vector<int64_t> &dims,
                        int64_t &arenaBytes) const {
  const EntryInfo &info = package.entries[index];
  if (inputs.size() != info.inputs.size())
    return {"entry '" + info.name + "' takes " + std::to_string(info.inputs.size()) +
            " inputs, found " + std::to_string(inputs.size())};
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (Status status = checkBuffer("input", i, info.inputs[i], inputs[i]); !status.ok())
      return {"entry '" + info.name + "': " + status.message};
    dims.insert(dims.end(), inputs[i].shape.begin(), inputs[i].shape.end());
  }
  size_t given = dims.size(), wanted = 0;
  for (const ValueInfo &output : info.outputs)
    wanted += output.type.shape.size();
  dims.resize(given + wanted);
  int64_t check = code[index].plan(dims.data(), dims.data() + given, &arenaBytes);
  if (check == 0)
    return {};
  size_t message = static_cast<size_t>(check) - 1;
  return {"entry '" + info.name + "': " +
          (message < package.checks.size() ? package.checks[message]
                                           : "the inputs' shapes do not fit together")};
}

Status JITProgram::outputShapes(const std::string &entry, const std::vector<Buffer> &inputs,
                                std::vector<std::vector<int64_t>> &shapes,
                                int64_t *arenaBytes) const {
  size_t index;
  std::vector<int64_t> dims;
  int64_t bytes = 0;
  if (Status status = find(entry, index); !status.ok())
    return status;
  if (Status status = plan(index, inputs, dims, bytes); !status.ok())
    return status;
  auto next = dims.end();
  for (const ValueInfo &output : package.entries[index].outputs)
    next -= static_cast<std::ptrdiff_t>(output.type.shape.size());
  shapes.clear();
  for (const ValueInfo &output : package.entries[index].outputs) {
    auto end = next + static_cast<std::ptrdiff_t>(output.type.shape.size());
    shapes.emplace_back(next, end);
    next = end;
  }
  if (arenaBytes)
    *arenaBytes = bytes;
  return {};
}

Status JITProgram::run(const std::string &entry, const std::vector<Buffer> &inputs,
                       const std::vector<Buffer> &outputs, const aft_runtime_t &runtime) const {
  size_t index;
  std::vector<int64_t> dims;
  int64_t arenaBytes = 0;
  if (Status status = find(entry, index); !status.ok())
    return status;
  if (Status status = plan(index, inputs, dims, arenaBytes); !status.ok())
    return status;
  const EntryInfo &info = package.entries[index];
  if (outputs.size() != info.outputs.size())
    return {"entry '" + info.name + "' has " + std::to_string(info.outputs.size()) +
            " outputs, found memory for " + std::to_string(outputs.size())};
  size_t position = 0;
  std::vector<void *> buffers;
  for (const Buffer &input : inputs) {
    buffers.push_back(input.data);
    position += input.shape.size();
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    ValueInfo expected = info.outputs[i];
    for (int64_t &extent : expected.type.shape)
      extent = dims[position++];
    if (Status status = checkBuffer("output", i, expected, outputs[i]); !status.ok())
      return {"entry '" + info.name + "': " + status.message};
    if (expected.alias >= 0 && outputs[i].data != inputs[expected.alias].data)
      return {"entry '" + info.name + "': " + labelOf("output", i, expected.name) + " updates " +
              labelOf("input", expected.alias, info.inputs[expected.alias].name) +
              " in place and must have its memory"};
    buffers.push_back(outputs[i].data);
  }
  ArenaPool::Lease arena(arenas, arenaBytes);
  if (!arena.data())
    return {"entry '" + info.name + "' needs " + std::to_string(arenaBytes) +
            " bytes of scratch memory, which could not be had"};
  if (Profile::wanted() || logs("runtime"))
    runMeasured(index, buffers.data(), dims.data(), arena.data(), arenaBytes, runtime);
  else
    code[index].run(buffers.data(), dims.data(), arena.data(), &runtime);
  return {};
}

void JITProgram::runMeasured(size_t index, void *const *buffers, const int64_t *dims, void *arena,
                             int64_t arenaBytes, const aft_runtime_t &runtime) const {
  const std::string &entry = package.entries[index].name;
  int threads = &runtime == pool->runtime() ? pool->threads() : 0;
  size_t inputExtents = 0;
  for (const ValueInfo &input : package.entries[index].inputs)
    inputExtents += input.type.shape.size();
  RunRecord record(entry, {dims, dims + inputExtents}, arenaBytes, threads, kernels, &runtime);
  code[index].run(buffers, dims, arena, record.runtime());
  record.finish();
  Profile::deliver(record);
  if (!logs("runtime"))
    return;
  Profile profile;
  profile.add(record);
  log("runtime", entry + ": " + std::to_string(arenaBytes) + " bytes of scratch memory, " +
                     (threads ? std::to_string(threads) + " threads" : "the host's threads") +
                     profile.table());
}

Status aft::loadPackage(Package package, int threads, std::shared_ptr<Program> &program) {
  return JITProgram::create(std::move(package), {}, {}, threads, program);
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
  all += "pairs " + std::to_string(static_cast<int>(options.target.pairDots)) + "\n";
  if (wanted.tune)
    all += "tuned for " + processorName() + shapesText(wanted.tuneShapes) + "\n";
  return hashOf(all + text);
}

/// "50 kernels, 690 launches, 1990 ms (graph 80, kernels 300, …)"
static std::string textOf(const CompileStats &stats) {
  auto rounded = [](double value) { return std::to_string(std::llround(value)); };
  std::string phases;
  for (const PhaseTime &time : stats.phases)
    phases += (phases.empty() ? "" : ", ") + time.phase + " " + rounded(time.milliseconds);
  return std::to_string(stats.kernels) + " kernels, " + std::to_string(stats.launches) +
         " launches, " + rounded(stats.milliseconds) + " ms (" + phases + ")" +
         (stats.fromCache ? " from the cache" : "");
}

Status Program::compile(const std::string &text, const std::string &name,
                        const CompileOptions &options, std::shared_ptr<Program> &program) {
  PhaseClock clock;
  PipelineOptions pipeline;
  if (Status status = pipelineOptions(options, pipeline); !status.ok())
    return status;
  pipeline.threads = options.threads > 0 ? options.threads : ThreadPool::defaultThreads();
  if (std::string missing = pipeline.target.missingHere(); !missing.empty())
    return {"code for CPU '" + options.cpu + "' cannot run here: this machine lacks " + missing};
  // A dump is wanted for what it shows on the way: the cache would skip it.
  Cache cache(pipeline.dumpDir.empty() ? options.cacheDir : "");
  std::string key = cache.enabled() ? cacheKey(text, options, pipeline) : "";
  CompileStats stats;
  Compilation compilation{"", options.cacheDir, key};
  std::optional<Package> package;
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
    if (Status status = compilePackage(text, name, pipeline, *package); !status.ok())
      return status;
    for (const CompileReport::Phase &phase : report.phases)
      clock.add(phase.name, phase.milliseconds);
    compilation.text = compilationText(name, pipeline, report);
    if (cache.enabled() && !(cache.store(Compilation::keyOf(key), compilation.text) &&
                             cache.store(key, package->serialize())))
      log("cache", name + ": could not be stored");
    if (cache.enabled())
      clock.finished("store");
  }
  stats.kernels = static_cast<int>(package->kernels.size());
  stats.launches = package->launches;
  std::shared_ptr<Program> created;
  if (Status status = JITProgram::create(std::move(*package), stats, std::move(compilation),
                                         options.threads, created);
      !status.ok())
    return {name + ": loading the generated code failed: " + status.message};
  clock.finished("link");
  stats.milliseconds = clock.total();
  stats.phases = clock.phases();
  const_cast<CompileStats &>(created->stats()) = stats;
  if (logs("compile"))
    log("compile", name + ": " + textOf(stats));
  program = std::move(created);
  return {};
}
