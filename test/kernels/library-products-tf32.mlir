// RUN: aft-opt %s -split-input-file -pass-pipeline='builtin.module(aft-form-kernels{library-products=true},aft-mark-products{tf32})' | FileCheck %s
// RUN: aft-opt %s -split-input-file -pass-pipeline='builtin.module(aft-form-kernels{library-products=true},aft-mark-products)' | FileCheck %s --check-prefix=EXACT
// A library rounds factors of f32 where that is asked for.

// CHECK: aft.product = {extents = array<i64: 4, 5, 1, -1>, operands = array<i64: 0, 1, 2, -1, -1>, result_type = f32, tf32, transposed = array<i1: false, false>, type = f32}
// EXACT: aft.product =
// EXACT-NOT: tf32
func.func @main(%a: tensor<5x8xf32>, %b: tensor<8x4xf32>) -> tensor<5x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<5x4xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<5x4xf32>) -> tensor<5x4xf32>
  %p = linalg.matmul ins(%a, %b : tensor<5x8xf32>, tensor<8x4xf32>) outs(%z : tensor<5x4xf32>) -> tensor<5x4xf32>
  return %p : tensor<5x4xf32>
}

// -----

// CHECK: aft.product =
// CHECK-NOT: tf32
func.func @main(%a: tensor<5x8xbf16>, %b: tensor<8x4xbf16>) -> tensor<5x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<5x4xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<5x4xf32>) -> tensor<5x4xf32>
  %p = linalg.matmul ins(%a, %b : tensor<5x8xbf16>, tensor<8x4xbf16>) outs(%z : tensor<5x4xf32>) -> tensor<5x4xf32>
  return %p : tensor<5x4xf32>
}
