// RUN: aft-opt %s -split-input-file -aft-raise-mixers -canonicalize -cse | FileCheck %s
// RUN: aft-opt %s -split-input-file -aft-raise-mixers=remarks -verify-diagnostics -o /dev/null

// Biases that are written as powers of a decay.

#xy = affine_map<(x, y) -> (x, y)>

// sigmoid(g) ** abs(t - t'): the logarithm of a sigmoid without its exponential.
// CHECK-LABEL: func.func @sigmoid_power(
// CHECK: math.log1p
// CHECK-NOT: math.powf
// CHECK: aft.full %{{.*}} gate = none : {{.*}}tensor<9x9xf32>)
// CHECK-NOT: linalg.matmul
// CHECK: return
func.func @sigmoid_power(%k: tensor<9x4xf32>, %v: tensor<9x4xf32>, %g: tensor<f32>) -> tensor<9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %one = arith.constant 1.0 : f32
  %e0 = tensor.empty() : tensor<9x4xf32>
  %e1 = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %keys = linalg.exp ins(%k : tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %weights = linalg.generic {indexing_maps = [affine_map<(x, y) -> ()>, #xy], iterator_types = ["parallel", "parallel"]} ins(%g : tensor<f32>) outs(%e1 : tensor<9x9xf32>) {
  ^bb0(%a: f32, %o: f32):
    %n = arith.negf %a : f32
    %p = math.exp %n : f32
    %s = arith.addf %one, %p : f32
    %decay = arith.divf %one, %s : f32
    %t = linalg.index 0 : index
    %u = linalg.index 1 : index
    %ti = arith.index_cast %t : index to i64
    %ui = arith.index_cast %u : index to i64
    %d = arith.subi %ti, %ui : i64
    %f = arith.sitofp %d : i64 to f32
    %abs = math.absf %f : f32
    %w = math.powf %decay, %abs : f32
    linalg.yield %w : f32
  } -> tensor<9x9xf32>
  %n = linalg.matmul ins(%weights, %kv : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  %z = linalg.matmul ins(%weights, %keys : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  // expected-remark @below {{raised to aft.full}}
  // expected-remark @below {{no aft.conv: all channels share a bias of distances without a window}}
  %y = linalg.div ins(%n, %z : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  return %y : tensor<9x4xf32>
}

// -----

#xyc = affine_map<(x, y, c) -> (x, y, c)>
#wide = affine_map<(x, c, y) -> (x, y, c)>
#keys = affine_map<(x, c, y) -> (y, c)>
#row = affine_map<(x, c, y) -> (x, c)>

// A constant decay per channel, of which one is 0, whose power 0 is 1.
// CHECK-LABEL: func.func @constant_power(
// CHECK-NOT: math.powf
// CHECK: aft.conv %{{.*}} causal gate = none : {{.*}}tensor<4x9xf32>)
func.func @constant_power(%k: tensor<9x4xf32>, %v: tensor<9x4xf32>) -> tensor<9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %decay = arith.constant dense<[0.0, 0.5, 0.875, 1.0]> : tensor<4xf32>
  %e0 = tensor.empty() : tensor<9x4xf32>
  %e1 = tensor.empty() : tensor<9x9x4xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %keys = linalg.exp ins(%k : tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %weights = linalg.generic {indexing_maps = [affine_map<(x, y, c) -> (c)>, #xyc], iterator_types = ["parallel", "parallel", "parallel"]} ins(%decay : tensor<4xf32>) outs(%e1 : tensor<9x9x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = linalg.index 0 : index
    %u = linalg.index 1 : index
    %ti = arith.index_cast %t : index to i64
    %ui = arith.index_cast %u : index to i64
    %d = arith.subi %ti, %ui : i64
    %none = arith.constant 0 : i64
    %m = arith.maxsi %d, %none : i64
    %f = arith.sitofp %m : i64 to f32
    %p = math.powf %a, %f : f32
    %seen = arith.cmpi sge, %d, %none : i64
    %w = arith.select %seen, %p, %zero : f32
    linalg.yield %w : f32
  } -> tensor<9x9x4xf32>
  %n = linalg.generic {indexing_maps = [#wide, #keys, #keys, #row], iterator_types = ["parallel", "parallel", "reduction"]} ins(%weights, %keys, %v : tensor<9x9x4xf32>, tensor<9x4xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32, %o: f32):
    %m = arith.mulf %a, %b : f32
    %x = arith.mulf %m, %c : f32
    %u = arith.addf %o, %x : f32
    linalg.yield %u : f32
  } -> tensor<9x4xf32>
  %z = linalg.generic {indexing_maps = [#wide, #keys, #row], iterator_types = ["parallel", "parallel", "reduction"]} ins(%weights, %keys : tensor<9x9x4xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %m = arith.mulf %a, %b : f32
    %u = arith.addf %o, %m : f32
    linalg.yield %u : f32
  } -> tensor<9x4xf32>
  // expected-remark @below {{raised to aft.conv}}
  %y = linalg.div ins(%n, %z : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  return %y : tensor<9x4xf32>
}

// -----

#xy = affine_map<(x, y) -> (x, y)>

// A base that may be negative has no logarithm.
// CHECK-LABEL: func.func @any_base(
// CHECK-NOT: aft.
// CHECK: return
func.func @any_base(%k: tensor<9x4xf32>, %v: tensor<9x4xf32>, %w: tensor<9x9xf32>) -> tensor<9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %two = arith.constant 2.0 : f32
  %e0 = tensor.empty() : tensor<9x4xf32>
  %e1 = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %keys = linalg.exp ins(%k : tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %weights = linalg.generic {indexing_maps = [#xy, #xy], iterator_types = ["parallel", "parallel"]} ins(%w : tensor<9x9xf32>) outs(%e1 : tensor<9x9xf32>) {
  ^bb0(%a: f32, %o: f32):
    %p = math.powf %a, %two : f32
    linalg.yield %p : f32
  } -> tensor<9x9xf32>
  %n = linalg.matmul ins(%weights, %kv : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  %z = linalg.matmul ins(%weights, %keys : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  // expected-remark @below {{not raised to a mixer: a factor of the weights is a power whose base may be negative: exp, sigmoid, abs or a constant is not}}
  %y = linalg.div ins(%n, %z : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  return %y : tensor<9x4xf32>
}
