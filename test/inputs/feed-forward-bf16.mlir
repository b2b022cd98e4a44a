// A feed-forward layer in bf16 with GELU by erf, logits and the loss.
#rows = affine_map<(i, c) -> (i, c)>
#row = affine_map<(i, c) -> (c)>
func.func @main(%x: tensor<?x16xbf16> {aft.name = "x"}, %w: tensor<64x16xbf16> {aft.name = "w", aft.param}, %bias: tensor<64xbf16> {aft.name = "bias", aft.param}, %w2: tensor<32x64xbf16> {aft.name = "w2", aft.param}, %bias2: tensor<32xbf16> {aft.name = "bias2", aft.param}, %tg: tensor<?xi64> {aft.name = "t"}) -> tensor<f32> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %half = arith.constant 0.5 : f32
  %one = arith.constant 1.0 : f32
  %isq = arith.constant 0.70710678118 : f32
  %n = tensor.dim %x, %c0 : tensor<?x16xbf16>
  %e = tensor.empty(%n) : tensor<?x64xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<?x64xf32>) -> tensor<?x64xf32>
  %p = linalg.matmul_transpose_b ins(%x, %w : tensor<?x16xbf16>, tensor<64x16xbf16>) outs(%z : tensor<?x64xf32>) -> tensor<?x64xf32>
  %e2 = tensor.empty(%n) : tensor<?x64xbf16>
  %h = linalg.generic {indexing_maps = [#rows, #row, #rows], iterator_types = ["parallel", "parallel"]} ins(%p, %bias : tensor<?x64xf32>, tensor<64xbf16>) outs(%e2 : tensor<?x64xbf16>) {
  ^bb0(%a: f32, %b: bf16, %o: bf16):
    %b32 = arith.extf %b : bf16 to f32
    %s0 = arith.addf %a, %b32 : f32
    %s16 = arith.truncf %s0 : f32 to bf16
    linalg.yield %s16 : bf16
  } -> tensor<?x64xbf16>
  %y = linalg.generic {indexing_maps = [#rows, #rows], iterator_types = ["parallel", "parallel"]} ins(%h : tensor<?x64xbf16>) outs(%e2 : tensor<?x64xbf16>) {
  ^bb0(%s16: bf16, %o: bf16):
    %s = arith.extf %s16 : bf16 to f32
    %v = arith.mulf %s, %isq : f32
    %w1 = math.erf %v : f32
    %w3 = arith.addf %w1, %one : f32
    %g = arith.mulf %s, %half : f32
    %hh = arith.mulf %g, %w3 : f32
    %r = arith.truncf %hh : f32 to bf16
    linalg.yield %r : bf16
  } -> tensor<?x64xbf16>
  %f = tensor.empty(%n) : tensor<?x32xf32>
  %fz = linalg.fill ins(%zero : f32) outs(%f : tensor<?x32xf32>) -> tensor<?x32xf32>
  %q = linalg.matmul_transpose_b ins(%y, %w2 : tensor<?x64xbf16>, tensor<32x64xbf16>) outs(%fz : tensor<?x32xf32>) -> tensor<?x32xf32>
  %f2 = tensor.empty(%n) : tensor<?x32xbf16>
  %l = linalg.generic {indexing_maps = [#rows, #row, #rows], iterator_types = ["parallel", "parallel"]} ins(%q, %bias2 : tensor<?x32xf32>, tensor<32xbf16>) outs(%f2 : tensor<?x32xbf16>) {
  ^bb0(%a: f32, %b: bf16, %o: bf16):
    %b32 = arith.extf %b : bf16 to f32
    %s0 = arith.addf %a, %b32 : f32
    %s16 = arith.truncf %s0 : f32 to bf16
    linalg.yield %s16 : bf16
  } -> tensor<?x32xbf16>
  %loss = aft.cross_entropy %l, %tg : (tensor<?x32xbf16>, tensor<?xi64>) -> tensor<f32>
  return %loss : tensor<f32>
}
