// RUN: aft-opt %s -split-input-file -verify-diagnostics
// Every numbered constraint of the model operations, violated once.
// band C1
func.func @f(%u: tensor<64x3xf32>, %v: tensor<64x3xf32>) {
  // expected-error @below {{window must be at least 1, found 0}}
  %band = aft.band %u, %v window = 0 causal : (tensor<64x3xf32>, tensor<64x3xf32>) -> tensor<16x4xf32>
  return
}

// -----

// band C1
func.func @f(%u: tensor<64x3xf32>, %v: tensor<64x3xf32>) {
  // expected-error @below {{window is too large: 9223372036854775807}}
  %band = aft.band %u, %v window = 9223372036854775807 causal : (tensor<64x3xf32>, tensor<64x3xf32>) -> tensor<16x4xf32>
  return
}

// -----

// band C2
func.func @f(%u: tensor<64x3xf32>, %v: tensor<64x3xf64>) {
  // expected-error @below {{'v' must have element type 'f32' as 'u', found 'f64'}}
  %band = aft.band %u, %v window = 4 causal : (tensor<64x3xf32>, tensor<64x3xf64>) -> tensor<16x4xf32>
  return
}

// -----

// band C2
func.func @f(%u: tensor<64x3xf32>, %v: tensor<64x3xf32>) {
  // expected-error @below {{'band' must have element type f32, f64 or bf16, found 'i32'}}
  %band = aft.band %u, %v window = 4 causal : (tensor<64x3xf32>, tensor<64x3xf32>) -> tensor<16x4xi32>
  return
}

// -----

// band C3
func.func @f(%u: tensor<64x3xf32>, %v: tensor<64x4xf32>) {
  // expected-error @below {{'v' dimension 1 (r) must be 3 as in 'u', found 4}}
  %band = aft.band %u, %v window = 4 causal : (tensor<64x3xf32>, tensor<64x4xf32>) -> tensor<16x4xf32>
  return
}

// -----

// band C3
func.func @f(%u: tensor<64x3xf32>, %v: tensor<64x3xf32>) {
  // expected-error @below {{'band' dimension 1 (L) must be 4 as in window, found 5}}
  %band = aft.band %u, %v window = 4 causal : (tensor<64x3xf32>, tensor<64x3xf32>) -> tensor<16x5xf32>
  return
}

// -----

// band C4
func.func @f(%u: tensor<64x3xf32>, %v: tensor<64x3xf32>) {
  // expected-error @below {{the band has 65 rows but 'u' and 'v' have only 64}}
  %band = aft.band %u, %v window = 4 causal : (tensor<64x3xf32>, tensor<64x3xf32>) -> tensor<65x4xf32>
  return
}

// -----

// band_grad C1
func.func @f(%dband: tensor<16x4xf32>, %u: tensor<64x3xf32>, %v: tensor<64x3xf32>) {
  // expected-error @below {{window must be at least 1, found -4}}
  %du, %dv = aft.band_grad %dband, %u, %v window = -4 causal : (tensor<16x4xf32>, tensor<64x3xf32>, tensor<64x3xf32>) -> (tensor<64x3xf32>, tensor<64x3xf32>)
  return
}

// -----

// band_grad C2
func.func @f(%dband: tensor<16x4xi1>, %u: tensor<64x3xf32>, %v: tensor<64x3xf32>) {
  // expected-error @below {{'dband' must have element type f32, f64 or bf16, found 'i1'}}
  %du, %dv = aft.band_grad %dband, %u, %v window = 4 causal : (tensor<16x4xi1>, tensor<64x3xf32>, tensor<64x3xf32>) -> (tensor<64x3xf32>, tensor<64x3xf32>)
  return
}

// -----

// band_grad C2
func.func @f(%dband: tensor<16x4xf32>, %u: tensor<64x3xf32>, %v: tensor<64x3xf32>) {
  // expected-error @below {{'dv' must have element type f32, f64 or bf16, found 'i64'}}
  %du, %dv = aft.band_grad %dband, %u, %v window = 4 causal : (tensor<16x4xf32>, tensor<64x3xf32>, tensor<64x3xf32>) -> (tensor<64x3xf32>, tensor<64x3xi64>)
  return
}

// -----

// band_grad C3
func.func @f(%dband: tensor<16x4xf32>, %u: tensor<64x3xf32>, %v: tensor<64x3xf32>) {
  // expected-error @below {{'du' dimension 0 (M) must be 64 as in 'u', found 63}}
  %du, %dv = aft.band_grad %dband, %u, %v window = 4 causal : (tensor<16x4xf32>, tensor<64x3xf32>, tensor<64x3xf32>) -> (tensor<63x3xf32>, tensor<64x3xf32>)
  return
}

// -----

// band_grad C4
func.func @f(%dband: tensor<65x4xf32>, %u: tensor<64x3xf32>, %v: tensor<64x3xf32>) {
  // expected-error @below {{the band has 65 rows but 'u' and 'v' have only 64}}
  %du, %dv = aft.band_grad %dband, %u, %v window = 4 causal : (tensor<65x4xf32>, tensor<64x3xf32>, tensor<64x3xf32>) -> (tensor<64x3xf32>, tensor<64x3xf32>)
  return
}

// -----

// layer_norm C1
func.func @f(%x: tensor<f32>, %gamma: tensor<8xf32>, %beta: tensor<8xf32>) {
  // expected-error @below {{'x' must have rank 1 to 16, found rank 0}}
  %y = aft.layer_norm %x, %gamma, %beta : (tensor<f32>, tensor<8xf32>, tensor<8xf32>) -> tensor<f32>
  return
}

// -----

// layer_norm C1
func.func @f(%x: tensor<1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1xf32>, %gamma: tensor<8xf32>, %beta: tensor<8xf32>) {
  // expected-error @below {{'x' must have rank 1 to 16, found rank 17}}
  %y = aft.layer_norm %x, %gamma, %beta : (tensor<1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1xf32>, tensor<8xf32>, tensor<8xf32>) -> tensor<1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1xf32>
  return
}

// -----

// layer_norm C2
func.func @f(%x: tensor<2x16x8xf32>, %gamma: tensor<8xf32>, %beta: tensor<8xf32>) {
  // expected-error @below {{'y' must have element type 'f32' as 'x', found 'f64'}}
  %y = aft.layer_norm %x, %gamma, %beta : (tensor<2x16x8xf32>, tensor<8xf32>, tensor<8xf32>) -> tensor<2x16x8xf64>
  return
}

// -----

// layer_norm C2
func.func @f(%x: tensor<2x16x8xf32>, %gamma: tensor<8xi32>, %beta: tensor<8xf32>) {
  // expected-error @below {{'gamma' must have element type f32, f64 or bf16, found 'i32'}}
  %y = aft.layer_norm %x, %gamma, %beta : (tensor<2x16x8xf32>, tensor<8xi32>, tensor<8xf32>) -> tensor<2x16x8xf32>
  return
}

// -----

// layer_norm C2
func.func @f(%x: tensor<2x16x8xf32>, %gamma: tensor<8xf32>, %beta: tensor<8xf64>) {
  // expected-error @below {{'beta' must have element type 'f32' as 'gamma', found 'f64'}}
  %y = aft.layer_norm %x, %gamma, %beta : (tensor<2x16x8xf32>, tensor<8xf32>, tensor<8xf64>) -> tensor<2x16x8xf32>
  return
}

// -----

// layer_norm C3
func.func @f(%x: tensor<2x16x8xf32>, %gamma: tensor<4xf32>, %beta: tensor<8xf32>) {
  // expected-error @below {{'gamma' dimension 0 (d) must be 8 as in 'x', found 4}}
  %y = aft.layer_norm %x, %gamma, %beta : (tensor<2x16x8xf32>, tensor<4xf32>, tensor<8xf32>) -> tensor<2x16x8xf32>
  return
}

// -----

// layer_norm C3
func.func @f(%x: tensor<?x0xf32>, %gamma: tensor<0xf32>, %beta: tensor<0xf32>) {
  // expected-error @below {{'x' must have 1 or more channels (d), found 0}}
  %y = aft.layer_norm %x, %gamma, %beta : (tensor<?x0xf32>, tensor<0xf32>, tensor<0xf32>) -> tensor<?x0xf32>
  return
}

// -----

// layer_norm C4
func.func @f(%x: tensor<2x16x8xf32>, %gamma: tensor<8xf32>, %beta: tensor<8xf32>) {
  // expected-error @below {{eps must not be negative, found -1}}
  %y = aft.layer_norm %x, %gamma, %beta eps = -1.0 : (tensor<2x16x8xf32>, tensor<8xf32>, tensor<8xf32>) -> tensor<2x16x8xf32>
  return
}

// -----

// layer_norm C5
func.func @f(%x: tensor<2x16x8xf32>, %gamma: tensor<8xf32>, %beta: tensor<8xf32>) {
  // expected-error @below {{must have 1 result (y) or 3 (y, mean, rstd), found 2}}
  %y, %mean = aft.layer_norm %x, %gamma, %beta : (tensor<2x16x8xf32>, tensor<8xf32>, tensor<8xf32>) -> (tensor<2x16x8xf32>, tensor<2x16xf32>)
  return
}

// -----

// layer_norm C5
func.func @f(%x: tensor<2x16x8xf32>, %gamma: tensor<8xf32>, %beta: tensor<8xf32>) {
  // expected-error @below {{'rstd' must have the accumulation type 'f32', found 'bf16'}}
  %y, %mean, %rstd = aft.layer_norm %x, %gamma, %beta : (tensor<2x16x8xf32>, tensor<8xf32>, tensor<8xf32>) -> (tensor<2x16x8xf32>, tensor<2x16xf32>, tensor<2x16xbf16>)
  return
}

// -----

// layer_norm_grad C1
func.func @f(%dy: tensor<2x16x8xf32>, %x: tensor<f32>, %gamma: tensor<8xf32>, %mean: tensor<2x16xf32>, %rstd: tensor<2x16xf32>) {
  // expected-error @below {{'x' must have rank 1 to 16, found rank 0}}
  %dx, %dgamma, %dbeta = aft.layer_norm_grad %dy, %x, %gamma, %mean, %rstd : (tensor<2x16x8xf32>, tensor<f32>, tensor<8xf32>, tensor<2x16xf32>, tensor<2x16xf32>) -> (tensor<2x16x8xf32>, tensor<8xf32>, tensor<8xf32>)
  return
}

// -----

// layer_norm_grad C2
func.func @f(%dy: tensor<2x16x8xf32>, %x: tensor<2x16x8xf32>, %gamma: tensor<8xf32>, %mean: tensor<2x16xf32>, %rstd: tensor<2x16xf32>) {
  // expected-error @below {{'dbeta' must have element type f32, f64 or bf16, found 'i32'}}
  %dx, %dgamma, %dbeta = aft.layer_norm_grad %dy, %x, %gamma, %mean, %rstd : (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<8xf32>, tensor<2x16xf32>, tensor<2x16xf32>) -> (tensor<2x16x8xf32>, tensor<8xf32>, tensor<8xi32>)
  return
}

// -----

// layer_norm_grad C3
func.func @f(%dy: tensor<2x16x8xf32>, %x: tensor<2x16x8xf32>, %gamma: tensor<8xf32>, %mean: tensor<2x15xf32>, %rstd: tensor<2x16xf32>) {
  // expected-error @below {{'mean' dimension 1 (B) must be 16 as in 'x', found 15}}
  %dx, %dgamma, %dbeta = aft.layer_norm_grad %dy, %x, %gamma, %mean, %rstd : (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<8xf32>, tensor<2x15xf32>, tensor<2x16xf32>) -> (tensor<2x16x8xf32>, tensor<8xf32>, tensor<8xf32>)
  return
}

// -----

// layer_norm_grad C3
func.func @f(%dy: tensor<2x0xf32>, %x: tensor<2x0xf32>, %gamma: tensor<0xf32>, %mean: tensor<2xf32>, %rstd: tensor<2xf32>) {
  // expected-error @below {{'x' must have 1 or more channels (d), found 0}}
  %dx, %dgamma, %dbeta = aft.layer_norm_grad %dy, %x, %gamma, %mean, %rstd : (tensor<2x0xf32>, tensor<2x0xf32>, tensor<0xf32>, tensor<2xf32>, tensor<2xf32>) -> (tensor<2x0xf32>, tensor<0xf32>, tensor<0xf32>)
  return
}

// -----

// layer_norm_grad C4
func.func @f(%dy: tensor<2x16x8xf32>, %x: tensor<2x16x8xf32>, %gamma: tensor<8xf32>, %mean: tensor<2x16xf32>, %rstd: tensor<2x16xbf16>) {
  // expected-error @below {{'rstd' must have the accumulation type 'f32', found 'bf16'}}
  %dx, %dgamma, %dbeta = aft.layer_norm_grad %dy, %x, %gamma, %mean, %rstd : (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<8xf32>, tensor<2x16xf32>, tensor<2x16xbf16>) -> (tensor<2x16x8xf32>, tensor<8xf32>, tensor<8xf32>)
  return
}

// -----

// embedding C1
func.func @f(%ids: tensor<2x16xf32>, %table: tensor<256x8xf32>) {
  // expected-error @below {{'ids' must have element type i32 or i64, found 'f32'}}
  %y = aft.embedding %ids, %table : (tensor<2x16xf32>, tensor<256x8xf32>) -> tensor<2x16x8xf32>
  return
}

// -----

// embedding C1
func.func @f(%ids: tensor<1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1xi32>, %table: tensor<256x8xf32>) {
  // expected-error @below {{'ids' must have rank 0 to 16, found rank 17}}
  %y = aft.embedding %ids, %table : (tensor<1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1xi32>, tensor<256x8xf32>) -> tensor<2x16x8xf32>
  return
}

// -----

// embedding C2
func.func @f(%ids: tensor<2x16xi32>, %table: tensor<256x8xf32>) {
  // expected-error @below {{'y' must have element type 'f32' as 'table', found 'f64'}}
  %y = aft.embedding %ids, %table : (tensor<2x16xi32>, tensor<256x8xf32>) -> tensor<2x16x8xf64>
  return
}

// -----

// embedding C3
func.func @f(%ids: tensor<2x16xi32>, %table: tensor<256x8xf32>) {
  // expected-error @below {{'y' dimension 2 (d) must be 8 as in 'table', found 9}}
  %y = aft.embedding %ids, %table : (tensor<2x16xi32>, tensor<256x8xf32>) -> tensor<2x16x9xf32>
  return
}

// -----

// embedding_grad C1
func.func @f(%ids: tensor<2x16xi1>, %dy: tensor<2x16x8xf32>) {
  // expected-error @below {{'ids' must have element type i32 or i64, found 'i1'}}
  %dtable = aft.embedding_grad %ids, %dy : (tensor<2x16xi1>, tensor<2x16x8xf32>) -> tensor<256x8xf32>
  return
}

// -----

// embedding_grad C2
func.func @f(%ids: tensor<2x16xi32>, %dy: tensor<2x16x8xf32>) {
  // expected-error @below {{'dtable' must have element type f32, f64 or bf16, found 'i32'}}
  %dtable = aft.embedding_grad %ids, %dy : (tensor<2x16xi32>, tensor<2x16x8xf32>) -> tensor<256x8xi32>
  return
}

// -----

// embedding_grad C3
func.func @f(%ids: tensor<2x16xi32>, %dy: tensor<2x15x8xf32>) {
  // expected-error @below {{'dy' dimension 1 (B) must be 16 as in 'ids', found 15}}
  %dtable = aft.embedding_grad %ids, %dy : (tensor<2x16xi32>, tensor<2x15x8xf32>) -> tensor<256x8xf32>
  return
}

// -----

// cross_entropy C1
func.func @f(%logits: tensor<32x256xi32>, %targets: tensor<32xi64>) {
  // expected-error @below {{'logits' must have element type f32, f64 or bf16, found 'i32'}}
  %loss, %lse = aft.cross_entropy %logits, %targets : (tensor<32x256xi32>, tensor<32xi64>) -> (tensor<f32>, tensor<32xf32>)
  return
}

// -----

// cross_entropy C2
func.func @f(%logits: tensor<32x256xbf16>, %targets: tensor<32xf32>) {
  // expected-error @below {{'targets' must have element type i32 or i64, found 'f32'}}
  %loss, %lse = aft.cross_entropy %logits, %targets : (tensor<32x256xbf16>, tensor<32xf32>) -> (tensor<f32>, tensor<32xf32>)
  return
}

// -----

// cross_entropy C3
func.func @f(%logits: tensor<32x256xbf16>, %targets: tensor<31xi64>) {
  // expected-error @below {{'targets' dimension 0 (N) must be 32 as in 'logits', found 31}}
  %loss, %lse = aft.cross_entropy %logits, %targets : (tensor<32x256xbf16>, tensor<31xi64>) -> (tensor<f32>, tensor<32xf32>)
  return
}

// -----

// cross_entropy C4
func.func @f(%logits: tensor<32x256xbf16>, %targets: tensor<32xi64>) {
  // expected-error @below {{'loss' must have the accumulation type 'f32', found 'bf16'}}
  %loss, %lse = aft.cross_entropy %logits, %targets : (tensor<32x256xbf16>, tensor<32xi64>) -> (tensor<bf16>, tensor<32xf32>)
  return
}

// -----

// cross_entropy C4
func.func @f(%logits: tensor<32x256xbf16>, %targets: tensor<32xi64>) {
  // expected-error @below {{must have 1 result (loss) or 2 (loss, lse), found 3}}
  %a, %b, %c = aft.cross_entropy %logits, %targets : (tensor<32x256xbf16>, tensor<32xi64>) -> (tensor<f32>, tensor<32xf32>, tensor<32xf32>)
  return
}

// -----

// cross_entropy_grad C1
func.func @f(%dloss: tensor<f32>, %logits: tensor<32x256xbf16>, %targets: tensor<32xi64>, %lse: tensor<32xf32>) {
  // expected-error @below {{'dlogits' must have element type 'bf16' as 'logits', found 'f32'}}
  %dlogits = aft.cross_entropy_grad %dloss, %logits, %targets, %lse : (tensor<f32>, tensor<32x256xbf16>, tensor<32xi64>, tensor<32xf32>) -> tensor<32x256xf32>
  return
}

// -----

// cross_entropy_grad C2
func.func @f(%dloss: tensor<f32>, %logits: tensor<32x256xbf16>, %targets: tensor<32xi8>, %lse: tensor<32xf32>) {
  // expected-error @below {{'targets' must have element type i32 or i64, found 'i8'}}
  %dlogits = aft.cross_entropy_grad %dloss, %logits, %targets, %lse : (tensor<f32>, tensor<32x256xbf16>, tensor<32xi8>, tensor<32xf32>) -> tensor<32x256xbf16>
  return
}

// -----

// cross_entropy_grad C3
func.func @f(%dloss: tensor<1xf32>, %logits: tensor<32x256xbf16>, %targets: tensor<32xi64>, %lse: tensor<32xf32>) {
  // expected-error @below {{'dloss' must have rank 0 [], found rank 1}}
  %dlogits = aft.cross_entropy_grad %dloss, %logits, %targets, %lse : (tensor<1xf32>, tensor<32x256xbf16>, tensor<32xi64>, tensor<32xf32>) -> tensor<32x256xbf16>
  return
}

// -----

// cross_entropy_grad C4
func.func @f(%dloss: tensor<f32>, %logits: tensor<32x256xbf16>, %targets: tensor<32xi64>, %lse: tensor<32xbf16>) {
  // expected-error @below {{'lse' must have the accumulation type 'f32', found 'bf16'}}
  %dlogits = aft.cross_entropy_grad %dloss, %logits, %targets, %lse : (tensor<f32>, tensor<32x256xbf16>, tensor<32xi64>, tensor<32xbf16>) -> tensor<32x256xbf16>
  return
}

// -----

// dropout C1
func.func @f(%x: tensor<2x16x8xf32>, %seed: tensor<i64>) {
  // expected-error @below {{p must be in [0, 1), found 1}}
  %y = aft.dropout %x, %seed p = 1.0 stream = 3 : (tensor<2x16x8xf32>, tensor<i64>) -> tensor<2x16x8xf32>
  return
}

// -----

// dropout C1
func.func @f(%x: tensor<2x16x8xf32>, %seed: tensor<i64>) {
  // expected-error @below {{p must be in [0, 1), found nan}}
  %y = aft.dropout %x, %seed p = 0x7FF8000000000000 stream = 3 : (tensor<2x16x8xf32>, tensor<i64>) -> tensor<2x16x8xf32>
  return
}

// -----

// dropout C2
func.func @f(%x: tensor<2x16x8xf32>, %seed: tensor<i64>) {
  // expected-error @below {{'y' must have element type 'f32' as 'x', found 'f64'}}
  %y = aft.dropout %x, %seed p = 1.000000e-01 stream = 3 : (tensor<2x16x8xf32>, tensor<i64>) -> tensor<2x16x8xf64>
  return
}

// -----

// dropout C3
func.func @f(%x: tensor<2x16x8xf32>, %seed: tensor<i32>) {
  // expected-error @below {{'seed' must have element type i64, found 'i32'}}
  %y = aft.dropout %x, %seed p = 1.000000e-01 stream = 3 : (tensor<2x16x8xf32>, tensor<i32>) -> tensor<2x16x8xf32>
  return
}

// -----

// dropout C4
func.func @f(%x: tensor<2x16x8xf32>, %seed: tensor<i64>) {
  // expected-error @below {{'y' dimension 2 (C) must be 8 as in 'x', found 9}}
  %y = aft.dropout %x, %seed p = 1.000000e-01 stream = 3 : (tensor<2x16x8xf32>, tensor<i64>) -> tensor<2x16x9xf32>
  return
}

// -----

// dropout C4
func.func @f(%x: tensor<1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1xf32>, %seed: tensor<i64>) {
  // expected-error @below {{'x' must have rank 0 to 16, found rank 200}}
  %y = aft.dropout %x, %seed p = 1.000000e-01 stream = 3 : (tensor<1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1xf32>, tensor<i64>) -> tensor<1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1xf32>
  return
}

// -----

// adamw C1
func.func @f(%param: tensor<8x8xf32>, %grad: tensor<8x9xf32>, %m: tensor<8x8xf32>, %v: tensor<8x8xf32>, %lr: tensor<f32>, %step: tensor<i64>, %scale: tensor<f32>) {
  // expected-error @below {{'grad' dimension 1 (B) must be 8 as in 'param', found 9}}
  %param1, %m1, %v1 = aft.adamw %param, %grad, %m, %v lr(%lr) step(%step) scale(%scale) {weight_decay = 5.000000e-01 : f64} : (tensor<8x8xf32>, tensor<8x9xf32>, tensor<8x8xf32>, tensor<8x8xf32>, tensor<f32>, tensor<i64>, tensor<f32>) -> (tensor<8x8xf32>, tensor<8x8xf32>, tensor<8x8xf32>)
  return
}

// -----

// adamw C2
func.func @f(%param: tensor<8x8xf32>, %grad: tensor<8x8xi32>, %m: tensor<8x8xf32>, %v: tensor<8x8xf32>, %lr: tensor<f32>, %step: tensor<i64>, %scale: tensor<f32>) {
  // expected-error @below {{'grad' must have element type f32, f64 or bf16, found 'i32'}}
  %param1, %m1, %v1 = aft.adamw %param, %grad, %m, %v lr(%lr) step(%step) scale(%scale) {weight_decay = 5.000000e-01 : f64} : (tensor<8x8xf32>, tensor<8x8xi32>, tensor<8x8xf32>, tensor<8x8xf32>, tensor<f32>, tensor<i64>, tensor<f32>) -> (tensor<8x8xf32>, tensor<8x8xf32>, tensor<8x8xf32>)
  return
}

// -----

// adamw C2
func.func @f(%param: tensor<8x8xf32>, %grad: tensor<8x8xf32>, %m: tensor<8x8xf64>, %v: tensor<8x8xf32>, %lr: tensor<f32>, %step: tensor<i64>, %scale: tensor<f32>) {
  // expected-error @below {{'v' must have element type 'f64' as 'm', found 'f32'}}
  %param1, %m1, %v1 = aft.adamw %param, %grad, %m, %v lr(%lr) step(%step) scale(%scale) {weight_decay = 5.000000e-01 : f64} : (tensor<8x8xf32>, tensor<8x8xf32>, tensor<8x8xf64>, tensor<8x8xf32>, tensor<f32>, tensor<i64>, tensor<f32>) -> (tensor<8x8xf32>, tensor<8x8xf32>, tensor<8x8xf32>)
  return
}

// -----

// adamw C2
func.func @f(%param: tensor<8x8xf32>, %grad: tensor<8x8xf32>, %m: tensor<8x8xf32>, %v: tensor<8x8xf32>, %lr: tensor<f32>, %step: tensor<i64>, %scale: tensor<f32>) {
  // expected-error @below {{'its result' must have element type 'f32' as 'm', found 'bf16'}}
  %param1, %m1, %v1 = aft.adamw %param, %grad, %m, %v lr(%lr) step(%step) scale(%scale) {weight_decay = 5.000000e-01 : f64} : (tensor<8x8xf32>, tensor<8x8xf32>, tensor<8x8xf32>, tensor<8x8xf32>, tensor<f32>, tensor<i64>, tensor<f32>) -> (tensor<8x8xf32>, tensor<8x8xbf16>, tensor<8x8xf32>)
  return
}

// -----

// adamw C3
func.func @f(%param: tensor<8x8xf32>, %grad: tensor<8x8xf32>, %m: tensor<8x8xf32>, %v: tensor<8x8xf32>, %lr: tensor<f32>, %step: tensor<i32>, %scale: tensor<f32>) {
  // expected-error @below {{'step' must have element type i64, found 'i32'}}
  %param1, %m1, %v1 = aft.adamw %param, %grad, %m, %v lr(%lr) step(%step) scale(%scale) {weight_decay = 5.000000e-01 : f64} : (tensor<8x8xf32>, tensor<8x8xf32>, tensor<8x8xf32>, tensor<8x8xf32>, tensor<f32>, tensor<i32>, tensor<f32>) -> (tensor<8x8xf32>, tensor<8x8xf32>, tensor<8x8xf32>)
  return
}

// -----

// adamw C3
func.func @f(%param: tensor<8x8xf32>, %grad: tensor<8x8xf32>, %m: tensor<8x8xf32>, %v: tensor<8x8xf32>, %lr: tensor<1xf32>, %step: tensor<i64>, %scale: tensor<f32>) {
  // expected-error @below {{'lr' must have rank 0 [], found rank 1}}
  %param1, %m1, %v1 = aft.adamw %param, %grad, %m, %v lr(%lr) step(%step) scale(%scale) {weight_decay = 5.000000e-01 : f64} : (tensor<8x8xf32>, tensor<8x8xf32>, tensor<8x8xf32>, tensor<8x8xf32>, tensor<1xf32>, tensor<i64>, tensor<f32>) -> (tensor<8x8xf32>, tensor<8x8xf32>, tensor<8x8xf32>)
  return
}

// -----

// adamw C4
func.func @f(%param: tensor<8x8xf32>, %grad: tensor<8x8xf32>, %m: tensor<8x8xf32>, %v: tensor<8x8xf32>, %lr: tensor<f32>, %step: tensor<i64>, %scale: tensor<f32>) {
  // expected-error @below {{beta1 must be in [0, 1), found 1}}
  %param1, %m1, %v1 = aft.adamw %param, %grad, %m, %v lr(%lr) step(%step) scale(%scale) {beta1 = 1.0 : f64, weight_decay = 5.000000e-01 : f64} : (tensor<8x8xf32>, tensor<8x8xf32>, tensor<8x8xf32>, tensor<8x8xf32>, tensor<f32>, tensor<i64>, tensor<f32>) -> (tensor<8x8xf32>, tensor<8x8xf32>, tensor<8x8xf32>)
  return
}

// -----

// StopGradient C1.
func.func @stop_gradient(%x: tensor<4x8xf32>) -> tensor<4x8xf64> {
  // expected-error @below {{requires the same type for all operands and results}}
  %y = aft.stop_gradient %x : (tensor<4x8xf32>) -> tensor<4x8xf64>
  return %y : tensor<4x8xf64>
}
