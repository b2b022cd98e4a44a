//===- GraphShapeTest.cpp - Shapes, reductions and products of aft/graph.h ===//

#include "GraphHarness.h"

using namespace aft;
using namespace aft::test;

namespace {

using Shape = std::vector<int64_t>;
using Values = std::vector<Value>;

/// 0, 1, 2, ...
Tensor counted(const Shape &shape) {
  Tensor tensor(DType::f32, shape);
  for (size_t i = 0; i < tensor.bytes.size() / 4; ++i)
    tensor.data<float>()[i] = static_cast<float>(i);
  return tensor;
}

TEST(GraphShape, ReductionsStaticAndDynamic) {
  Tensor x = Tensor::of({2, 2, 3}, Floats{1, 2, 3, 4, 5, 6, -1, -2, -3, -4, -5, -7});
  for (bool dynamic : {false, true}) {
    std::vector<Tensor> y = evaluate(
        {x},
        [](Function &f, const Values &in) {
          return Values{f.sum(in[0]),           f.sum(in[0], {0, -1}), f.mean(in[0], {1}, true),
                        f.max(in[0], {2}),      f.min(in[0], {0, 1}),  f.mean(in[0]),
                        f.variance(in[0], {1}), f.cumsum(in[0], 1),    f.cumsum(in[0], 2),
                        f.prod(in[0], {2})};
        },
        dynamic);
    ASSERT_EQ(y.size(), 10u);
    expectNear(y[0].floats(), {-1});
    expectNear(y[1].floats(), {0, -1});
    EXPECT_EQ(y[2].type.shape, (Shape{2, 1, 3}));
    expectNear(y[2].floats(), {2.5f, 3.5f, 4.5f, -2.5f, -3.5f, -5});
    EXPECT_EQ(y[3].floats(), (Floats{3, 6, -1, -4}));
    EXPECT_EQ(y[4].floats(), (Floats{-4, -5, -7}));
    expectNear(y[5].floats(), {-1.f / 12});
    expectNear(y[6].floats(), {2.25f, 2.25f, 2.25f, 2.25f, 2.25f, 4});
    EXPECT_EQ(y[7].floats(), (Floats{1, 2, 3, 5, 7, 9, -1, -2, -3, -5, -7, -10}));
    EXPECT_EQ(y[8].floats(), (Floats{1, 3, 6, 4, 9, 15, -1, -3, -6, -4, -9, -16}));
    EXPECT_EQ(y[9].floats(), (Floats{6, 120, -6, -140}));
  }
}

TEST(GraphShape, NothingIsReadOfAnEmptyTensor) {
  // Its address is null, as LibTorch's: the first state of a decoder.
  Tensor none(DType::f32, {2, 0, 16}), x = counted({2, 3, 16});
  ASSERT_EQ(none.bytes.data(), nullptr);
  std::vector<Tensor> y = evaluate(
      {none, x},
      [](Function &f, const Values &in) {
        return Values{f.concat({in[0], in[1]}, 1), f.concat({in[1], in[0]}, 1)};
      },
      true);
  ASSERT_EQ(y.size(), 2u);
  for (const Tensor &both : y) {
    EXPECT_EQ(both.type.shape, (Shape{2, 3, 16}));
    EXPECT_EQ(both.floats(), x.floats());
  }
}

TEST(GraphShape, Softmax) {
  Tensor x = Tensor::of({2, 3}, Floats{1000, 1001, 1002, -1, 0, -INFINITY});
  std::vector<Tensor> y = evaluate(
      {x},
      [](Function &f, const Values &in) {
        return Values{f.softmax(in[0]), f.logSoftmax(in[0]), f.softmax(f.transpose(in[0], 0, 1), 0)};
      },
      true);
  ASSERT_EQ(y.size(), 3u);
  Floats p = {0.09003057f, 0.24472847f, 0.66524096f, 0.26894142f, 0.73105858f, 0};
  expectNear(y[0].floats(), p);
  expectNear(y[1].floats(), {-2.4076059f, -1.4076059f, -0.4076059f, -1.3132617f, -0.3132617f, -INFINITY});
  expectNear(y[2].floats(), {p[0], p[3], p[1], p[4], p[2], p[5]});
}

TEST(GraphShape, IntegerReductions) {
  Tensor i = Tensor::of({2, 2}, std::vector<int32_t>{1, -5, 7, 3});
  std::vector<Tensor> y = evaluate({i}, [](Function &f, const Values &in) {
    return Values{f.sum(in[0], {0}), f.max(in[0], {1}), f.min(in[0]), f.prod(in[0], {0})};
  });
  ASSERT_EQ(y.size(), 4u);
  EXPECT_EQ(y[0].values<int32_t>(), (std::vector<int32_t>{8, -2}));
  EXPECT_EQ(y[1].values<int32_t>(), (std::vector<int32_t>{1, 7}));
  EXPECT_EQ(y[2].values<int32_t>(), (std::vector<int32_t>{-5}));
  EXPECT_EQ(y[3].values<int32_t>(), (std::vector<int32_t>{7, -15}));
}

/// a [.., m, k] times b [.., k, n] in double.
Floats product(const Tensor &a, const Tensor &b, int64_t batch, int64_t m, int64_t k, int64_t n,
               bool sameB) {
  Floats x = a.floats(), y = b.floats(), result;
  for (int64_t i = 0; i < batch * m; ++i)
    for (int64_t j = 0; j < n; ++j) {
      double sum = 0;
      for (int64_t l = 0; l < k; ++l)
        sum += double(x[i * k + l]) * y[(sameB ? 0 : i / m * k * n) + l * n + j];
      result.push_back(static_cast<float>(sum));
    }
  return result;
}

TEST(GraphShape, Products) {
  Tensor a = Tensor::random({2, 5, 4}, 1), b = Tensor::random({2, 4, 3}, 2),
         w = Tensor::random({4, 3}, 3), v = Tensor::random({4}, 4), bias = Tensor::random({3}, 5);
  for (bool dynamic : {false, true}) {
    std::vector<Tensor> y = evaluate(
        {a, b, w, v, bias},
        [](Function &f, const Values &in) {
          Value wt = f.transpose(in[2], 0, 1);
          Value bt = f.transpose(in[1], 1, 2), at = f.transpose(in[0], 1, 2);
          return Values{f.matmul(in[0], in[2]),
                        f.matmul(in[0], in[1]),
                        f.matmul(in[0], wt, false, true),
                        f.matmul(in[0], bt, false, true),
                        f.matmul(at, in[1], true, false),
                        f.matmul(at, bt, true, true),
                        f.matmul(at, in[2], true, false),
                        f.matmul(in[0], in[3]),
                        f.matmul(in[3], in[2]),
                        f.matmul(in[3], in[3]),
                        f.linear(in[0], wt, in[4]),
                        f.matmul(f.unsqueeze(in[0], 1), in[1]),
                        f.matmul(wt, in[1])};
        },
        dynamic);
    ASSERT_EQ(y.size(), 13u);
    Floats weighted = product(a, w, 2, 5, 4, 3, true), paired = product(a, b, 2, 5, 4, 3, false);
    for (int i : {0, 2, 6})
      expectNear(y[i].floats(), weighted);
    EXPECT_EQ(y[0].type.shape, (Shape{2, 5, 3}));
    for (int i : {1, 3, 4, 5})
      expectNear(y[i].floats(), paired);
    expectNear(y[7].floats(), product(a, v, 2, 5, 4, 1, true));
    EXPECT_EQ(y[7].type.shape, (Shape{2, 5}));
    expectNear(y[8].floats(), product(v, w, 1, 1, 4, 3, true));
    expectNear(y[9].floats(), product(v, v, 1, 1, 4, 1, true));
    EXPECT_EQ(y[9].type.shape, Shape());
    for (size_t i = 0; i < weighted.size(); ++i)
      weighted[i] += bias.floats()[i % 3];
    expectNear(y[10].floats(), weighted);
    EXPECT_EQ(y[11].type.shape, (Shape{2, 2, 5, 3}));
    EXPECT_EQ(y[12].type.shape, (Shape{2, 3, 3}));
    Floats across = y[11].floats();
    expectNear(Floats(across.begin(), across.begin() + 15), Floats(paired.begin(), paired.begin() + 15));
  }
}

TEST(GraphShape, ViewsOfDynamicExtents) {
  Tensor x = counted({2, 3, 8});
  std::vector<Tensor> y = evaluate(
      {x},
      [](Function &f, const Values &in) {
        Extent b = f.extent(in[0], 0), t = f.extent(in[0], 1);
        Value rows = f.reshape(in[0], {b * t, 8});
        Value back = f.reshape(rows, {b, t, -1});
        EXPECT_EQ(f.extent(rows, 0).constant(), kDynamic);
        Value heads = f.permute(f.reshape(in[0], {b, t, 2, 4}), {0, 2, 1, 3});
        Value joined = f.reshape(f.permute(heads, {0, 2, 1, 3}), {b, t, 8});
        return Values{rows,
                      back,
                      heads,
                      joined,
                      f.flatten(in[0]),
                      f.flatten(in[0], 1),
                      f.squeeze(f.unsqueeze(in[0], -2), 2),
                      f.reshape(in[0], {b, 2, t, 4}),
                      f.reshape(in[0], {-1, 4}),
                      f.reshape(in[0], {-1, 16}),
                      f.reshape(in[0], {2, 24})};
      },
      true);
  ASSERT_EQ(y.size(), 11u);
  Floats all = x.floats();
  std::vector<Shape> shapes = {{6, 8}, {2, 3, 8}, {2, 2, 3, 4}, {2, 3, 8}, {48},   {2, 24},
                               {2, 3, 8}, {2, 2, 3, 4}, {12, 4}, {3, 16}, {2, 24}};
  for (size_t i = 0; i < y.size(); ++i) {
    EXPECT_EQ(y[i].type.shape, shapes[i]) << i;
    if (i != 2) {
      EXPECT_EQ(y[i].floats(), all) << i;
    }
  }
  EXPECT_EQ(y[2].floats()[4], 8); // heads[0, 0, 1, 0] = x[0, 1, 0]
  EXPECT_EQ(y[2].floats()[12], 4);
}

TEST(GraphShape, ClassTokenComesAndGoes) {
  Tensor x = counted({2, 3, 2}), token = Tensor::of({1, 1, 2}, Floats{-1, -2}),
         position = counted({4, 2});
  Graph graph;
  Function &f = graph.function();
  Value in = f.input("x", {DType::f32, {kDynamic, kDynamic, 2}});
  Value cls = f.parameter("token", {DType::f32, {1, 1, 2}});
  Value pos = f.parameter("position", {DType::f32, {kDynamic, 2}});
  Value longer = f.concat({f.expand(cls, {f.extent(in, 0), 1, 2}), in}, 1);
  Value placed = f.add(longer, pos);
  f.output(placed, "placed");
  f.output(f.select(placed, 1, 0), "class");
  Value rest = f.slice(longer, 1, 1);
  f.output(f.sub(rest, in), "zero");
  f.output(f.reshape(longer, {f.extent(in, 0) * (f.extent(in, 1) + 1), 2}), "rows");
  auto program = compiled(graph);
  ASSERT_TRUE(program);
  std::vector<Tensor> y = run(*program, {x, token, position});
  ASSERT_EQ(y.size(), 4u);
  EXPECT_EQ(y[0].type.shape, (Shape{2, 4, 2}));
  EXPECT_EQ(y[0].floats(), (Floats{-1, -1, 2, 4, 6, 8, 10, 12, -1, -1, 8, 10, 12, 14, 16, 18}));
  EXPECT_EQ(y[1].floats(), (Floats{-1, -1, -1, -1}));
  EXPECT_EQ(y[2].floats(), Floats(12, 0));
  EXPECT_EQ(y[3].type.shape, (Shape{8, 2}));
  EXPECT_EQ(program->entry("main")->inputs[1].name, "token");
}

TEST(GraphShape, SlicesJoinsAndPads) {
  Tensor x = counted({2, 4}), z = counted({2, 4});
  for (bool dynamic : {false, true}) {
    std::vector<Tensor> y = evaluate(
        {x, z},
        [](Function &f, const Values &in) {
          Values parts = f.split(in[0], 1, {1, 3});
          return Values{f.slice(in[0], 1, 1, 3),
                        f.slice(in[0], 1, -2),
                        f.slice(in[0], 1, 0, 4, 2),
                        f.slice(in[0], 0, 1),
                        f.select(in[0], 1, -1),
                        f.select(in[0], 0, 1),
                        f.concat({in[0], in[1]}, 0),
                        f.stack({in[0], in[1]}, 1),
                        f.stack({in[0], in[1]}, -1),
                        f.pad(in[0], {1, 0}, {0, 2}, 9),
                        f.expand(f.unsqueeze(f.select(in[0], 0, 0), 0), {3, -1}),
                        f.concat({parts[1], parts[0]}, -1),
                        f.slice(in[0], 1, f.extent(in[0], 0) * -1),
                        f.slice(in[0], 1, 0, f.extent(in[0], 0) * -1 - 1)};
        },
        dynamic);
    ASSERT_EQ(y.size(), 14u);
    EXPECT_EQ(y[0].floats(), (Floats{1, 2, 5, 6}));
    EXPECT_EQ(y[1].floats(), (Floats{2, 3, 6, 7}));
    EXPECT_EQ(y[2].floats(), (Floats{0, 2, 4, 6}));
    EXPECT_EQ(y[3].floats(), (Floats{4, 5, 6, 7}));
    EXPECT_EQ(y[4].floats(), (Floats{3, 7}));
    EXPECT_EQ(y[5].floats(), (Floats{4, 5, 6, 7}));
    EXPECT_EQ(y[6].floats(), (Floats{0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7}));
    EXPECT_EQ(y[7].floats(), (Floats{0, 1, 2, 3, 0, 1, 2, 3, 4, 5, 6, 7, 4, 5, 6, 7}));
    EXPECT_EQ(y[8].floats(), (Floats{0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7}));
    EXPECT_EQ(y[9].floats(), (Floats{9, 9, 9, 9, 9, 9, 0, 1, 2, 3, 9, 9, 4, 5, 6, 7, 9, 9}));
    EXPECT_EQ(y[10].floats(), (Floats{0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3}));
    EXPECT_EQ(y[11].floats(), (Floats{1, 2, 3, 0, 5, 6, 7, 4}));
    EXPECT_EQ(y[12].floats(), (Floats{2, 3, 6, 7}));
    EXPECT_EQ(y[13].floats(), (Floats{0, 4}));
  }
}

TEST(GraphShape, MasksAndIndices) {
  Tensor x = counted({2, 3}), ids = Tensor::of({3}, std::vector<int32_t>{1, 0, 1}),
         flags = Tensor::of({2}, std::vector<int32_t>{5, -5});
  std::vector<Tensor> y = evaluate(
      {x, ids, flags},
      [](Function &f, const Values &in) {
        Value mask = f.causalMask(2, 3);
        return Values{f.tril(in[0]),
                      f.triu(in[0], 1),
                      f.where(mask, in[0], -1),
                      f.index(in[0], in[1]),
                      f.index(in[2], in[1]),
                      f.oneHot(in[1], 2, DType::f32),
                      f.cast(f.causalMask(f.extent(in[0], 0), f.extent(in[0], 0)), DType::i32)};
      },
      true);
  ASSERT_EQ(y.size(), 7u);
  EXPECT_EQ(y[0].floats(), (Floats{0, 0, 0, 3, 4, 0}));
  EXPECT_EQ(y[1].floats(), (Floats{0, 1, 2, 0, 0, 5}));
  EXPECT_EQ(y[2].floats(), (Floats{0, 1, -1, 3, 4, 5}));
  EXPECT_EQ(y[3].floats(), (Floats{3, 4, 5, 0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(y[4].values<int32_t>(), (std::vector<int32_t>{-5, 5, -5}));
  EXPECT_EQ(y[5].floats(), (Floats{0, 1, 1, 0, 0, 1}));
  EXPECT_EQ(y[6].values<int32_t>(), (std::vector<int32_t>{1, 0, 1, 1}));
}

/// Far enough that reading there would end the process.
TEST(GraphShape, IndicesOutside) {
  constexpr int32_t far = 2000000000;
  const float none = std::nanf("");
  Tensor ids = Tensor::of({4}, std::vector<int32_t>{far, 1, -1, 2}), x = counted({2}),
         table = counted({2, 2}), flags = Tensor::of({2}, std::vector<int32_t>{5, -5});
  std::vector<Tensor> y = evaluate({x, table, flags, ids}, [](Function &f, const Values &in) {
    return Values{f.index(in[0], in[3]), f.index(in[1], in[3]), f.index(in[2], in[3])};
  });
  ASSERT_EQ(y.size(), 3u);
  expectNear(y[0].floats(), {none, 1, none, none});
  expectNear(y[1].floats(), {none, none, 2, 3, none, none, none, none});
  EXPECT_EQ(y[2].values<int32_t>(), (std::vector<int32_t>{0, -5, 0, 0}));
}

TEST(GraphShape, RefusesWhatDoesNotFit) {
  Graph graph;
  Function &f = graph.function("g");
  Value a = f.input("a", {DType::f32, {2, 3}}), b = f.input("b", {DType::f32, {2, 4}});
  auto message = [&](Value value) {
    EXPECT_FALSE(value);
    std::string all = graph.status().message;
    return all.substr(all.rfind('\n') + 1);
  };
  EXPECT_EQ(message(f.matmul(a, b)), "@g: matmul: the inner extents must be equal, found 3 and 2 "
                                     "of tensor<2x3xf32> and tensor<2x4xf32>");
  EXPECT_EQ(message(f.linear(a, b)),
            "@g: linear: 'weight' dimension 1 (i) must be 3 as in 'x', found 4");
  EXPECT_EQ(message(f.reshape(a, {4, -1})), "@g: reshape: expected as many elements as "
                                            "tensor<2x3xf32> has, found shape [4, 1]");
  EXPECT_EQ(message(f.reshape(a, {-1, -1})), "@g: reshape: at most one extent may be -1");
  EXPECT_EQ(message(f.concat({a, b}, 0)),
            "@g: concat: the values must have equal extents beside dimension 0, found "
            "tensor<2x3xf32> and tensor<2x4xf32>");
  EXPECT_EQ(message(f.select(a, 1, 3)),
            "@g: select: index 3 lies outside of dimension 1 of tensor<2x3xf32>");
  EXPECT_EQ(message(f.sum(a, {2})), "@g: sum: dimension must be in [-2, 1], found 2");
  EXPECT_EQ(message(f.sum(a, {0, -2})), "@g: sum: dimension -2 is given twice");
  EXPECT_EQ(message(f.squeeze(a, 0)),
            "@g: squeeze: dimension 0 must be 1, found tensor<2x3xf32>");
  EXPECT_EQ(message(f.expand(a, {2, 2, 4})),
            "@g: expand: tensor<2x3xf32> cannot be repeated to shape [2, 2, 4]");
  EXPECT_EQ(message(f.split(a, 1, {1, 1})[0]), "@g: split: the lengths must add up to dimension 1 "
                                               "of tensor<2x3xf32>, found [1, 1]");
}

} // namespace
