//===- Ops.cpp - Compiles a single operation ------------------------------===//

#include "frontends/torch/bench/Arrays.h"
#include "frontends/torch/bench/OpChecks.h"
#include "frontends/torch/bench/Subjects.h"

#include <ATen/ATen.h>

#include <stdexcept>

using namespace aft::bench;

static std::shared_ptr<aft::Program> compileTwice(const Options &o, const aft::Graph &graph,
                                                  CompileTimes &times) {
  TemporaryFolder cache;
  aft::CompileOptions options;
  options.threads = static_cast<int>(o.threads);
  options.cacheDir = cache.path();
  std::shared_ptr<aft::Program> program, again;
  expectOk(graph.compile(options, program));
  expectOk(graph.compile(options, again));
  if (!again->stats().fromCache)
    throw std::runtime_error("the program was not found in the cache folder " + cache.path());
  times.cold = program->stats().milliseconds;
  times.cached = again->stats().milliseconds;
  return program;
}

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

Subject aft::bench::makeOp(const Options &o) {
  Subject subject;
  Graph graph = makeProgram(o);
  expectOk(graph.status());
  std::shared_ptr<Program> program = compileTwice(o, graph, subject.compile);
  Tensors inputs = makeInputs(o), outputs = runCompiled(*program, inputs);
  subject.check = checkOp(o, graph.text(), *program, inputs, outputs);
  std::vector<std::string> names = resultNames(o);
  for (size_t i = 0; i < names.size() && !o.outputs.empty(); ++i)
    writeTensor(o.outputs, names[i], outputs[i]);
  subject.cost.flops = forwardFlops(o) * (o.backward() ? 3 : 1);
  subject.cost.bytes = bytesOf(inputs) + bytesOf(outputs);
  std::vector<std::vector<int64_t>> shapes;
  expectOk(program->outputShapes("main", buffersOf(inputs), shapes, &subject.scratch));
  subject.compiled = [program, inputs, outputs, in = buffersOf(inputs), out = buffersOf(outputs)] {
    expectOk(program->run("main", in, out));
  };
  if (o.eager())
    subject.eager = eagerWork(o, inputs, outputs);
  return subject;
}
