// RUN: aft-opt %s -split-input-file -aft-kernels -aft-tile=target=cuda -aft-vector=target=cuda | FileCheck %s

// dk of a head on a sequence is a sum over its channels. A block has 5 heads of 6 channels: what each
// channel adds takes the place of items, and is summed for 5 heads at 32 positions.
// CHECK-LABEL: func.func private @kernel_0_conv_grad(
// CHECK-DAG: %[[FIRSTS:.*]] = memref.alloc() : memref<40x32xf32>
// CHECK: scf.forall (%{{.*}}, %{{.*}}) in (%{{.*}}, 4) {
// CHECK: vector.store %{{.*}}, %{{.*}}[%{{.*}}] : memref<?x?x96xf32>, vector<2xf32>
// CHECK: vector.store %{{.*}}, %{{.*}} : memref<40x32xf32>, vector<2xf32>
// CHECK: scf.for %{{.*}} = %{{.*}} to %c160 step %c128 {
// CHECK: memref.load %{{.*}} : memref<40x32xf32>
// CHECK: memref.store %{{.*}} : memref<?x?x16xf32>
// CHECK: #gpu.block
// CHECK-NOT: memref.store %{{.*}} : memref<?x?x16xf32>
// CHECK: return
func.func @main(%dy: tensor<?x?x96xf32>, %k: tensor<?x?x16xf32>, %f: tensor<16x9xf32>, %r: tensor<?x?x96xf32>, %z: tensor<?x?x16xf32>) -> (tensor<?x?x96xf32>, tensor<?x?x16xf32>, tensor<?x?x96xf32>, tensor<16x9xf32>) {
  %g:4 = aft.conv_grad %dy, %dy, %k, %dy, %f, %r, %z causal : (tensor<?x?x96xf32>, tensor<?x?x96xf32>, tensor<?x?x16xf32>, tensor<?x?x96xf32>, tensor<16x9xf32>, tensor<?x?x96xf32>, tensor<?x?x16xf32>) -> (tensor<?x?x96xf32>, tensor<?x?x16xf32>, tensor<?x?x96xf32>, tensor<16x9xf32>)
  return %g#0, %g#1, %g#2, %g#3 : tensor<?x?x96xf32>, tensor<?x?x16xf32>, tensor<?x?x96xf32>, tensor<16x9xf32>
}

// -----

// A head of 64 channels takes two turns in each tile, for which sums up to a tile are kept apart; its dk is
// stored in the last one.
// CHECK-LABEL: func.func private @kernel_0_conv_grad(
// CHECK-DAG: %[[CARRY:.*]] = memref.alloc() : memref<3x64xf32>
// CHECK-DAG: %[[SUMS:.*]] = memref.alloc() : memref<32xf32>
// CHECK: scf.forall (%{{.*}}, %{{.*}}) in (%{{.*}}, 8) {
// CHECK: scf.for %{{.*}} step %c32 {
// CHECK: scf.for %[[TURN:.*]] = %c0 to %c2 step %c1 {
// CHECK: vector.store %{{.*}} : memref<?x?x512xf32>, vector<4xf32>
// CHECK: scf.for %{{.*}} = %{{.*}} to %c32 step %c128 {
// CHECK: %[[LAST:.*]] = arith.cmpi eq, %[[TURN]], %c1 : index
// CHECK: memref.store %{{.*}} : memref<32xf32>
// CHECK-NEXT: scf.if %[[LAST]] {
// CHECK: memref.store %{{.*}} : memref<?x?x8xf32>
// CHECK: #gpu.block
// CHECK-NOT: memref.store %{{.*}} : memref<?x?x8xf32>
// CHECK: return
func.func @main(%dy: tensor<?x?x512xf32>, %k: tensor<?x?x8xf32>, %f: tensor<8x9xf32>, %r: tensor<?x?x512xf32>, %z: tensor<?x?x8xf32>) -> (tensor<?x?x512xf32>, tensor<?x?x8xf32>, tensor<?x?x512xf32>, tensor<8x9xf32>) {
  %g:4 = aft.conv_grad %dy, %dy, %k, %dy, %f, %r, %z causal : (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x8xf32>, tensor<?x?x512xf32>, tensor<8x9xf32>, tensor<?x?x512xf32>, tensor<?x?x8xf32>) -> (tensor<?x?x512xf32>, tensor<?x?x8xf32>, tensor<?x?x512xf32>, tensor<8x9xf32>)
  return %g#0, %g#1, %g#2, %g#3 : tensor<?x?x512xf32>, tensor<?x?x8xf32>, tensor<?x?x512xf32>, tensor<8x9xf32>
}

// -----

// On a grid a head of 64 channels takes three turns, 22 of them in a block, beside the head. Its sums are
// kept until the last one.
// CHECK-LABEL: func.func private @kernel_0_conv_grad(
// CHECK-DAG: memref.alloc() : memref<14x14x23xf32>
// CHECK-DAG: %[[SUMS:.*]] = memref.alloc() : memref<2x196xf32>
// CHECK: scf.forall (%{{.*}}, %{{.*}}) in (%{{.*}}, 8) {
// CHECK: scf.for %[[TURN:.*]] = %c0 to %c3 step %c1 {
// CHECK: memref.store %{{.*}}, %[[SUMS]][%c0,
// CHECK: memref.store %{{.*}}, %[[SUMS]][%c1,
// CHECK: memref.store %{{.*}} : memref<?x?x8xf32>
// CHECK: #gpu.block
func.func @main(%dy: tensor<?x?x512xf32>, %k: tensor<?x?x8xf32>, %f: tensor<8x3x3xf32>, %r: tensor<?x?x512xf32>, %z: tensor<?x?x8xf32>) -> (tensor<?x?x512xf32>, tensor<?x?x8xf32>, tensor<?x?x512xf32>, tensor<8x3x3xf32>) {
  %g:4 = aft.conv_grad %dy, %dy, %k, %dy, %f, %r, %z grid = [14, 14] : (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x8xf32>, tensor<?x?x512xf32>, tensor<8x3x3xf32>, tensor<?x?x512xf32>, tensor<?x?x8xf32>) -> (tensor<?x?x512xf32>, tensor<?x?x8xf32>, tensor<?x?x512xf32>, tensor<8x3x3xf32>)
  return %g#0, %g#1, %g#2, %g#3 : tensor<?x?x512xf32>, tensor<?x?x8xf32>, tensor<?x?x512xf32>, tensor<8x3x3xf32>
}
