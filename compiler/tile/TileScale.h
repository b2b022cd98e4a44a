//===- TileScale.h - How a kernel's tiles differ from the model's choice --===//
// A measured search tries neighbours of what the cost model chooses and leaves
// the fastest on the kernel; the tile and vector phases read it there.

#ifndef AFT_COMPILER_TILE_TILESCALE_H
#define AFT_COMPILER_TILE_TILESCALE_H

#include "compiler/tile/ProductBlocks.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <optional>
#include <string>

namespace aft {

/// Powers of two by which sizes are larger (or, negative, smaller) than the
/// model's. All zero: the model's choice.
struct TileScale {
  int tile = 0;    ///< rows of a product's group; elements of any other tile
  int columns = 0; ///< of B that are packed at once (products only)
  int depth = 0;   ///< steps of K that are packed at once (products only)

  bool operator==(const TileScale &) const = default;
  /// "tile 1, columns -1", or "as the model" where nothing differs.
  std::string text() const;
};

/// What a kernel's tile sizes depend on; nothing where the tile phase leaves it whole.
enum class TileKind { Product, Other };
std::optional<TileKind> tileKindOf(mlir::func::FuncOp kernel);

/// The scale is an attribute of the kernel; none for the model's choice.
void setTileScale(mlir::func::FuncOp kernel, const TileScale &scale);
TileScale tileScaleOf(mlir::func::FuncOp kernel);

/// The model's blocks at another scale, whole panels still.
ProductBlocks scaled(ProductBlocks blocks, const TileScale &scale);
/// The same for the groups.
ProductTiles scaled(ProductTiles tiles, const ProductBlocks &blocks, const TileScale &scale);
/// `elements` at another scale, at least 1.
int64_t scaled(int64_t elements, int power);

} // namespace aft

#endif // AFT_COMPILER_TILE_TILESCALE_H
