// RUN: aft-opt %s -split-input-file -pass-pipeline='builtin.module(func.func(aft-narrow-results))' | FileCheck %s

// A loop that ends by widening leaves it to its readers: to one that computes with it, to none that
// narrows it again; one that did nothing else is gone.
// CHECK-LABEL: func.func @rounded
// CHECK: %[[D:.*]] = linalg.generic {{.*}} outs(%{{.*}} : tensor<?x4xbf16>)
// CHECK: %[[R:.*]] = arith.truncf
// CHECK-NEXT: linalg.yield %[[R]] : bf16
// CHECK: linalg.generic {{.*}} ins(%[[D]] : tensor<?x4xbf16>) outs(%{{.*}} : tensor<4xf32>)
// CHECK-NEXT: ^bb0(%[[X:.*]]: bf16, %{{.*}}: f32):
// CHECK-NEXT: arith.extf %[[X]]
// CHECK-NEXT: arith.addf
// CHECK-NOT: linalg.generic
// CHECK: linalg.matmul_transpose_a ins(%[[D]],
#rows = affine_map<(i, c) -> (i, c)>
#row = affine_map<(i, c) -> (c)>
func.func @rounded(%x: tensor<?x4xf32>, %y: tensor<?x8xbf16>, %n: index, %z: tensor<4xf32>, %p: tensor<4x8xf32>) -> (tensor<4xf32>, tensor<4x8xf32>) {
  %e = tensor.empty(%n) : tensor<?x4xf32>
  %d = linalg.generic {indexing_maps = [#rows, #rows], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<?x4xf32>) outs(%e : tensor<?x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = math.exp %a : f32
    %r = arith.truncf %t : f32 to bf16
    %w = arith.extf %r : bf16 to f32
    linalg.yield %w : f32
  } -> tensor<?x4xf32>
  %s = linalg.generic {indexing_maps = [#rows, #row], iterator_types = ["reduction", "parallel"]} ins(%d : tensor<?x4xf32>) outs(%z : tensor<4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = arith.truncf %a : f32 to bf16
    %w = arith.extf %r : bf16 to f32
    %t = arith.addf %o, %w : f32
    linalg.yield %t : f32
  } -> tensor<4xf32>
  %e16 = tensor.empty(%n) : tensor<?x4xbf16>
  %d16 = linalg.generic {indexing_maps = [#rows, #rows], iterator_types = ["parallel", "parallel"]} ins(%d : tensor<?x4xf32>) outs(%e16 : tensor<?x4xbf16>) {
  ^bb0(%a: f32, %o: bf16):
    %r = arith.truncf %a : f32 to bf16
    linalg.yield %r : bf16
  } -> tensor<?x4xbf16>
  %m = linalg.matmul_transpose_a ins(%d16, %y : tensor<?x4xbf16>, tensor<?x8xbf16>) outs(%p : tensor<4x8xf32>) -> tensor<4x8xf32>
  return %s, %m : tensor<4xf32>, tensor<4x8xf32>
}

// -----

// What the caller gets, what is updated in place, and what others than loops read stays as it is.
// CHECK-LABEL: func.func @kept
// CHECK-COUNT-3: arith.extf
// CHECK-COUNT-1: linalg.yield %{{.*}} : f32
#rows = affine_map<(i, c) -> (i, c)>
func.func @kept(%x: tensor<3x4xbf16>, %old: tensor<3x4xf32>) -> (tensor<3x4xf32>, tensor<12xf32>, tensor<3x4xf32>) {
  %e = tensor.empty() : tensor<3x4xf32>
  %a = linalg.generic {indexing_maps = [#rows, #rows], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<3x4xbf16>) outs(%e : tensor<3x4xf32>) {
  ^bb0(%i: bf16, %o: f32):
    %w = arith.extf %i : bf16 to f32
    linalg.yield %w : f32
  } -> tensor<3x4xf32>
  %b = linalg.generic {indexing_maps = [#rows, #rows], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<3x4xbf16>) outs(%e : tensor<3x4xf32>) {
  ^bb0(%i: bf16, %o: f32):
    %w = arith.extf %i : bf16 to f32
    linalg.yield %w : f32
  } -> tensor<3x4xf32>
  %flat = tensor.collapse_shape %b [[0, 1]] : tensor<3x4xf32> into tensor<12xf32>
  %c = linalg.generic {indexing_maps = [#rows, #rows], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<3x4xbf16>) outs(%old : tensor<3x4xf32>) {
  ^bb0(%i: bf16, %o: f32):
    %w = arith.extf %i : bf16 to f32
    linalg.yield %w : f32
  } -> tensor<3x4xf32>
  %d = linalg.generic {indexing_maps = [#rows, #rows], iterator_types = ["parallel", "parallel"]} ins(%c : tensor<3x4xf32>) outs(%e : tensor<3x4xf32>) {
  ^bb0(%i: f32, %o: f32):
    %w = math.exp %i : f32
    linalg.yield %w : f32
  } -> tensor<3x4xf32>
  return %a, %flat, %d : tensor<3x4xf32>, tensor<12xf32>, tensor<3x4xf32>
}
