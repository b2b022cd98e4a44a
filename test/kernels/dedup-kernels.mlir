// RUN: aft-opt %s -aft-dedup-kernels | FileCheck %s

// @b is @a under another name; @c has another constant, and stays.
// CHECK-COUNT-2: func.func private @kernel_
// CHECK-NOT: func.func private
// CHECK-LABEL: func.func @main(
// CHECK: aft.launch @[[A:kernel_[0-9]+]] ins
// CHECK: aft.launch @[[A]] ins
// CHECK-NOT: aft.launch @[[A]]
// CHECK: aft.launch @kernel_
func.func private @kernel_0(%x: tensor<4xf32>, %y: tensor<4xf32>) -> tensor<4xf32> attributes {aft.kernel} {
  %c = arith.constant 1.0 : f32
  %z = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]} ins(%x : tensor<4xf32>) outs(%y : tensor<4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %s = arith.addf %a, %c : f32
    linalg.yield %s : f32
  } -> tensor<4xf32>
  return %z : tensor<4xf32>
}
func.func private @kernel_1(%u: tensor<4xf32>, %v: tensor<4xf32>) -> tensor<4xf32> attributes {aft.kernel} {
  %c = arith.constant 1.0 : f32
  %z = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]} ins(%u : tensor<4xf32>) outs(%v : tensor<4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %s = arith.addf %a, %c : f32
    linalg.yield %s : f32
  } -> tensor<4xf32>
  return %z : tensor<4xf32>
}
func.func private @kernel_2(%x: tensor<4xf32>, %y: tensor<4xf32>) -> tensor<4xf32> attributes {aft.kernel} {
  %c = arith.constant 2.0 : f32
  %z = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]} ins(%x : tensor<4xf32>) outs(%y : tensor<4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %s = arith.addf %a, %c : f32
    linalg.yield %s : f32
  } -> tensor<4xf32>
  return %z : tensor<4xf32>
}
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> attributes {aft.entry} {
  %e = tensor.empty() : tensor<4xf32>
  %0 = aft.launch @kernel_0 ins(%x) outs(%e) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %1 = aft.launch @kernel_1 ins(%0) outs(%e) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %2 = aft.launch @kernel_2 ins(%1) outs(%e) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %2 : tensor<4xf32>
}
