// RUN: aft-opt %s -aft-canonicalize | FileCheck %s

// Widened and narrowed again it is the same number: a conversion of a tensor and back is
// no copy. The other way round is a rounding.
#id = affine_map<(i) -> (i)>
// CHECK-LABEL: @again
// CHECK-NEXT: return %arg0
func.func @again(%x: tensor<8xbf16>, %e: tensor<8xbf16>) -> tensor<8xbf16> {
  %0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%x : tensor<8xbf16>) outs(%e : tensor<8xbf16>) {
  ^bb0(%l: bf16, %o: bf16):
    %1 = arith.extf %l : bf16 to f32
    %2 = arith.truncf %1 : f32 to bf16
    linalg.yield %2 : bf16
  } -> tensor<8xbf16>
  return %0 : tensor<8xbf16>
}

// CHECK-LABEL: @rounded
// CHECK: arith.truncf %{{.*}} : f32 to bf16
// CHECK: arith.extf
func.func @rounded(%x: f32) -> f32 {
  %0 = arith.truncf %x : f32 to bf16
  %1 = arith.extf %0 : bf16 to f32
  return %1 : f32
}

// CHECK-LABEL: @another_type
// CHECK: arith.extf
// CHECK: arith.truncf
func.func @another_type(%x: bf16) -> f16 {
  %0 = arith.extf %x : bf16 to f32
  %1 = arith.truncf %0 : f32 to f16
  return %1 : f16
}

// A sum over nothing is what it begins with, however far the other dimensions go.
#rows = affine_map<(i, j) -> (i, j)>
#sums = affine_map<(i, j) -> (i)>
// CHECK-LABEL: @no_turns
// CHECK-NEXT: return %arg1
func.func @no_turns(%x: tensor<?x0xf32>, %begin: tensor<?xf32>) -> tensor<?xf32> {
  %0 = linalg.generic {indexing_maps = [#rows, #sums], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<?x0xf32>) outs(%begin : tensor<?xf32>) {
  ^bb0(%l: f32, %o: f32):
    %1 = arith.addf %l, %o : f32
    linalg.yield %1 : f32
  } -> tensor<?xf32>
  return %0 : tensor<?xf32>
}
