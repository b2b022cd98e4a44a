//===- Mixers.cpp - The mixers and their derivatives in double ------------===//

#include "dialect/reference/MixerTerms.h"

#include "llvm/ADT/TypeSwitch.h"

#include <cmath>

using namespace mlir;
using namespace aft;

//===----------------------------------------------------------------------===//
// Forward
//===----------------------------------------------------------------------===//

/// Sums over the keys before, and after, each place of one channel.
static std::vector<Sums> prefixes(const MixerView &view, int64_t b, int64_t c, bool fromEnd) {
  int64_t keys = view.visibleKeys(b);
  std::vector<Sums> sums(view.keys + 1);
  for (int64_t i = 0; i < view.keys; ++i) {
    int64_t s = fromEnd ? view.keys - 1 - i : i, from = fromEnd ? s + 1 : s,
            to = fromEnd ? s : s + 1;
    sums[to] = sums[from];
    if (s < keys)
      sums[to].add(view.key(b, s, c), view.value(b, s, c));
  }
  return sums; // [i]: keys < i, or keys >= i
}

static Sums sumOfRow(const MixerView &view, int64_t b, int64_t t, int64_t c,
                     const std::vector<Sums> &before, const std::vector<Sums> &after) {
  Sums sums;
  int64_t first = 0, last = view.keys;
  if (view.isBanded) {
    first = std::clamp<int64_t>(t - view.lo, 0, view.keys);
    last = std::clamp<int64_t>(t + view.hi + 1, first, view.keys);
    sums.add(before[first]);
    if (!view.causal)
      sums.add(after[last]);
  }
  for (int64_t s = first; s < last; ++s)
    if (view.sees(b, t, s))
      sums.add(view.key(b, s, c) + view.bias(b, t, s, c), view.value(b, s, c));
  return sums;
}

static RTensors forward(const MixerView &view) {
  SmallVector<int64_t> shape = {view.batches, view.queries, view.channels},
                       keyShape = {view.batches, view.queries, view.heads};
  RTensor y = RTensor::zeros(shape), ratio = y, logz = RTensor::zeros(keyShape);
  for (int64_t b = 0; b < view.batches; ++b)
    for (int64_t c = 0; c < view.channels; ++c) {
      std::vector<Sums> before, after;
      if (view.isBanded) {
        before = prefixes(view, b, c, false);
        after = prefixes(view, b, c, true);
      }
      for (int64_t t = 0; t < view.queries; ++t) {
        Sums sums = sumOfRow(view, b, t, c, before, after);
        int64_t place = (b * view.queries + t) * view.channels + c;
        ratio.reals[place] = sums.ratio();
        y.reals[place] = sums.z == 0 ? 0 : gateOf(view.gate, view.query(b, t, c)) * sums.ratio();
        logz.reals[(b * view.queries + t) * view.heads + view.headOf(c)] = sums.logz();
      }
    }
  return {y, ratio, logz};
}

//===----------------------------------------------------------------------===//
// Derivatives
//===----------------------------------------------------------------------===//

namespace {

/// Accumulates the gradients of one mixer.
class Backward {
public:
  Backward(const MixerView &view, const RTensor &dy, const RTensor &ratio, const RTensor &logz,
           const RTensor &q, const RTensor &k, const RTensor &v, const RTensor *w)
      : view(view), dy(dy), ratio(ratio), logz(logz), dq(RTensor::zeros(q.shape)),
        dk(RTensor::zeros(k.shape)), dv(RTensor::zeros(v.shape)) {
    if (w)
      dw = RTensor::zeros(w->shape);
    hasBias = w;
  }
  RTensors run();

private:
  double gradient(int64_t b, int64_t t, int64_t c) const {
    return dy.reals[place(b, t, c)] * gateOf(view.gate, view.query(b, t, c));
  }
  double logzOf(int64_t b, int64_t t, int64_t c) const {
    return logz.reals[(b * view.queries + t) * view.heads + view.headOf(c)];
  }
  int64_t place(int64_t b, int64_t t, int64_t c) const {
    return (b * view.queries + t) * view.channels + c;
  }
  void addKey(int64_t b, int64_t s, int64_t c, double forValue, double forKey) {
    dv.reals[(b * view.keys + s) * view.channels + c] += forValue;
    dk.reals[(b * view.keys + s) * view.heads + view.headOf(c)] += forKey;
  }
  void addPair(int64_t b, int64_t t, int64_t s, int64_t c);
  void addOutside(int64_t b, int64_t c);

  const MixerView &view;
  const RTensor &dy, &ratio, &logz;
  RTensor dq, dk, dv, dw;
  bool hasBias;
};

} // namespace

void Backward::addPair(int64_t b, int64_t t, int64_t s, int64_t c) {
  if (!view.sees(b, t, s) || std::isinf(logzOf(b, t, c)))
    return;
  int64_t biasPlace = view.biasPlace(b, t, s, c);
  double x = view.key(b, s, c) + view.bias(b, t, s, c);
  double weight = std::exp(x - logzOf(b, t, c));
  if (weight == 0)
    return;
  double forValue = weight * gradient(b, t, c);
  double forKey = forValue * (view.value(b, s, c) - ratio.reals[place(b, t, c)]);
  addKey(b, s, c, forValue, forKey);
  if (biasPlace >= 0)
    dw.reals[biasPlace] += forKey;
}

/// The pairs outside of the windows, all with bias 0: sums over the queries
/// after and before each key.
void Backward::addOutside(int64_t b, int64_t c) {
  std::vector<Sums> later(view.queries + 1), earlier(view.queries + 1);
  auto addQuery = [&](Sums &sums, int64_t t) {
    // n: sum of exp(-logz) G, z: sum of exp(-logz) G R.
    if (double log = logzOf(b, t, c); !std::isinf(log)) {
      double g = gradient(b, t, c);
      sums.add(-log, g, g * ratio.reals[place(b, t, c)]);
    }
  };
  for (int64_t t = view.queries - 1; t >= 0; --t) {
    later[t] = later[t + 1];
    addQuery(later[t], t);
  }
  for (int64_t t = 0; t < view.queries; ++t) {
    earlier[t + 1] = earlier[t];
    addQuery(earlier[t + 1], t);
  }
  for (int64_t s = 0; s < view.visibleKeys(b); ++s) {
    double key = view.key(b, s, c);
    if (key == -std::numeric_limits<double>::infinity())
      continue;
    auto add = [&](const Sums &sums) {
      double weight = std::exp(key + sums.m);
      if (weight == 0)
        return;
      double forValue = weight * sums.n;
      addKey(b, s, c, forValue, forValue * view.value(b, s, c) - weight * sums.z);
    };
    // Key s lies left of the window of t when s < t - lo, right when s > t + hi.
    add(later[std::clamp<int64_t>(s + view.lo + 1, 0, view.queries)]);
    if (!view.causal)
      add(earlier[std::clamp<int64_t>(s - view.hi, 0, view.queries)]);
  }
}

RTensors Backward::run() {
  for (int64_t b = 0; b < view.batches; ++b)
    for (int64_t c = 0; c < view.channels; ++c) {
      for (int64_t t = 0; t < view.queries; ++t) {
        if (!std::isinf(logzOf(b, t, c)))
          dq.reals[place(b, t, c)] = dy.reals[place(b, t, c)] *
                                     gateDerivativeOf(view.gate, view.query(b, t, c)) *
                                     ratio.reals[place(b, t, c)];
        int64_t first = view.isBanded ? std::max<int64_t>(t - view.lo, 0) : 0;
        int64_t last = view.isBanded ? std::min(t + view.hi + 1, view.keys) : view.keys;
        for (int64_t s = first; s < last; ++s)
          addPair(b, t, s, c);
      }
      if (view.isBanded)
        addOutside(b, c);
    }
  RTensors results = {dq, dk, dv};
  if (hasBias)
    results.push_back(dw);
  return results;
}

//===----------------------------------------------------------------------===//
// Dispatch
//===----------------------------------------------------------------------===//

static const RTensor *optional(Value value, const Frame &frame) {
  return value ? &frame.get(value) : nullptr;
}

template <typename OpT>
static Value biasOf(OpT op) {
  if constexpr (std::is_same_v<OpT, FullOp> || std::is_same_v<OpT, FullGradOp>)
    return op.getW();
  else if constexpr (std::is_same_v<OpT, LocalOp> || std::is_same_v<OpT, LocalGradOp>)
    return op.getBand();
  else if constexpr (std::is_same_v<OpT, ConvOp> || std::is_same_v<OpT, ConvGradOp>)
    return op.getFilter();
  else
    return Value();
}

Evaluated aft::evaluateMixer(Operation *op, const Frame &frame) {
  return llvm::TypeSwitch<Operation *, Evaluated>(op)
      .Case<FullOp, LocalOp, SimpleOp, ConvOp>([&](auto mixer) -> Evaluated {
        FailureOr<MixerView> view = MixerView::make(
            op, frame.get(mixer.getQ()), frame.get(mixer.getK()), frame.get(mixer.getV()),
            optional(biasOf(mixer), frame), optional(mixer.getLengths(), frame));
        if (failed(view))
          return FailureOr<RTensors>(failure());
        RTensors results = forward(*view);
        results.resize(op->getNumResults());
        return FailureOr<RTensors>(results);
      })
      .Default([](Operation *) { return Evaluated(); });
}

/// The gradient of a band as the first of its parts, and zeros.
static void splitParts(LocalGradOp op, const Frame &frame, RTensor &dband) {
  if (!op.hasBandInParts())
    return;
  int64_t parts = frame.get(op.getInits()[3]).shape[0];
  dband.reals.resize(dband.reals.size() * parts);
  dband.shape.insert(dband.shape.begin(), parts);
}

Evaluated aft::evaluateMixerGrad(Operation *op, const Frame &frame) {
  return llvm::TypeSwitch<Operation *, Evaluated>(op)
      .Case<FullGradOp, LocalGradOp, SimpleGradOp, ConvGradOp>([&](auto mixer) -> Evaluated {
        const RTensor &q = frame.get(mixer.getQ()), &k = frame.get(mixer.getK()),
                      &v = frame.get(mixer.getV());
        const RTensor *w = optional(biasOf(mixer), frame);
        FailureOr<MixerView> view =
            MixerView::make(op, q, k, v, w, optional(mixer.getLengths(), frame));
        if (failed(view))
          return FailureOr<RTensors>(failure());
        Backward backward(*view, frame.get(mixer.getDy()), frame.get(mixer.getRatio()),
                          frame.get(mixer.getLogz()), q, k, v, w);
        RTensors results = backward.run();
        if constexpr (std::is_same_v<decltype(mixer), LocalGradOp>)
          splitParts(mixer, frame, results[3]);
        return FailureOr<RTensors>(std::move(results));
      })
      .Default([](Operation *) { return Evaluated(); });
}
