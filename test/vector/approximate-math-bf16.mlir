// RUN: aft-opt %s -pass-pipeline='builtin.module(func.func(aft-approximate-math{avx512=true}))' | FileCheck %s
// RUN: aft-opt %s -pass-pipeline='builtin.module(func.func(aft-approximate-math))' | FileCheck %s --check-prefix=PLAIN

// PLAIN-NOT: llvm.call_intrinsic

// GELU of which a bf16 is wanted: one polynomial in x^2, one of an exponential, no division.
// CHECK-LABEL: @gelu
// CHECK-NOT: math.erf
// CHECK-COUNT-3: math.fma
// CHECK: llvm.call_intrinsic "llvm.x86.avx512.mask.reduce.ps.512"
// CHECK-COUNT-3: math.fma
// CHECK: llvm.call_intrinsic "llvm.x86.avx512.mask.scalef.ps.512"
// CHECK-COUNT-1: math.fma
// CHECK: llvm.call_intrinsic "llvm.x86.avx512.rcp14.ps.512"
// CHECK-NOT: math.fma
// CHECK: return
func.func private @gelu(%x: vector<16xf32>) -> vector<16xbf16> attributes {aft.kernel} {
  %one = arith.constant dense<1.0> : vector<16xf32>
  %e = math.erf %x : vector<16xf32>
  %p = arith.addf %e, %one : vector<16xf32>
  %y = arith.mulf %x, %p : vector<16xf32>
  %r = arith.truncf %y : vector<16xf32> to vector<16xbf16>
  return %r : vector<16xbf16>
}

// An exponential of which a bf16 is wanted.
// CHECK-LABEL: @exp
// CHECK: llvm.call_intrinsic "llvm.x86.avx512.mask.reduce.ps.512"
// CHECK-COUNT-4: math.fma
// CHECK-NOT: math.fma
// No number below 2^-126 is made, which takes vscalefps long.
// CHECK: %[[NORMAL:.*]] = arith.cmpf uge, %{{.*}}, %cst
// CHECK: %[[MASKS:.*]] = vector.bitcast %[[NORMAL]] : vector<16xi1> to vector<1xi16>
// CHECK: %[[MASK:.*]] = vector.extract %[[MASKS]][0]
// CHECK: llvm.call_intrinsic "llvm.x86.avx512.mask.scalef.ps.512"(%{{.*}}, %{{.*}}, %{{.*}}, %[[MASK]],
func.func private @exp(%x: vector<16xf32>) -> vector<16xbf16> attributes {aft.kernel} {
  %e = math.exp %x : vector<16xf32>
  %m = arith.negf %e : vector<16xf32>
  %r = arith.truncf %m : vector<16xf32> to vector<16xbf16>
  return %r : vector<16xbf16>
}

// Most of exp(x) - 1 may be gone.
// CHECK-LABEL: @reduced
// CHECK-NOT: llvm.call_intrinsic
// CHECK: return
func.func private @reduced(%x: vector<16xf32>) -> vector<16xbf16> attributes {aft.kernel} {
  %one = arith.constant dense<1.0> : vector<16xf32>
  %e = math.exp %x : vector<16xf32>
  %s = arith.subf %e, %one : vector<16xf32>
  %r = arith.truncf %s : vector<16xf32> to vector<16xbf16>
  return %r : vector<16xbf16>
}

// What an f32 is made from besides, what fills no register, and erf itself, which near -1
// would not be as precise as f32, stay precise.
// CHECK-LABEL: @precise
// CHECK-NOT: llvm.call_intrinsic
// CHECK: return
func.func private @precise(%x: vector<16xf32>, %y: vector<8xf32>) -> (vector<16xbf16>, vector<16xf32>, vector<8xbf16>, vector<16xbf16>) attributes {aft.kernel} {
  %e = math.exp %x : vector<16xf32>
  %r = arith.truncf %e : vector<16xf32> to vector<16xbf16>
  %s = arith.addf %e, %x : vector<16xf32>
  %f = math.exp %y : vector<8xf32>
  %t = arith.truncf %f : vector<8xf32> to vector<8xbf16>
  %g = math.erf %x : vector<16xf32>
  %u = arith.truncf %g : vector<16xf32> to vector<16xbf16>
  return %r, %s, %t, %u : vector<16xbf16>, vector<16xf32>, vector<8xbf16>, vector<16xbf16>
}
