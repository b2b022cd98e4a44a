//===- Translation.h - From recorded calls to a program -------------------===//

#ifndef AFT_TORCH_CAPTURE_TRANSLATION_H
#define AFT_TORCH_CAPTURE_TRANSLATION_H

#include "aft/graph.h"
#include "frontends/torch/capture/Patterns.h"
#include "frontends/torch/capture/Sizes.h"
#include "runtime/core/InternalApi.h"

#include <optional>

namespace aft::capture {

/// Builds a function from a capture. Its arguments are the module's inputs, the
/// tensors that it uses, and for training with dropout a seed, all by name.
class AFT_INTERNAL Translation {
public:
  Translation(const Capture &capture, Graph &graph, const std::string &name, bool training);

  /// The names of arguments and results as the options say; throws c10::Error where
  /// these name what there is not.
  void setNames(const CompileModuleOptions &options);

  /// Translates what the outputs need. Throws c10::Error naming the operator
  /// and its module where one has no rule or is used in an unsupported way.
  void run();

  /// The tensors that became arguments, in their order after the inputs; one
  /// that is undefined stands for the seed of the dropout masks.
  const std::vector<TracedState> &states() const { return used; }
  /// Those that the program computes instead.
  const std::vector<KnownBuffer> &knownBuffers() const { return known; }
  const std::string &inputName(int input) const { return inputNames[input]; }

  // For Operation.
  const Capture &capture;
  Function &function;
  bool training;
  Value valueOf(int id);
  Value seed();
  Extent extent(const SizeFormula &formula);
  /// A dynamic extent.
  Extent sizeOf(int extent);
  /// Whether it shows numbers of a buffer that holds none below 0; the buffer must stay so then.
  bool isNeverNegative(int id);
  /// The error of a call.
  [[noreturn]] void fail(size_t call, const std::string &message) const;

private:
  void declareInputs();
  Value declareState(int number);
  std::vector<char> neededCalls() const;
  void translate(size_t call);
  void checkResult(size_t call, size_t result, Value value) const;

  const Graph &graph;
  std::vector<Value> values;      ///< by number of the traced value
  std::vector<Value> stateValues; ///< by number of the state
  std::vector<Value> extentHomes; ///< per dynamic extent: an input that has it
  std::vector<TracedState> used;
  std::vector<KnownBuffer> known;
  std::vector<std::string> inputNames, resultNames;
  Value seedValue;
};

/// What the element type of a tensor is called here; throws c10::Error, which names `owner`.
TensorType typeOf(const at::Tensor &tensor, const std::string &owner = "");

} // namespace aft::capture

#endif // AFT_TORCH_CAPTURE_TRANSLATION_H
