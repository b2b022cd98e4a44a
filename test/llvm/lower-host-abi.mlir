// RUN: aft-opt %s -split-input-file -verify-diagnostics -aft-lower-kernel-abi -aft-lower-host-abi | FileCheck %s
// Entries unpack their arguments and launch through the runtime's callback.

func.func private @k(%a: memref<?x4xf32>, %c: memref<?x4xf32>, %begin: index, %end: index) -> index attributes {aft.kernel} {
  return %begin : index
}

// CHECK: llvm.mlir.global internal constant @k.name("k\00")
// CHECK-LABEL: func.func @main(
// CHECK-SAME: %[[BUFFERS:.*]]: !llvm.ptr, %[[DIMS:.*]]: !llvm.ptr, %[[ARENA:.*]]: !llvm.ptr, %[[RT:.*]]: !llvm.ptr)
// CHECK: llvm.getelementptr %[[DIMS]][0]
// CHECK: llvm.getelementptr %[[RT]][0]
// CHECK: llvm.getelementptr %[[RT]][1]
// CHECK: constant @k : (!llvm.ptr, !llvm.ptr, index, index) -> index
// CHECK: llvm.call %{{.*}}(%{{.*}}) : !llvm.ptr, (!llvm.ptr, !llvm.ptr, !llvm.ptr, !llvm.ptr, !llvm.ptr) -> ()
// CHECK-NOT: aft.launch
func.func @main(%a: memref<?x4xf32>, %y: memref<?x4xf32>, %arena: memref<?xi8>) attributes {aft.entry} {
  aft.launch @k ins(%a) outs(%y) : (memref<?x4xf32>, memref<?x4xf32>) -> ()
  return
}

// The place of a view in the arena is part of its address.
// CHECK-LABEL: func.func @views(
// CHECK-DAG: %[[C64:.*]] = arith.constant 64 : index
// CHECK: %[[BASE:.*]] = memref.extract_aligned_pointer_as_index %{{.*}} : memref<?xi8>
// CHECK: arith.addi %[[BASE]], %[[C64]]
func.func @views(%a: memref<?x4xf32>, %arena: memref<?xi8>) attributes {aft.entry} {
  %c0 = arith.constant 0 : index
  %c64 = arith.constant 64 : index
  %n = memref.dim %a, %c0 : memref<?x4xf32>
  %view = memref.view %arena[%c64][%n] : memref<?xi8> to memref<?x4xf32>
  %flat = memref.collapse_shape %view [[0, 1]] : memref<?x4xf32> into memref<?xf32>
  %rows = memref.reinterpret_cast %flat to offset: [0], sizes: [%n, 4], strides: [4, 1] : memref<?xf32> to memref<?x4xf32>
  aft.launch @k ins(%a) outs(%rows) : (memref<?x4xf32>, memref<?x4xf32>) -> ()
  return
}

// CHECK-LABEL: func.func @main.plan(
// CHECK-SAME: !llvm.ptr, %{{.*}}: !llvm.ptr, %{{.*}}: !llvm.ptr) -> index
func.func @main.plan(%d: memref<?xindex>, %o: memref<?xindex>, %b: memref<1xindex>) -> index attributes {aft.plan} {
  %c0 = arith.constant 0 : index
  memref.store %c0, %b[%c0] : memref<1xindex>
  return %c0 : index
}

// -----

// expected-error @below {{entry 'main' must take memrefs only, found 'index'}}
func.func @main(%a: index) attributes {aft.entry} {
  return
}
