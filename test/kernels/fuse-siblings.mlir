// RUN: aft-opt %s -split-input-file -pass-pipeline='builtin.module(func.func(aft-fuse-siblings,cse))' | FileCheck %s

// An activation of what follows a product, whose argument is kept too.
#id = affine_map<(i, j) -> (i, j)>
#col = affine_map<(i, j) -> (j)>
// CHECK-LABEL: @activation
// CHECK: %[[P:.*]] = linalg.matmul
// CHECK: %[[B:.*]]:2 = linalg.generic {{.*}} ins(%[[P]], %{{.*}} : {{.*}})
// CHECK: %[[X:.*]] = arith.addf
// CHECK: %[[Y:.*]] = math.tanh %[[X]]
// CHECK: linalg.yield %[[X]], %[[Y]]
// CHECK-NOT: linalg.generic
// CHECK: return %[[B]]#0, %[[B]]#1
func.func @activation(%a: tensor<8x8xf32>, %w: tensor<8x8xf32>, %b: tensor<8xf32>, %c: tensor<8x8xf32>) -> (tensor<8x8xf32>, tensor<8x8xf32>) {
  %p = linalg.matmul ins(%a, %w : tensor<8x8xf32>, tensor<8x8xf32>) outs(%c : tensor<8x8xf32>) -> tensor<8x8xf32>
  %e = tensor.empty() : tensor<8x8xf32>
  %x = linalg.generic {indexing_maps = [#id, #col, #id], iterator_types = ["parallel", "parallel"]} ins(%p, %b : tensor<8x8xf32>, tensor<8xf32>) outs(%e : tensor<8x8xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %0 = arith.addf %l, %r : f32
    linalg.yield %0 : f32
  } -> tensor<8x8xf32>
  %f = tensor.empty() : tensor<8x8xf32>
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<8x8xf32>) outs(%f : tensor<8x8xf32>) {
  ^bb0(%l: f32, %o: f32):
    %0 = math.tanh %l : f32
    linalg.yield %0 : f32
  } -> tensor<8x8xf32>
  return %x, %y : tensor<8x8xf32>, tensor<8x8xf32>
}

// -----

// An activation beside its derivative, which is moved with its product in front of what
// uses the activation. The function that both need is there once.
#id = affine_map<(i, j) -> (i, j)>
// CHECK-LABEL: @derivative
// CHECK: %[[P:.*]] = linalg.matmul ins(%arg0, %arg1
// CHECK: %[[B:.*]]:2 = linalg.generic {{.*}} ins(%[[P]], %arg2 :
// CHECK: math.tanh
// CHECK-NOT: math.tanh
// CHECK: linalg.yield
// CHECK: linalg.matmul ins(%arg0, %[[B]]#1
// CHECK-NOT: linalg.generic
func.func @derivative(%d: tensor<8x8xf32>, %w: tensor<8x8xf32>, %x: tensor<8x8xf32>, %c: tensor<8x8xf32>) -> (tensor<8x8xf32>, tensor<8x8xf32>) {
  %e = tensor.empty() : tensor<8x8xf32>
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<8x8xf32>) outs(%e : tensor<8x8xf32>) {
  ^bb0(%l: f32, %o: f32):
    %0 = math.tanh %l : f32
    linalg.yield %0 : f32
  } -> tensor<8x8xf32>
  %g = linalg.matmul ins(%d, %y : tensor<8x8xf32>, tensor<8x8xf32>) outs(%c : tensor<8x8xf32>) -> tensor<8x8xf32>
  %p = linalg.matmul ins(%d, %w : tensor<8x8xf32>, tensor<8x8xf32>) outs(%c : tensor<8x8xf32>) -> tensor<8x8xf32>
  %f = tensor.empty() : tensor<8x8xf32>
  %dx = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%p, %x : tensor<8x8xf32>, tensor<8x8xf32>) outs(%f : tensor<8x8xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %0 = math.tanh %r : f32
    %1 = arith.mulf %0, %l : f32
    linalg.yield %1 : f32
  } -> tensor<8x8xf32>
  return %g, %dx : tensor<8x8xf32>, tensor<8x8xf32>
}

// -----

// The product needs the activation: neither can come first.
#id = affine_map<(i, j) -> (i, j)>
// CHECK-LABEL: @depends
// CHECK-COUNT-2: linalg.generic
func.func @depends(%w: tensor<8x8xf32>, %x: tensor<8x8xf32>, %c: tensor<8x8xf32>) -> tensor<8x8xf32> {
  %e = tensor.empty() : tensor<8x8xf32>
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<8x8xf32>) outs(%e : tensor<8x8xf32>) {
  ^bb0(%l: f32, %o: f32):
    %0 = math.tanh %l : f32
    linalg.yield %0 : f32
  } -> tensor<8x8xf32>
  %p = linalg.matmul ins(%y, %w : tensor<8x8xf32>, tensor<8x8xf32>) outs(%c : tensor<8x8xf32>) -> tensor<8x8xf32>
  %f = tensor.empty() : tensor<8x8xf32>
  %z = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%p, %x : tensor<8x8xf32>, tensor<8x8xf32>) outs(%f : tensor<8x8xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %0 = arith.mulf %r, %l : f32
    linalg.yield %0 : f32
  } -> tensor<8x8xf32>
  return %z : tensor<8x8xf32>
}

// -----

// Cheap work is no reason, nor is an activation of something else.
#id = affine_map<(i, j) -> (i, j)>
// CHECK-LABEL: @neither
// CHECK-COUNT-3: linalg.generic
func.func @neither(%a: tensor<8x8xf32>, %w: tensor<8x8xf32>, %x: tensor<8x8xf32>, %c: tensor<8x8xf32>) -> (tensor<8x8xf32>, tensor<8x8xf32>, tensor<8x8xf32>) {
  %p = linalg.matmul ins(%a, %w : tensor<8x8xf32>, tensor<8x8xf32>) outs(%c : tensor<8x8xf32>) -> tensor<8x8xf32>
  %e = tensor.empty() : tensor<8x8xf32>
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%p : tensor<8x8xf32>) outs(%e : tensor<8x8xf32>) {
  ^bb0(%l: f32, %o: f32):
    %0 = arith.negf %l : f32
    linalg.yield %0 : f32
  } -> tensor<8x8xf32>
  %f = tensor.empty() : tensor<8x8xf32>
  %z = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%y : tensor<8x8xf32>) outs(%f : tensor<8x8xf32>) {
  ^bb0(%l: f32, %o: f32):
    %0 = arith.addf %l, %l : f32
    linalg.yield %0 : f32
  } -> tensor<8x8xf32>
  %g = tensor.empty() : tensor<8x8xf32>
  %u = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%y, %x : tensor<8x8xf32>, tensor<8x8xf32>) outs(%g : tensor<8x8xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %0 = math.tanh %r : f32
    %1 = arith.mulf %0, %l : f32
    linalg.yield %1 : f32
  } -> tensor<8x8xf32>
  return %y, %z, %u : tensor<8x8xf32>, tensor<8x8xf32>, tensor<8x8xf32>
}
