// RUN: aft-opt %s -split-input-file -aft-kernels=tf32 -aft-tile='target=cuda tf32' -aft-vector='target=cuda tf32' | FileCheck %s
// RUN: aft-opt %s -split-input-file -aft-kernels -aft-tile=target=cuda -aft-vector=target=cuda | FileCheck %s --check-prefix=EXACT
// aft.full of f32 by tensor cores, where TF32 is asked for: 32 items at once, for their factors
// have 32 bits. So are its derivatives.

// CHECK-LABEL: func.func private @kernel_0_full(
// CHECK-SAME: aft.resident_blocks = 2
// CHECK-DAG: %[[WEIGHTS:.*]] = memref.alloc() : memref<64x36xf32>
// CHECK-DAG: %[[ITEMS:.*]] = memref.alloc() : memref<32x136xf32>
// CHECK: aft_gpu.copy_chunk {{.*}} : memref<?x?x64xf32> to memref<32x64xf32>
// CHECK: aft_gpu.warp_product %[[WEIGHTS]][%{{.*}}, %c0], %[[ITEMS]][%c0, %{{.*}}] to({{.*}}) in %{{.*}} {columns = 32 : i64, depth = 32 : i64, rows = 32 : i64}
// Results that are not good are made again.
// CHECK: arith.cmpf oge
// EXACT-LABEL: func.func private @kernel_0_full(
// EXACT-NOT: aft_gpu
// EXACT: func.func @main
func.func @main(%q: tensor<?x?x64xf32>, %k: tensor<?x?x64xf32>, %v: tensor<?x?x64xf32>, %w: tensor<?x?xf32>) -> tensor<?x?x64xf32> {
  %y = aft.full %q, %k, %v, %w causal : (tensor<?x?x64xf32>, tensor<?x?x64xf32>, tensor<?x?x64xf32>, tensor<?x?xf32>) -> tensor<?x?x64xf32>
  return %y : tensor<?x?x64xf32>
}

// -----

// dw: 32 channels at once, two numbers of each; dk and dv: three fragments of each eight channels. Beside
// factors of 32 bits copies have no room.
// Without TF32 derivatives are exact, and 32 threads share the channels of a pair for dw.
// CHECK-LABEL: func.func private @kernel_0_full_grad(
// CHECK-DAG: memref.alloc() : memref<64x36xf32>
// CHECK-DAG: memref.alloc() : memref<32x104xf32>
// CHECK-DAG: memref.alloc() : memref<64x68xf32>
// CHECK-DAG: memref.alloc() : memref<64x68xf32>
// CHECK-NOT: aft_gpu.copy
// CHECK: aft_gpu.warp_product {{.*}} {columns = 16 : i64, depth = 64 : i64, rows = 32 : i64, transposedB} : memref<64x68xf32>, memref<64x68xf32>
// CHECK-NOT: aft_gpu.copy
// CHECK: aft_gpu.warp_product {{.*}} {columns = 48 : i64, depth = 32 : i64, rows = 16 : i64} : memref<64x36xf32>, memref<32x104xf32>
// CHECK-NOT: aft_gpu
// CHECK: func.func @main
// EXACT-LABEL: func.func private @kernel_0_full_grad(
// EXACT-NOT: aft_gpu
// EXACT: scf.forall (%{{.*}}) in (256) {
// EXACT: aft_gpu.warp_reduce <add>, %{{.*}} {lanes = 32 : i64} : f32
// EXACT-NOT: aft_gpu
// EXACT: memref.store {{.*}} memref<32x33xf32>
// EXACT-NOT: aft_gpu
// EXACT: func.func @main
func.func @main(%dy: tensor<?x?x8xf32>, %q: tensor<?x?x8xf32>, %w: tensor<?x?xf32>, %r: tensor<?x?x8xf32>) -> (tensor<?x?x8xf32>, tensor<?x?x8xf32>, tensor<?x?x8xf32>, tensor<?x?xf32>) {
  %g:4 = aft.full_grad %dy, %q, %q, %q, %w, %r, %r : (tensor<?x?x8xf32>, tensor<?x?x8xf32>, tensor<?x?x8xf32>, tensor<?x?x8xf32>, tensor<?x?xf32>, tensor<?x?x8xf32>, tensor<?x?x8xf32>) -> (tensor<?x?x8xf32>, tensor<?x?x8xf32>, tensor<?x?x8xf32>, tensor<?x?xf32>)
  return %g#0, %g#1, %g#2, %g#3 : tensor<?x?x8xf32>, tensor<?x?x8xf32>, tensor<?x?x8xf32>, tensor<?x?xf32>
}
