//===- CompileTwice.h - Cold and from the cache ---------------------------===//

#ifndef AFT_TORCH_BENCH_COMPILETWICE_H
#define AFT_TORCH_BENCH_COMPILETWICE_H

#include "aft/program.h"
#include "frontends/torch/bench/Measuring.h"
#include "frontends/torch/bench/Options.h"

#include <chrono>
#include <cstdlib>
#include <memory>
#include <optional>
#include <stdexcept>

namespace aft::bench {

using Shapes = std::vector<std::vector<int64_t>>;

inline const aft::CompileStats &statsOf(const std::shared_ptr<aft::Program> &program) {
  return program->stats();
}
template <typename Module> const aft::CompileStats &statsOf(const Module &module) {
  return module.stats();
}

/// What AFT_DUMP_DIR asks for comes from the first compilation: the cache is not asked where
/// there is a dump to write.
template <typename Work> auto withoutDumps(const Work &work) {
  const char *folder = std::getenv("AFT_DUMP_DIR");
  if (!folder)
    return work();
  std::string kept = folder;
  ::unsetenv("AFT_DUMP_DIR");
  auto result = work();
  ::setenv("AFT_DUMP_DIR", kept.c_str(), /*overwrite=*/1);
  return result;
}

/// Compiles twice with a cache folder of its own; `make` takes the options. `shapes` are
/// those that --tune measures with.
template <typename Make>
auto compileTwice(const Options &o, CompileTimes &times, const Shapes &shapes, const Make &make) {
  TemporaryFolder cache;
  aft::CompileOptions options;
  options.threads = static_cast<int>(o.threads);
  options.cacheDir = cache.path();
  options.memory = o.memory == "low" ? aft::Memory::low : aft::Memory::normal;
  options.target = o.target;
  if (o.f32Products == "tf32")
    options.f32Products = aft::F32Products::tf32;
  options.tune = o.tune;
  options.tuneShapes = shapes;
  std::optional<decltype(make(options))> first;
  auto start = std::chrono::steady_clock::now();
  times.peakMiB = peakOf([&] { first.emplace(make(options)); });
  std::chrono::duration<double, std::milli> all = std::chrono::steady_clock::now() - start;
  times.cold = statsOf(*first).milliseconds;
  times.capture = all.count() - times.cold;
  auto again = withoutDumps([&] { return make(options); });
  if (!statsOf(again).fromCache)
    throw std::runtime_error("the program was not found in the cache folder " + cache.path());
  times.cached = statsOf(again).milliseconds;
  return std::move(*first);
}

} // namespace aft::bench

#endif // AFT_TORCH_BENCH_COMPILETWICE_H
