//===- Model.cpp - The language model of char-lm --------------------------===//

#include "examples/char-lm/Model.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numbers>

using namespace charlm;

aft::nn::LanguageModel charlm::makeModel(const Options &options, bool plain) {
  torch::manual_seed(static_cast<uint64_t>(options.seed));
  aft::nn::LanguageModel model(aft::nn::LanguageModelOptions()
                                   .layers(options.layers)
                                   .dim(options.dim)
                                   .context(options.context)
                                   .mixer(options.mixer)
                                   .window(options.window)
                                   .rank(options.rank)
                                   .dropout(options.dropout)
                                   .plain(plain));
  if (options.dtype == "bf16")
    model->to(at::kBFloat16);
  return model;
}

at::Tensor charlm::lossOf(at::Tensor logits, at::Tensor targets) {
  return at::cross_entropy_loss(logits.flatten(0, 1), targets.flatten());
}

double charlm::bits(double nats) { return nats / std::numbers::ln2; }

aft::CompileModuleOptions charlm::compileOptions(const Options &options) {
  aft::CompileModuleOptions result;
  result.compile.threads = static_cast<int>(options.threads);
  result.compile.target = options.target;
  if (options.f32Products == "tf32")
    result.compile.f32Products = aft::F32Products::tf32;
  result.resident = true; // where the target is a GPU
  result.compile.tune = options.tune;
  result.compile.memory = options.memory == "low" ? aft::Memory::low : aft::Memory::normal;
  return result;
}

aft::OptimizerOptions charlm::optimizerOptions(const Options &options) {
  aft::OptimizerOptions result;
  result.lr = options.learningRate;
  result.weightDecay = options.weightDecay;
  result.clipNorm = options.clip;
  return result;
}

/// Steps of linear warm-up.
static constexpr double kWarmUp = 50;
/// From this step on the rate falls with the root of their number.
static constexpr double kSteady = 150;

double charlm::learningRateAt(const Options &options, int64_t step) {
  double number = static_cast<double>(step + 1);
  return options.learningRate * std::min({1.0, number / kWarmUp, std::sqrt(kSteady / number)});
}

aft::CompiledModule charlm::compileDecode(aft::nn::LanguageModel model,
                                          const aft::CompileModuleOptions &options) {
  model->eval();
  // Two sequences and three positions after the first: different, so that both
  // may change. Full keeps all earlier keys, of which there must be some.
  at::NoGradGuard noGradients;
  int64_t batch = 2, seen = 1, chunk = std::min<int64_t>(3, model->options.context() - seen);
  aft::Tensors inputs = {at::zeros({batch, seen}, at::kLong), at::arange(seen, at::kLong)};
  for (at::Tensor &part : model->initialState(batch))
    inputs.push_back(std::move(part));
  aft::Tensors state = model->step(inputs);
  aft::Tensors examples = {at::zeros({batch, chunk}, at::kLong),
                           at::arange(seen, seen + chunk, at::kLong)};
  examples.insert(examples.end(), state.begin() + 1, state.end());
  aft::CompileModuleOptions named = options;
  named.inputNames = {"ids", "places"};
  for (int i = 1; i < static_cast<int>(state.size()); ++i) {
    named.inputNames.push_back("state." + std::to_string(i - 1));
    named.state.emplace_back(i, i + 1);
  }
  return aft::compileComputation(
      *model, [model](const aft::Tensors &inputs) mutable { return model->step(inputs); }, examples,
      named);
}
