//===- Generalize.h - Named linalg operations as generics -----------------===//

#ifndef AFT_COMPILER_GRAPH_GENERALIZE_H
#define AFT_COMPILER_GRAPH_GENERALIZE_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/PatternMatch.h"

namespace aft {

/// Replaces a named operation by the generic that says the same.
mlir::FailureOr<mlir::linalg::GenericOp> generalize(mlir::RewriterBase &rewriter,
                                                    mlir::linalg::LinalgOp op);

} // namespace aft

#endif // AFT_COMPILER_GRAPH_GENERALIZE_H
