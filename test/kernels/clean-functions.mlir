// RUN: aft-opt %s -aft-clean-functions | FileCheck %s --check-prefixes=CHECK,KERNELS
// RUN: aft-opt %s -aft-clean-functions=kernels=false | FileCheck %s --check-prefixes=CHECK,OTHERS

// Launches of a kernel that look alike stay two while kernels are cleaned: one may compute again
// what would have to be kept.
// CHECK-LABEL: @kernel_0(
// KERNELS-COUNT-1: arith.addf
// KERNELS-NOT: arith.addf
// OTHERS-COUNT-2: arith.addf
func.func private @kernel_0(%x: tensor<4xf32>, %y: tensor<4xf32>) -> tensor<4xf32> attributes {aft.kernel} {
  %z = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]} ins(%x : tensor<4xf32>) outs(%y : tensor<4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %s = arith.addf %a, %a : f32
    %t = arith.addf %a, %a : f32
    %u = arith.mulf %s, %t : f32
    linalg.yield %u : f32
  } -> tensor<4xf32>
  return %z : tensor<4xf32>
}

// CHECK-LABEL: @main(
// KERNELS-COUNT-2: aft.launch
// OTHERS-COUNT-1: aft.launch
// OTHERS-NOT: aft.launch
func.func @main(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %e = tensor.empty() : tensor<4xf32>
  %0 = aft.launch @kernel_0 ins(%x) outs(%e) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %1 = aft.launch @kernel_0 ins(%x) outs(%e) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %0, %1 : tensor<4xf32>, tensor<4xf32>
}
