// RUN: aft-opt %s -split-input-file -aft-vectorize-mixers="vector-bits=512" -canonicalize -cse | FileCheck %s
// aft.full becomes a packed product in registers with an exact path beside it.

// CHECK-LABEL: func.func @whole
// CHECK-SAME: (%[[Q:.*]]: memref<?x?x32xf32>, %[[K:.*]]: memref<?x?x32xf32>, %[[V:.*]]: memref<?x?x32xf32>, %[[W:.*]]: memref<?x?xf32>, %[[Y:.*]]: memref<?x?x32xf32>)
// Scratch of a work group: the sums of up to 528 queries, the weights of eight of them
// for 256 keys, and these keys as [exp(k - c) v | exp(k - c)].
// CHECK-DAG: memref.alloca() {alignment = 64 : i64} : memref<2x528x32xf32>
// CHECK-DAG: %[[WEIGHTS:.*]] = memref.alloca() {alignment = 64 : i64} : memref<8x272xf32>
// CHECK-DAG: %[[PANEL:.*]] = memref.alloca() {alignment = 64 : i64} : memref<2x256x32xf32>
// CHECK-DAG: %[[EXPONENTS:.*]] = memref.alloca() {alignment = 64 : i64} : memref<4x256x16xf32>
// CHECK: scf.forall
// The maxima of rows, in whole vectors, then what is left.
// CHECK: vector.load %[[W]]
// CHECK: vector.maskedload %[[W]]
// The keys of a bundle are read together, without an exponential, while those to come
// are fetched, a cache line at a time.
// CHECK-NOT: math.exp
// CHECK: memref.prefetch %[[K]]
// CHECK-NEXT: memref.prefetch %[[K]]
// CHECK-NEXT: memref.prefetch %[[V]]
// CHECK-NEXT: memref.prefetch %[[V]]
// CHECK: vector.load %[[K]]
// CHECK: vector.store %{{.*}}, %[[EXPONENTS]]
// CHECK: vector.store %{{.*}}, %[[PANEL]]
// CHECK: vector.load %[[EXPONENTS]]
// CHECK: math.exp
// CHECK: vector.store %{{.*}}, %[[PANEL]]
// The weights exp(w - a) of eight queries.
// CHECK: vector.load %[[W]]
// CHECK: math.exp %{{.*}} : vector<16xf32>
// CHECK: vector.store %{{.*}}, %[[WEIGHTS]]
// CHECK: vector.maskedload %[[W]]
// CHECK: math.exp %{{.*}} : vector<16xf32>
// CHECK: vector.store %{{.*}}, %[[WEIGHTS]]
// CHECK: vector.store %{{.*}}, %[[WEIGHTS]]
// They stay in registers by two vectors.
// CHECK: scf.for {{.*}} iter_args({{(%[^ ]+ = %[^ ]+, ){15}%[^ ]+ = %[^ ]+}}) -> ({{(vector<16xf32>, ){15}vector<16xf32>}})
// CHECK: memref.load %[[WEIGHTS]]
// CHECK: math.fma
// So do they from their last keys to the results, whose lines are asked for before, and which
// are good when the sums of all
// of them are.
// CHECK: scf.for {{.*}} -> ({{(vector<16xf32>, ){15}vector<16xf32>}})
// CHECK: vector.reduction <and>, %{{.*}} : vector<16xi1> into i1
// CHECK-NEXT: arith.andi
// CHECK-NEXT: scf.if
// CHECK-COUNT-8: vector.store %{{.*}}, %[[Y]]
// CHECK: } else {
// Else the keys of a query that is not are added one by one.
// CHECK: vector.reduction <and>
// CHECK: scf.if
// CHECK: memref.load %[[W]]
// CHECK: vector.store %{{.*}}, %[[Y]]
func.func @whole(%q: memref<?x?x32xf32>, %k: memref<?x?x32xf32>, %v: memref<?x?x32xf32>, %w: memref<?x?xf32>, %y: memref<?x?x32xf32>) attributes {aft.kernel} {
  aft.full %q, %k, %v, %w outs(%y) : (memref<?x?x32xf32>, memref<?x?x32xf32>, memref<?x?x32xf32>, memref<?x?xf32>, memref<?x?x32xf32>) -> ()
  return
}

// -----

// On the diagonal of a causal block the keys are packed relative to the maximum before
// them and the first of them, far larger ones as NaN; a strip of queries is finished with
// the keys before it and a triangle of its own; then the keys are packed anew for the
// queries below.
// CHECK-LABEL: func.func @causal
// CHECK-DAG: %[[PANEL:.*]] = memref.alloca() {alignment = 64 : i64} : memref<2x256x32xf32>
// CHECK-DAG: %[[NAN:.*]] = arith.constant dense<0x7FC00000> : vector<16xf32>
// CHECK: scf.forall
// CHECK: vector.store %{{.*}}, %[[PANEL]]
// CHECK: arith.select %{{.*}}, %[[NAN]]
// CHECK: vector.store %{{.*}}, %[[PANEL]]
// CHECK: scf.for {{.*}} -> ({{(vector<16xf32>, ){15}vector<16xf32>}})
// CHECK: scf.yield
// CHECK-NEXT: }
// The first of eight queries sees one of them, the last sees all.
// CHECK-COUNT-72: math.fma
// CHECK-NOT: scf.for
// CHECK: vector.reduction <and>
// CHECK: scf.if
// CHECK: scf.if
// CHECK: memref.prefetch
// CHECK: vector.store %{{.*}}, %[[PANEL]]
func.func @causal(%q: memref<?x?x32xf32>, %k: memref<?x?x32xf32>, %v: memref<?x?x32xf32>, %w: memref<?x?xf32>, %y: memref<?x?x32xf32>) attributes {aft.kernel} {
  aft.full %q, %k, %v, %w causal outs(%y) : (memref<?x?x32xf32>, memref<?x?x32xf32>, memref<?x?x32xf32>, memref<?x?xf32>, memref<?x?x32xf32>) -> ()
  return
}

// -----

// The derivative is three grids: dw, then dk and dv, then dq.
// CHECK-LABEL: func.func @gradient
// CHECK-SAME: %[[DQ:[^:]*]]: memref<?x?x32xf32>, %[[DK:[^:]*]]: memref<?x?x32xf32>, %[[DV:[^:]*]]: memref<?x?x32xf32>, %[[DW:[^:]*]]: memref<?x?xf32>) attributes
// CHECK: scf.forall
// CHECK: vector.transpose %{{.*}}, [1, 0] : vector<16x16xf32> to vector<16x16xf32>
// CHECK: vector.maskedstore %[[DW]]
// CHECK: scf.forall
// CHECK-DAG: vector.store %{{.*}}, %[[DK]]
// CHECK-DAG: vector.store %{{.*}}, %[[DV]]
// CHECK: scf.forall
// CHECK: vector.store %{{.*}}, %[[DQ]]
// CHECK-NOT: scf.forall
func.func @gradient(%dy: memref<?x?x32xf32>, %q: memref<?x?x32xf32>, %k: memref<?x?x32xf32>, %v: memref<?x?x32xf32>, %w: memref<?x?xf32>, %r: memref<?x?x32xf32>, %z: memref<?x?x32xf32>, %dq: memref<?x?x32xf32>, %dk: memref<?x?x32xf32>, %dv: memref<?x?x32xf32>, %dw: memref<?x?xf32>) attributes {aft.kernel} {
  aft.full_grad %dy, %q, %k, %v, %w, %r, %z outs(%dq, %dk, %dv, %dw) : (memref<?x?x32xf32>, memref<?x?x32xf32>, memref<?x?x32xf32>, memref<?x?x32xf32>, memref<?x?xf32>, memref<?x?x32xf32>, memref<?x?x32xf32>, memref<?x?x32xf32>, memref<?x?x32xf32>, memref<?x?x32xf32>, memref<?x?xf32>) -> ()
  return
}

// -----

// A function that is no kernel stays.
// CHECK-LABEL: func.func @other
// CHECK: aft.full
func.func @other(%q: memref<?x?x32xf32>, %k: memref<?x?x32xf32>, %v: memref<?x?x32xf32>, %w: memref<?x?xf32>, %y: memref<?x?x32xf32>) {
  aft.full %q, %k, %v, %w outs(%y) : (memref<?x?x32xf32>, memref<?x?x32xf32>, memref<?x?x32xf32>, memref<?x?xf32>, memref<?x?x32xf32>) -> ()
  return
}
