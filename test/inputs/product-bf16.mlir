// A product of bf16 with 512 columns; its rows are dynamic.
func.func @main(%a: tensor<?x1024xbf16>, %b: tensor<1024x512xbf16>) -> tensor<?x512xbf16> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : bf16
  %m = tensor.dim %a, %c0 : tensor<?x1024xbf16>
  %e = tensor.empty(%m) : tensor<?x512xbf16>
  %f = linalg.fill ins(%zero : bf16) outs(%e : tensor<?x512xbf16>) -> tensor<?x512xbf16>
  %r = linalg.matmul ins(%a, %b : tensor<?x1024xbf16>, tensor<1024x512xbf16>) outs(%f : tensor<?x512xbf16>) -> tensor<?x512xbf16>
  return %r : tensor<?x512xbf16>
}
