//===- torch.h - Compile LibTorch modules, for inference and training -----===//
// aft::compile captures what a C++ module computes on example inputs, at the level of the operators
// its author called, and compiles it. The result takes inputs of any batch size and length (see
// CompileModuleOptions::dynamic), reads the module's own parameters at every call, and runs where
// these are: on the CPU or on a GPU, where all inputs must be, too. Errors are c10::Error.
//
//   auto model = aft::nn::LanguageModel();
//   auto compiled = aft::compile(model, {ids});
//   torch::Tensor logits = compiled(ids);
//
//   auto step = aft::compileTraining(
//       model,
//       [](torch::Tensor logits, torch::Tensor targets) {
//         return torch::cross_entropy_loss(logits.flatten(0, 1), targets.flatten());
//       },
//       torch::optim::AdamWOptions(3e-3), {ids, targets});
//   torch::Tensor loss = step(ids, targets); // forward, reverse and AdamW

#ifndef AFT_TORCH_H
#define AFT_TORCH_H

#include "aft/program.h"

#include <torch/nn/module.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/optim/adamw.h>

#include <functional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace aft {

struct CompileModuleOptions {
  /// Threads, CPU, cache and dumps, as for any program.
  CompileOptions compile;
  /// Dimensions 0 and 1 of every example input of rank 2 or more, and dimension
  /// 0 of those of rank 1, may change from call to call: the module is captured
  /// at two sizes and compared. A dimension that the module needs fixed stays
  /// so. false: the example's sizes only.
  bool dynamic = true;
  /// Of the program in messages and reports; empty: the module's class.
  std::string name;
  /// Names of the inputs in artifacts and messages of the program; those without one are
  /// "input.0", "input.1", …
  std::vector<std::string> inputNames;
  /// Results that become inputs of the next call, as (result, input): the state that a
  /// session of the saved artifact keeps (see aft/aft.h).
  std::vector<std::pair<int, int>> state;
  /// For programs that run on a GPU (compile.target "cuda") while the module's tensors are on
  /// the host: keeps there what calls have in common, so that inputs and results alone are
  /// copied at each. Parameters and buffers are copied when they are first used, and again
  /// where LibTorch counts a change since (not one through data_ptr() or .data()); results
  /// of `state` are not copied: see CompiledModule::fetch. A training step works on its own
  /// copy of the parameters: see TrainingModule::fetch.
  bool resident = false;
};

/// What a saved module holds besides its code and its parameters.
struct SaveModuleOptions {
  /// In a file NAME.safetensors beside NAME.so instead of inside.
  bool weightsBeside = false;
  /// The state before the first step, one tensor per pair of
  /// CompileModuleOptions::state; none: zeros.
  std::vector<at::Tensor> initialState;
};

/// What the update of a training step is made with; converts from LibTorch's.
struct OptimizerOptions {
  OptimizerOptions() = default;
  OptimizerOptions(const torch::optim::AdamWOptions &adamw)
      : lr(adamw.lr()), beta1(std::get<0>(adamw.betas())), beta2(std::get<1>(adamw.betas())),
        eps(adamw.eps()), weightDecay(adamw.weight_decay()) {}
  double lr = 1e-3, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weightDecay = 0.01;
  /// Largest global norm of the gradients; 0: no clipping.
  double clipNorm = 0;
};

using Tensors = std::vector<at::Tensor>;
/// A computation to capture: inputs to results.
using Computation = std::function<Tensors(const Tensors &)>;

/// A captured and compiled computation; copies share it. Calls from several
/// threads at once are safe.
class AFT_API CompiledModule {
public:
  /// Inputs as the examples but for the dynamic dimensions.
  Tensors run(const Tensors &inputs) const;
  /// A result of CompileModuleOptions::state that stayed on a GPU, which is a tensor of the
  /// device "meta", without numbers: those. Other tensors are returned as they are.
  at::Tensor fetch(const at::Tensor &state) const;
  /// Scratch memory that such a call takes, in bytes.
  int64_t scratchBytes(const Tensors &inputs) const;
  const CompileStats &stats() const;
  /// The compiled program, for aft/report.h.
  const Program &program() const;
  /// The captured program as MLIR text.
  const std::string &text() const;
  /// Writes an artifact with the parameters as they are now, which runs without
  /// LibTorch and the compiler: Program::load, or aft/aft.h from C.
  void save(const std::string &path, const SaveModuleOptions &options = {}) const;

  struct AFT_HIDDEN Impl;
  explicit CompiledModule(std::shared_ptr<Impl> impl) : impl(std::move(impl)) {}

private:
  std::shared_ptr<Impl> impl;
};

/// A compiled training step. It updates the module's parameters in place; calls
/// must not overlap.
class AFT_API TrainingModule {
public:
  /// One step on a batch; the loss before the update.
  at::Tensor run(const Tensors &inputs) const;
  /// With CompileModuleOptions::resident: brings the module's parameters up to date, which
  /// otherwise stay as they were before the steps. To be called before they are read or
  /// changed; state() and save() do.
  void fetch() const;
  /// Scratch memory that a step takes besides parameters, moments and inputs, in bytes.
  int64_t scratchBytes(const Tensors &inputs) const;

  /// Of the steps to come; an error where it is negative or not finite, and then the old one stays.
  void setLearningRate(double lr) const;
  double learningRate() const;
  /// Steps done so far.
  int64_t steps() const;
  /// Of the dropout masks; together with the step's number it fixes them.
  void setSeed(int64_t seed) const;

  /// Everything but the parameters that the next step depends on: the moments
  /// "m.NAME" and "v.NAME" and the number of steps "step".
  std::vector<std::pair<std::string, at::Tensor>> state() const;
  /// Takes over such a state; an error names what is missing or has another
  /// shape, and nothing has changed then.
  void loadState(const std::vector<std::pair<std::string, at::Tensor>> &state) const;

  const CompileStats &stats() const;
  /// The compiled program, for aft/report.h.
  const Program &program() const;
  const std::string &text() const;
  /// Writes an artifact of the step (entry `train_step`), whose sessions go on from the
  /// parameters and moments as they are now; the learning rate is its argument `lr`.
  void save(const std::string &path, const SaveModuleOptions &options = {}) const;

  struct AFT_HIDDEN Impl;
  explicit TrainingModule(std::shared_ptr<Impl> impl) : impl(std::move(impl)) {}

private:
  std::shared_ptr<Impl> impl;
};

/// Captures `computation`, which may use the parameters and buffers of `module`.
AFT_API CompiledModule compileComputation(torch::nn::Module &module, const Computation &computation,
                                          const Tensors &examples,
                                          const CompileModuleOptions &options = {});

/// The same for a computation whose first result is the loss.
AFT_API TrainingModule compileTrainingComputation(torch::nn::Module &module,
                                                  const Computation &loss,
                                                  const OptimizerOptions &optimizer,
                                                  const Tensors &examples,
                                                  const CompileModuleOptions &options = {});

struct ImportOptions {
  /// Threads, CPU, cache and dumps, as for any program.
  CompileOptions compile;
  /// What the inputs of a TorchScript file are, which it does not say itself;
  /// kDynamic: that size may change from call to call.
  std::vector<TensorType> inputs;
};

/// Compiles the model of a file: a .pt2 that torch.export.save wrote, with its
/// dynamic dimensions, or a .pt that torch.jit.save wrote. Inputs and results are
/// in the order in which Python flattens them. Nothing in the file is run as
/// code: its operators are those that a module may call, and all else is refused.
AFT_API CompiledModule importModel(const std::string &path, const ImportOptions &options = {});

//===----------------------------------------------------------------------===//
// The same with the types of the module's own forward
//===----------------------------------------------------------------------===//

namespace detail {

inline Tensors toTensors(const at::Tensor &tensor) { return {tensor}; }
inline Tensors toTensors(const Tensors &tensors) { return tensors; }
template <typename... Ts> Tensors toTensors(const std::tuple<Ts...> &tuple) {
  return std::apply([](const Ts &...parts) { return Tensors{parts...}; }, tuple);
}

template <typename R> struct FromTensors;
template <> struct FromTensors<at::Tensor> {
  static at::Tensor make(const Tensors &tensors) { return tensors.at(0); }
};
template <> struct FromTensors<Tensors> {
  static Tensors make(const Tensors &tensors) { return tensors; }
};
template <typename... Ts> struct FromTensors<std::tuple<Ts...>> {
  static std::tuple<Ts...> make(const Tensors &tensors) {
    return make(tensors, std::index_sequence_for<Ts...>());
  }
  template <size_t... I>
  static std::tuple<Ts...> make(const Tensors &tensors, std::index_sequence<I...>) {
    return {tensors.at(I)...};
  }
};

/// Result and number of arguments of a module's forward.
template <typename R, size_t count> struct Forward {
  using Result = R;
  static constexpr size_t arity = count;
};
template <typename F> struct ForwardOf;
template <typename M, typename R, typename... Args>
struct ForwardOf<R (M::*)(Args...)> : Forward<R, sizeof...(Args)> {};
template <typename M, typename R, typename... Args>
struct ForwardOf<R (M::*)(Args...) const> : Forward<R, sizeof...(Args)> {};

template <typename M> struct ModuleForward : ForwardOf<decltype(&M::forward)> {};
template <> struct ModuleForward<torch::nn::SequentialImpl> : Forward<at::Tensor, 1> {};

template <typename M, size_t... I> constexpr bool takes(std::index_sequence<I...>) {
  return requires(M &module, const Tensors &inputs) { module.forward(inputs.at(I)...); };
}

/// Calls forward with the first `count` inputs; its further arguments have
/// their defaults.
template <typename R, typename M, size_t... I>
R callForward(M &module, const Tensors &inputs, size_t count, std::index_sequence<I...> all) {
  constexpr size_t arity = sizeof...(I);
  if constexpr (arity > 0)
    if (count < arity)
      return callForward<R>(module, inputs, count, std::make_index_sequence<arity - 1>());
  if constexpr (takes<M>(all))
    if (count == arity)
      return module.forward(inputs.at(I)...);
  TORCH_CHECK(false, "the module's forward cannot be called with ", count,
              " tensors; use compileComputation");
}

/// The module behind a holder or a pointer.
template <typename Holder>
using ModuleType = std::remove_cvref_t<decltype(*std::declval<const Holder &>())>;
template <typename Holder> ModuleType<Holder> &moduleOf(const Holder &holder) {
  // A constant holder gives a constant module, whose forward is not constant.
  return const_cast<ModuleType<Holder> &>(*holder);
}

/// How many inputs a loss takes besides the module's result.
template <typename Loss, typename R> constexpr size_t lossInputs() {
  if (std::is_invocable_v<Loss, R>)
    return 0;
  return std::is_invocable_v<Loss, R, at::Tensor> ? 1 : 2;
}

} // namespace detail

/// CompiledModule with the module's types: compiled(x) gives what
/// module->forward(x) gives.
template <typename R> class Compiled : public CompiledModule {
public:
  explicit Compiled(CompiledModule module) : CompiledModule(std::move(module)) {}
  template <typename... Inputs> R operator()(const Inputs &...inputs) const {
    return detail::FromTensors<R>::make(run({inputs...}));
  }
};

/// TrainingModule as a callable: step(inputs...) gives the loss.
class CompiledTraining : public TrainingModule {
public:
  explicit CompiledTraining(TrainingModule module) : TrainingModule(std::move(module)) {}
  template <typename... Inputs> at::Tensor operator()(const Inputs &...inputs) const {
    return run({inputs...});
  }
};

/// Compiles module->forward. `module`: a module holder or std::shared_ptr. With
/// fewer examples than forward has arguments the others have their defaults. For
/// a forward that is overloaded or a template use compileComputation.
template <typename Holder>
auto compile(const Holder &module, const Tensors &examples,
             const CompileModuleOptions &options = {}) {
  using M = detail::ModuleType<Holder>;
  using F = detail::ModuleForward<M>;
  M &target = detail::moduleOf(module);
  return Compiled<typename F::Result>(compileComputation(
      target,
      [&target](const Tensors &inputs) {
        return detail::toTensors(detail::callForward<typename F::Result>(
            target, inputs, inputs.size(), std::make_index_sequence<F::arity>()));
      },
      examples, options));
}

/// Compiles a training step: the loss is loss(module->forward(first inputs),
/// remaining inputs...), with as many remaining inputs as the loss takes: 0 to 2.
template <typename Holder, typename Loss>
CompiledTraining compileTraining(const Holder &module, Loss loss,
                                 const OptimizerOptions &optimizer, const Tensors &examples,
                                 const CompileModuleOptions &options = {}) {
  using M = detail::ModuleType<Holder>;
  using F = detail::ModuleForward<M>;
  M &target = detail::moduleOf(module);
  using R = typename F::Result;
  Computation computation = [&target, loss](const Tensors &inputs) -> Tensors {
    constexpr size_t extra = detail::lossInputs<Loss, R>();
    TORCH_CHECK(inputs.size() >= extra, "the loss needs ", extra, " inputs, found ",
                inputs.size());
    R output = detail::callForward<R>(target, inputs, inputs.size() - extra,
                                      std::make_index_sequence<F::arity>());
    Tensors rest(inputs.end() - extra, inputs.end());
    if constexpr (extra == 0)
      return {loss(output)};
    else if constexpr (extra == 1)
      return {loss(output, rest[0])};
    else
      return {loss(output, rest[0], rest[1])};
  };
  return CompiledTraining(
      compileTrainingComputation(target, computation, optimizer, examples, options));
}

} // namespace aft

#endif // AFT_TORCH_H
