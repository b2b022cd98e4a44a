// RUN: aft-opt %s -split-input-file -aft-raise-mixers -canonicalize -cse | FileCheck %s
// RUN: aft-opt %s -split-input-file -aft-raise-mixers=remarks -verify-diagnostics -o /dev/null

#ws = affine_map<(b, t, c, s) -> (t, s)>
#ks = affine_map<(b, t, c, s) -> (b, s, c)>
#ys = affine_map<(b, t, c, s) -> (b, t, c)>
#id = affine_map<(b, t, c) -> (b, t, c)>

// sigmoid(q) * exp(w) @ (exp(k) * v) / exp(w) @ exp(k)
// CHECK-LABEL: func.func @gated(
// CHECK-SAME: %[[Q:.*]]: tensor<2x7x4xf32>, %[[K:.*]]: tensor<2x9x4xf32>, %[[V:.*]]: tensor<2x9x4xf32>, %[[W:.*]]: tensor<7x9xf32>
// CHECK-NEXT: %[[Y:.*]] = aft.full %[[Q]], %[[K]], %[[V]], %[[W]] : (
// CHECK-NEXT: return %[[Y]]
func.func @gated(%q: tensor<2x7x4xf32>, %k: tensor<2x9x4xf32>, %v: tensor<2x9x4xf32>, %w: tensor<7x9xf32>) -> tensor<2x7x4xf32> {
  %zero = arith.constant 0.0 : f32
  %one = arith.constant 1.0 : f32
  %e0 = tensor.empty() : tensor<2x9x4xf32>
  %e1 = tensor.empty() : tensor<7x9xf32>
  %e2 = tensor.empty() : tensor<2x7x4xf32>
  %keys = linalg.exp ins(%k : tensor<2x9x4xf32>) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %weights = linalg.exp ins(%w : tensor<7x9xf32>) outs(%e1 : tensor<7x9xf32>) -> tensor<7x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<2x9x4xf32>, tensor<2x9x4xf32>) outs(%e0 : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e2 : tensor<2x7x4xf32>) -> tensor<2x7x4xf32>
  %n = linalg.generic {indexing_maps = [#ws, #ks, #ys], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%weights, %kv : tensor<7x9xf32>, tensor<2x9x4xf32>) outs(%init : tensor<2x7x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %m = arith.mulf %a, %b : f32
    %s = arith.addf %o, %m : f32
    linalg.yield %s : f32
  } -> tensor<2x7x4xf32>
  %z = linalg.generic {indexing_maps = [#ws, #ks, #ys], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%weights, %keys : tensor<7x9xf32>, tensor<2x9x4xf32>) outs(%init : tensor<2x7x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %m = arith.mulf %a, %b : f32
    %s = arith.addf %o, %m : f32
    linalg.yield %s : f32
  } -> tensor<2x7x4xf32>
  %ratio = linalg.div ins(%n, %z : tensor<2x7x4xf32>, tensor<2x7x4xf32>) outs(%e2 : tensor<2x7x4xf32>) -> tensor<2x7x4xf32>
  // expected-remark @below {{raised to aft.full}}
  %y = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel", "parallel"]} ins(%q, %ratio : tensor<2x7x4xf32>, tensor<2x7x4xf32>) outs(%e2 : tensor<2x7x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %minus = arith.negf %a : f32
    %power = math.exp %minus : f32
    %below = arith.addf %power, %one : f32
    %g = arith.divf %one, %below : f32
    %m = arith.mulf %g, %b : f32
    linalg.yield %m : f32
  } -> tensor<2x7x4xf32>
  return %y : tensor<2x7x4xf32>
}

// -----

// Without a batch, and without a gate.
// CHECK-LABEL: func.func @no_gate(
// CHECK-SAME: %[[K:.*]]: tensor<9x4xf32>, %[[V:.*]]: tensor<9x4xf32>, %[[W:.*]]: tensor<7x9xf32>
// CHECK: %[[K3:.*]] = tensor.expand_shape %[[K]] {{.*}} into tensor<1x9x4xf32>
// CHECK: %[[V3:.*]] = tensor.expand_shape %[[V]] {{.*}} into tensor<1x9x4xf32>
// CHECK: aft.full %{{.*}}, %[[K3]], %[[V3]], %[[W]] gate = none : (tensor<1x7x4xf32>
// CHECK-NOT: linalg.matmul
// CHECK: return
func.func @no_gate(%k: tensor<9x4xf32>, %v: tensor<9x4xf32>, %w: tensor<7x9xf32>) -> tensor<7x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<9x4xf32>
  %e1 = tensor.empty() : tensor<7x9xf32>
  %e2 = tensor.empty() : tensor<7x4xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e2 : tensor<7x4xf32>) -> tensor<7x4xf32>
  %keys = linalg.exp ins(%k : tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %weights = linalg.exp ins(%w : tensor<7x9xf32>) outs(%e1 : tensor<7x9xf32>) -> tensor<7x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %n = linalg.matmul ins(%weights, %kv : tensor<7x9xf32>, tensor<9x4xf32>) outs(%init : tensor<7x4xf32>) -> tensor<7x4xf32>
  %z = linalg.matmul ins(%weights, %keys : tensor<7x9xf32>, tensor<9x4xf32>) outs(%init : tensor<7x4xf32>) -> tensor<7x4xf32>
  // expected-remark @below {{raised to aft.full}}
  %y = linalg.div ins(%n, %z : tensor<7x4xf32>, tensor<7x4xf32>) outs(%e2 : tensor<7x4xf32>) -> tensor<7x4xf32>
  return %y : tensor<7x4xf32>
}

// -----

#sc = affine_map<(s, c) -> (s, c)>
#c = affine_map<(s, c) -> (c)>
#s = affine_map<(s, c) -> (s)>

// The maxima of k over time and of w per row cancel.
// CHECK-LABEL: func.func @maxima(
// CHECK-SAME: %[[K:.*]]: tensor<9x4xf32>, %[[V:.*]]: tensor<9x4xf32>, %[[W:.*]]: tensor<7x9xf32>
// CHECK: %[[K3:.*]] = tensor.expand_shape %[[K]] {{.*}} into tensor<1x9x4xf32>
// CHECK: %[[V3:.*]] = tensor.expand_shape %[[V]] {{.*}} into tensor<1x9x4xf32>
// CHECK-NOT: maximumf
// CHECK: aft.full %{{.*}}, %[[K3]], %[[V3]], %[[W]] gate = none : (tensor<1x7x4xf32>
// CHECK: return
func.func @maxima(%k: tensor<9x4xf32>, %v: tensor<9x4xf32>, %w: tensor<7x9xf32>) -> tensor<7x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<9x4xf32>
  %e1 = tensor.empty() : tensor<7x9xf32>
  %e2 = tensor.empty() : tensor<7x4xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e2 : tensor<7x4xf32>) -> tensor<7x4xf32>
  %lowest = arith.constant 0xFF800000 : f32
  %e3 = tensor.empty() : tensor<4xf32>
  %e4 = tensor.empty() : tensor<7xf32>
  %ic = linalg.fill ins(%lowest : f32) outs(%e3 : tensor<4xf32>) -> tensor<4xf32>
  %it = linalg.fill ins(%lowest : f32) outs(%e4 : tensor<7xf32>) -> tensor<7xf32>
  %mk = linalg.generic {indexing_maps = [#sc, #c], iterator_types = ["reduction", "parallel"]} ins(%k : tensor<9x4xf32>) outs(%ic : tensor<4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %m = arith.maximumf %a, %o : f32
    linalg.yield %m : f32
  } -> tensor<4xf32>
  %mw = linalg.generic {indexing_maps = [#sc, #s], iterator_types = ["parallel", "reduction"]} ins(%w : tensor<7x9xf32>) outs(%it : tensor<7xf32>) {
  ^bb0(%a: f32, %o: f32):
    %m = arith.maximumf %a, %o : f32
    linalg.yield %m : f32
  } -> tensor<7xf32>
  %keys = linalg.generic {indexing_maps = [#sc, #c, #sc], iterator_types = ["parallel", "parallel"]} ins(%k, %mk : tensor<9x4xf32>, tensor<4xf32>) outs(%e0 : tensor<9x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %d = arith.subf %a, %b : f32
    %x = math.exp %d : f32
    linalg.yield %x : f32
  } -> tensor<9x4xf32>
  %weights = linalg.generic {indexing_maps = [#sc, #s, #sc], iterator_types = ["parallel", "parallel"]} ins(%w, %mw : tensor<7x9xf32>, tensor<7xf32>) outs(%e1 : tensor<7x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %d = arith.subf %a, %b : f32
    %x = math.exp %d : f32
    linalg.yield %x : f32
  } -> tensor<7x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %n = linalg.matmul ins(%weights, %kv : tensor<7x9xf32>, tensor<9x4xf32>) outs(%init : tensor<7x4xf32>) -> tensor<7x4xf32>
  %z = linalg.matmul ins(%weights, %keys : tensor<7x9xf32>, tensor<9x4xf32>) outs(%init : tensor<7x4xf32>) -> tensor<7x4xf32>
  // expected-remark @below {{raised to aft.full}}
  %y = linalg.div ins(%n, %z : tensor<7x4xf32>, tensor<7x4xf32>) outs(%e2 : tensor<7x4xf32>) -> tensor<7x4xf32>
  return %y : tensor<7x4xf32>
}

// -----

#w = affine_map<(t, c, s) -> (t, s)>
#k = affine_map<(t, c, s) -> (s, c)>
#y = affine_map<(t, c, s) -> (t, c)>

// The maximum of k + w per query and channel, in one sum over exponentials each.
// CHECK-LABEL: func.func @joint_maximum(
// CHECK-SAME: %[[K:.*]]: tensor<9x4xf32>, %[[V:.*]]: tensor<9x4xf32>, %[[W:.*]]: tensor<7x9xf32>
// CHECK: %[[K3:.*]] = tensor.expand_shape %[[K]] {{.*}} into tensor<1x9x4xf32>
// CHECK: %[[V3:.*]] = tensor.expand_shape %[[V]] {{.*}} into tensor<1x9x4xf32>
// CHECK-NOT: maximumf
// CHECK: aft.full %{{.*}}, %[[K3]], %[[V3]], %[[W]] gate = none : (tensor<1x7x4xf32>
// CHECK: return
func.func @joint_maximum(%k: tensor<9x4xf32>, %v: tensor<9x4xf32>, %w: tensor<7x9xf32>) -> tensor<7x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<9x4xf32>
  %e1 = tensor.empty() : tensor<7x9xf32>
  %e2 = tensor.empty() : tensor<7x4xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e2 : tensor<7x4xf32>) -> tensor<7x4xf32>
  %lowest = arith.constant 0xFF800000 : f32
  %il = linalg.fill ins(%lowest : f32) outs(%e2 : tensor<7x4xf32>) -> tensor<7x4xf32>
  %top = linalg.generic {indexing_maps = [#w, #k, #y], iterator_types = ["parallel", "parallel", "reduction"]} ins(%w, %k : tensor<7x9xf32>, tensor<9x4xf32>) outs(%il : tensor<7x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %l = arith.addf %a, %b : f32
    %m = arith.maximumf %l, %o : f32
    linalg.yield %m : f32
  } -> tensor<7x4xf32>
  %n = linalg.generic {indexing_maps = [#w, #k, #y, #k, #y], iterator_types = ["parallel", "parallel", "reduction"]} ins(%w, %k, %top, %v : tensor<7x9xf32>, tensor<9x4xf32>, tensor<7x4xf32>, tensor<9x4xf32>) outs(%init : tensor<7x4xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32, %d: f32, %o: f32):
    %l = arith.addf %a, %b : f32
    %x = arith.subf %l, %c : f32
    %p = math.exp %x : f32
    %m = arith.mulf %p, %d : f32
    %s = arith.addf %o, %m : f32
    linalg.yield %s : f32
  } -> tensor<7x4xf32>
  %z = linalg.generic {indexing_maps = [#w, #k, #y, #y], iterator_types = ["parallel", "parallel", "reduction"]} ins(%w, %k, %top : tensor<7x9xf32>, tensor<9x4xf32>, tensor<7x4xf32>) outs(%init : tensor<7x4xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32, %o: f32):
    %l = arith.addf %a, %b : f32
    %x = arith.subf %l, %c : f32
    %p = math.exp %x : f32
    %s = arith.addf %o, %p : f32
    linalg.yield %s : f32
  } -> tensor<7x4xf32>
  // expected-remark @below {{raised to aft.full}}
  %y = linalg.div ins(%n, %z : tensor<7x4xf32>, tensor<7x4xf32>) outs(%e2 : tensor<7x4xf32>) -> tensor<7x4xf32>
  return %y : tensor<7x4xf32>
}

// -----

// One product with [exp(k)v | exp(k)].
// CHECK-LABEL: func.func @one_product(
// CHECK-SAME: %[[K:.*]]: tensor<9x4xf32>, %[[V:.*]]: tensor<9x4xf32>, %[[W:.*]]: tensor<7x9xf32>
// CHECK: %[[K3:.*]] = tensor.expand_shape %[[K]] {{.*}} into tensor<1x9x4xf32>
// CHECK: %[[V3:.*]] = tensor.expand_shape %[[V]] {{.*}} into tensor<1x9x4xf32>
// CHECK: aft.full %{{.*}}, %[[K3]], %[[V3]], %[[W]] gate = none : (tensor<1x7x4xf32>
// CHECK-NOT: linalg.matmul
// CHECK: return
func.func @one_product(%k: tensor<9x4xf32>, %v: tensor<9x4xf32>, %w: tensor<7x9xf32>) -> tensor<7x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<9x4xf32>
  %e1 = tensor.empty() : tensor<7x9xf32>
  %e2 = tensor.empty() : tensor<7x4xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e2 : tensor<7x4xf32>) -> tensor<7x4xf32>
  %keys = linalg.exp ins(%k : tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %weights = linalg.exp ins(%w : tensor<7x9xf32>) outs(%e1 : tensor<7x9xf32>) -> tensor<7x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %both = tensor.concat dim(1) %kv, %keys : (tensor<9x4xf32>, tensor<9x4xf32>) -> tensor<9x8xf32>
  %e3 = tensor.empty() : tensor<7x8xf32>
  %ib = linalg.fill ins(%zero : f32) outs(%e3 : tensor<7x8xf32>) -> tensor<7x8xf32>
  %sums = linalg.matmul ins(%weights, %both : tensor<7x9xf32>, tensor<9x8xf32>) outs(%ib : tensor<7x8xf32>) -> tensor<7x8xf32>
  %n = tensor.extract_slice %sums[0, 0] [7, 4] [1, 1] : tensor<7x8xf32> to tensor<7x4xf32>
  %z = tensor.extract_slice %sums[0, 4] [7, 4] [1, 1] : tensor<7x8xf32> to tensor<7x4xf32>
  // expected-remark @below {{raised to aft.full}}
  %y = linalg.div ins(%n, %z : tensor<7x4xf32>, tensor<7x4xf32>) outs(%e2 : tensor<7x4xf32>) -> tensor<7x4xf32>
  return %y : tensor<7x4xf32>
}

// -----

// Channels first.
// CHECK-LABEL: func.func @transposed(
// CHECK: aft.full {{.*}} gate = none : (tensor<1x7x4xf32>, tensor<1x9x4xf32>, tensor<1x9x4xf32>, tensor<7x9xf32>)
// CHECK-NOT: linalg.matmul
// CHECK: return
func.func @transposed(%k: tensor<4x9xf32>, %v: tensor<4x9xf32>, %w: tensor<9x7xf32>) -> tensor<4x7xf32> {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<4x9xf32>
  %e1 = tensor.empty() : tensor<9x7xf32>
  %e2 = tensor.empty() : tensor<4x7xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e2 : tensor<4x7xf32>) -> tensor<4x7xf32>
  %keys = linalg.exp ins(%k : tensor<4x9xf32>) outs(%e0 : tensor<4x9xf32>) -> tensor<4x9xf32>
  %weights = linalg.exp ins(%w : tensor<9x7xf32>) outs(%e1 : tensor<9x7xf32>) -> tensor<9x7xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<4x9xf32>, tensor<4x9xf32>) outs(%e0 : tensor<4x9xf32>) -> tensor<4x9xf32>
  %n = linalg.matmul ins(%kv, %weights : tensor<4x9xf32>, tensor<9x7xf32>) outs(%init : tensor<4x7xf32>) -> tensor<4x7xf32>
  %z = linalg.matmul ins(%keys, %weights : tensor<4x9xf32>, tensor<9x7xf32>) outs(%init : tensor<4x7xf32>) -> tensor<4x7xf32>
  // expected-remark @below {{raised to aft.full}}
  %y = linalg.div ins(%n, %z : tensor<4x7xf32>, tensor<4x7xf32>) outs(%e2 : tensor<4x7xf32>) -> tensor<4x7xf32>
  return %y : tensor<4x7xf32>
}

// -----

// CHECK-LABEL: func.func @bf16(
// CHECK: aft.full {{.*}} gate = none : (tensor<1x7x4xbf16>, tensor<1x9x4xbf16>, tensor<1x9x4xbf16>, tensor<7x9xbf16>) -> tensor<1x7x4xbf16>
// CHECK: return
func.func @bf16(%k: tensor<9x4xbf16>, %v: tensor<9x4xbf16>, %w: tensor<7x9xbf16>) -> tensor<7x4xbf16> {
  %zero = arith.constant 0.0 : bf16
  %e0 = tensor.empty() : tensor<9x4xbf16>
  %e1 = tensor.empty() : tensor<7x9xbf16>
  %e2 = tensor.empty() : tensor<7x4xbf16>
  %init = linalg.fill ins(%zero : bf16) outs(%e2 : tensor<7x4xbf16>) -> tensor<7x4xbf16>
  %keys = linalg.exp ins(%k : tensor<9x4xbf16>) outs(%e0 : tensor<9x4xbf16>) -> tensor<9x4xbf16>
  %weights = linalg.exp ins(%w : tensor<7x9xbf16>) outs(%e1 : tensor<7x9xbf16>) -> tensor<7x9xbf16>
  %kv = linalg.mul ins(%keys, %v : tensor<9x4xbf16>, tensor<9x4xbf16>) outs(%e0 : tensor<9x4xbf16>) -> tensor<9x4xbf16>
  %n = linalg.matmul ins(%weights, %kv : tensor<7x9xbf16>, tensor<9x4xbf16>) outs(%init : tensor<7x4xbf16>) -> tensor<7x4xbf16>
  %z = linalg.matmul ins(%weights, %keys : tensor<7x9xbf16>, tensor<9x4xbf16>) outs(%init : tensor<7x4xbf16>) -> tensor<7x4xbf16>
  // expected-remark @below {{raised to aft.full}}
  %y = linalg.div ins(%n, %z : tensor<7x4xbf16>, tensor<7x4xbf16>) outs(%e2 : tensor<7x4xbf16>) -> tensor<7x4xbf16>
  return %y : tensor<7x4xbf16>
}

// -----

// CHECK-LABEL: func.func @f64(
// CHECK: aft.full {{.*}} gate = none : (tensor<1x7x4xf64>, tensor<1x9x4xf64>, tensor<1x9x4xf64>, tensor<7x9xf64>) -> tensor<1x7x4xf64>
// CHECK: return
func.func @f64(%k: tensor<9x4xf64>, %v: tensor<9x4xf64>, %w: tensor<7x9xf64>) -> tensor<7x4xf64> {
  %zero = arith.constant 0.0 : f64
  %e0 = tensor.empty() : tensor<9x4xf64>
  %e1 = tensor.empty() : tensor<7x9xf64>
  %e2 = tensor.empty() : tensor<7x4xf64>
  %init = linalg.fill ins(%zero : f64) outs(%e2 : tensor<7x4xf64>) -> tensor<7x4xf64>
  %keys = linalg.exp ins(%k : tensor<9x4xf64>) outs(%e0 : tensor<9x4xf64>) -> tensor<9x4xf64>
  %weights = linalg.exp ins(%w : tensor<7x9xf64>) outs(%e1 : tensor<7x9xf64>) -> tensor<7x9xf64>
  %kv = linalg.mul ins(%keys, %v : tensor<9x4xf64>, tensor<9x4xf64>) outs(%e0 : tensor<9x4xf64>) -> tensor<9x4xf64>
  %n = linalg.matmul ins(%weights, %kv : tensor<7x9xf64>, tensor<9x4xf64>) outs(%init : tensor<7x4xf64>) -> tensor<7x4xf64>
  %z = linalg.matmul ins(%weights, %keys : tensor<7x9xf64>, tensor<9x4xf64>) outs(%init : tensor<7x4xf64>) -> tensor<7x4xf64>
  // expected-remark @below {{raised to aft.full}}
  %y = linalg.div ins(%n, %z : tensor<7x4xf64>, tensor<7x4xf64>) outs(%e2 : tensor<7x4xf64>) -> tensor<7x4xf64>
  return %y : tensor<7x4xf64>
}

// -----

#id = affine_map<(t, c) -> (t, c)>

// Nothing is rounded before the mixer that was not.
// CHECK-LABEL: func.func @wider_inside(
// CHECK: aft.full {{.*}} -> tensor<1x7x4xf32>
// CHECK: arith.truncf {{.*}} : f32 to bf16
// CHECK: return
func.func @wider_inside(%k: tensor<9x4xf32>, %v: tensor<9x4xf32>, %w: tensor<7x9xf32>) -> tensor<7x4xbf16> {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<9x4xf32>
  %e1 = tensor.empty() : tensor<7x9xf32>
  %e2 = tensor.empty() : tensor<7x4xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e2 : tensor<7x4xf32>) -> tensor<7x4xf32>
  %e3 = tensor.empty() : tensor<7x4xbf16>
  %keys = linalg.exp ins(%k : tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %weights = linalg.exp ins(%w : tensor<7x9xf32>) outs(%e1 : tensor<7x9xf32>) -> tensor<7x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e0 : tensor<9x4xf32>) -> tensor<9x4xf32>
  %n = linalg.matmul ins(%weights, %kv : tensor<7x9xf32>, tensor<9x4xf32>) outs(%init : tensor<7x4xf32>) -> tensor<7x4xf32>
  %z = linalg.matmul ins(%weights, %keys : tensor<7x9xf32>, tensor<9x4xf32>) outs(%init : tensor<7x4xf32>) -> tensor<7x4xf32>
  // expected-remark @below {{raised to aft.full}}
  %y = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%n, %z : tensor<7x4xf32>, tensor<7x4xf32>) outs(%e3 : tensor<7x4xbf16>) {
  ^bb0(%a: f32, %b: f32, %o: bf16):
    %r = arith.divf %a, %b : f32
    %t = arith.truncf %r : f32 to bf16
    linalg.yield %t : bf16
  } -> tensor<7x4xbf16>
  return %y : tensor<7x4xbf16>
}

// -----

// CHECK-LABEL: func.func @dynamic(
// CHECK: aft.full {{.*}} gate = none : (tensor<1x?x4xf32>, tensor<1x?x4xf32>, tensor<1x?x4xf32>, tensor<?x?xf32>) -> tensor<1x?x4xf32>
// CHECK-NOT: linalg.matmul
// CHECK: return
func.func @dynamic(%k: tensor<?x4xf32>, %v: tensor<?x4xf32>, %w: tensor<?x?xf32>) -> tensor<?x4xf32> {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %t = tensor.dim %w, %c0 : tensor<?x?xf32>
  %keys = linalg.exp ins(%k : tensor<?x4xf32>) outs(%k : tensor<?x4xf32>) -> tensor<?x4xf32>
  %weights = linalg.exp ins(%w : tensor<?x?xf32>) outs(%w : tensor<?x?xf32>) -> tensor<?x?xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<?x4xf32>, tensor<?x4xf32>) outs(%k : tensor<?x4xf32>) -> tensor<?x4xf32>
  %e = tensor.empty(%t) : tensor<?x4xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<?x4xf32>) -> tensor<?x4xf32>
  %n = linalg.matmul ins(%weights, %kv : tensor<?x?xf32>, tensor<?x4xf32>) outs(%init : tensor<?x4xf32>) -> tensor<?x4xf32>
  %z = linalg.matmul ins(%weights, %keys : tensor<?x?xf32>, tensor<?x4xf32>) outs(%init : tensor<?x4xf32>) -> tensor<?x4xf32>
  // expected-remark @below {{raised to aft.full}}
  %y = linalg.div ins(%n, %z : tensor<?x4xf32>, tensor<?x4xf32>) outs(%e : tensor<?x4xf32>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}
