//===- Panels.h - Runs of channels that are walked row by row -------------===//
// A panel is what one work group takes of a batch entry: neighbouring lane groups.
// Going through all of them at one position before the next reads memory in order.

#ifndef AFT_COMPILER_VECTOR_PANELS_H
#define AFT_COMPILER_VECTOR_PANELS_H

#include "compiler/vector/MixerCommon.h"

namespace aft {

struct Panel {
  using Value = mlir::Value;
  Emitter &e;
  mlir::Type element;
  int64_t lanes;
  Value batch, channel;          ///< the first channel
  Value groups;                  ///< how many lane groups
  int64_t most;                  ///< groups at most, for scratch memory
  Value number = {}, count = {}; ///< of the panel among those of its grid, and how many these are

  int64_t width() const { return std::max<int64_t>(lanes, 1); }
  LaneEmitter group(Value i) const {
    return {e, element, lanes, batch, e.add(channel, e.mul(i, width()))};
  }
  void forEachGroup(llvm::function_ref<void(LaneEmitter &, Value i)> body) const;
  /// Asks for what group i has at position t.
  void prefetch(llvm::ArrayRef<Value> memrefs, Value t, Value i, bool forWriting) const;
};

/// Conditions on which panels are parts of rows, as work for more threads.
struct PanelParts {
  mlir::Value fine;   ///< parts of a few cache lines, for rows that stay in a cache
  mlir::Value coarse; ///< unless `fine`: larger ones, for rows from memory; may be null
};

/// How many panels a row of channels makes, whatever the vector length, at most: of `most`
/// bytes each, or as fine parts.
struct PanelCounts {
  int64_t whole, fine;
};
PanelCounts panelCounts(int64_t rowBytes, int64_t mostBytes);

/// A grid of panels over batch entries and channels: whole rows, up to `most` lane
/// groups, or parts of each. Small parts come several times slower from memory.
/// Channels that fill no vector come as a panel of scalars.
void forEachPanel(Emitter &e, mlir::Type accumulation, unsigned vectorBits, mlir::Value batches,
                  int64_t channels, int64_t most, const PanelParts &parts,
                  llvm::function_ref<void(const Panel &)> body);

} // namespace aft

#endif // AFT_COMPILER_VECTOR_PANELS_H
