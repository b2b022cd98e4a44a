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

def AFT_FullOp : AFT_MixerBase<"full",
    (ins AFT_Shaped:$q, AFT_Shaped:$k, AFT_Shaped:$v, AFT_Shaped:$w), (ins),
    "$q `,` $k `,` $v `,` $w", ""> {
  let summary = "AFT-full: a learned bias for every pair of positions (Eq 2)";
}

def AFT_LocalOp : AFT_MixerBase<"local",
    (ins AFT_Shaped:$q, AFT_Shaped:$k, AFT_Shaped:$v, AFT_Shaped:$band),
    (ins I64Attr:$window),
    "$q `,` $k `,` $v `,` $band", "`window` `=` $window"> {
  let summary = "AFT-local: a learned bias inside a window, 0 outside (Eq 4)";
}

def AFT_SimpleOp : AFT_MixerBase<"simple",
    (ins AFT_Shaped:$q, AFT_Shaped:$k, AFT_Shaped:$v), (ins),
    "$q `,` $k `,` $v", ""> {
  let summary = "AFT-simple: no position bias (Eq 5)";
}

def AFT_ConvOp : AFT_MixerBase<"conv",
    (ins AFT_Shaped:$q, AFT_Shaped:$k, AFT_Shaped:$v, AFT_Shaped:$filter),
    (ins OptionalAttr<DenseI64ArrayAttr>:$grid),
    "$q `,` $k `,` $v `,` $filter", "(`grid` `=` $grid^)?"> {
  let summary = "AFT-conv: a learned filter per head around each position (Eq 6)";
}

// Derivatives (spec of the sums: R = N/Z, P = dy * g(q) / Z). `ratio` is R and
// `logz` is log Z of the forward operation, both in the accumulation type.

def AFT_FullGradOp : AFT_MixerBase<"full_grad",
    (ins AFT_Shaped:$dy, AFT_Shaped:$q, AFT_Shaped:$k, AFT_Shaped:$v, AFT_Shaped:$w,
         AFT_Shaped:$ratio, AFT_Shaped:$logz), (ins),
    "$dy `,` $q `,` $k `,` $v `,` $w `,` $ratio `,` $logz", ""> {
  let summary = "derivative of aft.full: (dq, dk, dv, dw)";
}

def AFT_LocalGradOp : AFT_MixerBase<"local_grad",
    (ins AFT_Shaped:$dy, AFT_Shaped:$q, AFT_Shaped:$k, AFT_Shaped:$v, AFT_Shaped:$band,
         AFT_Shaped:$ratio, AFT_Shaped:$logz), (ins I64Attr:$window),
    "$dy `,` $q `,` $k `,` $v `,` $band `,` $ratio `,` $logz", "`window` `=` $window"> {
  let summary = "derivative of aft.local: (dq, dk, dv, dband)";
}

def AFT_SimpleGradOp : AFT_MixerBase<"simple_grad",
    (ins AFT_Shaped:$dy, AFT_Shaped:$q, AFT_Shaped:$k, AFT_Shaped:$v,
         AFT_Shaped:$ratio, AFT_Shaped:$logz), (ins),
    "$dy `,` $q `,` $k `,` $v `,` $ratio `,` $logz", ""> {
  let summary = "derivative of aft.simple: (dq, dk, dv)";
}

def AFT_ConvGradOp : AFT_MixerBase<"conv_grad",
    (ins AFT_Shaped:$dy, AFT_Shaped:$q, AFT_Shaped:$k, AFT_Shaped:$v, AFT_Shaped:$filter,
         AFT_Shaped:$ratio, AFT_Shaped:$logz), (ins OptionalAttr<DenseI64ArrayAttr>:$grid),
    "$dy `,` $q `,` $k `,` $v `,` $filter `,` $ratio `,` $logz", "(`grid` `=` $grid^)?"> {
  let summary = "derivative of aft.conv: (dq, dk, dv, dfilter)";
}

#endif // AFT_MIXERS_TD
