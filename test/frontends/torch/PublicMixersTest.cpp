//===- PublicMixersTest.cpp - Spellings of AFT that models use -------------===//
// The forms that AFT has in models written elsewhere, in code of our own: which
// become mixers, and which only look like one.

#include "NaiveHarness.h"

using namespace aft;
using namespace aft::test;

/// 1 where |t - t'| < window.
static Tensor band(const Tensor &w, int64_t window) {
  return at::ones_like(w).tril(window - 1).triu(1 - window);
}

//===----------------------------------------------------------------------===//
// full
//===----------------------------------------------------------------------===//

/// Matrix products of exponentials, the bias with a batch dimension of its own.
static Tensor productsFull(Tensor q, Tensor k, Tensor v, Tensor w) {
  Tensor weights = at::exp(w.unsqueeze(0));
  Tensor above = at::matmul(weights, at::mul(at::exp(k), v));
  return at::mul(at::sigmoid(q), above / at::matmul(weights, at::exp(k)));
}

/// Time first, maxima subtracted, a mask [t, t', 1] that fills in -inf, einsum.
static Tensor timeFirst(Tensor q, Tensor k, Tensor v, Tensor w) {
  q = q.transpose(0, 1), k = k.transpose(0, 1), v = v.transpose(0, 1);
  Tensor bias = w.unsqueeze(-1);
  bias = bias.masked_fill(causalMask(w).unsqueeze(-1).logical_not(), -kInfinity);
  Tensor keys = at::exp(k - std::get<0>(k.max(0, true)));
  Tensor weights = at::exp(bias - std::get<0>(bias.max(1, true)));
  Tensor above = at::einsum("ijb,jbd->ibd", {weights, keys * v});
  Tensor below = at::einsum("ijb,jbd->ibd", {weights, keys});
  return (at::sigmoid(q) * above / below).transpose(0, 1);
}

static Tensor inLogarithms(Tensor q, Tensor k, Tensor v, Tensor w) {
  Tensor logits = w.unsqueeze(0).unsqueeze(-1) + k.unsqueeze(1);
  Tensor weights = at::exp(logits - at::logsumexp(logits, {2}, true));
  return at::sigmoid(q) * (weights * v.unsqueeze(1)).sum(2);
}

TEST(PublicMixers, Full) {
  expectRuns("products", productsFull, "full");
  expectRuns("time first", timeFirst, "full");
  expectRuns("in logarithms", inLogarithms, "full");
  expectRuns(
      "a copy of the bias per sequence",
      [](Tensor q, Tensor k, Tensor v, Tensor w) {
        Tensor weights = w.exp().unsqueeze(0).expand({k.size(0), -1, -1});
        return q.sigmoid() * at::bmm(weights, k.exp() * v) / at::bmm(weights, k.exp());
      },
      "full");
  expectRuns(
      "the gate by hand",
      [](Tensor q, Tensor k, Tensor v, Tensor w) {
        Tensor gate = 1 / (1 + (-q).exp());
        return at::matmul(w.exp(), k.exp() * v) * gate / at::matmul(w.exp(), k.exp());
      },
      "full");
  expectRuns(
      "gate inside the numerator",
      [](Tensor q, Tensor k, Tensor v, Tensor w) {
        Tensor above = q.sigmoid() * at::matmul(w.exp(), k.exp() * v);
        return above * at::matmul(w.exp(), k.exp()).reciprocal();
      },
      "full");
  expectRuns(
      "heads",
      [](Tensor q, Tensor k, Tensor v, Tensor w) {
        auto heads = [](Tensor x) { return x.view({x.size(0), x.size(1), 2, 3}).transpose(1, 2); };
        Tensor keys = heads(k).exp(), weights = w.exp();
        Tensor y = at::matmul(weights, keys * heads(v)) / at::matmul(weights, keys);
        return q.sigmoid() * y.transpose(1, 2).reshape(q.sizes());
      },
      "full");
  expectRuns(
      "a query that multiplies",
      [](Tensor q, Tensor k, Tensor v, Tensor w) {
        return q * at::matmul(w.exp(), k.exp() * v) / at::matmul(w.exp(), k.exp());
      },
      "full");
}

TEST(PublicMixers, Masks) {
  expectRuns(
      "-1e9 filled in",
      [](Tensor q, Tensor k, Tensor v, Tensor w) {
        return productsFull(q, k, v, w.masked_fill(causalMask(w) == 0, -1e9));
      },
      "full");
  expectRuns(
      "the lowest float filled in",
      [](Tensor q, Tensor k, Tensor v, Tensor w) {
        Tensor low = at::full({}, std::numeric_limits<float>::lowest(), w.options());
        return inLogarithms(q, k, v, at::where(causalMask(w), w, low));
      },
      "full");
  expectRuns(
      "-1e9 added",
      [](Tensor q, Tensor k, Tensor v, Tensor w) {
        return productsFull(q, k, v, w + (1 - at::ones_like(w).tril()) * -1e9);
      },
      "full");
  expectRuns(
      "logarithm of a mask added",
      [](Tensor q, Tensor k, Tensor v, Tensor w) {
        return productsFull(q, k, v, w + at::ones_like(w).tril().log());
      },
      "full");
}

//===----------------------------------------------------------------------===//
// simple
//===----------------------------------------------------------------------===//

static Tensor softmaxSimple(Tensor q, Tensor k, Tensor v, Tensor) {
  Tensor weights = at::mul(at::softmax(k, 1), v).sum(1, true);
  return at::mul(at::sigmoid(q), weights);
}

static Tensor clampedRunning(Tensor q, Tensor k, Tensor v, Tensor) {
  Tensor keys = at::clamp(k, -60, 30).exp();
  return at::sigmoid(q) * at::cumsum(keys * v, 1) / at::cumsum(keys, 1);
}

TEST(PublicMixers, Simple) {
  expectRuns("softmax over time", softmaxSimple, "simple");
  expectRuns(
      "softmax over the last dimension",
      [](Tensor q, Tensor k, Tensor v, Tensor) {
        Tensor weights = at::softmax(k.transpose(1, 2), -1);
        return q.sigmoid() * (weights * v.transpose(1, 2)).sum(-1).unsqueeze(1);
      },
      "simple");
  expectRuns(
      "einsum",
      [](Tensor q, Tensor k, Tensor v, Tensor) {
        Tensor context = at::einsum("btd,btd->bd", {at::softmax(k, 1), v});
        return at::einsum("btd,bd->btd", {q.sigmoid(), context});
      },
      "simple");
  expectRuns("running sums of clamped keys", clampedRunning, "simple");
  expectRuns(
      "running sums as products with tril",
      [](Tensor q, Tensor k, Tensor v, Tensor w) {
        Tensor lower = at::ones_like(w).tril(), keys = k.exp();
        return q.sigmoid() * at::matmul(lower, keys * v) / at::matmul(lower, keys);
      },
      "simple");
}

//===----------------------------------------------------------------------===//
// local
//===----------------------------------------------------------------------===//

static Tensor maskedLocal(Tensor q, Tensor k, Tensor v, Tensor w) {
  return productsFull(q, k, v, w * band(w, 2));
}

static Tensor causalLocal(Tensor q, Tensor k, Tensor v, Tensor w) {
  return timeFirst(q, k, v, w.triu(-2));
}

static Tensor factorisedLocal(Tensor q, Tensor k, Tensor v, Tensor w) {
  using at::indexing::Ellipsis;
  Tensor left = w.index({Ellipsis, Slice(0, 2)}), right = w.index({Ellipsis, Slice(1, 3)});
  return productsFull(q, k, v, at::where(band(w, 2) == 1, at::matmul(left, right.t()), 0.0));
}

TEST(PublicMixers, Local) {
  expectRuns("times a band", maskedLocal, "local");
  expectRuns("causal", causalLocal, "local");
  expectRuns("factorised", factorisedLocal, "local");
  expectRuns(
      "distances compared",
      [](Tensor q, Tensor k, Tensor v, Tensor w) {
        Tensor places = at::arange(w.size(0));
        Tensor distance = (places.unsqueeze(0) - places.unsqueeze(1)).abs();
        return timeFirst(q, k, v, w.masked_fill(distance >= 2, 0));
      },
      "local");
  expectRuns(
      "softmax",
      [](Tensor q, Tensor k, Tensor v, Tensor w) {
        return inLogarithms(q, k, v, at::where(band(w, 2).to(at::kBool), w, 0.0));
      },
      "local");
}

TEST(PublicMixers, Training) {
  expectTrains("time first", timeFirst, "full");
  expectTrains("in logarithms", inLogarithms, "full");
  expectTrains("softmax over time", softmaxSimple, "simple");
  expectTrains("running sums of clamped keys", clampedRunning, "simple");
  expectTrains("times a band", maskedLocal, "local");
  expectTrains("causal band", causalLocal, "local");
  expectTrains("factorised band", factorisedLocal, "local");
}

TEST(PublicMixers, HidesInTheBias) {
  auto further = [](Tensor q, Tensor k, Tensor v, Tensor w) {
    return productsFull(q, k, v, w.masked_fill(at::ones_like(w).tril(1) == 0, -kInfinity));
  };
  expectRuns("one key further", further, "full");
  expectTrains("one key further", further, "full");
}

//===----------------------------------------------------------------------===//
// What must stay
//===----------------------------------------------------------------------===//

TEST(PublicMixers, StaysAsWritten) {
  expectRuns(
      "weights that the denominator lacks",
      [](Tensor q, Tensor k, Tensor v, Tensor w) {
        Tensor keys = at::clamp(k, -60, 30).exp();
        return q.sigmoid() * at::matmul(w, keys * v) / at::cumsum(keys, 1);
      },
      "");
  expectRuns(
      "softmax over channels",
      [](Tensor q, Tensor k, Tensor v, Tensor) {
        return q.sigmoid() * (at::softmax(k, -1) * v).sum(1, true);
      },
      "");
  expectRuns(
      "later keys below",
      [](Tensor q, Tensor k, Tensor v, Tensor w) {
        Tensor weights = w.exp();
        return at::matmul(weights.tril(), k.exp() * v) / at::matmul(weights, k.exp());
      },
      "");
  expectRuns(
      "every second key",
      [](Tensor q, Tensor k, Tensor v, Tensor w) {
        Tensor some = k.exp().slice(1, 0, None, 2);
        Tensor weights = w.exp().slice(1, 0, None, 2);
        return at::matmul(weights, some * v.slice(1, 0, None, 2)) /
               at::matmul(weights, k.exp().slice(1, 0, None, 2).flip({1}));
      },
      "");
}
