// RUN: aft-opt %s -aft-drop-gradient-stops | FileCheck %s --check-prefix=DROP
// RUN: aft-opt %s -aft-differentiate -canonicalize -cse | FileCheck %s --check-prefix=GRAD

// DROP-LABEL: func.func @main(
// DROP-NOT: aft.stop_gradient
// DROP: %[[E:.*]] = math.exp
// DROP-NEXT: arith.mulf %{{.*}}, %[[E]]

// The factor behind the stop counts as a constant: d(x * c)/dx = 1 * c, and exp is not
// differentiated.
// GRAD-LABEL: func.func @main_grad(
// GRAD: %[[C:.*]] = aft.stop_gradient
// GRAD: %[[DX:.*]] = linalg.generic {{.*}} ins(%{{.*}}, %[[C]] : tensor<f32>, tensor<f32>) outs(%{{[0-9]+}}
// GRAD-NEXT: ^bb0
// GRAD-NEXT: arith.mulf
// GRAD-NEXT: linalg.yield
// GRAD-NOT: linalg.generic
// GRAD: return %{{.*}}, %[[DX]]
func.func @main(%x: tensor<f32> {aft.param}) -> tensor<f32> {
  %e = math.exp %x : tensor<f32>
  %c = aft.stop_gradient %e : tensor<f32>
  %y = arith.mulf %x, %c : tensor<f32>
  return %y : tensor<f32>
}
