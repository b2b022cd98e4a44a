// RUN: aft-opt %s -split-input-file -aft-raise-mixers -canonicalize -cse | FileCheck %s
// RUN: aft-opt %s -split-input-file -aft-raise-mixers=remarks -verify-diagnostics -o /dev/null

// Rows laid end to end and cut one shorter: each is shifted against the one before.

#row = affine_map<(r, c) -> (c)>
#all = affine_map<(r, c) -> (r, c)>

// Zeros around a window of distances from -2 to 0: a filter
// CHECK-LABEL: func.func @window(
// CHECK: %[[F:.*]] = tensor.pad %{{.*}} low[0, 0] high[0, 2]
// CHECK: aft.conv %{{.*}}, %[[F]] gate = none : (tensor<1x8x4xf32>, tensor<1x8x4xf32>, tensor<1x8x4xf32>, tensor<4x5xf32>)
func.func @window(%k: tensor<8x4xf32>, %v: tensor<8x4xf32>, %table: tensor<3xf32>) -> tensor<8x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<8x4xf32>
  %ew = tensor.empty() : tensor<8x8xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<8x4xf32>) -> tensor<8x4xf32>
  %padded = tensor.pad %table low[5] high[8] {
  ^bb0(%i: index):
    tensor.yield %zero : f32
  } : tensor<3xf32> to tensor<16xf32>
  %er = tensor.empty() : tensor<8x16xf32>
  %rows = linalg.generic {indexing_maps = [#row, #all], iterator_types = ["parallel", "parallel"]} ins(%padded : tensor<16xf32>) outs(%er : tensor<8x16xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  } -> tensor<8x16xf32>
  %flat = tensor.collapse_shape %rows [[0, 1]] : tensor<8x16xf32> into tensor<128xf32>
  %cut = tensor.extract_slice %flat[0] [120] [1] : tensor<128xf32> to tensor<120xf32>
  %skewed = tensor.expand_shape %cut [[0, 1]] output_shape [8, 15] : tensor<120xf32> into tensor<8x15xf32>
  %w = tensor.extract_slice %skewed[0, 7] [8, 8] [1, 1] : tensor<8x15xf32> to tensor<8x8xf32>
  %weights = linalg.exp ins(%w : tensor<8x8xf32>) outs(%ew : tensor<8x8xf32>) -> tensor<8x8xf32>
  %keys = linalg.exp ins(%k : tensor<8x4xf32>) outs(%e : tensor<8x4xf32>) -> tensor<8x4xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<8x4xf32>, tensor<8x4xf32>) outs(%e : tensor<8x4xf32>) -> tensor<8x4xf32>
  %n = linalg.matmul ins(%weights, %kv : tensor<8x8xf32>, tensor<8x4xf32>) outs(%init : tensor<8x4xf32>) -> tensor<8x4xf32>
  %z = linalg.matmul ins(%weights, %keys : tensor<8x8xf32>, tensor<8x4xf32>) outs(%init : tensor<8x4xf32>) -> tensor<8x4xf32>
  // expected-remark @below {{raised to aft.conv}}
  %y = linalg.div ins(%n, %z : tensor<8x4xf32>, tensor<8x4xf32>) outs(%e : tensor<8x4xf32>) -> tensor<8x4xf32>
  return %y : tensor<8x4xf32>
}

// -----

#row = affine_map<(r, c) -> (c)>
#all = affine_map<(r, c) -> (r, c)>

// All distances: a matrix like any
// CHECK-LABEL: func.func @whole(
// CHECK: aft.full
func.func @whole(%k: tensor<8x4xf32>, %v: tensor<8x4xf32>, %table: tensor<15xf32>) -> tensor<8x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<8x4xf32>
  %ew = tensor.empty() : tensor<8x8xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<8x4xf32>) -> tensor<8x4xf32>
  %padded = tensor.pad %table low[0] high[1] {
  ^bb0(%i: index):
    tensor.yield %zero : f32
  } : tensor<15xf32> to tensor<16xf32>
  %er = tensor.empty() : tensor<8x16xf32>
  %rows = linalg.generic {indexing_maps = [#row, #all], iterator_types = ["parallel", "parallel"]} ins(%padded : tensor<16xf32>) outs(%er : tensor<8x16xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  } -> tensor<8x16xf32>
  %flat = tensor.collapse_shape %rows [[0, 1]] : tensor<8x16xf32> into tensor<128xf32>
  %cut = tensor.extract_slice %flat[0] [120] [1] : tensor<128xf32> to tensor<120xf32>
  %skewed = tensor.expand_shape %cut [[0, 1]] output_shape [8, 15] : tensor<120xf32> into tensor<8x15xf32>
  %w = tensor.extract_slice %skewed[0, 7] [8, 8] [1, 1] : tensor<8x15xf32> to tensor<8x8xf32>
  %weights = linalg.exp ins(%w : tensor<8x8xf32>) outs(%ew : tensor<8x8xf32>) -> tensor<8x8xf32>
  %keys = linalg.exp ins(%k : tensor<8x4xf32>) outs(%e : tensor<8x4xf32>) -> tensor<8x4xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<8x4xf32>, tensor<8x4xf32>) outs(%e : tensor<8x4xf32>) -> tensor<8x4xf32>
  %n = linalg.matmul ins(%weights, %kv : tensor<8x8xf32>, tensor<8x4xf32>) outs(%init : tensor<8x4xf32>) -> tensor<8x4xf32>
  %z = linalg.matmul ins(%weights, %keys : tensor<8x8xf32>, tensor<8x4xf32>) outs(%init : tensor<8x4xf32>) -> tensor<8x4xf32>
  // expected-remark @below {{raised to aft.full}}
  // expected-remark @below {{no aft.conv: all channels share a bias of distances without a window}}
  %y = linalg.div ins(%n, %z : tensor<8x4xf32>, tensor<8x4xf32>) outs(%e : tensor<8x4xf32>) -> tensor<8x4xf32>
  return %y : tensor<8x4xf32>
}
