// RUN: aft-opt %s -split-input-file -aft-raise-mixers -canonicalize -cse | FileCheck %s
// RUN: aft-opt %s -split-input-file -aft-raise-mixers=remarks -verify-diagnostics -o /dev/null

#x = affine_map<(b, s, c) -> (b, s, c)>
#y = affine_map<(b, s, c) -> (b, c)>
#z = affine_map<(b, s, c) -> (b, s)>
#wide = affine_map<(b, t, c, s) -> (b, t, c)>
#keys = affine_map<(b, t, c, s) -> (b, s, c)>

// sum(exp(k) * v) / sum(exp(k)), with relu
// CHECK-LABEL: func.func @sums(
// CHECK-NEXT: %[[Y:.*]] = aft.simple %arg0, %arg1, %arg2 gate = relu
// CHECK-NEXT: return %[[Y]]
func.func @sums(%q: tensor<2x9x4xf32>, %k: tensor<2x9x4xf32>, %v: tensor<2x9x4xf32>) -> tensor<2x9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<2x9x4xf32>
  %e1 = tensor.empty() : tensor<2x4xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e1 : tensor<2x4xf32>) -> tensor<2x4xf32>
  %keys = linalg.exp ins(%k : tensor<2x9x4xf32>) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<2x9x4xf32>, tensor<2x9x4xf32>) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %n = linalg.generic {indexing_maps = [#x, #y], iterator_types = ["parallel", "reduction", "parallel"]} ins(%kv : tensor<2x9x4xf32>) outs(%init : tensor<2x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %u = arith.addf %a, %o : f32
    linalg.yield %u : f32
  } -> tensor<2x4xf32>
  %z = linalg.generic {indexing_maps = [#x, #y], iterator_types = ["parallel", "reduction", "parallel"]} ins(%keys : tensor<2x9x4xf32>) outs(%init : tensor<2x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %u = arith.addf %a, %o : f32
    linalg.yield %u : f32
  } -> tensor<2x4xf32>
  // expected-remark @below {{raised to aft.simple}}
  %y = linalg.generic {indexing_maps = [#x, #y, #y, #x], iterator_types = ["parallel", "parallel", "parallel"]} ins(%q, %n, %z : tensor<2x9x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>) outs(%e0 : tensor<2x9x4xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32, %o: f32):
    %r = arith.divf %b, %c : f32
    %g = arith.maximumf %a, %zero : f32
    %m = arith.mulf %g, %r : f32
    linalg.yield %m : f32
  } -> tensor<2x9x4xf32>
  return %y : tensor<2x9x4xf32>
}

// -----

#x = affine_map<(b, s, c) -> (b, s, c)>
#y = affine_map<(b, s, c) -> (b, c)>
#z = affine_map<(b, s, c) -> (b, s)>
#wide = affine_map<(b, t, c, s) -> (b, t, c)>
#keys = affine_map<(b, t, c, s) -> (b, s, c)>

// sum(softmax(k over time) * v)
// CHECK-LABEL: func.func @softmax(
// CHECK-NEXT: %[[Y:.*]] = aft.simple %arg0, %arg1, %arg2 gate = relu
// CHECK-NEXT: return %[[Y]]
func.func @softmax(%q: tensor<2x9x4xf32>, %k: tensor<2x9x4xf32>, %v: tensor<2x9x4xf32>) -> tensor<2x9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<2x9x4xf32>
  %e1 = tensor.empty() : tensor<2x4xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e1 : tensor<2x4xf32>) -> tensor<2x4xf32>
  %lowest = arith.constant 0xFF800000 : f32
  %il = linalg.fill ins(%lowest : f32) outs(%e1 : tensor<2x4xf32>) -> tensor<2x4xf32>
  %top = linalg.generic {indexing_maps = [#x, #y], iterator_types = ["parallel", "reduction", "parallel"]} ins(%k : tensor<2x9x4xf32>) outs(%il : tensor<2x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %u = arith.maximumf %a, %o : f32
    linalg.yield %u : f32
  } -> tensor<2x4xf32>
  %e = linalg.generic {indexing_maps = [#x, #y, #x], iterator_types = ["parallel", "parallel", "parallel"]} ins(%k, %top : tensor<2x9x4xf32>, tensor<2x4xf32>) outs(%e0 : tensor<2x9x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %d = arith.subf %a, %b : f32
    %x = math.exp %d : f32
    linalg.yield %x : f32
  } -> tensor<2x9x4xf32>
  %z = linalg.generic {indexing_maps = [#x, #y], iterator_types = ["parallel", "reduction", "parallel"]} ins(%e : tensor<2x9x4xf32>) outs(%init : tensor<2x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %u = arith.addf %a, %o : f32
    linalg.yield %u : f32
  } -> tensor<2x4xf32>
  %p = linalg.generic {indexing_maps = [#x, #y, #x], iterator_types = ["parallel", "parallel", "parallel"]} ins(%e, %z : tensor<2x9x4xf32>, tensor<2x4xf32>) outs(%e0 : tensor<2x9x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %d = arith.divf %a, %b : f32
    linalg.yield %d : f32
  } -> tensor<2x9x4xf32>
  %pv = linalg.mul ins(%p, %v : tensor<2x9x4xf32>, tensor<2x9x4xf32>) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %n = linalg.generic {indexing_maps = [#x, #y], iterator_types = ["parallel", "reduction", "parallel"]} ins(%pv : tensor<2x9x4xf32>) outs(%init : tensor<2x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %u = arith.addf %a, %o : f32
    linalg.yield %u : f32
  } -> tensor<2x4xf32>
  // expected-remark @below {{raised to aft.simple}}
  %y = linalg.generic {indexing_maps = [#x, #y, #x], iterator_types = ["parallel", "parallel", "parallel"]} ins(%q, %n : tensor<2x9x4xf32>, tensor<2x4xf32>) outs(%e0 : tensor<2x9x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %g = arith.maximumf %a, %zero : f32
    %m = arith.mulf %g, %b : f32
    linalg.yield %m : f32
  } -> tensor<2x9x4xf32>
  return %y : tensor<2x9x4xf32>
}

// -----

#x = affine_map<(b, s, c) -> (b, s, c)>
#y = affine_map<(b, s, c) -> (b, c)>
#z = affine_map<(b, s, c) -> (b, s)>
#wide = affine_map<(b, t, c, s) -> (b, t, c)>
#keys = affine_map<(b, t, c, s) -> (b, s, c)>

// cumsum(exp(k) * v) / cumsum(exp(k))
// CHECK-LABEL: func.func @running_sums(
// CHECK: aft.simple %{{.*}}, %arg1, %arg2 causal gate = none
// CHECK-NEXT: return
func.func @running_sums(%q: tensor<2x9x4xf32>, %k: tensor<2x9x4xf32>, %v: tensor<2x9x4xf32>) -> tensor<2x9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<2x9x4xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %keys = linalg.exp ins(%k : tensor<2x9x4xf32>) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<2x9x4xf32>, tensor<2x9x4xf32>) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %n = linalg.generic {indexing_maps = [#keys, #wide], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%kv : tensor<2x9x4xf32>) outs(%init : tensor<2x9x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = linalg.index 1 : index
    %s = linalg.index 3 : index
    %c0 = arith.cmpi sle, %s, %t : index
    %x = arith.select %c0, %a, %zero : f32
    %u = arith.addf %x, %o : f32
    linalg.yield %u : f32
  } -> tensor<2x9x4xf32>
  %z = linalg.generic {indexing_maps = [#keys, #wide], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%keys : tensor<2x9x4xf32>) outs(%init : tensor<2x9x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = linalg.index 1 : index
    %s = linalg.index 3 : index
    %c0 = arith.cmpi sle, %s, %t : index
    %x = arith.select %c0, %a, %zero : f32
    %u = arith.addf %x, %o : f32
    linalg.yield %u : f32
  } -> tensor<2x9x4xf32>
  // expected-remark @below {{raised to aft.simple}}
  %y = linalg.div ins(%n, %z : tensor<2x9x4xf32>, tensor<2x9x4xf32>) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  return %y : tensor<2x9x4xf32>
}

// -----

#x = affine_map<(b, s, c) -> (b, s, c)>
#y = affine_map<(b, s, c) -> (b, c)>
#z = affine_map<(b, s, c) -> (b, s)>
#wide = affine_map<(b, t, c, s) -> (b, t, c)>
#keys = affine_map<(b, t, c, s) -> (b, s, c)>

// Only the denominator is a running sum.
// CHECK-LABEL: func.func @running_denominator(
// CHECK-NOT: aft.
// CHECK: return
func.func @running_denominator(%q: tensor<2x9x4xf32>, %k: tensor<2x9x4xf32>, %v: tensor<2x9x4xf32>) -> tensor<2x9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<2x9x4xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %keys = linalg.exp ins(%k : tensor<2x9x4xf32>) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<2x9x4xf32>, tensor<2x9x4xf32>) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %n = linalg.generic {indexing_maps = [#keys, #wide], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%kv : tensor<2x9x4xf32>) outs(%init : tensor<2x9x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %u = arith.addf %a, %o : f32
    linalg.yield %u : f32
  } -> tensor<2x9x4xf32>
  %z = linalg.generic {indexing_maps = [#keys, #wide], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%keys : tensor<2x9x4xf32>) outs(%init : tensor<2x9x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = linalg.index 1 : index
    %s = linalg.index 3 : index
    %c0 = arith.cmpi sle, %s, %t : index
    %x = arith.select %c0, %a, %zero : f32
    %u = arith.addf %x, %o : f32
    linalg.yield %u : f32
  } -> tensor<2x9x4xf32>
  // expected-remark @below {{not raised to a mixer: numerator and denominator are masked differently}}
  %y = linalg.div ins(%n, %z : tensor<2x9x4xf32>, tensor<2x9x4xf32>) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  return %y : tensor<2x9x4xf32>
}

// -----

#x = affine_map<(b, s, c) -> (b, s, c)>
#y = affine_map<(b, s, c) -> (b, c)>
#z = affine_map<(b, s, c) -> (b, s)>
#wide = affine_map<(b, t, c, s) -> (b, t, c)>
#keys = affine_map<(b, t, c, s) -> (b, s, c)>

// A running sum from the end: one from the start of what is flipped
// CHECK-LABEL: func.func @backwards(
// CHECK: %[[V:.*]] = linalg.generic {{.*}} ins(%arg2 :
// CHECK: arith.cmpi eq
// CHECK: %[[K:.*]] = linalg.generic {{.*}} ins(%arg1 :
// CHECK: %[[Y:.*]] = aft.simple %{{.*}}, %[[K]], %[[V]] causal gate = none
// CHECK: linalg.generic {{.*}} ins(%[[Y]] :
// CHECK: return
func.func @backwards(%q: tensor<2x9x4xf32>, %k: tensor<2x9x4xf32>, %v: tensor<2x9x4xf32>) -> tensor<2x9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<2x9x4xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %keys = linalg.exp ins(%k : tensor<2x9x4xf32>) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<2x9x4xf32>, tensor<2x9x4xf32>) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %n = linalg.generic {indexing_maps = [#keys, #wide], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%kv : tensor<2x9x4xf32>) outs(%init : tensor<2x9x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = linalg.index 1 : index
    %s = linalg.index 3 : index
    %c0 = arith.cmpi sge, %s, %t : index
    %x = arith.select %c0, %a, %zero : f32
    %u = arith.addf %x, %o : f32
    linalg.yield %u : f32
  } -> tensor<2x9x4xf32>
  %z = linalg.generic {indexing_maps = [#keys, #wide], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%keys : tensor<2x9x4xf32>) outs(%init : tensor<2x9x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = linalg.index 1 : index
    %s = linalg.index 3 : index
    %c0 = arith.cmpi sge, %s, %t : index
    %x = arith.select %c0, %a, %zero : f32
    %u = arith.addf %x, %o : f32
    linalg.yield %u : f32
  } -> tensor<2x9x4xf32>
  // expected-remark @below {{raised to aft.simple}}
  %y = linalg.div ins(%n, %z : tensor<2x9x4xf32>, tensor<2x9x4xf32>) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  return %y : tensor<2x9x4xf32>
}

// -----

#x = affine_map<(b, s, c) -> (b, s, c)>
#y = affine_map<(b, s, c) -> (b, c)>
#z = affine_map<(b, s, c) -> (b, s)>
#wide = affine_map<(b, t, c, s) -> (b, t, c)>
#keys = affine_map<(b, t, c, s) -> (b, s, c)>

// A softmax over the channels, summed over time
// CHECK-LABEL: func.func @softmax_over_channels(
// CHECK-NOT: aft.
// CHECK: return
func.func @softmax_over_channels(%q: tensor<2x9x4xf32>, %k: tensor<2x9x4xf32>, %v: tensor<2x9x4xf32>) -> tensor<2x9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<2x9x4xf32>
  %e1 = tensor.empty() : tensor<2x4xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e1 : tensor<2x4xf32>) -> tensor<2x4xf32>
  %e2 = tensor.empty() : tensor<2x9xf32>
  %it = linalg.fill ins(%zero : f32) outs(%e2 : tensor<2x9xf32>) -> tensor<2x9xf32>
  %e = linalg.exp ins(%k : tensor<2x9x4xf32>) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %z = linalg.generic {indexing_maps = [#x, #z], iterator_types = ["parallel", "parallel", "reduction"]} ins(%e : tensor<2x9x4xf32>) outs(%it : tensor<2x9xf32>) {
  ^bb0(%a: f32, %o: f32):
    %u = arith.addf %a, %o : f32
    linalg.yield %u : f32
  } -> tensor<2x9xf32>
  %p = linalg.generic {indexing_maps = [#x, #z, #x], iterator_types = ["parallel", "parallel", "parallel"]} ins(%e, %z : tensor<2x9x4xf32>, tensor<2x9xf32>) outs(%e0 : tensor<2x9x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %d = arith.divf %a, %b : f32
    linalg.yield %d : f32
  } -> tensor<2x9x4xf32>
  %pv = linalg.mul ins(%p, %v : tensor<2x9x4xf32>, tensor<2x9x4xf32>) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %n = linalg.generic {indexing_maps = [#x, #y], iterator_types = ["parallel", "reduction", "parallel"]} ins(%pv : tensor<2x9x4xf32>) outs(%init : tensor<2x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %u = arith.addf %a, %o : f32
    linalg.yield %u : f32
  } -> tensor<2x4xf32>
  %y = linalg.generic {indexing_maps = [#x, #y, #x], iterator_types = ["parallel", "parallel", "parallel"]} ins(%q, %n : tensor<2x9x4xf32>, tensor<2x4xf32>) outs(%e0 : tensor<2x9x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %g = arith.maximumf %a, %zero : f32
    %m = arith.mulf %g, %b : f32
    linalg.yield %m : f32
  } -> tensor<2x9x4xf32>
  return %y : tensor<2x9x4xf32>
}

// -----

#x = affine_map<(b, s, c) -> (b, s, c)>
#y = affine_map<(b, s, c) -> (b, c)>
#z = affine_map<(b, s, c) -> (b, s)>
#wide = affine_map<(b, t, c, s) -> (b, t, c)>
#keys = affine_map<(b, t, c, s) -> (b, s, c)>

// The denominator sums over the channels.
// CHECK-LABEL: func.func @other_sum(
// CHECK-NOT: aft.
// CHECK: return
func.func @other_sum(%q: tensor<2x9x4xf32>, %k: tensor<2x9x4xf32>, %v: tensor<2x9x4xf32>) -> tensor<2x9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<2x9x4xf32>
  %e1 = tensor.empty() : tensor<2x4xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e1 : tensor<2x4xf32>) -> tensor<2x4xf32>
  %e2 = tensor.empty() : tensor<2x9xf32>
  %it = linalg.fill ins(%zero : f32) outs(%e2 : tensor<2x9xf32>) -> tensor<2x9xf32>
  %e = linalg.exp ins(%k : tensor<2x9x4xf32>) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %kv = linalg.mul ins(%e, %v : tensor<2x9x4xf32>, tensor<2x9x4xf32>) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %n = linalg.generic {indexing_maps = [#x, #y], iterator_types = ["parallel", "reduction", "parallel"]} ins(%kv : tensor<2x9x4xf32>) outs(%init : tensor<2x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %u = arith.addf %a, %o : f32
    linalg.yield %u : f32
  } -> tensor<2x4xf32>
  %z = linalg.generic {indexing_maps = [#x, #z], iterator_types = ["parallel", "parallel", "reduction"]} ins(%e : tensor<2x9x4xf32>) outs(%it : tensor<2x9xf32>) {
  ^bb0(%a: f32, %o: f32):
    %u = arith.addf %a, %o : f32
    linalg.yield %u : f32
  } -> tensor<2x9xf32>
  // expected-remark @below {{not raised to a mixer: numerator and denominator sum over different extents}}
  %y = linalg.generic {indexing_maps = [#x, #y, #z, #x], iterator_types = ["parallel", "parallel", "parallel"]} ins(%q, %n, %z : tensor<2x9x4xf32>, tensor<2x4xf32>, tensor<2x9xf32>) outs(%e0 : tensor<2x9x4xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32, %o: f32):
    %r = arith.divf %b, %c : f32
    %g = arith.maximumf %a, %zero : f32
    %m = arith.mulf %g, %r : f32
    linalg.yield %m : f32
  } -> tensor<2x9x4xf32>
  return %y : tensor<2x9x4xf32>
}

// -----

#c = affine_map<(b, s, c) -> (c)>
#x = affine_map<(b, s, c) -> (b, s, c)>
#y = affine_map<(b, s, c) -> (b, c)>
#z = affine_map<(b, s, c) -> (b, s)>
#wide = affine_map<(b, t, c, s) -> (b, t, c)>
#keys = affine_map<(b, t, c, s) -> (b, s, c)>

// Summed over two dimensions, which are both places.
// CHECK-LABEL: func.func @two_axes(
// CHECK: %[[Y:.*]] = aft.simple %{{.*}}, %{{.*}}, %{{.*}} gate = relu : (tensor<1x18x4xf32>, tensor<1x18x4xf32>, tensor<1x18x4xf32>)
// CHECK: %[[C:.*]] = tensor.collapse_shape %[[Y]] {{.*}} into tensor<18x4xf32>
// CHECK: %[[R:.*]] = tensor.expand_shape %[[C]] {{.*}} into tensor<2x9x4xf32>
// CHECK: return %[[R]]
func.func @two_axes(%q: tensor<2x9x4xf32>, %k: tensor<2x9x4xf32>, %v: tensor<2x9x4xf32>) -> tensor<2x9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<2x9x4xf32>
  %e1 = tensor.empty() : tensor<4xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e1 : tensor<4xf32>) -> tensor<4xf32>
  %e = linalg.exp ins(%k : tensor<2x9x4xf32>) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %kv = linalg.mul ins(%e, %v : tensor<2x9x4xf32>, tensor<2x9x4xf32>) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %n = linalg.generic {indexing_maps = [#x, #c], iterator_types = ["reduction", "reduction", "parallel"]} ins(%kv : tensor<2x9x4xf32>) outs(%init : tensor<4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %u = arith.addf %a, %o : f32
    linalg.yield %u : f32
  } -> tensor<4xf32>
  %z = linalg.generic {indexing_maps = [#x, #c], iterator_types = ["reduction", "reduction", "parallel"]} ins(%e : tensor<2x9x4xf32>) outs(%init : tensor<4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %u = arith.addf %a, %o : f32
    linalg.yield %u : f32
  } -> tensor<4xf32>
  // expected-remark @below {{raised to aft.simple}}
  %y = linalg.generic {indexing_maps = [#x, #c, #c, #x], iterator_types = ["parallel", "parallel", "parallel"]} ins(%q, %n, %z : tensor<2x9x4xf32>, tensor<4xf32>, tensor<4xf32>) outs(%e0 : tensor<2x9x4xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32, %o: f32):
    %r = arith.divf %b, %c : f32
    %g = arith.maximumf %a, %zero : f32
    %m = arith.mulf %g, %r : f32
    linalg.yield %m : f32
  } -> tensor<2x9x4xf32>
  return %y : tensor<2x9x4xf32>
}

// -----

#o = affine_map<(s, c) -> (s, c)>
#l = affine_map<(s, c) -> (c)>
#c = affine_map<(b, s, c) -> (c)>
#x = affine_map<(b, s, c) -> (b, s, c)>
#y = affine_map<(b, s, c) -> (b, c)>
#z = affine_map<(b, s, c) -> (b, s)>
#wide = affine_map<(b, t, c, s) -> (b, t, c)>
#keys = affine_map<(b, t, c, s) -> (b, s, c)>

// As many queries as one of them has.
// CHECK-LABEL: func.func @two_axes_one_query(
// CHECK-NOT: aft.
// CHECK: return
func.func @two_axes_one_query(%q: tensor<9x4xf32>, %k: tensor<2x9x4xf32>, %v: tensor<2x9x4xf32>) -> tensor<9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<2x9x4xf32>
  %e1 = tensor.empty() : tensor<4xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e1 : tensor<4xf32>) -> tensor<4xf32>
  %e = linalg.exp ins(%k : tensor<2x9x4xf32>) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %kv = linalg.mul ins(%e, %v : tensor<2x9x4xf32>, tensor<2x9x4xf32>) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %n = linalg.generic {indexing_maps = [#x, #c], iterator_types = ["reduction", "reduction", "parallel"]} ins(%kv : tensor<2x9x4xf32>) outs(%init : tensor<4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %u = arith.addf %a, %o : f32
    linalg.yield %u : f32
  } -> tensor<4xf32>
  %z = linalg.generic {indexing_maps = [#x, #c], iterator_types = ["reduction", "reduction", "parallel"]} ins(%e : tensor<2x9x4xf32>) outs(%init : tensor<4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %u = arith.addf %a, %o : f32
    linalg.yield %u : f32
  } -> tensor<4xf32>
  %e2 = tensor.empty() : tensor<9x4xf32>
  %y = linalg.generic {indexing_maps = [#o, #l, #l, #o], iterator_types = ["parallel", "parallel"]} ins(%q, %n, %z : tensor<9x4xf32>, tensor<4xf32>, tensor<4xf32>) outs(%e2 : tensor<9x4xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32, %o: f32):
    %r = arith.divf %b, %c : f32
    %g = arith.maximumf %a, %zero : f32
    %m = arith.mulf %g, %r : f32
    linalg.yield %m : f32
  } -> tensor<9x4xf32>
  return %y : tensor<9x4xf32>
}

// -----

#x = affine_map<(b, s, c) -> (b, s, c)>
#y = affine_map<(b, s, c) -> (b, c)>
#z = affine_map<(b, s, c) -> (b, s)>
#wide = affine_map<(b, t, c, s) -> (b, t, c)>
#keys = affine_map<(b, t, c, s) -> (b, s, c)>

// Seven queries and nine keys: AFT-simple has as many of both.
// CHECK-LABEL: func.func @other_queries(
// CHECK-NOT: aft.
// CHECK: return
func.func @other_queries(%q: tensor<2x7x4xf32>, %k: tensor<2x9x4xf32>, %v: tensor<2x9x4xf32>) -> tensor<2x7x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<2x9x4xf32>
  %e1 = tensor.empty() : tensor<2x7x4xf32>
  %e2 = tensor.empty() : tensor<2x4xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e2 : tensor<2x4xf32>) -> tensor<2x4xf32>
  %keys = linalg.exp ins(%k : tensor<2x9x4xf32>) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<2x9x4xf32>, tensor<2x9x4xf32>) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %n = linalg.generic {indexing_maps = [#x, #y], iterator_types = ["parallel", "reduction", "parallel"]} ins(%kv : tensor<2x9x4xf32>) outs(%init : tensor<2x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %u = arith.addf %a, %o : f32
    linalg.yield %u : f32
  } -> tensor<2x4xf32>
  %z = linalg.generic {indexing_maps = [#x, #y], iterator_types = ["parallel", "reduction", "parallel"]} ins(%keys : tensor<2x9x4xf32>) outs(%init : tensor<2x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %u = arith.addf %a, %o : f32
    linalg.yield %u : f32
  } -> tensor<2x4xf32>
  // expected-remark @below {{not raised to a mixer: the numbers of queries and keys are not known to be equal}}
  %y = linalg.generic {indexing_maps = [#x, #y, #y, #x], iterator_types = ["parallel", "parallel", "parallel"]} ins(%q, %n, %z : tensor<2x7x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>) outs(%e1 : tensor<2x7x4xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32, %o: f32):
    %r = arith.divf %b, %c : f32
    %g = arith.maximumf %a, %zero : f32
    %m = arith.mulf %g, %r : f32
    linalg.yield %m : f32
  } -> tensor<2x7x4xf32>
  return %y : tensor<2x7x4xf32>
}

// -----

#x = affine_map<(b, s, c) -> (b, s, c)>
#y = affine_map<(b, s, c) -> (b, c)>
#none = affine_map<(b, s, c) -> ()>

// a number of a table scales the keys: exp(scale * k)
// CHECK-LABEL: func.func @a_scale_of_a_table(
// CHECK: %[[ONE:.*]] = tensor.extract_slice %arg3[3] [1] [1]
// CHECK: %[[SCALE:.*]] = tensor.collapse_shape %[[ONE]] []
// CHECK: %[[K:.*]] = linalg.generic {{.*}} ins(%arg1, %[[SCALE]] :
// CHECK: %[[Y:.*]] = aft.simple %arg0, %[[K]], %arg2 gate = relu
// CHECK-NEXT: return %[[Y]]
func.func @a_scale_of_a_table(%q: tensor<2x9x4xf32>, %k: tensor<2x9x4xf32>, %v: tensor<2x9x4xf32>, %scales: tensor<5xf32>) -> tensor<2x9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<2x9x4xf32>
  %e1 = tensor.empty() : tensor<2x4xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e1 : tensor<2x4xf32>) -> tensor<2x4xf32>
  %one = tensor.extract_slice %scales[3] [1] [1] : tensor<5xf32> to tensor<1xf32>
  %scale = tensor.collapse_shape %one [] : tensor<1xf32> into tensor<f32>
  %keys = linalg.generic {indexing_maps = [#x, #none, #x], iterator_types = ["parallel", "parallel", "parallel"]} ins(%k, %scale : tensor<2x9x4xf32>, tensor<f32>) outs(%e0 : tensor<2x9x4xf32>) {
  ^bb0(%a: f32, %s: f32, %o: f32):
    %m = arith.mulf %a, %s : f32
    %r = math.exp %m : f32
    linalg.yield %r : f32
  } -> tensor<2x9x4xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<2x9x4xf32>, tensor<2x9x4xf32>) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %n = linalg.generic {indexing_maps = [#x, #y], iterator_types = ["parallel", "reduction", "parallel"]} ins(%kv : tensor<2x9x4xf32>) outs(%init : tensor<2x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %u = arith.addf %a, %o : f32
    linalg.yield %u : f32
  } -> tensor<2x4xf32>
  %z = linalg.generic {indexing_maps = [#x, #y], iterator_types = ["parallel", "reduction", "parallel"]} ins(%keys : tensor<2x9x4xf32>) outs(%init : tensor<2x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %u = arith.addf %a, %o : f32
    linalg.yield %u : f32
  } -> tensor<2x4xf32>
  // expected-remark @below {{raised to aft.simple}}
  %y = linalg.generic {indexing_maps = [#x, #y, #y, #x], iterator_types = ["parallel", "parallel", "parallel"]} ins(%q, %n, %z : tensor<2x9x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>) outs(%e0 : tensor<2x9x4xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32, %o: f32):
    %r = arith.divf %b, %c : f32
    %g = arith.maximumf %a, %zero : f32
    %m = arith.mulf %g, %r : f32
    linalg.yield %m : f32
  } -> tensor<2x9x4xf32>
  return %y : tensor<2x9x4xf32>
}
