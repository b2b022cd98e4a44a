//===- PackedProduct.cpp - The inner loop of a packed matrix product ------===//

#include "compiler/vector/product/PackedProduct.h"

using namespace mlir;
using namespace aft;

SmallVector<Value> aft::emitStrip(Emitter &e, ArrayRef<Value> sums, int64_t parts, Value extent,
                                  llvm::function_ref<Value(int64_t row, Value i)> left,
                                  llvm::function_ref<Value(int64_t part, Value i)> right,
                                  llvm::function_ref<Value(Value l, Value r, Value sum)> add) {
  int64_t rows = static_cast<int64_t>(sums.size()) / parts;
  return e.loop(e.index(0), extent, e.index(1), sums, [&](Value i, ValueRange carried) {
    SmallVector<Value> factors, next;
    for (int64_t part = 0; part < parts; ++part)
      factors.push_back(right(part, i));
    for (int64_t row = 0; row < rows; ++row) {
      Value factor = left(row, i);
      for (int64_t part = 0; part < parts; ++part)
        next.push_back(add(factor, factors[part], carried[row * parts + part]));
    }
    return next;
  });
}
