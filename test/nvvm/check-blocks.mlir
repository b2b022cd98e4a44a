// RUN: aft-opt %s -split-input-file -verify-diagnostics -aft-check-phase='phase=vector thread-blocks'
// What a kernel for a GPU must not do.

// expected-error @below {{not supported yet on a GPU: kernel @shared takes 65536 bytes of memory that a block of threads shares, more than 49152}}
func.func @shared(%x: memref<4xf32>) attributes {aft.kernel} {
  %a = memref.alloc() : memref<16384xf32>
  scf.forall (%i) in (32) {
    %v = memref.load %a[%i] : memref<16384xf32>
    memref.store %v, %x[%i] : memref<4xf32>
  } {mapping = [#gpu.thread<x>]}
  return
}

// -----

// Grids use the same memory, except what both of them use.
func.func @grids(%x: memref<32xf32>) attributes {aft.kernel} {
  %a = memref.alloc() : memref<8192xf32>
  %b = memref.alloc() : memref<8192xf32>
  scf.forall (%g) in (2) {
    scf.forall (%i) in (32) {
      %v = memref.load %a[%i] : memref<8192xf32>
      memref.store %v, %x[%i] : memref<32xf32>
    } {mapping = [#gpu.thread<x>]}
  } {mapping = [#gpu.block<x>]}
  scf.forall (%g) in (2) {
    scf.forall (%i) in (32) {
      %v = memref.load %b[%i] : memref<8192xf32>
      memref.store %v, %x[%i] : memref<32xf32>
    } {mapping = [#gpu.thread<x>]}
  } {mapping = [#gpu.block<x>]}
  return
}

// -----

// expected-error @below {{not supported yet on a GPU: kernel @both takes 65536 bytes of memory that a block of threads shares, more than 49152}}
func.func @both(%x: memref<32xf32>) attributes {aft.kernel} {
  %a = memref.alloc() : memref<8192xf32>
  %b = memref.alloc() : memref<8192xf32>
  scf.forall (%g) in (2) {
    scf.forall (%i) in (32) {
      %v = memref.load %a[%i] : memref<8192xf32>
      memref.store %v, %b[%i] : memref<8192xf32>
    } {mapping = [#gpu.thread<x>]}
  } {mapping = [#gpu.block<x>]}
  scf.forall (%g) in (2) {
    scf.forall (%i) in (32) {
      %v = memref.load %b[%i] : memref<8192xf32>
      memref.store %v, %x[%i] : memref<32xf32>
    } {mapping = [#gpu.thread<x>]}
  } {mapping = [#gpu.block<x>]}
  return
}

// -----

// Of memory with a row per thread each thread has one row.
// expected-error @below {{not supported yet on a GPU: kernel @own takes 2048 bytes of memory for each thread, more than 1024}}
func.func @own(%x: memref<4xf32>) attributes {aft.kernel} {
  %a = memref.alloca() : memref<32x512xf32>
  scf.forall (%i) in (32) {
    %v = memref.load %a[%i, %i] : memref<32x512xf32>
    memref.store %v, %x[%i] : memref<4xf32>
  } {mapping = [#gpu.thread<x>]}
  return
}

// -----

func.func @store(%x: memref<4xf32>) attributes {aft.kernel} {
  %c0 = arith.constant 0 : index
  %v = arith.constant 0.0 : f32
  // expected-error @below {{phase 'vector' left 'memref.store' in @store outside of all threads}}
  memref.store %v, %x[%c0] : memref<4xf32>
  return
}

// -----

// expected-error @below {{kernel @range must have type (memrefs...) -> () after phase 'vector' for a GPU}}
func.func @range(%x: memref<4xf32>, %begin: index, %end: index) -> index attributes {aft.kernel} {
  return %begin : index
}

// -----

func.func @copy(%x: memref<8xbf16>) attributes {aft.kernel} {
  %c0 = arith.constant 0 : index
  %a = memref.alloc() : memref<8xbf16>
  // expected-error @below {{phase 'vector' left 'aft_gpu.copy_chunk' in @copy outside of all threads}}
  aft_gpu.copy_chunk %x[%c0] to %a[%c0] : memref<8xbf16> to memref<8xbf16>
  return
}

// -----

func.func @branch(%x: memref<32xf32>, %b: memref<32xi1>) attributes {aft.kernel} {
  scf.forall (%i) in (32) {
    %v = memref.load %x[%i] : memref<32xf32>
    %c = memref.load %b[%i] : memref<32xi1>
    scf.if %c {
      // expected-error @below {{phase 'vector' left 'aft_gpu.warp_reduce' in @branch where not all threads of a warp arrive}}
      %s = aft_gpu.warp_reduce <add>, %v {lanes = 32} : f32
      memref.store %s, %x[%i] : memref<32xf32>
    }
  } {mapping = [#gpu.thread<x>]}
  return
}

// -----

func.func @half(%x: memref<48xf32>) attributes {aft.kernel} {
  scf.forall (%i) in (48) {
    %v = memref.load %x[%i] : memref<48xf32>
    // expected-error @below {{phase 'vector' left 'aft_gpu.warp_reduce' in @half where not all threads of a warp arrive}}
    %s = aft_gpu.warp_reduce <add>, %v {lanes = 16} : f32
    memref.store %s, %x[%i] : memref<48xf32>
  } {mapping = [#gpu.thread<x>]}
  return
}
