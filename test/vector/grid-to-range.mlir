// RUN: aft-opt %s -split-input-file -verify-diagnostics -pass-pipeline='builtin.module(func.func(aft-grid-to-range,canonicalize,cse))' | FileCheck %s

// One loop over the groups [begin, end), cut to the grid; the kernel returns how many
// there are.
// CHECK-LABEL: func.func private @two_axes(
// CHECK-SAME: %[[BEGIN:[a-z0-9]+]]: index, %[[END:[a-z0-9]+]]: index) -> index
// CHECK-DAG: %[[SIX:.*]] = arith.constant 6 : index
// CHECK: %[[FROM:.*]] = arith.maxsi %[[BEGIN]]
// CHECK: %[[TO:.*]] = arith.minsi %[[END]], %[[SIX]]
// CHECK: scf.for %{{.*}} = %[[FROM]] to %[[TO]]
// CHECK: memref.store
// CHECK-NOT: scf.forall
// CHECK: return %[[SIX]]
func.func private @two_axes(%x: memref<8x12xf32>) attributes {aft.kernel} {
  %zero = arith.constant 0.0 : f32
  scf.forall (%i, %j) = (0, 0) to (8, 12) step (4, 4) {
    memref.store %zero, %x[%i, %j] : memref<8x12xf32>
  }
  return
}

// Two grids follow each other in one range: 4 groups, then 8.
// CHECK-LABEL: @two_grids(
// CHECK: scf.for
// CHECK: scf.for
// CHECK: return %c12
func.func private @two_grids(%x: memref<4xf32>, %y: memref<8xf32>) attributes {aft.kernel} {
  %zero = arith.constant 0.0 : f32
  scf.forall (%i) in (4) {
    memref.store %zero, %x[%i] : memref<4xf32>
  }
  scf.forall (%i) in (8) {
    memref.store %zero, %y[%i] : memref<8xf32>
  }
  return
}

// Without a grid there is one group, which an empty range does not run.
// CHECK-LABEL: @no_grid(
// CHECK-SAME: %[[BEGIN:[a-z0-9]+]]: index, %[[END:[a-z0-9]+]]: index) -> index
// CHECK: %[[ANY:.*]] = arith.cmpi slt, %[[BEGIN]], %[[END]]
// CHECK: scf.if %[[ANY]]
// CHECK: memref.store
// CHECK: return %c1
func.func private @no_grid(%x: memref<4xf32>) attributes {aft.kernel} {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  memref.store %zero, %x[%c0] : memref<4xf32>
  return
}

// Kernels of the final form and other functions stay.
// CHECK-LABEL: func.func private @by_hand(%{{.*}}: memref<4xf32>, %{{.*}}: index, %{{.*}}: index) -> index
// CHECK-LABEL: func.func @program(%{{.*}}: memref<4xf32>) {
// CHECK: scf.forall
func.func private @by_hand(%x: memref<4xf32>, %begin: index, %end: index) -> index attributes {aft.kernel} {
  return %begin : index
}
func.func @program(%x: memref<4xf32>) {
  %zero = arith.constant 0.0 : f32
  scf.forall (%i) in (4) {
    memref.store %zero, %x[%i] : memref<4xf32>
  }
  return
}

// -----

// expected-error @below {{kernel 'k' must return nothing before its grid becomes a range}}
func.func private @k(%x: tensor<4xf32>) -> tensor<4xf32> attributes {aft.kernel} {
  return %x : tensor<4xf32>
}

// -----

func.func private @k(%x: tensor<4xf32>, %y: memref<4xf32>) attributes {aft.kernel} {
  // expected-error @below {{a grid must be on memrefs before it becomes a range}}
  %r = scf.forall (%i) in (4) shared_outs(%o = %x) -> (tensor<4xf32>) {
    scf.forall.in_parallel {
    }
  }
  return
}
