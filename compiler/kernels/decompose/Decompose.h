//===- Decompose.h - Model operations as linalg.generic -------------------===//

#ifndef AFT_COMPILER_KERNELS_DECOMPOSE_DECOMPOSE_H
#define AFT_COMPILER_KERNELS_DECOMPOSE_DECOMPOSE_H

#include "mlir/IR/PatternMatch.h"
#include "mlir/Interfaces/FunctionInterfaces.h"

namespace aft {

/// layer_norm and its derivative.
void populateDecomposeNormPatterns(mlir::RewritePatternSet &patterns);
/// cross_entropy and its derivative.
void populateDecomposeLossPatterns(mlir::RewritePatternSet &patterns);
/// embedding, finish.
void populateDecomposeModelPatterns(mlir::RewritePatternSet &patterns);
/// Bands of factors without columns.
void populateDecomposeEmptyPatterns(mlir::RewritePatternSet &patterns);
/// pad, concat, insert_slice, extract_slice, splat, generate, from_elements.
void populateDecomposeTensorPatterns(mlir::RewritePatternSet &patterns);
/// Flipped tensors that are written as sums.
void populateDecomposeMirrorPatterns(mlir::RewritePatternSet &patterns);
/// Named linalg operations other than fill and matmuls; softmax.
void populateDecomposeNamedPatterns(mlir::RewritePatternSet &patterns);

/// Dropout draws from one stream per operation; the seeds of all streams of a
/// function come from one small tensor, so that equal layers stay equal.
mlir::LogicalResult decomposeDropouts(mlir::FunctionOpInterface function);

/// Updates of parameters, which share what depends on the number of the step alone.
void decomposeAdamWs(mlir::FunctionOpInterface function);

/// Replaces an operation; a value whose type is more or less static than the
/// result's is cast.
void replaceWithCasts(mlir::RewriterBase &rewriter, mlir::Operation *op, mlir::ValueRange values);

/// Whether an operation is one of the matmuls that stay named.
bool isMatmul(mlir::Operation *op);

} // namespace aft

#endif // AFT_COMPILER_KERNELS_DECOMPOSE_DECOMPOSE_H
