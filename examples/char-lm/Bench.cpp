//===- Bench.cpp - char-lm bench ------------------------------------------===//
// The same training step and the same decode step, compiled and in eager
// LibTorch, run in turns. Results are compared before any time is printed.

#include "examples/char-lm/Commands.h"
#include "examples/char-lm/Model.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/nn/utils/clip_grad.h>
#include <torch/optim/adamw.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <functional>
#include <malloc.h>
#include <stdexcept>

using namespace charlm;

//===----------------------------------------------------------------------===//
// Measuring
//===----------------------------------------------------------------------===//

static double milliseconds(const std::function<void()> &work) {
  auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
}

static double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// A line of /proc/self/status in MiB.
static double memory(const std::string &key) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.rfind(key + ":", 0) == 0)
      return std::strtod(line.c_str() + key.size() + 1, nullptr) / 1024;
  return 0;
}

/// How far `work` raises the resident memory above what there is before.
static double peakOf(const std::function<void()> &work) {
  ::malloc_trim(0);
  std::ofstream("/proc/self/clear_refs") << "5"; // resets the peak
  double before = memory("VmRSS");
  work();
  return memory("VmHWM") - before;
}

namespace {
struct Pair {
  double compiled = 0, eager = 0;
};
} // namespace

/// Medians of both, run in turns.
static Pair inTurns(int repeat, const std::function<void()> &compiled,
                    const std::function<void()> &eager) {
  std::vector<double> first, second;
  for (int i = 0; i < repeat; ++i) {
    first.push_back(milliseconds(compiled));
    second.push_back(milliseconds(eager));
  }
  return {median(first), median(second)};
}

/// Throws unless the results agree.
static void expectClose(const char *what, const at::Tensor &compiled, const at::Tensor &eager,
                        double tolerance) {
  double error = (compiled.to(at::kDouble) - eager.to(at::kDouble)).abs().max().item<double>();
  double size = eager.to(at::kDouble).abs().max().item<double>();
  if (!(error <= tolerance * std::max(1.0, size)))
    throw std::runtime_error(std::string(what) + ": compiled and eager results differ by " +
                             std::to_string(error) + ", expected at most " +
                             std::to_string(tolerance * std::max(1.0, size)));
}

namespace {
struct Result {
  Pair time, peak;
  double compile = 0; ///< without the cache
  double cached = -1; ///< from it; negative where there is none
};
} // namespace

/// Compiles without the cache, then with it, which the first of the two fills
/// where nothing has.
template <typename Compile>
static auto compileTwice(const Options &options, Result &result, Compile compile) {
  aft::CompileModuleOptions uncached = compileOptions(options), cached = uncached;
  uncached.compile.cacheDir = "";
  auto compiled = compile(uncached);
  result.compile = compiled.stats().milliseconds;
  compile(cached);
  auto again = compile(cached);
  if (again.stats().fromCache)
    result.cached = again.stats().milliseconds;
  return compiled;
}

static void copyWeights(aft::nn::LanguageModel from, aft::nn::LanguageModel to) {
  at::NoGradGuard guard;
  auto source = from->named_parameters();
  for (auto &target : to->named_parameters())
    target.value().copy_(source[target.key()]);
}

//===----------------------------------------------------------------------===//
// The two measurements
//===----------------------------------------------------------------------===//

static Result benchTraining(const Options &options) {
  aft::nn::LanguageModel model = makeModel(options), eager = makeModel(options, /*plain=*/true);
  copyWeights(model, eager);
  at::Tensor bytes = at::randint(0, 256, {options.batch, options.context + 1}, at::kLong);
  at::Tensor ids = bytes.slice(1, 0, options.context).contiguous(),
             targets = bytes.slice(1, 1).contiguous();
  Result result;
  auto step = compileTwice(options, result, [&](const aft::CompileModuleOptions &compile) {
    return aft::compileTraining(model, lossOf, optimizerOptions(options), {ids, targets}, compile);
  });
  torch::optim::AdamW optimizer(eager->parameters(),
                                torch::optim::AdamWOptions(options.learningRate)
                                    .weight_decay(options.weightDecay));
  at::Tensor compiledLoss, eagerLoss;
  auto runCompiled = [&] { compiledLoss = step(ids, targets); };
  auto runEager = [&] {
    optimizer.zero_grad();
    eagerLoss = lossOf(eager->forward(ids), targets);
    eagerLoss.backward();
    if (options.clip > 0)
      torch::nn::utils::clip_grad_norm_(eager->parameters(), options.clip);
    optimizer.step();
  };
  result.peak.compiled = peakOf(runCompiled);
  result.peak.eager = peakOf(runEager);
  double tolerance = options.dtype == "bf16" ? 3e-2 : 1e-4;
  // The second step's loss shows that both made the same update.
  expectClose("first training step", compiledLoss, eagerLoss.detach(), tolerance);
  runCompiled();
  runEager();
  expectClose("second training step", compiledLoss, eagerLoss.detach(), 10 * tolerance);
  result.time = inTurns(7, runCompiled, runEager);
  return result;
}

static Result benchDecoding(const Options &options) {
  aft::nn::LanguageModel model = makeModel(options), eager = makeModel(options, /*plain=*/true);
  copyWeights(model, eager);
  eager->eval();
  Result result;
  aft::CompiledModule compiled =
      compileTwice(options, result, [&](const aft::CompileModuleOptions &compile) {
        return compileDecode(model, compile);
      });
  at::NoGradGuard guard;
  auto stepper = [](auto run, std::vector<at::Tensor> state) {
    return [run, state, position = int64_t(0)](int64_t count, at::Tensor &logits) mutable {
      for (int64_t i = 0; i < count; ++i, ++position) {
        aft::Tensors inputs = {at::full({1, 1}, 97 + position % 26, at::kLong),
                               at::full({1}, position, at::kLong)};
        inputs.insert(inputs.end(), state.begin(), state.end());
        aft::Tensors outputs = run(inputs);
        logits = outputs[0];
        state.assign(outputs.begin() + 1, outputs.end());
      }
    };
  };
  auto runCompiled = stepper([&](const aft::Tensors &in) { return compiled.run(in); },
                             model->initialState(1));
  auto runEager =
      stepper([&](const aft::Tensors &in) { return eager->step(in); }, eager->initialState(1));
  at::Tensor first, second;
  int64_t tokens = std::max<int64_t>(1, std::min<int64_t>(16, options.context / 8));
  result.peak.compiled = peakOf([&] { runCompiled(tokens, first); });
  result.peak.eager = peakOf([&] { runEager(tokens, second); });
  expectClose("decoding", first, second, options.dtype == "bf16" ? 5e-2 : 1e-4);
  result.time = inTurns(5, [&] { runCompiled(tokens, first); },
                        [&] { runEager(tokens, second); });
  result.time.compiled /= static_cast<double>(tokens);
  result.time.eager /= static_cast<double>(tokens);
  return result;
}

static void printRow(const char *name, Pair values, const char *unit) {
  std::printf("| %-24s | %9.2f %-2s | %9.2f %-2s | %5.2fx |\n", name, values.compiled, unit,
              values.eager, unit, values.eager / values.compiled);
}

/// Eager has nothing to set beside these.
static void printCompilation(const char *name, const Result &result) {
  std::printf("| %-24s | %9.0f ms | %12s | %6s |\n", name, result.compile, "", "");
  if (result.cached >= 0)
    std::printf("| %-24s | %9.1f ms | %12s | %6s |\n", "  from the cache", result.cached, "", "");
}

int charlm::bench(Options options) {
  options.dropout = 0; // the two sides draw their masks differently
  Result training = benchTraining(options), decoding = benchDecoding(options);
  std::printf("%lld layers, d %lld, T %lld, mixer %s, batch %lld, %s, %d threads\n\n",
              static_cast<long long>(options.layers), static_cast<long long>(options.dim),
              static_cast<long long>(options.context), options.mixer.c_str(),
              static_cast<long long>(options.batch), options.dtype.c_str(),
              at::get_num_threads());
  std::printf("| %-24s | %-12s | %-12s | %-6s |\n", "", "compiled", "eager", "ratio");
  std::printf("|--------------------------|--------------|--------------|--------|\n");
  printRow("training step", training.time, "ms");
  printRow("decoding, per token", decoding.time, "ms");
  printRow("peak memory, training", training.peak, "MB");
  printCompilation("compile, training step", training);
  printCompilation("compile, decode step", decoding);
  return 0;
}
