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

/// What tiles are loaded from or stored to: where, and bytes from a row to the next, both
/// i64. Where these are 0, all rows are the same one.
struct TileRows {
  mlir::Value address, stride;
};

/// The rows of tiles in the last two dimensions of a memref.
TileRows tileRows(Emitter &e, mlir::Value memref, mlir::ValueRange place);
/// Zeros for sums to begin as: loading them takes less time than tilezero.
TileRows tileZeros(Emitter &e);

/// Forms the products of 32 rows of A, by row and step, and 32 columns of B, by step and
/// column, over `steps` pairs of K, packed up to whole tiles, on top of the sums `from`, and
/// stores them `to` others. What `meanwhile` emits is done in each round of 16 steps, while
/// its products are under way.
void emitTileProduct(Emitter &e, const TileRows &a, const TileRows &b, mlir::Value steps,
                     const TileRows &from, const TileRows &to,
                     llvm::function_ref<void(mlir::Value step)> meanwhile);

} // namespace aft

#endif // AFT_COMPILER_VECTOR_PRODUCT_TILEPRODUCT_H
