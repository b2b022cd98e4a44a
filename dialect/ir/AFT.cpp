//===- AFT.cpp - Dialect registration and behaviour shared by all ops -----===//

#include "dialect/ir/AFT.h"

#include "mlir/IR/Builders.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/DialectImplementation.h"

using namespace mlir;
using namespace aft;

#include "dialect/ir/AFTDialect.cpp.inc"
#include "dialect/ir/AFTEnums.cpp.inc"

#define GET_OP_CLASSES
#include "dialect/ir/AFTOps.cpp.inc"

void AFTDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "dialect/ir/AFTOps.cpp.inc"
      >();
}
