// RUN: aft-opt %s | aft-opt | FileCheck %s
// Every operation prints as it is written.

// CHECK-LABEL: @mixers
func.func @mixers(%q: tensor<2x16x8xf32>, %w: tensor<16x16xf32>, %n: tensor<2xi32>) -> tensor<2x16x8xf32> {
  // CHECK: aft.full %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} lengths(%{{.*}}) causal gate = none : (tensor<2x16x8xf32>
  %y = aft.full %q, %q, %q, %w lengths(%n) causal gate = none : (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<16x16xf32>, tensor<2xi32>) -> tensor<2x16x8xf32>
  return %y : tensor<2x16x8xf32>
}
