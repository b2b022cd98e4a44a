//===- AFT.h - The aft dialect and its operations -------------------------===//

#ifndef AFT_DIALECT_IR_AFT_H
#define AFT_DIALECT_IR_AFT_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

// Passes in other libraries (plugins) use the operations too.
#pragma GCC visibility push(default)

#include "dialect/ir/AFTDialect.h.inc"
#include "dialect/ir/AFTEnums.h.inc"

#define GET_OP_CLASSES
#include "dialect/ir/AFTOps.h.inc"

#pragma GCC visibility pop

#endif // AFT_DIALECT_IR_AFT_H
