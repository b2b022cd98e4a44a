// RUN: aft-opt %s -split-input-file -pass-pipeline='builtin.module(func.func(aft-vectorize-linalg{vector-bits=256},canonicalize,cse))' | FileCheck %s

// What follows a product elementwise runs on each tile of it, after the last block of K.
// What it reads besides the product is asked for before, for writing where it is written.

#map = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d1)>
// CHECK-LABEL: @epilogue
// CHECK-SAME: %[[X:.*]]: memref<64x512xf32>, %[[W:.*]]: memref<512x64xf32>, %[[B:.*]]: memref<64xf32>, %[[R:.*]]: memref<64x64xf32>, %[[C:.*]]: memref<64x64xf32>, %[[Y:.*]]: memref<64x64xf32>)
// CHECK: %[[LAST:.*]] = arith.cmpi sgt, %{{.*}}, %c512
// CHECK: scf.if %[[LAST]] {
// CHECK: memref.prefetch %[[R]]{{.*}}, read
// CHECK: memref.prefetch %[[Y]]{{.*}}, write
// CHECK: math.fma
// CHECK: scf.if %[[LAST]] {
// CHECK: %[[PART:.*]] = memref.subview %[[Y]]
// Two registers at once, as each step of a polynomial waits for the one before.
// CHECK: math.erf {{.*}} : vector<16xf32>
// CHECK: vector.store %{{.*}}, %[[PART]]
// CHECK: math.erf {{.*}} : vector<8xf32>
// Nothing is left for the end.
// CHECK-NOT: math.erf {{.*}} : vector
// CHECK: return
func.func private @epilogue(%x: memref<64x512xf32>, %w: memref<512x64xf32>, %b: memref<64xf32>, %r: memref<64x64xf32>, %c: memref<64x64xf32>, %y: memref<64x64xf32>) attributes {aft.kernel} {
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%c : memref<64x64xf32>)
  linalg.matmul ins(%x, %w : memref<64x512xf32>, memref<512x64xf32>) outs(%c : memref<64x64xf32>)
  linalg.generic {indexing_maps = [#map, #row, #map, #map], iterator_types = ["parallel", "parallel"]} ins(%c, %b, %r : memref<64x64xf32>, memref<64xf32>, memref<64x64xf32>) outs(%y : memref<64x64xf32>) {
  ^bb0(%p: f32, %bias: f32, %old: f32, %out: f32):
    %0 = arith.addf %p, %bias : f32
    %1 = math.erf %0 : f32
    %2 = arith.addf %1, %old : f32
    linalg.yield %2 : f32
  }
  return
}

// -----

// Few rows have no tiles: there it follows the product, once.
#map = affine_map<(d0, d1) -> (d0, d1)>
// CHECK-LABEL: @few_rows
// CHECK-NOT: memref.subview
// CHECK: math.fma
// CHECK: math.erf {{.*}} : vector<16xf32>
// CHECK-NOT: math.fma
// CHECK: return
func.func private @few_rows(%x: memref<1x64xf32>, %w: memref<64x64xf32>, %c: memref<1x64xf32>, %y: memref<1x64xf32>) attributes {aft.kernel} {
  linalg.matmul ins(%x, %w : memref<1x64xf32>, memref<64x64xf32>) outs(%c : memref<1x64xf32>)
  linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]} ins(%c : memref<1x64xf32>) outs(%y : memref<1x64xf32>) {
  ^bb0(%p: f32, %out: f32):
    %0 = math.erf %p : f32
    linalg.yield %0 : f32
  }
  return
}

// -----

// The result replaces a factor: other tiles still need it.
#map = affine_map<(d0, d1) -> (d0, d1)>
// CHECK-LABEL: @replaces_factor
// CHECK-SAME: %[[X:.*]]: memref<64x64xf32>, %[[W:.*]]: memref<64x64xf32>
// CHECK-NOT: memref.prefetch %[[X]]{{.*}}, write
// CHECK-NOT: memref.subview %[[X]]
// CHECK: math.erf {{.*}} : vector<16xf32>
// CHECK: return
func.func private @replaces_factor(%x: memref<64x64xf32>, %w: memref<64x64xf32>, %c: memref<64x64xf32>) attributes {aft.kernel} {
  linalg.matmul ins(%x, %w : memref<64x64xf32>, memref<64x64xf32>) outs(%c : memref<64x64xf32>)
  linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]} ins(%c : memref<64x64xf32>) outs(%x : memref<64x64xf32>) {
  ^bb0(%p: f32, %out: f32):
    %0 = math.erf %p : f32
    linalg.yield %0 : f32
  }
  return
}

// -----

// What depends on the place does not know the whole from a tile; a transposed product is
// not ready tile by tile.
#map = affine_map<(d0, d1) -> (d0, d1)>
#turned = affine_map<(d0, d1) -> (d1, d0)>
// CHECK-LABEL: @needs_all
// CHECK-NOT: memref.subview
// CHECK: return
func.func private @needs_all(%x: memref<64x64xf32>, %w: memref<64x64xf32>, %c: memref<64x64xf32>, %y: memref<64x64xf32>, %z: memref<64x64xindex>) attributes {aft.kernel} {
  linalg.matmul ins(%x, %w : memref<64x64xf32>, memref<64x64xf32>) outs(%c : memref<64x64xf32>)
  linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]} ins(%c : memref<64x64xf32>) outs(%z : memref<64x64xindex>) {
  ^bb0(%p: f32, %out: index):
    %i = linalg.index 0 : index
    linalg.yield %i : index
  }
  linalg.matmul ins(%x, %w : memref<64x64xf32>, memref<64x64xf32>) outs(%c : memref<64x64xf32>)
  linalg.generic {indexing_maps = [#turned, #map], iterator_types = ["parallel", "parallel"]} ins(%c : memref<64x64xf32>) outs(%y : memref<64x64xf32>) {
  ^bb0(%p: f32, %out: f32):
    %0 = math.erf %p : f32
    linalg.yield %0 : f32
  }
  return
}
