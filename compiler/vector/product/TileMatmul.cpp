//===- TileMatmul.cpp - Matrix products in tile registers -----------------===//
// Tile registers multiply faster than all else around them. So what is done with a tile of
// C when its sums are ready (the epilogue, conversions, stores) waits until the next tile is
// multiplied, and is done row by row between the rounds of that: both take their time
// together.
//
// Sums begin as zeros, or as what they were after the block of K before. They stay in tiles
// of 32 x 32 of their own until they are complete, whole ones also at the edges of C: so a
// number of C is the same wherever in a tile it lies.

#include "compiler/vector/product/TileMatmul.h"

#include "compiler/vector/product/Epilogue.h"
#include "compiler/vector/product/TileProduct.h"

using namespace mlir;
using namespace aft;

/// Sums that wait for the next block of K share the L2 cache with a block of B: so many, and
/// those of so many rows.
static constexpr int64_t kMostSums = 256 * 1024, kMostSumRows = 512;

namespace {

/// A tile of C whose sums are complete: in which of the two corners they are, and where it
/// is in C. Of no rows: there is none.
struct ReadyTile {
  Value corner, row, column, rows;

  SmallVector<Value> values() const { return {corner, row, column, rows}; }
  static ReadyTile of(ValueRange values) { return {values[0], values[1], values[2], values[3]}; }
};

class TileMatmul {
public:
  TileMatmul(Emitter &e, const PackedForm &form, const Matrix &a, const Matrix &b, const Matrix &c,
             const TileMatmulOptions &options);
  LogicalResult run();

private:
  void columnsBlock(Value firstRow, Value rows, Value firstColumn, Value columns);
  void block(const FactorBlock &rows, const FactorBlock &columns);
  TileRows strip(const FactorBlock &rows, Value row);
  void prefetchAhead(const FactorBlock &rows, Value row, Value column, Value i);
  ReadyTile tile(const FactorBlock &rows, const FactorBlock &columns, Value row, Value column,
                 const TileRows &left, const ReadyTile &ready);
  std::pair<TileRows, TileRows> sumsOf(Value row, Value column, Value corner);
  void finish(Value corner, Value from, const TileBounds &bounds);
  void storeRows(Value corner, Value from, const TileBounds &bounds);
  Value inPlaceWhere(Value steps);

  Emitter &e;
  const PackedForm &form;
  const ProductBlocks &blocks;
  const Matrix &a, &b, &c;
  TileMatmulOptions options;
  LogicalResult emitted = success();
  Value zero, one, m, n, steps;
  int64_t sumRows; ///< 0: all of K is one block
  Value packedA, packedB, corners, sums;
  TileRows zeros;
  Value inPlace;         ///< whether whole strips of A are read where they are
  Value isFirst, isLast; ///< block of K
};

} // namespace

TileMatmul::TileMatmul(Emitter &e, const PackedForm &form, const Matrix &a, const Matrix &b,
                       const Matrix &c, const TileMatmulOptions &options)
    : e(e), form(form), blocks(form.blocks), a(a), b(b), c(c), options(options), zero(e.index(0)),
      one(e.index(1)), m(options.rows), n(options.columns), steps(form.steps(e, a.columns(e))) {
  std::optional<int64_t> known = getConstantIntValue(a.columns(e));
  bool isOneBlock = known && *known <= blocks.depth * form.perStep();
  int64_t most = std::min(kMostSums / blocks.columns, kMostSumRows);
  sumRows = isOneBlock ? 0 : std::max<int64_t>(most / blocks.strip, 1) * blocks.strip;
}

LogicalResult TileMatmul::run() {
  packedA = form.rowsScratch(e);
  packedB = form.panelsScratch(e);
  corners = e.scratch({2, blocks.strip, blocks.panel}, form.sums);
  if (sumRows > 0)
    sums = e.scratch(
        {sumRows / blocks.strip, blocks.columns / blocks.panel, blocks.strip, blocks.panel},
        form.sums);
  beginTiles(e);
  zeros = tileZeros(e);
  inPlace = inPlaceWhere(steps);
  Value most = sumRows > 0 ? e.index(sumRows) : e.max(m, one);
  e.loop(zero, m, most, [&](Value firstRow) {
    Value rows = e.min(e.sub(m, firstRow), most);
    e.loop(zero, n, e.index(blocks.columns), [&](Value firstColumn) {
      Value columns = e.min(e.sub(n, firstColumn), e.index(blocks.columns));
      columnsBlock(firstRow, rows, firstColumn, columns);
    });
  });
  endTiles(e);
  return emitted;
}

/// Whether tiles of A are loaded from where it is: if all their steps are there, and they
/// do not compete for the same lines of the L1 cache, or are used too seldom for that to count.
Value TileMatmul::inPlaceWhere(Value steps) {
  auto never = [&] { return Value(e.builder.create<arith::ConstantIntOp>(e.loc, 0, 1)); };
  if (a.transposed)
    return never();
  Value numbers = a.columns(e);
  int64_t atOnce = form.stepsAtOnce() * form.perStep();
  Value whole = e.same(e.roundDown(numbers, atOnce), numbers);
  if (options.readsOnce)
    return whole;
  if (sumRows > 0)
    return never();
  auto layout = e.builder.create<memref::ExtractStridedMetadataOp>(e.loc, a.memref);
  Value stride = getValueOrCreateConstantIndexOp(e.builder, e.loc,
                                                 layout.getConstifiedMixedStrides().end()[-2]);
  return e.both(whole, e.same(stride, numbers));
}

void TileMatmul::columnsBlock(Value firstRow, Value rows, Value firstColumn, Value columns) {
  // Without any K the product is zero, which has to be stored too.
  Value end = e.max(steps, one);
  e.loop(zero, end, e.index(blocks.depth), [&](Value firstStep) {
    Value count = e.min(e.sub(steps, firstStep), e.index(blocks.depth));
    isFirst = e.same(firstStep, zero);
    isLast = e.less(end, e.add(firstStep, blocks.depth + 1));
    block({firstStep, count, firstRow, rows}, {firstStep, count, firstColumn, columns});
  });
}

void TileMatmul::block(const FactorBlock &rows, const FactorBlock &columns) {
  packPanels(e, form, b, columns, packedB);
  ReadyTile none{zero, zero, zero, zero};
  e.loop(zero, rows.count, e.index(blocks.strip), none.values(), [&](Value row, ValueRange ready) {
    TileRows left = strip(rows, row);
    return e.loop(zero, columns.count, e.index(blocks.panel), ready,
                  [&](Value column, ValueRange ready) {
                    return tile(rows, columns, row, column, left, ReadyTile::of(ready)).values();
                  });
  });
}

/// The strip of A from a row of the block on: where it is, or packed.
TileRows TileMatmul::strip(const FactorBlock &rows, Value row) {
  Value first = e.add(rows.first, row), left = e.sub(rows.count, row);
  Value whole = e.less(e.index(blocks.strip - 1), left);
  Value there = e.both(inPlace, whole);
  FactorBlock part{rows.firstStep, rows.steps, first, e.min(left, e.index(blocks.strip))};
  auto nothing = [] { return Emitter::Values{}; };
  e.branch(there, {}, nothing, [&] {
    packRows(e, form, a, part, packedA);
    return Emitter::Values{};
  });
  TileRows packed = tileRows(e, packedA, {zero, zero});
  TileRows unpacked = tileRows(e, a.memref, a.at(first, e.mul(rows.firstStep, form.perStep())));
  return {e.select(there, unpacked.address, packed.address),
          e.select(there, unpacked.stride, packed.stride)};
}

/// Asks for what is needed next: a row `i` of the next strip, of which each tile asks for a
/// part while the panels pass, and of the sums of the next tile.
void TileMatmul::prefetchAhead(const FactorBlock &rows, Value row, Value column, Value i) {
  if (!a.transposed) {
    Value passed = e.div(e.mul(column, blocks.depth * form.perStep()), blocks.columns);
    Value k = e.add(e.mul(rows.firstStep, form.perStep()), passed);
    prefetch(e, a, e.add(e.add(rows.first, e.add(row, blocks.strip)), i), k);
  }
  if (sumRows > 0)
    for (int64_t part = 0; part < blocks.panel; part += form.lanes)
      e.builder.create<memref::PrefetchOp>(
          e.loc, sums,
          ValueRange{e.div(row, blocks.strip), e.add(e.div(column, blocks.panel), 1), i,
                     e.index(part)},
          /*isWrite=*/false, /*localityHint=*/3, /*isDataCache=*/true);
}

/// Multiplies a strip and a panel, does meanwhile what is left to do with the tile that is
/// ready, and gives the one that is ready then.
ReadyTile TileMatmul::tile(const FactorBlock &rows, const FactorBlock &columns, Value row,
                           Value column, const TileRows &left, const ReadyTile &ready) {
  Value toRow = e.add(rows.first, row), toColumn = e.add(columns.first, column);
  Value corner = e.sub(one, ready.corner);
  auto [from, to] = sumsOf(row, column, corner);
  // All rows of the tile that is ready, over all rounds.
  Value all = e.index(blocks.strip), rounds = e.max(e.ceilDiv(columns.steps, kTileRows), one);
  Value atOnce = e.builder.create<arith::CeilDivUIOp>(e.loc, all, rounds);
  Value panel = e.div(column, blocks.panel);
  TileRows right = tileRows(e, packedB, {panel, zero, zero});
  emitTileProduct(e, left, right, columns.steps, from, to, [&](Value step) {
    Value lower = e.mul(e.div(step, kTileRows), atOnce);
    e.loop(lower, e.min(e.add(lower, atOnce), all), one, [&](Value i) {
      prefetchAhead(rows, row, column, i);
      e.when(e.less(i, ready.rows), [&] {
        finish(ready.corner, i, {e.add(ready.row, i), ready.column, one, e.index(blocks.panel)});
      });
    });
  });
  TileBounds bounds{toRow, toColumn, e.min(e.sub(rows.count, row), e.index(blocks.strip)),
                    e.min(e.sub(columns.count, column), e.index(blocks.panel))};
  // A whole tile waits, if another follows and has rounds.
  Value size = e.mul(bounds.rows, bounds.columns);
  Value whole = e.less(e.index(blocks.strip * blocks.panel - 1), size);
  Value rowsFollow = e.less(e.add(row, blocks.strip), rows.count);
  Value columnsFollow = e.less(e.add(column, blocks.panel), columns.count);
  Value follows = e.either(rowsFollow, columnsFollow);
  Value waits = e.both(e.both(whole, follows), e.less(zero, columns.steps));
  Value now = e.select(waits, e.builder.create<arith::ConstantIntOp>(e.loc, 0, 1), isLast);
  e.when(now, [&] { finish(corner, zero, bounds); });
  return {corner, toRow, toColumn, e.select(e.both(waits, isLast), e.index(blocks.strip), zero)};
}

/// Where the sums of a tile begin and where they go.
std::pair<TileRows, TileRows> TileMatmul::sumsOf(Value row, Value column, Value corner) {
  TileRows ready = tileRows(e, corners, {corner, zero, zero});
  if (sumRows == 0)
    return {zeros, ready};
  TileRows kept =
      tileRows(e, sums, {e.div(row, blocks.strip), e.div(column, blocks.panel), zero, zero});
  auto choose = [&](Value condition, const TileRows &yes, const TileRows &no) {
    return TileRows{e.select(condition, yes.address, no.address),
                    e.select(condition, yes.stride, no.stride)};
  };
  return {choose(isFirst, zeros, kept), choose(isLast, ready, kept)};
}

//===----------------------------------------------------------------------===//
// Complete sums
//===----------------------------------------------------------------------===//

/// The part of the corners that a part of a tile is in.
static Value cornerPart(Emitter &e, Value corners, Value corner, Value from,
                        const TileBounds &bounds) {
  SmallVector<OpFoldResult> offsets{corner, from, e.builder.getIndexAttr(0)};
  SmallVector<OpFoldResult> sizes{e.builder.getIndexAttr(1), getAsOpFoldResult(bounds.rows),
                                  getAsOpFoldResult(bounds.columns)};
  SmallVector<OpFoldResult> strides(3, e.builder.getIndexAttr(1));
  SmallVector<int64_t> shape;
  for (OpFoldResult size : ArrayRef(sizes).drop_front())
    shape.push_back(getConstantIntValue(size).value_or(ShapedType::kDynamic));
  auto type = cast<MemRefType>(memref::SubViewOp::inferRankReducedResultType(
      shape, cast<MemRefType>(corners.getType()), offsets, sizes, strides));
  return e.builder.create<memref::SubViewOp>(e.loc, type, corners, offsets, sizes, strides);
}

/// A part of a tile, from a row of its corner on.
void TileMatmul::finish(Value corner, Value from, const TileBounds &bounds) {
  bool skipsC = options.epilogue && options.dropsC && options.overwrites;
  if (!skipsC)
    storeRows(corner, from, bounds);
  if (!options.epilogue)
    return;
  TileCopy copy;
  if (skipsC)
    copy = {c.memref, cornerPart(e, corners, corner, from, bounds)};
  if (failed(emitEpilogue(e, options.epilogue, bounds, options.vectorBits, copy)))
    emitted = failure();
}

void TileMatmul::storeRows(Value corner, Value from, const TileBounds &bounds) {
  Value whole = e.roundDown(bounds.columns, form.lanes);
  e.loop(zero, bounds.rows, one, [&](Value i) {
    auto move = [&](Value j, int64_t lanes) {
      SmallVector<Value> place = c.at(e.add(bounds.row, i), e.add(bounds.column, j));
      Value total = e.load(corners, {corner, e.add(from, i), j}, lanes);
      if (!options.overwrites)
        total = e.fadd(e.load(c.memref, place, lanes), total);
      e.store(total, c.memref, place);
    };
    e.loop(zero, whole, e.index(form.lanes), [&](Value j) { move(j, form.lanes); });
    e.loop(whole, bounds.columns, one, [&](Value j) { move(j, 0); });
  });
}

LogicalResult aft::emitTileMatmul(Emitter &e, const PackedForm &form, const Matrix &a,
                                  const Matrix &b, const Matrix &c,
                                  const TileMatmulOptions &options) {
  return TileMatmul(e, form, a, b, c, options).run();
}
