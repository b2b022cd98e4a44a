// RUN: aft-opt %s -split-input-file -aft-kernels -aft-tile=target=cuda -aft-vector=target=cuda | FileCheck %s

// The gradient of a filter on a sequence: a block has 16 heads and 4 of 32 taps, and goes through the
// sequence in tiles of 64 queries and the 67 keys that the taps reach from there. A thread has 16
// of the queries: 64 multiplications and additions for 19 keys.
// CHECK-LABEL: func.func private @kernel_0_conv_grad(
// CHECK-DAG: memref.alloc() : memref<1x64x32xf32>
// CHECK-DAG: memref.alloc() : memref<1x67x32xf32>
// CHECK-DAG: memref.alloca() : memref<128x4xf32>
// CHECK: scf.forall (%{{.*}}, %{{.*}}) in (32, 8) {
// CHECK: arith.cmpf olt
// CHECK: scf.if
// CHECK: scf.for %{{.*}} = %c0 to %{{.*}} step %c1 {
// CHECK-NEXT: scf.for %{{.*}} = %c0 to %{{.*}} step %c64 {
// Where no key of the tile is far above what its queries see:
// CHECK: %[[MODERATE:.*]] = arith.cmpf olt, %{{.*}}, %cst{{.*}} : f32
// CHECK-NEXT: scf.if %[[MODERATE]] {
// CHECK-DAG: memref.store {{.*}} memref<1x64x32xf32>
// CHECK-DAG: memref.store {{.*}} memref<1x67x32xf32>
// CHECK: scf.for %{{.*}} iter_args
// CHECK-COUNT-16: memref.load {{.*}} memref<1x64x32xf32>
// CHECK-NOT: scf.if
// CHECK-COUNT-64: math.fma
// CHECK-NOT: math.fma
// CHECK: scf.yield
// Else pair by pair, and so is all of it where the filters are not moderate.
// CHECK: } else {
// CHECK-NOT: memref<1x67x32xf32>
// CHECK: memref.store {{.*}} memref<4x128xf32>
// CHECK: memref.store {{.*}} memref<4x32xf32>
// CHECK: } else {
// CHECK: aft_gpu.warp_reduce
// CHECK: } {mapping = [#gpu.block<y>, #gpu.block<x>]}
// CHECK-NEXT: return
func.func @main(%dy: tensor<?x?x512xf32>, %f: tensor<512x32xf32>) -> (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<512x32xf32>) {
  %g:4 = aft.conv_grad %dy, %dy, %dy, %dy, %f, %dy, %dy causal : (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<512x32xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>) -> (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<512x32xf32>)
  return %g#0, %g#1, %g#2, %g#3 : tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<512x32xf32>
}

// -----

// Rows that have no room are cut: 128 queries of one meet the 132 keys that a row of the filter reaches.
// CHECK-LABEL: func.func private @kernel_0_conv_grad(
// CHECK-DAG: memref.alloc() : memref<1x128x32xf32>
// CHECK-DAG: memref.alloc() : memref<1x132x32xf32>
// CHECK: scf.for %{{.*}} = %c0 to %c3000 step %c128 {
func.func @main(%dy: tensor<?x?x64xf32>, %f: tensor<64x3x5xf32>) -> (tensor<?x?x64xf32>, tensor<?x?x64xf32>, tensor<?x?x64xf32>, tensor<64x3x5xf32>) {
  %g:4 = aft.conv_grad %dy, %dy, %dy, %dy, %f, %dy, %dy grid = [3, 3000] : (tensor<?x?x64xf32>, tensor<?x?x64xf32>, tensor<?x?x64xf32>, tensor<?x?x64xf32>, tensor<64x3x5xf32>, tensor<?x?x64xf32>, tensor<?x?x64xf32>) -> (tensor<?x?x64xf32>, tensor<?x?x64xf32>, tensor<?x?x64xf32>, tensor<64x3x5xf32>)
  return %g#0, %g#1, %g#2, %g#3 : tensor<?x?x64xf32>, tensor<?x?x64xf32>, tensor<?x?x64xf32>, tensor<64x3x5xf32>
}
