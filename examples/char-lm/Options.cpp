//===- Options.cpp - The command line of char-lm --------------------------===//

#include "examples/char-lm/Options.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <vector>

using namespace charlm;

namespace {

/// One flag: its name, what it takes and where that goes.
struct Flag {
  std::string name, argument, help;
  std::function<std::string(const std::string &)> set; ///< returns an error or nothing
};

const char kUsage[] =
    "usage: char-lm train --data=FILE [options]     train a model and write it to --model-dir\n"
    "       char-lm generate --model-dir=DIR        continue a text, byte by byte\n"
    "       char-lm save --model-dir=DIR            write the decode step as MODEL.so, for\n"
    "                                               examples/c/generate.c\n"
    "       char-lm bench --model-dir=DIR           compiled against eager LibTorch\n\n"
    "options:\n";

} // namespace

/// Sizes below do not overflow when they are multiplied by a few others.
static constexpr int64_t kMostSize = 1'000'000'000;
/// Of the pool, as for aft-run.
static constexpr int64_t kMostThreads = 4096;

static Flag integer(const char *name, int64_t &target, int64_t least, int64_t most,
                    const char *help) {
  return {name, "N", help, [&target, least, most, name](const std::string &text) -> std::string {
            errno = 0;
            char *end = nullptr;
            long long value = std::strtoll(text.c_str(), &end, 10);
            if (text.empty() || *end || errno || value < least || value > most)
              return std::string("--") + name + " expects an integer from " +
                     std::to_string(least) + " to " + std::to_string(most) + ", found '" + text +
                     "'";
            target = value;
            return "";
          }};
}

static Flag number(const char *name, double &target, double least, double most, const char *help) {
  return {name, "X", help, [&target, least, most, name](const std::string &text) -> std::string {
            char *end = nullptr;
            double value = std::strtod(text.c_str(), &end);
            if (text.empty() || *end || !(value >= least && value <= most))
              return std::string("--") + name + " expects a number from " + std::to_string(least) +
                     " to " + std::to_string(most) + ", found '" + text + "'";
            target = value;
            return "";
          }};
}

static Flag text(const char *name, const char *argument, std::string &target, const char *help) {
  return {name, argument, help, [&target](const std::string &value) -> std::string {
            target = value;
            return "";
          }};
}

/// A file or a folder, which has a name.
static Flag path(const char *name, const char *argument, std::string &target, const char *help) {
  return {name, argument, help, [&target, name](const std::string &value) -> std::string {
            target = value;
            return value.empty() ? std::string("--") + name + " expects a name, found nothing" : "";
          }};
}

static Flag choice(const char *name, std::string &target, std::vector<std::string> values,
                   const char *help) {
  return {name, "NAME", help, [&target, values, name](const std::string &value) -> std::string {
            std::string all;
            for (const std::string &allowed : values) {
              if (allowed == value) {
                target = value;
                return "";
              }
              all += (all.empty() ? "" : ", ") + allowed;
            }
            return std::string("--") + name + " expects one of " + all + ", found '" + value + "'";
          }};
}

/// As aftc takes it; the compiler knows the architectures.
static Flag target(std::string &target, const char *help) {
  return {"target", "NAME", help, [&target](const std::string &value) -> std::string {
            target = value;
            bool known = value == "cpu" || value == "cuda" || value == "cuda-emulated" ||
                         value.rfind("cuda:", 0) == 0;
            return known ? ""
                         : "--target expects cpu, cuda, cuda:sm_XX or cuda-emulated, found '" +
                               value + "'";
          }};
}

static Flag toggle(const char *name, bool &target, const char *help) {
  return {name, "", help, [&target](const std::string &) -> std::string {
            target = true;
            return "";
          }};
}

static std::vector<Flag> makeFlags(Options &o) {
  return {
      path("data", "FILE", o.data, "training text, any bytes; the last tenth is held out"),
      path("model-dir", "DIR", o.modelDir, "where the checkpoint is"),
      integer("steps", o.steps, 1, kMostSize, "training steps in all"),
      integer("layers", o.layers, 1, kMostSize, "transformer blocks"),
      integer("dim", o.dim, 1, kMostSize, "channels d"),
      integer("context", o.context, 2, kMostSize, "positions T"),
      choice("mixer", o.mixer, {"local", "simple", "full", "conv"}, "the AFT mixer"),
      integer("window", o.window, 1, kMostSize, "window s of local, filter length of conv"),
      integer("rank", o.rank, 0, kMostSize, "rank of the factorised position bias; 0: dense"),
      integer("batch", o.batch, 1, kMostSize, "sequences per step"),
      choice("dtype", o.dtype, {"f32", "bf16"}, "element type of the model"),
      choice("memory", o.memory, {"normal", "low"},
             "train: low keeps less of the forward pass and computes it again"),
      target(o.target,
             "where compiled code runs: cpu, cuda[:sm_XX] (an NVIDIA GPU), cuda-emulated"),
      choice("f32-products", o.f32Products, {"exact", "tf32"},
             "matrix products of f32 on a GPU: exact, or tf32 (tensor cores, factors rounded)"),
      toggle("tune", o.tune, "measures tile sizes before; the cache keeps the fastest"),
      number("lr", o.learningRate, 0, 10, "peak learning rate"),
      number("weight-decay", o.weightDecay, 0, 10, "AdamW's decoupled weight decay"),
      number("dropout", o.dropout, 0, 0.99, "dropout probability"),
      number("clip", o.clip, 0, 1e9, "largest gradient norm; 0: no clipping"),
      integer("threads", o.threads, 0, kMostThreads, "threads; 0: AFT_NUM_THREADS or all CPUs"),
      integer("seed", o.seed, 0, INT64_MAX, "seed of weights, batches and samples"),
      integer("checkpoint-every", o.checkpointEvery, 1, kMostSize, "steps between checkpoints"),
      toggle("resume", o.resume, "go on from the checkpoint in --model-dir, bit for bit"),
      path("init-from", "FILE.safetensors", o.initFrom,
           "train: begin with the weights of a Transformer"),
      text("init-without", "NAMES", o.initWithout,
           "what of them does not carry over: positions,query,key unless given"),
      toggle("plain", o.plain, "no progress bar, one line per report"),
      path("trace", "FILE", o.trace, "train: a timeline of the steps, for ui.perfetto.dev"),
      path("report", "FILE", o.report,
           "train: what was compiled and how fast each kernel ran, as a page of HTML (or data: "
           ".json)"),
      path("output", "FILE.so", o.output, "save: where the artifact goes"),
      text("prompt", "TEXT", o.prompt, "generate: the beginning of the text"),
      integer("length", o.length, 0, kMostSize, "generate: bytes to add"),
      number("temperature", o.temperature, 0, 100, "generate: 0 takes the likeliest byte"),
  };
}

static void printUsage(std::FILE *out, const std::vector<Flag> &flags) {
  std::fputs(kUsage, out);
  for (const Flag &flag : flags) {
    std::string form = "--" + flag.name + (flag.argument.empty() ? "" : "=" + flag.argument);
    std::fprintf(out, "  %-22s %s\n", form.c_str(), flag.help.c_str());
  }
}

[[noreturn]] static void usageError(const std::string &message) {
  std::fprintf(stderr, "char-lm: %s\nchar-lm: see char-lm --help\n", message.c_str());
  std::exit(2);
}

static void setFlag(const std::vector<Flag> &flags, const std::string &argument) {
  size_t equals = argument.find('=');
  bool hasValue = equals != std::string::npos;
  std::string name = argument.substr(2, hasValue ? equals - 2 : std::string::npos);
  const Flag *found = nullptr;
  for (const Flag &flag : flags)
    if (flag.name == name)
      found = &flag;
  if (!found)
    usageError("unknown option --" + name);
  if (found->argument.empty() == hasValue)
    usageError("--" + name + (hasValue ? " takes no value" : " expects =" + found->argument));
  std::string error = found->set(hasValue ? argument.substr(equals + 1) : "");
  if (!error.empty())
    usageError(error);
}

Options charlm::parseOptions(int argc, char **argv) {
  Options options;
  std::vector<Flag> flags = makeFlags(options);
  for (int i = 1; i < argc; ++i) {
    std::string argument = argv[i];
    if (argument == "--help" || argument == "-h") {
      printUsage(stdout, flags);
      std::exit(0);
    }
    if (argument.rfind("--", 0) == 0)
      setFlag(flags, argument);
    else if (options.command.empty())
      options.command = argument;
    else
      usageError("unexpected argument '" + argument + "'");
  }
  if (options.command.empty())
    usageError("expected a command: train, generate, save or bench");
  if (options.command != "train" && options.command != "generate" && options.command != "save" &&
      options.command != "bench")
    usageError("unknown command '" + options.command +
               "', expected train, generate, save or bench");
  if (options.command == "train" && options.data.empty())
    usageError("train expects --data=FILE");
  if (options.f32Products != "exact" && options.target == "cpu")
    usageError("--f32-products=tf32 expects --target=cuda[:sm_XX] or cuda-emulated, found "
               "--target=cpu");
  if (options.resume && !options.initFrom.empty())
    usageError("--init-from and --resume exclude each other: a checkpoint has its own weights");
  return options;
}
