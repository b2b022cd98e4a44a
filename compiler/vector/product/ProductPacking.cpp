//===- ProductPacking.cpp - Packed operands of a matrix product -----------===//
// Packing reads whole vectors along the dimension that is contiguous in memory.
// Where that is not the one the packed form needs, squares of vectors are
// transposed in registers.

#include "compiler/vector/product/ProductPacking.h"

using namespace mlir;
using namespace aft;

/// Panels of B that are packed side by side: whole cache lines of a row of B are
/// read, and few enough places are written.
static constexpr int64_t kPanelsAtOnce = 4;
/// Rows of B that are asked for ahead: what is read of each is too short for the
/// hardware to see a stream.
static constexpr int64_t kRowsAhead = 4;

//===----------------------------------------------------------------------===//
// Matrices
//===----------------------------------------------------------------------===//

Type Matrix::element() const { return cast<MemRefType>(memref.getType()).getElementType(); }

SmallVector<Value> Matrix::at(Value row, Value column) const {
  SmallVector<Value> indices(batch);
  indices.push_back(transposed ? column : row);
  indices.push_back(transposed ? row : column);
  return indices;
}

Value Matrix::rows(Emitter &e) const { return e.dim(memref, batch.size() + (transposed ? 1 : 0)); }
Value Matrix::columns(Emitter &e) const {
  return e.dim(memref, batch.size() + (transposed ? 0 : 1));
}

SmallVector<Value> aft::transposeSquare(Emitter &e, ValueRange vectors) {
  auto lanes = static_cast<int64_t>(vectors.size());
  auto type = VectorType::get({lanes, lanes}, getElementTypeOrSelf(vectors[0]));
  Value square =
      e.builder.create<arith::ConstantOp>(e.loc, cast<TypedAttr>(e.builder.getZeroAttr(type)));
  for (auto [i, vector] : llvm::enumerate(vectors))
    square = e.builder.create<vector::InsertOp>(e.loc, vector, square, static_cast<int64_t>(i));
  square = e.builder.create<vector::TransposeOp>(e.loc, square, ArrayRef<int64_t>{1, 0});
  SmallVector<Value> result;
  for (int64_t i = 0; i < lanes; ++i)
    result.push_back(e.builder.create<vector::ExtractOp>(e.loc, square, i));
  return result;
}

void aft::prefetch(Emitter &e, const Matrix &matrix, Value row, Value column) {
  e.builder.create<memref::PrefetchOp>(e.loc, matrix.memref, matrix.at(row, column),
                                       /*isWrite=*/false, /*localityHint=*/2,
                                       /*isDataCache=*/true);
}

//===----------------------------------------------------------------------===//
// Reading a factor
//===----------------------------------------------------------------------===//

namespace {

/// A factor by steps of K and "others": rows of A or columns of B.
class Factor {
public:
  Factor(Emitter &e, const PackedForm &form, const Matrix &matrix, bool stepsAreRows)
      : e(e), form(form), matrix(matrix), stepsAreRows(stepsAreRows),
        extent(stepsAreRows ? matrix.rows(e) : matrix.columns(e)) {}

  /// Whether steps, not others, are contiguous in memory.
  bool alongSteps() const { return stepsAreRows == matrix.transposed; }
  /// How many of the block's steps have all their numbers: the last pair may lack one.
  Value wholeSteps(const FactorBlock &block);
  Value unit(Value step, Value other);
  /// A vector of consecutive steps resp. others, for what is contiguous. Steps are whole,
  /// but where `isLast`.
  Value vectorOfSteps(Value step, Value other);
  Value vectorOfOthers(Value step, Value other, bool isLast = false);
  /// lanes x lanes units of whole steps, as vectors of what is not contiguous.
  SmallVector<Value> square(Value step, Value other);
  void prefetchAhead(Value step, Value other);
  /// The lines that a square of steps and others along steps will read.
  void prefetchSquare(Value step, Value other);
  /// Whether all steps are known to be whole.
  bool isWhole() const {
    std::optional<int64_t> known = getConstantIntValue(extent);
    return !form.pairs || (known && *known % 2 == 0);
  }

private:
  Value load(Value k, Value other, int64_t count);
  void prefetchAt(Value k, Value other) {
    stepsAreRows ? prefetch(e, matrix, k, other) : prefetch(e, matrix, other, k);
  }
  /// Row or number k + 1 of a pair: zeros beyond the last.
  Value second(Value k, Value other, int64_t count);

  Emitter &e;
  const PackedForm &form;
  const Matrix &matrix;
  bool stepsAreRows;
  Value extent;
};

} // namespace

Value Factor::wholeSteps(const FactorBlock &block) {
  if (isWhole())
    return block.steps;
  return e.min(block.steps, e.div(e.sub(extent, e.mul(block.firstStep, 2)), 2));
}

/// Numbers as they are packed: pairs are made of unchanged bf16.
Value Factor::load(Value k, Value other, int64_t count) {
  SmallVector<Value> place = stepsAreRows ? matrix.at(k, other) : matrix.at(other, k);
  if (!form.pairs)
    return e.load(matrix.memref, place, count);
  if (count == 0)
    return e.builder.create<memref::LoadOp>(e.loc, matrix.memref, place);
  return e.builder.create<vector::LoadOp>(e.loc, VectorType::get({count}, matrix.element()),
                                          matrix.memref, place);
}

Value Factor::second(Value k, Value other, int64_t count) {
  Value next = e.add(k, 1);
  if (isWhole())
    return load(next, other, count);
  Value inside = e.less(next, extent);
  Value value = load(e.min(next, e.sub(extent, e.index(1))), other, count);
  auto none = cast<TypedAttr>(e.builder.getZeroAttr(value.getType()));
  return e.select(inside, value, e.builder.create<arith::ConstantOp>(e.loc, none));
}

Value Factor::unit(Value step, Value other) {
  if (!form.pairs)
    return load(step, other, 0);
  Value k = e.mul(step, 2);
  return form.unitsOf(e, load(k, other, 0), second(k, other, 0));
}

Value Factor::vectorOfSteps(Value step, Value other) {
  if (!form.pairs)
    return load(step, other, form.lanes);
  return form.unitsOfRun(e, load(e.mul(step, 2), other, 2 * form.lanes));
}

Value Factor::vectorOfOthers(Value step, Value other, bool isLast) {
  if (!form.pairs)
    return load(step, other, form.lanes);
  Value k = e.mul(step, 2);
  Value next = isLast ? second(k, other, form.lanes) : load(e.add(k, 1), other, form.lanes);
  return form.unitsOf(e, load(k, other, form.lanes), next);
}

void Factor::prefetchAhead(Value step, Value other) {
  prefetchAt(e.add(e.mul(step, form.perStep()), kRowsAhead), other);
}

void Factor::prefetchSquare(Value step, Value other) {
  Value k = e.mul(step, form.perStep());
  for (int64_t i = 0; i < form.lanes; ++i)
    prefetchAt(k, e.add(other, i));
}

SmallVector<Value> Factor::square(Value step, Value other) {
  SmallVector<Value> lines;
  for (int64_t i = 0; i < form.lanes; ++i)
    lines.push_back(alongSteps() ? vectorOfSteps(step, e.add(other, i))
                                 : vectorOfOthers(e.add(step, i), other));
  return transposeSquare(e, lines);
}

//===----------------------------------------------------------------------===//
// Rows of A
//===----------------------------------------------------------------------===//

void aft::packRows(Emitter &e, const PackedForm &form, const Matrix &a, const FactorBlock &block,
                   Value packed) {
  Factor factor(e, form, a, /*stepsAreRows=*/false);
  int64_t lanes = form.lanes;
  Value zero = e.index(0), one = e.index(1), width = e.index(lanes);
  Value wholeSteps = e.roundDown(factor.wholeSteps(block), lanes);
  auto single = [&](Value row, Value from) {
    e.loop(from, block.steps, one, [&](Value step) {
      e.store(factor.unit(e.add(block.firstStep, step), e.add(block.first, row)), packed,
              {row, step});
    });
  };
  Value squares = zero;
  if (factor.alongSteps()) {
    e.loop(zero, block.count, one, [&](Value row) {
      e.loop(zero, wholeSteps, width, [&](Value step) {
        e.store(factor.vectorOfSteps(e.add(block.firstStep, step), e.add(block.first, row)), packed,
                {row, step});
      });
      single(row, wholeSteps);
    });
  } else {
    squares = e.roundDown(block.count, lanes);
    e.loop(zero, wholeSteps, width, [&](Value step) {
      e.loop(zero, squares, width, [&](Value row) {
        SmallVector<Value> lines =
            factor.square(e.add(block.firstStep, step), e.add(block.first, row));
        for (auto [i, line] : llvm::enumerate(lines))
          e.store(line, packed, {e.add(row, i), step});
      });
    });
    e.loop(zero, squares, one, [&](Value row) { single(row, wholeSteps); });
    e.loop(squares, block.count, one, [&](Value row) { single(row, zero); });
  }
  // Behind the last step a row has room for a vector.
  if (form.stepsAtOnce() > 1)
    e.loop(zero, block.count, one,
           [&](Value row) { e.store(form.zeros(e, lanes), packed, {row, block.steps}); });
  Value padded = e.mul(e.ceilDiv(block.count, form.blocks.strip), form.blocks.strip);
  e.loop(block.count, padded, one, [&](Value row) {
    e.loop(zero, block.steps, width,
           [&](Value step) { e.store(form.zeros(e, lanes), packed, {row, step}); });
  });
}

//===----------------------------------------------------------------------===//
// Panels of B
//===----------------------------------------------------------------------===//

/// `count` panels from `column` of the block on, with columns contiguous in memory.
static void copyPanels(Emitter &e, const PackedForm &form, Factor &factor, const FactorBlock &block,
                       Value packed, Value column, int64_t count) {
  Value panel = e.div(column, form.blocks.panel);
  auto copy = [&](Value step, bool isLast) {
    for (int64_t i = 0; i < count; ++i)
      for (int64_t part = 0; part < form.blocks.panel; part += form.lanes) {
        Value other = e.add(e.add(block.first, column), i * form.blocks.panel + part);
        factor.prefetchAhead(e.add(block.firstStep, step), other);
        e.store(factor.vectorOfOthers(e.add(block.firstStep, step), other, isLast), packed,
                {e.add(panel, i), step, e.index(part)});
      }
  };
  Value whole = factor.wholeSteps(block);
  e.loop(e.index(0), whole, e.index(1), [&](Value step) { copy(step, /*isLast=*/false); });
  if (!factor.isWhole())
    e.loop(whole, block.steps, e.index(1), [&](Value step) { copy(step, /*isLast=*/true); });
}

/// A panel from `column` of the block on, with steps contiguous in memory. Of each column too
/// little is read for the hardware to see a stream: those of the next panel are asked for.
static void transposePanel(Emitter &e, const PackedForm &form, Factor &factor,
                           const FactorBlock &block, Value packed, Value column, Value wholeSteps) {
  Value panel = e.div(column, form.blocks.panel), other = e.add(block.first, column);
  e.loop(e.index(0), wholeSteps, e.index(form.lanes), [&](Value step) {
    for (int64_t part = 0; part < form.blocks.panel; part += form.lanes) {
      Value firstStep = e.add(block.firstStep, step);
      factor.prefetchSquare(firstStep, e.add(other, form.blocks.panel + part));
      SmallVector<Value> lines = factor.square(firstStep, e.add(other, part));
      for (auto [i, line] : llvm::enumerate(lines))
        e.store(line, packed, {panel, e.add(step, i), e.index(part)});
    }
  });
  e.loop(wholeSteps, block.steps, e.index(1), [&](Value step) {
    e.loop(e.index(0), e.index(form.blocks.panel), e.index(1), [&](Value i) {
      e.store(factor.unit(e.add(block.firstStep, step), e.add(other, i)), packed, {panel, step, i});
    });
  });
}

/// The last columns, fewer than a panel.
static void padPanel(Emitter &e, const PackedForm &form, Factor &factor, const FactorBlock &block,
                     Value packed, Value column) {
  Value panel = e.div(column, form.blocks.panel);
  e.loop(e.index(0), block.steps, e.index(1), [&](Value step) {
    for (int64_t part = 0; part < form.blocks.panel; part += form.lanes)
      e.store(form.zeros(e, form.lanes), packed, {panel, step, e.index(part)});
    e.loop(e.index(0), e.sub(block.count, column), e.index(1), [&](Value i) {
      Value other = e.add(e.add(block.first, column), i);
      e.store(factor.unit(e.add(block.firstStep, step), other), packed, {panel, step, i});
    });
  });
}

void aft::packPanels(Emitter &e, const PackedForm &form, const Matrix &b, const FactorBlock &block,
                     Value packed) {
  Factor factor(e, form, b, /*stepsAreRows=*/true);
  int64_t panel = form.blocks.panel;
  Value zero = e.index(0), whole = e.roundDown(block.count, panel);
  if (factor.alongSteps()) {
    Value wholeSteps = e.roundDown(factor.wholeSteps(block), form.lanes);
    e.loop(zero, whole, e.index(panel), [&](Value column) {
      transposePanel(e, form, factor, block, packed, column, wholeSteps);
    });
  } else {
    int64_t group = kPanelsAtOnce * panel;
    Value groups = e.roundDown(block.count, group);
    e.loop(zero, groups, e.index(group), [&](Value column) {
      copyPanels(e, form, factor, block, packed, column, kPanelsAtOnce);
    });
    e.loop(groups, whole, e.index(panel),
           [&](Value column) { copyPanels(e, form, factor, block, packed, column, 1); });
  }
  e.when(e.less(whole, block.count), [&] { padPanel(e, form, factor, block, packed, whole); });
  int64_t atOnce = form.stepsAtOnce();
  if (atOnce == 1)
    return;
  Value steps = e.mul(e.ceilDiv(block.steps, atOnce), atOnce);
  e.loop(zero, e.ceilDiv(block.count, panel), e.index(1), [&](Value i) {
    e.loop(block.steps, steps, e.index(1), [&](Value step) {
      for (int64_t part = 0; part < panel; part += form.lanes)
        e.store(form.zeros(e, form.lanes), packed, {i, step, e.index(part)});
    });
  });
}
