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

// 16 threads share the sum of each of 8 rows, a vector of each 64 bytes at a time, and combine
// theirs within a warp: no memory that they share. Neighbouring threads read neighbours.
// CHECK-LABEL: func.func private @kernel_0_rows(
// CHECK-NOT: memref.alloc
// CHECK: step (8) {
// CHECK: scf.forall (%[[THREAD:.*]]) in (128) {
// CHECK-DAG: %[[LANE:.*]] = arith.remui %[[THREAD]], %c16 : index
// CHECK-DAG: %[[ROW:.*]] = arith.divui %[[THREAD]], %c16 : index
// CHECK: %[[EXISTS:.*]] = arith.cmpi slt, %[[ROW]], %{{.*}} : index
// CHECK: %[[OWN:.*]] = scf.if %[[EXISTS]] -> (f32) {
// CHECK: %[[FIRST:.*]] = arith.muli %[[LANE]], %c4 : index
// CHECK: %[[SUMS:.*]] = scf.for %{{.*}} = %[[FIRST]] to %c64 step %c64 iter_args
// CHECK: vector.load {{.*}} vector<4xf32>
// CHECK: vector.extract_strided_slice %[[SUMS]]
// CHECK: %[[SUM:.*]] = vector.extract %{{.*}}[0] : f32
// CHECK: scf.yield %[[SUM]]
// CHECK: scf.yield %cst
// CHECK: %[[ALL:.*]] = aft_gpu.warp_reduce <add>, %[[OWN]] {lanes = 16 : i64} : f32
// CHECK: scf.if
// CHECK: %[[BEFORE:.*]] = memref.load %{{.*}}[%[[ROW]]]
// CHECK: %[[NEW:.*]] = arith.addf %[[BEFORE]], %[[ALL]]
// CHECK: memref.store %[[NEW]], %{{.*}}[%[[ROW]]]
// CHECK-NOT: scf.forall
// CHECK: return
func.func @main(%x: tensor<?x64xf32>, %y: tensor<?xf32>) -> tensor<?xf32> {
  %s = linalg.generic {indexing_maps = [affine_map<(i, c) -> (i, c)>, affine_map<(i, c) -> (i)>], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<?x64xf32>) outs(%y : tensor<?xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = arith.addf %a, %o : f32
    linalg.yield %r : f32
  } -> tensor<?xf32>
  return %s : tensor<?xf32>
}

// -----

// 128 threads of a row: what warps have is combined in shared memory, of two outputs.
// CHECK-LABEL: func.func private @kernel_0_rows(
// CHECK-COUNT-2: memref.alloc() : memref<1x4xf32>
// CHECK-NOT: memref.alloc
// CHECK: scf.forall (%{{.*}}) in (128) {
// CHECK-DAG: %[[SUM:.*]] = aft_gpu.warp_reduce <add>, %{{.*}} {lanes = 32 : i64} : f32
// CHECK-DAG: %[[MOST:.*]] = aft_gpu.warp_reduce <maximumf>, %{{.*}} {lanes = 32 : i64} : f32
// CHECK: scf.if
// CHECK-DAG: memref.store %[[SUM]], %[[SUMS:.*]][
// CHECK-DAG: memref.store %[[MOST]], %[[MOSTS:.*]][
// CHECK: scf.forall (%{{.*}}) in (32) {
// CHECK-COUNT-4: memref.load %[[SUMS]][
// CHECK-COUNT-4: memref.load %[[MOSTS]][
// CHECK-NOT: scf.forall
// CHECK: return
func.func @main(%x: tensor<?x1000xf32>, %y: tensor<?xf32>, %z: tensor<?xf32>) -> (tensor<?xf32>, tensor<?xf32>) {
  %s:2 = linalg.generic {indexing_maps = [affine_map<(i, c) -> (i, c)>, affine_map<(i, c) -> (i)>, affine_map<(i, c) -> (i)>], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<?x1000xf32>) outs(%y, %z : tensor<?xf32>, tensor<?xf32>) {
  ^bb0(%a: f32, %o: f32, %p: f32):
    %r = arith.addf %a, %o : f32
    %m = arith.maximumf %a, %p : f32
    linalg.yield %r, %m : f32, f32
  } -> (tensor<?xf32>, tensor<?xf32>)
  return %s#0, %s#1 : tensor<?xf32>, tensor<?xf32>
}

// -----

// Threads of 8 columns follow each other, so that those of a column are 8 apart.
// CHECK-LABEL: func.func private @kernel_0_columns(
// CHECK: memref.alloc() : memref<8x8xf32>
// CHECK: scf.forall (%[[THREAD:.*]]) in (256) {
// CHECK: arith.remui %[[THREAD]], %c8 : index
// CHECK: aft_gpu.warp_reduce <add>, %{{.*}} {lanes = 4 : i64, stride = 8 : i64} : f32
// CHECK: scf.forall (%{{.*}}) in (32) {
// CHECK-NOT: scf.forall
// CHECK: return
func.func @main(%x: tensor<?x64xf32>, %y: tensor<64xf32>) -> tensor<64xf32> {
  %s = linalg.generic {indexing_maps = [affine_map<(i, c) -> (i, c)>, affine_map<(i, c) -> (c)>], iterator_types = ["reduction", "parallel"]} ins(%x : tensor<?x64xf32>) outs(%y : tensor<64xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = arith.addf %a, %o : f32
    linalg.yield %r : f32
  } -> tensor<64xf32>
  return %s : tensor<64xf32>
}

// -----

// Everything by one block: what its 32 warps have, by a warp.
// CHECK-LABEL: func.func private @kernel_0_sum(
// CHECK: %[[SHARED:.*]] = memref.alloc() : memref<1x32xf32>
// CHECK: scf.forall (%{{.*}}) in (1024) {
// CHECK: aft_gpu.warp_reduce <add>, %{{.*}} {lanes = 32 : i64} : f32
// CHECK: scf.forall (%{{.*}}) in (32) {
// CHECK: memref.load %[[SHARED]][
// CHECK: aft_gpu.warp_reduce <add>, %{{.*}} {lanes = 32 : i64} : f32
// CHECK-NOT: scf.forall
// CHECK: return
func.func @main(%x: tensor<?xf32>, %y: tensor<f32>) -> tensor<f32> {
  %s = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> ()>], iterator_types = ["reduction"]} ins(%x : tensor<?xf32>) outs(%y : tensor<f32>) {
  ^bb0(%a: f32, %o: f32):
    %r = arith.addf %a, %o : f32
    linalg.yield %r : f32
  } -> tensor<f32>
  return %s : tensor<f32>
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
