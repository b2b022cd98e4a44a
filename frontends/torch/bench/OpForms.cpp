//===- OpForms.cpp - The single operations, as programs and in LibTorch ---===//

#include "frontends/torch/bench/OpForms.h"

#include "frontends/torch/bench/Arrays.h"
#include "frontends/torch/nn/Plain.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

using namespace aft::bench;

at::ScalarType aft::bench::scalarType(const Options &options) {
  return options.dtype == "bf16" ? at::kBFloat16 : at::kFloat;
}

/// Extents of the bias, band or filter; none for simple.
static std::vector<int64_t> biasShape(const Options &o, int64_t length) {
  if (o.op == "full")
    return {length, length};
  if (o.op == "local")
    return {length, o.causal ? o.window : 2 * o.window - 1};
  if (o.op != "conv")
    return {};
  return o.grid.empty() ? std::vector<int64_t>{o.heads, o.window}
                        : std::vector<int64_t>{o.heads, o.window, o.window};
}

//===----------------------------------------------------------------------===//
// Programs
//===----------------------------------------------------------------------===//

static void buildMatmul(aft::Function &f, const Options &o, aft::DType dtype) {
  aft::Value a = f.input("a", {dtype, {aft::kDynamic, o.dim}}),
             b = f.input("b", {dtype, {o.dim, o.dim}});
  aft::Value dy;
  if (o.backward())
    dy = f.input("dy", {dtype, {aft::kDynamic, o.dim}});
  f.output(f.matmul(a, b), "y");
  if (!o.backward())
    return;
  f.output(f.matmul(dy, b, false, true), "da");
  f.output(f.matmul(a, dy, true, false), "db");
}

static void buildMlp(aft::Function &f, const Options &o, aft::DType dtype) {
  aft::Value a = f.input("a", {dtype, {aft::kDynamic, o.dim}}),
             w = f.input("w", {dtype, {o.dim, 4 * o.dim}}),
             bias = f.input("bias", {dtype, {4 * o.dim}});
  f.output(f.gelu(f.add(f.matmul(a, w), bias)), "y");
}

static aft::Value forward(aft::Function &f, const Options &o, const std::vector<aft::Value> &in,
                          const aft::MixerOptions &mixer) {
  if (o.op == "full")
    return f.full(in[0], in[1], in[2], in[3], mixer);
  if (o.op == "local")
    return f.local(in[0], in[1], in[2], in[3], o.window, mixer);
  if (o.op == "conv")
    return f.conv(in[0], in[1], in[2], in[3], o.grid, mixer);
  return f.simple(in[0], in[1], in[2], mixer);
}

static aft::MixerGrads gradients(aft::Function &f, const Options &o, aft::Value dy,
                                 const std::vector<aft::Value> &in, aft::Value ratio,
                                 aft::Value logz, const aft::MixerOptions &mixer) {
  if (o.op == "full")
    return f.fullGrad(dy, in[0], in[1], in[2], in[3], ratio, logz, mixer);
  if (o.op == "local")
    return f.localGrad(dy, in[0], in[1], in[2], in[3], ratio, logz, o.window, mixer);
  if (o.op == "conv")
    return f.convGrad(dy, in[0], in[1], in[2], in[3], ratio, logz, o.grid, mixer);
  return f.simpleGrad(dy, in[0], in[1], in[2], ratio, logz, mixer);
}

static void buildMixer(aft::Function &f, const Options &o, aft::DType dtype) {
  int64_t length = o.grid.empty() ? aft::kDynamic : o.length;
  aft::TensorType wide{dtype, {aft::kDynamic, length, o.dim}}, keys = wide;
  if (o.op == "conv")
    keys.shape[2] = o.heads;
  std::vector<aft::Value> in = {f.input("q", wide), f.input("k", keys), f.input("v", wide)};
  if (std::vector<int64_t> shape = biasShape(o, length); !shape.empty())
    in.push_back(f.input("w", {dtype, shape}));
  aft::Value dy, ratio, logz;
  aft::MixerOptions mixer;
  mixer.causal = o.causal;
  if (!o.backward()) {
    f.output(forward(f, o, in, mixer), "y");
    return;
  }
  dy = f.input("dy", wide);
  aft::MixerOptions saving = mixer;
  saving.ratio = &ratio;
  saving.logz = &logz;
  f.output(forward(f, o, in, saving), "y");
  aft::MixerGrads grads = gradients(f, o, dy, in, ratio, logz, mixer);
  f.output(grads.dq, "dq");
  f.output(grads.dk, "dk");
  f.output(grads.dv, "dv");
  if (grads.dw)
    f.output(grads.dw, "dw");
}

aft::Graph aft::bench::makeProgram(const Options &options) {
  aft::Graph graph;
  aft::DType dtype = options.dtype == "bf16" ? aft::DType::bf16 : aft::DType::f32;
  aft::Function &f = graph.function("main");
  if (options.op == "matmul")
    buildMatmul(f, options, dtype);
  else if (options.op == "mlp")
    buildMlp(f, options, dtype);
  else
    buildMixer(f, options, dtype);
  return graph;
}

//===----------------------------------------------------------------------===//
// Inputs
//===----------------------------------------------------------------------===//

std::vector<std::string> aft::bench::inputNames(const Options &o) {
  std::vector<std::string> names = {"q", "k", "v"};
  if (o.op == "matmul")
    names = {"a", "b"};
  else if (o.op == "mlp")
    names = {"a", "w", "bias"};
  else if (o.op != "simple")
    names.push_back("w");
  if (o.backward())
    names.push_back("dy");
  return names;
}

std::vector<std::string> aft::bench::resultNames(const Options &o) {
  std::vector<std::string> names = {"y"};
  if (o.backward())
    for (const std::string &name : inputNames(o))
      if (name != "dy")
        names.push_back("d" + name);
  return names;
}

static std::vector<std::vector<int64_t>> inputShapes(const Options &o) {
  std::vector<int64_t> rows = {o.batch * o.length, o.dim}, wide = {o.batch, o.length, o.dim};
  if (o.op == "mlp")
    return {rows, {o.dim, 4 * o.dim}, {4 * o.dim}};
  std::vector<std::vector<int64_t>> shapes = {rows, {o.dim, o.dim}};
  if (o.op != "matmul") {
    shapes = {wide, {o.batch, o.length, o.op == "conv" ? o.heads : o.dim}, wide};
    if (std::vector<int64_t> shape = biasShape(o, o.length); !shape.empty())
      shapes.push_back(shape);
  }
  if (o.backward())
    shapes.push_back(shapes[0]);
  return shapes;
}

Tensors aft::bench::makeInputs(const Options &o) {
  std::vector<std::string> names = inputNames(o);
  Tensors inputs;
  for (const std::vector<int64_t> &shape : inputShapes(o))
    inputs.push_back(o.inputs.empty()
                         ? at::randn(shape, at::kFloat).to(scalarType(o))
                         : readTensor(o.inputs, names[inputs.size()], shape, scalarType(o)));
  return inputs;
}

Tensors aft::bench::shortened(const Options &o, const Tensors &inputs, int64_t length) {
  Tensors all = inputs;
  for (at::Tensor &tensor : all)
    if (tensor.dim() == 3 && tensor.size(0) == o.batch && tensor.size(1) == o.length)
      tensor = tensor.slice(0, 0, 1).slice(1, 0, length).contiguous();
  if (o.isProduct())
    for (size_t i = 0; i < (o.op == "mlp" ? 1 : all.size()); i += 2)
      all[i] = all[i].slice(0, 0, length).contiguous();
  if (o.op == "full")
    all[3] = all[3].slice(0, 0, length).slice(1, 0, length).contiguous();
  if (o.op == "local")
    all[3] = all[3].slice(0, 0, length).contiguous();
  return all;
}

//===----------------------------------------------------------------------===//
// LibTorch
//===----------------------------------------------------------------------===//

static at::Tensor plainForward(const Options &o, const Tensors &in) {
  namespace plain = aft::nn::plain;
  const std::string gate = "sigmoid";
  if (o.op == "full")
    return plain::full(in[0], in[1], in[2], in[3], o.causal, gate);
  if (o.op == "local")
    return plain::local(in[0], in[1], in[2], in[3], o.window, o.causal, gate);
  if (o.op == "conv")
    return plain::conv(in[0], in[1], in[2], in[3], o.grid, o.causal, gate);
  return plain::simple(in[0], in[1], in[2], o.causal, gate);
}

static Tensors matmulResults(const Options &o, const Tensors &in) {
  if (!o.backward())
    return {at::matmul(in[0], in[1])};
  return {at::matmul(in[0], in[1]), at::matmul(in[2], in[1].t()), at::matmul(in[0].t(), in[2])};
}

Tensors aft::bench::eagerResults(const Options &o, const Tensors &inputs) {
  if (o.op == "matmul")
    return matmulResults(o, inputs);
  if (o.op == "mlp")
    return {at::gelu(at::addmm(inputs[2], inputs[0], inputs[1]))};
  if (!o.backward()) {
    at::NoGradGuard guard;
    return {plainForward(o, inputs)};
  }
  Tensors leaves;
  for (size_t i = 0; i + 1 < inputs.size(); ++i)
    leaves.push_back(inputs[i].detach().requires_grad_());
  at::Tensor y = plainForward(o, leaves);
  Tensors results = {y.detach()};
  for (at::Tensor &gradient : torch::autograd::grad({y}, leaves, {inputs.back()}))
    results.push_back(std::move(gradient));
  return results;
}
