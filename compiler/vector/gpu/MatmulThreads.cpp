//===- MatmulThreads.cpp - Matrix products by the threads of a block ------===//
// C of a block stays in registers, a small matrix in each thread. Step by step of K, the
// block copies rows of A and of B to shared memory, whose numbers each are then used by
// all threads of a row or column of threads.

#include "compiler/tile/TileSizes.h"
#include "compiler/vector/gpu/GenericThreads.h"
#include "compiler/vector/gpu/Threads.h"
#include "compiler/vector/product/MatmulEmission.h"

using namespace mlir;
using namespace aft;

/// Steps of K that lie in shared memory at once.
static constexpr int64_t kDepth = 16;
/// Rows, and columns, of a thread in each unit of the tile.
static constexpr int64_t kOwn = 4;
/// Threads along a unit.
static constexpr int64_t kSide = kThreadBlockUnit / kOwn;
/// Numbers after each row in shared memory, so that rows begin in different banks.
static constexpr int64_t kPad = 4;
static_assert(kSide * kSide == kBlockThreads);

namespace {

class MatmulThreads {
public:
  MatmulThreads(Emitter &e, Matrix a, Matrix b, Matrix c, bool overwrites)
      : e(e), a(std::move(a)), b(std::move(b)), c(std::move(c)), type(this->c.element()),
        vectorType(VectorType::get({kOwn}, type)), overwrites(overwrites) {}
  void allocate();
  void run(ArrayRef<Value> batch);

private:
  void copy(Value thread, Value to, int64_t width, bool alongSteps,
            llvm::function_ref<Value(Value step, Value index)> load);
  void multiply(Value thread);
  void forEachOwn(Value thread,
                  llvm::function_ref<void(int64_t row, int64_t column, Value i, Value j)> body);
  /// Where a thread's rows and columns begin in the first unit.
  Value rowOf(Value thread) { return e.mul(e.div(thread, kSide), kOwn); }
  Value columnOf(Value thread) { return e.mul(e.rest(thread, kSide), kOwn); }
  int64_t ownRows() const { return rowUnits * kOwn; }
  /// Row `row` of a thread, from that of its first one on.
  static int64_t offset(int64_t row) { return row / kOwn * kThreadBlockUnit + row % kOwn; }
  /// A vector of a thread's sums.
  SmallVector<Value> placeOf(Value thread, int64_t row, int64_t unit) {
    return {thread, e.index(row), e.index(unit * kOwn)};
  }
  /// An element, 0 outside of the matrix.
  Value loadOrZero(const Matrix &matrix, Value row, Value column, Value rows, Value columns);

  Emitter &e;
  Matrix a, b, c;
  Type type;
  VectorType vectorType;
  bool overwrites;
  int64_t rowUnits = 1, columnUnits = 1;
  Value sharedA, sharedB, sums, m, n, k;
};

} // namespace

void MatmulThreads::allocate() {
  int64_t rank = cast<MemRefType>(c.memref.getType()).getRank();
  auto unitsOf = [&](int64_t dim) {
    return mostOf(e.dim(c.memref, dim)).value_or(INT64_MAX) > kThreadBlockUnit ? 2 : 1;
  };
  rowUnits = unitsOf(rank - 2);
  columnUnits = unitsOf(rank - 1);
  sharedA = sharedMemory(e, {kDepth, rowUnits * kThreadBlockUnit + kPad}, type);
  sharedB = sharedMemory(e, {kDepth, columnUnits * kThreadBlockUnit + kPad}, type);
  sums = threadMemory(e, kBlockThreads, {ownRows(), columnUnits * kOwn}, type);
}

Value MatmulThreads::loadOrZero(const Matrix &matrix, Value row, Value column, Value rows,
                                Value columns) {
  Value inside = e.both(e.less(row, rows), e.less(column, columns));
  return e.branch(
      inside, {type},
      [&] {
        return Emitter::Values{e.convert(e.load(matrix.memref, matrix.at(row, column), 0), type)};
      },
      [&] { return Emitter::Values{e.number(type, 0)}; })[0];
}

/// Every thread its part of kDepth x width numbers; neighbouring threads take neighbours in
/// memory.
void MatmulThreads::copy(Value thread, Value to, int64_t width, bool alongSteps,
                         llvm::function_ref<Value(Value step, Value index)> load) {
  for (int64_t part = 0; part < kDepth * width / kBlockThreads; ++part) {
    Value number = e.add(thread, part * kBlockThreads);
    int64_t inner = alongSteps ? kDepth : width;
    Value low = e.rest(number, inner);
    Value high = e.div(number, inner);
    Value step = alongSteps ? low : high, index = alongSteps ? high : low;
    e.builder.create<memref::StoreOp>(e.loc, load(step, index), to, ValueRange{step, index});
  }
}

/// Adds the products of the steps in shared memory.
void MatmulThreads::multiply(Value thread) {
  Value row = rowOf(thread), column = columnOf(thread);
  auto vectors = [&](Value memory, Value step, Value first, int64_t units) {
    SmallVector<Value> values;
    for (int64_t unit = 0; unit < units; ++unit)
      values.push_back(e.builder.create<vector::LoadOp>(
          e.loc, vectorType, memory, ValueRange{step, e.add(first, unit * kThreadBlockUnit)}));
    return values;
  };
  SmallVector<Value> values;
  for (int64_t i = 0; i < ownRows(); ++i)
    for (int64_t unit = 0; unit < columnUnits; ++unit)
      values.push_back(
          e.builder.create<vector::LoadOp>(e.loc, vectorType, sums, placeOf(thread, i, unit)));
  values =
      e.loop(e.index(0), e.index(kDepth), e.index(1), values, [&](Value step, ValueRange carried) {
        SmallVector<Value> left = vectors(sharedA, step, row, rowUnits);
        SmallVector<Value> right = vectors(sharedB, step, column, columnUnits), results;
        for (int64_t i = 0; i < ownRows(); ++i) {
          Value one = e.builder.create<vector::ExtractOp>(e.loc, left[i / kOwn], i % kOwn);
          for (int64_t unit = 0; unit < columnUnits; ++unit)
            results.push_back(
                e.fma(e.broadcast(one, vectorType), right[unit], carried[i * columnUnits + unit]));
        }
        return results;
      });
  for (int64_t i = 0; i < ownRows(); ++i)
    for (int64_t unit = 0; unit < columnUnits; ++unit)
      e.builder.create<vector::StoreOp>(e.loc, values[i * columnUnits + unit], sums,
                                        placeOf(thread, i, unit));
}

/// The thread's elements of C that exist: their place among its sums and in C.
void MatmulThreads::forEachOwn(Value thread,
                               llvm::function_ref<void(int64_t, int64_t, Value, Value)> body) {
  Value row = rowOf(thread), column = columnOf(thread);
  for (int64_t i = 0; i < ownRows(); ++i)
    for (int64_t j = 0; j < columnUnits * kOwn; ++j) {
      Value r = e.add(row, offset(i)), col = e.add(column, offset(j));
      e.when(e.both(e.less(r, m), e.less(col, n)), [&] { body(i, j, r, col); });
    }
}

void MatmulThreads::run(ArrayRef<Value> batch) {
  for (Matrix *matrix : {&a, &b, &c})
    matrix->batch.assign(batch.begin(), batch.end());
  m = c.rows(e), n = c.columns(e), k = a.columns(e);
  forEachThread(e, kBlockThreads, [&](Value thread) {
    for (int64_t i = 0; i < ownRows(); ++i)
      for (int64_t unit = 0; unit < columnUnits; ++unit)
        e.builder.create<vector::StoreOp>(e.loc, e.number(vectorType, 0), sums,
                                          placeOf(thread, i, unit));
    if (!overwrites)
      forEachOwn(thread, [&](int64_t i, int64_t j, Value row, Value column) {
        e.store(e.load(c.memref, c.at(row, column), 0), sums, {thread, e.index(i), e.index(j)});
      });
  });
  e.loop(e.index(0), k, e.index(kDepth), [&](Value first) {
    forEachThread(e, kBlockThreads, [&](Value thread) {
      copy(thread, sharedA, rowUnits * kThreadBlockUnit, !a.transposed,
           [&](Value step, Value row) { return loadOrZero(a, row, e.add(first, step), m, k); });
      copy(thread, sharedB, columnUnits * kThreadBlockUnit, b.transposed,
           [&](Value step, Value column) {
             return loadOrZero(b, e.add(first, step), column, k, n);
           });
    });
    forEachThread(e, kBlockThreads, [&](Value thread) { multiply(thread); });
  });
  forEachThread(e, kBlockThreads, [&](Value thread) {
    forEachOwn(thread, [&](int64_t i, int64_t j, Value row, Value column) {
      e.store(e.load(sums, {thread, e.index(i), e.index(j)}, 0), c.memref, c.at(row, column));
    });
  });
}

void aft::emitMatmulThreads(linalg::LinalgOp op, OpBuilder &builder, bool overwrites) {
  Operation *raw = op.getOperation();
  Emitter e(builder, op.getLoc());
  auto [a, b, c] = factorsOf(op);
  MatmulThreads emitter(e, a, b, c, overwrites);
  emitter.allocate();
  if (cast<MemRefType>(raw->getOperand(2).getType()).getRank() == 2)
    return emitter.run({});
  e.loop(e.index(0), e.dim(raw->getOperand(2), 0), e.index(1),
         [&](Value index) { emitter.run({index}); });
}
