//===- Clone.cpp - Deep copies of layers and models -----------------------===//

#include "frontends/torch/nn/Clone.h"

#include <ATen/ATen.h>

using namespace aft::nn;
using torch::Tensor;
using torch::nn::Module;
using Tensors = torch::OrderedDict<std::string, Tensor>;

/// Throws c10::Error where a module consists of other parts than one made from its options.
template <typename Item>
static void checkNames(const Module &module, const torch::OrderedDict<std::string, Item> &from,
                       const torch::OrderedDict<std::string, Item> &to) {
  for (const auto &item : from)
    TORCH_CHECK(to.contains(item.key()), "clone: ", module.name(), " got '", item.key(),
                "' after it was made, which a copy made from its options lacks");
  for (const auto &item : to)
    TORCH_CHECK(from.contains(item.key()), "clone: ", module.name(), " has no '", item.key(),
                "', which a copy made from its options has");
}

static void copyTensors(const Module &module, const Tensors &from, const Tensors &to,
                        const Device &device) {
  checkNames(module, from, to);
  for (const auto &item : from) {
    const Tensor &source = item.value();
    Tensor target = to[item.key()];
    TORCH_CHECK(source.defined() == target.defined() &&
                    (!source.defined() || source.sizes() == target.sizes()),
                "clone: '", item.key(), "' of ", module.name(), " is not of the shape that a copy",
                " made from its options has");
    if (!source.defined())
      continue;
    bool moves = device && source.device() != *device;
    // Without an index a device may be the one that the tensor is on.
    target.set_data(moves ? source.detach().to(*device, source.scalar_type(),
                                               /*non_blocking=*/false, /*copy=*/true)
                          : source.detach().clone());
    target.set_requires_grad(source.requires_grad());
  }
}

/// What is set without another module being made.
static void copyOptions(const Module &from, Module &to) {
  if (auto *layer = from.as<AFTLayer>())
    to.as<AFTLayer>()->options = layer->options;
  if (auto *dropout = from.as<torch::nn::DropoutImpl>())
    to.as<torch::nn::DropoutImpl>()->options = dropout->options;
  if (auto *norm = from.as<torch::nn::LayerNormImpl>())
    to.as<torch::nn::LayerNormImpl>()->options = norm->options;
}

void aft::nn::copyInto(const Module &from, Module &to, const Device &device) {
  at::NoGradGuard noGradients;
  TORCH_CHECK(typeid(from) == typeid(to), "clone: ", from.name(), " stands where a copy made from ",
              "options has ", to.name());
  copyTensors(from, from.named_parameters(/*recurse=*/false),
              to.named_parameters(/*recurse=*/false), device);
  copyTensors(from, from.named_buffers(/*recurse=*/false), to.named_buffers(/*recurse=*/false),
              device);
  copyOptions(from, to);
  // Sets all below as well, which are set in their turn.
  to.train(from.is_training());
  auto children = from.named_children(), copies = to.named_children();
  checkNames(from, children, copies);
  for (const auto &child : children)
    copyInto(*child.value(), *copies[child.key()], device);
}
