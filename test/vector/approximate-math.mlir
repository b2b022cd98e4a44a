// RUN: aft-opt %s -pass-pipeline='builtin.module(func.func(aft-approximate-math))' | FileCheck %s

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

// f64 goes to libm, whose digits it needs; a square root is an instruction.
// CHECK-LABEL: @others
// CHECK: math.exp {{.*}} : vector<8xf64>
// CHECK: math.sqrt
func.func private @others(%x: vector<8xf64>, %y: vector<16xf32>) -> (vector<8xf64>, vector<16xf32>) attributes {aft.kernel} {
  %e = math.exp %x : vector<8xf64>
  %q = math.sqrt %y : vector<16xf32>
  return %e, %q : vector<8xf64>, vector<16xf32>
}
