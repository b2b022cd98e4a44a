// RUN: aft-opt %s -split-input-file -aft-raise-mixers -canonicalize -cse | FileCheck %s
// RUN: aft-opt %s -split-input-file -aft-raise-mixers=remarks -verify-diagnostics -o /dev/null

#wide = affine_map<(b, t, c, s) -> (b, t, c)>
#keys = affine_map<(b, t, c, s) -> (b, s, c)>

// flip(cumsum(flip(exp(k) v))) / flip(cumsum(flip(exp(k))))
// CHECK-LABEL: func.func @flipped(
// CHECK: %[[V:.*]] = linalg.generic {{.*}} ins(%arg2 :
// CHECK: arith.cmpi eq
// CHECK: %[[K:.*]] = linalg.generic {{.*}} ins(%arg1 :
// CHECK: %[[Y:.*]] = aft.simple %{{.*}}, %[[K]], %[[V]] causal gate = none
// CHECK-NOT: math.exp
// CHECK: linalg.generic {{.*}} ins(%[[Y]] :
func.func @flipped(%q: tensor<2x9x4xf32>, %k: tensor<2x9x4xf32>, %v: tensor<2x9x4xf32>) -> tensor<2x9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %last = arith.constant 8 : index
  %e0 = tensor.empty() : tensor<2x9x4xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %keys = linalg.exp ins(%k : tensor<2x9x4xf32>) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<2x9x4xf32>, tensor<2x9x4xf32>) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %f = linalg.generic {indexing_maps = [#keys, #wide], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%kv : tensor<2x9x4xf32>) outs(%init : tensor<2x9x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = linalg.index 1 : index
    %s = linalg.index 3 : index
    %b = arith.addi %s, %t : index
    %c = arith.cmpi eq, %b, %last : index
    %x = arith.select %c, %a, %zero : f32
    %u = arith.addf %x, %o : f32
    linalg.yield %u : f32
  } -> tensor<2x9x4xf32>
  %g = linalg.generic {indexing_maps = [#keys, #wide], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%f : tensor<2x9x4xf32>) outs(%init : tensor<2x9x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = linalg.index 1 : index
    %s = linalg.index 3 : index
    %c = arith.cmpi sle, %s, %t : index
    %x = arith.select %c, %a, %zero : f32
    %u = arith.addf %x, %o : f32
    linalg.yield %u : f32
  } -> tensor<2x9x4xf32>
  %n = linalg.generic {indexing_maps = [#keys, #wide], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%g : tensor<2x9x4xf32>) outs(%init : tensor<2x9x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = linalg.index 1 : index
    %s = linalg.index 3 : index
    %b = arith.addi %s, %t : index
    %c = arith.cmpi eq, %b, %last : index
    %x = arith.select %c, %a, %zero : f32
    %u = arith.addf %x, %o : f32
    linalg.yield %u : f32
  } -> tensor<2x9x4xf32>
  %h = linalg.generic {indexing_maps = [#keys, #wide], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%keys : tensor<2x9x4xf32>) outs(%init : tensor<2x9x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = linalg.index 1 : index
    %s = linalg.index 3 : index
    %b = arith.addi %s, %t : index
    %c = arith.cmpi eq, %b, %last : index
    %x = arith.select %c, %a, %zero : f32
    %u = arith.addf %x, %o : f32
    linalg.yield %u : f32
  } -> tensor<2x9x4xf32>
  %i = linalg.generic {indexing_maps = [#keys, #wide], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%h : tensor<2x9x4xf32>) outs(%init : tensor<2x9x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = linalg.index 1 : index
    %s = linalg.index 3 : index
    %c = arith.cmpi sle, %s, %t : index
    %x = arith.select %c, %a, %zero : f32
    %u = arith.addf %x, %o : f32
    linalg.yield %u : f32
  } -> tensor<2x9x4xf32>
  %z = linalg.generic {indexing_maps = [#keys, #wide], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%i : tensor<2x9x4xf32>) outs(%init : tensor<2x9x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = linalg.index 1 : index
    %s = linalg.index 3 : index
    %b = arith.addi %s, %t : index
    %c = arith.cmpi eq, %b, %last : index
    %x = arith.select %c, %a, %zero : f32
    %u = arith.addf %x, %o : f32
    linalg.yield %u : f32
  } -> tensor<2x9x4xf32>
  // expected-remark @below {{raised to aft.simple}}
  %y = linalg.div ins(%n, %z : tensor<2x9x4xf32>, tensor<2x9x4xf32>) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  return %y : tensor<2x9x4xf32>
}

// -----

#wide = affine_map<(b, t, c, s) -> (b, t, c)>
#keys = affine_map<(b, t, c, s) -> (b, s, c)>

// The ratio is flipped back once.
// CHECK-LABEL: func.func @flipped_late(
// CHECK: %[[V:.*]] = linalg.generic {{.*}} ins(%arg2 :
// CHECK: arith.cmpi eq
// CHECK: %[[K:.*]] = linalg.generic {{.*}} ins(%arg1 :
// CHECK: %[[Y:.*]] = aft.simple %{{.*}}, %[[K]], %[[V]] causal gate = none
// CHECK-NOT: math.exp
// CHECK: linalg.generic {{.*}} ins(%[[Y]] :
func.func @flipped_late(%q: tensor<2x9x4xf32>, %k: tensor<2x9x4xf32>, %v: tensor<2x9x4xf32>) -> tensor<2x9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %last = arith.constant 8 : index
  %e0 = tensor.empty() : tensor<2x9x4xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %keys = linalg.exp ins(%k : tensor<2x9x4xf32>) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<2x9x4xf32>, tensor<2x9x4xf32>) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %f = linalg.generic {indexing_maps = [#keys, #wide], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%kv : tensor<2x9x4xf32>) outs(%init : tensor<2x9x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = linalg.index 1 : index
    %s = linalg.index 3 : index
    %b = arith.addi %s, %t : index
    %c = arith.cmpi eq, %b, %last : index
    %x = arith.select %c, %a, %zero : f32
    %u = arith.addf %x, %o : f32
    linalg.yield %u : f32
  } -> tensor<2x9x4xf32>
  %n = linalg.generic {indexing_maps = [#keys, #wide], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%f : tensor<2x9x4xf32>) outs(%init : tensor<2x9x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = linalg.index 1 : index
    %s = linalg.index 3 : index
    %c = arith.cmpi sle, %s, %t : index
    %x = arith.select %c, %a, %zero : f32
    %u = arith.addf %x, %o : f32
    linalg.yield %u : f32
  } -> tensor<2x9x4xf32>
  %h = linalg.generic {indexing_maps = [#keys, #wide], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%keys : tensor<2x9x4xf32>) outs(%init : tensor<2x9x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = linalg.index 1 : index
    %s = linalg.index 3 : index
    %b = arith.addi %s, %t : index
    %c = arith.cmpi eq, %b, %last : index
    %x = arith.select %c, %a, %zero : f32
    %u = arith.addf %x, %o : f32
    linalg.yield %u : f32
  } -> tensor<2x9x4xf32>
  %z = linalg.generic {indexing_maps = [#keys, #wide], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%h : tensor<2x9x4xf32>) outs(%init : tensor<2x9x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = linalg.index 1 : index
    %s = linalg.index 3 : index
    %c = arith.cmpi sle, %s, %t : index
    %x = arith.select %c, %a, %zero : f32
    %u = arith.addf %x, %o : f32
    linalg.yield %u : f32
  } -> tensor<2x9x4xf32>
  %r = linalg.div ins(%n, %z : tensor<2x9x4xf32>, tensor<2x9x4xf32>) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  // expected-remark @below {{raised to aft.simple}}
  %y = linalg.generic {indexing_maps = [#keys, #wide], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%r : tensor<2x9x4xf32>) outs(%init : tensor<2x9x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = linalg.index 1 : index
    %s = linalg.index 3 : index
    %b = arith.addi %s, %t : index
    %c = arith.cmpi eq, %b, %last : index
    %x = arith.select %c, %a, %zero : f32
    %u = arith.addf %x, %o : f32
    linalg.yield %u : f32
  } -> tensor<2x9x4xf32>
  return %y : tensor<2x9x4xf32>
}

// -----

#wide = affine_map<(b, t, c, s) -> (b, t, c)>
#keys = affine_map<(b, t, c, s) -> (b, s, c)>

// Each flip undoes the other: a running sum from the start.
// CHECK-LABEL: func.func @flipped_twice(
// CHECK: aft.simple %{{.*}}, %arg1, %arg2 causal gate = none
// CHECK-NEXT: return
func.func @flipped_twice(%q: tensor<2x9x4xf32>, %k: tensor<2x9x4xf32>, %v: tensor<2x9x4xf32>) -> tensor<2x9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %last = arith.constant 8 : index
  %e0 = tensor.empty() : tensor<2x9x4xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %keys = linalg.exp ins(%k : tensor<2x9x4xf32>) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<2x9x4xf32>, tensor<2x9x4xf32>) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %f = linalg.generic {indexing_maps = [#keys, #wide], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%kv : tensor<2x9x4xf32>) outs(%init : tensor<2x9x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = linalg.index 1 : index
    %s = linalg.index 3 : index
    %b = arith.addi %s, %t : index
    %c = arith.cmpi eq, %b, %last : index
    %x = arith.select %c, %a, %zero : f32
    %u = arith.addf %x, %o : f32
    linalg.yield %u : f32
  } -> tensor<2x9x4xf32>
  %g = linalg.generic {indexing_maps = [#keys, #wide], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%f : tensor<2x9x4xf32>) outs(%init : tensor<2x9x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = linalg.index 1 : index
    %s = linalg.index 3 : index
    %b = arith.addi %s, %t : index
    %c = arith.cmpi eq, %b, %last : index
    %x = arith.select %c, %a, %zero : f32
    %u = arith.addf %x, %o : f32
    linalg.yield %u : f32
  } -> tensor<2x9x4xf32>
  %n = linalg.generic {indexing_maps = [#keys, #wide], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%g : tensor<2x9x4xf32>) outs(%init : tensor<2x9x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = linalg.index 1 : index
    %s = linalg.index 3 : index
    %c = arith.cmpi sle, %s, %t : index
    %x = arith.select %c, %a, %zero : f32
    %u = arith.addf %x, %o : f32
    linalg.yield %u : f32
  } -> tensor<2x9x4xf32>
  %z = linalg.generic {indexing_maps = [#keys, #wide], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%keys : tensor<2x9x4xf32>) outs(%init : tensor<2x9x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = linalg.index 1 : index
    %s = linalg.index 3 : index
    %c = arith.cmpi sle, %s, %t : index
    %x = arith.select %c, %a, %zero : f32
    %u = arith.addf %x, %o : f32
    linalg.yield %u : f32
  } -> tensor<2x9x4xf32>
  // expected-remark @below {{raised to aft.simple}}
  %y = linalg.div ins(%n, %z : tensor<2x9x4xf32>, tensor<2x9x4xf32>) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  return %y : tensor<2x9x4xf32>
}

// -----

#wide = affine_map<(b, t, c, s) -> (b, t, c)>
#keys = affine_map<(b, t, c, s) -> (b, s, c)>

// Keys are flipped before the exponential, and nothing is flipped back.
// CHECK-LABEL: func.func @flipped_keys(
// CHECK: aft.simple %{{.*}} causal gate = none
// CHECK-NEXT: return
func.func @flipped_keys(%q: tensor<2x9x4xf32>, %k: tensor<2x9x4xf32>, %v: tensor<2x9x4xf32>) -> tensor<2x9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %last = arith.constant 8 : index
  %e0 = tensor.empty() : tensor<2x9x4xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %fk = linalg.generic {indexing_maps = [#keys, #wide], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%k : tensor<2x9x4xf32>) outs(%init : tensor<2x9x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = linalg.index 1 : index
    %s = linalg.index 3 : index
    %b = arith.addi %s, %t : index
    %c = arith.cmpi eq, %b, %last : index
    %x = arith.select %c, %a, %zero : f32
    %u = arith.addf %x, %o : f32
    linalg.yield %u : f32
  } -> tensor<2x9x4xf32>
  %fv = linalg.generic {indexing_maps = [#keys, #wide], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%v : tensor<2x9x4xf32>) outs(%init : tensor<2x9x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = linalg.index 1 : index
    %s = linalg.index 3 : index
    %b = arith.addi %s, %t : index
    %c = arith.cmpi eq, %b, %last : index
    %x = arith.select %c, %a, %zero : f32
    %u = arith.addf %x, %o : f32
    linalg.yield %u : f32
  } -> tensor<2x9x4xf32>
  %keys = linalg.exp ins(%fk : tensor<2x9x4xf32>) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %kv = linalg.mul ins(%keys, %fv : tensor<2x9x4xf32>, tensor<2x9x4xf32>) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %n = linalg.generic {indexing_maps = [#keys, #wide], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%kv : tensor<2x9x4xf32>) outs(%init : tensor<2x9x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = linalg.index 1 : index
    %s = linalg.index 3 : index
    %c = arith.cmpi sle, %s, %t : index
    %x = arith.select %c, %a, %zero : f32
    %u = arith.addf %x, %o : f32
    linalg.yield %u : f32
  } -> tensor<2x9x4xf32>
  %z = linalg.generic {indexing_maps = [#keys, #wide], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%keys : tensor<2x9x4xf32>) outs(%init : tensor<2x9x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = linalg.index 1 : index
    %s = linalg.index 3 : index
    %c = arith.cmpi sle, %s, %t : index
    %x = arith.select %c, %a, %zero : f32
    %u = arith.addf %x, %o : f32
    linalg.yield %u : f32
  } -> tensor<2x9x4xf32>
  // expected-remark @below {{raised to aft.simple}}
  %y = linalg.div ins(%n, %z : tensor<2x9x4xf32>, tensor<2x9x4xf32>) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  return %y : tensor<2x9x4xf32>
}

// -----

#wide = affine_map<(b, t, c, s) -> (b, t, c)>
#keys = affine_map<(b, t, c, s) -> (b, s, c)>

// Only the numerator is walked from the end.
// CHECK-LABEL: func.func @one_flipped(
// CHECK-NOT: aft.
// CHECK: return
func.func @one_flipped(%q: tensor<2x9x4xf32>, %k: tensor<2x9x4xf32>, %v: tensor<2x9x4xf32>) -> tensor<2x9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %last = arith.constant 8 : index
  %e0 = tensor.empty() : tensor<2x9x4xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %keys = linalg.exp ins(%k : tensor<2x9x4xf32>) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<2x9x4xf32>, tensor<2x9x4xf32>) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %f = linalg.generic {indexing_maps = [#keys, #wide], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%kv : tensor<2x9x4xf32>) outs(%init : tensor<2x9x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = linalg.index 1 : index
    %s = linalg.index 3 : index
    %b = arith.addi %s, %t : index
    %c = arith.cmpi eq, %b, %last : index
    %x = arith.select %c, %a, %zero : f32
    %u = arith.addf %x, %o : f32
    linalg.yield %u : f32
  } -> tensor<2x9x4xf32>
  %g = linalg.generic {indexing_maps = [#keys, #wide], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%f : tensor<2x9x4xf32>) outs(%init : tensor<2x9x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = linalg.index 1 : index
    %s = linalg.index 3 : index
    %c = arith.cmpi sle, %s, %t : index
    %x = arith.select %c, %a, %zero : f32
    %u = arith.addf %x, %o : f32
    linalg.yield %u : f32
  } -> tensor<2x9x4xf32>
  %n = linalg.generic {indexing_maps = [#keys, #wide], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%g : tensor<2x9x4xf32>) outs(%init : tensor<2x9x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = linalg.index 1 : index
    %s = linalg.index 3 : index
    %b = arith.addi %s, %t : index
    %c = arith.cmpi eq, %b, %last : index
    %x = arith.select %c, %a, %zero : f32
    %u = arith.addf %x, %o : f32
    linalg.yield %u : f32
  } -> tensor<2x9x4xf32>
  %z = linalg.generic {indexing_maps = [#keys, #wide], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%keys : tensor<2x9x4xf32>) outs(%init : tensor<2x9x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = linalg.index 1 : index
    %s = linalg.index 3 : index
    %c = arith.cmpi sle, %s, %t : index
    %x = arith.select %c, %a, %zero : f32
    %u = arith.addf %x, %o : f32
    linalg.yield %u : f32
  } -> tensor<2x9x4xf32>
  // expected-remark @below {{not raised to a mixer: numerator and denominator are masked differently}}
  %y = linalg.div ins(%n, %z : tensor<2x9x4xf32>, tensor<2x9x4xf32>) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  return %y : tensor<2x9x4xf32>
}
