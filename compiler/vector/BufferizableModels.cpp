//===- BufferizableModels.cpp - How aft operations become memref form -----===//

#include "compiler/vector/BufferizableModels.h"

#include "dialect/ir/AFT.h"
#include "mlir/Dialect/Bufferization/IR/BufferizableOpInterface.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/IR/DialectRegistry.h"

using namespace mlir;
using namespace aft;
using namespace mlir::bufferization;

namespace {

/// An operation in destination form writes its destinations and nothing else.
template <typename OpT>
struct DestinationModel
    : BufferizableOpInterface::ExternalModel<DestinationModel<OpT>, OpT> {
  static bool isInit(Operation *op, OpOperand &operand) {
    auto inits = cast<OpT>(op).getInits();
    unsigned number = operand.getOperandNumber();
    return !inits.empty() && number >= inits.getBeginOperandIndex() &&
           number < inits.getBeginOperandIndex() + inits.size();
  }

  bool bufferizesToMemoryRead(Operation *op, OpOperand &operand, const AnalysisState &) const {
    return !isInit(op, operand);
  }

  bool bufferizesToMemoryWrite(Operation *op, OpOperand &operand, const AnalysisState &) const {
    return isInit(op, operand);
  }

  AliasingValueList getAliasingValues(Operation *op, OpOperand &operand,
                                      const AnalysisState &) const {
    if (!isInit(op, operand))
      return {};
    unsigned index =
        operand.getOperandNumber() - cast<OpT>(op).getInits().getBeginOperandIndex();
    return {{op->getResult(index), BufferRelation::Equivalent}};
  }

  LogicalResult bufferize(Operation *op, RewriterBase &rewriter,
                          const BufferizationOptions &options) const {
    auto inits = cast<OpT>(op).getInits();
    if (inits.size() != op->getNumResults())
      return op->emitOpError() << "needs a destination for each of its results before "
                                  "bufferisation";
    unsigned first = inits.getBeginOperandIndex();
    SmallVector<Value> operands, destinations;
    for (OpOperand &operand : op->getOpOperands()) {
      if (!isa<TensorType>(operand.get().getType())) {
        operands.push_back(operand.get());
        continue;
      }
      FailureOr<Value> buffer = getBuffer(rewriter, operand.get(), options);
      if (failed(buffer))
        return failure();
      operands.push_back(*buffer);
      unsigned number = operand.getOperandNumber();
      if (number >= first && number < first + inits.size())
        destinations.push_back(*buffer);
    }
    rewriter.setInsertionPoint(op);
    OperationState state(op->getLoc(), op->getName(), operands, TypeRange{}, op->getAttrs());
    state.propertiesAttr = op->getPropertiesAsAttribute();
    rewriter.create(state);
    replaceOpWithBufferizedValues(rewriter, op, destinations);
    return success();
  }
};

} // namespace

template <typename... OpTs> static void attach(MLIRContext *context) {
  (OpTs::template attachInterface<DestinationModel<OpTs>>(*context), ...);
}

void aft::registerBufferizableModels(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, AFTDialect *) {
    attach<FullOp, LocalOp, SimpleOp, ConvOp, FullGradOp, LocalGradOp, SimpleGradOp, ConvGradOp,
           FullOnlineOp, SimpleOnlineOp, LocalOnlineOp, ConvOnlineOp, FinishOp, BandOp,
           BandGradOp, EmbeddingOp, EmbeddingGradOp>(context);
  });
}
