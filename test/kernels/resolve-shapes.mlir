// RUN: aft-opt %s -pass-pipeline='builtin.module(func.func(aft-resolve-shapes,cse))' -split-input-file -verify-diagnostics | FileCheck %s

// Extents come from arguments, and equal ones are one value.
// CHECK-LABEL: @mixer(
// CHECK-SAME: %[[Q:.*]]: tensor<?x?x8xf32> {aft.name = "q"}, %[[K:.*]]: tensor<?x?x8xf32>
// CHECK-DAG: %[[B:.*]] = tensor.dim %[[Q]], %c0
// CHECK-DAG: %[[T:.*]] = tensor.dim %[[Q]], %c1
// CHECK-DAG: %[[S:.*]] = tensor.dim %[[K]], %c1
// CHECK: %[[INIT:.*]] = tensor.empty(%[[B]], %[[T]]) : tensor<?x?x8xf32>
// CHECK: aft.full {{.*}} causal outs(%[[INIT]])
// CHECK: cf.assert %{{.*}}, "dimension 0 of argument 0 ('q') must equal dimension 0 of argument 1 (required by aft.full)"
// CHECK: arith.cmpi eq, %[[T]],
// CHECK: cf.assert %{{.*}}, "dimension 1 of argument 0 ('q') must equal dimension 0 of argument 2 (required by aft.full)"
// CHECK: arith.cmpi sle, %[[T]], %[[S]]
// CHECK: cf.assert %{{.*}}, "dimension 1 of argument 0 ('q') must not be larger than dimension 1 of argument 1 (required by aft.full)"
func.func @mixer(%q: tensor<?x?x8xf32> {aft.name = "q"}, %k: tensor<?x?x8xf32>, %w: tensor<?x?xf32>) -> tensor<?x?x8xf32> {
  %y = aft.full %q, %k, %k, %w causal : (tensor<?x?x8xf32>, tensor<?x?x8xf32>, tensor<?x?x8xf32>, tensor<?x?xf32>) -> tensor<?x?x8xf32>
  return %y : tensor<?x?x8xf32>
}

// -----

// tensor.dim of an expand_shape with two dynamic extents.
// CHECK-LABEL: @expanded(
// CHECK-SAME: %[[X:.*]]: tensor<?x?x8xf32>
// CHECK: %[[T:.*]] = tensor.dim %[[X]], %c1
// CHECK: return %{{.*}}, %[[T]]
// CHECK-NOT: cf.assert
func.func @expanded(%x: tensor<?x?x8xf32>) -> (tensor<?x?x8xf32>, index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %b = tensor.dim %x, %c0 : tensor<?x?x8xf32>
  %t = tensor.dim %x, %c1 : tensor<?x?x8xf32>
  %flat = tensor.collapse_shape %x [[0, 1], [2]] : tensor<?x?x8xf32> into tensor<?x8xf32>
  %e = tensor.expand_shape %flat [[0, 1], [2]] output_shape [%b, %t, 8] : tensor<?x8xf32> into tensor<?x?x8xf32>
  %again = tensor.dim %e, %c1 : tensor<?x?x8xf32>
  return %e, %again : tensor<?x?x8xf32>, index
}

// -----

// A dynamic extent that must be 4.
// CHECK-LABEL: @constant
// CHECK: cf.assert %{{.*}}, "4 must equal dimension 0 of argument 0 (required by arith.addf)"
func.func @constant(%x: tensor<?xf32>, %y: tensor<4xf32>) -> tensor<?xf32> {
  %c = tensor.cast %y : tensor<4xf32> to tensor<?xf32>
  %s = arith.addf %c, %x : tensor<?xf32>
  return %s : tensor<?xf32>
}

// -----

func.func @contradiction(%x: tensor<?xf32>, %y: tensor<3xf32>, %z: tensor<4xf32>) -> tensor<?xf32> {
  %a = tensor.cast %y : tensor<3xf32> to tensor<?xf32>
  %b = tensor.cast %z : tensor<4xf32> to tensor<?xf32>
  // expected-error @below {{needs equal extents, found 3 and 4}}
  %s = arith.addf %a, %b : tensor<?xf32>
  return %s : tensor<?xf32>
}

// -----

// A part lies within its tensor, whatever the extents are; what shows from the types or
// from the expression is not checked again.
// CHECK-LABEL: @parts(
// CHECK: cf.assert %{{.*}}, "5 must not be larger than dimension 0 of argument 0 ('x') (required by tensor.extract_slice)"
// CHECK-NOT: cf.assert
// CHECK: return
func.func @parts(%x: tensor<?x4xf32> {aft.name = "x"}) -> (tensor<3x4xf32>, tensor<?x4xf32>) {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %n = tensor.dim %x, %c0 : tensor<?x4xf32>
  %s = tensor.extract_slice %x[2, 0] [3, 4] [1, 1] : tensor<?x4xf32> to tensor<3x4xf32>
  %whole = tensor.extract_slice %x[0, 0] [%n, 4] [1, 1] : tensor<?x4xf32> to tensor<?x4xf32>
  return %s, %whole : tensor<3x4xf32>, tensor<?x4xf32>
}

// -----

// Extents that are differences must not be negative.
// CHECK-LABEL: @rest(
// CHECK: cf.assert %{{.*}}, "2 must not be larger than dimension 0 of argument 0 ('x') (required by tensor.extract_slice)"
// CHECK-NOT: cf.assert
// CHECK: return
func.func @rest(%x: tensor<?x4xf32> {aft.name = "x"}) -> tensor<?x4xf32> {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %n = tensor.dim %x, %c0 : tensor<?x4xf32>
  %m = arith.subi %n, %c2 : index
  %s = tensor.extract_slice %x[2, 0] [%m, 4] [1, 1] : tensor<?x4xf32> to tensor<?x4xf32>
  return %s : tensor<?x4xf32>
}

// -----

// What is written lies within the destination, too.
// CHECK-LABEL: @insert(
// CHECK: cf.assert %{{.*}}, "dimension 0 of argument 1 ('part') must equal 3 (required by tensor.cast)"
// CHECK: cf.assert %{{.*}}, "4 must not be larger than dimension 0 of argument 0 ('x') (required by tensor.insert_slice)"
func.func @insert(%x: tensor<?x4xf32> {aft.name = "x"}, %part: tensor<?x4xf32> {aft.name = "part"}) -> tensor<?x4xf32> {
  %p = tensor.cast %part : tensor<?x4xf32> to tensor<3x4xf32>
  %y = tensor.insert_slice %p into %x[1, 0] [3, 4] [1, 1] : tensor<3x4xf32> into tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// -----

// A scalar has one element.
// CHECK-LABEL: @scalar(
// CHECK: cf.assert %{{.*}}, "dimension 0 of argument 0 must equal 1 (required by tensor.collapse_shape)"
func.func @scalar(%x: tensor<?x1xf32>) -> tensor<f32> {
  %y = tensor.collapse_shape %x [] : tensor<?x1xf32> into tensor<f32>
  return %y : tensor<f32>
}

// -----

// What is computed from arguments is told by them.
// CHECK-LABEL: @rows(
// CHECK: cf.assert %{{.*}}, "dimension 0 of argument 0 ('x') times dimension 1 of argument 0 ('x') must equal dimension 0 of argument 1 ('y') (required by arith.addf)"
func.func @rows(%x: tensor<?x?xf32> {aft.name = "x"}, %y: tensor<?xf32> {aft.name = "y"}) -> tensor<?xf32> {
  %flat = tensor.collapse_shape %x [[0, 1]] : tensor<?x?xf32> into tensor<?xf32>
  %sum = arith.addf %flat, %y : tensor<?xf32>
  return %sum : tensor<?xf32>
}
