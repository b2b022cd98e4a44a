//===- AFTBase.td - Classes shared by the aft operations ------------------===//

#ifndef AFT_BASE_TD
#define AFT_BASE_TD

include "dialect/ir/AFTDialect.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

/// A tensor, or the memref it becomes after bufferisation.
def AFT_Shaped : AnyTypeOf<[AnyRankedTensor, AnyStridedMemRef],
                           "ranked tensor or strided memref">;

/// Every operation ends in optional destinations and has a list of results:
/// value form: no inits, all results; destination form: one init per result;
/// memref form: inits and no results.
class AFT_Op<string mnemonic, list<Trait> traits = []>
    : Op<AFT_Dialect, mnemonic,
         !listconcat(traits, [DeclareOpInterfaceMethods<MemoryEffectsOpInterface>])> {
  let hasVerifier = 1;
  let results = (outs Variadic<AFT_Shaped>:$results);
}

#endif // AFT_BASE_TD
