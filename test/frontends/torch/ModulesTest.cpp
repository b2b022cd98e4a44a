//===- ModulesTest.cpp - Modules of many kinds, captured and compiled -----===//

#include "CaptureHarness.h"

#include <thread>

using namespace aft;
using namespace aft::test;
using at::Tensor;
using namespace at::indexing;

static constexpr double kInfinity = std::numeric_limits<double>::infinity();

TEST(Modules, EncoderLayerWithItsDefaults) {
  torch::manual_seed(20);
  torch::nn::TransformerEncoderLayer layer(
      torch::nn::TransformerEncoderLayerOptions(16, 2).dim_feedforward(24));
  layer->eval();
  auto compiled = compile(layer, {at::randn({9, 2, 16})}, withoutCache());
  at::NoGradGuard noGradients;
  for (auto [t, b] : std::vector<std::pair<int64_t, int64_t>>{{9, 2}, {5, 3}, {1, 1}}) {
    Tensor x = at::randn({t, b, 16});
    expectClose(compiled(x), layer->forward(x), 1e-5);
  }
}

TEST(Modules, CrossAttentionWithMasks) {
  torch::manual_seed(21);
  torch::nn::MultiheadAttention attention(torch::nn::MultiheadAttentionOptions(16, 4));
  attention->eval();
  expectSame(
      [&](const Tensors &in) -> Tensors {
        auto [y, weights] = attention(in[0], in[1], in[1], in[2]);
        return {y, weights};
      },
      {at::randn({9, 2, 16}), at::randn({7, 2, 16}), at::zeros({2, 7}, at::kBool)},
      {{at::randn({4, 3, 16}), at::randn({6, 3, 16}),
        at::zeros({3, 6}, at::kBool).index_fill(1, torch::tensor({4, 5}), true)}},
      1e-5);
}

TEST(Modules, RecurrentCells) {
  torch::manual_seed(22);
  torch::nn::GRUCell gru(8, 6);
  torch::nn::LSTMCell lstm(8, 6);
  expectSame(
      [&](const Tensors &in) -> Tensors {
        Tensor h = in[0].new_zeros({in[0].size(0), 6}), all = at::empty({in[0].size(0), 4, 6});
        for (int64_t t = 0; t < 4; ++t) {
          h = gru(in[0].select(1, t), h);
          all.index_put_({Slice(), t}, h);
        }
        auto [y, c] = lstm(in[0].select(1, 0));
        return {all, h, y, c};
      },
      {at::randn({2, 4, 8})}, {{at::randn({3, 4, 8})}}, 1e-5);
}

TEST(Modules, PositionsMadeInForward) {
  expectSame(
      [](const Tensors &in) -> Tensors {
        int64_t length = in[0].size(1), dim = in[0].size(2);
        Tensor table = torch::zeros({length, dim});
        Tensor place = torch::arange(0, length, torch::kFloat).unsqueeze(1);
        Tensor pace = torch::exp(torch::arange(0, dim, 2, torch::kFloat) * (-9.21 / double(dim)));
        table.index_put_({Slice(), Slice(0, None, 2)}, torch::sin(place * pace));
        table.index_put_({Slice(), Slice(1, None, 2)}, torch::cos(place * pace));
        Tensor twisted = in[0] * 1;
        twisted.transpose(1, 2).select(1, 3).zero_();
        twisted.slice(2, 0, 8, 3).mul_(2);
        return {in[0] + table, twisted};
      },
      {at::randn({2, 9, 8})}, {{at::randn({3, 40, 8})}, {at::randn({1, 1, 8})}}, 1e-5);
}

TEST(Modules, RowsByLengths) {
  expectSame(
      [](const Tensors &in) -> Tensors {
        Tensor x = in[0], last = in[1] - 1;
        Tensor seen = torch::arange(x.size(1)).unsqueeze(0) < in[1].unsqueeze(1);
        Tensor cut = x * 1;
        cut.index_put_({cut < 0}, 0);
        return {x.index({torch::arange(x.size(0)), last}),
                x.gather(1, last.view({-1, 1, 1}).expand({-1, 1, x.size(2)})),
                (x * seen.unsqueeze(-1)).sum(1) / in[1].unsqueeze(1), cut,
                x.argmax(1), std::get<1>(x.min(-1)), std::get<0>(x.topk(3, -1))};
      },
      {at::randn({2, 9, 8}), torch::tensor({9L, 3L})},
      {{at::randn({3, 5, 8}), torch::tensor({5L, 1L, 2L})}});
}

TEST(Modules, TheSameTensorTwice) {
  Tensor x = at::randn({2, 9, 8}), y = at::randn({3, 5, 8});
  expectSame([](const Tensors &in) -> Tensors { return {in[0] * 2 + in[1]}; }, {x, x},
             {{y, y}, {y, y * 3}});
}

TEST(Modules, ExamplesOfSizeOne) {
  torch::manual_seed(23);
  torch::nn::Linear linear(8, 8);
  expectSame(
      [&](const Tensors &in) -> Tensors {
        int64_t b = in[0].size(0), t = in[0].size(1);
        Tensor heads = linear(in[0]).view({b, t, 2, 4}).transpose(1, 2);
        Tensor scores = at::matmul(heads, heads.transpose(-1, -2));
        Tensor seen = torch::ones({t, t}, at::kBool).tril();
        scores = scores.masked_fill(seen.logical_not(), -kInfinity).softmax(-1);
        return {at::matmul(scores, heads).transpose(1, 2).contiguous().view({b, t, 8})};
      },
      {at::randn({1, 1, 8})}, {{at::randn({3, 4, 8})}, {at::randn({2, 1, 8})}}, 1e-5);
}

static std::string refusalAt(const std::function<Tensor(Tensor)> &body, int64_t length) {
  torch::nn::Module none;
  CompiledModule compiled = compileComputation(
      none, [&](const Tensors &in) -> Tensors { return {body(in[0])}; }, {at::randn({2, 9, 8})},
      withoutCache());
  EXPECT_EQ(refusal([&] { compiled.run({at::randn({4, 9, 8})}); }), "");
  return refusal([&] { compiled.run({at::randn({2, length, 8})}); });
}

TEST(Modules, RefuseSizesAtWhichTheyDoSomethingElse) {
  auto last = [](Tensor x) { return x.slice(1, std::max<int64_t>(0, x.size(1) - 4)); };
  EXPECT_EQ(refusalAt(last, 40), "");
  EXPECT_NE(refusalAt(last, 3).find("input 0 must have a size of at least 4 in dimension 1, found 3"),
            std::string::npos);
  auto window = [](Tensor x) { return x.slice(1, std::max<int64_t>(0, x.size(1) - 32)); };
  EXPECT_NE(refusalAt(window, 100).find("a size of at most"), std::string::npos);
  auto branches = [](Tensor x) { return x.size(1) > 32 ? x * 2 : x * 3; };
  EXPECT_NE(refusalAt(branches, 100).find("a size of at most"), std::string::npos);
  auto evens = [](Tensor x) { return x.size(1) % 2 ? at::cat({x, x.slice(1, 0, 1)}, 1) : x; };
  EXPECT_NE(refusalAt(evens, 8), "");
}

TEST(Modules, RefusalsNameTheOperator) {
  torch::nn::Module none;
  std::string message = refusal([&] {
    compileComputation(
        none,
        [](const Tensors &in) -> Tensors { return {at::scatter(in[0], 1, in[1], 1)}; },
        {at::randn({3, 5, 4}), at::zeros({3, 5, 2}, at::kLong)}, withoutCache());
  });
  EXPECT_NE(message.find("aten::scatter in the outermost module: 'index' must have"),
            std::string::npos)
      << message;
}

TEST(Modules, OutliveTheirOwners) {
  Tensor x = at::randn({3, 8}), expected;
  std::optional<CompiledModule> compiled;
  {
    torch::nn::Sequential module(torch::nn::Linear(8, 8), torch::nn::ReLU());
    expected = module->forward(x);
    compiled = compile(module, {x}, withoutCache());
  }
  expectClose(compiled->run({x})[0], expected, 1e-6);
}

TEST(Modules, InEveryModeAndThread) {
  torch::nn::Linear module(8, 8);
  Tensor x = at::randn({3, 8}), expected = module(x).detach();
  auto check = [&] { expectClose(compile(module, {x}, withoutCache())(x), expected, 1e-6); };
  {
    at::NoGradGuard noGradients;
    check();
  }
  {
    c10::InferenceMode inference;
    check();
  }
  EXPECT_NE(refusal([&] {
              compileComputation(
                  *module, [&](const Tensors &in) -> Tensors { return {at::digamma(in[0])}; }, {x},
                  withoutCache());
            }),
            "");
  std::thread other(check);
  check();
  other.join();
}
