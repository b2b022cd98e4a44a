//===- Generate.cpp - char-lm generate ------------------------------------===//

#include "examples/char-lm/Checkpoint.h"
#include "examples/char-lm/Commands.h"
#include "examples/char-lm/Decoder.h"

#include <cstdio>
#include <stdexcept>

using namespace charlm;

int charlm::generate(Options options) {
  readModelOptions(options);
  aft::nn::LanguageModel model = makeModel(options);
  loadCheckpoint(options, model, nullptr);
  if (options.prompt.empty())
    throw std::runtime_error("--prompt expects at least one byte, found none");
  Decoder decoder(model, compileDecode(model, compileOptions(options)));
  std::mt19937_64 random(static_cast<uint64_t>(options.seed));
  std::fwrite(options.prompt.data(), 1, options.prompt.size(), stdout);
  decoder.feed(options.prompt);
  for (int64_t i = 0; i < options.length; ++i) {
    std::fputc(decoder.next(options.temperature, random), stdout);
    std::fflush(stdout);
  }
  std::fputc('\n', stdout);
  return 0;
}
