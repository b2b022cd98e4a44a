//===- DecomposeNamed.cpp - Named linalg operations as generics -----------===//

#include "compiler/graph/Generalize.h"
#include "compiler/kernels/Generic.h"
#include "compiler/kernels/decompose/Decompose.h"
#include "dialect/ir/ShapeCheck.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace aft;

bool aft::isMatmul(Operation *op) {
  return isa<linalg::MatmulOp, linalg::MatmulTransposeAOp, linalg::MatmulTransposeBOp,
             linalg::BatchMatmulOp, linalg::BatchMatmulTransposeAOp,
             linalg::BatchMatmulTransposeBOp>(op);
}

namespace {

struct Generalise : OpInterfaceRewritePattern<linalg::LinalgOp> {
  using OpInterfaceRewritePattern::OpInterfaceRewritePattern;

  LogicalResult matchAndRewrite(linalg::LinalgOp op, PatternRewriter &rewriter) const override {
    if (isa<linalg::GenericOp, linalg::FillOp>(op) || isMatmul(op))
      return rewriter.notifyMatchFailure(op, "stays as it is");
    return generalize(rewriter, op);
  }
};

struct DecomposeSoftmax : OpRewritePattern<linalg::SoftmaxOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::SoftmaxOp op, PatternRewriter &rewriter) const override {
    FailureOr<SmallVector<Value>> results = op.decomposeOperation(rewriter);
    if (failed(results))
      return rewriter.notifyMatchFailure(op, "upstream cannot decompose it");
    rewriter.replaceOp(op, *results);
    return success();
  }
};

/// A matmul into bf16 sums in f32 and is rounded once.
struct WidenMatmul : OpInterfaceRewritePattern<linalg::LinalgOp> {
  using OpInterfaceRewritePattern::OpInterfaceRewritePattern;

  LogicalResult matchAndRewrite(linalg::LinalgOp op, PatternRewriter &rewriter) const override {
    if (!isMatmul(op) || !op.hasPureTensorSemantics())
      return rewriter.notifyMatchFailure(op, "not a matmul on tensors");
    Value init = op.getDpsInits()[0];
    Type element = elementOf(init), acc = accumulationType(element);
    if (!isa<FloatType>(element) || element == acc)
      return rewriter.notifyMatchFailure(op, "sums in a wide type already");
    Generic g(rewriter, op.getLoc());
    unsigned loops = rankOf(init);
    SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(g.b, g.b.getLoc(), init);
    auto convert = [&](Value value, Type type) {
      return g.parallel({g.leading(value, loops)}, {g.leading(g.empty(sizes, type), loops)},
                        [&](ImplicitLocOpBuilder &b, ValueRange args) {
                          return SmallVector<Value>{toFloat(b, args[0], type)};
                        })[0];
    };
    Value wide;
    if (auto fill = init.getDefiningOp<linalg::FillOp>();
        fill && matchPattern(fill.value(), m_AnyZeroFloat()))
      wide = g.filled(sizes, acc, 0);
    else
      wide = convert(init, acc);
    Value sum = sameMatmul(g.b, op, wide);
    replaceWithCasts(rewriter, op, convert(sum, element));
    return success();
  }

  /// The same matmul into another destination; its body depends on the type.
  static Value sameMatmul(ImplicitLocOpBuilder &b, linalg::LinalgOp op, Value init) {
    SmallVector<Value> inputs = op.getDpsInputs();
    return llvm::TypeSwitch<Operation *, Value>(op)
        .Case<linalg::MatmulOp, linalg::MatmulTransposeAOp, linalg::MatmulTransposeBOp,
              linalg::BatchMatmulOp, linalg::BatchMatmulTransposeAOp,
              linalg::BatchMatmulTransposeBOp>([&](auto matmul) {
          return b.create<decltype(matmul)>(TypeRange{init.getType()}, inputs, ValueRange{init})
              .getResult(0);
        });
  }
};

/// A splat constant as destination becomes a fill.
struct FillInit : OpInterfaceRewritePattern<DestinationStyleOpInterface> {
  using OpInterfaceRewritePattern::OpInterfaceRewritePattern;

  LogicalResult matchAndRewrite(DestinationStyleOpInterface op,
                                PatternRewriter &rewriter) const override {
    bool changed = false;
    for (OpOperand &init : op.getDpsInitsMutable()) {
      auto constant = init.get().getDefiningOp<arith::ConstantOp>();
      auto splat = constant ? dyn_cast<SplatElementsAttr>(constant.getValue()) : nullptr;
      if (!splat)
        continue;
      Generic g(rewriter, op.getLoc());
      Value scalar =
          g.b.create<arith::ConstantOp>(cast<TypedAttr>(splat.getSplatValue<Attribute>()));
      Value empty =
          g.b.create<tensor::EmptyOp>(cast<RankedTensorType>(init.get().getType()), ValueRange());
      Value filled = g.b.create<linalg::FillOp>(scalar, empty).getResult(0);
      rewriter.modifyOpInPlace(op, [&] { init.set(filled); });
      changed = true;
    }
    if (!changed)
      return rewriter.notifyMatchFailure(op, "no constant destination");
    return success();
  }
};

} // namespace

void aft::populateDecomposeNamedPatterns(RewritePatternSet &patterns) {
  patterns.add<Generalise, DecomposeSoftmax, WidenMatmul, FillInit>(patterns.getContext());
}
