//===- TiledDiagonal.h - A causal strip's own keys in tile registers ------===//
// In tiles all queries of a strip are multiplied by all of its keys: the weight 0 hides
// those that a query does not see, unless they are infinite or a NaN. Such items become 0
// while the product is formed, and afterwards NaN in the sums of the queries that do see
// them, which are then formed exactly. So not a bit of a result depends on what is hidden.

#ifndef AFT_COMPILER_VECTOR_FULL_TILEDDIAGONAL_H
#define AFT_COMPILER_VECTOR_FULL_TILEDDIAGONAL_H

#include "compiler/vector/full/FullProduct.h"

namespace aft {

/// The packed keys of a strip and a lane group, of which query i of the strip sees i + 1.
class TiledDiagonal {
public:
  using Value = mlir::Value;
  TiledDiagonal(Emitter &e, const PackedForm &form, const ChannelPairs &panel,
                const ChannelPairs &sums);
  /// Calls `product`, which adds to the sums of the rows from `row` on, without the items
  /// that are infinite or a NaN, and makes what they are for. The strip's keys begin at
  /// `firstStep`.
  void without(LaneEmitter &group, Value row, Value firstStep, Value column,
               llvm::function_ref<void()> product) const;

private:
  Value anySpecial(LaneEmitter &group, Value firstStep, Value column) const;
  void hide(LaneEmitter &group, Value firstStep, Value column) const;
  void show(LaneEmitter &group, Value row, Value firstStep, Value column) const;

  Emitter &e;
  const PackedForm &form;
  const ChannelPairs &panel, &sums;
  Value hidden; ///< all of the strip's items, by step
};

} // namespace aft

#endif // AFT_COMPILER_VECTOR_FULL_TILEDDIAGONAL_H
