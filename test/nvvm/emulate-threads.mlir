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

// -----

// Copies in the background are made at once; each thread makes its own numbers of a warp's
// product: two neighbours in a row and two in the row 8 below.
// CHECK-LABEL: func.func @warps(
// CHECK: scf.for %[[THREAD:.*]] = %c0{{.*}} to %c32
// CHECK: %[[CHUNK:.*]] = vector.load %{{.*}} vector<8xbf16>
// CHECK-NEXT: vector.store %[[CHUNK]]
// CHECK: %[[LANE:.*]] = arith.remui %[[THREAD]], %c32
// CHECK: arith.divui %[[LANE]], %c4
// CHECK: scf.for %{{.*}} = %c0{{.*}} to %c16{{.*}} iter_args(%[[SUM:.*]] = %{{.*}}, %{{.*}} = %{{.*}})
// CHECK-COUNT-12: memref.load
// CHECK: math.fma %{{.*}}, %{{.*}}, %[[SUM]] : vector<4xf32>
// CHECK: math.fma
// CHECK-NOT: aft_gpu
func.func @warps(%x: memref<16x16xbf16>, %y: memref<2x4xf32>) attributes {aft.kernel} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant dense<0.0> : vector<4xf32>
  %shared = memref.alloc() : memref<16x24xbf16>
  scf.forall (%block) in (%c1) {
    scf.forall (%thread) in (32) {
      aft_gpu.copy_chunk %x[%c0, %c0] to %shared[%c0, %c0] : memref<16x16xbf16> to memref<16x24xbf16>
      aft_gpu.copy_fence
      aft_gpu.copy_wait 0
      %p:2 = aft_gpu.warp_product %shared[%c0, %c0], %shared[%c0, %c0] to (%zero, %zero) in %thread {rows = 16, columns = 16, depth = 16}
        : memref<16x24xbf16>, memref<16x24xbf16>, vector<4xf32>, vector<4xf32>
      vector.store %p#0, %y[%c0, %c0] : memref<2x4xf32>, vector<4xf32>
      vector.store %p#1, %y[%c1, %c0] : memref<2x4xf32>, vector<4xf32>
    } {mapping = [#gpu.thread<x>]}
  } {mapping = [#gpu.block<x>]}
  return
}

// -----

// Factors of f32 are rounded to TF32 on the way: half of what is dropped is added to their
// bits, which are cut. A NaN stays one.
// CHECK-LABEL: func.func @rounded(
// CHECK: scf.for %{{.*}} = %c0{{.*}} to %c16{{.*}} iter_args(%[[SUM:.*]] = %{{.*}}, %{{.*}} = %{{.*}})
// CHECK: %[[A:.*]] = vector.from_elements
// CHECK: %[[BITS:.*]] = arith.bitcast %[[A]] : vector<4xf32> to vector<4xi32>
// CHECK: %[[HALF:.*]] = arith.constant dense<4096> : vector<4xi32>
// CHECK: %[[RAISED:.*]] = arith.addi %[[BITS]], %[[HALF]]
// CHECK: %[[KEPT:.*]] = arith.constant dense<-8192> : vector<4xi32>
// CHECK: %[[CUT:.*]] = arith.andi %[[RAISED]], %[[KEPT]]
// CHECK: %[[ROUNDED:.*]] = arith.bitcast %[[CUT]] : vector<4xi32> to vector<4xf32>
// CHECK: %[[NAN:.*]] = arith.cmpf uno, %[[A]], %[[A]]
// CHECK: %[[LEFT:.*]] = arith.select %[[NAN]], %[[A]], %[[ROUNDED]]
// CHECK: %[[RIGHT:.*]] = arith.select
// CHECK: math.fma %[[LEFT]], %[[RIGHT]], %[[SUM]] : vector<4xf32>
func.func @rounded(%y: memref<2x4xf32>) attributes {aft.kernel} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant dense<0.0> : vector<4xf32>
  %shared = memref.alloc() : memref<16x20xf32>
  scf.forall (%block) in (%c1) {
    scf.forall (%thread) in (32) {
      %p:2 = aft_gpu.warp_product %shared[%c0, %c0], %shared[%c0, %c0] to (%zero, %zero) in %thread {rows = 16, columns = 16, depth = 16}
        : memref<16x20xf32>, memref<16x20xf32>, vector<4xf32>, vector<4xf32>
      vector.store %p#0, %y[%c0, %c0] : memref<2x4xf32>, vector<4xf32>
      vector.store %p#1, %y[%c1, %c0] : memref<2x4xf32>, vector<4xf32>
    } {mapping = [#gpu.thread<x>]}
  } {mapping = [#gpu.block<x>]}
  return
}

// -----

// Threads combine numbers of each other once all of them have made theirs: with the thread two
// away, then one. What a thread uses later it keeps in a row of its own, once all of it; a part of
// memory is found again.
// CHECK-LABEL: func.func @reduce(
// CHECK-DAG: %[[A:.*]] = memref.alloca() {{.*}} : memref<64xf32>
// CHECK-DAG: %[[B:.*]] = memref.alloca() {{.*}} : memref<64xf32>
// CHECK-DAG: %[[KEPT:.*]] = memref.alloca() {{.*}} : memref<64xi64>
// CHECK: scf.for %[[T:.*]] = %c0{{.*}} to %c64
// CHECK:   %[[NUMBER:.*]] = memref.load %{{.*}}[%[[T]]]
// CHECK:   %[[BITS:.*]] = memref.load %arg1[%[[T]]]
// CHECK-DAG: memref.store %[[NUMBER]], %[[FROM:.*]][%[[T]]] : memref<64xf32>
// CHECK-DAG: memref.store %[[BITS]], %[[KEPT]][%[[T]]] : memref<64xi64>
// CHECK: }
// CHECK: scf.for %[[T:.*]] = %c0{{.*}} to %c64
// CHECK:   %[[C2:.*]] = arith.constant 2 : index
// CHECK:   %[[OTHER:.*]] = arith.xori %[[T]], %[[C2]] : index
// CHECK:   %[[OWN:.*]] = memref.load %[[FROM]][%[[T]]]
// CHECK:   %[[THEIRS:.*]] = memref.load %[[FROM]][%[[OTHER]]]
// CHECK:   %[[BOTH:.*]] = arith.addf %[[OWN]], %[[THEIRS]] : f32
// CHECK:   memref.store %[[BOTH]], %[[TO:.*]][%[[T]]] : memref<64xf32>
// CHECK: scf.for %[[T:.*]] = %c0{{.*}} to %c64
// CHECK:   memref.load %[[TO]][%[[T]]]
// CHECK:   memref.load %[[TO]][
// CHECK:   arith.addf
// CHECK:   memref.store %{{.*}}, %[[FROM]][%[[T]]]
// CHECK: scf.for %[[T:.*]] = %c0{{.*}} to %c64
// CHECK-DAG: memref.subview
// CHECK-DAG: memref.load %[[FROM]][%[[T]]]
// CHECK-DAG: memref.load %[[KEPT]][%[[T]]]
// CHECK-NOT: aft_gpu
func.func @reduce(%x: memref<64xf32>, %y: memref<64xi64>, %z: memref<64xi64>) attributes {aft.kernel} {
  %c1 = arith.constant 1 : index
  scf.forall (%block) in (%c1) {
    scf.forall (%thread) in (64) {
      %part = memref.subview %x[0] [64] [1] : memref<64xf32> to memref<64xf32, strided<[1]>>
      %v = memref.load %part[%thread] : memref<64xf32, strided<[1]>>
      %k = memref.load %y[%thread] : memref<64xi64>
      %s = aft_gpu.warp_reduce <add>, %v {lanes = 4} : f32
      memref.store %s, %part[%thread] : memref<64xf32, strided<[1]>>
      memref.store %k, %z[%thread] : memref<64xi64>
    } {mapping = [#gpu.thread<x>]}
  } {mapping = [#gpu.block<x>]}
  return
}
