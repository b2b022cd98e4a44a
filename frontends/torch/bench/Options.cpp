//===- Options.cpp - The command line of aft-bench ------------------------===//

#include "frontends/torch/bench/Options.h"

#include "compiler/binary/Target.h"
#include "runtime/core/Roof.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <functional>

using namespace aft::bench;

namespace {

/// One flag: its name, what it takes and where that goes.
struct Flag {
  std::string name, argument, help;
  std::function<void(const std::string &)> set;
};

struct OpHelp {
  const char *name, *help;
};

const OpHelp kOps[] = {
    {"full", "AFT-full on q, k, v [B,T,d] and a bias [T,T]"},
    {"local", "AFT-local with a learned band of --window keys to each side"},
    {"simple", "AFT-simple: no position bias"},
    {"conv", "AFT-conv: a filter of --window taps (--window x --window on a "
             "--grid) per head"},
    {"matmul", "[B*T,d] times [d,d]"},
    {"mlp", "[B*T,d] times [d,4d], a bias and GELU"},
    {"model", "the forward pass of a language model"},
    {"train", "one training step of it: forward, loss, reverse and AdamW"},
    {"decode", "one token of it, at the end of a sequence of --length"},
    {"image", "the forward pass of an image classifier on images of --image pixels"},
    {"fma", "the machine's multiply-adds in registers (bf16: in pairs)"},
    {"read", "the machine's speed of reading --mib of memory"},
    {"copy", "the machine's speed of copying --mib of memory"},
};

const char kNotes[] = R"(
flops and bytes, with P the pairs (query, key) that have a learned weight (full: all that are
visible; local, conv: those under the window; simple: none), n the elements of q, and e the bytes
of an element. Both say what has to be done, not what any program does:
  mixers    4 B P d + 8 n flops (conv: 2 B P (d + heads) + 8 n); every operand and result once
  matmul    2 B T d d flops, mlp 8 B T d d; every operand and result once
  fwdbwd    three times the flops; operands, dy, results and gradients once
  model     per token and layer 24 d d flops (conv: 22 d d + 2 d heads), those of the mixer and of
            its band or bias (2 rank per pair), and 2 d vocab; weights, ids and logits once
  train     three times the model's flops; weights and both moments read and written, ids twice
  image     as model, with the patches' embedding (1536 d per token) and 2 d vocab per image
  decode    the model's flops for the last token; weights and the keys that it looks at once,
            the mixer's state read and written, full's only read (tables: the rows it looks up)

max_error is checked before anything is timed, and exit status 1 follows where it is too large:
  mixers, matmul, mlp   against the double-precision reference interpreter (checked_against =
            reference). Where that would take too long, the same compiled program is checked
            against the interpreter at a shorter length and, at the measured size, against
            LibTorch in f64 (reference+libtorch-f64); on a grid that is too large only the latter
            (libtorch-f64). Limits: max_error_limit, the accuracy contract; an error is relative
            to the largest of v, of a gradient or product to its own largest. In TF32: full and products
            1e-3, full's gradients 5e-2.
  model, decode, image   logits against LibTorch in f64 with the same weights, relative to the largest:
            1e-4, TF32 5e-3, bf16 5e-2. Decoding is checked against the whole sequence at once.
  train     loss (1e-5, TF32 1e-3, bf16 1e-2), every gradient (1e-3, TF32 2e-2, bf16 2e-1; relative
            to its largest, or to a thousandth of the largest of all) and AdamW's update (1e-6, bf16
            1e-2) of one step.
max_error is the error that comes closest to its limit. --max-error=X lowers all limits to X.

recompilations: how many of 8 other pairs of B and T the compiled training step could not run; its
losses there are checked too.

--inputs and --outputs name arrays as q, k, v, w, dy, y, dq, dk, dv, dw; a, b, dy, y, da, db;
a, w, bias, y; ids, the targets of train, images, logits, losses (of the first three steps); weights
as LibTorch does. --serve prints one JSON object when the result has been checked, then {"ms": ...}
for every line 'run', until 'quit' or the end of the input.

ms is the median of --repeat calls, after at least 3 warm-up calls. compile_ms: from the captured
program to code, with compile_peak_rss_mb resident; cached_compile_ms: the same again from a cache folder of its own; capture_ms: what
capturing the module took besides. peak_rss_mb: of the process while the compiled code runs.
)";

} // namespace

[[noreturn]] static void usageError(const std::string &message) {
  std::fprintf(stderr, "aft-bench: %s\naft-bench: see aft-bench --help\n", message.c_str());
  std::exit(2);
}

[[noreturn]] static void expected(const std::string &flag, const std::string &what,
                                  const std::string &found) {
  usageError("--" + flag + " expects " + what + ", found '" + found + "'");
}

//===----------------------------------------------------------------------===//
// Flags
//===----------------------------------------------------------------------===//

static int64_t integerOf(const std::string &flag, const std::string &text, int64_t most) {
  errno = 0;
  char *end = nullptr;
  long long value = std::strtoll(text.c_str(), &end, 10);
  if (text.empty() || *end || errno || value < 1 || value > most)
    expected(flag, "a number from 1 to " + std::to_string(most), text);
  return value;
}

static Flag integer(const char *name, int64_t &target, const char *help, int64_t most = 1 << 24) {
  return {name, "N", help,
          [&target, name, most](const std::string &text) { target = integerOf(name, text, most); }};
}

static Flag choice(const char *name, std::string &target, std::vector<std::string> values,
                   const char *help) {
  std::string all;
  for (const std::string &value : values)
    all += (all.empty() ? "" : "|") + value;
  return {name, all, help, [&target, values, name](const std::string &text) {
            std::string list;
            for (const std::string &value : values)
              list += (list.empty() ? "" : ", ") + value;
            if (std::find(values.begin(), values.end(), text) == values.end())
              expected(name, (values.size() > 1 ? "one of " : "") + list, text);
            target = text;
          }};
}

static Flag targetFlag(std::string &target) {
  return {"target", "cpu|cuda[:sm_XX]|cuda-emulated",
          "where to run (cpu); cuda: on an NVIDIA GPU; cuda-emulated: its kernels on the CPU",
          [&target](const std::string &text) {
            if (std::string error = aft::Target().setDevice(text); !error.empty())
              usageError("--target: " + error);
            target = text;
          }};
}

static Flag toggle(const char *name, bool &target, const char *help) {
  return {name, "", help, [&target](const std::string &) { target = true; }};
}

static Flag folder(const char *name, std::string &target, const char *help) {
  return {name, "DIR", help, [&target, name](const std::string &text) {
            if (text.empty())
              expected(name, "a folder", text);
            target = text;
          }};
}

static void parseGrid(std::vector<int64_t> &grid, const std::string &text) {
  size_t cross = text.find('x');
  if (cross == std::string::npos)
    expected("grid", "ROWSxCOLUMNS, such as 14x14", text);
  grid = {integerOf("grid", text.substr(0, cross), 1 << 12),
          integerOf("grid", text.substr(cross + 1), 1 << 12)};
}

static void parseError(double &target, const std::string &text) {
  char *end = nullptr;
  target = std::strtod(text.c_str(), &end);
  if (text.empty() || *end || !(target > 0 && target <= 1))
    expected("max-error", "a number above 0, at most 1", text);
}

static std::vector<Flag> makeFlags(Options &o) {
  std::vector<std::string> ops;
  for (const OpHelp &op : kOps)
    ops.push_back(op.name);
  return {
      choice("op", o.op, ops, "what to measure"),
      choice("pass", o.pass, {"fwd", "fwdbwd"}, "forward, or forward and all gradients"),
      integer("batch", o.batch, "B (4; matmul, mlp and the models: 1)"),
      integer("length", o.length, "T (1024, or that of the grid)"),
      integer("dim", o.dim, "d (512)"),
      integer("heads", o.heads, "heads of conv (32, or the next smaller divisor of d)"),
      integer("window", o.window, "window of local, filter of conv (32; on a grid 11)"),
      {"grid", "ROWSxCOLUMNS", "conv: positions on a grid",
       [&o](const std::string &text) { parseGrid(o.grid, text); }},
      toggle("causal", o.causal, "mixers: only earlier keys (the models always are)"),
      integer("layers", o.layers, "models: blocks (12)", 1 << 12),
      integer("vocab", o.vocab, "models: vocabulary (256), classes of image (1000)"),
      integer("rank", o.rank, "models: rank of the position bias (256; image 128)"),
      integer("image", o.image, "image: pixels to a side, of patches of 16 (224)", 1 << 12),
      integer("mib", o.mib, "read, copy: MiB to a call (more than caches hold: 256 to 1024)",
              1 << 20),
      choice("mixer", o.mixer, {"full", "local", "simple", "conv"},
             "models: the mixer (local; image: conv, or full)"),
      choice("dtype", o.dtype, {"f32", "bf16"}, "element type (f32)"),
      integer("threads", o.threads, "threads of both sides (AFT_NUM_THREADS or all CPUs)", 4096),
      choice("memory", o.memory, {"normal", "low"},
             "train: what is kept of the forward pass (normal)"),
      toggle("tune", o.tune, "measure tile sizes at these sizes first; compile_ms includes it"),
      targetFlag(o.target),
      choice("f32-products", o.f32Products, {"exact", "tf32"},
             "matrix products of f32 on a GPU (exact); tf32: by tensor cores, factors rounded"),
      integer("repeat", o.repeat, "timed calls (10)"),
      choice("vs", o.vs, {"eager"}, "also the best plain LibTorch formulation, in turns"),
      {"max-error", "X", "a limit below that of the accuracy contract",
       [&o](const std::string &text) { parseError(o.maxError, text); }},
      toggle("json", o.json, "print one JSON object"),
      folder("inputs", o.inputs, "read inputs and weights from NAME.npy files there"),
      folder("outputs", o.outputs, "write the checked results to NAME.npy files there"),
      toggle("serve", o.serve, "time one call for every line 'run' of standard input"),
  };
}

[[noreturn]] static void printHelp(const std::vector<Flag> &flags) {
  std::printf("usage: aft-bench [options]     measures compiled code\n\noptions:\n");
  for (const Flag &flag : flags) {
    std::string form = "--" + flag.name + (flag.argument.empty() ? "" : "=" + flag.argument);
    if (form.size() > 27)
      form += "\n" + std::string(29, ' ');
    std::printf("  %-27s %s\n", form.c_str(), flag.help.c_str());
  }
  std::printf("  %-27s %s\n%s", "--list", "the values of --op and what they are", kNotes);
  std::exit(0);
}

[[noreturn]] static void printList() {
  for (const OpHelp &op : kOps)
    std::printf("%-8s %s\n", op.name, op.help);
  std::exit(0);
}

static void setFlag(const std::vector<Flag> &flags, const std::string &argument) {
  if (argument.rfind("--", 0) != 0)
    usageError("unexpected argument '" + argument + "', expected options only");
  size_t equals = argument.find('=');
  bool hasValue = equals != std::string::npos;
  std::string name = argument.substr(2, hasValue ? equals - 2 : std::string::npos);
  auto flag =
      std::find_if(flags.begin(), flags.end(), [&](const Flag &flag) { return flag.name == name; });
  if (flag == flags.end())
    usageError("unknown option '--" + name + "'");
  if (flag->argument.empty() && hasValue)
    usageError("--" + name + " takes no value, found '" + argument.substr(equals + 1) + "'");
  if (!flag->argument.empty() && !hasValue)
    usageError("--" + name + " expects =" + flag->argument + ", found nothing");
  flag->set(hasValue ? argument.substr(equals + 1) : "");
}

//===----------------------------------------------------------------------===//
// What flags mean together
//===----------------------------------------------------------------------===//

static constexpr int64_t kPatch = 16;

static void checkGrid(Options &o) {
  std::string text = std::to_string(o.grid[0]) + "x" + std::to_string(o.grid[1]);
  if (o.op != "conv")
    usageError("--grid expects --op=conv, found --op=" + o.op);
  if (o.causal)
    usageError("--causal expects a sequence, found --grid=" + text +
               ": positions on a grid have no order");
  int64_t length = o.grid[0] * o.grid[1];
  if (o.length && o.length != length)
    expected("length", std::to_string(length) + " with --grid=" + text, std::to_string(o.length));
  o.length = length;
}

static void checkPass(Options &o) {
  std::string natural = o.op == "train" ? "fwdbwd" : "fwd";
  if ((o.isModel() || o.op == "mlp") && !o.pass.empty() && o.pass != natural)
    expected("pass", natural + " with --op=" + o.op, o.pass);
  if (o.pass.empty())
    o.pass = natural;
  if (o.isRoof() && o.eager())
    usageError("--vs expects a computation, found --op=" + o.op);
  if (o.isRoof() && o.target != "cpu")
    usageError("--op=" + o.op +
               " is of the CPU, expected --target=cpu, found --target=" + o.target);
  if (o.causal && (o.isProduct() || o.isRoof() || o.op == "image"))
    usageError("--causal expects a mixer, found --op=" + o.op);
}

/// The positions of an image are its patches.
static void checkImage(Options &o) {
  if (o.image && o.op != "image")
    usageError("--image expects --op=image, found --op=" + o.op);
  if (o.op != "image")
    return;
  if (o.mixer.empty())
    o.mixer = "conv";
  if (o.mixer != "conv" && o.mixer != "full")
    expected("mixer", "conv or full with --op=image", o.mixer);
  if (o.length)
    usageError("--length expects another --op than image: --image says how many positions");
  if (!o.image)
    o.image = 224;
  if (o.image % kPatch)
    expected("image", "a multiple of 16", std::to_string(o.image));
  int64_t side = o.image / kPatch;
  o.length = side * side + (o.mixer == "full" ? 1 : 0);
  if (o.mixer == "conv")
    o.grid = {side, side};
}

/// Fills in what was not given and refuses what does not fit together.
static void complete(Options &o) {
  checkPass(o);
  if (o.f32Products != "exact" && o.target == "cpu")
    usageError(
        "--f32-products=tf32 expects --target=cuda[:sm_XX] or cuda-emulated, found --target=cpu");
  if (!o.grid.empty())
    checkGrid(o);
  checkImage(o);
  if (o.mib && o.op != "read" && o.op != "copy")
    usageError("--mib expects --op=read or --op=copy, found --op=" + o.op);
  if (!o.mib)
    o.mib = aft::bytesBeyondCaches() >> 20;
  if (o.mixer.empty())
    o.mixer = "local";
  bool conv = o.mixerName() == "conv";
  if (conv && o.heads && o.dim % o.heads)
    expected("heads", "a divisor of --dim=" + std::to_string(o.dim), std::to_string(o.heads));
  if (!o.heads)
    for (o.heads = std::min<int64_t>(32, o.dim); o.dim % o.heads;)
      --o.heads;
  if (!o.batch)
    o.batch = o.isModel() || o.isProduct() ? 1 : 4;
  if (!o.length)
    o.length = 1024;
  if (!o.window)
    o.window = o.grid.empty() ? 32 : 11;
  if (!o.threads)
    o.threads = aft::ThreadPool::defaultThreads();
  if (!o.vocab)
    o.vocab = o.op == "image" ? 1000 : 256;
  if (!o.rank)
    o.rank = o.op == "image" ? 128 : 256;
  o.causal |= o.isLanguageModel();
}

Options aft::bench::parse(int argc, char **argv) {
  Options options;
  std::vector<Flag> flags = makeFlags(options);
  for (int i = 1; i < argc; ++i) {
    std::string argument = argv[i];
    if (argument == "--help" || argument == "-h")
      printHelp(flags);
    if (argument == "--list")
      printList();
    setFlag(flags, argument);
  }
  complete(options);
  return options;
}
