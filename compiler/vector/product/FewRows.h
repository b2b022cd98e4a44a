//===- FewRows.h - Products of a few rows with a large matrix -------------===//

#ifndef AFT_COMPILER_VECTOR_PRODUCT_FEWROWS_H
#define AFT_COMPILER_VECTOR_PRODUCT_FEWROWS_H

#include "compiler/vector/product/ProductPacking.h"

namespace aft {

/// Emits C += A * B, C = A * B where `overwrites`, for so few rows that B is best read
/// once where it is (decoding). Right for any number of rows.
void emitFewRows(Emitter &e, const Matrix &a, const Matrix &b, const Matrix &c, unsigned vectorBits,
                 bool overwrites);

} // namespace aft

#endif // AFT_COMPILER_VECTOR_PRODUCT_FEWROWS_H
