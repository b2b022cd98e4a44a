//===- BenchModels.cpp - The models that are measured ---------------------===//

#include "frontends/torch/bench/BenchModels.h"

#include "frontends/torch/bench/Arrays.h"

#include <ATen/ATen.h>

using namespace aft::bench;

/// Takes over the weights of files and the element type.
static void finishModel(const Options &o, torch::nn::Module &model) {
  at::NoGradGuard guard;
  if (!o.inputs.empty())
    for (auto &parameter : model.named_parameters())
      parameter.value().copy_(
          readTensor(o.inputs, parameter.key(), parameter->sizes().vec(), at::kFloat));
  if (o.dtype == "bf16")
    model.to(at::kBFloat16);
}

aft::nn::LanguageModel aft::bench::makeLanguageModel(const Options &o) {
  nn::LanguageModel model(nn::LanguageModelOptions()
                              .vocabulary(o.vocab)
                              .layers(o.layers)
                              .dim(o.dim)
                              // Decoding is captured after some positions.
                              .context(std::max<int64_t>(o.length, 64))
                              .mixer(o.mixer)
                              .window(o.window)
                              .rank(o.rank)
                              .heads(o.mixer == "conv" ? o.heads : 1)
                              .dropout(0));
  finishModel(o, *model);
  return model;
}

aft::nn::ImageClassifier aft::bench::makeImageClassifier(const Options &o) {
  nn::ImageClassifier model(nn::ImageClassifierOptions()
                                .image(o.image)
                                .classes(o.vocab)
                                .layers(o.layers)
                                .dim(o.dim)
                                .mixer(o.mixer)
                                .rank(o.rank)
                                .heads(o.mixer == "conv" ? o.heads : 1)
                                .filter(o.window));
  // The filters begin as zeros, which is not what a trained model has.
  at::NoGradGuard guard;
  for (auto &parameter : model->named_parameters())
    if (parameter.key().ends_with(".gamma") || parameter.key().ends_with(".beta"))
      parameter.value().normal_(0, 0.5);
  finishModel(o, *model);
  return model;
}

static void copyParameters(const torch::nn::Module &from, torch::nn::Module &to,
                           at::ScalarType dtype) {
  to.to(dtype);
  to.train(from.is_training());
  auto source = from.named_parameters();
  for (auto &target : to.named_parameters())
    target.value().copy_(source[target.key()]);
}

aft::nn::LanguageModel aft::bench::plainCopy(nn::LanguageModel model,
                                             std::optional<at::ScalarType> dtype) {
  at::NoGradGuard guard;
  nn::LanguageModelOptions options = model->options;
  nn::LanguageModel copy(options.plain(true));
  copyParameters(*model, *copy, dtype.value_or(model->head->weight.scalar_type()));
  return copy;
}

aft::nn::ImageClassifier aft::bench::plainCopy(nn::ImageClassifier model,
                                               std::optional<at::ScalarType> dtype) {
  at::NoGradGuard guard;
  nn::ImageClassifier copy(model->options);
  for (const auto &block : *copy->blocks)
    block->as<nn::BlockImpl>()->mixer->options.plain(true);
  copyParameters(*model, *copy, dtype.value_or(model->head->weight.scalar_type()));
  return copy;
}

double aft::bench::parameterBytes(const torch::nn::Module &model) {
  double bytes = 0;
  for (const at::Tensor &parameter : model.parameters())
    bytes += static_cast<double>(parameter.nbytes());
  return bytes;
}
