//===- FuseSiblings.cpp - Two results of what follows a product -----------===//
// A training step applies an activation to what a product made and keeps both; its
// reverse pass needs the activation and its derivative of one tensor. Each pair becomes
// one generic with two results, which joins the product's kernel: the tensor is read
// once, and what both compute is computed once.

#include "compiler/kernels/Groups.h"
#include "compiler/kernels/Passes.h"
#include "compiler/kernels/decompose/Decompose.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;

namespace aft {
#define GEN_PASS_DEF_FUSESIBLINGS
#include "compiler/kernels/Passes.h.inc"
} // namespace aft

using namespace aft;

/// Compute operations between the two: what is far would have to be kept.
static constexpr int64_t kNear = 8;
/// Operations of both bodies: beyond these registers spill.
static constexpr int64_t kMostOps = 96;

static bool isElementwise(linalg::GenericOp op) {
  return op.getNumParallelLoops() == op.getNumLoops() && !op.hasIndexSemantics() &&
         llvm::all_of(op.getDpsInitsMutable(), [&](OpOperand &init) {
           return op.getMatchingIndexingMap(&init).isIdentity();
         });
}

/// The product that an elementwise generic alone reads, element by element; else null.
static Operation *productOf(linalg::GenericOp op) {
  for (OpOperand *operand : op.getDpsInputOperands()) {
    Operation *product = operand->get().getDefiningOp();
    if (product && isMatmul(product) && operand->get().hasOneUse() &&
        op.getMatchingIndexingMap(operand).isIdentity())
      return product;
  }
  return nullptr;
}

namespace {

/// A generic `first` after a product and a `second` that reads nothing else.
class Siblings {
public:
  Siblings(linalg::GenericOp first, linalg::GenericOp second) : first(first), second(second) {}
  /// Whether they can be merged where `first` stands or can be moved to.
  bool match();
  void merge();

private:
  bool readsTheSame();
  bool isNear();
  /// Whether what the first needs can be moved in front of `place`, and moves it.
  bool canMove(Operation *op, Operation *place);
  void move(Operation *op, Operation *place);
  Value sourceOf(OpOperand *operand, IRMapping &body);

  linalg::GenericOp first, second;
  Operation *user = nullptr; ///< the first of the second's result
};

} // namespace

/// Operands of the second are operands or results of the first, by the same maps.
bool Siblings::readsTheSame() {
  bool sharesAll = false;
  for (OpOperand *operand : second.getDpsInputOperands()) {
    AffineMap map = second.getMatchingIndexingMap(operand);
    bool found = llvm::any_of(first->getOpOperands(), [&](OpOperand &other) {
      return !first.isDpsInit(&other) && other.get() == operand->get() &&
             first.getMatchingIndexingMap(&other) == map;
    });
    found |= operand->get().getDefiningOp() == first.getOperation() && map.isIdentity();
    if (!found)
      return false;
    sharesAll |= map.isIdentity();
  }
  return sharesAll;
}

bool Siblings::isNear() {
  Operation *from = first, *to = second;
  if (to->isBeforeInBlock(from))
    std::swap(from, to);
  int64_t between = 0;
  for (Operation *op = from->getNextNode(); op != to; op = op->getNextNode())
    between += isComputeOp(op);
  return between < kNear;
}

bool Siblings::match() {
  Block *block = first->getBlock();
  if (second == first || second->getBlock() != block || second->getNumResults() != 1 ||
      !isElementwise(second) || first.getNumLoops() != second.getNumLoops() ||
      !second.getDpsInits()[0].getDefiningOp<tensor::EmptyOp>() || !readsTheSame() || !isNear())
    return false;
  auto computes = [](Operation &op) { return isa<math::MathDialect>(op.getDialect()); };
  if (llvm::none_of(second.getBody()->without_terminator(), computes) ||
      first.getBody()->getOperations().size() + second.getBody()->getOperations().size() > kMostOps)
    return false;
  for (Operation *other : second->getUsers()) {
    Operation *ancestor = block->findAncestorOpInBlock(*other);
    if (!ancestor || ancestor == first)
      return false;
    if (!user || ancestor->isBeforeInBlock(user))
      user = ancestor;
  }
  // The destination comes along, at the place of the first or of that user.
  Operation *place = user && user->isBeforeInBlock(first) ? user : first.getOperation();
  return user && canMove(second.getDpsInits()[0].getDefiningOp(), first) &&
         (place == first || canMove(first, place));
}

static llvm::SetVector<Value> usedValues(Operation *op) {
  llvm::SetVector<Value> used(op->operand_begin(), op->operand_end());
  getUsedValuesDefinedAbove(op->getRegions(), used);
  return used;
}

bool Siblings::canMove(Operation *op, Operation *place) {
  if (op == second || op == place)
    return false;
  if (!op || op->isBeforeInBlock(place))
    return true;
  bool moves = op == first || op == productOf(first) || !isComputeOp(op);
  return moves && isMemoryEffectFree(op) && llvm::all_of(usedValues(op), [&](Value value) {
           return canMove(value.getDefiningOp(), place);
         });
}

void Siblings::move(Operation *op, Operation *place) {
  if (!op || op->isBeforeInBlock(place))
    return;
  for (Value value : usedValues(op))
    move(value.getDefiningOp(), place);
  op->moveBefore(place);
}

void Siblings::merge() {
  if (user->isBeforeInBlock(first))
    move(first, user);
  move(second.getDpsInits()[0].getDefiningOp(), first);
  SmallVector<Value> inputs(first.getDpsInputs()), outs(first.getDpsInits());
  SmallVector<AffineMap> maps(first.getIndexingMapsArray());
  outs.push_back(second.getDpsInits()[0]);
  maps.push_back(second.getIndexingMapsArray().back());
  SmallVector<Type> types(first->getResultTypes());
  types.push_back(second->getResult(0).getType());
  OpBuilder builder(first);
  auto body = [&](OpBuilder &inner, Location loc, ValueRange arguments) {
    IRMapping map;
    map.map(first.getBody()->getArguments(),
            arguments.take_front(first.getBody()->getNumArguments()));
    auto clone = [&](linalg::GenericOp op) {
      for (Operation &one : op.getBody()->without_terminator())
        inner.clone(one, map);
    };
    clone(first);
    auto yielded = llvm::map_to_vector(first.getBody()->getTerminator()->getOperands(),
                                       [&](Value value) { return map.lookupOrDefault(value); });
    for (OpOperand *operand : second.getDpsInputOperands()) {
      BlockArgument argument = second.getMatchingBlockArgument(operand);
      if (auto result = dyn_cast<OpResult>(operand->get()); result && result.getOwner() == first) {
        map.map(argument, yielded[result.getResultNumber()]);
        continue;
      }
      for (OpOperand *other : first.getDpsInputOperands())
        if (other->get() == operand->get() &&
            first.getMatchingIndexingMap(other) == second.getMatchingIndexingMap(operand))
          map.map(argument, arguments[other->getOperandNumber()]);
    }
    map.map(second.getRegionOutputArgs()[0], arguments.back());
    clone(second);
    yielded.push_back(map.lookupOrDefault(second.getBody()->getTerminator()->getOperand(0)));
    inner.create<linalg::YieldOp>(loc, yielded);
  };
  auto both = builder.create<linalg::GenericOp>(
      builder.getFusedLoc({first.getLoc(), second.getLoc()}), types, inputs, outs, maps,
      first.getIteratorTypesArray(), body);
  second->getResult(0).replaceAllUsesWith(both->getResults().back());
  first->replaceAllUsesWith(both->getResults().drop_back());
  second->erase();
  first->erase();
}

namespace {

struct FuseSiblings : aft::impl::FuseSiblingsBase<FuseSiblings> {
  void runOnOperation() override {
    SmallVector<linalg::GenericOp> generics;
    for (auto generic : getOperation().getOps<linalg::GenericOp>())
      if (isElementwise(generic) && productOf(generic))
        generics.push_back(generic);
    for (linalg::GenericOp first : generics)
      fuse(first);
  }

  static void fuse(linalg::GenericOp first) {
    llvm::SetVector<Operation *> users(first->getUsers().begin(), first->getUsers().end());
    for (Value input : first.getDpsInputs())
      users.insert(input.getUsers().begin(), input.getUsers().end());
    for (Operation *user : users) {
      auto second = dyn_cast<linalg::GenericOp>(user);
      if (!second)
        continue;
      Siblings siblings(first, second);
      if (siblings.match())
        return siblings.merge();
    }
  }
};

} // namespace
