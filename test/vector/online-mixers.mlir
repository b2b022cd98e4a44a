// RUN: aft-opt %s -pass-pipeline='builtin.module(func.func(aft-vectorize-mixers{vector-bits=256}))' | FileCheck %s

// A work group per batch entry and 8 channels walks the chunk with two states,
// the sums before the chunk and those since; the window lies in two places.

// CHECK-LABEL: func.func @local
// CHECK: scf.forall
// CHECK: %[[WALK:.*]]:6 = scf.for %{{.*}} iter_args(%{{.*}}) -> (vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>)
// Its leaving key, then the largest exponent, then the sums of the window.
// CHECK: scf.if
// CHECK: scf.for {{.*}} -> (vector<8xf32>)
// CHECK: vector.load %arg7
// CHECK: arith.maxnumf
// CHECK: scf.for {{.*}} -> (vector<8xf32>)
// CHECK: vector.load %arg1
// CHECK: scf.for {{.*}} -> (vector<8xf32>, vector<8xf32>)
// CHECK: scf.for {{.*}} -> (vector<8xf32>, vector<8xf32>)
// CHECK: vector.store %{{.*}}, %arg9
// The state and the last two keys.
// CHECK: vector.store %{{.*}}, %arg10{{.*}} vector<8xf32>
// CHECK: vector.store %{{.*}}, %arg11{{.*}} vector<8xf32>
// CHECK: vector.store %{{.*}}, %arg12{{.*}} vector<8xf32>
// CHECK: vector.store %{{.*}}, %arg13{{.*}} vector<8xf32>
// CHECK: vector.store %{{.*}}, %arg14{{.*}} vector<8xf32>
// CHECK-NOT: aft.local_online
func.func @local(%q: memref<?x?x16xf32>, %k: memref<?x?x16xf32>, %v: memref<?x?x16xf32>,
                 %band: memref<?x3xf32>, %m: memref<?x16xf32>, %n: memref<?x16xf32>,
                 %z: memref<?x16xf32>, %rk: memref<?x2x16xf32>, %rv: memref<?x2x16xf32>,
                 %y: memref<?x?x16xf32>, %m1: memref<?x16xf32>, %n1: memref<?x16xf32>,
                 %z1: memref<?x16xf32>, %rk1: memref<?x2x16xf32>, %rv1: memref<?x2x16xf32>)
    attributes {aft.kernel} {
  aft.local_online %q, %k, %v, %band state(%m, %n, %z, %rk, %rv) window = 3
    outs(%y, %m1, %n1, %z1, %rk1, %rv1)
    : (memref<?x?x16xf32>, memref<?x?x16xf32>, memref<?x?x16xf32>, memref<?x3xf32>,
       memref<?x16xf32>, memref<?x16xf32>, memref<?x16xf32>, memref<?x2x16xf32>,
       memref<?x2x16xf32>, memref<?x?x16xf32>, memref<?x16xf32>, memref<?x16xf32>,
       memref<?x16xf32>, memref<?x2x16xf32>, memref<?x2x16xf32>) -> ()
  return
}

// Without a window the query's own key is added before its row is written.

// CHECK-LABEL: func.func @simple
// CHECK: scf.forall
// CHECK: scf.for
// CHECK-NOT: scf.for
// CHECK: vector.store %{{.*}}, %arg6
// CHECK-NOT: aft.simple_online
func.func @simple(%q: memref<?x?x16xf32>, %k: memref<?x?x16xf32>, %v: memref<?x?x16xf32>,
                  %m: memref<?x16xf32>, %n: memref<?x16xf32>, %z: memref<?x16xf32>,
                  %y: memref<?x?x16xf32>, %m1: memref<?x16xf32>, %n1: memref<?x16xf32>,
                  %z1: memref<?x16xf32>) attributes {aft.kernel} {
  aft.simple_online %q, %k, %v state(%m, %n, %z) outs(%y, %m1, %n1, %z1)
    : (memref<?x?x16xf32>, memref<?x?x16xf32>, memref<?x?x16xf32>, memref<?x16xf32>,
       memref<?x16xf32>, memref<?x16xf32>, memref<?x?x16xf32>, memref<?x16xf32>,
       memref<?x16xf32>, memref<?x16xf32>) -> ()
  return
}
