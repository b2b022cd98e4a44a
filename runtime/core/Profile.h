//===- Profile.h - Where an entry spends its time -------------------------===//

#ifndef AFT_RUNTIME_CORE_PROFILE_H
#define AFT_RUNTIME_CORE_PROFILE_H

#include "aft/abi.h"

#include <map>
#include <string>

namespace aft {

/// Stands between one call of an entry and the runtime, and times each kernel.
class Profile {
public:
  explicit Profile(const aft_runtime_t *inner);
  Profile(const Profile &) = delete;
  Profile &operator=(const Profile &) = delete;

  const aft_runtime_t *runtime() const { return &callbacks; }

  /// One line per kernel, the slowest first: launches, milliseconds, share.
  std::string table() const;

private:
  struct Total {
    int launches = 0;
    double milliseconds = 0;
  };
  const aft_runtime_t *inner;
  aft_runtime_t callbacks;
  std::map<std::string, Total> totals;
};

} // namespace aft

#endif // AFT_RUNTIME_CORE_PROFILE_H
