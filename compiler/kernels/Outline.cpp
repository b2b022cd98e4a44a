//===- Outline.cpp - Moves a group of operations into a kernel function ---===//
// Tensors from outside become operands. Constants, fills, empty tensors and
// slices are cloned into the kernel; extents are read from the operands that
// have them, so that equal kernels stay equal.

#include "compiler/kernels/Outline.h"
#include "compiler/kernels/Interface.h"
#include "dialect/ir/AFT.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace aft;

static OperandRange initsOf(Operation *op) {
  if (auto style = dyn_cast<DestinationStyleOpInterface>(op))
    return style.getDpsInits();
  // aft operations: the last operands, one per result.
  return op->getOperands().take_back(op->getNumResults());
}

Value aft::destinationOf(OpResult result) {
  Value init = initsOf(result.getOwner())[result.getResultNumber()];
  while (auto fill = init.getDefiningOp<linalg::FillOp>())
    init = fill.getDpsInits()[0];
  return init;
}

namespace {

class Outliner {
public:
  Outliner(const KernelGroup &group, ShapeAnalysis &shapes, func::FuncOp host,
           SymbolTable &symbols)
      : group(group), shapes(shapes), host(host), symbols(symbols),
        members(group.ops.begin(), group.ops.end()),
        builder(host.getContext()) {}

  LogicalResult run();

private:
  void collectOuts();
  void collectInputs(Operation *op);
  void addInput(Value tensor);
  LogicalResult cloneMember(Operation *op);
  LogicalResult mapValue(Value value);
  LogicalResult mapExtent(Value index);
  LogicalResult cloneWithOperands(Operation *op);
  void launch();
  bool isCloned(Operation *op);
  FailureOr<Value> cloneInit(Value init);
  FailureOr<Value> fillWith(linalg::FillOp fill, Value target);

  const KernelGroup &group;
  ShapeAnalysis &shapes;
  func::FuncOp host;
  SymbolTable &symbols;
  llvm::SmallPtrSet<Operation *, 8> members;
  OpBuilder builder;
  func::FuncOp kernel;
  IRMapping mapping;
  /// Host values that are operands of the launch.
  llvm::SetVector<Value> inputs;
  SmallVector<Value> outs;
  SmallVector<OpResult> results;
};

} // namespace

/// Constants, empty tensors and slices with gaps belong to the kernel.
bool Outliner::isCloned(Operation *op) {
  if (auto slice = dyn_cast_or_null<tensor::ExtractSliceOp>(op))
    return !isHostView(slice, shapes);
  return isa_and_nonnull<arith::ConstantOp, tensor::EmptyOp>(op);
}

/// Values that a group takes from outside an operation, its regions included.
static llvm::SetVector<Value> usedValues(Operation *op) {
  llvm::SetVector<Value> used(op->operand_begin(), op->operand_end());
  getUsedValuesDefinedAbove(op->getRegions(), used);
  return used;
}

/// What a compute operation reads other than through its destinations.
static llvm::SetVector<Value> readValues(Operation *op) {
  auto inputs = op->getOperands().drop_back(initsOf(op).size());
  llvm::SetVector<Value> used(inputs.begin(), inputs.end());
  getUsedValuesDefinedAbove(op->getRegions(), used);
  return used;
}

void Outliner::collectOuts() {
  for (Operation *op : group.ops)
    for (OpResult result : op->getResults()) {
      bool escapes = llvm::any_of(result.getUsers(), [&](Operation *user) {
        return !members.contains(host.front().findAncestorOpInBlock(*user));
      });
      if (!escapes && op != group.ops.back())
        continue;
      results.push_back(result);
      outs.push_back(destinationOf(result));
    }
}

void Outliner::addInput(Value tensor) {
  if (!inputs.insert(tensor))
    return;
  Block &block = kernel.front();
  BlockArgument argument = block.insertArgument(
      inputs.size() - 1, tensor.getType(), tensor.getLoc());
  mapping.map(tensor, argument);
}

/// Makes operands of the tensors that a member or a slice in front of it reads.
void Outliner::collectInputs(Operation *op) {
  bool member = members.contains(op);
  for (Value value : member ? readValues(op) : usedValues(op)) {
    Operation *def = value.getDefiningOp();
    if (!isa<RankedTensorType>(value.getType()) || members.contains(def))
      continue;
    if (!isCloned(def))
      addInput(value);
    else if (isa<tensor::ExtractSliceOp>(def))
      collectInputs(def);
  }
  if (!member)
    return;
  for (auto [result, init] : llvm::zip_equal(op->getResults(), initsOf(op))) {
    Operation *def = init.getDefiningOp();
    if (llvm::is_contained(results, result) || members.contains(def) ||
        isCloned(def) || isa_and_nonnull<linalg::FillOp>(def))
      continue;
    addInput(init);
  }
}

LogicalResult Outliner::run() {
  kernel = func::FuncOp::create(group.ops.back()->getLoc(), "kernel",
                                builder.getFunctionType({}, {}));
  kernel.setPrivate();
  kernel->setAttr(kernelAttrName, builder.getUnitAttr());
  kernel->setAttr(kindAttrName, builder.getStringAttr(group.kind));
  Block *block = kernel.addEntryBlock();
  symbols.insert(kernel, Block::iterator(host));
  collectOuts();
  for (Value out : outs)
    block->addArgument(out.getType(), out.getLoc());
  for (Operation *op : group.ops)
    collectInputs(op);
  builder.setInsertionPointToStart(block);
  for (Operation *op : group.ops)
    if (failed(cloneMember(op)))
      return failure();
  SmallVector<Value> returned = llvm::map_to_vector(
      results, [&](OpResult result) { return mapping.lookup(result); });
  builder.create<func::ReturnOp>(kernel.getLoc(), returned);
  kernel.setFunctionType(builder.getFunctionType(
      block->getArgumentTypes(), ValueRange(returned).getTypes()));
  launch();
  return success();
}

/// A destination of its own for a result that stays in the kernel.
FailureOr<Value> Outliner::cloneInit(Value init) {
  Operation *def = init.getDefiningOp();
  if (members.contains(def) || !isa_and_nonnull<linalg::FillOp, tensor::EmptyOp>(def)) {
    if (failed(mapValue(init)))
      return failure();
    return mapping.lookup(init);
  }
  if (auto fill = dyn_cast<linalg::FillOp>(def)) {
    FailureOr<Value> empty = cloneInit(fill.getDpsInits()[0]);
    if (failed(empty))
      return failure();
    return fillWith(fill, *empty);
  }
  for (Value operand : def->getOperands())
    if (failed(mapValue(operand)))
      return failure();
  return builder.clone(*def, mapping)->getResult(0);
}

FailureOr<Value> Outliner::fillWith(linalg::FillOp fill, Value target) {
  if (failed(mapValue(fill.value())))
    return failure();
  return builder
      .create<linalg::FillOp>(fill.getLoc(), mapping.lookup(fill.value()),
                              target)
      .getResult(0);
}

/// A result that is used outside is written through the kernel's argument.
LogicalResult Outliner::cloneMember(Operation *op) {
  for (Value value : readValues(op))
    if (failed(mapValue(value)))
      return failure();
  SmallVector<Value> inits;
  for (auto [result, init] : llvm::zip_equal(op->getResults(), initsOf(op))) {
    auto position = llvm::find(results, result);
    FailureOr<Value> target;
    if (position == results.end()) {
      target = cloneInit(init);
    } else {
      target = Value(kernel.front().getArgument(
          inputs.size() + std::distance(results.begin(), position)));
      if (auto fill = init.getDefiningOp<linalg::FillOp>())
        target = fillWith(fill, *target);
    }
    if (failed(target))
      return failure();
    inits.push_back(*target);
  }
  Operation *clone = builder.clone(*op, mapping);
  unsigned first = clone->getNumOperands() - inits.size();
  for (auto [index, init] : llvm::enumerate(inits))
    clone->setOperand(first + index, init);
  return success();
}

LogicalResult Outliner::mapValue(Value value) {
  if (mapping.contains(value))
    return success();
  if (value.getType().isIndex())
    return mapExtent(value);
  Operation *def = value.getDefiningOp();
  if (isa<RankedTensorType>(value.getType()) && !isCloned(def)) {
    addInput(value);
    return success();
  }
  if (def && (isCloned(def) || isa<tensor::ExtractOp>(def) ||
              (isMemoryEffectFree(def) && !isa<ShapedType>(value.getType()))))
    return cloneWithOperands(def);
  return group.ops.back()->emitOpError()
         << "cannot be outlined: a value of type " << value.getType()
         << " does not follow from tensors";
}

LogicalResult Outliner::cloneWithOperands(Operation *op) {
  for (Value operand : op->getOperands())
    if (failed(mapValue(operand)))
      return failure();
  builder.clone(*op, mapping);
  return success();
}

/// An extent is a constant or an extent of an operand; else it is computed as
/// on the host.
LogicalResult Outliner::mapExtent(Value index) {
  OpFoldResult extent = shapes.representative(index);
  if (std::optional<int64_t> constant = getConstantIntValue(extent)) {
    mapping.map(index, builder.create<arith::ConstantIndexOp>(
                           index.getLoc(), *constant));
    return success();
  }
  SmallVector<Value> operands(inputs.begin(), inputs.end());
  operands.append(outs);
  for (auto [position, operand] : llvm::enumerate(operands)) {
    auto type = cast<RankedTensorType>(operand.getType());
    for (auto [dim, found] : llvm::enumerate(shapes.shape(operand)))
      if (found == extent && type.isDynamicDim(dim)) {
        mapping.map(index, builder.create<tensor::DimOp>(
                               index.getLoc(),
                               kernel.front().getArgument(position), dim));
        return success();
      }
  }
  Value value = cast<Value>(extent);
  Operation *def = value.getDefiningOp();
  if (auto dim = dyn_cast_or_null<tensor::DimOp>(def))
    addInput(dim.getSource());
  if (!def || !isMemoryEffectFree(def))
    return group.ops.back()->emitOpError(
        "cannot be outlined: an index does not follow from tensors");
  if (failed(cloneWithOperands(def)))
    return failure();
  mapping.map(index, mapping.lookup(value));
  return success();
}

void Outliner::launch() {
  OpBuilder hostBuilder(group.ops.back());
  // The last operation names the launch, but it comes from all of them.
  SmallVector<Location> places;
  for (Operation *op : llvm::reverse(group.ops))
    places.push_back(op->getLoc());
  auto launch = hostBuilder.create<LaunchOp>(
      hostBuilder.getFusedLoc(places), ValueRange(outs).getTypes(), kernel.getName(),
      inputs.getArrayRef(), outs);
  for (auto [result, replacement] :
       llvm::zip_equal(results, launch.getResults())) {
    shapes.copyShape(result, replacement);
    result.replaceUsesWithIf(replacement, [&](OpOperand &use) {
      return !members.contains(
          host.front().findAncestorOpInBlock(*use.getOwner()));
    });
  }
}

LogicalResult aft::outline(const KernelGroup &group, ShapeAnalysis &shapes,
                           func::FuncOp host, SymbolTable &symbols) {
  return Outliner(group, shapes, host, symbols).run();
}
