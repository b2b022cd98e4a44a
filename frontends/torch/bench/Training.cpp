//===- Training.cpp - Compiles and checks the training step ---------------===//

#include "frontends/torch/bench/Arrays.h"
#include "frontends/torch/bench/ExampleSizes.h"
#include "frontends/torch/bench/ModelSubjects.h"

#include <ATen/ATen.h>
#include <torch/optim/adamw.h>

#include <algorithm>
#include <map>

using namespace aft::bench;

static constexpr double kLearningRate = 3e-3, kWeightDecay = 0.1;

static at::Tensor lossOf(at::Tensor logits, at::Tensor targets) {
  return at::cross_entropy_loss(logits.flatten(0, 1), targets.flatten());
}

static torch::optim::AdamWOptions adamW() {
  return torch::optim::AdamWOptions(kLearningRate).weight_decay(kWeightDecay);
}

static double lossLimit(const Options &o) {
  return o.dtype == "bf16" ? 1e-2 : o.tf32() ? 1e-3 : 1e-5;
}

/// Checks the first step of `model`: `before` has its weights before that and
/// the gradients, in f64.
static void checkStep(const Options &o, const aft::TrainingModule &step,
                      aft::nn::LanguageModel &model, aft::nn::LanguageModel &before, Check &check) {
  bool rough = o.dtype == "bf16";
  step.fetch();
  auto old = before->named_parameters(), updated = model->named_parameters();
  std::map<std::string, at::Tensor> moments;
  for (auto &[name, tensor] : step.state())
    if (name.starts_with("m."))
      moments[name] = tensor;
  aft::OptimizerOptions adam = adamW();
  double largest = 0;
  for (auto &parameter : old)
    if (parameter->grad().defined())
      largest = std::max(largest, parameter->grad().abs().max().item<double>());
  for (auto &parameter : old) {
    at::Tensor expected =
        parameter->grad().defined() ? parameter->grad() : at::zeros_like(*parameter);
    // After one step the first moment is the gradient but for a factor.
    at::Tensor gradient = moments.at("m." + parameter.key()).to(at::kDouble) / (1 - adam.beta1);
    check.add(distance(gradient, expected, 1e-3 * largest), rough ? 2e-1 : o.tf32() ? 2e-2 : 1e-3);
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

/// The loss and all gradients, block by block: only the blocks' inputs are kept,
/// and each is computed again for its derivative, so that memory stays moderate.
static at::Tensor lossAndGradients(aft::nn::LanguageModel &model, const at::Tensor &ids,
                                   const at::Tensor &targets) {
  aft::Tensors inputs;
  at::Tensor start = model->tokens(ids) + model->positions.slice(0, 0, ids.size(1));
  inputs.push_back(start.detach());
  for (const auto &block : *model->blocks) {
    at::NoGradGuard guard;
    inputs.push_back(block->as<aft::nn::BlockImpl>()->forward(inputs.back()));
  }
  at::Tensor last = inputs.back().requires_grad_();
  at::Tensor loss = lossOf(model->head(model->norm(last)), targets);
  loss.backward();
  at::Tensor gradient = last.grad();
  for (size_t i = model->blocks->size(); i-- > 0;) {
    at::Tensor input = inputs[i].detach().requires_grad_();
    model->blocks[i]->as<aft::nn::BlockImpl>()->forward(input).backward(gradient);
    gradient = input.grad();
    inputs.pop_back();
  }
  start.backward(gradient);
  return loss.detach();
}

/// Steps at other B and T, each checked by its loss.
static void runOtherShapes(const Options &o, const aft::TrainingModule &step,
                           aft::nn::LanguageModel &model, Subject &subject) {
  constexpr int64_t pairs = 8, apart = 5;
  for (int64_t i = 0; i < pairs; ++i) {
    std::vector<int64_t> shape = {1 + i % 3, std::min(o.length, apart * (i + 1))};
    at::Tensor ids = at::randint(0, o.vocab, shape, at::kLong), targets = ids.flip({1});
    at::Tensor expected;
    step.fetch();
    {
      at::NoGradGuard guard;
      expected = lossOf(plainCopy(model, at::kDouble)->forward(ids), targets);
    }
    ++subject.shapes;
    try {
      subject.check.add(distance(step.run({ids, targets}), expected), lossLimit(o));
    } catch (const c10::Error &) {
      ++subject.recompilations;
    }
  }
}

static double stepBytes(aft::nn::LanguageModel &model, const aft::TrainingModule &step,
                        const at::Tensor &ids) {
  double bytes = 2 * parameterBytes(*model) + 2 * static_cast<double>(ids.nbytes());
  for (auto &[name, tensor] : step.state())
    if (name != "step")
      bytes += 2 * static_cast<double>(tensor.nbytes());
  return bytes;
}

Subject aft::bench::makeTraining(const Options &o) {
  Subject subject;
  aft::nn::LanguageModel model = makeLanguageModel(o);
  at::Tensor all = makeIds(o, "ids", o.length + 1, o.vocab);
  at::Tensor ids = all.slice(1, 0, o.length).contiguous(), targets = all.slice(1, 1).contiguous();
  ExampleSizes sizes(o);
  auto make = [&](const aft::CompileModuleOptions &options) {
    at::Tensor example = at::zeros({sizes.batch, sizes.length}, at::kLong);
    return aft::compileTraining(model, lossOf, adamW(), {example, example.clone()}, options);
  };
  std::vector<int64_t> shape = {o.batch, o.length};
  auto step = compileModuleTwice(o, subject.compile, {shape, shape}, make);
  // Not earlier: what is there while the step is compiled counts as memory of compiling.
  aft::nn::LanguageModel before = plainCopy(model, at::kDouble);
  if (o.eager())
    subject.eager = eagerStep(plainCopy(model), ids, targets);
  at::Tensor expected = lossAndGradients(before, ids, targets), loss = step(ids, targets);
  subject.check = newCheck(o);
  subject.check.add(distance(loss, expected), lossLimit(o));
  checkStep(o, step, model, before, subject.check);
  if (!o.outputs.empty())
    writeTensor(o.outputs, "losses", at::stack({loss, step(ids, targets), step(ids, targets)}));
  runOtherShapes(o, step, model, subject);
  subject.scratch = step.scratchBytes({ids, targets});
  subject.cost.flops = 3 * modelFlops(o);
  subject.cost.bytes = stepBytes(model, step, ids);
  // The step works on the model's own weights, which must live as long.
  subject.compiled = [step, model, ids, targets] { step(ids, targets); };
  return subject;
}
