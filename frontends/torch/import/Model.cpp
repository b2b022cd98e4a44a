//===- Model.cpp - A model from a file, ready to be captured --------------===//

#include "frontends/torch/import/Model.h"

#include <ATen/ATen.h>

using namespace aft;
using namespace aft::import;

/// Modules inside modules deeper than this are refused.
static constexpr int kDeepest = 64;
/// More numbers than this in one input are refused.
static constexpr int64_t kLargest = int64_t(1) << 30;

namespace {
struct Part : torch::nn::Module {};
} // namespace

States::States() : root(std::make_shared<Part>()) {}

void States::add(const std::string &path, const at::Tensor &tensor, bool isParameter) {
  std::shared_ptr<torch::nn::Module> owner = root;
  size_t begin = 0;
  int depth = 0;
  for (size_t dot = path.find('.'); dot != std::string::npos; dot = path.find('.', begin)) {
    TORCH_CHECK(++depth < kDeepest, "has modules inside modules too deeply");
    std::string name = path.substr(begin, dot - begin);
    auto children = owner->named_children();
    auto *known = children.find(name);
    std::shared_ptr<torch::nn::Module> child = known ? *known : std::make_shared<Part>();
    owner = known ? child : owner->register_module(name, child);
    begin = dot + 1;
  }
  std::string name = path.substr(begin);
  if (isParameter)
    owner->register_parameter(name, tensor, tensor.requires_grad());
  else
    owner->register_buffer(name, tensor);
}

at::Tensor aft::import::exampleOf(const std::vector<int64_t> &sizes, at::ScalarType type) {
  int64_t count = 1;
  for (int64_t size : sizes)
    TORCH_CHECK(size >= 0 && !__builtin_mul_overflow(count, size, &count) && count <= kLargest,
                "has an input with the sizes ", at::IntArrayRef(sizes), ", which is too large");
  return at::zeros(sizes, type);
}
