//===- MatmulEmission.cpp - Packed, register-blocked matrix products ------===//
// For blocks of K and panels of columns: pack the panel of B, then run over the
// rows of A in strips whose products stay in registers. A is read where it is:
// a strip touches few cache lines in either storage order.

#include "compiler/vector/MatmulEmission.h"

#include "compiler/vector/Emitter.h"
#include "compiler/vector/GenericEmission.h"
#include "compiler/vector/PackedProduct.h"

using namespace mlir;
using namespace aft;

/// Extent of K that one packed panel covers: the panel stays in the L1/L2 cache.
static constexpr int64_t kBlockK = 256;
/// Rows of A that are converted at once when A is not in the compute type.
static constexpr int64_t kBlockM = 128;
/// With fewer rows packing costs more than it saves.
static constexpr int64_t kFewRows = 4;

namespace {

/// A matrix in memory: indices of the batch, and whether it is stored
/// transposed.
struct Matrix {
  Value memref;
  bool transposed = false;
  SmallVector<Value> batch;

  Type element() const { return cast<MemRefType>(memref.getType()).getElementType(); }
  SmallVector<Value> at(Value row, Value column) const {
    SmallVector<Value> indices(batch);
    indices.push_back(transposed ? column : row);
    indices.push_back(transposed ? row : column);
    return indices;
  }
  Value rows(Emitter &e) const { return e.dim(memref, batch.size() + (transposed ? 1 : 0)); }
  Value columns(Emitter &e) const { return e.dim(memref, batch.size() + (transposed ? 0 : 1)); }
};

class MatmulEmitter {
public:
  MatmulEmitter(Emitter &e, Matrix a, Matrix b, Matrix c, unsigned vectorBits)
      : e(e), a(std::move(a)), b(std::move(b)), c(std::move(c)), type(this->c.element()),
        lanes(lanesFor(type, vectorBits)), panel(2 * lanes),
        strip(stripRows(vectorBits)) {}
  void run();

private:
  void block(Value firstRow, Value rows, Value firstK, Value extentK);
  void packPanel(Value firstK, Value extentK, Value firstColumn, Value columns);
  void packWholePanel(Value firstK, Value extentK, Value firstColumn);
  void packTransposed(Value firstK, Value extentK, Value firstColumn);
  void packPartialPanel(Value firstK, Value extentK, Value firstColumn, Value columns);
  void convertRows(Value firstRow, Value rows, Value firstK, Value extentK);
  void multiplyStrip(int64_t rows, Value row, Value firstRow, Value firstK, Value extentK,
                     Value firstColumn, Value target, ArrayRef<Value> targetOrigin);
  void partialColumns(int64_t rows, Value row, Value firstRow, Value firstK, Value extentK,
                      Value firstColumn, Value columns);
  Value loadA(Value row, Value firstRow, Value k, Value firstK);

  Emitter &e;
  Matrix a, b, c;
  Type type;
  int64_t lanes, panel, strip;
  Value packedB, convertedA, corner, m, n;
};

} // namespace

void MatmulEmitter::run() {
  packedB = e.scratch({kBlockK, panel}, type);
  corner = e.scratch({strip, panel}, type);
  if (a.element() != type)
    convertedA = e.scratch({kBlockM, kBlockK}, type);
  m = c.rows(e);
  n = c.columns(e);
  Value k = a.columns(e), zero = e.index(0);
  Value rowStep = convertedA ? e.index(kBlockM) : e.max(m, e.index(1));
  e.loop(zero, k, e.index(kBlockK), [&](Value firstK) {
    Value extentK = e.min(e.sub(k, firstK), e.index(kBlockK));
    e.loop(zero, m, rowStep, [&](Value firstRow) {
      Value rows = e.min(e.sub(m, firstRow), rowStep);
      if (convertedA)
        convertRows(firstRow, rows, firstK, extentK);
      block(firstRow, rows, firstK, extentK);
    });
  });
}

void MatmulEmitter::block(Value firstRow, Value rows, Value firstK, Value extentK) {
  Value whole = e.roundDown(rows, strip);
  e.loop(e.index(0), n, e.index(panel), [&](Value firstColumn) {
    Value columns = e.min(e.sub(n, firstColumn), e.index(panel));
    packPanel(firstK, extentK, firstColumn, columns);
    Value full = e.builder.create<arith::CmpIOp>(e.loc, arith::CmpIPredicate::eq, columns,
                                                 e.index(panel));
    auto strips = [&](auto multiply) {
      e.loop(e.index(0), whole, e.index(strip), [&](Value row) { multiply(strip, row); });
      e.loop(whole, rows, e.index(1), [&](Value row) { multiply(int64_t(1), row); });
    };
    e.branch(
        full, {},
        [&] {
          strips([&](int64_t count, Value row) {
            multiplyStrip(count, row, firstRow, firstK, extentK, firstColumn, c.memref,
                          {e.add(firstRow, row), firstColumn});
          });
          return Emitter::Values{};
        },
        [&] {
          strips([&](int64_t count, Value row) {
            partialColumns(count, row, firstRow, firstK, extentK, firstColumn, columns);
          });
          return Emitter::Values{};
        });
  });
}

//===----------------------------------------------------------------------===//
// Packing
//===----------------------------------------------------------------------===//

void MatmulEmitter::packPanel(Value firstK, Value extentK, Value firstColumn, Value columns) {
  Value full = e.builder.create<arith::CmpIOp>(e.loc, arith::CmpIPredicate::eq, columns,
                                               e.index(panel));
  e.branch(
      full, {},
      [&] {
        packWholePanel(firstK, extentK, firstColumn);
        return Emitter::Values{};
      },
      [&] {
        packPartialPanel(firstK, extentK, firstColumn, columns);
        return Emitter::Values{};
      });
}

void MatmulEmitter::packWholePanel(Value firstK, Value extentK, Value firstColumn) {
  if (b.transposed)
    return packTransposed(firstK, extentK, firstColumn);
  e.loop(e.index(0), extentK, e.index(1), [&](Value k) {
    for (int64_t part = 0; part < panel; part += lanes)
      e.store(e.load(b.memref, b.at(e.add(firstK, k), e.add(firstColumn, part)), lanes),
              packedB, {k, e.index(part)});
  });
}

/// B is stored with K contiguous: squares of lanes x lanes are transposed in
/// registers.
void MatmulEmitter::packTransposed(Value firstK, Value extentK, Value firstColumn) {
  Value whole = e.roundDown(extentK, lanes);
  auto square = VectorType::get({lanes, lanes}, type);
  e.loop(e.index(0), whole, e.index(lanes), [&](Value k) {
    for (int64_t part = 0; part < panel; part += lanes) {
      Value rows = e.number(square, 0);
      for (int64_t i = 0; i < lanes; ++i) {
        Value row =
            e.load(b.memref, b.at(e.add(firstK, k), e.add(firstColumn, part + i)), lanes);
        rows = e.builder.create<vector::InsertOp>(e.loc, row, rows, ArrayRef<int64_t>{i});
      }
      Value columns =
          e.builder.create<vector::TransposeOp>(e.loc, rows, ArrayRef<int64_t>{1, 0});
      for (int64_t i = 0; i < lanes; ++i)
        e.store(e.builder.create<vector::ExtractOp>(e.loc, columns, ArrayRef<int64_t>{i}),
                packedB, {e.add(k, i), e.index(part)});
    }
  });
  e.loop(whole, extentK, e.index(1), [&](Value k) {
    e.loop(e.index(0), e.index(panel), e.index(1), [&](Value column) {
      e.store(e.load(b.memref, b.at(e.add(firstK, k), e.add(firstColumn, column)), 0), packedB,
              {k, column});
    });
  });
}

/// The last columns, padded with zeros.
void MatmulEmitter::packPartialPanel(Value firstK, Value extentK, Value firstColumn,
                                     Value columns) {
  Value zero = e.number(e.typeOf(type, lanes), 0);
  e.loop(e.index(0), extentK, e.index(1), [&](Value k) {
    for (int64_t part = 0; part < panel; part += lanes)
      e.store(zero, packedB, {k, e.index(part)});
    e.loop(e.index(0), columns, e.index(1), [&](Value column) {
      e.store(e.load(b.memref, b.at(e.add(firstK, k), e.add(firstColumn, column)), 0), packedB,
              {k, column});
    });
  });
}

void MatmulEmitter::convertRows(Value firstRow, Value rows, Value firstK, Value extentK) {
  // Along the dimension that is contiguous in memory.
  Value contiguous = a.transposed ? rows : extentK, other = a.transposed ? extentK : rows;
  Value whole = a.transposed ? e.index(0) : e.roundDown(contiguous, lanes);
  e.loop(e.index(0), other, e.index(1), [&](Value i) {
    auto copy = [&](Value j, int64_t width) {
      Value row = a.transposed ? j : i, k = a.transposed ? i : j;
      e.store(e.load(a.memref, a.at(e.add(firstRow, row), e.add(firstK, k)), width), convertedA,
              {row, k});
    };
    e.loop(e.index(0), whole, e.index(lanes), [&](Value j) { copy(j, lanes); });
    e.loop(whole, contiguous, e.index(1), [&](Value j) { copy(j, 0); });
  });
}

//===----------------------------------------------------------------------===//
// The product
//===----------------------------------------------------------------------===//

Value MatmulEmitter::loadA(Value row, Value firstRow, Value k, Value firstK) {
  if (convertedA)
    return e.load(convertedA, {row, k}, 0);
  return e.load(a.memref, a.at(e.add(firstRow, row), e.add(firstK, k)), 0);
}

/// target[origin] += A[row, row + rows) * panel, all in registers over K.
void MatmulEmitter::multiplyStrip(int64_t rows, Value row, Value firstRow, Value firstK,
                                  Value extentK, Value firstColumn, Value target,
                                  ArrayRef<Value> origin) {
  int64_t parts = panel / lanes;
  auto place = [&](int64_t i, int64_t part) {
    SmallVector<Value> indices;
    if (target == c.memref)
      indices = c.batch;
    indices.push_back(e.add(origin[0], i));
    indices.push_back(e.add(origin[1], part * lanes));
    return indices;
  };
  SmallVector<Value> accumulators;
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t part = 0; part < parts; ++part)
      accumulators.push_back(e.load(target, place(i, part), lanes));
  accumulators = emitStrip(
      e, accumulators, parts, extentK,
      [&](int64_t i, Value k) { return loadA(e.add(row, i), firstRow, k, firstK); },
      [&](int64_t part, Value k) {
        return e.load(packedB, {k, e.index(part * lanes)}, lanes);
      });
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t part = 0; part < parts; ++part)
      e.store(accumulators[i * parts + part], target, place(i, part));
}

/// The same for a panel that reaches beyond C: by way of a scratch tile.
void MatmulEmitter::partialColumns(int64_t rows, Value row, Value firstRow, Value firstK,
                                   Value extentK, Value firstColumn, Value columns) {
  Value zero = e.number(e.typeOf(type, lanes), 0);
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t part = 0; part < panel; part += lanes)
      e.store(zero, corner, {e.index(i), e.index(part)});
  multiplyStrip(rows, row, firstRow, firstK, extentK, firstColumn, corner,
                {e.index(0), e.index(0)});
  for (int64_t i = 0; i < rows; ++i)
    e.loop(e.index(0), columns, e.index(1), [&](Value column) {
      SmallVector<Value> place =
          c.at(e.add(e.add(firstRow, row), i), e.add(firstColumn, column));
      e.store(e.fadd(e.load(c.memref, place, 0), e.load(corner, {e.index(i), column}, 0)),
              c.memref, place);
    });
}

//===----------------------------------------------------------------------===//
// Which operations
//===----------------------------------------------------------------------===//

bool aft::isMatmul(linalg::LinalgOp op) {
  if (!isa<linalg::MatmulOp, linalg::MatmulTransposeAOp, linalg::MatmulTransposeBOp,
           linalg::BatchMatmulOp, linalg::BatchMatmulTransposeAOp,
           linalg::BatchMatmulTransposeBOp>(op.getOperation()))
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

LogicalResult aft::emitMatmul(linalg::LinalgOp op, OpBuilder &builder, unsigned vectorBits) {
  Operation *raw = op.getOperation();
  Emitter e(builder, op.getLoc());
  Matrix a{raw->getOperand(0), isa<linalg::MatmulTransposeAOp, linalg::BatchMatmulTransposeAOp>(raw), {}};
  Matrix b{raw->getOperand(1), isa<linalg::MatmulTransposeBOp, linalg::BatchMatmulTransposeBOp>(raw), {}};
  Matrix c{raw->getOperand(2), false, {}};
  bool batched = cast<MemRefType>(c.memref.getType()).getRank() == 3;
  Value rows = e.dim(c.memref, batched ? 1 : 0);
  LogicalResult result = success();
  auto packed = [&] {
    if (!batched) {
      MatmulEmitter(e, a, b, c, vectorBits).run();
      return;
    }
    e.loop(e.index(0), e.dim(c.memref, 0), e.index(1), [&](Value index) {
      for (Matrix *matrix : {&a, &b, &c})
        matrix->batch = {index};
      MatmulEmitter(e, a, b, c, vectorBits).run();
    });
  };
  if (std::optional<int64_t> known = getConstantIntValue(rows)) {
    if (*known >= kFewRows)
      packed();
    else
      result = emitGeneric(op, builder, vectorBits);
    return result;
  }
  e.branch(
      e.less(rows, e.index(kFewRows)), {},
      [&] {
        result = emitGeneric(op, builder, vectorBits);
        return Emitter::Values{};
      },
      [&] {
        packed();
        return Emitter::Values{};
      });
  return result;
}
