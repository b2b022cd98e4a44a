//===- Trace.h - The operator calls of one run of a module ----------------===//
// A run of a C++ module is recorded by a fallback of LibTorch's dispatcher,
// which sees every operator at the level its author called: aten::linear, not
// what that is made of. Nothing heavy is computed meanwhile: shapes come from
// the operators' meta kernels, and the numbers of intermediate results are
// undefined.

#ifndef AFT_TORCH_CAPTURE_TRACE_H
#define AFT_TORCH_CAPTURE_TRACE_H

#include "aft/torch.h"

#include <ATen/core/function_schema.h>

#include <memory>
#include <string>
#include <vector>

namespace aft::capture {

/// An argument of a call, as plain data.
struct Arg {
  enum class Kind { None, Value, Values, Int, Ints, Double, Doubles, Bool, Bools, Text, Other };
  Kind kind = Kind::None;
  std::vector<int> values; ///< numbers of traced values, -1 where there is none
  std::vector<int64_t> ints;  ///< of Int, Ints, Bool and Bools
  std::vector<double> doubles;
  std::string text; ///< of Text, and of Other what it was
};

/// A tensor that takes part in a run.
struct TracedValue {
  enum class Source { Input, State, Call };
  Source source = Source::Call;
  int number = 0;    ///< of the input; of the state
  /// Of a call's result only what it is like, once the run is over: on the meta device.
  at::Tensor tensor;
  /// Made of constants only: small, and computed for good. `numbers` is what it
  /// held when something else used it first.
  bool isConstant = false;
  at::Tensor numbers;
  at::ScalarType dtype() const { return tensor.scalar_type(); }
};

/// A tensor from outside: a parameter, a buffer or one that is neither.
struct TracedState {
  std::string name;
  at::Tensor tensor;
  bool isConstant = false; ///< its numbers become part of the program
  bool isParameter = false;
};

/// Its result is the first argument with a part replaced.
constexpr const char *kWriteBack = "write_back";

/// Where a call comes from, as a file tells.
struct Place {
  std::string module; ///< path of the module, "" for the outermost
  std::string source; ///< "file.py:12", or ""
};

/// What a run that replays a file calls from now on, on this thread, is from
/// here; null: unknown.
void setPlace(std::shared_ptr<const Place> place);

struct Call {
  std::string name; ///< "aten::add", or kWriteBack
  const c10::FunctionSchema *schema;
  std::vector<Arg> args;
  std::vector<int> results;
  int written = -1;     ///< the argument changed in place
  /// Of a call that stands for no operator, kWriteBack: the view operator that
  /// `schema` and `args` are of, and the value that what it showed has now.
  std::string view;
  int source = -1;
  std::string refusal;  ///< why it cannot be translated, if its result is needed
  std::string module;   ///< path of the module whose parameter it uses, or ""
  bool usesState = false;
  bool differentiable = true;         ///< false where the module switched gradients off
  std::shared_ptr<const Place> place; ///< where it is known better than by parameters
  /// The argument of this name; null where the schema has none.
  const Arg *arg(const std::string &name) const;
};

struct Trace {
  int inputs = 0; ///< the first values are the inputs, in order
  std::vector<TracedValue> values;
  std::vector<TracedState> states;
  std::vector<Call> calls;
  std::vector<int> outputs;
};

/// Runs `computation` on `inputs` and records it. Errors of the operators and
/// those of the capture itself are c10::Error. `known` tells whether the
/// compiler has a rule for an operator: where a run fails after one without,
/// that one is to blame.
Trace record(torch::nn::Module &module, const Computation &computation, const Tensors &inputs,
             const std::function<bool(const std::string &)> &known);

/// Tensor::contiguous() calls its operator only where it has something to do,
/// which depends on the sizes: a run with an extent of 1 may lack the call.
/// Where nothing is changed in place its result is its argument.
Trace withoutContiguous(Trace trace);

/// "aten::foo in module 'blocks.0', after 'blocks.0.norm1'".
std::string describe(const Trace &trace, size_t call);
/// The path of the innermost module that a call belongs to, as far as the
/// parameters used around it tell; "" for the outermost.
std::string modulePath(const Trace &trace, size_t call);

} // namespace aft::capture

#endif // AFT_TORCH_CAPTURE_TRACE_H
