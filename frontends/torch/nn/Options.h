//===- Options.h - What options of layers and models must be --------------===//

#ifndef AFT_TORCH_NN_OPTIONS_H
#define AFT_TORCH_NN_OPTIONS_H

#include <c10/util/Exception.h>

#include <cstdint>

namespace aft::nn {

/// Throws c10::Error where an option is less than it may be; `owner`: whose it is.
inline void checkAtLeast(const char *owner, const char *option, int64_t value, int64_t least) {
  TORCH_CHECK(value >= least, owner, ": the option ", option, " must be at least ", least,
              ", found ", value);
}

} // namespace aft::nn

#endif // AFT_TORCH_NN_OPTIONS_H
