// RUN: aft-opt %s -aft-decompose | FileCheck %s
// RUN: aft-opt %s -aft-differentiate | FileCheck %s --check-prefix=GRAD
// linalg.map, which upstream does not generalise, was refused.

// CHECK-LABEL: func.func @main(
// CHECK-NOT: linalg.map
// CHECK: linalg.generic {{.*}}iterator_types = ["parallel", "parallel"]} ins(%arg0, %arg1 :
// CHECK-NEXT: ^bb0(%[[X:.*]]: f32, %[[Y:.*]]: f32, %{{.*}}: f32):
// CHECK-NEXT: %[[E:.*]] = math.exp %[[X]]
// CHECK-NEXT: %[[P:.*]] = arith.mulf %[[E]], %[[Y]]
// CHECK-NEXT: linalg.yield %[[P]]

// GRAD-LABEL: func.func @main_grad(
// GRAD-NOT: linalg.map
// GRAD: return %{{.*}}, %{{.*}} : tensor<f32>, tensor<?x4xf32>
func.func @main(%a: tensor<?x4xf32> {aft.param, aft.name = "a"}, %b: tensor<?x4xf32>) -> tensor<f32> {
  %c0 = arith.constant 0 : index
  %d = tensor.dim %a, %c0 : tensor<?x4xf32>
  %e = tensor.empty(%d) : tensor<?x4xf32>
  %m = linalg.map ins(%a, %b : tensor<?x4xf32>, tensor<?x4xf32>) outs(%e : tensor<?x4xf32>)
    (%x: f32, %y: f32) {
      %s = math.exp %x : f32
      %p = arith.mulf %s, %y : f32
      linalg.yield %p : f32
    }
  %zero = arith.constant dense<0.0> : tensor<f32>
  %sum = linalg.reduce { arith.addf } ins(%m : tensor<?x4xf32>) outs(%zero : tensor<f32>) dimensions = [0, 1]
  return %sum : tensor<f32>
}
