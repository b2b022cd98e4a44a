//===- Compile.h - From program text to a package -------------------------===//

#ifndef AFT_RUNTIME_JIT_COMPILE_H
#define AFT_RUNTIME_JIT_COMPILE_H

#include "compiler/Pipeline.h"
#include "runtime/core/InternalApi.h"
#include "runtime/jit/Package.h"

namespace aft {

/// Parses and compiles a program. Every error diagnostic makes it fail; the
/// status then holds all of them, with their positions.
AFT_INTERNAL Status compilePackage(const std::string &text, const std::string &name,
                                   const PipelineOptions &options, Package &package);

/// Parses a program, runs the phases up to `last` and prints the result.
AFT_INTERNAL Status compileToText(const std::string &text, const std::string &name, Phase last,
                                  const PipelineOptions &options, std::string &result);

/// Completes a package from the module that the kernels phase leaves, without
/// another search for tile sizes. A failure has been reported.
mlir::LogicalResult compileKernels(mlir::ModuleOp module, const PipelineOptions &options,
                                   Package &package);

/// Makes a folder for dumps; returns what is wrong with it, or nothing.
AFT_INTERNAL std::string makeDumpFolder(const std::string &path);

/// What `options` mean for the pipeline: the target, training and where dumps go. Each
/// call stands for one compilation.
AFT_INTERNAL Status pipelineOptions(const CompileOptions &options, PipelineOptions &result);

/// For a program that is to run in this process: where it is for a GPU there must be one,
/// and "cuda" without an architecture means that one's.
Status useDeviceHere(const CompileOptions &options, PipelineOptions &pipeline);

} // namespace aft

#endif // AFT_RUNTIME_JIT_COMPILE_H
