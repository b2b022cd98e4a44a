//===- Model.td - What a transformer needs and upstream lacks -------------===//

#ifndef AFT_MODEL_TD
#define AFT_MODEL_TD

include "dialect/ir/AFTBase.td"

def AFT_BandOp : AFT_Op<"band"> {
  let summary = "band of a factorised bias: band[t, j] = u[t] . v[t + j - (s-1)]";
  let arguments = (ins AFT_Shaped:$u, AFT_Shaped:$v, Variadic<AFT_Shaped>:$inits,
                       I64Attr:$window, UnitAttr:$causal);
  let assemblyFormat = [{ $u `,` $v `window` `=` $window (`causal` $causal^)?
    (`outs` `(` $inits^ `)`)? attr-dict `:` functional-type(operands, results) }];
}

def AFT_BandGradOp : AFT_Op<"band_grad"> {
  let summary = "derivative of aft.band: (du, dv)";
  let arguments = (ins AFT_Shaped:$dband, AFT_Shaped:$u, AFT_Shaped:$v,
                       Variadic<AFT_Shaped>:$inits, I64Attr:$window, UnitAttr:$causal);
  let assemblyFormat = [{ $dband `,` $u `,` $v `window` `=` $window (`causal` $causal^)?
    (`outs` `(` $inits^ `)`)? attr-dict `:` functional-type(operands, results) }];
}

def AFT_LayerNormOp : AFT_Op<"layer_norm"> {
  let summary = "normalises the last dimension: (x - mean) * rstd * gamma + beta";
  let arguments = (ins AFT_Shaped:$x, AFT_Shaped:$gamma, AFT_Shaped:$beta,
                       Variadic<AFT_Shaped>:$inits,
                       DefaultValuedAttr<F64Attr, "1.0e-5">:$eps);
  let assemblyFormat = [{ $x `,` $gamma `,` $beta (`eps` `=` $eps^)?
    (`outs` `(` $inits^ `)`)? attr-dict `:` functional-type(operands, results) }];
}

def AFT_LayerNormGradOp : AFT_Op<"layer_norm_grad"> {
  let summary = "derivative of aft.layer_norm: (dx, dgamma, dbeta)";
  let arguments = (ins AFT_Shaped:$dy, AFT_Shaped:$x, AFT_Shaped:$gamma, AFT_Shaped:$mean,
                       AFT_Shaped:$rstd, Variadic<AFT_Shaped>:$inits);
  let assemblyFormat = [{ $dy `,` $x `,` $gamma `,` $mean `,` $rstd
    (`outs` `(` $inits^ `)`)? attr-dict `:` functional-type(operands, results) }];
}

def AFT_EmbeddingOp : AFT_Op<"embedding"> {
  let summary = "rows of a table: y[..., :] = table[ids[...], :]";
  let arguments = (ins AFT_Shaped:$ids, AFT_Shaped:$table, Variadic<AFT_Shaped>:$inits);
  let assemblyFormat = [{ $ids `,` $table (`outs` `(` $inits^ `)`)? attr-dict
    `:` functional-type(operands, results) }];
}

def AFT_EmbeddingGradOp : AFT_Op<"embedding_grad"> {
  let summary = "derivative of aft.embedding: dtable";
  let arguments = (ins AFT_Shaped:$ids, AFT_Shaped:$dy, Variadic<AFT_Shaped>:$inits);
  let assemblyFormat = [{ $ids `,` $dy (`outs` `(` $inits^ `)`)? attr-dict
    `:` functional-type(operands, results) }];
}

def AFT_CrossEntropyOp : AFT_Op<"cross_entropy"> {
  let summary = "mean over rows of logsumexp(logits[i]) - logits[i, target[i]]";
  let arguments = (ins AFT_Shaped:$logits, AFT_Shaped:$targets, Variadic<AFT_Shaped>:$inits);
  let assemblyFormat = [{ $logits `,` $targets (`outs` `(` $inits^ `)`)? attr-dict
    `:` functional-type(operands, results) }];
}

def AFT_CrossEntropyGradOp : AFT_Op<"cross_entropy_grad"> {
  let summary = "derivative of aft.cross_entropy: dlogits";
  let arguments = (ins AFT_Shaped:$dloss, AFT_Shaped:$logits, AFT_Shaped:$targets,
                       AFT_Shaped:$lse, Variadic<AFT_Shaped>:$inits);
  let assemblyFormat = [{ $dloss `,` $logits `,` $targets `,` $lse
    (`outs` `(` $inits^ `)`)? attr-dict `:` functional-type(operands, results) }];
}

def AFT_DropoutOp : AFT_Op<"dropout"> {
  let summary = "zeroes each element with probability p, scales the others by 1/(1-p)";
  let arguments = (ins AFT_Shaped:$x, AFT_Shaped:$seed, Variadic<AFT_Shaped>:$inits,
                       F64Attr:$p, I64Attr:$stream);
  let assemblyFormat = [{ $x `,` $seed `p` `=` $p `stream` `=` $stream
    (`outs` `(` $inits^ `)`)? attr-dict `:` functional-type(operands, results) }];
}

def AFT_AdamWOp : AFT_Op<"adamw"> {
  let summary = "one AdamW update: (param, m, v)";
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
    Constraint C1: operand and result have the same tensor type.

    Example:
    ```mlir
    %y = aft.stop_gradient %x : tensor<4x8xf32>
    ```
  }];
  let arguments = (ins AnyRankedTensor:$x);
  let results = (outs AnyRankedTensor:$y);
  let assemblyFormat = "$x attr-dict `:` type($y)";
}

#endif // AFT_MODEL_TD
