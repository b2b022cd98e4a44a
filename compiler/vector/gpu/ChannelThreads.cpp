//===- ChannelThreads.cpp - A thread for each channel of each position ----===//

#include "compiler/vector/gpu/ChannelThreads.h"

#include "compiler/vector/gpu/Threads.h"

using namespace mlir;
using namespace aft;

/// Channels side by side in memory.
static constexpr int64_t kWideChannels = 32;

void aft::forEachChannelThread(Emitter &e, Type accumulation, Value batches, Value positions,
                               int64_t channels, int64_t perHead, int64_t threads,
                               llvm::function_ref<void(LaneEmitter &, Value)> body) {
  int64_t rows = threads / kWideChannels;
  Value channelBlocks = e.index((channels + kWideChannels - 1) / kWideChannels);
  Value grid[] = {batches, e.ceilDiv(positions, rows), channelBlocks};
  forEachBlock(e, grid, [&](ArrayRef<Value> block) {
    forEachThread(e, threads, [&](Value thread) {
      Value lane = e.rest(thread, kWideChannels);
      Value channel = e.add(e.mul(block[2], kWideChannels), lane);
      Value position = e.add(e.mul(block[1], rows), e.div(thread, kWideChannels));
      Value inside = e.both(e.less(channel, e.index(channels)), e.less(position, positions));
      e.when(inside, [&] {
        LaneEmitter group(e, accumulation, /*lanes=*/0, block[0], channel);
        group.perHead = perHead;
        body(group, position);
      });
    });
  });
}
