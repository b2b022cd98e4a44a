// RUN: aft-opt %s -split-input-file -verify-diagnostics -aft-form-kernels | FileCheck %s

// A matmul and the elementwise operation after it are one kernel, the mixer is another;
// the entry only launches.
// CHECK-LABEL: func.func private @{{.*}} attributes {aft.kernel, aft.kind = "matmul"}
// CHECK: linalg.fill
// CHECK: linalg.matmul
// CHECK: linalg.generic
// CHECK: return
// CHECK-LABEL: func.func private @{{.*}} attributes {aft.kernel, aft.kind = "simple"}
// CHECK: aft.simple
// CHECK: return
// CHECK-LABEL: func.func @main(
// CHECK-NOT: linalg
// CHECK: aft.launch
// CHECK-NOT: linalg
// CHECK: aft.launch
// CHECK-NOT: aft.launch
func.func @main(%x: tensor<?x8xf32>, %w: tensor<8x8xf32>) -> tensor<1x?x8xf32> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %n = tensor.dim %x, %c0 : tensor<?x8xf32>
  %e = tensor.empty(%n) : tensor<?x8xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<?x8xf32>) -> tensor<?x8xf32>
  %m = linalg.matmul ins(%x, %w : tensor<?x8xf32>, tensor<8x8xf32>) outs(%f : tensor<?x8xf32>) -> tensor<?x8xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]} ins(%m : tensor<?x8xf32>) outs(%e : tensor<?x8xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = arith.maximumf %a, %zero : f32
    linalg.yield %t : f32
  } -> tensor<?x8xf32>
  %q = tensor.expand_shape %r [[0, 1], [2]] output_shape [1, %n, 8] : tensor<?x8xf32> into tensor<1x?x8xf32>
  %d = tensor.empty(%n) : tensor<1x?x8xf32>
  %y = aft.simple %q, %q, %q outs(%d) : (tensor<1x?x8xf32>, tensor<1x?x8xf32>, tensor<1x?x8xf32>, tensor<1x?x8xf32>) -> tensor<1x?x8xf32>
  return %y : tensor<1x?x8xf32>
}

// -----

// A private function is no entry.
// CHECK-LABEL: func.func private @helper(
// CHECK-NOT: aft.entry
// CHECK: linalg.generic
func.func private @helper(%x: tensor<4xf32>) -> tensor<4xf32> {
  %y = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>], iterator_types = ["parallel"]} outs(%x : tensor<4xf32>) {
  ^bb0(%o: f32):
    %s = arith.negf %o : f32
    linalg.yield %s : f32
  } -> tensor<4xf32>
  return %y : tensor<4xf32>
}
