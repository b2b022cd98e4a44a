// RUN: aft-opt %s -split-input-file -aft-kernels=tf32 -aft-tile='target=cuda tf32' -aft-vector='target=cuda tf32' | FileCheck %s
// RUN: aft-opt %s -split-input-file -aft-kernels -aft-tile=target=cuda -aft-vector=target=cuda | FileCheck %s --check-prefix=EXACT
// aft.full of f32 by tensor cores, where TF32 is asked for: 32 items at once, for their factors
// have 32 bits.

// CHECK-LABEL: func.func private @kernel_0_full(
// CHECK-SAME: aft.resident_blocks = 2
// CHECK-DAG: %[[WEIGHTS:.*]] = memref.alloc() : memref<64x36xf32>
// CHECK-DAG: %[[ITEMS:.*]] = memref.alloc() : memref<32x136xf32>
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

// Derivatives are exact, without tensor cores. 32 threads share the channels of a pair for dw.
// CHECK-LABEL: func.func private @kernel_0_full_grad(
// CHECK-NOT: aft_gpu
// CHECK: scf.forall (%{{.*}}) in (256) {
// CHECK: aft_gpu.warp_reduce <add>, %{{.*}} {lanes = 32 : i64} : f32
// CHECK-NOT: aft_gpu
// CHECK-NOT: scf.forall
// CHECK: func.func @main
func.func @main(%dy: tensor<?x?x8xf32>, %q: tensor<?x?x8xf32>, %w: tensor<?x?xf32>, %r: tensor<?x?x8xf32>) -> (tensor<?x?x8xf32>, tensor<?x?x8xf32>, tensor<?x?x8xf32>, tensor<?x?xf32>) {
  %g:4 = aft.full_grad %dy, %q, %q, %q, %w, %r, %r : (tensor<?x?x8xf32>, tensor<?x?x8xf32>, tensor<?x?x8xf32>, tensor<?x?x8xf32>, tensor<?x?xf32>, tensor<?x?x8xf32>, tensor<?x?x8xf32>) -> (tensor<?x?x8xf32>, tensor<?x?x8xf32>, tensor<?x?x8xf32>, tensor<?x?xf32>)
  return %g#0, %g#1, %g#2, %g#3 : tensor<?x?x8xf32>, tensor<?x?x8xf32>, tensor<?x?x8xf32>, tensor<?x?xf32>
}
