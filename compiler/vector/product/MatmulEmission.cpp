//===- MatmulEmission.cpp - Packed, register-blocked matrix products ------===//
// For blocks of columns and of K: pack the block of B, then run over the rows of A
// in strips. A strip is packed where the L1 cache finds it, stays there while all
// panels of the block pass, and its product with a panel stays in registers.
//
// A product of some rows with a transposed B is computed as C^T = B * A^T: then B,
// which is large, is read once where it is, and A is what gets packed.

#include "compiler/vector/product/MatmulEmission.h"

#include "compiler/tile/TileScale.h"
#include "compiler/vector/GenericEmission.h"
#include "compiler/vector/product/Epilogue.h"
#include "compiler/vector/product/FewRows.h"
#include "compiler/vector/product/PackedProduct.h"
#include "compiler/vector/product/ProductPacking.h"
#include "compiler/vector/product/TileMatmul.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

using namespace mlir;
using namespace aft;

/// Up to so many rows packing costs more than it saves.
static constexpr int64_t kFewRows = 11;
/// The same where tile registers multiply what was packed, and where a transposed B need not
/// be packed for them.
static constexpr int64_t kFewRowsForTiles = 5, kFewRowsTransposed = 1;
/// Up to so many rows packing a transposed B takes longer than multiplying it.
static constexpr int64_t kSomeRows = 64;

namespace {

class MatmulEmitter {
public:
  MatmulEmitter(Emitter &e, Matrix a, Matrix b, Matrix c, const MatmulOptions &options)
      : e(e), a(std::move(a)), b(std::move(b)), c(std::move(c)), type(this->c.element()),
        form(type,
             this->b.element().isBF16() && this->a.element().isBF16() ? options.pairDots
                                                                      : PairDots::None,
             options.vectorBits),
        vectorBits(options.vectorBits), epilogue(options.epilogue), overwrites(options.overwrites),
        dropsC(options.dropsC), m(this->c.rows(e)), n(this->c.columns(e)) {
    auto kernel = e.builder.getBlock()->getParent()->getParentOfType<func::FuncOp>();
    form.blocks = blocks = scaled(form.blocks, tileScaleOf(kernel));
  }
  LogicalResult run();
  /// The same product as C^T = B^T * A^T, for up to kSomeRows rows and at most
  /// mostColumns() columns.
  void runSwapped();
  int64_t mostColumns() const { return blocks.columns; }
  int64_t lanes() const { return form.lanes; }
  bool inTiles() const { return form.inTiles(); }

private:
  void block(const FactorBlock &columns);
  void tile(Value row, Value column, Value firstRow, Value rows, const FactorBlock &columns);
  void prefetchRows(Value row, Value column, Value firstStep);
  void prefetchStrip(Value row, Value firstStep, Value step);
  SmallVector<Value> products(Value row, Value column, const FactorBlock &columns);
  void store(ArrayRef<Value> sums, const TileBounds &tile, Value isWhole);
  void storeWhole(ArrayRef<Value> sums, Value row, Value column);
  void storeCorner(Value row, Value column, Value rows, Value columns);
  void storeAdded(Value value, Value row, Value column, int64_t lanes);
  void storeTurned(const Matrix &turned);

  Emitter &e;
  Matrix a, b, c;
  Type type;
  PackedForm form;
  ProductBlocks blocks;
  unsigned vectorBits;
  linalg::GenericOp epilogue; ///< or null
  LogicalResult emitted = success();
  bool overwrites, dropsC;
  Value m, n;
  bool inPlace = false; ///< whole strips of A are read where they are
  bool hasRoom = false; ///< C has room for whole strips and panels
  Value packedA, packedB, corner;
  /// Whether C holds something to add to, and whether it will be ready after this block.
  Value keeps, completes;
};

} // namespace

LogicalResult MatmulEmitter::run() {
  if (inTiles())
    return emitTileMatmul(e, form, a, b, c,
                          {m, n, vectorBits, overwrites, /*readsOnce=*/hasRoom, epilogue, dropsC});
  packedA = form.rowsScratch(e);
  packedB = form.panelsScratch(e);
  corner = e.scratch({blocks.strip, blocks.panel}, type);
  Value zero = e.index(0), steps = form.steps(e, a.columns(e));
  // Without any K the product is zero, which has to be stored too.
  Value end = overwrites || epilogue ? e.max(steps, e.index(1)) : steps;
  e.loop(zero, n, e.index(blocks.columns), [&](Value firstColumn) {
    Value columns = e.min(e.sub(n, firstColumn), e.index(blocks.columns));
    e.loop(zero, end, e.index(blocks.depth), [&](Value firstStep) {
      Value count = e.min(e.sub(steps, firstStep), e.index(blocks.depth));
      keeps = e.builder.create<arith::ConstantIntOp>(e.loc, 1, 1);
      if (overwrites)
        keeps = e.less(zero, firstStep);
      if (epilogue)
        completes = e.less(end, e.add(firstStep, blocks.depth + 1));
      block({firstStep, count, firstColumn, columns});
    });
  });
  return emitted;
}

void MatmulEmitter::block(const FactorBlock &columns) {
  packPanels(e, form, b, columns, packedB);
  Value zero = e.index(0), unpacked = inPlace ? e.roundDown(m, blocks.strip) : zero;
  auto panels = [&](Value row, Value firstRow, Value rows) {
    e.loop(zero, columns.count, e.index(blocks.panel),
           [&](Value column) { tile(row, column, firstRow, rows, columns); });
  };
  if (inPlace)
    e.loop(zero, unpacked, e.index(blocks.strip), [&](Value row) { panels(row, zero, unpacked); });
  bool wasInPlace = std::exchange(inPlace, false);
  e.loop(unpacked, m, e.index(blocks.rows), [&](Value firstRow) {
    Value rows = e.min(e.sub(m, firstRow), e.index(blocks.rows));
    packRows(e, form, a, {columns.firstStep, columns.steps, firstRow, rows}, packedA);
    e.loop(zero, rows, e.index(blocks.strip), [&](Value row) { panels(row, firstRow, rows); });
  });
  inPlace = wasInPlace;
}

void MatmulEmitter::runSwapped() {
  auto transposed = [](const Matrix &matrix) {
    return Matrix{matrix.memref, !matrix.transposed, matrix.batch};
  };
  auto roundUp = [](int64_t a, int64_t b) { return (a + b - 1) / b * b; };
  MatmulEmitter inner(*this);
  ProductBlocks &cut = inner.blocks;
  cut.columns = roundUp(kSomeRows, cut.panel);
  inner.form.blocks = cut;
  Matrix turned{
      e.scratch({roundUp(mostColumns(), cut.strip), cut.columns + form.lanes}, type), false, {}};
  inner.a = transposed(b);
  inner.b = transposed(a);
  inner.c = turned;
  inner.m = n;
  inner.n = m;
  inner.overwrites = inner.hasRoom = true;
  inner.epilogue = nullptr;
  inner.inPlace = !inner.a.transposed && !form.pairs && inner.a.element() == type;
  (void)inner.run();
  storeTurned(turned);
}

/// A strip times a panel. Sums start from zero in every block of K, so that a number
/// of C is the same wherever in a tile it lies.
void MatmulEmitter::tile(Value row, Value column, Value firstRow, Value rows,
                         const FactorBlock &columns) {
  Value toRow = e.add(firstRow, row), toColumn = e.add(columns.first, column);
  prefetchRows(toRow, column, columns.firstStep);
  for (int64_t i = 0; i < blocks.strip; ++i)
    prefetch(e, c, e.add(toRow, i), toColumn);
  if (epilogue)
    e.when(completes, [&] {
      prefetchEpilogue(e, epilogue, c.memref, toRow, toColumn, blocks.strip, blocks.panel);
    });
  SmallVector<Value> sums = products(row, column, columns);
  if (hasRoom)
    return storeWhole(sums, toRow, toColumn);
  Value rowsLeft = e.sub(rows, row), columnsLeft = e.sub(columns.count, column);
  auto enough = [&](Value left, int64_t wanted) -> Value {
    return e.builder.create<arith::CmpIOp>(e.loc, arith::CmpIPredicate::sge, left, e.index(wanted));
  };
  Value whole = e.both(enough(rowsLeft, blocks.strip), enough(columnsLeft, blocks.panel));
  TileBounds bounds{toRow, toColumn, e.min(rowsLeft, e.index(blocks.strip)),
                    e.min(columnsLeft, e.index(blocks.panel))};
  store(sums, bounds, whole);
  if (epilogue)
    e.when(completes, [&] {
      if (failed(emitEpilogue(e, epilogue, bounds, vectorBits)))
        emitted = failure();
    });
}

/// While the panels pass, the rows of the next block are asked for from end to end.
void MatmulEmitter::prefetchRows(Value row, Value column, Value firstStep) {
  if (a.transposed || inPlace)
    return;
  int64_t numbers = form.perStep();
  Value passed = e.div(e.mul(column, blocks.depth * numbers), blocks.columns);
  Value k = e.add(e.mul(firstStep, numbers), passed);
  for (int64_t i = 0; i < blocks.strip; ++i)
    prefetch(e, a, e.add(row, blocks.rows + i), k);
}

/// While a strip is read in place, the same steps of the next one are asked for, row by
/// row: it is read too briefly for the hardware to see streams.
void MatmulEmitter::prefetchStrip(Value row, Value firstStep, Value step) {
  auto rows = static_cast<int64_t>(llvm::PowerOf2Ceil(blocks.strip));
  int64_t perRow = std::max<int64_t>(blocks.depth / rows, 1);
  Value ahead = e.add(e.add(row, blocks.strip), e.div(step, perRow));
  Value within = e.mul(e.sub(step, e.roundDown(step, perRow)), rows);
  prefetch(e, a, ahead, e.add(firstStep, within));
}

SmallVector<Value> MatmulEmitter::products(Value row, Value column, const FactorBlock &columns) {
  int64_t parts = blocks.panel / form.lanes;
  SmallVector<Value> zeros(blocks.strip * parts, e.number(e.typeOf(type, form.lanes), 0));
  Value panel = e.div(column, blocks.panel);
  Type units = e.typeOf(form.unit, form.lanes);
  return emitStrip(
      e, zeros, parts, columns.steps,
      [&](int64_t i, Value step) {
        Value at = e.add(row, i);
        if (inPlace && i == 0)
          prefetchStrip(row, columns.firstStep, step);
        Value unit = inPlace ? e.load(a.memref, a.at(at, e.add(columns.firstStep, step)), 0)
                             : e.load(packedA, {at, step}, 0);
        return e.broadcast(unit, units);
      },
      [&](int64_t part, Value step) {
        return e.load(packedB, {panel, step, e.index(part * form.lanes)}, form.lanes);
      },
      [&](Value l, Value r, Value sum) { return form.addProduct(e, l, r, sum); });
}

//===----------------------------------------------------------------------===//
// Storing
//===----------------------------------------------------------------------===//

void MatmulEmitter::store(ArrayRef<Value> sums, const TileBounds &tile, Value isWhole) {
  e.branch(
      isWhole, {},
      [&] {
        storeWhole(sums, tile.row, tile.column);
        return Emitter::Values{};
      },
      [&] {
        int64_t parts = blocks.panel / form.lanes;
        for (auto [i, sum] : llvm::enumerate(sums))
          e.store(sum, corner, {e.index(i / parts), e.index(i % parts * form.lanes)});
        storeCorner(tile.row, tile.column, tile.rows, tile.columns);
        return Emitter::Values{};
      });
}

void MatmulEmitter::storeWhole(ArrayRef<Value> sums, Value row, Value column) {
  int64_t parts = blocks.panel / form.lanes;
  SmallVector<Type> types(sums.size(), sums[0].getType());
  auto place = [&](int64_t i) {
    return c.at(e.add(row, i / parts), e.add(column, i % parts * form.lanes));
  };
  SmallVector<Value> totals = e.branch(
      keeps, types,
      [&] {
        SmallVector<Value> added;
        for (auto [i, sum] : llvm::enumerate(sums))
          added.push_back(e.fadd(e.load(c.memref, place(i), form.lanes), sum));
        return added;
      },
      [&] { return SmallVector<Value>(sums); });
  for (auto [i, total] : llvm::enumerate(totals))
    e.store(total, c.memref, place(i));
}

/// A tile that reaches beyond C: by way of memory, row by row.
void MatmulEmitter::storeCorner(Value row, Value column, Value rows, Value columns) {
  Value whole = e.roundDown(columns, form.lanes);
  e.loop(e.index(0), rows, e.index(1), [&](Value i) {
    auto move = [&](Value j, int64_t lanes) {
      storeAdded(e.load(corner, {i, j}, lanes), e.add(row, i), e.add(column, j), lanes);
    };
    e.loop(e.index(0), whole, e.index(form.lanes), [&](Value j) { move(j, form.lanes); });
    e.loop(whole, columns, e.index(1), [&](Value j) { move(j, 0); });
  });
}

void MatmulEmitter::storeAdded(Value value, Value row, Value column, int64_t lanes) {
  SmallVector<Value> place = c.at(row, column);
  Value total = e.branch(
      keeps, value.getType(),
      [&] { return Emitter::Values{e.fadd(e.load(c.memref, place, lanes), value)}; },
      [&] { return Emitter::Values{value}; })[0];
  e.store(total, c.memref, place);
}

/// C from its transpose, by squares of vectors.
void MatmulEmitter::storeTurned(const Matrix &turned) {
  int64_t lanes = form.lanes;
  keeps = e.builder.create<arith::ConstantIntOp>(e.loc, !overwrites, 1);
  Value zero = e.index(0), one = e.index(1), wholeRows = e.roundDown(m, lanes),
        wholeColumns = e.roundDown(n, lanes);
  auto square = [&](Value row, Value column) {
    SmallVector<Value> lines;
    for (int64_t i = 0; i < lanes; ++i)
      lines.push_back(e.load(turned.memref, {e.add(column, i), row}, lanes));
    for (auto [i, line] : llvm::enumerate(transposeSquare(e, lines)))
      storeAdded(line, e.add(row, i), column, lanes);
  };
  auto single = [&](Value row, Value column) {
    storeAdded(e.load(turned.memref, {column, row}, 0), row, column, 0);
  };
  e.loop(zero, wholeRows, e.index(lanes), [&](Value row) {
    e.loop(zero, wholeColumns, e.index(lanes), [&](Value column) { square(row, column); });
  });
  e.loop(zero, wholeRows, one, [&](Value row) {
    e.loop(wholeColumns, n, one, [&](Value column) { single(row, column); });
  });
  e.loop(wholeRows, m, one,
         [&](Value row) { e.loop(zero, n, one, [&](Value column) { single(row, column); }); });
}

//===----------------------------------------------------------------------===//
// Which operations
//===----------------------------------------------------------------------===//

bool aft::isMatmul(linalg::LinalgOp op) {
  if (!isa<linalg::MatmulOp, linalg::MatmulTransposeAOp, linalg::MatmulTransposeBOp,
           linalg::BatchMatmulOp, linalg::BatchMatmulTransposeAOp, linalg::BatchMatmulTransposeBOp>(
          op.getOperation()))
    return false;
  auto elementOf = [&](int64_t i) {
    return cast<ShapedType>(op->getOperand(i).getType()).getElementType();
  };
  Type result = elementOf(2);
  if (!result.isF32() && !result.isF64())
    return false;
  for (int64_t i = 0; i < 2; ++i) {
    auto [strides, offset] = getStridesAndOffset(cast<MemRefType>(op->getOperand(i).getType()));
    if (strides.back() != 1 || computeType(elementOf(i)) != result)
      return false;
  }
  auto [strides, offset] = getStridesAndOffset(cast<MemRefType>(op->getOperand(2).getType()));
  return strides.back() == 1;
}

linalg::FillOp aft::zerosBefore(linalg::LinalgOp product) {
  Value c = product.getDpsInits()[0];
  for (Operation *op = product->getPrevNode(); op; op = op->getPrevNode()) {
    if (auto fill = dyn_cast<linalg::FillOp>(op)) {
      auto zero = fill.getInputs()[0].getDefiningOp<arith::ConstantOp>();
      auto number = zero ? dyn_cast<FloatAttr>(zero.getValue()) : FloatAttr();
      if (fill.getOutputs()[0] == c && number && number.getValue().isPosZero())
        return fill;
    }
    if (!isMemoryEffectFree(op))
      return nullptr;
  }
  return nullptr;
}

namespace {
/// An extent that lies in [least, most], or does not.
struct Bounds {
  Value extent;
  int64_t least, most;
};
} // namespace

/// Does one of two things, each of which is emitted at most once: where all extents are
/// in their ranges, or where not.
static void ifWithin(Emitter &e, ArrayRef<Bounds> ranges, llvm::function_ref<void()> yes,
                     llvm::function_ref<void()> no) {
  Value condition;
  for (const Bounds &range : ranges) {
    if (std::optional<int64_t> known = getConstantIntValue(range.extent)) {
      if (*known < range.least || *known > range.most)
        return no();
      continue;
    }
    // Below the range the difference wraps around.
    Value above = e.sub(range.extent, e.index(range.least));
    Value inside = e.builder.create<arith::CmpIOp>(e.loc, arith::CmpIPredicate::ule, above,
                                                   e.index(range.most - range.least));
    condition = condition ? e.both(condition, inside) : inside;
  }
  if (!condition)
    return yes();
  auto emit = [](llvm::function_ref<void()> body) {
    body();
    return Emitter::Values{};
  };
  e.branch(condition, {}, [&] { return emit(yes); }, [&] { return emit(no); });
}

/// Chooses among the ways to multiply by the number of rows.
static LogicalResult emitProduct(Emitter &e, const Matrix &a, const Matrix &b, const Matrix &c,
                                 const MatmulOptions &options) {
  MatmulEmitter emitter(e, a, b, c, options);
  Value rows = c.rows(e);
  if (options.manyRows && !getConstantIntValue(rows))
    return emitter.run();
  LogicalResult emitted = success();
  auto check = [&](LogicalResult result) { emitted = failed(result) ? result : emitted; };
  // Without tiles the epilogue follows.
  auto finish = [&] {
    if (options.epilogue)
      check(emitGeneric(options.epilogue, e.builder, options.vectorBits));
  };
  auto packed = [&] { check(emitter.run()); };
  auto few = [&] {
    emitFewRows(e, a, b, c, options.vectorBits, options.overwrites);
    finish();
  };
  auto swapped = [&] {
    emitter.runSwapped();
    finish();
  };
  bool tiles = emitter.inTiles();
  auto some = [&] {
    // A panel that is half empty costs as much as a full one.
    Bounds someRows{rows, tiles ? 0 : emitter.lanes() + 1, kSomeRows};
    Bounds columns{c.columns(e), 0, emitter.mostColumns()};
    ifWithin(e, {someRows, columns}, swapped, packed);
  };
  int64_t most = !tiles ? kFewRows : b.transposed ? kFewRowsTransposed : kFewRowsForTiles;
  ifWithin(e, {{rows, 0, most}}, few, [&] { b.transposed ? some() : packed(); });
  return emitted;
}

Factors aft::factorsOf(linalg::LinalgOp product) {
  Operation *op = product.getOperation();
  bool transposeA = isa<linalg::MatmulTransposeAOp, linalg::BatchMatmulTransposeAOp>(op);
  bool transposeB = isa<linalg::MatmulTransposeBOp, linalg::BatchMatmulTransposeBOp>(op);
  return {{op->getOperand(0), transposeA, {}},
          {op->getOperand(1), transposeB, {}},
          {op->getOperand(2), false, {}}};
}

LogicalResult aft::emitMatmul(linalg::LinalgOp op, OpBuilder &builder,
                              const MatmulOptions &options) {
  Emitter e(builder, op.getLoc());
  auto [a, b, c] = factorsOf(op);
  if (cast<MemRefType>(c.memref.getType()).getRank() == 2)
    return emitProduct(e, a, b, c, options);
  LogicalResult emitted = success();
  e.loop(e.index(0), e.dim(c.memref, 0), e.index(1), [&, &a = a, &b = b, &c = c](Value index) {
    for (Matrix *matrix : {&a, &b, &c})
      matrix->batch = {index};
    emitted = emitProduct(e, a, b, c, options);
  });
  return emitted;
}

DenseSet<Operation *> aft::dropZeros(SmallVector<linalg::LinalgOp> &ops) {
  DenseSet<Operation *> overwriting, dropped;
  for (linalg::LinalgOp op : ops)
    if (op.hasPureBufferSemantics() && isMatmul(op))
      if (linalg::FillOp zeros = zerosBefore(op)) {
        overwriting.insert(op);
        dropped.insert(zeros);
      }
  llvm::erase_if(ops, [&](linalg::LinalgOp op) { return dropped.contains(op); });
  for (Operation *zeros : dropped)
    zeros->erase();
  return overwriting;
}
