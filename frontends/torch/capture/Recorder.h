//===- Recorder.h - Records the operator calls of a run -------------------===//

#ifndef AFT_TORCH_CAPTURE_RECORDER_H
#define AFT_TORCH_CAPTURE_RECORDER_H

#include "frontends/torch/capture/Trace.h"

#include <ATen/core/dispatch/Dispatcher.h>

#include <functional>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>

namespace aft::capture {

/// Makes a Trace of the calls that it is handed. RecordWrites.cpp has what it does about
/// changes in place.
class Recorder {
public:
  Recorder(torch::nn::Module &module, const Tensors &inputs,
           const std::function<bool(const std::string &)> &known);
  /// Records a call and runs it; one without a rule that is made of others runs
  /// as these.
  void call(const c10::OperatorHandle &op, torch::jit::Stack *stack);
  Trace finish(const Tensors &outputs);
  /// The first operator without a rule, described; "" if all have one.
  std::string unknown() const;

private:
  void nameStates(torch::nn::Module &module);
  void checkFresh(const at::Tensor &tensor);
  int idOf(const at::Tensor &tensor);
  bool isConstant(const c10::OperatorHandle &op, const Call &call) const;
  void keepNumbers(const std::vector<int> &values);
  int addValue(TracedValue::Source source, int number, const at::Tensor &tensor);
  int addState(const at::Tensor &tensor);
  std::optional<int> aliasOf(const at::Tensor &tensor);
  Arg argOf(const c10::IValue &value);
  Call begin(const c10::FunctionSchema &schema, at::ArrayRef<c10::IValue> arguments);
  void checkWrite(Call &call, at::ArrayRef<c10::IValue> arguments);
  void run(const c10::OperatorHandle &op, const Call &call, bool isConstant,
           torch::jit::Stack *stack);
  std::vector<std::pair<size_t, int>> viewsBehind(const at::Tensor &target) const;
  void noteView(size_t place);
  void writeBack(const std::vector<std::pair<size_t, int>> &views, int source, bool isConstant);
  void renew(const at::Tensor &tensor, int id);
  bool sameValue(const at::Tensor &a, const at::Tensor &b);
  void record(const c10::OperatorHandle &op, torch::jit::Stack *stack);
  void finishWrite(const Call &call, const at::Tensor &target, bool isConstant);
  std::string nameOf(int id) const;

  Trace trace;
  const std::function<bool(const std::string &)> &known;
  std::unordered_map<const void *, std::string> stateNames; ///< by TensorImpl
  std::set<const void *> parameters;
  std::unordered_map<const void *, int> ids; ///< TensorImpl to value
  /// TensorImpls that share memory with something changed in place, and by what.
  struct Change {
    std::string by;
    bool ofConstants; ///< then its memory still has the right numbers
  };
  std::unordered_map<const void *, Change> stale;
  std::unordered_map<const void *, size_t> viewCalls; ///< by the view's TensorImpl
  std::string refusal;                                ///< of the call that is being recorded
};

/// Whether two tensors show the same memory in the same way.
bool showsSame(const at::Tensor &a, const at::Tensor &b);

} // namespace aft::capture

#endif // AFT_TORCH_CAPTURE_RECORDER_H
