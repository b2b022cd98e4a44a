//===- FullMixer.h - What aft.full and its derivative share ---------------===//

#ifndef AFT_COMPILER_VECTOR_FULL_FULLMIXER_H
#define AFT_COMPILER_VECTOR_FULL_FULLMIXER_H

#include "compiler/vector/full/FullProduct.h"

namespace aft {

/// Operands of aft.full or aft.full_grad and the meaning of its bias.
struct FullMixer {
  using Value = mlir::Value;
  FullMixer(mlir::Operation *op, Emitter &e, unsigned vectorBits, PairDots pairDots);

  Emitter &e;
  unsigned vectorBits;
  Value q, k, v, w, lengths;
  mlir::ValueRange inits;
  Value dy, ratio, logz; ///< derivative only
  Gate gate = Gate::sigmoid;
  bool causal = false, perBatchBias = false;
  int64_t channels = 0;
  mlir::Type element; ///< the accumulation type
  PackedForm form;    ///< of weights and items: in pairs for operands in bf16, if asked for
  Value queries, keys, batches;

  /// Vector length, and rows whose sums stay in registers.
  int64_t lanes, strip;

  /// Most rows (queries or keys) of a work group, which share packed items, and its
  /// channels, which share the weights exp(w - maximum).
  int64_t mostRows() const;
  int64_t blockChannels() const;
  int64_t channelBlocks() const;
  /// Rows of each work group when there are `rows` in each batch entry: many, but
  /// not so many that few groups are left.
  Value rowsOfGroup(Value rows) const;
  /// Rows of each group, whole strips of about the same number, at most `most`.
  Value evenRows(Value rows, Value most) const;
  Value rowBlocks(Value rows, Value size) const;
  /// The channels of block number `block`.
  ChannelRange channelsOf(Value block) const;
  /// The bundles of a block, and the lane groups of a range.
  int64_t bundleChannels() const;
  void forEachBundle(const ChannelRange &block,
                     llvm::function_ref<void(const ChannelRange &)> body) const;
  void forEachGroup(Value batch, const ChannelRange &range,
                    llvm::function_ref<void(LaneEmitter &)> body) const;

  /// Asks for the channels of a bundle in row t.
  void prefetch(mlir::ValueRange memrefs, Value batch, Value t, const ChannelRange &bundle) const;

  /// How many of the first `visible` keys query t sees.
  Value keysSeenBy(Value t, Value visible) const;
  /// The first query that sees key `key`.
  Value firstQueryOf(Value key) const;
  /// Place of the bias of query t for a key.
  llvm::SmallVector<Value> biasAt(Value batch, Value t, Value key) const;
  /// The bias of query t for one key, for all channels of a lane group.
  Value bias(LaneEmitter &group, Value t, Value key) const;
  /// The biases for a vector of keys from `key` on, -inf beyond the first `count`
  /// where that is not null.
  Value biases(Value batch, Value t, Value key, Value count) const;
  /// Asks for the biases of a query, or of the last one, around a key.
  void prefetchBias(Value batch, Value t, Value key) const;
  /// The largest bias of query t for `count` keys from `firstKey` on, 0 where there is
  /// none above -inf.
  Value largestBias(Value batch, Value t, Value firstKey, Value count) const;
  /// The ratio of the last query. In pairs the gradients' differences v - R are formed as
  /// (v - it) - (R - it), so that values that are all about the same lose nothing when they
  /// are rounded; a NaN leads to the exact path.
  Value middle(LaneEmitter &group) const { return group.load(ratio, e.sub(queries, e.index(1))); }
  /// g(q) of query t, as precise as what becomes of it: in sums of pairs, or in a result.
  Value gateOf(LaneEmitter &group, Value query) const;
  /// dy * g(q) of query t.
  Value gatedGradient(LaneEmitter &group, Value t) const;
};

/// How small a sum of products exp(w - a) * exp(k - c), each factor at most 1,
/// may be before what underflowed could matter: exp of minus this.
double separableRange(mlir::Type accumulation);

/// How small it may be where values of any size stand beside it: exp of minus this.
double safeRange(mlir::Type accumulation);
/// Whether a sum of values with such weights is finite and, unless these `areSafe`, large enough
/// that no term of it that matters has vanished.
mlir::Value isSound(Emitter &e, mlir::Value sum, mlir::Value areSafe);

/// Whether the condition holds in all lanes.
mlir::Value inAllLanes(Emitter &e, mlir::Value condition);
/// The larger of a number and a running maximum; a NaN is passed over.
mlir::Value runningMax(Emitter &e, mlir::Value maximum, mlir::Value value);
/// `lanes` elements from `indices` on in the accumulation type, `other` beyond
/// the first `count`.
mlir::Value loadSome(Emitter &e, mlir::Value memref, mlir::ValueRange indices,
                     mlir::Type accumulation, int64_t lanes, mlir::Value count, double other);
void storeSome(Emitter &e, mlir::Value value, mlir::Value memref, mlir::ValueRange indices,
               mlir::Value count);

/// Sums `terms` over [first, last) in blocks, so that rounding errors do not
/// grow with the sequence.
llvm::SmallVector<mlir::Value>
sumInBlocks(Emitter &e, mlir::Value first, mlir::Value last, mlir::ValueRange start,
            llvm::function_ref<llvm::SmallVector<mlir::Value>(mlir::Value i)> terms);

/// k + w, and -inf where either one is -inf, whatever the other.
mlir::Value exponentOf(LaneEmitter &group, mlir::Value k, mlir::Value bias);

/// Adds the keys [first, last) to a state one by one, each relative to the
/// largest term of all.
MixState addExactly(LaneEmitter &group, mlir::Value first, mlir::Value last, const MixState &state,
                    llvm::function_ref<mlir::Value(mlir::Value key)> exponent,
                    llvm::function_ref<mlir::Value(mlir::Value key)> value);

void emitFullBiasGrad(const FullMixer &mixer);

} // namespace aft

#endif // AFT_COMPILER_VECTOR_FULL_FULLMIXER_H
