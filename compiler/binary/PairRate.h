//===- PairRate.h - How fast this machine multiplies pairs of bf16 --------===//

#ifndef AFT_COMPILER_BINARY_PAIRRATE_H
#define AFT_COMPILER_BINARY_PAIRRATE_H

namespace aft {

/// How long a vdpbf16ps takes, as a multiple of an f32 multiply-add of the same
/// width, when many independent ones are under way; 0 where the CPU has none. Measured
/// at the first call, in about a tenth of a millisecond.
double pairDotCost();

/// Whether products in pairs are the faster ones at that cost: a vdpbf16ps does the work
/// of two multiply-adds.
bool pairDotsPay(double cost);

} // namespace aft

#endif // AFT_COMPILER_BINARY_PAIRRATE_H
