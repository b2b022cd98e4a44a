//===- PassTimer.h - Times phases and their passes ------------------------===//

#ifndef AFT_COMPILER_REPORT_PASSTIMER_H
#define AFT_COMPILER_REPORT_PASSTIMER_H

#include "compiler/report/CompileReport.h"
#include "runtime/core/InternalApi.h"

#include <chrono>

namespace mlir {
class PassManager;
} // namespace mlir

namespace aft {

/// Times a phase for as long as it lives; does nothing without a report.
class PhaseTimer {
public:
  PhaseTimer(CompileReport *report, llvm::StringRef phase);
  ~PhaseTimer();
  PhaseTimer(const PhaseTimer &) = delete;
  PhaseTimer &operator=(const PhaseTimer &) = delete;

  /// Has the passes timed one by one.
  void watch(mlir::PassManager &passes);

private:
  CompileReport *report;
  size_t index = 0; ///< of the phase in the report
  std::chrono::steady_clock::time_point start;
};

/// Milliseconds since a time.
AFT_INTERNAL double millisecondsSince(std::chrono::steady_clock::time_point start);

} // namespace aft

#endif // AFT_COMPILER_REPORT_PASSTIMER_H
