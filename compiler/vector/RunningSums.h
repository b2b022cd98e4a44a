//===- RunningSums.h - Sums of exponentials, walked in order --------------===//

#ifndef AFT_COMPILER_VECTOR_RUNNINGSUMS_H
#define AFT_COMPILER_VECTOR_RUNNINGSUMS_H

#include "compiler/vector/Panels.h"

namespace aft {

/// For each lane group of a panel, sums of exp(x) a and exp(x) b over the terms added
/// so far, relative to a base that is at least as large as any x, so that no weight is above
/// 1, and not far above the largest: only a term above the base raises it, to kHeadroom above
/// that term. So a term costs one exponential. The base depends on earlier terms alone, and
/// as one of these set it, the sum of exp(x) never vanishes beside it.
///
/// Terms are summed in runs; the sum of the runs carries its rounding error, so that
/// the error does not grow with their number.
class RunningSums {
public:
  using Value = mlir::Value;
  using Pair = std::pair<Value, Value>;

  /// How far terms may rise until the base follows.
  static constexpr double kHeadroom = 5;
  /// Terms of a run.
  static constexpr int64_t kRun = 64;

  explicit RunningSums(const Panel &panel);
  void clear();
  /// Adds a term to group i's sums and returns them; `terms` gives the products of the
  /// weight exp(x - base) with a and b.
  MixState add(LaneEmitter &group, Value i, Value x, llvm::function_ref<Pair(Value weight)> terms);
  MixState total(LaneEmitter &group, Value i);
  /// Ends the runs of all groups.
  void endRun();

private:
  enum Part { kBase, kN, kZ, kOlderN, kOlderZ, kRestN, kRestZ, kParts };
  Value load(LaneEmitter &group, Value i, Part part);
  void store(Value value, Value i, Part part);
  MixState rebase(LaneEmitter &group, Value i, Value x, const MixState &state, Value isAbove);

  const Panel &panel;
  Emitter &e;
  Value memory;
};

/// Adds `term` to a sum and what the addition loses to `rest`.
void addExactly(Emitter &e, mlir::Value term, mlir::Value &sum, mlir::Value &rest);

/// Whether a condition holds on any lane.
mlir::Value anyLane(Emitter &e, mlir::Value condition);

/// The largest negative finite number of a float type, as `type`.
mlir::Value lowest(Emitter &e, mlir::Type type);

} // namespace aft

#endif // AFT_COMPILER_VECTOR_RUNNINGSUMS_H
