//===- MeasuredProgram.h - How long a program's kernels take --------------===//

#ifndef AFT_RUNTIME_JIT_MEASUREDPROGRAM_H
#define AFT_RUNTIME_JIT_MEASUREDPROGRAM_H

#include "compiler/Pipeline.h"
#include "runtime/jit/Package.h"
#include "llvm/ADT/StringMap.h"

#include <string>
#include <vector>

namespace aft {

/// An entry and the shapes of all its inputs.
struct EntryShapes {
  std::string name;
  std::vector<std::vector<int64_t>> shapes;
};

/// Shapes for an entry's inputs, which are `declared` with kDynamic where an extent is
/// free: those wanted (of all inputs, or in order of those with free extents) where they
/// fit; else 1 for the first of several free extents, 1024 for others.
std::vector<std::vector<int64_t>> concreteShapes(const std::vector<std::vector<int64_t>> &declared,
                                                 const std::vector<std::vector<int64_t>> &wanted);

/// Milliseconds of all launches of a kernel in a run of every entry.
using KernelTimes = llvm::StringMap<double>;

/// Runs every entry some times on made-up numbers; the least time of each kernel.
Status measureKernels(Package package, const std::vector<EntryShapes> &entries, int threads,
                      KernelTimes &times);

} // namespace aft

#endif // AFT_RUNTIME_JIT_MEASUREDPROGRAM_H
