//===- Failure.h - Why an artifact was refused ----------------------------===//

#ifndef AFT_RUNTIME_ARTIFACT_FAILURE_H
#define AFT_RUNTIME_ARTIFACT_FAILURE_H

#include "aft/aft.h"
#include "aft/program.h"

#include <string>

namespace aft {

/// A message with the kind of error that aft/aft.h gives it.
struct [[nodiscard]] Failure {
  aft_status code = AFT_OK;
  std::string message;

  bool ok() const { return code == AFT_OK; }
  Status status() const { return {message}; }
};

} // namespace aft

#endif // AFT_RUNTIME_ARTIFACT_FAILURE_H
