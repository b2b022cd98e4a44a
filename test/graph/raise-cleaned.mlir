// RUN: aft-opt %s -split-input-file -aft-raise-mixers -canonicalize -cse | FileCheck %s
// RUN: aft-opt %s -split-input-file -aft-raise-mixers=remarks -verify-diagnostics -o /dev/null

// Weights behind nan_to_num, as retention has them.

#xy = affine_map<(x, y) -> (x, y)>
#x = affine_map<(x, y) -> (x)>

// The exponent, -inf where it is NaN and bounded as the weights are.
// CHECK-LABEL: func.func @cleaned(
// CHECK-DAG: %[[LOW:.*]] = arith.constant 0xFF800000 : f32
// CHECK-DAG: %[[BOUND:.*]] = arith.constant 88.7228394 : f32
// CHECK: %[[INNER:.*]] = arith.select %{{.*}}, %[[BOUND]], %{{.*}} : f32
// CHECK: arith.select %{{.*}}, %[[INNER]], %[[LOW]] : f32
// CHECK: aft.full
// CHECK: return
func.func @cleaned(%k: tensor<9x4xf32>, %v: tensor<9x4xf32>, %w: tensor<9x9xf32>) -> tensor<9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %one = arith.constant 1.0 : f32
  %inf = arith.constant 0x7F800000 : f32
  %low = arith.constant 0xFF800000 : f32
  %most = arith.constant 3.40282347E+38 : f32
  %least = arith.constant -3.40282347E+38 : f32
  %e = tensor.empty() : tensor<9x4xf32>
  %ew = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<9x4xf32>) -> tensor<9x4xf32>
  %power = linalg.exp ins(%w : tensor<9x9xf32>) outs(%ew : tensor<9x9xf32>) -> tensor<9x9xf32>
  %clean = linalg.generic {indexing_maps = [#xy, #xy], iterator_types = ["parallel", "parallel"]} ins(%power : tensor<9x9xf32>) outs(%ew : tensor<9x9xf32>) {
  ^bb0(%a: f32, %o: f32):
    %number = arith.cmpf oeq, %a, %a : f32
    %high = arith.cmpf oeq, %a, %inf : f32
    %lowest = arith.cmpf oeq, %a, %low : f32
    %b = arith.select %high, %most, %a : f32
    %c = arith.select %lowest, %least, %b : f32
    %r = arith.select %number, %c, %zero : f32
    linalg.yield %r : f32
  } -> tensor<9x9xf32>
  %keys = linalg.exp ins(%k : tensor<9x4xf32>) outs(%e : tensor<9x4xf32>) -> tensor<9x4xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e : tensor<9x4xf32>) -> tensor<9x4xf32>
  %n = linalg.matmul ins(%clean, %kv : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  %z = linalg.matmul ins(%clean, %keys : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  // expected-remark @below {{raised to aft.full}}
  %y = linalg.div ins(%n, %z : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e : tensor<9x4xf32>) -> tensor<9x4xf32>
  return %y : tensor<9x4xf32>
}

// -----

#xy = affine_map<(x, y) -> (x, y)>
#x = affine_map<(x, y) -> (x)>

// The same from inside out, by what is no number.
// CHECK-LABEL: func.func @inside_out(
// CHECK: arith.cmpf une
// CHECK: aft.full
// CHECK: return
func.func @inside_out(%k: tensor<9x4xf32>, %v: tensor<9x4xf32>, %w: tensor<9x9xf32>) -> tensor<9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %one = arith.constant 1.0 : f32
  %inf = arith.constant 0x7F800000 : f32
  %low = arith.constant 0xFF800000 : f32
  %most = arith.constant 3.40282347E+38 : f32
  %least = arith.constant -3.40282347E+38 : f32
  %e = tensor.empty() : tensor<9x4xf32>
  %ew = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<9x4xf32>) -> tensor<9x4xf32>
  %power = linalg.exp ins(%w : tensor<9x9xf32>) outs(%ew : tensor<9x9xf32>) -> tensor<9x9xf32>
  %clean = linalg.generic {indexing_maps = [#xy, #xy], iterator_types = ["parallel", "parallel"]} ins(%power : tensor<9x9xf32>) outs(%ew : tensor<9x9xf32>) {
  ^bb0(%a: f32, %o: f32):
    %nan = arith.cmpf une, %a, %a : f32
    %high = arith.cmpf oeq, %a, %inf : f32
    %lowest = arith.cmpf oeq, %a, %low : f32
    %b = arith.select %nan, %zero, %a : f32
    %c = arith.select %lowest, %least, %b : f32
    %r = arith.select %high, %most, %c : f32
    linalg.yield %r : f32
  } -> tensor<9x9xf32>
  %keys = linalg.exp ins(%k : tensor<9x4xf32>) outs(%e : tensor<9x4xf32>) -> tensor<9x4xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e : tensor<9x4xf32>) -> tensor<9x4xf32>
  %n = linalg.matmul ins(%clean, %kv : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  %z = linalg.matmul ins(%clean, %keys : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  // expected-remark @below {{raised to aft.full}}
  %y = linalg.div ins(%n, %z : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e : tensor<9x4xf32>) -> tensor<9x4xf32>
  return %y : tensor<9x4xf32>
}

// -----

#xy = affine_map<(x, y) -> (x, y)>
#x = affine_map<(x, y) -> (x)>

// Divided by the root of each row's sum, which cancels.
// CHECK-LABEL: func.func @scaled(
// CHECK-NOT: math.sqrt
// CHECK: aft.full
// CHECK-NOT: math.sqrt
// CHECK: return
func.func @scaled(%k: tensor<9x4xf32>, %v: tensor<9x4xf32>, %w: tensor<9x9xf32>) -> tensor<9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %one = arith.constant 1.0 : f32
  %inf = arith.constant 0x7F800000 : f32
  %low = arith.constant 0xFF800000 : f32
  %most = arith.constant 3.40282347E+38 : f32
  %least = arith.constant -3.40282347E+38 : f32
  %e = tensor.empty() : tensor<9x4xf32>
  %ew = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<9x4xf32>) -> tensor<9x4xf32>
  %power = linalg.exp ins(%w : tensor<9x9xf32>) outs(%ew : tensor<9x9xf32>) -> tensor<9x9xf32>
  %clean = linalg.generic {indexing_maps = [#xy, #xy], iterator_types = ["parallel", "parallel"]} ins(%power : tensor<9x9xf32>) outs(%ew : tensor<9x9xf32>) {
  ^bb0(%a: f32, %o: f32):
    %number = arith.cmpf oeq, %a, %a : f32
    %high = arith.cmpf oeq, %a, %inf : f32
    %lowest = arith.cmpf oeq, %a, %low : f32
    %b = arith.select %high, %most, %a : f32
    %c = arith.select %lowest, %least, %b : f32
    %r = arith.select %number, %c, %zero : f32
    linalg.yield %r : f32
  } -> tensor<9x9xf32>
  %er = tensor.empty() : tensor<9xf32>
  %none = linalg.fill ins(%zero : f32) outs(%er : tensor<9xf32>) -> tensor<9xf32>
  %sums = linalg.generic {indexing_maps = [#xy, #x], iterator_types = ["parallel", "reduction"]} ins(%clean : tensor<9x9xf32>) outs(%none : tensor<9xf32>) {
  ^bb0(%a: f32, %o: f32):
    %s = arith.addf %a, %o : f32
    linalg.yield %s : f32
  } -> tensor<9xf32>
  %scaled = linalg.generic {indexing_maps = [#xy, #x, #xy], iterator_types = ["parallel", "parallel"]} ins(%clean, %sums : tensor<9x9xf32>, tensor<9xf32>) outs(%ew : tensor<9x9xf32>) {
  ^bb0(%a: f32, %s: f32, %o: f32):
    %r = math.sqrt %s : f32
    %b = arith.divf %a, %r : f32
    linalg.yield %b : f32
  } -> tensor<9x9xf32>
  %keys = linalg.exp ins(%k : tensor<9x4xf32>) outs(%e : tensor<9x4xf32>) -> tensor<9x4xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e : tensor<9x4xf32>) -> tensor<9x4xf32>
  %n = linalg.matmul ins(%scaled, %kv : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  %z = linalg.matmul ins(%scaled, %keys : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  // expected-remark @below {{raised to aft.full}}
  %y = linalg.div ins(%n, %z : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e : tensor<9x4xf32>) -> tensor<9x4xf32>
  return %y : tensor<9x4xf32>
}

// -----

#xy = affine_map<(x, y) -> (x, y)>
#x = affine_map<(x, y) -> (x)>

// Divided by what differs from key to key, which does not.
// CHECK-LABEL: func.func @by_key(
// CHECK-NOT: aft.
// CHECK: return
func.func @by_key(%k: tensor<9x4xf32>, %v: tensor<9x4xf32>, %w: tensor<9x9xf32>) -> tensor<9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %one = arith.constant 1.0 : f32
  %inf = arith.constant 0x7F800000 : f32
  %low = arith.constant 0xFF800000 : f32
  %most = arith.constant 3.40282347E+38 : f32
  %least = arith.constant -3.40282347E+38 : f32
  %e = tensor.empty() : tensor<9x4xf32>
  %ew = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<9x4xf32>) -> tensor<9x4xf32>
  %power = linalg.exp ins(%w : tensor<9x9xf32>) outs(%ew : tensor<9x9xf32>) -> tensor<9x9xf32>
  %clean = linalg.generic {indexing_maps = [#xy, #xy], iterator_types = ["parallel", "parallel"]} ins(%power : tensor<9x9xf32>) outs(%ew : tensor<9x9xf32>) {
  ^bb0(%a: f32, %o: f32):
    %number = arith.cmpf oeq, %a, %a : f32
    %high = arith.cmpf oeq, %a, %inf : f32
    %lowest = arith.cmpf oeq, %a, %low : f32
    %b = arith.select %high, %most, %a : f32
    %c = arith.select %lowest, %least, %b : f32
    %r = arith.select %number, %c, %zero : f32
    linalg.yield %r : f32
  } -> tensor<9x9xf32>
  %er = tensor.empty() : tensor<9xf32>
  %none = linalg.fill ins(%zero : f32) outs(%er : tensor<9xf32>) -> tensor<9xf32>
  %sums = linalg.generic {indexing_maps = [#xy, #x], iterator_types = ["parallel", "reduction"]} ins(%clean : tensor<9x9xf32>) outs(%none : tensor<9xf32>) {
  ^bb0(%a: f32, %o: f32):
    %s = arith.addf %a, %o : f32
    linalg.yield %s : f32
  } -> tensor<9xf32>
  %scaled = linalg.generic {indexing_maps = [#xy, affine_map<(x, y) -> (y)>, #xy], iterator_types = ["parallel", "parallel"]} ins(%clean, %sums : tensor<9x9xf32>, tensor<9xf32>) outs(%ew : tensor<9x9xf32>) {
  ^bb0(%a: f32, %s: f32, %o: f32):
    %r = math.sqrt %s : f32
    %b = arith.divf %a, %r : f32
    linalg.yield %b : f32
  } -> tensor<9x9xf32>
  %keys = linalg.exp ins(%k : tensor<9x4xf32>) outs(%e : tensor<9x4xf32>) -> tensor<9x4xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e : tensor<9x4xf32>) -> tensor<9x4xf32>
  %n = linalg.matmul ins(%scaled, %kv : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  %z = linalg.matmul ins(%scaled, %keys : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  // expected-remark @below {{not raised to a mixer: a factor of the weights is neither an exponential nor a mask that is known}}
  %y = linalg.div ins(%n, %z : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e : tensor<9x4xf32>) -> tensor<9x4xf32>
  return %y : tensor<9x4xf32>
}

// -----

#xy = affine_map<(x, y) -> (x, y)>
#x = affine_map<(x, y) -> (x)>

// What is no number counts as 1.
// CHECK-LABEL: func.func @ones(
// CHECK-NOT: aft.
// CHECK: return
func.func @ones(%k: tensor<9x4xf32>, %v: tensor<9x4xf32>, %w: tensor<9x9xf32>) -> tensor<9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %one = arith.constant 1.0 : f32
  %inf = arith.constant 0x7F800000 : f32
  %low = arith.constant 0xFF800000 : f32
  %most = arith.constant 3.40282347E+38 : f32
  %least = arith.constant -3.40282347E+38 : f32
  %e = tensor.empty() : tensor<9x4xf32>
  %ew = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<9x4xf32>) -> tensor<9x4xf32>
  %power = linalg.exp ins(%w : tensor<9x9xf32>) outs(%ew : tensor<9x9xf32>) -> tensor<9x9xf32>
  %clean = linalg.generic {indexing_maps = [#xy, #xy], iterator_types = ["parallel", "parallel"]} ins(%power : tensor<9x9xf32>) outs(%ew : tensor<9x9xf32>) {
  ^bb0(%a: f32, %o: f32):
    %number = arith.cmpf oeq, %a, %a : f32
    %high = arith.cmpf oeq, %a, %inf : f32
    %lowest = arith.cmpf oeq, %a, %low : f32
    %b = arith.select %high, %most, %a : f32
    %c = arith.select %lowest, %least, %b : f32
    %r = arith.select %number, %c, %one : f32
    linalg.yield %r : f32
  } -> tensor<9x9xf32>
  %keys = linalg.exp ins(%k : tensor<9x4xf32>) outs(%e : tensor<9x4xf32>) -> tensor<9x4xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e : tensor<9x4xf32>) -> tensor<9x4xf32>
  %n = linalg.matmul ins(%clean, %kv : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  %z = linalg.matmul ins(%clean, %keys : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  // expected-remark @below {{not raised to a mixer: a factor of the weights is neither an exponential nor a mask that is known}}
  %y = linalg.div ins(%n, %z : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e : tensor<9x4xf32>) -> tensor<9x4xf32>
  return %y : tensor<9x4xf32>
}

// -----

#xy = affine_map<(x, y) -> (x, y)>

// Weights that were rounded before they are cleaned: the exponent is not.
// CHECK-LABEL: func.func @rounded(
// CHECK: arith.select %{{.*}} : f32
// CHECK-NOT: arith.truncf
// CHECK: aft.full
// CHECK: return
func.func @rounded(%k: tensor<9x4xf32>, %v: tensor<9x4xf32>, %w: tensor<9x9xf32>) -> tensor<9x4xf32> {
  %zero = arith.constant 0.0 : f32
  %none = arith.constant 0.0 : bf16
  %e = tensor.empty() : tensor<9x4xf32>
  %ew = tensor.empty() : tensor<9x9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<9x4xf32>) -> tensor<9x4xf32>
  %power = linalg.exp ins(%w : tensor<9x9xf32>) outs(%ew : tensor<9x9xf32>) -> tensor<9x9xf32>
  %clean = linalg.generic {indexing_maps = [#xy, #xy], iterator_types = ["parallel", "parallel"]} ins(%power : tensor<9x9xf32>) outs(%ew : tensor<9x9xf32>) {
  ^bb0(%a: f32, %o: f32):
    %b = arith.truncf %a : f32 to bf16
    %number = arith.cmpf oeq, %b, %b : bf16
    %c = arith.select %number, %b, %none : bf16
    %r = arith.extf %c : bf16 to f32
    linalg.yield %r : f32
  } -> tensor<9x9xf32>
  %keys = linalg.exp ins(%k : tensor<9x4xf32>) outs(%e : tensor<9x4xf32>) -> tensor<9x4xf32>
  %kv = linalg.mul ins(%keys, %v : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e : tensor<9x4xf32>) -> tensor<9x4xf32>
  %n = linalg.matmul ins(%clean, %kv : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  %z = linalg.matmul ins(%clean, %keys : tensor<9x9xf32>, tensor<9x4xf32>) outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  // expected-remark @below {{raised to aft.full}}
  %y = linalg.div ins(%n, %z : tensor<9x4xf32>, tensor<9x4xf32>) outs(%e : tensor<9x4xf32>) -> tensor<9x4xf32>
  return %y : tensor<9x4xf32>
}
