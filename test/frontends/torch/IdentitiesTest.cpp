//===- IdentitiesTest.cpp - What holds between the mixers -----------------===//
// Each identity of the definition, with and without causal, on lengths that no
// tile divides.

#include "CaptureHarness.h"

#include "frontends/torch/nn/Functional.h"

#include <limits>

using namespace aft::test;
using at::Tensor;
namespace F = aft::nn::functional;

namespace {

constexpr int64_t kBatch = 2, kLength = 37, kDim = 24;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct Operands {
  Tensor q, k, v;
};

Operands operands(int64_t length = kLength, int64_t keyChannels = kDim) {
  at::manual_seed(length + keyChannels);
  return {at::randn({kBatch, length, kDim}), at::randn({kBatch, length, keyChannels}) * 3,
          at::randn({kBatch, length, kDim})};
}

/// The dense bias [T,T] of a band: 0 outside of it.
Tensor dense(const Tensor &band, int64_t window) {
  int64_t length = band.size(0);
  Tensor w = at::zeros({length, length});
  auto from = band.accessor<float, 2>();
  auto to = w.accessor<float, 2>();
  for (int64_t t = 0; t < length; ++t)
    for (int64_t tap = 0; tap < band.size(1); ++tap)
      if (int64_t key = t + tap - (window - 1); key >= 0 && key < length)
        to[t][key] = from[t][tap];
  return w;
}

struct Identities : testing::TestWithParam<bool> {
  bool causal = GetParam();
  int64_t taps(int64_t window) const { return causal ? window : 2 * window - 1; }
};

} // namespace

TEST_P(Identities, FullWithoutBiasIsSimple) {
  auto [q, k, v] = operands();
  expectClose(F::full(q, k, v, at::zeros({kLength, kLength}), causal, "sigmoid"),
              F::simple(q, k, v, causal, "sigmoid"), 2e-6);
}

TEST_P(Identities, ConstantKeysAndBiasGiveTheMean) {
  auto [q, k, v] = operands();
  Tensor y = F::full(q, at::full_like(k, 5), v, at::full({kLength, kLength}, -3.0), causal, "none");
  Tensor count = at::arange(1, kLength + 1).unsqueeze(-1);
  expectClose(y, causal ? v.cumsum(1) / count : v.mean(1, true).expand_as(v), 5e-6);
}

TEST_P(Identities, LocalIsFullWithTheBandAsBias) {
  auto [q, k, v] = operands();
  for (int64_t window : {1, 5, 32, 37, 40}) {
    SCOPED_TRACE(window);
    Tensor band = at::randn({kLength, taps(window)});
    expectClose(F::local(q, k, v, band, window, causal, "tanh"),
                F::full(q, k, v, dense(band, window), causal, "tanh"), 4e-6);
  }
}

TEST_P(Identities, LocalOfWindowOneChangesTheDiagonalOnly) {
  auto [q, k, v] = operands();
  Tensor band = at::randn({kLength, 1});
  expectClose(F::local(q, k, v, band, 1, causal, "sigmoid"),
              F::full(q, k, v, at::diag(band.flatten()), causal, "sigmoid"), 4e-6);
}

TEST_P(Identities, ConvIsFullWithAToeplitzBias) {
  constexpr int64_t heads = 4, size = 6, perHead = kDim / heads;
  auto [q, k, v] = operands(kLength, heads);
  Tensor filter = at::randn({heads, size});
  Tensor y = F::conv(q, k, v, filter, {}, causal, "sigmoid");
  int64_t before = causal ? size - 1 : (size - 1) / 2;
  for (int64_t head = 0; head < heads; ++head) {
    Tensor w = at::zeros({kLength, kLength});
    for (int64_t t = 0; t < kLength; ++t)
      for (int64_t tap = 0; tap < size; ++tap)
        if (int64_t key = t + tap - before; key >= 0 && key < kLength)
          w[t][key] = filter[head][tap];
    auto part = [&](const Tensor &x) {
      return x.slice(2, head * perHead, (head + 1) * perHead).contiguous();
    };
    Tensor keys = k.slice(2, head, head + 1).expand({kBatch, kLength, perHead}).contiguous();
    expectClose(part(y), F::full(part(q), keys, part(v), w, causal, "sigmoid"), 4e-6);
  }
}

TEST(IdentitiesOfAll, ConvOnAGridIsFullWithABlockToeplitzBias) {
  constexpr int64_t rows = 5, columns = 7, size = 3, heads = 2, perHead = kDim / heads;
  auto [q, k, v] = operands(rows * columns, heads);
  Tensor filter = at::randn({heads, size, size});
  Tensor y = F::conv(q, k, v, filter, {rows, columns}, false, "relu");
  for (int64_t head = 0; head < heads; ++head) {
    Tensor w = at::zeros({rows * columns, rows * columns});
    for (int64_t t = 0; t < rows * columns; ++t)
      for (int64_t dy = -1; dy <= 1; ++dy)
        for (int64_t dx = -1; dx <= 1; ++dx) {
          int64_t row = t / columns + dy, column = t % columns + dx;
          if (row >= 0 && row < rows && column >= 0 && column < columns)
            w[t][row * columns + column] = filter[head][dy + 1][dx + 1];
        }
    auto part = [&](const Tensor &x) {
      return x.slice(2, head * perHead, (head + 1) * perHead).contiguous();
    };
    Tensor keys =
        k.slice(2, head, head + 1).expand({kBatch, rows * columns, perHead}).contiguous();
    expectClose(part(y), F::full(part(q), keys, part(v), w, false, "relu"), 4e-6);
  }
}

TEST_P(Identities, FactorisedIsDense) {
  Tensor u = at::randn({kLength, 5}), v = at::randn({kLength, 5});
  constexpr int64_t window = 6;
  Tensor product = at::matmul(u, v.t());
  Tensor offset = at::arange(kLength).unsqueeze(0) - at::arange(kLength).unsqueeze(1);
  Tensor inside = (offset.abs() < window).logical_and(causal ? offset <= 0 : offset == offset);
  expectClose(dense(F::band(u, v, window, causal), window), product * inside, 2e-6);
}

TEST_P(Identities, OnlyTheDiagonalVisibleGivesTheValue) {
  auto [q, k, v] = operands();
  Tensor w = at::full({kLength, kLength}, -kInfinity);
  w.fill_diagonal_(0.5);
  expectClose(F::full(q, k, v, w, causal, "sigmoid"), at::sigmoid(q) * v, 2e-6);
}

TEST_P(Identities, ConstantsInRowsAndChannelsChangeNothing) {
  auto [q, k, v] = operands();
  Tensor w = at::randn({kLength, kLength}), rows = at::randn({kLength, 1}) * 50;
  Tensor channels = at::randn({kDim}) * 50;
  expectClose(F::full(q, k + channels, v, w + rows, causal, "sigmoid"),
              F::full(q, k, v, w, causal, "sigmoid"), 1e-4);
}

TEST_P(Identities, AValueAddedShiftsTheResult) {
  auto [q, k, v] = operands();
  Tensor band = at::randn({kLength, taps(4)}), c = at::randn({kDim});
  expectClose(F::local(q, k, v + c, band, 4, causal, "sigmoid"),
              F::local(q, k, v, band, 4, causal, "sigmoid") + at::sigmoid(q) * c, 4e-6);
}

TEST_P(Identities, ResultsLieBetweenTheValues) {
  auto [q, k, v] = operands();
  Tensor y = F::full(q, k * 20, v, at::randn({kLength, kLength}) * 20, causal, "none");
  Tensor least = causal ? std::get<0>(v.cummin(1)) : v.amin(1, true);
  Tensor most = causal ? std::get<0>(v.cummax(1)) : v.amax(1, true);
  EXPECT_TRUE(y.ge(least - 1e-5).all().item<bool>());
  EXPECT_TRUE(y.le(most + 1e-5).all().item<bool>());
}

TEST(IdentitiesOfAll, SimpleDoesNotKnowTheOrder) {
  auto [q, k, v] = operands();
  Tensor order = at::randperm(kLength);
  auto turned = [&](const Tensor &x) { return x.index_select(1, order); };
  expectClose(F::simple(turned(q), turned(k), turned(v), false, "sigmoid"),
              turned(F::simple(q, k, v, false, "sigmoid")), 4e-6);
}

TEST_P(Identities, BatchEntriesAreIndependentAndCausalOnesOfTheFuture) {
  auto [q, k, v] = operands();
  Tensor w = at::randn({kLength, kLength}), band = at::randn({kLength, taps(4)});
  Tensor filter = at::randn({kDim, 5});
  std::vector<std::function<Tensor(const Operands &)>> mixers = {
      [&](const Operands &x) { return F::full(x.q, x.k, x.v, w, causal, "sigmoid"); },
      [&](const Operands &x) { return F::local(x.q, x.k, x.v, band, 4, causal, "sigmoid"); },
      [&](const Operands &x) { return F::simple(x.q, x.k, x.v, causal, "sigmoid"); },
      [&](const Operands &x) { return F::conv(x.q, x.k, x.v, filter, {}, causal, "sigmoid"); }};
  constexpr int64_t place = 20;
  for (const auto &mixer : mixers) {
    Tensor y = mixer({q, k, v});
    Operands other = {q.clone(), k.clone(), v.clone()};
    for (Tensor *x : {&other.q, &other.k, &other.v})
      x->select(0, 1).fill_(7);
    EXPECT_TRUE(mixer(other).select(0, 0).equal(y.select(0, 0)));
    if (!causal)
      continue;
    Operands later = {q.clone(), k.clone(), v.clone()};
    for (Tensor *x : {&later.q, &later.k, &later.v})
      x->slice(1, place).mul_(100);
    EXPECT_TRUE(mixer(later).slice(1, 0, place).equal(y.slice(1, 0, place)));
    expectClose(y.select(1, 0), at::sigmoid(q.select(1, 0)) * v.select(1, 0), 2e-6);
  }
}

TEST_P(Identities, OnePosition) {
  auto [q, k, v] = operands(1);
  Tensor expected = at::sigmoid(q) * v;
  expectClose(F::full(q, k, v, at::randn({1, 1}), causal, "sigmoid"), expected, 2e-6);
  expectClose(F::local(q, k, v, at::randn({1, taps(3)}), 3, causal, "sigmoid"), expected, 2e-6);
  expectClose(F::simple(q, k, v, causal, "sigmoid"), expected, 2e-6);
  expectClose(F::conv(q, k, v, at::randn({kDim, 3}), {}, causal, "sigmoid"), expected, 2e-6);
}

/// Gradients of sum(y) by q, k and v, as softmax says them in double.
static std::vector<Tensor> expectedGradients(Operands x, const Tensor &w) {
  std::vector<Tensor> leaves;
  for (Tensor *operand : {&x.q, &x.k, &x.v})
    leaves.push_back(*operand = operand->to(at::kDouble).requires_grad_());
  Tensor exponents = x.k.unsqueeze(1) + w.to(at::kDouble).unsqueeze(-1);
  Tensor y = at::sigmoid(x.q) * (at::softmax(exponents, 2) * x.v.unsqueeze(1)).sum(2);
  return torch::autograd::grad({y.sum()}, leaves);
}

static void expectGradients(const std::function<Tensor(const Operands &)> &mixer,
                            const Operands &x, const Tensor &w) {
  std::vector<Tensor> expected = expectedGradients(x, w), leaves;
  Operands own = x;
  for (Tensor *operand : {&own.q, &own.k, &own.v})
    leaves.push_back(*operand = operand->clone().requires_grad_());
  std::vector<Tensor> found = torch::autograd::grad({mixer(own).sum()}, leaves);
  for (size_t i = 0; i < 3; ++i)
    expectClose(found[i], expected[i].to(at::kFloat), 1e-4);
}

TEST_P(Identities, GradientsBesideAKeyThatTowers) {
  for (int64_t place : {0, 30, 31, 32, 63}) {
    SCOPED_TRACE(place);
    Operands x = operands(65);
    x.k.select(1, place).fill_(100);
    Tensor w = at::zeros({65, 65});
    if (causal)
      w = w.masked_fill(at::ones({65, 65}).tril().eq(0), -kInfinity);
    expectGradients([&](const Operands &o) { return F::simple(o.q, o.k, o.v, causal, "sigmoid"); },
                    x, w);
  }
}

TEST_P(Identities, GradientsBesideABiasThatTowers) {
  constexpr int64_t window = 3;
  for (int64_t length : {65, 66, 93, 95, 96}) {
    SCOPED_TRACE(length);
    Operands x = operands(length);
    Tensor band = at::zeros({length, taps(window)});
    band[length - 32][0] = 100;
    Tensor w = dense(band, window);
    if (causal)
      w = w.masked_fill(at::ones({length, length}).tril().eq(0), -kInfinity);
    expectGradients(
        [&](const Operands &o) {
          return F::local(o.q, o.k, o.v, band, window, causal, "sigmoid");
        },
        x, w);
  }
}

INSTANTIATE_TEST_SUITE_P(Visible, Identities, testing::Bool(),
                         [](const testing::TestParamInfo<bool> &info) {
                           return info.param ? "Causal" : "All";
                         });
