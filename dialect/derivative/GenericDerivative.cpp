//===- GenericDerivative.cpp - The derivative of linalg.generic -----------===//
// The body's scalars are differentiated in reverse; the gradient of an operand
// is a generic over the same loops that sums over those which do not index the
// operand. Outputs are elementwise, sums or extrema.

#include "dialect/derivative/Differentiable.h"
#include "dialect/derivative/LinalgDerivatives.h"
#include "dialect/derivative/ScalarDerivative.h"
#include "dialect/ir/ShapeCheck.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StructuredOpsUtils.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "llvm/ADT/SmallBitVector.h"

using namespace mlir;
using namespace aft;

static Value convertScalar(OpBuilder &builder, Location loc, Value value, Type type) {
  unsigned from = value.getType().getIntOrFloatBitWidth(), to = type.getIntOrFloatBitWidth();
  if (from < to)
    return builder.create<arith::ExtFOp>(loc, type, value);
  return from > to ? builder.create<arith::TruncFOp>(loc, type, value).getResult() : value;
}

Value aft::convertElements(OpBuilder &builder, Location loc, Value tensor, Type element) {
  auto type = cast<RankedTensorType>(tensor.getType());
  if (type.getElementType() == element)
    return tensor;
  Value empty = builder.create<tensor::EmptyOp>(
      loc, tensor::getMixedSizes(builder, loc, tensor), element);
  AffineMap map = builder.getMultiDimIdentityMap(type.getRank());
  SmallVector<utils::IteratorType> loops(type.getRank(), utils::IteratorType::parallel);
  return builder
      .create<linalg::GenericOp>(
          loc, TypeRange{empty.getType()}, ValueRange{tensor}, ValueRange{empty},
          ArrayRef<AffineMap>{map, map}, loops,
          [&](OpBuilder &nested, Location loc, ValueRange args) {
            nested.create<linalg::YieldOp>(loc, convertScalar(nested, loc, args[0], element));
          })
      .getResult(0);
}

namespace {

/// How an output depends on the body.
enum class OutputKind { Elementwise, Sum, Extremum };

struct Output {
  OutputKind kind;
  Value seedAt;   ///< the scalar of the body whose gradient is that of the output
  Value gradient; ///< of the result; null: zero
  Value count;    ///< of elements equal to an extremum
};

/// A tensor that the derivative's body reads.
struct Source {
  Value tensor;
  AffineMap map;
};

class GenericDerivativeBuilder {
public:
  GenericDerivativeBuilder(linalg::GenericOp op, OpBuilder &builder, Adjoints &adjoints)
      : op(op), builder(builder), loc(op.getLoc()), adjoints(adjoints) {}
  LogicalResult run();

private:
  LogicalResult checkCaptured();
  LogicalResult classify();
  Value countEqual(const Output &output, unsigned index);
  LogicalResult emitBody();
  LogicalResult addGradientOf(OpOperand &operand);
  Value makeGeneric(OpOperand &operand, Value yielded);
  Value asGiven(OpOperand &operand, Value yielded);

  AffineMap mapOf(OpOperand &operand) { return op.getMatchingIndexingMap(&operand); }

  linalg::GenericOp op;
  OpBuilder &builder;
  Location loc;
  Adjoints &adjoints;
  SmallVector<Output> outputs;
  SmallVector<Source> sources; ///< the operands, then the gradients and results
  Block block;                 ///< body and derivative; its arguments are the sources
  DenseMap<Value, Value> gradients; ///< of the body's values, in `block`
  DenseMap<Value, Source> computed; ///< values of `block` that are tensors already
};

} // namespace

/// Scalars and tensors that the body uses without being operands carry no
/// gradient: they must not depend on a parameter.
LogicalResult GenericDerivativeBuilder::checkCaptured() {
  WalkResult result = op.getRegion().walk([&](Operation *inner) {
    if (isa<tensor::DimOp>(inner))
      return WalkResult::advance(); // a shape depends on no element
    for (Value operand : inner->getOperands()) {
      if (op.getRegion().isAncestor(operand.getParentRegion()) || !adjoints.isActive(operand))
        continue;
      inner->emitOpError("has no derivative with respect to a value from outside of the body "
                         "that depends on a parameter");
      return WalkResult::interrupt();
    }
    return WalkResult::advance();
  });
  return failure(result.wasInterrupted());
}

LogicalResult GenericDerivativeBuilder::classify() {
  Block &body = *op.getBody();
  for (OpOperand &init : op.getDpsInitsMutable()) {
    unsigned index = init.getOperandNumber() - op.getNumDpsInputs();
    Value yielded = body.getTerminator()->getOperand(index);
    BlockArgument old = op.getMatchingBlockArgument(&init);
    Output output{OutputKind::Elementwise, yielded, adjoints.of(op->getResult(index)), Value()};
    if (!output.gradient || mapOf(init).isPermutation()) {
      outputs.push_back(output);
      continue;
    }
    Operation *combiner = yielded.getDefiningOp();
    bool once = combiner && combiner->getNumOperands() == 2 && old.hasOneUse() &&
                *old.getUsers().begin() == combiner;
    bool sum = once && isa<arith::AddFOp>(combiner);
    bool extremum = once && isa<arith::MaximumFOp, arith::MaxNumFOp, arith::MinimumFOp,
                                arith::MinNumFOp>(combiner);
    if (!sum && !extremum)
      return op.emitOpError("has no derivative: a reduction must be a sum, a maximum or a "
                            "minimum");
    output.seedAt = combiner->getOperand(combiner->getOperand(0) == old ? 1 : 0);
    output.kind = sum ? OutputKind::Sum : OutputKind::Extremum;
    outputs.push_back(output);
  }
  return success();
}

/// How many elements attain the extremum: they share its gradient.
Value GenericDerivativeBuilder::countEqual(const Output &output, unsigned index) {
  Value result = op->getResult(index);
  SmallVector<Value> inputs(op.getDpsInputs());
  SmallVector<AffineMap> maps;
  for (OpOperand *input : op.getDpsInputOperands())
    maps.push_back(mapOf(*input));
  AffineMap map = mapOf(*op.getDpsInitOperand(index));
  inputs.push_back(result);
  maps.append({map, map});
  Type element = getElementTypeOrSelf(result.getType()), acc = accumulationType(element);
  Value empty = builder.create<tensor::EmptyOp>(
      loc, tensor::getMixedSizes(builder, loc, result), acc);
  Value none = builder.create<arith::ConstantOp>(loc, builder.getFloatAttr(acc, 0));
  Value zeros = builder.create<linalg::FillOp>(loc, none, empty).getResult(0);
  Value count =
      builder
      .create<linalg::GenericOp>(
          loc, TypeRange{zeros.getType()}, inputs, ValueRange{zeros}, maps,
          op.getIteratorTypesArray(),
          [&](OpBuilder &nested, Location loc, ValueRange args) {
            IRMapping values;
            values.map(op.getBody()->getArguments().take_front(op.getNumDpsInputs()),
                       args.take_front(op.getNumDpsInputs()));
            for (Operation &inner : op.getBody()->without_terminator())
              if (inner.getResult(0) != op.getBody()->getTerminator()->getOperand(index))
                nested.clone(inner, values);
            Value element = values.lookupOrDefault(output.seedAt);
            Value best = args[args.size() - 2], count = args.back();
            Type type = count.getType();
            Value zero = nested.create<arith::ConstantOp>(loc, nested.getFloatAttr(type, 0));
            Value one = nested.create<arith::ConstantOp>(loc, nested.getFloatAttr(type, 1));
            Value equal = nested.create<arith::CmpFOp>(loc, arith::CmpFPredicate::OEQ, element,
                                                       best);
            Value add = nested.create<arith::SelectOp>(loc, equal, one, zero);
            nested.create<linalg::YieldOp>(
                loc, nested.create<arith::AddFOp>(loc, count, add).getResult());
          })
      .getResult(0);
  return convertElements(builder, loc, count, element);
}

/// Fills `block` with the body and its derivative, for all operands at once.
LogicalResult GenericDerivativeBuilder::emitBody() {
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToEnd(&block);
  for (const Source &source : sources)
    block.addArgument(getElementTypeOrSelf(source.tensor.getType()), loc);
  Block &body = *op.getBody();
  IRMapping values;
  for (auto [original, argument] : llvm::zip(body.getArguments(), block.getArguments()))
    values.map(original, argument);
  for (Operation &inner : body.without_terminator())
    builder.clone(inner, values);
  unsigned next = body.getNumArguments();
  for (Output &output : outputs) {
    if (!output.gradient)
      continue;
    Value seed = block.getArgument(next++);
    if (output.kind == OutputKind::Extremum) {
      Value best = block.getArgument(next++), count = block.getArgument(next++);
      Value equal = builder.create<arith::CmpFOp>(loc, arith::CmpFPredicate::OEQ,
                                                  values.lookupOrDefault(output.seedAt), best);
      Value zero =
          builder.create<arith::ConstantOp>(loc, builder.getFloatAttr(seed.getType(), 0));
      seed = builder.create<arith::DivFOp>(loc, seed, count);
      seed = builder.create<arith::SelectOp>(loc, equal, seed, zero);
    }
    Value &sum = gradients[output.seedAt];
    sum = sum ? builder.create<arith::AddFOp>(loc, sum, seed).getResult() : seed;
  }
  return differentiateScalars(builder, body, values, gradients);
}

/// A contribution that is a tensor already, with the operand's own indexing.
Value GenericDerivativeBuilder::asGiven(OpOperand &operand, Value yielded) {
  Source source;
  if (auto argument = dyn_cast<BlockArgument>(yielded); argument && argument.getOwner() == &block)
    source = sources[argument.getArgNumber()];
  else
    source = computed.lookup(yielded);
  bool same = source.tensor && source.map == mapOf(operand) && source.map.isPermutation();
  return same ? source.tensor : Value();
}

/// The operations of `block` on which `value` depends, in their order, up to
/// values that `stop` accepts.
static SmallVector<Operation *> sliceOf(Value value, Block &block,
                                        llvm::function_ref<bool(Value)> stop) {
  llvm::SmallPtrSet<Operation *, 16> needed;
  SmallVector<Value> open = {value};
  while (!open.empty()) {
    Value next = open.pop_back_val();
    Operation *definition = next.getDefiningOp();
    if (!definition || definition->getBlock() != &block || stop(next) ||
        !needed.insert(definition).second)
      continue;
    llvm::append_range(open, definition->getOperands());
  }
  SmallVector<Operation *> ordered;
  for (Operation &inner : block)
    if (needed.contains(&inner))
      ordered.push_back(&inner);
  return ordered;
}

Value GenericDerivativeBuilder::makeGeneric(OpOperand &operand, Value yielded) {
  AffineMap map = mapOf(operand);
  llvm::SmallBitVector covered(op.getNumLoops());
  auto cover = [&](AffineMap by) {
    for (AffineExpr result : by.getResults())
      if (auto dim = dyn_cast<AffineDimExpr>(result))
        covered.set(dim.getPosition());
  };
  cover(map);
  SmallVector<Operation *> needed =
      sliceOf(yielded, block, [&](Value value) { return computed.contains(value); });
  SmallVector<Value> scalars; ///< values of `block` that come from tensors
  SmallVector<Source> inputs;
  auto use = [&](Value scalar) {
    auto argument = dyn_cast<BlockArgument>(scalar);
    bool isSource = argument && argument.getOwner() == &block;
    if ((!isSource && !computed.contains(scalar)) || llvm::is_contained(scalars, scalar))
      return;
    scalars.push_back(scalar);
    inputs.push_back(isSource ? sources[argument.getArgNumber()] : computed.lookup(scalar));
    cover(inputs.back().map);
  };
  use(yielded);
  for (Operation *inner : needed)
    for (Value value : inner->getOperands())
      use(value);
  // The loops' extents come from the operands: each loop must index one.
  for (auto [index, source] : llvm::enumerate(sources)) {
    llvm::SmallBitVector before = covered;
    cover(source.map);
    if (covered != before && !llvm::is_contained(scalars, block.getArgument(index))) {
      scalars.push_back(block.getArgument(index));
      inputs.push_back(source);
    }
  }
  Type element = getElementTypeOrSelf(operand.get().getType());
  bool sums = map.getNumResults() < op.getNumLoops();
  Type acc = sums ? accumulationType(element) : element;
  SmallVector<Value> tensors;
  SmallVector<AffineMap> maps;
  for (const Source &input : inputs) {
    tensors.push_back(input.tensor);
    maps.push_back(input.map);
  }
  maps.push_back(map);
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(builder, loc, operand.get());
  Value init = builder.create<tensor::EmptyOp>(loc, sizes, acc);
  if (sums) {
    Value zero = builder.create<arith::ConstantOp>(loc, builder.getFloatAttr(acc, 0));
    init = builder.create<linalg::FillOp>(loc, zero, init).getResult(0);
  }
  SmallVector<utils::IteratorType> loops(op.getNumLoops(), utils::IteratorType::reduction);
  for (AffineExpr result : map.getResults())
    loops[cast<AffineDimExpr>(result).getPosition()] = utils::IteratorType::parallel;
  auto body = [&](OpBuilder &nested, Location loc, ValueRange args) {
    IRMapping values;
    for (auto [scalar, argument] : llvm::zip(scalars, args))
      values.map(scalar, argument);
    for (Operation *inner : needed)
      nested.clone(*inner, values);
    Value value = convertScalar(nested, loc, values.lookupOrDefault(yielded), acc);
    if (sums)
      value = nested.create<arith::AddFOp>(loc, args.back(), value);
    nested.create<linalg::YieldOp>(loc, value);
  };
  Value result = builder
                     .create<linalg::GenericOp>(loc, TypeRange{init.getType()}, tensors,
                                                ValueRange{init}, maps, loops, body)
                     .getResult(0);
  return convertElements(builder, loc, result, element);
}

LogicalResult GenericDerivativeBuilder::addGradientOf(OpOperand &operand) {
  AffineMap map = mapOf(operand);
  if (!map.isProjectedPermutation())
    return op.emitOpError() << "has no derivative with respect to operand "
                            << operand.getOperandNumber()
                            << ": its indexing map must be a projected permutation, found "
                            << AffineMapAttr::get(map);
  Value yielded = gradients.lookup(op.getMatchingBlockArgument(&operand));
  if (!yielded)
    return success();
  Value gradient = asGiven(operand, yielded);
  if (!gradient) {
    gradient = makeGeneric(operand, yielded);
    if (map.isPermutation())
      computed.try_emplace(yielded, Source{gradient, map});
  }
  adjoints.add(builder, operand.get(), gradient);
  return success();
}

LogicalResult GenericDerivativeBuilder::run() {
  if (failed(checkCaptured()) || failed(classify()))
    return failure();
  for (OpOperand &operand : op->getOpOperands())
    sources.push_back({operand.get(), mapOf(operand)});
  for (auto [index, output] : llvm::enumerate(outputs)) {
    if (!output.gradient)
      continue;
    AffineMap map = mapOf(*op.getDpsInitOperand(index));
    sources.push_back({output.gradient, map});
    if (output.kind != OutputKind::Extremum)
      continue;
    sources.push_back({op->getResult(index), map});
    sources.push_back({countEqual(output, index), map});
  }
  if (failed(emitBody()))
    return failure();
  // Operands that all loops index come first: the sums can reuse theirs.
  SmallVector<OpOperand *> order;
  for (OpOperand &operand : op->getOpOperands())
    if (adjoints.isActive(operand.get()))
      order.push_back(&operand);
  llvm::sort(order, [&](OpOperand *a, OpOperand *b) {
    auto key = [&](OpOperand *operand) {
      return std::pair(-int64_t(mapOf(*operand).getNumResults()), operand->getOperandNumber());
    };
    return key(a) < key(b);
  });
  for (OpOperand *operand : order) {
    unsigned number = operand->getOperandNumber(), inputs = op.getNumDpsInputs();
    if (number >= inputs && outputs[number - inputs].gradient) {
      const Output &output = outputs[number - inputs];
      if (output.kind == OutputKind::Sum) {
        adjoints.add(builder, operand->get(), output.gradient);
        continue;
      }
      if (output.kind == OutputKind::Extremum)
        return op.emitOpError("has no derivative with respect to the start of an extremum");
    }
    if (failed(addGradientOf(*operand)))
      return failure();
  }
  return success();
}

namespace {

struct GenericDerivative
    : DifferentiableOpInterface::ExternalModel<GenericDerivative, linalg::GenericOp> {
  LogicalResult buildDerivative(Operation *op, OpBuilder &builder, Adjoints &adjoints) const {
    return GenericDerivativeBuilder(cast<linalg::GenericOp>(op), builder, adjoints).run();
  }
};

} // namespace

void aft::attachGenericDerivative(MLIRContext &context) {
  linalg::GenericOp::attachInterface<GenericDerivative>(context);
}

void aft::registerLinalgDerivatives(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, linalg::LinalgDialect *) {
    attachGenericDerivative(*context);
    attachMatmulDerivatives(*context);
  });
}
