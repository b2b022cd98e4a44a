// RUN: aft-opt %s -split-input-file -aft-raise-mixers -canonicalize -cse | FileCheck %s
// RUN: aft-opt %s -split-input-file -aft-raise-mixers=remarks -verify-diagnostics -o /dev/null

#tsc = affine_map<(t, s, c) -> (t, s, c)>
#ts = affine_map<(t, s, c) -> (t, s)>
#sc = affine_map<(t, s, c) -> (s, c)>
#tc = affine_map<(t, s, c) -> (t, c)>

// A sum of exponentials below their own maximum is at least 1: the bound never holds.
// CHECK-LABEL: func.func @never(
// CHECK: %[[Y:.*]] = aft.full %{{.*}}, %{{.*}}, %{{.*}}, %arg2 gate = none
// CHECK-NOT: arith.maximumf
// CHECK: return
func.func @never(%k: tensor<9x4xf32>, %v: tensor<9x4xf32>, %w: tensor<7x9xf32>) -> tensor<7x4xf32> {
  %zero = arith.constant 0.0 : f32
  %low = arith.constant 0xFF800000 : f32
  %bound = arith.constant 1.0e-6 : f32
  %e0 = tensor.empty() : tensor<7x4xf32>
  %e1 = tensor.empty() : tensor<7x9x4xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<7x4xf32>) -> tensor<7x4xf32>
  %lows = linalg.fill ins(%low : f32) outs(%e0 : tensor<7x4xf32>) -> tensor<7x4xf32>
  %logits = linalg.generic {indexing_maps = [#ts, #sc, #tsc], iterator_types = ["parallel", "parallel", "parallel"]} ins(%w, %k : tensor<7x9xf32>, tensor<9x4xf32>) outs(%e1 : tensor<7x9x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<7x9x4xf32>
  %top = linalg.generic {indexing_maps = [#tsc, #tc], iterator_types = ["parallel", "reduction", "parallel"]} ins(%logits : tensor<7x9x4xf32>) outs(%lows : tensor<7x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %m = arith.maximumf %a, %o : f32
    linalg.yield %m : f32
  } -> tensor<7x4xf32>
  %weights = linalg.generic {indexing_maps = [#tsc, #tc, #tsc], iterator_types = ["parallel", "parallel", "parallel"]} ins(%logits, %top : tensor<7x9x4xf32>, tensor<7x4xf32>) outs(%e1 : tensor<7x9x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.subf %a, %b : f32
    %p = math.exp %s : f32
    linalg.yield %p : f32
  } -> tensor<7x9x4xf32>
  %n = linalg.generic {indexing_maps = [#tsc, #sc, #tc], iterator_types = ["parallel", "reduction", "parallel"]} ins(%weights, %v : tensor<7x9x4xf32>, tensor<9x4xf32>) outs(%init : tensor<7x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %m = arith.mulf %a, %b : f32
    %s = arith.addf %m, %o : f32
    linalg.yield %s : f32
  } -> tensor<7x4xf32>
  %z = linalg.generic {indexing_maps = [#tsc, #tc], iterator_types = ["parallel", "reduction", "parallel"]} ins(%weights : tensor<7x9x4xf32>) outs(%init : tensor<7x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %s = arith.addf %a, %o : f32
    linalg.yield %s : f32
  } -> tensor<7x4xf32>
  // expected-remark @below {{raised to aft.full}}
  %y = linalg.generic {indexing_maps = [affine_map<(t, c) -> (t, c)>, affine_map<(t, c) -> (t, c)>, affine_map<(t, c) -> (t, c)>], iterator_types = ["parallel", "parallel"]} ins(%n, %z : tensor<7x4xf32>, tensor<7x4xf32>) outs(%e0 : tensor<7x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %m = arith.maximumf %b, %bound : f32
    %r = arith.divf %a, %m : f32
    linalg.yield %r : f32
  } -> tensor<7x4xf32>
  return %y : tensor<7x4xf32>
}

// -----

#tsc = affine_map<(t, s, c) -> (t, s, c)>
#ts = affine_map<(t, s, c) -> (t, s)>
#sc = affine_map<(t, s, c) -> (s, c)>
#tc = affine_map<(t, s, c) -> (t, c)>

// The maximum is that of the keys alone, far from which all weights may be.
// CHECK-LABEL: func.func @perhaps(
// CHECK-NOT: aft.
// CHECK: return
func.func @perhaps(%k: tensor<9x4xf32>, %v: tensor<9x4xf32>, %w: tensor<7x9xf32>) -> tensor<7x4xf32> {
  %zero = arith.constant 0.0 : f32
  %low = arith.constant 0xFF800000 : f32
  %bound = arith.constant 1.0e-6 : f32
  %e0 = tensor.empty() : tensor<7x4xf32>
  %e1 = tensor.empty() : tensor<7x9x4xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<7x4xf32>) -> tensor<7x4xf32>
  %lows = linalg.fill ins(%low : f32) outs(%e0 : tensor<7x4xf32>) -> tensor<7x4xf32>
  %top = linalg.generic {indexing_maps = [#sc, #tc], iterator_types = ["parallel", "reduction", "parallel"]} ins(%k : tensor<9x4xf32>) outs(%lows : tensor<7x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %m = arith.maximumf %a, %o : f32
    linalg.yield %m : f32
  } -> tensor<7x4xf32>
  %weights = linalg.generic {indexing_maps = [#ts, #sc, #tc, #tsc], iterator_types = ["parallel", "parallel", "parallel"]} ins(%w, %k, %top : tensor<7x9xf32>, tensor<9x4xf32>, tensor<7x4xf32>) outs(%e1 : tensor<7x9x4xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32, %o: f32):
    %l = arith.addf %a, %b : f32
    %s = arith.subf %l, %c : f32
    %p = math.exp %s : f32
    linalg.yield %p : f32
  } -> tensor<7x9x4xf32>
  %n = linalg.generic {indexing_maps = [#tsc, #sc, #tc], iterator_types = ["parallel", "reduction", "parallel"]} ins(%weights, %v : tensor<7x9x4xf32>, tensor<9x4xf32>) outs(%init : tensor<7x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %m = arith.mulf %a, %b : f32
    %s = arith.addf %m, %o : f32
    linalg.yield %s : f32
  } -> tensor<7x4xf32>
  %z = linalg.generic {indexing_maps = [#tsc, #tc], iterator_types = ["parallel", "reduction", "parallel"]} ins(%weights : tensor<7x9x4xf32>) outs(%init : tensor<7x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %s = arith.addf %a, %o : f32
    linalg.yield %s : f32
  } -> tensor<7x4xf32>
  // expected-remark @below {{not raised to a mixer: a small number bounds the denominator, which may be smaller; --fast leaves it out}}
  %y = linalg.generic {indexing_maps = [affine_map<(t, c) -> (t, c)>, affine_map<(t, c) -> (t, c)>, affine_map<(t, c) -> (t, c)>], iterator_types = ["parallel", "parallel"]} ins(%n, %z : tensor<7x4xf32>, tensor<7x4xf32>) outs(%e0 : tensor<7x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %m = arith.maximumf %b, %bound : f32
    %r = arith.divf %a, %m : f32
    linalg.yield %r : f32
  } -> tensor<7x4xf32>
  return %y : tensor<7x4xf32>
}

// -----

#tsc = affine_map<(t, s, c) -> (t, s, c)>
#ts = affine_map<(t, s, c) -> (t, s)>
#sc = affine_map<(t, s, c) -> (s, c)>
#tc = affine_map<(t, s, c) -> (t, c)>

// The same by a bound that --fast does not leave out.
// CHECK-LABEL: func.func @large(
// CHECK-NOT: aft.
// CHECK: return
func.func @large(%k: tensor<9x4xf32>, %v: tensor<9x4xf32>, %w: tensor<7x9xf32>) -> tensor<7x4xf32> {
  %zero = arith.constant 0.0 : f32
  %low = arith.constant 0xFF800000 : f32
  %bound = arith.constant 0.5 : f32
  %e0 = tensor.empty() : tensor<7x4xf32>
  %e1 = tensor.empty() : tensor<7x9x4xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<7x4xf32>) -> tensor<7x4xf32>
  %lows = linalg.fill ins(%low : f32) outs(%e0 : tensor<7x4xf32>) -> tensor<7x4xf32>
  %top = linalg.generic {indexing_maps = [#sc, #tc], iterator_types = ["parallel", "reduction", "parallel"]} ins(%k : tensor<9x4xf32>) outs(%lows : tensor<7x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %m = arith.maximumf %a, %o : f32
    linalg.yield %m : f32
  } -> tensor<7x4xf32>
  %weights = linalg.generic {indexing_maps = [#ts, #sc, #tc, #tsc], iterator_types = ["parallel", "parallel", "parallel"]} ins(%w, %k, %top : tensor<7x9xf32>, tensor<9x4xf32>, tensor<7x4xf32>) outs(%e1 : tensor<7x9x4xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32, %o: f32):
    %l = arith.addf %a, %b : f32
    %s = arith.subf %l, %c : f32
    %p = math.exp %s : f32
    linalg.yield %p : f32
  } -> tensor<7x9x4xf32>
  %n = linalg.generic {indexing_maps = [#tsc, #sc, #tc], iterator_types = ["parallel", "reduction", "parallel"]} ins(%weights, %v : tensor<7x9x4xf32>, tensor<9x4xf32>) outs(%init : tensor<7x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %m = arith.mulf %a, %b : f32
    %s = arith.addf %m, %o : f32
    linalg.yield %s : f32
  } -> tensor<7x4xf32>
  %z = linalg.generic {indexing_maps = [#tsc, #tc], iterator_types = ["parallel", "reduction", "parallel"]} ins(%weights : tensor<7x9x4xf32>) outs(%init : tensor<7x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %s = arith.addf %a, %o : f32
    linalg.yield %s : f32
  } -> tensor<7x4xf32>
  // expected-remark @below {{not raised to a mixer: a bound of 0.5 on the denominator, which may be smaller, would change the result where it holds; --fast leaves out bounds of at most 0.001; one of at most 1 holds nowhere where the largest exponent of each sum is subtracted}}
  %y = linalg.generic {indexing_maps = [affine_map<(t, c) -> (t, c)>, affine_map<(t, c) -> (t, c)>, affine_map<(t, c) -> (t, c)>], iterator_types = ["parallel", "parallel"]} ins(%n, %z : tensor<7x4xf32>, tensor<7x4xf32>) outs(%e0 : tensor<7x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %m = arith.maximumf %b, %bound : f32
    %r = arith.divf %a, %m : f32
    linalg.yield %r : f32
  } -> tensor<7x4xf32>
  return %y : tensor<7x4xf32>
}

// -----

#tsc = affine_map<(t, s, c) -> (t, s, c)>
#ts = affine_map<(t, s, c) -> (t, s)>
#sc = affine_map<(t, s, c) -> (s, c)>
#tc = affine_map<(t, s, c) -> (t, c)>

// Nor does the largest exponent of each sum help here.
// CHECK-LABEL: func.func @larger(
// CHECK-NOT: aft.
// CHECK: return
func.func @larger(%k: tensor<9x4xf32>, %v: tensor<9x4xf32>, %w: tensor<7x9xf32>) -> tensor<7x4xf32> {
  %zero = arith.constant 0.0 : f32
  %low = arith.constant 0xFF800000 : f32
  %bound = arith.constant 2.0 : f32
  %e0 = tensor.empty() : tensor<7x4xf32>
  %e1 = tensor.empty() : tensor<7x9x4xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<7x4xf32>) -> tensor<7x4xf32>
  %lows = linalg.fill ins(%low : f32) outs(%e0 : tensor<7x4xf32>) -> tensor<7x4xf32>
  %top = linalg.generic {indexing_maps = [#sc, #tc], iterator_types = ["parallel", "reduction", "parallel"]} ins(%k : tensor<9x4xf32>) outs(%lows : tensor<7x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %m = arith.maximumf %a, %o : f32
    linalg.yield %m : f32
  } -> tensor<7x4xf32>
  %weights = linalg.generic {indexing_maps = [#ts, #sc, #tc, #tsc], iterator_types = ["parallel", "parallel", "parallel"]} ins(%w, %k, %top : tensor<7x9xf32>, tensor<9x4xf32>, tensor<7x4xf32>) outs(%e1 : tensor<7x9x4xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32, %o: f32):
    %l = arith.addf %a, %b : f32
    %s = arith.subf %l, %c : f32
    %p = math.exp %s : f32
    linalg.yield %p : f32
  } -> tensor<7x9x4xf32>
  %n = linalg.generic {indexing_maps = [#tsc, #sc, #tc], iterator_types = ["parallel", "reduction", "parallel"]} ins(%weights, %v : tensor<7x9x4xf32>, tensor<9x4xf32>) outs(%init : tensor<7x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %m = arith.mulf %a, %b : f32
    %s = arith.addf %m, %o : f32
    linalg.yield %s : f32
  } -> tensor<7x4xf32>
  %z = linalg.generic {indexing_maps = [#tsc, #tc], iterator_types = ["parallel", "reduction", "parallel"]} ins(%weights : tensor<7x9x4xf32>) outs(%init : tensor<7x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %s = arith.addf %a, %o : f32
    linalg.yield %s : f32
  } -> tensor<7x4xf32>
  // expected-remark @below {{not raised to a mixer: a bound of 2 on the denominator, which may be smaller, would change the result where it holds; --fast leaves out bounds of at most 0.001}}
  %y = linalg.generic {indexing_maps = [affine_map<(t, c) -> (t, c)>, affine_map<(t, c) -> (t, c)>, affine_map<(t, c) -> (t, c)>], iterator_types = ["parallel", "parallel"]} ins(%n, %z : tensor<7x4xf32>, tensor<7x4xf32>) outs(%e0 : tensor<7x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %m = arith.maximumf %b, %bound : f32
    %r = arith.divf %a, %m : f32
    linalg.yield %r : f32
  } -> tensor<7x4xf32>
  return %y : tensor<7x4xf32>
}

// -----

#tsc = affine_map<(t, s, c) -> (t, s, c)>
#ts = affine_map<(t, s, c) -> (t, s)>
#sc = affine_map<(t, s, c) -> (s, c)>
#tc = affine_map<(t, s, c) -> (t, c)>

// A bound on key and bias together
// CHECK-LABEL: func.func @joint(
// CHECK-NOT: aft.
// CHECK: return
func.func @joint(%k: tensor<9x4xf32>, %v: tensor<9x4xf32>, %w: tensor<7x9xf32>) -> tensor<7x4xf32> {
  %zero = arith.constant 0.0 : f32
  %bound = arith.constant 30.0 : f32
  %e0 = tensor.empty() : tensor<7x4xf32>
  %e1 = tensor.empty() : tensor<7x9x4xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e0 : tensor<7x4xf32>) -> tensor<7x4xf32>
  %weights = linalg.generic {indexing_maps = [#ts, #sc, #tsc], iterator_types = ["parallel", "parallel", "parallel"]} ins(%w, %k : tensor<7x9xf32>, tensor<9x4xf32>) outs(%e1 : tensor<7x9x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.addf %a, %b : f32
    %m = arith.minimumf %s, %bound : f32
    %p = math.exp %m : f32
    linalg.yield %p : f32
  } -> tensor<7x9x4xf32>
  %n = linalg.generic {indexing_maps = [#tsc, #sc, #tc], iterator_types = ["parallel", "reduction", "parallel"]} ins(%weights, %v : tensor<7x9x4xf32>, tensor<9x4xf32>) outs(%init : tensor<7x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %m = arith.mulf %a, %b : f32
    %s = arith.addf %m, %o : f32
    linalg.yield %s : f32
  } -> tensor<7x4xf32>
  %z = linalg.generic {indexing_maps = [#tsc, #tc], iterator_types = ["parallel", "reduction", "parallel"]} ins(%weights : tensor<7x9x4xf32>) outs(%init : tensor<7x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %s = arith.addf %a, %o : f32
    linalg.yield %s : f32
  } -> tensor<7x4xf32>
  // expected-remark @below {{not raised to a mixer: a number bounds the sum of key and bias: where it does, the weight is no longer exp(key) * exp(bias), and the bound may hold; bound the key or the bias alone}}
  %y = linalg.div ins(%n, %z : tensor<7x4xf32>, tensor<7x4xf32>) outs(%e0 : tensor<7x4xf32>) -> tensor<7x4xf32>
  return %y : tensor<7x4xf32>
}
