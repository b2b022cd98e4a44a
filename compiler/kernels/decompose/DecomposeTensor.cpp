//===- DecomposeTensor.cpp - Padding, joining and inserting as generics ---===//
// Each becomes one generic over the elements of its result that picks where an
// element comes from, so that it needs no more than one pass over memory.

#include "compiler/kernels/Generic.h"
#include "compiler/kernels/decompose/Decompose.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace aft;

namespace {

Value asValue(ImplicitLocOpBuilder &b, OpFoldResult index) {
  return getValueOrCreateConstantIndexOp(b, b.getLoc(), index);
}

Value compare(ImplicitLocOpBuilder &b, arith::CmpIPredicate predicate, Value l, Value r) {
  return b.create<arith::CmpIOp>(predicate, l, r);
}

/// What maps one index of the result to one of the source.
struct Window {
  Value offset, extent, stride; ///< stride null: 1
};

/// The index in the source, and whether there is one (null: always).
struct Place {
  Value index, valid;
};

Place placeIn(ImplicitLocOpBuilder &b, Value index, const Window &window) {
  Value zero = b.create<arith::ConstantIndexOp>(0);
  Value position = b.create<arith::SubIOp>(index, window.offset);
  Value valid = compare(b, arith::CmpIPredicate::sge, position, zero);
  if (window.stride) {
    Value rest = b.create<arith::RemSIOp>(position, window.stride);
    Value hit = compare(b, arith::CmpIPredicate::eq, rest, zero);
    valid = b.create<arith::AndIOp>(valid, hit);
    position = b.create<arith::DivSIOp>(position, window.stride);
  }
  Value below = compare(b, arith::CmpIPredicate::slt, position, window.extent);
  valid = b.create<arith::AndIOp>(valid, below);
  return {b.create<arith::SelectOp>(valid, position, zero), valid};
}

/// source[i - offsets] where that exists, else `other`.
Value pick(ImplicitLocOpBuilder &b, Value source, ArrayRef<Window> windows,
           const llvm::SmallBitVector &dropped, Value other) {
  SmallVector<Value> indices;
  Value valid;
  for (auto [loop, window] : llvm::enumerate(windows)) {
    Value index = b.create<linalg::IndexOp>(loop);
    if (!window.offset) {
      indices.push_back(index);
      continue;
    }
    Place place = placeIn(b, index, window);
    valid = valid ? b.create<arith::AndIOp>(valid, place.valid) : place.valid;
    if (dropped.empty() || !dropped[loop])
      indices.push_back(place.index);
  }
  Value found = b.create<tensor::ExtractOp>(source, indices);
  return valid ? b.create<arith::SelectOp>(valid, found, other) : found;
}

struct DecomposePad : OpRewritePattern<tensor::PadOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(tensor::PadOp op, PatternRewriter &rewriter) const override {
    Value padding = op.getConstantPaddingValue();
    if (!padding)
      return rewriter.notifyMatchFailure(op, "pads with more than one value");
    Generic g(rewriter, op.getLoc());
    SmallVector<OpFoldResult> low = op.getMixedLowPad(), high = op.getMixedHighPad(), sizes;
    SmallVector<Window> windows(low.size());
    for (unsigned dim = 0; dim < low.size(); ++dim) {
      Value extent = g.b.create<tensor::DimOp>(op.getSource(), dim);
      bool touched = !isConstantIntValue(low[dim], 0) || !isConstantIntValue(high[dim], 0);
      if (touched)
        windows[dim] = {asValue(g.b, low[dim]), extent, Value()};
      if (int64_t size = op.getType().getDimSize(dim); !ShapedType::isDynamic(size)) {
        sizes.push_back(g.b.getIndexAttr(size));
        continue;
      }
      Value before = asValue(g.b, low[dim]), after = asValue(g.b, high[dim]);
      Value grown = g.b.create<arith::AddIOp>(extent, before);
      sizes.push_back(g.b.createOrFold<arith::AddIOp>(grown, after));
    }
    Value init = g.empty(sizes, elementOf(op.getSource()));
    Value y =
        g.parallel({}, {g.leading(init, low.size())}, [&](ImplicitLocOpBuilder &b, ValueRange) {
          return SmallVector<Value>{pick(b, op.getSource(), windows, {}, padding)};
        })[0];
    replaceWithCasts(rewriter, op, y);
    return success();
  }
};

struct DecomposeConcat : OpRewritePattern<tensor::ConcatOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(tensor::ConcatOp op, PatternRewriter &rewriter) const override {
    Generic g(rewriter, op.getLoc());
    uint64_t dim = op.getDim();
    unsigned rank = op.getResultType().getRank();
    SmallVector<OpFoldResult> sizes =
        tensor::getMixedSizes(g.b, g.b.getLoc(), op.getInputs().front());
    SmallVector<Window> windows;
    Value end = g.b.create<arith::ConstantIndexOp>(0);
    for (Value input : op.getInputs()) {
      Value extent = g.b.create<tensor::DimOp>(input, dim);
      windows.push_back({end, extent, Value()});
      end = g.b.createOrFold<arith::AddIOp>(end, extent);
    }
    for (auto [index, size] : llvm::enumerate(op.getResultType().getShape()))
      if (!ShapedType::isDynamic(size))
        sizes[index] = g.b.getIndexAttr(size);
      else if (index == dim)
        sizes[index] = end;
    Value init = g.empty(sizes, elementOf(op.getResult()));
    Value y =
        g.parallel({}, {g.leading(init, rank)}, [&](ImplicitLocOpBuilder &b, ValueRange args) {
          Value found;
          for (auto [input, window] : llvm::zip_equal(op.getInputs(), windows)) {
            SmallVector<Window> all(rank);
            all[dim] = window;
            // The first needs no alternative: every index lies in one input.
            Value other = found ? found : zeroOf(b, elementOf(input));
            found = pick(b, input, all, {}, other);
          }
          return SmallVector<Value>{found};
        })[0];
    replaceWithCasts(rewriter, op, y);
    return success();
  }

  static Value zeroOf(ImplicitLocOpBuilder &b, Type type) {
    return b.create<arith::ConstantOp>(b.getZeroAttr(type));
  }
};

struct DecomposeInsertSlice : OpRewritePattern<tensor::InsertSliceOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(tensor::InsertSliceOp op,
                                PatternRewriter &rewriter) const override {
    Generic g(rewriter, op.getLoc());
    unsigned rank = op.getDestType().getRank();
    SmallVector<OpFoldResult> offsets = op.getMixedOffsets(), extents = op.getMixedSizes(),
                              strides = op.getMixedStrides();
    llvm::SmallBitVector dropped = op.getDroppedDims();
    SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(g.b, g.b.getLoc(), op.getDest());
    SmallVector<Window> windows(rank);
    for (unsigned dim = 0; dim < rank; ++dim) {
      if (isConstantIntValue(offsets[dim], 0) && !dropped[dim] &&
          isEqualConstantIntOrValue(extents[dim], sizes[dim]))
        continue;
      windows[dim] = {asValue(g.b, offsets[dim]), asValue(g.b, extents[dim]),
                      isConstantIntValue(strides[dim], 1) ? Value() : asValue(g.b, strides[dim])};
    }
    Value init = g.empty(sizes, elementOf(op.getDest()));
    Value y =
        g.parallel({g.leading(op.getDest(), rank)}, {g.leading(init, rank)},
                   [&](ImplicitLocOpBuilder &b, ValueRange args) {
                     return SmallVector<Value>{pick(b, op.getSource(), windows, dropped, args[0])};
                   })[0];
    replaceWithCasts(rewriter, op, y);
    return success();
  }
};

struct DecomposeSplat : OpRewritePattern<tensor::SplatOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(tensor::SplatOp op, PatternRewriter &rewriter) const override {
    Value init = rewriter.create<tensor::EmptyOp>(op.getLoc(), op.getType(), op.getDynamicSizes());
    rewriter.replaceOpWithNewOp<linalg::FillOp>(op, op.getInput(), init);
    return success();
  }
};

struct DecomposeGenerate : OpRewritePattern<tensor::GenerateOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(tensor::GenerateOp op, PatternRewriter &rewriter) const override {
    if (succeeded(linalg::rewriteInDestinationPassingStyle(rewriter, op)))
      return success();
    return rewriter.notifyMatchFailure(op, "upstream cannot rewrite it");
  }
};

/// One scalar becomes a fill; several are selected by their index.
struct DecomposeFromElements : OpRewritePattern<tensor::FromElementsOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(tensor::FromElementsOp op,
                                PatternRewriter &rewriter) const override {
    auto type = cast<RankedTensorType>(op.getType());
    if (op.getElements().size() > 64 || op.getElements().empty())
      return rewriter.notifyMatchFailure(op, "expects 1 to 64 elements");
    Generic g(rewriter, op.getLoc());
    Value init = g.b.create<tensor::EmptyOp>(type, ValueRange());
    unsigned loops = type.getRank();
    Value y = g.parallel({}, {g.leading(init, loops)}, [&](ImplicitLocOpBuilder &b, ValueRange) {
      Value index = b.create<arith::ConstantIndexOp>(0);
      for (unsigned loop = 0; loop < loops; ++loop) {
        Value extent = b.create<arith::ConstantIndexOp>(type.getDimSize(loop));
        Value scaled = b.create<arith::MulIOp>(index, extent);
        index = b.create<arith::AddIOp>(scaled, b.create<linalg::IndexOp>(loop));
      }
      Value found = op.getElements().front();
      for (auto [place, element] : llvm::enumerate(op.getElements().drop_front())) {
        Value here = b.create<arith::ConstantIndexOp>(place + 1);
        found = b.create<arith::SelectOp>(compare(b, arith::CmpIPredicate::eq, index, here),
                                          element, found);
      }
      return SmallVector<Value>{found};
    })[0];
    rewriter.replaceOp(op, y);
    return success();
  }
};

} // namespace

void aft::populateDecomposeTensorPatterns(RewritePatternSet &patterns) {
  patterns.add<DecomposePad, DecomposeConcat, DecomposeInsertSlice, DecomposeSplat,
               DecomposeGenerate, DecomposeFromElements>(patterns.getContext());
}
