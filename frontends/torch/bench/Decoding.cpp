//===- Decoding.cpp - Compiles and checks the decode step -----------------===//

#include "frontends/torch/bench/Arrays.h"
#include "frontends/torch/bench/ExampleSizes.h"
#include "frontends/torch/bench/ModelSubjects.h"

#include <ATen/ATen.h>

#include <algorithm>

using namespace aft::bench;

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
  aft::CompileModuleOptions named = options;
  for (int i = 1; i <= static_cast<int>(state.size()); ++i)
    named.state.emplace_back(i, i + 1);
  return aft::compileComputation(
      *model, [model](const aft::Tensors &inputs) mutable { return model->step(inputs); }, examples,
      named);
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
                                           const aft::CompiledModule &compiled,
                                           aft::nn::LanguageModel eager) {
  aft::Tensors state = decoding->state;
  for (at::Tensor &part : state)
    part = compiled.fetch(part).to(eager->head->weight.scalar_type());
  return [=]() mutable {
    at::NoGradGuard guard;
    decoding->run([&](const aft::Tensors &inputs) { return eager->step(inputs); }, state);
  };
}

Subject aft::bench::makeDecoding(const Options &o) {
  Subject subject;
  aft::nn::LanguageModel model = makeLanguageModel(o);
  model->eval();
  at::NoGradGuard guard;
  ExampleSizes sizes(o);
  aft::Tensors examples = exampleState(model, sizes);
  Shapes shapes = {{o.batch, 1}, {1}};
  for (const at::Tensor &part : model->initialState(o.batch))
    shapes.push_back(part.sizes().vec());
  auto compiled =
      compileModuleTwice(o, subject.compile, shapes, [&](const aft::CompileModuleOptions &options) {
        return compileStep(model, sizes, examples, options);
      });
  at::Tensor ids = makeIds(o, "ids", o.length, o.vocab);
  auto decoding = std::make_shared<Decoding>(o, ids, startState(model, o.batch, examples));
  auto step = [compiled](const aft::Tensors &inputs) { return compiled.run(inputs); };
  decoding->prefill(step);
  at::Tensor whole = plainCopy(model, at::kDouble)->forward(ids);
  at::Tensor expected = whole.slice(1, o.length - decoding->count);
  subject.check = newCheck(o);
  at::Tensor logits = at::stack(decoding->run(step, decoding->state), 1);
  subject.check.add(distance(logits, expected), logitsLimit(o));
  if (!o.outputs.empty())
    writeTensor(o.outputs, "logits", logits);
  subject.calls = decoding->count;
  subject.cost.flops = tokenFlops(o);
  subject.cost.bytes = decodeBytes(o, model, *decoding);
  subject.compiled = [decoding, model, step] { decoding->run(step, decoding->state); };
  if (o.eager())
    subject.eager = eagerDecoding(decoding, compiled, plainCopy(model));
  return subject;
}
