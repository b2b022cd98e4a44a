//===- Online.td - Mixers with a carried state ----------------------------===//
// The state is a running maximum m, numerator n and denominator z; an empty
// state is m = -inf, n = 0, z = 0. The sums it stands for are exp(m) * n and
// exp(m) * z.

#ifndef AFT_ONLINE_TD
#define AFT_ONLINE_TD

include "dialect/ir/AFTBase.td"

def AFT_OnlineDocs : OpDocGroup {
  let summary = "Online mixers";
  let description = [{
    Mixers with a carried state: a running maximum m, numerator n and denominator
    z. An empty state is m = -inf, n = 0, z = 0. The sums it stands for are
    `exp(m) * n` and `exp(m) * z`. Decoding step by step and chunked prefill use
    these.
  }];
}

let opDocGroup = AFT_OnlineDocs in {

def AFT_FullOnlineOp : AFT_Op<"full_online"> {
  let summary = "folds one block of keys into the state of every query";
  let description = [{
    Adds the keys of one block to the state of every query t, which stands for
    the sums `exp(m) * n` and `exp(m) * z` of the keys before it: with
    `m' = max(m, max_t' (k[t'] + w[t,t']))`,
    `n' = exp(m - m') * n + sum_t' exp(k[t'] + w[t,t'] - m') * v[t']`, and z' the
    same without v. Where `m' = -inf` the state stays empty.

    Shapes: k, v [B,S,d]; w [T,S] or [B,T,S]; m, n, z and the results [B,T,d].

    Constraints:
    - C1: the shapes agree as written above; d is static and at least 1.
    - C2: k and v share an element type, f32, f64 or bf16; w has the same or the
      accumulation type (f32 for bf16).
    - C3: the state is in the accumulation type, before and after.

    Example:
    ```mlir
    %m1, %n1, %z1 = aft.full_online %k, %v, %w state(%m, %n, %z) : (tensor<2x4x8xf32>, tensor<2x4x8xf32>, tensor<16x4xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>) -> (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>)
    ```
  }];
  let arguments = (ins AFT_Shaped:$k, AFT_Shaped:$v, AFT_Shaped:$w, AFT_Shaped:$m,
                       AFT_Shaped:$n, AFT_Shaped:$z, Variadic<AFT_Shaped>:$inits);
  let assemblyFormat = [{ $k `,` $v `,` $w `state` `(` $m `,` $n `,` $z `)`
    (`outs` `(` $inits^ `)`)? attr-dict `:` functional-type(operands, results) }];
}

def AFT_FinishOp : AFT_Op<"finish"> {
  let summary = "y = g(q) * n / z, and 0 where z is 0";
  let description = [{
    `y = g(q) * n / z`, and 0 where z is 0: what a mixer returns once all keys
    are in the state.

    Shapes: q, n, z, y [B,T,d].

    Constraints:
    - C1: the shapes agree as written above; d is static and at least 1.
    - C2: q and y have the same element type, f32, f64 or bf16.
    - C3: n and z are in the accumulation type (f32 for bf16).

    Example:
    ```mlir
    %y = aft.finish %q, %n, %z gate = relu : (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>) -> tensor<2x16x8xf32>
    ```
  }];
  let arguments = (ins AFT_Shaped:$q, AFT_Shaped:$n, AFT_Shaped:$z,
                       Variadic<AFT_Shaped>:$inits,
                       DefaultValuedAttr<AFT_Gate, "Gate::sigmoid">:$gate);
  let assemblyFormat = [{ $q `,` $n `,` $z (`gate` `=` $gate^)?
    (`outs` `(` $inits^ `)`)? attr-dict `:` functional-type(operands, results) }];
}

def AFT_SimpleOnlineOp : AFT_Op<"simple_online"> {
  let summary = "causal aft.simple over the next chunk of positions";
  let description = [{
    Query t of the chunk sees the keys in the state and those of the chunk up to
    its own: `aft.simple ... causal`, continued. The state after the last position
    is returned. Chunks of any size give the same results as the whole sequence.

    Shapes: q, k, v, y [B,C,d]; m, n, z and their new values [B,d].

    Constraints:
    - C1: the shapes agree as written above; d is static and at least 1.
    - C2: q, k, v and y share an element type, f32, f64 or bf16.
    - C3: the state is in the accumulation type (f32 for bf16), before and after.

    Example:
    ```mlir
    %y, %m1, %n1, %z1 = aft.simple_online %q, %k, %v state(%m, %n, %z) : (tensor<2x1x8xf32>, tensor<2x1x8xf32>, tensor<2x1x8xf32>, tensor<2x8xf32>, tensor<2x8xf32>, tensor<2x8xf32>) -> (tensor<2x1x8xf32>, tensor<2x8xf32>, tensor<2x8xf32>, tensor<2x8xf32>)
    ```
  }];
  let arguments = (ins AFT_Shaped:$q, AFT_Shaped:$k, AFT_Shaped:$v, AFT_Shaped:$m,
                       AFT_Shaped:$n, AFT_Shaped:$z, Variadic<AFT_Shaped>:$inits,
                       DefaultValuedAttr<AFT_Gate, "Gate::sigmoid">:$gate);
  let assemblyFormat = [{ $q `,` $k `,` $v `state` `(` $m `,` $n `,` $z `)`
    (`gate` `=` $gate^)? (`outs` `(` $inits^ `)`)? attr-dict
    `:` functional-type(operands, results) }];
}

def AFT_LocalOnlineOp : AFT_Op<"local_online"> {
  let summary = "causal aft.local over the next chunk of positions";
  let description = [{
    `aft.local ... causal`, continued. The state holds the keys that left the
    window; `recent_k` and `recent_v` are the last s - 1 keys and values, oldest
    first, with k = -inf for those that do not exist yet. Row t of the chunk's
    band is the bias of the taps t - s + 1 to t.

    Shapes: q, k, v, y [B,C,d]; band [C,s]; m, n, z [B,d]; recent_k, recent_v
    [B,s-1,d]; the new state like the old one.

    Constraints:
    - C1: the shapes agree as written above; d is static and at least 1.
    - C2: q, k, v, recent_k, recent_v and y share an element type, f32, f64 or
      bf16; the band has the same or the accumulation type.
    - C3: m, n and z are in the accumulation type (f32 for bf16), before and
      after; the other state keeps its type.
    - C4: window >= 1.

    Example:
    ```mlir
    %y, %m1, %n1, %z1, %k1, %v1 = aft.local_online %q, %k, %v, %band state(%m, %n, %z, %recent_k, %recent_v) window = 4 : (tensor<2x1x8xf32>, tensor<2x1x8xf32>, tensor<2x1x8xf32>, tensor<1x4xf32>, tensor<2x8xf32>, tensor<2x8xf32>, tensor<2x8xf32>, tensor<2x3x8xf32>, tensor<2x3x8xf32>) -> (tensor<2x1x8xf32>, tensor<2x8xf32>, tensor<2x8xf32>, tensor<2x8xf32>, tensor<2x3x8xf32>, tensor<2x3x8xf32>)
    ```
  }];
  let arguments = (ins AFT_Shaped:$q, AFT_Shaped:$k, AFT_Shaped:$v, AFT_Shaped:$band,
                       AFT_Shaped:$m, AFT_Shaped:$n, AFT_Shaped:$z, AFT_Shaped:$recent_k,
                       AFT_Shaped:$recent_v, Variadic<AFT_Shaped>:$inits, I64Attr:$window,
                       DefaultValuedAttr<AFT_Gate, "Gate::sigmoid">:$gate);
  let assemblyFormat = [{ $q `,` $k `,` $v `,` $band
    `state` `(` $m `,` $n `,` $z `,` $recent_k `,` $recent_v `)` `window` `=` $window
    (`gate` `=` $gate^)? (`outs` `(` $inits^ `)`)? attr-dict
    `:` functional-type(operands, results) }];
}

def AFT_ConvOnlineOp : AFT_Op<"conv_online"> {
  let summary = "causal 1-D aft.conv over the next chunk of positions";
  let description = [{
    `aft.conv ... causal` in one dimension, continued: as `aft.local_online`, with
    one key per head and the bias `filter[head, t' - t + s - 1]`.

    Shapes: q, v, y [B,C,d]; k [B,C,h]; filter [h,s]; m, z [B,h]; n [B,d];
    recent_k [B,s-1,h]; recent_v [B,s-1,d]; the new state like the old one.

    Constraints:
    - C1: the shapes agree as written above; d is static and at least 1.
    - C2: q, k, v, recent_k, recent_v and y share an element type, f32, f64 or
      bf16; the filter has the same or the accumulation type.
    - C3: m, n and z are in the accumulation type (f32 for bf16), before and
      after; the other state keeps its type.
    - C4: the filter has a static number of taps, at least one.
    - C5: h is static, and d a multiple of it.

    Example:
    ```mlir
    %y, %m1, %n1, %z1, %k1, %v1 = aft.conv_online %q, %k, %v, %f state(%m, %n, %z, %recent_k, %recent_v) : (tensor<2x1x8xf32>, tensor<2x1x4xf32>, tensor<2x1x8xf32>, tensor<4x3xf32>, tensor<2x4xf32>, tensor<2x8xf32>, tensor<2x4xf32>, tensor<2x2x4xf32>, tensor<2x2x8xf32>) -> (tensor<2x1x8xf32>, tensor<2x4xf32>, tensor<2x8xf32>, tensor<2x4xf32>, tensor<2x2x4xf32>, tensor<2x2x8xf32>)
    ```
  }];
  let arguments = (ins AFT_Shaped:$q, AFT_Shaped:$k, AFT_Shaped:$v, AFT_Shaped:$filter,
                       AFT_Shaped:$m, AFT_Shaped:$n, AFT_Shaped:$z, AFT_Shaped:$recent_k,
                       AFT_Shaped:$recent_v, Variadic<AFT_Shaped>:$inits,
                       DefaultValuedAttr<AFT_Gate, "Gate::sigmoid">:$gate);
  let assemblyFormat = [{ $q `,` $k `,` $v `,` $filter
    `state` `(` $m `,` $n `,` $z `,` $recent_k `,` $recent_v `)`
    (`gate` `=` $gate^)? (`outs` `(` $inits^ `)`)? attr-dict
    `:` functional-type(operands, results) }];
}

} // opDocGroup

#endif // AFT_ONLINE_TD
