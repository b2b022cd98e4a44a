//===- Lifetimes.cpp - How long the tensors of a function are needed ------===//

#include "compiler/kernels/Lifetimes.h"

#include "compiler/kernels/Groups.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace aft;

int64_t aft::typicalBytes(Type tensor) {
  constexpr int64_t typicalExtent = 1024;
  auto type = cast<RankedTensorType>(tensor);
  int64_t bytes = llvm::divideCeil(type.getElementTypeBitWidth(), 8);
  for (int64_t extent : type.getShape())
    if (!ShapedType::isDynamic(extent))
      bytes *= extent;
  return type.hasStaticShape() ? bytes : bytes * typicalExtent;
}

bool aft::isTiny(Type tensor) {
  constexpr int64_t mostBytes = 64;
  auto type = cast<RankedTensorType>(tensor);
  return type.hasStaticShape() && typicalBytes(type) <= mostBytes;
}

static bool isView(Operation *op) {
  return isa<tensor::CollapseShapeOp, tensor::ExpandShapeOp, tensor::CastOp,
             tensor::ExtractSliceOp>(op);
}

/// Whether the results leave the function and nobody in it reads them.
static bool isTerminal(Operation *op) {
  llvm::SmallVector<Value> open(op->getResults());
  while (!open.empty())
    for (Operation *user : open.pop_back_val().getUsers()) {
      if (isView(user))
        open.push_back(user->getResult(0));
      else if (!isa<func::ReturnOp>(user))
        return false;
    }
  return true;
}

/// What only leaves the function, or is tiny, counts as done as soon as its
/// operands are there: aft-order-launches brings it there.
void Lifetimes::number(func::FuncOp function) {
  for (Operation &op : function.front()) {
    if (!isComputeOp(&op))
      continue;
    int64_t position = count++;
    if (isTerminal(&op) || llvm::all_of(op.getResultTypes(), isTiny)) {
      int64_t ready = 0;
      for (Value operand : op.getOperands())
        if (Operation *producer = viewedTensor(operand).getDefiningOp())
          ready = std::max(ready, positions.lookup(producer));
      position = ready;
    }
    positions[&op] = position;
  }
}

void Lifetimes::collectUses(Value value, Lifetime &life) {
  for (OpOperand &use : value.getUses()) {
    Operation *owner = use.getOwner(), *user = block->findAncestorOpInBlock(*owner);
    if (owner == user && isView(owner))
      collectUses(owner->getResult(0), life);
    else if (isComputeOp(user))
      life.uses.push_back({&use, positions.lookup(user)});
    else if (isa<func::ReturnOp>(user))
      life.returned = true;
  }
}

Lifetimes::Lifetimes(func::FuncOp function) : block(&function.front()) {
  number(function);
  for (Operation &op : *block) {
    if (!isComputeOp(&op))
      continue;
    for (Value result : op.getResults()) {
      if (!isa<RankedTensorType>(result.getType()))
        continue;
      Lifetime life;
      life.made = life.last = positions.lookup(&op);
      life.bytes = typicalBytes(result.getType());
      collectUses(result, life);
      llvm::sort(life.uses,
                 [](const TensorUse &a, const TensorUse &b) { return a.position < b.position; });
      if (!life.uses.empty())
        life.last = std::max(life.last, life.uses.back().position);
      lives[result] = std::move(life);
    }
  }
}

const Lifetime *Lifetimes::of(Value tensor) const {
  auto it = lives.find(viewedTensor(tensor));
  return it == lives.end() ? nullptr : &it->second;
}

int64_t Lifetimes::peak() const {
  SmallVector<int64_t> change(count + 2);
  for (const auto &[value, life] : lives) {
    if (life.returned)
      continue; // it lies in memory of the caller's
    change[life.made] += life.bytes;
    change[life.last + 1] -= life.bytes;
  }
  int64_t alive = 0, most = 0, found = 0;
  for (auto [position, bytes] : llvm::enumerate(change)) {
    alive += bytes;
    if (alive > most) {
      most = alive;
      found = position;
    }
  }
  return found;
}

/// `view` of `replacement` instead of `original`.
static Value viewAgain(OpBuilder &builder, Value view, Value original, Value replacement) {
  if (view == original)
    return replacement;
  Operation *def = view.getDefiningOp();
  IRMapping mapping;
  mapping.map(def->getOperand(0), viewAgain(builder, def->getOperand(0), original, replacement));
  return builder.clone(*def, mapping)->getResult(0);
}

void aft::redirectUse(OpOperand &use, Value original, Value replacement) {
  Operation *user = replacement.getParentBlock()->findAncestorOpInBlock(*use.getOwner());
  OpBuilder builder(user);
  use.set(viewAgain(builder, use.get(), original, replacement));
}
