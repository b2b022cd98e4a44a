//===- Trace.cpp - The operator calls of one run of a module --------------===//

#include "frontends/torch/capture/Recorder.h"

#include <ATen/ATen.h>
#include <torch/library.h>

using namespace aft;
using namespace aft::capture;

const Arg *Call::arg(const std::string &wanted) const {
  std::optional<int> index = schema->argumentIndexWithName(wanted);
  return index ? &args[*index] : nullptr;
}

/// The recorder of this thread while a module runs.
static thread_local Recorder *active = nullptr;

static void fallback(const c10::OperatorHandle &op, c10::DispatchKeySet, torch::jit::Stack *stack) {
  if (active)
    return active->call(op, stack);
  c10::impl::ExcludeDispatchKeyGuard below(c10::DispatchKey::TESTING_ONLY_GenericMode);
  op.callBoxed(stack);
}

TORCH_LIBRARY_IMPL(_, TESTING_ONLY_GenericMode, m) {
  m.fallback(torch::CppFunction::makeFromBoxedFunction<&fallback>());
}

Trace capture::record(torch::nn::Module &module, const Computation &computation,
                      const Tensors &inputs,
                      const std::function<bool(const std::string &)> &known) {
  TORCH_CHECK(!active, "capture: a module that is being captured compiles another one");
  at::AutoGradMode gradients(true); // so that what a module does without them shows
  Recorder recorder(module, inputs, known);
  struct Activation {
    explicit Activation(Recorder &recorder) { active = &recorder; }
    ~Activation() {
      active = nullptr;
      setPlace(nullptr);
    }
  } activation(recorder);
  Tensors outputs;
  try {
    c10::impl::IncludeDispatchKeyGuard on(c10::DispatchKey::TESTING_ONLY_GenericMode);
    outputs = computation(inputs);
  } catch (const c10::Error &) {
    std::string unknown = recorder.unknown();
    TORCH_CHECK(unknown.empty(), "capture: no rule for the operator ", unknown);
    throw;
  }
  return recorder.finish(outputs);
}
