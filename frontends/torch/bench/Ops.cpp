//===- Ops.cpp - Compiles a single operation ------------------------------===//

#include "frontends/torch/bench/Arrays.h"
#include "frontends/torch/bench/CompileTwice.h"
#include "frontends/torch/bench/OpChecks.h"
#include "frontends/torch/bench/Subjects.h"
#include "runtime/cuda/ResidentCall.h"

#include <ATen/ATen.h>

using namespace aft::bench;

static double bytesOf(const Tensors &tensors) {
  double bytes = 0;
  for (const at::Tensor &tensor : tensors)
    bytes += static_cast<double>(tensor.nbytes());
  return bytes;
}

/// LibTorch with memory for the results where it can take that.
static std::function<void()> eagerWork(const Options &o, const Tensors &inputs,
                                       const Tensors &outputs) {
  if (o.op != "matmul")
    return [o, inputs] { eagerResults(o, inputs); };
  Tensors results;
  for (const at::Tensor &output : outputs)
    results.push_back(at::empty_like(output));
  return [o, inputs, results]() mutable {
    at::mm_out(results[0], inputs[0], inputs[1]);
    if (!o.backward())
      return;
    at::mm_out(results[1], inputs[2], inputs[1].t());
    at::mm_out(results[2], inputs[0].t(), inputs[2]);
  };
}

/// Calls on memory of the GPU, one after the other on a stream, whose results are those of
/// the call that was checked.
static void runOnGpu(Subject &subject, const std::shared_ptr<aft::Program> &program,
                     const Tensors &inputs, const Tensors &checked) {
  Tensors outputs;
  for (const at::Tensor &output : checked)
    outputs.push_back(at::empty_like(output));
  std::shared_ptr<aft::cuda::ResidentCall> call;
  expectOk(aft::cuda::ResidentCall::create(/*ordinal=*/0, program, "main", buffersOf(inputs),
                                           buffersOf(outputs), call));
  expectOk(call->run());
  expectOk(call->fetch());
  for (size_t i = 0; i < outputs.size(); ++i)
    if (!at::equal(outputs[i], checked[i]))
      throw std::runtime_error("result " + std::to_string(i) +
                               " of a call on memory of the GPU differs from that on arrays");
  subject.compiled = [call] { expectOk(call->run()); };
  subject.wait = [call] { expectOk(call->wait()); };
}

Subject aft::bench::makeOp(const Options &o) {
  Subject subject;
  Graph graph = makeProgram(o);
  expectOk(graph.status());
  Tensors inputs = makeInputs(o);
  Shapes shapesToTune;
  for (const at::Tensor &input : inputs)
    shapesToTune.push_back(input.sizes().vec());
  auto program =
      compileTwice(o, subject.compile, shapesToTune, [&](const aft::CompileOptions &options) {
        std::shared_ptr<Program> compiled;
        expectOk(graph.compile(options, compiled));
        return compiled;
      });
  Tensors outputs = runCompiled(*program, inputs);
  subject.check = checkOp(o, graph.text(), *program, inputs, outputs);
  std::vector<std::string> names = resultNames(o);
  for (size_t i = 0; i < names.size() && !o.outputs.empty(); ++i)
    writeTensor(o.outputs, names[i], outputs[i]);
  subject.cost.flops = forwardFlops(o) * (o.backward() ? 3 : 1);
  subject.cost.bytes = bytesOf(inputs) + bytesOf(outputs);
  std::vector<std::vector<int64_t>> shapes;
  expectOk(program->outputShapes("main", buffersOf(inputs), shapes, &subject.scratch));
  if (o.onGpu())
    runOnGpu(subject, program, inputs, outputs);
  else
    subject.compiled = [program, inputs, outputs, in = buffersOf(inputs),
                        out = buffersOf(outputs)] { expectOk(program->run("main", in, out)); };
  if (o.eager())
    subject.eager = eagerWork(o, inputs, outputs);
  return subject;
}
