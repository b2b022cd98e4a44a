//===- Compile.cpp - Captured modules for inference -----------------------===//

#include "frontends/torch/capture/Arguments.h"
#include "frontends/torch/capture/Rules.h"
#include "frontends/torch/ops/Kernels.h"

#include <ATen/ATen.h>

using namespace aft;
using namespace aft::capture;

static constexpr const char *kEntry = "forward";

struct CompiledModule::Impl {
  ops::Placement placement;
  InputCheck check;
  std::vector<TracedState> states; ///< parameters and buffers, after the inputs
  std::vector<KnownBuffer> known;
  std::vector<std::string> carried; ///< inputs that results replace
  std::shared_ptr<Program> program;
  std::string text;
};

CompiledModule capture::compileCapture(const Capture &capture, const Tensors &examples,
                                       const CompileModuleOptions &options) {
  Graph graph(options.name);
  Translation translation(capture, graph, kEntry, /*training=*/false);
  translation.setNames(options);
  translation.run();
  ops::Placement placement = placementOf(capture, translation.states());
  auto impl =
      std::make_shared<CompiledModule::Impl>(CompiledModule::Impl{placement,
                                                                  InputCheck(capture, placement),
                                                                  translation.states(),
                                                                  translation.knownBuffers(),
                                                                  {},
                                                                  nullptr,
                                                                  graph.text()});
  for (auto [result, input] : options.state)
    impl->carried.push_back(translation.inputName(input));
  impl->program = compileGraph(graph, programOptions(options.compile, placement, examples));
  return CompiledModule(std::move(impl));
}

CompiledModule aft::compileComputation(torch::nn::Module &module, const Computation &computation,
                                       const Tensors &examples,
                                       const CompileModuleOptions &options) {
  CompileModuleOptions named = options;
  named.name = programName(module, options);
  return compileCapture(Capture(module, computation, examples, options.dynamic, hasRule), examples,
                        named);
}

/// The inputs, then what the module keeps.
static Tensors argumentsOf(const CompiledModule::Impl &impl, const Tensors &inputs) {
  for (const KnownBuffer &buffer : impl.known)
    buffer.check();
  Tensors arguments = impl.check(inputs);
  for (const TracedState &state : impl.states) {
    impl.placement.check(state.tensor, labelOf(state));
    arguments.push_back(ops::inMemory(state.tensor));
  }
  return arguments;
}

int64_t CompiledModule::scratchBytes(const Tensors &inputs) const {
  at::NoGradGuard noGradients;
  Tensors arguments = argumentsOf(*impl, inputs);
  std::vector<std::vector<int64_t>> shapes;
  int64_t bytes = 0;
  Status status = impl->program->outputShapes(kEntry, buffersOf(arguments), shapes, &bytes);
  TORCH_CHECK(status.ok(), status.message);
  return bytes;
}

Tensors CompiledModule::run(const Tensors &inputs) const {
  at::NoGradGuard noGradients;
  Tensors arguments = argumentsOf(*impl, inputs);
  std::vector<Buffer> in = buffersOf(arguments);
  std::vector<std::vector<int64_t>> shapes;
  Status status = impl->program->outputShapes(kEntry, in, shapes);
  TORCH_CHECK(status.ok(), status.message);
  Tensors results;
  const EntryInfo &entry = *impl->program->entry(kEntry);
  for (size_t i = 0; i < shapes.size(); ++i)
    results.push_back(impl->placement.empty(entry.outputs[i].type.dtype, shapes[i]));
  status = impl->placement.run(*impl->program, kEntry, in, buffersOf(results));
  TORCH_CHECK(status.ok(), status.message);
  return results;
}

void CompiledModule::save(const std::string &path, const SaveModuleOptions &options) const {
  const std::vector<std::string> &carried = impl->carried;
  for (const KnownBuffer &buffer : impl->known)
    buffer.check();
  TORCH_CHECK(options.initialState.empty() || options.initialState.size() == carried.size(),
              "expected ", carried.size(), " tensors of the initial state, found ",
              options.initialState.size());
  Weights weights;
  for (const TracedState &state : impl->states)
    weights.add(state.name, state.tensor);
  for (size_t i = 0; i < options.initialState.size(); ++i)
    weights.add(carried[i], options.initialState[i]);
  weights.options.weightsBeside = options.weightsBeside;
  Status status = impl->program->save(path, weights.options);
  TORCH_CHECK(status.ok(), status.message);
}

const CompileStats &CompiledModule::stats() const { return impl->program->stats(); }
const Program &CompiledModule::program() const { return *impl->program; }
const std::string &CompiledModule::text() const { return impl->text; }
