// RUN: aft-opt %s -pass-pipeline='builtin.module(func.func(aft-approximate-math))' | FileCheck %s

// RUN: aft-opt %s -pass-pipeline='builtin.module(func.func(aft-approximate-math{exp2=true}))' | FileCheck %s --check-prefix=EXP2

// CHECK-LABEL: @f32
// CHECK-NOT: math.exp
// CHECK-NOT: math.log
// CHECK-NOT: math.tanh
// CHECK-NOT: math.erf
// CHECK: return
func.func private @f32(%x: vector<16xf32>, %s: f32) -> (vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>, f32) attributes {aft.kernel} {
  %e = math.exp %x : vector<16xf32>
  %l = math.log %x : vector<16xf32>
  %t = math.tanh %x : vector<16xf32>
  %r = math.erf %x : vector<16xf32>
  %f = math.exp %s : f32
  return %e, %l, %t, %r, %f : vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>, f32
}

// exp: the rounding is an addition, the power of two another one, to the exponent;
// only what lies outside of the range of f32 is selected.
// CHECK-LABEL: @exp
// CHECK-NOT: arith.minnumf
// CHECK-NOT: math.roundeven
// CHECK: arith.constant dense<0x4B400000> : vector<8xf32>
// CHECK: arith.shli
// CHECK: arith.addi
// CHECK-COUNT-2: arith.select
// CHECK-NOT: arith.select
// CHECK: return
// Where 2^x is an instruction: what the product with 1 / ln 2 loses comes back as a factor.
// EXP2-LABEL: @exp
// EXP2-SAME: (%[[ARG:.*]]: vector<8xf32>)
// EXP2: %[[LEAST:.*]] = arith.maximumf %[[ARG]]
// EXP2: %[[X:.*]] = arith.minimumf %[[LEAST]]
// EXP2: %[[H:.*]] = arith.mulf %[[X]]
// EXP2: %[[NEG:.*]] = arith.negf %[[H]]
// EXP2: %[[L:.*]] = math.fma %[[X]], %{{.*}}, %[[NEG]]
// EXP2: %[[LOW:.*]] = math.fma %[[X]], %{{.*}}, %[[L]]
// EXP2: %[[E:.*]] = math.exp2 %[[H]]
// EXP2: %[[F:.*]] = math.fma %[[LOW]]
// EXP2: %[[R:.*]] = arith.mulf %[[E]], %[[F]]
// EXP2: return %[[R]]
func.func private @exp(%x: vector<8xf32>) -> vector<8xf32> attributes {aft.kernel} {
  %e = math.exp %x : vector<8xf32>
  return %e : vector<8xf32>
}

// log: what is smaller than a normal number is made one first.
// CHECK-LABEL: @log
// CHECK-NOT: math.log
// CHECK: arith.constant dense<0x4B000000> : vector<8xf32>
// CHECK: arith.mulf
// CHECK: arith.select
// CHECK: arith.shrsi
// CHECK-NOT: math.log
// CHECK: return
func.func private @log(%x: vector<8xf32>) -> vector<8xf32> attributes {aft.kernel} {
  %e = math.log %x : vector<8xf32>
  return %e : vector<8xf32>
}

// erf: one polynomial, and one choice; nothing is divided.
// CHECK-LABEL: @erf
// CHECK-NOT: arith.divf
// CHECK-COUNT-16: math.fma
// CHECK-NOT: arith.divf
// CHECK: math.copysign
// CHECK-NEXT: arith.select
// CHECK-NEXT: return
func.func private @erf(%x: vector<8xf32>) -> vector<8xf32> attributes {aft.kernel} {
  %e = math.erf %x : vector<8xf32>
  return %e : vector<8xf32>
}

// f64 goes to libm, whose digits it needs; a square root is an instruction.
// CHECK-LABEL: @others
// CHECK: math.exp {{.*}} : vector<8xf64>
// CHECK: math.sqrt
func.func private @others(%x: vector<8xf64>, %y: vector<16xf32>) -> (vector<8xf64>, vector<16xf32>) attributes {aft.kernel} {
  %e = math.exp %x : vector<8xf64>
  %q = math.sqrt %y : vector<16xf32>
  return %e, %q : vector<8xf64>, vector<16xf32>
}
