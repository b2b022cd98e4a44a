//===- MatmulTensorCores.cpp - Matrix products of bf16 or f32 by warps ----===//
// C of a block stays in registers, a tile of it in each warp, in fragments as tensor cores
// have them. Parts of A and B along K are copied to shared memory in the background: while
// one is multiplied, the next ones arrive. Factors of f32 lie there as they are, and are
// rounded to TF32 on their way to the tensor cores.

#include "compiler/tile/TileSizes.h"
#include "compiler/tile/WarpTile.h"
#include "compiler/vector/gpu/Chunks.h"
#include "compiler/vector/gpu/Fragment.h"
#include "compiler/vector/gpu/GenericThreads.h"
#include "compiler/vector/gpu/GpuOps.h"
#include "compiler/vector/gpu/Threads.h"
#include "compiler/vector/product/MatmulEmission.h"

using namespace mlir;
using namespace aft;

namespace {

class MatmulTensorCores {
public:
  MatmulTensorCores(Emitter &e, Factors factors, bool overwrites, const WarpTile &tile);
  void run(ArrayRef<Value> batch);

private:
  /// A or B, and how it lies in shared memory: [part][row or column][step], or the other way
  /// around, as outside.
  struct Staged {
    Matrix matrix;
    int64_t width;   ///< rows of A, columns of B
    bool alongSteps; ///< steps follow each other
    bool inChunks;
    Value shared;
  };
  Staged staged(const Matrix &matrix, int64_t width, bool alongSteps);
  void copyPart(Value thread, const Staged &factor, Value widthThere, Value part);
  void copyParts(Value thread, Value part);
  void multiply(Value thread, Value part);
  using OwnNumbers =
      llvm::function_ref<void(int64_t number, Value row, Value column, int64_t lanes)>;
  void forEachOwn(Value thread, OwnNumbers body);
  void startSums(Value thread);
  void storeSums(Value thread);
  int64_t bits() const { return element.getIntOrFloatBitWidth(); }
  int64_t threads() const { return tile.warps() * kWarpThreads; }
  int64_t fragments() const {
    return tile.warpRows / kFragmentRows * (tile.warpColumns / kFragmentColumns);
  }
  /// First row and column of a thread's warp.
  std::pair<Value, Value> cornerOf(Value thread) {
    Value warp = e.div(thread, kWarpThreads);
    int64_t across = tile.columns / tile.warpColumns;
    return {e.mul(e.div(warp, across), tile.warpRows),
            e.mul(e.rest(warp, across), tile.warpColumns)};
  }

  Emitter &e;
  WarpTile tile;
  Staged a, b;
  Matrix c;
  Type element;
  bool overwrites;
  bool evenColumns = false; ///< pairs of C are inside or outside as a whole
  Value sums, m, n, k, parts;
};

} // namespace

MatmulTensorCores::MatmulTensorCores(Emitter &e, Factors factors, bool overwrites,
                                     const WarpTile &tile)
    : e(e), tile(tile), c(factors.c), element(factors.a.element()), overwrites(overwrites) {
  a = staged(factors.a, tile.rows, !factors.a.transposed);
  b = staged(factors.b, tile.columns, factors.b.transposed);
  sums = threadMemory(e, threads(), {fragments() * kFragmentNumbers}, c.element());
  // One works while the other waits for its copies.
  setResidentBlocks(e, 2);
}

MatmulTensorCores::Staged MatmulTensorCores::staged(const Matrix &matrix, int64_t width,
                                                    bool alongSteps) {
  int64_t outer = alongSteps ? width : tile.depth, inner = alongSteps ? tile.depth : width;
  inner += warpTilePadding(bits(), alongSteps);
  return {matrix, width, alongSteps, consistsOfChunks(matrix.memref, warpTileChunk(bits())),
          sharedMemory(e, {tile.stages, outer, inner}, element)};
}

/// All threads together copy a part along K of a factor, 0 beyond the matrix.
void MatmulTensorCores::copyPart(Value thread, const Staged &factor, Value widthThere, Value part) {
  int64_t run = factor.inChunks ? warpTileChunk(bits()) : 1;
  int64_t inner = (factor.alongSteps ? tile.depth : factor.width) / run;
  Value count = e.index(factor.width * tile.depth / run), buffer = e.rest(part, tile.stages);
  shareOut(e, thread, threads(), count, [&](Value number) {
    Value outer = e.div(number, inner), first = e.mul(e.rest(number, inner), run);
    Value step = e.add(e.mul(part, tile.depth), factor.alongSteps ? first : outer);
    Value index = factor.alongSteps ? outer : first;
    SmallVector<Value> from(factor.matrix.batch), to = {buffer, outer, first};
    from.push_back(factor.alongSteps ? index : step);
    from.push_back(factor.alongSteps ? step : index);
    Value exists = e.both(e.less(step, k), e.less(index, widthThere));
    Type type = factor.inChunks ? Type(VectorType::get({run}, element)) : element;
    auto copy = [&] {
      if (factor.inChunks)
        e.builder.create<CopyChunkOp>(e.loc, factor.matrix.memref, from, factor.shared, to);
      else
        e.store(e.load(factor.matrix.memref, from, 0), factor.shared, to);
      return Emitter::Values{};
    };
    auto clear = [&] {
      e.store(e.number(type, 0), factor.shared, to);
      return Emitter::Values{};
    };
    e.branch(exists, {}, copy, clear);
  });
}

void MatmulTensorCores::copyParts(Value thread, Value part) {
  e.when(e.less(part, parts), [&] {
    copyPart(thread, a, m, part);
    copyPart(thread, b, n, part);
  });
  e.builder.create<CopyFenceOp>(e.loc);
}

void MatmulTensorCores::multiply(Value thread, Value part) {
  auto type = VectorType::get({kFragmentNumbers}, c.element());
  auto placeOf = [&](int64_t fragment) {
    return SmallVector<Value>{thread, e.index(fragment * kFragmentNumbers)};
  };
  SmallVector<Value> values;
  for (int64_t i = 0; i < fragments(); ++i)
    values.push_back(e.builder.create<vector::LoadOp>(e.loc, type, sums, placeOf(i)));
  auto [row, column] = cornerOf(thread);
  Value buffer = e.rest(part, tile.stages), zero = e.index(0);
  auto indices = [&](const Staged &factor, Value first) {
    return factor.alongSteps ? SmallVector<Value>{buffer, first, zero}
                             : SmallVector<Value>{buffer, zero, first};
  };
  auto product = e.builder.create<WarpProductOp>(
      e.loc, thread, a.shared, indices(a, row), b.shared, indices(b, column), values, tile.warpRows,
      tile.warpColumns, tile.depth, /*transposedA=*/!a.alongSteps,
      /*transposedB=*/b.alongSteps);
  for (int64_t i = 0; i < fragments(); ++i)
    e.builder.create<vector::StoreOp>(e.loc, product.getResult(i), sums, placeOf(i));
}

/// The thread's numbers of C that exist, two neighbours at once where rows are even.
void MatmulTensorCores::forEachOwn(Value thread, OwnNumbers body) {
  auto [warpRow, warpColumn] = cornerOf(thread);
  FragmentPlace place(e, e.rest(thread, kWarpThreads));
  Value row = e.add(warpRow, place.row), column = e.add(warpColumn, place.column);
  int64_t across = tile.warpColumns / kFragmentColumns, lanes = evenColumns ? kFragmentPair : 0;
  for (int64_t number = 0; number < fragments() * kFragmentNumbers;
       number += std::max<int64_t>(lanes, 1)) {
    int64_t fragment = number / kFragmentNumbers, i = number % kFragmentNumbers;
    Value r = e.add(row, fragment / across * kFragmentRows + FragmentPlace::rowOf(i));
    Value col = e.add(column, fragment % across * kFragmentColumns + FragmentPlace::columnOf(i));
    e.when(e.both(e.less(r, m), e.less(col, n)), [&] { body(number, r, col, lanes); });
  }
}

void MatmulTensorCores::startSums(Value thread) {
  Value none = e.number(VectorType::get({kFragmentNumbers}, c.element()), 0);
  for (int64_t i = 0; i < fragments(); ++i)
    e.store(none, sums, {thread, e.index(i * kFragmentNumbers)});
  if (overwrites)
    return;
  forEachOwn(thread, [&](int64_t number, Value row, Value column, int64_t lanes) {
    e.store(e.load(c.memref, c.at(row, column), lanes), sums, {thread, e.index(number)});
  });
}

void MatmulTensorCores::storeSums(Value thread) {
  forEachOwn(thread, [&](int64_t number, Value row, Value column, int64_t lanes) {
    e.store(e.load(sums, {thread, e.index(number)}, lanes), c.memref, c.at(row, column));
  });
}

void MatmulTensorCores::run(ArrayRef<Value> batch) {
  for (Matrix *matrix : {&a.matrix, &b.matrix, &c})
    matrix->batch.assign(batch.begin(), batch.end());
  m = c.rows(e), n = c.columns(e), k = a.matrix.columns(e);
  evenColumns = isMultipleOf(n, kFragmentPair);
  parts = e.ceilDiv(k, tile.depth);
  int64_t ahead = tile.stages - 1;
  forEachThread(e, threads(), [&](Value thread) {
    startSums(thread);
    for (int64_t part = 0; part < ahead; ++part)
      copyParts(thread, e.index(part));
    e.builder.create<CopyWaitOp>(e.loc, ahead - 1);
  });
  // Where a part is copied to, all threads have read what was there: that was the last step.
  e.loop(e.index(0), parts, e.index(1), [&](Value part) {
    forEachThread(e, threads(), [&](Value thread) {
      copyParts(thread, e.add(part, ahead));
      multiply(thread, part);
      e.builder.create<CopyWaitOp>(e.loc, ahead - 1);
    });
  });
  forEachThread(e, threads(), [&](Value thread) { storeSums(thread); });
}

/// What a kernel shares already.
static int64_t sharedBytesIn(func::FuncOp kernel) {
  int64_t bytes = 0;
  kernel.walk([&](memref::AllocOp alloc) { bytes += bytesOf(alloc.getType()); });
  return bytes;
}

bool aft::emitMatmulTensorCores(linalg::LinalgOp op, OpBuilder &builder, bool overwrites,
                                bool tf32) {
  std::optional<int64_t> bits = tensorCoreBits(op, tf32);
  if (!bits)
    return false;
  Emitter e(builder, op.getLoc());
  Factors factors = factorsOf(op);
  const Matrix &c = factors.c;
  int64_t rank = cast<MemRefType>(c.memref.getType()).getRank();
  int64_t free = kSharedBytes - sharedBytesIn(op->getParentOfType<func::FuncOp>());
  std::optional<int64_t> rows = mostOf(e.dim(c.memref, rank - 2)),
                         columns = mostOf(e.dim(c.memref, rank - 1));
  if (!rows || !columns)
    return false;
  std::optional<WarpTile> tile = splitAmongWarps({*rows, *columns, *bits, free});
  if (!tile)
    return false;
  MatmulTensorCores emitter(e, factors, overwrites, *tile);
  if (rank == 2)
    emitter.run({});
  else
    e.loop(e.index(0), e.dim(c.memref, 0), e.index(1), [&](Value index) { emitter.run({index}); });
  return true;
}
