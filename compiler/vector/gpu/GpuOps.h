//===- GpuOps.h - What blocks of threads do together ----------------------===//

#ifndef AFT_COMPILER_VECTOR_GPU_GPUOPS_H
#define AFT_COMPILER_VECTOR_GPU_GPUOPS_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "compiler/vector/gpu/GpuDialect.h.inc"

#define GET_OP_CLASSES
#include "compiler/vector/gpu/GpuOps.h.inc"

#endif // AFT_COMPILER_VECTOR_GPU_GPUOPS_H
