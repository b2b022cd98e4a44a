// RUN: aft-opt %s -split-input-file -aft-raise-mixers -canonicalize -cse | FileCheck %s
// RUN: aft-opt %s -split-input-file -aft-raise-mixers=remarks -verify-diagnostics -o /dev/null

// How a loop over time puts its rows together. The loops are those of raise-recurrence.mlir.

// Each row is written into a tensor: what is before it, the row, what is behind it.
// CHECK-LABEL: func.func @written(
// CHECK: %[[Y:.*]] = aft.conv %{{.*}}, %arg0, %{{.*}}, %{{.*}} causal gate = none
// CHECK: return %[[Y]]
func.func @written(%k: tensor<?x3x4xf32>, %v: tensor<?x3x4xf32>, %w: tensor<4xf32>, %u: tensor<4xf32>) -> tensor<?x3x4xf32> {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %b = tensor.dim %k, %c0 : tensor<?x3x4xf32>
  %e = tensor.empty(%b) : tensor<?x4xf32>
  %s = tensor.empty(%b) : tensor<?x3x4xf32>
  %none = linalg.fill ins(%zero : f32) outs(%s : tensor<?x3x4xf32>) -> tensor<?x3x4xf32>
  %1 = linalg.broadcast ins(%w : tensor<4xf32>) outs(%e : tensor<?x4xf32>) dimensions = [0]
  %2 = linalg.exp ins(%1 : tensor<?x4xf32>) outs(%e : tensor<?x4xf32>) -> tensor<?x4xf32>
  %3 = linalg.broadcast ins(%u : tensor<4xf32>) outs(%e : tensor<?x4xf32>) dimensions = [0]
  %4 = linalg.exp ins(%3 : tensor<?x4xf32>) outs(%e : tensor<?x4xf32>) -> tensor<?x4xf32>
  %5 = tensor.extract_slice %k[0, 0, 0] [%b, 1, 4] [1, 1, 1] : tensor<?x3x4xf32> to tensor<?x4xf32>
  %6 = linalg.exp ins(%5 : tensor<?x4xf32>) outs(%e : tensor<?x4xf32>) -> tensor<?x4xf32>
  %7 = tensor.extract_slice %v[0, 0, 0] [%b, 1, 4] [1, 1, 1] : tensor<?x3x4xf32> to tensor<?x4xf32>
  %8 = linalg.mul ins(%6, %7 : tensor<?x4xf32>, tensor<?x4xf32>) outs(%e : tensor<?x4xf32>) -> tensor<?x4xf32>
  %9 = linalg.mul ins(%4, %8 : tensor<?x4xf32>, tensor<?x4xf32>) outs(%e : tensor<?x4xf32>) -> tensor<?x4xf32>
  %10 = linalg.mul ins(%4, %6 : tensor<?x4xf32>, tensor<?x4xf32>) outs(%e : tensor<?x4xf32>) -> tensor<?x4xf32>
  %11 = linalg.div ins(%9, %10 : tensor<?x4xf32>, tensor<?x4xf32>) outs(%e : tensor<?x4xf32>) -> tensor<?x4xf32>
  %12 = tensor.extract_slice %k[0, 1, 0] [%b, 1, 4] [1, 1, 1] : tensor<?x3x4xf32> to tensor<?x4xf32>
  %13 = linalg.exp ins(%12 : tensor<?x4xf32>) outs(%e : tensor<?x4xf32>) -> tensor<?x4xf32>
  %14 = tensor.extract_slice %v[0, 1, 0] [%b, 1, 4] [1, 1, 1] : tensor<?x3x4xf32> to tensor<?x4xf32>
  %15 = linalg.mul ins(%13, %14 : tensor<?x4xf32>, tensor<?x4xf32>) outs(%e : tensor<?x4xf32>) -> tensor<?x4xf32>
  %16 = linalg.mul ins(%4, %15 : tensor<?x4xf32>, tensor<?x4xf32>) outs(%e : tensor<?x4xf32>) -> tensor<?x4xf32>
  %17 = linalg.mul ins(%4, %13 : tensor<?x4xf32>, tensor<?x4xf32>) outs(%e : tensor<?x4xf32>) -> tensor<?x4xf32>
  %18 = linalg.add ins(%8, %16 : tensor<?x4xf32>, tensor<?x4xf32>) outs(%e : tensor<?x4xf32>) -> tensor<?x4xf32>
  %19 = linalg.add ins(%6, %17 : tensor<?x4xf32>, tensor<?x4xf32>) outs(%e : tensor<?x4xf32>) -> tensor<?x4xf32>
  %20 = linalg.div ins(%18, %19 : tensor<?x4xf32>, tensor<?x4xf32>) outs(%e : tensor<?x4xf32>) -> tensor<?x4xf32>
  %21 = linalg.mul ins(%2, %8 : tensor<?x4xf32>, tensor<?x4xf32>) outs(%e : tensor<?x4xf32>) -> tensor<?x4xf32>
  %22 = linalg.add ins(%21, %15 : tensor<?x4xf32>, tensor<?x4xf32>) outs(%e : tensor<?x4xf32>) -> tensor<?x4xf32>
  %23 = linalg.mul ins(%2, %6 : tensor<?x4xf32>, tensor<?x4xf32>) outs(%e : tensor<?x4xf32>) -> tensor<?x4xf32>
  %24 = linalg.add ins(%23, %13 : tensor<?x4xf32>, tensor<?x4xf32>) outs(%e : tensor<?x4xf32>) -> tensor<?x4xf32>
  %25 = tensor.extract_slice %k[0, 2, 0] [%b, 1, 4] [1, 1, 1] : tensor<?x3x4xf32> to tensor<?x4xf32>
  %26 = linalg.exp ins(%25 : tensor<?x4xf32>) outs(%e : tensor<?x4xf32>) -> tensor<?x4xf32>
  %27 = tensor.extract_slice %v[0, 2, 0] [%b, 1, 4] [1, 1, 1] : tensor<?x3x4xf32> to tensor<?x4xf32>
  %28 = linalg.mul ins(%26, %27 : tensor<?x4xf32>, tensor<?x4xf32>) outs(%e : tensor<?x4xf32>) -> tensor<?x4xf32>
  %29 = linalg.mul ins(%4, %28 : tensor<?x4xf32>, tensor<?x4xf32>) outs(%e : tensor<?x4xf32>) -> tensor<?x4xf32>
  %30 = linalg.mul ins(%4, %26 : tensor<?x4xf32>, tensor<?x4xf32>) outs(%e : tensor<?x4xf32>) -> tensor<?x4xf32>
  %31 = linalg.add ins(%22, %29 : tensor<?x4xf32>, tensor<?x4xf32>) outs(%e : tensor<?x4xf32>) -> tensor<?x4xf32>
  %32 = linalg.add ins(%24, %30 : tensor<?x4xf32>, tensor<?x4xf32>) outs(%e : tensor<?x4xf32>) -> tensor<?x4xf32>
  %33 = linalg.div ins(%31, %32 : tensor<?x4xf32>, tensor<?x4xf32>) outs(%e : tensor<?x4xf32>) -> tensor<?x4xf32>
  %34 = tensor.expand_shape %11 [[0], [1, 2]] output_shape [%b, 1, 4] : tensor<?x4xf32> into tensor<?x1x4xf32>
  %35 = tensor.extract_slice %none[0, 1, 0] [%b, 2, 4] [1, 1, 1] : tensor<?x3x4xf32> to tensor<?x2x4xf32>
  %36 = tensor.concat dim(1) %34, %35 : (tensor<?x1x4xf32>, tensor<?x2x4xf32>) -> tensor<?x3x4xf32>
  %37 = tensor.expand_shape %20 [[0], [1, 2]] output_shape [%b, 1, 4] : tensor<?x4xf32> into tensor<?x1x4xf32>
  %38 = tensor.extract_slice %36[0, 0, 0] [%b, 1, 4] [1, 1, 1] : tensor<?x3x4xf32> to tensor<?x1x4xf32>
  %39 = tensor.extract_slice %36[0, 2, 0] [%b, 1, 4] [1, 1, 1] : tensor<?x3x4xf32> to tensor<?x1x4xf32>
  %40 = tensor.concat dim(1) %38, %37, %39 : (tensor<?x1x4xf32>, tensor<?x1x4xf32>, tensor<?x1x4xf32>) -> tensor<?x3x4xf32>
  %41 = tensor.expand_shape %33 [[0], [1, 2]] output_shape [%b, 1, 4] : tensor<?x4xf32> into tensor<?x1x4xf32>
  %42 = tensor.extract_slice %40[0, 0, 0] [%b, 2, 4] [1, 1, 1] : tensor<?x3x4xf32> to tensor<?x2x4xf32>
  // expected-remark @below {{raised to aft.conv}}
  %y = tensor.concat dim(1) %42, %41 : (tensor<?x2x4xf32>, tensor<?x1x4xf32>) -> tensor<?x3x4xf32>
  return %y : tensor<?x3x4xf32>
}

// -----

// Each row is joined to those before.
// CHECK-LABEL: func.func @grown(
// CHECK: %[[Y:.*]] = aft.conv %arg1, %arg0, %arg1, %{{.*}} causal gate = none
// CHECK: return %[[Y]]
func.func @grown(%k: tensor<2x3x4xf32>, %v: tensor<2x3x4xf32>, %w: tensor<4xf32>, %u: tensor<4xf32>) -> tensor<2x3x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x4xf32>
  %s = tensor.empty() : tensor<2x3x4xf32>
  %none = linalg.fill ins(%zero : f32) outs(%s : tensor<2x3x4xf32>) -> tensor<2x3x4xf32>
  %1 = linalg.broadcast ins(%w : tensor<4xf32>) outs(%e : tensor<2x4xf32>) dimensions = [0]
  %2 = linalg.exp ins(%1 : tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %3 = linalg.broadcast ins(%u : tensor<4xf32>) outs(%e : tensor<2x4xf32>) dimensions = [0]
  %4 = linalg.exp ins(%3 : tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %5 = tensor.extract_slice %k[0, 0, 0] [2, 1, 4] [1, 1, 1] : tensor<2x3x4xf32> to tensor<2x4xf32>
  %6 = linalg.exp ins(%5 : tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %7 = tensor.extract_slice %v[0, 0, 0] [2, 1, 4] [1, 1, 1] : tensor<2x3x4xf32> to tensor<2x4xf32>
  %8 = linalg.mul ins(%6, %7 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %9 = linalg.mul ins(%4, %8 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %10 = linalg.mul ins(%4, %6 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %11 = linalg.div ins(%9, %10 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %12 = tensor.extract_slice %k[0, 1, 0] [2, 1, 4] [1, 1, 1] : tensor<2x3x4xf32> to tensor<2x4xf32>
  %13 = linalg.exp ins(%12 : tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %14 = tensor.extract_slice %v[0, 1, 0] [2, 1, 4] [1, 1, 1] : tensor<2x3x4xf32> to tensor<2x4xf32>
  %15 = linalg.mul ins(%13, %14 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %16 = linalg.mul ins(%4, %15 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %17 = linalg.mul ins(%4, %13 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %18 = linalg.add ins(%8, %16 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %19 = linalg.add ins(%6, %17 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %20 = linalg.div ins(%18, %19 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %21 = linalg.mul ins(%2, %8 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %22 = linalg.add ins(%21, %15 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %23 = linalg.mul ins(%2, %6 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %24 = linalg.add ins(%23, %13 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %25 = tensor.extract_slice %k[0, 2, 0] [2, 1, 4] [1, 1, 1] : tensor<2x3x4xf32> to tensor<2x4xf32>
  %26 = linalg.exp ins(%25 : tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %27 = tensor.extract_slice %v[0, 2, 0] [2, 1, 4] [1, 1, 1] : tensor<2x3x4xf32> to tensor<2x4xf32>
  %28 = linalg.mul ins(%26, %27 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %29 = linalg.mul ins(%4, %28 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %30 = linalg.mul ins(%4, %26 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %31 = linalg.add ins(%22, %29 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %32 = linalg.add ins(%24, %30 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %33 = linalg.div ins(%31, %32 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %34 = tensor.expand_shape %11 [[0], [1, 2]] output_shape [2, 1, 4] : tensor<2x4xf32> into tensor<2x1x4xf32>
  %35 = tensor.expand_shape %20 [[0], [1, 2]] output_shape [2, 1, 4] : tensor<2x4xf32> into tensor<2x1x4xf32>
  %36 = tensor.concat dim(1) %34, %35 : (tensor<2x1x4xf32>, tensor<2x1x4xf32>) -> tensor<2x2x4xf32>
  %37 = tensor.expand_shape %33 [[0], [1, 2]] output_shape [2, 1, 4] : tensor<2x4xf32> into tensor<2x1x4xf32>
  // expected-remark @below {{raised to aft.conv}}
  %y = tensor.concat dim(1) %36, %37 : (tensor<2x2x4xf32>, tensor<2x1x4xf32>) -> tensor<2x3x4xf32>
  return %y : tensor<2x3x4xf32>
}

// -----

// stack() as core operators have it: rows laid end to end, which get a dimension afterwards.
// CHECK-LABEL: func.func @laid(
// CHECK: %[[Y:.*]] = aft.conv %arg1, %arg0, %arg1, %{{.*}} causal gate = none
// CHECK: return %[[Y]]
func.func @laid(%k: tensor<2x3x4xf32>, %v: tensor<2x3x4xf32>, %w: tensor<4xf32>, %u: tensor<4xf32>) -> tensor<2x3x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x4xf32>
  %s = tensor.empty() : tensor<2x3x4xf32>
  %none = linalg.fill ins(%zero : f32) outs(%s : tensor<2x3x4xf32>) -> tensor<2x3x4xf32>
  %1 = linalg.broadcast ins(%w : tensor<4xf32>) outs(%e : tensor<2x4xf32>) dimensions = [0]
  %2 = linalg.exp ins(%1 : tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %3 = linalg.broadcast ins(%u : tensor<4xf32>) outs(%e : tensor<2x4xf32>) dimensions = [0]
  %4 = linalg.exp ins(%3 : tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %5 = tensor.extract_slice %k[0, 0, 0] [2, 1, 4] [1, 1, 1] : tensor<2x3x4xf32> to tensor<2x4xf32>
  %6 = linalg.exp ins(%5 : tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %7 = tensor.extract_slice %v[0, 0, 0] [2, 1, 4] [1, 1, 1] : tensor<2x3x4xf32> to tensor<2x4xf32>
  %8 = linalg.mul ins(%6, %7 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %9 = linalg.mul ins(%4, %8 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %10 = linalg.mul ins(%4, %6 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %11 = linalg.div ins(%9, %10 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %12 = tensor.extract_slice %k[0, 1, 0] [2, 1, 4] [1, 1, 1] : tensor<2x3x4xf32> to tensor<2x4xf32>
  %13 = linalg.exp ins(%12 : tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %14 = tensor.extract_slice %v[0, 1, 0] [2, 1, 4] [1, 1, 1] : tensor<2x3x4xf32> to tensor<2x4xf32>
  %15 = linalg.mul ins(%13, %14 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %16 = linalg.mul ins(%4, %15 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %17 = linalg.mul ins(%4, %13 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %18 = linalg.add ins(%8, %16 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %19 = linalg.add ins(%6, %17 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %20 = linalg.div ins(%18, %19 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %21 = linalg.mul ins(%2, %8 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %22 = linalg.add ins(%21, %15 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %23 = linalg.mul ins(%2, %6 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %24 = linalg.add ins(%23, %13 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %25 = tensor.extract_slice %k[0, 2, 0] [2, 1, 4] [1, 1, 1] : tensor<2x3x4xf32> to tensor<2x4xf32>
  %26 = linalg.exp ins(%25 : tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %27 = tensor.extract_slice %v[0, 2, 0] [2, 1, 4] [1, 1, 1] : tensor<2x3x4xf32> to tensor<2x4xf32>
  %28 = linalg.mul ins(%26, %27 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %29 = linalg.mul ins(%4, %28 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %30 = linalg.mul ins(%4, %26 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %31 = linalg.add ins(%22, %29 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %32 = linalg.add ins(%24, %30 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %33 = linalg.div ins(%31, %32 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %34 = tensor.concat dim(1) %11, %20, %33 : (tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x12xf32>
  // expected-remark @below {{raised to aft.conv}}
  %y = tensor.expand_shape %34 [[0], [1, 2]] output_shape [2, 3, 4] : tensor<2x12xf32> into tensor<2x3x4xf32>
  return %y : tensor<2x3x4xf32>
}

// -----

// A write as core operators have it: a choice by the place.
// CHECK-LABEL: func.func @chosen(
// CHECK: %[[Y:.*]] = aft.conv %arg1, %arg0, %arg1, %{{.*}} causal gate = none
// CHECK: return %[[Y]]
func.func @chosen(%k: tensor<2x3x4xf32>, %v: tensor<2x3x4xf32>, %w: tensor<4xf32>, %u: tensor<4xf32>) -> tensor<2x3x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x4xf32>
  %s = tensor.empty() : tensor<2x3x4xf32>
  %none = linalg.fill ins(%zero : f32) outs(%s : tensor<2x3x4xf32>) -> tensor<2x3x4xf32>
  %flags = tensor.empty() : tensor<3xi1>
  %1 = linalg.broadcast ins(%w : tensor<4xf32>) outs(%e : tensor<2x4xf32>) dimensions = [0]
  %2 = linalg.exp ins(%1 : tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %3 = linalg.broadcast ins(%u : tensor<4xf32>) outs(%e : tensor<2x4xf32>) dimensions = [0]
  %4 = linalg.exp ins(%3 : tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %5 = tensor.extract_slice %k[0, 0, 0] [2, 1, 4] [1, 1, 1] : tensor<2x3x4xf32> to tensor<2x4xf32>
  %6 = linalg.exp ins(%5 : tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %7 = tensor.extract_slice %v[0, 0, 0] [2, 1, 4] [1, 1, 1] : tensor<2x3x4xf32> to tensor<2x4xf32>
  %8 = linalg.mul ins(%6, %7 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %9 = linalg.mul ins(%4, %8 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %10 = linalg.mul ins(%4, %6 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %11 = linalg.div ins(%9, %10 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %12 = tensor.extract_slice %k[0, 1, 0] [2, 1, 4] [1, 1, 1] : tensor<2x3x4xf32> to tensor<2x4xf32>
  %13 = linalg.exp ins(%12 : tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %14 = tensor.extract_slice %v[0, 1, 0] [2, 1, 4] [1, 1, 1] : tensor<2x3x4xf32> to tensor<2x4xf32>
  %15 = linalg.mul ins(%13, %14 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %16 = linalg.mul ins(%4, %15 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %17 = linalg.mul ins(%4, %13 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %18 = linalg.add ins(%8, %16 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %19 = linalg.add ins(%6, %17 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %20 = linalg.div ins(%18, %19 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %21 = linalg.mul ins(%2, %8 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %22 = linalg.add ins(%21, %15 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %23 = linalg.mul ins(%2, %6 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %24 = linalg.add ins(%23, %13 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %25 = tensor.extract_slice %k[0, 2, 0] [2, 1, 4] [1, 1, 1] : tensor<2x3x4xf32> to tensor<2x4xf32>
  %26 = linalg.exp ins(%25 : tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %27 = tensor.extract_slice %v[0, 2, 0] [2, 1, 4] [1, 1, 1] : tensor<2x3x4xf32> to tensor<2x4xf32>
  %28 = linalg.mul ins(%26, %27 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %29 = linalg.mul ins(%4, %28 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %30 = linalg.mul ins(%4, %26 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %31 = linalg.add ins(%22, %29 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %32 = linalg.add ins(%24, %30 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %33 = linalg.div ins(%31, %32 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %c0 = arith.constant 0 : i64
  %34 = linalg.generic {indexing_maps = [affine_map<(t) -> (t)>], iterator_types = ["parallel"]} outs(%flags : tensor<3xi1>) {
  ^bb0(%o: i1):
    %i = linalg.index 0 : index
    %n = arith.index_cast %i : index to i64
    %q = arith.cmpi eq, %n, %c0 : i64
    linalg.yield %q : i1
  } -> tensor<3xi1>
  %35 = linalg.generic {indexing_maps = [affine_map<(b, t, c) -> (t)>, affine_map<(b, t, c) -> (b, c)>, affine_map<(b, t, c) -> (b, t, c)>, affine_map<(b, t, c) -> (b, t, c)>], iterator_types = ["parallel", "parallel", "parallel"]} ins(%34, %11, %none : tensor<3xi1>, tensor<2x4xf32>, tensor<2x3x4xf32>) outs(%s : tensor<2x3x4xf32>) {
  ^bb0(%c: i1, %a: f32, %z: f32, %o: f32):
    %x = arith.select %c, %a, %z : f32
    linalg.yield %x : f32
  } -> tensor<2x3x4xf32>
  %c1 = arith.constant 1 : i64
  %36 = linalg.generic {indexing_maps = [affine_map<(t) -> (t)>], iterator_types = ["parallel"]} outs(%flags : tensor<3xi1>) {
  ^bb0(%o: i1):
    %i = linalg.index 0 : index
    %n = arith.index_cast %i : index to i64
    %q = arith.cmpi eq, %n, %c1 : i64
    linalg.yield %q : i1
  } -> tensor<3xi1>
  %37 = linalg.generic {indexing_maps = [affine_map<(b, t, c) -> (t)>, affine_map<(b, t, c) -> (b, c)>, affine_map<(b, t, c) -> (b, t, c)>, affine_map<(b, t, c) -> (b, t, c)>], iterator_types = ["parallel", "parallel", "parallel"]} ins(%36, %20, %35 : tensor<3xi1>, tensor<2x4xf32>, tensor<2x3x4xf32>) outs(%s : tensor<2x3x4xf32>) {
  ^bb0(%c: i1, %a: f32, %z: f32, %o: f32):
    %x = arith.select %c, %a, %z : f32
    linalg.yield %x : f32
  } -> tensor<2x3x4xf32>
  %c2 = arith.constant 2 : i64
  %38 = linalg.generic {indexing_maps = [affine_map<(t) -> (t)>], iterator_types = ["parallel"]} outs(%flags : tensor<3xi1>) {
  ^bb0(%o: i1):
    %i = linalg.index 0 : index
    %n = arith.index_cast %i : index to i64
    %q = arith.cmpi eq, %n, %c2 : i64
    linalg.yield %q : i1
  } -> tensor<3xi1>
  // expected-remark @below {{raised to aft.conv}}
  %y = linalg.generic {indexing_maps = [affine_map<(b, t, c) -> (t)>, affine_map<(b, t, c) -> (b, c)>, affine_map<(b, t, c) -> (b, t, c)>, affine_map<(b, t, c) -> (b, t, c)>], iterator_types = ["parallel", "parallel", "parallel"]} ins(%38, %33, %37 : tensor<3xi1>, tensor<2x4xf32>, tensor<2x3x4xf32>) outs(%s : tensor<2x3x4xf32>) {
  ^bb0(%c: i1, %a: f32, %z: f32, %o: f32):
    %x = arith.select %c, %a, %z : f32
    linalg.yield %x : f32
  } -> tensor<2x3x4xf32>
  return %y : tensor<2x3x4xf32>
}

// -----

// The same with places that are known.
// CHECK-LABEL: func.func @known(
// CHECK: %[[Y:.*]] = aft.conv %arg1, %arg0, %arg1, %{{.*}} causal gate = none
// CHECK: return %[[Y]]
func.func @known(%k: tensor<2x3x4xf32>, %v: tensor<2x3x4xf32>, %w: tensor<4xf32>, %u: tensor<4xf32>) -> tensor<2x3x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x4xf32>
  %s = tensor.empty() : tensor<2x3x4xf32>
  %none = linalg.fill ins(%zero : f32) outs(%s : tensor<2x3x4xf32>) -> tensor<2x3x4xf32>
  %c2 = arith.constant dense<[false, false, true]> : tensor<3xi1>
  %c1 = arith.constant dense<[false, true, false]> : tensor<3xi1>
  %c0 = arith.constant dense<[true, false, false]> : tensor<3xi1>
  %1 = linalg.broadcast ins(%w : tensor<4xf32>) outs(%e : tensor<2x4xf32>) dimensions = [0]
  %2 = linalg.exp ins(%1 : tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %3 = linalg.broadcast ins(%u : tensor<4xf32>) outs(%e : tensor<2x4xf32>) dimensions = [0]
  %4 = linalg.exp ins(%3 : tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %5 = tensor.extract_slice %k[0, 0, 0] [2, 1, 4] [1, 1, 1] : tensor<2x3x4xf32> to tensor<2x4xf32>
  %6 = linalg.exp ins(%5 : tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %7 = tensor.extract_slice %v[0, 0, 0] [2, 1, 4] [1, 1, 1] : tensor<2x3x4xf32> to tensor<2x4xf32>
  %8 = linalg.mul ins(%6, %7 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %9 = linalg.mul ins(%4, %8 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %10 = linalg.mul ins(%4, %6 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %11 = linalg.div ins(%9, %10 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %12 = tensor.extract_slice %k[0, 1, 0] [2, 1, 4] [1, 1, 1] : tensor<2x3x4xf32> to tensor<2x4xf32>
  %13 = linalg.exp ins(%12 : tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %14 = tensor.extract_slice %v[0, 1, 0] [2, 1, 4] [1, 1, 1] : tensor<2x3x4xf32> to tensor<2x4xf32>
  %15 = linalg.mul ins(%13, %14 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %16 = linalg.mul ins(%4, %15 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %17 = linalg.mul ins(%4, %13 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %18 = linalg.add ins(%8, %16 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %19 = linalg.add ins(%6, %17 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %20 = linalg.div ins(%18, %19 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %21 = linalg.mul ins(%2, %8 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %22 = linalg.add ins(%21, %15 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %23 = linalg.mul ins(%2, %6 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %24 = linalg.add ins(%23, %13 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %25 = tensor.extract_slice %k[0, 2, 0] [2, 1, 4] [1, 1, 1] : tensor<2x3x4xf32> to tensor<2x4xf32>
  %26 = linalg.exp ins(%25 : tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %27 = tensor.extract_slice %v[0, 2, 0] [2, 1, 4] [1, 1, 1] : tensor<2x3x4xf32> to tensor<2x4xf32>
  %28 = linalg.mul ins(%26, %27 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %29 = linalg.mul ins(%4, %28 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %30 = linalg.mul ins(%4, %26 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %31 = linalg.add ins(%22, %29 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %32 = linalg.add ins(%24, %30 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %33 = linalg.div ins(%31, %32 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %34 = linalg.generic {indexing_maps = [affine_map<(b, t, c) -> (t)>, affine_map<(b, t, c) -> (b, c)>, affine_map<(b, t, c) -> (b, t, c)>, affine_map<(b, t, c) -> (b, t, c)>], iterator_types = ["parallel", "parallel", "parallel"]} ins(%c0, %11, %none : tensor<3xi1>, tensor<2x4xf32>, tensor<2x3x4xf32>) outs(%s : tensor<2x3x4xf32>) {
  ^bb0(%c: i1, %a: f32, %z: f32, %o: f32):
    %x = arith.select %c, %a, %z : f32
    linalg.yield %x : f32
  } -> tensor<2x3x4xf32>
  %35 = linalg.generic {indexing_maps = [affine_map<(b, t, c) -> (t)>, affine_map<(b, t, c) -> (b, c)>, affine_map<(b, t, c) -> (b, t, c)>, affine_map<(b, t, c) -> (b, t, c)>], iterator_types = ["parallel", "parallel", "parallel"]} ins(%c1, %20, %34 : tensor<3xi1>, tensor<2x4xf32>, tensor<2x3x4xf32>) outs(%s : tensor<2x3x4xf32>) {
  ^bb0(%c: i1, %a: f32, %z: f32, %o: f32):
    %x = arith.select %c, %a, %z : f32
    linalg.yield %x : f32
  } -> tensor<2x3x4xf32>
  // expected-remark @below {{raised to aft.conv}}
  %y = linalg.generic {indexing_maps = [affine_map<(b, t, c) -> (t)>, affine_map<(b, t, c) -> (b, c)>, affine_map<(b, t, c) -> (b, t, c)>, affine_map<(b, t, c) -> (b, t, c)>], iterator_types = ["parallel", "parallel", "parallel"]} ins(%c2, %33, %35 : tensor<3xi1>, tensor<2x4xf32>, tensor<2x3x4xf32>) outs(%s : tensor<2x3x4xf32>) {
  ^bb0(%c: i1, %a: f32, %z: f32, %o: f32):
    %x = arith.select %c, %a, %z : f32
    linalg.yield %x : f32
  } -> tensor<2x3x4xf32>
  return %y : tensor<2x3x4xf32>
}

