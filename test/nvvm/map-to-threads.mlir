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

// 16 threads share the sum of each of 8 rows, a vector of each 64 bytes at a time: partial
// sums in shared memory. Neighbouring threads read neighbours.
// CHECK-LABEL: func.func private @kernel_0_rows(
// CHECK: %[[PARTS:.*]] = memref.alloc() : memref<8x16xf32>
// CHECK: step (8) {
// CHECK: scf.forall (%[[THREAD:.*]]) in (128) {
// CHECK-DAG: %[[LANE:.*]] = arith.remui %[[THREAD]], %c16 : index
// CHECK-DAG: %[[ROW:.*]] = arith.divui %[[THREAD]], %c16 : index
// CHECK: %[[FIRST:.*]] = arith.muli %[[LANE]], %c4 : index
// CHECK: %[[SUMS:.*]] = scf.for %{{.*}} = %[[FIRST]] to %c64 step %c64 iter_args
// CHECK: vector.load {{.*}} vector<4xf32>
// CHECK: vector.extract_strided_slice %[[SUMS]]
// CHECK: %[[SUM:.*]] = vector.extract %{{.*}}[0] : f32
// CHECK: memref.store %[[SUM]], %[[PARTS]][%[[ROW]], %[[LANE]]]
// CHECK: scf.forall (%{{.*}}) in (32) {
// CHECK-COUNT-16: memref.load %[[PARTS]]
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

// -----

// Rows of unknown length: vectors of eight bf16, the rest one by one.
// CHECK-LABEL: func.func private @kernel_0_elementwise(
// CHECK: scf.forall (%{{.*}}) in (256) {
// CHECK: scf.if
// CHECK: scf.for
// CHECK: memref.load {{.*}} : memref<?xbf16
// CHECK: else
// CHECK: vector.load {{.*}} vector<8xbf16>
// CHECK: vector.store {{.*}} vector<8xbf16>
func.func @main(%x: tensor<?xbf16>) -> tensor<?xbf16> {
  %y = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]} ins(%x : tensor<?xbf16>) outs(%x : tensor<?xbf16>) {
  ^bb0(%a: bf16, %o: bf16):
    %s = arith.negf %a : bf16
    linalg.yield %s : bf16
  } -> tensor<?xbf16>
  return %y : tensor<?xbf16>
}

// -----

// Running sums: keys and values of a tile stay in registers, 8 rows of a vector each, while
// the sums of the threads are summed; so each is loaded in one place.
// CHECK-LABEL: func.func private @kernel_0_simple(
// CHECK-SAME: aft.resident_blocks = 3
// CHECK-DAG: memref.alloca() : memref<128x8x3x4xf32>
// CHECK-DAG: memref.alloc() : memref<3x32x16xf32>
// CHECK: scf.for %{{.*}} = %c0 to %{{.*}} step %c256 {
// CHECK: scf.forall (%{{.*}}) in (128) {
// CHECK-COUNT-16: vector.load %{{.*}} : memref<?x?x64xf32>, vector<4xf32>
// CHECK-NOT: vector.load %{{.*}} : memref<?x?x64xf32>
// CHECK: scf.forall (%{{.*}}) in (128) {
// CHECK: scf.forall (%{{.*}}) in (32) {
// CHECK: scf.forall (%{{.*}}) in (128) {
// CHECK-COUNT-8: vector.load %{{.*}} : memref<?x?x64xf32>, vector<4xf32>
// CHECK-NOT: vector.load %{{.*}} : memref<?x?x64xf32>
// CHECK: return
func.func @main(%q: tensor<?x?x64xf32>, %k: tensor<?x?x64xf32>, %v: tensor<?x?x64xf32>) -> tensor<?x?x64xf32> {
  %y = aft.simple %q, %k, %v causal : (tensor<?x?x64xf32>, tensor<?x?x64xf32>, tensor<?x?x64xf32>) -> tensor<?x?x64xf32>
  return %y : tensor<?x?x64xf32>
}

// -----

// Windows: items and exp(bias) lie in shared memory, a pair costs two multiplications and
// additions, and there is no exponential among them.
// CHECK-LABEL: func.func private @kernel_0_local(
// CHECK-DAG: memref.alloca() : memref<128x4x2x4xf32>
// CHECK-DAG: memref.alloc() : memref<95x32xf32>
// CHECK-DAG: memref.alloc() : memref<16x35x4xf32>
// CHECK: scf.for %{{.*}} = %c0 to %{{.*}} step %c64 {
// CHECK: scf.for %{{.*}} = %c0 to %c35 step %c1 iter_args
// CHECK-NEXT: arith.addi
// CHECK-NEXT: vector.load {{.*}} memref<95x32xf32>, vector<4xf32>
// CHECK-NEXT: vector.load {{.*}} memref<95x32xf32>, vector<4xf32>
// CHECK-NEXT: vector.load {{.*}} memref<16x35x4xf32>, vector<4xf32>
// CHECK-NOT: scf.yield
// CHECK-COUNT-8: math.fma {{.*}} vector<4xf32>
// CHECK-NEXT: scf.yield
func.func @main(%q: tensor<?x?x64xf32>, %k: tensor<?x?x64xf32>, %v: tensor<?x?x64xf32>, %w: tensor<?x32xf32>) -> tensor<?x?x64xf32> {
  %y = aft.local %q, %k, %v, %w window = 32 causal : (tensor<?x?x64xf32>, tensor<?x?x64xf32>, tensor<?x?x64xf32>, tensor<?x32xf32>) -> tensor<?x?x64xf32>
  return %y : tensor<?x?x64xf32>
}
