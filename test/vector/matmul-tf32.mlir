// RUN: aft-opt %s -split-input-file -aft-kernels=tf32 -aft-tile='target=cuda tf32' -aft-vector='target=cuda tf32' | FileCheck %s
// RUN: aft-opt %s -split-input-file -aft-kernels -aft-tile=target=cuda -aft-vector=target=cuda | FileCheck %s --check-prefix=EXACT
// Products of f32 by tensor cores, where TF32 is asked for, and never else.

// Rows have 4 numbers more along K, 8 where they lie across.
// CHECK-LABEL: func.func private @kernel_0_matmul(
// CHECK-SAME: aft.resident_blocks = 2
// CHECK-DAG: memref.alloc() : memref<4x64x20xf32>
// CHECK-DAG: memref.alloc() : memref<4x16x72xf32>
// CHECK: scf.forall (%{{.*}}, %{{.*}}) = (0, 0) to (%{{.*}}, 512) step (64, 64) {
// CHECK: aft_gpu.copy_chunk %{{.*}} : memref<?x96xf32, strided<[96, 1], offset: ?>> to memref<4x64x20xf32>
// CHECK: vector.store {{.*}} vector<4xf32>
// CHECK: aft_gpu.warp_product {{.*}} {columns = 16 : i64, depth = 16 : i64, rows = 32 : i64} : memref<4x64x20xf32>, memref<4x16x72xf32>
// EXACT-LABEL: func.func private @kernel_0_matmul(
// EXACT-NOT: aft_gpu
// EXACT: func.func @main
func.func @main(%a: tensor<?x96xf32>, %b: tensor<96x512xf32>, %c: tensor<?x512xf32>) -> tensor<?x512xf32> {
  %p = linalg.matmul ins(%a, %b : tensor<?x96xf32>, tensor<96x512xf32>) outs(%c : tensor<?x512xf32>) -> tensor<?x512xf32>
  return %p : tensor<?x512xf32>
}

// -----

// CHECK-LABEL: func.func private @kernel_0_matmul_transpose_b(
// CHECK-DAG: memref.alloc() : memref<4x32x20xf32>
// CHECK-DAG: memref.alloc() : memref<4x64x20xf32>
// CHECK: aft_gpu.warp_product {{.*}} transposedB
func.func @main(%a: tensor<32x16xf32>, %b: tensor<64x16xf32>, %c: tensor<32x64xf32>) -> tensor<32x64xf32> {
  %p = linalg.matmul_transpose_b ins(%a, %b : tensor<32x16xf32>, tensor<64x16xf32>) outs(%c : tensor<32x64xf32>) -> tensor<32x64xf32>
  return %p : tensor<32x64xf32>
}

// -----

// Nothing changes for f64.
// CHECK-LABEL: func.func private @kernel_0_matmul(
// CHECK-NOT: aft_gpu
// CHECK: func.func @main
func.func @main(%a: tensor<64x64xf64>, %b: tensor<64x64xf64>, %c: tensor<64x64xf64>) -> tensor<64x64xf64> {
  %p = linalg.matmul ins(%a, %b : tensor<64x64xf64>, tensor<64x64xf64>) outs(%c : tensor<64x64xf64>) -> tensor<64x64xf64>
  return %p : tensor<64x64xf64>
}
