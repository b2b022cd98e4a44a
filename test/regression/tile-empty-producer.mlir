// RUN: aftc %s --training=adamw --compile-to=tile -o - | FileCheck %s
// The training step of an empty batch of a fixed size: tiling crashed where what is fused
// into a kernel has a loop of extent 0.

// CHECK-LABEL: func.func @train_step(
func.func @main(%x: tensor<0x4xf32>, %w: tensor<4x8xf32> {aft.param, aft.name = "w"}, %b: tensor<8xf32> {aft.param, aft.name = "b"}, %t: tensor<0x8xf32>) -> tensor<f32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<0x8xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<0x8xf32>) -> tensor<0x8xf32>
  %m = linalg.matmul ins(%x, %w : tensor<0x4xf32>, tensor<4x8xf32>) outs(%f : tensor<0x8xf32>) -> tensor<0x8xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]} ins(%m, %b : tensor<0x8xf32>, tensor<8xf32>) outs(%e : tensor<0x8xf32>) {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %s = arith.addf %p, %q : f32
    %h = math.tanh %s : f32
    linalg.yield %h : f32
  } -> tensor<0x8xf32>
  %init = tensor.empty() : tensor<f32>
  %start = linalg.fill ins(%zero : f32) outs(%init : tensor<f32>) -> tensor<f32>
  %loss = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> ()>], iterator_types = ["reduction", "reduction"]} ins(%y, %t : tensor<0x8xf32>, tensor<0x8xf32>) outs(%start : tensor<f32>) {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %d = arith.subf %p, %q : f32
    %s = arith.mulf %d, %d : f32
    %n = arith.addf %o, %s : f32
    linalg.yield %n : f32
  } -> tensor<f32>
  return %loss : tensor<f32>
}
