//===- Canonicalize.h - MLIR's canonicalizer without its wrong patterns ---===//

#ifndef AFT_COMPILER_CANONICALIZE_H
#define AFT_COMPILER_CANONICALIZE_H

#include <memory>

namespace mlir {
class Pass;
} // namespace mlir

namespace aft {

/// Two of MLIR 19's patterns are wrong for an expand_shape with two dynamic
/// extents in one group. Every phase that may see one must use this pass, which
/// is aft-canonicalize, instead of the plain canonicalizer.
/// `keepCopies`: a generic that copies stays, for in a kernel it is what writes
/// the destination.
std::unique_ptr<mlir::Pass> createCanonicalize(bool keepCopies);

/// MLIR's inliner, which simplifies what it inlines into by that pass.
std::unique_ptr<mlir::Pass> createInliner();

} // namespace aft

#endif // AFT_COMPILER_CANONICALIZE_H
