//===- aftc.cpp - The ahead-of-time compiler ------------------------------===//

#include "compiler/binary/Ptxas.h"
#include "compiler/report/PassTimer.h"
#include "runtime/artifact/FileBytes.h"
#include "runtime/artifact/Header.h"
#include "runtime/artifact/Safetensors.h"
#include "runtime/core/File.h"
#include "runtime/core/Log.h"
#include "runtime/core/Quote.h"
#include "runtime/core/ThreadPool.h"
#include "runtime/jit/Compile.h"
#include "runtime/jit/Import.h"
#include "runtime/jit/KernelStore.h"
#include "runtime/jit/Report.h"
#include "runtime/jit/Save.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"

#include <filesystem>

namespace cl = llvm::cl;

static cl::OptionCategory category("aftc options");
static cl::opt<std::string> model(cl::Positional, cl::desc("MODEL.{mlir,pt2,pt}"), cl::init(""),
                                  cl::cat(category));
static cl::opt<std::string> output("o", cl::desc("The artifact to write, or '-'"),
                                   cl::value_desc("OUT.so"), cl::cat(category));
static cl::opt<std::string> targetName("target", cl::desc("cpu, cuda[:sm_XX] or cuda-emulated"), cl::init("cpu"),
                                       cl::cat(category));
static cl::opt<std::string> cpu("mcpu", cl::desc("native, or a CPU name of LLVM"),
                                cl::init("native"), cl::cat(category));
static cl::opt<std::string> training("training", cl::desc("Adds the training entry: adamw"),
                                     cl::cat(category));
static cl::opt<std::string> memory("memory",
                                   cl::desc("What training keeps of the forward pass: normal, "
                                            "or low (blocks are computed a second time)"),
                                   cl::init("normal"), cl::value_desc("normal|low"),
                                   cl::cat(category));
static cl::opt<bool> fast("fast",
                          cl::desc("Leaves out small numbers added to the denominators of mixers "
                                   "that are written by hand"),
                          cl::cat(category));
static cl::opt<std::string> bf16Products(
    "bf16-products",
    cl::desc("How products of bf16 are computed: auto (what is faster on this machine, or what "
             "--mcpu has), f32, pairs, or tiles (AMX)"),
    cl::init("auto"), cl::value_desc("auto|f32|pairs|tiles"), cl::cat(category));
static cl::opt<std::string> f32Products(
    "f32-products",
    cl::desc("How matrix products of f32 are computed on a GPU: exact, or tf32 (tensor cores, "
             "factors rounded to 10 bits of mantissa)"),
    cl::init("exact"), cl::value_desc("exact|tf32"), cl::cat(category));
static cl::opt<bool> tune("tune",
                          cl::desc("Measures tile sizes on this machine (B = 1, T = 1024) and "
                                   "takes the fastest, which the cache keeps"),
                          cl::cat(category));
static cl::opt<std::string> lastPhase(
    "compile-to",
    cl::desc("Prints the IR after a phase: graph, kernels, tile, vector, llvm (nvvm for cuda), or "
             "the assembly of the phase binary (PTX for cuda)"),
    cl::value_desc("PHASE"), cl::cat(category));
static cl::opt<std::string> dumpDir("dump-dir", cl::desc("Writes one numbered file per phase"),
                                    cl::value_desc("DIR"), cl::cat(category));

static cl::list<std::string>
    inputs("input-type",
           cl::desc("What the inputs of a .pt file are, one after the other: ?x16xf32, where ? may "
             "change, alike in the same dimension of all inputs"),
           cl::value_desc("TYPE"), cl::cat(category));
static cl::opt<bool> listOperators(
    "list-operators", cl::desc("Prints the operators that .pt2 and .pt files may use"),
    cl::cat(category));
static cl::opt<std::string> report("report",
                                   cl::desc("Writes what the compiler did: a page of HTML, or the "
                                            "data where the name ends in .json"),
                                   cl::value_desc("FILE"), cl::cat(category));

static cl::opt<std::string> weights(
    "weights", cl::desc("Values of inputs by their aft.name, which go into the artifact"),
    cl::value_desc("FILE.safetensors"), cl::cat(category));
static cl::opt<bool> weightsBeside(
    "weights-beside", cl::desc("Writes them as OUT.safetensors beside OUT.so instead of inside"),
    cl::cat(category));
static cl::opt<std::string> header("header",
                                   cl::desc("Writes a C header with a typed function per entry"),
                                   cl::value_desc("FILE.h"), cl::cat(category));
static cl::opt<int64_t> threads("for-threads",
                                cl::desc("Threads that the artifact will run on; default: unknown"),
                                cl::init(0), cl::value_desc("N"), cl::cat(category));

static constexpr int kRefused = 1, kWrongUsage = 2;

static int fail(int code, const std::string &message) {
  llvm::errs() << "aftc: " << message << '\n';
  return code;
}

static int printOperators() {
  std::vector<std::string> names;
  if (aft::Status status = aft::importedOperators(names); !status.ok())
    return fail(kRefused, status.message);
  for (const std::string &name : names)
    llvm::outs() << name << '\n';
  return 0;
}

static std::optional<aft::Bf16Products> bf16ProductsNamed(llvm::StringRef name) {
  return llvm::StringSwitch<std::optional<aft::Bf16Products>>(name)
      .Case("auto", aft::Bf16Products::automatic)
      .Case("f32", aft::Bf16Products::f32)
      .Case("pairs", aft::Bf16Products::pairs)
      .Case("tiles", aft::Bf16Products::tiles)
      .Default(std::nullopt);
}

/// Wrong usage, as a message; empty when the options make sense.
static std::string checkOptions() {
  if (model.empty())
    return "no MODEL given; see aftc --help";
  if (!training.empty() && training != "adamw")
    return "unknown value '" + training + "' of --training, expected adamw";
  if (memory != "normal" && memory != "low")
    return "unknown value '" + memory + "' of --memory, expected normal or low";
  if (aft::Status status = aft::ThreadPool::check(threads); !status.ok())
    return "--for-threads: " + status.message;
  if (!bf16ProductsNamed(bf16Products))
    return "unknown value '" + bf16Products +
           "' of --bf16-products, expected auto, f32, pairs or tiles";
  if (f32Products != "exact" && f32Products != "tf32")
    return "unknown value '" + f32Products + "' of --f32-products, expected exact or tf32";
  aft::Target target;
  if (std::string error = target.setDevice(targetName); !error.empty())
    return "--target: " + error;
  llvm::ArrayRef<aft::Phase> phases = aft::mlirPhases(target);
  std::optional<aft::Phase> phase = aft::phaseNamed(lastPhase);
  if (!lastPhase.empty() && phase != aft::Phase::Binary &&
      (!phase || !llvm::is_contained(phases, *phase)))
    return "unknown phase '" + lastPhase + "' in --compile-to, expected graph, kernels, tile, " +
           "vector, " + aft::phaseName(phases.back()).str() + " or binary";
  if (tune && target.threadBlocks())
    return "--tune is for --target=cpu, found --target=" + targetName;
  if (f32Products == "tf32" && !target.threadBlocks())
    return "--f32-products=tf32 is for --target=cuda[:sm_XX] or cuda-emulated, found --target=" +
           targetName;
  if (lastPhase.empty() && output.empty() && dumpDir.empty() && report.empty())
    return "nothing to do: expected -o, --compile-to, --dump-dir or --report";
  bool writes = lastPhase.empty() && !output.empty();
  if (writes && output == "-")
    return "-o expects the name of a file to write an artifact to, found '-'";
  if (!writes && (!weights.empty() || weightsBeside))
    return "--weights and --weights-beside are for artifacts, expected -o OUT.so without "
           "--compile-to";
  if (!writes && !header.empty())
    return "--header is of an artifact, expected -o OUT.so without --compile-to";
  if (weightsBeside && weights.empty() && !aft::isImported(model))
    return "--weights-beside expects --weights or a model that has some (.pt2, .pt)";
  if (!lastPhase.empty() && !report.empty())
    return "--report is on all phases, found --compile-to=" + lastPhase + " with it";
  return "";
}

/// Whether two names are those of one file, which need not be there yet.
static bool isSameFile(const std::string &a, const std::string &b) {
  std::error_code error;
  auto place = [&](const std::string &name) {
    return std::filesystem::weakly_canonical(std::filesystem::absolute(name, error), error);
  };
  std::filesystem::path one = place(a), other = place(b);
  if (std::filesystem::is_other(one, error)) // /dev/null takes anything
    return false;
  return one == other || std::filesystem::equivalent(one, other, error);
}

/// Wrong usage where a file would be written over one that is read or written, too; else empty.
static std::string checkFiles() {
  bool isArtifact = lastPhase.empty() && !output.empty();
  std::vector<std::pair<const char *, std::string>> files = {
      {"MODEL", model},
      {"--weights", weights},
      {"-o", output == "-" ? "" : output.getValue()},
      {"--weights-beside", isArtifact && weightsBeside ? aft::besidePath(output) : ""},
      {"--header", header},
      {"--report", report}};
  constexpr size_t read = 2;
  for (size_t i = read; i < files.size(); ++i)
    for (size_t j = 0; j < i; ++j)
      if (!files[i].second.empty() && !files[j].second.empty() &&
          isSameFile(files[i].second, files[j].second))
        return std::string(files[i].first) + " would write over the file of " + files[j].first +
               ", '" + files[j].second + "': expected files of other names";
  return "";
}

/// What this version does not do, as a message.
static std::string checkSupport() {
  if (targetName == "cuda-emulated" && lastPhase.empty() && !output.empty())
    return "not supported: artifacts for --target=cuda-emulated, which is a test aid of aft-run";
  return "";
}

/// Writes a file, or the standard output for "-"; a message where that fails.
static std::string writeText(const std::string &path, const std::string &text) {
  std::error_code error;
  llvm::raw_fd_ostream stream(path, error);
  if (error)
    return path + ": " + error.message();
  stream << text;
  stream.flush();
  error = stream.error();
  // A stream that goes away with an error on it ends the process.
  stream.clear_error();
  return error ? path + ": cannot be written: " + error.message() : "";
}

/// A dump that was asked for must come out.
static std::string prepareDump() {
  std::string problem = dumpDir.empty() ? "" : aft::makeDumpFolder(dumpDir);
  return problem.empty() ? "" : "--dump-dir=" + dumpDir + ": " + problem;
}

/// What a .pt2 or .pt file holds besides the program.
static aft::ImportedModel imported;

/// The program of a .mlir, .pt2 or .pt file as text.
static aft::Status readModel(std::string &text) {
  if (aft::isImported(model)) {
    aft::ImportRequest request;
    request.training = !training.empty();
    for (const std::string &given : inputs) {
      request.inputs.emplace_back();
      if (aft::Status status = aft::parseTensorType(given, request.inputs.back()); !status.ok())
        return {model + ": --input-type: " + status.message};
    }
    aft::Status status = aft::importModel(model, request, imported);
    text = imported.text;
    for (const std::string &remark : imported.remarks)
      llvm::errs() << "aftc: remark: " << model << ": " << remark << "\n";
    return status;
  }
  return aft::readFile(model, aft::kLongestProgram, text);
}

/// What is measured is made for as many threads as it runs on.
static std::string prepareTuning(aft::PipelineOptions &pipeline) {
  if (!tune)
    return "";
  if (threads == 0)
    pipeline.threads = static_cast<unsigned>(aft::ThreadPool::defaultThreads());
  std::string missing = pipeline.target.missingHere();
  return missing.empty() ? "" : "--tune measures on this machine, which lacks " + missing;
}

/// An error where a tensor is for an input, but of a type that programs do not have: it would be
/// left out.
static aft::Status checkTypes(std::string_view file, const aft::Package &package) {
  std::vector<aft::SafetensorsEntry> tensors;
  if (aft::Status status = aft::Safetensors::list(file, tensors); !status.ok())
    return status;
  for (const aft::SafetensorsEntry &tensor : tensors)
    for (const aft::EntryInfo &entry : package.entries)
      for (const aft::ValueInfo &input : entry.inputs)
        if (input.name == tensor.name &&
            !llvm::is_contained({"F32", "F64", "BF16", "BOOL", "I8", "I32", "I64"}, tensor.type))
          return {"tensor " + aft::quote(tensor.name) + " has the type " + aft::quote(tensor.type) +
                  ", expected F32, F64, BF16, BOOL, I8, I32 or I64"};
  return {};
}

/// Writes the artifact with the model's weights, or those of a file.
static aft::Status writeArtifact(const aft::Package &package,
                                 const aft::PipelineOptions &pipeline) {
  aft::SaveOptions save;
  aft::FileBytes file;
  for (const aft::ImportedTensor &tensor : imported.tensors)
    save.weights.push_back({tensor.name, tensor.data});
  save.weightsBeside = weightsBeside;
  if (!weights.empty()) {
    if (aft::Failure failure = file.open(weights); !failure.ok())
      return failure.status();
    aft::Safetensors found;
    aft::Status status = aft::Safetensors::parse(file.bytes(), found);
    if (status.ok())
      status = checkTypes(file.bytes(), package);
    if (status.ok() && found.tensors.empty())
      status = {"expected tensors, found none of a type that programs have"};
    if (!status.ok())
      return {weights + ": " + status.message};
    save.weights = std::move(found.tensors);
  }
  aft::Status status = aft::savePackage(package, pipeline, output, save);
  if (status.ok() && !package.device.kernels.empty() && package.device.cubins.empty())
    llvm::errs() << "aftc: remark: " << aft::ptxasMissing() << ": " << output
                 << " has PTX only, which the driver compiles when it is first loaded\n";
  aft::Manifest manifest;
  if (status.ok() && !header.empty())
    status = aft::describePackage(package, pipeline, save, manifest);
  if (status.ok() && !header.empty())
    status = aft::writeFile(header, {aft::headerText(manifest, aft::headerPrefix(header))});
  return status;
}

static aft::Status writeReport(const aft::PipelineOptions &pipeline,
                               const aft::CompileReport &collected, double milliseconds) {
  aft::CompileStats stats;
  stats.milliseconds = milliseconds;
  return aft::writeReportText(
      report, aft::withStats(aft::compilationText(model, pipeline, collected), stats,
                             /*cacheEnabled=*/false));
}

/// Compiles a program as a whole: for its artifact, its dump, its report.
static aft::Status compileAll(const std::string &text, aft::PipelineOptions &pipeline) {
  aft::CompileReport collected;
  if (!report.empty())
    pipeline.report = &collected;
  // Only on request: what is compiled ahead should not depend on what a user has run.
  aft::Cache cache(std::getenv("AFT_CACHE_DIR") ? "default" : "");
  aft::KernelStore kernels(cache);
  pipeline.objects = &kernels;
  aft::Package package;
  auto start = std::chrono::steady_clock::now();
  aft::Status status = aft::compilePackage(text, model, pipeline, package);
  double milliseconds = aft::millisecondsSince(start);
  pipeline.objects = nullptr;
  if (status.ok() && cache.enabled())
    aft::log("cache", model + ": " + std::to_string(kernels.found()) + " kernels compiled before");
  if (status.ok() && !output.empty())
    status = writeArtifact(package, pipeline);
  if (status.ok() && !report.empty())
    status = writeReport(pipeline, collected, milliseconds);
  return status;
}

int main(int argc, char **argv) {
  cl::HideUnrelatedOptions(category);
  std::string problem;
  llvm::raw_string_ostream problems(problem);
  if (!cl::ParseCommandLineOptions(argc, argv, "AFT ahead-of-time compiler\n", &problems)) {
    llvm::errs() << problem;
    return kWrongUsage;
  }
  if (listOperators)
    return printOperators();
  if (std::string error = checkOptions(); !error.empty())
    return fail(kWrongUsage, error);
  if (std::string error = checkFiles(); !error.empty())
    return fail(kWrongUsage, error);
  if (std::string error = checkSupport(); !error.empty())
    return fail(kRefused, error);
  if (std::string error = prepareDump(); !error.empty())
    return fail(kRefused, error);
  std::string text;
  if (aft::Status status = readModel(text); !status.ok())
    return fail(kRefused, status.message);

  aft::CompileOptions options;
  options.cpu = cpu;
  options.target = targetName;
  options.dumpDir = dumpDir;
  options.tune = tune;
  options.memory = memory == "low" ? aft::Memory::low : aft::Memory::normal;
  options.fast = fast;
  options.bf16Products = *bf16ProductsNamed(bf16Products);
  if (f32Products == "tf32")
    options.f32Products = aft::F32Products::tf32;
  if (!training.empty())
    options.training = std::make_shared<aft::TrainingOptions>();
  if (options.training && aft::isImported(model))
    options.training->lossEntry = "forward";
  aft::PipelineOptions pipeline;
  if (aft::Status status = aft::pipelineOptions(options, pipeline); !status.ok())
    return fail(kRefused, status.message);
  pipeline.threads = static_cast<unsigned>(threads);
  if (std::string error = prepareTuning(pipeline); !error.empty())
    return fail(kRefused, error);
  if (lastPhase.empty()) {
    aft::Status status = compileAll(text, pipeline);
    return status.ok() ? 0 : fail(kRefused, status.message);
  }
  std::string result;
  aft::Status status =
      aft::compileToText(text, model, *aft::phaseNamed(lastPhase), pipeline, result);
  if (!status.ok())
    return fail(kRefused, status.message);
  std::string error = writeText(output.empty() ? std::string("-") : output.getValue(), result);
  return error.empty() ? 0 : fail(kRefused, error);
}
