//===- Autograd.h - What the operators' autograd kernels share ------------===//

#ifndef AFT_TORCH_OPS_AUTOGRAD_H
#define AFT_TORCH_OPS_AUTOGRAD_H

#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/csrc/autograd/autograd_not_implemented_fallback.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/autograd/functions/basic_ops.h>

#include <optional>
#include <string>
#include <vector>

namespace aft::ops {

inline std::optional<at::Tensor> optional(const at::Tensor &tensor) {
  return tensor.defined() ? std::optional<at::Tensor>(tensor) : std::nullopt;
}

/// Whether autograd records an operation on these tensors (some undefined).
inline bool needsGradient(std::initializer_list<at::Tensor> tensors) {
  if (!at::GradMode::is_enabled())
    return false;
  for (const at::Tensor &tensor : tensors)
    if (tensor.defined() && tensor.requires_grad())
      return true;
  return false;
}

/// Calls an operator's kernel below autograd.
template <typename Signature, typename... Args>
auto callBelow(const char *name, Args &&...args) {
  auto op = c10::Dispatcher::singleton().findSchemaOrThrow(name, "").template typed<Signature>();
  at::AutoDispatchBelowADInplaceOrView below;
  return op.call(std::forward<Args>(args)...);
}

/// Gradients that cannot be differentiated again; a second derivative is an
/// error instead of silently zero.
inline std::vector<at::Tensor> onceDifferentiable(const std::string &op,
                                                  std::vector<at::Tensor> gradients) {
  if (!at::GradMode::is_enabled())
    return gradients;
  // An edge leads to the error only from what requires a gradient.
  for (at::Tensor &gradient : gradients)
    gradient = gradient.detach().requires_grad_();
  auto error = std::make_shared<torch::autograd::DelayedError>(
      op + " can be differentiated only once", static_cast<int64_t>(gradients.size()));
  return (*error)(std::move(gradients));
}

} // namespace aft::ops

#endif // AFT_TORCH_OPS_AUTOGRAD_H
