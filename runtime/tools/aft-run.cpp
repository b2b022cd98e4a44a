//===- aft-run.cpp - Runs a program on arrays from files ------------------===//

#include "aft/program.h"
#include "runtime/core/Npy.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>

using namespace aft;

namespace {

struct Options {
  std::string file, entry, target = "cpu";
  std::vector<std::string> inputs, outputs;
  bool reference = false, compare = false;
  int threads = 0;
};

const char kUsage[] =
    "usage: aft-run FILE [options]\n"
    "  --entry=NAME        the function to run (default: main, forward, or the only one)\n"
    "  --input=FILE.npy    one per argument, in order\n"
    "  --output=FILE.npy   one per result, in order\n"
    "  --reference         the double-precision interpreter instead of compiled code\n"
    "  --compare           both; prints the largest error, exit 1 above the contract\n"
    "  --threads=N         threads (default: AFT_NUM_THREADS or all CPUs)\n"
    "  --target=cpu        where to run\n";

} // namespace

[[noreturn]] static void usageError(const std::string &message) {
  std::cerr << "aft-run: " << message << "\n" << kUsage;
  std::exit(2);
}

[[noreturn]] static void fail(const std::string &message) {
  std::cerr << "aft-run: error: " << message << "\n";
  std::exit(1);
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
    else if (const char *text = value("output"))
      options.outputs.push_back(text);
    else if (const char *text = value("target"))
      options.target = text;
    else if (const char *text = value("threads")) {
      char *end;
      options.threads = static_cast<int>(std::strtol(text, &end, 10));
      if (!*text || *end || options.threads < 1)
        usageError(std::string("--threads expects a positive number, found '") + text + "'");
    } else if (argument == "--reference")
      options.reference = true;
    else if (argument == "--compare")
      options.compare = true;
    else if (argument.rfind("-", 0) == 0)
      usageError("unknown option '" + argument + "'");
    else if (!options.file.empty())
      usageError("more than one FILE: '" + options.file + "' and '" + argument + "'");
    else
      options.file = argument;
  }
  if (options.file.empty())
    usageError("expected a FILE");
  if (options.target != "cpu")
    usageError("target '" + options.target + "' is not supported yet, expected cpu");
  return options;
}

static const EntryInfo &chooseEntry(const Program &program, const std::string &wanted) {
  std::string all;
  for (const EntryInfo &entry : program.entries())
    all += (all.empty() ? "" : ", ") + entry.name;
  if (!wanted.empty()) {
    if (const EntryInfo *entry = program.entry(wanted))
      return *entry;
    fail("no entry '" + wanted + "', expected one of: " + all);
  }
  for (const char *name : {"main", "forward"})
    if (const EntryInfo *entry = program.entry(name))
      return *entry;
  if (program.entries().size() == 1)
    return program.entries().front();
  fail("which entry? --entry expects one of: " + all);
}

static std::vector<Array> readInputs(const Options &options, const EntryInfo &entry) {
  if (options.inputs.size() != entry.inputs.size())
    fail(options.file + ": entry '" + entry.name + "' takes " +
         std::to_string(entry.inputs.size()) + " inputs, found " +
         std::to_string(options.inputs.size()) + " --input options");
  std::vector<Array> arrays(entry.inputs.size());
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

int main(int argc, char **argv) {
  Options options = parse(argc, argv);
  if (options.reference || options.compare)
    fail("the reference interpreter is not supported yet");
  if (options.file.size() > 3 && options.file.substr(options.file.size() - 3) == ".so")
    fail(options.file + ": artifacts are not supported yet, expected a .mlir file");
  errno = 0;
  std::ifstream file(options.file, std::ios::binary);
  if (!file)
    fail(options.file + ": cannot be opened: " + std::strerror(errno));
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  CompileOptions compileOptions;
  compileOptions.threads = options.threads;
  std::shared_ptr<Program> program;
  if (Status status = Program::compile(text, options.file, compileOptions, program);
      !status.ok())
    fail(status.message);
  const EntryInfo &entry = chooseEntry(*program, options.entry);
  std::vector<Array> inputs = readInputs(options, entry);
  if (options.outputs.size() > entry.outputs.size())
    fail(options.file + ": entry '" + entry.name + "' has " +
         std::to_string(entry.outputs.size()) + " results, found " +
         std::to_string(options.outputs.size()) + " --output options");

  std::vector<Buffer> inputBuffers, outputBuffers;
  for (Array &array : inputs)
    inputBuffers.push_back(array.buffer());
  std::vector<std::vector<int64_t>> shapes;
  if (Status status = program->outputShapes(entry.name, inputBuffers, shapes); !status.ok())
    fail(options.file + ": " + status.message);
  std::vector<Array> outputs(shapes.size());
  for (size_t i = 0; i < shapes.size(); ++i) {
    if (Status status = makeArray(entry.outputs[i].type.dtype, shapes[i], outputs[i]);
        !status.ok())
      fail("result " + std::to_string(i) + ": " + status.message);
    int alias = entry.outputs[i].alias;
    outputBuffers.push_back(alias >= 0 ? inputBuffers[alias] : outputs[i].buffer());
  }
  if (Status status = program->run(entry.name, inputBuffers, outputBuffers); !status.ok())
    fail(options.file + ": " + status.message);
  for (size_t i = 0; i < options.outputs.size(); ++i) {
    int alias = entry.outputs[i].alias;
    const Array &result = alias >= 0 ? inputs[alias] : outputs[i];
    if (Status status = writeNpy(options.outputs[i], result); !status.ok())
      fail(status.message);
  }
  return 0;
}
