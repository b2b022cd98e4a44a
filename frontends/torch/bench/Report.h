//===- Report.h - Prints what was measured --------------------------------===//

#ifndef AFT_TORCH_BENCH_REPORT_H
#define AFT_TORCH_BENCH_REPORT_H

#include "frontends/torch/bench/Measuring.h"

namespace aft::bench {

/// What is known before anything is timed, as one JSON object on a line.
void announce(const Options &options, const Subject &subject);

/// One JSON object on a line of its own, or a table of one row.
void report(const Options &options, const Subject &subject, const Measurement &measurement);

} // namespace aft::bench

#endif // AFT_TORCH_BENCH_REPORT_H
