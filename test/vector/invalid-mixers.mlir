// RUN: aft-opt %s -aft-vectorize-mixers -split-input-file -verify-diagnostics

func.func @both_sides(%x: memref<2x64x64xf32>, %band: memref<64x7xf32>, %parts: memref<5x64x7xf32>) attributes {aft.kernel} {
  // expected-error @below {{takes 'dband' in parts where it is causal, with at least 512 bytes of channels that fill vectors, of 16 numbers too, and no more taps than channels; found window = 4, 64 channels, vectors of}}
  aft.local_grad %x, %x, %x, %x, %band, %x, %x window = 4 outs(%x, %x, %x, %parts) : (memref<2x64x64xf32>, memref<2x64x64xf32>, memref<2x64x64xf32>, memref<2x64x64xf32>, memref<64x7xf32>, memref<2x64x64xf32>, memref<2x64x64xf32>, memref<2x64x64xf32>, memref<2x64x64xf32>, memref<2x64x64xf32>, memref<5x64x7xf32>) -> ()
  return
}

// -----

func.func @channels(%x: memref<2x64x20xf32>, %band: memref<64x4xf32>, %parts: memref<5x64x4xf32>) attributes {aft.kernel} {
  // expected-error @below {{found window = 4 causal, 20 channels}}
  aft.local_grad %x, %x, %x, %x, %band, %x, %x window = 4 causal outs(%x, %x, %x, %parts) : (memref<2x64x20xf32>, memref<2x64x20xf32>, memref<2x64x20xf32>, memref<2x64x20xf32>, memref<64x4xf32>, memref<2x64x20xf32>, memref<2x64x20xf32>, memref<2x64x20xf32>, memref<2x64x20xf32>, memref<2x64x20xf32>, memref<5x64x4xf32>) -> ()
  return
}
