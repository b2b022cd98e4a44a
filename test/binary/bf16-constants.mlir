// A CPU with AVX512-FP16, for which LLVM makes vectors of bf16 from f16: this program has
// constants among them.
// RUN: aftc %s --mcpu=sapphirerapids --bf16-products=tiles -o %t.so
// RUN: aftc %s --mcpu=sapphirerapids --bf16-products=pairs -o %t.so


func.func @main(%q: tensor<1x1x5xbf16>, %k: tensor<1x1x5xbf16>, %v: tensor<1x1x5xbf16>, %w: tensor<1x1xbf16>, %dy: tensor<1x1x5xbf16>) -> (tensor<1x1x5xbf16>, tensor<1x1x5xbf16>, tensor<1x1x5xbf16>, tensor<1x1x5xbf16>, tensor<1x1xbf16>) {
  %y, %r, %z = aft.full %q, %k, %v, %w  : (tensor<1x1x5xbf16>, tensor<1x1x5xbf16>, tensor<1x1x5xbf16>, tensor<1x1xbf16>) -> (tensor<1x1x5xbf16>, tensor<1x1x5xf32>, tensor<1x1x5xf32>)
  %g:4 = aft.full_grad %dy, %q, %k, %v, %w, %r, %z  : (tensor<1x1x5xbf16>, tensor<1x1x5xbf16>, tensor<1x1x5xbf16>, tensor<1x1x5xbf16>, tensor<1x1xbf16>, tensor<1x1x5xf32>, tensor<1x1x5xf32>) -> (tensor<1x1x5xbf16>, tensor<1x1x5xbf16>, tensor<1x1x5xbf16>, tensor<1x1xbf16>)
  return %y, %g#0, %g#1, %g#2, %g#3 : tensor<1x1x5xbf16>, tensor<1x1x5xbf16>, tensor<1x1x5xbf16>, tensor<1x1x5xbf16>, tensor<1x1xbf16>
}