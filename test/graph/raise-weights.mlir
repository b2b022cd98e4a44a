// RUN: aft-opt %s -split-input-file -aft-raise-mixers -canonicalize -cse | FileCheck %s
// RUN: aft-opt %s -split-input-file -aft-raise-mixers=remarks -verify-diagnostics -o /dev/null

#x = affine_map<(b, t, c) -> (b, t, c)>
#w = affine_map<(t, s) -> (t, s)>
#bc = affine_map<(b, t, c) -> (b, c)>
#wide = affine_map<(b, t, c, s) -> (b, t, c)>
#keys = affine_map<(b, t, c, s) -> (b, s, c)>
#ts = affine_map<(b, t, c, s) -> (t, s)>
#bsc = affine_map<(b, t, c, s) -> (b, s, c)>
#btc = affine_map<(b, t, c, s) -> (b, t, c)>

// A power of a number
// CHECK-LABEL: func.func @power(
// CHECK-NOT: math.powf
// CHECK: aft.simple %{{.*}}, %arg1, %arg2 causal gate = none
// CHECK-NEXT: return
func.func @power(%w: tensor<9x9xf32>, %k: tensor<2x9x4xf32>, %v: tensor<2x9x4xf32>) -> tensor<2x9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<2x9x4xf32>
  %e1 = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %keys = linalg.generic {indexing_maps = [#x, #x], iterator_types = ["parallel", "parallel", "parallel"]} ins(%k : tensor<2x9x4xf32>) outs(%e0 : tensor<2x9x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %e = arith.constant 2.71828175 : f32
    %p = math.powf %e, %a : f32
    linalg.yield %p : f32
  } -> tensor<2x9x4xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<2x9x4xf32>, tensor<2x9x4xf32>) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
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

#x = affine_map<(b, t, c) -> (b, t, c)>
#w = affine_map<(t, s) -> (t, s)>
#bc = affine_map<(b, t, c) -> (b, c)>
#wide = affine_map<(b, t, c, s) -> (b, t, c)>
#keys = affine_map<(b, t, c, s) -> (b, s, c)>
#ts = affine_map<(b, t, c, s) -> (t, s)>
#bsc = affine_map<(b, t, c, s) -> (b, s, c)>
#btc = affine_map<(b, t, c, s) -> (b, t, c)>

// Another number: keys times its logarithm
// CHECK-LABEL: func.func @power_of_two(
// CHECK-NOT: math.powf
// CHECK: arith.constant 0.693147182 : f32
// CHECK: arith.mulf
// CHECK: aft.simple
func.func @power_of_two(%w: tensor<9x9xf32>, %k: tensor<2x9x4xf32>, %v: tensor<2x9x4xf32>) -> tensor<2x9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<2x9x4xf32>
  %e1 = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %keys = linalg.generic {indexing_maps = [#x, #x], iterator_types = ["parallel", "parallel", "parallel"]} ins(%k : tensor<2x9x4xf32>) outs(%e0 : tensor<2x9x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %e = arith.constant 2.0 : f32
    %p = math.powf %e, %a : f32
    linalg.yield %p : f32
  } -> tensor<2x9x4xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<2x9x4xf32>, tensor<2x9x4xf32>) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
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

#x = affine_map<(b, t, c) -> (b, t, c)>
#w = affine_map<(t, s) -> (t, s)>
#bc = affine_map<(b, t, c) -> (b, c)>
#wide = affine_map<(b, t, c, s) -> (b, t, c)>
#keys = affine_map<(b, t, c, s) -> (b, s, c)>
#ts = affine_map<(b, t, c, s) -> (t, s)>
#bsc = affine_map<(b, t, c, s) -> (b, s, c)>
#btc = affine_map<(b, t, c, s) -> (b, t, c)>

// Key and bias are scaled as one.
// CHECK-LABEL: func.func @scaled(
// CHECK: %[[K:.*]] = linalg.generic {{.*}} ins(%arg1 :
// CHECK: %[[W:.*]] = linalg.generic {{.*}} ins(%arg0 :
// CHECK: aft.full %{{.*}}, %[[K]], %arg2, %[[W]] gate = none
// CHECK-NEXT: return
func.func @scaled(%w: tensor<9x9xf32>, %k: tensor<2x9x4xf32>, %v: tensor<2x9x4xf32>) -> tensor<2x9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<2x9x4xf32>
  %e1 = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %e3 = tensor.empty() : tensor<2x9x4x9xf32>
  %p = linalg.generic {indexing_maps = [#ts, #bsc, affine_map<(b, t, c, s) -> (b, t, c, s)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%w, %k : tensor<9x9xf32>, tensor<2x9x4xf32>) outs(%e3 : tensor<2x9x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %l = arith.constant 0.25 : f32
    %m = arith.addf %a, %b : f32
    %q = arith.mulf %m, %l : f32
    %u = math.exp %q : f32
    linalg.yield %u : f32
  } -> tensor<2x9x4x9xf32>
  %n = linalg.generic {indexing_maps = [affine_map<(b, t, c, s) -> (b, t, c, s)>, #bsc, #btc], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%p, %v : tensor<2x9x4x9xf32>, tensor<2x9x4xf32>) outs(%init : tensor<2x9x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %m = arith.mulf %a, %b : f32
    %u = arith.addf %o, %m : f32
    linalg.yield %u : f32
  } -> tensor<2x9x4xf32>
  %z = linalg.generic {indexing_maps = [affine_map<(b, t, c, s) -> (b, t, c, s)>, #btc], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%p : tensor<2x9x4x9xf32>) outs(%init : tensor<2x9x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %u = arith.addf %o, %a : f32
    linalg.yield %u : f32
  } -> tensor<2x9x4xf32>
  // expected-remark @below {{raised to aft.full}}
  %y = linalg.div ins(%n, %z : tensor<2x9x4xf32>, tensor<2x9x4xf32>) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  return %y : tensor<2x9x4xf32>
}

// -----

#x = affine_map<(b, t, c) -> (b, t, c)>
#w = affine_map<(t, s) -> (t, s)>
#bc = affine_map<(b, t, c) -> (b, c)>
#wide = affine_map<(b, t, c, s) -> (b, t, c)>
#keys = affine_map<(b, t, c, s) -> (b, s, c)>
#ts = affine_map<(b, t, c, s) -> (t, s)>
#bsc = affine_map<(b, t, c, s) -> (b, s, c)>
#btc = affine_map<(b, t, c, s) -> (b, t, c)>

// A bias of zeros is none.
// CHECK-LABEL: func.func @zeros(
// CHECK: aft.simple %{{.*}}, %arg1, %arg2 gate = none
// CHECK-NEXT: return
func.func @zeros(%w: tensor<9x9xf32>, %k: tensor<2x9x4xf32>, %v: tensor<2x9x4xf32>) -> tensor<2x9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<2x9x4xf32>
  %e1 = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %z1 = linalg.fill ins(%zero : f32) outs(%e1 : tensor<9x9xf32>) -> tensor<9x9xf32>
  %weights = linalg.generic {indexing_maps = [#w, #w], iterator_types = ["parallel", "parallel"]} ins(%z1 : tensor<9x9xf32>) outs(%e1 : tensor<9x9xf32>) {
  ^bb0(%a: f32, %o: f32):
    %p = math.exp %a : f32
    linalg.yield %p : f32
  } -> tensor<9x9xf32>
  %keys = linalg.exp ins(%k : tensor<2x9x4xf32>) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<2x9x4xf32>, tensor<2x9x4xf32>) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %n = linalg.generic {indexing_maps = [#ts, #bsc, #btc], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%weights, %kv : tensor<9x9xf32>, tensor<2x9x4xf32>) outs(%init : tensor<2x9x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %m = arith.mulf %a, %b : f32
    %u = arith.addf %o, %m : f32
    linalg.yield %u : f32
  } -> tensor<2x9x4xf32>
  %z = linalg.generic {indexing_maps = [#ts, #bsc, #btc], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%weights, %keys : tensor<9x9xf32>, tensor<2x9x4xf32>) outs(%init : tensor<2x9x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %m = arith.mulf %a, %b : f32
    %u = arith.addf %o, %m : f32
    linalg.yield %u : f32
  } -> tensor<2x9x4xf32>
  // expected-remark @below {{raised to aft.simple}}
  %y = linalg.div ins(%n, %z : tensor<2x9x4xf32>, tensor<2x9x4xf32>) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  return %y : tensor<2x9x4xf32>
}

// -----

#x = affine_map<(b, t, c) -> (b, t, c)>
#w = affine_map<(t, s) -> (t, s)>
#bc = affine_map<(b, t, c) -> (b, c)>
#wide = affine_map<(b, t, c, s) -> (b, t, c)>
#keys = affine_map<(b, t, c, s) -> (b, s, c)>
#ts = affine_map<(b, t, c, s) -> (t, s)>
#bsc = affine_map<(b, t, c, s) -> (b, s, c)>
#btc = affine_map<(b, t, c, s) -> (b, t, c)>

// A number added to each weight leaves it positive.
// CHECK-LABEL: func.func @positive(
// CHECK: math.log
// CHECK: aft.simple {{.*}} causal gate = none
func.func @positive(%w: tensor<9x9xf32>, %k: tensor<2x9x4xf32>, %v: tensor<2x9x4xf32>) -> tensor<2x9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<2x9x4xf32>
  %e1 = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %keys = linalg.generic {indexing_maps = [#x, #x], iterator_types = ["parallel", "parallel", "parallel"]} ins(%k : tensor<2x9x4xf32>) outs(%e0 : tensor<2x9x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %l = arith.constant 1.0e-4 : f32
    %p = math.exp %a : f32
    %s = arith.addf %p, %l : f32
    linalg.yield %s : f32
  } -> tensor<2x9x4xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<2x9x4xf32>, tensor<2x9x4xf32>) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
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

#x = affine_map<(b, t, c) -> (b, t, c)>
#w = affine_map<(t, s) -> (t, s)>
#bc = affine_map<(b, t, c) -> (b, c)>
#wide = affine_map<(b, t, c, s) -> (b, t, c)>
#keys = affine_map<(b, t, c, s) -> (b, s, c)>
#ts = affine_map<(b, t, c, s) -> (t, s)>
#bsc = affine_map<(b, t, c, s) -> (b, s, c)>
#btc = affine_map<(b, t, c, s) -> (b, t, c)>

// It must be positive.
// CHECK-LABEL: func.func @signed(
// CHECK-NOT: aft.
// CHECK: return
func.func @signed(%w: tensor<9x9xf32>, %k: tensor<2x9x4xf32>, %v: tensor<2x9x4xf32>) -> tensor<2x9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<2x9x4xf32>
  %e1 = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %keys = linalg.generic {indexing_maps = [#x, #x], iterator_types = ["parallel", "parallel", "parallel"]} ins(%k : tensor<2x9x4xf32>) outs(%e0 : tensor<2x9x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %l = arith.constant -1.0e-4 : f32
    %p = math.exp %a : f32
    %s = arith.addf %p, %l : f32
    linalg.yield %s : f32
  } -> tensor<2x9x4xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<2x9x4xf32>, tensor<2x9x4xf32>) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
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
  %y = linalg.div ins(%n, %z : tensor<2x9x4xf32>, tensor<2x9x4xf32>) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  return %y : tensor<2x9x4xf32>
}

// -----

#x = affine_map<(b, t, c) -> (b, t, c)>
#w = affine_map<(t, s) -> (t, s)>
#bc = affine_map<(b, t, c) -> (b, c)>
#wide = affine_map<(b, t, c, s) -> (b, t, c)>
#keys = affine_map<(b, t, c, s) -> (b, s, c)>
#ts = affine_map<(b, t, c, s) -> (t, s)>
#bsc = affine_map<(b, t, c, s) -> (b, s, c)>
#btc = affine_map<(b, t, c, s) -> (b, t, c)>

// What is added to the denominator is the weight of a first key of value 0.
// CHECK-LABEL: func.func @added(
// CHECK: %[[Y:.*]] = aft.simple {{.*}} causal gate = none : (tensor<2x10x4xf32>, tensor<2x10x4xf32>, tensor<2x10x4xf32>) -> tensor<2x10x4xf32>
// CHECK: tensor.extract_slice %[[Y]][0, 1, 0] [2, 9, 4]
func.func @added(%w: tensor<9x9xf32>, %k: tensor<2x9x4xf32>, %v: tensor<2x9x4xf32>) -> tensor<2x9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<2x9x4xf32>
  %e1 = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %keys = linalg.exp ins(%k : tensor<2x9x4xf32>) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<2x9x4xf32>, tensor<2x9x4xf32>) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
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
  %y = linalg.generic {indexing_maps = [#x, #x, #x], iterator_types = ["parallel", "parallel", "parallel"]} ins(%n, %z : tensor<2x9x4xf32>, tensor<2x9x4xf32>) outs(%e0 : tensor<2x9x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %l = arith.constant 1.0e-6 : f32
    %s = arith.addf %b, %l : f32
    %r = arith.divf %a, %s : f32
    linalg.yield %r : f32
  } -> tensor<2x9x4xf32>
  return %y : tensor<2x9x4xf32>
}

// -----

#x = affine_map<(b, t, c) -> (b, t, c)>
#w = affine_map<(t, s) -> (t, s)>
#bc = affine_map<(b, t, c) -> (b, c)>
#wide = affine_map<(b, t, c, s) -> (b, t, c)>
#keys = affine_map<(b, t, c, s) -> (b, s, c)>
#ts = affine_map<(b, t, c, s) -> (t, s)>
#bsc = affine_map<(b, t, c, s) -> (b, s, c)>
#btc = affine_map<(b, t, c, s) -> (b, t, c)>

// A matrix has a column for it.
// CHECK-LABEL: func.func @added_full(
// CHECK: %[[W:.*]] = tensor.pad %arg0 low[0, 1] high[0, 0]
// CHECK: aft.full %arg2, %{{.*}}, %{{.*}}, %[[W]] gate = none : (tensor<2x9x4xf32>, tensor<2x10x4xf32>, tensor<2x10x4xf32>, tensor<9x10xf32>) -> tensor<2x9x4xf32>
func.func @added_full(%w: tensor<9x9xf32>, %k: tensor<2x9x4xf32>, %v: tensor<2x9x4xf32>) -> tensor<2x9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<2x9x4xf32>
  %e1 = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %weights = linalg.generic {indexing_maps = [#w, #w], iterator_types = ["parallel", "parallel"]} ins(%w : tensor<9x9xf32>) outs(%e1 : tensor<9x9xf32>) {
  ^bb0(%a: f32, %o: f32):
    %p = math.exp %a : f32
    linalg.yield %p : f32
  } -> tensor<9x9xf32>
  %keys = linalg.exp ins(%k : tensor<2x9x4xf32>) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<2x9x4xf32>, tensor<2x9x4xf32>) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %n = linalg.generic {indexing_maps = [#ts, #bsc, #btc], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%weights, %kv : tensor<9x9xf32>, tensor<2x9x4xf32>) outs(%init : tensor<2x9x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %m = arith.mulf %a, %b : f32
    %u = arith.addf %o, %m : f32
    linalg.yield %u : f32
  } -> tensor<2x9x4xf32>
  %z = linalg.generic {indexing_maps = [#ts, #bsc, #btc], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%weights, %keys : tensor<9x9xf32>, tensor<2x9x4xf32>) outs(%init : tensor<2x9x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %m = arith.mulf %a, %b : f32
    %u = arith.addf %o, %m : f32
    linalg.yield %u : f32
  } -> tensor<2x9x4xf32>
  // expected-remark @below {{raised to aft.full}}
  %y = linalg.generic {indexing_maps = [#x, #x, #x], iterator_types = ["parallel", "parallel", "parallel"]} ins(%n, %z : tensor<2x9x4xf32>, tensor<2x9x4xf32>) outs(%e0 : tensor<2x9x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %l = arith.constant 1.0 : f32
    %s = arith.addf %b, %l : f32
    %r = arith.divf %a, %s : f32
    linalg.yield %r : f32
  } -> tensor<2x9x4xf32>
  return %y : tensor<2x9x4xf32>
}

// -----

#x = affine_map<(b, t, c) -> (b, t, c)>
#w = affine_map<(t, s) -> (t, s)>
#bc = affine_map<(b, t, c) -> (b, c)>
#wide = affine_map<(b, t, c, s) -> (b, t, c)>
#keys = affine_map<(b, t, c, s) -> (b, s, c)>
#ts = affine_map<(b, t, c, s) -> (t, s)>
#bsc = affine_map<(b, t, c, s) -> (b, s, c)>
#btc = affine_map<(b, t, c, s) -> (b, t, c)>

// A maximum that was subtracted stays: the number is relative to it.
// CHECK-LABEL: func.func @added_below_maximum(
// CHECK: arith.maximumf
// CHECK: arith.subf
// CHECK: aft.simple {{.*}} : (tensor<2x10x4xf32>, tensor<2x10x4xf32>, tensor<2x10x4xf32>)
func.func @added_below_maximum(%w: tensor<9x9xf32>, %k: tensor<2x9x4xf32>, %v: tensor<2x9x4xf32>) -> tensor<2x9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<2x9x4xf32>
  %e1 = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %lowest = arith.constant 0xFF800000 : f32
  %e2 = tensor.empty() : tensor<2x4xf32>
  %il = linalg.fill ins(%lowest : f32) outs(%e2 : tensor<2x4xf32>) -> tensor<2x4xf32>
  %top = linalg.generic {indexing_maps = [#x, #bc], iterator_types = ["parallel", "reduction", "parallel"]} ins(%k : tensor<2x9x4xf32>) outs(%il : tensor<2x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %u = arith.maximumf %a, %o : f32
    linalg.yield %u : f32
  } -> tensor<2x4xf32>
  %keys = linalg.generic {indexing_maps = [#x, #bc, #x], iterator_types = ["parallel", "parallel", "parallel"]} ins(%k, %top : tensor<2x9x4xf32>, tensor<2x4xf32>) outs(%e0 : tensor<2x9x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %d = arith.subf %a, %b : f32
    %p = math.exp %d : f32
    linalg.yield %p : f32
  } -> tensor<2x9x4xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<2x9x4xf32>, tensor<2x9x4xf32>) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
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
  %y = linalg.generic {indexing_maps = [#x, #x, #x], iterator_types = ["parallel", "parallel", "parallel"]} ins(%n, %z : tensor<2x9x4xf32>, tensor<2x9x4xf32>) outs(%e0 : tensor<2x9x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %l = arith.constant 1.0e-6 : f32
    %s = arith.addf %b, %l : f32
    %r = arith.divf %a, %s : f32
    linalg.yield %r : f32
  } -> tensor<2x9x4xf32>
  return %y : tensor<2x9x4xf32>
}

// -----

#x = affine_map<(b, t, c) -> (b, t, c)>
#w = affine_map<(t, s) -> (t, s)>
#bc = affine_map<(b, t, c) -> (b, c)>
#wide = affine_map<(b, t, c, s) -> (b, t, c)>
#keys = affine_map<(b, t, c, s) -> (b, s, c)>
#ts = affine_map<(b, t, c, s) -> (t, s)>
#bsc = affine_map<(b, t, c, s) -> (b, s, c)>
#btc = affine_map<(b, t, c, s) -> (b, t, c)>

// The larger of two is not a sum.
// CHECK-LABEL: func.func @bounded(
// CHECK-NOT: aft.
// CHECK: return
func.func @bounded(%w: tensor<9x9xf32>, %k: tensor<2x9x4xf32>, %v: tensor<2x9x4xf32>) -> tensor<2x9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<2x9x4xf32>
  %e1 = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %keys = linalg.exp ins(%k : tensor<2x9x4xf32>) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<2x9x4xf32>, tensor<2x9x4xf32>) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
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
  // expected-remark @below {{not raised to a mixer: a small number bounds the denominator, which may be smaller; --fast leaves it out}}
  %y = linalg.generic {indexing_maps = [#x, #x, #x], iterator_types = ["parallel", "parallel", "parallel"]} ins(%n, %z : tensor<2x9x4xf32>, tensor<2x9x4xf32>) outs(%e0 : tensor<2x9x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %l = arith.constant 1.0e-6 : f32
    %s = arith.maximumf %b, %l : f32
    %r = arith.divf %a, %s : f32
    linalg.yield %r : f32
  } -> tensor<2x9x4xf32>
  return %y : tensor<2x9x4xf32>
}
