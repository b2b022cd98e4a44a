// RUN: aft-opt %s -canonicalize | FileCheck %s
// What each simplification does, and where it must not fire.

!x = tensor<2x16x8xf32>

// CHECK-LABEL: @full_constant_bias
func.func @full_constant_bias(%q: !x, %k: !x, %v: !x) -> !x {
  %w = arith.constant dense<3.0> : tensor<16x16xf32>
  // CHECK: aft.simple %{{.*}} causal gate = tanh
  %y = aft.full %q, %k, %v, %w causal gate = tanh : (!x, !x, !x, tensor<16x16xf32>) -> !x
  return %y : !x
}

// A bias of -inf hides every key.
// CHECK-LABEL: @full_infinite_bias
func.func @full_infinite_bias(%q: !x, %k: !x, %v: !x) -> !x {
  %w = arith.constant dense<0xFF800000> : tensor<16x16xf32>
  // CHECK: aft.full
  %y = aft.full %q, %k, %v, %w : (!x, !x, !x, tensor<16x16xf32>) -> !x
  return %y : !x
}

// simple has no cross shapes.
// CHECK-LABEL: @full_cross
func.func @full_cross(%q: tensor<2x4x8xf32>, %k: !x, %v: !x) -> tensor<2x4x8xf32> {
  %w = arith.constant dense<0.0> : tensor<4x16xf32>
  // CHECK: aft.full
  %y = aft.full %q, %k, %v, %w causal : (tensor<2x4x8xf32>, !x, !x, tensor<4x16xf32>) -> tensor<2x4x8xf32>
  return %y : tensor<2x4x8xf32>
}

// CHECK-LABEL: @local_zero_band
func.func @local_zero_band(%q: !x, %k: !x, %v: !x) -> !x {
  %band = arith.constant dense<0.0> : tensor<16x7xf32>
  // CHECK: aft.simple
  %y = aft.local %q, %k, %v, %band window = 4 : (!x, !x, !x, tensor<16x7xf32>) -> !x
  return %y : !x
}

// Outside the window the bias is 0: a band of ones is not simple.
// CHECK-LABEL: @local_constant_band
func.func @local_constant_band(%q: !x, %k: !x, %v: !x) -> !x {
  %band = arith.constant dense<1.0> : tensor<16x7xf32>
  // CHECK: aft.local
  %y = aft.local %q, %k, %v, %band window = 4 : (!x, !x, !x, tensor<16x7xf32>) -> !x
  return %y : !x
}

// CHECK-LABEL: @local_window_beyond
// CHECK-SAME: %[[BAND:[a-z0-9]+]]: tensor<16x39xf32>
func.func @local_window_beyond(%q: !x, %k: !x, %v: !x, %band: tensor<16x39xf32>) -> !x {
  // CHECK: %[[CROP:.*]] = tensor.extract_slice %[[BAND]][0, 4] [16, 31] [1, 1]
  // CHECK: aft.local %{{.*}}, %{{.*}}, %{{.*}}, %[[CROP]] window = 16 :
  %y = aft.local %q, %k, %v, %band window = 20 : (!x, !x, !x, tensor<16x39xf32>) -> !x
  return %y : !x
}

// CHECK-LABEL: @conv_zero_filter
func.func @conv_zero_filter(%q: !x, %k: !x, %v: !x, %k4: tensor<2x16x4xf32>) -> (!x, !x) {
  %f8 = arith.constant dense<0.0> : tensor<8x3x3xf32>
  %f4 = arith.constant dense<0.0> : tensor<4x3x3xf32>
  // CHECK: aft.simple
  %a = aft.conv %q, %k, %v, %f8 grid = [4, 4] : (!x, !x, !x, tensor<8x3x3xf32>) -> !x
  // CHECK: aft.conv
  %b = aft.conv %q, %k4, %v, %f4 grid = [4, 4] : (!x, tensor<2x16x4xf32>, !x, tensor<4x3x3xf32>) -> !x
  return %a, %b : !x, !x
}

// CHECK-LABEL: @lengths
func.func @lengths(%q: !x, %k: !x, %v: !x) -> (!x, !x) {
  %whole = arith.constant dense<16> : tensor<2xi32>
  %part = arith.constant dense<[16, 3]> : tensor<2xi32>
  // CHECK: aft.simple %{{.*}}, %{{.*}}, %{{[a-z0-9]+}} :
  %a = aft.simple %q, %k, %v lengths(%whole) : (!x, !x, !x, tensor<2xi32>) -> !x
  // CHECK: aft.simple %{{.*}} lengths(
  %b = aft.simple %q, %k, %v lengths(%part) : (!x, !x, !x, tensor<2xi32>) -> !x
  return %a, %b : !x, !x
}

// CHECK-LABEL: @rows_of_no_width
// CHECK-SAME: %[[IDS:[a-z0-9]+]]: tensor<?xi64>
func.func @rows_of_no_width(%ids: tensor<?xi64>, %table: tensor<5x0xf32>) -> tensor<?x0xf32> {
  // CHECK: %[[N:.*]] = tensor.dim %[[IDS]]
  // CHECK: tensor.empty(%[[N]]) : tensor<?x0xf32>
  // CHECK-NOT: aft.embedding
  %y = aft.embedding %ids, %table : (tensor<?xi64>, tensor<5x0xf32>) -> tensor<?x0xf32>
  return %y : tensor<?x0xf32>
}
