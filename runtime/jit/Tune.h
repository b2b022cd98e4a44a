//===- Tune.h - Tile sizes by measurement, and their memory ---------------===//

#ifndef AFT_RUNTIME_JIT_TUNE_H
#define AFT_RUNTIME_JIT_TUNE_H

#include "compiler/Pipeline.h"
#include "runtime/jit/Cache.h"

#include <string>
#include <vector>

namespace aft {

/// Scales the tiles of a module's kernels, after the kernels phase, as is fastest on
/// this machine with the options' number of threads. What the cache knows of a kernel
/// is not measured again. Where nothing can be measured the model's choice stays, with
/// a warning. `shapes`: as CompileOptions::tuneShapes.
void tuneKernels(mlir::ModuleOp module, const PipelineOptions &options, const Cache &cache,
                 const std::vector<std::vector<int64_t>> &shapes);

/// " 4x8 16" for a key.
std::string shapesText(const std::vector<std::vector<int64_t>> &shapes);

} // namespace aft

#endif // AFT_RUNTIME_JIT_TUNE_H
