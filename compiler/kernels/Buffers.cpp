//===- Buffers.cpp - Where every tensor of an entry lives -----------------===//
// Walks the launches in program order. A kernel that updates a tensor works in
// place when nobody reads the old contents later; what ends as a result is
// written straight into the result's memory; all else lives in the arena.

#include "compiler/kernels/Buffers.h"

using namespace mlir;
using namespace aft;

static bool isView(Operation *op) {
  return isa_and_nonnull<tensor::CollapseShapeOp, tensor::ExpandShapeOp,
                         tensor::CastOp, tensor::ExtractSliceOp>(op);
}

/// Calls `callback` for every use of a tensor through views of it.
static bool
anyUse(Value value, llvm::function_ref<bool(OpOperand &)> callback) {
  return llvm::any_of(value.getUses(), [&](OpOperand &use) {
    Operation *owner = use.getOwner();
    if (isView(owner))
      return anyUse(owner->getResult(0), callback);
    return isa<LaunchOp, func::ReturnOp>(owner) && callback(use);
  });
}

/// Whether a view shows the whole of its tensor.
static bool isWholeView(Value value) {
  for (Operation *def = value.getDefiningOp(); isView(def);
       def = value.getDefiningOp()) {
    if (isa<tensor::ExtractSliceOp>(def))
      return false;
    value = def->getOperand(0);
  }
  return true;
}

static bool hasOffset(Value value) {
  for (Operation *def = value.getDefiningOp(); isView(def);
       def = value.getDefiningOp()) {
    if (auto slice = dyn_cast<tensor::ExtractSliceOp>(def))
      if (!llvm::all_of(slice.getMixedOffsets(), [](OpFoldResult offset) {
            return isConstantIntValue(offset, 0);
          }))
        return true;
    value = def->getOperand(0);
  }
  return false;
}

BufferAssignment::BufferAssignment(func::FuncOp function,
                                   const EntryInterface &interface)
    : function(function), interface(interface) {
  int64_t count = 0;
  for (Operation &op : function.front())
    positions[&op] = count++;
  for (BlockArgument argument : function.getArguments()) {
    byValue[argument] = newBuffer(argument, 0);
    list.back().kind = HostBuffer::argument;
    list.back().index = argument.getArgNumber();
  }
  findChains();
  for (auto launch : function.getOps<LaunchOp>())
    visitLaunch(launch);
  placeResults();
  computeLiveness();
}

unsigned BufferAssignment::newBuffer(Value value, int64_t first) {
  HostBuffer buffer;
  buffer.value = value;
  buffer.first = buffer.last = first;
  list.push_back(buffer);
  return list.size() - 1;
}

unsigned BufferAssignment::bufferOf(Value tensor) {
  Value root = viewedTensor(tensor);
  auto it = byValue.find(root);
  if (it != byValue.end())
    return it->second;
  // A tensor.empty that is read: whatever the arena holds.
  unsigned number = newBuffer(root, position(root.getDefiningOp()));
  byValue[root] = number;
  return number;
}

/// Follows each result that updates an argument back to the argument.
void BufferAssignment::findChains() {
  Operation *terminator = function.front().getTerminator();
  for (auto [number, output] : llvm::enumerate(interface.outputs)) {
    if (output.alias < 0)
      continue;
    SmallVector<Value> chain;
    Value value = terminator->getOperand(number);
    while (isWholeView(value)) {
      value = viewedTensor(value);
      auto launch = value.getDefiningOp<LaunchOp>();
      if (!launch)
        break;
      chain.push_back(value);
      value = launch.getInits()[cast<OpResult>(value).getResultNumber()];
    }
    auto argument = dyn_cast<BlockArgument>(value);
    if (argument && argument.getArgNumber() == output.alias)
      for (Value member : chain)
        updates[member] = output.alias;
  }
}

/// Whether a tensor is read after, or also by, the launch that updates it.
bool BufferAssignment::readAfter(Value root, OpOperand &update) {
  int64_t at = position(update.getOwner());
  return anyUse(root, [&](OpOperand &use) {
    return &use != &update && position(use.getOwner()) >= at;
  });
}

/// Whether anything that lives in an argument's memory is used at or after a
/// position.
bool BufferAssignment::argumentUsedFrom(unsigned argument, int64_t from) {
  unsigned number = byValue.lookup(function.getArgument(argument));
  return llvm::any_of(byValue, [&](auto entry) {
    return entry.second == number && anyUse(entry.first, [&](OpOperand &use) {
             return position(use.getOwner()) >= from;
           });
  });
}

void BufferAssignment::visitLaunch(LaunchOp launch) {
  for (auto [number, result] : llvm::enumerate(launch->getResults())) {
    OpOperand &init =
        launch->getOpOperand(launch.getInputs().size() + number);
    int64_t at = position(launch);
    Value root = viewedTensor(init.get());
    if (root.getDefiningOp<tensor::EmptyOp>()) {
      byValue[result] = newBuffer(result, at);
      continue;
    }
    unsigned old = bufferOf(root);
    bool inPlace = isWholeView(init.get()) && !readAfter(root, init);
    if (inPlace && list[old].kind == HostBuffer::argument) {
      auto update = updates.find(result);
      inPlace = update != updates.end() && update->second == list[old].index;
    }
    if (inPlace) {
      byValue[result] = old;
      continue;
    }
    unsigned fresh = newBuffer(result, at);
    byValue[result] = fresh;
    copyList.push_back({init.get(), fresh, launch, result});
  }
}

/// Tries to have a result computed where it belongs.
bool BufferAssignment::placeResult(unsigned number) {
  Value value = function.front().getTerminator()->getOperand(number);
  const InterfaceValue &output = interface.outputs[number];
  HostBuffer &buffer = list[bufferOf(value)];
  bool aliases = output.alias >= 0;
  if (aliases && buffer.kind == HostBuffer::argument &&
      buffer.index == output.alias && isWholeView(value))
    return true;
  bool sliced = anyUse(viewedTensor(value), [](OpOperand &use) {
    return hasOffset(use.get());
  });
  if (buffer.kind != HostBuffer::arena || !isWholeView(value) || sliced)
    return false;
  if (aliases && argumentUsedFrom(output.alias, buffer.first))
    return false;
  buffer.kind = aliases ? HostBuffer::argument : HostBuffer::output;
  buffer.index = aliases ? output.alias : number;
  return true;
}

void BufferAssignment::placeResults() {
  Operation *terminator = function.front().getTerminator();
  SmallVector<unsigned> left;
  for (unsigned number = 0; number < interface.outputs.size(); ++number)
    if (!placeResult(number))
      left.push_back(number);
  auto destination = [&](unsigned number) {
    int64_t alias = interface.outputs[number].alias;
    unsigned buffer = newBuffer(terminator->getOperand(number),
                                position(terminator));
    list[buffer].kind = alias >= 0 ? HostBuffer::argument : HostBuffer::output;
    list[buffer].index = alias >= 0 ? alias : number;
    return buffer;
  };
  // New results first: they may still read arguments that are updated below.
  // Updates whose new value lies in an argument go through the arena, for that
  // argument may itself be updated.
  SmallVector<HostCopy> updatesAtEnd;
  for (unsigned number : left) {
    Value value = terminator->getOperand(number);
    if (interface.outputs[number].alias < 0) {
      copyList.push_back({value, destination(number), terminator, value});
      continue;
    }
    if (list[bufferOf(value)].kind != HostBuffer::argument) {
      updatesAtEnd.push_back({value, destination(number), terminator, value});
      continue;
    }
    unsigned stage = newBuffer(value, position(terminator));
    copyList.push_back({value, stage, terminator, value});
    updatesAtEnd.push_back({Value(), destination(number), terminator, value});
    updatesAtEnd.back().stage = stage;
  }
  copyList.append(updatesAtEnd);
}

void BufferAssignment::computeLiveness() {
  for (auto [value, number] : byValue) {
    HostBuffer &buffer = list[number];
    anyUse(value, [&](OpOperand &use) {
      buffer.last = std::max(buffer.last, position(use.getOwner()));
      return false;
    });
  }
}
