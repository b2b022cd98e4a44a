//===- FullProduct.h - The products that aft.full consists of -------------===//
// Numbers that are sums over items (keys in the forward direction, queries in
// the backward one) of a weight, which depends on row and item, times two numbers
// per item and channel. Items are packed for a bundle of lane groups at once, so
// that they are read in whole cache lines.

#ifndef AFT_COMPILER_VECTOR_FULL_FULLPRODUCT_H
#define AFT_COMPILER_VECTOR_FULL_FULLPRODUCT_H

#include "compiler/vector/MixerCommon.h"
#include "compiler/vector/product/PackedForm.h"
#include "compiler/vector/product/TileProduct.h"

#include <optional>

namespace aft {

/// Fetches the cache line of an element.
void prefetchAt(Emitter &e, mlir::Value memref, mlir::ValueRange place, bool isWrite);

/// A run of channels: those of a work group, or of a bundle.
struct ChannelRange {
  mlir::Value first, last;
  mlir::Value columnOf(LaneEmitter &group) const { return group.e.sub(group.channel, first); }
};

/// Two numbers for each row and channel, in vectors of `lanes`.
class ChannelPairs {
public:
  using Value = mlir::Value;
  ChannelPairs(Emitter &e, int64_t rows, int64_t channels, int64_t lanes, mlir::Type element);
  /// Zeros in the first `rows` rows.
  void clear(Value rows);
  /// Place of part 0 or 1 of a row at `column` channels into the range.
  llvm::SmallVector<Value> at(Value row, int64_t part, Value column) const;
  Value load(LaneEmitter &group, Value row, int64_t part, Value column) const;
  void store(Value value, Value row, int64_t part, Value column) const;
  /// Zeros in the last vectors of the first `rows` rows.
  void clearLast(int64_t rows);
  /// Fetches a row of a lane group.
  void prefetch(Value row, Value column) const;
  /// The rows from `row` on, both parts of a lane group.
  TileRows tilesAt(Value row, Value column) const;
  Emitter &emitter() const { return e; }

private:
  Emitter &e;
  int64_t groups, lanes;
  mlir::Type element;
  Value memory;
};

/// Items as [exp(x - c) a | exp(x - c)] or, with a ratio, [exp(x - c) a | exp(x - c) a ratio],
/// c the running maximum of x in a channel. In pairs the second of the two numbers that
/// are formed from one is formed from it as it is packed, rounded: a's that are all the
/// same give sums with about that ratio whatever the rounding of exp(x - c).
class PackedItems {
public:
  using Value = mlir::Value;
  /// What an item is in the channels of a lane group.
  struct Item {
    Value x, a, ratio;
  };
  using Load = llvm::function_ref<Item(LaneEmitter &, Value item)>;
  /// Asks for what an item of the bundle is loaded from.
  using Fetch = llvm::function_ref<void(Value item)>;
  /// Calls its body for the lane groups of the bundle.
  using Groups = llvm::function_ref<void(llvm::function_ref<void(LaneEmitter &)>)>;

  /// `stored`: the type of x and a in memory where items are just that; null where they
  /// have a ratio or are computed.
  PackedItems(Emitter &e, const PackedForm &form, int64_t count, int64_t bundleChannels,
              int64_t blockChannels, mlir::Type element, mlir::Type stored = {});
  /// Before the first item.
  void reset();
  /// Packs `extent` items from `first` on, relative to the maximum with all of them. Or,
  /// where a bound is given, with the first one alone, and an item that exceeds it by
  /// more becomes NaN: `fitBounds` tells whether none did in any channel since
  /// `beginBounded`. If so, sums may be formed from them when `keepBounded` was called,
  /// else they have to be packed again without a bound.
  void pack(Groups groups, const ChannelRange &block, const ChannelRange &bundle, Value first,
            Value extent, Load load, Fetch fetch, std::optional<double> bound = std::nullopt);
  void beginBounded();
  Value fitBounds();
  void keepBounded();
  /// What packed items are relative to.
  Value base(LaneEmitter &group, const ChannelRange &block) const;
  /// What sums of earlier items are to be scaled by to be relative to the same.
  Value factor(LaneEmitter &group, const ChannelRange &block) const;
  /// By step and column of the block; what is left of the last step is 0.
  ChannelPairs panel;

private:
  void read(Groups groups, const ChannelRange &block, const ChannelRange &bundle, Value first,
            Value extent, Load load, Fetch fetch);
  void raise(LaneEmitter &group, Value place, Value column, Value extent,
             std::optional<double> bound);
  void clearRest(LaneEmitter &group, Value place, Value extent);
  void scale(LaneEmitter &group, const ChannelRange &block, const ChannelRange &bundle,
             Value extent, bool hasRatio, std::optional<double> bound);
  std::pair<Value, Value> packedPair(LaneEmitter &group, Value weight, Value i, Value column,
                                     bool hasRatio);
  Value load(LaneEmitter &group, Value memory, const ChannelRange &block) const {
    return e.load(memory, block.columnOf(group), group.lanes);
  }
  llvm::SmallVector<Value> at(Value item, Value column) const;
  /// x of an item, by its column in the bundle.
  Value exponent(LaneEmitter &group, Value item, Value column) const;
  void storeExponent(Value x, Value item, Value column) const;

  ChannelPairs &numbers() { return separate ? *separate : panel; }
  Value columnOfNumbers(LaneEmitter &group, const ChannelRange &block,
                        const ChannelRange &bundle) const {
    return (separate ? bundle : block).columnOf(group);
  }

  Emitter &e;
  const PackedForm &form;
  mlir::Type element;
  int64_t channels, lanes;
  /// A bundle's a and ratio, or a and x as they are in memory, where they do not fit into
  /// the panel unpacked.
  std::optional<ChannelPairs> separate;
  Value exponents; ///< x, where it is not there
  Value maxima;
  Value scales; ///< what sums are relative to, -inf before the first item
  Value bases;  ///< what packed items are relative to
  Value factors, inBounds;
};

/// Products of a strip of rows with the lane group at a column.
struct PanelProduct {
  using Value = mlir::Value;
  const PackedForm &form;
  const ChannelPairs &panel, &sums;
  /// The weights of a step's items in row `i` of the strip.
  llvm::function_ref<Value(int64_t i, Value step)> weight;

  void prefetchSums(Value row, Value column) const;
  /// Two numbers for each row, from the steps that the items [first, last) are in.
  llvm::SmallVector<Value> products(LaneEmitter &group, Value first, Value last,
                                    Value column) const;
  /// Adds the sums of the rows from `row` on, scaled, to products.
  void addToSums(LaneEmitter &group, llvm::MutableArrayRef<Value> products, Value row, Value column,
                 Value factor) const;
  void storeSums(llvm::ArrayRef<Value> totals, Value row, Value column) const;
  /// Scales the sums and adds the items [first, last).
  void addStrip(LaneEmitter &group, Value row, Value first, Value last, Value column,
                Value factor) const;
};

/// The same in tile registers.
struct TiledPanelProduct {
  using Value = mlir::Value;
  TiledPanelProduct(Emitter &e, const PackedForm &form, const ChannelPairs &panel,
                    const ChannelPairs &sums);
  /// Calls `body` once for all lane groups at whose columns a tile is: with the first of
  /// them, made as wide as the tile, and so before anything is done with the others.
  void forTileOf(LaneEmitter &group, Value column,
                 llvm::function_ref<void(LaneEmitter &tile)> body) const;
  /// Scales the sums of the rows [first, last), where there is anything to scale by.
  void scaleSums(LaneEmitter &group, Value first, Value last, Value column, Value factor) const;
  /// Adds to the sums of the rows from `row` on, or makes them, where it `begins`, of the
  /// items of the steps [first, last), both at the border of a tile. `weights`: those of the
  /// strip at the first step.
  void addStrip(LaneEmitter &tile, const TileRows &weights, Value row, Value first, Value last,
                Value column, Value begins) const;

private:
  const PackedForm &form;
  const ChannelPairs &panel, &sums;
  TileRows zeros;
};

/// Goes through [0, count) in vectors of `lanes`: `body` is told where one begins,
/// and how many elements are left when it is not whole (else null).
llvm::SmallVector<mlir::Value> overVectors(
    Emitter &e, mlir::Value count, int64_t lanes, mlir::ValueRange carried,
    llvm::function_ref<Emitter::Values(mlir::Value i, mlir::Value rest, mlir::ValueRange)> body);

} // namespace aft

#endif // AFT_COMPILER_VECTOR_FULL_FULLPRODUCT_H
