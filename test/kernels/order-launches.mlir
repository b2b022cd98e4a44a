// RUN: aft-opt %s -aft-order-launches | FileCheck %s
// RUN: aft-opt %s -aft-order-launches -aft-plan-memory | FileCheck %s --check-prefix=PLANNED

// The update of %w runs as soon as its gradient is there and nobody reads the old
// %w any more, not at the end. Views of what it reads move with it.
// CHECK-LABEL: func.func @step(
// CHECK: %[[G:.*]] = aft.launch @k ins(%arg1)
// CHECK: %[[H:.*]] = aft.launch @k ins(%[[G]])
// CHECK: %[[I:.*]] = aft.launch @two ins(%[[H]], %arg0)
// CHECK: %[[U:.*]] = aft.launch @k ins(%[[G]]) outs(%arg0)
// CHECK: %[[J:.*]] = aft.launch @k ins(%[[I]])
// CHECK: %[[L:.*]] = aft.launch @k ins(%[[J]])
// CHECK: return %[[L]], %[[U]]
// No copy is made for it.
// PLANNED-LABEL: func.func @step(
// PLANNED-COUNT-6: aft.launch
// PLANNED-NOT: aft.launch
// PLANNED: return
func.func private @k(%x: tensor<64xf32>, %y: tensor<64xf32>) -> tensor<64xf32> attributes {aft.kernel} {
  %z = linalg.copy ins(%x : tensor<64xf32>) outs(%y : tensor<64xf32>) -> tensor<64xf32>
  return %z : tensor<64xf32>
}
func.func private @two(%x: tensor<64xf32>, %w: tensor<64xf32>, %y: tensor<64xf32>) -> tensor<64xf32> attributes {aft.kernel} {
  %z = linalg.add ins(%x, %w : tensor<64xf32>, tensor<64xf32>) outs(%y : tensor<64xf32>) -> tensor<64xf32>
  return %z : tensor<64xf32>
}
func.func @step(%w: tensor<64xf32>, %x: tensor<64xf32>) -> (tensor<64xf32>, tensor<64xf32>) attributes {aft.entry, aft.interface = {inputs = [{type = tensor<64xf32>}, {type = tensor<64xf32>}], outputs = [{type = tensor<64xf32>}, {type = tensor<64xf32>, alias = 0 : i64}]}} {
  %e = tensor.empty() : tensor<64xf32>
  %g = aft.launch @k ins(%x) outs(%e) : (tensor<64xf32>, tensor<64xf32>) -> tensor<64xf32>
  %h = aft.launch @k ins(%g) outs(%e) : (tensor<64xf32>, tensor<64xf32>) -> tensor<64xf32>
  %i = aft.launch @two ins(%h, %w) outs(%e) : (tensor<64xf32>, tensor<64xf32>, tensor<64xf32>) -> tensor<64xf32>
  %j = aft.launch @k ins(%i) outs(%e) : (tensor<64xf32>, tensor<64xf32>) -> tensor<64xf32>
  %u = aft.launch @k ins(%g) outs(%w) : (tensor<64xf32>, tensor<64xf32>) -> tensor<64xf32>
  %l = aft.launch @k ins(%j) outs(%e) : (tensor<64xf32>, tensor<64xf32>) -> tensor<64xf32>
  return %l, %u : tensor<64xf32>, tensor<64xf32>
}
