//===- Report.h - The data of reports -------------------------------------===//

#ifndef AFT_RUNTIME_JIT_REPORT_H
#define AFT_RUNTIME_JIT_REPORT_H

#include "aft/program.h"
#include "compiler/Pipeline.h"
#include "compiler/report/CompileReport.h"
#include "runtime/core/CallRunner.h"
#include "runtime/core/InternalApi.h"

namespace aft {

/// What a compilation did, as JSON: what the compiler reports, the target, the
/// options and the versions.
AFT_INTERNAL std::string compilationText(const std::string &program, const PipelineOptions &options,
                                         const CompileReport &report);

/// The same with how it went this time: `fromCache`, and milliseconds in all; `machine`: what
/// it runs on where that is a GPU, or null.
AFT_INTERNAL std::string withStats(const std::string &compilation, const CompileStats &stats,
                                   bool cacheEnabled, const MachineFacts *machine = nullptr);

/// The model of the machine's CPU, as the system names it.
std::string processorName();

/// Writes the text of a report: as it is to a path that ends in .json, else as
/// a page.
AFT_INTERNAL Status writeReportText(const std::string &path, const std::string &text);

} // namespace aft

#endif // AFT_RUNTIME_JIT_REPORT_H
