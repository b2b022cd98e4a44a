//===- HeadNumbers.h - Numbers that the channels of a head share ----------===//

#ifndef AFT_COMPILER_VECTOR_GRID_HEADNUMBERS_H
#define AFT_COMPILER_VECTOR_GRID_HEADNUMBERS_H

#include "compiler/vector/MixerCommon.h"

namespace aft {

/// A row of numbers for each head of a block. They come one by one, from memory in which
/// those of a head do not lie side by side, and are computed with as vectors.
class HeadNumbers {
public:
  using Value = mlir::Value;

  HeadNumbers(Emitter &e, mlir::Type element, int64_t heads, int64_t count, int64_t lanes);

  Value get(Value head, Value i) { return e.load(memory, {head, i}, 0); }
  void put(Value number, Value head, Value i) { e.store(number, memory, {head, i}); }
  /// Writes the row of a head, and `rest` behind it up to a whole vector.
  void fill(Value head, double rest, llvm::function_ref<Value(Value i)> numberOf);
  /// Replaces the numbers of a head, a vector at a time.
  void map(Value head, llvm::function_ref<Value(Value numbers)> body);
  /// Combines the vectors of a head, beginning with `start` in all lanes.
  Value combine(Value head, Value start, llvm::function_ref<Value(Value, Value)> body);
  /// The largest number of a head, 0 where all are -inf.
  Value largest(Value head);

private:
  void forEachVector(llvm::function_ref<void(Value i)> body);

  Emitter &e;
  mlir::Type element;
  int64_t count, width, lanes;
  Value memory;
};

/// Sums over the channels of each head of a block, at some places: at first as lanes, to which
/// the lane groups of the block add.
class HeadLanes {
public:
  using Value = mlir::Value;

  HeadLanes(Emitter &e, const LaneBlocks &blocks, int64_t count);
  static int64_t numbersOf(const LaneBlocks &blocks, int64_t count);

  void clear();
  void add(LaneEmitter &group, Value value, Value firstHead, Value i);
  Value sum(Value head, Value i);

private:
  Emitter &e;
  const LaneBlocks &blocks;
  int64_t count;
  Value memory;
};

} // namespace aft

#endif // AFT_COMPILER_VECTOR_GRID_HEADNUMBERS_H
