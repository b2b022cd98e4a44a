//===- TileProduct.cpp - Packed products in tile registers ----------------===//

#include "compiler/vector/product/TileProduct.h"

#include "compiler/tile/ProductBlocks.h"
#include "compiler/vector/RegisterMath.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace aft;

/// Bytes of a row of a tile: 16 sums, or 16 pairs.
static constexpr int64_t kRowBytes = 64;
/// Bytes of a tile configuration, and where in it the bytes of each tile's rows (two bytes
/// each) and the numbers of its rows (one byte each) are.
static constexpr int64_t kConfigBytes = 64, kRowBytesAt = 16, kRowsAt = 48;
static constexpr int64_t kTiles = 8;

static Value constant(Emitter &e, unsigned bits, int64_t value) {
  return e.builder.create<arith::ConstantIntOp>(e.loc, value, bits);
}

static Value toI64(Emitter &e, Value index) {
  return e.builder.create<arith::IndexCastOp>(e.loc, e.builder.getI64Type(), index);
}

static Value addI64(Emitter &e, Value a, Value b) {
  return e.builder.createOrFold<arith::AddIOp>(e.loc, a, b);
}

static Value pointerTo(Emitter &e, Value address) {
  return e.builder.create<LLVM::IntToPtrOp>(
      e.loc, LLVM::LLVMPointerType::get(e.builder.getContext()), address);
}

TileRows aft::tileRows(Emitter &e, Value memref, ValueRange place) {
  auto type = cast<MemRefType>(memref.getType());
  auto [known, offset] = getStridesAndOffset(type);
  Value base = e.builder.create<memref::ExtractAlignedPointerAsIndexOp>(e.loc, memref);
  Value elements = e.index(0);
  SmallVector<OpFoldResult> strides = getAsIndexOpFoldResult(e.builder.getContext(), known);
  if (offset != 0 || llvm::any_of(known, ShapedType::isDynamic)) {
    auto layout = e.builder.create<memref::ExtractStridedMetadataOp>(e.loc, memref);
    elements = layout.getOffset();
    strides = layout.getConstifiedMixedStrides();
  }
  int64_t size = type.getElementTypeBitWidth() / 8;
  auto stride = [&](size_t dim) {
    return getValueOrCreateConstantIndexOp(e.builder, e.loc, strides[dim]);
  };
  for (auto [dim, index] : llvm::enumerate(place))
    elements = e.add(elements, e.mul(index, stride(dim)));
  Value fromRow = place.size() > 1 ? stride(place.size() - 2) : e.index(0);
  return {toI64(e, e.add(base, e.mul(elements, size))), toI64(e, e.mul(fromRow, size))};
}

void aft::beginTiles(Emitter &e) {
  SmallVector<int8_t> bytes(kConfigBytes, 0);
  bytes[0] = 1; // the palette
  for (int64_t tile = 0; tile < kTiles; ++tile) {
    bytes[kRowBytesAt + 2 * tile] = kRowBytes;
    bytes[kRowsAt + tile] = kTileRows;
  }
  auto type = VectorType::get({kConfigBytes}, e.builder.getI8Type());
  Value config = e.scratch({kConfigBytes}, e.builder.getI8Type());
  e.store(e.builder.create<arith::ConstantOp>(e.loc, DenseElementsAttr::get(type, ArrayRef(bytes))),
          config, e.index(0));
  callIntrinsic(e, "llvm.x86.ldtilecfg", pointerTo(e, tileRows(e, config, e.index(0)).address));
}

void aft::endTiles(Emitter &e) { callIntrinsic(e, "llvm.x86.tilerelease", {}); }

void aft::emitTileProduct(Emitter &e, const TileRows &a, const TileRows &b, Value steps,
                          const TileRows &from, const TileRows &to,
                          llvm::function_ref<void(Value step)> meanwhile) {
  // Tile registers 0 to 3 hold the sums, row by row; 4 and 5 are A, 6 and 7 are B.
  auto tile = [&](int64_t number) { return constant(e, 8, number); };
  auto sum = [](int64_t row, int64_t column) { return 2 * row + column; };
  auto at = [&](const TileRows &rows, int64_t row, int64_t column) {
    Value address = rows.address;
    if (row > 0)
      address = addI64(
          e, address,
          e.builder.create<arith::MulIOp>(e.loc, rows.stride, constant(e, 64, row * kTileRows)));
    return pointerTo(e, addI64(e, address, constant(e, 64, column * kRowBytes)));
  };
  auto each = [](llvm::function_ref<void(int64_t row, int64_t column)> body) {
    for (int64_t row : {0, 1})
      for (int64_t column : {0, 1})
        body(row, column);
  };
  auto call = [&](StringRef name, int64_t number, Value place, const TileRows &rows) {
    callIntrinsic(e, name, {tile(number), place, rows.stride});
  };
  each([&](int64_t row, int64_t column) {
    call("llvm.x86.tileloadd64", sum(row, column), at(from, row, column), from);
  });
  e.loop(e.index(0), steps, e.index(kTileRows), [&](Value step) {
    Value passed = toI64(e, step);
    auto along = [&](const TileRows &rows, Value bytes) {
      Value offset = e.builder.create<arith::MulIOp>(e.loc, passed, bytes);
      return TileRows{addI64(e, rows.address, offset), rows.stride};
    };
    // B is read once, A by all panels: a hint leaves A in the L1 cache.
    TileRows left = along(a, constant(e, 64, kRowBytes / kTileRows)), right = along(b, b.stride);
    for (int64_t half : {0, 1}) {
      call("llvm.x86.tileloadd64", 4 + half, at(left, half, 0), left);
      call("llvm.x86.tileloaddt164", 6 + half, at(right, 0, half), right);
    }
    each([&](int64_t row, int64_t column) {
      callIntrinsic(e, "llvm.x86.tdpbf16ps",
                    {tile(sum(row, column)), tile(4 + row), tile(6 + column)});
    });
    meanwhile(step);
  });
  each([&](int64_t row, int64_t column) {
    call("llvm.x86.tilestored64", sum(row, column), at(to, row, column), to);
  });
}

TileRows aft::tileZeros(Emitter &e) {
  constexpr int64_t kColumns = 2 * kTileRows;
  Type type = e.builder.getF32Type();
  Value zeros = e.scratch({kColumns}, type), zero = e.index(0);
  e.store(e.number(e.typeOf(type, kColumns), 0), zeros, zero);
  return tileRows(e, zeros, zero);
}
