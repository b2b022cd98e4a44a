//===- PackedForm.h - What the factors of a product are packed as ---------===//

#ifndef AFT_COMPILER_VECTOR_PRODUCT_PACKEDFORM_H
#define AFT_COMPILER_VECTOR_PRODUCT_PACKEDFORM_H

#include "compiler/binary/Target.h"
#include "compiler/tile/ProductBlocks.h"
#include "compiler/vector/Emitter.h"

namespace aft {

/// How the factors of a product are packed: as numbers of the type of the sums, or
/// as pairs of bf16 along K in an i32 each. One such unit is a step of K.
struct PackedForm {
  using Value = mlir::Value;
  mlir::Type sums, unit;
  PairDots dots; ///< None: no pairs
  bool pairs;
  bool inTiles() const { return dots == PairDots::Tiles; }
  /// Steps of K that are multiplied at once: factors are packed up to whole ones.
  int64_t stepsAtOnce() const { return inTiles() ? kTileRows : 1; }
  int64_t lanes; ///< units in a vector register
  ProductBlocks blocks;

  PackedForm(mlir::Type sums, PairDots dots, unsigned vectorBits);
  /// How much of K a step takes, and the steps that `extent` of K takes.
  int64_t perStep() const { return pairs ? 2 : 1; }
  Value steps(Emitter &e, Value extent) const;
  /// The same up to whole ones that are multiplied at once.
  Value wholeSteps(Emitter &e, Value extent) const;
  /// Scratch for a block of A [row][step] and of B [panel][step][column].
  Value rowsScratch(Emitter &e) const;
  Value panelsScratch(Emitter &e) const;

  /// Numbers of the type of the sums as they are packed: rounded to bf16, or unchanged.
  Value narrow(Emitter &e, Value numbers) const;
  /// exp of numbers of the type of the sums, as precise as what it is narrowed to needs:
  /// in pairs of the CPU's the error is 3e-6 of the result, rounding adds 4e-3.
  Value exp(Emitter &e, Value numbers) const;
  /// 1 / (1 + exp(-x)) as precise as that: in pairs of the CPU's the error is 6e-5.
  Value sigmoid(Emitter &e, Value x) const;
  /// a / b for b that are neither 0 nor infinite, as precise as a division.
  Value quotient(Emitter &e, Value a, Value b) const;
  /// The packed numbers of a step, scalars or vectors; without pairs the second counts
  /// for nothing.
  Value unitsOf(Emitter &e, Value first, Value second) const;
  /// A vector of packed numbers that follow each other along K.
  Value unitsOfRun(Emitter &e, Value numbers) const;
  /// The same bits in every unit, one or a vector as `units` are.
  Value bits(Emitter &e, Value units, uint32_t bits) const;
  /// The first or second number of pairs.
  Value numberOf(Emitter &e, Value units, int64_t which, mlir::Type sums) const;
  /// Pairs with 0 in place of their second numbers.
  Value firstOnly(Emitter &e, Value units) const;
  Value zeros(Emitter &e, int64_t count) const;
  /// To be called before the loop of a product that stays in registers, among code that
  /// uses registers for other things.
  void freeRegisters(Emitter &e) const;
  /// The sum and the product of units, scalars or vectors.
  Value addProduct(Emitter &e, Value l, Value r, Value sum) const;

private:
  /// Whether numbers are a register of sums where the CPU has instructions for pairs.
  bool fillsRegister(Emitter &e, Value numbers) const;
};

} // namespace aft

#endif // AFT_COMPILER_VECTOR_PRODUCT_PACKEDFORM_H
