//===- Quote.h - What files have, in messages -----------------------------===//

#ifndef AFT_RUNTIME_CORE_QUOTE_H
#define AFT_RUNTIME_CORE_QUOTE_H

#include "runtime/core/InternalApi.h"

#include <string>
#include <string_view>

namespace aft {

/// Characters of a text that a message shows.
inline constexpr size_t kMostShown = 100;

/// A text in quotes, as a part of a message, which is one short line whatever is in a file:
/// "\x1B" stands for what cannot be shown, and of a longer text the beginning and the bytes it has.
AFT_INTERNAL std::string quote(std::string_view text, char mark = '\'');

/// A message that is one line, whatever names of files are in it.
AFT_INTERNAL std::string oneLine(std::string message);

} // namespace aft

#endif // AFT_RUNTIME_CORE_QUOTE_H
