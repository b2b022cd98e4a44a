// RUN: aft-opt %s -split-input-file -aft-raise-mixers -canonicalize -cse | FileCheck %s
// RUN: aft-opt %s -split-input-file -aft-raise-mixers=remarks -verify-diagnostics -o /dev/null

// Constants that hold a number per distance of key and query.

#hts = affine_map<(h, t, s) -> (h, t, s)>
#h = affine_map<(h, t, s) -> (h)>
#w = affine_map<(b, h, t, s) -> (h, t, s)>
#x = affine_map<(b, h, t, s) -> (b, h, s)>
#y = affine_map<(b, h, t, s) -> (b, h, t)>

// exp(-(|t - t'| - 1) / 4 * g), and exp(u) at the query: a tap for each distance.
// CHECK-LABEL: func.func @both_sides(
// CHECK-NOT: tensor<2x4x4xf32>
// CHECK: aft.conv {{.*}} gate = none : (tensor<?x4x2xf32>, tensor<?x4x2xf32>, tensor<?x4x2xf32>, tensor<2x7xf32>)
// CHECK: return
func.func @both_sides(%k: tensor<?x2x4xf32>, %v: tensor<?x2x4xf32>, %g: tensor<2xf32>, %u: tensor<2xf32>) -> tensor<?x2x4xf32> {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %n = tensor.dim %k, %c0 : tensor<?x2x4xf32>
  %table = arith.constant dense<[[[0.25, 0.0, -0.25, -0.5], [0.0, 0.25, 0.0, -0.25], [-0.25, 0.0, 0.25, 0.0], [-0.5, -0.25, 0.0, 0.25]],
                                [[0.25, 0.0, -0.25, -0.5], [0.0, 0.25, 0.0, -0.25], [-0.25, 0.0, 0.25, 0.0], [-0.5, -0.25, 0.0, 0.25]]]> : tensor<2x4x4xf32>
  %ew = tensor.empty() : tensor<2x4x4xf32>
  %weights = linalg.generic {indexing_maps = [#hts, #h, #h, #hts], iterator_types = ["parallel", "parallel", "parallel"]} ins(%table, %g, %u : tensor<2x4x4xf32>, tensor<2xf32>, tensor<2xf32>) outs(%ew : tensor<2x4x4xf32>) {
  ^bb0(%d: f32, %a: f32, %u0: f32, %o: f32):
    %t = linalg.index 1 : index
    %s = linalg.index 2 : index
    %own = arith.cmpi eq, %t, %s : index
    %far = arith.mulf %d, %a : f32
    %bias = arith.select %own, %u0, %far : f32
    %r = math.exp %bias : f32
    linalg.yield %r : f32
  } -> tensor<2x4x4xf32>
  %e3 = tensor.empty(%n) : tensor<?x2x4xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e3 : tensor<?x2x4xf32>) -> tensor<?x2x4xf32>
  %keys = linalg.exp ins(%k : tensor<?x2x4xf32>) outs(%e3 : tensor<?x2x4xf32>) -> tensor<?x2x4xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<?x2x4xf32>, tensor<?x2x4xf32>) outs(%e3 : tensor<?x2x4xf32>) -> tensor<?x2x4xf32>
  %above = linalg.generic {indexing_maps = [#w, #x, #y], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%weights, %kv : tensor<2x4x4xf32>, tensor<?x2x4xf32>) outs(%init : tensor<?x2x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    %r = arith.addf %o, %p : f32
    linalg.yield %r : f32
  } -> tensor<?x2x4xf32>
  %below = linalg.generic {indexing_maps = [#w, #x, #y], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%weights, %keys : tensor<2x4x4xf32>, tensor<?x2x4xf32>) outs(%init : tensor<?x2x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    %r = arith.addf %o, %p : f32
    linalg.yield %r : f32
  } -> tensor<?x2x4xf32>
  // expected-remark @below {{raised to aft.conv}}
  %out = linalg.div ins(%above, %below : tensor<?x2x4xf32>, tensor<?x2x4xf32>) outs(%e3 : tensor<?x2x4xf32>) -> tensor<?x2x4xf32>
  return %out : tensor<?x2x4xf32>
}

// -----

#hts = affine_map<(h, t, s) -> (h, t, s)>
#h = affine_map<(h, t, s) -> (h)>
#w = affine_map<(b, h, t, s) -> (h, t, s)>
#x = affine_map<(b, h, t, s) -> (b, h, s)>
#y = affine_map<(b, h, t, s) -> (b, h, t)>

// Weights that fall by a half and a quarter, 0 behind the query, as their logarithms.
// CHECK-LABEL: func.func @powers(
// CHECK-DAG: dense<{{\[}}[-2.07944155, -1.38629436, -0.693147182, 0.000000e+00, 0xFF800000, 0xFF800000, 0xFF800000],
// CHECK: aft.conv {{.*}} causal gate = none : (tensor<?x4x2xf32>, tensor<?x4x2xf32>, tensor<?x4x2xf32>, tensor<2x4xf32>)
// CHECK: return
func.func @powers(%k: tensor<?x2x4xf32>, %v: tensor<?x2x4xf32>) -> tensor<?x2x4xf32> {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %n = tensor.dim %k, %c0 : tensor<?x2x4xf32>
  %table = arith.constant dense<[[[1.0, 0.0, 0.0, 0.0], [0.5, 1.0, 0.0, 0.0], [0.25, 0.5, 1.0, 0.0], [0.125, 0.25, 0.5, 1.0]],
                                [[1.0, 0.0, 0.0, 0.0], [0.25, 1.0, 0.0, 0.0], [0.0625, 0.25, 1.0, 0.0], [0.015625, 0.0625, 0.25, 1.0]]]> : tensor<2x4x4xf32>
  %weights = tensor.cast %table : tensor<2x4x4xf32> to tensor<2x4x4xf32>
  %e3 = tensor.empty(%n) : tensor<?x2x4xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e3 : tensor<?x2x4xf32>) -> tensor<?x2x4xf32>
  %keys = linalg.exp ins(%k : tensor<?x2x4xf32>) outs(%e3 : tensor<?x2x4xf32>) -> tensor<?x2x4xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<?x2x4xf32>, tensor<?x2x4xf32>) outs(%e3 : tensor<?x2x4xf32>) -> tensor<?x2x4xf32>
  %above = linalg.generic {indexing_maps = [#w, #x, #y], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%weights, %kv : tensor<2x4x4xf32>, tensor<?x2x4xf32>) outs(%init : tensor<?x2x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    %r = arith.addf %o, %p : f32
    linalg.yield %r : f32
  } -> tensor<?x2x4xf32>
  %below = linalg.generic {indexing_maps = [#w, #x, #y], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%weights, %keys : tensor<2x4x4xf32>, tensor<?x2x4xf32>) outs(%init : tensor<?x2x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    %r = arith.addf %o, %p : f32
    linalg.yield %r : f32
  } -> tensor<?x2x4xf32>
  // expected-remark @below {{raised to aft.conv}}
  %out = linalg.div ins(%above, %below : tensor<?x2x4xf32>, tensor<?x2x4xf32>) outs(%e3 : tensor<?x2x4xf32>) -> tensor<?x2x4xf32>
  return %out : tensor<?x2x4xf32>
}

// -----

#hts = affine_map<(h, t, s) -> (h, t, s)>
#h = affine_map<(h, t, s) -> (h)>
#w = affine_map<(b, h, t, s) -> (h, t, s)>
#x = affine_map<(b, h, t, s) -> (b, h, s)>
#y = affine_map<(b, h, t, s) -> (b, h, t)>

// A bias that is 0 beyond a distance of 1.
// CHECK-LABEL: func.func @window(
// CHECK: aft.conv {{.*}} tensor<2x3xf32>)
// CHECK: return
func.func @window(%k: tensor<?x2x4xf32>, %v: tensor<?x2x4xf32>) -> tensor<?x2x4xf32> {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %n = tensor.dim %k, %c0 : tensor<?x2x4xf32>
  %table = arith.constant dense<[[[1.0, 0.5, 0.0, 0.0], [0.5, 1.0, 0.5, 0.0], [0.0, 0.5, 1.0, 0.5], [0.0, 0.0, 0.5, 1.0]],
                                [[0.5, 0.25, 0.0, 0.0], [0.25, 0.5, 0.25, 0.0], [0.0, 0.25, 0.5, 0.25], [0.0, 0.0, 0.25, 0.5]]]> : tensor<2x4x4xf32>
  %ew = tensor.empty() : tensor<2x4x4xf32>
  %weights = linalg.exp ins(%table : tensor<2x4x4xf32>) outs(%ew : tensor<2x4x4xf32>) -> tensor<2x4x4xf32>
  %e3 = tensor.empty(%n) : tensor<?x2x4xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e3 : tensor<?x2x4xf32>) -> tensor<?x2x4xf32>
  %keys = linalg.exp ins(%k : tensor<?x2x4xf32>) outs(%e3 : tensor<?x2x4xf32>) -> tensor<?x2x4xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<?x2x4xf32>, tensor<?x2x4xf32>) outs(%e3 : tensor<?x2x4xf32>) -> tensor<?x2x4xf32>
  %above = linalg.generic {indexing_maps = [#w, #x, #y], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%weights, %kv : tensor<2x4x4xf32>, tensor<?x2x4xf32>) outs(%init : tensor<?x2x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    %r = arith.addf %o, %p : f32
    linalg.yield %r : f32
  } -> tensor<?x2x4xf32>
  %below = linalg.generic {indexing_maps = [#w, #x, #y], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%weights, %keys : tensor<2x4x4xf32>, tensor<?x2x4xf32>) outs(%init : tensor<?x2x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    %r = arith.addf %o, %p : f32
    linalg.yield %r : f32
  } -> tensor<?x2x4xf32>
  // expected-remark @below {{raised to aft.conv}}
  %out = linalg.div ins(%above, %below : tensor<?x2x4xf32>, tensor<?x2x4xf32>) outs(%e3 : tensor<?x2x4xf32>) -> tensor<?x2x4xf32>
  return %out : tensor<?x2x4xf32>
}

// -----

#hts = affine_map<(h, t, s) -> (h, t, s)>
#h = affine_map<(h, t, s) -> (h)>
#w = affine_map<(b, h, t, s) -> (h, t, s)>
#x = affine_map<(b, h, t, s) -> (b, h, s)>
#y = affine_map<(b, h, t, s) -> (b, h, t)>

// Equal distances but for rounding.
// CHECK-LABEL: func.func @rounded(
// CHECK: aft.conv {{.*}} tensor<2x7xf32>)
// CHECK: return
func.func @rounded(%k: tensor<?x2x4xf32>, %v: tensor<?x2x4xf32>) -> tensor<?x2x4xf32> {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %n = tensor.dim %k, %c0 : tensor<?x2x4xf32>
  %table = arith.constant dense<[[[-0.0, -0.3, -0.6, -0.8999999999999999], [-0.3, -0.0, -0.3, -0.6], [-0.6000000600000001, -0.30000003000000003, -0.0, -0.30000003000000003], [-0.9000000899999999, -0.6000000600000001, -0.30000003000000003, -0.0]],
                                [[-0.0, -0.6, -1.2, -1.7999999999999998], [-0.6, -0.0, -0.6, -1.2], [-1.2000001200000001, -0.6000000600000001, -0.0, -0.6000000600000001], [-1.8000001799999998, -1.2000001200000001, -0.6000000600000001, -0.0]]]> : tensor<2x4x4xf32>
  %ew = tensor.empty() : tensor<2x4x4xf32>
  %weights = linalg.exp ins(%table : tensor<2x4x4xf32>) outs(%ew : tensor<2x4x4xf32>) -> tensor<2x4x4xf32>
  %e3 = tensor.empty(%n) : tensor<?x2x4xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e3 : tensor<?x2x4xf32>) -> tensor<?x2x4xf32>
  %keys = linalg.exp ins(%k : tensor<?x2x4xf32>) outs(%e3 : tensor<?x2x4xf32>) -> tensor<?x2x4xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<?x2x4xf32>, tensor<?x2x4xf32>) outs(%e3 : tensor<?x2x4xf32>) -> tensor<?x2x4xf32>
  %above = linalg.generic {indexing_maps = [#w, #x, #y], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%weights, %kv : tensor<2x4x4xf32>, tensor<?x2x4xf32>) outs(%init : tensor<?x2x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    %r = arith.addf %o, %p : f32
    linalg.yield %r : f32
  } -> tensor<?x2x4xf32>
  %below = linalg.generic {indexing_maps = [#w, #x, #y], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%weights, %keys : tensor<2x4x4xf32>, tensor<?x2x4xf32>) outs(%init : tensor<?x2x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    %r = arith.addf %o, %p : f32
    linalg.yield %r : f32
  } -> tensor<?x2x4xf32>
  // expected-remark @below {{raised to aft.conv}}
  %out = linalg.div ins(%above, %below : tensor<?x2x4xf32>, tensor<?x2x4xf32>) outs(%e3 : tensor<?x2x4xf32>) -> tensor<?x2x4xf32>
  return %out : tensor<?x2x4xf32>
}

// -----

#hts = affine_map<(h, t, s) -> (h, t, s)>
#h = affine_map<(h, t, s) -> (h)>
#w = affine_map<(b, h, t, s) -> (h, t, s)>
#x = affine_map<(b, h, t, s) -> (b, h, s)>
#y = affine_map<(b, h, t, s) -> (b, h, t)>

// Who else reads the table gets it as it was.
// CHECK-LABEL: func.func @shared(
// CHECK: %[[TABLE:.*]] = arith.constant dense<{{.*}}> : tensor<2x4x4xf32>
// CHECK: %[[OUT:.*]] = {{.*}} : tensor<?x4x2xf32>
// CHECK: return %{{.*}}, %[[TABLE]]
func.func @shared(%k: tensor<?x2x4xf32>, %v: tensor<?x2x4xf32>) -> (tensor<?x2x4xf32>, tensor<2x4x4xf32>) {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %n = tensor.dim %k, %c0 : tensor<?x2x4xf32>
  %table = arith.constant dense<[[[-0.0, -0.3, -0.6, -0.8999999999999999], [-0.3, -0.0, -0.3, -0.6], [-0.6000000600000001, -0.30000003000000003, -0.0, -0.30000003000000003], [-0.9000000899999999, -0.6000000600000001, -0.30000003000000003, -0.0]],
                                [[-0.0, -0.6, -1.2, -1.7999999999999998], [-0.6, -0.0, -0.6, -1.2], [-1.2000001200000001, -0.6000000600000001, -0.0, -0.6000000600000001], [-1.8000001799999998, -1.2000001200000001, -0.6000000600000001, -0.0]]]> : tensor<2x4x4xf32>
  %ew = tensor.empty() : tensor<2x4x4xf32>
  %weights = linalg.exp ins(%table : tensor<2x4x4xf32>) outs(%ew : tensor<2x4x4xf32>) -> tensor<2x4x4xf32>
  %e3 = tensor.empty(%n) : tensor<?x2x4xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e3 : tensor<?x2x4xf32>) -> tensor<?x2x4xf32>
  %keys = linalg.exp ins(%k : tensor<?x2x4xf32>) outs(%e3 : tensor<?x2x4xf32>) -> tensor<?x2x4xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<?x2x4xf32>, tensor<?x2x4xf32>) outs(%e3 : tensor<?x2x4xf32>) -> tensor<?x2x4xf32>
  %above = linalg.generic {indexing_maps = [#w, #x, #y], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%weights, %kv : tensor<2x4x4xf32>, tensor<?x2x4xf32>) outs(%init : tensor<?x2x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    %r = arith.addf %o, %p : f32
    linalg.yield %r : f32
  } -> tensor<?x2x4xf32>
  %below = linalg.generic {indexing_maps = [#w, #x, #y], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%weights, %keys : tensor<2x4x4xf32>, tensor<?x2x4xf32>) outs(%init : tensor<?x2x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    %r = arith.addf %o, %p : f32
    linalg.yield %r : f32
  } -> tensor<?x2x4xf32>
  // expected-remark @below {{raised to aft.conv}}
  %out = linalg.div ins(%above, %below : tensor<?x2x4xf32>, tensor<?x2x4xf32>) outs(%e3 : tensor<?x2x4xf32>) -> tensor<?x2x4xf32>
  return %out, %table : tensor<?x2x4xf32>, tensor<2x4x4xf32>
}

// -----

#hts = affine_map<(h, t, s) -> (h, t, s)>
#h = affine_map<(h, t, s) -> (h)>
#w = affine_map<(b, h, t, s) -> (h, t, s)>
#x = affine_map<(b, h, t, s) -> (b, h, s)>
#y = affine_map<(b, h, t, s) -> (b, h, t)>

// One number of another one's distance: no filter, and the table stays.
// CHECK-LABEL: func.func @one_off(
// CHECK: %[[TABLE:.*]] = arith.constant dense<{{.*}}> : tensor<2x4x4xf32>
// CHECK: linalg.exp ins(%[[TABLE]]
// CHECK-NOT: aft.conv
// CHECK: return
func.func @one_off(%k: tensor<?x2x4xf32>, %v: tensor<?x2x4xf32>) -> tensor<?x2x4xf32> {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %n = tensor.dim %k, %c0 : tensor<?x2x4xf32>
  %table = arith.constant dense<[[[-0.0, -0.5, -1.0, -1.5], [-0.5, -0.0, -0.5, -1.0], [-1.0, -0.5, -0.0, -0.5], [-1.5, -1.0, -0.5, -0.0]],
                                [[-0.0, -1.0, -2.0, -3.0], [-1.0, -0.0, -1.0, -2.0], [-2.0, -1.0, -0.0, -1.0], [-3.0, -2.0, -0.75, -0.0]]]> : tensor<2x4x4xf32>
  %ew = tensor.empty() : tensor<2x4x4xf32>
  %weights = linalg.exp ins(%table : tensor<2x4x4xf32>) outs(%ew : tensor<2x4x4xf32>) -> tensor<2x4x4xf32>
  %e3 = tensor.empty(%n) : tensor<?x2x4xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e3 : tensor<?x2x4xf32>) -> tensor<?x2x4xf32>
  %keys = linalg.exp ins(%k : tensor<?x2x4xf32>) outs(%e3 : tensor<?x2x4xf32>) -> tensor<?x2x4xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<?x2x4xf32>, tensor<?x2x4xf32>) outs(%e3 : tensor<?x2x4xf32>) -> tensor<?x2x4xf32>
  %above = linalg.generic {indexing_maps = [#w, #x, #y], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%weights, %kv : tensor<2x4x4xf32>, tensor<?x2x4xf32>) outs(%init : tensor<?x2x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    %r = arith.addf %o, %p : f32
    linalg.yield %r : f32
  } -> tensor<?x2x4xf32>
  %below = linalg.generic {indexing_maps = [#w, #x, #y], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%weights, %keys : tensor<2x4x4xf32>, tensor<?x2x4xf32>) outs(%init : tensor<?x2x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    %r = arith.addf %o, %p : f32
    linalg.yield %r : f32
  } -> tensor<?x2x4xf32>
  // expected-remark @below {{every channel has a bias of its own, which is no filter of aft.conv: the bias depends on more than the distance}}
  %out = linalg.div ins(%above, %below : tensor<?x2x4xf32>, tensor<?x2x4xf32>) outs(%e3 : tensor<?x2x4xf32>) -> tensor<?x2x4xf32>
  return %out : tensor<?x2x4xf32>
}

// -----

#hts = affine_map<(h, t, s) -> (h, t, s)>
#h = affine_map<(h, t, s) -> (h)>
#w = affine_map<(b, h, t, s) -> (h, t, s)>
#x = affine_map<(b, h, t, s) -> (b, h, s)>
#y = affine_map<(b, h, t, s) -> (b, h, t)>

// Weights that may be negative are none of a mixer.
// CHECK-LABEL: func.func @negative(
// CHECK-NOT: aft.conv
// CHECK: return
func.func @negative(%k: tensor<?x2x4xf32>, %v: tensor<?x2x4xf32>) -> tensor<?x2x4xf32> {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %n = tensor.dim %k, %c0 : tensor<?x2x4xf32>
  %table = arith.constant dense<[[[1.0, 0.5, 0.25, -0.01], [0.5, 1.0, 0.5, 0.25], [0.25, 0.5, 1.0, 0.5], [-0.01, 0.25, 0.5, 1.0]],
                                [[1.0, 0.25, 0.0625, 0.015625], [0.25, 1.0, 0.25, 0.0625], [0.0625, 0.25, 1.0, 0.25], [0.015625, 0.0625, 0.25, 1.0]]]> : tensor<2x4x4xf32>
  %weights = tensor.cast %table : tensor<2x4x4xf32> to tensor<2x4x4xf32>
  %e3 = tensor.empty(%n) : tensor<?x2x4xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e3 : tensor<?x2x4xf32>) -> tensor<?x2x4xf32>
  %keys = linalg.exp ins(%k : tensor<?x2x4xf32>) outs(%e3 : tensor<?x2x4xf32>) -> tensor<?x2x4xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<?x2x4xf32>, tensor<?x2x4xf32>) outs(%e3 : tensor<?x2x4xf32>) -> tensor<?x2x4xf32>
  %above = linalg.generic {indexing_maps = [#w, #x, #y], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%weights, %kv : tensor<2x4x4xf32>, tensor<?x2x4xf32>) outs(%init : tensor<?x2x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    %r = arith.addf %o, %p : f32
    linalg.yield %r : f32
  } -> tensor<?x2x4xf32>
  %below = linalg.generic {indexing_maps = [#w, #x, #y], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%weights, %keys : tensor<2x4x4xf32>, tensor<?x2x4xf32>) outs(%init : tensor<?x2x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    %r = arith.addf %o, %p : f32
    linalg.yield %r : f32
  } -> tensor<?x2x4xf32>
  // expected-remark @below {{a factor of the weights is neither an exponential nor a mask that is known}}
  %out = linalg.div ins(%above, %below : tensor<?x2x4xf32>, tensor<?x2x4xf32>) outs(%e3 : tensor<?x2x4xf32>) -> tensor<?x2x4xf32>
  return %out : tensor<?x2x4xf32>
}

// -----

// A triangle of ones among zeros hides later keys.
// CHECK-LABEL: func.func @triangle(
// CHECK: aft.full {{.*}} causal gate = none
// CHECK-NOT: dense<
// CHECK: return
func.func @triangle(%k: tensor<4x8xf32>, %v: tensor<4x8xf32>, %w: tensor<4x4xf32>) -> tensor<4x8xf32> {
  %zero = arith.constant 0.0 : f32
  %table = arith.constant dense<[[1.0, 0.0, 0.0, 0.0], [1.0, 1.0, 0.0, 0.0], [1.0, 1.0, 1.0, 0.0], [1.0, 1.0, 1.0, 1.0]]> : tensor<4x4xf32>
  %ew = tensor.empty() : tensor<4x4xf32>
  %e = tensor.empty() : tensor<4x8xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<4x8xf32>) -> tensor<4x8xf32>
  %keys = linalg.exp ins(%k : tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) -> tensor<4x8xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<4x8xf32>, tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) -> tensor<4x8xf32>
  %all = linalg.exp ins(%w : tensor<4x4xf32>) outs(%ew : tensor<4x4xf32>) -> tensor<4x4xf32>
  %weights = linalg.mul ins(%all, %table : tensor<4x4xf32>, tensor<4x4xf32>) outs(%ew : tensor<4x4xf32>) -> tensor<4x4xf32>
  %n = linalg.matmul ins(%weights, %kv : tensor<4x4xf32>, tensor<4x8xf32>) outs(%init : tensor<4x8xf32>) -> tensor<4x8xf32>
  %z = linalg.matmul ins(%weights, %keys : tensor<4x4xf32>, tensor<4x8xf32>) outs(%init : tensor<4x8xf32>) -> tensor<4x8xf32>
  // expected-remark @below {{raised to aft.full}}
  %y = linalg.div ins(%n, %z : tensor<4x8xf32>, tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) -> tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}
