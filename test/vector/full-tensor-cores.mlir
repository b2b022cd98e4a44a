// RUN: aft-opt %s -split-input-file -aft-kernels -aft-tile=target=cuda -aft-vector=target=cuda | FileCheck %s
// aft.full of bf16 on a GPU: exponentials of biases and of keys become factors of a product,
// whose columns are eight channels with values and the same eight without, by turns.

// CHECK-LABEL: func.func private @kernel_0_full(
// CHECK-DAG: %[[WEIGHTS:.*]] = memref.alloc() : memref<64x72xbf16>
// CHECK-DAG: %[[ITEMS:.*]] = memref.alloc() : memref<64x136xbf16>
// CHECK-DAG: memref.alloca() : memref<256x32xf32>
// Keys and values of the first tile are copied, 16 bytes at once, biases are loaded.
// CHECK: scf.forall (%{{.*}}) in (256) {
// CHECK: aft_gpu.copy_chunk %{{.*}} to %[[VALUES:.*]][%{{.*}}] : memref<?x?x64xbf16> to memref<64x64xbf16>
// CHECK: aft_gpu.copy_chunk %{{.*}} to %[[KEYS:.*]][%{{.*}}] : memref<?x?x64xbf16> to memref<64x64xbf16>
// CHECK: aft_gpu.copy_fence
// CHECK: memref.load {{.*}} memref<?x?xf32>
// CHECK: aft_gpu.copy_wait 0
// CHECK: scf.for %{{.*}} = %c0 to %{{.*}} step %c1 {
// CHECK: scf.forall (%{{.*}}) in (256) {
// CHECK-COUNT-16: memref.load %[[KEYS]][
// Both sums get the same rounded number; that of a hidden key counts for nothing.
// CHECK: scf.forall (%{{.*}}) in (256) {
// CHECK: memref.store {{.*}} %[[WEIGHTS]]
// CHECK: %[[VALUE:.*]] = memref.load %[[VALUES]][
// CHECK-NEXT: %[[F32:.*]] = arith.extf %[[VALUE]] : bf16 to f32
// CHECK: memref.load %[[KEYS]][
// CHECK: %[[FACTOR:.*]] = arith.truncf %{{.*}} : f32 to bf16
// CHECK-NEXT: %[[WIDE:.*]] = arith.extf %[[FACTOR]] : bf16 to f32
// CHECK: arith.cmpf oeq, %[[WIDE]]
// CHECK: arith.mulf %[[WIDE]], %[[F32]] : f32
// CHECK: arith.select
// CHECK: memref.store %{{.*}}, %[[ITEMS]]
// CHECK: memref.store %[[FACTOR]], %[[ITEMS]]
// Sums are made relative to the largest numbers, and the tile is added; meanwhile the next one is
// copied.
// CHECK: scf.forall (%[[THREAD:.*]]) in (256) {
// CHECK-COUNT-2: aft_gpu.copy_chunk
// CHECK: memref.load {{.*}} memref<?x?xf32>
// CHECK: aft_gpu.warp_product %[[WEIGHTS]][%{{.*}}, %c0], %[[ITEMS]][%c0, %{{.*}}] to({{.*}}) in %[[THREAD]] {columns = 32 : i64, depth = 64 : i64, rows = 32 : i64}
// CHECK: aft_gpu.copy_wait 0
// Results; those that are not good are made again with exponentials of sums.
// CHECK: scf.forall (%{{.*}}) in (256) {
// CHECK: arith.cmpf oge
// CHECK: math.absf
// CHECK: arith.cmpf olt
// CHECK: scf.for %{{.*}} = %c0 to %c16 step %c1 {
// CHECK: arith.shrui
func.func @main(%q: tensor<?x?x64xbf16>, %k: tensor<?x?x64xbf16>, %v: tensor<?x?x64xbf16>, %w: tensor<?x?xf32>) -> tensor<?x?x64xbf16> {
  %y = aft.full %q, %k, %v, %w causal : (tensor<?x?x64xbf16>, tensor<?x?x64xbf16>, tensor<?x?x64xbf16>, tensor<?x?xf32>) -> tensor<?x?x64xbf16>
  return %y : tensor<?x?x64xbf16>
}

// -----

// Rows that do not consist of 16 bytes are loaded to registers.
// CHECK-LABEL: func.func private @kernel_0_full(
// CHECK-NOT: aft_gpu.copy
// CHECK: aft_gpu.warp_product
// CHECK-NOT: aft_gpu.copy
// CHECK: func.func @main
func.func @main(%q: tensor<?x?x20xbf16>, %w: tensor<?x?xf32>) -> tensor<?x?x20xbf16> {
  %y = aft.full %q, %q, %q, %w causal : (tensor<?x?x20xbf16>, tensor<?x?x20xbf16>, tensor<?x?x20xbf16>, tensor<?x?xf32>) -> tensor<?x?x20xbf16>
  return %y : tensor<?x?x20xbf16>
}

// -----

// The gradient of the bias: two numbers of each of 32 channels, for 64 queries and as many keys. Those of
// keys and values: two values of each query, and ones, by which sums are found that must be made
// again.
// CHECK-LABEL: func.func private @kernel_0_full_grad(
// CHECK-DAG: memref.alloc() : memref<64x40xbf16>
// CHECK-DAG: memref.alloc() : memref<32x200xbf16>
// CHECK-DAG: %[[QUERIES:.*]] = memref.alloc() : memref<64x72xbf16>
// CHECK-DAG: %[[SUMS:.*]] = memref.alloca() : memref<256x16xf32>
// CHECK: scf.forall (%{{.*}}, %{{.*}}, %{{.*}}) in (1, %{{.*}}, %{{.*}}) {
// CHECK-COUNT-4: aft_gpu.copy_chunk {{.*}} : memref<?x?x64xbf16> to memref<64x32xbf16>
// CHECK: aft_gpu.copy_wait 0
// CHECK: scf.for
// CHECK: scf.forall (%{{.*}}) in (256) {
// CHECK-COUNT-8: memref.load {{.*}} memref<64x32xbf16>
// CHECK: scf.forall (%{{.*}}) in (256) {
// CHECK-COUNT-16: vector.store %{{.*}} : memref<64x72xbf16>, vector<2xbf16>
// The next channels are copied while these are multiplied, all but logz and R, which are loaded.
// CHECK: scf.forall (%[[THREAD:.*]]) in (256) {
// CHECK-NOT: memref.load {{.*}} memref<?x?x64xbf16>
// CHECK-COUNT-4: aft_gpu.copy_chunk
// CHECK-NOT: memref.load {{.*}} memref<?x?x64xbf16>
// CHECK: memref.load {{.*}} memref<?x?x64xf32>
// CHECK: aft_gpu.warp_product %{{.*}}[%{{.*}}, %c0], %{{.*}}[%{{.*}}, %c0] to({{.*}}) in %[[THREAD]] {columns = 16 : i64, depth = 64 : i64, rows = 32 : i64, transposedB}
// CHECK-NEXT: vector.store {{.*}} %[[SUMS]]
// CHECK: aft_gpu.copy_wait 0
// Pairs whose sums are not good are summed again.
// CHECK: arith.shrui
// What queries consist of is copied, too.
// CHECK: aft_gpu.copy_chunk {{.*}} : memref<?x?x64xbf16> to memref<32x64xbf16>
// CHECK-COUNT-2: aft_gpu.copy_chunk {{.*}} : memref<?x?x64xf32> to memref<32x64xf32>
// CHECK: aft_gpu.copy_chunk {{.*}} : memref<?x?x64xbf16> to memref<32x64xbf16>
// CHECK: aft_gpu.copy_wait 0
// CHECK: aft_gpu.warp_product {{.*}} {columns = 48 : i64, depth = 32 : i64, rows = 32 : i64}
// CHECK: aft_gpu.copy_wait 0
// CHECK-NOT: aft_gpu
// CHECK: return
func.func @main(%dy: tensor<?x?x64xbf16>, %q: tensor<?x?x64xbf16>, %k: tensor<?x?x64xbf16>, %v: tensor<?x?x64xbf16>, %w: tensor<?x?xf32>, %r: tensor<?x?x64xf32>, %z: tensor<?x?x64xf32>) -> tensor<?x?x64xbf16> {
  %g:4 = aft.full_grad %dy, %q, %k, %v, %w, %r, %z : (tensor<?x?x64xbf16>, tensor<?x?x64xbf16>, tensor<?x?x64xbf16>, tensor<?x?x64xbf16>, tensor<?x?xf32>, tensor<?x?x64xf32>, tensor<?x?x64xf32>) -> (tensor<?x?x64xbf16>, tensor<?x?x64xbf16>, tensor<?x?x64xbf16>, tensor<?x?xf32>)
  return %g#1 : tensor<?x?x64xbf16>
}

// -----

// Without rows of 16 bytes what derivatives are made of is loaded to registers.
// CHECK-LABEL: func.func private @kernel_0_full_grad(
// CHECK-NOT: aft_gpu.copy
// CHECK: aft_gpu.warp_product
// CHECK-NOT: aft_gpu.copy
// CHECK: aft_gpu.warp_product
// CHECK-NOT: aft_gpu.copy
// CHECK: func.func @main
func.func @main(%q: tensor<?x?x20xbf16>, %w: tensor<?x?xf32>, %r: tensor<?x?x20xf32>) -> tensor<?x?x20xbf16> {
  %g:4 = aft.full_grad %q, %q, %q, %q, %w, %r, %r : (tensor<?x?x20xbf16>, tensor<?x?x20xbf16>, tensor<?x?x20xbf16>, tensor<?x?x20xbf16>, tensor<?x?xf32>, tensor<?x?x20xf32>, tensor<?x?x20xf32>) -> (tensor<?x?x20xbf16>, tensor<?x?x20xbf16>, tensor<?x?x20xbf16>, tensor<?x?xf32>)
  return %g#1 : tensor<?x?x20xbf16>
}

// -----

// Tensor cores would round f32.
// CHECK-LABEL: func.func private @kernel_0_full(
// CHECK-NOT: aft_gpu
// CHECK: return
func.func @main(%q: tensor<?x?x64xf32>, %k: tensor<?x?x64xf32>, %v: tensor<?x?x64xf32>, %w: tensor<?x?xf32>) -> tensor<?x?x64xf32> {
  %y = aft.full %q, %k, %v, %w causal : (tensor<?x?x64xf32>, tensor<?x?x64xf32>, tensor<?x?x64xf32>, tensor<?x?xf32>) -> tensor<?x?x64xf32>
  return %y : tensor<?x?x64xf32>
}
