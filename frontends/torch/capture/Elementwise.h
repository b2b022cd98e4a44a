//===- Elementwise.h - What rules of elementwise operators share ----------===//

#ifndef AFT_TORCH_CAPTURE_ELEMENTWISE_H
#define AFT_TORCH_CAPTURE_ELEMENTWISE_H

#include "frontends/torch/capture/Rules.h"

namespace aft::capture {

using Binary = Value (Function::*)(Operand, Operand);
using Unary = Value (Function::*)(Value);

/// `self` and `other` in the result's element type.
inline Rule binary(Binary operation) {
  return [operation](Operation &op) -> Results {
    DType dtype = op.dtype();
    return (op.f.*operation)(op.operand("self", dtype), op.operand("other", dtype));
  };
}

inline Rule unary(Unary operation) {
  return [operation](Operation &op) -> Results { return (op.f.*operation)(op.as("self")); };
}

} // namespace aft::capture

#endif // AFT_TORCH_CAPTURE_ELEMENTWISE_H
