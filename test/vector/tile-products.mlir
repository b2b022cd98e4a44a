// RUN: aft-opt %s -split-input-file -pass-pipeline='builtin.module(func.func(aft-vectorize-linalg{vector-bits=512 pair-dots=tiles},canonicalize,cse))' | FileCheck %s

// In tile registers sums begin as zeros that are loaded. What follows the product is done row
// by row with the tile before, between the rounds of the next one; C is not used.

#map = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d1)>
// CHECK-LABEL: @epilogue
// CHECK-SAME: %[[X:.*]]: memref<128x512xbf16>, %[[W:.*]]: memref<512x64xbf16>, %[[B:.*]]: memref<64xf32>, %[[Y:.*]]: memref<128x64xbf16>)
// CHECK: memref.alloca() {{.*}} : memref<2x32x32xf32>
// CHECK: llvm.call_intrinsic "llvm.x86.ldtilecfg"
// Whole rows of X in whole tiles of K are not packed.
// CHECK: memref.extract_aligned_pointer_as_index %[[X]]
// CHECK-NOT: tilezero
// CHECK-COUNT-4: llvm.call_intrinsic "llvm.x86.tileloadd64"
// CHECK: scf.for
// CHECK: llvm.call_intrinsic "llvm.x86.tileloaddt164"
// CHECK-COUNT-4: llvm.call_intrinsic "llvm.x86.tdpbf16ps"
// CHECK: scf.for
// CHECK: memref.prefetch %[[X]]
// CHECK: math.erf {{.*}} : vector<32xf32>
// CHECK: vector.store %{{.*}}, %{{.*}} : {{.*}}, vector<32xbf16>
// CHECK-COUNT-4: llvm.call_intrinsic "llvm.x86.tilestored64"
// The last tile, and any that is not whole, does not wait.
// CHECK: math.erf {{.*}} : vector<32xf32>
// CHECK: llvm.call_intrinsic "llvm.x86.tilerelease"
// CHECK-NOT: vector.store {{.*}} : memref<128x64xf32>
// CHECK: return
func.func private @epilogue(%x: memref<128x512xbf16>, %w: memref<512x64xbf16>, %b: memref<64xf32>, %y: memref<128x64xbf16>) attributes {aft.kernel} {
  %zero = arith.constant 0.0 : f32
  %c = memref.alloca() : memref<128x64xf32>
  linalg.fill ins(%zero : f32) outs(%c : memref<128x64xf32>)
  linalg.matmul ins(%x, %w : memref<128x512xbf16>, memref<512x64xbf16>) outs(%c : memref<128x64xf32>)
  linalg.generic {indexing_maps = [#map, #row, #map], iterator_types = ["parallel", "parallel"]} ins(%c, %b : memref<128x64xf32>, memref<64xf32>) outs(%y : memref<128x64xbf16>) {
  ^bb0(%p: f32, %bias: f32, %out: bf16):
    %0 = arith.addf %p, %bias : f32
    %1 = math.erf %0 : f32
    %2 = arith.truncf %1 : f32 to bf16
    linalg.yield %2 : bf16
  }
  return
}

// -----

// Over more than one block of K, sums wait in tiles of their own. C, which others see, is
// written before the epilogue reads it.
#map = affine_map<(d0, d1) -> (d0, d1)>
// CHECK-LABEL: @blocks
// CHECK-SAME: %[[X:.*]]: memref<128x1024xbf16>, %[[W:.*]]: memref<1024x64xbf16>, %[[C:.*]]: memref<128x64xf32>, %[[Y:.*]]: memref<128x64xf32>)
// CHECK: memref.alloca() {{.*}} : memref<16x16x32x32xf32>
// CHECK-COUNT-4: llvm.call_intrinsic "llvm.x86.tdpbf16ps"
// CHECK: memref.prefetch %{{.*}} : memref<16x16x32x32xf32>
// CHECK: vector.store %{{.*}}, %[[C]]
// CHECK: math.erf
// CHECK: vector.store %{{.*}}, %{{.*}}
// CHECK: return
func.func private @blocks(%x: memref<128x1024xbf16>, %w: memref<1024x64xbf16>, %c: memref<128x64xf32>, %y: memref<128x64xf32>) attributes {aft.kernel} {
  linalg.matmul ins(%x, %w : memref<128x1024xbf16>, memref<1024x64xbf16>) outs(%c : memref<128x64xf32>)
  linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]} ins(%c : memref<128x64xf32>) outs(%y : memref<128x64xf32>) {
  ^bb0(%p: f32, %out: f32):
    %0 = math.erf %p : f32
    linalg.yield %0 : f32
  }
  return
}
