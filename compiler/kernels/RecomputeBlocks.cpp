//===- RecomputeBlocks.cpp - Keeps little of the forward pass -------------===//
// A model's forward pass has narrow places: positions at which all that comes
// later depends on one tensor, such as the residual stream between two blocks.
// Only these are kept. What the reverse pass reads of a block in between is
// computed a second time, from the narrow place before it, when the reverse pass
// comes to that block: the same operations on the same operands, so the same
// bits (Chen et al., "Training Deep Nets with Sublinear Memory Cost").

#include "compiler/kernels/Groups.h"
#include "compiler/kernels/Lifetimes.h"
#include "compiler/kernels/Passes.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;

namespace aft {
#define GEN_PASS_DEF_RECOMPUTEBLOCKS
#include "compiler/kernels/Passes.h.inc"
} // namespace aft

using namespace aft;

/// Beside a narrow place's tensor, what takes at most this share of its memory is
/// kept as well: statistics of rows, seeds, biases made from parameters.
static constexpr int64_t kSmallShare = 8;

namespace {

/// The operations after one narrow place up to the next, whose tensor is kept.
struct Segment {
  int64_t end; ///< position that makes `kept`
  Value kept;
  int64_t saved; ///< bytes of it that the reverse pass reads
};

class BlockRecomputation {
public:
  explicit BlockRecomputation(func::FuncOp function)
      : block(&function.front()), lives(function), peak(lives.peak()) {}
  void run();

private:
  void findSegments();
  Value narrowAt(int64_t position, llvm::ArrayRef<Value> crossing);
  SmallVector<Segment> merged(int64_t stride);
  SmallVector<Segment> choose();
  bool isRead(const Lifetime &life) {
    return !life.uses.empty() && life.uses.back().position > peak;
  }
  void recompute(int64_t begin, const Segment &segment);
  SmallVector<Operation *> slice(ArrayRef<Value> wanted, int64_t begin);
  bool isKept(Value value, int64_t begin);

  Block *block;
  Lifetimes lives;
  int64_t peak;
  SmallVector<Segment> segments;
  int64_t keptBytes = 0; ///< of the largest tensor of a narrow place
};

} // namespace

//===----------------------------------------------------------------------===//
// Narrow places
//===----------------------------------------------------------------------===//

/// The only large one of the tensors that are needed beyond a position.
Value BlockRecomputation::narrowAt(int64_t position, ArrayRef<Value> crossing) {
  Value largest;
  int64_t all = 0, most = 0;
  for (Value value : crossing) {
    int64_t bytes = lives.of(value)->bytes;
    all += bytes;
    if (bytes > most) {
      most = bytes;
      largest = value;
    }
  }
  return (all - most) * kSmallShare <= most ? largest : Value();
}

void BlockRecomputation::findSegments() {
  // Per position, what is made until there and used later in the forward pass.
  struct Reach {
    Value value;
    int64_t last;
  };
  SmallVector<SmallVector<Reach>> madeAt(peak + 1);
  for (const auto &[value, life] : lives.all()) {
    if (life.made > peak)
      continue;
    int64_t last = life.made;
    for (const TensorUse &use : life.uses)
      if (use.position <= peak)
        last = use.position;
    madeAt[life.made].push_back({value, last});
  }
  SmallVector<Reach> alive;
  for (int64_t position = 0; position < peak; ++position) {
    alive.append(madeAt[position]);
    llvm::erase_if(alive, [&](const Reach &reach) { return reach.last <= position; });
    SmallVector<Value> crossing;
    for (const Reach &reach : alive)
      crossing.push_back(reach.value);
    Value kept = narrowAt(position, crossing);
    bool isNew = kept && lives.of(kept)->made == position;
    if (!isNew)
      continue;
    segments.push_back({position, kept, 0});
    keptBytes = std::max(keptBytes, lives.of(kept)->bytes);
  }
  for (const auto &[value, life] : lives.all())
    for (Segment &segment : segments)
      if (life.made <= segment.end) {
        segment.saved += isRead(life) && value != segment.kept ? life.bytes : 0;
        break;
      }
}

/// Every so many segments as one.
SmallVector<Segment> BlockRecomputation::merged(int64_t stride) {
  SmallVector<Segment> result;
  for (auto [index, segment] : llvm::enumerate(segments)) {
    if (index % stride == 0) {
      result.push_back(segment);
      continue;
    }
    int64_t between =
        isRead(*lives.of(result.back().kept)) ? lives.of(result.back().kept)->bytes : 0;
    segment.saved += result.back().saved + between;
    result.back() = segment;
  }
  return result;
}

/// Few narrow places are little to keep, but a long way to compute again: the
/// best stride has the smallest sum of both.
SmallVector<Segment> BlockRecomputation::choose() {
  SmallVector<Segment> best;
  int64_t least = std::numeric_limits<int64_t>::max();
  for (size_t stride = 1; stride <= segments.size(); ++stride) {
    SmallVector<Segment> found = merged(stride);
    int64_t kept = 0, most = 0;
    for (const Segment &segment : found) {
      kept += lives.of(segment.kept)->bytes;
      most = std::max(most, segment.saved);
    }
    if (kept + most >= least)
      continue;
    least = kept + most;
    best = std::move(found);
  }
  return best;
}

//===----------------------------------------------------------------------===//
// Computing a block again
//===----------------------------------------------------------------------===//

/// Whether a tensor from before or within a segment is there in the reverse pass
/// too: made before it, or small.
bool BlockRecomputation::isKept(Value value, int64_t begin) {
  const Lifetime *life = lives.of(value);
  return !life || life->made <= begin || life->bytes * kSmallShare * 2 <= keptBytes;
}

/// The operations that make the wanted tensors from what is kept, in order.
SmallVector<Operation *> BlockRecomputation::slice(ArrayRef<Value> wanted, int64_t begin) {
  llvm::SetVector<Operation *> found;
  SmallVector<Value> open(wanted);
  while (!open.empty()) {
    Operation *def = open.pop_back_val().getDefiningOp();
    if (!def || def->getBlock() != block || !found.insert(def))
      continue;
    llvm::SetVector<Value> read(def->operand_begin(), def->operand_end());
    getUsedValuesDefinedAbove(def->getRegions(), read);
    for (Value value : read)
      if (isa<RankedTensorType>(value.getType()) && lives.of(value) && !isKept(value, begin))
        open.push_back(value);
  }
  SmallVector<Operation *> ordered = found.takeVector();
  llvm::sort(ordered, [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); });
  return ordered;
}

void BlockRecomputation::recompute(int64_t begin, const Segment &segment) {
  SmallVector<Value> wanted;
  SmallVector<std::pair<OpOperand *, Value>> uses;
  Operation *first = nullptr;
  for (const auto &[value, life] : lives.all()) {
    if (life.made <= begin || life.made > segment.end || value == segment.kept || life.returned ||
        !isRead(life) || isKept(value, begin))
      continue;
    wanted.push_back(value);
    for (const TensorUse &use : life.uses) {
      if (use.position <= peak)
        continue;
      uses.push_back({use.operand, value});
      Operation *user = block->findAncestorOpInBlock(*use.operand->getOwner());
      if (!first || user->isBeforeInBlock(first))
        first = user;
    }
  }
  if (wanted.empty())
    return;
  OpBuilder builder(first);
  IRMapping again;
  for (Operation *op : slice(wanted, begin))
    builder.clone(*op, again);
  for (auto [use, value] : uses)
    redirectUse(*use, value, again.lookup(value));
}

void BlockRecomputation::run() {
  findSegments();
  SmallVector<Segment> chosen = choose();
  // The reverse pass needs the last segments first: as much as one of the others
  // takes is kept.
  int64_t most = 0, last = 0;
  for (const Segment &segment : chosen)
    most = std::max(most, segment.saved);
  for (const auto &[value, life] : lives.all()) {
    bool isAfter = chosen.empty() || life.made > chosen.back().end;
    if (isAfter && life.made <= peak && life.last >= peak)
      last += life.bytes;
  }
  while (!chosen.empty() && last + chosen.back().saved <= most)
    last += chosen.pop_back_val().saved;
  int64_t begin = -1;
  for (const Segment &segment : chosen) {
    recompute(begin, segment);
    begin = segment.end;
  }
}

namespace {

struct RecomputeBlocks : aft::impl::RecomputeBlocksBase<RecomputeBlocks> {
  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (function.isPublic() && function.getBody().hasOneBlock())
      BlockRecomputation(function).run();
  }
};

} // namespace
