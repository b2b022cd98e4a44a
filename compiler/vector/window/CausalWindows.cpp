//===- CausalWindows.cpp - Causal windows as banded products --------------===//

#include "compiler/vector/window/CausalWindows.h"

#include "compiler/vector/RunningSums.h"
#include "compiler/vector/window/CausalBand.h"
#include "compiler/vector/window/WindowWeights.h"

using namespace mlir;
using namespace aft;

/// Outputs of a block.
static constexpr int64_t kBlock = 48;
/// The base lies this much above the largest exponent known when it is chosen, ...
static constexpr double kOffset = 15;
/// ... and items may be this much above it.
static constexpr double kHeadroom = 5;
/// How far the largest exponent of all items may lie above that of the items which every output of
/// a block sees. So an output has a term of exp(-kOffset - kReach - kLargestBias) at least,
/// relative to the base, and what vanishes beside the base, below exp(-87 + kLargestBias), does not
/// count.
static constexpr double kReach = 15;
/// How far it may lie above what has left the windows, so that the sums of that keep their digits
/// beside small values, too.
static constexpr double kFarAbove = 40;
/// Bytes of a row of channels per work group at most, ...
static constexpr int64_t kRowBytes = 4096, kBandRowBytes = 2048;
/// ... and of buffered items.
static constexpr int64_t kItemBytes = 1 << 20;
/// A band's gradient in parts is of channels that fill the longest vectors.
static constexpr int64_t kMostLanes = 16;
/// In shorter rows tiles contract too little for what they store, and a single batch entry leaves
/// too few panels for other threads.
static constexpr int64_t kLeastBandBytes = 512;
/// Positions between the one that is read and the one that is fetched.
static constexpr int64_t kAhead = 4;

namespace {

/// Emits one panel.
class CausalPanel {
public:
  using Visit = llvm::function_ref<void(LaneEmitter &, Value)>;

  CausalPanel(const WindowMixer &mixer, const WindowCode &code, const Panel &panel, int64_t tile,
              Visit visit, Value bandParts);
  void run();

  /// Places of the buffer: the window of output r are those from r + 1 to r + taps.
  static int64_t places(int64_t taps) { return kBlock + taps + 1; }
  int64_t places() const { return places(mixer.taps); }

private:
  enum Part { kBase, kTop, kLeft, kOlderM, kOlderN, kOlderZ, kRestN, kRestZ, kRunN, kRunZ, kParts };
  using Pair = std::pair<Value, Value>;

  void clear();
  void block(Value moderate);
  void keepWindow(Value number);
  Value chooseBases();
  Value chooseBase(LaneEmitter &group, Value number);
  MixState older(LaneEmitter &group, Value number);
  Value olderFactor(LaneEmitter &group, Value number);
  Value loadItems(Value isStale);
  Value loadPlace(Value place, Value item, Value end);
  std::pair<Value, Value> loadItem(LaneEmitter &group, Value number, Value place, Value item);
  void hideItems(Value from);
  void products(LaneEmitter &group, Value number, Value outputs);
  void tile(LaneEmitter &group, Value number, Value row, Emitter::Values &run,
            ArrayRef<Value> older);
  void finishOutputs(Value outputs);
  void addBand(Value isWhole, Value keysAreNumbers);
  Value isFarAbove(LaneEmitter &group, Value number, Value left);
  void endRun(LaneEmitter &group, Value number);
  void addRun(LaneEmitter &group, Value number);
  void addLeaving(LaneEmitter &group, Value number);
  void keepOlder(LaneEmitter &group, Value number, const MixState &before, const MixState &run);
  Value leaving(Value row) { return e.add(e.add(first, row), mirrored ? mixer.taps : -mixer.taps); }
  void exactly(LaneEmitter &group, Value number, Value done);

  Value itemAt(Value place) { return e.add(origin, place); }
  Value aheadOf(Value t);
  Value exists(Value item);
  Value load(LaneEmitter &group, Value number, Part part) {
    return e.load(state, {number, e.index(part), e.index(0)}, group.lanes);
  }
  void store(Value value, Value number, Part part) {
    e.store(value, state, {number, e.index(part), e.index(0)});
  }
  Pair loadPair(LaneEmitter &group, Value memory, Value number, Value place) {
    return {e.load(memory, {number, place, e.index(0), e.index(0)}, group.lanes),
            e.load(memory, {number, place, e.index(1), e.index(0)}, group.lanes)};
  }
  void storePair(const Pair &pair, Value memory, Value number, Value place) {
    e.store(pair.first, memory, {number, place, e.index(0), e.index(0)});
    e.store(pair.second, memory, {number, place, e.index(1), e.index(0)});
  }

  const WindowMixer &mixer;
  const WindowCode &code;
  const Panel &panel;
  Emitter &e;
  Visit visit;
  bool mirrored;
  int64_t tileRows;
  Value length, items;
  LaneEmitter any;
  WindowWeights weights;
  Value buffer; ///< the two numbers of each item in reach
  Value state;  ///< of each lane group: a Part each
  Value sums;   ///< of the outputs of a block
  Value stale;  ///< whether the next block needs a new base
  std::optional<CausalBand> band;
  // Of the block that is being emitted.
  Value first, rows, origin;
};

} // namespace

CausalPanel::CausalPanel(const WindowMixer &mixer, const WindowCode &code, const Panel &panel,
                         int64_t tile, Visit visit, Value bandParts)
    : mixer(mixer), code(code), panel(panel), e(panel.e), visit(visit), mirrored(code.mirrored),
      tileRows(tile), length(e.dim(mixer.q, 1)),
      items(mirrored ? length : visibleKeys(e, mixer.lengths, panel.batch, length)),
      any(panel.group(e.index(0))), weights(mixer, any, mirrored, kBlock) {
  buffer = e.scratch({panel.most, places(), 2, panel.width()}, panel.element);
  state = e.scratch({panel.most, kParts, panel.width()}, panel.element);
  sums = e.scratch({panel.most, kBlock, 2, panel.width()}, panel.element);
  stale = e.scratch({1}, e.builder.getI8Type());
  if (bandParts)
    band.emplace(mixer, code, panel, weights, buffer, bandParts, kBlock);
}

/// The position that follows after some others. Blocks may go backwards, positions never do.
Value CausalPanel::aheadOf(Value t) {
  Value ahead = e.add(t, kAhead), last = e.sub(length, e.index(1));
  if (!mirrored)
    return e.min(ahead, last);
  Value before = e.max(e.sub(ahead, e.index(2 * kBlock)), e.index(0));
  return e.min(e.select(e.less(ahead, e.add(first, kBlock)), ahead, before), last);
}

Value CausalPanel::exists(Value item) { return e.below(item, items); }

void CausalPanel::clear() {
  panel.forEachGroup([&](LaneEmitter &group, Value number) {
    for (Part part : {kBase, kTop, kLeft, kOlderM})
      store(lowest(e, group.type), number, part);
    for (int part = kOlderN; part < kParts; ++part)
      store(group.number(0), number, Part(part));
    e.loop(e.index(0), e.index(places()), e.index(1), [&](Value place) {
      storePair({group.number(0), group.number(0)}, buffer, number, place);
    });
  });
  e.store(e.builder.create<arith::ConstantIntOp>(e.loc, 1, 8), stale, e.index(0));
  if (band)
    band->clear(panel.count);
}

void CausalPanel::run() {
  clear();
  Value blocks = e.ceilDiv(length, kBlock);
  e.loop(e.index(0), blocks, e.index(1), [&](Value i) {
    Value number = mirrored ? e.sub(e.sub(blocks, e.index(1)), i) : i;
    first = e.mul(number, kBlock);
    block(weights.fill(first));
  });
}

/// `moderate`: how many outputs, from the first on, have moderate biases alone.
void CausalPanel::block(Value moderate) {
  rows = e.min(e.index(kBlock), e.sub(length, first));
  // Place 0 is the item that leaves the window of output 0.
  origin = e.sub(first, e.index(mirrored ? 1 : mixer.taps));
  Value zero = e.builder.create<arith::ConstantIntOp>(e.loc, 0, 8);
  Value isStale = e.builder.create<arith::CmpIOp>(e.loc, arith::CmpIPredicate::ne,
                                                  e.load(stale, e.index(0), 0), zero);
  Value isFar = e.branch(
      isStale, e.builder.getI1Type(), [&] { return Emitter::Values{chooseBases()}; },
      [&] {
        panel.forEachGroup([&](LaneEmitter &group, Value number) { keepWindow(number); });
        return Emitter::Values{e.builder.create<arith::ConstantIntOp>(e.loc, 0, 1)};
      })[0];
  Value end = e.min(moderate, loadItems(isStale));
  Value done = e.select(isFar, e.index(0), end);
  done = e.min(done, rows);
  Value isWhole = e.same(done, rows);
  e.when(e.less(done, rows), [&] { hideItems(done); });
  Value keysAreNumbers;
  if (band)
    keysAreNumbers = band->loadKeys(
        first, [&](LaneEmitter &group, Value number) { return load(group, number, kBase); },
        [&](Value key) { return aheadOf(key); });
  panel.forEachGroup([&](LaneEmitter &group, Value number) { products(group, number, done); });
  finishOutputs(done);
  if (band)
    addBand(isWhole, keysAreNumbers);
  e.branch(
      isWhole, {},
      [&] {
        panel.forEachGroup([&](LaneEmitter &group, Value number) { endRun(group, number); });
        return Emitter::Values{};
      },
      [&] {
        panel.forEachGroup([&](LaneEmitter &group, Value number) { exactly(group, number, done); });
        return Emitter::Values{};
      });
  Value one = e.builder.create<arith::ConstantIntOp>(e.loc, 1, 8);
  e.store(e.select(isWhole, zero, one), stale, e.index(0));
}

//===----------------------------------------------------------------------===//
// Items
//===----------------------------------------------------------------------===//

/// Moves the items that stay in reach of the next block to their places there.
void CausalPanel::keepWindow(Value number) {
  Value taps = e.index(mixer.taps);
  e.loop(e.index(0), taps, e.index(1), [&](Value i) {
    // In the order that reads an item before it is overwritten.
    Value old = mirrored ? e.sub(taps, i) : e.add(i, kBlock);
    Value place = mirrored ? e.add(old, kBlock) : i;
    LaneEmitter group = any;
    storePair(loadPair(group, buffer, number, old), buffer, number, place);
  });
}

/// Chooses the bases of all lane groups. Returns whether one is too far above what an output sees.
Value CausalPanel::chooseBases() {
  Value none = any.number(0);
  Value most =
      e.loop(e.index(0), panel.groups, e.index(1), none, [&](Value number, ValueRange carried) {
        LaneEmitter group = panel.group(number);
        return Emitter::Values{e.fmax(carried[0], chooseBase(group, number))};
      })[0];
  return anyLane(e, e.compare(arith::CmpFPredicate::OGT, most, any.number(kReach)));
}

/// Takes the base from the largest exponent known before and the items that the first output sees.
/// The derivative goes backwards, where exponents rise: there it is taken from all items. Returns
/// how far these are above those that the last output, which is the first to be computed, sees.
///
/// What older sums are relative to would not do for the first: that lies above their exponents, and
/// a base above it would climb with each new one.
Value CausalPanel::chooseBase(LaneEmitter &group, Value number) {
  auto largest = [&](Value from, Value to, Value top) {
    return e.loop(e.max(from, e.index(0)), e.min(to, items), e.index(1), top,
                  [&](Value item, ValueRange top) {
                    return Emitter::Values{e.fmaxNumber(top[0], code.load(group, item).exponent)};
                  })[0];
  };
  Value known = load(group, number, kTop);
  Value seen = mirrored ? largest(itemAt(rows), itemAt(e.index(places())), known)
                        : largest(origin, itemAt(e.index(mixer.taps + 1)), known);
  Value top = mirrored ? largest(itemAt(e.index(1)), itemAt(rows), seen) : seen;
  store(top, number, kTop);
  store(e.fadd(top, group.number(kOffset)), number, kBase);
  return e.fsub(top, seen);
}

/// The sums of older items; they may have left nothing beside the base.
MixState CausalPanel::older(LaneEmitter &group, Value number) {
  return {load(group, number, kOlderM),
          e.fadd(load(group, number, kOlderN), load(group, number, kRestN)),
          e.fadd(load(group, number, kOlderZ), load(group, number, kRestZ))};
}

/// What relates the older sums to the base: 1 unless the base is new.
Value CausalPanel::olderFactor(LaneEmitter &group, Value number) {
  return e.exp(e.fsub(load(group, number, kOlderM), load(group, number, kBase)));
}

/// Stores exp(x - base) times both numbers of an item; returns x - base and a number
/// that is 0 if these leave room.
std::pair<Value, Value> CausalPanel::loadItem(LaneEmitter &group, Value number, Value place,
                                              Value index) {
  WindowCode::Item item = code.load(group, index);
  Value relative = e.fsub(item.exponent, load(group, number, kBase)), weight = e.exp(relative);
  Value zero = group.number(0);
  Value one = e.fmul(weight, item.first), two = e.fmul(weight, item.second);
  // A key of weight 0 is hidden: its value, perhaps NaN, must not be seen.
  if (!mirrored)
    one = e.select(e.equal(weight, zero), zero, one);
  storePair({one, two}, buffer, number, place);
  if (visit)
    visit(group, index);
  return {relative, oddness(e, one, two)};
}

/// Loads an item for all lane groups. Returns how many outputs go by products, `end` at
/// most.
Value CausalPanel::loadPlace(Value place, Value item, Value end) {
  Value zero = any.number(0), ahead = aheadOf(item);
  auto seen = e.loop(
      e.index(0), panel.groups, e.index(1), {zero, zero}, [&](Value number, ValueRange carried) {
        LaneEmitter group = panel.group(number);
        panel.prefetch(code.sources, ahead, number, /*forWriting=*/false);
        panel.prefetch(code.visited, ahead, number, /*forWriting=*/true);
        auto [relative, odd] = loadItem(group, number, place, item);
        Value isMore = e.compare(arith::CmpFPredicate::OGT, relative, carried[0]);
        return Emitter::Values{e.select(isMore, relative, carried[0]), e.fadd(carried[1], odd)};
      });
  Value isFar = e.compare(arith::CmpFPredicate::OGT, seen[0], any.number(kHeadroom));
  Value isOdd = e.compare(arith::CmpFPredicate::UNE, seen[1], zero);
  Value isBad = anyLane(e, e.either(isFar, isOdd));
  // The first output that sees the item.
  Value row = mirrored ? e.index(0) : e.max(e.sub(place, e.index(mixer.taps)), e.index(0));
  return e.select(isBad, e.min(end, row), end);
}

/// Loads the items that the block brings, or all in reach.
Value CausalPanel::loadItems(Value isStale) {
  int64_t last = mirrored ? kBlock + 1 : places() - 1;
  Value lower = e.index(1), upper = e.index(last);
  if (mirrored)
    upper = e.select(isStale, e.index(places()), upper);
  else
    lower = e.select(isStale, e.index(0), e.index(mixer.taps));
  return e.loop(lower, upper, e.index(1), e.index(kBlock), [&](Value place, ValueRange end) {
    Value item = itemAt(place);
    return e.branch(
        exists(item), e.builder.getIndexType(),
        [&] { return Emitter::Values{loadPlace(place, item, end[0])}; },
        [&] {
          panel.forEachGroup([&](LaneEmitter &group, Value number) {
            storePair({group.number(0), group.number(0)}, buffer, number, place);
          });
          return Emitter::Values{end[0]};
        });
  })[0];
}

/// Items that outputs before number `from` do not see become 0, so that no product of
/// theirs meets one that is no number.
void CausalPanel::hideItems(Value from) {
  if (mirrored)
    return;
  e.loop(e.add(from, mixer.taps), e.index(places()), e.index(1), [&](Value place) {
    panel.forEachGroup([&](LaneEmitter &group, Value number) {
      storePair({group.number(0), group.number(0)}, buffer, number, place);
    });
  });
}

//===----------------------------------------------------------------------===//
// Outputs
//===----------------------------------------------------------------------===//

/// A few outputs at once: the items of their windows are loaded once for all. `run`
/// are the sums of the items that left the windows in this block. Windows are summed alone, for
/// beside the older sums each item would be rounded to their digits.
void CausalPanel::tile(LaneEmitter &group, Value number, Value row, Emitter::Values &run,
                       ArrayRef<Value> older) {
  Emitter::Values totals(2 * tileRows), outside(2 * tileRows);
  for (int64_t step = 0; step < tileRows; ++step) {
    int64_t i = mirrored ? tileRows - 1 - step : step;
    Value leaving = e.add(row, mirrored ? i + mixer.taps + 1 : i);
    auto [one, two] = loadPair(group, buffer, number, leaving);
    run = {e.fadd(run[0], one), e.fadd(run[1], two)};
    totals[2 * i] = totals[2 * i + 1] = group.number(0);
    outside[2 * i] = e.fadd(older[0], run[0]);
    outside[2 * i + 1] = e.fadd(older[1], run[1]);
  }
  totals = weights.addWindows(group, row, tileRows, totals,
                              [&](Value item) { return loadPair(group, buffer, number, item); });
  for (int64_t i = 0; i < tileRows; ++i)
    storePair(
        {e.fadd(totals[2 * i], outside[2 * i]), e.fadd(totals[2 * i + 1], outside[2 * i + 1])},
        sums, number, e.add(row, i));
}

void CausalPanel::products(LaneEmitter &group, Value number, Value outputs) {
  MixState before = older(group, number);
  Value factor = olderFactor(group, number);
  Value sums[2] = {e.fmul(before.n, factor), e.fmul(before.z, factor)};
  Value tiles = e.ceilDiv(outputs, tileRows);
  auto run = e.loop(e.index(0), tiles, e.index(1), {group.number(0), group.number(0)},
                    [&](Value i, ValueRange carried) {
                      Value index = mirrored ? e.sub(e.sub(tiles, e.index(1)), i) : i;
                      Emitter::Values run(carried);
                      tile(group, number, e.mul(index, tileRows), run, sums);
                      return run;
                    });
  store(run[0], number, kRunN);
  store(run[1], number, kRunZ);
}

void CausalPanel::finishOutputs(Value outputs) {
  e.loop(e.index(0), outputs, e.index(1), [&](Value row) {
    Value ahead = aheadOf(e.add(first, row));
    panel.forEachGroup([&](LaneEmitter &group, Value number) {
      if (!band)
        panel.prefetch(code.beside, ahead, number, /*forWriting=*/false);
      panel.prefetch(code.results, ahead, number, /*forWriting=*/true);
      auto [one, two] = loadPair(group, sums, number, row);
      MixState state = {load(group, number, kBase), one, two};
      Value output = e.add(first, row);
      if (band)
        code.finishWeighed(group, output, state, band->weight(number, row));
      else
        code.finish(group, output, state);
    });
  });
}

/// What the keys of the block contribute to the gradient of the band.
void CausalPanel::addBand(Value isWhole, Value keysAreNumbers) {
  Value no = e.builder.create<arith::ConstantIntOp>(e.loc, 0, 1);
  Value isDone = e.branch(
      e.select(isWhole, keysAreNumbers, no), no.getType(),
      [&] { return Emitter::Values{band->products(first, rows)}; },
      [&] { return Emitter::Values{no}; })[0];
  e.branch(
      isDone, {}, [] { return Emitter::Values{}; },
      [&] {
        band->exactly(first, rows);
        return Emitter::Values{};
      });
}

/// Whether the base lies far above `left`, the largest exponent that has left the windows.
Value CausalPanel::isFarAbove(LaneEmitter &group, Value number, Value left) {
  return e.compare(arith::CmpFPredicate::OGT, e.fsub(load(group, number, kBase), left),
                   group.number(kFarAbove));
}

/// Adds the items that left the windows to the older ones: their products, or, where the base lies
/// so far above all of them that these are nothing, one by one. What the base comes from may be
/// hidden from a later output.
void CausalPanel::endRun(LaneEmitter &group, Value number) {
  // That of blocks before is nearly always enough.
  Value known = load(group, number, kLeft);
  Value left = e.branch(
      anyLane(e, isFarAbove(group, number, known)), group.type,
      [&] {
        return e.loop(e.index(0), rows, e.index(1), known, [&](Value row, ValueRange top) {
          Value item = leaving(row);
          return e.branch(
              exists(item), group.type,
              [&] {
                return Emitter::Values{e.fmaxNumber(top[0], code.load(group, item).exponent)};
              },
              [&] { return Emitter::Values{top[0]}; });
        });
      },
      [&] { return Emitter::Values{known}; })[0];
  store(left, number, kLeft);
  // Before anything has left there is nothing to lose.
  Value hasLeft = e.compare(arith::CmpFPredicate::UNE, left, lowest(e, group.type));
  e.branch(
      anyLane(e, e.both(isFarAbove(group, number, left), hasLeft)), {},
      [&] {
        addLeaving(group, number);
        return Emitter::Values{};
      },
      [&] {
        addRun(group, number);
        return Emitter::Values{};
      });
}

void CausalPanel::addRun(LaneEmitter &group, Value number) {
  Value factor = olderFactor(group, number), zero = group.number(0);
  Value isEmpty = e.equal(zero, zero);
  for (auto [run, older, rest] :
       {std::tuple(kRunN, kOlderN, kRestN), std::tuple(kRunZ, kOlderZ, kRestZ)}) {
    Value sum = e.fmul(load(group, number, older), factor);
    Value lost = e.fmul(load(group, number, rest), factor);
    addExactly(e, load(group, number, run), sum, lost);
    store(sum, number, older);
    store(lost, number, rest);
    isEmpty = e.both(isEmpty, e.equal(sum, zero));
  }
  // The base says nothing of later outputs' items where none has left.
  Value base = load(group, number, kBase);
  store(e.select(isEmpty, lowest(e, group.type), base), number, kOlderM);
}

void CausalPanel::addLeaving(LaneEmitter &group, Value number) {
  code.exact(group, [&](WindowScan &scan) {
    MixState run = group.loop(e.index(0), rows, group.emptyState(), [&](Value row, MixState run) {
      Value item = leaving(row);
      return group.when(exists(item), run, [&] { return scan.add(run, item); });
    });
    keepOlder(group, number, older(group, number), run);
  });
}

/// The outputs from number `done` on, pair by pair, for any numbers.
void CausalPanel::exactly(LaneEmitter &group, Value number, Value done) {
  MixState before = older(group, number);
  code.exact(group, [&](WindowScan &scan) {
    MixState run = group.loop(e.index(0), rows, group.emptyState(), [&](Value i, MixState run) {
      Value row = mirrored ? e.sub(e.sub(rows, e.index(1)), i) : i, item = leaving(row);
      run = group.when(exists(item), run, [&] { return scan.add(run, item); });
      Value isOpen = e.builder.create<arith::CmpIOp>(e.loc, arith::CmpIPredicate::sge, row, done);
      e.when(isOpen, [&] { scan.finish(e.add(first, row), {before, run}); });
      return run;
    });
    keepOlder(group, number, before, run);
  });
}

/// The older sums with those of the items that left the windows in this block.
void CausalPanel::keepOlder(LaneEmitter &group, Value number, const MixState &before,
                            const MixState &run) {
  // Some items may have come and left within the block.
  for (Part part : {kTop, kLeft})
    store(e.fmaxNumber(load(group, number, part), run.m), number, part);
  MixState all = group.merge(before, run);
  store(e.fmaxNumber(all.m, lowest(e, group.type)), number, kOlderM);
  store(all.n, number, kOlderN);
  store(all.z, number, kOlderZ);
  store(group.number(0), number, kRestN);
  store(group.number(0), number, kRestZ);
}

//===----------------------------------------------------------------------===//
// Entry points
//===----------------------------------------------------------------------===//

/// Outputs whose sums, two each, and the numbers of an item fit into the registers.
static int64_t tileRowsFor(unsigned vectorBits) { return vectorBits >= 512 ? 8 : 6; }

/// Bytes of a row that a panel has at most.
static int64_t mostBytes(int64_t taps, bool withBand) {
  return std::min(kItemBytes / (CausalPanel::places(taps) * 2),
                  withBand ? kBandRowBytes : kRowBytes);
}

bool aft::fitsCausalWindows(const WindowMixer &mixer) {
  return mixer.causal && !mixer.perHeadBias && WindowWeights::fits(mixer.taps);
}

std::optional<BandParts> aft::bandPartsFor(LocalGradOp op) {
  auto type = cast<ShapedType>(op.getQ().getType());
  int64_t taps = tapsOf(op), channels = type.getDimSize(2);
  Type element = computeType(type.getElementType());
  if (!op.getCausal() || !WindowWeights::fits(taps) || channels % kMostLanes != 0)
    return std::nullopt;
  int64_t rowBytes = channels * element.getIntOrFloatBitWidth() / 8;
  if (rowBytes < kLeastBandBytes)
    return std::nullopt;
  PanelCounts counts = panelCounts(rowBytes, mostBytes(taps, /*withBand=*/true));
  if (counts.whole * taps > channels)
    return std::nullopt;
  return BandParts{counts.whole, counts.fine};
}

void aft::emitCausalWindows(const WindowMixer &mixer, const WindowCode &code, Emitter &e,
                            unsigned vectorBits,
                            llvm::function_ref<void(LaneEmitter &, Value)> visit, Value bandParts) {
  Type element = accumulationOf(mixer.q);
  int64_t bytes = lanesFor(element, vectorBits) * element.getIntOrFloatBitWidth() / 8;
  int64_t most = std::max<int64_t>(1, mostBytes(mixer.taps, bandParts != nullptr) / bytes);
  Value batches = e.dim(mixer.q, 0), isNarrow = e.less(batches, e.index(2));
  forEachPanel(e, element, vectorBits, batches, mixer.channels, most, {isNarrow, {}},
               [&](const Panel &panel) {
                 CausalPanel(mixer, code, panel, tileRowsFor(vectorBits), visit, bandParts).run();
               });
}
