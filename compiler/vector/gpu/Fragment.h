//===- Fragment.h - Which numbers of a warp's product a thread has --------===//
// Of a fragment of C, 16 x 8, thread `lane` of a warp has two neighbours in row lane / 4
// and two in the row 8 below it, from column lane % 4 * 2 on.

#ifndef AFT_COMPILER_VECTOR_GPU_FRAGMENT_H
#define AFT_COMPILER_VECTOR_GPU_FRAGMENT_H

#include "compiler/vector/Emitter.h"

namespace aft {

/// A fragment of C, the steps of K that it is good for at least, and a thread's numbers.
constexpr int64_t kFragmentRows = 16, kFragmentColumns = 8, kFragmentDepth = 16;
constexpr int64_t kFragmentNumbers = 4, kFragmentPair = 2;
/// The steps that one instruction multiplies: 32 bytes of a row of A.
constexpr int64_t fragmentSteps(int64_t bits) { return 32 * 8 / bits; }

/// Row and column of a thread's first number; `lane`: the thread in its warp.
struct FragmentPlace {
  mlir::Value row, column;
  FragmentPlace(Emitter &e, mlir::Value lane)
      : row(e.div(lane, 4)), column(e.mul(e.rest(lane, 4), kFragmentPair)) {}
  /// How far number i is from the first one.
  static int64_t rowOf(int64_t i) { return i / kFragmentPair * (kFragmentRows / 2); }
  static int64_t columnOf(int64_t i) { return i % kFragmentPair; }
};

} // namespace aft

#endif // AFT_COMPILER_VECTOR_GPU_FRAGMENT_H
