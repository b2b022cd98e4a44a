//===- TiledDiagonal.cpp - A causal strip's own keys in tile registers ----===//

#include "compiler/vector/full/TiledDiagonal.h"

#include "compiler/vector/full/FullMixer.h"

using namespace mlir;
using namespace aft;

/// The exponents of a pair, and what makes their highest bits those of the pair's numbers
/// where all others are set.
static constexpr uint32_t kExponents = 0x7f807f80, kLowestBits = 0x00800080,
                          kHighestBits = 0x80008000;

TiledDiagonal::TiledDiagonal(Emitter &e, const PackedForm &form, const ChannelPairs &panel,
                             const ChannelPairs &sums)
    : e(e), form(form), panel(panel), sums(sums),
      hidden(e.scratch({kTileRows, 2 * form.lanes}, form.unit)) {}

void TiledDiagonal::without(LaneEmitter &group, Value row, Value firstStep, Value column,
                            llvm::function_ref<void()> product) const {
  Value special = anySpecial(group, firstStep, column);
  e.when(special, [&] { hide(group, firstStep, column); });
  product();
  e.when(special, [&] { show(group, row, firstStep, column); });
}

/// Units with bit 15 or 31 set where the first or second number is infinite or a NaN.
static Value specialBits(Emitter &e, const PackedForm &form, Value units) {
  Value exponents = e.both(units, form.bits(e, units, kExponents));
  return e.builder.create<arith::AddIOp>(e.loc, exponents, form.bits(e, units, kLowestBits));
}

Value TiledDiagonal::anySpecial(LaneEmitter &group, Value firstStep, Value column) const {
  Value found;
  for (int64_t step = 0; step < kTileRows; ++step)
    for (int64_t part : {0, 1}) {
      Value units = panel.load(group, e.add(firstStep, step), part, column);
      Value bits = specialBits(e, form, units);
      found = found ? e.either(found, bits) : bits;
    }
  found = e.both(found, form.bits(e, found, kHighestBits));
  Value none = inAllLanes(e, e.same(found, form.bits(e, found, 0)));
  Value yes = e.builder.create<arith::ConstantIntOp>(e.loc, 1, 1);
  return e.builder.create<arith::XOrIOp>(e.loc, none, yes);
}

/// Keeps all items, and makes 0 what is infinite or a NaN.
void TiledDiagonal::hide(LaneEmitter &group, Value firstStep, Value column) const {
  e.loop(e.index(0), e.index(kTileRows), e.index(1), [&](Value step) {
    for (int64_t part : {0, 1}) {
      Value units = panel.load(group, e.add(firstStep, step), part, column);
      e.store(units, hidden, {step, e.index(part * form.lanes)});
      Value special = specialBits(e, form, units), kept = units;
      for (uint32_t half : {0x0000ffffu, 0xffff0000u}) {
        Value zero = form.bits(e, units, 0);
        Value bit = e.both(special, form.bits(e, units, kHighestBits & half));
        Value finite = e.same(bit, zero);
        Value without = e.both(kept, form.bits(e, units, ~half));
        kept = e.select(finite, kept, without);
      }
      panel.store(kept, e.add(firstStep, step), part, column);
    }
  });
}

/// Puts all items back. The sums of the queries that see what was hidden become NaN.
void TiledDiagonal::show(LaneEmitter &group, Value row, Value firstStep, Value column) const {
  Value zero = group.number(0);
  Value start[] = {zero, zero};
  e.loop(e.index(0), e.index(kTileRows), e.index(1), start, [&](Value step, ValueRange before) {
    SmallVector<Value> spoilt(before), units;
    for (int64_t part : {0, 1}) {
      units.push_back(e.load(hidden, {step, e.index(part * form.lanes)}, group.lanes));
      panel.store(units.back(), e.add(firstStep, step), part, column);
    }
    for (int64_t i = 0; i < form.perStep(); ++i) {
      Value query = e.add(row, e.add(e.mul(step, form.perStep()), i));
      for (int64_t part : {0, 1}) {
        // 0 times a number is 0, or NaN.
        Value number = form.numberOf(e, units[part], i, group.type);
        spoilt[part] = e.fma(number, zero, spoilt[part]);
        sums.store(e.fadd(sums.load(group, query, part, column), spoilt[part]), query, part, column);
      }
    }
    return spoilt;
  });
}
