// RUN: aft-opt %s -split-input-file -verify-diagnostics -aft-bufferize-kernels -cse -canonicalize | FileCheck %s

// The tile is computed in the destination, without a copy; the temporary is stack memory
// as large as a tile can be.
// CHECK-LABEL: func.func private @k(
// CHECK-SAME: %{{.*}}: memref<?x64xf32>, %[[Y:[a-z0-9]+]]: memref<?x64xf32>) attributes {aft.kernel}
// CHECK: memref.alloca() {alignment = 64 : i64} : memref<256x64xf32>
// CHECK: scf.forall
// CHECK: %[[TILE:.*]] = memref.subview %[[Y]]
// CHECK: linalg.generic
// CHECK: linalg.generic {{.*}} outs(%[[TILE]]
// CHECK-NOT: memref.copy
// CHECK-NOT: memref.alloc(
// CHECK: return
// CHECK-NEXT: }
func.func private @k(%x: tensor<?x64xf32>, %y: tensor<?x64xf32>) -> tensor<?x64xf32> attributes {aft.kernel} {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x64xf32>
  %r = scf.forall (%i) = (0) to (%n) step (256) shared_outs(%o = %y) -> (tensor<?x64xf32>) {
    %m = affine.min affine_map<(d0)[s0] -> (-d0 + s0, 256)>(%i)[%n]
    %a = tensor.extract_slice %x[%i, 0] [%m, 64] [1, 1] : tensor<?x64xf32> to tensor<?x64xf32>
    %b = tensor.extract_slice %o[%i, 0] [%m, 64] [1, 1] : tensor<?x64xf32> to tensor<?x64xf32>
    %e = tensor.empty(%m) : tensor<?x64xf32>
    %s = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]} ins(%a : tensor<?x64xf32>) outs(%e : tensor<?x64xf32>) {
    ^bb0(%l: f32, %z: f32):
      %v = math.exp %l : f32
      linalg.yield %v : f32
    } -> tensor<?x64xf32>
    %t = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]} ins(%s, %a : tensor<?x64xf32>, tensor<?x64xf32>) outs(%b : tensor<?x64xf32>) {
    ^bb0(%l: f32, %q: f32, %z: f32):
      %v = arith.mulf %l, %q : f32
      linalg.yield %v : f32
    } -> tensor<?x64xf32>
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %t into %o[%i, 0] [%m, 64] [1, 1] : tensor<?x64xf32> into tensor<?x64xf32>
    }
  }
  return %r : tensor<?x64xf32>
}

// -----

// A function that is no kernel stays on tensors.
// CHECK-LABEL: func.func @program(%{{.*}}: tensor<4xf32>) -> tensor<4xf32>
func.func @program(%x: tensor<4xf32>) -> tensor<4xf32> {
  %y = arith.negf %x : tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

func.func private @k(%x: tensor<?x64xf32>, %y: tensor<64xf32>) -> tensor<64xf32> attributes {aft.kernel} {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x64xf32>
  // expected-error @below {{a temporary of type 'memref<?x64xf32>' has no static bound in dimension 0}}
  %e = tensor.empty(%n) : tensor<?x64xf32>
  %s = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<?x64xf32>) outs(%e : tensor<?x64xf32>) {
  ^bb0(%l: f32, %z: f32):
    %v = math.exp %l : f32
    linalg.yield %v : f32
  } -> tensor<?x64xf32>
  %t = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>], iterator_types = ["reduction", "parallel"]} ins(%s : tensor<?x64xf32>) outs(%y : tensor<64xf32>) {
  ^bb0(%l: f32, %z: f32):
    %v = arith.addf %l, %z : f32
    linalg.yield %v : f32
  } -> tensor<64xf32>
  return %t : tensor<64xf32>
}

// -----

func.func private @k(%x: tensor<2x4x8xf32>, %y: tensor<2x4x8xf32>) -> tensor<2x4x8xf32> attributes {aft.kernel} {
  // expected-error @below {{failed to bufferize op}}
  // expected-error @below {{needs a destination for each of its results before bufferisation}}
  %z = aft.simple %x, %x, %x : (tensor<2x4x8xf32>, tensor<2x4x8xf32>, tensor<2x4x8xf32>) -> tensor<2x4x8xf32>
  return %z : tensor<2x4x8xf32>
}
