//===- Model.h - The language model of char-lm ----------------------------===//

#ifndef AFT_EXAMPLES_CHARLM_MODEL_H
#define AFT_EXAMPLES_CHARLM_MODEL_H

#include "aft/nn.h"
#include "aft/torch.h"
#include "examples/char-lm/Options.h"

namespace charlm {

/// A byte-level model as the options say, its weights drawn with their seed.
/// `plain`: computed with plain LibTorch operators.
aft::nn::LanguageModel makeModel(const Options &options, bool plain = false);

/// Mean cross entropy in nats: logits [B,T,256], targets [B,T].
at::Tensor lossOf(at::Tensor logits, at::Tensor targets);

/// Bits per byte from nats per byte.
double bits(double nats);

aft::CompileModuleOptions compileOptions(const Options &options);
aft::OptimizerOptions optimizerOptions(const Options &options);

/// The learning rate of a step. It does not depend on how many there will be: a run that is
/// resumed for more steps is the longer run.
double learningRateAt(const Options &options, int64_t step);

/// Compiles the decode step (LanguageModel::step).
aft::CompiledModule compileDecode(aft::nn::LanguageModel model,
                                  const aft::CompileModuleOptions &options);

} // namespace charlm

#endif // AFT_EXAMPLES_CHARLM_MODEL_H
