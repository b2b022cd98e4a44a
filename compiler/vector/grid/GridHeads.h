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
#include "compiler/vector/grid/HeadNumbers.h"
#include "compiler/vector/grid/PlainGrid.h"

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
  /// Reads the filters of the block and calls one of the two, by whether they are moderate.
  void choose(bool mirrored, llvm::function_ref<void()> fast, llvm::function_ref<void()> exact);

  Value slotOf(LaneEmitter &group);
  Value numberOf(Value memref, Value t, Value head);
  HeadNumbers table(int64_t count);
  /// A number of each head, as lanes.
  Value gather(LaneEmitter &group, HeadNumbers &numbers, Value i);
  PlainGrid gridOf(LaneEmitter &group, bool mirrored);
  void makeWeights();
  Value exponentiate(HeadNumbers &numbers, Value head);
  void fillKeys();
  void fillQueries();
  void fillQueryGrid();
  void finishHead(Value head);
  void forwardGroup(LaneEmitter &group);
  void fastKeys();
  void exactKeys();
  void keysOfGroup(LaneEmitter &group);
  void subtractKeys(Value head);
  void addTaps(LaneEmitter &group);
  void addEntry();
  void storeFilter();
  /// G / Z of a query; adds G R / Z to those of its head.
  Value queryItem(LaneEmitter &group, Value t);

  const WindowMixer &mixer;
  const LaneBlocks &blocks;
  Emitter &e;
  mlir::Type element;
  int64_t length, lanes;
  Value batch, block, firstHead, keys;
  /// Per head: weights, exponentials of keys and of queries, sums at all places.
  HeadNumbers weights, keyWeights, queryWeights, sums;
  /// Per head one number: the logarithm of the weights' scale, the weight outside, logarithms
  /// of the scales of keys and queries, the scale of the filter's gradient.
  HeadNumbers tops, outside, keyBases, queryBases, scales;
  HeadNumbers headTaps; ///< the filter's gradient
  HeadGrid keyGrid, queryGrid;
  HeadLanes queryLanes, keyLanes;
  Value tapSums; ///< the filter's gradient as lanes, per lane group of the block
};

} // namespace aft

#endif // AFT_COMPILER_VECTOR_GRID_GRIDHEADS_H
