// RUN: aft-opt %s -split-input-file -pass-pipeline='builtin.module(func.func(aft-vectorize-linalg{vector-bits=512},canonicalize,cse))' | FileCheck %s

// A product of a row with a transposed B streams through four rows of B at once, in two
// chains of vectors. The rows eight further on are asked for, once per line of 64 bytes.

// CHECK-LABEL: @inner_products
// CHECK-SAME: %[[A:.*]]: memref<1x512xf32>, %[[B:.*]]: memref<256x512xf32>
// CHECK: scf.for {{.*}} iter_args
// CHECK-COUNT-2: vector.load %[[A]]
// CHECK: vector.load %[[B]]
// CHECK-COUNT-8: memref.prefetch %[[B]]{{.*}}, read
// CHECK-NOT: memref.prefetch
// CHECK: scf.yield
func.func private @inner_products(%a: memref<1x512xf32>, %b: memref<256x512xf32>, %c: memref<1x256xf32>) attributes {aft.kernel} {
  linalg.matmul_transpose_b ins(%a, %b : memref<1x512xf32>, memref<256x512xf32>) outs(%c : memref<1x256xf32>)
  return
}

// -----

// Of bf16 a line is two vectors.
// CHECK-LABEL: @inner_products_of_bf16
// CHECK-SAME: %[[A:.*]]: memref<1x512xbf16>, %[[B:.*]]: memref<256x512xbf16>
// CHECK: scf.for {{.*}} iter_args
// CHECK-COUNT-4: memref.prefetch %[[B]]{{.*}}, read
// CHECK-NOT: memref.prefetch
// CHECK: scf.yield
func.func private @inner_products_of_bf16(%a: memref<1x512xbf16>, %b: memref<256x512xbf16>, %c: memref<1x256xf32>) attributes {aft.kernel} {
  linalg.matmul_transpose_b ins(%a, %b : memref<1x512xbf16>, memref<256x512xbf16>) outs(%c : memref<1x256xf32>)
  return
}
