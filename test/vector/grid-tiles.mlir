// RUN: aft-opt %s -split-input-file -aft-kernels -aft-tile=target=cuda -aft-vector=target=cuda | FileCheck %s

// All of the grid lies in shared memory, for 16 channels and 16 heads, filled once. A thread
// has a row of 14 columns: a row of the filter costs 124 multiplications and additions, and
// the 14 sums of columns of what is left and right of windows.
// CHECK-LABEL: func.func private @kernel_0_conv(
// CHECK-DAG: memref.alloca() : memref<256x14xf32>
// CHECK-DAG: memref.alloc() : memref<14x14x32xf32>
// CHECK-DAG: memref.alloc() : memref<121x16xf32>
// CHECK: scf.forall (%{{.*}}, %{{.*}}) in (%{{.*}}, 4) {
// Where the filters are moderate:
// CHECK: %[[MODERATE:.*]] = arith.cmpf olt, %{{.*}}, %cst{{.*}} : f32
// CHECK: scf.if %[[MODERATE]] {
// CHECK: memref.store {{.*}} memref<14x14x32xf32>
// CHECK: scf.for %{{.*}} = %c0 to %c14 step %c8 {
// CHECK-NOT: memref.store {{.*}} memref<14x14x32xf32>
// CHECK: scf.for %{{.*}} iter_args
// CHECK-COUNT-14: memref.load {{.*}} memref<14x14x32xf32>
// CHECK-NOT: memref.load {{.*}} memref<14x14x32xf32>
// CHECK: scf.yield
// Else pair by pair.
// CHECK: } else {
// CHECK-NOT: memref<14x14x32xf32>
// CHECK: } {mapping = [#gpu.block<y>, #gpu.block<x>]}
func.func @main(%q: tensor<?x?x64xf32>, %k: tensor<?x?x64xf32>, %v: tensor<?x?x64xf32>, %f: tensor<64x11x11xf32>) -> tensor<?x?x64xf32> {
  %y = aft.conv %q, %k, %v, %f grid = [14, 14] : (tensor<?x?x64xf32>, tensor<?x?x64xf32>, tensor<?x?x64xf32>, tensor<64x11x11xf32>) -> tensor<?x?x64xf32>
  return %y : tensor<?x?x64xf32>
}

// -----

// What the keys of a head add to its denominator lies there once for its 6 channels.
// CHECK-LABEL: func.func private @kernel_0_conv(
// CHECK-DAG: memref.alloc() : memref<14x14x28xf32>
// CHECK-DAG: memref.alloc() : memref<121x4xf32>
func.func @main(%q: tensor<?x?x48xf32>, %k: tensor<?x?x8xf32>, %v: tensor<?x?x48xf32>, %f: tensor<8x11x11xf32>) -> tensor<?x?x48xf32> {
  %y = aft.conv %q, %k, %v, %f grid = [14, 14] : (tensor<?x?x48xf32>, tensor<?x?x8xf32>, tensor<?x?x48xf32>, tensor<8x11x11xf32>) -> tensor<?x?x48xf32>
  return %y : tensor<?x?x48xf32>
}

// -----

// Tiles of 5 rows of a larger grid, with the 2 beside them and zeros around; three threads share
// a row, and what is left and right of what the windows of each reach is summed before.
// CHECK-LABEL: func.func private @kernel_0_conv(
// CHECK-DAG: memref.alloca() : memref<256x14xf32>
// CHECK-DAG: memref.alloc() : memref<7x44x16xf32>
// CHECK-DAG: memref.alloc() : memref<2x7x3x16xf32>
// CHECK: scf.for %{{.*}} = %c0 to %c12 step %c5 {
// CHECK: memref.store {{.*}} memref<7x44x16xf32>
// CHECK-COUNT-2: memref.store {{.*}} memref<2x7x3x16xf32>
// CHECK: scf.for %{{.*}} iter_args
// CHECK-COUNT-16: memref.load {{.*}} memref<7x44x16xf32>
// CHECK-NOT: memref.load {{.*}} memref<7x44x16xf32>
// CHECK: scf.yield
func.func @main(%q: tensor<?x?x64xf32>, %k: tensor<?x?x64xf32>, %v: tensor<?x?x64xf32>, %f: tensor<64x3x3xf32>) -> tensor<?x?x64xf32> {
  %y = aft.conv %q, %k, %v, %f grid = [12, 40] : (tensor<?x?x64xf32>, tensor<?x?x64xf32>, tensor<?x?x64xf32>, tensor<64x3x3xf32>) -> tensor<?x?x64xf32>
  return %y : tensor<?x?x64xf32>
}

// -----

// A row that has no room is cut: 16 threads have 16 columns each, beside which lie whole segments of
// as many. Segments further away are summed before, and what is left of the nearest from shared memory.
// CHECK-LABEL: func.func private @kernel_0_conv(
// CHECK-DAG: memref.alloc() : memref<3x288x4xf32>
// CHECK-DAG: memref.alloc() : memref<4x250x4xf32>
// CHECK-DAG: memref.alloc() : memref<2x3x16x4xf32>
// CHECK: scf.for %{{.*}} = %c0 to %c4 step %c1 {
// CHECK: scf.for %{{.*}} = %c0 to %c4000 step %c256 {
// CHECK: memref.store {{.*}} memref<3x288x4xf32>
// CHECK: scf.for %{{.*}} iter_args
// CHECK-NEXT: memref.load {{.*}} memref<4x250x4xf32>
// CHECK: scf.for %{{.*}} iter_args
// CHECK-NEXT: memref.load {{.*}} memref<3x288x4xf32>
// CHECK-COUNT-2: memref.store {{.*}} memref<2x3x16x4xf32>
// CHECK: scf.for %{{.*}} iter_args
// CHECK-COUNT-18: memref.load {{.*}} memref<3x288x4xf32>
// CHECK-NOT: memref.load {{.*}} memref<3x288x4xf32>
// CHECK: scf.yield
func.func @main(%q: tensor<?x?x64xf32>, %k: tensor<?x?x64xf32>, %v: tensor<?x?x64xf32>, %f: tensor<64x3x3xf32>) -> tensor<?x?x64xf32> {
  %y = aft.conv %q, %k, %v, %f grid = [4, 4000] : (tensor<?x?x64xf32>, tensor<?x?x64xf32>, tensor<?x?x64xf32>, tensor<64x3x3xf32>) -> tensor<?x?x64xf32>
  return %y : tensor<?x?x64xf32>
}

// -----

// Without room for the segments of all rows pair by pair.
// CHECK-LABEL: func.func private @kernel_0_conv(
// CHECK-NOT: memref.alloc
// CHECK: return
func.func @main(%q: tensor<?x?x64xf32>, %k: tensor<?x?x64xf32>, %v: tensor<?x?x64xf32>, %f: tensor<64x3x3xf32>) -> tensor<?x?x64xf32> {
  %y = aft.conv %q, %k, %v, %f grid = [400, 4000] : (tensor<?x?x64xf32>, tensor<?x?x64xf32>, tensor<?x?x64xf32>, tensor<64x3x3xf32>) -> tensor<?x?x64xf32>
  return %y : tensor<?x?x64xf32>
}

// -----

// Planes: all of a small grid lies in shared memory, and a thread goes through the planes, and the
// rows of each, that its windows reach. Planes that they do not reach are summed before.
// CHECK-LABEL: func.func private @kernel_0_conv(
// CHECK-DAG: memref.alloc() : memref<12x4x32xf32>
// CHECK-DAG: %[[PLANES:.*]] = memref.alloc() : memref<3x32xf32>
// CHECK: memref.store {{.*}} memref<12x4x32xf32>
// CHECK: memref.store %{{.*}}, %[[PLANES]][
// CHECK: scf.for %{{.*}} = %c0 to %c12 step %c8 {
// CHECK-NOT: memref.store {{.*}} memref<12x4x32xf32>
// CHECK: %{{[0-9]+}}:8 = scf.for
// CHECK: %{{[0-9]+}}:8 = scf.for
// CHECK-COUNT-4: memref.load {{.*}} memref<12x4x32xf32>
// CHECK-NOT: memref.load {{.*}} memref<12x4x32xf32>
// CHECK: scf.yield
func.func @main(%q: tensor<?x?x64xf32>, %k: tensor<?x?x64xf32>, %v: tensor<?x?x64xf32>, %f: tensor<64x3x3x3xf32>) -> tensor<?x?x64xf32> {
  %y = aft.conv %q, %k, %v, %f grid = [3, 4, 4] : (tensor<?x?x64xf32>, tensor<?x?x64xf32>, tensor<?x?x64xf32>, tensor<64x3x3x3xf32>) -> tensor<?x?x64xf32>
  return %y : tensor<?x?x64xf32>
}

// -----

// dk and dv: items are queries, G of each of 24 channels and G R summed over each of 4 heads.
// What the channels of a head share is summed for dk.
// CHECK-LABEL: func.func private @kernel_0_conv_grad(
// CHECK-DAG: memref.alloc() : memref<14x14x28xf32>
// CHECK-DAG: %[[SHARES:.*]] = memref.alloc() : memref<{{[0-9]+}}x24xf32>
// CHECK: scf.forall (%{{.*}}, %{{.*}}) in (%{{.*}}, 2) {
// CHECK: memref.store %{{.*}}, %[[SHARES]][
// CHECK: memref.load %[[SHARES]][
// CHECK: memref.store {{.*}} memref<?x?x8xf32>
// CHECK: } {mapping = [#gpu.block<y>, #gpu.block<x>]}
// dfilter: a block has 4 heads and one of 11 rows of their filters. Where the filters are moderate,
// it takes queries and keys of 7 rows at a time; a thread multiplies 14 queries of a row with 14 keys,
// 124 pairs, for 11 sums, which the threads of a lane and then the lanes of a head add up.
// CHECK: scf.forall (%{{.*}}, %{{.*}}) in (2, 11) {
// CHECK: %[[MODERATE:.*]] = arith.cmpf olt, %{{.*}}, %cst{{.*}} : f32
// CHECK: scf.if %[[MODERATE]] {
// CHECK: memref.store {{.*}} memref<7x14x28xf32>
// CHECK: scf.for %{{.*}} iter_args
// CHECK-COUNT-14: memref.load {{.*}} memref<7x14x28xf32>
// CHECK: scf.if {{.*}} -> (f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32) {
// CHECK-COUNT-124: math.fma
// CHECK-NOT: math.fma
// CHECK: memref.store {{.*}} memref<4x256xf32>
// CHECK: memref.store {{.*}} memref<4x28xf32>
// Else pair by pair, a number after the other.
// CHECK: } else {
// CHECK-NOT: memref<7x14x28xf32>
// CHECK: aft_gpu.warp_reduce
// CHECK-NOT: #gpu.block
// CHECK: } {mapping = [#gpu.block<y>, #gpu.block<x>]}
// CHECK-NEXT: return
func.func @main(%dy: tensor<?x?x48xf32>, %k: tensor<?x?x8xf32>, %f: tensor<8x11x11xf32>, %r: tensor<?x?x48xf32>, %z: tensor<?x?x8xf32>) -> (tensor<?x?x48xf32>, tensor<?x?x8xf32>, tensor<?x?x48xf32>, tensor<8x11x11xf32>) {
  %g:4 = aft.conv_grad %dy, %dy, %k, %dy, %f, %r, %z grid = [14, 14] : (tensor<?x?x48xf32>, tensor<?x?x48xf32>, tensor<?x?x8xf32>, tensor<?x?x48xf32>, tensor<8x11x11xf32>, tensor<?x?x48xf32>, tensor<?x?x8xf32>) -> (tensor<?x?x48xf32>, tensor<?x?x8xf32>, tensor<?x?x48xf32>, tensor<8x11x11xf32>)
  return %g#0, %g#1, %g#2, %g#3 : tensor<?x?x48xf32>, tensor<?x?x8xf32>, tensor<?x?x48xf32>, tensor<8x11x11xf32>
}

// -----

// Of a larger grid the rows of a plane that the windows of a tile of 8 reach, one plane after the other;
// sums begin with the planes and rows that no window reaches.
// CHECK-LABEL: func.func private @kernel_0_conv(
// CHECK-DAG: %[[SUMS:.*]] = memref.alloca() : memref<256x14xf32>
// CHECK-DAG: memref.alloc() : memref<10x14x32xf32>
// CHECK: scf.for %{{.*}} = %c0 to %c4 step %c1 {
// CHECK: scf.for %{{.*}} step %c8 {
// CHECK-COUNT-14: memref.store %{{.*}}, %[[SUMS]][
// CHECK: scf.for %[[PLANE:.*]] = %{{.*}} to %{{.*}} step %c1 {
// CHECK: memref.store {{.*}} memref<10x14x32xf32>
// CHECK: scf.for %{{.*}} iter_args
// CHECK-COUNT-14: memref.load {{.*}} memref<10x14x32xf32>
// CHECK: scf.yield
// CHECK: memref.load %[[SUMS]][
// CHECK: memref.store %{{.*}}, %[[SUMS]][
func.func @main(%q: tensor<?x?x64xf32>, %k: tensor<?x?x64xf32>, %v: tensor<?x?x64xf32>, %f: tensor<64x3x3x3xf32>) -> tensor<?x?x64xf32> {
  %y = aft.conv %q, %k, %v, %f grid = [4, 14, 14] : (tensor<?x?x64xf32>, tensor<?x?x64xf32>, tensor<?x?x64xf32>, tensor<64x3x3x3xf32>) -> tensor<?x?x64xf32>
  return %y : tensor<?x?x64xf32>
}

// -----

// dfilter on a grid of three dimensions. Of 600 heads, 16 in a block, a block has three
// of seven rows of a plane of the filter: 5 rows of queries meet 7 of keys.
// CHECK-LABEL: func.func private @kernel_0_conv_grad(
// CHECK-DAG: memref.alloc() : memref<5x6x32xf32>
// CHECK-DAG: memref.alloc() : memref<7x6x32xf32>
// CHECK-DAG: memref.alloca() : memref<256x9xf32>
// CHECK: scf.forall (%{{.*}}, %{{.*}}) in (38, 6) {
// CHECK: scf.if {{.*}} -> (f32, f32, f32) {
// CHECK: scf.if {{.*}} -> (f32, f32, f32) {
// CHECK: scf.if {{.*}} -> (f32, f32, f32) {
// CHECK: } {mapping = [#gpu.block<y>, #gpu.block<x>]}
// CHECK-NEXT: return
func.func @main(%dy: tensor<?x?x600xf32>, %f: tensor<600x2x7x3xf32>) -> (tensor<?x?x600xf32>, tensor<?x?x600xf32>, tensor<?x?x600xf32>, tensor<600x2x7x3xf32>) {
  %g:4 = aft.conv_grad %dy, %dy, %dy, %dy, %f, %dy, %dy grid = [2, 5, 6] : (tensor<?x?x600xf32>, tensor<?x?x600xf32>, tensor<?x?x600xf32>, tensor<?x?x600xf32>, tensor<600x2x7x3xf32>, tensor<?x?x600xf32>, tensor<?x?x600xf32>) -> (tensor<?x?x600xf32>, tensor<?x?x600xf32>, tensor<?x?x600xf32>, tensor<600x2x7x3xf32>)
  return %g#0, %g#1, %g#2, %g#3 : tensor<?x?x600xf32>, tensor<?x?x600xf32>, tensor<?x?x600xf32>, tensor<600x2x7x3xf32>
}
