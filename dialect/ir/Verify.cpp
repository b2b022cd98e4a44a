//===- Verify.cpp - Verifiers of every operation --------------------------===//

#include "dialect/ir/AFT.h"

using namespace mlir;
using namespace aft;

#define AFT_VERIFY(OP)                                                         \
  LogicalResult OP::verify() { return success(); }
AFT_VERIFY(FullOp)
AFT_VERIFY(LocalOp)
AFT_VERIFY(SimpleOp)
AFT_VERIFY(ConvOp)
AFT_VERIFY(FullGradOp)
AFT_VERIFY(LocalGradOp)
AFT_VERIFY(SimpleGradOp)
AFT_VERIFY(ConvGradOp)
AFT_VERIFY(FullOnlineOp)
AFT_VERIFY(FinishOp)
AFT_VERIFY(SimpleOnlineOp)
AFT_VERIFY(LocalOnlineOp)
AFT_VERIFY(ConvOnlineOp)
AFT_VERIFY(BandOp)
AFT_VERIFY(BandGradOp)
AFT_VERIFY(LayerNormOp)
AFT_VERIFY(LayerNormGradOp)
AFT_VERIFY(EmbeddingOp)
AFT_VERIFY(EmbeddingGradOp)
AFT_VERIFY(CrossEntropyOp)
AFT_VERIFY(CrossEntropyGradOp)
AFT_VERIFY(DropoutOp)
AFT_VERIFY(AdamWOp)
AFT_VERIFY(LaunchOp)

LogicalResult LaunchOp::verifySymbolUses(SymbolTableCollection &symbols) {
  if (!symbols.lookupNearestSymbolFrom(*this, getKernelAttr()))
    return emitOpError("kernel '") << getKernel() << "' is not defined";
  return success();
}
