// RUN: aft-opt %s -split-input-file -aft-raise-mixers -canonicalize -cse | FileCheck %s
// RUN: aft-opt %s -split-input-file -aft-raise-mixers=remarks -verify-diagnostics -o /dev/null

// What looks like a mixer and is none.

#xy = affine_map<(x, y) -> (x, y)>

// The denominator has another use, so nothing is won.
// CHECK-LABEL: func.func @denominator_used(
// CHECK-NOT: aft.
// CHECK: return
func.func @denominator_used(%k: tensor<9x4xf32>, %v: tensor<9x4xf32>, %w: tensor<9x9xf32>, %u: tensor<9x4xf32>) -> tensor<9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<9x4xf32>
  %e1 = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %keys = linalg.exp ins(%k : tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %weights = linalg.exp ins(%w : tensor<9x9xf32>) outs(%e1 : tensor<9x9xf32>) -> tensor<9x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %n = linalg.matmul ins(%weights, %kv : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  %z = linalg.matmul ins(%weights, %keys : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  // expected-remark @below {{not raised to a mixer: the numerator or the denominator has another use}}
  %r = linalg.div ins(%n, %z : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %y = linalg.add ins(%r, %z : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  return %y : tensor<9x4xf32>
}

// -----

#xy = affine_map<(x, y) -> (x, y)>

// The numerator has another use.
// CHECK-LABEL: func.func @numerator_used(
// CHECK-NOT: aft.
// CHECK: return
func.func @numerator_used(%k: tensor<9x4xf32>, %v: tensor<9x4xf32>, %w: tensor<9x9xf32>, %u: tensor<9x4xf32>) -> tensor<9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<9x4xf32>
  %e1 = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %keys = linalg.exp ins(%k : tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %weights = linalg.exp ins(%w : tensor<9x9xf32>) outs(%e1 : tensor<9x9xf32>) -> tensor<9x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %n = linalg.matmul ins(%weights, %kv : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  %z = linalg.matmul ins(%weights, %keys : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  // expected-remark @below {{not raised to a mixer: the numerator or the denominator has another use}}
  %r = linalg.div ins(%n, %z : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %y = linalg.add ins(%r, %n : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  return %y : tensor<9x4xf32>
}

// -----

#xy = affine_map<(x, y) -> (x, y)>

// Other keys below
// CHECK-LABEL: func.func @other_keys(
// CHECK-NOT: aft.
// CHECK: return
func.func @other_keys(%k: tensor<9x4xf32>, %v: tensor<9x4xf32>, %w: tensor<9x9xf32>, %u: tensor<9x4xf32>) -> tensor<9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<9x4xf32>
  %e1 = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %keys = linalg.exp ins(%k : tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %weights = linalg.exp ins(%w : tensor<9x9xf32>) outs(%e1 : tensor<9x9xf32>) -> tensor<9x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %others = linalg.exp ins(%u : tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %n = linalg.matmul ins(%weights, %kv : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  %z = linalg.matmul ins(%weights, %others : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  // expected-remark @below {{not raised to a mixer: numerator and denominator have different weights}}
  %y = linalg.div ins(%n, %z : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  return %y : tensor<9x4xf32>
}

// -----

#xy = affine_map<(x, y) -> (x, y)>

// Another bias below
// CHECK-LABEL: func.func @other_bias(
// CHECK-NOT: aft.
// CHECK: return
func.func @other_bias(%k: tensor<9x4xf32>, %v: tensor<9x4xf32>, %w: tensor<9x9xf32>, %u: tensor<9x9xf32>) -> tensor<9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<9x4xf32>
  %e1 = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %keys = linalg.exp ins(%k : tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %weights = linalg.exp ins(%w : tensor<9x9xf32>) outs(%e1 : tensor<9x9xf32>) -> tensor<9x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %others = linalg.exp ins(%u : tensor<9x9xf32>) outs(%e1 : tensor<9x9xf32>) -> tensor<9x9xf32>
  %n = linalg.matmul ins(%weights, %kv : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  %z = linalg.matmul ins(%others, %keys : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  // expected-remark @below {{not raised to a mixer: numerator and denominator have different weights}}
  %y = linalg.div ins(%n, %z : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  return %y : tensor<9x4xf32>
}

// -----

#xy = affine_map<(x, y) -> (x, y)>

// The bias below is transposed.
// CHECK-LABEL: func.func @transposed_bias(
// CHECK-NOT: aft.
// CHECK: return
func.func @transposed_bias(%k: tensor<9x4xf32>, %v: tensor<9x4xf32>, %w: tensor<9x9xf32>, %u: tensor<9x4xf32>) -> tensor<9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<9x4xf32>
  %e1 = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %keys = linalg.exp ins(%k : tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %weights = linalg.exp ins(%w : tensor<9x9xf32>) outs(%e1 : tensor<9x9xf32>) -> tensor<9x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %others = linalg.generic {indexing_maps = [affine_map<(x, y) -> (y, x)>, #xy], iterator_types = ["parallel", "parallel"]} ins(%weights : tensor<9x9xf32>) outs(%e1 : tensor<9x9xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  } -> tensor<9x9xf32>
  %n = linalg.matmul ins(%weights, %kv : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  %z = linalg.matmul ins(%others, %keys : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  // expected-remark @below {{not raised to a mixer: numerator and denominator have different weights}}
  %y = linalg.div ins(%n, %z : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  return %y : tensor<9x4xf32>
}

// -----

#xy = affine_map<(x, y) -> (x, y)>
#yx = affine_map<(x, y) -> (y)>

// The bias is missing below.
// CHECK-LABEL: func.func @no_bias_below(
// CHECK-NOT: aft.
// CHECK: return
func.func @no_bias_below(%k: tensor<9x4xf32>, %v: tensor<9x4xf32>, %w: tensor<9x9xf32>, %u: tensor<9x4xf32>) -> tensor<9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<9x4xf32>
  %e1 = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %keys = linalg.exp ins(%k : tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %weights = linalg.exp ins(%w : tensor<9x9xf32>) outs(%e1 : tensor<9x9xf32>) -> tensor<9x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %e2 = tensor.empty() : tensor<4xf32>
  %i = linalg.fill ins(%zero : f32) outs(%e2 : tensor<4xf32>) -> tensor<4xf32>
  %s = linalg.generic {indexing_maps = [#xy, #yx], iterator_types = ["reduction", "parallel"]} ins(%keys : tensor<9x4xf32>) outs(%i : tensor<4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = arith.addf %a, %o : f32
    linalg.yield %t : f32
  } -> tensor<4xf32>
  %n = linalg.matmul ins(%weights, %kv : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  // expected-remark @below {{not raised to a mixer: the numerator has exponentials that the denominator lacks}}
  %y = linalg.generic {indexing_maps = [#xy, #yx, #xy], iterator_types = ["parallel", "parallel"]} ins(%n, %s : tensor<9x4xf32>, tensor<4xf32>) outs(%e0 : tensor<9x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %r = arith.divf %a, %b : f32
    linalg.yield %r : f32
  } -> tensor<9x4xf32>
  return %y : tensor<9x4xf32>
}

// -----

#xy = affine_map<(x, y) -> (x, y)>

// Weights that are no exponentials, as in linear attention
// CHECK-LABEL: func.func @linear_bias(
// CHECK-NOT: aft.
// CHECK: return
func.func @linear_bias(%k: tensor<9x4xf32>, %v: tensor<9x4xf32>, %w: tensor<9x9xf32>, %u: tensor<9x4xf32>) -> tensor<9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<9x4xf32>
  %e1 = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %keys = linalg.exp ins(%k : tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %weights = linalg.exp ins(%w : tensor<9x9xf32>) outs(%e1 : tensor<9x9xf32>) -> tensor<9x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %n = linalg.matmul ins(%w, %kv : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  %z = linalg.matmul ins(%w, %keys : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  // expected-remark @below {{not raised to a mixer: a factor of the weights is neither an exponential nor a mask that is known}}
  %y = linalg.div ins(%n, %z : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  return %y : tensor<9x4xf32>
}

// -----

#xy = affine_map<(x, y) -> (x, y)>
#yx = affine_map<(x, y) -> (y)>

// Only the numerator has the linear weights.
// CHECK-LABEL: func.func @linear_above(
// CHECK-NOT: aft.
// CHECK: return
func.func @linear_above(%k: tensor<9x4xf32>, %v: tensor<9x4xf32>, %w: tensor<9x9xf32>, %u: tensor<9x4xf32>) -> tensor<9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<9x4xf32>
  %e1 = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %keys = linalg.exp ins(%k : tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %weights = linalg.exp ins(%w : tensor<9x9xf32>) outs(%e1 : tensor<9x9xf32>) -> tensor<9x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %e2 = tensor.empty() : tensor<4xf32>
  %i = linalg.fill ins(%zero : f32) outs(%e2 : tensor<4xf32>) -> tensor<4xf32>
  %s = linalg.generic {indexing_maps = [#xy, #yx], iterator_types = ["reduction", "parallel"]} ins(%keys : tensor<9x4xf32>) outs(%i : tensor<4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = arith.addf %a, %o : f32
    linalg.yield %t : f32
  } -> tensor<4xf32>
  %n = linalg.matmul ins(%w, %kv : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  // expected-remark @below {{not raised to a mixer: the values depend on every dimension of the result, none is that of queries}}
  %y = linalg.generic {indexing_maps = [#xy, #yx, #xy], iterator_types = ["parallel", "parallel"]} ins(%n, %s : tensor<9x4xf32>, tensor<4xf32>) outs(%e0 : tensor<9x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %r = arith.divf %a, %b : f32
    linalg.yield %r : f32
  } -> tensor<9x4xf32>
  return %y : tensor<9x4xf32>
}

// -----

#xy = affine_map<(x, y) -> (x, y)>

// The same above and below
// CHECK-LABEL: func.func @no_values(
// CHECK-NOT: aft.
// CHECK: return
func.func @no_values(%k: tensor<9x4xf32>, %v: tensor<9x4xf32>, %w: tensor<9x9xf32>, %u: tensor<9x4xf32>) -> tensor<9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<9x4xf32>
  %e1 = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %keys = linalg.exp ins(%k : tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %weights = linalg.exp ins(%w : tensor<9x9xf32>) outs(%e1 : tensor<9x9xf32>) -> tensor<9x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %n = linalg.matmul ins(%weights, %keys : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  %z = linalg.matmul ins(%weights, %keys : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  %y = linalg.div ins(%n, %z : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  return %y : tensor<9x4xf32>
}

// -----

#xy = affine_map<(x, y) -> (x, y)>

// Divided by the square of the denominator
// CHECK-LABEL: func.func @squared_below(
// CHECK-NOT: aft.
// CHECK: return
func.func @squared_below(%k: tensor<9x4xf32>, %v: tensor<9x4xf32>, %w: tensor<9x9xf32>, %u: tensor<9x4xf32>) -> tensor<9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<9x4xf32>
  %e1 = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %keys = linalg.exp ins(%k : tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %weights = linalg.exp ins(%w : tensor<9x9xf32>) outs(%e1 : tensor<9x9xf32>) -> tensor<9x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %n = linalg.matmul ins(%weights, %kv : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  %z = linalg.matmul ins(%weights, %keys : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  %z2 = linalg.mul ins(%z, %z : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %y = linalg.div ins(%n, %z2 : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  return %y : tensor<9x4xf32>
}

// -----

#xy = affine_map<(x, y) -> (x, y)>

// The denominator divided by the numerator
// CHECK-LABEL: func.func @other_way(
// CHECK-NOT: aft.
// CHECK: return
func.func @other_way(%k: tensor<9x4xf32>, %v: tensor<9x4xf32>, %w: tensor<9x9xf32>, %u: tensor<9x4xf32>) -> tensor<9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<9x4xf32>
  %e1 = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %keys = linalg.exp ins(%k : tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %weights = linalg.exp ins(%w : tensor<9x9xf32>) outs(%e1 : tensor<9x9xf32>) -> tensor<9x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %n = linalg.matmul ins(%weights, %kv : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  %z = linalg.matmul ins(%weights, %keys : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  // expected-remark @below {{not raised to a mixer: a factor of the weights is neither an exponential nor a mask that is known}}
  %y = linalg.div ins(%z, %n : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  return %y : tensor<9x4xf32>
}

// -----

#k = affine_map<(x, y, z) -> (z, y)>
#x = affine_map<(x, y) -> (x)>
#xy = affine_map<(x, y) -> (x, y)>

// Softmax attention has no keys beside the scores.
// CHECK-LABEL: func.func @attention(
// CHECK-NOT: aft.
// CHECK: return
func.func @attention(%k: tensor<9x4xf32>, %v: tensor<9x4xf32>, %w: tensor<9x9xf32>, %u: tensor<9x4xf32>) -> tensor<9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<9x4xf32>
  %e1 = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %keys = linalg.exp ins(%k : tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %weights = linalg.exp ins(%w : tensor<9x9xf32>) outs(%e1 : tensor<9x9xf32>) -> tensor<9x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %e2 = tensor.empty() : tensor<9xf32>
  %fi = linalg.fill ins(%zero : f32) outs(%e2 : tensor<9xf32>) -> tensor<9xf32>
  %one = linalg.generic {indexing_maps = [#xy, #x], iterator_types = ["parallel", "reduction"]} ins(%weights : tensor<9x9xf32>) outs(%fi : tensor<9xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = arith.addf %a, %o : f32
    linalg.yield %t : f32
  } -> tensor<9xf32>
  %n = linalg.matmul ins(%weights, %v : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  // expected-remark @below {{not raised to a mixer: there is no key, only a bias: softmax attention}}
  %y = linalg.generic {indexing_maps = [#xy, #x, #xy], iterator_types = ["parallel", "parallel"]} ins(%n, %one : tensor<9x4xf32>, tensor<9xf32>) outs(%e0 : tensor<9x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %r = arith.divf %a, %b : f32
    linalg.yield %r : f32
  } -> tensor<9x4xf32>
  return %y : tensor<9x4xf32>
}

// -----

#xy = affine_map<(x, y) -> (x, y)>
#yx = affine_map<(x, y) -> (y)>

// A maximum is subtracted above alone.
// CHECK-LABEL: func.func @max_above(
// CHECK-NOT: aft.
// CHECK: return
func.func @max_above(%k: tensor<9x4xf32>, %v: tensor<9x4xf32>, %w: tensor<9x9xf32>) -> tensor<9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<9x4xf32>
  %e1 = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %keys = linalg.exp ins(%k : tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %weights = linalg.exp ins(%w : tensor<9x9xf32>) outs(%e1 : tensor<9x9xf32>) -> tensor<9x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %lowest = arith.constant 0xFF800000 : f32
  %e2 = tensor.empty() : tensor<4xf32>
  %i = linalg.fill ins(%lowest : f32) outs(%e2 : tensor<4xf32>) -> tensor<4xf32>
  %m = linalg.generic {indexing_maps = [#xy, #yx], iterator_types = ["reduction", "parallel"]} ins(%k : tensor<9x4xf32>) outs(%i : tensor<4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = arith.maximumf %a, %o : f32
    linalg.yield %t : f32
  } -> tensor<4xf32>
  %scaled = linalg.generic {indexing_maps = [#xy, #yx, #xy], iterator_types = ["parallel", "parallel"]} ins(%k, %m : tensor<9x4xf32>, tensor<4xf32>) outs(%e0 : tensor<9x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %d = arith.subf %a, %b : f32
    %x = math.exp %d : f32
    linalg.yield %x : f32
  } -> tensor<9x4xf32>
  %sv = linalg.mul ins(%scaled, %v : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %n = linalg.matmul ins(%weights, %sv : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  %z = linalg.matmul ins(%weights, %keys : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  // expected-remark @below {{not raised to a mixer: what is subtracted before the exponentials differs in numerator and denominator}}
  %y = linalg.div ins(%n, %z : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  return %y : tensor<9x4xf32>
}

// -----

#xy = affine_map<(x, y) -> (x, y)>

// A sum that does not start at 0
// CHECK-LABEL: func.func @not_from_zero(
// CHECK-NOT: aft.
// CHECK: return
func.func @not_from_zero(%k: tensor<9x4xf32>, %v: tensor<9x4xf32>, %w: tensor<9x9xf32>, %u: tensor<9x4xf32>) -> tensor<9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<9x4xf32>
  %e1 = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %keys = linalg.exp ins(%k : tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %weights = linalg.exp ins(%w : tensor<9x9xf32>) outs(%e1 : tensor<9x9xf32>) -> tensor<9x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %n = linalg.matmul ins(%weights, %kv : tensor<9x9xf32>, tensor<9x4xf32>) outs(%u : tensor<9x4xf32>) -> tensor<9x4xf32>
  %z = linalg.matmul ins(%weights, %keys : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  %y = linalg.div ins(%n, %z : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  return %y : tensor<9x4xf32>
}

// -----

#xy = affine_map<(x, y) -> (x, y)>

// No gradient is to reach the denominator.
// CHECK-LABEL: func.func @stopped(
// CHECK-NOT: aft.full
// CHECK: return
func.func @stopped(%k: tensor<9x4xf32>, %v: tensor<9x4xf32>, %w: tensor<9x9xf32>, %u: tensor<9x4xf32>) -> tensor<9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<9x4xf32>
  %e1 = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %keys = linalg.exp ins(%k : tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %weights = linalg.exp ins(%w : tensor<9x9xf32>) outs(%e1 : tensor<9x9xf32>) -> tensor<9x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %n = linalg.matmul ins(%weights, %kv : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  %z = linalg.matmul ins(%weights, %keys : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  %stop = aft.stop_gradient %z : (tensor<9x4xf32>) -> tensor<9x4xf32>
  %y = linalg.div ins(%n, %stop : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  return %y : tensor<9x4xf32>
}

// -----

#xy = affine_map<(x, y) -> (x, y)>

// A number that bounds the denominator stays.
// CHECK-LABEL: func.func @epsilon(
// CHECK-NOT: aft.
// CHECK: return
func.func @epsilon(%k: tensor<9x4xf32>, %v: tensor<9x4xf32>, %w: tensor<9x9xf32>, %u: tensor<9x4xf32>) -> tensor<9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<9x4xf32>
  %e1 = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %keys = linalg.exp ins(%k : tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %weights = linalg.exp ins(%w : tensor<9x9xf32>) outs(%e1 : tensor<9x9xf32>) -> tensor<9x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %small = arith.constant 1.0e-6 : f32
  %n = linalg.matmul ins(%weights, %kv : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  %z = linalg.matmul ins(%weights, %keys : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  // expected-remark @below {{not raised to a mixer: a small number bounds the denominator, which may be smaller; --fast leaves it out}}
  %y = linalg.generic {indexing_maps = [#xy, #xy, #xy], iterator_types = ["parallel", "parallel"]} ins(%n, %z : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.maximumf %b, %small : f32
    %r = arith.divf %a, %s : f32
    linalg.yield %r : f32
  } -> tensor<9x4xf32>
  return %y : tensor<9x4xf32>
}

// -----

#xy = affine_map<(x, y) -> (x, y)>

// Queries are hidden afterwards, which a mixer cannot.
// CHECK-LABEL: func.func @result_masked(
// CHECK-NOT: aft.
// CHECK: return
func.func @result_masked(%k: tensor<9x4xf32>, %v: tensor<9x4xf32>, %w: tensor<9x9xf32>, %u: tensor<9x4xf32>) -> tensor<9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<9x4xf32>
  %e1 = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %keys = linalg.exp ins(%k : tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %weights = linalg.exp ins(%w : tensor<9x9xf32>) outs(%e1 : tensor<9x9xf32>) -> tensor<9x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %gate = linalg.generic {indexing_maps = [#xy], iterator_types = ["parallel", "parallel"]} outs(%e0 : tensor<9x4xf32>) {
  ^bb0(%o: f32):
    %t = linalg.index 0 : index
    %four = arith.constant 4 : index
    %c = arith.cmpi slt, %t, %four : index
    %one = arith.constant 1.0 : f32
    %g = arith.select %c, %one, %zero : f32
    linalg.yield %g : f32
  } -> tensor<9x4xf32>
  %n = linalg.matmul ins(%weights, %kv : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  %z = linalg.matmul ins(%weights, %keys : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  // expected-remark @below {{not raised to a mixer: the result is masked}}
  %y = linalg.generic {indexing_maps = [#xy, #xy, #xy, #xy], iterator_types = ["parallel", "parallel"]} ins(%n, %z, %gate : tensor<9x4xf32>, tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32, %o: f32):
    %r = arith.divf %a, %b : f32
    %s = arith.mulf %r, %c : f32
    linalg.yield %s : f32
  } -> tensor<9x4xf32>
  return %y : tensor<9x4xf32>
}

// -----

#xy = affine_map<(x, y) -> (x, y)>

// exp(w - inf) is 0 everywhere.
// CHECK-LABEL: func.func @infinite(
// CHECK-NOT: aft.
// CHECK: return
func.func @infinite(%k: tensor<9x4xf32>, %v: tensor<9x4xf32>, %w: tensor<9x9xf32>, %u: tensor<9x4xf32>) -> tensor<9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<9x4xf32>
  %e1 = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %keys = linalg.exp ins(%k : tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %weights = linalg.exp ins(%w : tensor<9x9xf32>) outs(%e1 : tensor<9x9xf32>) -> tensor<9x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %inf = arith.constant 0x7F800000 : f32
  %nothing = linalg.generic {indexing_maps = [#xy, #xy], iterator_types = ["parallel", "parallel"]} ins(%w : tensor<9x9xf32>) outs(%e1 : tensor<9x9xf32>) {
  ^bb0(%a: f32, %o: f32):
    %s = arith.subf %a, %inf : f32
    %x = math.exp %s : f32
    linalg.yield %x : f32
  } -> tensor<9x9xf32>
  %n = linalg.matmul ins(%nothing, %kv : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  %z = linalg.matmul ins(%nothing, %keys : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  // expected-remark @below {{not raised to a mixer: what is added to the exponents is not finite}}
  %y = linalg.div ins(%n, %z : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  return %y : tensor<9x4xf32>
}
