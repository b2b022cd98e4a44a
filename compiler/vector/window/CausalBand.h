//===- CausalBand.h - The gradient of a band beside that of its keys ------===//
// Where keys go through their blocks, the queries that see them lie in a buffer, made
// ready: (G, G R) exp(-logz - base). With keys (v, 1) exp(k + base) the band's gradient
//   dband[t,j] = exp(w) sum over batch and channels of G (v - R) exp(k - logz[t])
// is a product of both, contracted over the channels of a panel. Each panel writes a part,
// and the parts are summed by who asked for them.

#ifndef AFT_COMPILER_VECTOR_WINDOW_CAUSALBAND_H
#define AFT_COMPILER_VECTOR_WINDOW_CAUSALBAND_H

#include "compiler/vector/Panels.h"
#include "compiler/vector/window/ProductScan.h"
#include "compiler/vector/window/WindowWeights.h"

namespace aft {

/// One panel's part. `queries` are the two numbers of each query in reach, by lane group
/// and place: the window of key `row` of a block are the places row + 1 to row + taps.
class CausalBand {
public:
  using Value = mlir::Value;
  using BaseOf = llvm::function_ref<Value(LaneEmitter &, Value number)>;

  CausalBand(const WindowMixer &mixer, const WindowCode &code, const Panel &panel,
             WindowWeights &weights, Value queries, Value parts, int64_t block);

  /// Zeros for taps whose key does not exist, and in a share of the parts that `panels` panels
  /// leave.
  void clear(Value panels);
  /// Makes the keys of a block ready. Returns whether all are numbers.
  Value loadKeys(Value first, BaseOf baseOf, llvm::function_ref<Value(Value key)> aheadOf);
  /// exp(k + base) of a key.
  Value weight(Value number, Value row);
  /// Writes what the keys of the block contribute: products, or sums of pairs. Products return
  /// whether all are finite.
  Value products(Value first, Value rows);
  void exactly(Value first, Value rows);

private:
  Value loadKey(LaneEmitter &group, Value number, Value row, Value key, Value base);
  Value tile(Value row, Value place, Value odd);
  Emitter::Values contract(Value row, Value place);
  void storeRun(Value from, Value to, Value query, Value place);
  Value queryAt(Value number, Value place, int64_t which) {
    return e.load(queries, {number, place, e.index(which), e.index(0)}, panel.lanes);
  }
  Emitter::Values keyPlace(Value number, Value row, int64_t which);

  const WindowMixer &mixer;
  const WindowCode &code;
  const Panel &panel;
  WindowWeights &weights;
  Emitter &e;
  Value queries, parts;
  int64_t block, queriesAtOnce;
  Value keys; ///< v exp(k + base) and exp(k + base); those of a tile side by side
  Value sums; ///< of each query in reach and key of the block
};

} // namespace aft

#endif // AFT_COMPILER_VECTOR_WINDOW_CAUSALBAND_H
