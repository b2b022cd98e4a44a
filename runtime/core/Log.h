//===- Log.h - Messages that AFT_LOG switches on --------------------------===//

#ifndef AFT_RUNTIME_CORE_LOG_H
#define AFT_RUNTIME_CORE_LOG_H

#include "runtime/core/InternalApi.h"

#include <string>

namespace aft {

/// Whether AFT_LOG, a comma-separated list of compile, cache and runtime, has
/// this topic.
AFT_INTERNAL bool logs(const char *topic);

/// Prints to standard error when AFT_LOG has this topic.
AFT_INTERNAL void log(const char *topic, const std::string &message);

/// Prints a warning to standard error, whatever AFT_LOG says.
AFT_INTERNAL void warn(const std::string &message);

} // namespace aft

#endif // AFT_RUNTIME_CORE_LOG_H
