// RUN: aft-opt %s -split-input-file -verify-diagnostics
// Every numbered constraint of the online mixers, violated once.
// full_online C1
func.func @f(%k: tensor<2x4x8xf32>, %v: tensor<2x4x8xf32>, %w: tensor<16x5xf32>, %m: tensor<2x16x8xf32>, %n: tensor<2x16x8xf32>, %z: tensor<2x16x8xf32>) {
  // expected-error @below {{'w' dimension 1 (S) must be 4 as in 'k', found 5}}
  %m1, %n1, %z1 = aft.full_online %k, %v, %w state(%m, %n, %z) : (tensor<2x4x8xf32>, tensor<2x4x8xf32>, tensor<16x5xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>) -> (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>)
  return
}

// -----

// full_online C2
func.func @f(%k: tensor<2x4x8xf16>, %v: tensor<2x4x8xf32>, %w: tensor<16x4xf32>, %m: tensor<2x16x8xf32>, %n: tensor<2x16x8xf32>, %z: tensor<2x16x8xf32>) {
  // expected-error @below {{'k' must have element type f32, f64 or bf16, found 'f16'}}
  %m1, %n1, %z1 = aft.full_online %k, %v, %w state(%m, %n, %z) : (tensor<2x4x8xf16>, tensor<2x4x8xf32>, tensor<16x4xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>) -> (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>)
  return
}

// -----

// full_online C2
func.func @f(%k: tensor<2x4x8xf32>, %v: tensor<2x4x8xf64>, %w: tensor<16x4xf32>, %m: tensor<2x16x8xf32>, %n: tensor<2x16x8xf32>, %z: tensor<2x16x8xf32>) {
  // expected-error @below {{'v' must have element type 'f32' as 'k', found 'f64'}}
  %m1, %n1, %z1 = aft.full_online %k, %v, %w state(%m, %n, %z) : (tensor<2x4x8xf32>, tensor<2x4x8xf64>, tensor<16x4xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>) -> (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>)
  return
}

// -----

// full_online C2
func.func @f(%k: tensor<2x4x8xf32>, %v: tensor<2x4x8xf32>, %w: tensor<16x4xi32>, %m: tensor<2x16x8xf32>, %n: tensor<2x16x8xf32>, %z: tensor<2x16x8xf32>) {
  // expected-error @below {{'w' must have element type 'f32', found 'i32'}}
  %m1, %n1, %z1 = aft.full_online %k, %v, %w state(%m, %n, %z) : (tensor<2x4x8xf32>, tensor<2x4x8xf32>, tensor<16x4xi32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>) -> (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>)
  return
}

// -----

// full_online C3
func.func @f(%k: tensor<2x4x8xf32>, %v: tensor<2x4x8xf32>, %w: tensor<16x4xf32>, %m: tensor<2x16x8xbf16>, %n: tensor<2x16x8xf32>, %z: tensor<2x16x8xf32>) {
  // expected-error @below {{'m' must have the accumulation type 'f32', found 'bf16'}}
  %m1, %n1, %z1 = aft.full_online %k, %v, %w state(%m, %n, %z) : (tensor<2x4x8xf32>, tensor<2x4x8xf32>, tensor<16x4xf32>, tensor<2x16x8xbf16>, tensor<2x16x8xf32>, tensor<2x16x8xf32>) -> (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>)
  return
}

// -----

// full_online C3
func.func @f(%k: tensor<2x4x8xf32>, %v: tensor<2x4x8xf32>, %w: tensor<16x4xf32>, %m: tensor<2x16x8xf32>, %n: tensor<2x16x8xf32>, %z: tensor<2x16x8xf32>) {
  // expected-error @below {{'its result' must have element type 'f32' as 'n', found 'bf16'}}
  %m1, %n1, %z1 = aft.full_online %k, %v, %w state(%m, %n, %z) : (tensor<2x4x8xf32>, tensor<2x4x8xf32>, tensor<16x4xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>) -> (tensor<2x16x8xf32>, tensor<2x16x8xbf16>, tensor<2x16x8xf32>)
  return
}

// -----

// finish C1
func.func @f(%q: tensor<2x16x8xf32>, %n: tensor<2x15x8xf32>, %z: tensor<2x16x8xf32>) {
  // expected-error @below {{'n' dimension 1 (T) must be 16 as in 'q', found 15}}
  %y = aft.finish %q, %n, %z gate = relu : (tensor<2x16x8xf32>, tensor<2x15x8xf32>, tensor<2x16x8xf32>) -> tensor<2x16x8xf32>
  return
}

// -----

// finish C2
func.func @f(%q: tensor<2x16x8xf32>, %n: tensor<2x16x8xf32>, %z: tensor<2x16x8xf32>) {
  // expected-error @below {{'its result' must have element type 'f32' as 'q', found 'bf16'}}
  %y = aft.finish %q, %n, %z gate = relu : (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>) -> tensor<2x16x8xbf16>
  return
}

// -----

// finish C3
func.func @f(%q: tensor<2x16x8xf32>, %n: tensor<2x16x8xf32>, %z: tensor<2x16x8xf64>) {
  // expected-error @below {{'z' must have the accumulation type 'f32', found 'f64'}}
  %y = aft.finish %q, %n, %z gate = relu : (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf64>) -> tensor<2x16x8xf32>
  return
}

// -----

// simple_online C1
func.func @f(%q: tensor<2x1x8xf32>, %k: tensor<2x1x8xf32>, %v: tensor<2x1x8xf32>, %m: tensor<2x8xf32>, %n: tensor<2x8xf32>, %z: tensor<2x9xf32>) {
  // expected-error @below {{'z' dimension 1 (d) must be 8 as in 'q', found 9}}
  %y, %m1, %n1, %z1 = aft.simple_online %q, %k, %v state(%m, %n, %z) : (tensor<2x1x8xf32>, tensor<2x1x8xf32>, tensor<2x1x8xf32>, tensor<2x8xf32>, tensor<2x8xf32>, tensor<2x9xf32>) -> (tensor<2x1x8xf32>, tensor<2x8xf32>, tensor<2x8xf32>, tensor<2x8xf32>)
  return
}

// -----

// simple_online C2
func.func @f(%q: tensor<2x1x8xf32>, %k: tensor<2x1x8xf64>, %v: tensor<2x1x8xf32>, %m: tensor<2x8xf32>, %n: tensor<2x8xf32>, %z: tensor<2x8xf32>) {
  // expected-error @below {{'k' must have element type 'f32' as 'q', found 'f64'}}
  %y, %m1, %n1, %z1 = aft.simple_online %q, %k, %v state(%m, %n, %z) : (tensor<2x1x8xf32>, tensor<2x1x8xf64>, tensor<2x1x8xf32>, tensor<2x8xf32>, tensor<2x8xf32>, tensor<2x8xf32>) -> (tensor<2x1x8xf32>, tensor<2x8xf32>, tensor<2x8xf32>, tensor<2x8xf32>)
  return
}

// -----

// simple_online C3
func.func @f(%q: tensor<2x1x8xf32>, %k: tensor<2x1x8xf32>, %v: tensor<2x1x8xf32>, %m: tensor<2x8xbf16>, %n: tensor<2x8xf32>, %z: tensor<2x8xf32>) {
  // expected-error @below {{'m' must have the accumulation type 'f32', found 'bf16'}}
  %y, %m1, %n1, %z1 = aft.simple_online %q, %k, %v state(%m, %n, %z) : (tensor<2x1x8xf32>, tensor<2x1x8xf32>, tensor<2x1x8xf32>, tensor<2x8xbf16>, tensor<2x8xf32>, tensor<2x8xf32>) -> (tensor<2x1x8xf32>, tensor<2x8xf32>, tensor<2x8xf32>, tensor<2x8xf32>)
  return
}

// -----

// local_online C1
func.func @f(%q: tensor<2x1x8xf32>, %k: tensor<2x1x8xf32>, %v: tensor<2x1x8xf32>, %band: tensor<1x4xf32>, %m: tensor<2x8xf32>, %n: tensor<2x8xf32>, %z: tensor<2x8xf32>, %recent_k: tensor<2x4x8xf32>, %recent_v: tensor<2x3x8xf32>) {
  // expected-error @below {{'recent_k' dimension 1 (R) must be 3 as in window - 1, found 4}}
  %y, %m1, %n1, %z1, %k1, %v1 = aft.local_online %q, %k, %v, %band state(%m, %n, %z, %recent_k, %recent_v) window = 4 : (tensor<2x1x8xf32>, tensor<2x1x8xf32>, tensor<2x1x8xf32>, tensor<1x4xf32>, tensor<2x8xf32>, tensor<2x8xf32>, tensor<2x8xf32>, tensor<2x4x8xf32>, tensor<2x3x8xf32>) -> (tensor<2x1x8xf32>, tensor<2x8xf32>, tensor<2x8xf32>, tensor<2x8xf32>, tensor<2x3x8xf32>, tensor<2x3x8xf32>)
  return
}

// -----

// local_online C1
func.func @f(%q: tensor<2x1x8xf32>, %k: tensor<2x1x8xf32>, %v: tensor<2x1x8xf32>, %band: tensor<1x5xf32>, %m: tensor<2x8xf32>, %n: tensor<2x8xf32>, %z: tensor<2x8xf32>, %recent_k: tensor<2x3x8xf32>, %recent_v: tensor<2x3x8xf32>) {
  // expected-error @below {{'band' dimension 1 (L) must be 4 as in window, found 5}}
  %y, %m1, %n1, %z1, %k1, %v1 = aft.local_online %q, %k, %v, %band state(%m, %n, %z, %recent_k, %recent_v) window = 4 : (tensor<2x1x8xf32>, tensor<2x1x8xf32>, tensor<2x1x8xf32>, tensor<1x5xf32>, tensor<2x8xf32>, tensor<2x8xf32>, tensor<2x8xf32>, tensor<2x3x8xf32>, tensor<2x3x8xf32>) -> (tensor<2x1x8xf32>, tensor<2x8xf32>, tensor<2x8xf32>, tensor<2x8xf32>, tensor<2x3x8xf32>, tensor<2x3x8xf32>)
  return
}

// -----

// local_online C2
func.func @f(%q: tensor<2x1x8xf32>, %k: tensor<2x1x8xf32>, %v: tensor<2x1x8xf32>, %band: tensor<1x4xf64>, %m: tensor<2x8xf32>, %n: tensor<2x8xf32>, %z: tensor<2x8xf32>, %recent_k: tensor<2x3x8xf32>, %recent_v: tensor<2x3x8xf32>) {
  // expected-error @below {{'band' must have element type 'f32', found 'f64'}}
  %y, %m1, %n1, %z1, %k1, %v1 = aft.local_online %q, %k, %v, %band state(%m, %n, %z, %recent_k, %recent_v) window = 4 : (tensor<2x1x8xf32>, tensor<2x1x8xf32>, tensor<2x1x8xf32>, tensor<1x4xf64>, tensor<2x8xf32>, tensor<2x8xf32>, tensor<2x8xf32>, tensor<2x3x8xf32>, tensor<2x3x8xf32>) -> (tensor<2x1x8xf32>, tensor<2x8xf32>, tensor<2x8xf32>, tensor<2x8xf32>, tensor<2x3x8xf32>, tensor<2x3x8xf32>)
  return
}

// -----

// local_online C2
func.func @f(%q: tensor<2x1x8xf32>, %k: tensor<2x1x8xf32>, %v: tensor<2x1x8xf32>, %band: tensor<1x4xf32>, %m: tensor<2x8xf32>, %n: tensor<2x8xf32>, %z: tensor<2x8xf32>, %recent_k: tensor<2x3x8xf32>, %recent_v: tensor<2x3x8xbf16>) {
  // expected-error @below {{'recent_v' must have element type 'f32' as 'q', found 'bf16'}}
  %y, %m1, %n1, %z1, %k1, %v1 = aft.local_online %q, %k, %v, %band state(%m, %n, %z, %recent_k, %recent_v) window = 4 : (tensor<2x1x8xf32>, tensor<2x1x8xf32>, tensor<2x1x8xf32>, tensor<1x4xf32>, tensor<2x8xf32>, tensor<2x8xf32>, tensor<2x8xf32>, tensor<2x3x8xf32>, tensor<2x3x8xbf16>) -> (tensor<2x1x8xf32>, tensor<2x8xf32>, tensor<2x8xf32>, tensor<2x8xf32>, tensor<2x3x8xf32>, tensor<2x3x8xf32>)
  return
}

// -----

// local_online C3
func.func @f(%q: tensor<2x1x8xf32>, %k: tensor<2x1x8xf32>, %v: tensor<2x1x8xf32>, %band: tensor<1x4xf32>, %m: tensor<2x8xf32>, %n: tensor<2x8xf32>, %z: tensor<2x8xf32>, %recent_k: tensor<2x3x8xf32>, %recent_v: tensor<2x3x8xf32>) {
  // expected-error @below {{'its result' must have element type 'f32' as 'recent_v', found 'bf16'}}
  %y, %m1, %n1, %z1, %k1, %v1 = aft.local_online %q, %k, %v, %band state(%m, %n, %z, %recent_k, %recent_v) window = 4 : (tensor<2x1x8xf32>, tensor<2x1x8xf32>, tensor<2x1x8xf32>, tensor<1x4xf32>, tensor<2x8xf32>, tensor<2x8xf32>, tensor<2x8xf32>, tensor<2x3x8xf32>, tensor<2x3x8xf32>) -> (tensor<2x1x8xf32>, tensor<2x8xf32>, tensor<2x8xf32>, tensor<2x8xf32>, tensor<2x3x8xf32>, tensor<2x3x8xbf16>)
  return
}

// -----

// local_online C4
func.func @f(%q: tensor<2x1x8xf32>, %k: tensor<2x1x8xf32>, %v: tensor<2x1x8xf32>, %band: tensor<1x4xf32>, %m: tensor<2x8xf32>, %n: tensor<2x8xf32>, %z: tensor<2x8xf32>, %recent_k: tensor<2x3x8xf32>, %recent_v: tensor<2x3x8xf32>) {
  // expected-error @below {{window must be at least 1, found 0}}
  %y, %m1, %n1, %z1, %k1, %v1 = aft.local_online %q, %k, %v, %band state(%m, %n, %z, %recent_k, %recent_v) window = 0 : (tensor<2x1x8xf32>, tensor<2x1x8xf32>, tensor<2x1x8xf32>, tensor<1x4xf32>, tensor<2x8xf32>, tensor<2x8xf32>, tensor<2x8xf32>, tensor<2x3x8xf32>, tensor<2x3x8xf32>) -> (tensor<2x1x8xf32>, tensor<2x8xf32>, tensor<2x8xf32>, tensor<2x8xf32>, tensor<2x3x8xf32>, tensor<2x3x8xf32>)
  return
}

// -----

// conv_online C1
func.func @f(%q: tensor<2x1x8xf32>, %k: tensor<2x1x3xf32>, %v: tensor<2x1x8xf32>, %f: tensor<4x3xf32>, %m: tensor<2x4xf32>, %n: tensor<2x8xf32>, %z: tensor<2x4xf32>, %recent_k: tensor<2x2x4xf32>, %recent_v: tensor<2x2x8xf32>) {
  // expected-error @below {{'m' dimension 1 (h) must be 3 as in 'k', found 4}}
  %y, %m1, %n1, %z1, %k1, %v1 = aft.conv_online %q, %k, %v, %f state(%m, %n, %z, %recent_k, %recent_v) : (tensor<2x1x8xf32>, tensor<2x1x3xf32>, tensor<2x1x8xf32>, tensor<4x3xf32>, tensor<2x4xf32>, tensor<2x8xf32>, tensor<2x4xf32>, tensor<2x2x4xf32>, tensor<2x2x8xf32>) -> (tensor<2x1x8xf32>, tensor<2x4xf32>, tensor<2x8xf32>, tensor<2x4xf32>, tensor<2x2x4xf32>, tensor<2x2x8xf32>)
  return
}

// -----

// conv_online C1
func.func @f(%q: tensor<2x1x8xf32>, %k: tensor<2x1x4xf32>, %v: tensor<2x1x8xf32>, %f: tensor<4x3xf32>, %m: tensor<2x4xf32>, %n: tensor<2x8xf32>, %z: tensor<2x4xf32>, %recent_k: tensor<2x3x4xf32>, %recent_v: tensor<2x2x8xf32>) {
  // expected-error @below {{'recent_k' dimension 1 (R) must be 2 as in taps - 1, found 3}}
  %y, %m1, %n1, %z1, %k1, %v1 = aft.conv_online %q, %k, %v, %f state(%m, %n, %z, %recent_k, %recent_v) : (tensor<2x1x8xf32>, tensor<2x1x4xf32>, tensor<2x1x8xf32>, tensor<4x3xf32>, tensor<2x4xf32>, tensor<2x8xf32>, tensor<2x4xf32>, tensor<2x3x4xf32>, tensor<2x2x8xf32>) -> (tensor<2x1x8xf32>, tensor<2x4xf32>, tensor<2x8xf32>, tensor<2x4xf32>, tensor<2x2x4xf32>, tensor<2x2x8xf32>)
  return
}

// -----

// conv_online C2
func.func @f(%q: tensor<2x1x8xf32>, %k: tensor<2x1x4xf32>, %v: tensor<2x1x8xf32>, %f: tensor<4x3xi8>, %m: tensor<2x4xf32>, %n: tensor<2x8xf32>, %z: tensor<2x4xf32>, %recent_k: tensor<2x2x4xf32>, %recent_v: tensor<2x2x8xf32>) {
  // expected-error @below {{'filter' must have element type 'f32', found 'i8'}}
  %y, %m1, %n1, %z1, %k1, %v1 = aft.conv_online %q, %k, %v, %f state(%m, %n, %z, %recent_k, %recent_v) : (tensor<2x1x8xf32>, tensor<2x1x4xf32>, tensor<2x1x8xf32>, tensor<4x3xi8>, tensor<2x4xf32>, tensor<2x8xf32>, tensor<2x4xf32>, tensor<2x2x4xf32>, tensor<2x2x8xf32>) -> (tensor<2x1x8xf32>, tensor<2x4xf32>, tensor<2x8xf32>, tensor<2x4xf32>, tensor<2x2x4xf32>, tensor<2x2x8xf32>)
  return
}

// -----

// conv_online C3
func.func @f(%q: tensor<2x1x8xf32>, %k: tensor<2x1x4xf32>, %v: tensor<2x1x8xf32>, %f: tensor<4x3xf32>, %m: tensor<2x4xf32>, %n: tensor<2x8xf64>, %z: tensor<2x4xf32>, %recent_k: tensor<2x2x4xf32>, %recent_v: tensor<2x2x8xf32>) {
  // expected-error @below {{'n' must have the accumulation type 'f32', found 'f64'}}
  %y, %m1, %n1, %z1, %k1, %v1 = aft.conv_online %q, %k, %v, %f state(%m, %n, %z, %recent_k, %recent_v) : (tensor<2x1x8xf32>, tensor<2x1x4xf32>, tensor<2x1x8xf32>, tensor<4x3xf32>, tensor<2x4xf32>, tensor<2x8xf64>, tensor<2x4xf32>, tensor<2x2x4xf32>, tensor<2x2x8xf32>) -> (tensor<2x1x8xf32>, tensor<2x4xf32>, tensor<2x8xf32>, tensor<2x4xf32>, tensor<2x2x4xf32>, tensor<2x2x8xf32>)
  return
}

// -----

// conv_online C4
func.func @f(%q: tensor<2x1x8xf32>, %k: tensor<2x1x4xf32>, %v: tensor<2x1x8xf32>, %f: tensor<4x0xf32>, %m: tensor<2x4xf32>, %n: tensor<2x8xf32>, %z: tensor<2x4xf32>, %recent_k: tensor<2x2x4xf32>, %recent_v: tensor<2x2x8xf32>) {
  // expected-error @below {{'filter' must have a static number of taps, at least one}}
  %y, %m1, %n1, %z1, %k1, %v1 = aft.conv_online %q, %k, %v, %f state(%m, %n, %z, %recent_k, %recent_v) : (tensor<2x1x8xf32>, tensor<2x1x4xf32>, tensor<2x1x8xf32>, tensor<4x0xf32>, tensor<2x4xf32>, tensor<2x8xf32>, tensor<2x4xf32>, tensor<2x2x4xf32>, tensor<2x2x8xf32>) -> (tensor<2x1x8xf32>, tensor<2x4xf32>, tensor<2x8xf32>, tensor<2x4xf32>, tensor<2x2x4xf32>, tensor<2x2x8xf32>)
  return
}

// -----

// conv_online C5
func.func @f(%q: tensor<2x1x8xf32>, %k: tensor<2x1x3xf32>, %v: tensor<2x1x8xf32>, %f: tensor<3x3xf32>, %m: tensor<2x3xf32>, %n: tensor<2x8xf32>, %z: tensor<2x3xf32>, %recent_k: tensor<2x2x3xf32>, %recent_v: tensor<2x2x8xf32>) {
  // expected-error @below {{must be a multiple of the number of heads h, found d = 8 and h = 3}}
  %y, %m1, %n1, %z1, %k1, %v1 = aft.conv_online %q, %k, %v, %f state(%m, %n, %z, %recent_k, %recent_v) : (tensor<2x1x8xf32>, tensor<2x1x3xf32>, tensor<2x1x8xf32>, tensor<3x3xf32>, tensor<2x3xf32>, tensor<2x8xf32>, tensor<2x3xf32>, tensor<2x2x3xf32>, tensor<2x2x8xf32>) -> (tensor<2x1x8xf32>, tensor<2x3xf32>, tensor<2x8xf32>, tensor<2x3xf32>, tensor<2x2x3xf32>, tensor<2x2x8xf32>)
  return
}

// -----

// simple_online C1: the number of channels is known
func.func @f(%q: tensor<2x3x?xf32>, %m: tensor<2x?xf32>) {
  // expected-error @below {{'q' dimension 2 (d) must be static and at least 1, found ?}}
  %y, %m1, %n1, %z1 = aft.simple_online %q, %q, %q state(%m, %m, %m) : (tensor<2x3x?xf32>, tensor<2x3x?xf32>, tensor<2x3x?xf32>, tensor<2x?xf32>, tensor<2x?xf32>, tensor<2x?xf32>) -> (tensor<2x3x?xf32>, tensor<2x?xf32>, tensor<2x?xf32>, tensor<2x?xf32>)
  return
}
