//===- Page.h - A report as one page of HTML ------------------------------===//

#ifndef AFT_COMPILER_REPORT_PAGE_H
#define AFT_COMPILER_REPORT_PAGE_H

#include "llvm/Support/JSON.h"

#include <string>

namespace aft {

/// One page that needs nothing else and asks no network for anything.
std::string renderPage(const llvm::json::Value &report);

/// JSON with one line per member of an object and per item of the lists in it.
std::string printReport(const llvm::json::Value &report);

} // namespace aft

#endif // AFT_COMPILER_REPORT_PAGE_H
