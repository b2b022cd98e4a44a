// RUN: aft-opt %s -split-input-file -verify-diagnostics -pass-pipeline='builtin.module(aft-outline-device,func.func(aft-grid-to-range,canonicalize))' | FileCheck %s
// On the host a kernel only counts its blocks.

// CHECK-LABEL: func.func @double(
// CHECK-SAME: %[[X:.*]]: memref<?xf32>, %{{.*}}: index, %{{.*}}: index) -> index
// CHECK: %[[N:.*]] = memref.dim %[[X]]
// CHECK-NOT: memref.store
// CHECK: %[[COUNT:.*]] = arith.divui
// CHECK-NOT: memref.store
// CHECK: return %[[COUNT]] : index
// CHECK: module @device
// CHECK: func.func @double(%{{.*}}: memref<?xf32>) attributes {aft.aligned = array<i1>, aft.kernel}
// CHECK: scf.forall
// CHECK: memref.store
func.func @double(%x: memref<?xf32>) attributes {aft.kernel} {
  %c0 = arith.constant 0 : index
  %n = memref.dim %x, %c0 : memref<?xf32>
  scf.forall (%first) = (0) to (%n) step (64) {
    scf.forall (%thread) in (64) {
      %i = arith.addi %first, %thread : index
      %v = memref.load %x[%i] : memref<?xf32>
      %w = arith.addf %v, %v : f32
      memref.store %w, %x[%i] : memref<?xf32>
    } {mapping = [#gpu.thread<x>]}
  } {mapping = [#gpu.block<x>]}
  return
}

// -----

func.func @powers(%x: memref<4xf64>) attributes {aft.kernel} {
  scf.forall (%i) in (32) {
    %c0 = arith.constant 0 : index
    %v = memref.load %x[%c0] : memref<4xf64>
    // expected-error @below {{not supported yet on a GPU: 'math.exp' on 'f64'}}
    %w = math.exp %v : f64
    memref.store %w, %x[%c0] : memref<4xf64>
  } {mapping = [#gpu.thread<x>]}
  return
}
