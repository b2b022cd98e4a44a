//===- WarpProduct.cpp - What warps do together, by a GPU's instructions --===//

#include "compiler/nvvm/Passes.h"
#include "compiler/nvvm/WarpOps.h"
#include "compiler/vector/gpu/Fragment.h"
#include "compiler/vector/gpu/GpuOps.h"
#include "compiler/vector/gpu/Threads.h"
#include "mlir/Conversion/LLVMCommon/Pattern.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Transforms/DialectConversion.h"

namespace aft {
#define GEN_PASS_DEF_LOWERWARPS
#include "compiler/nvvm/Passes.h.inc"
} // namespace aft

using namespace mlir;
using namespace aft;

static constexpr unsigned kGlobalSpace = 1, kSharedSpace = 3;
/// nvvm.mma.sync takes bf16 for f16 and is refused.
static constexpr llvm::StringLiteral kProduct = "llvm.nvvm.mma.m16n8k16.row.col.bf16",
                                     kProductTF32 = "llvm.nvvm.mma.m16n8k8.row.col.tf32",
                                     kRoundTF32 = "llvm.nvvm.f2tf32.rna";
/// Matrices of eight rows of 16 bytes that are loaded at once; a row is for so many threads.
static constexpr int64_t kLoaded = 4, kLoadedSide = 8, kRowThreads = 4;

static Value inSpace(OpBuilder &builder, Location loc, Value pointer, unsigned space) {
  auto type = LLVM::LLVMPointerType::get(builder.getContext(), space);
  return builder.create<LLVM::AddrSpaceCastOp>(loc, type, pointer);
}

namespace {

struct LowerCopyChunk : ConvertOpToLLVMPattern<CopyChunkOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult matchAndRewrite(CopyChunkOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Value from = getStridedElementPtr(loc, op.getFrom().getType(), adaptor.getFrom(),
                                      adaptor.getFromIndices(), rewriter);
    Value to = getStridedElementPtr(loc, op.getTo().getType(), adaptor.getTo(),
                                    adaptor.getToIndices(), rewriter);
    // Past the L1 cache: what is copied is read from shared memory.
    rewriter.create<NVVM::CpAsyncOp>(
        loc, inSpace(rewriter, loc, to, kSharedSpace), inSpace(rewriter, loc, from, kGlobalSpace),
        rewriter.getI32IntegerAttr(CopyChunkOp::kBytes),
        NVVM::LoadCacheModifierKindAttr::get(op.getContext(), NVVM::LoadCacheModifierKind::CG),
        Value());
    rewriter.eraseOp(op);
    return success();
  }
};

struct LowerCopyFence : ConvertOpToLLVMPattern<CopyFenceOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult matchAndRewrite(CopyFenceOp op, OpAdaptor,
                                ConversionPatternRewriter &rewriter) const override {
    rewriter.replaceOpWithNewOp<NVVM::CpAsyncCommitGroupOp>(op);
    return success();
  }
};

struct LowerCopyWait : ConvertOpToLLVMPattern<CopyWaitOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult matchAndRewrite(CopyWaitOp op, OpAdaptor,
                                ConversionPatternRewriter &rewriter) const override {
    rewriter.replaceOpWithNewOp<NVVM::CpAsyncWaitGroupOp>(op, op.getPending());
    return success();
  }
};

/// Emits the instructions of a product: for the steps that one multiplies the fragments of A
/// and B, which stay in registers, then all products of them.
class WarpProductLowering {
public:
  using Address = llvm::function_ref<Value(ValueRange indices)>;
  /// A or B from some indices on.
  struct Factor {
    MemRefType type;
    ValueRange first;
    Address address;
  };
  WarpProductLowering(OpBuilder &builder, WarpProductOp op)
      : e(builder, op.getLoc()), builder(builder), op(op),
        lane(builder.create<arith::RemUIOp>(e.loc, op.getThread(), e.index(kWarpThreads))),
        bits(op.getA().getType().getElementTypeBitWidth()) {}
  SmallVector<Value> run(const Factor &a, const Factor &b);

private:
  /// A distance from the first element: by thread, and for all of them.
  struct Offset {
    Value own;
    int64_t all = 0;
  };
  Value addressOf(const Factor &factor, Offset outer, Offset inner);
  SmallVector<Value> loadSquares(const Factor &factor, Offset outer, Offset inner, bool turned);
  SmallVector<Value> loadAcross(const Factor &factor, int64_t step, int64_t place, int64_t sides);
  SmallVector<Value> rounded(ValueRange numbers);
  SmallVector<Value> loadA(const Factor &a, int64_t row, int64_t step);
  SmallVector<Value> loadB(const Factor &b, int64_t column, int64_t step);
  Value multiply(ValueRange a, ValueRange b, Value sums);
  Value rest(Value value, int64_t by) {
    return builder.create<arith::RemUIOp>(e.loc, value, e.index(by));
  }
  /// Of the addresses that a thread gives, eight for each square: its place in the square,
  /// and `by` where the square is in the second half of the four, or second in its half.
  Value inSquare() { return rest(lane, kLoadedSide); }
  Value half(int64_t by) { return e.mul(e.div(lane, 2 * kLoadedSide), by); }
  Value second(int64_t by) { return e.mul(rest(e.div(lane, kLoadedSide), 2), by); }
  /// Steps in a square.
  int64_t steps() const { return fragmentSteps(bits) / 2; }
  bool isTF32() const { return bits == 32; }

  Emitter e;
  OpBuilder &builder;
  WarpProductOp op;
  Value lane;
  int64_t bits; ///< of a number of A and B
};

struct LowerWarpProduct : ConvertOpToLLVMPattern<WarpProductOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult matchAndRewrite(WarpProductOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Type index = getIndexType();
    auto address = [&](MemRefType type, Value descriptor, ValueRange indices) {
      SmallVector<Value> converted;
      for (Value value : indices)
        converted.push_back(
            rewriter.create<UnrealizedConversionCastOp>(loc, index, value).getResult(0));
      Value pointer = getStridedElementPtr(loc, type, descriptor, converted, rewriter);
      return inSpace(rewriter, loc, pointer, kSharedSpace);
    };
    MemRefType typeA = op.getA().getType(), typeB = op.getB().getType();
    auto addressA = [&](ValueRange indices) { return address(typeA, adaptor.getA(), indices); };
    auto addressB = [&](ValueRange indices) { return address(typeB, adaptor.getB(), indices); };
    rewriter.replaceOp(
        op, WarpProductLowering(rewriter, op)
                .run({typeA, op.getAIndices(), addressA}, {typeB, op.getBIndices(), addressB}));
    return success();
  }
};

} // namespace

/// What is the same for all threads is added last: it then stands in the instruction, and all
/// loads of a factor share an address.
Value WarpProductLowering::addressOf(const Factor &factor, Offset outer, Offset inner) {
  SmallVector<Value> indices(factor.first);
  Value &row = indices[indices.size() - 2], &place = indices.back();
  row = e.add(row, outer.own);
  place = e.add(place, inner.own);
  auto [strides, offset] = getStridesAndOffset(factor.type);
  int64_t stride = strides[strides.size() - 2];
  if (ShapedType::isDynamic(stride)) {
    row = e.add(row, outer.all);
    place = e.add(place, inner.all);
    return factor.address(indices);
  }
  Value pointer = factor.address(indices);
  int64_t distance = outer.all * stride + inner.all;
  return builder.create<LLVM::GEPOp>(e.loc, pointer.getType(), factor.type.getElementType(),
                                     pointer, ArrayRef<LLVM::GEPArg>{int32_t(distance)});
}

/// Four squares; the offsets are those of this thread's address.
SmallVector<Value> WarpProductLowering::loadSquares(const Factor &factor, Offset outer,
                                                    Offset inner, bool turned) {
  auto layout = turned ? NVVM::MMALayout::col : NVVM::MMALayout::row;
  SmallVector<Type> types(kLoaded, builder.getI32Type());
  Value loaded = builder.create<NVVM::LdMatrixOp>(
      e.loc, LLVM::LLVMStructType::getLiteral(builder.getContext(), types),
      addressOf(factor, outer, inner), kLoaded, layout);
  SmallVector<Value> squares;
  for (int64_t i = 0; i < kLoaded; ++i)
    squares.push_back(builder.create<LLVM::ExtractValueOp>(e.loc, loaded, i));
  return squares;
}

/// Numbers of 32 bits that lie across, which are not turned while they are loaded, one by one:
/// for the first steps and the others those at `place` and eight further, `sides` in all.
SmallVector<Value> WarpProductLowering::loadAcross(const Factor &factor, int64_t step,
                                                   int64_t place, int64_t sides) {
  SmallVector<Value> numbers;
  for (int64_t i = 0; i < 2 * sides; ++i) {
    Offset outer{rest(lane, kRowThreads), step + i / sides * steps()};
    Offset inner{e.div(lane, kRowThreads), place + i % sides * kLoadedSide};
    numbers.push_back(
        builder.create<LLVM::LoadOp>(e.loc, builder.getI32Type(), addressOf(factor, outer, inner)));
  }
  return numbers;
}

/// f32 as TF32, both as integers.
SmallVector<Value> WarpProductLowering::rounded(ValueRange numbers) {
  SmallVector<Value> results;
  for (Value number : numbers) {
    Value wide = builder.create<LLVM::BitcastOp>(e.loc, builder.getF32Type(), number);
    results.push_back(builder
                          .create<LLVM::CallIntrinsicOp>(e.loc, builder.getI32Type(),
                                                         builder.getStringAttr(kRoundTF32),
                                                         ValueRange{wide})
                          .getResult(0));
  }
  return results;
}

/// The upper and the lower square of the first half of the steps, then of the others.
SmallVector<Value> WarpProductLowering::loadA(const Factor &a, int64_t row, int64_t step) {
  if (op.getTransposedA() && isTF32())
    return rounded(loadAcross(a, step, row, /*sides=*/2));
  if (op.getTransposedA())
    return loadSquares(a, {e.add(half(steps()), inSquare()), step}, {second(kLoadedSide), row},
                       /*turned=*/true);
  SmallVector<Value> squares =
      loadSquares(a, {e.add(second(kLoadedSide), inSquare()), row}, {half(steps()), step},
                  /*turned=*/false);
  return isTF32() ? rounded(squares) : squares;
}

/// The first half of the steps of eight columns and the others, then of the next columns.
SmallVector<Value> WarpProductLowering::loadB(const Factor &b, int64_t column, int64_t step) {
  if (!op.getTransposedB() && isTF32()) {
    SmallVector<Value> both;
    for (int64_t next : {column, column + kFragmentColumns})
      llvm::append_range(both, loadAcross(b, step, next, /*sides=*/1));
    return rounded(both);
  }
  if (!op.getTransposedB())
    return loadSquares(b, {e.add(second(steps()), inSquare()), step}, {half(kLoadedSide), column},
                       /*turned=*/true);
  SmallVector<Value> squares =
      loadSquares(b, {e.add(half(kLoadedSide), inSquare()), column}, {second(steps()), step},
                  /*turned=*/false);
  return isTF32() ? rounded(squares) : squares;
}

Value WarpProductLowering::multiply(ValueRange a, ValueRange b, Value sums) {
  SmallVector<Value> numbers;
  for (int64_t i = 0; i < kFragmentNumbers; ++i)
    numbers.push_back(builder.create<vector::ExtractOp>(e.loc, sums, i));
  SmallVector<Type> types(kFragmentNumbers, builder.getF32Type());
  SmallVector<Value> operands(a);
  llvm::append_range(operands, b);
  llvm::append_range(operands, numbers);
  Value product = builder
                      .create<LLVM::CallIntrinsicOp>(
                          e.loc, LLVM::LLVMStructType::getLiteral(builder.getContext(), types),
                          builder.getStringAttr(isTF32() ? kProductTF32 : kProduct), operands)
                      .getResult(0);
  for (int64_t i = 0; i < kFragmentNumbers; ++i)
    numbers[i] = builder.create<LLVM::ExtractValueOp>(e.loc, product, i);
  return builder.create<vector::FromElementsOp>(e.loc, sums.getType(), numbers);
}

SmallVector<Value> WarpProductLowering::run(const Factor &a, const Factor &b) {
  int64_t down = op.getRows() / kFragmentRows, across = op.getColumns() / kFragmentColumns;
  SmallVector<Value> sums(op.getSums());
  for (int64_t step = 0; step < static_cast<int64_t>(op.getDepth()); step += fragmentSteps(bits)) {
    SmallVector<SmallVector<Value>> left, right;
    for (int64_t i = 0; i < down; ++i)
      left.push_back(loadA(a, i * kFragmentRows, step));
    for (int64_t j = 0; j < across; j += 2) {
      SmallVector<Value> squares = loadB(b, j * kFragmentColumns, step);
      right.push_back({squares[0], squares[1]});
      right.push_back({squares[2], squares[3]});
    }
    for (int64_t i = 0; i < down; ++i)
      for (int64_t j = 0; j < across; ++j)
        sums[i * across + j] = multiply(left[i], right[j], sums[i * across + j]);
  }
  return sums;
}

namespace {
struct LowerWarps : aft::impl::LowerWarpsBase<LowerWarps> {
  void runOnOperation() override {
    LLVMTypeConverter converter(&getContext());
    RewritePatternSet patterns(&getContext());
    patterns.add<LowerCopyChunk, LowerCopyFence, LowerCopyWait, LowerWarpProduct>(converter);
    populateWarpReduceLowering(converter, patterns);
    ConversionTarget target(getContext());
    target.addIllegalDialect<AFTGPUDialect>();
    target.markUnknownOpDynamicallyLegal([](Operation *) { return true; });
    if (failed(applyPartialConversion(getOperation(), target, std::move(patterns))))
      signalPassFailure();
  }
};
} // namespace
