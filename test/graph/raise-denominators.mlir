// RUN: aft-opt %s -split-input-file -aft-raise-mixers -canonicalize -cse | FileCheck %s
// RUN: aft-opt %s -split-input-file -aft-raise-mixers=fast -canonicalize -cse | FileCheck %s --check-prefix=FAST
// RUN: aft-opt %s -split-input-file -aft-raise-mixers=remarks -verify-diagnostics -o /dev/null

// What stands around the sums of a denominator.

#bct = affine_map<(b, c, t) -> (b, c, t)>
#bc = affine_map<(b, c, t) -> (b, c)>
#c = affine_map<(b, c, t) -> (c)>

// conv + (sum + number): no sum of two sums before the number is out of it.
// CHECK-LABEL: func.func @beside_sum(
// CHECK-NOT: aft.
// CHECK: return
// FAST-LABEL: func.func @beside_sum(
// FAST: aft.conv
// FAST-NOT: math.exp
// FAST: return
func.func @beside_sum(%k: tensor<2x4x9xf32>, %v: tensor<2x4x9xf32>, %w: tensor<4x2xf32>) -> tensor<2x4x9xf32> {
  %zero = arith.constant 0.0 : f32
  %one = arith.constant 1.0 : f32
  %small = arith.constant 1.0e-6 : f32
  %e2 = tensor.empty() : tensor<2x4xf32>
  %e3 = tensor.empty() : tensor<2x4x9xf32>
  %ew = tensor.empty() : tensor<4x2xf32>
  %i2 = linalg.fill ins(%zero : f32) outs(%e2 : tensor<2x4xf32>) -> tensor<2x4xf32>
  %keys = linalg.exp ins(%k : tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<2x4x9xf32>, tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  %f = linalg.generic {indexing_maps = [affine_map<(c, j) -> (c, j)>, affine_map<(c, j) -> (c, j)>], iterator_types = ["parallel", "parallel"]} ins(%w : tensor<4x2xf32>) outs(%ew : tensor<4x2xf32>) {
  ^bb0(%a: f32, %o: f32):
    %x = math.exp %a : f32
    %y = arith.subf %x, %one : f32
    linalg.yield %y : f32
  } -> tensor<4x2xf32>
  %f0 = tensor.extract_slice %f[0, 0] [4, 1] [1, 1] : tensor<4x2xf32> to tensor<4xf32>
  %f1 = tensor.extract_slice %f[0, 1] [4, 1] [1, 1] : tensor<4x2xf32> to tensor<4xf32>
  %np = tensor.pad %kv low[0, 0, 1] high[0, 0, 0] {
  ^bb0(%i: index, %j: index, %l: index):
    tensor.yield %zero : f32
  } : tensor<2x4x9xf32> to tensor<2x4x10xf32>
  %nx0 = tensor.extract_slice %np[0, 0, 0] [2, 4, 9] [1, 1, 1] : tensor<2x4x10xf32> to tensor<2x4x9xf32>
  %nm0 = linalg.generic {indexing_maps = [#bct, #c, #bct], iterator_types = ["parallel", "parallel", "parallel"]} ins(%nx0, %f0 : tensor<2x4x9xf32>, tensor<4xf32>) outs(%e3 : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    linalg.yield %p : f32
  } -> tensor<2x4x9xf32>
  %nx1 = tensor.extract_slice %np[0, 0, 1] [2, 4, 9] [1, 1, 1] : tensor<2x4x10xf32> to tensor<2x4x9xf32>
  %nm1 = linalg.generic {indexing_maps = [#bct, #c, #bct], iterator_types = ["parallel", "parallel", "parallel"]} ins(%nx1, %f1 : tensor<2x4x9xf32>, tensor<4xf32>) outs(%e3 : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    linalg.yield %p : f32
  } -> tensor<2x4x9xf32>
  %nc = linalg.add ins(%nm0, %nm1 : tensor<2x4x9xf32>, tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  %ns = linalg.reduce ins(%kv : tensor<2x4x9xf32>) outs(%i2 : tensor<2x4xf32>) dimensions = [2]
    (%a: f32, %o: f32) {
      %s = arith.addf %a, %o : f32
      linalg.yield %s : f32
    }
  %zp = tensor.pad %keys low[0, 0, 1] high[0, 0, 0] {
  ^bb0(%i: index, %j: index, %l: index):
    tensor.yield %zero : f32
  } : tensor<2x4x9xf32> to tensor<2x4x10xf32>
  %zx0 = tensor.extract_slice %zp[0, 0, 0] [2, 4, 9] [1, 1, 1] : tensor<2x4x10xf32> to tensor<2x4x9xf32>
  %zm0 = linalg.generic {indexing_maps = [#bct, #c, #bct], iterator_types = ["parallel", "parallel", "parallel"]} ins(%zx0, %f0 : tensor<2x4x9xf32>, tensor<4xf32>) outs(%e3 : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    linalg.yield %p : f32
  } -> tensor<2x4x9xf32>
  %zx1 = tensor.extract_slice %zp[0, 0, 1] [2, 4, 9] [1, 1, 1] : tensor<2x4x10xf32> to tensor<2x4x9xf32>
  %zm1 = linalg.generic {indexing_maps = [#bct, #c, #bct], iterator_types = ["parallel", "parallel", "parallel"]} ins(%zx1, %f1 : tensor<2x4x9xf32>, tensor<4xf32>) outs(%e3 : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    linalg.yield %p : f32
  } -> tensor<2x4x9xf32>
  %zc = linalg.add ins(%zm0, %zm1 : tensor<2x4x9xf32>, tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  %zs = linalg.reduce ins(%keys : tensor<2x4x9xf32>) outs(%i2 : tensor<2x4xf32>) dimensions = [2]
    (%a: f32, %o: f32) {
      %s = arith.addf %a, %o : f32
      linalg.yield %s : f32
    }
  // expected-remark @below {{not raised to a mixer: a number is added to the denominator of a convolution; --fast leaves out a small number added to the denominator}}
  %y = linalg.generic {indexing_maps = [#bct, #bc, #bct, #bc, #bct], iterator_types = ["parallel", "parallel", "parallel"]} ins(%nc, %ns, %zc, %zs : tensor<2x4x9xf32>, tensor<2x4xf32>, tensor<2x4x9xf32>, tensor<2x4xf32>) outs(%e3 : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32, %d: f32, %o: f32):
    %n = arith.addf %a, %b : f32
    %s = arith.addf %d, %small : f32
    %z = arith.addf %c, %s : f32
    %r = arith.divf %n, %z : f32
    linalg.yield %r : f32
  } -> tensor<2x4x9xf32>
  return %y : tensor<2x4x9xf32>
}

// -----

#bct = affine_map<(b, c, t) -> (b, c, t)>
#bc = affine_map<(b, c, t) -> (b, c)>
#c = affine_map<(b, c, t) -> (c)>

// (conv + number) + sum
// CHECK-LABEL: func.func @beside_conv(
// CHECK-NOT: aft.
// CHECK: return
// FAST-LABEL: func.func @beside_conv(
// FAST: aft.conv
// FAST-NOT: math.exp
// FAST: return
func.func @beside_conv(%k: tensor<2x4x9xf32>, %v: tensor<2x4x9xf32>, %w: tensor<4x2xf32>) -> tensor<2x4x9xf32> {
  %zero = arith.constant 0.0 : f32
  %one = arith.constant 1.0 : f32
  %small = arith.constant 1.0e-6 : f32
  %e2 = tensor.empty() : tensor<2x4xf32>
  %e3 = tensor.empty() : tensor<2x4x9xf32>
  %ew = tensor.empty() : tensor<4x2xf32>
  %i2 = linalg.fill ins(%zero : f32) outs(%e2 : tensor<2x4xf32>) -> tensor<2x4xf32>
  %keys = linalg.exp ins(%k : tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<2x4x9xf32>, tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  %f = linalg.generic {indexing_maps = [affine_map<(c, j) -> (c, j)>, affine_map<(c, j) -> (c, j)>], iterator_types = ["parallel", "parallel"]} ins(%w : tensor<4x2xf32>) outs(%ew : tensor<4x2xf32>) {
  ^bb0(%a: f32, %o: f32):
    %x = math.exp %a : f32
    %y = arith.subf %x, %one : f32
    linalg.yield %y : f32
  } -> tensor<4x2xf32>
  %f0 = tensor.extract_slice %f[0, 0] [4, 1] [1, 1] : tensor<4x2xf32> to tensor<4xf32>
  %f1 = tensor.extract_slice %f[0, 1] [4, 1] [1, 1] : tensor<4x2xf32> to tensor<4xf32>
  %np = tensor.pad %kv low[0, 0, 1] high[0, 0, 0] {
  ^bb0(%i: index, %j: index, %l: index):
    tensor.yield %zero : f32
  } : tensor<2x4x9xf32> to tensor<2x4x10xf32>
  %nx0 = tensor.extract_slice %np[0, 0, 0] [2, 4, 9] [1, 1, 1] : tensor<2x4x10xf32> to tensor<2x4x9xf32>
  %nm0 = linalg.generic {indexing_maps = [#bct, #c, #bct], iterator_types = ["parallel", "parallel", "parallel"]} ins(%nx0, %f0 : tensor<2x4x9xf32>, tensor<4xf32>) outs(%e3 : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    linalg.yield %p : f32
  } -> tensor<2x4x9xf32>
  %nx1 = tensor.extract_slice %np[0, 0, 1] [2, 4, 9] [1, 1, 1] : tensor<2x4x10xf32> to tensor<2x4x9xf32>
  %nm1 = linalg.generic {indexing_maps = [#bct, #c, #bct], iterator_types = ["parallel", "parallel", "parallel"]} ins(%nx1, %f1 : tensor<2x4x9xf32>, tensor<4xf32>) outs(%e3 : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    linalg.yield %p : f32
  } -> tensor<2x4x9xf32>
  %nc = linalg.add ins(%nm0, %nm1 : tensor<2x4x9xf32>, tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  %ns = linalg.reduce ins(%kv : tensor<2x4x9xf32>) outs(%i2 : tensor<2x4xf32>) dimensions = [2]
    (%a: f32, %o: f32) {
      %s = arith.addf %a, %o : f32
      linalg.yield %s : f32
    }
  %zp = tensor.pad %keys low[0, 0, 1] high[0, 0, 0] {
  ^bb0(%i: index, %j: index, %l: index):
    tensor.yield %zero : f32
  } : tensor<2x4x9xf32> to tensor<2x4x10xf32>
  %zx0 = tensor.extract_slice %zp[0, 0, 0] [2, 4, 9] [1, 1, 1] : tensor<2x4x10xf32> to tensor<2x4x9xf32>
  %zm0 = linalg.generic {indexing_maps = [#bct, #c, #bct], iterator_types = ["parallel", "parallel", "parallel"]} ins(%zx0, %f0 : tensor<2x4x9xf32>, tensor<4xf32>) outs(%e3 : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    linalg.yield %p : f32
  } -> tensor<2x4x9xf32>
  %zx1 = tensor.extract_slice %zp[0, 0, 1] [2, 4, 9] [1, 1, 1] : tensor<2x4x10xf32> to tensor<2x4x9xf32>
  %zm1 = linalg.generic {indexing_maps = [#bct, #c, #bct], iterator_types = ["parallel", "parallel", "parallel"]} ins(%zx1, %f1 : tensor<2x4x9xf32>, tensor<4xf32>) outs(%e3 : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    linalg.yield %p : f32
  } -> tensor<2x4x9xf32>
  %zc = linalg.add ins(%zm0, %zm1 : tensor<2x4x9xf32>, tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  %zs = linalg.reduce ins(%keys : tensor<2x4x9xf32>) outs(%i2 : tensor<2x4xf32>) dimensions = [2]
    (%a: f32, %o: f32) {
      %s = arith.addf %a, %o : f32
      linalg.yield %s : f32
    }
  // expected-remark @below {{not raised to a mixer: a number is added to the denominator of a convolution; --fast leaves out a small number added to the denominator}}
  %y = linalg.generic {indexing_maps = [#bct, #bc, #bct, #bc, #bct], iterator_types = ["parallel", "parallel", "parallel"]} ins(%nc, %ns, %zc, %zs : tensor<2x4x9xf32>, tensor<2x4xf32>, tensor<2x4x9xf32>, tensor<2x4xf32>) outs(%e3 : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32, %d: f32, %o: f32):
    %n = arith.addf %a, %b : f32
    %s = arith.addf %c, %small : f32
    %z = arith.addf %d, %s : f32
    %r = arith.divf %n, %z : f32
    linalg.yield %r : f32
  } -> tensor<2x4x9xf32>
  return %y : tensor<2x4x9xf32>
}

// -----

#bct = affine_map<(b, c, t) -> (b, c, t)>
#bc = affine_map<(b, c, t) -> (b, c)>
#c = affine_map<(b, c, t) -> (c)>

// Two numbers, which count as one.
// CHECK-LABEL: func.func @twice(
// CHECK-NOT: aft.
// CHECK: return
// FAST-LABEL: func.func @twice(
// FAST-NOT: aft.conv
// FAST: return
func.func @twice(%k: tensor<2x4x9xf32>, %v: tensor<2x4x9xf32>, %w: tensor<4x2xf32>) -> tensor<2x4x9xf32> {
  %zero = arith.constant 0.0 : f32
  %one = arith.constant 1.0 : f32
  %small = arith.constant 6.0e-4 : f32
  %e2 = tensor.empty() : tensor<2x4xf32>
  %e3 = tensor.empty() : tensor<2x4x9xf32>
  %ew = tensor.empty() : tensor<4x2xf32>
  %i2 = linalg.fill ins(%zero : f32) outs(%e2 : tensor<2x4xf32>) -> tensor<2x4xf32>
  %keys = linalg.exp ins(%k : tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<2x4x9xf32>, tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  %f = linalg.generic {indexing_maps = [affine_map<(c, j) -> (c, j)>, affine_map<(c, j) -> (c, j)>], iterator_types = ["parallel", "parallel"]} ins(%w : tensor<4x2xf32>) outs(%ew : tensor<4x2xf32>) {
  ^bb0(%a: f32, %o: f32):
    %x = math.exp %a : f32
    %y = arith.subf %x, %one : f32
    linalg.yield %y : f32
  } -> tensor<4x2xf32>
  %f0 = tensor.extract_slice %f[0, 0] [4, 1] [1, 1] : tensor<4x2xf32> to tensor<4xf32>
  %f1 = tensor.extract_slice %f[0, 1] [4, 1] [1, 1] : tensor<4x2xf32> to tensor<4xf32>
  %np = tensor.pad %kv low[0, 0, 1] high[0, 0, 0] {
  ^bb0(%i: index, %j: index, %l: index):
    tensor.yield %zero : f32
  } : tensor<2x4x9xf32> to tensor<2x4x10xf32>
  %nx0 = tensor.extract_slice %np[0, 0, 0] [2, 4, 9] [1, 1, 1] : tensor<2x4x10xf32> to tensor<2x4x9xf32>
  %nm0 = linalg.generic {indexing_maps = [#bct, #c, #bct], iterator_types = ["parallel", "parallel", "parallel"]} ins(%nx0, %f0 : tensor<2x4x9xf32>, tensor<4xf32>) outs(%e3 : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    linalg.yield %p : f32
  } -> tensor<2x4x9xf32>
  %nx1 = tensor.extract_slice %np[0, 0, 1] [2, 4, 9] [1, 1, 1] : tensor<2x4x10xf32> to tensor<2x4x9xf32>
  %nm1 = linalg.generic {indexing_maps = [#bct, #c, #bct], iterator_types = ["parallel", "parallel", "parallel"]} ins(%nx1, %f1 : tensor<2x4x9xf32>, tensor<4xf32>) outs(%e3 : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    linalg.yield %p : f32
  } -> tensor<2x4x9xf32>
  %nc = linalg.add ins(%nm0, %nm1 : tensor<2x4x9xf32>, tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  %ns = linalg.reduce ins(%kv : tensor<2x4x9xf32>) outs(%i2 : tensor<2x4xf32>) dimensions = [2]
    (%a: f32, %o: f32) {
      %s = arith.addf %a, %o : f32
      linalg.yield %s : f32
    }
  %zp = tensor.pad %keys low[0, 0, 1] high[0, 0, 0] {
  ^bb0(%i: index, %j: index, %l: index):
    tensor.yield %zero : f32
  } : tensor<2x4x9xf32> to tensor<2x4x10xf32>
  %zx0 = tensor.extract_slice %zp[0, 0, 0] [2, 4, 9] [1, 1, 1] : tensor<2x4x10xf32> to tensor<2x4x9xf32>
  %zm0 = linalg.generic {indexing_maps = [#bct, #c, #bct], iterator_types = ["parallel", "parallel", "parallel"]} ins(%zx0, %f0 : tensor<2x4x9xf32>, tensor<4xf32>) outs(%e3 : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    linalg.yield %p : f32
  } -> tensor<2x4x9xf32>
  %zx1 = tensor.extract_slice %zp[0, 0, 1] [2, 4, 9] [1, 1, 1] : tensor<2x4x10xf32> to tensor<2x4x9xf32>
  %zm1 = linalg.generic {indexing_maps = [#bct, #c, #bct], iterator_types = ["parallel", "parallel", "parallel"]} ins(%zx1, %f1 : tensor<2x4x9xf32>, tensor<4xf32>) outs(%e3 : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    linalg.yield %p : f32
  } -> tensor<2x4x9xf32>
  %zc = linalg.add ins(%zm0, %zm1 : tensor<2x4x9xf32>, tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  %zs = linalg.reduce ins(%keys : tensor<2x4x9xf32>) outs(%i2 : tensor<2x4xf32>) dimensions = [2]
    (%a: f32, %o: f32) {
      %s = arith.addf %a, %o : f32
      linalg.yield %s : f32
    }
  // expected-remark @below {{not raised to a mixer: a number is added to the denominator of a convolution}}
  %y = linalg.generic {indexing_maps = [#bct, #bc, #bct, #bc, #bct], iterator_types = ["parallel", "parallel", "parallel"]} ins(%nc, %ns, %zc, %zs : tensor<2x4x9xf32>, tensor<2x4xf32>, tensor<2x4x9xf32>, tensor<2x4xf32>) outs(%e3 : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32, %d: f32, %o: f32):
    %n = arith.addf %a, %b : f32
    %s = arith.addf %d, %small : f32
    %u = arith.addf %c, %small : f32
    %z = arith.addf %u, %s : f32
    %r = arith.divf %n, %z : f32
    linalg.yield %r : f32
  } -> tensor<2x4x9xf32>
  return %y : tensor<2x4x9xf32>
}

// -----

#bct = affine_map<(b, c, t) -> (b, c, t)>
#bc = affine_map<(b, c, t) -> (b, c)>
#c = affine_map<(b, c, t) -> (c)>

// A bound on what a number was added to
// CHECK-LABEL: func.func @bounded_after(
// CHECK-NOT: aft.
// CHECK: return
// FAST-LABEL: func.func @bounded_after(
// FAST: aft.conv
// FAST-NOT: math.exp
// FAST: return
func.func @bounded_after(%k: tensor<2x4x9xf32>, %v: tensor<2x4x9xf32>, %w: tensor<4x2xf32>) -> tensor<2x4x9xf32> {
  %zero = arith.constant 0.0 : f32
  %one = arith.constant 1.0 : f32
  %small = arith.constant 1.0e-6 : f32
  %e2 = tensor.empty() : tensor<2x4xf32>
  %e3 = tensor.empty() : tensor<2x4x9xf32>
  %ew = tensor.empty() : tensor<4x2xf32>
  %i2 = linalg.fill ins(%zero : f32) outs(%e2 : tensor<2x4xf32>) -> tensor<2x4xf32>
  %keys = linalg.exp ins(%k : tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<2x4x9xf32>, tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  %f = linalg.generic {indexing_maps = [affine_map<(c, j) -> (c, j)>, affine_map<(c, j) -> (c, j)>], iterator_types = ["parallel", "parallel"]} ins(%w : tensor<4x2xf32>) outs(%ew : tensor<4x2xf32>) {
  ^bb0(%a: f32, %o: f32):
    %x = math.exp %a : f32
    %y = arith.subf %x, %one : f32
    linalg.yield %y : f32
  } -> tensor<4x2xf32>
  %f0 = tensor.extract_slice %f[0, 0] [4, 1] [1, 1] : tensor<4x2xf32> to tensor<4xf32>
  %f1 = tensor.extract_slice %f[0, 1] [4, 1] [1, 1] : tensor<4x2xf32> to tensor<4xf32>
  %np = tensor.pad %kv low[0, 0, 1] high[0, 0, 0] {
  ^bb0(%i: index, %j: index, %l: index):
    tensor.yield %zero : f32
  } : tensor<2x4x9xf32> to tensor<2x4x10xf32>
  %nx0 = tensor.extract_slice %np[0, 0, 0] [2, 4, 9] [1, 1, 1] : tensor<2x4x10xf32> to tensor<2x4x9xf32>
  %nm0 = linalg.generic {indexing_maps = [#bct, #c, #bct], iterator_types = ["parallel", "parallel", "parallel"]} ins(%nx0, %f0 : tensor<2x4x9xf32>, tensor<4xf32>) outs(%e3 : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    linalg.yield %p : f32
  } -> tensor<2x4x9xf32>
  %nx1 = tensor.extract_slice %np[0, 0, 1] [2, 4, 9] [1, 1, 1] : tensor<2x4x10xf32> to tensor<2x4x9xf32>
  %nm1 = linalg.generic {indexing_maps = [#bct, #c, #bct], iterator_types = ["parallel", "parallel", "parallel"]} ins(%nx1, %f1 : tensor<2x4x9xf32>, tensor<4xf32>) outs(%e3 : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    linalg.yield %p : f32
  } -> tensor<2x4x9xf32>
  %nc = linalg.add ins(%nm0, %nm1 : tensor<2x4x9xf32>, tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  %ns = linalg.reduce ins(%kv : tensor<2x4x9xf32>) outs(%i2 : tensor<2x4xf32>) dimensions = [2]
    (%a: f32, %o: f32) {
      %s = arith.addf %a, %o : f32
      linalg.yield %s : f32
    }
  %zp = tensor.pad %keys low[0, 0, 1] high[0, 0, 0] {
  ^bb0(%i: index, %j: index, %l: index):
    tensor.yield %zero : f32
  } : tensor<2x4x9xf32> to tensor<2x4x10xf32>
  %zx0 = tensor.extract_slice %zp[0, 0, 0] [2, 4, 9] [1, 1, 1] : tensor<2x4x10xf32> to tensor<2x4x9xf32>
  %zm0 = linalg.generic {indexing_maps = [#bct, #c, #bct], iterator_types = ["parallel", "parallel", "parallel"]} ins(%zx0, %f0 : tensor<2x4x9xf32>, tensor<4xf32>) outs(%e3 : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    linalg.yield %p : f32
  } -> tensor<2x4x9xf32>
  %zx1 = tensor.extract_slice %zp[0, 0, 1] [2, 4, 9] [1, 1, 1] : tensor<2x4x10xf32> to tensor<2x4x9xf32>
  %zm1 = linalg.generic {indexing_maps = [#bct, #c, #bct], iterator_types = ["parallel", "parallel", "parallel"]} ins(%zx1, %f1 : tensor<2x4x9xf32>, tensor<4xf32>) outs(%e3 : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    linalg.yield %p : f32
  } -> tensor<2x4x9xf32>
  %zc = linalg.add ins(%zm0, %zm1 : tensor<2x4x9xf32>, tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  %zs = linalg.reduce ins(%keys : tensor<2x4x9xf32>) outs(%i2 : tensor<2x4xf32>) dimensions = [2]
    (%a: f32, %o: f32) {
      %s = arith.addf %a, %o : f32
      linalg.yield %s : f32
    }
  // expected-remark @below {{not raised to a mixer: a small number bounds the denominator, which may be smaller; --fast leaves it out}}
  %y = linalg.generic {indexing_maps = [#bct, #bc, #bct, #bc, #bct], iterator_types = ["parallel", "parallel", "parallel"]} ins(%nc, %ns, %zc, %zs : tensor<2x4x9xf32>, tensor<2x4xf32>, tensor<2x4x9xf32>, tensor<2x4xf32>) outs(%e3 : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32, %d: f32, %o: f32):
    %n = arith.addf %a, %b : f32
    %s = arith.addf %d, %small : f32
    %u = arith.addf %c, %s : f32
    %z = arith.maximumf %u, %small : f32
    %r = arith.divf %n, %z : f32
    linalg.yield %r : f32
  } -> tensor<2x4x9xf32>
  return %y : tensor<2x4x9xf32>
}

// -----

#bct = affine_map<(b, c, t) -> (b, c, t)>
#bc = affine_map<(b, c, t) -> (b, c)>
#c = affine_map<(b, c, t) -> (c)>

// A bound from above is told, whatever else there is.
// CHECK-LABEL: func.func @clamped(
// CHECK-NOT: aft.
// CHECK: return
// FAST-LABEL: func.func @clamped(
// FAST-NOT: aft.conv
// FAST: return
func.func @clamped(%k: tensor<2x4x9xf32>, %v: tensor<2x4x9xf32>, %w: tensor<4x2xf32>) -> tensor<2x4x9xf32> {
  %zero = arith.constant 0.0 : f32
  %one = arith.constant 1.0 : f32
  %small = arith.constant 1.0e+6 : f32
  %e2 = tensor.empty() : tensor<2x4xf32>
  %e3 = tensor.empty() : tensor<2x4x9xf32>
  %ew = tensor.empty() : tensor<4x2xf32>
  %i2 = linalg.fill ins(%zero : f32) outs(%e2 : tensor<2x4xf32>) -> tensor<2x4xf32>
  %keys = linalg.exp ins(%k : tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<2x4x9xf32>, tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  %f = linalg.generic {indexing_maps = [affine_map<(c, j) -> (c, j)>, affine_map<(c, j) -> (c, j)>], iterator_types = ["parallel", "parallel"]} ins(%w : tensor<4x2xf32>) outs(%ew : tensor<4x2xf32>) {
  ^bb0(%a: f32, %o: f32):
    %x = math.exp %a : f32
    %y = arith.subf %x, %one : f32
    linalg.yield %y : f32
  } -> tensor<4x2xf32>
  %f0 = tensor.extract_slice %f[0, 0] [4, 1] [1, 1] : tensor<4x2xf32> to tensor<4xf32>
  %f1 = tensor.extract_slice %f[0, 1] [4, 1] [1, 1] : tensor<4x2xf32> to tensor<4xf32>
  %np = tensor.pad %kv low[0, 0, 1] high[0, 0, 0] {
  ^bb0(%i: index, %j: index, %l: index):
    tensor.yield %zero : f32
  } : tensor<2x4x9xf32> to tensor<2x4x10xf32>
  %nx0 = tensor.extract_slice %np[0, 0, 0] [2, 4, 9] [1, 1, 1] : tensor<2x4x10xf32> to tensor<2x4x9xf32>
  %nm0 = linalg.generic {indexing_maps = [#bct, #c, #bct], iterator_types = ["parallel", "parallel", "parallel"]} ins(%nx0, %f0 : tensor<2x4x9xf32>, tensor<4xf32>) outs(%e3 : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    linalg.yield %p : f32
  } -> tensor<2x4x9xf32>
  %nx1 = tensor.extract_slice %np[0, 0, 1] [2, 4, 9] [1, 1, 1] : tensor<2x4x10xf32> to tensor<2x4x9xf32>
  %nm1 = linalg.generic {indexing_maps = [#bct, #c, #bct], iterator_types = ["parallel", "parallel", "parallel"]} ins(%nx1, %f1 : tensor<2x4x9xf32>, tensor<4xf32>) outs(%e3 : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    linalg.yield %p : f32
  } -> tensor<2x4x9xf32>
  %nc = linalg.add ins(%nm0, %nm1 : tensor<2x4x9xf32>, tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  %ns = linalg.reduce ins(%kv : tensor<2x4x9xf32>) outs(%i2 : tensor<2x4xf32>) dimensions = [2]
    (%a: f32, %o: f32) {
      %s = arith.addf %a, %o : f32
      linalg.yield %s : f32
    }
  %zp = tensor.pad %keys low[0, 0, 1] high[0, 0, 0] {
  ^bb0(%i: index, %j: index, %l: index):
    tensor.yield %zero : f32
  } : tensor<2x4x9xf32> to tensor<2x4x10xf32>
  %zx0 = tensor.extract_slice %zp[0, 0, 0] [2, 4, 9] [1, 1, 1] : tensor<2x4x10xf32> to tensor<2x4x9xf32>
  %zm0 = linalg.generic {indexing_maps = [#bct, #c, #bct], iterator_types = ["parallel", "parallel", "parallel"]} ins(%zx0, %f0 : tensor<2x4x9xf32>, tensor<4xf32>) outs(%e3 : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    linalg.yield %p : f32
  } -> tensor<2x4x9xf32>
  %zx1 = tensor.extract_slice %zp[0, 0, 1] [2, 4, 9] [1, 1, 1] : tensor<2x4x10xf32> to tensor<2x4x9xf32>
  %zm1 = linalg.generic {indexing_maps = [#bct, #c, #bct], iterator_types = ["parallel", "parallel", "parallel"]} ins(%zx1, %f1 : tensor<2x4x9xf32>, tensor<4xf32>) outs(%e3 : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    linalg.yield %p : f32
  } -> tensor<2x4x9xf32>
  %zc = linalg.add ins(%zm0, %zm1 : tensor<2x4x9xf32>, tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  %zs = linalg.reduce ins(%keys : tensor<2x4x9xf32>) outs(%i2 : tensor<2x4xf32>) dimensions = [2]
    (%a: f32, %o: f32) {
      %s = arith.addf %a, %o : f32
      linalg.yield %s : f32
    }
  // expected-remark @below {{not raised to a mixer: expected the denominator to be the weighted sum, found a clamp of it from above, which would change the result where it holds}}
  %y = linalg.generic {indexing_maps = [#bct, #bc, #bct, #bc, #bct], iterator_types = ["parallel", "parallel", "parallel"]} ins(%nc, %ns, %zc, %zs : tensor<2x4x9xf32>, tensor<2x4xf32>, tensor<2x4x9xf32>, tensor<2x4xf32>) outs(%e3 : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32, %d: f32, %o: f32):
    %n = arith.addf %a, %b : f32
    %u = arith.addf %c, %d : f32
    %z = arith.minimumf %u, %small : f32
    %r = arith.divf %n, %z : f32
    linalg.yield %r : f32
  } -> tensor<2x4x9xf32>
  return %y : tensor<2x4x9xf32>
}

// -----

#bct = affine_map<(b, c, t) -> (b, c, t)>
#bc = affine_map<(b, c, t) -> (b, c)>
#c = affine_map<(b, c, t) -> (c)>

// Both bounds
// CHECK-LABEL: func.func @clamped_twice(
// CHECK-NOT: aft.
// CHECK: return
// FAST-LABEL: func.func @clamped_twice(
// FAST-NOT: aft.conv
// FAST: return
func.func @clamped_twice(%k: tensor<2x4x9xf32>, %v: tensor<2x4x9xf32>, %w: tensor<4x2xf32>) -> tensor<2x4x9xf32> {
  %zero = arith.constant 0.0 : f32
  %one = arith.constant 1.0 : f32
  %small = arith.constant 1.0e-6 : f32
  %e2 = tensor.empty() : tensor<2x4xf32>
  %e3 = tensor.empty() : tensor<2x4x9xf32>
  %ew = tensor.empty() : tensor<4x2xf32>
  %i2 = linalg.fill ins(%zero : f32) outs(%e2 : tensor<2x4xf32>) -> tensor<2x4xf32>
  %keys = linalg.exp ins(%k : tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<2x4x9xf32>, tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  %f = linalg.generic {indexing_maps = [affine_map<(c, j) -> (c, j)>, affine_map<(c, j) -> (c, j)>], iterator_types = ["parallel", "parallel"]} ins(%w : tensor<4x2xf32>) outs(%ew : tensor<4x2xf32>) {
  ^bb0(%a: f32, %o: f32):
    %x = math.exp %a : f32
    %y = arith.subf %x, %one : f32
    linalg.yield %y : f32
  } -> tensor<4x2xf32>
  %f0 = tensor.extract_slice %f[0, 0] [4, 1] [1, 1] : tensor<4x2xf32> to tensor<4xf32>
  %f1 = tensor.extract_slice %f[0, 1] [4, 1] [1, 1] : tensor<4x2xf32> to tensor<4xf32>
  %np = tensor.pad %kv low[0, 0, 1] high[0, 0, 0] {
  ^bb0(%i: index, %j: index, %l: index):
    tensor.yield %zero : f32
  } : tensor<2x4x9xf32> to tensor<2x4x10xf32>
  %nx0 = tensor.extract_slice %np[0, 0, 0] [2, 4, 9] [1, 1, 1] : tensor<2x4x10xf32> to tensor<2x4x9xf32>
  %nm0 = linalg.generic {indexing_maps = [#bct, #c, #bct], iterator_types = ["parallel", "parallel", "parallel"]} ins(%nx0, %f0 : tensor<2x4x9xf32>, tensor<4xf32>) outs(%e3 : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    linalg.yield %p : f32
  } -> tensor<2x4x9xf32>
  %nx1 = tensor.extract_slice %np[0, 0, 1] [2, 4, 9] [1, 1, 1] : tensor<2x4x10xf32> to tensor<2x4x9xf32>
  %nm1 = linalg.generic {indexing_maps = [#bct, #c, #bct], iterator_types = ["parallel", "parallel", "parallel"]} ins(%nx1, %f1 : tensor<2x4x9xf32>, tensor<4xf32>) outs(%e3 : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    linalg.yield %p : f32
  } -> tensor<2x4x9xf32>
  %nc = linalg.add ins(%nm0, %nm1 : tensor<2x4x9xf32>, tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  %ns = linalg.reduce ins(%kv : tensor<2x4x9xf32>) outs(%i2 : tensor<2x4xf32>) dimensions = [2]
    (%a: f32, %o: f32) {
      %s = arith.addf %a, %o : f32
      linalg.yield %s : f32
    }
  %zp = tensor.pad %keys low[0, 0, 1] high[0, 0, 0] {
  ^bb0(%i: index, %j: index, %l: index):
    tensor.yield %zero : f32
  } : tensor<2x4x9xf32> to tensor<2x4x10xf32>
  %zx0 = tensor.extract_slice %zp[0, 0, 0] [2, 4, 9] [1, 1, 1] : tensor<2x4x10xf32> to tensor<2x4x9xf32>
  %zm0 = linalg.generic {indexing_maps = [#bct, #c, #bct], iterator_types = ["parallel", "parallel", "parallel"]} ins(%zx0, %f0 : tensor<2x4x9xf32>, tensor<4xf32>) outs(%e3 : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    linalg.yield %p : f32
  } -> tensor<2x4x9xf32>
  %zx1 = tensor.extract_slice %zp[0, 0, 1] [2, 4, 9] [1, 1, 1] : tensor<2x4x10xf32> to tensor<2x4x9xf32>
  %zm1 = linalg.generic {indexing_maps = [#bct, #c, #bct], iterator_types = ["parallel", "parallel", "parallel"]} ins(%zx1, %f1 : tensor<2x4x9xf32>, tensor<4xf32>) outs(%e3 : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    linalg.yield %p : f32
  } -> tensor<2x4x9xf32>
  %zc = linalg.add ins(%zm0, %zm1 : tensor<2x4x9xf32>, tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  %zs = linalg.reduce ins(%keys : tensor<2x4x9xf32>) outs(%i2 : tensor<2x4xf32>) dimensions = [2]
    (%a: f32, %o: f32) {
      %s = arith.addf %a, %o : f32
      linalg.yield %s : f32
    }
  // expected-remark @below {{not raised to a mixer: expected the denominator to be the weighted sum, found a clamp of it from above, which would change the result where it holds}}
  %y = linalg.generic {indexing_maps = [#bct, #bc, #bct, #bc, #bct], iterator_types = ["parallel", "parallel", "parallel"]} ins(%nc, %ns, %zc, %zs : tensor<2x4x9xf32>, tensor<2x4xf32>, tensor<2x4x9xf32>, tensor<2x4xf32>) outs(%e3 : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32, %d: f32, %o: f32):
    %n = arith.addf %a, %b : f32
    %u = arith.addf %c, %d : f32
    %b1 = arith.maximumf %u, %small : f32
    %z = arith.minimumf %b1, %one : f32
    %r = arith.divf %n, %z : f32
    linalg.yield %r : f32
  } -> tensor<2x4x9xf32>
  return %y : tensor<2x4x9xf32>
}

// -----

#bct = affine_map<(b, c, t) -> (b, c, t)>
#bc = affine_map<(b, c, t) -> (b, c)>
#c = affine_map<(b, c, t) -> (c)>

// Another function of the sum
// CHECK-LABEL: func.func @absolute(
// CHECK-NOT: aft.
// CHECK: return
// FAST-LABEL: func.func @absolute(
// FAST-NOT: aft.conv
// FAST: return
func.func @absolute(%k: tensor<2x4x9xf32>, %v: tensor<2x4x9xf32>, %w: tensor<4x2xf32>) -> tensor<2x4x9xf32> {
  %zero = arith.constant 0.0 : f32
  %one = arith.constant 1.0 : f32
  %e2 = tensor.empty() : tensor<2x4xf32>
  %e3 = tensor.empty() : tensor<2x4x9xf32>
  %ew = tensor.empty() : tensor<4x2xf32>
  %i2 = linalg.fill ins(%zero : f32) outs(%e2 : tensor<2x4xf32>) -> tensor<2x4xf32>
  %keys = linalg.exp ins(%k : tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<2x4x9xf32>, tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  %f = linalg.generic {indexing_maps = [affine_map<(c, j) -> (c, j)>, affine_map<(c, j) -> (c, j)>], iterator_types = ["parallel", "parallel"]} ins(%w : tensor<4x2xf32>) outs(%ew : tensor<4x2xf32>) {
  ^bb0(%a: f32, %o: f32):
    %x = math.exp %a : f32
    %y = arith.subf %x, %one : f32
    linalg.yield %y : f32
  } -> tensor<4x2xf32>
  %f0 = tensor.extract_slice %f[0, 0] [4, 1] [1, 1] : tensor<4x2xf32> to tensor<4xf32>
  %f1 = tensor.extract_slice %f[0, 1] [4, 1] [1, 1] : tensor<4x2xf32> to tensor<4xf32>
  %np = tensor.pad %kv low[0, 0, 1] high[0, 0, 0] {
  ^bb0(%i: index, %j: index, %l: index):
    tensor.yield %zero : f32
  } : tensor<2x4x9xf32> to tensor<2x4x10xf32>
  %nx0 = tensor.extract_slice %np[0, 0, 0] [2, 4, 9] [1, 1, 1] : tensor<2x4x10xf32> to tensor<2x4x9xf32>
  %nm0 = linalg.generic {indexing_maps = [#bct, #c, #bct], iterator_types = ["parallel", "parallel", "parallel"]} ins(%nx0, %f0 : tensor<2x4x9xf32>, tensor<4xf32>) outs(%e3 : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    linalg.yield %p : f32
  } -> tensor<2x4x9xf32>
  %nx1 = tensor.extract_slice %np[0, 0, 1] [2, 4, 9] [1, 1, 1] : tensor<2x4x10xf32> to tensor<2x4x9xf32>
  %nm1 = linalg.generic {indexing_maps = [#bct, #c, #bct], iterator_types = ["parallel", "parallel", "parallel"]} ins(%nx1, %f1 : tensor<2x4x9xf32>, tensor<4xf32>) outs(%e3 : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    linalg.yield %p : f32
  } -> tensor<2x4x9xf32>
  %nc = linalg.add ins(%nm0, %nm1 : tensor<2x4x9xf32>, tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  %ns = linalg.reduce ins(%kv : tensor<2x4x9xf32>) outs(%i2 : tensor<2x4xf32>) dimensions = [2]
    (%a: f32, %o: f32) {
      %s = arith.addf %a, %o : f32
      linalg.yield %s : f32
    }
  %zp = tensor.pad %keys low[0, 0, 1] high[0, 0, 0] {
  ^bb0(%i: index, %j: index, %l: index):
    tensor.yield %zero : f32
  } : tensor<2x4x9xf32> to tensor<2x4x10xf32>
  %zx0 = tensor.extract_slice %zp[0, 0, 0] [2, 4, 9] [1, 1, 1] : tensor<2x4x10xf32> to tensor<2x4x9xf32>
  %zm0 = linalg.generic {indexing_maps = [#bct, #c, #bct], iterator_types = ["parallel", "parallel", "parallel"]} ins(%zx0, %f0 : tensor<2x4x9xf32>, tensor<4xf32>) outs(%e3 : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    linalg.yield %p : f32
  } -> tensor<2x4x9xf32>
  %zx1 = tensor.extract_slice %zp[0, 0, 1] [2, 4, 9] [1, 1, 1] : tensor<2x4x10xf32> to tensor<2x4x9xf32>
  %zm1 = linalg.generic {indexing_maps = [#bct, #c, #bct], iterator_types = ["parallel", "parallel", "parallel"]} ins(%zx1, %f1 : tensor<2x4x9xf32>, tensor<4xf32>) outs(%e3 : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    linalg.yield %p : f32
  } -> tensor<2x4x9xf32>
  %zc = linalg.add ins(%zm0, %zm1 : tensor<2x4x9xf32>, tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  %zs = linalg.reduce ins(%keys : tensor<2x4x9xf32>) outs(%i2 : tensor<2x4xf32>) dimensions = [2]
    (%a: f32, %o: f32) {
      %s = arith.addf %a, %o : f32
      linalg.yield %s : f32
    }
  // expected-remark @below {{not raised to a mixer: expected the denominator to be the weighted sum, found math.absf of it}}
  %y = linalg.generic {indexing_maps = [#bct, #bc, #bct, #bc, #bct], iterator_types = ["parallel", "parallel", "parallel"]} ins(%nc, %ns, %zc, %zs : tensor<2x4x9xf32>, tensor<2x4xf32>, tensor<2x4x9xf32>, tensor<2x4xf32>) outs(%e3 : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32, %d: f32, %o: f32):
    %n = arith.addf %a, %b : f32
    %u = arith.addf %c, %d : f32
    %z = math.absf %u : f32
    %r = arith.divf %n, %z : f32
    linalg.yield %r : f32
  } -> tensor<2x4x9xf32>
  return %y : tensor<2x4x9xf32>
}
