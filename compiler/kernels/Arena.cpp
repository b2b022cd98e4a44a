//===- Arena.cpp - Offsets of temporaries in one block of memory ----------===//

#include "compiler/kernels/Arena.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace aft;

static bool aliveTogether(const Temporary &a, const Temporary &b) {
  return a.first <= b.last && b.first <= a.last;
}

/// The lowest offset at which `value` fits between those already placed.
static int64_t lowestOffset(const Temporary &value,
                            llvm::ArrayRef<const Temporary *> placed) {
  SmallVector<std::pair<int64_t, int64_t>> taken;
  for (const Temporary *other : placed)
    if (aliveTogether(value, *other))
      taken.push_back({other->offset, other->offset + other->bytes});
  llvm::sort(taken);
  int64_t offset = 0;
  for (auto [begin, end] : taken) {
    if (begin - offset >= value.bytes)
      break;
    offset = std::max(offset, end);
  }
  return offset;
}

static void packRegion(llvm::MutableArrayRef<Temporary> values,
                       unsigned number, ArenaRegion &region) {
  SmallVector<Temporary *> order;
  for (Temporary &value : values)
    if (value.region == number)
      order.push_back(&value);
  llvm::sort(order, [](const Temporary *a, const Temporary *b) {
    return std::tie(b->bytes, a->first, a) < std::tie(a->bytes, b->first, b);
  });
  SmallVector<const Temporary *> placed;
  for (Temporary *value : order) {
    value->offset = lowestOffset(*value, placed);
    region.bytes = std::max(region.bytes, value->offset + value->bytes);
    placed.push_back(value);
  }
}

SmallVector<ArenaRegion> aft::packArena(llvm::MutableArrayRef<Temporary> values) {
  SmallVector<ArenaRegion> regions;
  for (Temporary &value : values) {
    auto same = [&](const ArenaRegion &region) {
      return region.factors == value.factors;
    };
    auto it = llvm::find_if(regions, same);
    value.region = std::distance(regions.begin(), it);
    if (it == regions.end())
      regions.push_back({value.factors, 0});
    int64_t step = value.factors.empty() ? arenaAlignment : unitAlignment;
    value.bytes = llvm::alignTo(std::max<int64_t>(value.bytes, 1), step);
  }
  for (auto [number, region] : llvm::enumerate(regions))
    packRegion(values, number, region);
  return regions;
}
