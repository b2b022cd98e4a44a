//===- Patterns.h - Buffers whose numbers follow from their places ---------===//
// Masks, bands and distances are often kept in buffers: tril(ones(N, N)). Where all
// numbers of one follow from row and column, the program computes them, and the
// compiler knows what they say; the buffer itself is not read.

#ifndef AFT_TORCH_CAPTURE_PATTERNS_H
#define AFT_TORCH_CAPTURE_PATTERNS_H

#include "aft/graph.h"
#include "frontends/torch/capture/Trace.h"

#include <optional>

namespace aft::capture {

/// The numbers of a matrix, or of a vector, which is one with a single row. Other
/// extents are 1.
struct Pattern {
  enum class Kind {
    Band,       ///< `inside` where first <= column - row <= last, else `outside`
    Linear,     ///< perRow * row + perColumn * column + start
    Distances,  ///< `numbers`, in any shape; they follow from how far two places are apart, also
                ///< on a grid
    NotNegative ///< any numbers but negative ones, in any shape
  };
  Kind kind = Kind::Band;
  int64_t first = 0, last = 0;
  double inside = 0, outside = 0;
  double perRow = 0, perColumn = 0, start = 0;
  at::Tensor numbers;
};

/// The pattern of a tensor; nothing where it has none.
std::optional<Pattern> patternOf(const at::Tensor &tensor);

/// Whether no number is below 0 or NaN.
bool isNotNegative(const at::Tensor &tensor);

/// What computes it in the shape and the type of `tensor`.
Value buildPattern(Function &function, const Pattern &pattern, const at::Tensor &tensor);

/// A buffer that a program computes instead of reading it, or knows something of.
class KnownBuffer {
public:
  KnownBuffer(const TracedState &state, const Pattern &pattern);
  /// Throws c10::Error where it holds other numbers by now. Cheap unless it was written.
  void check() const;

private:
  std::string name;
  at::Tensor tensor;
  Pattern pattern;
  uint32_t version; ///< of the tensor, when the program was made
};

} // namespace aft::capture

#endif // AFT_TORCH_CAPTURE_PATTERNS_H
