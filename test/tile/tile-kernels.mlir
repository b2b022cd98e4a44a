// RUN: aft-opt %s -split-input-file -verify-diagnostics -pass-pipeline='builtin.module(func.func(aft-tile-kernels{vector-bits=256 threads=2},canonicalize,cse))' | FileCheck %s

// CHECK-DAG: #[[LEAST:.*]] = affine_map<()[s0] -> (((s0 ceildiv 2) ceildiv 6) * 6, 96)>
// CHECK-DAG: #[[MOST:.*]] = affine_map<()[s0] -> (516, s0)>

#id = affine_map<(i, j) -> (i, j)>
#col = affine_map<(i, j) -> (j)>
#row = affine_map<(i, j) -> (i)>

// Whole rows of 64, as many as 16K elements hold.
// CHECK-LABEL: @elementwise
// CHECK: scf.forall (%[[I:.*]]) = (0) to (%{{.*}}) step (256)
// CHECK: tensor.extract_slice %{{.*}}[%[[I]], 0] [%{{.*}}, 64] [1, 1]
// CHECK: linalg.generic
// CHECK: scf.forall.in_parallel
// CHECK-NEXT: tensor.parallel_insert_slice
func.func private @elementwise(%x: tensor<?x64xf32>, %b: tensor<64xf32>, %y: tensor<?x64xf32>) -> tensor<?x64xf32> attributes {aft.kernel} {
  %z = linalg.generic {indexing_maps = [#id, #col, #id], iterator_types = ["parallel", "parallel"]} ins(%x, %b : tensor<?x64xf32>, tensor<64xf32>) outs(%y : tensor<?x64xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %s = arith.addf %l, %r : f32
    linalg.yield %s : f32
  } -> tensor<?x64xf32>
  return %z : tensor<?x64xf32>
}

// The sum of a row is computed in the tile that needs it, on a temporary of the tile's
// size.
// CHECK-LABEL: @rows
// CHECK: scf.forall
// CHECK: tensor.empty(%{{.*}}) : tensor<?xf32>
// CHECK: linalg.generic {{.*}} iterator_types = ["parallel", "reduction"]
// CHECK: linalg.generic {{.*}} iterator_types = ["parallel", "parallel"]
// CHECK: scf.forall.in_parallel
func.func private @rows(%x: tensor<?x64xf32>, %y: tensor<?x64xf32>) -> tensor<?x64xf32> attributes {aft.kernel} {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %n = tensor.dim %x, %c0 : tensor<?x64xf32>
  %e = tensor.empty(%n) : tensor<?xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<?xf32>) -> tensor<?xf32>
  %s = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<?x64xf32>) outs(%f : tensor<?xf32>) {
  ^bb0(%l: f32, %o: f32):
    %a = arith.addf %l, %o : f32
    linalg.yield %a : f32
  } -> tensor<?xf32>
  %z = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]} ins(%x, %s : tensor<?x64xf32>, tensor<?xf32>) outs(%y : tensor<?x64xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %d = arith.divf %l, %r : f32
    linalg.yield %d : f32
  } -> tensor<?x64xf32>
  return %z : tensor<?x64xf32>
}

// A matrix product in two dimensions, two groups for each thread; what follows it
// stays in its tile.
// CHECK-LABEL: @matmul(
// CHECK: scf.forall (%{{.*}}, %{{.*}}) = (0, 0) to (512, 512) step (258, 256)
// CHECK: linalg.fill
// CHECK: linalg.matmul
// CHECK: linalg.generic
// CHECK: scf.forall.in_parallel
func.func private @matmul(%x: tensor<512x64xf32>, %w: tensor<64x512xf32>, %b: tensor<512xf32>, %y: tensor<512x512xf32>) -> tensor<512x512xf32> attributes {aft.kernel} {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<512x512xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<512x512xf32>) -> tensor<512x512xf32>
  %m = linalg.matmul ins(%x, %w : tensor<512x64xf32>, tensor<64x512xf32>) outs(%f : tensor<512x512xf32>) -> tensor<512x512xf32>
  %z = linalg.generic {indexing_maps = [#id, #col, #id], iterator_types = ["parallel", "parallel"]} ins(%m, %b : tensor<512x512xf32>, tensor<512xf32>) outs(%y : tensor<512x512xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %s = arith.addf %l, %r : f32
    linalg.yield %s : f32
  } -> tensor<512x512xf32>
  return %z : tensor<512x512xf32>
}

// Of how many rows is known at run time; the temporary has a bound all the same.
// CHECK-LABEL: @matmul_of_rows
// CHECK: affine.max #[[LEAST]]()
// CHECK: %[[SIZE:.*]] = affine.min #[[MOST]]()
// CHECK: scf.forall {{.*}} to (%{{.*}}, 512) step (%[[SIZE]], %{{.*}})
func.func private @matmul_of_rows(%x: tensor<?x64xbf16>, %w: tensor<64x512xbf16>, %y: tensor<?x512xbf16>) -> tensor<?x512xbf16> attributes {aft.kernel} {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %rows = tensor.dim %x, %c0 : tensor<?x64xbf16>
  %e = tensor.empty(%rows) : tensor<?x512xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<?x512xf32>) -> tensor<?x512xf32>
  %m = linalg.matmul ins(%x, %w : tensor<?x64xbf16>, tensor<64x512xbf16>) outs(%f : tensor<?x512xf32>) -> tensor<?x512xf32>
  %z = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%m : tensor<?x512xf32>) outs(%y : tensor<?x512xbf16>) {
  ^bb0(%l: f32, %o: bf16):
    %s = arith.truncf %l : f32 to bf16
    linalg.yield %s : bf16
  } -> tensor<?x512xbf16>
  return %z : tensor<?x512xbf16>
}

// No kernel, a mixer, and a kernel that is small already: nothing to do.
// CHECK-LABEL: @no_kernel
// CHECK-NOT: scf.forall
// CHECK-LABEL: @mixer
// CHECK-NOT: scf.forall
// CHECK-LABEL: @small
// CHECK-NOT: scf.forall
func.func @no_kernel(%x: tensor<4096x64xf32>) -> tensor<4096x64xf32> {
  %z = linalg.generic {indexing_maps = [#id], iterator_types = ["parallel", "parallel"]} outs(%x : tensor<4096x64xf32>) {
  ^bb0(%o: f32):
    %s = arith.negf %o : f32
    linalg.yield %s : f32
  } -> tensor<4096x64xf32>
  return %z : tensor<4096x64xf32>
}
func.func private @mixer(%x: tensor<2x?x8xf32>, %y: tensor<2x?x8xf32>) -> tensor<2x?x8xf32> attributes {aft.kernel} {
  %z = aft.simple %x, %x, %x outs(%y) : (tensor<2x?x8xf32>, tensor<2x?x8xf32>, tensor<2x?x8xf32>, tensor<2x?x8xf32>) -> tensor<2x?x8xf32>
  return %z : tensor<2x?x8xf32>
}
func.func private @small(%x: tensor<4x64xf32>, %y: tensor<4x64xf32>) -> tensor<4x64xf32> attributes {aft.kernel} {
  %z = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<4x64xf32>) outs(%y : tensor<4x64xf32>) {
  ^bb0(%l: f32, %o: f32):
    %s = arith.negf %l : f32
    linalg.yield %s : f32
  } -> tensor<4x64xf32>
  return %z : tensor<4x64xf32>
}

// -----

// A kernel without elements stays as it is.
// CHECK-LABEL: @nothing
// CHECK-NOT: scf.forall
func.func private @nothing(%x: tensor<?x0x6xf32>, %y: tensor<?x0x6xf32>) -> tensor<?x0x6xf32> attributes {aft.kernel} {
  %z = linalg.generic {indexing_maps = [affine_map<(i, j, k) -> (i, j, k)>, affine_map<(i, j, k) -> (i, j, k)>], iterator_types = ["parallel", "parallel", "parallel"]} ins(%x : tensor<?x0x6xf32>) outs(%y : tensor<?x0x6xf32>) {
  ^bb0(%l: f32, %o: f32):
    linalg.yield %l : f32
  } -> tensor<?x0x6xf32>
  return %z : tensor<?x0x6xf32>
}
