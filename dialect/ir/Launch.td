//===- Launch.td - Calls of kernels from the host function ----------------===//

#ifndef AFT_LAUNCH_TD
#define AFT_LAUNCH_TD

include "dialect/ir/AFTBase.td"
include "mlir/IR/SymbolInterfaces.td"

def AFT_LaunchOp : AFT_Op<"launch", [AttrSizedOperandSegments,
    DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "runs a kernel function over its whole grid";
  let arguments = (ins FlatSymbolRefAttr:$kernel, Variadic<AFT_Shaped>:$inputs,
                       Variadic<AFT_Shaped>:$inits);
  let assemblyFormat = [{ $kernel (`ins` `(` $inputs^ `)`)? (`outs` `(` $inits^ `)`)?
    attr-dict `:` functional-type(operands, results) }];
}

#endif // AFT_LAUNCH_TD
