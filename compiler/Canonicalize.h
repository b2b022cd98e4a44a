//===- Canonicalize.h - MLIR's canonicalizer without a wrong pattern ------===//

#ifndef AFT_COMPILER_CANONICALIZE_H
#define AFT_COMPILER_CANONICALIZE_H

#include <memory>

namespace mlir {
class Pass;
} // namespace mlir

namespace aft {

/// MLIR 19 folds tensor.dim of an expand_shape with two dynamic extents to a
/// division by the marker for "dynamic". Every phase that may see such an
/// expand_shape (all of them) must use this pass instead of the plain
/// canonicalizer.
/// `keepCopies`: a generic that copies stays, for in a kernel it is what writes
/// the destination.
std::unique_ptr<mlir::Pass> createCanonicalize(bool keepCopies = false);

} // namespace aft

#endif // AFT_COMPILER_CANONICALIZE_H
