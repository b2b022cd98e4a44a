//===- LanguageModel.cpp - The transformer block and the language model ---===//

#include "aft/nn.h"
#include "frontends/torch/nn/Clone.h"
#include "frontends/torch/nn/Options.h"

#include <ATen/ATen.h>

using namespace aft::nn;
using torch::Tensor;

BlockImpl::BlockImpl(const std::string &kind, const MixerOptions &options, double p)
    : BlockImpl(makeLayer(kind, options), p) {}

BlockImpl::BlockImpl(std::shared_ptr<AFTLayer> layer, double p)
    : mixer(register_module("mixer", std::move(layer))),
      norm1(register_module(
          "norm1", torch::nn::LayerNorm(torch::nn::LayerNormOptions({mixer->options.dim()})))),
      norm2(register_module(
          "norm2", torch::nn::LayerNorm(torch::nn::LayerNormOptions({mixer->options.dim()})))),
      up(register_module("up", torch::nn::Linear(mixer->options.dim(), 4 * mixer->options.dim()))),
      down(register_module("down",
                           torch::nn::Linear(4 * mixer->options.dim(), mixer->options.dim()))),
      dropout(register_module("dropout", torch::nn::Dropout(p))) {}

std::shared_ptr<torch::nn::Module> BlockImpl::clone(const Device &device) const {
  auto layer = std::dynamic_pointer_cast<AFTLayer>(mixer->clone(device));
  return copied(*this, std::shared_ptr<BlockImpl>(new BlockImpl(layer, dropout->options.p())),
                device);
}

void BlockImpl::clone_(torch::nn::Module &other, const Device &device) {
  copyInto(other, *this, device);
}

Tensor BlockImpl::feedForward(Tensor x) { return down(at::gelu(up(norm2(x)))); }

Tensor BlockImpl::forward(Tensor x) {
  x = x + dropout(mixer->forward(norm1(x)));
  return x + dropout(feedForward(x));
}

Tensor BlockImpl::step(Tensor x, Tensor positions, MixerState &state) {
  x = x + mixer->step(norm1(x), positions, state);
  return x + feedForward(x);
}

static MixerOptions mixerOptions(const LanguageModelOptions &options) {
  return MixerOptions(options.dim())
      .context(options.context())
      .rank(options.rank())
      .window(options.window())
      .heads(options.heads())
      .filter(options.window())
      .causal(true)
      .plain(options.plain());
}

/// The rest is checked by the layers, which a model may have none of.
static LanguageModelOptions checked(LanguageModelOptions options) {
  checkAtLeast("LanguageModel", "vocabulary", options.vocabulary(), 1);
  checkAtLeast("LanguageModel", "layers", options.layers(), 0);
  checkAtLeast("LanguageModel", "dim", options.dim(), 1);
  checkAtLeast("LanguageModel", "context", options.context(), 1);
  return options;
}

LanguageModelImpl::LanguageModelImpl(LanguageModelOptions opts)
    : options(checked(std::move(opts))),
      tokens(register_module("tokens", torch::nn::Embedding(options.vocabulary(), options.dim()))),
      dropout(register_module("dropout", torch::nn::Dropout(options.dropout()))),
      blocks(register_module("blocks", torch::nn::ModuleList())),
      norm(register_module("norm", torch::nn::LayerNorm(
                                       torch::nn::LayerNormOptions({options.dim()})))),
      head(register_module("head", torch::nn::Linear(options.dim(), options.vocabulary()))) {
  at::NoGradGuard guard;
  // Embeddings of unit variance would drown the blocks' first outputs.
  tokens->weight.normal_(0, 0.02);
  positions = register_parameter("positions",
                                 at::randn({options.context(), options.dim()}) * 0.02);
  for (int64_t layer = 0; layer < options.layers(); ++layer)
    blocks->push_back(Block(options.mixer(), mixerOptions(options), options.dropout()));
}

std::shared_ptr<torch::nn::Module> LanguageModelImpl::clone(const Device &device) const {
  return copied(*this, std::make_shared<LanguageModelImpl>(options), device);
}

void LanguageModelImpl::clone_(torch::nn::Module &other, const Device &device) {
  copyInto(other, *this, device);
}

Tensor LanguageModelImpl::forward(Tensor ids) {
  int64_t length = ids.size(1);
  TORCH_CHECK(length <= options.context(), "the model was made for at most ",
              options.context(), " positions (context), found ", length);
  Tensor x = dropout(tokens(ids) + positions.slice(0, 0, length));
  for (const auto &block : *blocks)
    x = block->as<BlockImpl>()->forward(x);
  return head(norm(x));
}

std::vector<Tensor> LanguageModelImpl::initialState(int64_t batch) const {
  std::vector<Tensor> all;
  for (const auto &block : *blocks)
    for (Tensor &part : block->as<BlockImpl>()->mixer->initialState(batch))
      all.push_back(std::move(part));
  return all;
}

std::vector<Tensor> LanguageModelImpl::step(const std::vector<Tensor> &inputs) {
  size_t perLayer = blocks->size() ? (inputs.size() - 2) / blocks->size() : 0;
  Tensor where = inputs[1];
  Tensor x = tokens(inputs[0]) + at::embedding(positions, where);
  std::vector<Tensor> results(1);
  auto next = inputs.begin() + 2;
  for (const auto &block : *blocks) {
    MixerState state(next, next + perLayer);
    next += perLayer;
    x = block->as<BlockImpl>()->step(x, where, state);
    results.insert(results.end(), state.begin(), state.end());
  }
  results[0] = head(norm(x.select(1, -1)));
  return results;
}
