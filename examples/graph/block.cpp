//===- block.cpp - A block of a simple-mixer model, without LibTorch -------===//
// Builds x + out(simple(q, k, v)) with q, k and v made from layer_norm(x),
// compiles it once and runs it at two batch sizes and lengths.

#include "aft/graph.h"

#include <cmath>
#include <cstdio>

int main() {
  const int64_t d = 4;
  aft::Graph graph;
  aft::Function &f = graph.function("forward");
  aft::Value x = f.input("x", {aft::DType::f32, {aft::kDynamic, aft::kDynamic, d}});
  f.setLocation("block.mixer");
  aft::Value h = f.layerNorm(x);
  auto project = [&](const std::string &name, aft::Value value) {
    aft::Value weight = f.parameter(name + ".weight", {aft::DType::f32, {d, d}});
    aft::Value bias = f.parameter(name + ".bias", {aft::DType::f32, {d}});
    return f.linear(value, weight, bias);
  };
  aft::MixerOptions causal;
  causal.causal = true;
  aft::Value q = project("q", h), k = project("k", h), v = project("v", h);
  aft::Value y = f.simple(q, k, v, causal);
  f.output(f.add(x, project("out", y)), "y");

  std::shared_ptr<aft::Program> program;
  if (aft::Status status = graph.compile({}, program); !status.ok()) {
    std::fprintf(stderr, "%s\n", status.message.c_str());
    return 1;
  }
  std::printf("compiled %d kernels\n", program->stats().kernels);
  const aft::EntryInfo &entry = *program->entry("forward");
  for (int64_t length : {3, 5}) {
    std::vector<std::vector<float>> memory;
    std::vector<aft::Buffer> inputs;
    for (const aft::ValueInfo &input : entry.inputs) {
      std::vector<int64_t> shape = input.type.shape;
      if (input.name == "x")
        shape = {length - 2, length, d};
      int64_t count = 1;
      for (int64_t extent : shape)
        count *= extent;
      memory.emplace_back(count);
      for (int64_t i = 0; i < count; ++i)
        memory.back()[i] = std::sin(static_cast<float>(i + int64_t(memory.size())));
      inputs.push_back({memory.back().data(), input.type.dtype, shape});
    }
    std::vector<float> result(memory[0].size());
    aft::Buffer output{result.data(), aft::DType::f32, inputs[0].shape};
    if (aft::Status status = program->run("forward", inputs, {output}); !status.ok()) {
      std::fprintf(stderr, "%s\n", status.message.c_str());
      return 1;
    }
    std::printf("B=%d T=%d  y[0,0,:] = %.4f %.4f %.4f %.4f\n", int(length - 2), int(length),
                result[0], result[1], result[2], result[3]);
  }
}
