// RUN: aft-opt %s -split-input-file -verify-diagnostics -aft-training='clip-norm=0.5 weight-decay=0.25' | FileCheck %s
// The step calls the gradient; every update overwrites its argument.

// CHECK: func.func private @main(
// CHECK: func.func private @main_grad(
// CHECK-LABEL: func.func @train_step(
// CHECK-SAME: %[[W:.*]]: tensor<3xbf16> {aft.name = "w", aft.param}, %[[M:.*]]: tensor<3xf32> {aft.name = "m.w"}, %[[V:.*]]: tensor<3xf32> {aft.name = "v.w"}
// CHECK-SAME: %[[STEP:.*]]: tensor<i64> {aft.name = "step"}, %[[LR:.*]]: tensor<f32> {aft.name = "lr"}, %[[X:.*]]: tensor<3xbf16> {aft.name = "x"}
// CHECK-SAME: -> (tensor<f32> {aft.name = "loss"}, tensor<3xbf16> {aft.alias = 0 : i64, aft.name = "w"}, tensor<3xf32> {aft.alias = 1 : i64, aft.name = "m.w"}, tensor<3xf32> {aft.alias = 2 : i64, aft.name = "v.w"}, tensor<3xbf16>)
// CHECK: %[[G:.*]]:3 = call @main_grad(%[[X]], %[[W]])
// CHECK: %[[SQUARES:.*]] = linalg.generic {{.*}} ins(%[[G]]#2 : tensor<3xbf16>) outs(%{{.*}} : tensor<f32>)
// CHECK: arith.extf
// CHECK: %[[NORM:.*]] = math.sqrt %[[SQUARES]]
// CHECK: %[[SCALE:.*]] = arith.minimumf
// CHECK: %[[NEW:.*]]:3 = aft.adamw %[[W]], %[[G]]#2, %[[M]], %[[V]] lr(%[[LR]]) step(%[[STEP]]) scale(%[[SCALE]]) {{.*}}weight_decay = 2.500000e-01
// CHECK: return %[[G]]#0, %[[NEW]]#0, %[[NEW]]#1, %[[NEW]]#2, %[[G]]#1
func.func @main(%x: tensor<3xbf16> {aft.name = "x"}, %w: tensor<3xbf16> {aft.param, aft.name = "w"}) -> (tensor<f32>, tensor<3xbf16>) {
  %zero = arith.constant dense<0.0> : tensor<f32>
  %y = arith.mulf %x, %w : tensor<3xbf16>
  %loss = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> ()>], iterator_types = ["reduction"]} ins(%y : tensor<3xbf16>) outs(%zero : tensor<f32>) {
  ^bb0(%a: bf16, %o: f32):
    %w32 = arith.extf %a : bf16 to f32
    %s = arith.addf %o, %w32 : f32
    linalg.yield %s : f32
  } -> tensor<f32>
  return %loss, %y : tensor<f32>, tensor<3xbf16>
}

// -----

// expected-error @below {{is in the way: a training step is called 'train_step'}}
func.func @train_step() {
  return
}
func.func @main(%x: tensor<f32> {aft.param}) -> tensor<f32> {
  return %x : tensor<f32>
}

// -----

// expected-error @below {{no function is called 'main'}}
module {}
