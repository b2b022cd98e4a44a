//===- AFT.cpp - Dialect registration and behaviour shared by all ops -----===//

#include "dialect/ir/AFT.h"

#include "mlir/IR/Builders.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/DialectImplementation.h"
#include "mlir/Transforms/InliningUtils.h"

using namespace mlir;
using namespace aft;

#include "dialect/ir/AFTDialect.cpp.inc"
#include "dialect/ir/AFTEnums.cpp.inc"

#define GET_OP_CLASSES
#include "dialect/ir/AFTOps.cpp.inc"

namespace {
/// Functions with aft operations may be inlined.
struct AFTInliner : DialectInlinerInterface {
  using DialectInlinerInterface::DialectInlinerInterface;
  bool isLegalToInline(Operation *, Region *, bool, IRMapping &) const final { return true; }
};
} // namespace

void AFTDialect::initialize() {
  addInterfaces<AFTInliner>();
  addOperations<
#define GET_OP_LIST
#include "dialect/ir/AFTOps.cpp.inc"
      >();
}
