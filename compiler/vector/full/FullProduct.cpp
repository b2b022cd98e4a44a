//===- FullProduct.cpp - The products that aft.full consists of -----------===//

#include "compiler/vector/full/FullProduct.h"

#include "compiler/vector/full/FullMixer.h"
#include "compiler/vector/product/PackedProduct.h"

#include <limits>

using namespace mlir;
using namespace aft;

/// Items between the one that is read and the one that is fetched.
static constexpr int64_t kAhead = 12;

void aft::prefetchAt(Emitter &e, Value memref, ValueRange place, bool isWrite) {
  e.builder.create<memref::PrefetchOp>(e.loc, memref, place, isWrite, /*localityHint=*/3,
                                       /*isDataCache=*/true);
}

//===----------------------------------------------------------------------===//
// ChannelPairs
//===----------------------------------------------------------------------===//

ChannelPairs::ChannelPairs(Emitter &e, int64_t rows, int64_t channels, int64_t lanes, Type element)
    : e(e), groups((channels + lanes - 1) / lanes), lanes(lanes), element(element),
      memory(e.scratch({groups, rows, 2 * lanes}, element)) {}

void ChannelPairs::clear(Value rows) {
  Value zero = e.number(e.typeOf(element, lanes), 0);
  e.loop(e.index(0), e.index(groups), e.index(1), [&](Value group) {
    e.loop(e.index(0), rows, e.index(1), [&](Value row) {
      for (int64_t part : {0, 1})
        e.store(zero, memory, {group, row, e.index(part * lanes)});
    });
  });
}

void ChannelPairs::clearLast(int64_t rows) {
  Type type = e.typeOf(element, lanes);
  Value zero = e.builder.create<arith::ConstantOp>(
      e.loc, cast<TypedAttr>(e.builder.getZeroAttr(type)));
  e.loop(e.index(0), e.index(rows), e.index(1), [&](Value row) {
    for (int64_t part : {0, 1})
      e.store(zero, memory, {e.index(groups - 1), row, e.index(part * lanes)});
  });
}

SmallVector<Value> ChannelPairs::at(Value row, int64_t part, Value column) const {
  Value group = e.div(column, lanes);
  return {group, row, e.add(e.sub(column, e.mul(group, lanes)), part * lanes)};
}

TileRows ChannelPairs::tilesAt(Value row, Value column) const {
  return tileRows(e, memory, {e.div(column, lanes), row, e.index(0)});
}

Value ChannelPairs::load(LaneEmitter &group, Value row, int64_t part, Value column) const {
  return e.load(memory, at(row, part, column), group.lanes);
}

void ChannelPairs::store(Value value, Value row, int64_t part, Value column) const {
  e.store(value, memory, at(row, part, column));
}

void ChannelPairs::prefetch(Value row, Value column) const {
  // A cache line has 64 bytes.
  bool inOne = 2 * lanes * element.getIntOrFloatBitWidth() <= 512;
  for (int64_t part = 0; part < (inOne ? 1 : 2); ++part)
    prefetchAt(e, memory, at(row, part, column), /*isWrite=*/true);
}

//===----------------------------------------------------------------------===//
// PackedItems
//===----------------------------------------------------------------------===//

PackedItems::PackedItems(Emitter &e, const PackedForm &form, int64_t count, int64_t bundleChannels,
                         int64_t blockChannels, Type element, Type stored)
    : panel(e, (count + form.perStep() - 1) / form.perStep(), blockChannels, form.lanes, form.unit),
      e(e), form(form), element(element), channels(blockChannels), lanes(form.lanes),
      maxima(e.scratch({channels}, element)), scales(e.scratch({channels}, element)),
      bases(e.scratch({channels}, element)), factors(e.scratch({channels}, element)),
      inBounds(e.scratch({1}, e.builder.getIndexType())) {
  // Pairs take one more where the last one is not whole.
  int64_t room = count + form.perStep() - 1;
  if (form.pairs)
    separate.emplace(e, room, bundleChannels, lanes, stored ? stored : element);
  // Half as wide, and both in a cache line: there is more to a line than to a number.
  if (!form.pairs || !stored)
    exponents = e.scratch({(bundleChannels + lanes - 1) / lanes, room, lanes}, element);
}

void PackedItems::reset() {
  Value none = e.number(element, -std::numeric_limits<double>::infinity());
  Value zero = e.number(element, 0);
  e.loop(e.index(0), e.index(channels), e.index(1), [&](Value i) {
    e.store(none, maxima, i);
    e.store(none, scales, i);
    e.store(zero, bases, i);
  });
}

SmallVector<Value> PackedItems::at(Value item, Value column) const {
  Value group = e.div(column, lanes);
  return {group, item, e.sub(column, e.mul(group, lanes))};
}

Value PackedItems::exponent(LaneEmitter &group, Value item, Value column) const {
  return exponents ? e.load(exponents, at(item, column), group.lanes)
                   : separate->load(group, item, 1, column);
}

void PackedItems::storeExponent(Value x, Value item, Value column) const {
  if (exponents)
    e.store(x, exponents, at(item, column));
  else
    separate->store(x, item, 1, column);
}

/// Items are scattered in memory, a cache line or two each: they are all fetched by a
/// loop that does nothing else, so that many are under way at a time.
void PackedItems::read(Groups groups, const ChannelRange &block, const ChannelRange &bundle,
                       Value first, Value extent, Load load, Fetch fetch) {
  Value last = e.add(first, e.sub(extent, e.index(1)));
  e.loop(e.index(0), extent, e.index(1), [&](Value i) {
    Value item = e.add(first, i), ahead = e.min(e.add(item, kAhead), last);
    fetch(ahead);
    groups([&](LaneEmitter &group) {
      Item loaded = load(group, item);
      Value column = columnOfNumbers(group, block, bundle);
      storeExponent(loaded.x, i, bundle.columnOf(group));
      numbers().store(loaded.a, i, 0, column);
      if (loaded.ratio)
        numbers().store(form.pairs ? loaded.ratio : e.fmul(loaded.a, loaded.ratio), i, 1, column);
    });
  });
  if (!form.pairs)
    return;
  groups([&](LaneEmitter &group) {
    Value column = bundle.columnOf(group);
    for (int64_t part : {0, 1})
      numbers().store(group.number(0), extent, part, column);
    storeExponent(group.infinity(true), extent, column);
  });
}

/// Finds the base of `extent` items: with all of them, or, where a bound is given, with
/// the first.
void PackedItems::raise(LaneEmitter &group, Value place, Value column, Value extent,
                        std::optional<double> bound) {
  auto maximum = [&](Value first, Value last, Value start) {
    return e.loop(first, last, e.index(1), start, [&](Value i, ValueRange carried) {
      Value x = exponent(group, i, column);
      return Emitter::Values{runningMax(e, carried[0], x)};
    })[0];
  };
  Value old = e.load(maxima, place, group.lanes), scale = e.load(scales, place, group.lanes);
  Value split = bound ? e.min(extent, e.index(1)) : extent;
  Value top = maximum(e.index(0), split, old), base = group.finite(top);
  if (bound) {
    Value most = maximum(split, extent, top);
    Value fits =
        e.both(e.compare(arith::CmpFPredicate::ONE, top, group.infinity(true)),
               e.compare(arith::CmpFPredicate::OLE, e.fsub(most, base), group.number(*bound)));
    Value first = e.index(0);
    e.store(e.select(inAllLanes(e, fits), e.load(inBounds, first, 0), first), inBounds, first);
    e.store(most, maxima, place);
  } else {
    e.store(top, maxima, place);
    e.store(top, scales, place);
  }
  e.store(base, bases, place);
  e.store(e.exp(e.fsub(scale, base)), factors, place);
}

/// What item i with this weight exp(x - c) is packed as.
std::pair<Value, Value> PackedItems::packedPair(LaneEmitter &group, Value weight, Value i,
                                                Value column, bool hasRatio) {
  Value a = numbers().load(group, i, 0, column);
  Value second = hasRatio ? numbers().load(group, i, 1, column) : Value();
  if (!form.pairs)
    return {e.fmul(weight, a), hasRatio ? e.fmul(weight, second) : weight};
  Value first = form.narrow(e, hasRatio ? e.fmul(weight, a) : weight);
  Value other = e.fmul(e.convert(first, element), hasRatio ? second : a);
  return hasRatio ? std::pair(first, form.narrow(e, other))
                  : std::pair(form.narrow(e, other), first);
}

void PackedItems::scale(LaneEmitter &group, const ChannelRange &block, const ChannelRange &bundle,
                        Value extent, bool hasRatio, std::optional<double> bound) {
  Value base = this->base(group, block), place = block.columnOf(group);
  Value column = columnOfNumbers(group, block, bundle);
  e.loop(e.index(0), form.steps(e, extent), e.index(1), [&](Value step) {
    SmallVector<Value> parts[2];
    for (int64_t item = 0; item < form.perStep(); ++item) {
      Value i = e.add(e.mul(step, form.perStep()), item);
      Value x = e.fsub(exponent(group, i, bundle.columnOf(group)), base);
      Value weight = form.exp(e, x);
      if (bound)
        weight = e.select(e.compare(arith::CmpFPredicate::OGT, x, group.number(*bound)),
                          group.number(std::numeric_limits<double>::quiet_NaN()), weight);
      auto [first, second] = packedPair(group, weight, i, column, hasRatio);
      parts[0].push_back(first);
      parts[1].push_back(second);
    }
    for (int64_t part : {0, 1})
      panel.store(form.unitsOf(e, parts[part].front(), parts[part].back()), step, part, place);
  });
}

/// Steps beyond the last item, up to a whole number of those that are multiplied at once.
void PackedItems::clearRest(LaneEmitter &group, Value place, Value extent) {
  e.loop(form.steps(e, extent), form.wholeSteps(e, extent), e.index(1), [&](Value step) {
    for (int64_t part : {0, 1})
      panel.store(form.zeros(e, group.lanes), step, part, place);
  });
}

void PackedItems::pack(Groups groups, const ChannelRange &block, const ChannelRange &bundle,
                       Value first, Value extent, Load loadItem, Fetch fetch,
                       std::optional<double> bound) {
  bool hasRatio = false;
  auto load = [&](LaneEmitter &group, Value item) {
    Item loaded = loadItem(group, item);
    hasRatio = bool(loaded.ratio);
    return loaded;
  };
  read(groups, block, bundle, first, extent, load, fetch);
  groups([&](LaneEmitter &group) {
    raise(group, block.columnOf(group), bundle.columnOf(group), extent, bound);
    scale(group, block, bundle, extent, hasRatio, bound);
    if (form.stepsAtOnce() > 1)
      clearRest(group, block.columnOf(group), extent);
  });
}

void PackedItems::beginBounded() { e.store(e.index(1), inBounds, e.index(0)); }

Value PackedItems::fitBounds() { return e.less(e.index(0), e.load(inBounds, e.index(0), 0)); }

void PackedItems::keepBounded() {
  e.loop(e.index(0), e.index(channels), e.index(lanes),
         [&](Value i) { e.store(e.load(bases, i, lanes), scales, i); });
}

Value PackedItems::base(LaneEmitter &group, const ChannelRange &block) const {
  return load(group, bases, block);
}

Value PackedItems::factor(LaneEmitter &group, const ChannelRange &block) const {
  return load(group, factors, block);
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

void PanelProduct::prefetchSums(Value row, Value column) const {
  // The sums are needed at the end, and seldom lie in the L1 cache.
  for (int64_t i = 0; i < form.blocks.strip; ++i)
    sums.prefetch(sums.emitter().add(row, i), column);
}

SmallVector<Value> PanelProduct::products(LaneEmitter &group, Value first, Value last,
                                          Value column) const {
  Emitter &e = group.e;
  SmallVector<Value> zeros(2 * form.blocks.strip, e.number(group.type, 0));
  Value start = e.div(first, form.perStep());
  Type units = e.typeOf(form.unit, group.lanes);
  form.freeRegisters(e);
  return emitStrip(
      e, zeros, 2, e.sub(form.steps(e, last), start),
      [&](int64_t i, Value step) { return e.broadcast(weight(i, e.add(start, step)), units); },
      [&](int64_t part, Value step) { return panel.load(group, e.add(start, step), part, column); },
      [&](Value l, Value r, Value sum) { return form.addProduct(e, l, r, sum); });
}

void PanelProduct::addToSums(LaneEmitter &group, MutableArrayRef<Value> products, Value row,
                             Value column, Value factor) const {
  for (int64_t i = 0; i < form.blocks.strip; ++i)
    for (int64_t part : {0, 1}) {
      Value &product = products[2 * i + part];
      product = group.e.fma(sums.load(group, group.e.add(row, i), part, column), factor, product);
    }
}

void PanelProduct::storeSums(ArrayRef<Value> totals, Value row, Value column) const {
  for (int64_t i = 0; i < form.blocks.strip; ++i)
    for (int64_t part : {0, 1})
      sums.store(totals[2 * i + part], sums.emitter().add(row, i), part, column);
}

void PanelProduct::addStrip(LaneEmitter &group, Value row, Value first, Value last, Value column,
                            Value factor) const {
  prefetchSums(row, column);
  SmallVector<Value> totals = products(group, first, last, column);
  addToSums(group, totals, row, column, factor);
  storeSums(totals, row, column);
}

TiledPanelProduct::TiledPanelProduct(Emitter &e, const PackedForm &form, const ChannelPairs &panel,
                                     const ChannelPairs &sums)
    : form(form), panel(panel), sums(sums), zeros(tileZeros(e)) {}

void TiledPanelProduct::forTileOf(LaneEmitter &group, Value column,
                                  llvm::function_ref<void(LaneEmitter &)> body) const {
  if (group.lanes == form.lanes)
    return body(group);
  // The last channels are some groups of fewer lanes.
  Emitter &e = group.e;
  Value inTile = e.sub(column, e.roundDown(column, form.lanes));
  e.when(e.less(inTile, e.index(1)), [&] {
    LaneEmitter tile(e, group.element, form.lanes, group.batch, group.channel);
    body(tile);
  });
}

void TiledPanelProduct::scaleSums(LaneEmitter &group, Value first, Value last, Value column,
                                  Value factor) const {
  Emitter &e = group.e;
  auto nothing = [] { return Emitter::Values{}; };
  e.branch(inAllLanes(e, e.equal(factor, group.number(1))), {}, nothing, [&] {
    e.loop(first, last, e.index(1), [&](Value row) {
      for (int64_t part : {0, 1}) {
        Value sum = sums.load(group, row, part, column);
        sums.store(e.fmul(sum, factor), row, part, column);
      }
    });
    return Emitter::Values{};
  });
}

void TiledPanelProduct::addStrip(LaneEmitter &tile, const TileRows &weights, Value row,
                                 Value first, Value last, Value column, Value begins) const {
  Emitter &e = tile.e;
  TileRows to = sums.tilesAt(row, column);
  TileRows from{e.select(begins, zeros.address, to.address),
                e.select(begins, zeros.stride, to.stride)};
  emitTileProduct(e, weights, panel.tilesAt(first, column), e.sub(last, first), from, to,
                  [](Value) {});
}

SmallVector<Value>
aft::overVectors(Emitter &e, Value count, int64_t lanes, ValueRange carried,
                 llvm::function_ref<Emitter::Values(Value, Value, ValueRange)> body) {
  Value whole = e.roundDown(e.max(count, e.index(0)), lanes);
  Emitter::Values sums =
      e.loop(e.index(0), whole, e.index(lanes), carried,
             [&](Value i, ValueRange carried) { return body(i, Value(), carried); });
  return e.branch(
      e.less(whole, count), TypeRange(ValueRange(carried)),
      [&] { return body(whole, e.sub(count, whole), sums); }, [&] { return sums; });
}
