//===- ModelSubjects.h - What the subjects of whole models share ----------===//

#ifndef AFT_TORCH_BENCH_MODELSUBJECTS_H
#define AFT_TORCH_BENCH_MODELSUBJECTS_H

#include "frontends/torch/bench/BenchModels.h"
#include "frontends/torch/bench/CompileTwice.h"

namespace aft::bench {

/// The same for modules.
template <typename Make>
auto compileModuleTwice(const Options &o, CompileTimes &times, const Shapes &shapes,
                        const Make &make) {
  return compileTwice(o, times, shapes, [&](const aft::CompileOptions &options) {
    aft::CompileModuleOptions module;
    module.compile = options;
    module.resident = true; // where the target is a GPU
    return make(module);
  });
}

/// Largest difference, relative to the largest expected number or `floor`.
double distance(const at::Tensor &found, const at::Tensor &expected, double floor = 0);

/// How far logits may be from those of LibTorch in f64.
double logitsLimit(const Options &options);

/// A check against LibTorch in f64 that nothing has been added to.
Check newCheck(const Options &options);

/// Integers below `most`, or those of NAME.npy in the folder that --inputs names.
at::Tensor makeIds(const Options &options, const std::string &name, int64_t length, int64_t most);

/// Where the target is a GPU: measures calls of a module without copies, whose results must be
/// those of the call that was checked.
void runOnGpu(Subject &subject, const aft::CompiledModule &compiled,
              const torch::nn::Module &module, const at::Tensor &input, const at::Tensor &checked);

Subject makeForward(const Options &options);
Subject makeImages(const Options &options);
Subject makeTraining(const Options &options);
Subject makeDecoding(const Options &options);

} // namespace aft::bench

#endif // AFT_TORCH_BENCH_MODELSUBJECTS_H
