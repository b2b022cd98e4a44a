//===- Training.cpp - From a loss to a training step ----------------------===//

#include "compiler/graph/Passes.h"
#include "dialect/ir/AFT.h"
#include "dialect/ir/ShapeCheck.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace aft {
#define GEN_PASS_DEF_BUILDTRAINING
#include "compiler/graph/Passes.h.inc"
} // namespace aft

using namespace mlir;
using namespace aft;

static constexpr StringRef kTrainStep = "train_step";

namespace {

struct BuildTraining : aft::impl::BuildTrainingBase<BuildTraining> {
  using BuildTrainingBase::BuildTrainingBase;
  void runOnOperation() override;
};

/// Builds @train_step around a call of the gradient function.
class StepBuilder {
public:
  StepBuilder(func::FuncOp gradient, const BuildTrainingOptions &options)
      : gradient(gradient), options(options), parameters(parametersOf(gradient)),
        b(gradient.getLoc(), gradient.getContext()) {}
  void build();

private:
  func::FuncOp declare();
  unsigned addArgument(Type type, const Twine &name, bool isParameter = false);
  SmallVector<Value> gradientsOf(func::FuncOp step);
  Value squaredNorm(ValueRange gradients);
  Value clippingScale(ValueRange gradients);
  void update(func::FuncOp step, ValueRange gradients, Value scale);
  RankedTensorType momentType(unsigned parameter) {
    auto type = cast<RankedTensorType>(gradient.getArgumentTypes()[parameter]);
    return RankedTensorType::get(type.getShape(), accumulationType(type.getElementType()));
  }
  RankedTensorType scalar(Type element) { return RankedTensorType::get({}, element); }

  func::FuncOp gradient;
  const BuildTrainingOptions &options;
  SmallVector<unsigned> parameters;
  ImplicitLocOpBuilder b;
  SmallVector<Type> argumentTypes;
  SmallVector<DictionaryAttr> argumentAttrs;
  SmallVector<Value> results;
  SmallVector<int64_t> aliases; ///< per result: the argument it overwrites, or -1
};

} // namespace

unsigned StepBuilder::addArgument(Type type, const Twine &name, bool isParameter) {
  SmallVector<NamedAttribute> attributes = {b.getNamedAttr("aft.name", b.getStringAttr(name))};
  if (isParameter)
    attributes.push_back(b.getNamedAttr("aft.param", b.getUnitAttr()));
  argumentTypes.push_back(type);
  argumentAttrs.push_back(b.getDictionaryAttr(attributes));
  return argumentTypes.size() - 1;
}

/// (params, m, v, step, lr, inputs)
func::FuncOp StepBuilder::declare() {
  for (unsigned parameter : parameters)
    addArgument(gradient.getArgumentTypes()[parameter], argumentName(gradient, parameter), true);
  for (StringRef moment : {"m.", "v."})
    for (unsigned parameter : parameters)
      addArgument(momentType(parameter), moment + argumentName(gradient, parameter));
  addArgument(scalar(b.getI64Type()), "step");
  addArgument(scalar(b.getF32Type()), "lr");
  for (unsigned i = 0; i < gradient.getNumArguments(); ++i) {
    if (llvm::is_contained(parameters, i))
      continue;
    unsigned number = addArgument(gradient.getArgumentTypes()[i], argumentName(gradient, i));
    if (Attribute limits = gradient.getArgAttr(i, "aft.limits")) {
      NamedAttrList all(argumentAttrs[number]);
      all.append("aft.limits", limits);
      argumentAttrs[number] = all.getDictionary(b.getContext());
    }
  }
  b.setInsertionPointAfter(gradient);
  auto step = b.create<func::FuncOp>(kTrainStep, b.getFunctionType(argumentTypes, {}));
  step.setAllArgAttrs(argumentAttrs);
  b.setInsertionPointToStart(step.addEntryBlock());
  return step;
}

/// Calls the gradient function; keeps its own results for the end.
SmallVector<Value> StepBuilder::gradientsOf(func::FuncOp step) {
  SmallVector<Value> arguments(gradient.getNumArguments());
  unsigned next = 0, input = 3 * parameters.size() + 2;
  for (unsigned parameter : parameters)
    arguments[parameter] = step.getArgument(next++);
  for (Value &argument : arguments)
    if (!argument)
      argument = step.getArgument(input++);
  auto call = b.create<func::CallOp>(gradient, arguments);
  unsigned own = gradient.getNumResults() - parameters.size();
  for (Value result : call.getResults().take_front(own)) {
    results.push_back(result);
    aliases.push_back(-1);
  }
  return SmallVector<Value>(call.getResults().drop_front(own));
}

/// The sum of the squares of all gradients, added up in f32 or wider.
Value StepBuilder::squaredNorm(ValueRange gradients) {
  Type acc = b.getF32Type();
  for (Value gradient : gradients)
    if (getElementTypeOrSelf(gradient.getType()).isF64())
      acc = b.getF64Type();
  Value zero = b.create<arith::ConstantOp>(b.getFloatAttr(acc, 0));
  Value total;
  for (Value gradient : gradients) {
    Value empty = b.create<tensor::EmptyOp>(ArrayRef<int64_t>{}, acc);
    Value start = b.create<linalg::FillOp>(zero, empty).getResult(0);
    unsigned rank = cast<ShapedType>(gradient.getType()).getRank();
    AffineMap all = b.getMultiDimIdentityMap(rank), none = AffineMap::get(rank, 0, b.getContext());
    SmallVector<utils::IteratorType> loops(rank, utils::IteratorType::reduction);
    Value sum = b.create<linalg::GenericOp>(
                     TypeRange{start.getType()}, ValueRange{gradient}, ValueRange{start},
                     ArrayRef<AffineMap>{all, none}, loops,
                     [&](OpBuilder &nested, Location loc, ValueRange args) {
                       Value g = args[0];
                       if (g.getType().getIntOrFloatBitWidth() < acc.getIntOrFloatBitWidth())
                         g = nested.create<arith::ExtFOp>(loc, acc, g);
                       Value square = nested.create<arith::MulFOp>(loc, g, g);
                       Value next = nested.create<arith::AddFOp>(loc, args[1], square);
                       nested.create<linalg::YieldOp>(loc, next);
                     })
                    .getResult(0);
    total = total ? b.create<arith::AddFOp>(total, sum).getResult() : sum;
  }
  return total;
}

/// min(1, clip / (norm + 1e-6)), as LibTorch's clip_grad_norm_; 1 without
/// clipping.
Value StepBuilder::clippingScale(ValueRange gradients) {
  auto constant = [&](RankedTensorType type, double value) -> Value {
    Attribute element = b.getFloatAttr(type.getElementType(), value);
    return b.create<arith::ConstantOp>(DenseElementsAttr::get(type, element));
  };
  if (options.clipNorm <= 0)
    return constant(scalar(b.getF32Type()), 1);
  Value squares = squaredNorm(gradients);
  auto type = cast<RankedTensorType>(squares.getType());
  Value norm = b.create<math::SqrtOp>(squares);
  Value scale = b.create<arith::DivFOp>(constant(type, options.clipNorm),
                                        b.create<arith::AddFOp>(norm, constant(type, 1e-6)));
  // A NaN among the gradients shows in all parameters instead of hiding.
  return b.create<arith::MinimumFOp>(scale, constant(type, 1));
}

/// Whether the loss does not depend on a parameter: its gradient is made of zeros.
static bool isUnreached(func::FuncOp gradient, unsigned result) {
  auto end = cast<func::ReturnOp>(gradient.getBody().front().getTerminator());
  auto fill = end.getOperand(result).getDefiningOp<linalg::FillOp>();
  return fill && matchPattern(fill.value(), m_AnyZeroFloat());
}

void StepBuilder::update(func::FuncOp step, ValueRange gradients, Value scale) {
  unsigned count = parameters.size();
  Value number = step.getArgument(3 * count), lr = step.getArgument(3 * count + 1);
  SmallVector<Value> updated(3 * count);
  for (unsigned i = 0; i < count; ++i) {
    Value param = step.getArgument(i), m = step.getArgument(count + i),
          v = step.getArgument(2 * count + i);
    // As in LibTorch, what has no gradient stays: its weight does not decay.
    if (isUnreached(gradient, gradient.getNumResults() - count + i)) {
      for (unsigned part = 0; part < 3; ++part)
        updated[part * count + i] = step.getArgument(part * count + i);
      continue;
    }
    auto adamw = b.create<AdamWOp>(
        TypeRange{param.getType(), m.getType(), v.getType()}, param, gradients[i], m, v, lr, number,
        scale, ValueRange(), b.getF64FloatAttr(options.beta1), b.getF64FloatAttr(options.beta2),
        b.getF64FloatAttr(options.eps), b.getF64FloatAttr(options.weightDecay));
    for (unsigned part = 0; part < 3; ++part)
      updated[part * count + i] = adamw.getResult(part);
  }
  // The loss, what overwrites arguments, then the function's other results.
  results.insert(results.begin() + 1, updated.begin(), updated.end());
  SmallVector<int64_t> overwritten;
  for (unsigned i = 0; i < 3 * count; ++i)
    overwritten.push_back(i);
  aliases.insert(aliases.begin() + 1, overwritten.begin(), overwritten.end());
}

void StepBuilder::build() {
  func::FuncOp step = declare();
  SmallVector<Value> gradients = gradientsOf(step);
  update(step, gradients, clippingScale(gradients));
  b.create<func::ReturnOp>(results);
  step.setType(b.getFunctionType(argumentTypes, TypeRange(ValueRange(results))));
  for (auto [index, alias] : llvm::enumerate(aliases)) {
    if (alias < 0) {
      if (Attribute name =
              gradient.getResultAttr(index == 0 ? 0 : index - 3 * parameters.size(), "aft.name"))
        step.setResultAttr(index, "aft.name", name);
      else if (index == 0)
        step.setResultAttr(index, "aft.name", b.getStringAttr("loss"));
      continue;
    }
    step.setResultAttr(index, "aft.alias", b.getI64IntegerAttr(alias));
    step.setResultAttr(index, "aft.name", argumentAttrs[alias].get("aft.name"));
  }
}

void BuildTraining::runOnOperation() {
  ModuleOp module = getOperation();
  auto function = module.lookupSymbol<func::FuncOp>(entry);
  if (!function) {
    module.emitError() << "no function is called '" << entry << "'";
    return signalPassFailure();
  }
  if (Operation *taken = module.lookupSymbol(kTrainStep)) {
    taken->emitOpError() << "is in the way: a training step is called '" << kTrainStep << "'";
    return signalPassFailure();
  }
  FailureOr<func::FuncOp> gradient = differentiate(function);
  if (failed(gradient))
    return signalPassFailure();
  StepBuilder(*gradient, {entry, beta1, beta2, eps, weightDecay, clipNorm}).build();
  gradient->setPrivate();
  function.setPrivate();
}
