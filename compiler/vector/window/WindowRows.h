//===- WindowRows.h - Rows of a window mixer from sums outside of windows -===//

#ifndef AFT_COMPILER_VECTOR_WINDOW_WINDOWROWS_H
#define AFT_COMPILER_VECTOR_WINDOW_WINDOWROWS_H

#include "compiler/vector/window/ProductScan.h"

namespace aft {

/// Writes the results of query t from sums over keys outside of its window, of `keys`
/// visible ones.
void finishWindowRow(const WindowMixer &mixer, LaneEmitter &group, mlir::Value t, mlir::Value keys,
                     llvm::ArrayRef<MixState> outside);

/// Adds query t to a state whose n sums exp(-logz) G and whose z sums exp(-logz) G R.
MixState addQueryRow(const WindowMixer &mixer, LaneEmitter &group, const MixState &state,
                     mlir::Value t);

/// Writes dk and dv of a key from such sums over queries in whose window it is not.
void finishWindowKey(const WindowMixer &mixer, LaneEmitter &group, mlir::Value key,
                     llvm::ArrayRef<MixState> sums, const StoreKey &storeKey);

/// Rows from sums over all of their keys.
WindowCode forwardCode(const WindowMixer &mixer);

/// dk and dv of keys from sums over all of their queries; `storeKey` makes what stores the
/// dk of a lane group.
WindowCode backwardCode(const WindowMixer &mixer,
                        const std::function<StoreKey(LaneEmitter &)> &storeKey);

} // namespace aft

#endif // AFT_COMPILER_VECTOR_WINDOW_WINDOWROWS_H
