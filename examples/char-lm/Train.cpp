//===- Train.cpp - char-lm train ------------------------------------------===//

#include "aft/report.h"
#include "examples/char-lm/Checkpoint.h"
#include "examples/char-lm/Commands.h"
#include "examples/char-lm/Data.h"
#include "examples/char-lm/Progress.h"

#include "aft/pretrained.h"
#include "aft/profile.h"

#include <ATen/ATen.h>

#include <atomic>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <iostream>
#include <optional>
#include <sstream>
#include <stdexcept>

using namespace charlm;

/// Held-out bytes that one measurement looks at.
static constexpr int64_t kMeasuredBytes = 100000;

static std::atomic<bool> interrupted{false};

static void onInterrupt(int) { interrupted = true; }

/// Held-out bits per byte, over at most kMeasuredBytes bytes.
static double measure(const aft::Compiled<at::Tensor> &forward, const Data &data,
                      const Options &options) {
  double nats = 0;
  int64_t bytes = 0, total = std::min(kMeasuredBytes, data.heldOutBytes());
  Progress progress("measuring", 0, total, options.plain, /*patience=*/2);
  for (int64_t index = 0; bytes < kMeasuredBytes; ++index) {
    auto [ids, targets] = data.heldOut(options.batch, index);
    if (!ids.defined())
      break;
    double loss = lossOf(forward(ids).to(at::kFloat), targets).item<double>();
    nats += loss * static_cast<double>(targets.numel());
    bytes += targets.numel();
    progress.update(std::min(bytes, total), "held-out bytes");
  }
  progress.erase();
  return bits(nats / static_cast<double>(bytes));
}

static std::string noteOf(double loss, double tokensPerSecond) {
  char note[80];
  std::snprintf(note, sizeof note, "%.3f bits/char, %.0f tokens/s", loss, tokensPerSecond);
  return note;
}

/// Runs the steps from the one that `training` stands at, all but the first under
/// the profile where there is one. False: interrupted.
static bool runSteps(const Options &options, const Data &data, aft::nn::LanguageModel model,
                     const aft::CompiledTraining &training, aft::Profile *profile) {
  int64_t first = training.steps();
  std::optional<aft::Profile::Scope> scope;
  Progress progress("training", first, options.steps, options.plain);
  double smooth = -1;
  for (int64_t step = first; step < options.steps; ++step) {
    auto [ids, targets] = data.batch(options.batch, static_cast<uint64_t>(options.seed), step);
    training.setLearningRate(learningRateAt(options, step));
    // The first step finds nothing in the caches and its memory unmapped.
    if (profile && step == first + 1)
      scope.emplace(*profile);
    double loss = bits(training(ids, targets).item<double>());
    if (!std::isfinite(loss)) {
      progress.finish();
      throw std::runtime_error("the loss of step " + std::to_string(step + 1) +
                               " is not a number; a smaller --lr may help. The last checkpoint "
                               "is as it was");
    }
    smooth = smooth < 0 ? loss : 0.95 * smooth + 0.05 * loss;
    int64_t done = step + 1;
    double tokens = static_cast<double>((done - first) * ids.numel());
    progress.update(done, noteOf(smooth, tokens / std::max(progress.seconds(), 1e-9)));
    if (interrupted || (done % options.checkpointEvery == 0 && done < options.steps))
      saveCheckpoint(options, model, training);
    if (interrupted) {
      progress.finish();
      std::printf("interrupted after step %lld; go on with --resume\n",
                  static_cast<long long>(done));
      return false;
    }
  }
  progress.finish();
  return true;
}

/// Writes what the flags ask for about the steps that were measured.
static void writeMeasured(const Options &options, const aft::CompiledTraining &training,
                          const aft::Profile &profile) {
  auto require = [](const aft::Status &status) {
    if (!status.ok())
      throw std::runtime_error(status.message);
  };
  if (!options.trace.empty()) {
    require(profile.writeTrace(options.trace));
    std::printf("timeline: %s\n", options.trace.c_str());
  }
  if (!options.report.empty()) {
    require(aft::writeReport(options.report, training.program(), &profile));
    std::printf("report: %s\n", options.report.c_str());
  }
}

/// Begins with a Transformer's weights and says which.
static void initialize(aft::nn::LanguageModel model, const Options &options) {
  std::vector<std::string> without;
  std::istringstream names(options.initWithout);
  for (std::string name; std::getline(names, name, ',');)
    without.push_back(name);
  std::cout << "weights: " << options.initFrom << "\n"
            << aft::nn::initializeFrom(model, options.initFrom,
                                       aft::nn::InitializeOptions().without(without))
            << std::flush;
}

/// Finds out before the training whether its results can be written after it.
static void checkOutputs(const Options &options) {
  prepareModelDir(options);
  for (const std::string &file : {options.report, options.trace})
    if (!file.empty())
      requireWritable(file);
}

int charlm::train(const Options &options) {
  Data data(options.data, options.context);
  std::printf("data: %s, %lld bytes to train on, %lld held out\n", options.data.c_str(),
              static_cast<long long>(data.trainingBytes()),
              static_cast<long long>(data.heldOutBytes()));
  checkOutputs(options);
  if (options.resume)
    requireCheckpoint(options);
  aft::nn::LanguageModel model = makeModel(options);
  int64_t parameters = 0;
  for (const at::Tensor &parameter : model->parameters())
    parameters += parameter.numel();
  std::printf("model: %lld layers, d %lld, T %lld, mixer %s, %.2f M parameters, %s\n",
              static_cast<long long>(options.layers), static_cast<long long>(options.dim),
              static_cast<long long>(options.context), options.mixer.c_str(),
              static_cast<double>(parameters) / 1e6, options.dtype.c_str());
  std::fflush(stdout);
  if (!options.initFrom.empty())
    initialize(model, options);

  auto [ids, targets] = data.batch(options.batch, static_cast<uint64_t>(options.seed), 0);
  model->train();
  auto training = aft::compileTraining(model, lossOf, optimizerOptions(options), {ids, targets},
                                       compileOptions(options));
  training.setSeed(options.seed);
  model->eval();
  auto forward = aft::compile(model, {ids}, compileOptions(options));
  model->train();
  std::printf("compiled the training step in %.0f ms%s (%d kernels for %d launches)\n",
              training.stats().milliseconds, training.stats().fromCache ? ", from cache" : "",
              training.stats().kernels, training.stats().launches);
  if (options.resume) {
    loadCheckpoint(options, model, &training);
    std::printf("resumed after step %lld\n", static_cast<long long>(training.steps()));
  }
  std::printf("held out before: %.3f bits/char\n", measure(forward, data, options));
  std::fflush(stdout);

  std::signal(SIGINT, onInterrupt);
  std::signal(SIGTERM, onInterrupt);
  bool measured = !options.trace.empty() || !options.report.empty();
  aft::Profile profile(options.trace.empty() ? 0 : aft::Profile::kMostSlices);
  bool completed = runSteps(options, data, model, training, measured ? &profile : nullptr);
  if (completed)
    saveCheckpoint(options, model, training);
  writeMeasured(options, training, profile);
  if (!completed)
    return 130;
  // What is to come writes nothing that an interruption could spoil.
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
  training.fetch();
  std::printf("held out after: %.3f bits/char\n", measure(forward, data, options));
  std::printf("checkpoint: %s\n", checkpointPath(options.modelDir).c_str());
  return 0;
}
