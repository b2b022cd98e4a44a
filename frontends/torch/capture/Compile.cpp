//===- Compile.cpp - Captured modules for inference -----------------------===//

#include "frontends/torch/capture/Arguments.h"
#include "frontends/torch/capture/Rules.h"
#include "frontends/torch/ops/Kernels.h"
#include "frontends/torch/ops/LargePages.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <mutex>

using namespace aft;
using namespace aft::capture;

static constexpr const char *kEntry = "forward";

struct CompiledModule::Impl {
  ops::Placement placement;
  InputCheck check;
  std::vector<TracedState> states; ///< parameters and buffers, after the inputs
  std::vector<KnownBuffer> known;
  std::vector<std::string> carried; ///< inputs that results replace
  std::vector<std::pair<int, int>> state; ///< CompileModuleOptions::state
  std::shared_ptr<Program> program;
  std::string text;
  /// Keeps on a GPU what calls have in common; null: nothing.
  std::shared_ptr<ops::Mirror> mirror = nullptr;
  std::mutex mutex = {};                         ///< guards everything below
  std::vector<ops::Reflection> reflections = {}; ///< of `states`

  bool isCarried(size_t result) const {
    return std::any_of(state.begin(), state.end(), [&](const std::pair<int, int> &pair) {
      return pair.first == static_cast<int>(result);
    });
  }
  Tensors runMirrored(const Tensors &inputs);
};

CompiledModule capture::compileCapture(const Capture &capture, const Tensors &examples,
                                       const CompileModuleOptions &options) {
  Graph graph(options.name);
  Translation translation(capture, graph, kEntry, /*training=*/false);
  translation.setNames(options);
  translation.run();
  ops::Placement placement = placementOf(capture, translation.states());
  CompileOptions program = programOptions(options.compile, placement, examples);
  std::shared_ptr<CompiledModule::Impl> impl(
      new CompiledModule::Impl{placement,
                               InputCheck(capture, placement),
                               translation.states(),
                               translation.knownBuffers(),
                               {},
                               options.state,
                               nullptr,
                               graph.text()});
  for (auto [result, input] : options.state)
    impl->carried.push_back(translation.inputName(input));
  impl->program = compileGraph(graph, program);
  impl->mirror = mirrorOf(options, program, placement);
  Tensors weights;
  for (const TracedState &state : impl->states)
    weights.push_back(state.tensor);
  ops::useLargePages(weights);
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
  Tensors arguments = impl.check(inputs, impl.mirror.get());
  for (const TracedState &state : impl.states) {
    impl.placement.check(state.tensor, labelOf(state));
    arguments.push_back(impl.placement.ready(state.tensor));
  }
  return arguments;
}

/// The same for a question about shapes, for which any memory will do.
static std::vector<Buffer> shapesOf(const Tensors &arguments) {
  static char any;
  std::vector<Buffer> buffers;
  for (const at::Tensor &tensor : arguments)
    buffers.push_back({&any, ops::dtypeOf(tensor.scalar_type()), tensor.sizes().vec()});
  return buffers;
}

int64_t CompiledModule::scratchBytes(const Tensors &inputs) const {
  at::NoGradGuard noGradients;
  Tensors arguments = argumentsOf(*impl, inputs);
  std::vector<std::vector<int64_t>> shapes;
  int64_t bytes = 0;
  Status status = impl->program->outputShapes(kEntry, shapesOf(arguments), shapes, &bytes);
  TORCH_CHECK(status.ok(), status.message);
  return bytes;
}

/// A call whose parameters and state are on a GPU while all else is on the host.
Tensors CompiledModule::Impl::runMirrored(const Tensors &inputs) {
  // Copies are brought up to date by one call at a time.
  std::lock_guard<std::mutex> lock(mutex);
  Tensors arguments = argumentsOf(*this, inputs);
  size_t given = arguments.size() - states.size();
  reflections.resize(states.size());
  std::vector<std::shared_ptr<const cuda::Array>> arrays;
  std::vector<Buffer> in = shapesOf(arguments), out;
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (i >= given) {
      mirror->update(reflections[i - given], states[i - given].tensor);
      arrays.push_back(reflections[i - given].array);
    } else if (auto held = mirror->find(arguments[i])) {
      arrays.push_back(held);
    } else {
      arrays.push_back(mirror->copy(arguments[i]));
    }
    in[i].data = arrays.back()->pointer();
  }
  std::vector<std::vector<int64_t>> shapes;
  Status status = program->outputShapes(kEntry, in, shapes);
  TORCH_CHECK(status.ok(), status.message);
  const EntryInfo &entry = *program->entry(kEntry);
  Tensors results;
  for (size_t i = 0; i < shapes.size(); ++i) {
    DType dtype = entry.outputs[i].type.dtype;
    int64_t bytes = sizeOf(dtype);
    for (int64_t extent : shapes[i])
      bytes *= extent;
    arrays.push_back(mirror->make(bytes));
    out.push_back(ops::bufferOf(*arrays.back(), dtype, shapes[i]));
    results.push_back(isCarried(i) ? mirror->hand(arrays.back(), dtype, shapes[i])
                                   : placement.empty(dtype, shapes[i]));
  }
  status = program->runResident(kEntry, in, out, mirror->stream());
  TORCH_CHECK(status.ok(), status.message);
  for (size_t i = 0; i < results.size(); ++i)
    if (!isCarried(i))
      mirror->read(*arrays[in.size() + i], results[i]);
  return results;
}

at::Tensor CompiledModule::fetch(const at::Tensor &state) const {
  auto held = impl->mirror ? impl->mirror->find(state) : nullptr;
  if (!held)
    return state;
  at::Tensor numbers = at::empty(state.sizes(), state.options().device(at::kCPU));
  impl->mirror->read(*held, numbers);
  return numbers;
}

Tensors CompiledModule::run(const Tensors &inputs) const {
  at::NoGradGuard noGradients;
  if (impl->mirror)
    return impl->runMirrored(inputs);
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
    weights.add(carried[i], fetch(options.initialState[i]));
  weights.options.weightsBeside = options.weightsBeside;
  Status status = impl->program->save(path, weights.options);
  TORCH_CHECK(status.ok(), status.message);
}

const CompileStats &CompiledModule::stats() const { return impl->program->stats(); }
const Program &CompiledModule::program() const { return *impl->program; }
const std::string &CompiledModule::text() const { return impl->text; }
