//===- Bf16Moves.cpp - Moving bf16 on CPUs without it ---------------------===//

#include "compiler/binary/Bf16Moves.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/Module.h"

using namespace llvm;

static bool isBf16(const Value *value) { return value->getType()->getScalarType()->isBFloatTy(); }

static Type *integersFor(Type *type) {
  return type->getWithNewType(Type::getInt16Ty(type->getContext()));
}

/// The bits of a number or a vector, where the builder stands unless they exist.
static Value *bitsOf(Value *value, IRBuilder<> &builder) {
  Type *integers = integersFor(value->getType());
  if (auto *cast = dyn_cast<BitCastInst>(value))
    if (cast->getOperand(0)->getType() == integers)
      return cast->getOperand(0);
  return builder.CreateBitCast(value, integers);
}

namespace {

/// A move of one function and what takes its place.
struct Move {
  Instruction *old, *bits;
};

} // namespace

/// The same move of integers, yet without what it moves from where that is a register.
static Instruction *replacementFor(Instruction &move) {
  Type *integers = integersFor(move.getType());
  if (auto *load = dyn_cast<LoadInst>(&move)) {
    auto *bits = new LoadInst(integers, load->getPointerOperand(), "", load->isVolatile(),
                              load->getAlign(), load->getIterator());
    bits->copyMetadata(*load);
    return bits;
  }
  if (auto *phi = dyn_cast<PHINode>(&move))
    return PHINode::Create(integers, phi->getNumIncomingValues(), "", phi->getIterator());
  // What has numbers among its operands, of which the copy is told below.
  Instruction *copy = move.clone();
  for (Use &operand : copy->operands())
    if (isBf16(operand))
      operand = PoisonValue::get(integersFor(operand->getType()));
  copy->mutateType(integers);
  copy->insertBefore(move.getIterator());
  return copy;
}

static void setSources(const Move &move, IRBuilder<> &builder) {
  auto *phi = dyn_cast<PHINode>(move.old);
  if (!phi) {
    builder.SetInsertPoint(move.bits);
    for (auto [number, operand] : enumerate(move.old->operands()))
      if (isBf16(operand))
        move.bits->setOperand(number, bitsOf(operand, builder));
    return;
  }
  // A block may come in twice, and then with the same value.
  DenseMap<BasicBlock *, Value *> known;
  for (auto [value, block] : zip_equal(phi->incoming_values(), phi->blocks())) {
    Value *&bits = known[block];
    builder.SetInsertPoint(block->getTerminator());
    bits = bits ? bits : bitsOf(value, builder);
    cast<PHINode>(move.bits)->addIncoming(bits, block);
  }
}

static bool isMove(const Instruction &instruction) {
  return isBf16(&instruction) && isa<LoadInst, PHINode, SelectInst, FreezeInst, ExtractElementInst,
                                     InsertElementInst, ShuffleVectorInst>(instruction);
}

/// A store, or a cast to other bits: both take the bits.
static bool takesBits(const Instruction &instruction) {
  if (auto *store = dyn_cast<StoreInst>(&instruction))
    return isBf16(store->getValueOperand());
  return isa<BitCastInst>(instruction) && isBf16(instruction.getOperand(0));
}

static void moveBf16AsIntegers(Function &function) {
  SmallVector<Move> moves;
  SmallVector<Instruction *> takers;
  for (Instruction &instruction : instructions(function)) {
    if (isMove(instruction))
      moves.push_back({&instruction, nullptr});
    else if (takesBits(instruction))
      takers.push_back(&instruction);
  }
  IRBuilder<> builder(function.getContext());
  for (Move &move : moves) {
    move.bits = replacementFor(*move.old);
    builder.SetInsertPoint(move.old);
    if (isa<PHINode>(move.old))
      builder.SetInsertPoint(move.old->getParent(), move.old->getParent()->getFirstInsertionPt());
    move.old->replaceAllUsesWith(builder.CreateBitCast(move.bits, move.old->getType()));
  }
  for (const Move &move : moves)
    setSources(move, builder);
  for (const Move &move : moves)
    move.old->eraseFromParent();
  for (Instruction *taker : takers) {
    builder.SetInsertPoint(taker);
    Value *bits = bitsOf(taker->getOperand(0), builder);
    if (isa<StoreInst>(taker)) {
      taker->setOperand(0, bits);
    } else {
      taker->replaceAllUsesWith(builder.CreateBitCast(bits, taker->getType()));
      taker->eraseFromParent();
    }
  }
}

void aft::moveBf16AsIntegers(Module &module) {
  for (Function &function : module)
    ::moveBf16AsIntegers(function);
}
