//===- MixerCommon.h - What the emission of all mixers shares -------------===//
// Mixers are vectorised over channels: a "lane group" is a run of consecutive
// channels, a single channel where the vector length does not divide them.

#ifndef AFT_COMPILER_VECTOR_MIXERCOMMON_H
#define AFT_COMPILER_VECTOR_MIXERCOMMON_H

#include "compiler/vector/Emitter.h"
#include "dialect/ir/AFT.h"

namespace aft {

/// How many keys a window of `op` has: a column of its band for each.
template <typename OpT> int64_t tapsOf(OpT op) {
  int64_t window = op.getWindow();
  return op.getCausal() ? window : 2 * window - 1;
}

/// Running maximum, numerator and denominator of one lane group: the sums
/// meant are exp(m) * n and exp(m) * z.
struct MixState {
  mlir::Value m, n, z;
  llvm::SmallVector<mlir::Value> values() const { return {m, n, z}; }
  static MixState from(mlir::ValueRange values) { return {values[0], values[1], values[2]}; }
};

/// Emits for one lane group: channels [channel, channel + lanes) of batch
/// entry `batch`; lanes 0 stands for one channel as a scalar.
class LaneEmitter {
public:
  using Value = mlir::Value;

  LaneEmitter(Emitter &e, mlir::Type accumulation, int64_t lanes, Value batch, Value channel)
      : e(e), type(e.typeOf(accumulation, lanes)), element(accumulation), lanes(lanes),
        batch(batch), channel(channel) {}

  Emitter &e;
  mlir::Type type, element;
  int64_t lanes;
  Value batch, channel;
  /// Channels per head of the keys (conv), 1 where every channel has its own.
  int64_t perHead = 1;
  /// All sums of the group are relative to one scale that is kept elsewhere, so
  /// that adding them is an addition; their m is 0.
  bool oneScale = false;
  /// Besides, only n is a sum; z is 0.
  bool oneSum = false;
  /// Results go past the caches.
  bool streaming = false;

  Value number(double value) { return e.number(type, value); }
  Value infinity(bool negative);

  /// Element [batch, t, channel...] in the accumulation type.
  Value load(Value memref, Value t);
  void store(Value value, Value memref, Value t);
  /// Asks for rows of this group, or of the next one, that will be read soon: the rows of a
  /// group lie far from each other.
  void prefetch(llvm::ArrayRef<Value> memrefs, Value t, bool next);
  /// The same for what exists per head: keys, logz.
  Value loadPerHead(Value memref, Value t);
  /// Stores a per-head value once: by the lane group with the head's first channel.
  void storePerHead(Value value, Value memref, Value t);

  /// One number per head, as lanes; `at` gives that of one head.
  Value gatherHeads(llvm::function_ref<Value(Value head)> at);
  /// Hands out the number of every head whose first channel is in the group.
  void scatterHeads(Value value, llvm::function_ref<void(Value number, Value head)> body);
  /// Hands out `value` for every head of the group, 0 in the lanes of others.
  void splitHeads(Value value, llvm::function_ref<void(Value own, Value head)> body);
  /// Sums lanes of the same head.
  void reduceHeads(Value value, llvm::function_ref<void(Value sum, Value head)> body);

  MixState emptyState();
  /// `m` where it is a number, 0 where it is -inf: a maximum that may be
  /// subtracted.
  Value finite(Value m);
  /// Folds one key with exponent x = k + w and value v.
  MixState add(const MixState &state, Value x, Value v);
  MixState merge(const MixState &a, const MixState &b);
  /// n / z, and 0 where z is 0.
  Value ratio(const MixState &state);
  /// m + log z, -inf where z is 0.
  Value logz(const MixState &state);

  /// Scratch for `count` states.
  Value stateMemory(int64_t count);
  void keep(const MixState &state, Value memory, Value index);
  MixState kept(Value memory, Value index);

  Value gate(Gate gate, Value q);
  Value gateDerivative(Gate gate, Value q);

  /// A loop with a carried state.
  MixState loop(Value lower, Value upper, const MixState &state,
                llvm::function_ref<MixState(Value, MixState)> body);
  MixState when(Value condition, const MixState &state, llvm::function_ref<MixState()> yes);

private:
  Value withElement(Value value);
  Value head() { return e.div(channel, perHead); }
  /// Whether a lane group may lie across heads, and over how many.
  bool straddles() const { return lanes > 0 && perHead % lanes != 0; }
  int64_t mostHeads() const { return (lanes + perHead - 2) / perHead + 1; }
  Value firstLaneOf(int64_t head);
  Value lanesFrom(Value first);
};

/// Calls `body` in a grid over batch entries and lane groups of the channels;
/// `perHead` as in LaneEmitter. With `shared` only for every so many-th group,
/// when the body goes through the groups between them.
void forEachLaneGroup(Emitter &e, mlir::Type accumulation, unsigned vectorBits, mlir::Value batches,
                      int64_t channels, int64_t perHead,
                      llvm::function_ref<void(LaneEmitter &)> body, int64_t shared = 1);

/// The same for the lane groups of one head, without a grid.
void forEachLaneGroupOfHead(Emitter &e, mlir::Type accumulation, unsigned vectorBits,
                            mlir::Value batch, mlir::Value head, int64_t perHead,
                            llvm::function_ref<void(LaneEmitter &)> body);

/// Channels in blocks of whole lane groups and whole heads.
struct LaneBlocks {
  LaneBlocks(mlir::Type accumulation, unsigned vectorBits, int64_t channels, int64_t perHead);
  mlir::Type accumulation;
  int64_t channels, perHead, lanes, size;
  int64_t count() const { return (channels + size - 1) / size; }
  int64_t heads() const { return size / perHead; } ///< of one block
  /// The lane groups of a block, without a grid.
  void forEachGroup(Emitter &e, mlir::Value batch, mlir::Value block,
                    llvm::function_ref<void(LaneEmitter &)> body) const;
};

/// Lane groups of all channels of a batch entry, without a grid.
void forEachLaneGroupOfBatch(Emitter &e, mlir::Type accumulation, unsigned vectorBits,
                             mlir::Value batch, int64_t channels, int64_t perHead,
                             llvm::function_ref<void(LaneEmitter &)> body);

/// Lane groups of the channels [first, last) of a batch entry, without a grid;
/// `first` must be a multiple of the vector length.
void forEachLaneGroupOfRange(Emitter &e, mlir::Type accumulation, unsigned vectorBits,
                             mlir::Value batch, mlir::Value first, mlir::Value last,
                             int64_t channels, llvm::function_ref<void(LaneEmitter &)> body);

/// The number of visible keys of a batch entry: `keys`, or less by `lengths`.
mlir::Value visibleKeys(Emitter &e, mlir::Value lengths, mlir::Value batch, mlir::Value keys);

mlir::Type accumulationOf(mlir::Value memref);

} // namespace aft

#endif // AFT_COMPILER_VECTOR_MIXERCOMMON_H
