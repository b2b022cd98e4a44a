// RUN: aft-opt %s -aft-emulate-threads -split-input-file | FileCheck %s
// Threads become loops, and what they share or keep lies on the stack, once per call.

// CHECK-LABEL: func.func @sum(
// CHECK-DAG: %[[SHARED:.*]] = memref.alloca() {alignment = 64 : i64} : memref<64xf32>
// CHECK-DAG: %[[OWN:.*]] = memref.alloca() {alignment = 64 : i64} : memref<64x1xf32>
// CHECK: scf.forall (%{{.*}}) in (%{{.*}})
// CHECK: scf.for %[[THREAD:.*]] = %c0{{.*}} to %c64{{.*}} step %c1
// CHECK: memref.load %[[OWN]][%[[THREAD]], %{{.*}}]
// CHECK: memref.store %{{.*}}, %[[SHARED]][%[[THREAD]]]
// CHECK: scf.for
// CHECK: memref.load %[[SHARED]]
// CHECK-NOT: gpu.thread
func.func @sum(%x: memref<?xf32>) attributes {aft.kernel} {
  %c0 = arith.constant 0 : index
  %n = memref.dim %x, %c0 : memref<?xf32>
  %shared = memref.alloc() : memref<64xf32>
  %own = memref.alloca() : memref<64x1xf32>
  scf.forall (%block) in (%n) {
    scf.forall (%thread) in (64) {
      %v = memref.load %own[%thread, %c0] : memref<64x1xf32>
      memref.store %v, %shared[%thread] : memref<64xf32>
    } {mapping = [#gpu.thread<x>]}
    scf.forall (%thread) in (64) {
      %v = memref.load %shared[%c0] : memref<64xf32>
      memref.store %v, %x[%block] : memref<?xf32>
    } {mapping = [#gpu.thread<x>]}
  } {mapping = [#gpu.block<x>]}
  return
}
