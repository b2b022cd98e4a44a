// RUN: aft-opt %s -split-input-file -aft-raise-mixers -canonicalize -cse | FileCheck %s
// RUN: aft-opt %s -split-input-file -aft-raise-mixers=remarks -verify-diagnostics -o /dev/null

// Biases that depend on the distance of key and query alone.

#hts = affine_map<(h, t, s) -> (h, t, s)>
#ts = affine_map<(h, t, s) -> (t, s)>
#h = affine_map<(h, t, s) -> (h)>
#w = affine_map<(b, h, t, s) -> (h, t, s)>
#x = affine_map<(b, h, t, s) -> (b, h, s)>
#y = affine_map<(b, h, t, s) -> (b, h, t)>

// where(|t' - t| <= 2, f[h, clamp(t' - t + 2)], 0)
// CHECK-LABEL: func.func @window(
// CHECK: aft.conv {{.*}} gate = none : (tensor<2x9x4xf32>, tensor<2x9x4xf32>, tensor<2x9x4xf32>, tensor<4x5xf32>) -> tensor<2x9x4xf32>
// CHECK: return
func.func @window(%k: tensor<2x4x9xf32>, %v: tensor<2x4x9xf32>, %f: tensor<4x5xf32>) -> tensor<2x4x9xf32> {
  %zero = arith.constant 0.0 : f32
  %low = arith.constant 0xFF800000 : f32
  %ew = tensor.empty() : tensor<4x9x9xf32>
  %bias = linalg.generic {indexing_maps = [#hts], iterator_types = ["parallel", "parallel", "parallel"]} outs(%ew : tensor<4x9x9xf32>) {
  ^bb0(%o: f32):
    %ch = linalg.index 0 : index
    %t = linalg.index 1 : index
    %s = linalg.index 2 : index
    %d = arith.subi %s, %t : index
    %c2 = arith.constant 2 : index
    %m2 = arith.constant -2 : index
    %c4 = arith.constant 4 : index
    %c0 = arith.constant 0 : index
    %place = arith.addi %d, %c2 : index
    %most = arith.minsi %place, %c4 : index
    %inside = arith.maxsi %most, %c0 : index
    %found = tensor.extract %f[%ch, %inside] : tensor<4x5xf32>
    %above = arith.cmpi sle, %d, %c2 : index
    %below = arith.cmpi sge, %d, %m2 : index
    %near = arith.andi %above, %below : i1
    %x = arith.select %near, %found, %zero : f32
    linalg.yield %x : f32
  } -> tensor<4x9x9xf32>
  %e3 = tensor.empty() : tensor<2x4x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  %keys = linalg.exp ins(%k : tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<2x4x9xf32>, tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  %weights = linalg.exp ins(%bias : tensor<4x9x9xf32>) outs(%ew : tensor<4x9x9xf32>) -> tensor<4x9x9xf32>
  %n = linalg.generic {indexing_maps = [#w, #x, #y], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%weights, %kv : tensor<4x9x9xf32>, tensor<2x4x9xf32>) outs(%init : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    %r = arith.addf %o, %p : f32
    linalg.yield %r : f32
  } -> tensor<2x4x9xf32>
  %z = linalg.generic {indexing_maps = [#w, #x, #y], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%weights, %keys : tensor<4x9x9xf32>, tensor<2x4x9xf32>) outs(%init : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    %r = arith.addf %o, %p : f32
    linalg.yield %r : f32
  } -> tensor<2x4x9xf32>
  // expected-remark @below {{raised to aft.conv}}
  %y = linalg.div ins(%n, %z : tensor<2x4x9xf32>, tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  return %y : tensor<2x4x9xf32>
}

// -----

#hts = affine_map<(h, t, s) -> (h, t, s)>
#ts = affine_map<(h, t, s) -> (t, s)>
#h = affine_map<(h, t, s) -> (h)>
#w = affine_map<(b, h, t, s) -> (h, t, s)>
#x = affine_map<(b, h, t, s) -> (b, h, s)>
#y = affine_map<(b, h, t, s) -> (b, h, t)>

// The same of a table that counts from the key to the query: t - t'.
// CHECK-LABEL: func.func @backwards(
// CHECK: aft.embedding
// CHECK: aft.conv {{.*}} gate = none : (tensor<2x9x4xf32>, tensor<2x9x4xf32>, tensor<2x9x4xf32>, tensor<4x5xf32>) -> tensor<2x9x4xf32>
// CHECK: return
func.func @backwards(%k: tensor<2x4x9xf32>, %v: tensor<2x4x9xf32>, %f: tensor<4x5xf32>) -> tensor<2x4x9xf32> {
  %zero = arith.constant 0.0 : f32
  %low = arith.constant 0xFF800000 : f32
  %ew = tensor.empty() : tensor<4x9x9xf32>
  %bias = linalg.generic {indexing_maps = [#hts], iterator_types = ["parallel", "parallel", "parallel"]} outs(%ew : tensor<4x9x9xf32>) {
  ^bb0(%o: f32):
    %ch = linalg.index 0 : index
    %t = linalg.index 1 : index
    %s = linalg.index 2 : index
    %d = arith.subi %s, %t : index
    %c2 = arith.constant 2 : index
    %m2 = arith.constant -2 : index
    %c4 = arith.constant 4 : index
    %c0 = arith.constant 0 : index
    %apart = arith.subi %t, %s : index
    %place = arith.addi %apart, %c2 : index
    %most = arith.minsi %place, %c4 : index
    %inside = arith.maxsi %most, %c0 : index
    %found = tensor.extract %f[%ch, %inside] : tensor<4x5xf32>
    %above = arith.cmpi sle, %d, %c2 : index
    %below = arith.cmpi sge, %d, %m2 : index
    %near = arith.andi %above, %below : i1
    %x = arith.select %near, %found, %zero : f32
    linalg.yield %x : f32
  } -> tensor<4x9x9xf32>
  %e3 = tensor.empty() : tensor<2x4x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  %keys = linalg.exp ins(%k : tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<2x4x9xf32>, tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  %weights = linalg.exp ins(%bias : tensor<4x9x9xf32>) outs(%ew : tensor<4x9x9xf32>) -> tensor<4x9x9xf32>
  %n = linalg.generic {indexing_maps = [#w, #x, #y], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%weights, %kv : tensor<4x9x9xf32>, tensor<2x4x9xf32>) outs(%init : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    %r = arith.addf %o, %p : f32
    linalg.yield %r : f32
  } -> tensor<2x4x9xf32>
  %z = linalg.generic {indexing_maps = [#w, #x, #y], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%weights, %keys : tensor<4x9x9xf32>, tensor<2x4x9xf32>) outs(%init : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    %r = arith.addf %o, %p : f32
    linalg.yield %r : f32
  } -> tensor<2x4x9xf32>
  // expected-remark @below {{raised to aft.conv}}
  %y = linalg.div ins(%n, %z : tensor<2x4x9xf32>, tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  return %y : tensor<2x4x9xf32>
}

// -----

#hts = affine_map<(h, t, s) -> (h, t, s)>
#ts = affine_map<(h, t, s) -> (t, s)>
#h = affine_map<(h, t, s) -> (h)>
#w = affine_map<(b, h, t, s) -> (h, t, s)>
#x = affine_map<(b, h, t, s) -> (b, h, s)>
#y = affine_map<(b, h, t, s) -> (b, h, t)>

// Distances of 3 and more are taken for 2: the places do not follow the taps one by one.
// CHECK-LABEL: func.func @clamped(
// CHECK: aft.embedding
// CHECK: aft.conv {{.*}} tensor<4x17xf32>) -> tensor<2x9x4xf32>
// CHECK: return
func.func @clamped(%k: tensor<2x4x9xf32>, %v: tensor<2x4x9xf32>, %f: tensor<4x5xf32>) -> tensor<2x4x9xf32> {
  %zero = arith.constant 0.0 : f32
  %low = arith.constant 0xFF800000 : f32
  %ew = tensor.empty() : tensor<4x9x9xf32>
  %bias = linalg.generic {indexing_maps = [#hts], iterator_types = ["parallel", "parallel", "parallel"]} outs(%ew : tensor<4x9x9xf32>) {
  ^bb0(%o: f32):
    %ch = linalg.index 0 : index
    %t = linalg.index 1 : index
    %s = linalg.index 2 : index
    %d = arith.subi %s, %t : index
    %c2 = arith.constant 2 : index
    %c4 = arith.constant 4 : index
    %c0 = arith.constant 0 : index
    %place = arith.addi %d, %c2 : index
    %most = arith.minsi %place, %c4 : index
    %inside = arith.maxsi %most, %c0 : index
    %x = tensor.extract %f[%ch, %inside] : tensor<4x5xf32>
    linalg.yield %x : f32
  } -> tensor<4x9x9xf32>
  %e3 = tensor.empty() : tensor<2x4x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  %keys = linalg.exp ins(%k : tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<2x4x9xf32>, tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  %weights = linalg.exp ins(%bias : tensor<4x9x9xf32>) outs(%ew : tensor<4x9x9xf32>) -> tensor<4x9x9xf32>
  %n = linalg.generic {indexing_maps = [#w, #x, #y], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%weights, %kv : tensor<4x9x9xf32>, tensor<2x4x9xf32>) outs(%init : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    %r = arith.addf %o, %p : f32
    linalg.yield %r : f32
  } -> tensor<2x4x9xf32>
  %z = linalg.generic {indexing_maps = [#w, #x, #y], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%weights, %keys : tensor<4x9x9xf32>, tensor<2x4x9xf32>) outs(%init : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    %r = arith.addf %o, %p : f32
    linalg.yield %r : f32
  } -> tensor<2x4x9xf32>
  // expected-remark @below {{raised to aft.conv}}
  %y = linalg.div ins(%n, %z : tensor<2x4x9xf32>, tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  return %y : tensor<2x4x9xf32>
}

// -----

#hts = affine_map<(h, t, s) -> (h, t, s)>
#ts = affine_map<(h, t, s) -> (t, s)>
#h = affine_map<(h, t, s) -> (h)>
#w = affine_map<(b, h, t, s) -> (h, t, s)>
#x = affine_map<(b, h, t, s) -> (b, h, s)>
#y = affine_map<(b, h, t, s) -> (b, h, t)>

// f[h, t' - t + 8] for all pairs.
// CHECK-LABEL: func.func @all(
// CHECK: aft.conv {{.*}} tensor<4x17xf32>) -> tensor<2x9x4xf32>
// CHECK: return
func.func @all(%k: tensor<2x4x9xf32>, %v: tensor<2x4x9xf32>, %f: tensor<4x17xf32>) -> tensor<2x4x9xf32> {
  %zero = arith.constant 0.0 : f32
  %low = arith.constant 0xFF800000 : f32
  %ew = tensor.empty() : tensor<4x9x9xf32>
  %bias = linalg.generic {indexing_maps = [#hts], iterator_types = ["parallel", "parallel", "parallel"]} outs(%ew : tensor<4x9x9xf32>) {
  ^bb0(%o: f32):
    %ch = linalg.index 0 : index
    %t = linalg.index 1 : index
    %s = linalg.index 2 : index
    %d = arith.subi %s, %t : index
    %c8 = arith.constant 8 : index
    %place = arith.addi %d, %c8 : index
    %x = tensor.extract %f[%ch, %place] : tensor<4x17xf32>
    linalg.yield %x : f32
  } -> tensor<4x9x9xf32>
  %e3 = tensor.empty() : tensor<2x4x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  %keys = linalg.exp ins(%k : tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<2x4x9xf32>, tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  %weights = linalg.exp ins(%bias : tensor<4x9x9xf32>) outs(%ew : tensor<4x9x9xf32>) -> tensor<4x9x9xf32>
  %n = linalg.generic {indexing_maps = [#w, #x, #y], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%weights, %kv : tensor<4x9x9xf32>, tensor<2x4x9xf32>) outs(%init : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    %r = arith.addf %o, %p : f32
    linalg.yield %r : f32
  } -> tensor<2x4x9xf32>
  %z = linalg.generic {indexing_maps = [#w, #x, #y], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%weights, %keys : tensor<4x9x9xf32>, tensor<2x4x9xf32>) outs(%init : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    %r = arith.addf %o, %p : f32
    linalg.yield %r : f32
  } -> tensor<2x4x9xf32>
  // expected-remark @below {{raised to aft.conv}}
  %y = linalg.div ins(%n, %z : tensor<2x4x9xf32>, tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  return %y : tensor<2x4x9xf32>
}

// -----

#hts = affine_map<(h, t, s) -> (h, t, s)>
#ts = affine_map<(h, t, s) -> (t, s)>
#h = affine_map<(h, t, s) -> (h)>
#w = affine_map<(b, h, t, s) -> (h, t, s)>
#x = affine_map<(b, h, t, s) -> (b, h, s)>
#y = affine_map<(b, h, t, s) -> (b, h, t)>

// RWKV's: (t' - t + 1) * exp(decay) before the query, a bonus at it, and nothing behind it.
// CHECK-LABEL: func.func @decay(
// CHECK: %[[TAPS:.*]] = linalg.generic {{.*}} ins(%{{.*}}, %{{.*}} : tensor<4xf32>, tensor<4xf32>) outs(%{{.*}} : tensor<4x9xf32>)
// CHECK: aft.conv {{.*}}, %[[TAPS]] causal gate = none
// CHECK: return
func.func @decay(%k: tensor<2x4x9xf32>, %v: tensor<2x4x9xf32>, %g: tensor<4xf32>, %u: tensor<4xf32>) -> tensor<2x4x9xf32> {
  %zero = arith.constant 0.0 : f32
  %low = arith.constant 0xFF800000 : f32
  %ew = tensor.empty() : tensor<4x9x9xf32>
  %bias = linalg.generic {indexing_maps = [#h, #h, #hts], iterator_types = ["parallel", "parallel", "parallel"]} ins(%g, %u : tensor<4xf32>, tensor<4xf32>) outs(%ew : tensor<4x9x9xf32>) {
  ^bb0(%a: f32, %u0: f32, %o: f32):
    %ch = linalg.index 0 : index
    %t = linalg.index 1 : index
    %s = linalg.index 2 : index
    %d = arith.subi %s, %t : index
    %one = arith.constant 1 : i64
    %di = arith.index_cast %d : index to i64
    %far = arith.addi %di, %one : i64
    %df = arith.sitofp %far : i64 to f32
    %past = arith.mulf %df, %a : f32
    %c0 = arith.constant 0 : index
    %own = arith.cmpi eq, %d, %c0 : index
    %seen = arith.select %own, %u0, %past : f32
    %later = arith.cmpi sgt, %d, %c0 : index
    %x = arith.select %later, %low, %seen : f32
    linalg.yield %x : f32
  } -> tensor<4x9x9xf32>
  %e3 = tensor.empty() : tensor<2x4x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  %keys = linalg.exp ins(%k : tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<2x4x9xf32>, tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  %weights = linalg.exp ins(%bias : tensor<4x9x9xf32>) outs(%ew : tensor<4x9x9xf32>) -> tensor<4x9x9xf32>
  %n = linalg.generic {indexing_maps = [#w, #x, #y], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%weights, %kv : tensor<4x9x9xf32>, tensor<2x4x9xf32>) outs(%init : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    %r = arith.addf %o, %p : f32
    linalg.yield %r : f32
  } -> tensor<2x4x9xf32>
  %z = linalg.generic {indexing_maps = [#w, #x, #y], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%weights, %keys : tensor<4x9x9xf32>, tensor<2x4x9xf32>) outs(%init : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    %r = arith.addf %o, %p : f32
    linalg.yield %r : f32
  } -> tensor<2x4x9xf32>
  // expected-remark @below {{raised to aft.conv}}
  %y = linalg.div ins(%n, %z : tensor<2x4x9xf32>, tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  return %y : tensor<2x4x9xf32>
}

// -----

#hts = affine_map<(h, t, s) -> (h, t, s)>
#ts = affine_map<(h, t, s) -> (t, s)>
#h = affine_map<(h, t, s) -> (h)>
#w = affine_map<(b, h, t, s) -> (h, t, s)>
#x = affine_map<(b, h, t, s) -> (b, h, s)>
#y = affine_map<(b, h, t, s) -> (b, h, t)>

// t' / (t + 1) is no distance.
// CHECK-LABEL: func.func @ratio(
// CHECK: aft.full
// CHECK: return
func.func @ratio(%k: tensor<2x4x9xf32>, %v: tensor<2x4x9xf32>, %g: tensor<4xf32>) -> tensor<2x4x9xf32> {
  %zero = arith.constant 0.0 : f32
  %low = arith.constant 0xFF800000 : f32
  %ew = tensor.empty() : tensor<4x9x9xf32>
  %bias = linalg.generic {indexing_maps = [#h, #hts], iterator_types = ["parallel", "parallel", "parallel"]} ins(%g : tensor<4xf32>) outs(%ew : tensor<4x9x9xf32>) {
  ^bb0(%a: f32, %o: f32):
    %ch = linalg.index 0 : index
    %t = linalg.index 1 : index
    %s = linalg.index 2 : index
    %d = arith.subi %s, %t : index
    %one = arith.constant 1 : i64
    %ti = arith.index_cast %t : index to i64
    %si = arith.index_cast %s : index to i64
    %t1 = arith.addi %ti, %one : i64
    %tf = arith.sitofp %t1 : i64 to f32
    %sf = arith.sitofp %si : i64 to f32
    %r = arith.divf %sf, %tf : f32
    %x = arith.mulf %r, %a : f32
    linalg.yield %x : f32
  } -> tensor<4x9x9xf32>
  %e3 = tensor.empty() : tensor<2x4x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  %keys = linalg.exp ins(%k : tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<2x4x9xf32>, tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  %weights = linalg.exp ins(%bias : tensor<4x9x9xf32>) outs(%ew : tensor<4x9x9xf32>) -> tensor<4x9x9xf32>
  %n = linalg.generic {indexing_maps = [#w, #x, #y], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%weights, %kv : tensor<4x9x9xf32>, tensor<2x4x9xf32>) outs(%init : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    %r = arith.addf %o, %p : f32
    linalg.yield %r : f32
  } -> tensor<2x4x9xf32>
  %z = linalg.generic {indexing_maps = [#w, #x, #y], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%weights, %keys : tensor<4x9x9xf32>, tensor<2x4x9xf32>) outs(%init : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    %r = arith.addf %o, %p : f32
    linalg.yield %r : f32
  } -> tensor<2x4x9xf32>
  // expected-remark @below {{raised to aft.full}}
  %y = linalg.div ins(%n, %z : tensor<2x4x9xf32>, tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  return %y : tensor<2x4x9xf32>
}
