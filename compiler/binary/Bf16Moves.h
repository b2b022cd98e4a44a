//===- Bf16Moves.h - Moving bf16 on CPUs without it -----------------------===//

#ifndef AFT_COMPILER_BINARY_BF16MOVES_H
#define AFT_COMPILER_BINARY_BF16MOVES_H

namespace llvm {
class Module;
}

namespace aft {

/// Makes what only moves numbers of bf16 (loads, stores, selects, phis, elements of vectors and
/// shuffles) move integers.
/// LLVM's code generator, on a CPU without bf16, widens such numbers to f32 where they meet
/// from several blocks, and rounds them back by a function that libgcc lacks.
void moveBf16AsIntegers(llvm::Module &module);

} // namespace aft

#endif // AFT_COMPILER_BINARY_BF16MOVES_H
