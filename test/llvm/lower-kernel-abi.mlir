// RUN: aft-opt %s -split-input-file -verify-diagnostics -aft-lower-kernel-abi | FileCheck %s
// Kernels become a body on pointers and a wrapper for the runtime.

// CHECK-LABEL: func.func private @add.body(
// CHECK-SAME: %[[A:.*]]: !llvm.ptr {llvm.noalias}, %[[C:.*]]: !llvm.ptr {llvm.noalias}, %[[DIMS:.*]]: !llvm.ptr, %{{.*}}: index, %{{.*}}: index) -> index
// The dynamic extent of the second operand is the third of all extents.
// CHECK: llvm.getelementptr %[[DIMS]][0]
// CHECK: llvm.getelementptr %[[DIMS]][2]
// CHECK: func.func @add(%[[B:.*]]: !llvm.ptr, %{{.*}}: !llvm.ptr, %{{.*}}: index, %{{.*}}: index) -> index attributes {aft.kernel}
// CHECK: llvm.getelementptr %[[B]][0]
// CHECK: llvm.getelementptr %[[B]][1]
// CHECK: call @add.body
func.func private @add(%a: memref<?x4xf32>, %c: memref<?xf32>, %begin: index, %end: index) -> index attributes {aft.kernel} {
  %c0 = arith.constant 0 : index
  %n = memref.dim %c, %c0 : memref<?xf32>
  %x = memref.load %a[%c0, %c0] : memref<?x4xf32>
  memref.store %x, %c[%c0] : memref<?xf32>
  return %n : index
}

// A function that is no kernel stays.
// CHECK-LABEL: func.func @other(%{{.*}}: memref<4xf32>)
func.func @other(%a: memref<4xf32>) {
  return
}

// -----

// expected-error @below {{kernel 'bad' must have type (memrefs..., index, index) -> index}}
func.func private @bad(%a: memref<4xf32>) attributes {aft.kernel} {
  return
}

// -----

// expected-error @below {{kernel 'strided' must take contiguous memrefs}}
func.func private @strided(%a: memref<4xf32, strided<[2]>>, %b: index, %e: index) -> index attributes {aft.kernel} {
  return %b : index
}
