//===- aft-run.cpp - Runs a program on arrays from files ------------------===//

#include "aft/report.h"
#include "compiler/binary/Target.h"
#include "runtime/artifact/Artifact.h"
#include "runtime/core/File.h"
#include "runtime/core/Npy.h"
#include "runtime/core/Quote.h"
#include "runtime/core/ThreadPool.h"
#include "runtime/jit/Import.h"
#include "runtime/jit/Reference.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>

using namespace aft;

namespace {

struct Options {
  std::string file, entry, trace, report, target = "cpu", f32Products = "exact";
  bool hasTarget = false; ///< it was given
  std::vector<std::string> inputs, outputs, inputTypes;
  bool reference = false, compare = false, fast = false, tune = false, inspect = false;
  int threads = 0;
};

const char kUsage[] =
    "usage: aft-run FILE [options]\n"
    "  FILE                a program (.mlir), a model that PyTorch wrote (.pt2, .pt), or an "
    "artifact\n"
    "                      that aftc wrote (.so)\n"
    "  --entry=NAME        the function to run (default: main, forward, or the only one)\n"
    "  --input=FILE.npy    one per argument, in order\n"
    "  --input-type=TYPE   what the inputs of a .pt file are, such as ?x16xf32 (default: as the\n"
    "                      arrays); ? may change, alike in the same dimension of all inputs\n"
    "  --output=FILE.npy   one per result, in order\n"
    "  --reference         the double-precision interpreter instead of compiled code\n"
    "  --compare           both; prints the largest error, exit 1 above the contract\n"
    "  --fast              leaves out small numbers added to the denominators of mixers that are\n"
    "                      written by hand\n"
    "  --threads=N         threads (default: AFT_NUM_THREADS or all CPUs)\n"
    "  --tune              measures tile sizes with these inputs first; the cache keeps the "
    "fastest\n"
    "  --trace=FILE.json   a timeline of the compiled code's run, for ui.perfetto.dev\n"
    "  --report=FILE       what was compiled and how fast it runs, as a page of HTML, or as data\n"
    "                      where the name ends in .json; runs the entry some more times\n"
    "  --inspect           verifies an artifact and prints its manifest; runs nothing\n"
    "  --target=NAME       where to run: cpu, cuda (this machine's NVIDIA GPU; not tried on one\n"
    "                      yet), cuda:sm_XX, or cuda-emulated (the same kernels on the CPU, "
    "slowly:\n"
    "                      a test aid)\n"
    "  --f32-products=NAME how matrix products of f32 are computed on a GPU: exact, or tf32\n"
    "                      (tensor cores, factors rounded to 10 bits of mantissa; --compare\n"
    "                      allows for it)\n";

} // namespace

[[noreturn]] static void usageError(const std::string &message) {
  std::cerr << "aft-run: " << message << "\n" << kUsage;
  std::exit(2);
}

[[noreturn]] static void fail(const std::string &message) {
  std::cerr << "aft-run: error: " << message << "\n";
  std::exit(1);
}

static bool isArtifact(const Options &options) {
  return options.file.size() > 3 && options.file.compare(options.file.size() - 3, 3, ".so") == 0;
}

/// What an artifact holds code, but no program for.
static void checkArtifactOptions(const Options &options) {
  if (options.inspect && !isArtifact(options))
    usageError("--inspect is on artifacts, expected a .so file, found '" + options.file + "'");
  if (isArtifact(options) && (options.reference || options.compare))
    usageError("--reference and --compare need the program, expected a .mlir file, found '" +
               options.file + "'");
  if (isArtifact(options) && (options.tune || !options.report.empty()))
    usageError("--tune and --report need the compiler's work, expected a .mlir file, found '" +
               options.file + "'");
}

static void checkProducts(const Options &options) {
  if (options.f32Products != "exact" && options.f32Products != "tf32")
    usageError("--f32-products expects exact or tf32, found '" + options.f32Products + "'");
  if (options.f32Products != "exact" && isArtifact(options))
    usageError("--f32-products is of programs that are compiled, expected a .mlir file, found '" +
               options.file + "'");
  if (options.f32Products != "exact" && options.target == "cpu")
    usageError("--f32-products=tf32 is for --target=cuda[:sm_XX] or cuda-emulated, found "
               "--target=cpu");
}

static Options parse(int argc, char **argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    std::string argument = argv[i];
    auto value = [&](const char *name) -> const char * {
      std::string prefix = std::string("--") + name + "=";
      return argument.rfind(prefix, 0) == 0 ? argv[i] + prefix.size() : nullptr;
    };
    if (argument == "--help") {
      std::cout << kUsage;
      std::exit(0);
    } else if (const char *text = value("entry"))
      options.entry = text;
    else if (const char *text = value("input"))
      options.inputs.push_back(text);
    else if (const char *text = value("input-type"))
      options.inputTypes.push_back(text);
    else if (const char *text = value("output"))
      options.outputs.push_back(text);
    else if (const char *text = value("trace")) {
      if (!*text)
        usageError("--trace expects a file name, found nothing");
      options.trace = text;
    } else if (const char *text = value("report")) {
      if (!*text)
        usageError("--report expects a file name, found nothing");
      options.report = text;
    } else if (const char *text = value("target")) {
      options.target = text;
      options.hasTarget = true;
    } else if (const char *text = value("f32-products"))
      options.f32Products = text;
    else if (const char *text = value("threads")) {
      char *end;
      long count = std::strtol(text, &end, 10);
      if (!*text || *end || count < 1 || count > ThreadPool::kMostThreads)
        usageError("--threads expects a number from 1 to " +
                   std::to_string(ThreadPool::kMostThreads) + ", found '" + text + "'");
      options.threads = static_cast<int>(count);
    } else if (argument == "--reference")
      options.reference = true;
    else if (argument == "--compare")
      options.compare = true;
    else if (argument == "--fast")
      options.fast = true;
    else if (argument == "--tune")
      options.tune = true;
    else if (argument == "--inspect")
      options.inspect = true;
    else if (argument.rfind("-", 0) == 0)
      usageError("unknown option '" + argument + "'");
    else if (!options.file.empty())
      usageError("more than one FILE: '" + options.file + "' and '" + argument + "'");
    else
      options.file = argument;
  }
  if (options.file.empty())
    usageError("expected a FILE");
  if (!options.trace.empty() && options.reference && !options.compare)
    usageError("--trace shows compiled code, which --reference does not run");
  if (!options.report.empty() && options.reference && !options.compare)
    usageError("--report shows compiled code, which --reference does not run");
  if (options.tune && options.reference && !options.compare)
    usageError("--tune is on compiled code, which --reference does not run");
  checkArtifactOptions(options);
  if (std::string error = Target().setDevice(options.target); !error.empty())
    usageError("--target: " + error);
  if (options.target != "cpu" && options.tune)
    usageError("--tune is for --target=cpu, found --target=" + options.target);
  checkProducts(options);
  return options;
}

static const EntryInfo &chooseEntry(const std::vector<EntryInfo> &entries, const Options &options) {
  const std::string &wanted = options.entry;
  if (entries.empty())
    fail(options.file + ": the program has no public function");
  if (wanted.empty()) {
    if (int found = defaultEntry(entries); found >= 0)
      return entries[found];
    fail(options.file + ": which entry? --entry expects one of: " + entryNames(entries));
  }
  for (const EntryInfo &entry : entries)
    if (entry.name == wanted)
      return entry;
  fail(options.file + ": no entry " + quote(wanted) + ", expected one of: " + entryNames(entries));
}

/// How a program is compiled. What is wrong with an input is said when it is read
/// for the entry.
static CompileOptions compileOptionsOf(const Options &options) {
  CompileOptions result;
  result.threads = options.threads;
  result.tune = options.tune;
  result.fast = options.fast;
  result.target = options.target;
  if (options.f32Products == "tf32")
    result.f32Products = F32Products::tf32;
  for (const std::string &input : options.inputs)
    if (Array file; options.tune && readNpy(input, file).ok())
      result.tuneShapes.push_back(file.shape);
  return result;
}

/// `kept`: how many inputs at the end a model brings along.
static std::vector<Array> readInputs(const Options &options, const EntryInfo &entry, size_t kept) {
  size_t count = entry.inputs.size() - kept;
  if (options.inputs.size() != count)
    fail(options.file + ": entry '" + entry.name + "' takes " + std::to_string(count) +
         " inputs, found " + std::to_string(options.inputs.size()) + " --input options");
  std::vector<Array> arrays(count);
  for (size_t i = 0; i < arrays.size(); ++i) {
    Array file;
    if (Status status = readNpy(options.inputs[i], file); !status.ok())
      fail(status.message);
    DType wanted = entry.inputs[i].type.dtype;
    auto isFloat = [](DType dtype) {
      return dtype == DType::f32 || dtype == DType::f64 || dtype == DType::bf16;
    };
    if (file.dtype != wanted && (!isFloat(file.dtype) || !isFloat(wanted)))
      fail(options.inputs[i] + ": input " + std::to_string(i) + " must have element type " +
           nameOf(wanted) + ", found " + nameOf(file.dtype));
    if (Status status = convertArray(file, wanted, arrays[i]); !status.ok())
      fail(options.inputs[i] + ": " + status.message);
  }
  return arrays;
}

/// What a .pt file does not say: its inputs are as the given arrays, unless their
/// types are given.
static ImportRequest requestOf(const Options &options) {
  ImportRequest request;
  for (const std::string &text : options.inputTypes) {
    request.inputs.emplace_back();
    if (Status status = parseTensorType(text, request.inputs.back()); !status.ok())
      usageError("--input-type: " + status.message);
  }
  if (!isTorchScript(options.file) || !request.inputs.empty())
    return request;
  for (const std::string &path : options.inputs) {
    Array file;
    if (Status status = readNpy(path, file); !status.ok())
      fail(status.message);
    request.inputs.push_back({file.dtype, file.shape});
  }
  return request;
}

static ImportedModel import(const Options &options) {
  ImportedModel model;
  if (Status status = importModel(options.file, requestOf(options), model); !status.ok())
    fail(status.message);
  for (const std::string &remark : model.remarks)
    std::fprintf(stderr, "aft-run: remark: %s: %s\n", options.file.c_str(), remark.c_str());
  return model;
}

/// Appends the tensors of the model.
static void addTensors(const Options &options, const ImportedModel &model,
                       std::vector<Array> &inputs) {
  for (const ImportedTensor &tensor : model.tensors) {
    Array &array = inputs.emplace_back();
    if (Status status = makeArray(tensor.data.dtype, tensor.data.shape, array); !status.ok())
      fail(options.file + ": '" + tensor.name + "': " + status.message);
    // What is empty has no address, which memcpy must not be given.
    std::copy_n(static_cast<const char *>(tensor.data.data), array.bytes.size(),
                array.bytes.data());
  }
}

static std::vector<Buffer> buffersOf(std::vector<Array> &arrays) {
  std::vector<Buffer> buffers;
  for (Array &array : arrays)
    buffers.push_back(array.buffer());
  return buffers;
}

/// Runs an entry, and writes its timeline where that is wanted.
static Status runProgram(const Options &options, const Program &program, const EntryInfo &entry,
                         const std::vector<Buffer> &inputs, const std::vector<Buffer> &outputs) {
  if (options.trace.empty())
    return program.run(entry.name, inputs, outputs);
  Profile profile(Profile::kMostSlices);
  {
    Profile::Scope scope(profile);
    if (Status status = program.run(entry.name, inputs, outputs); !status.ok())
      return status;
  }
  if (Status status = profile.writeTrace(options.trace); !status.ok())
    fail(status.message);
  return {};
}

/// Memory for the results of an entry; those that overwrite an input use its.
static std::vector<Array> makeOutputs(const Options &options, const Program &program,
                                      const EntryInfo &entry, const std::vector<Buffer> &inputs,
                                      std::vector<Buffer> &buffers) {
  std::vector<std::vector<int64_t>> shapes;
  if (Status status = program.outputShapes(entry.name, inputs, shapes); !status.ok())
    fail(options.file + ": " + status.message);
  std::vector<Array> outputs(shapes.size());
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (Status status = makeArray(entry.outputs[i].type.dtype, shapes[i], outputs[i]); !status.ok())
      fail(options.file + ": result " + std::to_string(i) + ": " + status.message);
    int alias = entry.outputs[i].alias;
    buffers.push_back(alias >= 0 ? inputs[alias] : outputs[i].buffer());
  }
  return outputs;
}

/// Runs the entry on copies of the inputs until its times are steady, the first
/// time to warm up, and writes the report.
static void writeMeasuredReport(const Options &options, const Program &program,
                                const EntryInfo &entry, std::vector<Array> inputs) {
  constexpr int mostRuns = 50;
  constexpr double enoughSeconds = 0.5;
  std::vector<Buffer> inputBuffers = buffersOf(inputs), outputBuffers;
  std::vector<Array> outputs = makeOutputs(options, program, entry, inputBuffers, outputBuffers);
  auto run = [&] {
    if (Status status = program.run(entry.name, inputBuffers, outputBuffers); !status.ok())
      fail(options.file + ": " + status.message);
  };
  run();
  Profile profile;
  auto start = std::chrono::steady_clock::now();
  std::chrono::duration<double> spent{0};
  Profile::Scope scope(profile);
  for (int i = 0; i < mostRuns && spent.count() < enoughSeconds; ++i) {
    run();
    spent = std::chrono::steady_clock::now() - start;
  }
  if (Status status = writeReport(options.report, program, &profile); !status.ok())
    fail(status.message);
}

/// The compiled code's results. Inputs that results overwrite are copied, so
/// that the caller's stay.
static std::vector<Array> runCompiled(const Options &options, const Program &program,
                                      const EntryInfo &entry, std::vector<Array> inputs) {
  std::vector<Buffer> inputBuffers = buffersOf(inputs), outputBuffers;
  std::vector<Array> outputs = makeOutputs(options, program, entry, inputBuffers, outputBuffers);
  if (Status status = runProgram(options, program, entry, inputBuffers, outputBuffers);
      !status.ok())
    fail(options.file + ": " + status.message);
  for (size_t i = 0; i < outputs.size(); ++i)
    if (int alias = entry.outputs[i].alias; alias >= 0)
      outputs[i] = inputs[alias];
  return outputs;
}

static std::string indexText(int64_t place, const std::vector<int64_t> &shape) {
  std::string text;
  for (size_t dim = shape.size(); dim-- > 0;) {
    text = std::to_string(place % shape[dim]) + (text.empty() ? "" : ", ") + text;
    place /= shape[dim];
  }
  return "[" + text + "]";
}

/// Prints how far apart the results are; false above the contract.
static bool compareAll(const std::vector<Array> &found, const std::vector<Array> &expected,
                       const std::vector<Buffer> &inputs, const ReferenceFacts &facts) {
  bool good = true;
  for (size_t i = 0; i < found.size(); ++i) {
    if (found[i].shape != expected[i].shape)
      fail("result " + std::to_string(i) + " has another shape than the reference");
    ReferenceFacts own = facts;
    if (i > 0) // ratio and logz are not gated
      own.gates = -1;
    Comparison comparison = compareWithReference(found[i], expected[i], inputs, own);
    std::printf("result %zu: largest error %.3e, limit %.3e, relative to the largest of %s\n", i,
                comparison.error, comparison.limit, facts.isMixer ? "the values" : "the reference");
    if (comparison.good())
      continue;
    good = false;
    std::printf("  at %s expected %.9g, found %.9g\n",
                indexText(comparison.place, found[i].shape).c_str(),
                expected[i].at(comparison.place), found[i].at(comparison.place));
  }
  return good;
}

/// An artifact runs where it is compiled for.
static void checkTarget(const Options &options) {
  VerifiedArtifact artifact;
  if (Failure failure = readArtifact(options.file, {}, /*anyCPU=*/true, artifact); !failure.ok())
    fail(failure.message);
  const ManifestDevice &gpu = artifact.manifest.device;
  bool fits = gpu.images.empty() ? options.target == "cpu" : options.target == "cuda";
  // "cuda:sm_90a"; later GPUs run PTX, too.
  auto number = [](const std::string &name) {
    size_t digits = name.find("sm_");
    return digits == std::string::npos ? 0 : std::atoi(name.c_str() + digits + 3);
  };
  for (const ManifestDevice::Image &image : gpu.images)
    fits |= options.target == "cuda:" + image.arch ||
            (image.isPtx && number(options.target) >= number(image.arch));
  if (!fits)
    fail(options.file + ": is compiled for " +
         (gpu.images.empty() ? "the CPU" : "a GPU, " + gpu.architectures()) +
         ", expected code for --target=" + options.target);
}

static int inspect(const Options &options) {
  VerifiedArtifact artifact;
  if (Failure failure = readArtifact(options.file, {}, /*anyCPU=*/true, artifact); !failure.ok())
    fail(failure.message);
  std::fwrite(artifact.manifestText.data(), 1, artifact.manifestText.size(), stdout);
  return 0;
}

int main(int argc, char **argv) {
  Options options = parse(argc, argv);
  if (options.inspect)
    return inspect(options);
  if (options.hasTarget && isArtifact(options))
    checkTarget(options);
  ImportedModel model;
  std::string text;
  if (isImported(options.file)) {
    model = import(options);
    text = model.text;
  } else if (!isArtifact(options)) {
    if (Status status = readFile(options.file, kLongestProgram, text); !status.ok())
      fail(status.message);
  }
  bool compiles = options.compare || !options.reference;
  std::shared_ptr<Program> program;
  std::vector<EntryInfo> entries;
  Status status =
      isArtifact(options) ? Program::load(options.file, {options.threads, false}, program)
      : compiles          ? Program::compile(text, options.file, compileOptionsOf(options), program)
                          : readEntries(text, options.file, entries);
  if (!status.ok())
    fail(status.message);
  if (program)
    entries = program->entries();
  const EntryInfo &entry = chooseEntry(entries, options);
  std::vector<Array> inputs = readInputs(options, entry, model.tensors.size());
  addTensors(options, model, inputs);
  if (options.outputs.size() > entry.outputs.size())
    fail(options.file + ": entry '" + entry.name + "' has " + std::to_string(entry.outputs.size()) +
         " results, found " + std::to_string(options.outputs.size()) + " --output options");
  std::vector<Buffer> buffers = buffersOf(inputs);
  std::vector<Array> results, expected;
  if (program)
    results = runCompiled(options, *program, entry, inputs);
  if (!options.report.empty())
    writeMeasuredReport(options, *program, entry, inputs);
  bool good = true;
  if (options.reference || options.compare) {
    ReferenceFacts facts;
    try {
      status = runReference(text, options.file, entry.name, buffers, expected, facts);
    } catch (const std::exception &error) {
      fail(options.file + ": the reference interpreter needs more memory than there is (" +
           error.what() + ")");
    }
    if (!status.ok())
      fail(status.message);
    facts.tf32 = options.f32Products == "tf32";
    if (options.compare)
      good = compareAll(results, expected, buffers, facts);
    if (options.reference)
      results = std::move(expected);
  }
  for (size_t i = 0; i < options.outputs.size(); ++i)
    if (Status status = writeNpy(options.outputs[i], results[i]); !status.ok())
      fail(status.message);
  return good ? 0 : 1;
}
