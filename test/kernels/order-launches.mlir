// RUN: split-file %s %t
// RUN: aft-opt %t/updates.mlir -aft-order-launches | FileCheck %t/updates.mlir
// RUN: aft-opt %t/updates.mlir -aft-order-launches -aft-plan-memory | FileCheck %t/updates.mlir --check-prefix=PLANNED
// RUN: aft-opt %t/sums.mlir -aft-order-launches | FileCheck %t/sums.mlir

//--- updates.mlir

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

//--- sums.mlir
// Sums of columns wait for the product that sums over the same rows, to the same type, and
// what reads them comes after it.
// CHECK-LABEL: func.func @gradients(
// CHECK: %[[D:.*]] = aft.launch @dx ins(%arg0, %arg2)
// CHECK: %[[S:.*]] = aft.launch @sums ins(%arg0)
// CHECK: %[[W:.*]] = aft.launch @dw ins(%arg0, %arg1)
// CHECK: %[[U:.*]] = aft.launch @update ins(%[[S]])
// CHECK: return %[[D]], %[[W]], %[[U]]
// Nobody else sums over its rows.
// CHECK-LABEL: func.func @alone(
// CHECK: aft.launch @sums
// CHECK: aft.launch @dx
func.func private @sums(%x: tensor<64x4xf32>, %y: tensor<4xf32>) -> tensor<4xf32> attributes {aft.kernel, aft.column_sums = {operands = array<i64: 0, 1>, extents = array<i64: 0, 1>, type = f32, result_type = f32}} {
  return %y : tensor<4xf32>
}
func.func private @dx(%dy: tensor<64x4xf32>, %w: tensor<4x8xf32>, %dx: tensor<64x8xf32>) -> tensor<64x8xf32> attributes {aft.kernel, aft.product = {operands = array<i64: 0, 1, 2, -1, -1>, extents = array<i64: 4, 5, 1, -1>, transposed = array<i1: false, false>, type = f32, result_type = f32}} {
  return %dx : tensor<64x8xf32>
}
func.func private @dw(%dy: tensor<64x4xf32>, %x: tensor<64x8xf32>, %dw: tensor<4x8xf32>) -> tensor<4x8xf32> attributes {aft.kernel, aft.product = {operands = array<i64: 0, 1, 2, -1, -1>, extents = array<i64: 4, 5, 0, -1>, transposed = array<i1: true, false>, type = f32, result_type = f32}} {
  return %dw : tensor<4x8xf32>
}
func.func private @update(%db: tensor<4xf32>, %b: tensor<4xf32>) -> tensor<4xf32> attributes {aft.kernel} {
  return %b : tensor<4xf32>
}
func.func @gradients(%dy: tensor<64x4xf32>, %x: tensor<64x8xf32>, %w: tensor<4x8xf32>, %b: tensor<4xf32>) -> (tensor<64x8xf32>, tensor<4x8xf32>, tensor<4xf32>) attributes {aft.entry} {
  %e = tensor.empty() : tensor<4xf32>
  %ex = tensor.empty() : tensor<64x8xf32>
  %ew = tensor.empty() : tensor<4x8xf32>
  %s = aft.launch @sums ins(%dy) outs(%e) : (tensor<64x4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %d = aft.launch @dx ins(%dy, %w) outs(%ex) : (tensor<64x4xf32>, tensor<4x8xf32>, tensor<64x8xf32>) -> tensor<64x8xf32>
  %g = aft.launch @dw ins(%dy, %x) outs(%ew) : (tensor<64x4xf32>, tensor<64x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  %u = aft.launch @update ins(%s) outs(%b) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %d, %g, %u : tensor<64x8xf32>, tensor<4x8xf32>, tensor<4xf32>
}
func.func @alone(%dy: tensor<64x4xf32>, %w: tensor<4x8xf32>) -> (tensor<4xf32>, tensor<64x8xf32>) attributes {aft.entry} {
  %e = tensor.empty() : tensor<4xf32>
  %ex = tensor.empty() : tensor<64x8xf32>
  %s = aft.launch @sums ins(%dy) outs(%e) : (tensor<64x4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %d = aft.launch @dx ins(%dy, %w) outs(%ex) : (tensor<64x4xf32>, tensor<4x8xf32>, tensor<64x8xf32>) -> tensor<64x8xf32>
  return %s, %d : tensor<4xf32>, tensor<64x8xf32>
}
