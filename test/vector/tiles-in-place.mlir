// RUN: aft-opt %inputs/bias.mlir -aft-graph -aft-kernels -aft-tile -aft-vector | FileCheck %s
// A tile is written once: it is not copied onto itself after it was computed.

// CHECK-LABEL: func.func private @kernel_0_elementwise(
// CHECK-COUNT-1: vector.store
// CHECK-NOT: vector.store
// CHECK-LABEL: func.func @main(
