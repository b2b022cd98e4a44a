// RUN: aft-opt %s -pass-pipeline='builtin.module(func.func(aft-collapse-loops))' | FileCheck %s

#id = affine_map<(b, t, c) -> (b, t, c)>
#channel = affine_map<(b, t, c) -> (c)>
#row = affine_map<(b, t, c) -> (b, t)>
#swapped = affine_map<(b, t, c) -> (t, b, c)>

// CHECK-DAG: #[[ID:.*]] = affine_map<(d0, d1) -> (d0, d1)>
// CHECK-DAG: #[[C:.*]] = affine_map<(d0, d1) -> (d1)>
// CHECK-DAG: #[[ROW:.*]] = affine_map<(d0, d1) -> (d0)>

// CHECK-LABEL: @bias
// CHECK: %[[X:.*]] = tensor.collapse_shape %{{.*}} {{\[\[}}0, 1], [2]]
// CHECK: linalg.generic {indexing_maps = [#[[ID]], #[[C]], #[[ID]]], iterator_types = ["parallel", "parallel"]} ins(%[[X]]
// CHECK: tensor.expand_shape {{.*}} {{\[\[}}0, 1], [2]] output_shape [%{{.*}}, %{{.*}}, 8]
func.func @bias(%x: tensor<?x?x8xf32>, %b: tensor<8xf32>) -> tensor<?x?x8xf32> {
  %y = linalg.generic {indexing_maps = [#id, #channel, #id], iterator_types = ["parallel", "parallel", "parallel"]} ins(%x, %b : tensor<?x?x8xf32>, tensor<8xf32>) outs(%x : tensor<?x?x8xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %s = arith.addf %l, %r : f32
    linalg.yield %s : f32
  } -> tensor<?x?x8xf32>
  return %y : tensor<?x?x8xf32>
}

// CHECK-LABEL: @row_sum
// CHECK: linalg.generic {indexing_maps = [#[[ID]], #[[ROW]]], iterator_types = ["parallel", "reduction"]}
func.func @row_sum(%x: tensor<?x?x8xf32>, %z: tensor<?x?xf32>) -> tensor<?x?xf32> {
  %y = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x : tensor<?x?x8xf32>) outs(%z : tensor<?x?xf32>) {
  ^bb0(%l: f32, %o: f32):
    %s = arith.addf %l, %o : f32
    linalg.yield %s : f32
  } -> tensor<?x?xf32>
  return %y : tensor<?x?xf32>
}

// Rows that are not adjacent in memory, and a body that needs the position.
// CHECK-LABEL: @must_stay
// CHECK-NOT: tensor.collapse_shape
func.func @must_stay(%x: tensor<2x3x8xf32>, %y: tensor<3x2x8xf32>, %i: tensor<2x3x8xindex>) -> (tensor<2x3x8xf32>, tensor<2x3x8xindex>) {
  %0 = linalg.generic {indexing_maps = [#swapped, #id], iterator_types = ["parallel", "parallel", "parallel"]} ins(%y : tensor<3x2x8xf32>) outs(%x : tensor<2x3x8xf32>) {
  ^bb0(%l: f32, %o: f32):
    linalg.yield %l : f32
  } -> tensor<2x3x8xf32>
  %1 = linalg.generic {indexing_maps = [#id], iterator_types = ["parallel", "parallel", "parallel"]} outs(%i : tensor<2x3x8xindex>) {
  ^bb0(%o: index):
    %t = linalg.index 1 : index
    linalg.yield %t : index
  } -> tensor<2x3x8xindex>
  return %0, %1 : tensor<2x3x8xf32>, tensor<2x3x8xindex>
}
