//===- LanguageModels.cpp - The models that are measured ------------------===//

#include "frontends/torch/bench/LanguageModels.h"

#include <ATen/ATen.h>

using namespace aft::bench;

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
  if (o.dtype == "bf16")
    model->to(at::kBFloat16);
  return model;
}

aft::nn::LanguageModel aft::bench::plainCopy(nn::LanguageModel model,
                                             std::optional<at::ScalarType> dtype) {
  at::NoGradGuard guard;
  nn::LanguageModelOptions options = model->options;
  nn::LanguageModel copy(options.plain(true));
  copy->to(dtype.value_or(model->head->weight.scalar_type()));
  copy->train(model->is_training());
  auto source = model->named_parameters();
  for (auto &target : copy->named_parameters())
    target.value().copy_(source[target.key()]);
  return copy;
}

double aft::bench::parameterBytes(nn::LanguageModel model) {
  double bytes = 0;
  for (const at::Tensor &parameter : model->parameters())
    bytes += static_cast<double>(parameter.nbytes());
  return bytes;
}
