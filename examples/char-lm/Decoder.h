//===- Decoder.h - Continues a text byte by byte --------------------------===//

#ifndef AFT_EXAMPLES_CHARLM_DECODER_H
#define AFT_EXAMPLES_CHARLM_DECODER_H

#include "examples/char-lm/Model.h"

#include <random>

namespace charlm {

/// Carries the decode state of one sequence. A text longer than the context
/// goes on from its last half.
class Decoder {
public:
  Decoder(aft::nn::LanguageModel model, aft::CompiledModule compiled)
      : model(std::move(model)), compiled(std::move(compiled)) {
    reset();
  }

  /// Takes in bytes and keeps the logits of what follows them.
  void feed(const std::string &bytes);
  /// Draws the next byte from the logits and takes it in.
  unsigned char next(double temperature, std::mt19937_64 &random);

private:
  void reset();
  void advance(const std::string &bytes);

  aft::nn::LanguageModel model;
  aft::CompiledModule compiled;
  std::vector<at::Tensor> state;
  at::Tensor logits;
  std::string text; ///< since the last reset
};

} // namespace charlm

#endif // AFT_EXAMPLES_CHARLM_DECODER_H
