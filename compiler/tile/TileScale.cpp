//===- TileScale.cpp - How a kernel's tiles differ from the model's choice ===//

#include "compiler/tile/TileScale.h"

#include "mlir/IR/BuiltinAttributes.h"

#include <algorithm>

using namespace mlir;
using namespace aft;

/// [tile, columns, depth], on a kernel.
static constexpr llvm::StringLiteral kAttrName = "aft.tile_scale";

std::string TileScale::text() const {
  std::string text;
  for (auto [name, power] :
       {std::pair("tile", tile), std::pair("columns", columns), std::pair("depth", depth)})
    if (power != 0)
      text += (text.empty() ? "" : ", ") + std::string(name) + " " + std::to_string(power);
  return text.empty() ? "as the model" : text;
}

void aft::setTileScale(func::FuncOp kernel, const TileScale &scale) {
  if (scale == TileScale())
    kernel->removeAttr(kAttrName);
  else
    kernel->setAttr(kAttrName, DenseI32ArrayAttr::get(kernel.getContext(),
                                                      {scale.tile, scale.columns, scale.depth}));
}

TileScale aft::tileScaleOf(func::FuncOp kernel) {
  auto values = kernel ? kernel->getAttrOfType<DenseI32ArrayAttr>(kAttrName) : nullptr;
  if (!values || values.size() != 3)
    return {};
  return {values[0], values[1], values[2]};
}

int64_t aft::scaled(int64_t elements, int power) {
  return std::max<int64_t>(1, power >= 0 ? elements << power : elements >> -power);
}

/// `size` at another scale, a multiple of `unit` and at least one.
static int64_t scaled(int64_t size, int power, int64_t unit) {
  return std::max(unit, aft::scaled(size, power) / unit * unit);
}

ProductBlocks aft::scaled(ProductBlocks blocks, const TileScale &scale) {
  blocks.columns = ::scaled(blocks.columns, scale.columns, blocks.panel);
  blocks.depth = ::scaled(blocks.depth, scale.depth, 16);
  return blocks;
}

ProductTiles aft::scaled(ProductTiles tiles, const ProductBlocks &blocks, const TileScale &scale) {
  ProductTiles::Cut &rows = tiles.rows, &columns = tiles.columns;
  // Larger groups are fewer.
  rows.parts = scaled(rows.parts, -scale.tile);
  rows.least = ::scaled(rows.least, scale.tile, blocks.whole);
  rows.most = ::scaled(rows.most, scale.tile, blocks.whole);
  columns.least = std::min(::scaled(columns.least, scale.tile, blocks.panel), columns.most);
  return tiles;
}
