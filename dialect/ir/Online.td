//===- Online.td - Mixers with a carried state ----------------------------===//
// The state is a running maximum m, numerator n and denominator z; an empty
// state is m = -inf, n = 0, z = 0. The sums it stands for are exp(m) * n and
// exp(m) * z.

#ifndef AFT_ONLINE_TD
#define AFT_ONLINE_TD

include "dialect/ir/AFTBase.td"

def AFT_FullOnlineOp : AFT_Op<"full_online"> {
  let summary = "folds one block of keys into the state of every query";
  let arguments = (ins AFT_Shaped:$k, AFT_Shaped:$v, AFT_Shaped:$w, AFT_Shaped:$m,
                       AFT_Shaped:$n, AFT_Shaped:$z, Variadic<AFT_Shaped>:$inits);
  let assemblyFormat = [{ $k `,` $v `,` $w `state` `(` $m `,` $n `,` $z `)`
    (`outs` `(` $inits^ `)`)? attr-dict `:` functional-type(operands, results) }];
}

def AFT_FinishOp : AFT_Op<"finish"> {
  let summary = "y = g(q) * n / z, and 0 where z is 0";
  let arguments = (ins AFT_Shaped:$q, AFT_Shaped:$n, AFT_Shaped:$z,
                       Variadic<AFT_Shaped>:$inits,
                       DefaultValuedAttr<AFT_Gate, "Gate::sigmoid">:$gate);
  let assemblyFormat = [{ $q `,` $n `,` $z (`gate` `=` $gate^)?
    (`outs` `(` $inits^ `)`)? attr-dict `:` functional-type(operands, results) }];
}

def AFT_SimpleOnlineOp : AFT_Op<"simple_online"> {
  let summary = "causal aft.simple over the next chunk of positions";
  let arguments = (ins AFT_Shaped:$q, AFT_Shaped:$k, AFT_Shaped:$v, AFT_Shaped:$m,
                       AFT_Shaped:$n, AFT_Shaped:$z, Variadic<AFT_Shaped>:$inits,
                       DefaultValuedAttr<AFT_Gate, "Gate::sigmoid">:$gate);
  let assemblyFormat = [{ $q `,` $k `,` $v `state` `(` $m `,` $n `,` $z `)`
    (`gate` `=` $gate^)? (`outs` `(` $inits^ `)`)? attr-dict
    `:` functional-type(operands, results) }];
}

def AFT_LocalOnlineOp : AFT_Op<"local_online"> {
  let summary = "causal aft.local over the next chunk of positions";
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
  let arguments = (ins AFT_Shaped:$q, AFT_Shaped:$k, AFT_Shaped:$v, AFT_Shaped:$filter,
                       AFT_Shaped:$m, AFT_Shaped:$n, AFT_Shaped:$z, AFT_Shaped:$recent_k,
                       AFT_Shaped:$recent_v, Variadic<AFT_Shaped>:$inits,
                       DefaultValuedAttr<AFT_Gate, "Gate::sigmoid">:$gate);
  let assemblyFormat = [{ $q `,` $k `,` $v `,` $filter
    `state` `(` $m `,` $n `,` $z `,` $recent_k `,` $recent_v `)`
    (`gate` `=` $gate^)? (`outs` `(` $inits^ `)`)? attr-dict
    `:` functional-type(operands, results) }];
}

#endif // AFT_ONLINE_TD
