//===- CompiledProgram.h - Runs entries whose code is in the process ------===//
// The one way from a call to the code of an entry, wherever that code comes
// from: the JIT or an artifact.

#ifndef AFT_RUNTIME_CORE_COMPILEDPROGRAM_H
#define AFT_RUNTIME_CORE_COMPILEDPROGRAM_H

#include "aft/program.h"
#include "runtime/core/Arena.h"
#include "runtime/core/CallRunner.h"
#include "runtime/core/InternalApi.h"
#include "runtime/core/ThreadPool.h"

#include <memory>

namespace aft {

/// What the compiler made of a program.
struct ProgramCode {
  std::vector<CompiledEntry> entries;
  std::vector<std::string> checks;    ///< messages of the plans' shape checks
  std::vector<KernelInfo> kernels;    ///< the distinct kernel bodies
  std::shared_ptr<void> memory;       ///< keeps the code and what is bound
  std::shared_ptr<CallRunner> runner; ///< of a GPU; null: the pool of threads runs it
};

class AFT_INTERNAL CompiledProgram : public Program {
public:
  /// `threads` as in CompileOptions.
  CompiledProgram(ProgramCode code, int threads);

  const std::vector<EntryInfo> &entries() const override { return visible; }
  Status outputShapes(const std::string &entry, const std::vector<Buffer> &inputs,
                      std::vector<std::vector<int64_t>> &shapes,
                      int64_t *arenaBytes) const override;
  Status run(const std::string &entry, const std::vector<Buffer> &inputs,
             const std::vector<Buffer> &outputs) const override;
  Status run(const std::string &entry, const std::vector<Buffer> &inputs,
             const std::vector<Buffer> &outputs, const aft_runtime_t &runtime) const override;
  Status runResident(const std::string &entry, const std::vector<Buffer> &inputs,
                     const std::vector<Buffer> &outputs, void *stream) const override;

  /// The same by number; `runtime` null: the GPU or the pool of threads.
  Status outputShapes(size_t entry, const std::vector<Buffer> &inputs,
                      std::vector<std::vector<int64_t>> &shapes, int64_t *arenaBytes) const;
  Status run(size_t entry, const std::vector<Buffer> &inputs, const std::vector<Buffer> &outputs,
             const aft_runtime_t *runtime, CallError &error) const;
  Status runResident(size_t entry, const std::vector<Buffer> &inputs,
                     const std::vector<Buffer> &outputs, void *stream, CallError &error) const;
  /// Whether it runs on a GPU.
  bool isForGpu() const { return code.runner != nullptr; }
  /// The GPU that it runs on.
  std::optional<MachineFacts> machine() const {
    return code.runner ? std::optional(code.runner->machine()) : std::nullopt;
  }

private:
  Status find(const std::string &name, size_t &index) const;
  /// Checks the caller's inputs, adds what is bound and asks the plan: a call that lacks
  /// the outputs' memory.
  Status plan(size_t index, const std::vector<Buffer> &inputs, EntryCall &call) const;
  Status takeOutputs(size_t index, const std::vector<Buffer> &inputs,
                     const std::vector<Buffer> &outputs, EntryCall &call) const;
  Status prepare(size_t index, const std::vector<Buffer> &inputs,
                 const std::vector<Buffer> &outputs, EntryCall &call) const;
  Status runOnThreads(const EntryCall &call, const aft_runtime_t &runtime, CallError &error) const;
  /// Runs an entry and reports to the profiles at work and to the log.
  void runMeasured(const EntryCall &call, void *arena, const aft_runtime_t &runtime) const;

  ProgramCode code;
  std::vector<EntryInfo> visible; ///< without what is bound
  KernelTable kernels;
  ThreadPool &pool;
  mutable ArenaPool arenas;
};

/// The names of all entries, or of the first where there are many, for messages.
AFT_INTERNAL std::string entryNames(const std::vector<EntryInfo> &entries);

} // namespace aft

#endif // AFT_RUNTIME_CORE_COMPILEDPROGRAM_H
