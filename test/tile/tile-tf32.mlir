// RUN: aft-opt %s -aft-kernels -aft-tile='target=cuda tf32' | FileCheck %s
// RUN: aft-opt %s -aft-kernels -aft-tile=target=cuda | FileCheck %s --check-prefix=EXACT
// The tile of a block for tensor cores, where TF32 is asked for: C lies in shared memory, where
// it is rounded, and leaves less room for parts of the factors.

// CHECK: scf.forall (%{{.*}}, %{{.*}}) = (0, 0) to (8192, 4096) step (64, 64)
// EXACT: scf.forall (%{{.*}}, %{{.*}}) = (0, 0) to (8192, 4096) step (128, 64)
func.func @main(%a: tensor<8192x1024xf32>, %b: tensor<4096x1024xf32>) -> tensor<8192x4096xbf16> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<8192x4096xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<8192x4096xf32>) -> tensor<8192x4096xf32>
  %c = linalg.matmul_transpose_b ins(%a, %b : tensor<8192x1024xf32>, tensor<4096x1024xf32>) outs(%z : tensor<8192x4096xf32>) -> tensor<8192x4096xf32>
  %f = tensor.empty() : tensor<8192x4096xbf16>
  %r = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]} ins(%c : tensor<8192x4096xf32>) outs(%f : tensor<8192x4096xbf16>) {
  ^bb0(%x: f32, %o: bf16):
    %t = arith.truncf %x : f32 to bf16
    linalg.yield %t : bf16
  } -> tensor<8192x4096xbf16>
  return %r : tensor<8192x4096xbf16>
}
