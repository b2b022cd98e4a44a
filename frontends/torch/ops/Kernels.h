//===- Kernels.h - Single operations compiled on demand -------------------===//

#ifndef AFT_TORCH_OPS_KERNELS_H
#define AFT_TORCH_OPS_KERNELS_H

#include "aft/program.h"
#include "runtime/core/InternalApi.h"

#include <ATen/core/Tensor.h>

#include <map>
#include <string>
#include <vector>

namespace aft::ops {

using at::Tensor;

/// Throws c10::Error where no program has such elements; `owner`: whose they are, for the message.
DType dtypeOf(at::ScalarType type, const std::string &owner = "");
AFT_INTERNAL at::ScalarType scalarTypeOf(DType type);
/// Sums of this element type are kept in f32, or f64 for f64.
at::ScalarType accumulationOf(at::ScalarType type);
/// The tensor with its numbers in memory, one after the other: not as a view that changes
/// their order or their sign when they are read.
AFT_INTERNAL Tensor inMemory(const Tensor &tensor);
/// The memory of such a tensor.
AFT_INTERNAL Buffer bufferOf(const Tensor &tensor);
/// LibTorch's number of threads; 0, our own default, where AFT_NUM_THREADS was
/// set on purpose.
int threads();

/// Dimensions by letter. The first operand that names a letter binds it; every
/// later one must agree.
class Extents {
public:
  explicit Extents(std::string op) : op(std::move(op)) {}
  /// Throws c10::Error unless `tensor` has the shape `letters` ("BTd").
  void check(const char *name, const Tensor &tensor, const std::string &letters);
  void bind(char letter, int64_t extent) { extents[letter] = extent; }
  int64_t at(char letter) const { return extents.at(letter); }
  std::vector<int64_t> shapeOf(const std::string &letters) const;

private:
  std::string op;
  std::map<char, int64_t> extents;
};

/// An operation of the dialect on tensors whose dimensions are letters: an
/// upper-case letter is dynamic in the compiled code, a lower-case one static.
struct Operation {
  std::string mnemonic;
  struct Operand {
    Tensor tensor;
    std::string letters;
  };
  std::vector<Operand> operands;
  struct Result {
    at::ScalarType type;
    std::string letters;
  };
  std::vector<Result> results;
  /// The text between mnemonic and type; $0, $1, … stand for the operands.
  std::string form;
};

/// Compiles the operation, unless an equal one has been, and runs it.
std::vector<Tensor> run(const Operation &operation, const Extents &extents);

} // namespace aft::ops

#endif // AFT_TORCH_OPS_KERNELS_H
