// RUN: aft-opt %s -split-input-file -verify-diagnostics
// Every numbered constraint of the mixers and of launch, violated once.

// simple C2
func.func @f(%a: tensor<2x16x8xf16>, %b: tensor<2x16x8xf16>, %c: tensor<2x16x8xf16>) {
  // expected-error @below {{'q' must have element type f32, f64 or bf16, found 'f16'}}
  %y = aft.simple %a, %b, %c : (tensor<2x16x8xf16>, tensor<2x16x8xf16>, tensor<2x16x8xf16>) -> tensor<2x16x8xf16>
  return
}

// -----

// simple C2
func.func @f(%a: tensor<2x16x8xf32>, %b: tensor<2x16x8xf64>, %c: tensor<2x16x8xf32>) {
  // expected-error @below {{'k' must have element type 'f32' as 'q', found 'f64'}}
  %y = aft.simple %a, %b, %c : (tensor<2x16x8xf32>, tensor<2x16x8xf64>, tensor<2x16x8xf32>) -> tensor<2x16x8xf32>
  return
}

// -----

// simple C1
func.func @f(%a: tensor<16x8xf32>, %b: tensor<16x8xf32>, %c: tensor<16x8xf32>) {
  // expected-error @below {{'q' must have rank 3 [B, T, d], found rank 2 ('tensor<16x8xf32>')}}
  %y = aft.simple %a, %b, %c : (tensor<16x8xf32>, tensor<16x8xf32>, tensor<16x8xf32>) -> tensor<16x8xf32>
  return
}

// -----

// simple C1
func.func @f(%a: tensor<2x16x8xf32>, %b: tensor<2x16x4xf32>, %c: tensor<2x16x8xf32>) {
  // expected-error @below {{'k' dimension 2 (d) must be 8 as in 'q', found 4}}
  %y = aft.simple %a, %b, %c : (tensor<2x16x8xf32>, tensor<2x16x4xf32>, tensor<2x16x8xf32>) -> tensor<2x16x8xf32>
  return
}

// -----

// simple C1
func.func @f(%a: tensor<2x16x8xf32>, %b: tensor<2x16x8xf32>, %c: tensor<3x16x8xf32>) {
  // expected-error @below {{'v' dimension 0 (B) must be 2 as in 'q', found 3}}
  %y = aft.simple %a, %b, %c : (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<3x16x8xf32>) -> tensor<2x16x8xf32>
  return
}

// -----

// simple C1, result
func.func @f(%a: tensor<2x16x8xf32>, %b: tensor<2x16x8xf32>, %c: tensor<2x16x8xf32>) {
  // expected-error @below {{'y' dimension 1 (T) must be 16 as in 'q', found 15}}
  %y = aft.simple %a, %b, %c : (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>) -> tensor<2x15x8xf32>
  return
}

// -----

// simple C4
func.func @f(%a: tensor<2x16x8xf32>, %b: tensor<2x16x8xf32>, %c: tensor<2x16x8xf32>) {
  // expected-error @below {{must have 1 result (y) or 3 (y, ratio, logz), found 2}}
  %y:2 = aft.simple %a, %b, %c : (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>) -> (tensor<2x16x8xf32>, tensor<2x16x8xf32>)
  return
}

// -----

// simple C4
func.func @f(%a: tensor<2x16x8xbf16>, %b: tensor<2x16x8xbf16>, %c: tensor<2x16x8xbf16>) {
  // expected-error @below {{'ratio' must have the accumulation type 'f32', found 'bf16'}}
  %y:3 = aft.simple %a, %b, %c : (tensor<2x16x8xbf16>, tensor<2x16x8xbf16>, tensor<2x16x8xbf16>) -> (tensor<2x16x8xbf16>, tensor<2x16x8xbf16>, tensor<2x16x8xf32>)
  return
}

// -----

// simple C3
func.func @f(%a: tensor<2x16x8xf32>, %b: tensor<2x16x8xf32>, %c: tensor<2x16x8xf32>, %d: tensor<2xi64>) {
  // expected-error @below {{'lengths' must have element type i32, found 'i64'}}
  %y = aft.simple %a, %b, %c lengths(%d) : (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2xi64>) -> tensor<2x16x8xf32>
  return
}

// -----

// simple C3
func.func @f(%a: tensor<2x16x8xf32>, %b: tensor<2x16x8xf32>, %c: tensor<2x16x8xf32>, %d: tensor<3xi32>) {
  // expected-error @below {{'lengths' dimension 0 (B) must be 2 as in 'q', found 3}}
  %y = aft.simple %a, %b, %c lengths(%d) : (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<3xi32>) -> tensor<2x16x8xf32>
  return
}

// -----

// simple C1: the number of channels is known
func.func @f(%a: tensor<2x16x?xf32>) {
  // expected-error @below {{'q' dimension 2 (d) must be static and at least 1, found ?}}
  %y = aft.simple %a, %a, %a : (tensor<2x16x?xf32>, tensor<2x16x?xf32>, tensor<2x16x?xf32>) -> tensor<2x16x?xf32>
  return
}

// -----

// local C1: there are channels
func.func @f(%a: tensor<2x16x0xf32>, %d: tensor<16x4xf32>) {
  // expected-error @below {{'q' dimension 2 (d) must be static and at least 1, found 0}}
  %y = aft.local %a, %a, %a, %d window = 4 causal : (tensor<2x16x0xf32>, tensor<2x16x0xf32>, tensor<2x16x0xf32>, tensor<16x4xf32>) -> tensor<2x16x0xf32>
  return
}

// -----

// conv C1: the number of channels is known of each operand
func.func @f(%a: tensor<2x16x8xf32>, %v: tensor<2x16x?xf32>, %k: tensor<2x16x4xf32>, %d: tensor<4x3xf32>) {
  // expected-error @below {{'v' dimension 2 (d) must be static and at least 1, found ?}}
  %y = aft.conv %a, %k, %v, %d : (tensor<2x16x8xf32>, tensor<2x16x4xf32>, tensor<2x16x?xf32>, tensor<4x3xf32>) -> tensor<2x16x8xf32>
  return
}

// -----

// full C1
func.func @f(%a: tensor<2x16x8xf32>, %b: tensor<2x16x8xf32>, %c: tensor<2x16x8xf32>, %d: tensor<16x15xf32>) {
  // expected-error @below {{'w' dimension 1 (S) must be 16 as in 'k', found 15}}
  %y = aft.full %a, %b, %c, %d : (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<16x15xf32>) -> tensor<2x16x8xf32>
  return
}

// -----

// full C1
func.func @f(%a: tensor<2x16x8xf32>, %b: tensor<2x16x8xf32>, %c: tensor<2x16x8xf32>, %d: tensor<16xf32>) {
  // expected-error @below {{'w' must have rank 2 [T, S], found rank 1}}
  %y = aft.full %a, %b, %c, %d : (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<16xf32>) -> tensor<2x16x8xf32>
  return
}

// -----

// full C2
func.func @f(%a: tensor<2x16x8xf32>, %b: tensor<2x16x8xf32>, %c: tensor<2x16x8xf32>, %d: tensor<16x16xf64>) {
  // expected-error @below {{'w' must have element type 'f32', found 'f64'}}
  %y = aft.full %a, %b, %c, %d : (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<16x16xf64>) -> tensor<2x16x8xf32>
  return
}

// -----

// full C5
func.func @f(%a: tensor<2x16x8xf32>, %b: tensor<2x8x8xf32>, %c: tensor<2x8x8xf32>, %d: tensor<16x8xf32>) {
  // expected-error @below {{causal needs T <= S, found T = 16 queries and S = 8 keys}}
  %y = aft.full %a, %b, %c, %d causal : (tensor<2x16x8xf32>, tensor<2x8x8xf32>, tensor<2x8x8xf32>, tensor<16x8xf32>) -> tensor<2x16x8xf32>
  return
}

// -----

// local C5
func.func @f(%a: tensor<2x16x8xf32>, %b: tensor<2x16x8xf32>, %c: tensor<2x16x8xf32>, %d: tensor<16x1xf32>) {
  // expected-error @below {{window must be at least 1, found 0}}
  %y = aft.local %a, %b, %c, %d window = 0 : (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<16x1xf32>) -> tensor<2x16x8xf32>
  return
}

// -----

// local C6
func.func @f(%a: tensor<2x16x8xf32>, %b: tensor<2x16x8xf32>, %c: tensor<2x16x8xf32>, %d: tensor<16x4xf32>) {
  // expected-error @below {{'band' dimension 1 (L) must be 7 as in window = 4, found 4}}
  %y = aft.local %a, %b, %c, %d window = 4 : (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<16x4xf32>) -> tensor<2x16x8xf32>
  return
}

// -----

// local C5
func.func @f(%a: tensor<2x16x8xf32>, %d: tensor<16x4xf32>) {
  // expected-error @below {{window is too large: 5000000000000000000}}
  %y = aft.local %a, %a, %a, %d window = 5000000000000000000 : (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<16x4xf32>) -> tensor<2x16x8xf32>
  return
}

// -----

// local C6, causal
func.func @f(%a: tensor<2x16x8xf32>, %b: tensor<2x16x8xf32>, %c: tensor<2x16x8xf32>, %d: tensor<16x7xf32>) {
  // expected-error @below {{'band' dimension 1 (L) must be 4 as in window = 4 causal, found 7}}
  %y = aft.local %a, %b, %c, %d window = 4 causal : (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<16x7xf32>) -> tensor<2x16x8xf32>
  return
}

// -----

// conv C5
func.func @f(%a: tensor<2x16x8xf32>, %b: tensor<2x16x4xf32>, %c: tensor<2x16x8xf32>, %d: tensor<4x3xf32>) {
  // expected-error @below {{grid must have 1 to 3 extents, found 4}}
  %y = aft.conv %a, %b, %c, %d grid = [2, 2, 2, 2] : (tensor<2x16x8xf32>, tensor<2x16x4xf32>, tensor<2x16x8xf32>, tensor<4x3xf32>) -> tensor<2x16x8xf32>
  return
}

// -----

// conv C5
func.func @f(%a: tensor<2x16x8xf32>, %b: tensor<2x16x4xf32>, %c: tensor<2x16x8xf32>, %d: tensor<4x3x3xf32>) {
  // expected-error @below {{grid extents must be positive and their product must fit 64 bits, found -4}}
  %y = aft.conv %a, %b, %c, %d grid = [-4, -4] : (tensor<2x16x8xf32>, tensor<2x16x4xf32>, tensor<2x16x8xf32>, tensor<4x3x3xf32>) -> tensor<2x16x8xf32>
  return
}

// -----

// conv C6
func.func @f(%a: tensor<2x16x8xf32>, %b: tensor<2x16x4xf32>, %c: tensor<2x16x8xf32>, %d: tensor<4x3x3xf32>) {
  // expected-error @below {{causal is defined on 1-D grids only, found a grid of 2 extents}}
  %y = aft.conv %a, %b, %c, %d grid = [4, 4] causal : (tensor<2x16x8xf32>, tensor<2x16x4xf32>, tensor<2x16x8xf32>, tensor<4x3x3xf32>) -> tensor<2x16x8xf32>
  return
}

// -----

// conv C5
func.func @f(%a: tensor<2x16x8xf32>, %b: tensor<2x16x4xf32>, %c: tensor<2x16x8xf32>, %d: tensor<4x3x3xf32>) {
  // expected-error @below {{'q' dimension 1 (T) must be 20 as in the product of grid, found 16}}
  %y = aft.conv %a, %b, %c, %d grid = [5, 4] : (tensor<2x16x8xf32>, tensor<2x16x4xf32>, tensor<2x16x8xf32>, tensor<4x3x3xf32>) -> tensor<2x16x8xf32>
  return
}

// -----

// conv C1
func.func @f(%a: tensor<2x16x8xf32>, %b: tensor<2x16x4xf32>, %c: tensor<2x16x8xf32>, %d: tensor<4x3xf32>) {
  // expected-error @below {{'filter' must have rank 3 [h, y, x], found rank 2}}
  %y = aft.conv %a, %b, %c, %d grid = [4, 4] : (tensor<2x16x8xf32>, tensor<2x16x4xf32>, tensor<2x16x8xf32>, tensor<4x3xf32>) -> tensor<2x16x8xf32>
  return
}

// -----

// conv C7
func.func @f(%a: tensor<2x16x8xf32>, %b: tensor<2x16x3xf32>, %c: tensor<2x16x8xf32>, %d: tensor<3x3xf32>) {
  // expected-error @below {{must be a multiple of the number of heads h, found d = 8 and h = 3}}
  %y = aft.conv %a, %b, %c, %d : (tensor<2x16x8xf32>, tensor<2x16x3xf32>, tensor<2x16x8xf32>, tensor<3x3xf32>) -> tensor<2x16x8xf32>
  return
}

// -----

// conv C8
func.func @f(%a: tensor<2x16x8xf32>, %b: tensor<2x16x4xf32>, %c: tensor<2x16x8xf32>, %d: tensor<4x0xf32>) {
  // expected-error @below {{'filter' must have at least one tap on every axis, found 0}}
  %y = aft.conv %a, %b, %c, %d : (tensor<2x16x8xf32>, tensor<2x16x4xf32>, tensor<2x16x8xf32>, tensor<4x0xf32>) -> tensor<2x16x8xf32>
  return
}

// -----

// conv C7
func.func @f(%a: tensor<2x16x8xf32>, %k: tensor<2x16x?xf32>, %d: tensor<?x3xf32>) {
  // expected-error @below {{the number of heads h must be static}}
  %y = aft.conv %a, %k, %a, %d : (tensor<2x16x8xf32>, tensor<2x16x?xf32>, tensor<2x16x8xf32>, tensor<?x3xf32>) -> tensor<2x16x8xf32>
  return
}

// -----

// conv C8
func.func @f(%a: tensor<2x16x8xf32>, %d: tensor<8x?xf32>) {
  // expected-error @below {{'filter' must have a static number of taps on every axis, found a dynamic one on axis 0}}
  %y = aft.conv %a, %a, %a, %d : (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<8x?xf32>) -> tensor<2x16x8xf32>
  return
}

// -----

// Destinations
func.func @f(%a: tensor<2x16x8xf32>, %b: tensor<2x16x8xf32>, %c: tensor<2x16x8xf32>, %d: tensor<2x16x8xf32>, %e: tensor<2x16x8xf32>) {
  // expected-error @below {{must have one destination for each of its 1 results, found 2}}
  %y = aft.simple %a, %b, %c outs(%d, %e) : (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>) -> tensor<2x16x8xf32>
  return
}

// -----

// Destinations
func.func @f(%a: tensor<2x16x8xf32>, %b: tensor<2x16x8xf32>, %c: tensor<2x16x8xf32>, %d: tensor<?x16x8xf32>) {
  // expected-error @below {{destination 0 must have type 'tensor<2x16x8xf32>', found 'tensor<?x16x8xf32>'}}
  %y = aft.simple %a, %b, %c outs(%d) : (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<?x16x8xf32>) -> tensor<2x16x8xf32>
  return
}

// -----

// launch C1
func.func @f(%a: tensor<4xf32>) {
  // expected-error @below {{kernel 'missing' is not a function of this module}}
  %y = aft.launch @missing outs(%a) : (tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

// launch C2
func.func private @k(%a: tensor<4xf32>) -> tensor<4xf32>
func.func @f(%a: tensor<4xf32>) {
  // expected-error @below {{must have no results or one for each of its 1 destinations, found 2}}
  %y:2 = aft.launch @k outs(%a) : (tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  return
}
