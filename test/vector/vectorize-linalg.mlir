// RUN: aft-opt %s -split-input-file -verify-diagnostics -pass-pipeline='builtin.module(func.func(aft-vectorize-linalg{vector-bits=256},canonicalize,cse))' | FileCheck %s
// RUN: aft-opt %s -split-input-file -verify-diagnostics -pass-pipeline='builtin.module(func.func(aft-vectorize-linalg{vector-bits=256 pair-dots=expanded},canonicalize,cse))' | FileCheck %s --check-prefix=PAIRS

// Elementwise: eight f32 in 256 bits; what does not fill a vector is not dropped.
// CHECK-LABEL: @elementwise
// CHECK: vector.load {{.*}} vector<8xf32>
// CHECK: arith.addf {{.*}} : vector<8xf32>
// CHECK: vector.store {{.*}} vector<8xf32>
// CHECK-NOT: linalg.
// CHECK: return
func.func private @elementwise(%x: memref<?x20xf32>, %b: memref<20xf32>, %y: memref<?x20xf32>) attributes {aft.kernel} {
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]} ins(%x, %b : memref<?x20xf32>, memref<20xf32>) outs(%y : memref<?x20xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %s = arith.addf %l, %r : f32
    linalg.yield %s : f32
  }
  return
}

// A matrix product accumulates in registers.
// CHECK-LABEL: @matmul
// CHECK: scf.for {{.*}} iter_args({{.*}} -> (vector<
// CHECK: {{math|vector}}.fma
// CHECK-NOT: linalg.
// CHECK: return
func.func private @matmul(%x: memref<64x64xf32>, %w: memref<64x64xf32>, %y: memref<64x64xf32>) attributes {aft.kernel} {
  linalg.matmul ins(%x, %w : memref<64x64xf32>, memref<64x64xf32>) outs(%y : memref<64x64xf32>)
  return
}

// Zeros that a product is added to are not stored before it.
// CHECK-LABEL: @product_of_zeros
// CHECK-NOT: load %arg2
// CHECK: math.fma
// CHECK-NOT: load %arg2
// CHECK: return
func.func private @product_of_zeros(%x: memref<64x64xf32>, %w: memref<64x64xf32>, %y: memref<64x64xf32>) attributes {aft.kernel} {
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%y : memref<64x64xf32>)
  linalg.matmul ins(%x, %w : memref<64x64xf32>, memref<64x64xf32>) outs(%y : memref<64x64xf32>)
  return
}

// bf16 are multiplied as f32, or in pairs from operands packed unchanged.
// CHECK-LABEL: @product_of_bf16
// CHECK: arith.extf {{.*}} : vector<8xbf16> to vector<8xf32>
// CHECK: return
// PAIRS-LABEL: @product_of_bf16
// PAIRS-NOT: arith.extf
// PAIRS: arith.andi {{.*}} : vector<8xi32>
// PAIRS: math.fma
// PAIRS: arith.shli {{.*}} : vector<8xi32>
// PAIRS: math.fma
// PAIRS-NOT: arith.extf
// PAIRS: return
func.func private @product_of_bf16(%x: memref<64x64xbf16>, %w: memref<64x64xbf16>, %y: memref<64x64xf32>) attributes {aft.kernel} {
  linalg.matmul ins(%x, %w : memref<64x64xbf16>, memref<64x64xbf16>) outs(%y : memref<64x64xf32>)
  return
}

// Some rows times a transposed B: B is read where it is, one number at a time, while
// the next strip of it is asked for; A is packed; the result is turned at the end.
// CHECK-LABEL: @some_rows
// CHECK: vector.shuffle
// CHECK: scf.for {{.*}} iter_args
// CHECK: memref.prefetch %arg1
// CHECK: memref.load %arg1
// CHECK: math.fma
// CHECK: vector.shuffle
// CHECK: vector.store {{.*}}, %arg2
// CHECK: return
func.func private @some_rows(%x: memref<32x64xf32>, %w: memref<60x64xf32>, %y: memref<32x60xf32>) attributes {aft.kernel} {
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%y : memref<32x60xf32>)
  linalg.matmul_transpose_b ins(%x, %w : memref<32x64xf32>, memref<60x64xf32>) outs(%y : memref<32x60xf32>)
  return
}

// Many rows: both are packed, B in squares that are transposed, while the columns of its next
// panel are asked for; nothing of B is while it is multiplied.
// CHECK-LABEL: @many_rows
// CHECK: memref.prefetch %arg1
// CHECK: vector.load %arg1
// CHECK: vector.shuffle
// CHECK: math.fma
// CHECK-NOT: memref.prefetch %arg1
// CHECK: return
func.func private @many_rows(%x: memref<65x64xf32>, %w: memref<64x64xf32>, %y: memref<65x64xf32>) attributes {aft.kernel} {
  linalg.matmul_transpose_b ins(%x, %w : memref<65x64xf32>, memref<64x64xf32>) outs(%y : memref<65x64xf32>)
  return
}

// Copies are vectorised too.
// CHECK-LABEL: @copy
// CHECK: vector.store
// CHECK-NOT: memref.copy
// CHECK: return
func.func private @copy(%x: memref<64xf32>, %y: memref<64xf32>) attributes {aft.kernel} {
  memref.copy %x, %y : memref<64xf32> to memref<64xf32>
  return
}

// A function that is no kernel keeps its operations.
// CHECK-LABEL: @program
// CHECK: linalg.fill
func.func @program(%x: memref<64xf32>) {
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%x : memref<64xf32>)
  return
}

// -----

func.func private @tensors(%x: tensor<64xf32>) -> tensor<64xf32> attributes {aft.kernel} {
  %zero = arith.constant 0.0 : f32
  // expected-error @below {{must be on memrefs before it is vectorised}}
  %y = linalg.fill ins(%zero : f32) outs(%x : tensor<64xf32>) -> tensor<64xf32>
  return %y : tensor<64xf32>
}

// -----

// A number that all lanes share costs none, however wide it is.
#map = affine_map<(d0) -> (d0)>
#none = affine_map<(d0) -> ()>
// CHECK-LABEL: @wide_number
// CHECK: arith.truncf {{.*}} : f64 to f32
// CHECK: arith.mulf {{.*}} : vector<8xf32>
func.func private @wide_number(%x: memref<64xf32>, %s: memref<f64>, %y: memref<64xf32>) attributes {aft.kernel} {
  linalg.generic {indexing_maps = [#map, #none, #map], iterator_types = ["parallel"]} ins(%x, %s : memref<64xf32>, memref<f64>) outs(%y : memref<64xf32>) {
  ^bb0(%in: f32, %wide: f64, %out: f32):
    %0 = arith.truncf %wide : f64 to f32
    %1 = arith.mulf %in, %0 : f32
    linalg.yield %1 : f32
  }
  return
}

// -----

// One that differs does.
#map = affine_map<(d0) -> (d0)>
// CHECK-LABEL: @wide_numbers
// CHECK: arith.truncf {{.*}} : vector<4xf64> to vector<4xf32>
func.func private @wide_numbers(%x: memref<64xf64>, %y: memref<64xf32>) attributes {aft.kernel} {
  linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%x : memref<64xf64>) outs(%y : memref<64xf32>) {
  ^bb0(%wide: f64, %out: f32):
    %0 = arith.truncf %wide : f64 to f32
    linalg.yield %0 : f32
  }
  return
}

// -----

// A place in a tile, and rows that another tensor may not have, are the same in all lanes. The
// row that stands for those that are missing is read only if there is one: an empty tensor may
// have no memory.
// CHECK-LABEL: @rows_of_another
// CHECK: %[[ROW:.*]] = arith.select
// CHECK: %[[COUNT:.*]] = memref.dim %arg0
// CHECK: %[[SOME:.*]] = arith.cmpi sgt, %[[COUNT]], %c0
// CHECK: scf.if %[[SOME]] -> (vector<8xf32>)
// CHECK-NEXT: vector.load %arg0[%[[ROW]], %{{.*}}] : memref<?x256xf32>, vector<8xf32>
// CHECK: else
// CHECK-NEXT: scf.yield
// CHECK: arith.select {{.*}} vector<8xf32>
// CHECK: vector.store
// CHECK-NOT: linalg.
// CHECK: return
func.func private @rows_of_another(%g: memref<?x256xf32>, %x: memref<64x256xf32>, %n: index, %at: index) attributes {aft.kernel} {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]} outs(%x : memref<64x256xf32>) {
  ^bb0(%o: f32):
    %i = linalg.index 0 : index
    %row = affine.apply affine_map<(i, a) -> (i + a)>(%i, %at)
    %j = linalg.index 1 : index
    %in = arith.cmpi slt, %row, %n : index
    %safe = arith.select %in, %row, %c0 : index
    %l = memref.load %g[%safe, %j] : memref<?x256xf32>
    %s = arith.select %in, %l, %zero : f32
    %r = arith.addf %s, %o : f32
    linalg.yield %r : f32
  }
  return
}

// -----

// What has rows is read without a question.
// CHECK-LABEL: @rows_that_exist
// CHECK-NOT: scf.if
// CHECK: vector.load %arg0
// CHECK: return
func.func private @rows_that_exist(%g: memref<8x256xf32>, %x: memref<64x256xf32>, %n: index) attributes {aft.kernel} {
  %c0 = arith.constant 0 : index
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]} outs(%x : memref<64x256xf32>) {
  ^bb0(%o: f32):
    %i = linalg.index 0 : index
    %j = linalg.index 1 : index
    %in = arith.cmpi slt, %i, %n : index
    %safe = arith.select %in, %i, %c0 : index
    %l = memref.load %g[%safe, %j] : memref<8x256xf32>
    %r = arith.addf %l, %o : f32
    linalg.yield %r : f32
  }
  return
}
