//===- GraphTrainingTest.cpp - Derivatives of what aft/graph.h builds ------===//

#include "GraphHarness.h"

using namespace aft;
using namespace aft::test;

namespace {

using Values = std::vector<Value>;
using Build = std::function<Value(Function &, Value)>;

/// With betas 0, AdamW moves a parameter by lr * sign of its gradient; a huge
/// eps makes that lr * gradient / eps. The gradient is compared with a
/// difference of losses.
void checkGradient(const Build &loss, std::vector<int64_t> shape, bool dynamic = false) {
  Tensor x = Tensor::random(shape, 3);
  Graph graph;
  Function &f = graph.function();
  Value arg = f.parameter("x", {DType::f64, shape});
  Tensor extra(DType::f64, {2, 3});
  if (dynamic) // a dynamic extent beside the parameter's
    arg = f.add(arg, f.input("zero", {DType::f64, {kDynamic, 3}}));
  f.output(loss(f, arg));
  ASSERT_TRUE(graph.status().ok()) << graph.status().message;

  CompileOptions options;
  options.cacheDir = "";
  options.threads = 1;
  std::shared_ptr<Program> forward, training;
  Status status = graph.compile(options, forward);
  ASSERT_TRUE(status.ok()) << status.message << graph.text();
  options.training = std::make_shared<TrainingOptions>();
  options.training->beta1 = options.training->beta2 = 0;
  options.training->eps = 1e12;
  options.training->weightDecay = 0;
  status = graph.compile(options, training);
  ASSERT_TRUE(status.ok()) << status.message << graph.text();

  Tensor start(DType::f64, shape);
  size_t count = x.floats().size();
  for (size_t i = 0; i < count; ++i)
    start.data<double>()[i] = x.floats()[i];
  auto lossAt = [&](Tensor at) {
    std::vector<Tensor> inputs = {at};
    if (dynamic)
      inputs.push_back(extra);
    return run(*forward, inputs)[0].values<double>()[0];
  };

  const EntryInfo &entry = *training->entry("train_step");
  std::vector<Tensor> inputs;
  std::vector<Buffer> ins, outs;
  for (const ValueInfo &input : entry.inputs) {
    bool own = input.name == "x", zero = input.name == "zero";
    inputs.push_back(own ? start : zero ? extra : Tensor(input.type.dtype, input.type.shape));
    if (input.name == "lr") {
      if (input.type.dtype == DType::f64)
        *inputs.back().data<double>() = 1e12;
      else
        *inputs.back().data<float>() = 1e12f;
    }
    if (input.name == "step")
      *inputs.back().data<int64_t>() = 1;
  }
  for (Tensor &input : inputs)
    ins.push_back(input.buffer());
  std::vector<std::vector<int64_t>> shapes;
  status = training->outputShapes("train_step", ins, shapes);
  ASSERT_TRUE(status.ok()) << status.message;
  std::vector<Tensor> results;
  results.reserve(shapes.size());
  for (size_t i = 0; i < shapes.size(); ++i) {
    results.emplace_back(entry.outputs[i].type.dtype, shapes[i]);
    int alias = entry.outputs[i].alias;
    outs.push_back(alias >= 0 ? ins[alias] : results.back().buffer());
  }
  status = training->run("train_step", ins, outs);
  ASSERT_TRUE(status.ok()) << status.message;
  double largest = 0;
  for (size_t i = 0; i < count; ++i) {
    Tensor up = start, down = start;
    up.data<double>()[i] += 1e-5;
    down.data<double>()[i] -= 1e-5;
    double expected = (lossAt(up) - lossAt(down)) / 2e-5;
    double found = start.values<double>()[i] - inputs[0].values<double>()[i];
    EXPECT_NEAR(found, expected, 1e-6 * std::max(1.0, std::abs(expected))) << "element " << i;
    largest = std::max(largest, std::abs(expected));
  }
  EXPECT_GT(largest, 1e-2); // else nothing was compared
}

TEST(GraphTraining, ElementwiseAndReductions) {
  checkGradient([](Function &f, Value x) {
    Value y = f.mul(f.gelu(x), f.sigmoid(f.sub(x, 0.3)));
    y = f.add(y, f.where(f.compare(Compare::gt, x, 0), f.silu(x), f.relu(x)));
    y = f.sub(f.softmax(y), f.mul(f.variance(y, {0}, true), f.mean(y, {1}, true)));
    return f.mean(f.mul(y, f.logSoftmax(x, 0)));
  }, {2, 3});
}

TEST(GraphTraining, ShapesOfDynamicExtent) {
  checkGradient([](Function &f, Value x) {
    Extent n = f.extent(x, 0);
    Value longer = f.concat({x, f.splat(0.5, DType::f64, {1, 3})}, 0);
    Value part = f.slice(longer, 0, 0, n);
    Value turned = f.reshape(f.transpose(part, 0, 1), {n, 3});
    Value padded = f.pad(turned, {1, 0}, {0, 1}, 2);
    Value wide = f.expand(f.unsqueeze(padded, 0), {2, -1, -1});
    return f.mean(f.mul(wide, f.exp(wide)));
  }, {2, 3}, true);
}

TEST(GraphTraining, ProductsAndMixers) {
  checkGradient([](Function &f, Value x) {
    Value square = f.matmul(x, x, true, false);             // [3, 3]
    Value y = f.linear(x, square, f.select(x, 0, 1));       // [2, 3]
    Value batch = f.unsqueeze(f.layerNorm(y), 0);           // [1, 2, 3]
    MixerOptions causal;
    causal.causal = true;
    y = f.add(f.simple(batch, f.tanh(batch), batch, causal), f.matmul(batch, f.tril(square)));
    return f.sum(f.mul(y, y));
  }, {2, 3});
}

} // namespace
