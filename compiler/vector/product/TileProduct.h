//===- TileProduct.h - Packed products in tile registers ------------------===//
// A strip of A times a panel of B by the tile registers of AMX: two times two of them
// hold 16 x 16 sums each, the others two tiles of A, 16 rows x 16 pairs of bf16, and two
// of B, 16 pairs x 16 columns. The packed forms of a product in pairs are what such tiles
// are loaded from.

#ifndef AFT_COMPILER_VECTOR_PRODUCT_TILEPRODUCT_H
#define AFT_COMPILER_VECTOR_PRODUCT_TILEPRODUCT_H

#include "compiler/vector/Emitter.h"

namespace aft {

/// Gives all tile registers their shape, 16 rows of 64 bytes, and frees them again.
/// Products in tiles stand in between.
void beginTiles(Emitter &e);
void endTiles(Emitter &e);

/// Where a packed factor begins in memory, by the last two of its dimensions: A by row and
/// step, B by step and column.
struct PackedTile {
  mlir::Value memref;
  llvm::SmallVector<mlir::Value> place;
  /// Bytes from a row (of A) or step (of B) to the next.
  int64_t stride() const;
};

/// Stores to `sums`, 32 x 32, the products of 32 rows of A and 32 columns of B over
/// `steps` pairs of K, to be packed up to whole tiles.
void emitTileProduct(Emitter &e, const PackedTile &a, const PackedTile &b, mlir::Value steps,
                     mlir::Value sums);

} // namespace aft

#endif // AFT_COMPILER_VECTOR_PRODUCT_TILEPRODUCT_H
