//===- SizesTest.cpp - Numbers that depend on sizes, and known buffers -----===//

#include "NaiveHarness.h"

#include "frontends/torch/capture/Checked.h"
#include "frontends/torch/capture/Sizes.h"

using namespace aft;
using namespace aft::test;

namespace {
/// A causal mean of values, with the mask in a buffer.
struct Masked : torch::nn::Module {
  Masked() {
    mask = register_buffer("mask", at::ones({kLongest, kLongest}).tril());
    w = register_parameter("w", at::randn({kLongest, kLongest}));
  }
  Tensor forward(Tensor x) {
    int64_t t = x.size(1);
    auto part = [&](Tensor all) { return all.slice(0, 0, t).slice(1, 0, t); };
    Tensor weights = part(w).masked_fill(part(mask) == 0, -kInfinity).exp();
    return at::matmul(weights, x.exp() * x) / at::matmul(weights, x.exp());
  }
  Tensor mask, w;
};
} // namespace

static void expectDynamic(const std::string &name, const std::function<Tensor(Tensor)> &f) {
  SCOPED_TRACE(name);
  at::manual_seed(1);
  expectSame([&](const Tensors &inputs) { return Tensors{f(inputs[0])}; }, {at::randn({2, 9, 4})},
             {{at::randn({3, 24, 4})}, {at::randn({1, 5, 4})}});
}

TEST(Sizes, FloatsFollowThem) {
  auto t = [](Tensor x) { return static_cast<double>(x.size(1)); };
  expectDynamic("a mean", [&](Tensor x) { return x.sum(1) * (1.0 / t(x)); });
  expectDynamic("a root", [&](Tensor x) { return x / std::sqrt(t(x)); });
  expectDynamic("a difference", [&](Tensor x) { return x.sum(1) / (t(x) - 1); });
  expectDynamic("a logarithm", [&](Tensor x) { return x * (2 * std::log(t(x))); });
  expectDynamic("a product", [&](Tensor x) { return x * (1.0 / (t(x) * double(x.size(0)))); });
  expectDynamic("filled", [&](Tensor x) {
    return x + at::full({4}, 0.5 * t(x)) + at::where(x > 0, x, 1 / t(x));
  });
}

/// A batch of nothing, and sequences without a position.
TEST(Sizes, MayBeNothing) {
  at::manual_seed(4);
  Tensor w = at::randn({4, 6}), scale = at::randn({4});
  auto body = [&](const Tensors &in) {
    Tensor x = in[0], normal = at::layer_norm(x, {4}, scale, scale);
    return Tensors{at::gelu(at::matmul(normal, w)), at::softmax(x, -1), x.sum(1), x.cumsum(1),
                   x.transpose(1, 2).contiguous()};
  };
  expectSame(body, {at::randn({2, 9, 4})}, {{at::randn({0, 9, 4})}, {at::randn({2, 0, 4})}});
}

/// Of three extents that change, a product is not mistaken for that of two others.
TEST(Sizes, ProductsAreOfTheRightExtents) {
  at::manual_seed(2);
  auto body = [](const Tensors &in) {
    Tensor pairs = (in[0].unsqueeze(-1) * in[1]).flatten(1);
    return Tensors{pairs, at::arange(pairs.size(1)) + in[0].size(0)};
  };
  expectSame(body, {at::randn({2, 4}), at::randn({5})},
             {{at::randn({1, 3}), at::randn({7})}, {at::randn({6, 11}), at::randn({2})}});
}

/// Rows, columns and images as one dimension, and what is left of them by a window.
TEST(Sizes, ProductsOfThreeExtentsAreFollowed) {
  at::manual_seed(3);
  auto body = [](const Tensors &in) {
    Tensor x = in[0].unsqueeze(2) * in[1].unsqueeze(1); // [2, 4, 6]
    Tensor inner = x.slice(1, 1, x.size(1) - 1).slice(2, 0, x.size(2) - 1);
    return Tensors{x.flatten().exp().reshape(x.sizes()), inner.flatten().exp(),
                   at::arange(inner.numel()) + x.numel()};
  };
  auto inputs = [](int64_t b, int64_t h, int64_t w) {
    return Tensors{at::randn({b, h}), at::randn({b, w})};
  };
  expectSame(body, inputs(2, 4, 6), {inputs(1, 5, 3), inputs(3, 9, 8), inputs(4, 3, 12)});
}

/// Both sides of a matrix are one extent.
TEST(Sizes, SquaresAreFollowed) {
  at::manual_seed(3);
  auto body = [](const Tensors &in) {
    Tensor square = at::matmul(in[0], in[0]);
    Tensor all = (square.unsqueeze(-1) * in[1]).flatten();
    return Tensors{square.flatten().exp(), all.exp() + square.numel()};
  };
  auto inputs = [](int64_t n, int64_t b) { return Tensors{at::randn({n, n}), at::randn({b})}; };
  expectSame(body, inputs(6, 4), {inputs(5, 1), inputs(9, 7), inputs(3, 3)});
}

/// No rule computes with it: then the size is fixed, and the refusal says why.
TEST(Sizes, WhatCannotFollowIsNamed) {
  torch::nn::Module none;
  auto body = [](const Tensors &inputs) {
    double beta = 1.5 + std::sin(static_cast<double>(inputs[0].size(1)));
    return Tensors{at::softplus(inputs[0], beta)};
  };
  auto compiled = compileComputation(none, body, {at::randn({2, 9, 4})}, withoutCache());
  std::string message = refusal([&] { compiled.run({at::randn({2, 10, 4})}); });
  EXPECT_NE(message.find("dimension 1 is fixed: the number 'beta' depends on it of aten::softplus"),
            std::string::npos)
      << message;
}

TEST(Sizes, FormulasThatOverflowAreNothing) {
  capture::SizeFormula formula;
  formula.constant = -4;
  formula.divisor = 2;
  formula.linear = {int64_t(1) << 58, 3};
  EXPECT_EQ(formula.at({31, 1}), (int64_t(31) << 57) - 1);
  EXPECT_EQ(formula.at({-32, 1}), std::nullopt);
  EXPECT_EQ(formula.at({32, 1}), std::nullopt);
  formula.products = {{{0, 1}, int64_t(1) << 32}};
  EXPECT_EQ(formula.at({1, int64_t(1) << 32}), std::nullopt);
}

TEST(Buffers, ThatFollowFromTheirPlacesAreKnown) {
  at::manual_seed(4);
  auto module = std::make_shared<Masked>();
  at::NoGradGuard noGradients;
  auto compiled = compile(module, {at::randn({2, 9, 4})}, withoutCache());
  EXPECT_NE(compiled.text().find("\"w\""), std::string::npos);
  EXPECT_EQ(compiled.text().find("\"mask\""), std::string::npos) << compiled.text();
  EXPECT_NE(compiled.program().report().find("\"kind\":\"full\""), std::string::npos);
  Tensor x = at::randn({3, 17, 4});
  expectClose(compiled(x), module->forward(x), 4e-6);
}

TEST(Buffers, ThatWereKnownMayNotChange) {
  auto module = std::make_shared<Masked>();
  at::NoGradGuard noGradients;
  auto compiled = compile(module, {at::randn({2, 9, 4})}, withoutCache());
  Tensor x = at::randn({1, 9, 4});
  module->mask.copy_(at::ones({kLongest, kLongest}).tril()); // written, but the same
  expectClose(compiled(x), module->forward(x), 4e-6);
  module->mask[0][5] = 1;
  std::string message = refusal([&] { compiled(x); });
  EXPECT_NE(message.find("the buffer 'mask' was changed"), std::string::npos) << message;
}

namespace {
/// A mixer with a buffer that says how weights fall with the distance: as it is, or the base of
/// powers.
struct Falling : torch::nn::Module {
  explicit Falling(bool isTable) : isTable(isTable) {
    Tensor at = at::arange(kLongest).to(at::kFloat);
    distance = (at.unsqueeze(1) - at).abs();
    decay = at::tensor({0.5, 0.75, 0.875, 1.0}, at::kFloat).view({4, 1, 1});
    if (isTable)
      table = register_buffer("table", at::pow(decay, distance));
    else
      decay = register_buffer("decay", decay);
  }
  Tensor forward(Tensor x) {
    Tensor heads = x.unsqueeze(1), weights = isTable ? table : at::pow(decay, distance);
    return at::matmul(weights, heads.exp() * heads) / at::matmul(weights, heads.exp());
  }
  bool isTable;
  Tensor distance, decay, table;
};
} // namespace

TEST(Buffers, OfDistancesArePartOfTheProgram) {
  at::manual_seed(4);
  auto module = std::make_shared<Falling>(/*isTable=*/true);
  at::NoGradGuard noGradients;
  Tensor x = at::randn({2, kLongest, 4});
  auto compiled = compile(module, {x}, withoutCache());
  EXPECT_EQ(compiled.text().find("\"table\""), std::string::npos) << compiled.text();
  expectClose(compiled(x), module->forward(x), 4e-6);
  module->table[2][3][7] = 0.5;
  std::string message = refusal([&] { compiled(x); });
  EXPECT_NE(message.find("the buffer 'table' was changed"), std::string::npos) << message;
}

/// A decay that cannot be negative has a logarithm, one that is negative later has none.
TEST(Buffers, ThatAreBasesMayNotBecomeNegative) {
  at::manual_seed(4);
  auto module = std::make_shared<Falling>(/*isTable=*/false);
  at::NoGradGuard noGradients;
  Tensor x = at::randn({2, kLongest, 4});
  auto compiled = compile(module, {x}, withoutCache());
  EXPECT_NE(compiled.text().find("\"decay\""), std::string::npos);
  module->decay.mul_(0.5); // other numbers, but none below 0
  expectClose(compiled(x), module->forward(x), 4e-6);
  module->decay[1][0][0] = -0.5;
  std::string message = refusal([&] { compiled(x); });
  EXPECT_NE(
      message.find("the buffer 'decay' was changed; the program was compiled for numbers that "
                   "are not negative"),
      std::string::npos)
      << message;
  std::string file = testing::TempDir() + "aft-falling.so";
  EXPECT_NE(refusal([&] { compiled.save(file); }).find("the buffer 'decay'"), std::string::npos);
  module->decay[1][0][0] = 0.5; // all is well again
  expectClose(compiled(x), module->forward(x), 4e-6);
}

/// The same number on all diagonals is what memories begin with.
TEST(Buffers, OfOneNumberAreNoTables) {
  struct Memory : torch::nn::Module {
    Memory() { memory = register_buffer("memory", at::zeros({3, 16, 16})); }
    Tensor forward(Tensor x) { return x + memory; }
    Tensor memory;
  };
  auto module = std::make_shared<Memory>();
  at::NoGradGuard noGradients;
  Tensor x = at::randn({3, 16, 16});
  auto compiled = compile(module, {x}, withoutCache());
  module->memory.fill_(2);
  expectClose(compiled(x), module->forward(x), 4e-6);
}

/// Statistics begin as zeros; they are no pattern, and may be set later.
TEST(Buffers, OfOtherNumbersAreRead) {
  torch::nn::BatchNorm1d norm(24);
  norm->eval();
  at::NoGradGuard noGradients;
  Tensor x = at::randn({3, 24});
  auto compiled = compile(norm.ptr(), {x}, withoutCache());
  norm->running_mean.copy_(at::arange(24).to(at::kFloat));
  expectClose(compiled(x), norm->forward(x), 4e-6);
}

/// What left the 64 bits does not come back by further arithmetic.
TEST(Checked, OverflowsAreNothing) {
  using capture::Checked;
  constexpr int64_t most = std::numeric_limits<int64_t>::max();
  constexpr int64_t least = std::numeric_limits<int64_t>::min();
  EXPECT_EQ((Checked(most) - 1 + 1).value(), most);
  EXPECT_EQ((Checked(-7) * 3 / 2).value(), -10);
  EXPECT_FALSE((Checked(most) + 1).value());
  EXPECT_FALSE((Checked(least) - 1).value());
  EXPECT_FALSE((Checked(int64_t(1) << 62) * 4 - 4).value());
  EXPECT_FALSE((Checked(least) / -1).value());
  EXPECT_FALSE((Checked(1) / 0).value());
}
