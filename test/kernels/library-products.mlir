// RUN: aft-opt %s -split-input-file -pass-pipeline='builtin.module(func.func(aft-round-products),aft-form-kernels{library-products=true},aft-mark-products)' | FileCheck %s
// RUN: aft-opt %s -split-input-file -pass-pipeline='builtin.module(aft-form-kernels)' | FileCheck %s --check-prefix=FUSED

// A library adds the bias and another tensor; rounding in between may be left out.
// CHECK-LABEL: func.func private @{{.*}}(%{{.*}}: tensor<?x8xbf16>, %{{.*}}: tensor<4x8xbf16>, %{{.*}}: tensor<?x4xbf16>, %{{.*}}: tensor<4xbf16>, %{{.*}}: tensor<?x4xbf16>)
// CHECK-SAME: aft.product = {extents = array<i64: 7, 8, 1, -1>, operands = array<i64: 0, 1, 4, 2, 3>, result_type = bf16, transposed = array<i1: false, true>, type = bf16}
// CHECK: linalg.matmul_transpose_b
// CHECK: linalg.generic
#rows = affine_map<(i, c) -> (i, c)>
#row = affine_map<(i, c) -> (c)>
func.func @sum(%x: tensor<?x8xbf16>, %w: tensor<4x8xbf16>, %r: tensor<?x4xbf16>, %b: tensor<4xbf16>) -> tensor<?x4xbf16> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %n = tensor.dim %x, %c0 : tensor<?x8xbf16>
  %e = tensor.empty(%n) : tensor<?x4xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<?x4xf32>) -> tensor<?x4xf32>
  %p = linalg.matmul_transpose_b ins(%x, %w : tensor<?x8xbf16>, tensor<4x8xbf16>) outs(%z : tensor<?x4xf32>) -> tensor<?x4xf32>
  %o = tensor.empty(%n) : tensor<?x4xbf16>
  %y = linalg.generic {indexing_maps = [#rows, #rows, #row, #rows], iterator_types = ["parallel", "parallel"]} ins(%r, %p, %b : tensor<?x4xbf16>, tensor<?x4xf32>, tensor<4xbf16>) outs(%o : tensor<?x4xbf16>) {
  ^bb0(%rr: bf16, %pp: f32, %bb: bf16, %oo: bf16):
    %p16 = arith.truncf %pp : f32 to bf16
    %s = arith.addf %p16, %bb : bf16
    %t = arith.addf %rr, %s : bf16
    linalg.yield %t : bf16
  } -> tensor<?x4xbf16>
  return %y : tensor<?x4xbf16>
}

// -----

// A library's GELU is the one by tanh. Of that by erf only the product is left to it, in the
// type to which its reader rounds it. On a CPU both are one kernel.
// CHECK-LABEL: func.func private @{{.*}}matmul
// CHECK-SAME: aft.product = {extents = array<i64: 4, 5, 1, -1>, operands = array<i64: 0, 1, 2, -1, -1>, result_type = bf16
// CHECK-LABEL: func.func private @{{.*}}elementwise
// CHECK-NOT: aft.product
// CHECK: ^bb0(%[[X:.*]]: bf16, %{{.*}}: bf16):
// CHECK-NEXT: arith.extf %[[X]]
// CHECK-NEXT: math.erf
// FUSED-LABEL: aft.kind = "matmul"
// FUSED-NOT: aft.product
// FUSED: linalg.matmul
// FUSED: math.erf
// FUSED-LABEL: func.func @gelu
#rows = affine_map<(i, c) -> (i, c)>
func.func @gelu(%x: tensor<5x8xbf16>, %w: tensor<8x4xbf16>) -> tensor<5x4xbf16> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<5x4xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<5x4xf32>) -> tensor<5x4xf32>
  %p = linalg.matmul ins(%x, %w : tensor<5x8xbf16>, tensor<8x4xbf16>) outs(%z : tensor<5x4xf32>) -> tensor<5x4xf32>
  %o = tensor.empty() : tensor<5x4xbf16>
  %y = linalg.generic {indexing_maps = [#rows, #rows], iterator_types = ["parallel", "parallel"]} ins(%p : tensor<5x4xf32>) outs(%o : tensor<5x4xbf16>) {
  ^bb0(%pp: f32, %oo: bf16):
    %p16 = arith.truncf %pp : f32 to bf16
    %p32 = arith.extf %p16 : bf16 to f32
    %g = math.erf %p32 : f32
    %g16 = arith.truncf %g : f32 to bf16
    linalg.yield %g16 : bf16
  } -> tensor<5x4xbf16>
  return %y : tensor<5x4xbf16>
}

// -----

// GELU by tanh of the sum with a bias, however it is written, is the library's, too.
// CHECK-LABEL: func.func private @{{.*}}matmul
// CHECK-SAME: aft.product = {extents = array<i64: 5, 6, 1, -1>, gelu, operands = array<i64: 0, 1, 3, -1, 2>, result_type = bf16
// CHECK: math.tanh
// CHECK-LABEL: func.func @gelu_by_tanh
#rows = affine_map<(i, c) -> (i, c)>
#row = affine_map<(i, c) -> (c)>
func.func @gelu_by_tanh(%x: tensor<5x8xbf16>, %w: tensor<8x4xbf16>, %b: tensor<4xbf16>) -> tensor<5x4xbf16> {
  %zero = arith.constant 0.0 : f32
  %half = arith.constant 0.5 : f32
  %one = arith.constant 1.0 : f32
  %a0 = arith.constant 0.7978845608 : f32
  %a1 = arith.constant 0.0356774081 : f32
  %e = tensor.empty() : tensor<5x4xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<5x4xf32>) -> tensor<5x4xf32>
  %p = linalg.matmul ins(%x, %w : tensor<5x8xbf16>, tensor<8x4xbf16>) outs(%z : tensor<5x4xf32>) -> tensor<5x4xf32>
  %o = tensor.empty() : tensor<5x4xbf16>
  %y = linalg.generic {indexing_maps = [#rows, #row, #rows], iterator_types = ["parallel", "parallel"]} ins(%p, %b : tensor<5x4xf32>, tensor<4xbf16>) outs(%o : tensor<5x4xbf16>) {
  ^bb0(%pp: f32, %bb: bf16, %oo: bf16):
    %b32 = arith.extf %bb : bf16 to f32
    %s = arith.addf %pp, %b32 : f32
    %s2 = arith.mulf %s, %s : f32
    %t = arith.mulf %s2, %a1 : f32
    %u = arith.addf %t, %a0 : f32
    %v = arith.mulf %u, %s : f32
    %w1 = math.tanh %v : f32
    %w2 = arith.addf %w1, %one : f32
    %g = arith.mulf %w2, %s : f32
    %h = arith.mulf %g, %half : f32
    %g16 = arith.truncf %h : f32 to bf16
    linalg.yield %g16 : bf16
  } -> tensor<5x4xbf16>
  return %y : tensor<5x4xbf16>
}

// -----

// Not in f32, where its tanh may be too rough, and not another function of tanh.
// CHECK-LABEL: func.func private @{{.*}}matmul
// CHECK-SAME: aft.product
// CHECK-NOT: gelu
// CHECK-LABEL: func.func private @{{.*}}elementwise
// CHECK: math.tanh
// CHECK-LABEL: func.func private @{{.*}}matmul
// CHECK-NOT: gelu
// CHECK-LABEL: func.func private @{{.*}}elementwise
// CHECK: math.tanh
// CHECK-LABEL: func.func @not_gelu
#rows = affine_map<(i, c) -> (i, c)>
func.func @not_gelu(%x: tensor<5x8xf32>, %w: tensor<8x4xf32>, %x16: tensor<5x8xbf16>, %w16: tensor<8x6xbf16>) -> (tensor<5x4xf32>, tensor<5x6xbf16>) {
  %zero = arith.constant 0.0 : f32
  %half = arith.constant 0.5 : f32
  %one = arith.constant 1.0 : f32
  %a0 = arith.constant 0.7978845608 : f32
  %a1 = arith.constant 0.0356774081 : f32
  %e = tensor.empty() : tensor<5x4xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<5x4xf32>) -> tensor<5x4xf32>
  %p = linalg.matmul ins(%x, %w : tensor<5x8xf32>, tensor<8x4xf32>) outs(%z : tensor<5x4xf32>) -> tensor<5x4xf32>
  %y = linalg.generic {indexing_maps = [#rows, #rows], iterator_types = ["parallel", "parallel"]} ins(%p : tensor<5x4xf32>) outs(%e : tensor<5x4xf32>) {
  ^bb0(%s: f32, %oo: f32):
    %s2 = arith.mulf %s, %s : f32
    %t = arith.mulf %s2, %a1 : f32
    %u = arith.addf %t, %a0 : f32
    %v = arith.mulf %u, %s : f32
    %w1 = math.tanh %v : f32
    %w2 = arith.addf %w1, %one : f32
    %g = arith.mulf %w2, %s : f32
    %h = arith.mulf %g, %half : f32
    linalg.yield %h : f32
  } -> tensor<5x4xf32>
  %e6 = tensor.empty() : tensor<5x6xf32>
  %z6 = linalg.fill ins(%zero : f32) outs(%e6 : tensor<5x6xf32>) -> tensor<5x6xf32>
  %p6 = linalg.matmul ins(%x16, %w16 : tensor<5x8xbf16>, tensor<8x6xbf16>) outs(%z6 : tensor<5x6xf32>) -> tensor<5x6xf32>
  %o6 = tensor.empty() : tensor<5x6xbf16>
  %y6 = linalg.generic {indexing_maps = [#rows, #rows], iterator_types = ["parallel", "parallel"]} ins(%p6 : tensor<5x6xf32>) outs(%o6 : tensor<5x6xbf16>) {
  ^bb0(%s: f32, %oo: bf16):
    %w1 = math.tanh %s : f32
    %w2 = arith.addf %w1, %one : f32
    %g = arith.mulf %w2, %s : f32
    %h = arith.mulf %g, %half : f32
    %h16 = arith.truncf %h : f32 to bf16
    linalg.yield %h16 : bf16
  } -> tensor<5x6xbf16>
  return %y, %y6 : tensor<5x4xf32>, tensor<5x6xbf16>
}

// -----

// Two tensors to add are one too many; what starts from another tensor is a kernel only.
// CHECK-LABEL: func.func private @{{.*}}matmul
// CHECK-SAME: aft.product = {{.*}}result_type = f32
// CHECK-LABEL: func.func private @{{.*}}elementwise
// CHECK: arith.addf
// CHECK-LABEL: func.func private @{{.*}}matmul
// CHECK-NOT: aft.product
// CHECK-LABEL: func.func @others
#rows = affine_map<(i, c) -> (i, c)>
func.func @others(%x: tensor<5x8xf32>, %w: tensor<8x4xf32>, %r: tensor<5x4xf32>, %s: tensor<5x4xf32>) -> (tensor<5x4xf32>, tensor<5x4xf32>) {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<5x4xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<5x4xf32>) -> tensor<5x4xf32>
  %p = linalg.matmul ins(%x, %w : tensor<5x8xf32>, tensor<8x4xf32>) outs(%z : tensor<5x4xf32>) -> tensor<5x4xf32>
  %y = linalg.generic {indexing_maps = [#rows, #rows, #rows, #rows], iterator_types = ["parallel", "parallel"]} ins(%p, %r, %s : tensor<5x4xf32>, tensor<5x4xf32>, tensor<5x4xf32>) outs(%e : tensor<5x4xf32>) {
  ^bb0(%pp: f32, %rr: f32, %ss: f32, %oo: f32):
    %t = arith.addf %pp, %rr : f32
    %u = arith.addf %t, %ss : f32
    linalg.yield %u : f32
  } -> tensor<5x4xf32>
  %q = linalg.matmul ins(%x, %w : tensor<5x8xf32>, tensor<8x4xf32>) outs(%s : tensor<5x4xf32>) -> tensor<5x4xf32>
  return %y, %q : tensor<5x4xf32>, tensor<5x4xf32>
}

// -----

// Sums of columns, which a library gives beside a product over the same rows; not those of
// squares, nor those of rows.
// CHECK: func.func private @{{.*}} attributes {aft.column_sums = {extents = array<i64: 0, 1>, operands = array<i64: 0, 1>, result_type = f32, type = bf16}, aft.kernel, aft.kind = "columns"}
// CHECK: func.func private @{{.*}} attributes {aft.kernel, aft.kind = "columns"}
// CHECK: func.func private @{{.*}} attributes {aft.kernel, aft.kind = "rows"}
// CHECK-LABEL: func.func @sums
#rows = affine_map<(i, c) -> (i, c)>
#row = affine_map<(i, c) -> (c)>
#column = affine_map<(i, c) -> (i)>
func.func @sums(%x: tensor<?x8xbf16>, %y: tensor<?x8xf32>) -> (tensor<8xf32>, tensor<8xf32>, tensor<?xf32>) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %n = tensor.dim %y, %c0 : tensor<?x8xf32>
  %e = tensor.empty() : tensor<8xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<8xf32>) -> tensor<8xf32>
  %s = linalg.generic {indexing_maps = [#rows, #row], iterator_types = ["reduction", "parallel"]} ins(%x : tensor<?x8xbf16>) outs(%z : tensor<8xf32>) {
  ^bb0(%a: bf16, %o: f32):
    %w = arith.extf %a : bf16 to f32
    %t = arith.addf %w, %o : f32
    linalg.yield %t : f32
  } -> tensor<8xf32>
  %q = linalg.generic {indexing_maps = [#rows, #row], iterator_types = ["reduction", "parallel"]} ins(%y : tensor<?x8xf32>) outs(%z : tensor<8xf32>) {
  ^bb0(%a: f32, %o: f32):
    %w = arith.mulf %a, %a : f32
    %t = arith.addf %w, %o : f32
    linalg.yield %t : f32
  } -> tensor<8xf32>
  %er = tensor.empty(%n) : tensor<?xf32>
  %zr = linalg.fill ins(%zero : f32) outs(%er : tensor<?xf32>) -> tensor<?xf32>
  %r = linalg.generic {indexing_maps = [#rows, #column], iterator_types = ["parallel", "reduction"]} ins(%y : tensor<?x8xf32>) outs(%zr : tensor<?xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = arith.addf %a, %o : f32
    linalg.yield %t : f32
  } -> tensor<?xf32>
  return %s, %q, %r : tensor<8xf32>, tensor<8xf32>, tensor<?xf32>
}

// -----

// What all readers of a product begin with is done by the product: here they add a bias and
// round. GELU by erf of it, and what else reads it, are loops of their own, which know of no bias.
// CHECK-LABEL: func.func private @{{.*}}matmul
// CHECK-SAME: aft.product = {extents = array<i64: 5, 6, 1, -1>, operands = array<i64: 0, 1, 3, -1, 2>, result_type = bf16
// CHECK-LABEL: func.func private @kernel_{{[0-9]+}}(%{{[^,]*}}: tensor<5x4xbf16>, %{{[^,]*}}: tensor<5x4xbf16>) {{.*}}"elementwise"
// CHECK: ^bb0(%[[X:.*]]: bf16, %{{.*}}: bf16):
// CHECK-NEXT: arith.extf %[[X]]
// CHECK-NEXT: math.erf
// CHECK-LABEL: func.func private @kernel_{{[0-9]+}}(%{{[^,]*}}: tensor<5x4xbf16>, %{{[^,]*}}: tensor<5xf32>) {{.*}}"rows"
// CHECK-LABEL: func.func @readers_add_a_bias
#rows = affine_map<(i, c) -> (i, c)>
#row = affine_map<(i, c) -> (c)>
#sums = affine_map<(i, c) -> (i)>
func.func @readers_add_a_bias(%x: tensor<5x8xbf16>, %w: tensor<8x4xbf16>, %b: tensor<4xbf16>) -> (tensor<5x4xbf16>, tensor<5xf32>) {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<5x4xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<5x4xf32>) -> tensor<5x4xf32>
  %p = linalg.matmul ins(%x, %w : tensor<5x8xbf16>, tensor<8x4xbf16>) outs(%z : tensor<5x4xf32>) -> tensor<5x4xf32>
  %o = tensor.empty() : tensor<5x4xbf16>
  %y = linalg.generic {indexing_maps = [#rows, #row, #rows], iterator_types = ["parallel", "parallel"]} ins(%p, %b : tensor<5x4xf32>, tensor<4xbf16>) outs(%o : tensor<5x4xbf16>) {
  ^bb0(%pp: f32, %bb: bf16, %oo: bf16):
    %b32 = arith.extf %bb : bf16 to f32
    %s = arith.addf %pp, %b32 : f32
    %s16 = arith.truncf %s : f32 to bf16
    %s32 = arith.extf %s16 : bf16 to f32
    %g = math.erf %s32 : f32
    %g16 = arith.truncf %g : f32 to bf16
    linalg.yield %g16 : bf16
  } -> tensor<5x4xbf16>
  %e1 = tensor.empty() : tensor<5xf32>
  %z1 = linalg.fill ins(%zero : f32) outs(%e1 : tensor<5xf32>) -> tensor<5xf32>
  %n = linalg.generic {indexing_maps = [#row, #rows, #sums], iterator_types = ["parallel", "reduction"]} ins(%b, %p : tensor<4xbf16>, tensor<5x4xf32>) outs(%z1 : tensor<5xf32>) {
  ^bb0(%bb: bf16, %pp: f32, %oo: f32):
    %b32 = arith.extf %bb : bf16 to f32
    %s = arith.addf %b32, %pp : f32
    %s16 = arith.truncf %s : f32 to bf16
    %s32 = arith.extf %s16 : bf16 to f32
    %t = arith.addf %oo, %s32 : f32
    linalg.yield %t : f32
  } -> tensor<5xf32>
  return %y, %n : tensor<5x4xbf16>, tensor<5xf32>
}

// -----

// In f32 nothing is rounded.
// CHECK-LABEL: func.func private @{{.*}}matmul
// CHECK-SAME: aft.product = {extents = array<i64: 5, 6, 1, -1>, operands = array<i64: 0, 1, 3, -1, 2>, result_type = f32
// CHECK-LABEL: func.func private @kernel_{{[0-9]+}}(%{{[^,]*}}: tensor<5x4xf32>, %{{[^,]*}}: tensor<5x4xf32>) {{.*}}"elementwise"
// CHECK-NOT: arith.addf
// CHECK-LABEL: func.func @erf_of_a_sum
#rows = affine_map<(i, c) -> (i, c)>
#row = affine_map<(i, c) -> (c)>
func.func @erf_of_a_sum(%x: tensor<5x8xf32>, %w: tensor<8x4xf32>, %b: tensor<4xf32>) -> tensor<5x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<5x4xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<5x4xf32>) -> tensor<5x4xf32>
  %p = linalg.matmul ins(%x, %w : tensor<5x8xf32>, tensor<8x4xf32>) outs(%z : tensor<5x4xf32>) -> tensor<5x4xf32>
  %y = linalg.generic {indexing_maps = [#rows, #row, #rows], iterator_types = ["parallel", "parallel"]} ins(%p, %b : tensor<5x4xf32>, tensor<4xf32>) outs(%e : tensor<5x4xf32>) {
  ^bb0(%pp: f32, %bb: f32, %oo: f32):
    %s = arith.addf %pp, %bb : f32
    %g = math.erf %s : f32
    linalg.yield %g : f32
  } -> tensor<5x4xf32>
  return %y : tensor<5x4xf32>
}

// -----

// A bias that not all readers add, one per row, and one of another type than the sum stay with
// the readers.
// CHECK-LABEL: func.func private @{{.*}}matmul
// CHECK-SAME: aft.product = {extents = array<i64: 4, 5, 1, -1>, operands = array<i64: 0, 1, 2, -1, -1>, result_type = f32
// CHECK: func.func private @{{.*}}matmul
// CHECK-SAME: aft.product = {extents = array<i64: 4, 5, 1, -1>, operands = array<i64: 0, 1, 2, -1, -1>, result_type = f32
// CHECK-LABEL: func.func @biases_of_readers
#rows = affine_map<(i, c) -> (i, c)>
#row = affine_map<(i, c) -> (c)>
#column = affine_map<(i, c) -> (i)>
func.func @biases_of_readers(%x: tensor<4x8xf32>, %w: tensor<8x4xf32>, %b: tensor<4xf32>, %b16: tensor<4xbf16>, %x16: tensor<4x8xbf16>, %w16: tensor<8x4xbf16>) -> (tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>) {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4x4xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<4x4xf32>) -> tensor<4x4xf32>
  %p = linalg.matmul ins(%x, %w : tensor<4x8xf32>, tensor<8x4xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
  %y1 = linalg.generic {indexing_maps = [#rows, #row, #rows], iterator_types = ["parallel", "parallel"]} ins(%p, %b : tensor<4x4xf32>, tensor<4xf32>) outs(%e : tensor<4x4xf32>) {
  ^bb0(%pp: f32, %bb: f32, %oo: f32):
    %s = arith.addf %pp, %bb : f32
    %g = math.erf %s : f32
    linalg.yield %g : f32
  } -> tensor<4x4xf32>
  %y2 = linalg.generic {indexing_maps = [#rows, #column, #rows], iterator_types = ["parallel", "parallel"]} ins(%p, %b : tensor<4x4xf32>, tensor<4xf32>) outs(%e : tensor<4x4xf32>) {
  ^bb0(%pp: f32, %bb: f32, %oo: f32):
    %s = arith.addf %pp, %bb : f32
    %g = math.erf %s : f32
    linalg.yield %g : f32
  } -> tensor<4x4xf32>
  %p3 = linalg.matmul ins(%x16, %w16 : tensor<4x8xbf16>, tensor<8x4xbf16>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
  %y3 = linalg.generic {indexing_maps = [#rows, #row, #rows], iterator_types = ["parallel", "parallel"]} ins(%p3, %b16 : tensor<4x4xf32>, tensor<4xbf16>) outs(%e : tensor<4x4xf32>) {
  ^bb0(%pp: f32, %bb: bf16, %oo: f32):
    %b32 = arith.extf %bb : bf16 to f32
    %s = arith.addf %pp, %b32 : f32
    %g = math.erf %s : f32
    linalg.yield %g : f32
  } -> tensor<4x4xf32>
  return %y1, %y2, %y3 : tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>
}
