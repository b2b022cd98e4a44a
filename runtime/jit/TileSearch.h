//===- TileSearch.h - The fastest of some tile sizes ----------------------===//
// All kernels of a program are searched at once: in a round each has one of its
// candidates, and the program runs as a whole.

#ifndef AFT_RUNTIME_JIT_TILESEARCH_H
#define AFT_RUNTIME_JIT_TILESEARCH_H

#include "compiler/tile/TileScale.h"

#include <functional>
#include <optional>
#include <vector>

namespace aft {

/// What is tried for a kernel: the model's choice, then its neighbours.
std::vector<TileScale> tileCandidates(TileKind kind);

/// Milliseconds of each kernel with the scales given; nothing where that cannot be
/// compiled or run.
using MeasureTiles =
    std::function<std::optional<std::vector<double>>(const std::vector<TileScale> &scales)>;

/// Called before each round, with how many of `all` are done, and at the end (done = all).
using SearchProgress = std::function<void(size_t done, size_t all)>;

/// The fastest candidate of each kernel. The model's choice stays where no other is
/// faster by more than measurements differ, in the round that tried it and again in
/// one with all that were found.
std::vector<TileScale> searchTiles(const std::vector<TileKind> &kernels,
                                   const MeasureTiles &measure, const SearchProgress &progress);

} // namespace aft

#endif // AFT_RUNTIME_JIT_TILESEARCH_H
