//===- ImageClassifier.cpp - The paper's image classifier -----------------===//

#include "aft/nn.h"
#include "frontends/torch/nn/Clone.h"
#include "frontends/torch/nn/Options.h"

#include <ATen/ATen.h>

using namespace aft::nn;
using torch::Tensor;

/// The rest is checked by the layers, which a model may have none of.
static ImageClassifierOptions checked(ImageClassifierOptions options) {
  checkAtLeast("ImageClassifier", "image", options.image(), 1);
  checkAtLeast("ImageClassifier", "patch", options.patch(), 1);
  checkAtLeast("ImageClassifier", "classes", options.classes(), 1);
  checkAtLeast("ImageClassifier", "layers", options.layers(), 0);
  checkAtLeast("ImageClassifier", "dim", options.dim(), 1);
  return options;
}

ImageClassifierImpl::ImageClassifierImpl(ImageClassifierOptions opts)
    : options(checked(std::move(opts))),
      embed(register_module(
          "embed", torch::nn::Linear(3 * options.patch() * options.patch(), options.dim()))),
      blocks(register_module("blocks", torch::nn::ModuleList())),
      norm(register_module("norm", torch::nn::LayerNorm(
                                       torch::nn::LayerNormOptions({options.dim()})))),
      head(register_module("head", torch::nn::Linear(options.dim(), options.classes()))) {
  bool conv = options.mixer() == "conv";
  TORCH_CHECK(conv || options.mixer() == "full",
              "ImageClassifier's mixer must be full or conv, found '", options.mixer(), "'");
  TORCH_CHECK(options.image() % options.patch() == 0, "the image (", options.image(),
              ") must be a multiple of the patch (", options.patch(), ")");
  int64_t side = options.image() / options.patch(), tokens = side * side + (conv ? 0 : 1);
  MixerOptions mixer = MixerOptions(options.dim())
                           .context(tokens)
                           .rank(options.rank())
                           .heads(options.heads())
                           .filter(options.filter());
  if (conv) {
    mixer.grid({side, side});
  } else {
    classToken = register_parameter("classToken", at::randn({1, 1, options.dim()}) * 0.02);
    positions = register_parameter("positions", at::randn({tokens, options.dim()}) * 0.02);
  }
  for (int64_t layer = 0; layer < options.layers(); ++layer)
    blocks->push_back(Block(options.mixer(), mixer, options.dropout()));
}

std::shared_ptr<torch::nn::Module> ImageClassifierImpl::clone(const Device &device) const {
  return copied(*this, std::make_shared<ImageClassifierImpl>(options), device);
}

void ImageClassifierImpl::clone_(torch::nn::Module &other, const Device &device) {
  copyInto(other, *this, device);
}

void ImageClassifierImpl::resize(int64_t image) {
  TORCH_CHECK(options.mixer() == "conv", "only a conv model runs at another resolution");
  TORCH_CHECK(image > 0 && image % options.patch() == 0, "the image (", image,
              ") must be a positive multiple of the patch (", options.patch(), ")");
  options.image(image);
  int64_t side = image / options.patch();
  for (const auto &block : *blocks)
    block->as<BlockImpl>()->mixer->options.grid({side, side});
}

Tensor ImageClassifierImpl::forward(Tensor images) {
  int64_t patch = options.patch(), side = options.image() / patch;
  TORCH_CHECK(images.dim() == 4 && images.size(1) == 3 && images.size(2) == options.image() &&
                  images.size(3) == options.image(),
              "images must have shape [B, 3, ", options.image(), ", ", options.image(),
              "], found ", images.sizes());
  Tensor patches = images.reshape({-1, 3, side, patch, side, patch})
                       .permute({0, 2, 4, 1, 3, 5})
                       .reshape({-1, side * side, 3 * patch * patch});
  Tensor x = embed(patches);
  bool conv = options.mixer() == "conv";
  if (!conv)
    x = at::cat({classToken.expand({x.size(0), 1, options.dim()}), x}, 1) + positions;
  for (const auto &block : *blocks)
    x = block->as<BlockImpl>()->forward(x);
  x = norm(x);
  return head(conv ? x.mean(1) : x.select(1, 0));
}
