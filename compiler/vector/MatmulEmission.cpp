//===- MatmulEmission.cpp - Packed, register-blocked matrix products ------===//
// For blocks of columns and of K: pack the block of B, then run over the rows of A
// in strips. A strip is packed where the L1 cache finds it, stays there while all
// panels of the block pass, and its product with a panel stays in registers.

#include "compiler/vector/MatmulEmission.h"

#include "compiler/tile/TileScale.h"
#include "compiler/vector/FewRows.h"
#include "compiler/vector/PackedProduct.h"
#include "compiler/vector/ProductPacking.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

using namespace mlir;
using namespace aft;

/// With fewer rows packing costs more than it saves.
static constexpr int64_t kFewRows = 12;

namespace {

class MatmulEmitter {
public:
  MatmulEmitter(Emitter &e, Matrix a, Matrix b, Matrix c, unsigned vectorBits, bool overwrites,
                PairDots dots)
      : e(e), a(std::move(a)), b(std::move(b)), c(std::move(c)), type(this->c.element()),
        dots(this->b.element().isBF16() && this->a.element().isBF16() ? dots : PairDots::None),
        form(type, this->dots != PairDots::None, vectorBits), overwrites(overwrites) {
    auto kernel = e.builder.getBlock()->getParent()->getParentOfType<func::FuncOp>();
    form.blocks = blocks = scaled(form.blocks, tileScaleOf(kernel));
  }
  void run();

private:
  void block(const FactorBlock &columns);
  void tile(Value row, Value column, Value firstRow, Value rows, const FactorBlock &columns);
  void prefetchRows(Value row, Value column, Value firstStep);
  SmallVector<Value> products(Value row, Value column, Value steps);
  Value addPairs(Value l, Value r, Value sum);
  void storeWhole(ArrayRef<Value> sums, Value row, Value column);
  void storeCorner(ArrayRef<Value> sums, Value row, Value column, Value rows, Value columns);
  void storeAdded(Value value, Value row, Value column, int64_t lanes);

  Emitter &e;
  Matrix a, b, c;
  Type type;
  PairDots dots;
  PackedForm form;
  ProductBlocks blocks;
  bool overwrites;
  Value packedA, packedB, corner, m, n;
  /// Whether C holds something to add to.
  Value keeps;
};

} // namespace

void MatmulEmitter::run() {
  packedA = form.rowsScratch(e);
  packedB = form.panelsScratch(e);
  corner = e.scratch({blocks.strip, blocks.panel}, type);
  m = c.rows(e);
  n = c.columns(e);
  Value zero = e.index(0), steps = form.steps(e, a.columns(e));
  // Without any K the product is zero, which has to be stored too.
  Value end = overwrites ? e.max(steps, e.index(1)) : steps;
  e.loop(zero, n, e.index(blocks.columns), [&](Value firstColumn) {
    Value columns = e.min(e.sub(n, firstColumn), e.index(blocks.columns));
    e.loop(zero, end, e.index(blocks.depth), [&](Value firstStep) {
      Value count = e.min(e.sub(steps, firstStep), e.index(blocks.depth));
      keeps = e.builder.create<arith::ConstantIntOp>(e.loc, 1, 1);
      if (overwrites)
        keeps = e.less(zero, firstStep);
      block({firstStep, count, firstColumn, columns});
    });
  });
}

void MatmulEmitter::block(const FactorBlock &columns) {
  packPanels(e, form, b, columns, packedB);
  Value zero = e.index(0);
  e.loop(zero, m, e.index(blocks.rows), [&](Value firstRow) {
    Value rows = e.min(e.sub(m, firstRow), e.index(blocks.rows));
    packRows(e, form, a, {columns.firstStep, columns.steps, firstRow, rows}, packedA);
    e.loop(zero, rows, e.index(blocks.strip), [&](Value row) {
      e.loop(zero, columns.count, e.index(blocks.panel),
             [&](Value column) { tile(row, column, firstRow, rows, columns); });
    });
  });
}

/// A strip times a panel. Sums start from zero in every block of K, so that a number
/// of C is the same wherever in a tile it lies.
void MatmulEmitter::tile(Value row, Value column, Value firstRow, Value rows,
                         const FactorBlock &columns) {
  prefetchRows(e.add(firstRow, row), column, columns.firstStep);
  SmallVector<Value> sums = products(row, column, columns.steps);
  Value rowsLeft = e.sub(rows, row), columnsLeft = e.sub(columns.count, column);
  auto enough = [&](Value left, int64_t wanted) -> Value {
    return e.builder.create<arith::CmpIOp>(e.loc, arith::CmpIPredicate::sge, left, e.index(wanted));
  };
  Value whole = e.builder.create<arith::AndIOp>(e.loc, enough(rowsLeft, blocks.strip),
                                                enough(columnsLeft, blocks.panel));
  Value toRow = e.add(firstRow, row), toColumn = e.add(columns.first, column);
  e.branch(
      whole, {},
      [&] {
        storeWhole(sums, toRow, toColumn);
        return Emitter::Values{};
      },
      [&] {
        storeCorner(sums, toRow, toColumn, e.min(rowsLeft, e.index(blocks.strip)),
                    e.min(columnsLeft, e.index(blocks.panel)));
        return Emitter::Values{};
      });
}

/// While the panels pass, the rows of the next block are asked for from end to end.
void MatmulEmitter::prefetchRows(Value row, Value column, Value firstStep) {
  if (a.transposed)
    return;
  int64_t numbers = form.pairs ? 2 : 1;
  Value passed = e.div(e.mul(column, blocks.depth * numbers), blocks.columns);
  Value k = e.add(e.mul(firstStep, numbers), passed);
  for (int64_t i = 0; i < blocks.strip; ++i)
    prefetch(e, a, e.add(row, blocks.rows + i), k);
}

SmallVector<Value> MatmulEmitter::products(Value row, Value column, Value steps) {
  int64_t parts = blocks.panel / form.lanes;
  SmallVector<Value> zeros(blocks.strip * parts, e.number(e.typeOf(type, form.lanes), 0));
  Value panel = e.div(column, blocks.panel);
  Type units = e.typeOf(form.unit, form.lanes);
  return emitStrip(
      e, zeros, parts, steps,
      [&](int64_t i, Value step) {
        return e.broadcast(e.load(packedA, {e.add(row, i), step}, 0), units);
      },
      [&](int64_t part, Value step) {
        return e.load(packedB, {panel, step, e.index(part * form.lanes)}, form.lanes);
      },
      [&](Value l, Value r, Value sum) {
        return dots == PairDots::None ? e.fma(l, r, sum) : addPairs(l, r, sum);
      });
}

/// sum + l.second * r.second + l.first * r.first, of pairs of bf16, in this order and
/// each step rounded once: so does vdpbf16ps. (It takes numbers below 2^-126 for 0,
/// the expansion does not.)
Value MatmulEmitter::addPairs(Value l, Value r, Value sum) {
  if (dots == PairDots::Hardware) {
    auto halves = VectorType::get({2 * form.lanes}, e.builder.getBF16Type());
    l = e.builder.create<vector::BitCastOp>(e.loc, halves, l);
    r = e.builder.create<vector::BitCastOp>(e.loc, halves, r);
    return e.builder
        .create<LLVM::CallIntrinsicOp>(e.loc, sum.getType(),
                                       e.builder.getStringAttr("llvm.x86.avx512bf16.dpbf16ps.512"),
                                       ValueRange{sum, l, r})
        .getResult(0);
  }
  Type units = l.getType();
  auto constant = [&](int64_t bits) -> Value {
    return e.builder.create<arith::ConstantOp>(
        e.loc, DenseElementsAttr::get(cast<VectorType>(units), APInt(32, bits)));
  };
  auto asFloat = [&](Value bits) -> Value {
    return e.builder.create<arith::BitcastOp>(e.loc, sum.getType(), bits);
  };
  auto second = [&](Value pair) {
    return asFloat(e.builder.create<arith::AndIOp>(e.loc, pair, constant(0xffff0000)));
  };
  auto first = [&](Value pair) {
    return asFloat(e.builder.create<arith::ShLIOp>(e.loc, pair, constant(16)));
  };
  return e.fma(first(l), first(r), e.fma(second(l), second(r), sum));
}

//===----------------------------------------------------------------------===//
// Storing
//===----------------------------------------------------------------------===//

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
void MatmulEmitter::storeCorner(ArrayRef<Value> sums, Value row, Value column, Value rows,
                                Value columns) {
  int64_t parts = blocks.panel / form.lanes;
  for (auto [i, sum] : llvm::enumerate(sums))
    e.store(sum, corner, {e.index(i / parts), e.index(i % parts * form.lanes)});
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

void aft::emitMatmul(linalg::LinalgOp op, OpBuilder &builder, unsigned vectorBits, bool overwrites,
                     PairDots pairDots) {
  Operation *raw = op.getOperation();
  Emitter e(builder, op.getLoc());
  bool transposeA = isa<linalg::MatmulTransposeAOp, linalg::BatchMatmulTransposeAOp>(raw);
  bool transposeB = isa<linalg::MatmulTransposeBOp, linalg::BatchMatmulTransposeBOp>(raw);
  Matrix a{raw->getOperand(0), transposeA, {}}, b{raw->getOperand(1), transposeB, {}};
  Matrix c{raw->getOperand(2), false, {}};
  auto product = [&] {
    auto few = [&] {
      emitFewRows(e, a, b, c, vectorBits, overwrites);
      return Emitter::Values{};
    };
    auto packed = [&] {
      MatmulEmitter(e, a, b, c, vectorBits, overwrites, pairDots).run();
      return Emitter::Values{};
    };
    Value rows = c.rows(e);
    if (std::optional<int64_t> known = getConstantIntValue(rows))
      *known < kFewRows ? few() : packed();
    else
      e.branch(e.less(rows, e.index(kFewRows)), {}, few, packed);
  };
  if (cast<MemRefType>(c.memref.getType()).getRank() == 2)
    return product();
  e.loop(e.index(0), e.dim(c.memref, 0), e.index(1), [&](Value index) {
    for (Matrix *matrix : {&a, &b, &c})
      matrix->batch = {index};
    product();
  });
}
