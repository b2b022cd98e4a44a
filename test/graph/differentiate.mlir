// RUN: aft-opt %s -split-input-file -verify-diagnostics -aft-differentiate -canonicalize -cse | FileCheck %s
// The gradient of an entry, one operation at a time; test/e2e/check_gradients.py
// compares the numbers.

// A matmul gives two matmuls; the bias reuses what the matmul's operand gets.
// CHECK-LABEL: func.func @main_grad(
// CHECK-SAME: %[[X:.*]]: tensor<?x8xf32>, %[[W:.*]]: tensor<8x4xf32> {aft.name = "w", aft.param}, %[[B:.*]]: tensor<4xf32>
// CHECK-SAME: -> (tensor<f32>, tensor<8x4xf32> {aft.name = "grad.w"}, tensor<4xf32> {aft.name = "grad.b"})
// CHECK: %[[LOSS:.*]]:2 = aft.cross_entropy {{.*}} -> (tensor<f32>, tensor<?xf32>)
// CHECK: %[[DY:.*]] = aft.cross_entropy_grad {{.*}}, %[[LOSS]]#1
// CHECK: %[[DM:.*]] = linalg.generic {{.*}} iterator_types = ["parallel", "parallel"]} ins(%{{.*}}, %[[B]], %[[DY]]
// CHECK: math.tanh
// CHECK: %[[DB:.*]] = linalg.generic {{.*}} iterator_types = ["reduction", "parallel"]} ins(%[[DM]] :
// CHECK-NEXT: ^bb0(%[[IN:.*]]: f32, %[[OUT:.*]]: f32):
// CHECK-NEXT: arith.addf %[[OUT]], %[[IN]]
// CHECK: %[[DW:.*]] = linalg.matmul_transpose_a ins(%[[X]], %[[DM]]
// CHECK: return %[[LOSS]]#0, %[[DW]], %[[DB]]
func.func @main(%x: tensor<?x8xf32>, %w: tensor<8x4xf32> {aft.param, aft.name = "w"}, %bias: tensor<4xf32> {aft.param, aft.name = "b"}, %t: tensor<?xi64>) -> tensor<f32> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %n = tensor.dim %x, %c0 : tensor<?x8xf32>
  %e = tensor.empty(%n) : tensor<?x4xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<?x4xf32>) -> tensor<?x4xf32>
  %m = linalg.matmul ins(%x, %w : tensor<?x8xf32>, tensor<8x4xf32>) outs(%f : tensor<?x4xf32>) -> tensor<?x4xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]} ins(%m, %bias : tensor<?x4xf32>, tensor<4xf32>) outs(%e : tensor<?x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.addf %a, %b : f32
    %h = math.tanh %s : f32
    linalg.yield %h : f32
  } -> tensor<?x4xf32>
  %loss = aft.cross_entropy %y, %t : (tensor<?x4xf32>, tensor<?xi64>) -> tensor<f32>
  return %loss : tensor<f32>
}

// -----

// A sum over bf16 is taken in f32 and rounded once.
// CHECK-LABEL: func.func @main_grad(
// CHECK: linalg.generic {{.*}} iterator_types = ["reduction", "parallel"]} {{.*}} outs(%{{.*}} : tensor<4xf32>)
// CHECK: arith.extf
// CHECK: arith.truncf %{{.*}} : f32 to bf16
func.func @main(%x: tensor<6x4xbf16>, %bias: tensor<4xbf16> {aft.param}, %t: tensor<6xi64>) -> tensor<f32> {
  %e = tensor.empty() : tensor<6x4xbf16>
  %y = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]} ins(%x, %bias : tensor<6x4xbf16>, tensor<4xbf16>) outs(%e : tensor<6x4xbf16>) {
  ^bb0(%a: bf16, %b: bf16, %o: bf16):
    %s = arith.mulf %a, %b : bf16
    linalg.yield %s : bf16
  } -> tensor<6x4xbf16>
  %loss = aft.cross_entropy %y, %t : (tensor<6x4xbf16>, tensor<6xi64>) -> tensor<f32>
  return %loss : tensor<f32>
}

// -----

// Mixers save the ratio and log Z; the lengths come last. Dropout drops the
// same elements again.
// CHECK-LABEL: func.func @main_grad(
// CHECK: %[[Y:.*]]:3 = aft.local %[[Q:.*]], %[[K:.*]], %[[V:.*]], %[[BAND:.*]] lengths(%[[N:.*]]) window = 2 causal
// CHECK: aft.cross_entropy_grad
// CHECK: %[[DY:.*]] = aft.dropout %{{.*}}, %{{.*}} p = 1.000000e-01 stream = 3
// CHECK: aft.local_grad %[[DY]], %[[Q]], %[[K]], %[[V]], %[[BAND]], %[[Y]]#1, %[[Y]]#2 lengths(%[[N]]) window = 2 causal
func.func @main(%q: tensor<1x6x4xf32> {aft.param}, %band: tensor<6x2xf32> {aft.param}, %n: tensor<1xi32>, %t: tensor<6xi64>, %seed: tensor<i64>) -> tensor<f32> {
  %m = aft.local %q, %q, %q, %band lengths(%n) window = 2 causal : (tensor<1x6x4xf32>, tensor<1x6x4xf32>, tensor<1x6x4xf32>, tensor<6x2xf32>, tensor<1xi32>) -> tensor<1x6x4xf32>
  %y = aft.dropout %m, %seed p = 1.000000e-01 stream = 3 : (tensor<1x6x4xf32>, tensor<i64>) -> tensor<1x6x4xf32>
  %r = tensor.collapse_shape %y [[0, 1], [2]] : tensor<1x6x4xf32> into tensor<6x4xf32>
  %loss = aft.cross_entropy %r, %t : (tensor<6x4xf32>, tensor<6xi64>) -> tensor<f32>
  return %loss : tensor<f32>
}

// -----

// A parameter that the loss does not need has a gradient of zeros.
// CHECK-LABEL: func.func @main_grad(
// CHECK: %[[ZERO:.*]] = linalg.fill {{.*}} -> tensor<3xf64>
// CHECK: return %{{.*}}, %{{.*}}, %[[ZERO]]
func.func @main(%x: tensor<f64> {aft.param}, %unused: tensor<3xf64> {aft.param}) -> tensor<f64> {
  %y = math.exp %x : tensor<f64>
  return %y : tensor<f64>
}

// -----

// expected-error @below {{'func.func' op has nothing to differentiate with respect to: no argument has the attribute aft.param}}
func.func @main(%x: tensor<f64>) -> tensor<f64> {
  return %x : tensor<f64>
}

// -----

// expected-error @below {{argument 0 has the attribute aft.param, expected a tensor of floats, found 'tensor<3xi64>'}}
func.func @main(%x: tensor<3xi64> {aft.param}, %y: tensor<f64>) -> tensor<f64> {
  return %y : tensor<f64>
}

// -----

// expected-error @below {{must return a scalar float tensor first to be differentiated, found 'tensor<3xf64>'}}
func.func @main(%x: tensor<3xf64> {aft.param}) -> tensor<3xf64> {
  return %x : tensor<3xf64>
}

// -----

func.func @main(%x: tensor<f64> {aft.param}) -> tensor<f64> {
  // expected-error @below {{has no derivative, and the loss depends on a parameter through it}}
  %y = tensor.generate {
    %v = tensor.extract %x[] : tensor<f64>
    tensor.yield %v : f64
  } : tensor<f64>
  %z = arith.mulf %x, %y : tensor<f64>
  return %z : tensor<f64>
}

// -----

func.func @main(%x: tensor<4xf64> {aft.param}) -> tensor<f64> {
  %one = arith.constant dense<1.0> : tensor<f64>
  // expected-error @below {{has no derivative: a reduction must be a sum, a maximum or a minimum}}
  %y = linalg.reduce { arith.mulf } ins(%x : tensor<4xf64>) outs(%one : tensor<f64>) dimensions = [0]
  return %y : tensor<f64>
}

// -----

func.func private @callee(%x: tensor<f64>) -> tensor<f64>
func.func @main(%x: tensor<f64> {aft.param}) -> tensor<f64> {
  // expected-error @below {{must be inlined before its function is differentiated}}
  %y = func.call @callee(%x) : (tensor<f64>) -> tensor<f64>
  return %y : tensor<f64>
}
