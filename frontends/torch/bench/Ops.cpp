//===- Ops.cpp - Compiles and checks a single operation -------------------===//

#include "frontends/torch/bench/Arrays.h"
#include "frontends/torch/bench/OpForms.h"
#include "frontends/torch/bench/Subjects.h"

#include "runtime/jit/Reference.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <stdexcept>

using namespace aft::bench;

/// What the interpreter may be asked to do: exponentials, or multiply-adds of a
/// matmul. About a second.
static constexpr double kMostReferenceTerms = 2e7;

static void expectOk(const aft::Status &status) {
  if (!status.ok())
    throw std::runtime_error(status.message);
}

//===----------------------------------------------------------------------===//
// Running
//===----------------------------------------------------------------------===//

static aft::DType dtypeOf(const at::Tensor &tensor) {
  switch (tensor.scalar_type()) {
  case at::kBFloat16:
    return aft::DType::bf16;
  case at::kDouble:
    return aft::DType::f64;
  default:
    return aft::DType::f32;
  }
}

static aft::Buffer bufferOf(const at::Tensor &tensor) {
  return {tensor.data_ptr(), dtypeOf(tensor), tensor.sizes().vec()};
}

static std::vector<aft::Buffer> buffersOf(const Tensors &tensors) {
  std::vector<aft::Buffer> buffers;
  for (const at::Tensor &tensor : tensors)
    buffers.push_back(bufferOf(tensor));
  return buffers;
}

static aft::Array arrayOf(const at::Tensor &tensor) {
  at::Tensor dense = tensor.contiguous();
  aft::Array array{dtypeOf(dense), dense.sizes().vec(), std::vector<char>(dense.nbytes())};
  std::memcpy(array.bytes.data(), dense.data_ptr(), dense.nbytes());
  return array;
}

static Tensors makeOutputs(const aft::Program &program, const Tensors &inputs) {
  std::vector<std::vector<int64_t>> shapes;
  expectOk(program.outputShapes("main", buffersOf(inputs), shapes));
  Tensors outputs;
  for (const std::vector<int64_t> &shape : shapes)
    outputs.push_back(at::empty(shape, inputs[0].options()));
  return outputs;
}

static Tensors runCompiled(const aft::Program &program, const Tensors &inputs) {
  Tensors outputs = makeOutputs(program, inputs);
  expectOk(program.run("main", buffersOf(inputs), buffersOf(outputs)));
  return outputs;
}

//===----------------------------------------------------------------------===//
// Checking
//===----------------------------------------------------------------------===//

/// Compares results: that of a mixer against the contract relative to v, all
/// others as gradients are.
static void compare(const Options &o, const Tensors &inputs, const Tensors &found,
                    std::vector<aft::Array> expected, Check &check) {
  bool mixer = !o.isProduct();
  Tensors operands(inputs.begin(), inputs.end() - (o.backward() ? 1 : 0));
  for (size_t i = 0; i < found.size(); ++i) {
    aft::ReferenceFacts facts;
    std::vector<aft::Buffer> sizes;
    // The limit depends on the keys and the bias alone.
    for (size_t input = mixer ? 1 : 0; input < operands.size(); ++input)
      if (!mixer || input != 2)
        sizes.push_back(bufferOf(operands[input]));
    if (mixer && i == 0) {
      facts = {/*isMixer=*/true, /*values=*/2};
      sizes = buffersOf(operands);
    }
    aft::Comparison comparison =
        aft::compareWithReference(arrayOf(found[i]), expected[i], sizes, facts);
    check.add(comparison.error, comparison.limit);
  }
}

static void checkByReference(const Options &o, const std::string &text, const aft::Program &program,
                             const Tensors &inputs, Check &check) {
  aft::ReferenceFacts facts;
  std::vector<aft::Array> expected;
  expectOk(aft::runReference(text, o.op, "main", buffersOf(inputs), expected, facts));
  compare(o, inputs, runCompiled(program, inputs), std::move(expected), check);
}

static void checkByLibTorch(const Options &o, const aft::Program &program, const Tensors &inputs,
                            Check &check) {
  Tensors wide;
  for (const at::Tensor &input : inputs)
    wide.push_back(input.to(at::kDouble));
  std::vector<aft::Array> expected;
  for (const at::Tensor &result : eagerResults(o, wide))
    expected.push_back(arrayOf(result));
  compare(o, inputs, runCompiled(program, inputs), std::move(expected), check);
}

/// What the interpreter does for one sequence of this length.
static double referenceTerms(const Options &o, double length) {
  double dim = static_cast<double>(o.dim), passes = o.backward() ? 3 : 1;
  double pairs = o.isProduct() ? length * dim * (o.op == "mlp" ? 4 : 1) : length * length;
  return pairs * dim * passes;
}

static Check checkOp(const Options &o, const std::string &text, const aft::Program &program,
                     const Tensors &inputs) {
  Check check;
  check.cap = o.maxError;
  double length = static_cast<double>(o.length);
  if (referenceTerms(o, length) * static_cast<double>(o.batch) <= kMostReferenceTerms) {
    check.against = "reference";
    checkByReference(o, text, program, inputs, check);
    return check;
  }
  double share = kMostReferenceTerms / referenceTerms(o, length);
  double shorter = length * (o.isProduct() ? share : std::sqrt(share));
  int64_t cut = std::clamp<int64_t>(static_cast<int64_t>(shorter), 1, o.length);
  check.against = "libtorch-f64";
  if (o.grid.empty() || share >= 1) {
    check.against = "reference+libtorch-f64";
    checkByReference(o, text, program, shortened(o, inputs, o.grid.empty() ? cut : o.length),
                     check);
  }
  checkByLibTorch(o, program, inputs, check);
  return check;
}

//===----------------------------------------------------------------------===//
// The subject
//===----------------------------------------------------------------------===//

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
  Tensors inputs = makeInputs(o);
  subject.check = checkOp(o, graph.text(), *program, inputs);
  Tensors outputs = makeOutputs(*program, inputs);
  if (!o.outputs.empty()) {
    expectOk(program->run("main", buffersOf(inputs), buffersOf(outputs)));
    std::vector<std::string> names = resultNames(o);
    for (size_t i = 0; i < names.size(); ++i)
      writeTensor(o.outputs, names[i], outputs[i]);
  }
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
