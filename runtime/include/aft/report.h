//===- report.h - What the compiler did with a program, as a page ---------===//

#ifndef AFT_REPORT_H
#define AFT_REPORT_H

#include "aft/profile.h"
#include "aft/program.h"

namespace aft {

/// Writes a report on a program: its kernels with their work and traffic, the
/// memory plan, what was fused and why not, compile times. With a profile of its
/// runs also what each kernel took, beside what the machine could do, which is
/// measured here (about a second). The extents are those of the last run.
/// A path that ends in .json gets the data, any other one page of HTML that
/// needs nothing else.
AFT_API Status writeReport(const std::string &path, const Program &program,
                           const Profile *profile = nullptr);

} // namespace aft

#endif // AFT_REPORT_H
