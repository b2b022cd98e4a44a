// RUN: aft-opt %s -split-input-file -aft-raise-mixers -canonicalize -cse | FileCheck %s
// RUN: aft-opt %s -split-input-file -aft-raise-mixers=remarks -verify-diagnostics -o /dev/null

#ts = affine_map<(t, s) -> (t, s)>

// where(t' <= t, w, -inf)
// CHECK-LABEL: func.func @filled(
// CHECK: aft.full {{.*}}, %arg2 causal gate = none
// CHECK: return
func.func @filled(%k: tensor<9x4xf32>, %v: tensor<9x4xf32>, %w: tensor<9x9xf32>) -> tensor<9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %inf = arith.constant 0xFF800000 : f32
  %e0 = tensor.empty() : tensor<9x4xf32>
  %e1 = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %keys = linalg.exp ins(%k : tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %weights = linalg.generic {indexing_maps = [#ts, #ts], iterator_types = ["parallel", "parallel"]} ins(%w : tensor<9x9xf32>) outs(%e1 : tensor<9x9xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = linalg.index 0 : index
    %s = linalg.index 1 : index
    %c = arith.cmpi sle, %s, %t : index
    %m = arith.select %c, %a, %inf : f32
    %x = math.exp %m : f32
    linalg.yield %x : f32
  } -> tensor<9x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %n = linalg.matmul ins(%weights, %kv : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  %z = linalg.matmul ins(%weights, %keys : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  // expected-remark @below {{raised to aft.full}}
  %y = linalg.div ins(%n, %z : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  return %y : tensor<9x4xf32>
}

// -----

#ts = affine_map<(t, s) -> (t, s)>

// where(t' > t, -inf, w), as i32
// CHECK-LABEL: func.func @filled_else(
// CHECK: aft.full {{.*}}, %arg2 causal gate = none
// CHECK: return
func.func @filled_else(%k: tensor<9x4xf32>, %v: tensor<9x4xf32>, %w: tensor<9x9xf32>) -> tensor<9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %inf = arith.constant 0xFF800000 : f32
  %zeroi = arith.constant 0 : i32
  %e0 = tensor.empty() : tensor<9x4xf32>
  %e1 = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %keys = linalg.exp ins(%k : tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %weights = linalg.generic {indexing_maps = [#ts, #ts], iterator_types = ["parallel", "parallel"]} ins(%w : tensor<9x9xf32>) outs(%e1 : tensor<9x9xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = linalg.index 0 : index
    %s = linalg.index 1 : index
    %ti = arith.index_cast %t : index to i32
    %si = arith.index_cast %s : index to i32
    %d = arith.subi %si, %ti : i32
    %c = arith.cmpi sgt, %d, %zeroi : i32
    %m = arith.select %c, %inf, %a : f32
    %x = math.exp %m : f32
    linalg.yield %x : f32
  } -> tensor<9x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %n = linalg.matmul ins(%weights, %kv : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  %z = linalg.matmul ins(%weights, %keys : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  // expected-remark @below {{raised to aft.full}}
  %y = linalg.div ins(%n, %z : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  return %y : tensor<9x4xf32>
}

// -----

#ts = affine_map<(t, s) -> (t, s)>

// exp(w) times 0 or 1
// CHECK-LABEL: func.func @multiplied(
// CHECK: aft.full {{.*}}, %arg2 causal gate = none
// CHECK: return
func.func @multiplied(%k: tensor<9x4xf32>, %v: tensor<9x4xf32>, %w: tensor<9x9xf32>) -> tensor<9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<9x4xf32>
  %e1 = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %keys = linalg.exp ins(%k : tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %weights = linalg.generic {indexing_maps = [#ts, #ts], iterator_types = ["parallel", "parallel"]} ins(%w : tensor<9x9xf32>) outs(%e1 : tensor<9x9xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = linalg.index 0 : index
    %s = linalg.index 1 : index
    %c = arith.cmpi sge, %t, %s : index
    %m = arith.uitofp %c : i1 to f32
    %p = math.exp %a : f32
    %x = arith.mulf %p, %m : f32
    linalg.yield %x : f32
  } -> tensor<9x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %n = linalg.matmul ins(%weights, %kv : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  %z = linalg.matmul ins(%weights, %keys : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  // expected-remark @below {{raised to aft.full}}
  %y = linalg.div ins(%n, %z : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  return %y : tensor<9x4xf32>
}

// -----

#ts = affine_map<(t, s) -> (t, s)>

// tril(exp(w))
// CHECK-LABEL: func.func @lower(
// CHECK: aft.full {{.*}}, %arg2 causal gate = none
// CHECK: return
func.func @lower(%k: tensor<9x4xf32>, %v: tensor<9x4xf32>, %w: tensor<9x9xf32>) -> tensor<9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<9x4xf32>
  %e1 = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %keys = linalg.exp ins(%k : tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %weights = linalg.generic {indexing_maps = [#ts, #ts], iterator_types = ["parallel", "parallel"]} ins(%w : tensor<9x9xf32>) outs(%e1 : tensor<9x9xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = linalg.index 0 : index
    %s = linalg.index 1 : index
    %c = arith.cmpi ult, %t, %s : index
    %p = math.exp %a : f32
    %x = arith.select %c, %zero, %p : f32
    linalg.yield %x : f32
  } -> tensor<9x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %n = linalg.matmul ins(%weights, %kv : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  %z = linalg.matmul ins(%weights, %keys : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  // expected-remark @below {{raised to aft.full}}
  %y = linalg.div ins(%n, %z : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  return %y : tensor<9x4xf32>
}

// -----

#ts = affine_map<(t, s) -> (t, s)>

// exp(w + where(t' > t, -inf, 0))
// CHECK-LABEL: func.func @added(
// CHECK: aft.full {{.*}}, %arg2 causal gate = none
// CHECK: return
func.func @added(%k: tensor<9x4xf32>, %v: tensor<9x4xf32>, %w: tensor<9x9xf32>) -> tensor<9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %inf = arith.constant 0xFF800000 : f32
  %e0 = tensor.empty() : tensor<9x4xf32>
  %e1 = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %keys = linalg.exp ins(%k : tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %weights = linalg.generic {indexing_maps = [#ts, #ts], iterator_types = ["parallel", "parallel"]} ins(%w : tensor<9x9xf32>) outs(%e1 : tensor<9x9xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = linalg.index 0 : index
    %s = linalg.index 1 : index
    %c = arith.cmpi sgt, %s, %t : index
    %m = arith.select %c, %inf, %zero : f32
    %l = arith.addf %a, %m : f32
    %x = math.exp %l : f32
    linalg.yield %x : f32
  } -> tensor<9x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %n = linalg.matmul ins(%weights, %kv : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  %z = linalg.matmul ins(%weights, %keys : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  // expected-remark @below {{raised to aft.full}}
  %y = linalg.div ins(%n, %z : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  return %y : tensor<9x4xf32>
}

// -----

#ts = affine_map<(t, s) -> (t, s)>

// t' <= t written twice, as one condition
// CHECK-LABEL: func.func @in_parts(
// CHECK: aft.full {{.*}}, %arg2 causal gate = none
// CHECK: return
func.func @in_parts(%k: tensor<9x4xf32>, %v: tensor<9x4xf32>, %w: tensor<9x9xf32>) -> tensor<9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %inf = arith.constant 0xFF800000 : f32
  %e0 = tensor.empty() : tensor<9x4xf32>
  %e1 = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %keys = linalg.exp ins(%k : tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %weights = linalg.generic {indexing_maps = [#ts, #ts], iterator_types = ["parallel", "parallel"]} ins(%w : tensor<9x9xf32>) outs(%e1 : tensor<9x9xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = linalg.index 0 : index
    %s = linalg.index 1 : index
    %c1 = arith.cmpi sle, %s, %t : index
    %c2 = arith.cmpi sge, %t, %s : index
    %c = arith.andi %c1, %c2 : i1
    %m = arith.select %c, %a, %inf : f32
    %x = math.exp %m : f32
    linalg.yield %x : f32
  } -> tensor<9x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %n = linalg.matmul ins(%weights, %kv : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  %z = linalg.matmul ins(%weights, %keys : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  // expected-remark @below {{raised to aft.full}}
  %y = linalg.div ins(%n, %z : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  return %y : tensor<9x4xf32>
}

// -----

#ts = affine_map<(t, s) -> (t, s)>

// -1e9 hides as -inf does where each query sees a key.
// CHECK-LABEL: func.func @low(
// CHECK: aft.full {{.*}}, %arg2 causal gate = none
// CHECK: return
func.func @low(%k: tensor<9x4xf32>, %v: tensor<9x4xf32>, %w: tensor<9x9xf32>) -> tensor<9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %low = arith.constant -1.0e9 : f32
  %e0 = tensor.empty() : tensor<9x4xf32>
  %e1 = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %keys = linalg.exp ins(%k : tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %weights = linalg.generic {indexing_maps = [#ts, #ts], iterator_types = ["parallel", "parallel"]} ins(%w : tensor<9x9xf32>) outs(%e1 : tensor<9x9xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = linalg.index 0 : index
    %s = linalg.index 1 : index
    %c = arith.cmpi sle, %s, %t : index
    %m = arith.select %c, %a, %low : f32
    %x = math.exp %m : f32
    linalg.yield %x : f32
  } -> tensor<9x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %n = linalg.matmul ins(%weights, %kv : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  %z = linalg.matmul ins(%weights, %keys : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  // expected-remark @below {{raised to aft.full}}
  %y = linalg.div ins(%n, %z : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  return %y : tensor<9x4xf32>
}

// -----

#ts = affine_map<(t, s) -> (t, s)>

// w + (1 - mask) * -1e9
// CHECK-LABEL: func.func @low_added(
// CHECK: aft.full {{.*}}, %arg2 causal gate = none
// CHECK: return
func.func @low_added(%k: tensor<9x4xf32>, %v: tensor<9x4xf32>, %w: tensor<9x9xf32>) -> tensor<9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %low = arith.constant -1.0e9 : f32
  %one = arith.constant 1.0 : f32
  %e0 = tensor.empty() : tensor<9x4xf32>
  %e1 = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %keys = linalg.exp ins(%k : tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %weights = linalg.generic {indexing_maps = [#ts, #ts], iterator_types = ["parallel", "parallel"]} ins(%w : tensor<9x9xf32>) outs(%e1 : tensor<9x9xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = linalg.index 0 : index
    %s = linalg.index 1 : index
    %c = arith.cmpi sle, %s, %t : index
    %m = arith.uitofp %c : i1 to f32
    %h = arith.subf %one, %m : f32
    %n = arith.mulf %h, %low : f32
    %l = arith.addf %a, %n : f32
    %x = math.exp %l : f32
    linalg.yield %x : f32
  } -> tensor<9x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %n = linalg.matmul ins(%weights, %kv : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  %z = linalg.matmul ins(%weights, %keys : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  // expected-remark @below {{raised to aft.full}}
  %y = linalg.div ins(%n, %z : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  return %y : tensor<9x4xf32>
}

// -----

#ts = affine_map<(t, s) -> (t, s)>

// w + log(mask)
// CHECK-LABEL: func.func @logarithm(
// CHECK: aft.full {{.*}}, %arg2 causal gate = none
// CHECK: return
func.func @logarithm(%k: tensor<9x4xf32>, %v: tensor<9x4xf32>, %w: tensor<9x9xf32>) -> tensor<9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<9x4xf32>
  %e1 = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %keys = linalg.exp ins(%k : tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %weights = linalg.generic {indexing_maps = [#ts, #ts], iterator_types = ["parallel", "parallel"]} ins(%w : tensor<9x9xf32>) outs(%e1 : tensor<9x9xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = linalg.index 0 : index
    %s = linalg.index 1 : index
    %c = arith.cmpi sle, %s, %t : index
    %m = arith.uitofp %c : i1 to f32
    %n = math.log %m : f32
    %l = arith.addf %a, %n : f32
    %x = math.exp %l : f32
    linalg.yield %x : f32
  } -> tensor<9x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %n = linalg.matmul ins(%weights, %kv : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  %z = linalg.matmul ins(%weights, %keys : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  // expected-remark @below {{raised to aft.full}}
  %y = linalg.div ins(%n, %z : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  return %y : tensor<9x4xf32>
}

// -----

#ts = affine_map<(t, s) -> (t, s)>

// A mask of floats, compared
// CHECK-LABEL: func.func @greater_than_half(
// CHECK: aft.full {{.*}}, %arg2 causal gate = none
// CHECK: return
func.func @greater_than_half(%k: tensor<9x4xf32>, %v: tensor<9x4xf32>, %w: tensor<9x9xf32>) -> tensor<9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %inf = arith.constant 0xFF800000 : f32
  %half = arith.constant 5.0e-1 : f32
  %e0 = tensor.empty() : tensor<9x4xf32>
  %e1 = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %keys = linalg.exp ins(%k : tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %weights = linalg.generic {indexing_maps = [#ts, #ts], iterator_types = ["parallel", "parallel"]} ins(%w : tensor<9x9xf32>) outs(%e1 : tensor<9x9xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = linalg.index 0 : index
    %s = linalg.index 1 : index
    %c0 = arith.cmpi sle, %s, %t : index
    %m0 = arith.uitofp %c0 : i1 to f32
    %c = arith.cmpf ogt, %m0, %half : f32
    %m = arith.select %c, %a, %inf : f32
    %x = math.exp %m : f32
    linalg.yield %x : f32
  } -> tensor<9x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %n = linalg.matmul ins(%weights, %kv : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  %z = linalg.matmul ins(%weights, %keys : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  // expected-remark @below {{raised to aft.full}}
  %y = linalg.div ins(%n, %z : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  return %y : tensor<9x4xf32>
}

// -----

#ts = affine_map<(t, s) -> (t, s)>

// Where a query may see no key, -1e9 is a bias like any.
// CHECK-LABEL: func.func @low_off_by_one(
// CHECK: %[[BIAS:.*]] = linalg.generic
// CHECK: arith.select
// CHECK: aft.full {{.*}}, %[[BIAS]] gate = none
// CHECK: return
func.func @low_off_by_one(%k: tensor<9x4xf32>, %v: tensor<9x4xf32>, %w: tensor<9x9xf32>) -> tensor<9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %low = arith.constant -1.0e9 : f32
  %e0 = tensor.empty() : tensor<9x4xf32>
  %e1 = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %keys = linalg.exp ins(%k : tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %weights = linalg.generic {indexing_maps = [#ts, #ts], iterator_types = ["parallel", "parallel"]} ins(%w : tensor<9x9xf32>) outs(%e1 : tensor<9x9xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = linalg.index 0 : index
    %s = linalg.index 1 : index
    %c = arith.cmpi slt, %s, %t : index
    %m = arith.select %c, %a, %low : f32
    %x = math.exp %m : f32
    linalg.yield %x : f32
  } -> tensor<9x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %n = linalg.matmul ins(%weights, %kv : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  %z = linalg.matmul ins(%weights, %keys : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  // expected-remark @below {{raised to aft.full}}
  %y = linalg.div ins(%n, %z : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  return %y : tensor<9x4xf32>
}

// -----

#ts = affine_map<(t, s) -> (t, s)>

// -100 does not hide.
// CHECK-LABEL: func.func @not_so_low(
// CHECK: %[[BIAS:.*]] = linalg.generic
// CHECK: arith.select
// CHECK: aft.full {{.*}}, %[[BIAS]] gate = none
// CHECK: return
func.func @not_so_low(%k: tensor<9x4xf32>, %v: tensor<9x4xf32>, %w: tensor<9x9xf32>) -> tensor<9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %low = arith.constant -1.0e2 : f32
  %e0 = tensor.empty() : tensor<9x4xf32>
  %e1 = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %keys = linalg.exp ins(%k : tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %weights = linalg.generic {indexing_maps = [#ts, #ts], iterator_types = ["parallel", "parallel"]} ins(%w : tensor<9x9xf32>) outs(%e1 : tensor<9x9xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = linalg.index 0 : index
    %s = linalg.index 1 : index
    %c = arith.cmpi sle, %s, %t : index
    %m = arith.select %c, %a, %low : f32
    %x = math.exp %m : f32
    linalg.yield %x : f32
  } -> tensor<9x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %n = linalg.matmul ins(%weights, %kv : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  %z = linalg.matmul ins(%weights, %keys : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  // expected-remark @below {{raised to aft.full}}
  %y = linalg.div ins(%n, %z : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  return %y : tensor<9x4xf32>
}

// -----

#ts = affine_map<(t, s) -> (t, s)>

// t' < t: the first query sees nothing. What hides keys in another way is part of the bias. What hides keys otherwise is part of the bias.
// CHECK-LABEL: func.func @off_by_one(
// CHECK: arith.select
// CHECK: aft.full
// CHECK-NOT: causal
// CHECK: return
func.func @off_by_one(%k: tensor<9x4xf32>, %v: tensor<9x4xf32>, %w: tensor<9x9xf32>) -> tensor<9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %inf = arith.constant 0xFF800000 : f32
  %e0 = tensor.empty() : tensor<9x4xf32>
  %e1 = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %keys = linalg.exp ins(%k : tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %weights = linalg.generic {indexing_maps = [#ts, #ts], iterator_types = ["parallel", "parallel"]} ins(%w : tensor<9x9xf32>) outs(%e1 : tensor<9x9xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = linalg.index 0 : index
    %s = linalg.index 1 : index
    %c = arith.cmpi slt, %s, %t : index
    %m = arith.select %c, %a, %inf : f32
    %x = math.exp %m : f32
    linalg.yield %x : f32
  } -> tensor<9x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %n = linalg.matmul ins(%weights, %kv : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  %z = linalg.matmul ins(%weights, %keys : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  // expected-remark @below {{raised to aft.full}}
  %y = linalg.div ins(%n, %z : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  return %y : tensor<9x4xf32>
}

// -----

#ts = affine_map<(t, s) -> (t, s)>

// t' <= t + 1
// CHECK-LABEL: func.func @off_by_one_below(
// CHECK: arith.select
// CHECK: aft.full
// CHECK-NOT: causal
// CHECK: return
func.func @off_by_one_below(%k: tensor<9x4xf32>, %v: tensor<9x4xf32>, %w: tensor<9x9xf32>) -> tensor<9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %inf = arith.constant 0xFF800000 : f32
  %one = arith.constant 1 : index
  %e0 = tensor.empty() : tensor<9x4xf32>
  %e1 = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %keys = linalg.exp ins(%k : tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %weights = linalg.generic {indexing_maps = [#ts, #ts], iterator_types = ["parallel", "parallel"]} ins(%w : tensor<9x9xf32>) outs(%e1 : tensor<9x9xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = linalg.index 0 : index
    %s = linalg.index 1 : index
    %n1 = arith.addi %t, %one : index
    %c = arith.cmpi sle, %s, %n1 : index
    %m = arith.select %c, %a, %inf : f32
    %x = math.exp %m : f32
    linalg.yield %x : f32
  } -> tensor<9x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %n = linalg.matmul ins(%weights, %kv : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  %z = linalg.matmul ins(%weights, %keys : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  // expected-remark @below {{raised to aft.full}}
  %y = linalg.div ins(%n, %z : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  return %y : tensor<9x4xf32>
}

// -----

#ts = affine_map<(t, s) -> (t, s)>

// t' >= t
// CHECK-LABEL: func.func @anticausal(
// CHECK: arith.select
// CHECK: aft.full
// CHECK-NOT: causal
// CHECK: return
func.func @anticausal(%k: tensor<9x4xf32>, %v: tensor<9x4xf32>, %w: tensor<9x9xf32>) -> tensor<9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %inf = arith.constant 0xFF800000 : f32
  %e0 = tensor.empty() : tensor<9x4xf32>
  %e1 = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %keys = linalg.exp ins(%k : tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %weights = linalg.generic {indexing_maps = [#ts, #ts], iterator_types = ["parallel", "parallel"]} ins(%w : tensor<9x9xf32>) outs(%e1 : tensor<9x9xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = linalg.index 0 : index
    %s = linalg.index 1 : index
    %c = arith.cmpi sge, %s, %t : index
    %m = arith.select %c, %a, %inf : f32
    %x = math.exp %m : f32
    linalg.yield %x : f32
  } -> tensor<9x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %n = linalg.matmul ins(%weights, %kv : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  %z = linalg.matmul ins(%weights, %keys : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  // expected-remark @below {{raised to aft.full}}
  %y = linalg.div ins(%n, %z : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  return %y : tensor<9x4xf32>
}

// -----

#ts = affine_map<(t, s) -> (t, s)>

// t - t' < 5 without a sign is a window, not an order: part of the bias.
// CHECK-LABEL: func.func @without_sign(
// CHECK: arith.select
// CHECK: aft.full
// CHECK-NOT: causal
// CHECK: return
func.func @without_sign(%k: tensor<9x4xf32>, %v: tensor<9x4xf32>, %w: tensor<9x9xf32>) -> tensor<9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %five = arith.constant 5 : index
  %e0 = tensor.empty() : tensor<9x4xf32>
  %e1 = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %keys = linalg.exp ins(%k : tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %weights = linalg.generic {indexing_maps = [#ts, #ts], iterator_types = ["parallel", "parallel"]} ins(%w : tensor<9x9xf32>) outs(%e1 : tensor<9x9xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = linalg.index 0 : index
    %s = linalg.index 1 : index
    %d = arith.subi %t, %s : index
    %c = arith.cmpi ult, %d, %five : index
    %p = math.exp %a : f32
    %x = arith.select %c, %p, %zero : f32
    linalg.yield %x : f32
  } -> tensor<9x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %n = linalg.matmul ins(%weights, %kv : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  %z = linalg.matmul ins(%weights, %keys : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  // expected-remark @below {{raised to aft.full}}
  %y = linalg.div ins(%n, %z : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  return %y : tensor<9x4xf32>
}

// -----

#ts = affine_map<(t, s) -> (t, s)>

// In i8 places wrap: no order, but a condition all the same.
// CHECK-LABEL: func.func @narrow(
// CHECK: arith.select
// CHECK: aft.full
// CHECK-NOT: causal
// CHECK: return
func.func @narrow(%k: tensor<9x4xf32>, %v: tensor<9x4xf32>, %w: tensor<9x9xf32>) -> tensor<9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<9x4xf32>
  %e1 = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %keys = linalg.exp ins(%k : tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %weights = linalg.generic {indexing_maps = [#ts, #ts], iterator_types = ["parallel", "parallel"]} ins(%w : tensor<9x9xf32>) outs(%e1 : tensor<9x9xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = linalg.index 0 : index
    %s = linalg.index 1 : index
    %ti = arith.index_cast %t : index to i8
    %si = arith.index_cast %s : index to i8
    %c = arith.cmpi sle, %si, %ti : i8
    %p = math.exp %a : f32
    %x = arith.select %c, %p, %zero : f32
    linalg.yield %x : f32
  } -> tensor<9x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %n = linalg.matmul ins(%weights, %kv : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  %z = linalg.matmul ins(%weights, %keys : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  // expected-remark @below {{raised to aft.full}}
  %y = linalg.div ins(%n, %z : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  return %y : tensor<9x4xf32>
}

// -----

#ts = affine_map<(t, s) -> (t, s)>

// Only the numerator is masked.
// CHECK-LABEL: func.func @masked_above(
// CHECK-NOT: aft.
// CHECK: return
func.func @masked_above(%k: tensor<9x4xf32>, %v: tensor<9x4xf32>, %w: tensor<9x9xf32>) -> tensor<9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<9x4xf32>
  %e1 = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %keys = linalg.exp ins(%k : tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %weights = linalg.generic {indexing_maps = [#ts, #ts], iterator_types = ["parallel", "parallel"]} ins(%w : tensor<9x9xf32>) outs(%e1 : tensor<9x9xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = linalg.index 0 : index
    %s = linalg.index 1 : index
    %c = arith.cmpi sle, %s, %t : index
    %p = math.exp %a : f32
    %x = arith.select %c, %p, %zero : f32
    linalg.yield %x : f32
  } -> tensor<9x9xf32>
  %others = linalg.generic {indexing_maps = [#ts, #ts], iterator_types = ["parallel", "parallel"]} ins(%w : tensor<9x9xf32>) outs(%e1 : tensor<9x9xf32>) {
  ^bb0(%a: f32, %o: f32):
    %p = math.exp %a : f32
    linalg.yield %p : f32
  } -> tensor<9x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %n = linalg.matmul ins(%weights, %kv : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  %z = linalg.matmul ins(%others, %keys : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  // expected-remark @below {{not raised to a mixer: numerator and denominator are masked differently}}
  %y = linalg.div ins(%n, %z : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  return %y : tensor<9x4xf32>
}

// -----

#ts = affine_map<(t, s) -> (t, s)>

// 0 or 2 is no mask.
// CHECK-LABEL: func.func @twice(
// CHECK-NOT: aft.
// CHECK: return
func.func @twice(%k: tensor<9x4xf32>, %v: tensor<9x4xf32>, %w: tensor<9x9xf32>) -> tensor<9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %twoi = arith.constant 2 : i32
  %zeroi = arith.constant 0 : i32
  %e0 = tensor.empty() : tensor<9x4xf32>
  %e1 = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %keys = linalg.exp ins(%k : tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %weights = linalg.generic {indexing_maps = [#ts, #ts], iterator_types = ["parallel", "parallel"]} ins(%w : tensor<9x9xf32>) outs(%e1 : tensor<9x9xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = linalg.index 0 : index
    %s = linalg.index 1 : index
    %c = arith.cmpi sle, %s, %t : index
    %two = arith.select %c, %twoi, %zeroi : i32
    %m = arith.uitofp %two : i32 to f32
    %p = math.exp %a : f32
    %x = arith.mulf %p, %m : f32
    linalg.yield %x : f32
  } -> tensor<9x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %n = linalg.matmul ins(%weights, %kv : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  %z = linalg.matmul ins(%weights, %keys : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  // expected-remark @below {{not raised to a mixer: a factor of the weights is neither an exponential nor a mask that is known}}
  %y = linalg.div ins(%n, %z : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  return %y : tensor<9x4xf32>
}

// -----

#ts = affine_map<(t, s) -> (t, s)>

// true as a signed number is -1.
// CHECK-LABEL: func.func @signed(
// CHECK-NOT: aft.
// CHECK: return
func.func @signed(%k: tensor<9x4xf32>, %v: tensor<9x4xf32>, %w: tensor<9x9xf32>) -> tensor<9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<9x4xf32>
  %e1 = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %keys = linalg.exp ins(%k : tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %weights = linalg.generic {indexing_maps = [#ts, #ts], iterator_types = ["parallel", "parallel"]} ins(%w : tensor<9x9xf32>) outs(%e1 : tensor<9x9xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = linalg.index 0 : index
    %s = linalg.index 1 : index
    %c = arith.cmpi sle, %s, %t : index
    %m = arith.sitofp %c : i1 to f32
    %p = math.exp %a : f32
    %x = arith.mulf %p, %m : f32
    linalg.yield %x : f32
  } -> tensor<9x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %n = linalg.matmul ins(%weights, %kv : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  %z = linalg.matmul ins(%weights, %keys : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  // expected-remark @below {{not raised to a mixer: a factor of the weights is neither an exponential nor a mask that is known}}
  %y = linalg.div ins(%n, %z : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  return %y : tensor<9x4xf32>
}

// -----

#ts = affine_map<(t, s) -> (t, s)>

// A mask whose numbers are not known.
// CHECK-LABEL: func.func @unknown_factor(
// CHECK-NOT: aft.
// CHECK: return
func.func @unknown_factor(%k: tensor<9x4xf32>, %v: tensor<9x4xf32>, %w: tensor<9x9xf32>, %seen: tensor<9x9xf32>) -> tensor<9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<9x4xf32>
  %e1 = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %keys = linalg.exp ins(%k : tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %weights = linalg.generic {indexing_maps = [#ts, #ts, #ts], iterator_types = ["parallel", "parallel"]} ins(%w, %seen : tensor<9x9xf32>, tensor<9x9xf32>) outs(%e1 : tensor<9x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = math.exp %a : f32
    %x = arith.mulf %p, %b : f32
    linalg.yield %x : f32
  } -> tensor<9x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %n = linalg.matmul ins(%weights, %kv : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  %z = linalg.matmul ins(%weights, %keys : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  // expected-remark @below {{not raised to a mixer: a factor of the weights is neither an exponential nor a mask that is known}}
  %y = linalg.div ins(%n, %z : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  return %y : tensor<9x4xf32>
}

// -----

#ts = affine_map<(t, s) -> (t, s)>

// -inf hides a key, wherever it stands.
// CHECK-LABEL: func.func @unknown_filled(
// CHECK: %[[BIAS:.*]] = linalg.generic
// CHECK: arith.select
// CHECK: aft.full {{.*}}, %[[BIAS]] gate = none
// CHECK: return
func.func @unknown_filled(%k: tensor<9x4xf32>, %v: tensor<9x4xf32>, %w: tensor<9x9xf32>, %seen: tensor<9x9xi1>) -> tensor<9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %inf = arith.constant 0xFF800000 : f32
  %e0 = tensor.empty() : tensor<9x4xf32>
  %e1 = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %keys = linalg.exp ins(%k : tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %weights = linalg.generic {indexing_maps = [#ts, #ts, #ts], iterator_types = ["parallel", "parallel"]} ins(%w, %seen : tensor<9x9xf32>, tensor<9x9xi1>) outs(%e1 : tensor<9x9xf32>) {
  ^bb0(%a: f32, %b: i1, %o: f32):
    %m = arith.select %b, %a, %inf : f32
    %x = math.exp %m : f32
    linalg.yield %x : f32
  } -> tensor<9x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %n = linalg.matmul ins(%weights, %kv : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  %z = linalg.matmul ins(%weights, %keys : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  // expected-remark @below {{raised to aft.full}}
  %y = linalg.div ins(%n, %z : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  return %y : tensor<9x4xf32>
}

// -----

#x = affine_map<(b, s, c) -> (b, s, c)>
#n = affine_map<(b, s, c) -> (b)>
#y = affine_map<(b, s, c) -> (b, c)>

// t' < lengths[b]
// CHECK-LABEL: func.func @lengths(
// CHECK: aft.simple %arg0, %arg1, %arg2 lengths(%arg3) gate = tanh
// CHECK: return
func.func @lengths(%q: tensor<2x9x4xf32>, %k: tensor<2x9x4xf32>, %v: tensor<2x9x4xf32>, %n: tensor<2xi32>) -> tensor<2x9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<2x9x4xf32>
  %e1 = tensor.empty() : tensor<2x4xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e1 : tensor<2x4xf32>) -> tensor<2x4xf32>
  %keys = linalg.generic {indexing_maps = [#x, #n, #x], iterator_types = ["parallel", "parallel", "parallel"]} ins(%k, %n : tensor<2x9x4xf32>, tensor<2xi32>) outs(%e0 : tensor<2x9x4xf32>) {
  ^bb0(%a: f32, %b: i32, %o: f32):
    %s = linalg.index 1 : index
    %l = arith.index_cast %b : i32 to index
    %in = arith.cmpi slt, %s, %l : index
    %p = math.exp %a : f32
    %x = arith.select %in, %p, %zero : f32
    linalg.yield %x : f32
  } -> tensor<2x9x4xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<2x9x4xf32>, tensor<2x9x4xf32>) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %above = linalg.generic {indexing_maps = [#x, #y], iterator_types = ["parallel", "reduction", "parallel"]} ins(%kv : tensor<2x9x4xf32>) outs(%init : tensor<2x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %u = arith.addf %a, %o : f32
    linalg.yield %u : f32
  } -> tensor<2x4xf32>
  %below = linalg.generic {indexing_maps = [#x, #y], iterator_types = ["parallel", "reduction", "parallel"]} ins(%keys : tensor<2x9x4xf32>) outs(%init : tensor<2x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %u = arith.addf %a, %o : f32
    linalg.yield %u : f32
  } -> tensor<2x4xf32>
  // expected-remark @below {{raised to aft.simple}}
  %y = linalg.generic {indexing_maps = [#x, #y, #y, #x], iterator_types = ["parallel", "parallel", "parallel"]} ins(%q, %above, %below : tensor<2x9x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>) outs(%e0 : tensor<2x9x4xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32, %o: f32):
    %r = arith.divf %b, %c : f32
    %g = math.tanh %a : f32
    %m = arith.mulf %g, %r : f32
    linalg.yield %m : f32
  } -> tensor<2x9x4xf32>
  return %y : tensor<2x9x4xf32>
}

// -----

#x = affine_map<(b, s, c) -> (b, s, c)>
#n = affine_map<(b, s, c) -> (b)>
#y = affine_map<(b, s, c) -> (b, c)>

// t' <= lengths[b]
// CHECK-LABEL: func.func @lengths_and_one(
// CHECK: arith.select
// CHECK: aft.simple
// CHECK-NOT: lengths
// CHECK: return
func.func @lengths_and_one(%q: tensor<2x9x4xf32>, %k: tensor<2x9x4xf32>, %v: tensor<2x9x4xf32>, %n: tensor<2xi32>) -> tensor<2x9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<2x9x4xf32>
  %e1 = tensor.empty() : tensor<2x4xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e1 : tensor<2x4xf32>) -> tensor<2x4xf32>
  %keys = linalg.generic {indexing_maps = [#x, #n, #x], iterator_types = ["parallel", "parallel", "parallel"]} ins(%k, %n : tensor<2x9x4xf32>, tensor<2xi32>) outs(%e0 : tensor<2x9x4xf32>) {
  ^bb0(%a: f32, %b: i32, %o: f32):
    %s = linalg.index 1 : index
    %l = arith.index_cast %b : i32 to index
    %in = arith.cmpi sle, %s, %l : index
    %p = math.exp %a : f32
    %x = arith.select %in, %p, %zero : f32
    linalg.yield %x : f32
  } -> tensor<2x9x4xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<2x9x4xf32>, tensor<2x9x4xf32>) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %above = linalg.generic {indexing_maps = [#x, #y], iterator_types = ["parallel", "reduction", "parallel"]} ins(%kv : tensor<2x9x4xf32>) outs(%init : tensor<2x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %u = arith.addf %a, %o : f32
    linalg.yield %u : f32
  } -> tensor<2x4xf32>
  %below = linalg.generic {indexing_maps = [#x, #y], iterator_types = ["parallel", "reduction", "parallel"]} ins(%keys : tensor<2x9x4xf32>) outs(%init : tensor<2x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %u = arith.addf %a, %o : f32
    linalg.yield %u : f32
  } -> tensor<2x4xf32>
  // expected-remark @below {{raised to aft.simple}}
  %y = linalg.generic {indexing_maps = [#x, #y, #y, #x], iterator_types = ["parallel", "parallel", "parallel"]} ins(%q, %above, %below : tensor<2x9x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>) outs(%e0 : tensor<2x9x4xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32, %o: f32):
    %r = arith.divf %b, %c : f32
    %g = math.tanh %a : f32
    %m = arith.mulf %g, %r : f32
    linalg.yield %m : f32
  } -> tensor<2x9x4xf32>
  return %y : tensor<2x9x4xf32>
}

// -----

#x = affine_map<(b, s, c) -> (b, s, c)>
#n = affine_map<(b, s, c) -> (b)>
#y = affine_map<(b, s, c) -> (b, c)>

// lengths of another type
// CHECK-LABEL: func.func @lengths_of_i64(
// CHECK: arith.select
// CHECK: aft.simple
// CHECK-NOT: lengths
// CHECK: return
func.func @lengths_of_i64(%q: tensor<2x9x4xf32>, %k: tensor<2x9x4xf32>, %v: tensor<2x9x4xf32>, %n: tensor<2xi64>) -> tensor<2x9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<2x9x4xf32>
  %e1 = tensor.empty() : tensor<2x4xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e1 : tensor<2x4xf32>) -> tensor<2x4xf32>
  %keys = linalg.generic {indexing_maps = [#x, #n, #x], iterator_types = ["parallel", "parallel", "parallel"]} ins(%k, %n : tensor<2x9x4xf32>, tensor<2xi64>) outs(%e0 : tensor<2x9x4xf32>) {
  ^bb0(%a: f32, %b: i64, %o: f32):
    %s = linalg.index 1 : index
    %l = arith.index_cast %b : i64 to index
    %in = arith.cmpi slt, %s, %l : index
    %p = math.exp %a : f32
    %x = arith.select %in, %p, %zero : f32
    linalg.yield %x : f32
  } -> tensor<2x9x4xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<2x9x4xf32>, tensor<2x9x4xf32>) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %above = linalg.generic {indexing_maps = [#x, #y], iterator_types = ["parallel", "reduction", "parallel"]} ins(%kv : tensor<2x9x4xf32>) outs(%init : tensor<2x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %u = arith.addf %a, %o : f32
    linalg.yield %u : f32
  } -> tensor<2x4xf32>
  %below = linalg.generic {indexing_maps = [#x, #y], iterator_types = ["parallel", "reduction", "parallel"]} ins(%keys : tensor<2x9x4xf32>) outs(%init : tensor<2x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %u = arith.addf %a, %o : f32
    linalg.yield %u : f32
  } -> tensor<2x4xf32>
  // expected-remark @below {{raised to aft.simple}}
  %y = linalg.generic {indexing_maps = [#x, #y, #y, #x], iterator_types = ["parallel", "parallel", "parallel"]} ins(%q, %above, %below : tensor<2x9x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>) outs(%e0 : tensor<2x9x4xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32, %o: f32):
    %r = arith.divf %b, %c : f32
    %g = math.tanh %a : f32
    %m = arith.mulf %g, %r : f32
    linalg.yield %m : f32
  } -> tensor<2x9x4xf32>
  return %y : tensor<2x9x4xf32>
}
