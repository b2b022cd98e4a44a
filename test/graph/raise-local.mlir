// RUN: aft-opt %s -split-input-file -aft-raise-mixers -canonicalize -cse | FileCheck %s
// RUN: aft-opt %s -split-input-file -aft-raise-mixers=remarks -verify-diagnostics -o /dev/null

// A bias that is 0 far from the diagonal. Keys there stay visible, with weight exp(k).

#ts = affine_map<(t, s) -> (t, s)>

// where(|t - t'| < 3, w, 0)
// CHECK-LABEL: func.func @filled(
// CHECK: %[[BIAS:.*]] = linalg.generic
// CHECK: %[[WIDE:.*]] = tensor.pad %[[BIAS]] low[0, 2] high[0, 2]
// CHECK: } : tensor<9x9xf32> to tensor<9x13xf32>
// CHECK: %[[FLAT:.*]] = tensor.collapse_shape %[[WIDE]]
// CHECK: %[[LONG:.*]] = tensor.pad %[[FLAT]] low[0] high[9]
// CHECK: } : tensor<117xf32> to tensor<126xf32>
// CHECK: %[[ROWS:.*]] = tensor.expand_shape %[[LONG]] {{.*}} into tensor<9x14xf32>
// CHECK: %[[BAND:.*]] = tensor.extract_slice %[[ROWS]][0, 0] [9, 5] [1, 1]
// CHECK: aft.local {{.*}}, %[[BAND]] window = 3 gate = none
// CHECK: return
func.func @filled(%k: tensor<9x4xf32>, %v: tensor<9x4xf32>, %w: tensor<9x9xf32>) -> tensor<9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %three = arith.constant 3 : index
  %e0 = tensor.empty() : tensor<9x4xf32>
  %e1 = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %keys = linalg.exp ins(%k : tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %bias = linalg.generic {indexing_maps = [#ts, #ts], iterator_types = ["parallel", "parallel"]} ins(%w : tensor<9x9xf32>) outs(%e1 : tensor<9x9xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = linalg.index 0 : index
    %s = linalg.index 1 : index
    %ahead = arith.subi %s, %t : index
    %behind = arith.subi %t, %s : index
    %c1 = arith.cmpi slt, %ahead, %three : index
    %c2 = arith.cmpi slt, %behind, %three : index
    %c = arith.andi %c1, %c2 : i1
    %x = arith.select %c, %a, %zero : f32
    linalg.yield %x : f32
  } -> tensor<9x9xf32>
  %weights = linalg.generic {indexing_maps = [#ts, #ts], iterator_types = ["parallel", "parallel"]} ins(%bias : tensor<9x9xf32>) outs(%e1 : tensor<9x9xf32>) {
  ^bb0(%a: f32, %o: f32):
    %x = math.exp %a : f32
    linalg.yield %x : f32
  } -> tensor<9x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %n = linalg.matmul ins(%weights, %kv : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  %z = linalg.matmul ins(%weights, %keys : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  // expected-remark @below {{raised to aft.local}}
  %y = linalg.div ins(%n, %z : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  return %y : tensor<9x4xf32>
}

// -----

#ts = affine_map<(t, s) -> (t, s)>

// w times 0 or 1
// CHECK-LABEL: func.func @multiplied(
// CHECK: aft.local {{.*}} window = 3 gate = none
// CHECK: return
func.func @multiplied(%k: tensor<9x4xf32>, %v: tensor<9x4xf32>, %w: tensor<9x9xf32>) -> tensor<9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %three = arith.constant 3 : index
  %e0 = tensor.empty() : tensor<9x4xf32>
  %e1 = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %keys = linalg.exp ins(%k : tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %bias = linalg.generic {indexing_maps = [#ts, #ts], iterator_types = ["parallel", "parallel"]} ins(%w : tensor<9x9xf32>) outs(%e1 : tensor<9x9xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = linalg.index 0 : index
    %s = linalg.index 1 : index
    %ahead = arith.subi %s, %t : index
    %behind = arith.subi %t, %s : index
    %c1 = arith.cmpi slt, %ahead, %three : index
    %c2 = arith.cmpi slt, %behind, %three : index
    %c = arith.andi %c1, %c2 : i1
    %m = arith.uitofp %c : i1 to f32
    %x = arith.mulf %a, %m : f32
    linalg.yield %x : f32
  } -> tensor<9x9xf32>
  %weights = linalg.generic {indexing_maps = [#ts, #ts], iterator_types = ["parallel", "parallel"]} ins(%bias : tensor<9x9xf32>) outs(%e1 : tensor<9x9xf32>) {
  ^bb0(%a: f32, %o: f32):
    %x = math.exp %a : f32
    linalg.yield %x : f32
  } -> tensor<9x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %n = linalg.matmul ins(%weights, %kv : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  %z = linalg.matmul ins(%weights, %keys : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  // expected-remark @below {{raised to aft.local}}
  %y = linalg.div ins(%n, %z : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  return %y : tensor<9x4xf32>
}

// -----

#ts = affine_map<(t, s) -> (t, s)>

// where(t' - t >= 3 or t - t' >= 3, 0, w)
// CHECK-LABEL: func.func @outside(
// CHECK: aft.local {{.*}} window = 3 gate = none
// CHECK: return
func.func @outside(%k: tensor<9x4xf32>, %v: tensor<9x4xf32>, %w: tensor<9x9xf32>) -> tensor<9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %three = arith.constant 3 : index
  %e0 = tensor.empty() : tensor<9x4xf32>
  %e1 = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %keys = linalg.exp ins(%k : tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %bias = linalg.generic {indexing_maps = [#ts, #ts], iterator_types = ["parallel", "parallel"]} ins(%w : tensor<9x9xf32>) outs(%e1 : tensor<9x9xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = linalg.index 0 : index
    %s = linalg.index 1 : index
    %ahead = arith.subi %s, %t : index
    %behind = arith.subi %t, %s : index
    %c1 = arith.cmpi sge, %ahead, %three : index
    %c2 = arith.cmpi sge, %behind, %three : index
    %c = arith.ori %c1, %c2 : i1
    %x = arith.select %c, %zero, %a : f32
    linalg.yield %x : f32
  } -> tensor<9x9xf32>
  %weights = linalg.generic {indexing_maps = [#ts, #ts], iterator_types = ["parallel", "parallel"]} ins(%bias : tensor<9x9xf32>) outs(%e1 : tensor<9x9xf32>) {
  ^bb0(%a: f32, %o: f32):
    %x = math.exp %a : f32
    linalg.yield %x : f32
  } -> tensor<9x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %n = linalg.matmul ins(%weights, %kv : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  %z = linalg.matmul ins(%weights, %keys : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  // expected-remark @below {{raised to aft.local}}
  %y = linalg.div ins(%n, %z : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  return %y : tensor<9x4xf32>
}

// -----

#ts = affine_map<(t, s) -> (t, s)>

// The distance as max(t - t', t' - t)
// CHECK-LABEL: func.func @absolute(
// CHECK: aft.local {{.*}} window = 3 gate = none
// CHECK: return
func.func @absolute(%k: tensor<9x4xf32>, %v: tensor<9x4xf32>, %w: tensor<9x9xf32>) -> tensor<9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %two = arith.constant 2 : index
  %e0 = tensor.empty() : tensor<9x4xf32>
  %e1 = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %keys = linalg.exp ins(%k : tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %bias = linalg.generic {indexing_maps = [#ts, #ts], iterator_types = ["parallel", "parallel"]} ins(%w : tensor<9x9xf32>) outs(%e1 : tensor<9x9xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = linalg.index 0 : index
    %s = linalg.index 1 : index
    %ahead = arith.subi %s, %t : index
    %behind = arith.subi %t, %s : index
    %d = arith.maxsi %ahead, %behind : index
    %c = arith.cmpi sle, %d, %two : index
    %x = arith.select %c, %a, %zero : f32
    linalg.yield %x : f32
  } -> tensor<9x9xf32>
  %weights = linalg.generic {indexing_maps = [#ts, #ts], iterator_types = ["parallel", "parallel"]} ins(%bias : tensor<9x9xf32>) outs(%e1 : tensor<9x9xf32>) {
  ^bb0(%a: f32, %o: f32):
    %x = math.exp %a : f32
    linalg.yield %x : f32
  } -> tensor<9x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %n = linalg.matmul ins(%weights, %kv : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  %z = linalg.matmul ins(%weights, %keys : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  // expected-remark @below {{raised to aft.local}}
  %y = linalg.div ins(%n, %z : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  return %y : tensor<9x4xf32>
}

// -----

#ts = affine_map<(t, s) -> (t, s)>

// tril(triu(w, -2), 2)
// CHECK-LABEL: func.func @tril_triu(
// CHECK: aft.local {{.*}} window = 3 gate = none
// CHECK: return
func.func @tril_triu(%k: tensor<9x4xf32>, %v: tensor<9x4xf32>, %w: tensor<9x9xf32>) -> tensor<9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %two = arith.constant 2 : index
  %minus = arith.constant -2 : index
  %e0 = tensor.empty() : tensor<9x4xf32>
  %e1 = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %keys = linalg.exp ins(%k : tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %bias = linalg.generic {indexing_maps = [#ts, #ts], iterator_types = ["parallel", "parallel"]} ins(%w : tensor<9x9xf32>) outs(%e1 : tensor<9x9xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = linalg.index 0 : index
    %s = linalg.index 1 : index
    %ahead = arith.subi %s, %t : index
    %c1 = arith.cmpi sle, %ahead, %two : index
    %lower = arith.select %c1, %a, %zero : f32
    %c2 = arith.cmpi sge, %ahead, %minus : index
    %x = arith.select %c2, %lower, %zero : f32
    linalg.yield %x : f32
  } -> tensor<9x9xf32>
  %weights = linalg.generic {indexing_maps = [#ts, #ts], iterator_types = ["parallel", "parallel"]} ins(%bias : tensor<9x9xf32>) outs(%e1 : tensor<9x9xf32>) {
  ^bb0(%a: f32, %o: f32):
    %x = math.exp %a : f32
    linalg.yield %x : f32
  } -> tensor<9x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %n = linalg.matmul ins(%weights, %kv : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  %z = linalg.matmul ins(%weights, %keys : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  // expected-remark @below {{raised to aft.local}}
  %y = linalg.div ins(%n, %z : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  return %y : tensor<9x4xf32>
}

// -----

#ts = affine_map<(t, s) -> (t, s)>

// Keys before the query only, which is in a window
// CHECK-LABEL: func.func @one_sided(
// CHECK: aft.local {{.*}} window = 3 gate = none
// CHECK: return
func.func @one_sided(%k: tensor<9x4xf32>, %v: tensor<9x4xf32>, %w: tensor<9x9xf32>) -> tensor<9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %two = arith.constant 2 : index
  %one = arith.constant 1 : index
  %e0 = tensor.empty() : tensor<9x4xf32>
  %e1 = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %keys = linalg.exp ins(%k : tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %bias = linalg.generic {indexing_maps = [#ts, #ts], iterator_types = ["parallel", "parallel"]} ins(%w : tensor<9x9xf32>) outs(%e1 : tensor<9x9xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = linalg.index 0 : index
    %s = linalg.index 1 : index
    %ahead = arith.subi %s, %t : index
    %c1 = arith.cmpi sle, %ahead, %two : index
    %lower = arith.select %c1, %a, %zero : f32
    %c2 = arith.cmpi sge, %ahead, %one : index
    %x = arith.select %c2, %lower, %zero : f32
    linalg.yield %x : f32
  } -> tensor<9x9xf32>
  %weights = linalg.generic {indexing_maps = [#ts, #ts], iterator_types = ["parallel", "parallel"]} ins(%bias : tensor<9x9xf32>) outs(%e1 : tensor<9x9xf32>) {
  ^bb0(%a: f32, %o: f32):
    %x = math.exp %a : f32
    linalg.yield %x : f32
  } -> tensor<9x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %n = linalg.matmul ins(%weights, %kv : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  %z = linalg.matmul ins(%weights, %keys : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  // expected-remark @below {{raised to aft.local}}
  %y = linalg.div ins(%n, %z : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  return %y : tensor<9x4xf32>
}

// -----

#ts = affine_map<(t, s) -> (t, s)>

// where(t - t' < 3, w, 0), later keys hidden
// CHECK-LABEL: func.func @causal(
// CHECK: tensor.pad {{.*}} low[0, 2] high[0, 0]
// CHECK: aft.local {{.*}} window = 3 causal gate = none
// CHECK: return
func.func @causal(%k: tensor<9x4xf32>, %v: tensor<9x4xf32>, %w: tensor<9x9xf32>) -> tensor<9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %three = arith.constant 3 : index
  %inf = arith.constant 0xFF800000 : f32
  %e0 = tensor.empty() : tensor<9x4xf32>
  %e1 = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %keys = linalg.exp ins(%k : tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %bias = linalg.generic {indexing_maps = [#ts, #ts], iterator_types = ["parallel", "parallel"]} ins(%w : tensor<9x9xf32>) outs(%e1 : tensor<9x9xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = linalg.index 0 : index
    %s = linalg.index 1 : index
    %behind = arith.subi %t, %s : index
    %c = arith.cmpi slt, %behind, %three : index
    %x = arith.select %c, %a, %zero : f32
    linalg.yield %x : f32
  } -> tensor<9x9xf32>
  %weights = linalg.generic {indexing_maps = [#ts, #ts], iterator_types = ["parallel", "parallel"]} ins(%bias : tensor<9x9xf32>) outs(%e1 : tensor<9x9xf32>) {
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
  // expected-remark @below {{raised to aft.local}}
  %y = linalg.div ins(%n, %z : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  return %y : tensor<9x4xf32>
}

// -----

#ts = affine_map<(t, s) -> (t, s)>
#u = affine_map<(t, s, r) -> (t, r)>
#v = affine_map<(t, s, r) -> (s, r)>
#m = affine_map<(t, s, r) -> (t, s)>

// where(|t - t'| < 3, u v', 0): the matrix is not formed.
// CHECK-LABEL: func.func @factorised(
// CHECK-NOT: linalg
// CHECK: %[[BAND:.*]] = aft.band %arg2, %arg3 window = 3 : (tensor<9x2xf32>, tensor<9x2xf32>) -> tensor<9x5xf32>
// CHECK: aft.local {{.*}}, %[[BAND]] window = 3 gate = none
// CHECK: return
func.func @factorised(%k: tensor<9x4xf32>, %v: tensor<9x4xf32>, %u: tensor<9x2xf32>, %uv: tensor<9x2xf32>) -> tensor<9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %three = arith.constant 3 : index
  %e0 = tensor.empty() : tensor<9x4xf32>
  %e1 = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %keys = linalg.exp ins(%k : tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %iw = linalg.fill ins(%zero : f32) outs(%e1 : tensor<9x9xf32>) -> tensor<9x9xf32>
  %w = linalg.generic {indexing_maps = [#u, #v, #m], iterator_types = ["parallel", "parallel", "reduction"]} ins(%u, %uv : tensor<9x2xf32>, tensor<9x2xf32>) outs(%iw : tensor<9x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %m = arith.mulf %a, %b : f32
    %n = arith.addf %m, %o : f32
    linalg.yield %n : f32
  } -> tensor<9x9xf32>
  %bias = linalg.generic {indexing_maps = [#ts, #ts], iterator_types = ["parallel", "parallel"]} ins(%w : tensor<9x9xf32>) outs(%e1 : tensor<9x9xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = linalg.index 0 : index
    %s = linalg.index 1 : index
    %ahead = arith.subi %s, %t : index
    %behind = arith.subi %t, %s : index
    %c1 = arith.cmpi slt, %ahead, %three : index
    %c2 = arith.cmpi slt, %behind, %three : index
    %c = arith.andi %c1, %c2 : i1
    %x = arith.select %c, %a, %zero : f32
    linalg.yield %x : f32
  } -> tensor<9x9xf32>
  %weights = linalg.generic {indexing_maps = [#ts, #ts], iterator_types = ["parallel", "parallel"]} ins(%bias : tensor<9x9xf32>) outs(%e1 : tensor<9x9xf32>) {
  ^bb0(%a: f32, %o: f32):
    %x = math.exp %a : f32
    linalg.yield %x : f32
  } -> tensor<9x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %n = linalg.matmul ins(%weights, %kv : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  %z = linalg.matmul ins(%weights, %keys : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  // expected-remark @below {{raised to aft.local}}
  %y = linalg.div ins(%n, %z : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  return %y : tensor<9x4xf32>
}

// -----

#ts = affine_map<(t, s) -> (t, s)>

// Where t - t' < 3 alone: not a band.
// CHECK-LABEL: func.func @half_open(
// CHECK: aft.full
// CHECK: return
func.func @half_open(%k: tensor<9x4xf32>, %v: tensor<9x4xf32>, %w: tensor<9x9xf32>) -> tensor<9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %three = arith.constant 3 : index
  %e0 = tensor.empty() : tensor<9x4xf32>
  %e1 = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %keys = linalg.exp ins(%k : tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %bias = linalg.generic {indexing_maps = [#ts, #ts], iterator_types = ["parallel", "parallel"]} ins(%w : tensor<9x9xf32>) outs(%e1 : tensor<9x9xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = linalg.index 0 : index
    %s = linalg.index 1 : index
    %behind = arith.subi %t, %s : index
    %c = arith.cmpi slt, %behind, %three : index
    %x = arith.select %c, %a, %zero : f32
    linalg.yield %x : f32
  } -> tensor<9x9xf32>
  %weights = linalg.generic {indexing_maps = [#ts, #ts], iterator_types = ["parallel", "parallel"]} ins(%bias : tensor<9x9xf32>) outs(%e1 : tensor<9x9xf32>) {
  ^bb0(%a: f32, %o: f32):
    %x = math.exp %a : f32
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

// Everything is in the window.
// CHECK-LABEL: func.func @all(
// CHECK: aft.full
// CHECK: return
func.func @all(%k: tensor<9x4xf32>, %v: tensor<9x4xf32>, %w: tensor<9x9xf32>) -> tensor<9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %ten = arith.constant 10 : index
  %e0 = tensor.empty() : tensor<9x4xf32>
  %e1 = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %keys = linalg.exp ins(%k : tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %bias = linalg.generic {indexing_maps = [#ts, #ts], iterator_types = ["parallel", "parallel"]} ins(%w : tensor<9x9xf32>) outs(%e1 : tensor<9x9xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = linalg.index 0 : index
    %s = linalg.index 1 : index
    %ahead = arith.subi %s, %t : index
    %behind = arith.subi %t, %s : index
    %c1 = arith.cmpi slt, %ahead, %ten : index
    %c2 = arith.cmpi slt, %behind, %ten : index
    %c = arith.andi %c1, %c2 : i1
    %x = arith.select %c, %a, %zero : f32
    linalg.yield %x : f32
  } -> tensor<9x9xf32>
  %weights = linalg.generic {indexing_maps = [#ts, #ts], iterator_types = ["parallel", "parallel"]} ins(%bias : tensor<9x9xf32>) outs(%e1 : tensor<9x9xf32>) {
  ^bb0(%a: f32, %o: f32):
    %x = math.exp %a : f32
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

// 2 (t - t') < 3 is no distance that is known.
// CHECK-LABEL: func.func @strided(
// CHECK: aft.full
// CHECK: return
func.func @strided(%k: tensor<9x4xf32>, %v: tensor<9x4xf32>, %w: tensor<9x9xf32>) -> tensor<9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %three = arith.constant 3 : index
  %two = arith.constant 2 : index
  %e0 = tensor.empty() : tensor<9x4xf32>
  %e1 = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %keys = linalg.exp ins(%k : tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %bias = linalg.generic {indexing_maps = [#ts, #ts], iterator_types = ["parallel", "parallel"]} ins(%w : tensor<9x9xf32>) outs(%e1 : tensor<9x9xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = linalg.index 0 : index
    %s = linalg.index 1 : index
    %behind = arith.subi %t, %s : index
    %twice = arith.muli %behind, %two : index
    %c = arith.cmpi slt, %twice, %three : index
    %x = arith.select %c, %a, %zero : f32
    linalg.yield %x : f32
  } -> tensor<9x9xf32>
  %weights = linalg.generic {indexing_maps = [#ts, #ts], iterator_types = ["parallel", "parallel"]} ins(%bias : tensor<9x9xf32>) outs(%e1 : tensor<9x9xf32>) {
  ^bb0(%a: f32, %o: f32):
    %x = math.exp %a : f32
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

// t + t' < 3 is another corner.
// CHECK-LABEL: func.func @antidiagonal(
// CHECK: aft.full
// CHECK: return
func.func @antidiagonal(%k: tensor<9x4xf32>, %v: tensor<9x4xf32>, %w: tensor<9x9xf32>) -> tensor<9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %three = arith.constant 3 : index
  %e0 = tensor.empty() : tensor<9x4xf32>
  %e1 = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %keys = linalg.exp ins(%k : tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %bias = linalg.generic {indexing_maps = [#ts, #ts], iterator_types = ["parallel", "parallel"]} ins(%w : tensor<9x9xf32>) outs(%e1 : tensor<9x9xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = linalg.index 0 : index
    %s = linalg.index 1 : index
    %sum = arith.addi %t, %s : index
    %c = arith.cmpi slt, %sum, %three : index
    %x = arith.select %c, %a, %zero : f32
    linalg.yield %x : f32
  } -> tensor<9x9xf32>
  %weights = linalg.generic {indexing_maps = [#ts, #ts], iterator_types = ["parallel", "parallel"]} ins(%bias : tensor<9x9xf32>) outs(%e1 : tensor<9x9xf32>) {
  ^bb0(%a: f32, %o: f32):
    %x = math.exp %a : f32
    linalg.yield %x : f32
  } -> tensor<9x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %n = linalg.matmul ins(%weights, %kv : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  %z = linalg.matmul ins(%weights, %keys : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  // expected-remark @below {{raised to aft.full}}
  %y = linalg.div ins(%n, %z : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  return %y : tensor<9x4xf32>
}
