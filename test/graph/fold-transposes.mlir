// RUN: aft-opt %s -split-input-file -aft-fold-transposes | FileCheck %s

#swap = affine_map<(d0, d1) -> (d1, d0)>
#same = affine_map<(d0, d1) -> (d0, d1)>

// CHECK-LABEL: func.func @weights(
// CHECK-SAME: %[[X:.*]]: tensor<?x4xf32>, %[[W:.*]]: tensor<6x4xf32>
// CHECK: linalg.matmul_transpose_b ins(%[[X]], %[[W]] :
func.func @weights(%x: tensor<?x4xf32>, %w: tensor<6x4xf32>, %init: tensor<?x6xf32>) -> tensor<?x6xf32> {
  %e = tensor.empty() : tensor<4x6xf32>
  %t = linalg.generic {indexing_maps = [#swap, #same], iterator_types = ["parallel", "parallel"]} ins(%w : tensor<6x4xf32>) outs(%e : tensor<4x6xf32>) {
  ^bb0(%in: f32, %out: f32):
    linalg.yield %in : f32
  } -> tensor<4x6xf32>
  %y = linalg.matmul ins(%x, %t : tensor<?x4xf32>, tensor<4x6xf32>) outs(%init : tensor<?x6xf32>) -> tensor<?x6xf32>
  return %y : tensor<?x6xf32>
}

// -----

#swap = affine_map<(d0, d1, d2, d3) -> (d0, d1, d3, d2)>
#same = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>

// Through a view, on the left side.
// CHECK-LABEL: func.func @heads(
// CHECK-SAME: %[[K:.*]]: tensor<2x3x5x4xf32>, %[[V:.*]]: tensor<6x5x7xf32>
// CHECK: %[[VIEW:.*]] = tensor.collapse_shape %[[K]] {{\[\[}}0, 1], [2], [3]]
// CHECK: linalg.batch_matmul_transpose_a ins(%[[VIEW]], %[[V]] :
func.func @heads(%k: tensor<2x3x5x4xf32>, %v: tensor<6x5x7xf32>, %init: tensor<6x4x7xf32>) -> tensor<6x4x7xf32> {
  %e = tensor.empty() : tensor<2x3x4x5xf32>
  %t = linalg.generic {indexing_maps = [#swap, #same], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%k : tensor<2x3x5x4xf32>) outs(%e : tensor<2x3x4x5xf32>) {
  ^bb0(%in: f32, %out: f32):
    linalg.yield %in : f32
  } -> tensor<2x3x4x5xf32>
  %flat = tensor.collapse_shape %t [[0, 1], [2], [3]] : tensor<2x3x4x5xf32> into tensor<6x4x5xf32>
  %y = linalg.batch_matmul ins(%flat, %v : tensor<6x4x5xf32>, tensor<6x5x7xf32>) outs(%init : tensor<6x4x7xf32>) -> tensor<6x4x7xf32>
  return %y : tensor<6x4x7xf32>
}

// -----

#swap = affine_map<(d0, d1) -> (d1, d0)>
#same = affine_map<(d0, d1) -> (d0, d1)>

// What computes while it transposes stays.
// CHECK-LABEL: func.func @scaled(
// CHECK: linalg.matmul ins(
func.func @scaled(%x: tensor<?x4xf32>, %w: tensor<6x4xf32>, %init: tensor<?x6xf32>) -> tensor<?x6xf32> {
  %e = tensor.empty() : tensor<4x6xf32>
  %t = linalg.generic {indexing_maps = [#swap, #same], iterator_types = ["parallel", "parallel"]} ins(%w : tensor<6x4xf32>) outs(%e : tensor<4x6xf32>) {
  ^bb0(%in: f32, %out: f32):
    %n = arith.negf %in : f32
    linalg.yield %n : f32
  } -> tensor<4x6xf32>
  %y = linalg.matmul ins(%x, %t : tensor<?x4xf32>, tensor<4x6xf32>) outs(%init : tensor<?x6xf32>) -> tensor<?x6xf32>
  return %y : tensor<?x6xf32>
}
