//===- OrderLaunches.cpp - Has updates follow their gradients -------------===//
// A training step ends in the updates of all parameters. Each reads what its
// gradient is made of; so they are done as soon as that is there, and it need
// not live until the end.

#include "compiler/kernels/Groups.h"
#include "compiler/kernels/Interface.h"
#include "compiler/kernels/Lifetimes.h"
#include "compiler/kernels/Passes.h"
#include "compiler/kernels/ProductForm.h"
#include "dialect/ir/AFT.h"

using namespace mlir;

namespace aft {
#define GEN_PASS_DEF_ORDERLAUNCHES
#include "compiler/kernels/Passes.h.inc"
} // namespace aft

using namespace aft;

namespace {

class LaunchOrder {
public:
  explicit LaunchOrder(func::FuncOp entry);
  void apply();

private:
  bool runsEarly(LaunchOp launch);
  std::optional<int64_t> findPartner(int64_t number);
  int64_t readySince(int64_t number);
  void place(Operation *op);

  Block &block;
  SmallVector<LaunchOp> launches;
  llvm::DenseMap<Operation *, int64_t> numbers;
  /// The launches that read or update a tensor, by the tensor behind views.
  llvm::DenseMap<Value, SmallVector<int64_t>> users;
  llvm::DenseSet<Value> returned;
  /// Per launch: the number of the launch after which it runs.
  SmallVector<int64_t> anchors;
  llvm::DenseSet<Operation *> placed;
};

} // namespace

LaunchOrder::LaunchOrder(func::FuncOp entry) : block(entry.front()) {
  for (auto launch : entry.getOps<LaunchOp>()) {
    numbers[launch] = launches.size();
    for (Value operand : launch->getOperands())
      users[viewedTensor(operand)].push_back(launches.size());
    launches.push_back(launch);
  }
  for (Value value : block.getTerminator()->getOperands())
    returned.insert(viewedTensor(value));
}

/// Updates, and the numbers that they share: those that follow from the step.
bool LaunchOrder::runsEarly(LaunchOp launch) {
  return llvm::all_of(launch->getResultTypes(), isTiny) ||
         llvm::all_of(launch->getResults(), [&](Value result) {
           return returned.contains(result) && !users.contains(result);
         });
}

/// The product, later on, that a library may compute together with sums of columns: it sums
/// over the rows of the same matrix, to the same type.
std::optional<int64_t> LaunchOrder::findPartner(int64_t number) {
  auto kernelOf = [](LaunchOp launch) {
    return SymbolTable::lookupNearestSymbolFrom(launch, launch.getKernelAttr());
  };
  LaunchOp launch = launches[number];
  Operation *kernel = kernelOf(launch);
  std::optional<ColumnSumsForm> sums = kernel ? columnSumsOf(kernel) : std::nullopt;
  if (!sums)
    return std::nullopt;
  Value matrix = viewedTensor(launch->getOperand(sums->matrix));
  for (int64_t user : users.lookup(matrix)) {
    Operation *other = kernelOf(launches[user]);
    std::optional<ProductForm> product = other ? productOf(other) : std::nullopt;
    auto reads = [&](int64_t operand) {
      return viewedTensor(launches[user]->getOperand(operand)) == matrix;
    };
    if (user > number && product && product->batch < 0 && product->bias < 0 && !product->gelu &&
        product->type == sums->type && product->resultType == sums->resultType &&
        ((product->transposedA && reads(product->a)) ||
         (!product->transposedB && reads(product->b))))
      return user;
  }
  return std::nullopt;
}

/// The last launch that makes an operand or needs the old contents of a tensor
/// that this one updates.
int64_t LaunchOrder::readySince(int64_t number) {
  LaunchOp launch = launches[number];
  int64_t ready = 0;
  auto after = [&](int64_t other) {
    if (other < number)
      ready = std::max(ready, anchors[other]);
  };
  for (Value operand : launch->getOperands())
    if (auto producer = viewedTensor(operand).getDefiningOp<LaunchOp>())
      after(numbers.lookup(producer));
  for (Value init : launch.getInits()) {
    Value root = viewedTensor(init);
    if (!root.getDefiningOp<tensor::EmptyOp>())
      for (int64_t user : users.lookup(root))
        after(user);
  }
  return ready;
}

/// Moves an operation to the end, what it needs first.
void LaunchOrder::place(Operation *op) {
  if (!placed.insert(op).second)
    return;
  for (Value operand : op->getOperands())
    if (Operation *def = operand.getDefiningOp())
      place(def);
  op->moveBefore(block.getTerminator());
}

void LaunchOrder::apply() {
  SmallVector<int64_t> order;
  // Sums, by number, and the products that they come right before: these stay where they are.
  llvm::DenseMap<int64_t, int64_t> partners;
  llvm::DenseSet<int64_t> awaited;
  for (int64_t number = 0, count = launches.size(); number < count; ++number)
    if (std::optional<int64_t> partner = findPartner(number)) {
      partners[number] = *partner;
      awaited.insert(*partner);
    }
  for (auto [number, launch] : llvm::enumerate(launches)) {
    anchors.push_back(number);
    if (auto partner = partners.find(number); partner != partners.end())
      anchors[number] = partner->second;
    else if (runsEarly(launch) && !awaited.contains(number))
      anchors[number] = readySince(number);
    order.push_back(number);
  }
  llvm::sort(order, [&](int64_t a, int64_t b) {
    return std::pair(anchors[a], a) < std::pair(anchors[b], b);
  });
  SmallVector<Operation *> others;
  for (Operation &op : block.without_terminator())
    if (!isa<LaunchOp>(op))
      others.push_back(&op);
  for (int64_t number : order)
    place(launches[number]);
  for (Operation *op : others)
    place(op);
}

namespace {

struct OrderLaunches : aft::impl::OrderLaunchesBase<OrderLaunches> {
  void runOnOperation() override {
    func::FuncOp entry = getOperation();
    bool onTensors =
        llvm::none_of(entry.getArgumentTypes(), [](Type type) { return isa<MemRefType>(type); });
    if (entry->hasAttr(entryAttrName) && onTensors && !entry.isExternal())
      LaunchOrder(entry).apply();
  }
};

} // namespace
