//===- Failure.h - Why an artifact was refused ----------------------------===//

#ifndef AFT_RUNTIME_ARTIFACT_FAILURE_H
#define AFT_RUNTIME_ARTIFACT_FAILURE_H

#include "aft/aft.h"
#include "aft/program.h"
#include "runtime/core/CallRunner.h"

#include <string>

namespace aft {

/// A message with the kind of error that aft/aft.h gives it.
struct [[nodiscard]] Failure {
  aft_status code = AFT_OK;
  std::string message;

  bool ok() const { return code == AFT_OK; }
  Status status() const { return {message}; }
};

/// What aft/aft.h calls a call's error.
inline aft_status codeOf(CallError error) {
  switch (error) {
  case CallError::None:
    return AFT_OK;
  case CallError::Argument:
    return AFT_ERROR_ARGUMENT;
  case CallError::Memory:
    return AFT_ERROR_MEMORY;
  case CallError::Device:
    return AFT_ERROR_DEVICE;
  }
  return AFT_ERROR_INTERNAL;
}

} // namespace aft

#endif // AFT_RUNTIME_ARTIFACT_FAILURE_H
