//===- GridHeads.h - conv on a grid with several channels per head --------===//
// Where the filters are moderate (PlainGrid), all that depends on a head alone is
// computed once for its channels: exponentials of keys and queries, the
// denominators Z, and, since they are linear, sums over channels before those over
// places: with G = dy g(q) and R the ratio,
//   dk[t'] = exp(k[t']) (sum_c v sum_t exp(w) G/Z - sum_t exp(w) sum_c G R/Z),
//   dw[tap] = exp(w) (sum_c sum_t G/Z exp(k) v - sum_t (sum_c G R/Z) exp(k)).

#ifndef AFT_COMPILER_VECTOR_GRID_GRIDHEADS_H
#define AFT_COMPILER_VECTOR_GRID_GRIDHEADS_H

#include "compiler/vector/grid/HeadGrid.h"

#include <optional>

namespace aft {

/// Emits the grids of conv for blocks of whole heads.
class GridHeads {
public:
  using Value = mlir::Value;

  GridHeads(const WindowMixer &mixer, const LaneBlocks &blocks, Emitter &e, unsigned vectorBits);
  /// Whether there is anything to share, and room for it.
  static bool fits(const WindowMixer &mixer, const LaneBlocks &blocks, unsigned vectorBits);

  void emitForward();
  void emitKeys();   ///< dq, dk and dv
  void emitFilter(); ///< the filter's gradient

private:
  /// For the heads of a block and their lane groups.
  void forEachHead(llvm::function_ref<void(Value head)> body);
  void forEachGroup(llvm::function_ref<void(LaneEmitter &)> body);
  void forEachPlace(llvm::function_ref<void(Value t)> body);
  void forEachTap(llvm::function_ref<void(Value tap)> body);
  void enter(Value batch, Value block);
  /// Calls one of the two, by whether the filters of the block are moderate.
  void choose(llvm::function_ref<void()> fast, llvm::function_ref<void()> exact);

  Value slotOf(LaneEmitter &group);
  Value numberOf(Value memref, Value t, Value head);
  Value filterOf(Value head, Value tap);
  Value largest(llvm::function_ref<Value(Value t)> exponent);
  void makeWeights(bool mirrored);
  void fillKeys();
  void fillQueries();
  void finishHead(Value head);
  void forwardGroup(LaneEmitter &group);
  void keysOfGroup(LaneEmitter &group);
  void storeKeys(Value head);
  void addTaps(LaneEmitter &group);
  void storeFilter();
  /// A head's number as lanes; `at` has it by the head's place in the block.
  Value gather(LaneEmitter &group, llvm::function_ref<Value(Value head)> at);
  /// Adds up the lanes of each head of the block.
  void addToHeads(LaneEmitter &group, Value value, Value memory, Value place);
  /// G / Z of a query; adds G R / Z to those of its head.
  Value queryItem(LaneEmitter &group, Value t);
  Value table(int64_t columns);
  Value get(Value memory, Value head, Value i) { return e.load(memory, {head, i}, 0); }
  void put(Value number, Value memory, Value head, Value i) { e.store(number, memory, {head, i}); }

  const WindowMixer &mixer;
  const LaneBlocks &blocks;
  Emitter &e;
  mlir::Type element;
  int64_t length, lanes;
  Value batch, block, firstHead, keys;
  /// Per head: weights and the logarithm of their scale, the weight outside.
  Value weights, tops, outside;
  /// Per head: logarithms of the scales of keys and queries.
  Value keyBases, queryBases;
  std::optional<HeadGrid> keyGrid, queryGrid;
  Value queryWeights, sums, tapSums, headTaps;
};

} // namespace aft

#endif // AFT_COMPILER_VECTOR_GRID_GRIDHEADS_H
