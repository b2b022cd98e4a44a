//===- PassTimer.cpp - Times phases and their passes ----------------------===//

#include "compiler/report/PassTimer.h"

#include "mlir/Pass/PassInstrumentation.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/ADT/DenseMap.h"

using namespace mlir;
using namespace aft;

using Clock = std::chrono::steady_clock;

double aft::millisecondsSince(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

namespace {

/// Sums up the time of every pass by its name. A pass that runs others is left
/// out: they are counted.
class PassTimes : public PassInstrumentation {
public:
  PassTimes(CompileReport &report, size_t phase) : report(report), phase(phase) {}

  void runBeforePass(Pass *pass, Operation *op) override {
    std::lock_guard<std::mutex> lock(report.mutex);
    started[{pass, op}] = Clock::now();
  }
  void runAfterPass(Pass *pass, Operation *op) override {
    Clock::time_point end = Clock::now();
    std::lock_guard<std::mutex> lock(report.mutex);
    auto it = started.find({pass, op});
    double milliseconds = std::chrono::duration<double, std::milli>(end - it->second).count();
    started.erase(it);
    // Adaptors have no argument.
    if (pass->getArgument().empty())
      return;
    std::vector<CompileReport::Time> &passes = report.phases[phase].passes;
    for (CompileReport::Time &known : passes)
      if (known.name == pass->getArgument()) {
        known.milliseconds += milliseconds;
        ++known.runs;
        return;
      }
    passes.push_back({pass->getArgument().str(), milliseconds, 1});
  }
  void runAfterPassFailed(Pass *pass, Operation *op) override { runAfterPass(pass, op); }

private:
  CompileReport &report;
  size_t phase;
  llvm::DenseMap<std::pair<Pass *, Operation *>, Clock::time_point> started;
};

} // namespace

PhaseTimer::PhaseTimer(CompileReport *report, llvm::StringRef phase)
    : report(report), start(Clock::now()) {
  if (!report)
    return;
  index = report->phases.size();
  report->phases.emplace_back();
  report->phases.back().name = phase.str();
}

PhaseTimer::~PhaseTimer() {
  if (report)
    report->phases[index].milliseconds = millisecondsSince(start);
}

void PhaseTimer::watch(PassManager &passes) {
  if (report)
    passes.addInstrumentation(std::make_unique<PassTimes>(*report, index));
}
