//===- Effects.cpp - Memory effects of every operation --------------------===//
// On tensors an operation is pure; on memrefs it reads its operands and writes
// its destinations (adamw, launch and the online forms may also read those).

#include "dialect/ir/AFT.h"

using namespace mlir;
using namespace aft;

static void
addEffects(Operation *op, OperandRange inits,
           SmallVectorImpl<MemoryEffects::EffectInstance> &effects) {
  for (OpOperand &operand : op->getOpOperands()) {
    if (!isa<MemRefType>(operand.get().getType()))
      continue;
    effects.emplace_back(MemoryEffects::Read::get(), &operand);
    unsigned index = operand.getOperandNumber();
    if (!inits.empty() && index >= inits.getBeginOperandIndex() &&
        index < inits.getBeginOperandIndex() + inits.size())
      effects.emplace_back(MemoryEffects::Write::get(), &operand);
  }
}

#define AFT_EFFECTS(OP)                                                        \
  void OP::getEffects(                                                         \
      SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>      \
          &effects) {                                                          \
    addEffects(getOperation(), getInits(), effects);                           \
  }

AFT_EFFECTS(FullOp)
AFT_EFFECTS(LocalOp)
AFT_EFFECTS(SimpleOp)
AFT_EFFECTS(ConvOp)
AFT_EFFECTS(FullGradOp)
AFT_EFFECTS(LocalGradOp)
AFT_EFFECTS(SimpleGradOp)
AFT_EFFECTS(ConvGradOp)
AFT_EFFECTS(FullOnlineOp)
AFT_EFFECTS(FinishOp)
AFT_EFFECTS(SimpleOnlineOp)
AFT_EFFECTS(LocalOnlineOp)
AFT_EFFECTS(ConvOnlineOp)
AFT_EFFECTS(BandOp)
AFT_EFFECTS(BandGradOp)
AFT_EFFECTS(LayerNormOp)
AFT_EFFECTS(LayerNormGradOp)
AFT_EFFECTS(EmbeddingOp)
AFT_EFFECTS(EmbeddingGradOp)
AFT_EFFECTS(CrossEntropyOp)
AFT_EFFECTS(CrossEntropyGradOp)
AFT_EFFECTS(DropoutOp)
AFT_EFFECTS(AdamWOp)
AFT_EFFECTS(LaunchOp)
#undef AFT_EFFECTS
