// RUN: aft-opt %s -split-input-file -verify-diagnostics -aft-lower-kernel-abi -aft-lower-host-abi | FileCheck %s
// Entries unpack their arguments; a table says what each launch takes, and one
// loop walks it and calls back the runtime.

func.func private @k(%a: memref<?x4xf32>, %c: memref<?x4xf32>, %begin: index, %end: index) -> index attributes {aft.kernel} {
  return %begin : index
}

// The plan's constants: 7 at 0, 4 at 2; a place between them is stored later.
// CHECK: llvm.mlir.global internal constant @main.plan.extents(dense<[7, 0, 4]> : tensor<3xi64>)
// The kernels, each with its name.
// CHECK: llvm.mlir.global internal constant @k.name("k\00")
// CHECK: llvm.mlir.global internal constant @main.kernels()
// CHECK: constant @k : (!llvm.ptr, !llvm.ptr, index, index) -> index
// CHECK: llvm.mlir.addressof @k.name
// Kernel 0 with 2 pointers and 6 values: buffers 0 and 1, then dims 0, the
// constant 4, dims 2, the constant 4 (a code is 4 * index + bank).
// CHECK: llvm.mlir.global internal constant @main.table(dense<[0, 2, 6, 0, 4, 1, 2, 9, 2, 0, 2, 6, 4, 0, 9, 2, 1, 2]> : tensor<18xi32>)
// CHECK: llvm.mlir.global internal constant @main.constants(dense<4> : tensor<1xi64>)
// CHECK-LABEL: func.func @main(
// CHECK-SAME: %[[BUFFERS:.*]]: !llvm.ptr, %[[DIMS:.*]]: !llvm.ptr, %[[ARENA:.*]]: !llvm.ptr, %[[RT:.*]]: !llvm.ptr)
// CHECK-SAME: passthrough = ["noinline", "optnone"]
// CHECK: %[[N:.*]] = llvm.mlir.constant(2 : i64)
// CHECK: llvm.call @aft.launches(%[[RT]], {{.*}}, %[[N]])
// CHECK-NOT: aft.launch @
func.func @main(%a: memref<?x4xf32>, %y: memref<?x4xf32>, %arena: memref<?xi8>) attributes {aft.entry} {
  aft.launch @k ins(%a) outs(%y) : (memref<?x4xf32>, memref<?x4xf32>) -> ()
  aft.launch @k ins(%y) outs(%a) : (memref<?x4xf32>, memref<?x4xf32>) -> ()
  return
}

// The place of a view in the arena is part of its address, which is computed
// once; its extent is that of the argument.
// CHECK-LABEL: func.func @views(
// CHECK-SAME: %{{[^:]*}}: !llvm.ptr, %{{[^:]*}}: !llvm.ptr, %[[ARENA:[^:]*]]: !llvm.ptr, %{{[^:]*}}: !llvm.ptr)
// CHECK: %[[C64:.*]] = arith.constant 64 : index
// CHECK: %[[SHIFT:.*]] = arith.index_cast %[[C64]] : index to i64
// CHECK-NEXT: %[[AT:.*]] = llvm.getelementptr %[[ARENA]][%[[SHIFT]]]
// CHECK: llvm.store %[[AT]]
// CHECK-NOT: llvm.getelementptr %[[ARENA]]
// CHECK: llvm.call @aft.launches
func.func @views(%a: memref<?x4xf32>, %arena: memref<?xi8>) attributes {aft.entry} {
  %c0 = arith.constant 0 : index
  %c64 = arith.constant 64 : index
  %n = memref.dim %a, %c0 : memref<?x4xf32>
  %view = memref.view %arena[%c64][%n] : memref<?xi8> to memref<?x4xf32>
  aft.launch @k ins(%a) outs(%view) : (memref<?x4xf32>, memref<?x4xf32>) -> ()
  aft.launch @k ins(%view) outs(%a) : (memref<?x4xf32>, memref<?x4xf32>) -> ()
  return
}

// CHECK-LABEL: func.func @main.plan(
// CHECK-SAME: %[[PLANDIMS:.*]]: !llvm.ptr, %[[OUT:.*]]: !llvm.ptr, %{{.*}}: !llvm.ptr) -> index
// CHECK: "llvm.intr.memcpy"(%[[OUT]],
// CHECK-COUNT-2: memref.store
// CHECK-NOT: memref.store
func.func @main.plan(%d: memref<?xindex>, %o: memref<?xindex>, %b: memref<1xindex>) -> index attributes {aft.plan} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c4 = arith.constant 4 : index
  %c7 = arith.constant 7 : index
  %n = memref.load %d[%c0] : memref<?xindex>
  memref.store %c7, %o[%c0] : memref<?xindex>
  memref.store %n, %o[%c1] : memref<?xindex>
  memref.store %c4, %o[%c2] : memref<?xindex>
  memref.store %c0, %b[%c0] : memref<1xindex>
  return %c0 : index
}

// The loop over the table.
// CHECK: llvm.func internal @aft.launches(

// -----

func.func private @k(%a: memref<4xf32>, %begin: index, %end: index) -> index attributes {aft.kernel} {
  return %begin : index
}

func.func @main(%a: memref<4xf32>, %arena: memref<?xi8>) attributes {aft.entry} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.for %i = %c0 to %c1 step %c1 {
    // expected-error @below {{'aft.launch' op not supported yet: a launch inside another operation}}
    aft.launch @k ins() outs(%a) : (memref<4xf32>) -> ()
  }
  return
}

// -----

// expected-error @below {{entry 'main' must take memrefs only, found 'index'}}
func.func @main(%a: index) attributes {aft.entry} {
  return
}
