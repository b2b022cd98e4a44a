//===- Training.cpp - Captured modules with their training step -----------===//

#include "frontends/torch/capture/Arguments.h"
#include "frontends/torch/capture/Rules.h"
#include "frontends/torch/ops/Kernels.h"
#include "runtime/core/Seed.h"

#include <ATen/ATen.h>

#include <cmath>
#include <map>

using namespace aft;
using namespace aft::capture;

static constexpr const char *kLoss = "loss", *kStep = "train_step";

namespace {
/// What a training step keeps on a GPU while the module's tensors are on the host.
struct Resident {
  std::shared_ptr<ops::Mirror> mirror; ///< null: nothing
  std::vector<ops::Reflection> parameters, moments, fixed;
  /// Of arguments and results that are copied at every step. They keep their places.
  std::map<size_t, std::shared_ptr<const cuda::Array>> arguments, results;
  bool isAhead = false; ///< of the host's parameters and moments
};
} // namespace

/// The program's entry takes (parameters, first moments, second moments, step,
/// learning rate, inputs, what else it uses) and returns
/// (loss, parameters, moments, other results).
struct TrainingModule::Impl {
  Impl(const Capture &capture, const ops::Placement &placement)
      : placement(placement), check(capture, placement) {}
  ops::Placement placement;
  InputCheck check;
  std::vector<TracedState> parameters;
  Tensors first, second;          ///< moments
  std::vector<TracedState> fixed; ///< what is not trained; undefined: the seed
  std::vector<KnownBuffer> known;
  std::shared_ptr<Program> program;
  std::string text;
  int64_t steps = 0, seed = 0;
  double learningRate = 0;
  /// Arguments that are numbers, and results. They keep their places: a GPU repeats a call
  /// as a whole where nothing has moved.
  at::Tensor stepNumber, rate, seedNumber;
  Tensors results;
  Resident resident;

  size_t count() const { return parameters.size(); }
  Tensors arguments(const Tensors &inputs) const;
  std::vector<Buffer> placeArguments(const Tensors &arguments);
  at::Tensor runMirrored(const Tensors &inputs);
  void fetch();
};

static void checkParameter(const TracedState &state) {
  TORCH_CHECK(state.tensor.is_contiguous(), "parameter '", state.name,
              "' must be contiguous to be trained in place");
}

static void checkLearningRate(double lr) {
  // The step takes it as a float.
  TORCH_CHECK(lr >= 0 && std::isfinite(static_cast<float>(lr)),
              "the learning rate must be finite and at least 0, found ", lr);
}

static void checkLoss(const Capture &capture) {
  const Trace &trace = capture.trace();
  TORCH_CHECK(!trace.outputs.empty(), "capture: expected a loss, found no result");
  const at::Tensor &loss = trace.values[trace.outputs[0]].tensor;
  TORCH_CHECK(loss.dim() == 0 && at::isFloatingType(loss.scalar_type()),
              "capture: the loss must be a scalar of floats, found ", loss.scalar_type(), " ",
              loss.sizes());
}

static std::shared_ptr<TrainingOptions> trainingOptions(const OptimizerOptions &optimizer) {
  auto options = std::make_shared<TrainingOptions>();
  options->lossEntry = kLoss;
  options->beta1 = optimizer.beta1;
  options->beta2 = optimizer.beta2;
  options->eps = optimizer.eps;
  options->weightDecay = optimizer.weightDecay;
  options->clipNorm = optimizer.clipNorm;
  return options;
}

TrainingModule aft::compileTrainingComputation(torch::nn::Module &module, const Computation &loss,
                                               const OptimizerOptions &optimizer,
                                               const Tensors &examples,
                                               const CompileModuleOptions &options) {
  checkLearningRate(optimizer.lr);
  Capture capture(module, loss, examples, options.dynamic, hasRule);
  checkLoss(capture);
  Graph graph(programName(module, options));
  Translation translation(capture, graph, kLoss, /*training=*/true);
  translation.setNames(options);
  translation.run();
  ops::Placement placement = placementOf(capture, translation.states());
  auto impl = std::make_shared<TrainingModule::Impl>(capture, placement);
  for (const TracedState &state : translation.states()) {
    if (!state.isParameter || !state.tensor.requires_grad()) {
      impl->fixed.push_back(state);
      continue;
    }
    checkParameter(state);
    impl->parameters.push_back(state);
  }
  TORCH_CHECK(!impl->parameters.empty(),
              "capture: the loss uses no parameter that requires a gradient");
  impl->known = translation.knownBuffers();
  impl->learningRate = optimizer.lr;
  impl->text = graph.text();
  CompileOptions program = programOptions(options.compile, placement, examples);
  program.training = trainingOptions(optimizer);
  impl->program = compileGraph(graph, program);
  impl->resident.mirror = mirrorOf(options, program, placement);
  const EntryInfo &entry = *impl->program->entry(kStep);
  size_t count = impl->parameters.size();
  auto zeros = [&](const TensorType &type) {
    return placement.empty(type.dtype, type.shape).zero_();
  };
  for (size_t i = 0; i < count; ++i) {
    impl->first.push_back(zeros(entry.inputs[count + i].type));
    impl->second.push_back(zeros(entry.inputs[2 * count + i].type));
  }
  impl->stepNumber = zeros({DType::i64, {}});
  impl->rate = zeros({DType::f32, {}});
  impl->seedNumber = zeros({DType::i64, {}});
  return TrainingModule(std::move(impl));
}

//===----------------------------------------------------------------------===//
// Running
//===----------------------------------------------------------------------===//

Tensors TrainingModule::Impl::arguments(const Tensors &inputs) const {
  Tensors all;
  for (const KnownBuffer &buffer : known)
    buffer.check();
  for (const TracedState &parameter : parameters) {
    placement.check(parameter.tensor, labelOf(parameter));
    all.push_back(parameter.tensor);
  }
  all.insert(all.end(), first.begin(), first.end());
  all.insert(all.end(), second.begin(), second.end());
  stepNumber.fill_(steps + 1);
  rate.fill_(learningRate);
  all.push_back(stepNumber);
  all.push_back(rate);
  all.insert(all.end(), inputs.begin(), inputs.end());
  for (const TracedState &state : fixed) {
    if (state.tensor.defined()) {
      placement.check(state.tensor, labelOf(state));
      all.push_back(placement.ready(state.tensor));
    } else {
      seedNumber.fill_(stepSeed(seed, steps));
      all.push_back(seedNumber);
    }
  }
  return all;
}

int64_t TrainingModule::scratchBytes(const Tensors &inputs) const {
  at::NoGradGuard noGradients;
  Tensors arguments = impl->arguments(impl->check(inputs));
  std::vector<std::vector<int64_t>> shapes;
  int64_t bytes = 0;
  Status status = impl->program->outputShapes(kStep, buffersOf(arguments), shapes, &bytes);
  TORCH_CHECK(status.ok(), status.message);
  return bytes;
}

/// Brings what is on the GPU up to date, and copies there what is new at every step.
std::vector<Buffer> TrainingModule::Impl::placeArguments(const Tensors &arguments) {
  const ops::Mirror &mirror = *resident.mirror;
  resident.parameters.resize(count());
  resident.moments.resize(2 * count());
  resident.fixed.resize(fixed.size());
  for (size_t i = 0; i < count(); ++i)
    TORCH_CHECK(!resident.isAhead || !resident.parameters[i].isBehind(parameters[i].tensor),
                labelOf(parameters[i]),
                " was changed while its numbers after the last steps are "
                "on the GPU alone; fetch() must be called before");
  std::vector<Buffer> buffers;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const at::Tensor &tensor = arguments[i];
    std::shared_ptr<const cuda::Array> array;
    auto keep = [&](ops::Reflection &reflection, const at::Tensor &followed) {
      mirror.update(reflection, followed);
      array = reflection.array;
    };
    size_t fromEnd = arguments.size() - i;
    if (i < count()) {
      keep(resident.parameters[i], tensor);
    } else if (i < 3 * count()) {
      keep(resident.moments[i - count()], tensor);
    } else if (fromEnd <= fixed.size() && fixed[fixed.size() - fromEnd].tensor.defined()) {
      keep(resident.fixed[fixed.size() - fromEnd], fixed[fixed.size() - fromEnd].tensor);
    } else {
      auto &kept = resident.arguments[i];
      if (!kept || kept->bytes() != static_cast<int64_t>(tensor.nbytes()))
        kept = mirror.make(static_cast<int64_t>(tensor.nbytes()));
      mirror.write(*kept, tensor);
      array = kept;
    }
    buffers.push_back(
        ops::bufferOf(*array, ops::dtypeOf(tensor.scalar_type()), tensor.sizes().vec()));
  }
  return buffers;
}

/// A step that copies the inputs and the loss alone.
at::Tensor TrainingModule::Impl::runMirrored(const Tensors &inputs) {
  Tensors all = arguments(check(inputs));
  std::vector<Buffer> in = placeArguments(all), out;
  std::vector<std::vector<int64_t>> shapes;
  Status status = program->outputShapes(kStep, in, shapes);
  TORCH_CHECK(status.ok(), status.message);
  const EntryInfo &entry = *program->entry(kStep);
  for (size_t i = 0; i < shapes.size(); ++i) {
    const ValueInfo &output = entry.outputs[i];
    if (output.alias >= 0) {
      out.push_back(in[static_cast<size_t>(output.alias)]);
      continue;
    }
    int64_t bytes = sizeOf(output.type.dtype);
    for (int64_t extent : shapes[i])
      bytes *= extent;
    auto &kept = resident.results[i];
    if (!kept || kept->bytes() != bytes)
      kept = resident.mirror->make(bytes);
    out.push_back(ops::bufferOf(*kept, output.type.dtype, shapes[i]));
  }
  status = program->runResident(kStep, in, out, resident.mirror->stream());
  TORCH_CHECK(status.ok(), status.message);
  resident.isAhead = true;
  ++steps;
  at::Tensor loss = placement.empty(entry.outputs[0].type.dtype, shapes[0]);
  resident.mirror->read(*resident.results.at(0), loss);
  return loss;
}

void TrainingModule::Impl::fetch() {
  if (!resident.isAhead)
    return;
  at::NoGradGuard noGradients;
  auto take = [&](ops::Reflection &reflection, const at::Tensor &tensor) {
    resident.mirror->read(*reflection.array, tensor);
    tensor.unsafeGetTensorImpl()->bump_version();
    reflection.note(tensor);
  };
  for (size_t i = 0; i < count(); ++i) {
    take(resident.parameters[i], parameters[i].tensor);
    take(resident.moments[i], first[i]);
    take(resident.moments[count() + i], second[i]);
  }
  resident.isAhead = false;
}

void TrainingModule::fetch() const { impl->fetch(); }

at::Tensor TrainingModule::run(const Tensors &inputs) const {
  at::NoGradGuard noGradients;
  if (impl->resident.mirror)
    return impl->runMirrored(inputs);
  Tensors arguments = impl->arguments(impl->check(inputs));
  std::vector<Buffer> in = buffersOf(arguments), out;
  std::vector<std::vector<int64_t>> shapes;
  Status status = impl->program->outputShapes(kStep, in, shapes);
  TORCH_CHECK(status.ok(), status.message);
  const EntryInfo &entry = *impl->program->entry(kStep);
  Tensors &results = impl->results;
  results.resize(shapes.size());
  for (size_t i = 0; i < shapes.size(); ++i) {
    int alias = entry.outputs[i].alias;
    if (alias < 0 && !(results[i].defined() && results[i].sizes() == at::IntArrayRef(shapes[i])))
      results[i] = impl->placement.empty(entry.outputs[i].type.dtype, shapes[i]);
    out.push_back(alias < 0 ? ops::bufferOf(results[i]) : in[alias]);
  }
  status = impl->placement.run(*impl->program, kStep, in, out);
  TORCH_CHECK(status.ok(), status.message);
  for (const TracedState &parameter : impl->parameters)
    parameter.tensor.unsafeGetTensorImpl()->bump_version();
  ++impl->steps;
  return results[0].clone();
}

//===----------------------------------------------------------------------===//
// State
//===----------------------------------------------------------------------===//

void TrainingModule::setLearningRate(double lr) const {
  checkLearningRate(lr);
  impl->learningRate = lr;
}
double TrainingModule::learningRate() const { return impl->learningRate; }
int64_t TrainingModule::steps() const { return impl->steps; }
void TrainingModule::setSeed(int64_t seed) const { impl->seed = seed; }
const CompileStats &TrainingModule::stats() const { return impl->program->stats(); }
const Program &TrainingModule::program() const { return *impl->program; }
const std::string &TrainingModule::text() const { return impl->text; }

void TrainingModule::save(const std::string &path, const SaveModuleOptions &options) const {
  TORCH_CHECK(options.initialState.empty(),
              "a training step begins with the module's parameters, found ",
              options.initialState.size(), " tensors of an initial state");
  impl->fetch();
  Weights weights;
  size_t count = impl->parameters.size();
  for (size_t i = 0; i < count; ++i) {
    weights.add(impl->parameters[i].name, impl->parameters[i].tensor);
    weights.add("m." + impl->parameters[i].name, impl->first[i]);
    weights.add("v." + impl->parameters[i].name, impl->second[i]);
  }
  for (const TracedState &state : impl->fixed)
    if (state.tensor.defined())
      weights.add(state.name, state.tensor);
  weights.options.steps = impl->steps;
  weights.options.weightsBeside = options.weightsBeside;
  Status status = impl->program->save(path, weights.options);
  TORCH_CHECK(status.ok(), status.message);
}

std::vector<std::pair<std::string, at::Tensor>> TrainingModule::state() const {
  impl->fetch();
  std::vector<std::pair<std::string, at::Tensor>> all;
  for (size_t i = 0; i < impl->parameters.size(); ++i) {
    all.emplace_back("m." + impl->parameters[i].name, impl->first[i].clone());
    all.emplace_back("v." + impl->parameters[i].name, impl->second[i].clone());
  }
  all.emplace_back("step", at::scalar_tensor(impl->steps, at::kLong));
  return all;
}

void TrainingModule::loadState(const std::vector<std::pair<std::string, at::Tensor>> &state) const {
  std::map<std::string, at::Tensor> found(state.begin(), state.end());
  auto take = [&](const std::string &name, const at::Tensor &like) {
    auto entry = found.find(name);
    TORCH_CHECK(entry != found.end(), "the state of the training has no '", name, "'");
    TORCH_CHECK(entry->second.sizes() == like.sizes() &&
                    entry->second.scalar_type() == like.scalar_type(),
                "the state's '", name, "' must be ", like.scalar_type(), " ", like.sizes(),
                ", found ", entry->second.scalar_type(), " ", entry->second.sizes());
    return at::empty_like(like, at::MemoryFormat::Contiguous).copy_(entry->second);
  };
  Tensors first, second;
  for (size_t i = 0; i < impl->parameters.size(); ++i) {
    first.push_back(take("m." + impl->parameters[i].name, impl->first[i]));
    second.push_back(take("v." + impl->parameters[i].name, impl->second[i]));
  }
  int64_t steps = take("step", at::scalar_tensor(0, at::kLong)).item<int64_t>();
  TORCH_CHECK(steps >= 0, "the state's 'step' must not be negative, found ", steps);
  // The parameters of the steps so far are nowhere else.
  impl->fetch();
  impl->first = std::move(first);
  impl->second = std::move(second);
  impl->steps = steps;
}
