// RUN: aft-opt %s -split-input-file -aft-kernels -aft-tile=target=cuda -aft-vector=target=cuda | FileCheck %s
// Products of bf16 on a GPU: parts of both factors are copied to shared memory ahead of
// their use, warps multiply them, and C stays with their threads.

// Four parts of 32 steps: three arrive while one is in use.
// CHECK-LABEL: func.func private @kernel_0_matmul(
// CHECK-SAME: aft.resident_blocks = 2
// CHECK-DAG: memref.alloca() : memref<256x16xf32>
// CHECK-DAG: memref.alloc() : memref<4x64x40xbf16>
// CHECK-DAG: memref.alloc() : memref<4x32x72xbf16>
// CHECK: scf.forall (%{{.*}}, %{{.*}}) = (0, 0) to (%{{.*}}, 512) step (64, 64) {
// CHECK: scf.forall (%{{.*}}) in (256) {
// CHECK-COUNT-3: aft_gpu.copy_fence
// CHECK: aft_gpu.copy_wait 2
// CHECK: scf.for %[[PART:.*]] = %c0 to %c3 step %c1 {
// CHECK: scf.forall (%[[THREAD:.*]]) in (256) {
// CHECK: aft_gpu.copy_chunk %{{.*}}[%{{.*}}, %{{.*}}] to %{{.*}}[%{{.*}}, %{{.*}}, %{{.*}}] : memref<?x96xbf16, strided<[96, 1], offset: ?>> to memref<4x64x40xbf16>
// Where A ends.
// CHECK: vector.store {{.*}} vector<8xbf16>
// CHECK: aft_gpu.copy_chunk {{.*}} : memref<96x64xbf16, strided<[512, 1], offset: ?>> to memref<4x32x72xbf16>
// CHECK: aft_gpu.copy_fence
// CHECK: aft_gpu.warp_product %{{.*}}[%{{.*}}, %{{.*}}, %c0], %{{.*}}[%{{.*}}, %c0, %{{.*}}] to(%{{.*}}) in %[[THREAD]] {columns = 16 : i64, depth = 32 : i64, rows = 32 : i64}
// CHECK-NEXT: vector.store
// CHECK: aft_gpu.copy_wait 2
// CHECK-NEXT: } {mapping = [#gpu.thread<x>]}
// CHECK: scf.forall (%{{.*}}) in (256) {
// CHECK: vector.store {{.*}} vector<2xf32>
// CHECK-NOT: aft_gpu
func.func @main(%a: tensor<?x96xbf16>, %b: tensor<96x512xbf16>, %c: tensor<?x512xf32>) -> tensor<?x512xf32> {
  %p = linalg.matmul ins(%a, %b : tensor<?x96xbf16>, tensor<96x512xbf16>) outs(%c : tensor<?x512xf32>) -> tensor<?x512xf32>
  return %p : tensor<?x512xf32>
}

// -----

// Transposed factors lie in shared memory as they lie outside.
// CHECK-LABEL: func.func private @kernel_0_matmul_transpose_a(
// CHECK-DAG: memref.alloc() : memref<4x32x40xbf16>
// CHECK-DAG: memref.alloc() : memref<4x32x72xbf16>
// CHECK: aft_gpu.warp_product {{.*}} transposedA
// CHECK-NOT: transposedB
// CHECK-SAME: memref<4x32x40xbf16>, memref<4x32x72xbf16>
func.func @main(%a: tensor<?x32xbf16>, %b: tensor<?x64xbf16>, %c: tensor<32x64xf32>) -> tensor<32x64xf32> {
  %p = linalg.matmul_transpose_a ins(%a, %b : tensor<?x32xbf16>, tensor<?x64xbf16>) outs(%c : tensor<32x64xf32>) -> tensor<32x64xf32>
  return %p : tensor<32x64xf32>
}

// -----

// CHECK-LABEL: func.func private @kernel_0_matmul_transpose_b(
// CHECK: aft_gpu.warp_product {{.*}} transposedB
func.func @main(%a: tensor<32x16xbf16>, %b: tensor<64x16xbf16>, %c: tensor<32x64xf32>) -> tensor<32x64xf32> {
  %p = linalg.matmul_transpose_b ins(%a, %b : tensor<32x16xbf16>, tensor<64x16xbf16>) outs(%c : tensor<32x64xf32>) -> tensor<32x64xf32>
  return %p : tensor<32x64xf32>
}

// -----

// Rows that do not begin at multiples of 16 bytes are copied number by number, and C is
// stored so.
// CHECK-LABEL: func.func private @kernel_0_matmul(
// CHECK-NOT: aft_gpu.copy_chunk
// CHECK: memref.load {{.*}} : memref<?x33xbf16
// CHECK: aft_gpu.warp_product
// CHECK-NOT: vector<2xf32>
// CHECK: return
func.func @main(%a: tensor<70x33xbf16>, %b: tensor<33x65xbf16>, %c: tensor<70x65xf32>) -> tensor<70x65xf32> {
  %p = linalg.matmul ins(%a, %b : tensor<70x33xbf16>, tensor<33x65xbf16>) outs(%c : tensor<70x65xf32>) -> tensor<70x65xf32>
  return %p : tensor<70x65xf32>
}

// -----

// Tensor cores would round f32.
// CHECK-LABEL: func.func private @kernel_0_matmul(
// CHECK-NOT: aft_gpu
// CHECK: return
func.func @main(%a: tensor<64x64xf32>, %b: tensor<64x64xf32>, %c: tensor<64x64xf32>) -> tensor<64x64xf32> {
  %p = linalg.matmul ins(%a, %b : tensor<64x64xf32>, tensor<64x64xf32>) outs(%c : tensor<64x64xf32>) -> tensor<64x64xf32>
  return %p : tensor<64x64xf32>
}
