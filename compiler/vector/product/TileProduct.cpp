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

/// The address of an element of scratch memory, `bytes` further.
static Value addressOf(Emitter &e, Value memref, ValueRange place, int64_t bytes = 0) {
  auto type = cast<MemRefType>(memref.getType());
  auto [strides, offset] = getStridesAndOffset(type);
  Value address = e.builder.create<memref::ExtractAlignedPointerAsIndexOp>(e.loc, memref);
  int64_t size = type.getElementTypeBitWidth() / 8;
  for (auto [index, stride] : llvm::zip_equal(place, strides))
    address = e.add(address, e.mul(index, stride * size));
  address =
      e.builder.create<arith::IndexCastOp>(e.loc, e.builder.getI64Type(), e.add(address, bytes));
  return e.builder.create<LLVM::IntToPtrOp>(
      e.loc, LLVM::LLVMPointerType::get(e.builder.getContext()), address);
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
  callIntrinsic(e, "llvm.x86.ldtilecfg", addressOf(e, config, e.index(0)));
}

void aft::endTiles(Emitter &e) { callIntrinsic(e, "llvm.x86.tilerelease", {}); }

int64_t PackedTile::stride() const {
  auto type = cast<MemRefType>(memref.getType());
  auto [strides, offset] = getStridesAndOffset(type);
  return strides[strides.size() - 2] * type.getElementTypeBitWidth() / 8;
}

void aft::emitTileProduct(Emitter &e, const PackedTile &a, const PackedTile &b, Value steps,
                          Value sums) {
  // Tile registers 0 to 3 hold the sums, row by row; 4 and 5 are A, 6 and 7 are B.
  auto tile = [&](int64_t number) { return constant(e, 8, number); };
  auto sum = [](int64_t row, int64_t column) { return 2 * row + column; };
  auto load = [&](int64_t number, const PackedTile &packed, bool isA, Value step, int64_t bytes) {
    SmallVector<Value> place(packed.place);
    Value &first = place[place.size() - (isA ? 1 : 2)];
    first = e.add(first, step);
    callIntrinsic(e, "llvm.x86.tileloadd64",
                  {tile(number), addressOf(e, packed.memref, place, bytes),
                   constant(e, 64, packed.stride())});
  };
  for (int64_t number = 0; number < 4; ++number)
    callIntrinsic(e, "llvm.x86.tilezero", tile(number));
  e.loop(e.index(0), steps, e.index(kTileRows), [&](Value step) {
    for (int64_t half : {0, 1}) {
      load(4 + half, a, /*isA=*/true, step, half * kTileRows * a.stride());
      load(6 + half, b, /*isA=*/false, step, half * kRowBytes);
    }
    for (int64_t row : {0, 1})
      for (int64_t column : {0, 1})
        callIntrinsic(e, "llvm.x86.tdpbf16ps",
                      {tile(sum(row, column)), tile(4 + row), tile(6 + column)});
  });
  int64_t stride = 2 * kRowBytes;
  for (int64_t row : {0, 1})
    for (int64_t column : {0, 1})
      callIntrinsic(e, "llvm.x86.tilestored64",
                    {tile(sum(row, column)),
                     addressOf(e, sums, {e.index(row * kTileRows), e.index(column * kTileRows)}),
                     constant(e, 64, stride)});
}
