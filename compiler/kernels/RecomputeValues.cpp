//===- RecomputeValues.cpp - Repeats cheap work instead of keeping it -----===//
// What a training step's reverse pass reads of the forward pass is kept in
// between, most of it far apart. An elementwise result whose operands are kept
// anyway is computed again where it is needed: outputs of norms, activations,
// gates. So are the results of the mixers that are no matrix product.

#include "compiler/kernels/Groups.h"
#include "compiler/kernels/Lifetimes.h"
#include "compiler/kernels/Passes.h"
#include "dialect/ir/AFT.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;

namespace aft {
#define GEN_PASS_DEF_RECOMPUTEVALUES
#include "compiler/kernels/Passes.h.inc"
} // namespace aft

using namespace aft;

/// Compute operations between two uses from which on a value is not kept.
static constexpr int64_t kFar = 16;
/// What takes at most this share of a result's memory may be kept for it.
static constexpr int64_t kSmallShare = 8;

static bool isElementwise(Operation *op) {
  auto generic = dyn_cast<linalg::GenericOp>(op);
  return generic && generic->getNumResults() == 1 &&
         generic.getNumParallelLoops() == generic.getNumLoops() &&
         llvm::none_of(generic.getDpsInitsMutable(),
                       [&](OpOperand &init) { return generic.payloadUsesValueFromOperand(&init); });
}

/// Mixers whose cost is a few operations per element; full is a matrix product.
static bool isCheapMixer(Operation *op) { return isa<LocalOp, SimpleOp, ConvOp>(op); }

namespace {

/// A use of one of an operation's results.
struct FarUse {
  TensorUse use;
  OpResult of;
};

class ValueRecomputation {
public:
  explicit ValueRecomputation(func::FuncOp function)
      : block(&function.front()), lives(function), peak(lives.peak()) {}
  void run();

private:
  void addFarUses(OpResult result, SmallVectorImpl<FarUse> &far);
  bool isAvailable(Value operand, int64_t bytes, int64_t at);
  bool canRepeat(Operation *op, ArrayRef<FarUse> far);
  void recompute(Operation *op);

  Block *block;
  Lifetimes lives;
  int64_t peak;
  llvm::DenseSet<Value> repeated; ///< no longer kept until their last use
};

} // namespace

/// The uses after the time of most memory and far from the one before.
void ValueRecomputation::addFarUses(OpResult result, SmallVectorImpl<FarUse> &far) {
  const Lifetime &life = *lives.of(result);
  int64_t before = life.made;
  bool isFar = false;
  for (const TensorUse &use : life.uses) {
    isFar |= use.position > peak && use.position - before >= kFar;
    if (isFar)
      far.push_back({use, result});
    before = use.position;
  }
}

/// Whether an operand costs no memory until a later position, or little beside
/// that of the results.
bool ValueRecomputation::isAvailable(Value operand, int64_t bytes, int64_t at) {
  const Lifetime *life = lives.of(operand);
  if (!life || life->bytes * kSmallShare <= bytes)
    return true;
  return life->last + kFar / 2 >= at && !repeated.contains(viewedTensor(operand));
}

bool ValueRecomputation::canRepeat(Operation *op, ArrayRef<FarUse> far) {
  int64_t bytes = 0, at = far.front().use.position;
  for (const FarUse &one : far)
    at = std::min(at, one.use.position);
  for (Value result : op->getResults()) {
    if (lives.of(result)->returned)
      return false;
    bytes += lives.of(result)->bytes;
  }
  llvm::SetVector<Value> read(op->operand_begin(), op->operand_end());
  getUsedValuesDefinedAbove(op->getRegions(), read);
  return llvm::all_of(read, [&](Value value) {
    return !isa<RankedTensorType>(value.getType()) || isAvailable(value, bytes, at);
  });
}

/// A mixer of whose results only the first is used needs no memory for the rest.
template <typename OpT> static bool dropStatistics(Operation *op) {
  auto mixer = dyn_cast<OpT>(op);
  if (!mixer || op->getNumResults() != 3 || !op->getResult(1).use_empty() ||
      !op->getResult(2).use_empty())
    return false;
  OpBuilder builder(op);
  SmallVector<int32_t> segments(ArrayRef<int32_t>(mixer.getProperties().operandSegmentSizes));
  segments.back() = 1;
  SmallVector<NamedAttribute> attributes;
  for (NamedAttribute attribute : op->getAttrs())
    if (attribute.getName().strref() != OpT::getOperandSegmentSizeAttr())
      attributes.push_back(attribute);
  attributes.push_back(builder.getNamedAttr(OpT::getOperandSegmentSizeAttr(),
                                            builder.getDenseI32ArrayAttr(segments)));
  auto slim = builder.create<OpT>(op->getLoc(), TypeRange{op->getResult(0).getType()},
                                  ValueRange(op->getOperands().drop_back(2)), attributes);
  op->getResult(0).replaceAllUsesWith(slim->getResult(0));
  op->erase();
  return true;
}

void ValueRecomputation::recompute(Operation *op) {
  SmallVector<FarUse> far;
  for (OpResult result : op->getResults())
    addFarUses(result, far);
  if (far.empty() || !canRepeat(op, far))
    return;
  Operation *first = nullptr;
  for (const FarUse &one : far) {
    Operation *user = block->findAncestorOpInBlock(*one.use.operand->getOwner());
    if (!first || user->isBeforeInBlock(first))
      first = user;
  }
  Operation *again = OpBuilder(first).clone(*op);
  for (const FarUse &one : far) {
    redirectUse(*one.use.operand, one.of, again->getResult(one.of.getResultNumber()));
    repeated.insert(one.of);
  }
}

void ValueRecomputation::run() {
  SmallVector<Operation *> candidates;
  for (const auto &[value, life] : lives.all()) {
    Operation *op = value.getDefiningOp();
    bool first = value == op->getResult(0);
    if (first && life.made <= peak && (isElementwise(op) || isCheapMixer(op)))
      candidates.push_back(op);
  }
  for (Operation *op : candidates)
    recompute(op);
  // Views that nobody uses any more would count as uses below.
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(*block)))
    if (isOpTriviallyDead(&op))
      op.erase();
  for (Operation &op : llvm::make_early_inc_range(*block))
    (void)(dropStatistics<LocalOp>(&op) || dropStatistics<SimpleOp>(&op) ||
           dropStatistics<ConvOp>(&op));
}

namespace {

struct RecomputeValues : aft::impl::RecomputeValuesBase<RecomputeValues> {
  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (function.isPublic() && function.getBody().hasOneBlock())
      ValueRecomputation(function).run();
  }
};

} // namespace
