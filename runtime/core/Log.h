//===- Log.h - Messages that AFT_LOG switches on --------------------------===//

#ifndef AFT_RUNTIME_CORE_LOG_H
#define AFT_RUNTIME_CORE_LOG_H

#include <string>

namespace aft {

/// Whether AFT_LOG, a comma-separated list of compile, cache and runtime, has
/// this topic.
bool logs(const char *topic);

/// Prints to standard error when AFT_LOG has this topic.
void log(const char *topic, const std::string &message);

/// Prints a warning to standard error, whatever AFT_LOG says.
void warn(const std::string &message);

} // namespace aft

#endif // AFT_RUNTIME_CORE_LOG_H
