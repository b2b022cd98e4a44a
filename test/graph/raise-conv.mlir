// RUN: aft-opt %s -split-input-file -aft-raise-mixers -canonicalize -cse | FileCheck %s
// RUN: aft-opt %s -split-input-file -aft-raise-mixers=remarks -verify-diagnostics -o /dev/null

// Depth-wise convolutions of exponentials, whose taps are added up.

#bct = affine_map<(b, c, t) -> (b, c, t)>
#bc = affine_map<(b, c, t) -> (b, c)>
#c = affine_map<(b, c, t) -> (c)>
#cj = affine_map<(c, j) -> (c, j)>
#bcts = affine_map<(b, c, t, s) -> (b, c, t)>
#bcs = affine_map<(b, c, t, s) -> (b, c, s)>

// conv(exp(k) v, exp(w) - 1) + sum(exp(k) v): keys outside of the filter have weight 1.
// CHECK-LABEL: func.func @centred(
// CHECK: aft.conv {{.*}} gate = none : (tensor<2x9x4xf32>, tensor<2x9x4xf32>, tensor<2x9x4xf32>, tensor<4x3xf32>) -> tensor<2x9x4xf32>
// CHECK: return
func.func @centred(%k: tensor<2x4x9xf32>, %v: tensor<2x4x9xf32>, %w: tensor<4x3xf32>) -> tensor<2x4x9xf32> {
  %zero = arith.constant 0.0 : f32
  %one = arith.constant 1.0 : f32
  %e2 = tensor.empty() : tensor<2x4xf32>
  %e3 = tensor.empty() : tensor<2x4x9xf32>
  %ew = tensor.empty() : tensor<4x3xf32>
  %i2 = linalg.fill ins(%zero : f32) outs(%e2 : tensor<2x4xf32>) -> tensor<2x4xf32>
  %i3 = linalg.fill ins(%zero : f32) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  %keys = linalg.exp ins(%k : tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<2x4x9xf32>, tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  %f = linalg.generic {indexing_maps = [#cj, #cj], iterator_types = ["parallel", "parallel"]} ins(%w : tensor<4x3xf32>) outs(%ew : tensor<4x3xf32>) {
  ^bb0(%a: f32, %o: f32):
    %x = math.exp %a : f32
    %y = arith.subf %x, %one : f32
    linalg.yield %y : f32
  } -> tensor<4x3xf32>
  %np = tensor.pad %kv low[0, 0, 1] high[0, 0, 1] {
  ^bb0(%i: index, %j: index, %l: index):
    tensor.yield %zero : f32
  } : tensor<2x4x9xf32> to tensor<2x4x11xf32>
  %nx0 = tensor.extract_slice %np[0, 0, 0] [2, 4, 9] [1, 1, 1] : tensor<2x4x11xf32> to tensor<2x4x9xf32>
  %nw0 = tensor.extract_slice %f[0, 0] [4, 1] [1, 1] : tensor<4x3xf32> to tensor<4xf32>
  %nm0 = linalg.generic {indexing_maps = [#bct, #c, #bct], iterator_types = ["parallel", "parallel", "parallel"]} ins(%nx0, %nw0 : tensor<2x4x9xf32>, tensor<4xf32>) outs(%e3 : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    linalg.yield %p : f32
  } -> tensor<2x4x9xf32>
  %nx1 = tensor.extract_slice %np[0, 0, 1] [2, 4, 9] [1, 1, 1] : tensor<2x4x11xf32> to tensor<2x4x9xf32>
  %nw1 = tensor.extract_slice %f[0, 1] [4, 1] [1, 1] : tensor<4x3xf32> to tensor<4xf32>
  %nm1 = linalg.generic {indexing_maps = [#bct, #c, #bct], iterator_types = ["parallel", "parallel", "parallel"]} ins(%nx1, %nw1 : tensor<2x4x9xf32>, tensor<4xf32>) outs(%e3 : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    linalg.yield %p : f32
  } -> tensor<2x4x9xf32>
  %ns1 = linalg.add ins(%nm0, %nm1 : tensor<2x4x9xf32>, tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  %nx2 = tensor.extract_slice %np[0, 0, 2] [2, 4, 9] [1, 1, 1] : tensor<2x4x11xf32> to tensor<2x4x9xf32>
  %nw2 = tensor.extract_slice %f[0, 2] [4, 1] [1, 1] : tensor<4x3xf32> to tensor<4xf32>
  %nm2 = linalg.generic {indexing_maps = [#bct, #c, #bct], iterator_types = ["parallel", "parallel", "parallel"]} ins(%nx2, %nw2 : tensor<2x4x9xf32>, tensor<4xf32>) outs(%e3 : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    linalg.yield %p : f32
  } -> tensor<2x4x9xf32>
  %ns2 = linalg.add ins(%ns1, %nm2 : tensor<2x4x9xf32>, tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  %zp = tensor.pad %keys low[0, 0, 1] high[0, 0, 1] {
  ^bb0(%i: index, %j: index, %l: index):
    tensor.yield %zero : f32
  } : tensor<2x4x9xf32> to tensor<2x4x11xf32>
  %zx0 = tensor.extract_slice %zp[0, 0, 0] [2, 4, 9] [1, 1, 1] : tensor<2x4x11xf32> to tensor<2x4x9xf32>
  %zw0 = tensor.extract_slice %f[0, 0] [4, 1] [1, 1] : tensor<4x3xf32> to tensor<4xf32>
  %zm0 = linalg.generic {indexing_maps = [#bct, #c, #bct], iterator_types = ["parallel", "parallel", "parallel"]} ins(%zx0, %zw0 : tensor<2x4x9xf32>, tensor<4xf32>) outs(%e3 : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    linalg.yield %p : f32
  } -> tensor<2x4x9xf32>
  %zx1 = tensor.extract_slice %zp[0, 0, 1] [2, 4, 9] [1, 1, 1] : tensor<2x4x11xf32> to tensor<2x4x9xf32>
  %zw1 = tensor.extract_slice %f[0, 1] [4, 1] [1, 1] : tensor<4x3xf32> to tensor<4xf32>
  %zm1 = linalg.generic {indexing_maps = [#bct, #c, #bct], iterator_types = ["parallel", "parallel", "parallel"]} ins(%zx1, %zw1 : tensor<2x4x9xf32>, tensor<4xf32>) outs(%e3 : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    linalg.yield %p : f32
  } -> tensor<2x4x9xf32>
  %zs1 = linalg.add ins(%zm0, %zm1 : tensor<2x4x9xf32>, tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  %zx2 = tensor.extract_slice %zp[0, 0, 2] [2, 4, 9] [1, 1, 1] : tensor<2x4x11xf32> to tensor<2x4x9xf32>
  %zw2 = tensor.extract_slice %f[0, 2] [4, 1] [1, 1] : tensor<4x3xf32> to tensor<4xf32>
  %zm2 = linalg.generic {indexing_maps = [#bct, #c, #bct], iterator_types = ["parallel", "parallel", "parallel"]} ins(%zx2, %zw2 : tensor<2x4x9xf32>, tensor<4xf32>) outs(%e3 : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    linalg.yield %p : f32
  } -> tensor<2x4x9xf32>
  %zs2 = linalg.add ins(%zs1, %zm2 : tensor<2x4x9xf32>, tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  %tn = linalg.reduce ins(%kv : tensor<2x4x9xf32>) outs(%i2 : tensor<2x4xf32>) dimensions = [2]
    (%a: f32, %o: f32) {
      %s = arith.addf %a, %o : f32
      linalg.yield %s : f32
    }
  %tz = linalg.reduce ins(%keys : tensor<2x4x9xf32>) outs(%i2 : tensor<2x4xf32>) dimensions = [2]
    (%a: f32, %o: f32) {
      %s = arith.addf %a, %o : f32
      linalg.yield %s : f32
    }
  %n = linalg.generic {indexing_maps = [#bct, #bc, #bct], iterator_types = ["parallel", "parallel", "parallel"]} ins(%ns2, %tn : tensor<2x4x9xf32>, tensor<2x4xf32>) outs(%e3 : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<2x4x9xf32>
  %z = linalg.generic {indexing_maps = [#bct, #bc, #bct], iterator_types = ["parallel", "parallel", "parallel"]} ins(%zs2, %tz : tensor<2x4x9xf32>, tensor<2x4xf32>) outs(%e3 : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<2x4x9xf32>
  // expected-remark @below {{raised to aft.conv}}
  %y = linalg.div ins(%n, %z : tensor<2x4x9xf32>, tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  return %y : tensor<2x4x9xf32>
}

// -----

#bct = affine_map<(b, c, t) -> (b, c, t)>
#bc = affine_map<(b, c, t) -> (b, c)>
#c = affine_map<(b, c, t) -> (c)>
#cj = affine_map<(c, j) -> (c, j)>
#bcts = affine_map<(b, c, t, s) -> (b, c, t)>
#bcs = affine_map<(b, c, t, s) -> (b, c, s)>

// The filter lies before each query, and the sum runs up to it.
// CHECK-LABEL: func.func @causal(
// CHECK: aft.conv {{.*}} causal gate = none : (tensor<2x9x4xf32>, tensor<2x9x4xf32>, tensor<2x9x4xf32>, tensor<4x3xf32>)
// CHECK: return
func.func @causal(%k: tensor<2x4x9xf32>, %v: tensor<2x4x9xf32>, %w: tensor<4x3xf32>) -> tensor<2x4x9xf32> {
  %zero = arith.constant 0.0 : f32
  %one = arith.constant 1.0 : f32
  %e2 = tensor.empty() : tensor<2x4xf32>
  %e3 = tensor.empty() : tensor<2x4x9xf32>
  %ew = tensor.empty() : tensor<4x3xf32>
  %i2 = linalg.fill ins(%zero : f32) outs(%e2 : tensor<2x4xf32>) -> tensor<2x4xf32>
  %i3 = linalg.fill ins(%zero : f32) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  %keys = linalg.exp ins(%k : tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<2x4x9xf32>, tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  %f = linalg.generic {indexing_maps = [#cj, #cj], iterator_types = ["parallel", "parallel"]} ins(%w : tensor<4x3xf32>) outs(%ew : tensor<4x3xf32>) {
  ^bb0(%a: f32, %o: f32):
    %x = math.exp %a : f32
    %y = arith.subf %x, %one : f32
    linalg.yield %y : f32
  } -> tensor<4x3xf32>
  %np = tensor.pad %kv low[0, 0, 2] high[0, 0, 0] {
  ^bb0(%i: index, %j: index, %l: index):
    tensor.yield %zero : f32
  } : tensor<2x4x9xf32> to tensor<2x4x11xf32>
  %nx0 = tensor.extract_slice %np[0, 0, 0] [2, 4, 9] [1, 1, 1] : tensor<2x4x11xf32> to tensor<2x4x9xf32>
  %nw0 = tensor.extract_slice %f[0, 0] [4, 1] [1, 1] : tensor<4x3xf32> to tensor<4xf32>
  %nm0 = linalg.generic {indexing_maps = [#bct, #c, #bct], iterator_types = ["parallel", "parallel", "parallel"]} ins(%nx0, %nw0 : tensor<2x4x9xf32>, tensor<4xf32>) outs(%e3 : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    linalg.yield %p : f32
  } -> tensor<2x4x9xf32>
  %nx1 = tensor.extract_slice %np[0, 0, 1] [2, 4, 9] [1, 1, 1] : tensor<2x4x11xf32> to tensor<2x4x9xf32>
  %nw1 = tensor.extract_slice %f[0, 1] [4, 1] [1, 1] : tensor<4x3xf32> to tensor<4xf32>
  %nm1 = linalg.generic {indexing_maps = [#bct, #c, #bct], iterator_types = ["parallel", "parallel", "parallel"]} ins(%nx1, %nw1 : tensor<2x4x9xf32>, tensor<4xf32>) outs(%e3 : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    linalg.yield %p : f32
  } -> tensor<2x4x9xf32>
  %ns1 = linalg.add ins(%nm0, %nm1 : tensor<2x4x9xf32>, tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  %nx2 = tensor.extract_slice %np[0, 0, 2] [2, 4, 9] [1, 1, 1] : tensor<2x4x11xf32> to tensor<2x4x9xf32>
  %nw2 = tensor.extract_slice %f[0, 2] [4, 1] [1, 1] : tensor<4x3xf32> to tensor<4xf32>
  %nm2 = linalg.generic {indexing_maps = [#bct, #c, #bct], iterator_types = ["parallel", "parallel", "parallel"]} ins(%nx2, %nw2 : tensor<2x4x9xf32>, tensor<4xf32>) outs(%e3 : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    linalg.yield %p : f32
  } -> tensor<2x4x9xf32>
  %ns2 = linalg.add ins(%ns1, %nm2 : tensor<2x4x9xf32>, tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  %zp = tensor.pad %keys low[0, 0, 2] high[0, 0, 0] {
  ^bb0(%i: index, %j: index, %l: index):
    tensor.yield %zero : f32
  } : tensor<2x4x9xf32> to tensor<2x4x11xf32>
  %zx0 = tensor.extract_slice %zp[0, 0, 0] [2, 4, 9] [1, 1, 1] : tensor<2x4x11xf32> to tensor<2x4x9xf32>
  %zw0 = tensor.extract_slice %f[0, 0] [4, 1] [1, 1] : tensor<4x3xf32> to tensor<4xf32>
  %zm0 = linalg.generic {indexing_maps = [#bct, #c, #bct], iterator_types = ["parallel", "parallel", "parallel"]} ins(%zx0, %zw0 : tensor<2x4x9xf32>, tensor<4xf32>) outs(%e3 : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    linalg.yield %p : f32
  } -> tensor<2x4x9xf32>
  %zx1 = tensor.extract_slice %zp[0, 0, 1] [2, 4, 9] [1, 1, 1] : tensor<2x4x11xf32> to tensor<2x4x9xf32>
  %zw1 = tensor.extract_slice %f[0, 1] [4, 1] [1, 1] : tensor<4x3xf32> to tensor<4xf32>
  %zm1 = linalg.generic {indexing_maps = [#bct, #c, #bct], iterator_types = ["parallel", "parallel", "parallel"]} ins(%zx1, %zw1 : tensor<2x4x9xf32>, tensor<4xf32>) outs(%e3 : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    linalg.yield %p : f32
  } -> tensor<2x4x9xf32>
  %zs1 = linalg.add ins(%zm0, %zm1 : tensor<2x4x9xf32>, tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  %zx2 = tensor.extract_slice %zp[0, 0, 2] [2, 4, 9] [1, 1, 1] : tensor<2x4x11xf32> to tensor<2x4x9xf32>
  %zw2 = tensor.extract_slice %f[0, 2] [4, 1] [1, 1] : tensor<4x3xf32> to tensor<4xf32>
  %zm2 = linalg.generic {indexing_maps = [#bct, #c, #bct], iterator_types = ["parallel", "parallel", "parallel"]} ins(%zx2, %zw2 : tensor<2x4x9xf32>, tensor<4xf32>) outs(%e3 : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    linalg.yield %p : f32
  } -> tensor<2x4x9xf32>
  %zs2 = linalg.add ins(%zs1, %zm2 : tensor<2x4x9xf32>, tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  %tn = linalg.generic {indexing_maps = [#bcs, #bcts], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%kv : tensor<2x4x9xf32>) outs(%i3 : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = linalg.index 2 : index
    %s = linalg.index 3 : index
    %c = arith.cmpi ule, %s, %t : index
    %x = arith.select %c, %a, %zero : f32
    %r = arith.addf %o, %x : f32
    linalg.yield %r : f32
  } -> tensor<2x4x9xf32>
  %tz = linalg.generic {indexing_maps = [#bcs, #bcts], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%keys : tensor<2x4x9xf32>) outs(%i3 : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = linalg.index 2 : index
    %s = linalg.index 3 : index
    %c = arith.cmpi ule, %s, %t : index
    %x = arith.select %c, %a, %zero : f32
    %r = arith.addf %o, %x : f32
    linalg.yield %r : f32
  } -> tensor<2x4x9xf32>
  %n = linalg.generic {indexing_maps = [#bct, #bct, #bct], iterator_types = ["parallel", "parallel", "parallel"]} ins(%ns2, %tn : tensor<2x4x9xf32>, tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<2x4x9xf32>
  %z = linalg.generic {indexing_maps = [#bct, #bct, #bct], iterator_types = ["parallel", "parallel", "parallel"]} ins(%zs2, %tz : tensor<2x4x9xf32>, tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<2x4x9xf32>
  // expected-remark @below {{raised to aft.conv}}
  %y = linalg.div ins(%n, %z : tensor<2x4x9xf32>, tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  return %y : tensor<2x4x9xf32>
}

// -----

#bct = affine_map<(b, c, t) -> (b, c, t)>
#bc = affine_map<(b, c, t) -> (b, c)>
#c = affine_map<(b, c, t) -> (c)>
#cj = affine_map<(c, j) -> (c, j)>
#bcts = affine_map<(b, c, t, s) -> (b, c, t)>
#bcs = affine_map<(b, c, t, s) -> (b, c, s)>

// The filter lies before each query, but all keys are visible: taps behind it are 0.
// CHECK-LABEL: func.func @to_the_left(
// CHECK: tensor.pad {{.*}} low[0, 0] high[0, 2]
// CHECK: aft.conv {{.*}} gate = none : (tensor<2x9x4xf32>, tensor<2x9x4xf32>, tensor<2x9x4xf32>, tensor<4x5xf32>)
// CHECK: return
func.func @to_the_left(%k: tensor<2x4x9xf32>, %v: tensor<2x4x9xf32>, %w: tensor<4x3xf32>) -> tensor<2x4x9xf32> {
  %zero = arith.constant 0.0 : f32
  %one = arith.constant 1.0 : f32
  %e2 = tensor.empty() : tensor<2x4xf32>
  %e3 = tensor.empty() : tensor<2x4x9xf32>
  %ew = tensor.empty() : tensor<4x3xf32>
  %i2 = linalg.fill ins(%zero : f32) outs(%e2 : tensor<2x4xf32>) -> tensor<2x4xf32>
  %i3 = linalg.fill ins(%zero : f32) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  %keys = linalg.exp ins(%k : tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<2x4x9xf32>, tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  %f = linalg.generic {indexing_maps = [#cj, #cj], iterator_types = ["parallel", "parallel"]} ins(%w : tensor<4x3xf32>) outs(%ew : tensor<4x3xf32>) {
  ^bb0(%a: f32, %o: f32):
    %x = math.exp %a : f32
    %y = arith.subf %x, %one : f32
    linalg.yield %y : f32
  } -> tensor<4x3xf32>
  %np = tensor.pad %kv low[0, 0, 2] high[0, 0, 0] {
  ^bb0(%i: index, %j: index, %l: index):
    tensor.yield %zero : f32
  } : tensor<2x4x9xf32> to tensor<2x4x11xf32>
  %nx0 = tensor.extract_slice %np[0, 0, 0] [2, 4, 9] [1, 1, 1] : tensor<2x4x11xf32> to tensor<2x4x9xf32>
  %nw0 = tensor.extract_slice %f[0, 0] [4, 1] [1, 1] : tensor<4x3xf32> to tensor<4xf32>
  %nm0 = linalg.generic {indexing_maps = [#bct, #c, #bct], iterator_types = ["parallel", "parallel", "parallel"]} ins(%nx0, %nw0 : tensor<2x4x9xf32>, tensor<4xf32>) outs(%e3 : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    linalg.yield %p : f32
  } -> tensor<2x4x9xf32>
  %nx1 = tensor.extract_slice %np[0, 0, 1] [2, 4, 9] [1, 1, 1] : tensor<2x4x11xf32> to tensor<2x4x9xf32>
  %nw1 = tensor.extract_slice %f[0, 1] [4, 1] [1, 1] : tensor<4x3xf32> to tensor<4xf32>
  %nm1 = linalg.generic {indexing_maps = [#bct, #c, #bct], iterator_types = ["parallel", "parallel", "parallel"]} ins(%nx1, %nw1 : tensor<2x4x9xf32>, tensor<4xf32>) outs(%e3 : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    linalg.yield %p : f32
  } -> tensor<2x4x9xf32>
  %ns1 = linalg.add ins(%nm0, %nm1 : tensor<2x4x9xf32>, tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  %nx2 = tensor.extract_slice %np[0, 0, 2] [2, 4, 9] [1, 1, 1] : tensor<2x4x11xf32> to tensor<2x4x9xf32>
  %nw2 = tensor.extract_slice %f[0, 2] [4, 1] [1, 1] : tensor<4x3xf32> to tensor<4xf32>
  %nm2 = linalg.generic {indexing_maps = [#bct, #c, #bct], iterator_types = ["parallel", "parallel", "parallel"]} ins(%nx2, %nw2 : tensor<2x4x9xf32>, tensor<4xf32>) outs(%e3 : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    linalg.yield %p : f32
  } -> tensor<2x4x9xf32>
  %ns2 = linalg.add ins(%ns1, %nm2 : tensor<2x4x9xf32>, tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  %zp = tensor.pad %keys low[0, 0, 2] high[0, 0, 0] {
  ^bb0(%i: index, %j: index, %l: index):
    tensor.yield %zero : f32
  } : tensor<2x4x9xf32> to tensor<2x4x11xf32>
  %zx0 = tensor.extract_slice %zp[0, 0, 0] [2, 4, 9] [1, 1, 1] : tensor<2x4x11xf32> to tensor<2x4x9xf32>
  %zw0 = tensor.extract_slice %f[0, 0] [4, 1] [1, 1] : tensor<4x3xf32> to tensor<4xf32>
  %zm0 = linalg.generic {indexing_maps = [#bct, #c, #bct], iterator_types = ["parallel", "parallel", "parallel"]} ins(%zx0, %zw0 : tensor<2x4x9xf32>, tensor<4xf32>) outs(%e3 : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    linalg.yield %p : f32
  } -> tensor<2x4x9xf32>
  %zx1 = tensor.extract_slice %zp[0, 0, 1] [2, 4, 9] [1, 1, 1] : tensor<2x4x11xf32> to tensor<2x4x9xf32>
  %zw1 = tensor.extract_slice %f[0, 1] [4, 1] [1, 1] : tensor<4x3xf32> to tensor<4xf32>
  %zm1 = linalg.generic {indexing_maps = [#bct, #c, #bct], iterator_types = ["parallel", "parallel", "parallel"]} ins(%zx1, %zw1 : tensor<2x4x9xf32>, tensor<4xf32>) outs(%e3 : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    linalg.yield %p : f32
  } -> tensor<2x4x9xf32>
  %zs1 = linalg.add ins(%zm0, %zm1 : tensor<2x4x9xf32>, tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  %zx2 = tensor.extract_slice %zp[0, 0, 2] [2, 4, 9] [1, 1, 1] : tensor<2x4x11xf32> to tensor<2x4x9xf32>
  %zw2 = tensor.extract_slice %f[0, 2] [4, 1] [1, 1] : tensor<4x3xf32> to tensor<4xf32>
  %zm2 = linalg.generic {indexing_maps = [#bct, #c, #bct], iterator_types = ["parallel", "parallel", "parallel"]} ins(%zx2, %zw2 : tensor<2x4x9xf32>, tensor<4xf32>) outs(%e3 : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    linalg.yield %p : f32
  } -> tensor<2x4x9xf32>
  %zs2 = linalg.add ins(%zs1, %zm2 : tensor<2x4x9xf32>, tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  %tn = linalg.reduce ins(%kv : tensor<2x4x9xf32>) outs(%i2 : tensor<2x4xf32>) dimensions = [2]
    (%a: f32, %o: f32) {
      %s = arith.addf %a, %o : f32
      linalg.yield %s : f32
    }
  %tz = linalg.reduce ins(%keys : tensor<2x4x9xf32>) outs(%i2 : tensor<2x4xf32>) dimensions = [2]
    (%a: f32, %o: f32) {
      %s = arith.addf %a, %o : f32
      linalg.yield %s : f32
    }
  %n = linalg.generic {indexing_maps = [#bct, #bc, #bct], iterator_types = ["parallel", "parallel", "parallel"]} ins(%ns2, %tn : tensor<2x4x9xf32>, tensor<2x4xf32>) outs(%e3 : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<2x4x9xf32>
  %z = linalg.generic {indexing_maps = [#bct, #bc, #bct], iterator_types = ["parallel", "parallel", "parallel"]} ins(%zs2, %tz : tensor<2x4x9xf32>, tensor<2x4xf32>) outs(%e3 : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<2x4x9xf32>
  // expected-remark @below {{raised to aft.conv}}
  %y = linalg.div ins(%n, %z : tensor<2x4x9xf32>, tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  return %y : tensor<2x4x9xf32>
}

// -----

#bct = affine_map<(b, c, t) -> (b, c, t)>
#bc = affine_map<(b, c, t) -> (b, c)>
#c = affine_map<(b, c, t) -> (c)>
#cj = affine_map<(c, j) -> (c, j)>
#bcts = affine_map<(b, c, t, s) -> (b, c, t)>
#bcs = affine_map<(b, c, t, s) -> (b, c, s)>

// Two taps: the one before, and the one at the query.
// CHECK-LABEL: func.func @even(
// CHECK: tensor.pad {{.*}} low[0, 0] high[0, 1]
// CHECK: aft.conv {{.*}} tensor<4x3xf32>)
// CHECK: return
func.func @even(%k: tensor<2x4x9xf32>, %v: tensor<2x4x9xf32>, %w: tensor<4x2xf32>) -> tensor<2x4x9xf32> {
  %zero = arith.constant 0.0 : f32
  %one = arith.constant 1.0 : f32
  %e2 = tensor.empty() : tensor<2x4xf32>
  %e3 = tensor.empty() : tensor<2x4x9xf32>
  %ew = tensor.empty() : tensor<4x2xf32>
  %i2 = linalg.fill ins(%zero : f32) outs(%e2 : tensor<2x4xf32>) -> tensor<2x4xf32>
  %i3 = linalg.fill ins(%zero : f32) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  %keys = linalg.exp ins(%k : tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<2x4x9xf32>, tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  %f = linalg.generic {indexing_maps = [#cj, #cj], iterator_types = ["parallel", "parallel"]} ins(%w : tensor<4x2xf32>) outs(%ew : tensor<4x2xf32>) {
  ^bb0(%a: f32, %o: f32):
    %x = math.exp %a : f32
    %y = arith.subf %x, %one : f32
    linalg.yield %y : f32
  } -> tensor<4x2xf32>
  %np = tensor.pad %kv low[0, 0, 1] high[0, 0, 0] {
  ^bb0(%i: index, %j: index, %l: index):
    tensor.yield %zero : f32
  } : tensor<2x4x9xf32> to tensor<2x4x10xf32>
  %nx0 = tensor.extract_slice %np[0, 0, 0] [2, 4, 9] [1, 1, 1] : tensor<2x4x10xf32> to tensor<2x4x9xf32>
  %nw0 = tensor.extract_slice %f[0, 0] [4, 1] [1, 1] : tensor<4x2xf32> to tensor<4xf32>
  %nm0 = linalg.generic {indexing_maps = [#bct, #c, #bct], iterator_types = ["parallel", "parallel", "parallel"]} ins(%nx0, %nw0 : tensor<2x4x9xf32>, tensor<4xf32>) outs(%e3 : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    linalg.yield %p : f32
  } -> tensor<2x4x9xf32>
  %nx1 = tensor.extract_slice %np[0, 0, 1] [2, 4, 9] [1, 1, 1] : tensor<2x4x10xf32> to tensor<2x4x9xf32>
  %nw1 = tensor.extract_slice %f[0, 1] [4, 1] [1, 1] : tensor<4x2xf32> to tensor<4xf32>
  %nm1 = linalg.generic {indexing_maps = [#bct, #c, #bct], iterator_types = ["parallel", "parallel", "parallel"]} ins(%nx1, %nw1 : tensor<2x4x9xf32>, tensor<4xf32>) outs(%e3 : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    linalg.yield %p : f32
  } -> tensor<2x4x9xf32>
  %ns1 = linalg.add ins(%nm0, %nm1 : tensor<2x4x9xf32>, tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  %zp = tensor.pad %keys low[0, 0, 1] high[0, 0, 0] {
  ^bb0(%i: index, %j: index, %l: index):
    tensor.yield %zero : f32
  } : tensor<2x4x9xf32> to tensor<2x4x10xf32>
  %zx0 = tensor.extract_slice %zp[0, 0, 0] [2, 4, 9] [1, 1, 1] : tensor<2x4x10xf32> to tensor<2x4x9xf32>
  %zw0 = tensor.extract_slice %f[0, 0] [4, 1] [1, 1] : tensor<4x2xf32> to tensor<4xf32>
  %zm0 = linalg.generic {indexing_maps = [#bct, #c, #bct], iterator_types = ["parallel", "parallel", "parallel"]} ins(%zx0, %zw0 : tensor<2x4x9xf32>, tensor<4xf32>) outs(%e3 : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    linalg.yield %p : f32
  } -> tensor<2x4x9xf32>
  %zx1 = tensor.extract_slice %zp[0, 0, 1] [2, 4, 9] [1, 1, 1] : tensor<2x4x10xf32> to tensor<2x4x9xf32>
  %zw1 = tensor.extract_slice %f[0, 1] [4, 1] [1, 1] : tensor<4x2xf32> to tensor<4xf32>
  %zm1 = linalg.generic {indexing_maps = [#bct, #c, #bct], iterator_types = ["parallel", "parallel", "parallel"]} ins(%zx1, %zw1 : tensor<2x4x9xf32>, tensor<4xf32>) outs(%e3 : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    linalg.yield %p : f32
  } -> tensor<2x4x9xf32>
  %zs1 = linalg.add ins(%zm0, %zm1 : tensor<2x4x9xf32>, tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  %tn = linalg.reduce ins(%kv : tensor<2x4x9xf32>) outs(%i2 : tensor<2x4xf32>) dimensions = [2]
    (%a: f32, %o: f32) {
      %s = arith.addf %a, %o : f32
      linalg.yield %s : f32
    }
  %tz = linalg.reduce ins(%keys : tensor<2x4x9xf32>) outs(%i2 : tensor<2x4xf32>) dimensions = [2]
    (%a: f32, %o: f32) {
      %s = arith.addf %a, %o : f32
      linalg.yield %s : f32
    }
  %n = linalg.generic {indexing_maps = [#bct, #bc, #bct], iterator_types = ["parallel", "parallel", "parallel"]} ins(%ns1, %tn : tensor<2x4x9xf32>, tensor<2x4xf32>) outs(%e3 : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<2x4x9xf32>
  %z = linalg.generic {indexing_maps = [#bct, #bc, #bct], iterator_types = ["parallel", "parallel", "parallel"]} ins(%zs1, %tz : tensor<2x4x9xf32>, tensor<2x4xf32>) outs(%e3 : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<2x4x9xf32>
  // expected-remark @below {{raised to aft.conv}}
  %y = linalg.div ins(%n, %z : tensor<2x4x9xf32>, tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  return %y : tensor<2x4x9xf32>
}
