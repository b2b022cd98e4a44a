//===- BenchModels.h - The models that are measured -----------------------===//

#ifndef AFT_TORCH_BENCH_BENCHMODELS_H
#define AFT_TORCH_BENCH_BENCHMODELS_H

#include "aft/nn.h"
#include "aft/torch.h"
#include "frontends/torch/bench/Options.h"

#include <optional>

namespace aft::bench {

/// The model that the options describe, without dropout; its weights are those
/// of the files that --inputs names, if it names any.
nn::LanguageModel makeLanguageModel(const Options &options);
nn::ImageClassifier makeImageClassifier(const Options &options);

/// The same model and weights computed with plain LibTorch operators, without
/// an element type in that of `model`.
nn::LanguageModel plainCopy(nn::LanguageModel model,
                            std::optional<at::ScalarType> dtype = std::nullopt);
nn::ImageClassifier plainCopy(nn::ImageClassifier model,
                              std::optional<at::ScalarType> dtype = std::nullopt);

double parameterBytes(const torch::nn::Module &model);

} // namespace aft::bench

#endif // AFT_TORCH_BENCH_BENCHMODELS_H
