//===- Models.cpp - Compiles and checks the forward passes ----------------===//

#include "frontends/torch/bench/Arrays.h"
#include "frontends/torch/bench/ExampleSizes.h"
#include "frontends/torch/bench/ModelSubjects.h"
#include "frontends/torch/bench/OpChecks.h"
#include "frontends/torch/bench/Subjects.h"
#include "frontends/torch/ops/Kernels.h"
#include "runtime/cuda/ResidentCall.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <map>

using namespace aft::bench;

double aft::bench::distance(const at::Tensor &found, const at::Tensor &expected, double floor) {
  at::Tensor a = found.detach().to(at::kDouble), b = expected.detach().to(at::kDouble);
  double size = std::max({b.abs().max().item<double>(), floor, 1e-300});
  return (a - b).abs().max().item<double>() / size;
}

double aft::bench::logitsLimit(const Options &o) {
  return o.dtype == "bf16" ? 5e-2 : o.tf32() ? 5e-3 : 1e-4;
}

Check aft::bench::newCheck(const Options &o) {
  Check check;
  check.cap = o.maxError;
  check.against = "libtorch-f64";
  return check;
}

at::Tensor aft::bench::makeIds(const Options &o, const std::string &name, int64_t length,
                               int64_t most) {
  if (o.inputs.empty())
    return at::randint(0, most, {o.batch, length}, at::kLong);
  at::Tensor ids = readTensor(o.inputs, name, {o.batch, length}, at::kLong);
  if (ids.min().item<int64_t>() < 0 || ids.max().item<int64_t>() >= most)
    throw std::runtime_error(o.inputs + "/" + name + ".npy: expected numbers from 0 to " +
                             std::to_string(most - 1));
  return ids;
}

void aft::bench::runOnGpu(Subject &subject, const aft::CompiledModule &compiled,
                          const torch::nn::Module &module, const at::Tensor &input,
                          const at::Tensor &checked) {
  std::map<std::string, at::Tensor> tensors;
  for (const auto &named : {module.named_parameters(), module.named_buffers()})
    for (const auto &item : named)
      tensors[item.key()] = item.value().contiguous();
  const aft::Program &program = compiled.program();
  std::vector<Buffer> arguments = {ops::bufferOf(input)};
  const EntryInfo &entry = program.entries().front();
  for (size_t i = 1; i < entry.inputs.size(); ++i) {
    auto tensor = tensors.find(entry.inputs[i].name);
    if (tensor == tensors.end())
      throw std::runtime_error("the module has no tensor '" + entry.inputs[i].name + "'");
    arguments.push_back(ops::bufferOf(tensor->second));
  }
  at::Tensor result = at::empty_like(checked);
  std::shared_ptr<aft::cuda::ResidentCall> call;
  // The module keeps the program.
  std::shared_ptr<const aft::Program> kept(std::make_shared<aft::CompiledModule>(compiled),
                                           &program);
  expectOk(aft::cuda::ResidentCall::create(/*ordinal=*/0, kept, entry.name, arguments,
                                           {ops::bufferOf(result)}, call));
  expectOk(call->run());
  expectOk(call->fetch());
  if (!at::equal(result, checked))
    throw std::runtime_error(
        "the result of a call on memory of the GPU differs from that on arrays");
  subject.compiled = [call] { expectOk(call->run()); };
  subject.wait = [call] { expectOk(call->wait()); };
}

/// What both kinds of models do with their compiled form.
static void finishForward(const Options &o, Subject &subject, const aft::CompiledModule &compiled,
                          const torch::nn::Module &module, const at::Tensor &input,
                          const at::Tensor &expected) {
  at::Tensor logits = compiled.run({input})[0];
  if (!o.outputs.empty())
    writeTensor(o.outputs, "logits", logits);
  subject.check = newCheck(o);
  subject.check.add(distance(logits, expected), logitsLimit(o));
  subject.cost.flops = modelFlops(o);
  subject.cost.bytes =
      parameterBytes(module) + static_cast<double>(input.nbytes() + logits.nbytes());
  subject.scratch = compiled.scratchBytes({input});
  if (o.onGpu())
    runOnGpu(subject, compiled, module, input, logits);
  else
    subject.compiled = [compiled, input] { compiled.run({input}); };
}

Subject aft::bench::makeForward(const Options &o) {
  Subject subject;
  aft::nn::LanguageModel model = makeLanguageModel(o);
  model->eval();
  at::Tensor ids = makeIds(o, "ids", o.length, o.vocab);
  at::NoGradGuard guard;
  ExampleSizes sizes(o);
  auto make = [&](const aft::CompileModuleOptions &options) {
    return aft::compileComputation(
        *model, [&](const aft::Tensors &inputs) { return aft::Tensors{model->forward(inputs[0])}; },
        {at::zeros({sizes.batch, sizes.length}, at::kLong)}, options);
  };
  auto compiled = compileModuleTwice(o, subject.compile, {{o.batch, o.length}}, make);
  finishForward(o, subject, compiled, *model, ids, plainCopy(model, at::kDouble)->forward(ids));
  if (o.eager())
    subject.eager = [eager = plainCopy(model), ids]() mutable {
      at::NoGradGuard guard;
      eager->forward(ids);
    };
  return subject;
}

Subject aft::bench::makeImages(const Options &o) {
  Subject subject;
  aft::nn::ImageClassifier model = makeImageClassifier(o);
  model->eval();
  std::vector<int64_t> shape = {o.batch, 3, o.image, o.image};
  at::ScalarType dtype = o.dtype == "bf16" ? at::kBFloat16 : at::kFloat;
  at::Tensor images = o.inputs.empty() ? at::randn(shape, at::kFloat).to(dtype)
                                       : readTensor(o.inputs, "images", shape, dtype);
  at::NoGradGuard guard;
  auto compiled = compileModuleTwice(
      o, subject.compile, {shape}, [&](const aft::CompileModuleOptions &options) {
        return aft::compileComputation(
            *model,
            [&](const aft::Tensors &inputs) { return aft::Tensors{model->forward(inputs[0])}; },
            {images}, options);
      });
  finishForward(o, subject, compiled, *model, images,
                plainCopy(model, at::kDouble)->forward(images.to(at::kDouble)));
  if (o.eager())
    subject.eager = [eager = plainCopy(model), images]() mutable {
      at::NoGradGuard guard;
      eager->forward(images);
    };
  return subject;
}

Subject aft::bench::makeModel(const Options &options) {
  if (options.op == "train")
    return makeTraining(options);
  if (options.op == "image")
    return makeImages(options);
  return options.op == "model" ? makeForward(options) : makeDecoding(options);
}
