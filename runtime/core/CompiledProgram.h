//===- CompiledProgram.h - Runs entries whose code is in the process ------===//
// The one way from a call to the code of an entry, wherever that code comes
// from: the JIT or an artifact.

#ifndef AFT_RUNTIME_CORE_COMPILEDPROGRAM_H
#define AFT_RUNTIME_CORE_COMPILEDPROGRAM_H

#include "aft/program.h"
#include "runtime/core/Arena.h"
#include "runtime/core/InternalApi.h"
#include "runtime/core/RunRecord.h"
#include "runtime/core/ThreadPool.h"

#include <memory>
#include <optional>

namespace aft {

/// One entry and its code.
struct CompiledEntry {
  EntryInfo info; ///< as the code sees it
  aft_entry_t run = nullptr;
  aft_plan_t plan = nullptr;
  /// One per input: what it is bound to, if the caller does not give it. Empty: none is
  /// bound. No output overwrites a bound input.
  std::vector<std::optional<Buffer>> bound;
};

/// What the compiler made of a program.
struct ProgramCode {
  std::vector<CompiledEntry> entries;
  std::vector<std::string> checks; ///< messages of the plans' shape checks
  std::vector<KernelInfo> kernels; ///< the distinct kernel bodies
  std::shared_ptr<void> memory;    ///< keeps the code and what is bound
};

/// Why a call was refused.
enum class CallError { None, Argument, Memory };

class AFT_INTERNAL CompiledProgram : public Program {
public:
  /// `threads` as in CompileOptions.
  CompiledProgram(ProgramCode code, int threads);

  const std::vector<EntryInfo> &entries() const override { return visible; }
  Status outputShapes(const std::string &entry, const std::vector<Buffer> &inputs,
                      std::vector<std::vector<int64_t>> &shapes,
                      int64_t *arenaBytes) const override;
  Status run(const std::string &entry, const std::vector<Buffer> &inputs,
             const std::vector<Buffer> &outputs) const override {
    return run(entry, inputs, outputs, *pool.runtime());
  }
  Status run(const std::string &entry, const std::vector<Buffer> &inputs,
             const std::vector<Buffer> &outputs, const aft_runtime_t &runtime) const override;

  /// The same by number; `runtime` null: the pool of threads.
  Status outputShapes(size_t entry, const std::vector<Buffer> &inputs,
                      std::vector<std::vector<int64_t>> &shapes, int64_t *arenaBytes) const;
  Status run(size_t entry, const std::vector<Buffer> &inputs, const std::vector<Buffer> &outputs,
             const aft_runtime_t *runtime, CallError &error) const;

private:
  Status find(const std::string &name, size_t &index) const;
  /// Checks the caller's inputs, adds what is bound and asks the plan; `all` are the
  /// code's inputs, `dims` their extents, then the outputs'.
  Status plan(size_t index, const std::vector<Buffer> &inputs, std::vector<void *> &all,
              std::vector<int64_t> &dims, int64_t &arenaBytes) const;
  Status takeOutputs(size_t index, const std::vector<Buffer> &inputs,
                     const std::vector<Buffer> &outputs, const int64_t *extents,
                     std::vector<void *> &all) const;
  /// Runs an entry and reports to the profiles at work and to the log.
  void runMeasured(size_t index, void *const *buffers, const std::vector<int64_t> &dims,
                   void *arena, int64_t arenaBytes, const aft_runtime_t &runtime) const;

  ProgramCode code;
  std::vector<EntryInfo> visible; ///< without what is bound
  KernelTable kernels;
  ThreadPool &pool;
  mutable ArenaPool arenas;
};

} // namespace aft

#endif // AFT_RUNTIME_CORE_COMPILEDPROGRAM_H
