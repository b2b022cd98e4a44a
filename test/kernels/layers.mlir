// RUN: aft-opt %s -aft-kernels | FileCheck %s
// Three equal layers: every kernel body exists once, and their temporaries share the arena whatever
// B and T are.

// CHECK: module attributes {aft.checks = ["main: sizes of tensors are larger than 64 bits can count"]}
// CHECK-COUNT-1: aft.simple
// CHECK-NOT: aft.simple
// CHECK-LABEL: func.func @main(
// CHECK-SAME: memref<?x?x16xf32>
// CHECK-SAME: %[[OUT:[a-z0-9]+]]: memref<?x?x16xf32>, %[[ARENA:[a-z0-9]+]]: memref<?xi8>) attributes {aft.entry, aft.interface = {inputs = [{name = "x", type = tensor<?x?x16xf32>}
// CHECK: aft.launch @[[FIRST:kernel_[0-9a-z_]+]] ins
// CHECK: aft.launch @[[FIRST]]
// CHECK: aft.launch @[[FIRST]]
// CHECK: %[[RESULT:.*]] = memref.reinterpret_cast %[[OUT]]
// CHECK: aft.launch @{{.*}} outs(%[[RESULT]])
// CHECK-LABEL: func.func @main.plan(
// CHECK-SAME: attributes {aft.plan}
module {
  func.func private @layer(%x: tensor<?x?x16xf32>, %g: tensor<16xf32>, %b: tensor<16xf32>, %w: tensor<16x16xf32>, %c: tensor<16xf32>) -> tensor<?x?x16xf32> {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %zero = arith.constant 0.0 : f32
    %n = aft.layer_norm %x, %g, %b : (tensor<?x?x16xf32>, tensor<16xf32>, tensor<16xf32>) -> tensor<?x?x16xf32>
    %flat = tensor.collapse_shape %n [[0, 1], [2]] : tensor<?x?x16xf32> into tensor<?x16xf32>
    %rows = tensor.dim %flat, %c0 : tensor<?x16xf32>
    %e = tensor.empty(%rows) : tensor<?x16xf32>
    %f = linalg.fill ins(%zero : f32) outs(%e : tensor<?x16xf32>) -> tensor<?x16xf32>
    %m = linalg.matmul_transpose_b ins(%flat, %w : tensor<?x16xf32>, tensor<16x16xf32>) outs(%f : tensor<?x16xf32>) -> tensor<?x16xf32>
    %biased = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]} ins(%m, %c : tensor<?x16xf32>, tensor<16xf32>) outs(%e : tensor<?x16xf32>) {
    ^bb0(%l: f32, %r: f32, %o: f32):
      %s = arith.addf %l, %r : f32
      linalg.yield %s : f32
    } -> tensor<?x16xf32>
    %d0 = tensor.dim %x, %c0 : tensor<?x?x16xf32>
    %d1 = tensor.dim %x, %c1 : tensor<?x?x16xf32>
    %back = tensor.expand_shape %biased [[0, 1], [2]] output_shape [%d0, %d1, 16] : tensor<?x16xf32> into tensor<?x?x16xf32>
    %y = aft.simple %back, %back, %back causal : (tensor<?x?x16xf32>, tensor<?x?x16xf32>, tensor<?x?x16xf32>) -> tensor<?x?x16xf32>
    %sum = arith.addf %x, %y : tensor<?x?x16xf32>
    return %sum : tensor<?x?x16xf32>
  }
  func.func @main(%x: tensor<?x?x16xf32> {aft.name = "x"},
      %g0: tensor<16xf32>, %b0: tensor<16xf32>, %w0: tensor<16x16xf32>, %c0: tensor<16xf32>,
      %g1: tensor<16xf32>, %b1: tensor<16xf32>, %w1: tensor<16x16xf32>, %c1: tensor<16xf32>,
      %g2: tensor<16xf32>, %b2: tensor<16xf32>, %w2: tensor<16x16xf32>, %c2: tensor<16xf32>) -> tensor<?x?x16xf32> {
    %1 = call @layer(%x, %g0, %b0, %w0, %c0) : (tensor<?x?x16xf32>, tensor<16xf32>, tensor<16xf32>, tensor<16x16xf32>, tensor<16xf32>) -> tensor<?x?x16xf32>
    %2 = call @layer(%1, %g1, %b1, %w1, %c1) : (tensor<?x?x16xf32>, tensor<16xf32>, tensor<16xf32>, tensor<16x16xf32>, tensor<16xf32>) -> tensor<?x?x16xf32>
    %3 = call @layer(%2, %g2, %b2, %w2, %c2) : (tensor<?x?x16xf32>, tensor<16xf32>, tensor<16xf32>, tensor<16x16xf32>, tensor<16xf32>) -> tensor<?x?x16xf32>
    return %3 : tensor<?x?x16xf32>
  }
}
