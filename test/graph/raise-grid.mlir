// RUN: aft-opt %s -split-input-file -aft-raise-mixers -canonicalize -cse | FileCheck %s
// RUN: aft-opt %s -split-input-file -aft-raise-mixers=remarks -verify-diagnostics -o /dev/null

// Constants that hold, for each pair of places on a grid, where a table has the number for how far
// they are apart.

#ts = affine_map<(h, t, s) -> (t, s)>
#hts = affine_map<(h, t, s) -> (h, t, s)>
#w = affine_map<(b, h, t, s) -> (h, t, s)>
#x = affine_map<(b, h, t, s) -> (b, h, s)>
#y = affine_map<(b, h, t, s) -> (b, h, t)>

// Two rows of three: 5 * rows apart + columns apart, from the first.
// CHECK-LABEL: func.func @relative(
// CHECK-SAME: %[[TABLE:[a-z0-9]+]]: tensor<15x2xf32>)
// CHECK: %[[PLACES:.*]] = arith.constant dense<{{\[}}[0, 1, 2, 3, 4], [5, 6, 7, 8, 9], [10, 11, 12, 13, 14]]> : tensor<3x5xi64>
// CHECK: aft.embedding %[[PLACES]], %[[TABLE]] : (tensor<3x5xi64>, tensor<15x2xf32>) -> tensor<3x5x2xf32>
// CHECK: aft.conv {{.*}} grid = [2, 3] gate = none : (tensor<?x6x2xf32>, tensor<?x6x2xf32>, tensor<?x6x2xf32>, tensor<2x3x5xf32>)
// CHECK: return
func.func @relative(%k: tensor<?x2x6xf32>, %v: tensor<?x2x6xf32>, %table: tensor<15x2xf32>) -> tensor<?x2x6xf32> {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %n = tensor.dim %k, %c0 : tensor<?x2x6xf32>
  %places = arith.constant dense<[[7, 8, 9, 12, 13, 14], [6, 7, 8, 11, 12, 13], [5, 6, 7, 10, 11, 12],
                                  [2, 3, 4, 7, 8, 9], [1, 2, 3, 6, 7, 8], [0, 1, 2, 5, 6, 7]]> : tensor<6x6xi64>
  %ew = tensor.empty() : tensor<2x6x6xf32>
  %weights = linalg.generic {indexing_maps = [#ts, #hts], iterator_types = ["parallel", "parallel", "parallel"]} ins(%places : tensor<6x6xi64>) outs(%ew : tensor<2x6x6xf32>) {
  ^bb0(%place: i64, %o: f32):
    %h = linalg.index 0 : index
    %row = arith.index_cast %place : i64 to index
    %bias = tensor.extract %table[%row, %h] : tensor<15x2xf32>
    %r = math.exp %bias : f32
    linalg.yield %r : f32
  } -> tensor<2x6x6xf32>
  %e3 = tensor.empty(%n) : tensor<?x2x6xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e3 : tensor<?x2x6xf32>) -> tensor<?x2x6xf32>
  %keys = linalg.exp ins(%k : tensor<?x2x6xf32>) outs(%e3 : tensor<?x2x6xf32>) -> tensor<?x2x6xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<?x2x6xf32>, tensor<?x2x6xf32>) outs(%e3 : tensor<?x2x6xf32>) -> tensor<?x2x6xf32>
  %above = linalg.generic {indexing_maps = [#w, #x, #y], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%weights, %kv : tensor<2x6x6xf32>, tensor<?x2x6xf32>) outs(%init : tensor<?x2x6xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    %r = arith.addf %o, %p : f32
    linalg.yield %r : f32
  } -> tensor<?x2x6xf32>
  %below = linalg.generic {indexing_maps = [#w, #x, #y], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%weights, %keys : tensor<2x6x6xf32>, tensor<?x2x6xf32>) outs(%init : tensor<?x2x6xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    %r = arith.addf %o, %p : f32
    linalg.yield %r : f32
  } -> tensor<?x2x6xf32>
  // expected-remark @below {{raised to aft.conv}}
  %out = linalg.div ins(%above, %below : tensor<?x2x6xf32>, tensor<?x2x6xf32>) outs(%e3 : tensor<?x2x6xf32>) -> tensor<?x2x6xf32>
  return %out : tensor<?x2x6xf32>
}
// -----

#ts = affine_map<(t, s) -> (t, s)>
#w = affine_map<(b, t, s, c) -> (t, s)>
#x = affine_map<(b, t, s, c) -> (b, s, c)>
#y = affine_map<(b, t, s, c) -> (b, t, c)>

// One table for all channels is a matrix.
// CHECK-LABEL: func.func @shared(
// CHECK: aft.full {{.*}} gate = none : (tensor<?x6x2xf32>, tensor<?x6x2xf32>, tensor<?x6x2xf32>, tensor<6x6xf32>)
func.func @shared(%k: tensor<?x6x2xf32>, %v: tensor<?x6x2xf32>, %table: tensor<15xf32>) -> tensor<?x6x2xf32> {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %n = tensor.dim %k, %c0 : tensor<?x6x2xf32>
  %places = arith.constant dense<[[7, 8, 9, 12, 13, 14], [6, 7, 8, 11, 12, 13], [5, 6, 7, 10, 11, 12],
                                  [2, 3, 4, 7, 8, 9], [1, 2, 3, 6, 7, 8], [0, 1, 2, 5, 6, 7]]> : tensor<6x6xi64>
  %ew = tensor.empty() : tensor<6x6xf32>
  %weights = linalg.generic {indexing_maps = [#ts, #ts], iterator_types = ["parallel", "parallel"]} ins(%places : tensor<6x6xi64>) outs(%ew : tensor<6x6xf32>) {
  ^bb0(%place: i64, %o: f32):
    %row = arith.index_cast %place : i64 to index
    %bias = tensor.extract %table[%row] : tensor<15xf32>
    %r = math.exp %bias : f32
    linalg.yield %r : f32
  } -> tensor<6x6xf32>
  %e3 = tensor.empty(%n) : tensor<?x6x2xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e3 : tensor<?x6x2xf32>) -> tensor<?x6x2xf32>
  %keys = linalg.exp ins(%k : tensor<?x6x2xf32>) outs(%e3 : tensor<?x6x2xf32>) -> tensor<?x6x2xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<?x6x2xf32>, tensor<?x6x2xf32>) outs(%e3 : tensor<?x6x2xf32>) -> tensor<?x6x2xf32>
  %above = linalg.generic {indexing_maps = [#w, #x, #y], iterator_types = ["parallel", "parallel", "reduction", "parallel"]} ins(%weights, %kv : tensor<6x6xf32>, tensor<?x6x2xf32>) outs(%init : tensor<?x6x2xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    %r = arith.addf %o, %p : f32
    linalg.yield %r : f32
  } -> tensor<?x6x2xf32>
  %below = linalg.generic {indexing_maps = [#w, #x, #y], iterator_types = ["parallel", "parallel", "reduction", "parallel"]} ins(%weights, %keys : tensor<6x6xf32>, tensor<?x6x2xf32>) outs(%init : tensor<?x6x2xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    %r = arith.addf %o, %p : f32
    linalg.yield %r : f32
  } -> tensor<?x6x2xf32>
  // expected-remark @below {{raised to aft.full}}
  // expected-remark @below {{no aft.conv: all channels share a bias of distances on a grid without a window}}
  %out = linalg.div ins(%above, %below : tensor<?x6x2xf32>, tensor<?x6x2xf32>) outs(%e3 : tensor<?x6x2xf32>) -> tensor<?x6x2xf32>
  return %out : tensor<?x6x2xf32>
}

// -----

#bcn = affine_map<(b, c, n) -> (b, c, n)>
#bc = affine_map<(b, c, n) -> (b, c)>
#image = affine_map<(b, c, h, w) -> (b, c, h, w)>
#context = affine_map<(b, c, h, w) -> (b, c)>

// A mean over flattened places that all rows and columns are gated by, whose number only the run
// knows.
// CHECK-LABEL: func.func @flattened(
// CHECK: aft.simple {{.*}} gate = relu : (tensor<2x?x4xf32>, tensor<2x?x4xf32>, tensor<2x?x4xf32>)
// CHECK-NOT: math.exp
// CHECK: return
func.func @flattened(%q: tensor<2x4x?x?xf32>, %k: tensor<2x4x?x?xf32>, %v: tensor<2x4x?x?xf32>) -> tensor<2x4x?x?xf32> {
  %c2 = arith.constant 2 : index
  %c3 = arith.constant 3 : index
  %zero = arith.constant 0.0 : f32
  %h = tensor.dim %k, %c2 : tensor<2x4x?x?xf32>
  %w = tensor.dim %k, %c3 : tensor<2x4x?x?xf32>
  %n = affine.apply affine_map<()[h, w] -> (h * w)>()[%h, %w]
  %e0 = tensor.empty() : tensor<2x4xf32>
  %e1 = tensor.empty(%n) : tensor<2x4x?xf32>
  %e2 = tensor.empty(%h, %w) : tensor<2x4x?x?xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<2x4xf32>) -> tensor<2x4xf32>
  %kf = tensor.collapse_shape %k [[0], [1], [2, 3]] : tensor<2x4x?x?xf32> into tensor<2x4x?xf32>
  %vf = tensor.collapse_shape %v [[0], [1], [2, 3]] : tensor<2x4x?x?xf32> into tensor<2x4x?xf32>
  %keys = linalg.generic {indexing_maps = [#bcn, #bcn], iterator_types = ["parallel", "parallel", "parallel"]} ins(%kf : tensor<2x4x?xf32>) outs(%e1 : tensor<2x4x?xf32>) {
  ^bb0(%a: f32, %o: f32):
    %x = math.exp %a : f32
    linalg.yield %x : f32
  } -> tensor<2x4x?xf32>
  %above = linalg.generic {indexing_maps = [#bcn, #bcn, #bc], iterator_types = ["parallel", "parallel", "reduction"]} ins(%keys, %vf : tensor<2x4x?xf32>, tensor<2x4x?xf32>) outs(%init : tensor<2x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %m = arith.mulf %a, %b : f32
    %s = arith.addf %o, %m : f32
    linalg.yield %s : f32
  } -> tensor<2x4xf32>
  %below = linalg.generic {indexing_maps = [#bcn, #bc], iterator_types = ["parallel", "parallel", "reduction"]} ins(%keys : tensor<2x4x?xf32>) outs(%init : tensor<2x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %s = arith.addf %o, %a : f32
    linalg.yield %s : f32
  } -> tensor<2x4xf32>
  // expected-remark @below {{raised to aft.simple}}
  %y = linalg.generic {indexing_maps = [#image, #context, #context, #image], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%q, %above, %below : tensor<2x4x?x?xf32>, tensor<2x4xf32>, tensor<2x4xf32>) outs(%e2 : tensor<2x4x?x?xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32, %o: f32):
    %r = arith.divf %b, %c : f32
    %g = arith.maximumf %a, %zero : f32
    %m = arith.mulf %g, %r : f32
    linalg.yield %m : f32
  } -> tensor<2x4x?x?xf32>
  return %y : tensor<2x4x?x?xf32>
}

// -----

#bcn = affine_map<(b, c, n) -> (b, c, n)>
#bc = affine_map<(b, c, n) -> (b, c)>
#image = affine_map<(b, c, h, w) -> (b, c, h, w)>
#context = affine_map<(b, c, h, w) -> (b, c)>

// The same for fewer rows than are summed over is no mixer of as many queries as keys.
// CHECK-LABEL: func.func @fewer(
// CHECK-NOT: aft.
// CHECK: return
func.func @fewer(%q: tensor<2x4x3x5xf32>, %k: tensor<2x4x3x6xf32>, %v: tensor<2x4x3x6xf32>) -> tensor<2x4x3x5xf32> {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<2x4xf32>
  %e1 = tensor.empty() : tensor<2x4x18xf32>
  %e2 = tensor.empty() : tensor<2x4x3x5xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<2x4xf32>) -> tensor<2x4xf32>
  %kf = tensor.collapse_shape %k [[0], [1], [2, 3]] : tensor<2x4x3x6xf32> into tensor<2x4x18xf32>
  %vf = tensor.collapse_shape %v [[0], [1], [2, 3]] : tensor<2x4x3x6xf32> into tensor<2x4x18xf32>
  %keys = linalg.exp ins(%kf : tensor<2x4x18xf32>) outs(%e1 : tensor<2x4x18xf32>) -> tensor<2x4x18xf32>
  %kv = linalg.mul ins(%keys, %vf : tensor<2x4x18xf32>, tensor<2x4x18xf32>) outs(%e1 : tensor<2x4x18xf32>) -> tensor<2x4x18xf32>
  %above = linalg.reduce {arith.addf} ins(%kv : tensor<2x4x18xf32>) outs(%init : tensor<2x4xf32>) dimensions = [2]
  %below = linalg.reduce {arith.addf} ins(%keys : tensor<2x4x18xf32>) outs(%init : tensor<2x4xf32>) dimensions = [2]
  // expected-remark @below {{not raised to a mixer: the values lack several dimensions of the result}}
  %y = linalg.generic {indexing_maps = [#image, #context, #context, #image], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%q, %above, %below : tensor<2x4x3x5xf32>, tensor<2x4xf32>, tensor<2x4xf32>) outs(%e2 : tensor<2x4x3x5xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32, %o: f32):
    %r = arith.divf %b, %c : f32
    %m = arith.mulf %a, %r : f32
    linalg.yield %m : f32
  } -> tensor<2x4x3x5xf32>
  return %y : tensor<2x4x3x5xf32>
}
