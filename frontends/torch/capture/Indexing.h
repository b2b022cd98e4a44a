//===- Indexing.h - Places along a dimension ------------------------------===//

#ifndef AFT_TORCH_CAPTURE_INDEXING_H
#define AFT_TORCH_CAPTURE_INDEXING_H

#include "frontends/torch/capture/Operation.h"

namespace aft::capture {

/// An argument that names a dimension.
inline int dimOf(Operation &op, const char *name, int64_t missing = 0) {
  return static_cast<int>(op.integer(name, missing));
}

/// A dimension counted from the front.
inline int fromFront(int dim, int rank) { return dim < 0 ? dim + rank : dim; }

/// x with dimension `dim` replaced by the dimensions of `ids`: what lies at these
/// places. Negative ones count from the end.
Value takeAlong(Operation &op, Value x, int dim, Value ids);

/// What stands beyond the ends of a dimension: x mirrored there, its last number again and
/// again, or x from its other end.
enum class Beyond { mirrored, repeated, circular };

/// 'self' with these numbers before and after, whose counts `lengths` names: pairs from the last
/// dimension on.
Value padFromInside(Operation &op, const char *lengths, Beyond beyond);

} // namespace aft::capture

#endif // AFT_TORCH_CAPTURE_INDEXING_H
