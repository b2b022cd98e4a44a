//===- Models.cpp - Compiles and checks the language model ----------------===//

#include "frontends/torch/bench/LanguageModels.h"
#include "frontends/torch/bench/Subjects.h"

#include <ATen/ATen.h>
#include <torch/optim/adamw.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <stdexcept>

using namespace aft::bench;

static constexpr double kLearningRate = 3e-3, kWeightDecay = 0.1;

/// Compiles twice with a cache folder of its own; `make` takes the options.
template <typename Make>
static auto compileTwice(const Options &o, CompileTimes &times, const Make &make) {
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
static double distance(const at::Tensor &found, const at::Tensor &expected, double floor = 0) {
  at::Tensor a = found.detach().to(at::kDouble), b = expected.detach().to(at::kDouble);
  double size = std::max({b.abs().max().item<double>(), floor, 1e-300});
  return (a - b).abs().max().item<double>() / size;
}

static double logitsLimit(const Options &o) { return o.dtype == "bf16" ? 5e-2 : 1e-4; }

static Check newCheck(const Options &o) {
  Check check;
  check.cap = o.maxError;
  check.against = "libtorch-f64";
  return check;
}

//===----------------------------------------------------------------------===//
// The forward pass
//===----------------------------------------------------------------------===//

static Subject makeForward(const Options &o) {
  Subject subject;
  aft::nn::LanguageModel model = makeLanguageModel(o);
  model->eval();
  at::Tensor ids = at::randint(0, o.vocab, {o.batch, o.length}, at::kLong);
  at::NoGradGuard guard;
  auto compiled = compileTwice(o, subject.compile, [&](const aft::CompileModuleOptions &options) {
    return aft::compile(model, {ids}, options);
  });
  at::Tensor logits = compiled(ids);
  subject.check = newCheck(o);
  subject.check.add(distance(logits, plainCopy(model, at::kDouble)->forward(ids)), logitsLimit(o));
  subject.cost.flops = modelFlops(o);
  subject.cost.bytes = parameterBytes(model) + static_cast<double>(ids.nbytes() + logits.nbytes());
  subject.compiled = [compiled, ids] { compiled(ids); };
  if (o.eager())
    subject.eager = [eager = plainCopy(model), ids]() mutable {
      at::NoGradGuard guard;
      eager->forward(ids);
    };
  return subject;
}

//===----------------------------------------------------------------------===//
// The training step
//===----------------------------------------------------------------------===//

static at::Tensor lossOf(at::Tensor logits, at::Tensor targets) {
  return at::cross_entropy_loss(logits.flatten(0, 1), targets.flatten());
}

static torch::optim::AdamWOptions adamW() {
  return torch::optim::AdamWOptions(kLearningRate).weight_decay(kWeightDecay);
}

/// Checks the first step of `model`: `before` has its weights before that and
/// the gradients, in f64.
static void checkStep(const Options &o, const aft::TrainingModule &step,
                      aft::nn::LanguageModel &model, aft::nn::LanguageModel &before, Check &check) {
  bool rough = o.dtype == "bf16";
  auto old = before->named_parameters(), updated = model->named_parameters();
  std::map<std::string, at::Tensor> moments;
  for (auto &[name, tensor] : step.state())
    moments[name] = tensor.to(at::kDouble);
  aft::OptimizerOptions adam = adamW();
  double largest = 0;
  for (auto &parameter : old)
    if (parameter->grad().defined())
      largest = std::max(largest, parameter->grad().abs().max().item<double>());
  for (auto &parameter : old) {
    at::Tensor expected =
        parameter->grad().defined() ? parameter->grad() : at::zeros_like(*parameter);
    // After one step the first moment is the gradient but for a factor.
    at::Tensor gradient = moments.at("m." + parameter.key()) / (1 - adam.beta1);
    check.add(distance(gradient, expected, 1e-3 * largest), rough ? 2e-1 : 1e-3);
    at::Tensor weight = parameter->detach() * (1 - adam.lr * adam.weightDecay) -
                        adam.lr * gradient / (gradient.abs() + adam.eps);
    check.add(distance(updated[parameter.key()], weight, adam.lr), rough ? 1e-2 : 1e-6);
  }
}

static std::function<void()> eagerStep(aft::nn::LanguageModel eager, at::Tensor ids,
                                       at::Tensor targets) {
  auto optimizer = std::make_shared<torch::optim::AdamW>(eager->parameters(), adamW());
  return [=]() mutable {
    optimizer->zero_grad();
    lossOf(eager->forward(ids), targets).backward();
    optimizer->step();
  };
}

static double stepBytes(aft::nn::LanguageModel &model, const aft::TrainingModule &step,
                        const at::Tensor &ids) {
  double bytes = 2 * parameterBytes(model) + 2 * static_cast<double>(ids.nbytes());
  for (auto &[name, tensor] : step.state())
    if (name != "step")
      bytes += 2 * static_cast<double>(tensor.nbytes());
  return bytes;
}

static Subject makeTraining(const Options &o) {
  Subject subject;
  aft::nn::LanguageModel model = makeLanguageModel(o), before = plainCopy(model, at::kDouble);
  at::Tensor all = at::randint(0, o.vocab, {o.batch, o.length + 1}, at::kLong);
  at::Tensor ids = all.slice(1, 0, o.length).contiguous(), targets = all.slice(1, 1).contiguous();
  auto step = compileTwice(o, subject.compile, [&](const aft::CompileModuleOptions &options) {
    return aft::compileTraining(model, lossOf, adamW(), {ids, targets}, options);
  });
  if (o.eager())
    subject.eager = eagerStep(plainCopy(model), ids, targets);
  at::Tensor loss = step(ids, targets), expected = lossOf(before->forward(ids), targets);
  expected.backward();
  subject.check = newCheck(o);
  subject.check.add(distance(loss, expected), o.dtype == "bf16" ? 1e-2 : 1e-5);
  checkStep(o, step, model, before, subject.check);
  subject.cost.flops = 3 * modelFlops(o);
  subject.cost.bytes = stepBytes(model, step, ids);
  // The step works on the model's own weights, which must live as long.
  subject.compiled = [step, model, ids, targets] { step(ids, targets); };
  return subject;
}

//===----------------------------------------------------------------------===//
// Decoding
//===----------------------------------------------------------------------===//

namespace {

/// The sizes of an example: none is another's by chance.
struct ExampleSizes {
  explicit ExampleSizes(const Options &o)
      : taken{o.dim,    4 * o.dim, o.heads, o.window - 2, o.window - 1,
              o.window, o.rank,    o.vocab, o.length,     std::max<int64_t>(o.length, 64)} {
    batch = next(2);
    chunk = next(batch + 1);
    positions = next(chunk + 1);
    while (isTaken(positions + chunk))
      positions = next(positions + 1);
  }
  bool isTaken(int64_t size) const {
    return std::find(taken.begin(), taken.end(), size) != taken.end();
  }
  int64_t next(int64_t size) const {
    while (isTaken(size))
      ++size;
    return size;
  }
  std::vector<int64_t> taken;
  int64_t batch, chunk, positions;
};

} // namespace

/// A state after some positions, as the step itself returns it: in bf16 its sums
/// are f32, and full has keys then.
static aft::Tensors exampleState(aft::nn::LanguageModel &model, const ExampleSizes &sizes) {
  aft::Tensors inputs = {at::zeros({sizes.batch, sizes.positions}, at::kLong),
                         at::arange(sizes.positions, at::kLong)};
  for (at::Tensor &part : model->initialState(sizes.batch))
    inputs.push_back(std::move(part));
  aft::Tensors outputs = model->step(inputs);
  return {outputs.begin() + 1, outputs.end()};
}

static aft::CompiledModule compileStep(aft::nn::LanguageModel model, const ExampleSizes &sizes,
                                       const aft::Tensors &state,
                                       const aft::CompileModuleOptions &options) {
  aft::Tensors examples = {at::zeros({sizes.batch, sizes.chunk}, at::kLong),
                           at::arange(sizes.chunk, at::kLong)};
  examples.insert(examples.end(), state.begin(), state.end());
  return aft::compileComputation(
      *model, [model](const aft::Tensors &inputs) mutable { return model->step(inputs); }, examples,
      options);
}

/// The state before the first position, in the element types of `like`.
static aft::Tensors startState(aft::nn::LanguageModel &model, int64_t batch,
                               const aft::Tensors &like) {
  aft::Tensors state = model->initialState(batch);
  for (size_t i = 0; i < state.size(); ++i)
    state[i] = state[i].to(like[i].scalar_type());
  return state;
}

namespace {

/// The last tokens of some sequences, after all others have been taken in.
struct Decoding {
  using Step = std::function<aft::Tensors(const aft::Tensors &)>;

  Decoding(const Options &o, at::Tensor ids, aft::Tensors start)
      : ids(std::move(ids)), state(std::move(start)), length(o.length),
        count(std::min<int64_t>(16, o.length)) {}

  /// Takes in the tokens from `first` on, in one chunk.
  static at::Tensor advance(const Step &step, const at::Tensor &ids, int64_t first,
                            aft::Tensors &state) {
    aft::Tensors inputs = {ids, at::arange(first, first + ids.size(1), at::kLong)};
    inputs.insert(inputs.end(), state.begin(), state.end());
    aft::Tensors outputs = step(inputs);
    state.assign(outputs.begin() + 1, outputs.end());
    return outputs[0];
  }

  void prefill(const Step &step) {
    if (length > count)
      advance(step, ids.slice(1, 0, length - count).contiguous(), 0, state);
    for (int64_t t = length - count; t < length; ++t)
      tokens.push_back(ids.slice(1, t, t + 1).contiguous());
  }

  /// Logits of the last tokens, one by one; `current` is the state before them.
  std::vector<at::Tensor> run(const Step &step, aft::Tensors current) const {
    std::vector<at::Tensor> logits;
    for (int64_t i = 0; i < count; ++i)
      logits.push_back(advance(step, tokens[static_cast<size_t>(i)], length - count + i, current));
    return logits;
  }

  at::Tensor ids;
  aft::Tensors state, tokens;
  int64_t length, count;
};

} // namespace

static double decodeBytes(const Options &o, aft::nn::LanguageModel &model,
                          const Decoding &decoding) {
  double bytes = 0, keys = o.mixer == "full" ? static_cast<double>(o.length)
                                             : static_cast<double>(std::min(o.window, o.length));
  for (auto &parameter : model->named_parameters()) {
    std::string name = parameter.key(), last = name.substr(name.rfind('.') + 1);
    double size = static_cast<double>(parameter->nbytes());
    double row = size / static_cast<double>(parameter->size(0));
    if (name == "tokens.weight")
      bytes += row * static_cast<double>(o.batch);
    else if (name == "positions" || last == "u")
      bytes += row;
    else
      bytes += last == "v" ? row * keys : size;
  }
  for (const at::Tensor &part : decoding.state)
    bytes += static_cast<double>(part.nbytes()) * (o.mixer == "full" ? 1 : 2);
  return bytes;
}

/// Plain operators do not mix element types.
static std::function<void()> eagerDecoding(std::shared_ptr<Decoding> decoding,
                                           aft::nn::LanguageModel eager) {
  aft::Tensors state = decoding->state;
  for (at::Tensor &part : state)
    part = part.to(eager->head->weight.scalar_type());
  return [=]() mutable {
    at::NoGradGuard guard;
    decoding->run([&](const aft::Tensors &inputs) { return eager->step(inputs); }, state);
  };
}

static Subject makeDecoding(const Options &o) {
  Subject subject;
  aft::nn::LanguageModel model = makeLanguageModel(o);
  model->eval();
  at::NoGradGuard guard;
  ExampleSizes sizes(o);
  aft::Tensors examples = exampleState(model, sizes);
  auto compiled = compileTwice(o, subject.compile, [&](const aft::CompileModuleOptions &options) {
    return compileStep(model, sizes, examples, options);
  });
  at::Tensor ids = at::randint(0, o.vocab, {o.batch, o.length}, at::kLong);
  auto decoding = std::make_shared<Decoding>(o, ids, startState(model, o.batch, examples));
  auto step = [compiled](const aft::Tensors &inputs) { return compiled.run(inputs); };
  decoding->prefill(step);
  at::Tensor whole = plainCopy(model, at::kDouble)->forward(ids);
  at::Tensor expected = whole.slice(1, o.length - decoding->count);
  subject.check = newCheck(o);
  subject.check.add(distance(at::stack(decoding->run(step, decoding->state), 1), expected),
                    logitsLimit(o));
  subject.calls = decoding->count;
  subject.cost.flops = tokenFlops(o);
  subject.cost.bytes = decodeBytes(o, model, *decoding);
  subject.compiled = [decoding, model, step] { decoding->run(step, decoding->state); };
  if (o.eager())
    subject.eager = eagerDecoding(decoding, plainCopy(model));
  return subject;
}

Subject aft::bench::makeModel(const Options &options) {
  if (options.op == "train")
    return makeTraining(options);
  return options.op == "model" ? makeForward(options) : makeDecoding(options);
}
