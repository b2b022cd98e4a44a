// RUN: aft-opt %s -split-input-file -aft-raise-mixers -canonicalize -cse | FileCheck %s
// RUN: aft-opt %s -split-input-file -aft-raise-mixers=remarks -verify-diagnostics -o /dev/null

// What looks like aft.conv and is not.

#bct = affine_map<(b, c, t) -> (b, c, t)>
#bc = affine_map<(b, c, t) -> (b, c)>
#c = affine_map<(b, c, t) -> (c)>
#cj = affine_map<(c, j) -> (c, j)>
#bcts = affine_map<(b, c, t, s) -> (b, c, t)>
#bcs = affine_map<(b, c, t, s) -> (b, c, s)>

// Without the sum, keys outside of the filter are hidden; aft.conv sees them.
// CHECK-LABEL: func.func @hidden(
// CHECK-NOT: aft.
// CHECK: return
func.func @hidden(%k: tensor<2x4x9xf32>, %v: tensor<2x4x9xf32>, %w: tensor<4x3xf32>) -> tensor<2x4x9xf32> {
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
    linalg.yield %x : f32
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
  // expected-remark @below {{not raised to a mixer: keys outside of a filter are hidden, which aft.conv does not do}}
  %y = linalg.div ins(%ns2, %zs2 : tensor<2x4x9xf32>, tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  return %y : tensor<2x4x9xf32>
}

// -----

#bct = affine_map<(b, c, t) -> (b, c, t)>
#bc = affine_map<(b, c, t) -> (b, c)>
#c = affine_map<(b, c, t) -> (c)>
#cj = affine_map<(c, j) -> (c, j)>
#bcts = affine_map<(b, c, t, s) -> (b, c, t)>
#bcs = affine_map<(b, c, t, s) -> (b, c, s)>

// exp(w), not exp(w) - 1, beside the sum: keys in the filter count twice.
// CHECK-LABEL: func.func @not_exponential(
// CHECK-NOT: aft.
// CHECK: return
func.func @not_exponential(%k: tensor<2x4x9xf32>, %v: tensor<2x4x9xf32>, %w: tensor<4x3xf32>) -> tensor<2x4x9xf32> {
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
    linalg.yield %x : f32
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

// Another filter below.
// CHECK-LABEL: func.func @other_filter(
// CHECK-NOT: aft.
// CHECK: return
func.func @other_filter(%k: tensor<2x4x9xf32>, %v: tensor<2x4x9xf32>, %w: tensor<4x3xf32>, %u: tensor<4x3xf32>) -> tensor<2x4x9xf32> {
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
  %g = linalg.generic {indexing_maps = [#cj, #cj], iterator_types = ["parallel", "parallel"]} ins(%u : tensor<4x3xf32>) outs(%ew : tensor<4x3xf32>) {
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
  %zw0 = tensor.extract_slice %g[0, 0] [4, 1] [1, 1] : tensor<4x3xf32> to tensor<4xf32>
  %zm0 = linalg.generic {indexing_maps = [#bct, #c, #bct], iterator_types = ["parallel", "parallel", "parallel"]} ins(%zx0, %zw0 : tensor<2x4x9xf32>, tensor<4xf32>) outs(%e3 : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    linalg.yield %p : f32
  } -> tensor<2x4x9xf32>
  %zx1 = tensor.extract_slice %zp[0, 0, 1] [2, 4, 9] [1, 1, 1] : tensor<2x4x11xf32> to tensor<2x4x9xf32>
  %zw1 = tensor.extract_slice %g[0, 1] [4, 1] [1, 1] : tensor<4x3xf32> to tensor<4xf32>
  %zm1 = linalg.generic {indexing_maps = [#bct, #c, #bct], iterator_types = ["parallel", "parallel", "parallel"]} ins(%zx1, %zw1 : tensor<2x4x9xf32>, tensor<4xf32>) outs(%e3 : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    linalg.yield %p : f32
  } -> tensor<2x4x9xf32>
  %zs1 = linalg.add ins(%zm0, %zm1 : tensor<2x4x9xf32>, tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  %zx2 = tensor.extract_slice %zp[0, 0, 2] [2, 4, 9] [1, 1, 1] : tensor<2x4x11xf32> to tensor<2x4x9xf32>
  %zw2 = tensor.extract_slice %g[0, 2] [4, 1] [1, 1] : tensor<4x3xf32> to tensor<4xf32>
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
  // expected-remark @below {{not raised to a mixer: numerator and denominator have different weights}}
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

// All keys above, those up to the query below.
// CHECK-LABEL: func.func @sums_differ(
// CHECK-NOT: aft.
// CHECK: return
func.func @sums_differ(%k: tensor<2x4x9xf32>, %v: tensor<2x4x9xf32>, %w: tensor<4x3xf32>) -> tensor<2x4x9xf32> {
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
  %tz = linalg.generic {indexing_maps = [#bcs, #bcts], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%keys : tensor<2x4x9xf32>) outs(%i3 : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = linalg.index 2 : index
    %s = linalg.index 3 : index
    %c = arith.cmpi ule, %s, %t : index
    %x = arith.select %c, %a, %zero : f32
    %r = arith.addf %o, %x : f32
    linalg.yield %r : f32
  } -> tensor<2x4x9xf32>
  %n = linalg.generic {indexing_maps = [#bct, #bc, #bct], iterator_types = ["parallel", "parallel", "parallel"]} ins(%ns2, %tn : tensor<2x4x9xf32>, tensor<2x4xf32>) outs(%e3 : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<2x4x9xf32>
  %z = linalg.generic {indexing_maps = [#bct, #bct, #bct], iterator_types = ["parallel", "parallel", "parallel"]} ins(%zs2, %tz : tensor<2x4x9xf32>, tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<2x4x9xf32>
  // expected-remark @below {{not raised to a mixer: numerator and denominator are masked differently}}
  %y = linalg.div ins(%n, %z : tensor<2x4x9xf32>, tensor<2x4x9xf32>) outs(%e3 : tensor<2x4x9xf32>) -> tensor<2x4x9xf32>
  return %y : tensor<2x4x9xf32>
}
