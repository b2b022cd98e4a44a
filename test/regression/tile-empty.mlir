// RUN: aft-opt %s -aft-tile | FileCheck %s
// Tiling crashed on a slice of extent 0.

// CHECK-LABEL: func.func private @empty(
// CHECK-NOT: scf.forall
// CHECK: return %arg1
func.func private @empty(%arg0: tensor<?x?x4xf32>, %arg1: tensor<?x?x0xf32>) -> tensor<?x?x0xf32> attributes {aft.kernel, aft.kind = "elementwise"} {
  %c1 = arith.constant 1 : index
  %c0 = arith.constant 0 : index
  %dim = tensor.dim %arg0, %c0 : tensor<?x?x4xf32>
  %dim_0 = tensor.dim %arg0, %c1 : tensor<?x?x4xf32>
  %extracted_slice = tensor.extract_slice %arg0[0, 0, 4] [%dim, %dim_0, 0] [1, 1, 1] : tensor<?x?x4xf32> to tensor<?x?x0xf32>
  %0 = linalg.generic {indexing_maps = [affine_map<(i, j, k) -> (i, j, k)>, affine_map<(i, j, k) -> (i, j, k)>], iterator_types = ["parallel", "parallel", "parallel"]} ins(%extracted_slice : tensor<?x?x0xf32>) outs(%arg1 : tensor<?x?x0xf32>) {
  ^bb0(%in: f32, %out: f32):
    linalg.yield %in : f32
  } -> tensor<?x?x0xf32>
  return %0 : tensor<?x?x0xf32>
}
