// RUN: aft-opt %s -split-input-file -aft-raise-mixers -canonicalize -cse | FileCheck %s
// RUN: aft-opt %s -split-input-file -aft-raise-mixers=remarks -verify-diagnostics -o /dev/null

// Masks that the caller hands in.

// Weights times a condition that the caller hands in, per batch.
// CHECK-LABEL: func.func @times(
// CHECK: %[[W:.*]] = linalg.generic
// CHECK: ^bb0(%{{.*}}: f32, %[[M:.*]]: i1,
// CHECK: arith.select %[[M]], %{{.*}}, %{{.*}} : f32
// CHECK: aft.full %{{.*}}, %{{.*}}, %{{.*}}, %[[W]] gate = none : (tensor<2x9x4xf32>, tensor<2x9x4xf32>, tensor<2x9x4xf32>, tensor<2x9x9xf32>)
// CHECK-NEXT: return
func.func @times(%k: tensor<2x9x4xf32>, %v: tensor<2x9x4xf32>, %w: tensor<9x9xf32>, %seen: tensor<2x9x9xi1>) -> tensor<2x9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %eo = tensor.empty() : tensor<2x9x4xf32>
  %ew = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%eo : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %keys = linalg.exp ins(%k : tensor<2x9x4xf32>) outs(%eo : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<2x9x4xf32>, tensor<2x9x4xf32>) outs(%eo : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %eb = tensor.empty() : tensor<2x9x9xf32>
  %weights = linalg.generic {indexing_maps = [affine_map<(b, t, s) -> (t, s)>, affine_map<(b, t, s) -> (b, t, s)>, affine_map<(b, t, s) -> (b, t, s)>], iterator_types = ["parallel", "parallel", "parallel"]} ins(%w, %seen : tensor<9x9xf32>, tensor<2x9x9xi1>) outs(%eb : tensor<2x9x9xf32>) {
  ^bb0(%a: f32, %m: i1, %o: f32):
    %p = math.exp %a : f32
    %f = arith.uitofp %m : i1 to f32
    %x = arith.mulf %p, %f : f32
    linalg.yield %x : f32
  } -> tensor<2x9x9xf32>
  %n = linalg.generic {indexing_maps = [affine_map<(b, t, c, s) -> (b, t, s)>, affine_map<(b, t, c, s) -> (b, s, c)>, affine_map<(b, t, c, s) -> (b, t, c)>], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%weights, %kv : tensor<2x9x9xf32>, tensor<2x9x4xf32>) outs(%init : tensor<2x9x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %m = arith.mulf %a, %b : f32
    %s = arith.addf %o, %m : f32
    linalg.yield %s : f32
  } -> tensor<2x9x4xf32>
  %z = linalg.generic {indexing_maps = [affine_map<(b, t, c, s) -> (b, t, s)>, affine_map<(b, t, c, s) -> (b, s, c)>, affine_map<(b, t, c, s) -> (b, t, c)>], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%weights, %keys : tensor<2x9x9xf32>, tensor<2x9x4xf32>) outs(%init : tensor<2x9x4xf32>) {
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

// Keys of a padding that the caller names are hidden keys, not a bias.
// CHECK-LABEL: func.func @keys(
// CHECK-SAME: %{{.*}}: tensor<2x9x4xf32>, %[[V:.*]]: tensor<2x9x4xf32>, %[[W:.*]]: tensor<9x9xf32>
// CHECK: %[[K:.*]] = linalg.generic
// CHECK: arith.select
// CHECK: aft.full %[[V]], %[[K]], %[[V]], %[[W]] gate = none
// CHECK-NEXT: return
func.func @keys(%k: tensor<2x9x4xf32>, %v: tensor<2x9x4xf32>, %w: tensor<9x9xf32>, %seen: tensor<2x9xi1>) -> tensor<2x9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %eo = tensor.empty() : tensor<2x9x4xf32>
  %ew = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%eo : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %keys = linalg.generic {indexing_maps = [affine_map<(b, s, c) -> (b, s, c)>, affine_map<(b, s, c) -> (b, s)>, affine_map<(b, s, c) -> (b, s, c)>], iterator_types = ["parallel", "parallel", "parallel"]} ins(%k, %seen : tensor<2x9x4xf32>, tensor<2x9xi1>) outs(%eo : tensor<2x9x4xf32>) {
  ^bb0(%a: f32, %m: i1, %o: f32):
    %p = math.exp %a : f32
    %x = arith.select %m, %p, %zero : f32
    linalg.yield %x : f32
  } -> tensor<2x9x4xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<2x9x4xf32>, tensor<2x9x4xf32>) outs(%eo : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %weights = linalg.exp ins(%w : tensor<9x9xf32>) outs(%ew : tensor<9x9xf32>) -> tensor<9x9xf32>
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

// Only the values are masked: that is another sum.
// CHECK-LABEL: func.func @values(
// CHECK: arith.select %{{.*}}, %{{.*}}, %{{.*}} : f32
// CHECK: aft.full
// CHECK-NEXT: return
func.func @values(%k: tensor<2x9x4xf32>, %v: tensor<2x9x4xf32>, %w: tensor<9x9xf32>, %seen: tensor<2x9xi1>) -> tensor<2x9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %eo = tensor.empty() : tensor<2x9x4xf32>
  %ew = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%eo : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %keys = linalg.exp ins(%k : tensor<2x9x4xf32>) outs(%eo : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %kv = linalg.generic {indexing_maps = [affine_map<(b, s, c) -> (b, s, c)>, affine_map<(b, s, c) -> (b, s, c)>, affine_map<(b, s, c) -> (b, s)>, affine_map<(b, s, c) -> (b, s, c)>], iterator_types = ["parallel", "parallel", "parallel"]} ins(%keys, %v, %seen : tensor<2x9x4xf32>, tensor<2x9x4xf32>, tensor<2x9xi1>) outs(%eo : tensor<2x9x4xf32>) {
  ^bb0(%a: f32, %b: f32, %m: i1, %o: f32):
    %p = arith.mulf %a, %b : f32
    %x = arith.select %m, %p, %zero : f32
    linalg.yield %x : f32
  } -> tensor<2x9x4xf32>
  %weights = linalg.exp ins(%w : tensor<9x9xf32>) outs(%ew : tensor<9x9xf32>) -> tensor<9x9xf32>
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

// Weights times numbers that the caller hands in may be no mask.
// CHECK-LABEL: func.func @numbers(
// CHECK-NOT: aft.
// CHECK: return
func.func @numbers(%k: tensor<2x9x4xf32>, %v: tensor<2x9x4xf32>, %w: tensor<9x9xf32>, %f: tensor<9x9xf32>) -> tensor<2x9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %eo = tensor.empty() : tensor<2x9x4xf32>
  %ew = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%eo : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %keys = linalg.exp ins(%k : tensor<2x9x4xf32>) outs(%eo : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<2x9x4xf32>, tensor<2x9x4xf32>) outs(%eo : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  %e = linalg.exp ins(%w : tensor<9x9xf32>) outs(%ew : tensor<9x9xf32>) -> tensor<9x9xf32>
  %weights = linalg.mul ins(%e, %f : tensor<9x9xf32>, tensor<9x9xf32>) outs(%ew : tensor<9x9xf32>) -> tensor<9x9xf32>
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
  // expected-remark @below {{nor a mask that is known: argument 3 may hold any numbers; a bool hides keys, or -inf in the bias}}
  %y = linalg.div ins(%n, %z : tensor<2x9x4xf32>, tensor<2x9x4xf32>) outs(%eo : tensor<2x9x4xf32>) -> tensor<2x9x4xf32>
  return %y : tensor<2x9x4xf32>
}
