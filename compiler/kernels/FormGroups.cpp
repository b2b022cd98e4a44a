//===- FormGroups.cpp - Which operations share a kernel -------------------===//
// From the last operation backwards: an operation that nothing has claimed
// starts a group, and producers join as long as everything that uses them has
// joined. So a group has no result but its last operation's, and it can run
// where that operation stood.

#include "compiler/kernels/Groups.h"
#include "compiler/kernels/ProductForm.h"
#include "compiler/kernels/Remarks.h"
#include "compiler/kernels/ScanForm.h"
#include "compiler/kernels/decompose/Decompose.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"

using namespace mlir;
using namespace aft;

using utils::IteratorType;

static bool isParallel(linalg::LinalgOp op) { return op.getNumParallelLoops() == op.getNumLoops(); }

/// Generics whose first loop runs over rows: it is parallel and the first
/// dimension of every result.
static bool isRowwise(Operation *op) {
  auto generic = dyn_cast<linalg::GenericOp>(op);
  if (!generic || generic.getNumLoops() == 0 ||
      generic.getIteratorTypesArray().front() != IteratorType::parallel)
    return false;
  return llvm::all_of(generic.getDpsInitsMutable(), [&](OpOperand &init) {
    AffineMap map = generic.getMatchingIndexingMap(&init);
    return map.getNumResults() > 0 && map.getResult(0) == getAffineDimExpr(0, op->getContext());
  });
}

/// Whether the first dimension of an operand is the row of its user.
static bool followsRows(OpOperand &use) {
  auto generic = cast<linalg::GenericOp>(use.getOwner());
  AffineMap map = generic.getMatchingIndexingMap(&use);
  AffineExpr row = getAffineDimExpr(0, generic.getContext());
  return map.getNumResults() > 0 && map.getResult(0) == row &&
         llvm::none_of(map.getResults().drop_front(),
                       [](AffineExpr expr) { return expr.isFunctionOfDim(0); });
}

static bool isScan(Operation *op) {
  auto structured = dyn_cast<linalg::LinalgOp>(op);
  return structured && scanFormOf(structured);
}

/// Whether a producer starts from nothing: its destinations are empty or
/// filled.
static bool startsFresh(DestinationStyleOpInterface op) {
  return llvm::all_of(op.getDpsInits(), [](Value init) {
    if (auto fill = init.getDefiningOp<linalg::FillOp>())
      init = fill.getDpsInits()[0];
    return isa_and_nonnull<tensor::EmptyOp>(init.getDefiningOp());
  });
}

/// Between the operations of a kernel of rows, a row lies on the stack: its size
/// must be known and moderate.
static bool hasSmallRows(Operation *producer) {
  constexpr int64_t mostBytes = 512 << 10;
  return llvm::all_of(producer->getResultTypes(), [](Type type) {
    auto tensor = cast<RankedTensorType>(type);
    int64_t bytes = llvm::divideCeil(tensor.getElementTypeBitWidth(), 8);
    for (int64_t extent : tensor.getShape().drop_front()) {
      if (ShapedType::isDynamic(extent) || extent > mostBytes)
        return false;
      bytes *= extent;
      if (bytes > mostBytes)
        return false;
    }
    return true;
  });
}

namespace {

class GroupBuilder {
public:
  GroupBuilder(Operation *last, const llvm::DenseSet<Operation *> &claimed, bool libraryProducts)
      : last(last), claimed(claimed), libraryProducts(libraryProducts) {
    members.insert(last);
  }

  KernelGroup build();
  /// Tells of every producer of a member whether it joined.
  void explain(CompileReport &report);

private:
  /// What keeps a producer out, as a reason; empty: nothing.
  StringRef obstacle(Operation *producer);
  StringRef obstacleOfMatmul(Operation *producer);
  std::string kind();

  Operation *last;
  const llvm::DenseSet<Operation *> &claimed;
  bool libraryProducts;
  llvm::SetVector<Operation *> members;
};

} // namespace

/// Whether an operation is what a library does on the way out of a product.
static bool isEpilogue(Operation *op) {
  auto generic = dyn_cast<linalg::GenericOp>(op);
  return generic && llvm::any_of(generic.getDpsInputs(), [&](Value input) {
           Operation *product = input.getDefiningOp();
           return product && isMatmul(product) && input.hasOneUse() &&
                  matchEpilogue(generic, input);
         });
}

/// The only consumer is the elementwise last operation, which reads the matmul
/// element by element.
StringRef GroupBuilder::obstacleOfMatmul(Operation *producer) {
  auto consumer = dyn_cast<linalg::GenericOp>(last);
  if (!consumer || !isParallel(consumer))
    return "a matmul takes in only an elementwise operation after it";
  if (members.size() > 1)
    return "a matmul takes in only one operation after it";
  bool elementByElement = llvm::all_of(producer->getUses(), [&](OpOperand &use) {
    return use.getOwner() == last && consumer.getMatchingIndexingMap(&use).isIdentity();
  });
  if (!elementByElement)
    return "the matmul's result is not read element by element";
  return libraryProducts && !matchEpilogue(consumer, producer->getResult(0))
             ? "a library's product adds a tensor and a bias, takes GELU by tanh in bf16, and does "
               "nothing else"
             : "";
}

StringRef GroupBuilder::obstacle(Operation *producer) {
  auto style = dyn_cast_or_null<DestinationStyleOpInterface>(producer);
  if (!style || !isa<linalg::LinalgOp>(producer))
    return "an aft operation is a kernel of its own";
  if (!isa<linalg::LinalgOp>(last))
    return "its user is an aft operation, which is a kernel of its own";
  if (isa<linalg::FillOp>(producer) || !startsFresh(style))
    return "its destination is a tensor that exists before";
  for (OpOperand &use : producer->getUses()) {
    auto user = dyn_cast<linalg::LinalgOp>(use.getOwner());
    if (!user || !members.contains(user))
      return "has another user outside the kernel";
    if (!user.isDpsInput(&use))
      return "its user updates the result in place";
  }
  if (claimed.count(producer))
    return "belongs to another kernel already";
  if (isMatmul(producer))
    return obstacleOfMatmul(producer);
  if (isScan(producer) || isScan(last))
    return "a running sum is a kernel of its own";
  if (libraryProducts && isEpilogue(producer))
    return "belongs to the matmul before it, which a library may compute";
  if (!llvm::all_of(members, isRowwise) || !isRowwise(producer))
    return "not all operations run over rows";
  if (!llvm::all_of(producer->getUses(), followsRows))
    return "its user does not read it row by row";
  return hasSmallRows(producer) ? "" : "a row is too large for the stack, or its size is not known";
}

void GroupBuilder::explain(CompileReport &report) {
  for (Operation *member : members) {
    llvm::SmallPtrSet<Operation *, 4> seen;
    for (Value operand : member->getOperands()) {
      Operation *producer = viewedTensor(operand).getDefiningOp();
      if (!producer || !isComputeOp(producer) || !seen.insert(producer).second)
        continue;
      StringRef reason;
      bool viewed = operand.getDefiningOp() != producer && isa<linalg::LinalgOp>(producer) &&
                    isa<linalg::LinalgOp>(last);
      if (!members.contains(producer))
        reason = viewed ? "its user reads it in another shape" : obstacle(producer);
      remark(report, "aft-form-kernels", producer, member, reason);
    }
  }
}

std::string GroupBuilder::kind() {
  if (!isa<linalg::LinalgOp>(last))
    return last->getName().stripDialect().str();
  if (llvm::any_of(members, isMatmul))
    return "matmul";
  if (isa<linalg::FillOp>(last))
    return "fill";
  if (isScan(last))
    return "scan";
  bool parallel =
      llvm::all_of(members, [](Operation *op) { return isParallel(cast<linalg::LinalgOp>(op)); });
  if (parallel)
    return "elementwise";
  auto root = cast<linalg::LinalgOp>(last);
  if (root.getNumParallelLoops() == 0)
    return "sum";
  return isRowwise(last) ? "rows" : "columns";
}

KernelGroup GroupBuilder::build() {
  // A producer can be refused because a user of it has not joined yet.
  for (bool changed = true; changed;) {
    changed = false;
    for (Operation *member : llvm::to_vector(members)) {
      for (Value operand : member->getOperands()) {
        Operation *producer = operand.getDefiningOp();
        if (!members.contains(producer) && obstacle(producer).empty()) {
          members.insert(producer);
          changed = true;
        }
      }
    }
  }
  KernelGroup group{llvm::to_vector(members), kind()};
  llvm::sort(group.ops, [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); });
  return group;
}

SmallVector<KernelGroup> aft::formGroups(func::FuncOp function, bool libraryProducts,
                                         CompileReport *report) {
  SmallVector<Operation *> ops;
  for (Operation &op : function.front())
    if (isComputeOp(&op))
      ops.push_back(&op);
  llvm::DenseSet<Operation *> claimed;
  SmallVector<KernelGroup> groups;
  for (Operation *op : llvm::reverse(ops)) {
    if (claimed.contains(op))
      continue;
    GroupBuilder builder(op, claimed, libraryProducts);
    groups.push_back(builder.build());
    if (report)
      builder.explain(*report);
    claimed.insert(groups.back().ops.begin(), groups.back().ops.end());
  }
  std::reverse(groups.begin(), groups.end());
  return groups;
}
