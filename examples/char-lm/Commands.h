//===- Commands.h - train, generate, save and bench -----------------------------===//

#ifndef AFT_EXAMPLES_CHARLM_COMMANDS_H
#define AFT_EXAMPLES_CHARLM_COMMANDS_H

#include "examples/char-lm/Options.h"

namespace charlm {

// Each returns the exit status and throws std::exception with a message.
int train(const Options &options);
int generate(Options options);
int save(Options options);
int bench(Options options);

} // namespace charlm

#endif // AFT_EXAMPLES_CHARLM_COMMANDS_H
