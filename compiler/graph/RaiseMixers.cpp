//===- RaiseMixers.cpp - Mixers written by hand become operations ---------===//

#include "compiler/graph/Passes.h"
#include "compiler/graph/raise/Distances.h"
#include "compiler/graph/raise/Emit.h"
#include "compiler/graph/raise/Recurrence.h"
#include "compiler/kernels/Remarks.h"
#include "compiler/report/CompileReport.h"
#include "dialect/ir/AFT.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace aft {
#define GEN_PASS_DEF_RAISEMIXERS
#include "compiler/graph/Passes.h.inc"
} // namespace aft

using namespace mlir;
using namespace aft;
using namespace aft::raise;

/// Elementwise operations behind N/Z are looked at up to this many.
static constexpr int kReaders = 4;
/// Results of a higher rank are none of a mixer.
static constexpr int64_t kRank = 8;
static constexpr StringLiteral kDropped =
    "a small number added to the denominator was left out, as --fast allows";
static constexpr StringLiteral kUnbounded =
    "a small bound on the denominator was left out, as --fast allows";

namespace {

/// One operation read as a mixer.
struct Attempt {
  using Splits = llvm::SmallDenseMap<int64_t, SmallVector<int64_t, 2>>;
  Formulas formulas;
  SmallVector<int> vars;
  SmallVector<SmallVector<int>> dims; ///< the variables of each dimension that is not 1
  Splits splits; ///< into which extents a dimension would have to be split to know more
  std::optional<MixerMatch> match;
  Miss miss;
  Operation *total = nullptr; ///< what computes one of the sums, where there are any

  Attempt(linalg::LinalgOp root, const RaiseOptions &options, const Splits &apart,
          bool mirrors = true)
      : formulas(root->getBlock(), mirrors, options.tables) {
    read(root, options.fast, apart);
  }
  void read(linalg::LinalgOp root, bool fast, const Splits &apart);
  Index variables(int64_t extent, ArrayRef<int64_t> parts);
  bool leavesNothing(Operation *root);
};

} // namespace

/// The place along a dimension of the result: a variable, or one for each part.
Index Attempt::variables(int64_t extent, ArrayRef<int64_t> parts) {
  dims.emplace_back();
  auto added = [&](int64_t size) {
    vars.push_back(formulas.newVariable(size));
    dims.back().push_back(vars.back());
    return Index::variable(vars.back());
  };
  if (parts.empty())
    return added(extent);
  Index joined;
  for (int64_t part : parts) {
    joined.parts.push_back(added(part));
    joined.extents.push_back({nullptr, part});
  }
  return joined;
}

void Attempt::read(linalg::LinalgOp root, bool fast, const Splits &apart) {
  Value result = root->getResult(0);
  auto type = cast<RankedTensorType>(result.getType());
  Place place;
  Vars all = 0;
  for (int64_t dim = 0; dim < type.getRank(); ++dim) {
    if (type.getDimSize(dim) == 1) {
      place.push_back({});
      continue;
    }
    auto parts = apart.find(dim);
    place.push_back(variables(type.getDimSize(dim),
                              parts == apart.end() ? ArrayRef<int64_t>() : parts->second));
    all |= varsOf(place.back());
  }
  Expr opened = formulas.open(formulas.element(result, place));
  if (!opened)
    return;
  Normalizer normalizer(formulas, all, fast);
  Product product = normalizer.product(opened);
  if (!product.totals.empty())
    total = product.totals[0].ops.front();
  match = matchMixer(formulas, normalizer, vars, std::move(product), miss);
  if (match && !leavesNothing(root)) {
    match.reset();
    miss = {"the numerator or the denominator has another use", true};
  }
  for (auto [dim, index] : llvm::enumerate(place))
    if (auto parts = formulas.splits.find(index.var);
        index.isVariable() && parts != formulas.splits.end())
      splits[dim] = parts->second;
}

/// Reads it once more where dimensions turned out to be several.
static std::unique_ptr<Attempt> attempted(linalg::LinalgOp root, const RaiseOptions &options) {
  auto attempt = std::make_unique<Attempt>(root, options, Attempt::Splits());
  if (!attempt->match && attempt->formulas.anyMirror())
    if (auto straight = std::make_unique<Attempt>(root, options, Attempt::Splits(), false);
        straight->match)
      return straight;
  if (attempt->match || attempt->splits.empty())
    return attempt;
  auto apart = std::make_unique<Attempt>(root, options, attempt->splits);
  return apart->match ? std::move(apart) : std::move(attempt);
}

/// Whether nobody needs the sums when `root` is gone.
bool Attempt::leavesNothing(Operation *root) {
  DenseSet<Operation *> gone = {root};
  SmallVector<Operation *> order(formulas.opened.begin(), formulas.opened.end());
  llvm::sort(order, [](Operation *a, Operation *b) { return b->isBeforeInBlock(a); });
  for (Operation *op : order)
    if (llvm::all_of(op->getUsers(), [&](Operation *user) {
          return gone.contains(user) || isa<tensor::DimOp>(user);
        }))
      gone.insert(op);
  // What heads of a convolution that are computed one by one have in common.
  auto isShared = [&](Operation *op) {
    auto sum = dyn_cast<linalg::LinalgOp>(op);
    return match->filter && sum && sum.getNumDpsInputs() == 1 && sum.getNumReductionLoops() > 0;
  };
  return llvm::all_of(match->sums,
                      [&](Operation *op) { return gone.contains(op) || isShared(op); });
}

/// What the mixers compute with.
static bool isElement(Type type) { return type.isF32() || type.isF64() || type.isBF16(); }

static bool isCandidate(linalg::LinalgOp op) {
  if (!op || op->getNumResults() != 1)
    return false;
  auto type = dyn_cast<RankedTensorType>(op->getResult(0).getType());
  return type && type.getRank() <= kRank && isElement(type.getElementType());
}

/// The only operation that reads a value, where it is elementwise.
static linalg::LinalgOp readerOf(Operation *op) {
  while (op->hasOneUse()) {
    Operation *user = *op->getUsers().begin();
    auto structured = dyn_cast<linalg::LinalgOp>(user);
    if (structured)
      return isCandidate(structured) && structured.getNumReductionLoops() == 0 ? structured
                                                                               : linalg::LinalgOp();
    if (!isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::CastOp>(user))
      break;
    op = user;
  }
  return {};
}

/// What is worth knowing about a mixer beside what it is.
static std::string noteOn(const MixerMatch &match, Operation *mixer) {
  std::string note;
  if (match.smallAdded)
    note = (isa<arith::AddFOp>(match.smallAdded) ? kDropped : kUnbounded).str();
  if (isa<FullOp>(mixer) && !match.note.empty())
    note += (note.empty() ? "no aft.conv: " : "; no aft.conv: ") + match.note;
  return note;
}

FailureOr<Operation *> aft::raiseMixer(RewriterBase &rewriter, linalg::LinalgOp root,
                                       const RaiseOptions &options, RaiseRemarks &remarks) {
  if (!isCandidate(root))
    return rewriter.notifyMatchFailure(root, "not one tensor of floats");
  std::unique_ptr<Attempt> attempt = attempted(root, options);
  if (!attempt->match) {
    if (attempt->miss.near)
      remarks.misses.push_back({attempt->total, root, attempt->miss.reason});
    return rewriter.notifyMatchFailure(root, attempt->miss.reason);
  }
  // The gate and other factors often follow on their own.
  linalg::LinalgOp reader = root;
  for (int i = 0; i < kReaders && (reader = readerOf(reader)); ++i)
    if (std::unique_ptr<Attempt> larger = attempted(reader, options); larger->match) {
      root = reader;
      attempt = std::move(larger);
    }
  Emitted emitted =
      emitMixer(attempt->formulas, *attempt->match, attempt->dims, root, rewriter, attempt->miss);
  if (!emitted.mixer) {
    remarks.misses.push_back({attempt->total, root, attempt->miss.reason});
    return rewriter.notifyMatchFailure(root, attempt->miss.reason);
  }
  remarks.raised.insert(attempt->match->sums.begin(), attempt->match->sums.end());
  remarks.raised.insert(attempt->match->cancelled.begin(), attempt->match->cancelled.end());
  remarks.successes.push_back(
      {attempt->match->sums[0], emitted.mixer, noteOn(*attempt->match, emitted.mixer)});
  rewriter.replaceAllUsesWith(root->getResult(0), emitted.result);
  return emitted.mixer;
}

/// Whether there is an exponential that is not part of a sigmoid.
static bool mayHaveMixers(func::FuncOp function) {
  return function
      .walk([](Operation *op) {
        auto exp = dyn_cast<math::ExpOp>(op);
        bool weighs =
            exp ? !exp.getOperand().getDefiningOp<arith::NegFOp>() : isa<math::PowFOp>(op);
        return weighs ? WalkResult::interrupt() : WalkResult::advance();
      })
      .wasInterrupted();
}

namespace {

struct RaiseMixers : aft::impl::RaiseMixersBase<RaiseMixers> {
  using RaiseMixersBase::RaiseMixersBase;
  RaiseMixers(bool dropSmall, CompileReport *report) : report(report) { fast = dropSmall; }

  void runOnOperation() override {
    for (func::FuncOp function : getOperation().getOps<func::FuncOp>())
      if (!function.isExternal() && mayHaveMixers(function))
        raiseAll(function);
  }

  void raiseAll(func::FuncOp function) {
    IRRewriter rewriter(&getContext());
    RaiseRemarks remarks;
    SmallVector<linalg::LinalgOp> roots;
    function.walk([&](linalg::LinalgOp op) { roots.push_back(op); });
    DistanceTables tables(function);
    // From first to last: the values of a later mixer may be made of an earlier one.
    for (linalg::LinalgOp root : roots)
      if (!root->use_empty())
        (void)raiseMixer(rewriter, root, {fast, &tables}, remarks);
    tables.restore(rewriter);
    raiseRecurrences(function, rewriter, remarks);
    tell(remarks);
  }

  /// Rows that are joined: the last operation to join them comes first.
  void raiseRecurrences(func::FuncOp function, RewriterBase &rewriter, RaiseRemarks &remarks) {
    SmallVector<Operation *> joins;
    function.walk([&](Operation *op) {
      if (rowsAlong(op))
        joins.push_back(op);
    });
    DenseSet<Operation *> seen;
    for (Operation *root : llvm::reverse(joins)) {
      if (root->use_empty() || seen.contains(root))
        continue;
      Miss miss;
      Operation *mixer = nullptr;
      if (succeeded(raiseRecurrence(rewriter, root, seen, mixer, miss)))
        remarks.successes.push_back({root, mixer, ""});
      else if (miss.near)
        remarks.misses.push_back({root, root, miss.reason});
    }
  }

  void tell(const RaiseRemarks &remarks) {
    for (const RaiseRemarks::Success &success : remarks.successes) {
      if (report)
        remarkDone(*report, getArgument(), success.sum, success.mixer, success.note);
      if (!verbose)
        continue;
      success.mixer->emitRemark("raised to ") << success.mixer->getName();
      if (!success.note.empty())
        success.mixer->emitRemark(success.note);
    }
    DenseSet<Operation *> told;
    for (const RaiseRemarks::NearMiss &miss : remarks.misses) {
      if (remarks.raised.contains(miss.sum) || !told.insert(miss.sum).second)
        continue;
      if (report)
        remark(*report, getArgument(), miss.sum, miss.root, miss.reason);
      if (verbose)
        miss.root->emitRemark("not raised to a mixer: ") << miss.reason;
    }
  }

  CompileReport *report = nullptr;
};

} // namespace

std::unique_ptr<Pass> aft::createRaiseMixers(bool fast, CompileReport *report) {
  return std::make_unique<RaiseMixers>(fast, report);
}
