//===- Launch.td - Calls of kernels from the host function ----------------===//

#ifndef AFT_LAUNCH_TD
#define AFT_LAUNCH_TD

include "dialect/ir/AFTBase.td"
include "mlir/IR/SymbolInterfaces.td"

def AFT_LaunchDocs : OpDocGroup {
  let summary = "Calls of kernels";
  let description = [{
    What the kernels phase makes of a function.
  }];
}

let opDocGroup = AFT_LaunchDocs in {

def AFT_LaunchOp : AFT_Op<"launch", [AttrSizedOperandSegments,
    DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "runs a kernel function over its whole grid";
  let description = [{
    The only thing an entry does once kernels are formed. The kernel gets the
    inputs and then the destinations as arguments. A kernel on tensors returns its
    results, one per destination; on memrefs it writes to them.

    Constraints:
    - C1: the kernel is a function of this module.
    - C2: no results, or one for each destination.

    Example:
    ```mlir
    func.func private @copy(%x: tensor<4xf32>, %y: tensor<4xf32>) -> tensor<4xf32> attributes {aft.kernel} {
      %z = linalg.copy ins(%x : tensor<4xf32>) outs(%y : tensor<4xf32>) -> tensor<4xf32>
      return %z : tensor<4xf32>
    }
    func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
      %e = tensor.empty() : tensor<4xf32>
      %y = aft.launch @copy ins(%x) outs(%e) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
      return %y : tensor<4xf32>
    }
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$kernel, Variadic<AFT_Shaped>:$inputs,
                       Variadic<AFT_Shaped>:$inits);
  let assemblyFormat = [{ $kernel (`ins` `(` $inputs^ `)`)? (`outs` `(` $inits^ `)`)?
    attr-dict `:` functional-type(operands, results) }];
}

} // opDocGroup

#endif // AFT_LAUNCH_TD
