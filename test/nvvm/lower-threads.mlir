// RUN: aft-opt %s -split-input-file -aft-grid-to-range -aft-lower-threads | FileCheck %s
// A kernel is a function of a thread of a block: it does the group of its block's number,
// waits where threads wait for each other, and has its own row of what threads keep.

// CHECK: llvm.mlir.global internal @sum.shared0() {addr_space = 3 : i32, alignment = 16 : i64} : !llvm.array<256 x i8>
// CHECK-LABEL: func.func @sum(
// CHECK-SAME: %[[X:.*]]: !llvm.ptr {llvm.align = 16 : i64, llvm.noalias}, %[[N:.*]]: i64)
// CHECK-SAME: aft.shared_bytes = 256 : i64, aft.threads = 64 : i64
// CHECK-DAG: %[[THREAD:.*]] = nvvm.read.ptx.sreg.tid.x : i32
// CHECK-DAG: nvvm.read.ptx.sreg.ctaid.x : i32
// CHECK-DAG: memref.alloca() {alignment = 16 : i64} : memref<1xf32>
// CHECK: memref.store
// CHECK: nvvm.barrier0
// Fewer threads than the block has, and no barrier at the end.
// CHECK: arith.cmpi slt
// CHECK: scf.if
// CHECK: memref.store
// CHECK-NOT: nvvm.barrier0
// CHECK: return
func.func @sum(%x: memref<?xf32>) attributes {aft.aligned = array<i1: true>, aft.kernel} {
  %c0 = arith.constant 0 : index
  %n = memref.dim %x, %c0 : memref<?xf32>
  %shared = memref.alloc() : memref<64xf32>
  %own = memref.alloca() : memref<64x1xf32>
  scf.forall (%block) in (%n) {
    scf.forall (%thread) in (64) {
      %v = memref.load %own[%thread, %c0] : memref<64x1xf32>
      memref.store %v, %shared[%thread] : memref<64xf32>
    } {mapping = [#gpu.thread<x>]}
    scf.forall (%thread) in (32) {
      %v = memref.load %shared[%thread] : memref<64xf32>
      memref.store %v, %x[%block] : memref<?xf32>
    } {mapping = [#gpu.thread<x>]}
  } {mapping = [#gpu.block<x>]}
  return
}

// A block does a group of one grid: what threads share lies in the same place for all grids.
// CHECK-LABEL: func.func @grids(
// CHECK-SAME: aft.shared_bytes = 576 : i64
// CHECK-COUNT-2: llvm.mlir.addressof @grids.shared0
// CHECK: llvm.mlir.addressof @grids.shared1
func.func @grids(%x: memref<?xf32>) attributes {aft.aligned = array<i1: true>, aft.kernel} {
  %c0 = arith.constant 0 : index
  %n = memref.dim %x, %c0 : memref<?xf32>
  %zero = arith.constant 0.0 : f32
  %large = memref.alloc() : memref<128xf32>
  %first = memref.alloc() : memref<64xf32>
  %second = memref.alloc() : memref<16xf32>
  scf.forall (%block) in (%n) {
    scf.forall (%thread) in (64) {
      memref.store %zero, %first[%thread] : memref<64xf32>
      memref.store %zero, %second[%c0] : memref<16xf32>
    } {mapping = [#gpu.thread<x>]}
  } {mapping = [#gpu.block<x>]}
  scf.forall (%block) in (%n) {
    scf.forall (%thread) in (64) {
      memref.store %zero, %large[%thread] : memref<128xf32>
    } {mapping = [#gpu.thread<x>]}
  } {mapping = [#gpu.block<x>]}
  return
}

// 2^x lane by lane, and the larger and smaller of two numbers, are instructions.
// CHECK-LABEL: func.func @exponentials(
// CHECK-COUNT-2: llvm.call_intrinsic "llvm.nvvm.ex2.approx.ftz.f"(%{{.*}}) : (f32) -> f32
// CHECK: llvm.call_intrinsic "llvm.nvvm.ex2.approx.ftz.f"
// CHECK-NOT: llvm.call_intrinsic
// CHECK: llvm.intr.maximum(%{{.*}}) : (f32, f32) -> f32
// CHECK: llvm.intr.minimum(%{{.*}}) : (vector<2xf32>, vector<2xf32>) -> vector<2xf32>
// CHECK: arith.maximumf {{.*}} : f64
func.func @exponentials(%x: memref<?xf32>, %y: memref<?xf64>) attributes {aft.aligned = array<i1: true, true>, aft.kernel} {
  %c0 = arith.constant 0 : index
  %n = memref.dim %x, %c0 : memref<?xf32>
  scf.forall (%block) in (%n) {
    scf.forall (%thread) in (64) {
      %v = vector.load %x[%thread] : memref<?xf32>, vector<2xf32>
      %w = memref.load %x[%thread] : memref<?xf32>
      %d = memref.load %y[%thread] : memref<?xf64>
      %e = math.exp2 %v : vector<2xf32>
      %f = math.exp2 %w : f32
      %m = arith.maximumf %f, %w : f32
      %b = vector.broadcast %m : f32 to vector<2xf32>
      %r = arith.minimumf %e, %b : vector<2xf32>
      %dd = arith.maximumf %d, %d : f64
      vector.store %r, %x[%thread] : memref<?xf32>, vector<2xf32>
      memref.store %dd, %y[%thread] : memref<?xf64>
    } {mapping = [#gpu.thread<x>]}
  } {mapping = [#gpu.block<x>]}
  return
}

// -----

// The hardware copies in the background only what begins at multiples of 16 bytes.
// CHECK-LABEL: func.func @copies(
// CHECK-NOT: vector.load
// CHECK: aft_gpu.copy_chunk
// CHECK: vector.load %{{.*}} vector<8xbf16>
// CHECK-NEXT: vector.store
// CHECK-NOT: aft_gpu.copy_chunk
func.func @copies(%x: memref<?x8xbf16>, %y: memref<?x8xbf16>, %z: memref<8xbf16>) attributes {aft.aligned = array<i1: true, false, true>, aft.kernel} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %shared = memref.alloc() : memref<2x8xbf16>
  scf.forall (%block) in (%c1) {
    scf.forall (%thread) in (32) {
      %part = memref.subview %x[1, 0] [1, 8] [1, 1] : memref<?x8xbf16> to memref<1x8xbf16, strided<[8, 1], offset: 8>>
      aft_gpu.copy_chunk %part[%c0, %c0] to %shared[%c0, %c0] : memref<1x8xbf16, strided<[8, 1], offset: 8>> to memref<2x8xbf16>
      aft_gpu.copy_chunk %y[%c0, %c0] to %shared[%c1, %c0] : memref<?x8xbf16> to memref<2x8xbf16>
    } {mapping = [#gpu.thread<x>]}
    scf.forall (%thread) in (32) {
      %v = memref.load %shared[%c1, %c1] : memref<2x8xbf16>
      memref.store %v, %z[%c0] : memref<8xbf16>
    } {mapping = [#gpu.thread<x>]}
  } {mapping = [#gpu.block<x>]}
  return
}
