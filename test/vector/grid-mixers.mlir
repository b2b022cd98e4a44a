// RUN: aft-opt %s -pass-pipeline='builtin.module(func.func(aft-vectorize-mixers{vector-bits=256}))' -split-input-file | FileCheck %s

// A moderate filter takes products of exponentials. The pairs of a row of outputs and a row
// of items are written out, those beside the grid left out: 3 taps of 6 outputs less two.
// First the numerators, then the denominators: an item and a weight are in registers
// when they are needed again. Sums over whole rows and columns, all columns of a row at
// once, stand for everything outside of the window.

// CHECK-LABEL: func.func @forward
// CHECK-DAG: memref.alloca() {alignment = 64 : i64} : memref<24x2x8xf32>
// CHECK-DAG: memref.alloca() {alignment = 64 : i64} : memref<9x8xf32>
// CHECK: %[[FLAT:.*]] = memref.collapse_shape %arg3 {{\[}}[0], [1, 2]] : memref<16x3x3xf32> into memref<16x9xf32>
// CHECK: scf.forall (%{{.*}}, %{{.*}}) in
// CHECK: %[[MODERATE:.*]] = arith.cmpf olt
// CHECK: scf.if %[[MODERATE]] {
// What is read far apart later is asked for here.
// CHECK: memref.prefetch %arg2
// CHECK: vector.load %arg1
// CHECK: memref.prefetch %arg0
// CHECK: math.exp
// Six outputs in registers: planes, rows.
// CHECK: scf.for {{.*}} iter_args({{.*}}) -> (vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>)
// CHECK: scf.for
// CHECK-COUNT-16: math.fma
// CHECK-NOT: math.fma
// CHECK: scf.yield
// CHECK: scf.for {{.*}} iter_args({{.*}}) -> (vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>)
// CHECK: scf.for
// CHECK-COUNT-16: math.fma
// CHECK-NOT: math.fma
// CHECK: scf.yield
// CHECK: } else {
// CHECK: arith.maxnumf
// CHECK: math.exp
func.func @forward(%q: memref<?x24x16xf32>, %k: memref<?x24x16xf32>, %v: memref<?x24x16xf32>,
                   %f: memref<16x3x3xf32>, %y: memref<?x24x16xf32>) attributes {aft.kernel} {
  aft.conv %q, %k, %v, %f grid = [4, 6] outs(%y)
    : (memref<?x24x16xf32>, memref<?x24x16xf32>, memref<?x24x16xf32>, memref<16x3x3xf32>,
       memref<?x24x16xf32>) -> ()
  return
}

// -----

// Channels of a head share what depends on the head alone: exponentials, made of vectors of
// places, and the sums Z of its numbers, in which a vector is a row of columns; a lane group
// then has one sum for each of 6 outputs.

// CHECK-LABEL: func.func @heads
// CHECK-DAG: memref.alloca() {alignment = 64 : i64} : memref<24x1x8xf32>
// CHECK: scf.forall (%{{.*}}, %{{.*}}) in
// CHECK: %[[MODERATE:.*]] = arith.cmpf olt
// CHECK: scf.if %[[MODERATE]] {
// CHECK: memref.load %arg1
// CHECK: %[[EXP:.*]] = math.exp %{{.*}} : vector<8xf32>
// CHECK: vector.store %[[EXP]]
// CHECK: memref.store %{{.*}}, %[[KEYS:[a-z0-9_]+]][%{{.*}}] : memref<2x56xf32>
// Z of a row of the grid.
// CHECK: scf.for {{.*}} iter_args({{.*}}) -> (vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>)
// CHECK: vector.load %[[KEYS]]
// CHECK: math.fma
// The numerators.
// CHECK: scf.for {{.*}} iter_args({{.*}}) -> (vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>)
// CHECK: scf.for
// CHECK-COUNT-16: math.fma
// CHECK-NOT: math.fma
// CHECK: scf.yield
// CHECK: } else {
// CHECK: arith.maxnumf
func.func @heads(%q: memref<?x24x16xf32>, %k: memref<?x24x4xf32>, %v: memref<?x24x16xf32>,
                 %f: memref<4x3x3xf32>, %y: memref<?x24x16xf32>) attributes {aft.kernel} {
  aft.conv %q, %k, %v, %f grid = [4, 6] outs(%y)
    : (memref<?x24x16xf32>, memref<?x24x4xf32>, memref<?x24x16xf32>, memref<4x3x3xf32>,
       memref<?x24x16xf32>) -> ()
  return
}

// -----

// The derivative: the filter's is a grid of its own, whose groups go through the
// batch and come first since they are the largest; sums over the channels of a head are kept
// as vectors until all its channels have been added.

// CHECK-LABEL: func.func @backward
// CHECK-DAG: %[[LANES:.*]] = memref.alloca() {alignment = 64 : i64} : memref<2x24x8xf32>
// CHECK: memref.collapse_shape %arg10
// CHECK: scf.forall (%{{.*}}) in (1)
// Three taps of a row of the filter in registers, over the rows of the grid.
// CHECK: scf.for {{.*}} iter_args({{.*}}) -> (vector<8xf32>, vector<8xf32>, vector<8xf32>)
// CHECK: scf.for
// CHECK-COUNT-16: math.fma
// CHECK-NOT: math.fma
// CHECK: scf.yield
// CHECK: scf.forall (%{{.*}}, %{{.*}}) in
// CHECK-NOT: aft.conv_grad
func.func @backward(%dy: memref<?x24x24xf32>, %q: memref<?x24x24xf32>, %k: memref<?x24x2xf32>,
                    %v: memref<?x24x24xf32>, %f: memref<2x3x3xf32>, %r: memref<?x24x24xf32>,
                    %z: memref<?x24x2xf32>, %dq: memref<?x24x24xf32>, %dk: memref<?x24x2xf32>,
                    %dv: memref<?x24x24xf32>, %df: memref<2x3x3xf32>) attributes {aft.kernel} {
  aft.conv_grad %dy, %q, %k, %v, %f, %r, %z grid = [4, 6] outs(%dq, %dk, %dv, %df)
    : (memref<?x24x24xf32>, memref<?x24x24xf32>, memref<?x24x2xf32>, memref<?x24x24xf32>,
       memref<2x3x3xf32>, memref<?x24x24xf32>, memref<?x24x2xf32>, memref<?x24x24xf32>,
       memref<?x24x2xf32>, memref<?x24x24xf32>, memref<2x3x3xf32>) -> ()
  return
}

// -----

// Long rows are not written out: 8 neighbouring outputs with two sums each in a loop over
// the taps, with zeros beside the rows.

// CHECK-LABEL: func.func @long_rows
// CHECK-DAG: memref.alloca() {alignment = 64 : i64} : memref<428x2x8xf32>
// CHECK: scf.if
// Planes, rows, taps.
// CHECK: scf.for {{.*}} iter_args
// CHECK: scf.for
// CHECK: scf.for
// CHECK-COUNT-16: math.fma
// CHECK-NOT: math.fma
// CHECK: scf.yield
func.func @long_rows(%q: memref<?x400x16xf32>, %k: memref<?x400x16xf32>, %v: memref<?x400x16xf32>,
                     %f: memref<16x3x3xf32>, %y: memref<?x400x16xf32>) attributes {aft.kernel} {
  aft.conv %q, %k, %v, %f grid = [2, 200] outs(%y)
    : (memref<?x400x16xf32>, memref<?x400x16xf32>, memref<?x400x16xf32>, memref<16x3x3xf32>,
       memref<?x400x16xf32>) -> ()
  return
}

// -----

// A grid whose numbers do not fit into scratch takes exponentials at once.

// CHECK-LABEL: func.func @large
// CHECK-NOT: memref<{{.*}}x2x8xf32>
// CHECK: return
func.func @large(%q: memref<?x65536x16xf32>, %k: memref<?x65536x16xf32>,
                 %v: memref<?x65536x16xf32>, %f: memref<16x3x3xf32>,
                 %y: memref<?x65536x16xf32>) attributes {aft.kernel} {
  aft.conv %q, %k, %v, %f grid = [256, 256] outs(%y)
    : (memref<?x65536x16xf32>, memref<?x65536x16xf32>, memref<?x65536x16xf32>,
       memref<16x3x3xf32>, memref<?x65536x16xf32>) -> ()
  return
}
