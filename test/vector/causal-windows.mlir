// RUN: aft-opt %s -pass-pipeline='builtin.module(func.func(aft-vectorize-mixers{vector-bits=256},canonicalize,cse))' | FileCheck %s
// RUN: aft-opt %s -pass-pipeline='builtin.module(func.func(aft-vectorize-mixers{vector-bits=512},canonicalize,cse))' | FileCheck %s --check-prefix=WIDE

// A causal window is a row of a banded product: an item's exponential is taken once,
// when it arrives, and the sums of several outputs stay in registers, 6 on AVX2 and 8 on
// AVX-512, two each.

// CHECK-LABEL: func.func @local
// CHECK: scf.forall
// exp of the biases of a block.
// CHECK: vector.load %arg3
// CHECK: math.exp
// The keys that the block brings.
// CHECK: vector.load %arg1
// CHECK: math.exp
// CHECK: scf.for {{.*}} -> ({{(vector<8xf32>, ){11}vector<8xf32>}})
// CHECK-COUNT-12: math.fma
// CHECK-NOT: math.fma
// CHECK: scf.yield
// CHECK: vector.store %{{.*}}, %arg4
// WIDE-LABEL: func.func @local
// WIDE: scf.for {{.*}} -> ({{(vector<16xf32>, ){15}vector<16xf32>}})
// WIDE-COUNT-16: math.fma
// WIDE-NOT: math.fma
// WIDE: scf.yield
func.func @local(%q: memref<?x?x64xf32>, %k: memref<?x?x64xf32>, %v: memref<?x?x64xf32>,
                 %band: memref<?x32xf32>, %y: memref<?x?x64xf32>) attributes {aft.kernel} {
  aft.local %q, %k, %v, %band window = 32 causal outs(%y) : (memref<?x?x64xf32>, memref<?x?x64xf32>, memref<?x?x64xf32>, memref<?x32xf32>, memref<?x?x64xf32>) -> ()
  return
}

// The derivative goes through the queries from the last on; the gradient of the band is
// a product over channels, 4 queries by 3 keys (6 by 4) in registers, in a second grid.

// CHECK-LABEL: func.func @grad
// CHECK: scf.forall
// CHECK: scf.for {{.*}} -> ({{(vector<8xf32>, ){11}vector<8xf32>}})
// CHECK: vector.store %{{.*}}, %arg9
// CHECK: scf.forall
// CHECK: scf.for {{.*}} -> ({{(vector<8xf32>, ){11}vector<8xf32>}})
// CHECK-COUNT-24: math.fma
// CHECK-NOT: math.fma
// CHECK: scf.yield
// CHECK: memref.store %{{.*}}, %arg10
// WIDE-LABEL: func.func @grad
// WIDE: scf.for {{.*}} -> ({{(vector<16xf32>, ){23}vector<16xf32>}})
// WIDE-COUNT-48: math.fma
func.func @grad(%dy: memref<?x?x64xf32>, %q: memref<?x?x64xf32>, %k: memref<?x?x64xf32>,
                %v: memref<?x?x64xf32>, %band: memref<?x32xf32>, %r: memref<?x?x64xf32>,
                %z: memref<?x?x64xf32>, %dq: memref<?x?x64xf32>, %dk: memref<?x?x64xf32>,
                %dv: memref<?x?x64xf32>, %dband: memref<?x32xf32>) attributes {aft.kernel} {
  aft.local_grad %dy, %q, %k, %v, %band, %r, %z window = 32 causal outs(%dq, %dk, %dv, %dband)
    : (memref<?x?x64xf32>, memref<?x?x64xf32>, memref<?x?x64xf32>, memref<?x?x64xf32>,
       memref<?x32xf32>, memref<?x?x64xf32>, memref<?x?x64xf32>, memref<?x?x64xf32>,
       memref<?x?x64xf32>, memref<?x?x64xf32>, memref<?x32xf32>) -> ()
  return
}

// In parts it is a product of the queries in the buffer and of keys made ready once, 4 keys by as
// many queries as make a vector of sums: in the same grid, and with one exponential of a key.

// CHECK-LABEL: func.func @parts
// CHECK: scf.forall
// CHECK: scf.for {{.*}} -> ({{(vector<8xf32>, ){11}vector<8xf32>}})
// CHECK: scf.for {{.*}} -> ({{(vector<8xf32>, ){7}vector<8xf32>}})
// CHECK-COUNT-16: math.fma
// CHECK-NOT: math.fma
// CHECK: scf.yield
// CHECK: vector.transpose
// CHECK: vector.store {{.*}} vector<4xf32>
// CHECK: vector.store {{.*}} vector<4xf32>
// CHECK-NOT: scf.forall
// WIDE-LABEL: func.func @parts
// WIDE: scf.for {{.*}} -> ({{(vector<16xf32>, ){15}vector<16xf32>}})
// WIDE: scf.for {{.*}} -> ({{(vector<16xf32>, ){15}vector<16xf32>}})
// WIDE-COUNT-32: math.fma
// WIDE-NOT: math.fma
// WIDE: scf.yield
func.func @parts(%dy: memref<?x?x128xf32>, %q: memref<?x?x128xf32>, %k: memref<?x?x128xf32>,
                 %v: memref<?x?x128xf32>, %band: memref<?x32xf32>, %r: memref<?x?x128xf32>,
                 %z: memref<?x?x128xf32>, %dq: memref<?x?x128xf32>, %dk: memref<?x?x128xf32>,
                 %dv: memref<?x?x128xf32>, %dband: memref<?x?x32xf32>) attributes {aft.kernel} {
  aft.local_grad %dy, %q, %k, %v, %band, %r, %z window = 32 causal outs(%dq, %dk, %dv, %dband)
    : (memref<?x?x128xf32>, memref<?x?x128xf32>, memref<?x?x128xf32>, memref<?x?x128xf32>,
       memref<?x32xf32>, memref<?x?x128xf32>, memref<?x?x128xf32>, memref<?x?x128xf32>,
       memref<?x?x128xf32>, memref<?x?x128xf32>, memref<?x?x32xf32>) -> ()
  return
}
