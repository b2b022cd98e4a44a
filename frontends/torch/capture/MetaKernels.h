//===- MetaKernels.h - Shapes without numbers -----------------------------===//

#ifndef AFT_TORCH_CAPTURE_METAKERNELS_H
#define AFT_TORCH_CAPTURE_METAKERNELS_H

#include "frontends/torch/capture/Trace.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/stack.h>

namespace aft::capture {

/// Whether the results are new tensors that only depend on tensor arguments.
bool isPure(const c10::FunctionSchema &schema, const Call &call);

/// On the CPU, of the shape and strides of `like`. Its memory is cleared as it lies: an expanded
/// dimension may have more places than could ever be visited.
at::Tensor zeroed(const at::Tensor &like);

/// Runs the operator's meta kernel in place of the operator. What is changed in
/// place stays as it is, for its numbers are undefined before and after; false
/// where that is not all, or there is no such kernel.
bool runMeta(const c10::OperatorHandle &op, const Call &call, torch::jit::Stack *stack);

} // namespace aft::capture

#endif // AFT_TORCH_CAPTURE_METAKERNELS_H
