//===- GraphModelTest.cpp - Mixers, layers and blocks of aft/graph.h -------===//

#include "GraphHarness.h"

using namespace aft;
using namespace aft::test;

namespace {

using Shape = std::vector<int64_t>;
using Values = std::vector<Value>;

TEST(GraphModel, LocalAndSimple) {
  Tensor q = Tensor::random({2, 6, 4}, 1), k = Tensor::random({2, 6, 4}, 2),
         v = Tensor::random({2, 6, 4}, 3), band = Tensor::random({6, 2}, 5),
         lengths = Tensor::of({2}, std::vector<int32_t>{6, 2});
  MixerOptions causal, masked;
  causal.causal = true;
  std::vector<Tensor> y =
      evaluate({q, k, v, band, lengths}, [&](Function &f, const Values &in) {
        masked.lengths = in[4];
        Value ratio, logz;
        MixerOptions statistics;
        statistics.ratio = &ratio;
        statistics.logz = &logz;
        Value plain = f.simple(in[0], in[1], in[2], statistics);
        Value rebuilt = f.mul(f.sigmoid(in[0]), ratio);
        return Values{f.local(in[0], in[1], in[2], in[3], 2, causal),
                      f.simple(in[0], in[1], in[2], masked), f.sub(plain, rebuilt), logz};
      });
  ASSERT_EQ(y.size(), 4u);
  Floats bands = band.floats();
  expectNear(y[0].floats(), mixer(q, k, v, [&](int, int t, int s, int) {
    return s > t ? kHidden : s == t ? bands[t * 2 + 1] : s == t - 1 ? bands[t * 2] : 0;
  }, same));
  expectNear(y[1].floats(), mixer(q, k, v, [&](int b, int, int s, int) {
    return s >= (b ? 2 : 6) ? kHidden : 0;
  }, same));
  expectNear(y[2].floats(), Floats(48, 0));
  double z = 0;
  for (int t = 0; t < 6; ++t)
    z += std::exp(k.floats()[t * 4]);
  expectNear({y[3].floats()[0]}, {static_cast<float>(std::log(z))});
}

TEST(GraphModel, FactorisedBandOfTheRunLength) {
  // Tables of 8 positions; the run length decides how many are used.
  Graph graph;
  Function &f = graph.function();
  Value x = f.input("x", {DType::f32, {kDynamic, kDynamic, 4}});
  Value u = f.parameter("u", {DType::f32, {8, 3}}), v = f.parameter("v", {DType::f32, {8, 3}});
  MixerOptions causal;
  causal.causal = true;
  Value band = f.band(u, v, 3, true, f.extent(x, 1));
  f.output(f.local(x, x, x, band, 3, causal));
  auto program = compiled(graph);
  ASSERT_TRUE(program);
  Tensor us = Tensor::random({8, 3}, 2), vs = Tensor::random({8, 3}, 3);
  for (int64_t length : {1, 5, 8}) {
    Tensor xs = Tensor::random({2, length, 4}, 1);
    std::vector<Tensor> y = run(*program, {xs, us, vs});
    Floats left = us.floats(), right = vs.floats();
    expectNear(y[0].floats(), mixer(xs, xs, xs, [&](int, int t, int s, int) {
      double dot = 0;
      for (int r = 0; r < 3; ++r)
        dot += double(left[t * 3 + r]) * right[s * 3 + r];
      return s > t ? kHidden : s > t - 3 ? dot : 0;
    }, same));
  }
  Tensor xs = Tensor::random({2, 9, 4}, 1);
  std::vector<std::vector<int64_t>> shapes;
  Status status =
      program->outputShapes("main", {xs.buffer(), us.buffer(), vs.buffer()}, shapes);
  EXPECT_NE(status.message.find("8"), std::string::npos) << status.message;
}

TEST(GraphModel, LayersAgainstTheirDefinitions) {
  Tensor x = Tensor::random({2, 3, 4}, 1), gamma = Tensor::random({4}, 2), beta = Tensor::random({4}, 3),
         table = Tensor::random({5, 4}, 4),
         ids = Tensor::of({2, 3}, std::vector<int32_t>{4, 0, 1, 1, 3, 2});
  for (bool dynamic : {false, true}) {
    std::vector<Tensor> y = evaluate(
        {x, gamma, beta, table, ids},
        [](Function &f, const Values &in) {
          return Values{f.layerNorm(in[0], in[1], in[2], 1e-3), f.layerNorm(in[0]),
                        f.embedding(in[4], in[3]), f.crossEntropy(f.matmul(in[0], in[3], false, true), in[4])};
        },
        dynamic);
    ASSERT_EQ(y.size(), 4u);
    Floats xs = x.floats(), ts = table.floats(), normed, plain, rows;
    double loss = 0;
    for (int row = 0; row < 6; ++row) {
      double mean = 0, variance = 0, sum = 0, target = 0;
      for (int c = 0; c < 4; ++c)
        mean += xs[row * 4 + c] / 4;
      for (int c = 0; c < 4; ++c)
        variance += std::pow(xs[row * 4 + c] - mean, 2) / 4;
      int id = ids.values<int32_t>()[row];
      for (int c = 0; c < 4; ++c) {
        double centred = xs[row * 4 + c] - mean;
        normed.push_back(static_cast<float>(centred / std::sqrt(variance + 1e-3) * gamma.floats()[c] +
                                            beta.floats()[c]));
        plain.push_back(static_cast<float>(centred / std::sqrt(variance + 1e-5)));
        rows.push_back(ts[id * 4 + c]);
      }
      for (int j = 0; j < 5; ++j) {
        double logit = 0;
        for (int c = 0; c < 4; ++c)
          logit += xs[row * 4 + c] * ts[j * 4 + c];
        sum += std::exp(logit);
        target = j == id ? logit : target;
      }
      loss += (std::log(sum) - target) / 6;
    }
    expectNear(y[0].floats(), normed, 1e-5f);
    expectNear(y[1].floats(), plain, 1e-5f);
    EXPECT_EQ(y[2].floats(), rows);
    expectNear(y[3].floats(), {static_cast<float>(loss)});
  }
}

TEST(GraphModel, DropoutOfOneSeedAndStream) {
  Tensor x = Tensor::of({400}, Floats(400, 1)), seed = Tensor::of<int64_t>(DType::i64, {}, {7});
  std::vector<Tensor> y = evaluate({x, seed}, [](Function &f, const Values &in) {
    return Values{f.dropout(in[0], in[1], 0.25, 3), f.dropout(in[0], in[1], 0.25, 3),
                  f.dropout(in[0], in[1], 0.25), f.dropout(in[0], in[1], 0.25)};
  });
  ASSERT_EQ(y.size(), 4u);
  EXPECT_EQ(y[0].floats(), y[1].floats());
  EXPECT_NE(y[0].floats(), y[2].floats());
  EXPECT_NE(y[2].floats(), y[3].floats());
  int kept = 0;
  for (float value : y[0].floats()) {
    EXPECT_TRUE(value == 0 || std::abs(value - 1 / 0.75f) < 1e-6f);
    kept += value != 0;
  }
  EXPECT_NEAR(kept, 300, 40);
}

/// x + out(simple(LN(x))), then + FFN(LN(x)).
Value block(Function &f, Value x, int64_t d) {
  auto weight = [&](const std::string &name, Shape shape) {
    return f.parameter(name, {DType::f32, shape});
  };
  auto norm = [&](const std::string &name, Value value) {
    Value gamma = weight(name + ".weight", {d}), beta = weight(name + ".bias", {d});
    return f.layerNorm(value, gamma, beta);
  };
  auto linear = [&](const std::string &name, Value value, int64_t in, int64_t out) {
    Value matrix = weight(name + ".weight", {out, in}), bias = weight(name + ".bias", {out});
    return f.linear(value, matrix, bias);
  };
  MixerOptions causal;
  causal.causal = true;
  f.setLocation("blocks.0.mixer");
  Value h = norm("norm1", x);
  Value q = linear("q", h, d, d), k = linear("k", h, d, d), v = linear("v", h, d, d);
  Value y = f.simple(q, k, v, causal);
  x = f.add(x, linear("out", y, d, d));
  f.setLocation("blocks.0.ffn");
  h = f.gelu(linear("up", norm("norm2", x), d, 4 * d));
  return f.add(x, linear("down", h, 4 * d, d));
}

TEST(GraphModel, BlockRunsForEveryBatchAndLength) {
  const int64_t d = 8;
  Graph graph;
  Function &f = graph.function("forward");
  f.output(block(f, f.input("x", {DType::f32, {kDynamic, kDynamic, d}}), d), "y");
  auto program = compiled(graph);
  ASSERT_TRUE(program);
  const EntryInfo &info = *program->entry("forward");
  EXPECT_EQ(info.outputs[0].name, "y");
  EXPECT_EQ(info.inputs[1].name, "norm1.weight");
  std::vector<Tensor> inputs(1);
  for (size_t i = 1; i < info.inputs.size(); ++i)
    inputs.push_back(Tensor::random(info.inputs[i].type.shape, static_cast<unsigned>(i)));
  // Causal: what a longer run says of its first positions is what a shorter run says.
  inputs[0] = Tensor::random({1, 9, d}, 99);
  Floats longer = run(*program, inputs, "forward")[0].floats();
  Floats first = inputs[0].floats();
  first.resize(4 * d);
  Floats twice = first;
  twice.insert(twice.end(), first.begin(), first.end());
  inputs[0] = Tensor::of({2, 4, d}, twice);
  Floats shorter = run(*program, inputs, "forward")[0].floats();
  Floats half(shorter.begin(), shorter.begin() + 4 * d);
  longer.resize(4 * d);
  expectNear(half, longer, 1e-5f);
  expectNear(Floats(shorter.begin() + 4 * d, shorter.end()), half, 1e-5f);
  for (float value : half)
    EXPECT_TRUE(std::isfinite(value));
}

TEST(GraphModel, UpdatesInPlace) {
  Graph graph;
  Function &f = graph.function();
  Value x = f.input("x", {DType::f32, {kDynamic}});
  f.output(f.add(x, 1), "x", 0);
  auto program = compiled(graph);
  ASSERT_TRUE(program);
  Tensor data = Tensor::of({3}, Floats{1, 2, 3});
  ASSERT_EQ(program->entry("main")->outputs[0].alias, 0);
  ASSERT_TRUE(program->run("main", {data.buffer()}, {data.buffer()}).ok());
  EXPECT_EQ(data.floats(), (Floats{2, 3, 4}));
}

TEST(GraphModel, ProgramsFromText) {
  Graph graph = Graph::fromText("func.func @main(%x: tensor<2xf32>) -> tensor<2xf32> {\n"
                                "  %y = arith.addf %x, %x : tensor<2xf32>\n"
                                "  return %y : tensor<2xf32>\n}\n",
                                "double.mlir");
  auto program = compiled(graph);
  ASSERT_TRUE(program);
  EXPECT_EQ(run(*program, {Tensor::of({2}, Floats{1, 2})})[0].floats(), (Floats{2, 4}));
  graph = Graph::fromText("func.func @main( {", "bad.mlir");
  std::shared_ptr<Program> none;
  EXPECT_NE(graph.compile({}, none).message.find("bad.mlir:1:"), std::string::npos);
  Graph empty;
  EXPECT_EQ(empty.compile({}, none).message, "the program has no function");
  empty.function("f").input("x", {DType::f32, {2}});
  EXPECT_EQ(empty.compile({}, none).message, "function 'f' has no output");
}

TEST(GraphModel, RefusesWhatDoesNotFit) {
  Graph graph;
  Function &f = graph.function("g");
  Value x = f.input("x", {DType::f32, {2, 6, 4}}), w = f.input("w", {DType::f32, {6, 5}}),
        i = f.input("i", {DType::i32, {2, 6}});
  auto message = [&](Value value) {
    EXPECT_FALSE(value);
    std::string all = graph.status().message;
    return all.substr(all.rfind('\n') + 1);
  };
  EXPECT_EQ(message(f.full(x, x, x, w)),
            "@g: full: 'w' dimension 1 (S) must be 6 as in 'k', found 5");
  EXPECT_EQ(message(f.local(x, x, x, w, 4)),
            "@g: local: 'band' dimension 1 (L) must be 7 as follows from the window, found 5");
  EXPECT_EQ(message(f.conv(x, x, x, w, {2, 2})),
            "@g: conv: expected a filter with one dimension for heads and one for each of the 1 to "
            "3 axes of the grid, found tensor<6x5xf32> and 2 axes");
  MixerOptions options;
  options.gate = "softplus";
  EXPECT_EQ(message(f.simple(x, x, x, options)),
            "@g: simple: gate must be sigmoid, relu, tanh or none, found 'softplus'");
  options = {};
  options.lengths = i;
  EXPECT_EQ(message(f.simple(x, x, x, options)),
            "@g: simple: 'lengths' must have rank 1 [B], found tensor<2x6xi32>");
  EXPECT_EQ(message(f.embedding(x, w)),
            "@g: embedding: ids must have element type i32 or i64, found tensor<2x6x4xf32>");
  EXPECT_EQ(message(f.crossEntropy(w, i)),
            "@g: cross_entropy: 'logits' must have rank 3 [A, B, v], found tensor<6x5xf32>");
  EXPECT_EQ(message(f.dropout(x, i, 0.1)), "@g: dropout: seed must be tensor<i64>, found tensor<2x6xi32>");
  EXPECT_EQ(message(f.band(w, w, 2, false, 7)),
            "@g: band: length 7 is more than the 6 positions of 'u' and 'v'");
}

} // namespace
