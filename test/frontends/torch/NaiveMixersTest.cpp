//===- NaiveMixersTest.cpp - Mixers written by hand run as aft operations --===//

#include "NaiveHarness.h"

using namespace aft;
using namespace aft::test;

//===----------------------------------------------------------------------===//
// full
//===----------------------------------------------------------------------===//

static Tensor plainFull(Tensor q, Tensor k, Tensor v, Tensor w) {
  Tensor weights = w.exp(), keys = k.exp();
  return q.sigmoid() * at::matmul(weights, keys * v) / at::matmul(weights, keys);
}

static Tensor stableFull(Tensor q, Tensor k, Tensor v, Tensor w) {
  Tensor keys = (k - k.amax({1}, true).detach()).exp();
  Tensor weights = (w - w.amax({-1}, true).detach()).exp();
  return q.sigmoid() * (at::matmul(weights, keys * v) / at::matmul(weights, keys));
}

static Tensor maskedFull(Tensor q, Tensor k, Tensor v, Tensor w) {
  return plainFull(q, k, v, w.masked_fill(causalMask(w).logical_not(), -kInfinity));
}

static Tensor softmaxFull(Tensor q, Tensor k, Tensor v, Tensor w) {
  Tensor logits = w.unsqueeze(0).unsqueeze(-1) + k.unsqueeze(1);
  return q.sigmoid() * (at::softmax(logits, 2) * v.unsqueeze(1)).sum(2);
}

TEST(NaiveMixers, Full) {
  expectRuns("plain", plainFull, "full");
  expectRuns("maxima subtracted", stableFull, "full");
  expectRuns(
      "maxima with gradients",
      [](Tensor q, Tensor k, Tensor v, Tensor w) {
        Tensor keys = (k - k.amax({1}, true)).exp(), weights = (w - w.max()).exp();
        return q.relu() * (at::matmul(weights, keys * v) / at::matmul(weights, keys));
      },
      "full");
  expectRuns(
      "einsum",
      [](Tensor q, Tensor k, Tensor v, Tensor w) {
        Tensor weights = w.exp(), keys = k.exp();
        return q.tanh() * (at::einsum("ts,bsd->btd", {weights, keys * v}) /
                           at::einsum("ts,bsd->btd", {weights, keys}));
      },
      "full");
  expectRuns(
      "no gate",
      [](Tensor, Tensor k, Tensor v, Tensor w) {
        Tensor weights = w.exp(), keys = k.exp();
        return at::matmul(weights, keys * v) / at::matmul(weights, keys);
      },
      "full");
  expectRuns(
      "one product",
      [](Tensor q, Tensor k, Tensor v, Tensor w) {
        Tensor keys = k.exp();
        Tensor both = at::matmul(w.exp(), at::cat({keys * v, keys}, -1));
        auto parts = both.chunk(2, -1);
        return q.sigmoid() * parts[0] / parts[1];
      },
      "full");
  expectRuns(
      "one einsum",
      [](Tensor q, Tensor k, Tensor v, Tensor w) {
        Tensor keys = k.exp();
        Tensor both = at::einsum("ts,bsd->btd", {w.exp(), at::cat({keys * v, keys}, -1)});
        return q.sigmoid() * both.narrow(-1, 0, kChannels) / both.narrow(-1, kChannels, kChannels);
      },
      "full");
  expectRuns("softmax over time", softmaxFull, "full");
  expectRuns(
      "time first",
      [](Tensor q, Tensor k, Tensor v, Tensor w) {
        k = k.transpose(0, 1), v = v.transpose(0, 1), q = q.transpose(0, 1);
        Tensor keys = k.exp(), weights = w.exp();
        Tensor y = at::einsum("ts,sbd->tbd", {weights, keys * v}) /
                   at::einsum("ts,sbd->tbd", {weights, keys});
        return (q.sigmoid() * y).transpose(0, 1);
      },
      "full");
  expectRuns(
      "channels first",
      [](Tensor q, Tensor k, Tensor v, Tensor w) {
        k = k.transpose(1, 2), v = v.transpose(1, 2), q = q.transpose(1, 2);
        Tensor keys = k.exp(), weights = w.exp().t();
        Tensor y = at::matmul(keys * v, weights) / at::matmul(keys, weights);
        return (q.sigmoid() * y).transpose(1, 2);
      },
      "full");
}

TEST(NaiveMixers, CausalFull) {
  expectRuns("-inf filled in", maskedFull, "full");
  expectRuns(
      "where",
      [](Tensor q, Tensor k, Tensor v, Tensor w) {
        Tensor hidden = at::full({}, -kInfinity);
        return stableFull(q, k, v, at::where(causalMask(w), w, hidden));
      },
      "full");
  expectRuns(
      "weights times tril",
      [](Tensor q, Tensor k, Tensor v, Tensor w) {
        Tensor weights = w.exp() * at::ones_like(w).tril(), keys = k.exp();
        return q.sigmoid() * at::matmul(weights, keys * v) / at::matmul(weights, keys);
      },
      "full");
  expectRuns(
      "tril of the weights",
      [](Tensor q, Tensor k, Tensor v, Tensor w) {
        Tensor weights = w.exp().tril(), keys = k.exp();
        return q.sigmoid() * at::matmul(weights, keys * v) / at::matmul(weights, keys);
      },
      "full");
  expectRuns(
      "-inf added",
      [](Tensor q, Tensor k, Tensor v, Tensor w) {
        return plainFull(q, k, v, w + at::full({w.size(0), w.size(1)}, -kInfinity).triu(1));
      },
      "full");
  expectRuns(
      "ones compared with 0",
      [](Tensor q, Tensor k, Tensor v, Tensor w) {
        Tensor mask = at::ones({w.size(0), w.size(1)}).tril();
        return plainFull(q, k, v, w.masked_fill(mask == 0, -kInfinity));
      },
      "full");
  expectRuns(
      "places compared",
      [](Tensor q, Tensor k, Tensor v, Tensor w) {
        Tensor at_ = at::arange(w.size(0));
        return plainFull(q, k, v, w.masked_fill(at_.unsqueeze(0) > at_.unsqueeze(1), -kInfinity));
      },
      "full");
  expectRuns(
      "softmax over time",
      [](Tensor q, Tensor k, Tensor v, Tensor w) {
        return softmaxFull(q, k, v, w.masked_fill(causalMask(w).logical_not(), -kInfinity));
      },
      "full");
}

//===----------------------------------------------------------------------===//
// simple
//===----------------------------------------------------------------------===//

static Tensor cumulative(Tensor q, Tensor k, Tensor v, Tensor) {
  Tensor keys = k.exp();
  return q.sigmoid() * (keys * v).cumsum(1) / keys.cumsum(1);
}

static Tensor summed(Tensor q, Tensor k, Tensor v, Tensor) {
  Tensor keys = (k - k.amax({1}, true).detach()).exp();
  return q.sigmoid() * ((keys * v).sum({1}, true) / keys.sum({1}, true));
}

TEST(NaiveMixers, Simple) {
  expectRuns("running sums", cumulative, "simple");
  expectRuns(
      "running sums below a maximum",
      [](Tensor q, Tensor k, Tensor v, Tensor) {
        Tensor keys = (k - k.amax({1}, true)).exp();
        return q.sigmoid() * ((keys * v).cumsum(1) / keys.cumsum(1));
      },
      "simple");
  expectRuns("sums", summed, "simple");
  expectRuns(
      "softmax over time",
      [](Tensor q, Tensor k, Tensor v, Tensor) {
        return q.sigmoid() * (at::softmax(k, 1) * v).sum({1}, true);
      },
      "simple");
}

TEST(NaiveMixers, Training) {
  expectTrains("full", plainFull, "full");
  expectTrains("full with maxima", stableFull, "full");
  expectTrains("causal full", maskedFull, "full");
  expectTrains("softmax", softmaxFull, "full");
  expectTrains("running sums", cumulative, "simple");
  expectTrains("sums", summed, "simple");
}

//===----------------------------------------------------------------------===//
// What must stay
//===----------------------------------------------------------------------===//

TEST(NaiveMixers, SmallNumberInTheDenominator) {
  auto mixer = [](Tensor q, Tensor k, Tensor v, Tensor w) {
    Tensor weights = w.exp(), keys = k.exp();
    return q.sigmoid() * at::matmul(weights, keys * v) / (at::matmul(weights, keys) + 1e-6);
  };
  expectRuns("kept", mixer, "full");
  expectRuns("dropped", mixer, "full", /*fast=*/true);
}

TEST(NaiveMixers, StaysAsWritten) {
  expectRuns(
      "denominator used elsewhere",
      [](Tensor q, Tensor k, Tensor v, Tensor w) {
        Tensor z = at::matmul(w.exp(), k.exp());
        return q.sigmoid() * at::matmul(w.exp(), k.exp() * v) / z + z.log();
      },
      "");
  expectRuns(
      "other weights below",
      [](Tensor q, Tensor k, Tensor v, Tensor w) {
        return q.sigmoid() * at::matmul(w.exp(), k.exp() * v) / at::matmul(w.exp(), q.exp());
      },
      "");
  expectRuns(
      "attention",
      [](Tensor q, Tensor k, Tensor v, Tensor) {
        return at::matmul(at::softmax(at::matmul(q, k.transpose(1, 2)), -1), v);
      },
      "");
}
