//===- BufferizableModels.h - How aft operations become memref form -------===//

#ifndef AFT_COMPILER_VECTOR_BUFFERIZABLEMODELS_H
#define AFT_COMPILER_VECTOR_BUFFERIZABLEMODELS_H

namespace mlir {
class DialectRegistry;
} // namespace mlir

namespace aft {

/// Attaches BufferizableOpInterface to all aft operations on tensors.
void registerBufferizableModels(mlir::DialectRegistry &registry);

} // namespace aft

#endif // AFT_COMPILER_VECTOR_BUFFERIZABLEMODELS_H
