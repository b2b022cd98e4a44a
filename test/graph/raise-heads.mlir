// RUN: aft-opt %s -split-input-file -aft-raise-mixers -canonicalize -cse | FileCheck %s
// RUN: aft-opt %s -split-input-file -aft-raise-mixers=remarks -verify-diagnostics -o /dev/null

// Heads and weights of other shapes than keys and values.

// Keys of two heads, repeated for the channels of each after the exponential.
// CHECK-LABEL: func.func @keys_repeated(
// CHECK-SAME: %[[K:.*]]: tensor<2x9x2xf32>, %[[V:.*]]: tensor<2x9x4xf32>, %[[W:.*]]: tensor<9x9xf32>
// CHECK: %[[R:.*]] = linalg.generic {{.*}} ins(%[[K]] :
// CHECK: %[[C:.*]] = tensor.collapse_shape %[[R]] {{.*}} into tensor<2x9x4xf32>
// CHECK: %[[Y:.*]] = aft.full %[[V]], %[[C]], %[[V]], %[[W]] gate = none
// CHECK: return %[[Y]]
func.func @keys_repeated(%k: tensor<2x9x2xf32>, %v: tensor<2x9x4xf32>, %w: tensor<9x9xf32>) -> tensor<2x9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %eo = tensor.empty() : tensor<2x9x4xf32>
  %ew = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%eo : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %eh = tensor.empty() : tensor<2x9x2xf32>
  %er = tensor.empty() : tensor<2x9x2x2xf32>
  %few = linalg.exp ins(%k : tensor<2x9x2xf32>) outs(%eh : tensor<2x9x2xf32>) -> tensor<2x9x2xf32>
  %wide = linalg.generic {indexing_maps = [affine_map<(b, s, h, c) -> (b, s, h)>, affine_map<(b, s, h, c) -> (b, s, h, c)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%few : tensor<2x9x2xf32>) outs(%er : tensor<2x9x2x2xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  } -> tensor<2x9x2x2xf32>
  %keys = tensor.collapse_shape %wide [[0], [1], [2, 3]] : tensor<2x9x2x2xf32> into tensor<2x9x4xf32>
  %weights = linalg.exp ins(%w : tensor<9x9xf32>) outs(%ew : tensor<9x9xf32>) -> tensor<9x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<2x9x4xf32>, tensor<2x9x4xf32>) outs(%eo : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %n = linalg.generic {indexing_maps = [affine_map<(b, t, c, s) -> (t, s)>, affine_map<(b, t, c, s) -> (b, s, c)>, affine_map<(b, t, c, s) -> (b, t, c)>], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%weights, %kv : tensor<9x9xf32>, tensor<2x9x4xf32>) outs(%init : tensor<2x9x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %m = arith.mulf %a, %b : f32
    %s = arith.addf %o, %m : f32
    linalg.yield %s : f32
  } -> tensor<2x9x4xf32>
  %z = linalg.generic {indexing_maps = [affine_map<(b, t, c, s) -> (t, s)>, affine_map<(b, t, c, s) -> (b, s, c)>, affine_map<(b, t, c, s) -> (b, t, c)>], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%weights, %keys : tensor<9x9xf32>, tensor<2x9x4xf32>) outs(%init : tensor<2x9x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %m = arith.mulf %a, %b : f32
    %s = arith.addf %o, %m : f32
    linalg.yield %s : f32
  } -> tensor<2x9x4xf32>
  // expected-remark @below {{raised to aft.full}}
  %y = linalg.div ins(%n, %z : tensor<2x9x4xf32>, tensor<2x9x4xf32>) outs(%eo : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  return %y : tensor<2x9x4xf32>
}

// -----

// A bias per head where the batch is not known: a mixer for each head.
// CHECK-LABEL: func.func @bias_per_head(
// CHECK-SAME: %{{.*}}: tensor<?x2x9x4xf32>, %{{.*}}: tensor<?x2x9x4xf32>, %[[W:.*]]: tensor<2x9x9xf32>
// CHECK: %[[W0:.*]] = tensor.extract_slice %[[W]][0, 0, 0] [1, 9, 9]
// CHECK: %[[Y0:.*]] = aft.full %{{.*}}, %{{.*}}, %{{.*}}, %[[W0]] gate = none : (tensor<?x9x4xf32>,
// CHECK: %[[W1:.*]] = tensor.extract_slice %[[W]][1, 0, 0] [1, 9, 9]
// CHECK: %[[Y1:.*]] = aft.full %{{.*}}, %{{.*}}, %{{.*}}, %[[W1]] gate = none
// CHECK: tensor.concat dim(0)
// CHECK-NOT: math.exp
// CHECK: return
func.func @bias_per_head(%k: tensor<?x2x9x4xf32>, %v: tensor<?x2x9x4xf32>, %w: tensor<2x9x9xf32>) -> tensor<?x2x9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %batch = tensor.dim %k, %c0 : tensor<?x2x9x4xf32>
  %eo = tensor.empty(%batch) : tensor<?x2x9x4xf32>
  %ew = tensor.empty() : tensor<2x9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%eo : tensor<?x2x9x4xf32>) -> tensor<?x2x9x4xf32>
  %keys = linalg.exp ins(%k : tensor<?x2x9x4xf32>) outs(%eo : tensor<?x2x9x4xf32>) -> tensor<?x2x9x4xf32>
  %weights = linalg.exp ins(%w : tensor<2x9x9xf32>) outs(%ew : tensor<2x9x9xf32>) -> tensor<2x9x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<?x2x9x4xf32>, tensor<?x2x9x4xf32>) outs(%eo : tensor<?x2x9x4xf32>) -> tensor<?x2x9x4xf32>
  %n = linalg.generic {indexing_maps = [affine_map<(b, h, t, c, s) -> (h, t, s)>, affine_map<(b, h, t, c, s) -> (b, h, s, c)>, affine_map<(b, h, t, c, s) -> (b, h, t, c)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]} ins(%weights, %kv : tensor<2x9x9xf32>, tensor<?x2x9x4xf32>) outs(%init : tensor<?x2x9x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %m = arith.mulf %a, %b : f32
    %s = arith.addf %o, %m : f32
    linalg.yield %s : f32
  } -> tensor<?x2x9x4xf32>
  %z = linalg.generic {indexing_maps = [affine_map<(b, h, t, c, s) -> (h, t, s)>, affine_map<(b, h, t, c, s) -> (b, h, s, c)>, affine_map<(b, h, t, c, s) -> (b, h, t, c)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]} ins(%weights, %keys : tensor<2x9x9xf32>, tensor<?x2x9x4xf32>) outs(%init : tensor<?x2x9x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %m = arith.mulf %a, %b : f32
    %s = arith.addf %o, %m : f32
    linalg.yield %s : f32
  } -> tensor<?x2x9x4xf32>
  // expected-remark @below {{raised to aft.full}}
  %y = linalg.div ins(%n, %z : tensor<?x2x9x4xf32>, tensor<?x2x9x4xf32>) outs(%eo : tensor<?x2x9x4xf32>) -> tensor<?x2x9x4xf32>
  return %y : tensor<?x2x9x4xf32>
}

// -----

// A bias per window and head where the batch is not known.
// CHECK-LABEL: func.func @windows_and_heads(
// CHECK-NOT: aft.full
// CHECK: return
func.func @windows_and_heads(%k: tensor<?x3x2x9x4xf32>, %v: tensor<?x3x2x9x4xf32>, %w: tensor<3x2x9x9xf32>) -> tensor<?x3x2x9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %batch = tensor.dim %k, %c0 : tensor<?x3x2x9x4xf32>
  %eo = tensor.empty(%batch) : tensor<?x3x2x9x4xf32>
  %ew = tensor.empty() : tensor<3x2x9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%eo : tensor<?x3x2x9x4xf32>) -> tensor<?x3x2x9x4xf32>
  %keys = linalg.exp ins(%k : tensor<?x3x2x9x4xf32>) outs(%eo : tensor<?x3x2x9x4xf32>) -> tensor<?x3x2x9x4xf32>
  %weights = linalg.exp ins(%w : tensor<3x2x9x9xf32>) outs(%ew : tensor<3x2x9x9xf32>) -> tensor<3x2x9x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<?x3x2x9x4xf32>, tensor<?x3x2x9x4xf32>) outs(%eo : tensor<?x3x2x9x4xf32>) -> tensor<?x3x2x9x4xf32>
  %n = linalg.generic {indexing_maps = [affine_map<(b, n, h, t, c, s) -> (n, h, t, s)>, affine_map<(b, n, h, t, c, s) -> (b, n, h, s, c)>, affine_map<(b, n, h, t, c, s) -> (b, n, h, t, c)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel", "reduction"]} ins(%weights, %kv : tensor<3x2x9x9xf32>, tensor<?x3x2x9x4xf32>) outs(%init : tensor<?x3x2x9x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %m = arith.mulf %a, %b : f32
    %s = arith.addf %o, %m : f32
    linalg.yield %s : f32
  } -> tensor<?x3x2x9x4xf32>
  %z = linalg.generic {indexing_maps = [affine_map<(b, n, h, t, c, s) -> (n, h, t, s)>, affine_map<(b, n, h, t, c, s) -> (b, n, h, s, c)>, affine_map<(b, n, h, t, c, s) -> (b, n, h, t, c)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel", "reduction"]} ins(%weights, %keys : tensor<3x2x9x9xf32>, tensor<?x3x2x9x4xf32>) outs(%init : tensor<?x3x2x9x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %m = arith.mulf %a, %b : f32
    %s = arith.addf %o, %m : f32
    linalg.yield %s : f32
  } -> tensor<?x3x2x9x4xf32>
  // expected-remark @below {{not raised to a mixer: the bias differs along several dimensions, as windows and heads are, and the size of the batch is not known}}
  %y = linalg.div ins(%n, %z : tensor<?x3x2x9x4xf32>, tensor<?x3x2x9x4xf32>) outs(%eo : tensor<?x3x2x9x4xf32>) -> tensor<?x3x2x9x4xf32>
  return %y : tensor<?x3x2x9x4xf32>
}

// -----

// Too many of them.
// CHECK-LABEL: func.func @many_heads(
// CHECK-NOT: aft.
// CHECK: return
func.func @many_heads(%k: tensor<?x65x9x4xf32>, %v: tensor<?x65x9x4xf32>, %w: tensor<65x9x9xf32>) -> tensor<?x65x9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %batch = tensor.dim %k, %c0 : tensor<?x65x9x4xf32>
  %eo = tensor.empty(%batch) : tensor<?x65x9x4xf32>
  %ew = tensor.empty() : tensor<65x9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%eo : tensor<?x65x9x4xf32>) -> tensor<?x65x9x4xf32>
  %keys = linalg.exp ins(%k : tensor<?x65x9x4xf32>) outs(%eo : tensor<?x65x9x4xf32>) -> tensor<?x65x9x4xf32>
  %weights = linalg.exp ins(%w : tensor<65x9x9xf32>) outs(%ew : tensor<65x9x9xf32>) -> tensor<65x9x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<?x65x9x4xf32>, tensor<?x65x9x4xf32>) outs(%eo : tensor<?x65x9x4xf32>) -> tensor<?x65x9x4xf32>
  %n = linalg.generic {indexing_maps = [affine_map<(b, h, t, c, s) -> (h, t, s)>, affine_map<(b, h, t, c, s) -> (b, h, s, c)>, affine_map<(b, h, t, c, s) -> (b, h, t, c)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]} ins(%weights, %kv : tensor<65x9x9xf32>, tensor<?x65x9x4xf32>) outs(%init : tensor<?x65x9x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %m = arith.mulf %a, %b : f32
    %s = arith.addf %o, %m : f32
    linalg.yield %s : f32
  } -> tensor<?x65x9x4xf32>
  %z = linalg.generic {indexing_maps = [affine_map<(b, h, t, c, s) -> (h, t, s)>, affine_map<(b, h, t, c, s) -> (b, h, s, c)>, affine_map<(b, h, t, c, s) -> (b, h, t, c)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]} ins(%weights, %keys : tensor<65x9x9xf32>, tensor<?x65x9x4xf32>) outs(%init : tensor<?x65x9x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %m = arith.mulf %a, %b : f32
    %s = arith.addf %o, %m : f32
    linalg.yield %s : f32
  } -> tensor<?x65x9x4xf32>
  // expected-remark @below {{not raised to a mixer: the bias differs in more than 64 heads, and the size of the batch is not known}}
  %y = linalg.div ins(%n, %z : tensor<?x65x9x4xf32>, tensor<?x65x9x4xf32>) outs(%eo : tensor<?x65x9x4xf32>) -> tensor<?x65x9x4xf32>
  return %y : tensor<?x65x9x4xf32>
}

// -----

// A bias that is a softmax itself: what divides it divides numerator and denominator.
// CHECK-LABEL: func.func @bias_is_softmax(
// CHECK-SAME: %[[K:.*]]: tensor<2x9x4xf32>, %[[V:.*]]: tensor<2x9x4xf32>, %[[W:.*]]: tensor<9x9xf32>
// CHECK-NEXT: %[[Y:.*]] = aft.full %[[V]], %[[K]], %[[V]], %[[W]] gate = none
// CHECK-NEXT: return %[[Y]]
func.func @bias_is_softmax(%k: tensor<2x9x4xf32>, %v: tensor<2x9x4xf32>, %w: tensor<9x9xf32>) -> tensor<2x9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %eo = tensor.empty() : tensor<2x9x4xf32>
  %ew = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%eo : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %keys = linalg.exp ins(%k : tensor<2x9x4xf32>) outs(%eo : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<2x9x4xf32>, tensor<2x9x4xf32>) outs(%eo : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %e = linalg.exp ins(%w : tensor<9x9xf32>) outs(%ew : tensor<9x9xf32>) -> tensor<9x9xf32>
  %er = tensor.empty() : tensor<9xf32>
  %none = linalg.fill ins(%zero : f32) outs(%er : tensor<9xf32>) -> tensor<9xf32>
  %sum = linalg.generic {indexing_maps = [affine_map<(t, s) -> (t, s)>, affine_map<(t, s) -> (t)>], iterator_types = ["parallel", "reduction"]} ins(%e : tensor<9x9xf32>) outs(%none : tensor<9xf32>) {
  ^bb0(%a: f32, %o: f32):
    %s = arith.addf %a, %o : f32
    linalg.yield %s : f32
  } -> tensor<9xf32>
  %weights = linalg.generic {indexing_maps = [affine_map<(t, s) -> (t, s)>, affine_map<(t, s) -> (t)>, affine_map<(t, s) -> (t, s)>], iterator_types = ["parallel", "parallel"]} ins(%e, %sum : tensor<9x9xf32>, tensor<9xf32>) outs(%ew : tensor<9x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %r = arith.divf %a, %b : f32
    linalg.yield %r : f32
  } -> tensor<9x9xf32>
  %n = linalg.generic {indexing_maps = [affine_map<(b, t, c, s) -> (t, s)>, affine_map<(b, t, c, s) -> (b, s, c)>, affine_map<(b, t, c, s) -> (b, t, c)>], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%weights, %kv : tensor<9x9xf32>, tensor<2x9x4xf32>) outs(%init : tensor<2x9x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %m = arith.mulf %a, %b : f32
    %s = arith.addf %o, %m : f32
    linalg.yield %s : f32
  } -> tensor<2x9x4xf32>
  %z = linalg.generic {indexing_maps = [affine_map<(b, t, c, s) -> (t, s)>, affine_map<(b, t, c, s) -> (b, s, c)>, affine_map<(b, t, c, s) -> (b, t, c)>], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%weights, %keys : tensor<9x9xf32>, tensor<2x9x4xf32>) outs(%init : tensor<2x9x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %m = arith.mulf %a, %b : f32
    %s = arith.addf %o, %m : f32
    linalg.yield %s : f32
  } -> tensor<2x9x4xf32>
  // expected-remark @below {{raised to aft.full}}
  %y = linalg.div ins(%n, %z : tensor<2x9x4xf32>, tensor<2x9x4xf32>) outs(%eo : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  return %y : tensor<2x9x4xf32>
}
