// RUN: aft-opt %s -split-input-file -aft-raise-mixers=remarks | FileCheck %s

// Shapes, types and places that nobody expects: left as they are, or still right.

// CHECK-LABEL: func.func @scalars(
// CHECK-NOT: aft.
func.func @scalars(%a: tensor<f32>, %b: tensor<f32>) -> tensor<f32> {
  %x = linalg.exp ins(%a : tensor<f32>) outs(%a : tensor<f32>) -> tensor<f32>
  %y = linalg.div ins(%b, %x : tensor<f32>, tensor<f32>) outs(%a : tensor<f32>) -> tensor<f32>
  return %y : tensor<f32>
}

// -----

// CHECK-LABEL: func.func @pooled(
// CHECK-NOT: aft.
func.func @pooled(%k: tensor<5xf32>, %v: tensor<5xf32>) -> tensor<f32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<f32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<f32>) -> tensor<f32>
  %x = linalg.exp ins(%k : tensor<5xf32>) outs(%k : tensor<5xf32>) -> tensor<5xf32>
  %n = linalg.dot ins(%x, %v : tensor<5xf32>, tensor<5xf32>) outs(%init : tensor<f32>) -> tensor<f32>
  %z = linalg.reduce ins(%x : tensor<5xf32>) outs(%init : tensor<f32>) dimensions = [0]
    (%a: f32, %o: f32) {
      %s = arith.addf %a, %o : f32
      linalg.yield %s : f32
    }
  %y = linalg.div ins(%n, %z : tensor<f32>, tensor<f32>) outs(%e : tensor<f32>) -> tensor<f32>
  return %y : tensor<f32>
}

// -----

// No keys: eager gives NaN, a mixer 0; but there is no query either.
// CHECK-LABEL: func.func @empty(
func.func @empty(%k: tensor<0x4xf32>, %v: tensor<0x4xf32>, %w: tensor<0x0xf32>) -> tensor<0x4xf32> {
  %keys = linalg.exp ins(%k : tensor<0x4xf32>) outs(%k : tensor<0x4xf32>) -> tensor<0x4xf32>
  %weights = linalg.exp ins(%w : tensor<0x0xf32>) outs(%w : tensor<0x0xf32>) -> tensor<0x0xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<0x4xf32>, tensor<0x4xf32>) outs(%k : tensor<0x4xf32>) -> tensor<0x4xf32>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<0x4xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<0x4xf32>) -> tensor<0x4xf32>
  %n = linalg.matmul ins(%weights, %kv : tensor<0x0xf32>, tensor<0x4xf32>) outs(%init : tensor<0x4xf32>) -> tensor<0x4xf32>
  %z = linalg.matmul ins(%weights, %keys : tensor<0x0xf32>, tensor<0x4xf32>) outs(%init : tensor<0x4xf32>) -> tensor<0x4xf32>
  %y = linalg.div ins(%n, %z : tensor<0x4xf32>, tensor<0x4xf32>) outs(%e : tensor<0x4xf32>) -> tensor<0x4xf32>
  return %y : tensor<0x4xf32>
}

// -----

// f16 is no type of a mixer.
// CHECK-LABEL: func.func @half(
// CHECK-NOT: aft.
func.func @half(%k: tensor<9x4xf16>, %v: tensor<9x4xf16>, %w: tensor<9x9xf16>) -> tensor<9x4xf16> {
  %keys = linalg.exp ins(%k : tensor<9x4xf16>) outs(%k : tensor<9x4xf16>) -> tensor<9x4xf16>
  %weights = linalg.exp ins(%w : tensor<9x9xf16>) outs(%w : tensor<9x9xf16>) -> tensor<9x9xf16>
  %kv = linalg.mul ins(%keys, %v : tensor<9x4xf16>, tensor<9x4xf16>) outs(%k : tensor<9x4xf16>) -> tensor<9x4xf16>
  %zero = arith.constant 0.0 : f16
  %e = tensor.empty() : tensor<9x4xf16>
  %init = linalg.fill ins(%zero : f16) outs(%e : tensor<9x4xf16>) -> tensor<9x4xf16>
  %n = linalg.matmul ins(%weights, %kv : tensor<9x9xf16>, tensor<9x4xf16>) outs(%init : tensor<9x4xf16>) -> tensor<9x4xf16>
  %z = linalg.matmul ins(%weights, %keys : tensor<9x9xf16>, tensor<9x4xf16>) outs(%init : tensor<9x4xf16>) -> tensor<9x4xf16>
  %y = linalg.div ins(%n, %z : tensor<9x4xf16>, tensor<9x4xf16>) outs(%e : tensor<9x4xf16>) -> tensor<9x4xf16>
  return %y : tensor<9x4xf16>
}

// -----

#w = affine_map<(a, b, h, t, c, s) -> (h, t, s)>
#k = affine_map<(a, b, h, t, c, s) -> (a, b, h, s, c)>
#y = affine_map<(a, b, h, t, c, s) -> (a, b, h, t, c)>

// Five dimensions, a bias per head: one of the batch; what is left are channels.
// CHECK-LABEL: func.func @five(
// CHECK: aft.full {{.*}} gate = none : (tensor<3x9x24xf32>, tensor<3x9x24xf32>, tensor<3x9x24xf32>, tensor<3x9x9xf32>) -> tensor<3x9x24xf32>
func.func @five(%k: tensor<2x3x3x9x4xf32>, %v: tensor<2x3x3x9x4xf32>, %w: tensor<3x9x9xf32>) -> tensor<2x3x3x9x4xf32> {
  %keys = linalg.exp ins(%k : tensor<2x3x3x9x4xf32>) outs(%k : tensor<2x3x3x9x4xf32>) -> tensor<2x3x3x9x4xf32>
  %weights = linalg.exp ins(%w : tensor<3x9x9xf32>) outs(%w : tensor<3x9x9xf32>) -> tensor<3x9x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<2x3x3x9x4xf32>, tensor<2x3x3x9x4xf32>) outs(%k : tensor<2x3x3x9x4xf32>) -> tensor<2x3x3x9x4xf32>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x3x3x9x4xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<2x3x3x9x4xf32>) -> tensor<2x3x3x9x4xf32>
  %n = linalg.generic {indexing_maps = [#w, #k, #y], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel", "reduction"]} ins(%weights, %kv : tensor<3x9x9xf32>, tensor<2x3x3x9x4xf32>) outs(%init : tensor<2x3x3x9x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %m = arith.mulf %a, %b : f32
    %s = arith.addf %o, %m : f32
    linalg.yield %s : f32
  } -> tensor<2x3x3x9x4xf32>
  %z = linalg.generic {indexing_maps = [#w, #k, #y], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel", "reduction"]} ins(%weights, %keys : tensor<3x9x9xf32>, tensor<2x3x3x9x4xf32>) outs(%init : tensor<2x3x3x9x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %m = arith.mulf %a, %b : f32
    %s = arith.addf %o, %m : f32
    linalg.yield %s : f32
  } -> tensor<2x3x3x9x4xf32>
  %y = linalg.div ins(%n, %z : tensor<2x3x3x9x4xf32>, tensor<2x3x3x9x4xf32>) outs(%e : tensor<2x3x3x9x4xf32>) -> tensor<2x3x3x9x4xf32>
  return %y : tensor<2x3x3x9x4xf32>
}

// -----

// One expression of 2^40 terms when it is written out.
// CHECK-LABEL: func.func @deep(
// CHECK-NOT: aft.
func.func @deep(%k: tensor<9xf32>) -> tensor<9xf32> {
  %y = linalg.map { math.exp } ins(%k : tensor<9xf32>) outs(%k : tensor<9xf32>)
  %z = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]} ins(%y : tensor<9xf32>) outs(%k : tensor<9xf32>) {
  ^bb0(%a: f32, %o: f32):
    %1 = arith.mulf %a, %a : f32
    %2 = arith.mulf %1, %1 : f32
    %3 = arith.mulf %2, %2 : f32
    %4 = arith.mulf %3, %3 : f32
    %5 = arith.mulf %4, %4 : f32
    %6 = arith.mulf %5, %5 : f32
    %7 = arith.mulf %6, %6 : f32
    %8 = arith.mulf %7, %7 : f32
    %9 = arith.mulf %8, %8 : f32
    %10 = arith.mulf %9, %9 : f32
    %11 = arith.mulf %10, %10 : f32
    %12 = arith.mulf %11, %11 : f32
    %13 = arith.mulf %12, %12 : f32
    %14 = arith.mulf %13, %13 : f32
    %15 = arith.mulf %14, %14 : f32
    %16 = arith.mulf %15, %15 : f32
    %17 = arith.mulf %16, %16 : f32
    %18 = arith.mulf %17, %17 : f32
    %19 = arith.mulf %18, %18 : f32
    %20 = arith.mulf %19, %19 : f32
    %21 = arith.mulf %20, %20 : f32
    %22 = arith.mulf %21, %21 : f32
    %23 = arith.mulf %22, %22 : f32
    %24 = arith.mulf %23, %23 : f32
    %25 = arith.mulf %24, %24 : f32
    %26 = arith.mulf %25, %25 : f32
    %27 = arith.mulf %26, %26 : f32
    %28 = arith.mulf %27, %27 : f32
    %29 = arith.mulf %28, %28 : f32
    %30 = arith.mulf %29, %29 : f32
    %31 = arith.mulf %30, %30 : f32
    %32 = arith.mulf %31, %31 : f32
    %33 = arith.mulf %32, %32 : f32
    %34 = arith.mulf %33, %33 : f32
    %35 = arith.mulf %34, %34 : f32
    %36 = arith.mulf %35, %35 : f32
    %37 = arith.mulf %36, %36 : f32
    %38 = arith.mulf %37, %37 : f32
    %39 = arith.mulf %38, %38 : f32
    %40 = arith.mulf %39, %39 : f32
    linalg.yield %40 : f32
  } -> tensor<9xf32>
  return %z : tensor<9xf32>
}

// -----

// Squared again and again, an operation each.
// CHECK-LABEL: func.func @long(
// CHECK-NOT: aft.
func.func @long(%k: tensor<9xf32>) -> tensor<9xf32> {
  %0 = linalg.exp ins(%k : tensor<9xf32>) outs(%k : tensor<9xf32>) -> tensor<9xf32>
  %1 = linalg.mul ins(%0, %0 : tensor<9xf32>, tensor<9xf32>) outs(%k : tensor<9xf32>) -> tensor<9xf32>
  %2 = linalg.mul ins(%1, %1 : tensor<9xf32>, tensor<9xf32>) outs(%k : tensor<9xf32>) -> tensor<9xf32>
  %3 = linalg.mul ins(%2, %2 : tensor<9xf32>, tensor<9xf32>) outs(%k : tensor<9xf32>) -> tensor<9xf32>
  %4 = linalg.mul ins(%3, %3 : tensor<9xf32>, tensor<9xf32>) outs(%k : tensor<9xf32>) -> tensor<9xf32>
  %5 = linalg.mul ins(%4, %4 : tensor<9xf32>, tensor<9xf32>) outs(%k : tensor<9xf32>) -> tensor<9xf32>
  %6 = linalg.mul ins(%5, %5 : tensor<9xf32>, tensor<9xf32>) outs(%k : tensor<9xf32>) -> tensor<9xf32>
  %7 = linalg.mul ins(%6, %6 : tensor<9xf32>, tensor<9xf32>) outs(%k : tensor<9xf32>) -> tensor<9xf32>
  %8 = linalg.mul ins(%7, %7 : tensor<9xf32>, tensor<9xf32>) outs(%k : tensor<9xf32>) -> tensor<9xf32>
  %9 = linalg.mul ins(%8, %8 : tensor<9xf32>, tensor<9xf32>) outs(%k : tensor<9xf32>) -> tensor<9xf32>
  %10 = linalg.mul ins(%9, %9 : tensor<9xf32>, tensor<9xf32>) outs(%k : tensor<9xf32>) -> tensor<9xf32>
  %11 = linalg.mul ins(%10, %10 : tensor<9xf32>, tensor<9xf32>) outs(%k : tensor<9xf32>) -> tensor<9xf32>
  %12 = linalg.mul ins(%11, %11 : tensor<9xf32>, tensor<9xf32>) outs(%k : tensor<9xf32>) -> tensor<9xf32>
  return %12 : tensor<9xf32>
}

// -----

// In the body of a loop, made of values around it: only the loop's own are opened.
// CHECK-LABEL: func.func @loop(
// CHECK: scf.for
// CHECK-NOT: aft.
func.func @loop(%k: tensor<9x4xf32>, %v: tensor<9x4xf32>, %w: tensor<9x9xf32>, %count: index) -> tensor<9x4xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<9x4xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<9x4xf32>) -> tensor<9x4xf32>
  %keys = linalg.exp ins(%k : tensor<9x4xf32>) outs(%k : tensor<9x4xf32>) -> tensor<9x4xf32>
  %weights = linalg.exp ins(%w : tensor<9x9xf32>) outs(%w : tensor<9x9xf32>) -> tensor<9x9xf32>
  %y = scf.for %i = %c0 to %count step %c1 iter_args(%x = %v) -> tensor<9x4xf32> {
    %kv = linalg.mul ins(%keys, %x : tensor<9x4xf32>, tensor<9x4xf32>) outs(%k : tensor<9x4xf32>) -> tensor<9x4xf32>
    %n = linalg.matmul ins(%weights, %kv : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
    %z = linalg.matmul ins(%weights, %keys : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
    %r = linalg.div ins(%n, %z : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e : tensor<9x4xf32>) -> tensor<9x4xf32>
    scf.yield %r : tensor<9x4xf32>
  }
  return %y : tensor<9x4xf32>
}

// -----

// Buffers, and a function without a body.
// CHECK-LABEL: func.func @buffers(
// CHECK-NOT: aft.
func.func private @outside(tensor<4xf32>) -> tensor<4xf32>
func.func @buffers(%a: memref<9x4xf32>, %b: memref<9x4xf32>) {
  linalg.exp ins(%a : memref<9x4xf32>) outs(%b : memref<9x4xf32>)
  linalg.div ins(%a, %b : memref<9x4xf32>, memref<9x4xf32>) outs(%b : memref<9x4xf32>)
  return
}
