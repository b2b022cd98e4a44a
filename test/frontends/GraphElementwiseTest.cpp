//===- GraphElementwiseTest.cpp - Arithmetic built with aft/graph.h -------===//

#include "GraphHarness.h"

using namespace aft;
using namespace aft::test;

namespace {

/// All outputs in one program: compiling is what takes time.
TEST(GraphElementwise, FunctionsOfOneOperand) {
  Tensor x = Tensor::of({2, 5}, Floats{-3.5f, -1, -0.25f, 0, 0.125f, 0.5f, 1, 2, 3, 8});
  using F = double (*)(double);
  std::vector<std::pair<std::function<Value(Function &, Value)>, F>> table = {
      {[](Function &f, Value v) { return f.neg(v); }, [](double v) { return -v; }},
      {[](Function &f, Value v) { return f.abs(v); }, [](double v) { return std::abs(v); }},
      {[](Function &f, Value v) { return f.exp(v); }, [](double v) { return std::exp(v); }},
      {[](Function &f, Value v) { return f.log(v); }, [](double v) { return std::log(v); }},
      {[](Function &f, Value v) { return f.sqrt(f.abs(v)); },
       [](double v) { return std::sqrt(std::abs(v)); }},
      {[](Function &f, Value v) { return f.rsqrt(f.add(f.abs(v), 1)); },
       [](double v) { return 1 / std::sqrt(std::abs(v) + 1); }},
      {[](Function &f, Value v) { return f.tanh(v); }, [](double v) { return std::tanh(v); }},
      {[](Function &f, Value v) { return f.erf(v); }, [](double v) { return std::erf(v); }},
      {[](Function &f, Value v) { return f.sin(v); }, [](double v) { return std::sin(v); }},
      {[](Function &f, Value v) { return f.cos(v); }, [](double v) { return std::cos(v); }},
      {[](Function &f, Value v) { return f.sigmoid(v); },
       [](double v) { return 1 / (1 + std::exp(-v)); }},
      {[](Function &f, Value v) { return f.relu(v); }, [](double v) { return std::max(v, 0.); }},
      {[](Function &f, Value v) { return f.silu(v); },
       [](double v) { return v / (1 + std::exp(-v)); }},
      {[](Function &f, Value v) { return f.gelu(v); },
       [](double v) { return v / 2 * (1 + std::erf(v * std::sqrt(0.5))); }},
      {[](Function &f, Value v) { return f.gelu(v, true); },
       [](double v) {
         return v / 2 * (1 + std::tanh(std::sqrt(2 / M_PI) * (v + 0.044715 * v * v * v)));
       }},
      {[](Function &f, Value v) { return f.sub(1, f.mul(v, 2)); },
       [](double v) { return 1 - 2 * v; }},
      {[](Function &f, Value v) { return f.pow(v, 3); }, [](double v) { return v * v * v; }},
      {[](Function &f, Value v) { return f.pow(f.abs(v), 1.5); },
       [](double v) { return std::pow(std::abs(v), 1.5); }},
      {[](Function &f, Value v) { return f.where(f.compare(Compare::gt, v, 0), v, -7); },
       [](double v) { return v > 0 ? v : -7; }},
      {[](Function &f, Value v) { return f.minimum(f.maximum(v, -1), 1); },
       [](double v) { return std::min(std::max(v, -1.), 1.); }},
  };
  for (bool dynamic : {false, true}) {
    std::vector<Tensor> found = evaluate(
        {x},
        [&](Function &f, const std::vector<Value> &in) {
          std::vector<Value> results;
          for (auto &[build, reference] : table)
            results.push_back(build(f, in[0]));
          return results;
        },
        dynamic);
    ASSERT_EQ(found.size(), table.size());
    for (size_t i = 0; i < table.size(); ++i) {
      SCOPED_TRACE("function " + std::to_string(i));
      Floats expected;
      for (float value : x.floats())
        expected.push_back(static_cast<float>(table[i].second(value)));
      expectNear(found[i].floats(), expected);
    }
  }
}

TEST(GraphElementwise, Broadcasts) {
  Tensor a = Tensor::of({2, 1, 3}, Floats{1, 2, 3, 4, 5, 6}), b = Tensor::of({2, 1}, Floats{10, 20}),
         c = Tensor::of({}, Floats{100}), d = Tensor::of({3}, Floats{1, 2, 4});
  std::vector<Tensor> found = evaluate({a, b, c, d}, [](Function &f, const std::vector<Value> &in) {
    return std::vector<Value>{f.add(in[0], in[1]), f.mul(in[2], in[0]), f.div(in[0], in[3])};
  });
  ASSERT_EQ(found.size(), 3u);
  EXPECT_EQ(found[0].type.shape, (std::vector<int64_t>{2, 2, 3}));
  EXPECT_EQ(found[0].floats(), (Floats{11, 12, 13, 21, 22, 23, 14, 15, 16, 24, 25, 26}));
  EXPECT_EQ(found[1].floats(), (Floats{100, 200, 300, 400, 500, 600}));
  EXPECT_EQ(found[2].floats(), (Floats{1, 1, 0.75f, 4, 2.5f, 1.5f}));
}

TEST(GraphElementwise, TwoInputsOfDynamicLength) {
  Graph graph;
  Function &f = graph.function();
  Value a = f.input("a", {DType::f32, {kDynamic, 3}}), b = f.input("b", {DType::f32, {kDynamic, 3}});
  Value y = f.add(a, b);
  EXPECT_EQ(y.type().shape, (std::vector<int64_t>{kDynamic, 3}));
  f.output(y);
  auto program = compiled(graph);
  ASSERT_TRUE(program);
  for (int64_t length : {0, 1, 7}) {
    Tensor left = Tensor::random({length, 3}, 1), right = Tensor::random({length, 3}, 2);
    Floats expected = left.floats(), other = right.floats();
    for (size_t i = 0; i < expected.size(); ++i)
      expected[i] += other[i];
    EXPECT_EQ(run(*program, {left, right})[0].floats(), expected);
  }
  Tensor left = Tensor::random({2, 3}), right = Tensor::random({4, 3});
  std::vector<std::vector<int64_t>> shapes;
  Status status = program->outputShapes("main", {left.buffer(), right.buffer()}, shapes);
  EXPECT_NE(status.message.find("'a'"), std::string::npos) << status.message;
}

TEST(GraphElementwise, IntegersAndConversions) {
  Tensor i = Tensor::of({4}, std::vector<int32_t>{-7, 0, 3, 8});
  Tensor x = Tensor::of({4}, Floats{-1.5f, 0.25f, 2.75f, 100});
  std::vector<Tensor> found = evaluate({i, x}, [](Function &f, const std::vector<Value> &in) {
    Value positive = f.compare(Compare::gt, in[0], 0);
    Value odd = f.logicalOr(positive, f.logicalNot(f.compare(Compare::lt, in[1], 50)));
    return std::vector<Value>{f.div(f.mul(in[0], 3), 2),
                              f.cast(in[1], DType::i32),
                              f.cast(in[0], DType::f32),
                              f.cast(f.cast(in[1], DType::bf16), DType::f32),
                              f.cast(positive, DType::f32),
                              f.cast(f.logicalAnd(odd, positive), DType::i32),
                              f.cast(in[0], DType::i64),
                              f.cast(in[1], DType::f64),
                              f.abs(in[0])};
  });
  ASSERT_EQ(found.size(), 9u);
  EXPECT_EQ(found[0].values<int32_t>(), (std::vector<int32_t>{-10, 0, 4, 12}));
  EXPECT_EQ(found[1].values<int32_t>(), (std::vector<int32_t>{-1, 0, 2, 100}));
  EXPECT_EQ(found[2].floats(), (Floats{-7, 0, 3, 8}));
  EXPECT_EQ(found[3].floats(), (Floats{-1.5f, 0.25f, 2.75f, 100}));
  EXPECT_EQ(found[4].floats(), (Floats{0, 0, 1, 1}));
  EXPECT_EQ(found[5].values<int32_t>(), (std::vector<int32_t>{0, 0, 1, 1}));
  EXPECT_EQ(found[6].values<int64_t>(), (std::vector<int64_t>{-7, 0, 3, 8}));
  EXPECT_EQ(found[7].values<double>(), (std::vector<double>{-1.5, 0.25, 2.75, 100}));
  EXPECT_EQ(found[8].values<int32_t>(), (std::vector<int32_t>{7, 0, 3, 8}));
}

TEST(GraphElementwise, Bf16IsComputedInF32) {
  // 1 + 2^-8 is halfway between two bf16 numbers: what is added must not be
  // rounded before.
  Tensor x = Tensor::of({2}, Floats{1, 256});
  std::vector<Tensor> found = evaluate({x}, [](Function &f, const std::vector<Value> &in) {
    Value narrow = f.cast(in[0], DType::bf16);
    Value y = f.mul(f.add(narrow, 0.0078125), 1);
    EXPECT_EQ(y.dtype(), DType::bf16);
    return std::vector<Value>{f.cast(y, DType::f32), f.cast(f.sum(narrow), DType::f32)};
  });
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].floats(), (Floats{1.0078125f, 256}));
  EXPECT_EQ(found[1].floats(), (Floats{256})); // 257 rounds to even
}

TEST(GraphElementwise, ConstantsAndRanges) {
  Floats data = {1.5f, -2, INFINITY, 0.1f, 3, 4};
  std::vector<uint8_t> mask = {1, 0, 1};
  Tensor x = Tensor::of({2, 3}, Floats{1, 1, 1, 1, 1, 1});
  std::vector<Tensor> found = evaluate({x}, [&](Function &f, const std::vector<Value> &in) {
    Value bits = f.constant({DType::i1, {3}}, mask.data());
    return std::vector<Value>{f.constant({DType::f32, {2, 3}}, data.data()),
                              f.add(in[0], f.constant({DType::f32, {2, 3}}, data.data())),
                              f.where(bits, in[0], -INFINITY),
                              f.splat(0.1, DType::f32, {2}),
                              f.arange(5, DType::f32, 1, 0.5),
                              f.arange(4, DType::i64, 3),
                              f.splat(-INFINITY, DType::bf16, {1})};
  });
  ASSERT_EQ(found.size(), 7u);
  EXPECT_EQ(found[0].floats(), data);
  EXPECT_EQ(found[1].floats(), (Floats{2.5f, -1, INFINITY, 1.1f, 4, 5}));
  EXPECT_EQ(found[2].floats(), (Floats{1, -INFINITY, 1, 1, -INFINITY, 1}));
  EXPECT_EQ(found[3].floats(), (Floats{0.1f, 0.1f}));
  EXPECT_EQ(found[4].floats(), (Floats{1, 1.5f, 2, 2.5f, 3}));
  EXPECT_EQ(found[5].values<int64_t>(), (std::vector<int64_t>{3, 4, 5, 6}));
  EXPECT_EQ(found[6].values<uint16_t>(), (std::vector<uint16_t>{0xFF80}));
}

TEST(GraphElementwise, RefusesWhatDoesNotFit) {
  Graph graph;
  Function &f = graph.function("forward");
  Value a = f.input("a", {DType::f32, {2, 3}}), b = f.input("b", {DType::f32, {2, 4}}),
        i = f.input("i", {DType::i32, {2, 3}});
  f.setLocation("blocks.0.mixer");
  EXPECT_FALSE(f.add(f.add(a, b), a)); // The second add reports nothing of its own.
  EXPECT_EQ(graph.status().message,
            "@forward, blocks.0.mixer: add: expected shapes that broadcast, found [2, 3] and [2, 4]");
  auto message = [&](Value value) {
    EXPECT_FALSE(value);
    std::string all = graph.status().message;
    return all.substr(all.rfind('\n') + 1);
  };
  f.setLocation("");
  EXPECT_EQ(message(f.mul(a, i)), "@forward: mul: the operands must have one element type, found "
                                  "tensor<2x3xf32> and tensor<2x3xi32>");
  EXPECT_EQ(message(f.exp(i)), "@forward: exp: the operand must have element type f32, f64 or "
                               "bf16, found tensor<2x3xi32>");
  EXPECT_EQ(message(f.add(i, 0.5)),
            "@forward: add: expected a whole number that is an i32, found 0.5");
  EXPECT_EQ(message(f.where(a, a, a)), "@forward: where: the condition must have element type i1, "
                                       "found tensor<2x3xf32>");
  EXPECT_EQ(message(f.input("a", {DType::f32, {}})), "@forward: input: the name 'a' is used twice");
  Value other = graph.function("other").input("z", {DType::f32, {2, 3}});
  EXPECT_EQ(message(f.add(a, other)), "@forward: add: an operand is a value of function 'other'");
  std::shared_ptr<Program> program;
  EXPECT_EQ(graph.compile({}, program).message, graph.status().message);
  EXPECT_FALSE(program);
}

} // namespace
