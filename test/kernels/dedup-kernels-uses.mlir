// RUN: aft-opt %s -aft-dedup-kernels | FileCheck %s

// The three have the same operations, types and attributes. @swapped takes its operands in
// another order and stays; @renamed names them otherwise, and is @kernel_0.
// CHECK-COUNT-2: func.func private @kernel_
// CHECK-NOT: func.func private
// CHECK-LABEL: func.func @main(
// CHECK: aft.launch @[[A:kernel_[0-9]+]] ins(%{{.*}}, %{{.*}})
// CHECK: aft.launch @[[B:kernel_[0-9]+]] ins
// CHECK: aft.launch @[[A]] ins
func.func private @kernel_0(%x: tensor<4xf32>, %y: tensor<4xf32>, %o: tensor<4xf32>) -> tensor<4xf32> attributes {aft.kernel} {
  %z = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]} ins(%x, %y : tensor<4xf32>, tensor<4xf32>) outs(%o : tensor<4xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %s = arith.subf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<4xf32>
  return %z : tensor<4xf32>
}
func.func private @swapped(%x: tensor<4xf32>, %y: tensor<4xf32>, %o: tensor<4xf32>) -> tensor<4xf32> attributes {aft.kernel} {
  %z = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]} ins(%x, %y : tensor<4xf32>, tensor<4xf32>) outs(%o : tensor<4xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %s = arith.subf %b, %a : f32
    linalg.yield %s : f32
  } -> tensor<4xf32>
  return %z : tensor<4xf32>
}
func.func private @renamed(%p: tensor<4xf32>, %q: tensor<4xf32>, %r: tensor<4xf32>) -> tensor<4xf32> attributes {aft.kernel} {
  %z = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]} ins(%p, %q : tensor<4xf32>, tensor<4xf32>) outs(%r : tensor<4xf32>) {
  ^bb0(%u: f32, %v: f32, %w: f32):
    %t = arith.subf %u, %v : f32
    linalg.yield %t : f32
  } -> tensor<4xf32>
  return %z : tensor<4xf32>
}
func.func @main(%x: tensor<4xf32>, %y: tensor<4xf32>) -> tensor<4xf32> attributes {aft.entry} {
  %e = tensor.empty() : tensor<4xf32>
  %0 = aft.launch @kernel_0 ins(%x, %y) outs(%e) : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %1 = aft.launch @swapped ins(%0, %y) outs(%e) : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %2 = aft.launch @renamed ins(%1, %y) outs(%e) : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %2 : tensor<4xf32>
}
