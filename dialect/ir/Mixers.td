//===- Mixers.td - The four mixers and their derivatives ------------------===//

#ifndef AFT_MIXERS_TD
#define AFT_MIXERS_TD

include "dialect/ir/AFTBase.td"

/// What all mixers and mixer derivatives share; `own` are the operands before
/// the optional ones, `ownAttrs` the attributes of one mixer.
class AFT_MixerBase<string mnemonic, dag own, dag ownAttrs, string ownFormat, string attrFormat>
    : AFT_Op<mnemonic, [AttrSizedOperandSegments]> {
  let arguments = !con(own,
      (ins Optional<AFT_Shaped>:$lengths, Variadic<AFT_Shaped>:$inits), ownAttrs,
      (ins UnitAttr:$causal, DefaultValuedAttr<AFT_Gate, "Gate::sigmoid">:$gate));
  let assemblyFormat = ownFormat # [{ (`lengths` `(` $lengths^ `)`)? }] # attrFormat #
      [{ (`causal` $causal^)? (`gate` `=` $gate^)? (`outs` `(` $inits^ `)`)? attr-dict
         `:` functional-type(operands, results) }];
}

def AFT_MixerDocs : OpDocGroup {
  let summary = "Mixers";
  let description = [{
    Notation: B batch, T query and S key positions, d channels, h heads, s window
    or filter length. `g` is the gate: sigmoid unless said otherwise, relu, tanh
    or none. Sums are taken in f32 or wider.
  }];
}

def AFT_MixerGradDocs : OpDocGroup {
  let summary = "Derivatives of the mixers";
  let description = [{
    With R = N/Z (`ratio`), log Z (`logz`) and G = dy * g(q), all sums over the
    visible pairs. `causal`, `lengths` and `gate` are those of the forward
    operation.
  }];
}

let opDocGroup = AFT_MixerDocs in {

def AFT_FullOp : AFT_MixerBase<"full",
    (ins AFT_Shaped:$q, AFT_Shaped:$k, AFT_Shaped:$v, AFT_Shaped:$w), (ins),
    "$q `,` $k `,` $v `,` $w", ""> {
  let summary = "AFT-full: a learned bias for every pair of positions (Eq 2)";
  let description = [{
    `y[t,c] = g(q[t,c]) * N[t,c] / Z[t,c]` with
    `N[t,c] = sum_t' exp(k[t',c] + w[t,t']) * v[t',c]` and
    `Z[t,c] = sum_t' exp(k[t',c] + w[t,t'])` over the visible keys t'.

    Shapes: q [B,T,d]; k, v [B,S,d]; w [T,S] or [B,T,S]; lengths [B]; y [B,T,d].
    With `causal`, query t sees the keys t' <= t + S - T. With `lengths`, only
    the keys t' < lengths[b] are visible. A query that sees no key gives 0.

    Constraints:
    - C1: the shapes agree as written above; d is static and at least 1.
    - C2: q, k, v and y share an element type, f32, f64 or bf16; w has the same
      or the accumulation type (f32 for bf16).
    - C3: lengths are i32.
    - C4: one result y, or three: y, ratio = N/Z and logz = log Z, the latter
      two in the accumulation type.
    - C5: causal needs T <= S.

    Example:
    ```mlir
    %y = aft.full %q, %k, %v, %w causal : (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<16x16xf32>) -> tensor<2x16x8xf32>
    ```
  }];
  let hasCanonicalizer = 1;
}

def AFT_LocalOp : AFT_MixerBase<"local",
    (ins AFT_Shaped:$q, AFT_Shaped:$k, AFT_Shaped:$v, AFT_Shaped:$band),
    (ins I64Attr:$window),
    "$q `,` $k `,` $v `,` $band", "`window` `=` $window"> {
  let summary = "AFT-local: a learned bias inside a window, 0 outside (Eq 4)";
  let description = [{
    The mixer of `aft.full` with the bias `band[t, t' - t + s - 1]` where
    |t - t'| < s (`window = s`) and 0 elsewhere. Keys outside the window stay
    visible with weight exp(k): the window is not a mask.

    Shapes: q, k, v, y [B,T,d]; band [T,L], L = 2s - 1, or s when causal. Taps
    whose key lies outside the sequence are ignored.

    Constraints: C1 to C4 of `aft.full`, and
    - C5: window >= 1.
    - C6: the band has L taps.

    Example:
    ```mlir
    %y = aft.local %q, %k, %v, %band window = 4 causal : (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<16x4xf32>) -> tensor<2x16x8xf32>
    ```
  }];
  let hasCanonicalizer = 1;
}

def AFT_SimpleOp : AFT_MixerBase<"simple",
    (ins AFT_Shaped:$q, AFT_Shaped:$k, AFT_Shaped:$v), (ins),
    "$q `,` $k `,` $v", ""> {
  let summary = "AFT-simple: no position bias (Eq 5)";
  let description = [{
    The mixer of `aft.full` with the bias 0. Shapes: q, k, v, y [B,T,d].

    Constraints: C1 to C4 of `aft.full`.

    Example:
    ```mlir
    %y = aft.simple %q, %k, %v : (tensor<?x?x8xf32>, tensor<?x?x8xf32>, tensor<?x?x8xf32>) -> tensor<?x?x8xf32>
    ```
  }];
  let hasCanonicalizer = 1;
}

def AFT_ConvOp : AFT_MixerBase<"conv",
    (ins AFT_Shaped:$q, AFT_Shaped:$k, AFT_Shaped:$v, AFT_Shaped:$filter),
    (ins OptionalAttr<DenseI64ArrayAttr>:$grid),
    "$q `,` $k `,` $v `,` $filter", "(`grid` `=` $grid^)?"> {
  let summary = "AFT-conv: a learned filter per head around each position (Eq 6)";
  let description = [{
    The mixer of `aft.full` with one key per head, channel c belonging to head
    floor(c / (d/h)), and the bias `filter[head, t' - t + floor((s-1)/2)]` on
    every axis inside the filter (causal: `t' - t + s - 1`), 0 outside. The
    filter is not flipped. `grid` lays the T positions out row-major; rows do
    not wrap, and outside the grid there is no key.

    Shapes: q, v, y [B,T,d]; k [B,T,h]; filter [h,s], [h,sy,sx] or [h,sz,sy,sx];
    logz [B,T,h].

    Constraints: C1 to C4 of `aft.full`, and
    - C5: grid has 1 to 3 positive extents whose product is T.
    - C6: causal only in one dimension.
    - C7: h is static, and d a multiple of it.
    - C8: the filter has a static number of taps on every axis, at least one.

    Example:
    ```mlir
    %y = aft.conv %q, %k, %v, %f grid = [4, 4] : (tensor<2x16x8xf32>, tensor<2x16x4xf32>, tensor<2x16x8xf32>, tensor<4x3x3xf32>) -> tensor<2x16x8xf32>
    ```
  }];
  let hasCanonicalizer = 1;
}

} // opDocGroup

// Derivatives (spec of the sums: R = N/Z, P = dy * g(q) / Z). `ratio` is R and
// `logz` is log Z of the forward operation, both in the accumulation type.

let opDocGroup = AFT_MixerGradDocs in {

def AFT_FullGradOp : AFT_MixerBase<"full_grad",
    (ins AFT_Shaped:$dy, AFT_Shaped:$q, AFT_Shaped:$k, AFT_Shaped:$v, AFT_Shaped:$w,
         AFT_Shaped:$ratio, AFT_Shaped:$logz), (ins),
    "$dy `,` $q `,` $k `,` $v `,` $w `,` $ratio `,` $logz", ""> {
  let summary = "derivative of aft.full: (dq, dk, dv, dw)";
  let description = [{
    With R = N/Z (`ratio`), G = dy * g(q) and
    `e[t,t'] = exp(k[t'] + w[t,t'] - logz[t])`, over the visible pairs,
    `dq[t] = dy[t] * g'(q[t]) * R[t]`, `dv[t'] = sum_t e[t,t'] * G[t]`,
    `dk[t'] = sum_t e[t,t'] * G[t] * (v[t'] - R[t])` and
    `dw[t,t'] = sum_b,c e[t,t'] * G[t] * (v[t'] - R[t])` (no sum over b for a w
    [B,T,S]).

    Shapes: dy, q, ratio, logz, dq [B,T,d]; k, v, dk, dv [B,S,d]; w, dw [T,S] or
    [B,T,S]; lengths [B].

    Constraints: C1 to C3 of `aft.full` (dy has the element type of q), and
    - C4: ratio and logz are in the accumulation type (f32 for bf16), as the
      forward operation returns them.
    - C5: each gradient has the shape and the element type of its operand, and
      there is one for each of q, k, v and w.
    - C6: causal needs T <= S.

    Example:
    ```mlir
    %dq, %dk, %dv, %dw = aft.full_grad %dy, %q, %k, %v, %w, %ratio, %logz causal : (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<16x16xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>) -> (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<16x16xf32>)
    ```
  }];
}

def AFT_LocalGradOp : AFT_MixerBase<"local_grad",
    (ins AFT_Shaped:$dy, AFT_Shaped:$q, AFT_Shaped:$k, AFT_Shaped:$v, AFT_Shaped:$band,
         AFT_Shaped:$ratio, AFT_Shaped:$logz), (ins I64Attr:$window),
    "$dy `,` $q `,` $k `,` $v `,` $band `,` $ratio `,` $logz", "`window` `=` $window"> {
  let summary = "derivative of aft.local: (dq, dk, dv, dband)";
  let description = [{
    With R = N/Z (`ratio`), G = dy * g(q) and
    `e[t,t'] = exp(k[t'] + w[t,t'] - logz[t])`, over the visible pairs,
    `dq[t] = dy[t] * g'(q[t]) * R[t]`, `dv[t'] = sum_t e[t,t'] * G[t]`,
    `dk[t'] = sum_t e[t,t'] * G[t] * (v[t'] - R[t])` and
    `dband[t,j] = sum_b,c e[t,t'] * G[t] * (v[t'] - R[t])` with t' = t + j - (s-1),
    where w is the band's bias. Taps whose key does not exist get 0.

    Shapes: dy, q, k, v, ratio, logz, dq, dk, dv [B,T,d]; band, dband [T,L],
    L = 2s - 1, or s when causal; lengths [B]. With destinations dband
    may come in parts, [P,T,L], whose sum it is: `aft-split-bands` makes as many as the code of a CPU
    has panels.

    Constraints: C1 to C3 of `aft.full` (dy has the element type of q), and
    - C4: ratio and logz are in the accumulation type (f32 for bf16), as the
      forward operation returns them.
    - C5: each gradient has the shape and the element type of its operand, and
      there is one for each of q, k, v and band; parts of dband are in the
      accumulation type, and have destinations.
    - C6: window >= 1.
    - C7: the band has L taps.

    Example:
    ```mlir
    %dq, %dk, %dv, %dband = aft.local_grad %dy, %q, %k, %v, %band, %ratio, %logz window = 4 causal : (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<16x4xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>) -> (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<16x4xf32>)
    ```
  }];
  let extraClassDeclaration = [{
    /// Whether dband is asked for as parts that sum to it.
    bool hasBandInParts();
  }];
}

def AFT_SimpleGradOp : AFT_MixerBase<"simple_grad",
    (ins AFT_Shaped:$dy, AFT_Shaped:$q, AFT_Shaped:$k, AFT_Shaped:$v,
         AFT_Shaped:$ratio, AFT_Shaped:$logz), (ins),
    "$dy `,` $q `,` $k `,` $v `,` $ratio `,` $logz", ""> {
  let summary = "derivative of aft.simple: (dq, dk, dv)";
  let description = [{
    With R = N/Z (`ratio`), G = dy * g(q) and `e[t,t'] = exp(k[t'] - logz[t])`, over
    the visible pairs, `dq[t] = dy[t] * g'(q[t]) * R[t]`,
    `dv[t'] = sum_t e[t,t'] * G[t]` and
    `dk[t'] = sum_t e[t,t'] * G[t] * (v[t'] - R[t])`.

    Shapes: dy, q, k, v, ratio, logz, dq, dk, dv [B,T,d]; lengths [B].

    Constraints: C1 to C3 of `aft.full` (dy has the element type of q), and
    - C4: ratio and logz are in the accumulation type (f32 for bf16), as the
      forward operation returns them.
    - C5: each gradient has the shape and the element type of its operand, and
      there is one for each of q, k and v.

    Example:
    ```mlir
    %dq, %dk, %dv = aft.simple_grad %dy, %q, %k, %v, %ratio, %logz : (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>) -> (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x8xf32>)
    ```
  }];
}

def AFT_ConvGradOp : AFT_MixerBase<"conv_grad",
    (ins AFT_Shaped:$dy, AFT_Shaped:$q, AFT_Shaped:$k, AFT_Shaped:$v, AFT_Shaped:$filter,
         AFT_Shaped:$ratio, AFT_Shaped:$logz), (ins OptionalAttr<DenseI64ArrayAttr>:$grid),
    "$dy `,` $q `,` $k `,` $v `,` $filter `,` $ratio `,` $logz", "(`grid` `=` $grid^)?"> {
  let summary = "derivative of aft.conv: (dq, dk, dv, dfilter)";
  let description = [{
    With R = N/Z (`ratio`), G = dy * g(q) and
    `e[t,t'] = exp(k[t'] + w[t,t'] - logz[t])`, over the visible pairs,
    `dq[t] = dy[t] * g'(q[t]) * R[t]`, `dv[t'] = sum_t e[t,t'] * G[t]`,
    `dk[t'] = sum_t e[t,t'] * G[t] * (v[t'] - R[t])` and
    `dfilter[head,j] = sum e[t,t'] * G[t] * (v[t'] - R[t])` over b, the channels of
    the head and all pairs at offset j; dk sums over the channels of its head.

    Shapes: dy, q, v, ratio, dq, dv [B,T,d]; k, dk, logz [B,T,h]; filter, dfilter
    [h,s], [h,sy,sx] or [h,sz,sy,sx]; lengths [B].

    Constraints: C1 to C3 of `aft.full` (dy has the element type of q), C5 to C8 of
    `aft.conv`, and
    - C9: ratio and logz are in the accumulation type (f32 for bf16), as the
      forward operation returns them.
    - C10: each gradient has the shape and the element type of its operand, and
      there is one for each of q, k, v and filter.

    Example:
    ```mlir
    %dq, %dk, %dv, %df = aft.conv_grad %dy, %q, %k, %v, %f, %ratio, %logz grid = [4, 4] : (tensor<2x16x8xf32>, tensor<2x16x8xf32>, tensor<2x16x4xf32>, tensor<2x16x8xf32>, tensor<4x3x3xf32>, tensor<2x16x8xf32>, tensor<2x16x4xf32>) -> (tensor<2x16x8xf32>, tensor<2x16x4xf32>, tensor<2x16x8xf32>, tensor<4x3x3xf32>)
    ```
  }];
}

} // opDocGroup

#endif // AFT_MIXERS_TD
