//===- TextLimits.h - Texts that MLIR's parser does not withstand ---------===//
// The parser, and what prints and hashes attributes later, follow nesting by
// recursion in the native stack. It comes from brackets, from signs and operators in
// a row, and from aliases that are made of aliases, which also let a short text stand
// for one without end.

#ifndef AFT_RUNTIME_JIT_TEXTLIMITS_H
#define AFT_RUNTIME_JIT_TEXTLIMITS_H

#include "llvm/ADT/StringRef.h"

#include <optional>
#include <string>

namespace aft {

struct TextProblem {
  unsigned line = 1, column = 0; ///< counted from 1
  std::string message;
};

/// The first place of a program's text that is beyond the limits.
std::optional<TextProblem> checkTextLimits(llvm::StringRef text);

} // namespace aft

#endif // AFT_RUNTIME_JIT_TEXTLIMITS_H
