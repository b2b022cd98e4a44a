// RUN: aft-opt %s -aft-differentiate | FileCheck %s --check-prefix=GRADIENT
// RUN: aft-opt %s -aft-drop-gradient-stops | FileCheck %s --check-prefix=DROPPED

// d(x * stop(x))/dx is stop(x) alone.
// GRADIENT-LABEL: func.func @main_grad(
// GRADIENT-SAME: %[[X:.*]]: tensor<f64>
// GRADIENT: %[[STOP:.*]] = aft.stop_gradient %[[X]]
// GRADIENT: linalg.generic {{.*}} ins(%[[X]], %[[STOP]] :
// GRADIENT: %[[GRAD:.*]] = linalg.generic {{.*}} ins(%{{.*}}, %[[STOP]] :
// GRADIENT-NOT: arith.addf
// GRADIENT: return %{{.*}}, %[[GRAD]] :
// DROPPED-LABEL: func.func @main(
// DROPPED-SAME: %[[X:.*]]: tensor<f64>
// DROPPED-NOT: aft.stop_gradient
// DROPPED: arith.mulf %[[X]], %[[X]]
func.func @main(%x: tensor<f64> {aft.param}) -> tensor<f64> {
  %s = aft.stop_gradient %x : (tensor<f64>) -> tensor<f64>
  %y = arith.mulf %x, %s : tensor<f64>
  return %y : tensor<f64>
}
