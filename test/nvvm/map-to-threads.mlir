// RUN: aft-opt %s -split-input-file -aft-kernels -aft-tile=target=cuda -aft-vector=target=cuda | FileCheck %s

// Four neighbours per thread, and no memory that threads share.
// CHECK-LABEL: func.func private @kernel_0_elementwise(
// CHECK-SAME: memref<?x64xf32>, %{{.*}}: memref<64xf32>, %{{.*}}: memref<?x64xf32>) attributes
// CHECK-NOT: memref.alloc
// CHECK: scf.forall (%{{.*}}) = (0) to (%{{.*}}) step (16) {
// CHECK: scf.forall (%[[THREAD:.*]]) in (256) {
// CHECK: scf.for %{{.*}} = %[[THREAD]] to %{{.*}} step %c256
// CHECK: vector.load {{.*}} vector<4xf32>
// CHECK: vector.store {{.*}} vector<4xf32>
// CHECK: } {mapping = [#gpu.thread<x>]}
// CHECK-NEXT: } {mapping = [#gpu.block<x>]}
// CHECK-NEXT: return
func.func @main(%x: tensor<?x64xf32>, %b: tensor<64xf32>) -> tensor<?x64xf32> {
  %y = linalg.generic {indexing_maps = [affine_map<(i, c) -> (i, c)>, affine_map<(i, c) -> (c)>, affine_map<(i, c) -> (i, c)>], iterator_types = ["parallel", "parallel"]} ins(%x, %b : tensor<?x64xf32>, tensor<64xf32>) outs(%x : tensor<?x64xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %s = arith.addf %l, %r : f32
    linalg.yield %s : f32
  } -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----

// 32 threads share the sum of each of 8 rows: partial sums in shared memory, eight of which
// become one, then the rest. Neighbouring threads read neighbours.
// CHECK-LABEL: func.func private @kernel_0_rows(
// CHECK-DAG: %[[FEWER:.*]] = memref.alloc() : memref<8x4xf32>
// CHECK-DAG: %[[PARTS:.*]] = memref.alloc() : memref<8x32xf32>
// CHECK: step (8) {
// CHECK: scf.forall (%[[THREAD:.*]]) in (256) {
// CHECK: %[[LANE:.*]] = arith.remui %{{.*}}, %c32 : index
// CHECK: %[[ROW:.*]] = arith.divui %{{.*}}, %c32 : index
// CHECK: %[[SUM:.*]] = scf.for %{{.*}} = %[[LANE]] to %c64 step %c32 iter_args
// CHECK: memref.store %[[SUM]], %[[PARTS]][%[[ROW]], %[[LANE]]]
// CHECK: scf.forall (%{{.*}}) in (32) {
// CHECK-COUNT-8: memref.load %[[PARTS]]
// CHECK: memref.store %{{.*}}, %[[FEWER]]
// CHECK: scf.forall (%{{.*}}) in (32) {
// CHECK-COUNT-4: memref.load %[[FEWER]]
func.func @main(%x: tensor<?x64xf32>, %y: tensor<?xf32>) -> tensor<?xf32> {
  %s = linalg.generic {indexing_maps = [affine_map<(i, c) -> (i, c)>, affine_map<(i, c) -> (i)>], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<?x64xf32>) outs(%y : tensor<?xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = arith.addf %a, %o : f32
    linalg.yield %r : f32
  } -> tensor<?xf32>
  return %s : tensor<?xf32>
}

// -----

// A tile of C: sums in the threads' own memory, factors in shared memory.
// CHECK-LABEL: func.func private @kernel_0_matmul(
// CHECK-DAG: memref.alloca() : memref<256x8x4xf32>
// CHECK-DAG: memref.alloc() : memref<16x132xf32>
// CHECK-DAG: memref.alloc() : memref<16x68xf32>
// CHECK: scf.forall (%{{.*}}, %{{.*}}) = (0, 0) to (%{{.*}}, 512) step (128, 64) {
// CHECK: scf.for %{{.*}} = %c0 to %{{.*}} step %c16 {
// CHECK: scf.forall (%{{.*}}) in (256)
// CHECK: scf.forall (%{{.*}}) in (256)
// CHECK-COUNT-8: math.fma %{{.*}} : vector<4xf32>
func.func @main(%a: tensor<?x96xf32>, %b: tensor<96x512xf32>, %c: tensor<?x512xf32>) -> tensor<?x512xf32> {
  %p = linalg.matmul ins(%a, %b : tensor<?x96xf32>, tensor<96x512xf32>) outs(%c : tensor<?x512xf32>) -> tensor<?x512xf32>
  return %p : tensor<?x512xf32>
}
