//===- PackedForm.cpp - What the factors of a product are packed as -------===//

#include "compiler/vector/product/PackedForm.h"

#include "compiler/vector/RegisterMath.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace aft;

/// Units between two packed rows of A beyond their steps: rows a power of two
/// apart would compete for the same lines of the cache.
static constexpr int64_t kRowPadding = 16;

static ProductUnit unitOf(PairDots dots) {
  if (dots == PairDots::Tiles)
    return ProductUnit::Tile;
  return dots == PairDots::None ? ProductUnit::Number : ProductUnit::Pair;
}

PackedForm::PackedForm(Type sums, PairDots dots, unsigned vectorBits)
    : sums(sums), unit(dots != PairDots::None ? IntegerType::get(sums.getContext(), 32) : sums),
      dots(dots), pairs(dots != PairDots::None), lanes(lanesFor(sums, vectorBits)),
      blocks(productBlocks(sums.getIntOrFloatBitWidth() / 8, vectorBits, unitOf(dots))) {
}

Value PackedForm::steps(Emitter &e, Value extent) const {
  return pairs ? e.ceilDiv(extent, 2) : extent;
}

Value PackedForm::wholeSteps(Emitter &e, Value extent) const {
  return e.mul(e.ceilDiv(steps(e, extent), stepsAtOnce()), stepsAtOnce());
}

Value PackedForm::rowsScratch(Emitter &e) const {
  return e.scratch({blocks.rows, blocks.depth + kRowPadding}, unit);
}
Value PackedForm::panelsScratch(Emitter &e) const {
  return e.scratch({blocks.columns / blocks.panel, blocks.depth, blocks.panel}, unit);
}

//===----------------------------------------------------------------------===//
// Units
//===----------------------------------------------------------------------===//

Value PackedForm::bits(Emitter &e, Value units, uint32_t bits) const {
  TypedAttr scalar = e.builder.getI32IntegerAttr(static_cast<int32_t>(bits));
  if (auto vector = dyn_cast<VectorType>(units.getType()))
    scalar = DenseElementsAttr::get(vector, scalar);
  return e.builder.create<arith::ConstantOp>(e.loc, scalar);
}

Value PackedForm::narrow(Emitter &e, Value numbers) const {
  return pairs ? e.convert(numbers, e.builder.getBF16Type()) : numbers;
}

bool PackedForm::fillsRegister(Emitter &e, Value numbers) const {
  return (dots == PairDots::Hardware || inTiles()) && numbers.getType() == e.typeOf(sums, lanes);
}

Value PackedForm::exp(Emitter &e, Value numbers) const {
  return fillsRegister(e, numbers) ? expForBF16(e, numbers) : e.exp(numbers);
}

Value PackedForm::sigmoid(Emitter &e, Value x) const {
  Value one = e.number(x.getType(), 1);
  Value sum = e.fadd(one, exp(e, e.fsub(e.number(x.getType(), 0), x)));
  return fillsRegister(e, x) ? reciprocalForBF16(e, sum) : e.fdiv(one, sum);
}

Value PackedForm::quotient(Emitter &e, Value a, Value b) const {
  if (!fillsRegister(e, b))
    return e.fdiv(a, b);
  // One step of Newton's method.
  Value r = reciprocalForBF16(e, b), minus = e.fsub(e.number(b.getType(), 0), b);
  Value missing = e.fma(minus, r, e.number(b.getType(), 1));
  return e.fmul(a, e.fma(missing, r, r));
}

Value PackedForm::unitsOf(Emitter &e, Value first, Value second) const {
  if (!pairs)
    return first;
  auto vector = dyn_cast<VectorType>(first.getType());
  if (vector && dots != PairDots::Expanded)
    return unitsOfRun(e, e.builder.create<vector::InterleaveOp>(e.loc, first, second));
  // Without shuffles of bf16, which LLVM takes apart where the CPU has no bf16, and then
  // calls a conversion that libgcc lacks.
  int64_t count = vector ? vector.getDimSize(0) : 0;
  auto widened = [&](Value numbers) -> Value {
    Type half = e.typeOf(e.builder.getI16Type(), count);
    Value halves = e.builder.create<arith::BitcastOp>(e.loc, half, numbers);
    return e.builder.create<arith::ExtUIOp>(e.loc, e.typeOf(unit, count), halves);
  };
  Value low = widened(first), high = widened(second);
  high = e.builder.create<arith::ShLIOp>(e.loc, high, bits(e, high, 16));
  return e.either(low, high);
}

Value PackedForm::unitsOfRun(Emitter &e, Value numbers) const {
  if (!pairs)
    return numbers;
  int64_t count = cast<VectorType>(numbers.getType()).getDimSize(0) / 2;
  return e.builder.create<vector::BitCastOp>(e.loc, VectorType::get({count}, unit), numbers);
}

Value PackedForm::firstOnly(Emitter &e, Value units) const {
  return e.both(units, bits(e, units, 0xffff));
}

Value PackedForm::numberOf(Emitter &e, Value units, int64_t which, Type sums) const {
  Value wide = which == 0 ? Value(e.builder.create<arith::ShLIOp>(e.loc, units, bits(e, units, 16)))
                          : e.both(units, bits(e, units, 0xffff0000));
  return e.builder.create<arith::BitcastOp>(e.loc, sums, wide);
}

Value PackedForm::zeros(Emitter &e, int64_t count) const {
  return e.builder.create<arith::ConstantOp>(
      e.loc, cast<TypedAttr>(e.builder.getZeroAttr(e.typeOf(unit, count))));
}

/// LLVM keeps the constants of exponentials around a loop in registers while it is under
/// way, and with the sums then runs out of them: of 32 with vdpbf16ps, whose sums it copies
/// about, of 16 in any case. It has to let go of what an instruction that is none overwrites.
void PackedForm::freeRegisters(Emitter &e) const {
  bool hasFew = lanes * sums.getIntOrFloatBitWidth() == 256;
  if (dots != PairDots::Hardware && !hasFew)
    return;
  std::string overwritten;
  for (int i = 0; i < (hasFew ? 16 : 32); ++i)
    overwritten += (i > 0 ? ",~{" : "~{") + std::string(hasFew ? "ymm" : "zmm") +
                   std::to_string(i) + "}";
  e.builder.create<LLVM::InlineAsmOp>(e.loc, TypeRange(), ValueRange(), /*asm_string=*/"",
                                      overwritten, /*has_side_effects=*/true,
                                      /*is_align_stack=*/false, LLVM::AsmDialectAttr(),
                                      /*operand_attrs=*/ArrayAttr());
}

/// Of pairs: sum + l.second * r.second + l.first * r.first, in this order and each step
/// rounded once: so does vdpbf16ps. (It takes numbers below 2^-126 for 0, the expansion
/// does not.) Fewer than a register full of sums, where there are few channels, are
/// expanded.
Value PackedForm::addProduct(Emitter &e, Value l, Value r, Value sum) const {
  if (!pairs)
    return e.fma(l, r, sum);
  if (dots == PairDots::Hardware && l.getType() == e.typeOf(unit, lanes)) {
    auto halves = VectorType::get({2 * lanes}, e.builder.getBF16Type());
    l = e.builder.create<vector::BitCastOp>(e.loc, halves, l);
    r = e.builder.create<vector::BitCastOp>(e.loc, halves, r);
    return callIntrinsic(e, "llvm.x86.avx512bf16.dpbf16ps.512", sum.getType(), {sum, l, r});
  }
  auto number = [&](Value pairs, int64_t which) {
    return numberOf(e, pairs, which, sum.getType());
  };
  return e.fma(number(l, 0), number(r, 0), e.fma(number(l, 1), number(r, 1), sum));
}
