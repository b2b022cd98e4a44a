//===- FewRows.cpp - Products of a few rows with a large matrix -----------===//
// The time is that of reading B: several of its rows stream by at once, each of
// them contiguously, and are used for all rows of A while they are in registers or
// in the L1 cache.

#include "compiler/vector/product/FewRows.h"

using namespace mlir;
using namespace aft;

/// Rows of B that are read at once.
static constexpr int64_t kStreams = 4;
/// How many rows of B ahead the next ones are asked for: a tile reads too little of each
/// for the hardware to see streams.
static constexpr int64_t kAhead = 2 * kStreams;
/// Vectors of a row of B that are summed apart from each other.
static constexpr int64_t kChains = 2;

namespace {

class FewRowsEmitter {
public:
  FewRowsEmitter(Emitter &e, const Matrix &a, const Matrix &b, const Matrix &c, unsigned vectorBits,
                 bool overwrites)
      : e(e), a(a), b(b), c(c), type(c.element()), lanes(lanesFor(type, vectorBits)),
        overwrites(overwrites), zero(e.index(0)), one(e.index(1)), m(c.rows(e)), n(c.columns(e)),
        k(a.columns(e)) {}

  /// B as [K, N]: C is a sum of rows of B.
  void sumRows();
  /// B as [N, K]: C consists of inner products.
  void innerProducts();

private:
  void clear();
  void addRows(Value firstK, int64_t count);
  void addInnerProducts(Value firstColumn, int64_t count);
  SmallVector<Value> innerProductLanes(Value row, Value firstColumn, int64_t count, Value lower,
                                       Value upper, int64_t chains);

  Emitter &e;
  const Matrix &a, &b, &c;
  Type type;
  int64_t lanes;
  bool overwrites;
  Value zero, one, m, n, k;
};

} // namespace

//===----------------------------------------------------------------------===//
// Sums of rows
//===----------------------------------------------------------------------===//

void FewRowsEmitter::sumRows() {
  if (overwrites)
    clear();
  Value whole = e.roundDown(k, kStreams);
  e.loop(zero, whole, e.index(kStreams), [&](Value firstK) { addRows(firstK, kStreams); });
  e.loop(whole, k, one, [&](Value firstK) { addRows(firstK, 1); });
}

void FewRowsEmitter::clear() {
  Value whole = e.roundDown(n, lanes);
  e.loop(zero, m, one, [&](Value row) {
    e.loop(zero, whole, e.index(lanes), [&](Value column) {
      e.store(e.number(e.typeOf(type, lanes), 0), c.memref, c.at(row, column));
    });
    e.loop(whole, n, one,
           [&](Value column) { e.store(e.number(type, 0), c.memref, c.at(row, column)); });
  });
}

/// C += A[:, firstK, firstK + count) * B[firstK, firstK + count).
void FewRowsEmitter::addRows(Value firstK, int64_t count) {
  auto columns = [&](Value column, int64_t width) {
    SmallVector<Value> rows;
    for (int64_t i = 0; i < count; ++i) {
      rows.push_back(e.load(b.memref, b.at(e.add(firstK, i), column), width));
      if (width > 0)
        prefetch(e, b, e.add(firstK, kAhead + i), column);
    }
    e.loop(zero, m, one, [&](Value row) {
      Value sum = e.load(c.memref, c.at(row, column), width);
      for (int64_t i = 0; i < count; ++i) {
        Value factor = e.load(a.memref, a.at(row, e.add(firstK, i)), 0);
        sum = e.fma(e.broadcast(factor, sum.getType()), rows[i], sum);
      }
      e.store(sum, c.memref, c.at(row, column));
    });
  };
  Value line = e.roundDown(n, 2 * lanes), whole = e.roundDown(n, lanes);
  e.loop(zero, line, e.index(2 * lanes), [&](Value column) { columns(column, 2 * lanes); });
  e.loop(line, whole, e.index(lanes), [&](Value column) { columns(column, lanes); });
  e.loop(whole, n, one, [&](Value column) { columns(column, 0); });
}

//===----------------------------------------------------------------------===//
// Inner products
//===----------------------------------------------------------------------===//

void FewRowsEmitter::innerProducts() {
  Value whole = e.roundDown(n, kStreams);
  e.loop(zero, whole, e.index(kStreams), [&](Value column) { addInnerProducts(column, kStreams); });
  e.loop(whole, n, one, [&](Value column) { addInnerProducts(column, 1); });
}

/// C[:, firstColumn, firstColumn + count) += A * B^T.
void FewRowsEmitter::addInnerProducts(Value firstColumn, int64_t count) {
  Value wide = e.roundDown(k, kChains * lanes), whole = e.roundDown(k, lanes);
  auto add = [&](Value l, Value r) { return e.fadd(l, r); };
  e.loop(zero, m, one, [&](Value row) {
    SmallVector<Value> chains = innerProductLanes(row, firstColumn, count, zero, wide, kChains);
    SmallVector<Value> rest = innerProductLanes(row, firstColumn, count, wide, whole, 1);
    SmallVector<Value> sums;
    for (int64_t i = 0; i < count; ++i) {
      Value sum = rest[i];
      for (int64_t chain = 0; chain < kChains; ++chain)
        sum = e.fadd(sum, chains[i * kChains + chain]);
      sums.push_back(e.reduce(sum, add));
    }
    sums = e.loop(whole, k, one, sums, [&](Value at, ValueRange carried) {
      Value factor = e.load(a.memref, a.at(row, at), 0);
      SmallVector<Value> next;
      for (auto [i, sum] : llvm::enumerate(carried))
        next.push_back(e.fma(factor, e.load(b.memref, b.at(at, e.add(firstColumn, i)), 0), sum));
      return next;
    });
    for (auto [i, sum] : llvm::enumerate(sums)) {
      SmallVector<Value> place = c.at(row, e.add(firstColumn, i));
      if (!overwrites)
        sum = e.fadd(e.load(c.memref, place, 0), sum);
      e.store(sum, c.memref, place);
    }
  });
}

/// `chains` vectors of sums for each of `count` columns, over K in [lower, upper).
SmallVector<Value> FewRowsEmitter::innerProductLanes(Value row, Value firstColumn, int64_t count,
                                                     Value lower, Value upper, int64_t chains) {
  SmallVector<Value> zeros(count * chains, e.number(e.typeOf(type, lanes), 0));
  int64_t bytes = cast<MemRefType>(b.memref.getType()).getElementTypeBitWidth() / 8;
  return e.loop(lower, upper, e.index(chains * lanes), zeros, [&](Value at, ValueRange carried) {
    SmallVector<Value> factors, next;
    for (int64_t chain = 0; chain < chains; ++chain)
      factors.push_back(e.load(a.memref, a.at(row, e.add(at, chain * lanes)), lanes));
    for (auto [i, sum] : llvm::enumerate(carried)) {
      Value column = e.add(firstColumn, i / chains), offset = e.add(at, i % chains * lanes);
      Value other = e.load(b.memref, b.at(offset, column), lanes);
      // Once per line of 64 bytes: streams of a few lines are too short for the hardware.
      if (i % chains * lanes * bytes % 64 == 0)
        prefetch(e, b, offset, e.add(column, kAhead));
      next.push_back(e.fma(factors[i % chains], other, sum));
    }
    return next;
  });
}

void aft::emitFewRows(Emitter &e, const Matrix &a, const Matrix &b, const Matrix &c,
                      unsigned vectorBits, bool overwrites) {
  FewRowsEmitter emitter(e, a, b, c, vectorBits, overwrites);
  if (b.transposed)
    emitter.innerProducts();
  else
    emitter.sumRows();
}
