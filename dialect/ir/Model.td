//===- Model.td - What a transformer needs and upstream lacks -------------===//

#ifndef AFT_MODEL_TD
#define AFT_MODEL_TD

include "dialect/ir/AFTBase.td"

def AFT_ModelDocs : OpDocGroup {
  let summary = "Model operations";
  let description = [{
    What a transformer block, its loss and its optimiser need and upstream lacks.
  }];
}

let opDocGroup = AFT_ModelDocs in {

def AFT_BandOp : AFT_Op<"band"> {
  let summary = "band of a factorised bias: band[t, j] = u[t] . v[t + j - (s-1)]";
  let description = [{
    `band[t, j] = sum_i u[t, i] * v[t + j - (s-1), i]` where
    `0 <= t + j - (s-1) < T`, and 0 elsewhere, for a window s (`window = s`). It
    is the bias of an `aft.local` whose matrix `u v'` is never formed.

    Shapes: u, v [Tmax,r]; band [T,L], L = 2s - 1, or s when causal. The leading
    T rows of u and v are used.

    Constraints:
    - C1: window >= 1.
    - C2: u and v share an element type, f32, f64 or bf16; the band has one of
      these.
    - C3: the shapes agree as written above.
    - C4: T <= Tmax.

    Example:
    ```mlir
    %band = aft.band %u, %v window = 4 causal : (tensor<64x3xf32>, tensor<64x3xf32>) -> tensor<16x4xf32>
    ```
  }];
  let arguments = (ins AFT_Shaped:$u, AFT_Shaped:$v, Variadic<AFT_Shaped>:$inits,
                       I64Attr:$window, UnitAttr:$causal);
  let assemblyFormat = [{ $u `,` $v `window` `=` $window (`causal` $causal^)?
    (`outs` `(` $inits^ `)`)? attr-dict `:` functional-type(operands, results) }];
}

def AFT_BandGradOp : AFT_Op<"band_grad"> {
  let summary = "derivative of aft.band: (du, dv)";
  let description = [{
    `du[t] = sum_j dband[t, j] * v[t + j - (s-1)]` and
    `dv[t'] = sum_t dband[t, t' - t + s - 1] * u[t]` over the taps whose key
    exists. Rows of u and v that the band did not use get 0.

    Shapes: u, v, du, dv [Tmax,r]; dband [T,L], L = 2s - 1, or s when causal.

    Constraints:
    - C1: window >= 1.
    - C2: u and v share an element type, f32, f64 or bf16; dband, du and dv each
      have one of these.
    - C3: the shapes agree as written above.
    - C4: T <= Tmax.

    Example:
    ```mlir
    %du, %dv = aft.band_grad %dband, %u, %v window = 4 causal : (tensor<16x4xf32>, tensor<64x3xf32>, tensor<64x3xf32>) -> (tensor<64x3xf32>, tensor<64x3xf32>)
    ```
  }];
  let arguments = (ins AFT_Shaped:$dband, AFT_Shaped:$u, AFT_Shaped:$v,
                       Variadic<AFT_Shaped>:$inits, I64Attr:$window, UnitAttr:$causal);
  let assemblyFormat = [{ $dband `,` $u `,` $v `window` `=` $window (`causal` $causal^)?
    (`outs` `(` $inits^ `)`)? attr-dict `:` functional-type(operands, results) }];
}

def AFT_LayerNormOp : AFT_Op<"layer_norm"> {
  let summary = "normalises the last dimension: (x - mean) * rstd * gamma + beta";
  let description = [{
    Per row of the last dimension: `mean = sum_c x[c] / d`,
    `rstd = 1 / sqrt(sum_c (x[c] - mean)^2 / d + eps)` and
    `y[c] = (x[c] - mean) * rstd * gamma[c] + beta[c]`. The variance is the biased
    one. `eps` is 1e-5 unless said otherwise.

    Shapes: x, y [...,d]; gamma, beta [d]; mean, rstd [...].

    Constraints:
    - C1: x has rank 1 to 16.
    - C2: x and y have the same element type, f32, f64 or bf16; gamma and beta
      share one of these.
    - C3: the shapes agree as written above, and d is at least 1.
    - C4: eps >= 0.
    - C5: one result y, or three: y, mean and rstd, the latter two in the
      accumulation type (f32 for bf16).

    Example:
    ```mlir
    %y = aft.layer_norm %x, %gamma, %beta : (tensor<2x16x8xf32>, tensor<8xf32>, tensor<8xf32>) -> tensor<2x16x8xf32>
    ```
  }];
  let arguments = (ins AFT_Shaped:$x, AFT_Shaped:$gamma, AFT_Shaped:$beta,
                       Variadic<AFT_Shaped>:$inits,
                       DefaultValuedAttr<F64Attr, "1.0e-5">:$eps);
  let assemblyFormat = [{ $x `,` $gamma `,` $beta (`eps` `=` $eps^)?
    (`outs` `(` $inits^ `)`)? attr-dict `:` functional-type(operands, results) }];
}

def AFT_LayerNormGradOp : AFT_Op<"layer_norm_grad"> {
  let summary = "derivative of aft.layer_norm: (dx, dgamma, dbeta)";
  let description = [{
    With `n = (x - mean) * rstd` and `g = dy * gamma`, per row
    `dx[c] = rstd * (g[c] - sum_c' g[c'] / d - n[c] * sum_c' g[c'] n[c'] / d)`;
    `dgamma = sum dy * n` and `dbeta = sum dy` over all rows.

    Shapes: dy, x, dx [...,d]; gamma, dgamma, dbeta [d]; mean, rstd [...], as
    `aft.layer_norm` returns them.

    Constraints:
    - C1: x has rank 1 to 16.
    - C2: dy, x, gamma and the results each have element type f32, f64 or bf16.
    - C3: the shapes agree as written above, and d is at least 1.
    - C4: mean and rstd are in the accumulation type of x.

    Example:
    ```mlir
    %dx, %dgamma, %dbeta = aft.layer_norm_grad %dy, %x, %gamma, %mean, %rstd : (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<8xf32>, tensor<2x16xf32>, tensor<2x16xf32>) -> (tensor<2x16x8xf32>, tensor<8xf32>, tensor<8xf32>)
    ```
  }];
  let arguments = (ins AFT_Shaped:$dy, AFT_Shaped:$x, AFT_Shaped:$gamma, AFT_Shaped:$mean,
                       AFT_Shaped:$rstd, Variadic<AFT_Shaped>:$inits);
  let assemblyFormat = [{ $dy `,` $x `,` $gamma `,` $mean `,` $rstd
    (`outs` `(` $inits^ `)`)? attr-dict `:` functional-type(operands, results) }];
}

def AFT_EmbeddingOp : AFT_Op<"embedding"> {
  let summary = "rows of a table: y[..., :] = table[ids[...], :]";
  let description = [{
    `y[..., c] = table[ids[...], c]`. An id outside [0,v) gives a row of NaN in
    compiled code and an error in the reference interpreter.

    Shapes: ids [...]; table [v,d]; y [...,d].

    Constraints:
    - C1: ids have rank 0 to 16 and element type i32 or i64.
    - C2: the table and y have the same element type, f32, f64 or bf16.
    - C3: the shapes agree as written above.

    Example:
    ```mlir
    %y = aft.embedding %ids, %table : (tensor<2x16xi32>, tensor<256x8xf32>) -> tensor<2x16x8xf32>
    ```
  }];
  let arguments = (ins AFT_Shaped:$ids, AFT_Shaped:$table, Variadic<AFT_Shaped>:$inits);
  let assemblyFormat = [{ $ids `,` $table (`outs` `(` $inits^ `)`)? attr-dict
    `:` functional-type(operands, results) }];
}

def AFT_EmbeddingGradOp : AFT_Op<"embedding_grad"> {
  let summary = "derivative of aft.embedding: dtable";
  let description = [{
    `dtable[r, c] = sum of dy[..., c] over all places with ids[...] = r`.

    Shapes: ids [...]; dy [...,d]; dtable [v,d].

    Constraints:
    - C1: ids have rank 0 to 16 and element type i32 or i64.
    - C2: dy and dtable each have element type f32, f64 or bf16.
    - C3: the shapes agree as written above.

    Example:
    ```mlir
    %dtable = aft.embedding_grad %ids, %dy : (tensor<2x16xi32>, tensor<2x16x8xf32>) -> tensor<256x8xf32>
    ```
  }];
  let arguments = (ins AFT_Shaped:$ids, AFT_Shaped:$dy, Variadic<AFT_Shaped>:$inits);
  let assemblyFormat = [{ $ids `,` $dy (`outs` `(` $inits^ `)`)? attr-dict
    `:` functional-type(operands, results) }];
}

def AFT_CrossEntropyOp : AFT_Op<"cross_entropy"> {
  let summary = "mean over counted rows of logsumexp(logits[i]) - logits[i, target[i]]";
  let description = [{
    `lse[i] = log sum_c exp(logits[i, c])`, computed with the row's maximum
    subtracted, and `loss = sum_i (lse[i] - logits[i, targets[i]]) / n`, summed over
    the n rows whose target is not negative: a negative target leaves its row out
    of the mean. With no row left the loss is NaN. A target of v or more gives a
    loss of NaN in compiled code and an error in the reference interpreter.

    Shapes: logits [N,v]; targets [N]; loss []; lse [N].

    Constraints:
    - C1: logits have element type f32, f64 or bf16.
    - C2: targets are i32 or i64.
    - C3: the shapes agree as written above.
    - C4: one result loss, or two: loss and lse; both in the accumulation type of
      the logits (f32 for bf16).

    Example:
    ```mlir
    %loss, %lse = aft.cross_entropy %logits, %targets : (tensor<32x256xbf16>, tensor<32xi64>) -> (tensor<f32>, tensor<32xf32>)
    ```
  }];
  let arguments = (ins AFT_Shaped:$logits, AFT_Shaped:$targets, Variadic<AFT_Shaped>:$inits);
  let assemblyFormat = [{ $logits `,` $targets (`outs` `(` $inits^ `)`)? attr-dict
    `:` functional-type(operands, results) }];
}

def AFT_CrossEntropyGradOp : AFT_Op<"cross_entropy_grad"> {
  let summary = "derivative of aft.cross_entropy: dlogits";
  let description = [{
    `dlogits[i, c] = dloss / n * (exp(logits[i, c] - lse[i]) - (c == targets[i]))`
    in the n rows whose target is not negative, 0 in the others.

    Shapes: dloss []; logits, dlogits [N,v]; targets, lse [N].

    Constraints:
    - C1: logits and dlogits have the same element type, f32, f64 or bf16.
    - C2: targets are i32 or i64.
    - C3: the shapes agree as written above.
    - C4: dloss and lse are in the accumulation type of the logits.

    Example:
    ```mlir
    %dlogits = aft.cross_entropy_grad %dloss, %logits, %targets, %lse : (tensor<f32>, tensor<32x256xbf16>, tensor<32xi64>, tensor<32xf32>) -> tensor<32x256xbf16>
    ```
  }];
  let arguments = (ins AFT_Shaped:$dloss, AFT_Shaped:$logits, AFT_Shaped:$targets,
                       AFT_Shaped:$lse, Variadic<AFT_Shaped>:$inits);
  let assemblyFormat = [{ $dloss `,` $logits `,` $targets `,` $lse
    (`outs` `(` $inits^ `)`)? attr-dict `:` functional-type(operands, results) }];
}

def AFT_DropoutOp : AFT_Op<"dropout"> {
  let summary = "zeroes each element with probability p, scales the others by 1/(1-p)";
  let description = [{
    `y[i] = x[i] / (1 - p)` where the element is kept and 0 elsewhere, i counting
    the elements in row-major order. Whether it is kept depends on
    (seed, stream, i) alone:

        h = seed + stream * 0x9E3779B97F4A7C15 + i * 0xD1B54A32D192ED03  (mod 2^64)
        h = (h xor (h >> 30)) * 0xBF58476D1CE4E5B9
        h = (h xor (h >> 27)) * 0x94D049BB133111EB
        h =  h xor (h >> 31)
        kept where (h >> 40) / 2^24 >= p

    So the same operation applied to dy is the derivative, on any number of
    threads. `stream` tells the dropouts of one program apart.

    Shapes: x, y [...]; seed [].

    Constraints:
    - C1: 0 <= p < 1.
    - C2: x and y have the same element type, f32, f64 or bf16.
    - C3: seed is an i64 scalar.
    - C4: x has rank 0 to 16, and y has the shape of x.

    Example:
    ```mlir
    %y = aft.dropout %x, %seed p = 1.000000e-01 stream = 3 : (tensor<2x16x8xf32>, tensor<i64>) -> tensor<2x16x8xf32>
    ```
  }];
  let arguments = (ins AFT_Shaped:$x, AFT_Shaped:$seed, Variadic<AFT_Shaped>:$inits,
                       F64Attr:$p, I64Attr:$stream);
  let assemblyFormat = [{ $x `,` $seed `p` `=` $p `stream` `=` $stream
    (`outs` `(` $inits^ `)`)? attr-dict `:` functional-type(operands, results) }];
}

def AFT_AdamWOp : AFT_Op<"adamw"> {
  let summary = "one AdamW update: (param, m, v)";
  let description = [{
    With `g = grad * scale`, per element

        m'     = beta1 * m + (1 - beta1) * g
        v'     = beta2 * v + (1 - beta2) * g^2
        change = m' / (1 - beta1^step) / (sqrt(v' / (1 - beta2^step)) + eps)
        param' = param - lr * (weight_decay * param + change)

    `step` counts from 1. `scale` is 1, or what clips the gradients' norm. The
    defaults are beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0.01.

    Shapes: param, grad, m, v and the three results [...]; lr, step, scale [].

    Constraints:
    - C1: param has rank 0 to 16; grad, m, v and the results have its shape.
    - C2: param, grad, m, v, lr and scale are f32, f64 or bf16; m and v share an
      element type; each result has that of the operand it replaces.
    - C3: lr, step and scale are scalars, step an i64.
    - C4: beta1 and beta2 lie in [0, 1).

    Example:
    ```mlir
    %param1, %m1, %v1 = aft.adamw %param, %grad, %m, %v lr(%lr) step(%step) scale(%scale) {weight_decay = 5.000000e-01 : f64} : (tensor<8x8xf32>, tensor<8x8xf32>, tensor<8x8xf32>, tensor<8x8xf32>, tensor<f32>, tensor<i64>, tensor<f32>) -> (tensor<8x8xf32>, tensor<8x8xf32>, tensor<8x8xf32>)
    ```
  }];
  let arguments = (ins AFT_Shaped:$param, AFT_Shaped:$grad, AFT_Shaped:$m, AFT_Shaped:$v,
                       AFT_Shaped:$lr, AFT_Shaped:$step, AFT_Shaped:$scale,
                       Variadic<AFT_Shaped>:$inits,
                       DefaultValuedAttr<F64Attr, "0.9">:$beta1,
                       DefaultValuedAttr<F64Attr, "0.999">:$beta2,
                       DefaultValuedAttr<F64Attr, "1.0e-8">:$eps,
                       DefaultValuedAttr<F64Attr, "0.01">:$weight_decay);
  let assemblyFormat = [{ $param `,` $grad `,` $m `,` $v `lr` `(` $lr `)` `step` `(` $step `)`
    `scale` `(` $scale `)` (`outs` `(` $inits^ `)`)? attr-dict
    `:` functional-type(operands, results) }];
}

def AFT_StopGradientOp : Op<AFT_Dialect, "stop_gradient",
                            [Pure, SameOperandsAndResultType]> {
  let summary = "its operand, through which no gradient flows";
  let description = [{
    Constraints:
    - C1: operand and result have the same tensor type.

    Example:
    ```mlir
    %y = aft.stop_gradient %x : (tensor<4x8xf32>) -> tensor<4x8xf32>
    ```
  }];
  let arguments = (ins AnyRankedTensor:$x);
  let results = (outs AnyRankedTensor:$y);
  let assemblyFormat = "$x attr-dict `:` functional-type(operands, results)";
}

} // opDocGroup

#endif // AFT_MODEL_TD
