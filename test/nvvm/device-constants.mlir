// RUN: aftc %s --target=cuda --compile-to=nvvm | FileCheck %s
// RUN: aftc %s --target=cuda --compile-to=binary | FileCheck %s --check-prefix=PTX
// Constants that are arrays go with the kernels that read them, once each.

// CHECK-LABEL: @device
// CHECK-COUNT-1: llvm.mlir.global private constant @__constant_4xi64(
// CHECK-NOT: llvm.mlir.global private constant @__constant_4xi64(
// CHECK: llvm.mlir.addressof @__constant_4xi64
// CHECK: llvm.mlir.addressof @__constant_4xi64

// PTX: .global .align 64 .b8 __constant_2x3xf32[24] = {0, 0, 128, 63,
// PTX: .entry
#rows = affine_map<(i, j) -> (i)>
#columns = affine_map<(i, j) -> (j)>
#all = affine_map<(i, j) -> (i, j)>
func.func @main(%p: tensor<?xi64>, %x: tensor<2x3xf32>) -> (tensor<?x4xi64>, tensor<?x4xi64>, tensor<2x3xf32>) {
  %offsets = arith.constant dense<[-3, -2, -1, 0]> : tensor<4xi64>
  %weights = arith.constant dense<[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]> : tensor<2x3xf32>
  %c0 = arith.constant 0 : index
  %n = tensor.dim %p, %c0 : tensor<?xi64>
  %e = tensor.empty(%n) : tensor<?x4xi64>
  %y = linalg.generic {indexing_maps = [#rows, #columns, #all], iterator_types = ["parallel", "parallel"]} ins(%p, %offsets : tensor<?xi64>, tensor<4xi64>) outs(%e : tensor<?x4xi64>) {
  ^bb0(%a: i64, %b: i64, %o: i64):
    %s = arith.addi %a, %b : i64
    linalg.yield %s : i64
  } -> tensor<?x4xi64>
  %z = linalg.generic {indexing_maps = [#rows, #columns, #all], iterator_types = ["parallel", "parallel"]} ins(%p, %offsets : tensor<?xi64>, tensor<4xi64>) outs(%e : tensor<?x4xi64>) {
  ^bb0(%a: i64, %b: i64, %o: i64):
    %s = arith.muli %a, %b : i64
    linalg.yield %s : i64
  } -> tensor<?x4xi64>
  %e2 = tensor.empty() : tensor<2x3xf32>
  %w = linalg.generic {indexing_maps = [#all, #all, #all], iterator_types = ["parallel", "parallel"]} ins(%x, %weights : tensor<2x3xf32>, tensor<2x3xf32>) outs(%e2 : tensor<2x3xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.mulf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<2x3xf32>
  return %y, %z, %w : tensor<?x4xi64>, tensor<?x4xi64>, tensor<2x3xf32>
}
