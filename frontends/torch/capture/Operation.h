//===- Operation.h - One captured call while it is translated -------------===//
// What a rule works with: the call's arguments by their names in the operator's
// schema, and the function that is being built.

#ifndef AFT_TORCH_CAPTURE_OPERATION_H
#define AFT_TORCH_CAPTURE_OPERATION_H

#include "aft/graph.h"
#include "frontends/torch/capture/Sizes.h"

namespace aft::capture {

/// The whole program under construction.
class Translation;

class Operation {
public:
  Operation(Translation &translation, size_t call);
  Function &f;

  /// Whether the argument is there and not None.
  bool has(const char *name) const;
  Value value(const char *name);
  /// The value or, where there is none, the empty one.
  Value optional(const char *name);
  /// The value in another element type.
  Value as(const char *name, DType dtype);
  /// The value in the result's element type.
  Value as(const char *name) { return as(name, dtype()); }
  /// The members of a list of tensors; empty values for None.
  std::vector<Value> values(const char *name);
  /// A tensor or a number, in an element type.
  Operand operand(const char *name, DType dtype);

  // Numbers. `integer` and `number` are the same at all sizes; takesAnyNumber
  // tells the arguments that rules read as operands.
  int64_t integer(const char *name, int64_t missing = 0);
  std::vector<int> dims(const char *name);
  std::vector<int64_t> integers(const char *name);
  double number(const char *name, double missing = 0);
  std::vector<double> numbers(const char *name);
  bool flag(const char *name, bool missing = false);
  std::string text(const char *name, const std::string &missing = "");
  Extent extent(const char *name, Extent missing = 0);
  std::vector<Extent> extents(const char *name);
  /// An extent as a scalar tensor.
  Value extentValue(Extent extent, DType dtype);

  // What the call gave when it was recorded.
  DType dtype(size_t result = 0) const;
  size_t resultCount() const;
  /// The result's shape as expressions over the inputs' extents.
  std::vector<Extent> shape(size_t result = 0) const;
  /// Of a kWriteBack: the view operator, the new part and a length of it.
  const std::string &view() const { return call.view; }
  Value source();
  Extent sourceExtent(int dim) const;
  /// An argument's tensor as it was recorded; its numbers are undefined.
  const at::Tensor &recorded(const char *name) const;
  /// Whether an argument is a tensor of a buffer whose numbers are known not to be negative.
  bool isNeverNegative(const char *name);
  /// The element type that LibTorch computes the two arguments in.
  DType commonType(const char *a, const char *b) const;

  /// In training the program is run with another seed at each step.
  Value seed();
  bool isTraining() const;
  static bool isFloat(DType dtype);

  [[noreturn]] void fail(const std::string &message) const;

private:
  const Arg &arg(const char *name) const;
  const Arg *find(const char *name) const;
  Operand real(const char *name, DType dtype);
  size_t indexOf(const char *name) const;
  Translation &translation;
  size_t number_;
  const Call &call;
};

/// What a rule returns: values for the call's results in order, those that
/// cannot be had being empty.
struct Results : std::vector<Value> {
  Results(Value value) : vector{value} {}
  Results(std::vector<Value> values) : vector(std::move(values)) {}
};

} // namespace aft::capture

#endif // AFT_TORCH_CAPTURE_OPERATION_H
