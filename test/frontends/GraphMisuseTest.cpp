//===- GraphMisuseTest.cpp - What aft/graph.h refuses, and what running does ===//
// Each misuse is a message that says what was expected and what was found; no value of it
// reaches the compiler, and no call with other extents reads what is not there.

#include "GraphHarness.h"

#include <limits>

using namespace aft;
using namespace aft::test;

namespace {

constexpr int64_t kHuge = int64_t(1) << 62;

struct GraphMisuse : ::testing::Test {
  Graph graph;
  Function &f = graph.function("g");
  Value a = f.input("a", {DType::f32, {2, 3}}), i = f.input("i", {DType::i32, {2, 3}}),
        t = f.input("t", {DType::f32, {kDynamic, 8}}), s = f.input("s", {DType::f32, {}});

  std::string last() {
    std::string all = graph.status().message;
    return all.substr(all.rfind('\n') + 1);
  }
  std::string message(Value value) {
    EXPECT_FALSE(value);
    return last();
  }
};

TEST_F(GraphMisuse, ExtentsThatCannotBe) {
  EXPECT_EQ(message(f.input("x", {DType::f32, {-7}})),
            "@g: input: 'x' must have extents of 0 or more, or kDynamic, found -7");
  EXPECT_EQ(message(f.input("x", {DType::f32, {kHuge, 8}})),
            "@g: input: 'x' must have at most 10^18 bytes, found "
            "tensor<4611686018427387904x8xf32>");
  EXPECT_EQ(message(f.input("x", {DType::f32, std::vector<int64_t>(33, 1)})),
            "@g: input: 'x' must have a rank of at most 32, found 33");
  EXPECT_EQ(message(f.splat(0, DType::f32, {kHuge, 4})),
            "@g: splat: expected a result of at most 10^18 bytes, found shape "
            "[4611686018427387904, 4] of f32");
  EXPECT_EQ(message(f.reshape(f.input("u", {DType::f32, {kDynamic, kDynamic}}), {kHuge})),
            "@g: reshape: expected a result of at most 10^18 bytes, found shape "
            "[4611686018427387904] of f32");
  EXPECT_EQ(message(f.splat(0, DType::f32, {Extent(1) / 0})),
            "@g: splat: expected an extent, found one that was divided by zero");
  EXPECT_EQ(message(f.splat(0, DType::f32, {Extent(std::numeric_limits<int64_t>::min()) / -1})),
            "@g: splat: expected an extent, found one that was divided by zero");
  EXPECT_EQ((Extent(-7) / 2).constant(), -4);
  EXPECT_EQ(message(f.local(t, t, t, t, kHuge)),
            "@g: local: window must be from 1 to 1073741824, found 4611686018427387904");
  EXPECT_EQ(message(f.oneHot(i, kHuge, DType::f32)),
            "@g: oneHot: expected a result of at most 10^18 bytes, found shape "
            "[2, 3, 4611686018427387904] of f32");
  f.assumeEqual(f.extent(t, 0), -5);
  EXPECT_EQ(last(), "@g: assumeEqual: an extent must not be negative, found -5");
}

TEST_F(GraphMisuse, ExtentsThatTurnOutNegativeOrHuge) {
  Value shorter = f.splat(0, DType::f32, {f.extent(t, 0) - 4, 8});
  f.add(t, f.input("y", {DType::f32, {3, 8}})); // the extent is 3
  EXPECT_TRUE(graph.status().ok());
  f.neg(shorter);
  EXPECT_EQ(graph.status().message, "@g: neg: expected extents of 0 or more, found shape [-1, 8]");
  // A value that has become too large goes on as one that is refused, whatever uses it.
  Graph other;
  Function &h = other.function();
  Value x = h.input("x", {DType::f32, {kDynamic, kDynamic, 2}});
  h.assumeEqual(h.extent(x, 0), kHuge);
  h.stack({x, x}, 1);
  h.matmul(x, x, true, true);
  h.linear(x, x);
  h.sum(x, {1}, true);
  h.softmax(x, 0);
  h.cumsum(x, 1);
  h.flatten(x);
  h.layerNorm(x);
  h.slice(x, 1, 1);
  h.concat({x, x}, 1);
  EXPECT_FALSE(other.status().ok());
}

TEST_F(GraphMisuse, NumbersThatATypeDoesNotHave) {
  EXPECT_EQ(message(f.add(i, 0.5)), "@g: add: expected a whole number that is an i32, found 0.5");
  EXPECT_EQ(message(f.add(i, NAN)), "@g: add: expected a whole number that is an i32, found nan");
  EXPECT_EQ(message(f.add(i, 1e10)),
            "@g: add: expected a whole number that is an i32, found 10000000000");
  EXPECT_EQ(message(f.splat(300, DType::i8, {2})),
            "@g: splat: expected a whole number that is an i8, found 300");
  EXPECT_EQ(message(f.splat(INFINITY, DType::i64, {2})),
            "@g: splat: expected a whole number that is an i64, found inf");
  EXPECT_EQ(message(f.arange(4, DType::i32, 0, 0.5)),
            "@g: arange: expected a whole number that is an i32, found 0.5");
  EXPECT_EQ(message(f.pad(i, {0, 0}, {1, 1}, 0.5)),
            "@g: pad: expected a whole number that is an i32, found 0.5");
  EXPECT_EQ(message(f.layerNorm(a, {}, {}, INFINITY)),
            "@g: layer_norm: eps must be finite and not negative, found inf");
  EXPECT_EQ(message(f.layerNorm(f.input("none", {DType::f32, {kDynamic, 0}}))),
            "@g: layer_norm: x must have 1 or more channels, found tensor<?x0xf32>");
}

TEST_F(GraphMisuse, WhatIsNoTypeNoKindAndNoData) {
  DType none = static_cast<DType>(42);
  EXPECT_EQ(message(f.input("x", {none, {2}})),
            "@g: input: expected an element type, found number 42 of DType");
  EXPECT_EQ(message(f.cast(a, none)),
            "@g: cast: expected an element type, found number 42 of DType");
  EXPECT_EQ(message(f.compare(static_cast<Compare>(9), a, a)),
            "@g: compare: expected a kind of Compare, found number 9");
  EXPECT_EQ(message(f.constant({DType::f32, {2}}, nullptr)),
            "@g: constant: expected data of tensor<2xf32>, found null");
  float number = 0;
  EXPECT_EQ(message(f.constant({DType::f32, {kHuge, 4}}, &number)),
            "@g: constant: expected at most 268435456 elements, found "
            "tensor<4611686018427387904x4xf32>; larger data is an input");
  EXPECT_EQ(message(f.softmax(s, 0)),
            "@g: max: expected rank 1 or more, found dimension 0 of a scalar");
  EXPECT_EQ(message(f.reshape(t, {})),
            "@g: reshape: expected as many elements as tensor<?x8xf32> has, found shape []");
}

TEST_F(GraphMisuse, NamesAndBuffersUsedTwice) {
  f.output(f.neg(a), "y", 0);
  f.output(f.exp(a), "y");
  EXPECT_EQ(last(), "@g: output: the name 'y' is used twice");
  f.output(f.exp(a), "z", 0);
  EXPECT_EQ(last(), "@g: output: 'z' updates input 0 in place, which 'y' does already");
  f.limit(a, 1, 5, 9);
  EXPECT_EQ(last(), "@g: limit: 'a' has the extent 3 in dimension 1, expected one from 5 to 9");
  Graph named;
  named.function(std::string("f\0g", 3));
  EXPECT_EQ(named.status().message,
            "a function's name must not hold a zero byte, found one behind 'f'");
  Value empty;
  Graph fresh;
  fresh.function().output(fresh.function().add(empty, empty));
  EXPECT_EQ(fresh.status().message, "@main: add: an operand is an empty value");
}

TEST(GraphMisuseRun, BoolsCompareAsNumbers) {
  Tensor x = Tensor::of<uint8_t>(DType::i1, {4}, {0, 0, 1, 1}),
         y = Tensor::of<uint8_t>(DType::i1, {4}, {0, 1, 0, 1});
  std::vector<Tensor> z = evaluate({x, y}, [](Function &f, const std::vector<Value> &in) {
    return std::vector<Value>{f.compare(Compare::lt, in[0], in[1]),
                              f.compare(Compare::ge, in[0], in[1])};
  });
  ASSERT_EQ(z.size(), 2u);
  EXPECT_EQ(z[0].values<uint8_t>(), (std::vector<uint8_t>{0, 1, 0, 0}));
  EXPECT_EQ(z[1].values<uint8_t>(), (std::vector<uint8_t>{1, 0, 1, 1}));
}

TEST(GraphMisuseRun, IntegersDividedByNothing) {
  constexpr int32_t least = std::numeric_limits<int32_t>::min();
  Tensor x = Tensor::of({6}, std::vector<int32_t>{7, -7, least, least, 5, 0}),
         y = Tensor::of({6}, std::vector<int32_t>{2, 2, -1, 0, 0, 0});
  std::vector<Tensor> z = evaluate({x, y}, [](Function &f, const std::vector<Value> &in) {
    return std::vector<Value>{f.div(in[0], in[1]), f.div(in[0], -1), f.div(in[0], 2)};
  });
  ASSERT_EQ(z.size(), 3u);
  EXPECT_EQ(z[0].values<int32_t>(), (std::vector<int32_t>{3, -3, least, 0, 0, 0}));
  EXPECT_EQ(z[1].values<int32_t>(), (std::vector<int32_t>{-7, 7, least, least, -5, 0}));
  EXPECT_EQ(z[2].values<int32_t>(), (std::vector<int32_t>{3, -3, least / 2, least / 2, 2, 0}));
  Graph graph;
  Function &f = graph.function();
  f.div(f.input("x", {DType::i32, {2}}), 0);
  EXPECT_EQ(graph.status().message,
            "@main: div: expected a number other than 0 to divide integers by, found 0");
}

/// What a program with one input [?, 4] says where it has that many rows; "" for nothing.
std::string runWithRows(const std::function<Value(Function &, Value)> &build, int64_t rows) {
  Graph graph;
  Function &f = graph.function();
  f.output(build(f, f.input("x", {DType::f32, {kDynamic, 4}})));
  auto program = compiled(graph);
  if (!program)
    return "does not compile";
  std::vector<std::vector<int64_t>> shapes;
  Tensor x(DType::f32, {rows, 4});
  return program->outputShapes("main", {x.buffer()}, shapes).message;
}

TEST(GraphMisuseRun, SlicesStayWithinWhatIsThere) {
  auto part = [](Function &f, Value x) { return f.slice(x, 0, 2, 5); };
  EXPECT_EQ(runWithRows(part, 5), "");
  EXPECT_EQ(runWithRows(part, 4),
            "entry 'main': main: 5 must not be larger than dimension 0 of argument 0 ('x') "
            "(required by tensor.extract_slice)");
  auto rest = [](Function &f, Value x) { return f.neg(f.slice(x, 0, 5)); };
  EXPECT_EQ(runWithRows(rest, 5), "");
  EXPECT_EQ(runWithRows(rest, 3),
            "entry 'main': main: 5 must not be larger than dimension 0 of argument 0 ('x') "
            "(required by tensor.extract_slice)");
  auto last = [](Function &f, Value x) { return f.neg(f.select(x, 0, -1)); };
  EXPECT_EQ(runWithRows(last, 1), "");
  EXPECT_EQ(runWithRows(last, 0),
            "entry 'main': main: 1 must not be larger than dimension 0 of argument 0 ('x') "
            "(required by tensor.extract_slice)");
  auto third = [](Function &f, Value x) { return f.neg(f.slice(x, 0, 1, 8, 3)); };
  EXPECT_EQ(runWithRows(third, 8), "");
  EXPECT_EQ(runWithRows(third, 7),
            "entry 'main': main: 8 must not be larger than dimension 0 of argument 0 ('x') "
            "(required by tensor.extract_slice)");
  auto behind = [](Function &f, Value x) { return f.select(x, 0, f.extent(x, 0)); };
  EXPECT_NE(runWithRows(behind, 3), "");
  auto padded = [](Function &f, Value x) { return f.pad(x, {f.extent(x, 0) - 3, 0}, {0, 0}); };
  EXPECT_EQ(runWithRows(padded, 3), "");
  EXPECT_EQ(runWithRows(padded, 2),
            "entry 'main': main: 3 must not be larger than dimension 0 of argument 0 ('x') "
            "(required by tensor.pad)");
  auto divided = [](Function &f, Value x) { return f.reshape(x, {f.extent(x, 0) - 2, -1}); };
  EXPECT_EQ(runWithRows(divided, 4), "");
  EXPECT_NE(runWithRows(divided, 2), ""); // no rows, and eight elements
  EXPECT_NE(runWithRows(divided, 1), "");
  auto filled = [](Function &f, Value x) { return f.splat(1, DType::f32, {f.extent(x, 0) - 3}); };
  EXPECT_EQ(runWithRows(filled, 2),
            "entry 'main': main: 3 must not be larger than dimension 0 of argument 0 ('x') "
            "(required by tensor.empty)");
}

} // namespace
