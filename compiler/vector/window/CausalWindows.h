//===- CausalWindows.h - Causal windows as banded products ----------------===//
// Outputs are computed a block at a time, in the order in which items arrive: keys
// from the first on, or, for the derivative by keys, queries from the last on. An item
// is turned into exp(x - base) and its products once, when it arrives, and stays in a
// buffer until it has left all windows; the window of an output is then a row of a
// banded product with exp(bias), and what has left it a running sum.
//
// The base of a lane group depends on items that all outputs of the block see, so
// that later ones leave the bits of earlier outputs as they are (in the derivative, where
// exponents rise, on all items of the block). Items that are too
// far above the base, or are no numbers, and large biases make the rest of their block
// go pair by pair, and the next block choose a new base.

#ifndef AFT_COMPILER_VECTOR_WINDOW_CAUSALWINDOWS_H
#define AFT_COMPILER_VECTOR_WINDOW_CAUSALWINDOWS_H

#include "compiler/vector/window/ProductScan.h"

#include <optional>

namespace aft {

/// Whether a mixer's windows can be computed so.
bool fitsCausalWindows(const WindowMixer &mixer);

/// How many parts a band's gradient takes where it is computed beside that of the keys: so many
/// for each batch entry, or of one alone. None where it is computed by other means, where
/// there are few channels, or where the parts of an entry would have more numbers than q.
struct BandParts {
  int64_t perEntry, ofOne;
};
std::optional<BandParts> bandPartsFor(LocalGradOp op);

/// Emits all outputs. `visit`, if any, is called once or more for each item. `bandParts`, of the
/// derivative, receives that of the band.
void emitCausalWindows(const WindowMixer &mixer, const WindowCode &code, Emitter &e,
                       unsigned vectorBits,
                       llvm::function_ref<void(LaneEmitter &, mlir::Value item)> visit,
                       mlir::Value bandParts = mlir::Value());

} // namespace aft

#endif // AFT_COMPILER_VECTOR_WINDOW_CAUSALWINDOWS_H
