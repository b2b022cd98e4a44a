//===- RecomputeValues.cpp - Repeats cheap work instead of keeping it -----===//
// What a training step's reverse pass reads of the forward pass is kept in
// between, most of it far apart. An elementwise result whose operands are kept
// anyway is computed again where it is needed: outputs of norms, activations,
// gates.

#include "compiler/kernels/Groups.h"
#include "compiler/kernels/Lifetimes.h"
#include "compiler/kernels/Passes.h"
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

namespace {

class ValueRecomputation {
public:
  explicit ValueRecomputation(func::FuncOp function) : lives(function), peak(lives.peak()) {}
  void run();

private:
  ArrayRef<TensorUse> farUses(const Lifetime &life);
  bool isAvailable(Value operand, const Lifetime &life, int64_t at);
  void recompute(linalg::GenericOp generic, const Lifetime &life);

  Lifetimes lives;
  int64_t peak;
  llvm::DenseSet<Value> repeated; ///< no longer kept until their last use
};

} // namespace

/// The uses after the time of most memory and far from the one before.
ArrayRef<TensorUse> ValueRecomputation::farUses(const Lifetime &life) {
  int64_t before = life.made;
  for (auto [index, use] : llvm::enumerate(life.uses)) {
    if (use.position > peak && use.position - before >= kFar)
      return ArrayRef(life.uses).drop_front(index);
    before = use.position;
  }
  return {};
}

/// Whether an operand costs no memory at a later position, or little.
bool ValueRecomputation::isAvailable(Value operand, const Lifetime &life, int64_t at) {
  const Lifetime *own = lives.of(operand);
  if (!own)
    return true;
  if (own->bytes * kSmallShare <= life.bytes)
    return true;
  return own->last + kFar / 2 >= at && !repeated.contains(viewedTensor(operand));
}

void ValueRecomputation::recompute(linalg::GenericOp generic, const Lifetime &life) {
  ArrayRef<TensorUse> far = farUses(life);
  if (far.empty() || life.returned)
    return;
  int64_t at = far.front().position;
  llvm::SetVector<Value> read(generic->operand_begin(), generic->operand_end());
  getUsedValuesDefinedAbove(generic->getRegions(), read);
  if (!llvm::all_of(read, [&](Value value) {
        return !isa<RankedTensorType>(value.getType()) || isAvailable(value, life, at);
      }))
    return;
  Block *block = generic->getBlock();
  Operation *first = nullptr;
  for (const TensorUse &use : far) {
    Operation *user = block->findAncestorOpInBlock(*use.operand->getOwner());
    if (!first || user->isBeforeInBlock(first))
      first = user;
  }
  OpBuilder builder(first);
  Value result = generic->getResult(0), again = builder.clone(*generic)->getResult(0);
  for (const TensorUse &use : far)
    redirectUse(*use.operand, result, again);
  repeated.insert(result);
}

void ValueRecomputation::run() {
  for (const auto &[value, life] : lives.all())
    if (life.made <= peak && isElementwise(value.getDefiningOp()))
      recompute(cast<linalg::GenericOp>(value.getDefiningOp()), life);
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
