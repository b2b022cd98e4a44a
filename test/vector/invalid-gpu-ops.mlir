// RUN: aft-opt %s -split-input-file -verify-diagnostics

// C1 of copy_chunk.
func.func @types(%a: memref<8xbf16>, %b: memref<8xf32>, %i: index) {
  // expected-error @below {{expected the same type of elements, found 'memref<8xbf16>' and 'memref<8xf32>'}}
  aft_gpu.copy_chunk %a[%i] to %b[%i] : memref<8xbf16> to memref<8xf32>
  return
}

// -----

func.func @strides(%a: memref<8xbf16, strided<[2]>>, %b: memref<8xbf16>, %i: index) {
  // expected-error @below {{expected elements of 'from' to follow each other along the last dimension}}
  aft_gpu.copy_chunk %a[%i] to %b[%i] : memref<8xbf16, strided<[2]>> to memref<8xbf16>
  return
}

// -----

// C2 of copy_chunk.
func.func @indices(%a: memref<8xbf16>, %b: memref<4x8xbf16>, %i: index) {
  // expected-error @below {{expected 'to' to have an index for each of at least 1 dimensions, found 1 for 'memref<4x8xbf16>'}}
  aft_gpu.copy_chunk %a[%i] to %b[%i] : memref<8xbf16> to memref<4x8xbf16>
  return
}

// -----

// C1 of warp_product.
func.func @extents(%a: memref<16x16xbf16>, %b: memref<16x8xbf16>, %c: vector<4xf32>, %i: index) {
  // expected-error @below {{expected columns to be a multiple of 16, found 8}}
  %d = aft_gpu.warp_product %a[%i, %i], %b[%i, %i] to (%c) in %i {rows = 16, columns = 8, depth = 16}
    : memref<16x16xbf16>, memref<16x8xbf16>, vector<4xf32>
  return
}

// -----

// C2 of warp_product.
func.func @sums(%a: memref<16x16xbf16>, %b: memref<16x16xbf16>, %c: vector<4xf32>, %i: index) {
  // expected-error @below {{expected sums for 2 fragments, found 1}}
  %d = aft_gpu.warp_product %a[%i, %i], %b[%i, %i] to (%c) in %i {rows = 16, columns = 16, depth = 16}
    : memref<16x16xbf16>, memref<16x16xbf16>, vector<4xf32>
  return
}

// -----

// C3 of warp_product.
func.func @matrix(%a: memref<16xbf16>, %b: memref<16x16xbf16>, %c: vector<4xf32>, %i: index) {
  // expected-error @below {{expected 'a' to have an index for each of at least 2 dimensions, found 1}}
  %d:2 = aft_gpu.warp_product %a[%i], %b[%i, %i] to (%c, %c) in %i {rows = 16, columns = 16, depth = 16}
    : memref<16xbf16>, memref<16x16xbf16>, vector<4xf32>, vector<4xf32>
  return
}

// -----

// C4 of warp_product.
func.func @types(%a: memref<16x16xf32>, %b: memref<16x16xbf16>, %c: vector<4xf32>, %i: index) {
  // expected-error @below {{expected the same type of elements in 'a' and 'b', found 'memref<16x16xf32>' and 'memref<16x16xbf16>'}}
  %d:2 = aft_gpu.warp_product %a[%i, %i], %b[%i, %i] to (%c, %c) in %i {rows = 16, columns = 16, depth = 16}
    : memref<16x16xf32>, memref<16x16xbf16>, vector<4xf32>, vector<4xf32>
  return
}

// -----

// C1 of warp_reduce.
func.func @lanes(%v: f32) {
  // expected-error @below {{expected lanes to be a power of two from 2 to 32, found 12}}
  %s = aft_gpu.warp_reduce <add>, %v {lanes = 12} : f32
  return
}

// -----

func.func @lone(%v: f32) {
  // expected-error @below {{expected lanes to be a power of two from 2 to 32, found 1}}
  %s = aft_gpu.warp_reduce <add>, %v {lanes = 1} : f32
  return
}

// -----

func.func @stride(%v: f32) {
  // expected-error @below {{expected stride to be a power of two from 1 to 32, found -4}}
  %s = aft_gpu.warp_reduce <add>, %v {lanes = 4, stride = -4} : f32
  return
}

// -----

func.func @warp(%v: f32) {
  // expected-error @below {{expected lanes times stride to be at most 32, found 8 times 8}}
  %s = aft_gpu.warp_reduce <add>, %v {lanes = 8, stride = 8} : f32
  return
}

// -----

// C2 of warp_reduce.
func.func @wide(%v: i128) {
  // expected-error @below {{expected a number of at most 64 bits, found 'i128'}}
  %s = aft_gpu.warp_reduce <add>, %v {lanes = 8} : i128
  return
}

// -----

func.func @bits(%v: f32) {
  // expected-error @below {{expected a combining function of 'f32', found 'xor'}}
  %s = aft_gpu.warp_reduce <xor>, %v {lanes = 8} : f32
  return
}

// -----

func.func @numbers(%v: index) {
  // expected-error @below {{expected a combining function of 'index', found 'maximumf'}}
  %s = aft_gpu.warp_reduce <maximumf>, %v {lanes = 8} : index
  return
}
