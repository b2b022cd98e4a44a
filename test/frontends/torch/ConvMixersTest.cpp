//===- ConvMixersTest.cpp - Convolutions of exponentials run as aft.conv ---===//

#include "NaiveHarness.h"

using namespace aft;
using namespace aft::test;

/// One filter for each channel, or for two.
static const std::vector<int64_t> kFilter = {kChannels, 1, 5}, kShared = {2, 1, 4};

/// Each channel with its own filter.
static Tensor depthwise(Tensor x, Tensor filter, int64_t padding, int64_t dilation = 1) {
  using One = std::vector<int64_t>;
  return at::conv1d(x, filter, {}, One{1}, One{padding}, One{dilation}, filter.size(0));
}

/// conv(x, exp(w) - 1) + sum(x) above and below, keys [B, d, T].
static Tensor centred(Tensor q, Tensor k, Tensor v, Tensor w) {
  Tensor keys = (k - k.amax({1}, true).detach()).exp().transpose(1, 2), filter = w.exp() - 1;
  Tensor values = keys * v.transpose(1, 2);
  auto sums = [&](Tensor x) { return depthwise(x, filter, 2) + x.sum(-1, true); };
  return q.sigmoid() * (sums(values) / sums(keys)).transpose(1, 2);
}

/// To the left of each query; channels of a head share key and filter.
static Tensor causalHeads(Tensor q, Tensor k, Tensor v, Tensor w) {
  int64_t b = v.size(0), t = v.size(1), each = kChannels / 2;
  Tensor keys = k.narrow(2, 0, 2).transpose(1, 2).exp();
  Tensor values = v.transpose(1, 2).reshape({b, 2, each, t});
  Tensor kv = (keys.unsqueeze(2) * values).reshape({b, kChannels, t});
  Tensor filter = at::expm1(w);
  auto sums = [&](Tensor x, Tensor filter) {
    return depthwise(at::constant_pad_nd(x, {3, 0}), filter, 0) + at::cumsum(x, -1);
  };
  Tensor above = sums(kv, filter.repeat_interleave(each, 0));
  Tensor y = above.view({b, 2, each, t}) / sums(keys, filter).unsqueeze(2);
  return q.sigmoid() * y.reshape({b, kChannels, t}).transpose(1, 2);
}

/// The convolution is longer than the sequence and cut.
static Tensor cut(Tensor q, Tensor k, Tensor v, Tensor w) {
  int64_t t = v.size(1);
  Tensor keys = k.transpose(1, 2).exp(), filter = w.exp() - 1;
  auto sums = [&](Tensor x) { return depthwise(x, filter, 4).slice(2, 0, t) + x.cumsum(2); };
  return q.tanh() * (sums(keys * v.transpose(1, 2)) / sums(keys)).transpose(1, 2);
}

/// A table of distances, looked up, within a window.
static Tensor distances(Tensor q, Tensor k, Tensor v, Tensor w) {
  Tensor at = at::arange(v.size(1)), d = at.unsqueeze(0) - at.unsqueeze(1);
  Tensor found = w.index({at::clamp(d + 2, 0, 4)});
  Tensor weights = at::where(d.abs() < 3, found, 0.0).exp(), keys = k.exp();
  return q.sigmoid() * at::matmul(weights, keys * v) / at::matmul(weights, keys);
}

/// A table for each of two heads that counts from the key to the query.
static Tensor backwards(Tensor q, Tensor k, Tensor v, Tensor w) {
  int64_t b = v.size(0), t = v.size(1);
  Tensor at = at::arange(t), d = at.unsqueeze(1) - at.unsqueeze(0);
  Tensor found = w.index({at::clamp(d + 2, 0, 4)}).permute({2, 0, 1});
  Tensor weights = at::where(d.abs() < 3, found, 0.0).exp();
  auto heads = [&](Tensor x) { return x.reshape({b, t, 2, kChannels / 2}).transpose(1, 2); };
  Tensor keys = heads(k).exp();
  Tensor y = at::matmul(weights, keys * heads(v)) / at::matmul(weights, keys);
  return q.sigmoid() * y.transpose(1, 2).reshape({b, t, kChannels});
}

TEST(ConvMixers, Runs) {
  expectRuns("centred", centred, "conv", false, 4e-6, kFilter);
  expectRuns("causal heads", causalHeads, "conv", false, 4e-6, kShared);
  expectRuns("cut", cut, "conv", false, 4e-6, kFilter);
  expectRuns("distances", distances, "conv", false, 4e-6, {5});
  expectRuns("backwards", backwards, "conv", false, 4e-6, {5, 2});
}

TEST(ConvMixers, Trains) {
  expectTrains("centred", centred, "conv", kFilter);
  expectTrains("causal heads", causalHeads, "conv", kShared);
  expectTrains("distances", distances, "conv", {5});
  expectTrains("backwards", backwards, "conv", {5, 2});
}

/// H by W channels last, two heads.
static Tensor image(Tensor q, Tensor k, Tensor v, Tensor w) {
  int64_t b = v.size(0), t = v.size(1);
  auto seen = [&](Tensor x) { return x.transpose(1, 2).reshape({b, kChannels, 3, t / 3}); };
  Tensor keys = seen(k).exp(), filter = w.exp() - 1;
  auto sums = [&](Tensor x) {
    std::vector<int64_t> one = {1, 1};
    return at::conv2d(x, filter, {}, one, one, one, kChannels) + x.sum({2, 3}, true);
  };
  Tensor y = sums(keys * seen(v)) / sums(keys);
  return q.sigmoid() * y.flatten(2).transpose(1, 2);
}

TEST(ConvMixers, OnAGridOfKnownExtents) {
  at::manual_seed(3);
  auto layer = std::make_shared<NaiveLayer>(image, std::vector<int64_t>{kChannels, 1, 3, 3});
  CompileModuleOptions options = withoutCache();
  options.dynamic = false;
  Tensor x = at::randn({2, 12, kChannels});
  auto compiled = compile(layer, {x}, options);
  EXPECT_TRUE(hasKernel(compiled.program(), "conv")) << compiled.text();
  expectClose(compiled(x), layer->forward(x), 4e-6);
}

TEST(ConvMixers, StaysAsWritten) {
  expectRuns(
      "no sum over the rest",
      [](Tensor q, Tensor k, Tensor v, Tensor w) {
        Tensor keys = k.transpose(1, 2).exp(), filter = w.exp();
        auto sums = [&](Tensor x) { return depthwise(x, filter, 2); };
        return q.sigmoid() * (sums(keys * v.transpose(1, 2)) / sums(keys)).transpose(1, 2);
      },
      "", false, 4e-6, kFilter);
  expectRuns(
      "a step between the taps",
      [](Tensor q, Tensor k, Tensor v, Tensor w) {
        Tensor keys = k.transpose(1, 2).exp(), filter = w.exp() - 1;
        auto sums = [&](Tensor x) { return depthwise(x, filter, 4, 2) + x.sum(-1, true); };
        return q.sigmoid() * (sums(keys * v.transpose(1, 2)) / sums(keys)).transpose(1, 2);
      },
      "", false, 4e-6, kFilter);
}
