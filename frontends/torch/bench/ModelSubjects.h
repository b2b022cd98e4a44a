//===- ModelSubjects.h - What the subjects of whole models share ----------===//

#ifndef AFT_TORCH_BENCH_MODELSUBJECTS_H
#define AFT_TORCH_BENCH_MODELSUBJECTS_H

#include "frontends/torch/bench/BenchModels.h"
#include "frontends/torch/bench/Measuring.h"

#include <chrono>
#include <stdexcept>

namespace aft::bench {

/// Compiles twice with a cache folder of its own; `make` takes the options.
template <typename Make>
auto compileTwice(const Options &o, CompileTimes &times, const Make &make) {
  TemporaryFolder cache;
  aft::CompileModuleOptions options;
  options.compile.threads = static_cast<int>(o.threads);
  options.compile.cacheDir = cache.path();
  options.compile.memory = o.memory == "low" ? aft::Memory::low : aft::Memory::normal;
  auto start = std::chrono::steady_clock::now();
  auto module = make(options);
  std::chrono::duration<double, std::milli> all = std::chrono::steady_clock::now() - start;
  times.cold = module.stats().milliseconds;
  times.capture = all.count() - times.cold;
  auto again = make(options);
  if (!again.stats().fromCache)
    throw std::runtime_error("the program was not found in the cache folder " + cache.path());
  times.cached = again.stats().milliseconds;
  return module;
}

/// Largest difference, relative to the largest expected number or `floor`.
double distance(const at::Tensor &found, const at::Tensor &expected, double floor = 0);

/// How far logits may be from those of LibTorch in f64.
double logitsLimit(const Options &options);

/// A check against LibTorch in f64 that nothing has been added to.
Check newCheck(const Options &options);

/// Integers below `most`, or those of NAME.npy in the folder that --inputs names.
at::Tensor makeIds(const Options &options, const std::string &name, int64_t length, int64_t most);

Subject makeForward(const Options &options);
Subject makeImages(const Options &options);
Subject makeTraining(const Options &options);
Subject makeDecoding(const Options &options);

} // namespace aft::bench

#endif // AFT_TORCH_BENCH_MODELSUBJECTS_H
