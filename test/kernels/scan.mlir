// RUN: aft-opt %s -split-input-file -aft-kernels | FileCheck %s
// RUN: aft-opt %s -split-input-file -aft-kernels -aft-tile -aft-vector | FileCheck %s --check-prefix=VECTOR

#x = affine_map<(b, t, c, s) -> (b, s, c)>
#y = affine_map<(b, t, c, s) -> (b, t, c)>

// A running sum is a kernel of its own, of one walk over the places.
// CHECK-LABEL: func.func private @{{.*}} attributes {aft.kernel, aft.kind = "scan"}
// CHECK: arith.cmpi ule
// CHECK-NOT: linalg.generic
// CHECK: return
// VECTOR-LABEL: func.func private @{{.*}}scan
// VECTOR: %[[T:.*]] = memref.dim %arg0, %c1
// VECTOR: scf.for %[[P:.*]] = %c0 to %{{.*}} step %c1 iter_args(%{{.*}} = %{{.*}}) -> (vector<[[N:[0-9]+]]xf64>) {
// VECTOR-NEXT: %[[X:.*]] = vector.load %{{.*}}[%{{.*}}, %[[P]], %{{.*}}] : {{.*}}, vector<[[N]]xf32>
// VECTOR-NEXT: arith.extf
// VECTOR-NEXT: arith.addf {{.*}} : vector<[[N]]xf64>
// VECTOR-NOT: scf.for
// VECTOR: vector.store
// VECTOR: scf.yield
// VECTOR-NOT: arith.cmpi ule
// VECTOR: return
func.func @running(%x: tensor<?x?x32xf32>) -> tensor<?x?x32xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f32
  %b = tensor.dim %x, %c0 : tensor<?x?x32xf32>
  %t = tensor.dim %x, %c1 : tensor<?x?x32xf32>
  %e = tensor.empty(%b, %t) : tensor<?x?x32xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<?x?x32xf32>) -> tensor<?x?x32xf32>
  %y = linalg.generic {indexing_maps = [#x, #y], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%x : tensor<?x?x32xf32>) outs(%f : tensor<?x?x32xf32>) {
  ^bb0(%a: f32, %o: f32):
    %s = linalg.index 3 : index
    %p = linalg.index 1 : index
    %h = arith.cmpi ule, %s, %p : index
    %m = arith.select %h, %a, %zero : f32
    %r = arith.addf %o, %m : f32
    linalg.yield %r : f32
  } -> tensor<?x?x32xf32>
  return %y : tensor<?x?x32xf32>
}

// -----

#x = affine_map<(b, t, c, s) -> (b, s, c)>
#y = affine_map<(b, t, c, s) -> (b, t, c)>

// What is read at the place of the result as well is no running sum.
// CHECK-LABEL: func.func private @{{.*}} attributes {aft.kernel, aft.kind = "rows"}
func.func @weighted(%x: tensor<2x9x32xf32>, %w: tensor<2x9x32xf32>) -> tensor<2x9x32xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x9x32xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<2x9x32xf32>) -> tensor<2x9x32xf32>
  %y = linalg.generic {indexing_maps = [#x, #y, #y], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%x, %w : tensor<2x9x32xf32>, tensor<2x9x32xf32>) outs(%f : tensor<2x9x32xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = linalg.index 3 : index
    %p = linalg.index 1 : index
    %h = arith.cmpi ule, %s, %p : index
    %n = arith.mulf %a, %b : f32
    %m = arith.select %h, %n, %zero : f32
    %r = arith.addf %o, %m : f32
    linalg.yield %r : f32
  } -> tensor<2x9x32xf32>
  return %y : tensor<2x9x32xf32>
}

// -----

#x = affine_map<(b, t, c, s) -> (b, s, c)>
#y = affine_map<(b, t, c, s) -> (b, t, c)>

// A flipped tensor is read once.
// CHECK-LABEL: func.func private @{{.*}} attributes {aft.kernel, aft.kind = "elementwise"}
// CHECK: linalg.generic {{.*}} iterator_types = ["parallel", "parallel", "parallel"]
// CHECK: %[[P:.*]] = linalg.index 1
// CHECK: arith.subi %{{.*}}, %[[P]]
// CHECK: tensor.extract
func.func @flipped(%x: tensor<2x9x32xf32>) -> tensor<2x9x32xf32> {
  %last = arith.constant 8 : index
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x9x32xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<2x9x32xf32>) -> tensor<2x9x32xf32>
  %y = linalg.generic {indexing_maps = [#x, #y], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%x : tensor<2x9x32xf32>) outs(%f : tensor<2x9x32xf32>) {
  ^bb0(%a: f32, %o: f32):
    %s = linalg.index 3 : index
    %p = linalg.index 1 : index
    %b = arith.addi %s, %p : index
    %h = arith.cmpi eq, %b, %last : index
    %m = arith.select %h, %a, %zero : f32
    %r = arith.addf %o, %m : f32
    linalg.yield %r : f32
  } -> tensor<2x9x32xf32>
  return %y : tensor<2x9x32xf32>
}
