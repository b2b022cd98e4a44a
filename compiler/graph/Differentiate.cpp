//===- Differentiate.cpp - The gradient of an entry -----------------------===//

#include "compiler/graph/Generalize.h"
#include "compiler/graph/Passes.h"
#include "dialect/derivative/Differentiable.h"
#include "dialect/ir/AFT.h"
#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace aft {
#define GEN_PASS_DEF_DIFFERENTIATE
#include "compiler/graph/Passes.h.inc"
} // namespace aft

using namespace mlir;
using namespace aft;

SmallVector<unsigned> aft::parametersOf(func::FuncOp function) {
  SmallVector<unsigned> parameters;
  for (unsigned i = 0; i < function.getNumArguments(); ++i)
    if (function.getArgAttr(i, "aft.param"))
      parameters.push_back(i);
  return parameters;
}

std::string aft::argumentName(func::FuncOp function, unsigned argument) {
  if (auto name = function.getArgAttrOfType<StringAttr>(argument, "aft.name"))
    return name.str();
  return ("arg" + Twine(argument)).str();
}

namespace {

/// Named operations without a derivative of their own become generics.
struct Generalize : OpInterfaceRewritePattern<linalg::LinalgOp> {
  using OpInterfaceRewritePattern::OpInterfaceRewritePattern;
  LogicalResult matchAndRewrite(linalg::LinalgOp op, PatternRewriter &rewriter) const override {
    if (isa<linalg::GenericOp, linalg::FillOp>(op) || isa<DifferentiableOpInterface>(*op))
      return rewriter.notifyMatchFailure(op, "has its own derivative or needs none");
    return generalize(rewriter, op);
  }
};

} // namespace

/// Elementwise operations on tensors and named linalg operations as generics.
static LogicalResult normalize(func::FuncOp function) {
  RewritePatternSet patterns(function.getContext());
  linalg::populateElementwiseToLinalgConversionPatterns(patterns);
  patterns.add<Generalize>(function.getContext());
  return applyPatternsAndFoldGreedily(function, std::move(patterns));
}

/// The gradients as further results, called grad.NAME.
static void appendResults(func::FuncOp function, ArrayRef<unsigned> parameters,
                          ArrayRef<Value> gradients) {
  auto end = cast<func::ReturnOp>(function.getBody().front().getTerminator());
  end->insertOperands(end->getNumOperands(), gradients);
  SmallVector<DictionaryAttr> attributes;
  for (unsigned i = 0; i < function.getNumResults(); ++i)
    attributes.push_back(function.getResultAttrDict(i));
  OpBuilder builder(function);
  for (unsigned parameter : parameters) {
    StringAttr name = builder.getStringAttr("grad." + argumentName(function, parameter));
    attributes.push_back(builder.getDictionaryAttr(builder.getNamedAttr("aft.name", name)));
  }
  function.setType(builder.getFunctionType(function.getArgumentTypes(), end.getOperandTypes()));
  function.setAllResultAttrs(attributes);
}

FailureOr<func::FuncOp> aft::differentiate(func::FuncOp function) {
  SmallVector<unsigned> parameters = parametersOf(function);
  if (parameters.empty())
    return function.emitOpError(
        "has nothing to differentiate with respect to: no argument has the attribute aft.param");
  for (unsigned parameter : parameters) {
    Type type = function.getArgumentTypes()[parameter];
    if (!isa<RankedTensorType>(type) || !isa<FloatType>(getElementTypeOrSelf(type)))
      return function.emitOpError() << "argument " << parameter << " has the attribute aft.param, "
                                    << "expected a tensor of floats, found " << type;
  }
  WalkResult calls = function.walk([](func::CallOp call) {
    call.emitOpError("must be inlined before its function is differentiated");
    return WalkResult::interrupt();
  });
  if (calls.wasInterrupted())
    return failure();
  func::FuncOp gradient = function.clone();
  gradient.setName((function.getName() + "_grad").str());
  SymbolTable(function->getParentOfType<ModuleOp>())
      .insert(gradient, std::next(function->getIterator()));
  if (failed(normalize(gradient)))
    return gradient.emitOpError("could not be brought to generic operations");
  FailureOr<SmallVector<Value>> gradients = buildGradients(gradient, parameters);
  if (failed(gradients)) {
    gradient.erase();
    return failure();
  }
  appendResults(gradient, parameters, *gradients);
  return gradient;
}

namespace {

struct Differentiate : aft::impl::DifferentiateBase<Differentiate> {
  using DifferentiateBase::DifferentiateBase;
  void runOnOperation() override {
    auto function = getOperation().lookupSymbol<func::FuncOp>(entry);
    if (!function) {
      getOperation().emitError() << "no function is called '" << entry << "'";
      return signalPassFailure();
    }
    if (failed(differentiate(function)))
      signalPassFailure();
  }
};

} // namespace
