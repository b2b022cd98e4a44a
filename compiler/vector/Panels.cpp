//===- Panels.cpp - Runs of channels that are walked row by row -----------===//

#include "compiler/vector/Panels.h"

using namespace mlir;
using namespace aft;

/// Panels of a batch entry where the batch gives too little work for the threads.
static constexpr int64_t kPanels = 4;
/// Bytes of a row that such a panel has, at least: a few cache lines. Rows that come
/// from memory are taken in larger parts, which the hardware prefetches better.
static constexpr int64_t kLeastBytes = 512, kLeastBytesFromMemory = 1024;
static constexpr int64_t kLineBytes = 64;

void Panel::forEachGroup(llvm::function_ref<void(LaneEmitter &, Value)> body) const {
  e.loop(e.index(0), groups, e.index(1), [&](Value i) {
    LaneEmitter emitter = group(i);
    body(emitter, i);
  });
}

void Panel::prefetch(ArrayRef<Value> memrefs, Value t, Value i, bool forWriting) const {
  Value first = e.add(channel, e.mul(i, width()));
  for (Value memref : memrefs) {
    auto type = cast<MemRefType>(memref.getType());
    int64_t line = kLineBytes * 8 / type.getElementTypeBitWidth();
    for (int64_t lane = 0; lane < width(); lane += line)
      e.builder.create<memref::PrefetchOp>(e.loc, memref, ValueRange{batch, t, e.add(first, lane)},
                                           forWriting, /*localityHint=*/2u, /*isDataCache=*/true);
  }
}

/// Lane groups of panels of about the same size, each with a share or the fewest bytes,
/// whichever is more.
static int64_t narrowSize(int64_t total, int64_t groupBytes, int64_t leastBytes) {
  int64_t size = std::clamp<int64_t>(std::max(total / kPanels, leastBytes / groupBytes), 1, total);
  int64_t panels = total / size;
  return (total + panels - 1) / panels;
}

/// Of lane groups as long as a line there are the most panels.
PanelCounts aft::panelCounts(int64_t rowBytes, int64_t mostBytes) {
  auto count = [](int64_t total, int64_t size) { return (total + size - 1) / size; };
  int64_t total = std::max<int64_t>(rowBytes / kLineBytes, 1);
  int64_t wide = std::clamp<int64_t>(mostBytes / kLineBytes, 1, total);
  int64_t fine = std::min(wide, narrowSize(total, kLineBytes, kLeastBytes));
  return {count(total, wide), count(total, fine)};
}

/// Sizes are chosen among constants: the index arithmetic of a panel would otherwise
/// divide by a variable, which LLVM leaves in the inner loops.
void aft::forEachPanel(Emitter &e, Type accumulation, unsigned vectorBits, Value batches,
                       int64_t channels, int64_t most, const PanelParts &parts,
                       llvm::function_ref<void(const Panel &)> body) {
  int64_t lanes = lanesFor(accumulation, vectorBits);
  while (lanes > channels)
    lanes /= 2;
  int64_t total = lanes > 1 ? channels / lanes : 0, whole = total * lanes;
  if (total > 0) {
    int64_t wide = std::clamp<int64_t>(most, 1, total);
    int64_t bytes = lanes * accumulation.getIntOrFloatBitWidth() / 8;
    int64_t fine = std::min(wide, narrowSize(total, bytes, kLeastBytes));
    int64_t coarse = std::min(wide, narrowSize(total, bytes, kLeastBytesFromMemory));
    auto choose = [&](llvm::function_ref<int64_t(int64_t)> of) {
      Value value = e.index(of(wide));
      if (parts.coarse && coarse != wide)
        value = e.select(parts.coarse, e.index(of(coarse)), value);
      return fine == wide ? value : e.select(parts.fine, e.index(of(fine)), value);
    };
    Value count = choose([&](int64_t size) { return (total + size - 1) / size; });
    e.grid({batches, count}, [&](ArrayRef<Value> index) {
      Value size = choose([](int64_t size) { return size; }), first = e.mul(index[1], size);
      if (total % wide != 0 || total % fine != 0 || total % coarse != 0)
        size = e.min(size, e.sub(e.index(total), first));
      Value number = e.add(e.mul(index[0], count), index[1]);
      body({e, accumulation, lanes, index[0], e.mul(first, lanes), size, wide, number,
            e.mul(batches, count)});
    });
  }
  if (whole < channels)
    e.grid({batches}, [&](ArrayRef<Value> index) {
      body({e, accumulation, 0, index[0], e.index(whole), e.index(channels - whole),
            channels - whole});
    });
}
