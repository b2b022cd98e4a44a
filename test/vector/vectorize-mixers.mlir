// RUN: aft-opt %s -split-input-file -verify-diagnostics -pass-pipeline='builtin.module(func.func(aft-vectorize-mixers{vector-bits=256},canonicalize,cse))' | FileCheck %s

// A mixer makes its own grid. Keys are relative to a base, which starts at the lowest
// number and is raised, seldom, by a key that is far above it on any lane.
// CHECK-LABEL: @simple
// CHECK-DAG: arith.constant dense<-3.40282347E+38> : vector<8xf32>
// CHECK: scf.forall
// CHECK: memref.prefetch %arg0{{.*}} read
// CHECK: memref.prefetch %arg1{{.*}} write
// CHECK: arith.cmpf ogt
// CHECK: %[[ANY:.*]] = vector.reduction <or>
// CHECK: scf.if %[[ANY]]
// CHECK: math.exp
// CHECK: } else
// CHECK: math.exp {{.*}} : vector<8xf32>
// CHECK-NOT: aft.simple
// CHECK: return
func.func private @simple(%x: memref<2x?x8xf32>, %y: memref<2x?x8xf32>) attributes {aft.kernel} {
  aft.simple %x, %x, %x causal outs(%y) : (memref<2x?x8xf32>, memref<2x?x8xf32>, memref<2x?x8xf32>, memref<2x?x8xf32>) -> ()
  return
}

// CHECK-LABEL: @band
// CHECK: scf.forall
// CHECK-NOT: aft.band
// CHECK: return
func.func private @band(%u: memref<64x3xf32>, %v: memref<64x3xf32>, %y: memref<16x4xf32>) attributes {aft.kernel} {
  aft.band %u, %v window = 4 causal outs(%y) : (memref<64x3xf32>, memref<64x3xf32>, memref<16x4xf32>) -> ()
  return
}

// A function that is no kernel keeps its mixer.
// CHECK-LABEL: @program
// CHECK: aft.simple
func.func @program(%x: memref<2x?x8xf32>, %y: memref<2x?x8xf32>) {
  aft.simple %x, %x, %x outs(%y) : (memref<2x?x8xf32>, memref<2x?x8xf32>, memref<2x?x8xf32>, memref<2x?x8xf32>) -> ()
  return
}

// -----

func.func private @tensors(%x: tensor<2x?x8xf32>, %y: tensor<2x?x8xf32>) -> tensor<2x?x8xf32> attributes {aft.kernel} {
  // expected-error @below {{must be in memref form before it is vectorised}}
  %z = aft.simple %x, %x, %x outs(%y) : (tensor<2x?x8xf32>, tensor<2x?x8xf32>, tensor<2x?x8xf32>, tensor<2x?x8xf32>) -> tensor<2x?x8xf32>
  return %z : tensor<2x?x8xf32>
}

// -----

func.func private @model(%x: memref<2x4x8xf32>, %g: memref<8xf32>, %y: memref<2x4x8xf32>) attributes {aft.kernel} {
  // expected-error @below {{cannot be vectorised: it should have been decomposed}}
  aft.layer_norm %x, %g, %g outs(%y) : (memref<2x4x8xf32>, memref<8xf32>, memref<8xf32>, memref<2x4x8xf32>) -> ()
  return
}

// -----

// A single batch entry is shared among threads: in small parts of a row where all rows
// stay in a cache, else in larger ones.
// CHECK-LABEL: @single_short
// CHECK: scf.forall ({{.*}}) in (4)
func.func private @single_short(%x: memref<1x1024x512xf32>, %y: memref<1x1024x512xf32>) attributes {aft.kernel} {
  aft.simple %x, %x, %x causal outs(%y) : (memref<1x1024x512xf32>, memref<1x1024x512xf32>, memref<1x1024x512xf32>, memref<1x1024x512xf32>) -> ()
  return
}

// CHECK-LABEL: @single_long
// CHECK: scf.forall ({{.*}}) in (2)
func.func private @single_long(%x: memref<1x16384x512xf32>, %y: memref<1x16384x512xf32>) attributes {aft.kernel} {
  aft.simple %x, %x, %x causal outs(%y) : (memref<1x16384x512xf32>, memref<1x16384x512xf32>, memref<1x16384x512xf32>, memref<1x16384x512xf32>) -> ()
  return
}

// -----

// Large results go past the caches where they lie at whole registers, and the fence of a group
// is behind them; what could be short stores is never so.
// CHECK-LABEL: @streamed
// CHECK: scf.forall
// CHECK: scf.if
// CHECK: vector.store {{.*}} {nontemporal = true}
// CHECK: llvm.call_intrinsic "llvm.x86.sse.sfence"
// CHECK: } else {
// CHECK-NOT: nontemporal
// CHECK: return
func.func private @streamed(%x: memref<1x?x512xf32>, %y: memref<1x?x512xf32>) attributes {aft.kernel} {
  aft.simple %x, %x, %x causal outs(%y) : (memref<1x?x512xf32>, memref<1x?x512xf32>, memref<1x?x512xf32>, memref<1x?x512xf32>) -> ()
  return
}

// CHECK-LABEL: @never_streamed
// CHECK-NOT: nontemporal
func.func private @never_streamed(%x: memref<1x?x24xf32>, %y: memref<1x?x24xf32>) attributes {aft.kernel} {
  aft.simple %x, %x, %x causal outs(%y) : (memref<1x?x24xf32>, memref<1x?x24xf32>, memref<1x?x24xf32>, memref<1x?x24xf32>) -> ()
  return
}
