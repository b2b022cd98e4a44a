//===- CallRunner.h - One call of an entry, ready to run ------------------===//
// What a CompiledProgram hands to whoever runs its entries elsewhere than on the pool of
// threads: a GPU.

#ifndef AFT_RUNTIME_CORE_CALLRUNNER_H
#define AFT_RUNTIME_CORE_CALLRUNNER_H

#include "aft/program.h"
#include "runtime/core/Roof.h"
#include "runtime/core/RunRecord.h"

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

  bool isBound(size_t input) const { return input < bound.size() && bound[input]; }
};

/// A call whose arguments have been checked.
struct EntryCall {
  const CompiledEntry *entry = nullptr;
  std::vector<void *> buffers; ///< the code's inputs, bound ones too, then its outputs
  std::vector<int64_t> dims;   ///< all their extents
  int64_t arenaBytes = 0;

  size_t inputs() const { return entry->info.inputs.size(); }
  /// Extents of the inputs alone.
  std::vector<int64_t> inputExtents() const;
  /// Bytes of each input, then of each output.
  std::vector<int64_t> bufferBytes() const;
};

/// Why a call was refused or failed.
enum class CallError { None, Argument, Memory, Device };

/// What calls run on and what that can do at best, for reports.
struct MachineFacts {
  std::string name;
  Roof roof;
};

/// Safe to use from several threads.
class CallRunner {
public:
  virtual ~CallRunner() = default;
  /// On arrays of the host; returns when the outputs are there.
  virtual Status run(const EntryCall &call, const KernelTable &kernels, CallError &error) = 0;
  /// On memory that is where the code runs (what is bound aside), in the order of a stream
  /// of the caller's; may return before it is done.
  virtual Status runResident(const EntryCall &call, const KernelTable &kernels, void *stream,
                             CallError &error) = 0;
  virtual MachineFacts machine() const = 0;
};

/// Tells the profiles at work and the log about a measured call; `where`: "2 threads".
void reportRun(const RunRecord &record, const std::string &where);

} // namespace aft

#endif // AFT_RUNTIME_CORE_CALLRUNNER_H
