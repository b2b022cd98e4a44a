// RUN: aft-opt %s -split-input-file -verify-diagnostics
// Every numbered constraint of the derivatives of the mixers, violated once.
// full_grad C1
func.func @f(%dy: tensor<2x15x8xf32>, %q: tensor<2x16x8xf32>, %k: tensor<2x16x8xf32>, %v: tensor<2x16x8xf32>, %w: tensor<16x16xf32>, %ratio: tensor<2x16x8xf32>, %logz: tensor<2x16x8xf32>) {
  // expected-error @below {{'dy' dimension 1 (T) must be 16 as in 'q', found 15}}
  %dq, %dk, %dv, %dw = aft.full_grad %dy, %q, %k, %v, %w, %ratio, %logz causal : (tensor<2x15x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<16x16xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>) -> (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<16x16xf32>)
  return
}

// -----

// full_grad C2
func.func @f(%dy: tensor<2x16x8xf64>, %q: tensor<2x16x8xf32>, %k: tensor<2x16x8xf32>, %v: tensor<2x16x8xf32>, %w: tensor<16x16xf32>, %ratio: tensor<2x16x8xf32>, %logz: tensor<2x16x8xf32>) {
  // expected-error @below {{'dy' must have element type 'f32' as 'q', found 'f64'}}
  %dq, %dk, %dv, %dw = aft.full_grad %dy, %q, %k, %v, %w, %ratio, %logz causal : (tensor<2x16x8xf64>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<16x16xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>) -> (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<16x16xf32>)
  return
}

// -----

// full_grad C2
func.func @f(%dy: tensor<2x16x8xf32>, %q: tensor<2x16x8xf32>, %k: tensor<2x16x8xf32>, %v: tensor<2x16x8xf32>, %w: tensor<16x16xbf16>, %ratio: tensor<2x16x8xf32>, %logz: tensor<2x16x8xf32>) {
  // expected-error @below {{'w' must have element type 'f32', found 'bf16'}}
  %dq, %dk, %dv, %dw = aft.full_grad %dy, %q, %k, %v, %w, %ratio, %logz causal : (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<16x16xbf16>, tensor<2x16x8xf32>, tensor<2x16x8xf32>) -> (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<16x16xbf16>)
  return
}

// -----

// full_grad C3
func.func @f(%dy: tensor<2x16x8xf32>, %q: tensor<2x16x8xf32>, %k: tensor<2x16x8xf32>, %v: tensor<2x16x8xf32>, %w: tensor<16x16xf32>, %ratio: tensor<2x16x8xf32>, %logz: tensor<2x16x8xf32>, %n: tensor<2xi64>) {
  // expected-error @below {{'lengths' must have element type i32, found 'i64'}}
  %dq, %dk, %dv, %dw = aft.full_grad %dy, %q, %k, %v, %w, %ratio, %logz lengths(%n) causal : (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<16x16xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2xi64>) -> (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<16x16xf32>)
  return
}

// -----

// full_grad C4
func.func @f(%dy: tensor<2x16x8xf32>, %q: tensor<2x16x8xf32>, %k: tensor<2x16x8xf32>, %v: tensor<2x16x8xf32>, %w: tensor<16x16xf32>, %ratio: tensor<2x16x8xf64>, %logz: tensor<2x16x8xf32>) {
  // expected-error @below {{'ratio' must have the accumulation type 'f32', found 'f64'}}
  %dq, %dk, %dv, %dw = aft.full_grad %dy, %q, %k, %v, %w, %ratio, %logz causal : (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<16x16xf32>, tensor<2x16x8xf64>, tensor<2x16x8xf32>) -> (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<16x16xf32>)
  return
}

// -----

// full_grad C4
func.func @f(%dy: tensor<2x16x8xf32>, %q: tensor<2x16x8xf32>, %k: tensor<2x16x8xf32>, %v: tensor<2x16x8xf32>, %w: tensor<16x16xf32>, %ratio: tensor<2x16x8xf32>, %logz: tensor<2x16x8xf64>) {
  // expected-error @below {{'logz' must have the accumulation type 'f32', found 'f64'}}
  %dq, %dk, %dv, %dw = aft.full_grad %dy, %q, %k, %v, %w, %ratio, %logz causal : (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<16x16xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf64>) -> (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<16x16xf32>)
  return
}

// -----

// full_grad C5
func.func @f(%dy: tensor<2x16x8xf32>, %q: tensor<2x16x8xf32>, %k: tensor<2x16x8xf32>, %v: tensor<2x16x8xf32>, %w: tensor<16x16xf32>, %ratio: tensor<2x16x8xf32>, %logz: tensor<2x16x8xf32>) {
  // expected-error @below {{must have 4 results, found 3}}
  %dq, %dk, %dv = aft.full_grad %dy, %q, %k, %v, %w, %ratio, %logz causal : (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<16x16xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>) -> (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>)
  return
}

// -----

// full_grad C5
func.func @f(%dy: tensor<2x16x8xf32>, %q: tensor<2x16x8xf32>, %k: tensor<2x16x8xf32>, %v: tensor<2x16x8xf32>, %w: tensor<16x16xf32>, %ratio: tensor<2x16x8xf32>, %logz: tensor<2x16x8xf32>) {
  // expected-error @below {{'dw' must have element type 'f32', found 'f64'}}
  %dq, %dk, %dv, %dw = aft.full_grad %dy, %q, %k, %v, %w, %ratio, %logz causal : (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<16x16xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>) -> (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<16x16xf64>)
  return
}

// -----

// full_grad C5
func.func @f(%dy: tensor<2x16x8xf32>, %q: tensor<2x16x8xf32>, %k: tensor<2x16x8xf32>, %v: tensor<2x16x8xf32>, %w: tensor<16x16xf32>, %ratio: tensor<2x16x8xf32>, %logz: tensor<2x16x8xf32>) {
  // expected-error @below {{'dk' dimension 1 (S) must be 16 as in 'k', found 15}}
  %dq, %dk, %dv, %dw = aft.full_grad %dy, %q, %k, %v, %w, %ratio, %logz causal : (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<16x16xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>) -> (tensor<2x16x8xf32>, tensor<2x15x8xf32>, tensor<2x16x8xf32>, tensor<16x16xf32>)
  return
}

// -----

// full_grad C6
func.func @f(%dy: tensor<2x16x8xf32>, %q: tensor<2x16x8xf32>, %k: tensor<2x8x8xf32>, %v: tensor<2x8x8xf32>, %w: tensor<16x8xf32>, %ratio: tensor<2x16x8xf32>, %logz: tensor<2x16x8xf32>) {
  // expected-error @below {{causal needs T <= S, found T = 16 queries and S = 8 keys}}
  %dq, %dk, %dv, %dw = aft.full_grad %dy, %q, %k, %v, %w, %ratio, %logz causal : (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x8x8xf32>, tensor<2x8x8xf32>, tensor<16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>) -> (tensor<2x16x8xf32>, tensor<2x8x8xf32>, tensor<2x8x8xf32>, tensor<16x8xf32>)
  return
}

// -----

// local_grad C1
func.func @f(%dy: tensor<2x16x8xf32>, %q: tensor<2x16x8xf32>, %k: tensor<2x16x8xf32>, %v: tensor<2x15x8xf32>, %band: tensor<16x4xf32>, %ratio: tensor<2x16x8xf32>, %logz: tensor<2x16x8xf32>) {
  // expected-error @below {{'v' dimension 1 (T) must be 16 as in 'q', found 15}}
  %dq, %dk, %dv, %dband = aft.local_grad %dy, %q, %k, %v, %band, %ratio, %logz window = 4 causal : (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x15x8xf32>, tensor<16x4xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>) -> (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<16x4xf32>)
  return
}

// -----

// local_grad C4
func.func @f(%dy: tensor<2x16x8xf32>, %q: tensor<2x16x8xf32>, %k: tensor<2x16x8xf32>, %v: tensor<2x16x8xf32>, %band: tensor<16x4xf32>, %ratio: tensor<2x16x8xf32>, %logz: tensor<2x16x8xbf16>) {
  // expected-error @below {{'logz' must have the accumulation type 'f32', found 'bf16'}}
  %dq, %dk, %dv, %dband = aft.local_grad %dy, %q, %k, %v, %band, %ratio, %logz window = 4 causal : (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<16x4xf32>, tensor<2x16x8xf32>, tensor<2x16x8xbf16>) -> (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<16x4xf32>)
  return
}

// -----

// local_grad C5
func.func @f(%dy: tensor<2x16x8xf32>, %q: tensor<2x16x8xf32>, %k: tensor<2x16x8xf32>, %v: tensor<2x16x8xf32>, %band: tensor<16x4xf32>, %ratio: tensor<2x16x8xf32>, %logz: tensor<2x16x8xf32>) {
  // expected-error @below {{'dband' dimension 1 (L) must be 4 as in window = 4 causal, found 7}}
  %dq, %dk, %dv, %dband = aft.local_grad %dy, %q, %k, %v, %band, %ratio, %logz window = 4 causal : (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<16x4xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>) -> (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<16x7xf32>)
  return
}

// -----

// local_grad C5
func.func @f(%dy: tensor<2x16x8xbf16>, %q: tensor<2x16x8xbf16>, %k: tensor<2x16x8xbf16>, %v: tensor<2x16x8xbf16>, %band: tensor<16x4xbf16>, %ratio: tensor<2x16x8xf32>, %logz: tensor<2x16x8xf32>, %parts: tensor<3x16x4xbf16>) {
  // expected-error @below {{'dband' must have the accumulation type 'f32', found 'bf16'}}
  %dq, %dk, %dv, %dband = aft.local_grad %dy, %q, %k, %v, %band, %ratio, %logz window = 4 causal outs(%q, %k, %v, %parts) : (tensor<2x16x8xbf16>, tensor<2x16x8xbf16>, tensor<2x16x8xbf16>, tensor<2x16x8xbf16>, tensor<16x4xbf16>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xbf16>, tensor<2x16x8xbf16>, tensor<2x16x8xbf16>, tensor<3x16x4xbf16>) -> (tensor<2x16x8xbf16>, tensor<2x16x8xbf16>, tensor<2x16x8xbf16>, tensor<3x16x4xbf16>)
  return
}

// -----

// local_grad C5
func.func @f(%dy: tensor<2x16x8xbf16>, %q: tensor<2x16x8xbf16>, %k: tensor<2x16x8xbf16>, %v: tensor<2x16x8xbf16>, %band: tensor<16x4xbf16>, %ratio: tensor<2x16x8xf32>, %logz: tensor<2x16x8xf32>) {
  // expected-error @below {{takes 'dband' in parts only with destinations}}
  %dq, %dk, %dv, %dband = aft.local_grad %dy, %q, %k, %v, %band, %ratio, %logz window = 4 causal : (tensor<2x16x8xbf16>, tensor<2x16x8xbf16>, tensor<2x16x8xbf16>, tensor<2x16x8xbf16>, tensor<16x4xbf16>, tensor<2x16x8xf32>, tensor<2x16x8xf32>) -> (tensor<2x16x8xbf16>, tensor<2x16x8xbf16>, tensor<2x16x8xbf16>, tensor<3x16x4xf32>)
  return
}

// -----

// local_grad C6
func.func @f(%dy: tensor<2x16x8xf32>, %q: tensor<2x16x8xf32>, %k: tensor<2x16x8xf32>, %v: tensor<2x16x8xf32>, %band: tensor<16x4xf32>, %ratio: tensor<2x16x8xf32>, %logz: tensor<2x16x8xf32>) {
  // expected-error @below {{window must be at least 1, found -1}}
  %dq, %dk, %dv, %dband = aft.local_grad %dy, %q, %k, %v, %band, %ratio, %logz window = -1 causal : (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<16x4xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>) -> (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<16x4xf32>)
  return
}

// -----

// local_grad C7
func.func @f(%dy: tensor<2x16x8xf32>, %q: tensor<2x16x8xf32>, %k: tensor<2x16x8xf32>, %v: tensor<2x16x8xf32>, %band: tensor<16x4xf32>, %ratio: tensor<2x16x8xf32>, %logz: tensor<2x16x8xf32>) {
  // expected-error @below {{'band' dimension 1 (L) must be 7 as in window = 4, found 4}}
  %dq, %dk, %dv, %dband = aft.local_grad %dy, %q, %k, %v, %band, %ratio, %logz window = 4 : (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<16x4xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>) -> (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<16x4xf32>)
  return
}

// -----

// simple_grad C1
func.func @f(%dy: tensor<2x16x8xf32>, %q: tensor<2x16x8xf32>, %k: tensor<2x16x4xf32>, %v: tensor<2x16x8xf32>, %ratio: tensor<2x16x8xf32>, %logz: tensor<2x16x8xf32>) {
  // expected-error @below {{'k' dimension 2 (d) must be 8 as in 'q', found 4}}
  %dq, %dk, %dv = aft.simple_grad %dy, %q, %k, %v, %ratio, %logz : (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x4xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>) -> (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>)
  return
}

// -----

// simple_grad C2
func.func @f(%dy: tensor<2x16x8xf32>, %q: tensor<2x16x8xf32>, %k: tensor<2x16x8xf32>, %v: tensor<2x16x8xf64>, %ratio: tensor<2x16x8xf32>, %logz: tensor<2x16x8xf32>) {
  // expected-error @below {{'v' must have element type 'f32' as 'q', found 'f64'}}
  %dq, %dk, %dv = aft.simple_grad %dy, %q, %k, %v, %ratio, %logz : (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf64>, tensor<2x16x8xf32>, tensor<2x16x8xf32>) -> (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>)
  return
}

// -----

// simple_grad C4
func.func @f(%dy: tensor<2x16x8xf32>, %q: tensor<2x16x8xf32>, %k: tensor<2x16x8xf32>, %v: tensor<2x16x8xf32>, %ratio: tensor<2x16x8xbf16>, %logz: tensor<2x16x8xf32>) {
  // expected-error @below {{'ratio' must have the accumulation type 'f32', found 'bf16'}}
  %dq, %dk, %dv = aft.simple_grad %dy, %q, %k, %v, %ratio, %logz : (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xbf16>, tensor<2x16x8xf32>) -> (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>)
  return
}

// -----

// simple_grad C5
func.func @f(%dy: tensor<2x16x8xf32>, %q: tensor<2x16x8xf32>, %k: tensor<2x16x8xf32>, %v: tensor<2x16x8xf32>, %ratio: tensor<2x16x8xf32>, %logz: tensor<2x16x8xf32>) {
  // expected-error @below {{'dq' must have element type 'f32', found 'bf16'}}
  %dq, %dk, %dv = aft.simple_grad %dy, %q, %k, %v, %ratio, %logz : (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>) -> (tensor<2x16x8xbf16>, tensor<2x16x8xf32>, tensor<2x16x8xf32>)
  return
}

// -----

// conv_grad C5
func.func @f(%dy: tensor<2x16x8xf32>, %q: tensor<2x16x8xf32>, %k: tensor<2x16x4xf32>, %v: tensor<2x16x8xf32>, %f: tensor<4x3x3xf32>, %ratio: tensor<2x16x8xf32>, %logz: tensor<2x16x4xf32>) {
  // expected-error @below {{'q' dimension 1 (T) must be 20 as in the product of grid, found 16}}
  %dq, %dk, %dv, %df = aft.conv_grad %dy, %q, %k, %v, %f, %ratio, %logz grid = [4, 5] : (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x4xf32>, tensor<2x16x8xf32>, tensor<4x3x3xf32>, tensor<2x16x8xf32>, tensor<2x16x4xf32>) -> (tensor<2x16x8xf32>, tensor<2x16x4xf32>, tensor<2x16x8xf32>, tensor<4x3x3xf32>)
  return
}

// -----

// conv_grad C6
func.func @f(%dy: tensor<2x16x8xf32>, %q: tensor<2x16x8xf32>, %k: tensor<2x16x4xf32>, %v: tensor<2x16x8xf32>, %f: tensor<4x3x3xf32>, %ratio: tensor<2x16x8xf32>, %logz: tensor<2x16x4xf32>) {
  // expected-error @below {{causal is defined on 1-D grids only, found a grid of 2 extents}}
  %dq, %dk, %dv, %df = aft.conv_grad %dy, %q, %k, %v, %f, %ratio, %logz grid = [4, 4] causal : (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x4xf32>, tensor<2x16x8xf32>, tensor<4x3x3xf32>, tensor<2x16x8xf32>, tensor<2x16x4xf32>) -> (tensor<2x16x8xf32>, tensor<2x16x4xf32>, tensor<2x16x8xf32>, tensor<4x3x3xf32>)
  return
}

// -----

// conv_grad C7
func.func @f(%dy: tensor<2x16x8xf32>, %q: tensor<2x16x8xf32>, %k: tensor<2x16x3xf32>, %v: tensor<2x16x8xf32>, %f: tensor<3x3x3xf32>, %ratio: tensor<2x16x8xf32>, %logz: tensor<2x16x3xf32>) {
  // expected-error @below {{must be a multiple of the number of heads h, found d = 8 and h = 3}}
  %dq, %dk, %dv, %df = aft.conv_grad %dy, %q, %k, %v, %f, %ratio, %logz grid = [4, 4] : (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x3xf32>, tensor<2x16x8xf32>, tensor<3x3x3xf32>, tensor<2x16x8xf32>, tensor<2x16x3xf32>) -> (tensor<2x16x8xf32>, tensor<2x16x3xf32>, tensor<2x16x8xf32>, tensor<3x3x3xf32>)
  return
}

// -----

// conv_grad C8
func.func @f(%dy: tensor<2x16x8xf32>, %q: tensor<2x16x8xf32>, %k: tensor<2x16x4xf32>, %v: tensor<2x16x8xf32>, %f: tensor<4x3x0xf32>, %ratio: tensor<2x16x8xf32>, %logz: tensor<2x16x4xf32>) {
  // expected-error @below {{'filter' must have at least one tap on every axis, found 0 on axis 1}}
  %dq, %dk, %dv, %df = aft.conv_grad %dy, %q, %k, %v, %f, %ratio, %logz grid = [4, 4] : (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x4xf32>, tensor<2x16x8xf32>, tensor<4x3x0xf32>, tensor<2x16x8xf32>, tensor<2x16x4xf32>) -> (tensor<2x16x8xf32>, tensor<2x16x4xf32>, tensor<2x16x8xf32>, tensor<4x3x0xf32>)
  return
}

// -----

// conv_grad C9
func.func @f(%dy: tensor<2x16x8xf32>, %q: tensor<2x16x8xf32>, %k: tensor<2x16x4xf32>, %v: tensor<2x16x8xf32>, %f: tensor<4x3x3xf32>, %ratio: tensor<2x16x8xf32>, %logz: tensor<2x16x8xf32>) {
  // expected-error @below {{'logz' dimension 2 (h) must be 4 as in 'k', found 8}}
  %dq, %dk, %dv, %df = aft.conv_grad %dy, %q, %k, %v, %f, %ratio, %logz grid = [4, 4] : (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x4xf32>, tensor<2x16x8xf32>, tensor<4x3x3xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>) -> (tensor<2x16x8xf32>, tensor<2x16x4xf32>, tensor<2x16x8xf32>, tensor<4x3x3xf32>)
  return
}

// -----

// conv_grad C10
func.func @f(%dy: tensor<2x16x8xf32>, %q: tensor<2x16x8xf32>, %k: tensor<2x16x4xf32>, %v: tensor<2x16x8xf32>, %f: tensor<4x3x3xf32>, %ratio: tensor<2x16x8xf32>, %logz: tensor<2x16x4xf32>) {
  // expected-error @below {{must have 4 results, found 3}}
  %dq, %dk, %dv = aft.conv_grad %dy, %q, %k, %v, %f, %ratio, %logz grid = [4, 4] : (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x4xf32>, tensor<2x16x8xf32>, tensor<4x3x3xf32>, tensor<2x16x8xf32>, tensor<2x16x4xf32>) -> (tensor<2x16x8xf32>, tensor<2x16x4xf32>, tensor<2x16x8xf32>)
  return
}
