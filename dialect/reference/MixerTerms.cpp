//===- MixerTerms.cpp - The sums of a mixer in double ---------------------===//

#include "dialect/reference/MixerTerms.h"

#include "llvm/ADT/TypeSwitch.h"

#include <cmath>

using namespace mlir;
using namespace aft;

void Sums::addScaled(double x, double first, double second) {
  if (std::isnan(x) || std::isnan(m)) {
    m = n = z = std::nan("");
    return;
  }
  double top = std::max(m, x);
  double old = m == top ? 1 : std::exp(m - top), own = x == top ? 1 : std::exp(x - top);
  n = (old == 0 ? 0 : n * old) + (own == 0 ? 0 : first * own);
  z = z * old + second * own;
  m = top;
}

void Sums::add(double x, double first, double second) {
  if (x == -std::numeric_limits<double>::infinity())
    return;
  addScaled(x, first, second);
}

double Sums::logz() const {
  return z == 0 ? -std::numeric_limits<double>::infinity() : m + std::log(z);
}

double aft::gateOf(Gate gate, double q) {
  switch (gate) {
  case Gate::sigmoid: return 1 / (1 + std::exp(-q));
  case Gate::relu: return q > 0 || std::isnan(q) ? q : 0;
  case Gate::tanh: return std::tanh(q);
  case Gate::none: return 1;
  }
  return 1;
}

double aft::gateDerivativeOf(Gate gate, double q) {
  switch (gate) {
  case Gate::sigmoid:
    return 1 / (2 + std::exp(q) + std::exp(-q));
  case Gate::relu: return q > 0 ? 1 : std::isnan(q) ? q : 0;
  case Gate::tanh:
    return 4 / (2 + std::exp(2 * q) + std::exp(-2 * q));
  case Gate::none: return 0;
  }
  return 0;
}

FailureOr<MixerView> MixerView::make(Operation *op, const RTensor &q, const RTensor &k,
                                     const RTensor &v, const RTensor *bias,
                                     const RTensor *lengths) {
  MixerView view;
  view.q = &q;
  view.k = &k;
  view.v = &v;
  view.w = bias;
  view.lengths = lengths;
  view.batches = q.shape[0];
  view.queries = q.shape[1];
  view.channels = q.shape[2];
  view.keys = k.shape[1];
  view.heads = k.shape[2];
  auto attributes = [&](auto mixer) {
    view.causal = mixer.getCausal();
    view.gate = mixer.getGate();
  };
  auto banded = [&](int64_t lo, int64_t hi) {
    view.isBanded = true;
    view.lo = lo;
    view.hi = hi;
  };
  llvm::TypeSwitch<Operation *>(op)
      .Case<FullOp, FullGradOp>([&](auto mixer) {
        attributes(mixer);
        view.kind = Kind::Full;
      })
      .Case<LocalOp, LocalGradOp>([&](auto mixer) {
        attributes(mixer);
        view.kind = Kind::Local;
        int64_t reach = mixer.getWindow() - 1;
        banded(reach, view.causal ? 0 : reach);
      })
      .Case<SimpleOp, SimpleGradOp>([&](auto mixer) {
        attributes(mixer);
        view.kind = Kind::Simple;
        banded(-1, 0); // no key is inside
      })
      .Case<ConvOp, ConvGradOp>([&](auto mixer) {
        attributes(mixer);
        view.kind = Kind::Conv;
        if (mixer.getGrid() && mixer.getGrid()->size() > 1) {
          view.grid.assign(mixer.getGrid()->begin(), mixer.getGrid()->end());
          return;
        }
        view.grid = {view.queries};
        int64_t taps = bias->shape[1], reach = view.causal ? taps - 1 : (taps - 1) / 2;
        banded(reach, taps - 1 - reach);
      });
  if (lengths && static_cast<int64_t>(lengths->integers.size()) != view.batches) {
    op->emitError() << "expects " << view.batches << " lengths, found "
                    << lengths->integers.size();
    return failure();
  }
  return view;
}

int64_t MixerView::visibleKeys(int64_t b) const {
  return lengths ? std::clamp<int64_t>(lengths->integers[b], 0, keys) : keys;
}

bool MixerView::sees(int64_t b, int64_t t, int64_t s) const {
  return s < visibleKeys(b) && (!causal || s <= t + keys - queries);
}

int64_t MixerView::convPlace(int64_t t, int64_t s, int64_t c) const {
  ArrayRef<int64_t> taps = ArrayRef(w->shape).drop_front();
  int64_t place = 0, scale = 1;
  for (int64_t axis = static_cast<int64_t>(grid.size()) - 1; axis >= 0; --axis) {
    int64_t from = t % grid[axis], to = s % grid[axis];
    t /= grid[axis];
    s /= grid[axis];
    int64_t tap = to - from + (causal ? taps[axis] - 1 : (taps[axis] - 1) / 2);
    if (tap < 0 || tap >= taps[axis])
      return -1;
    place += tap * scale;
    scale *= taps[axis];
  }
  return headOf(c) * scale + place;
}

int64_t MixerView::biasPlace(int64_t b, int64_t t, int64_t s, int64_t c) const {
  switch (kind) {
  case Kind::Full:
    return ((w->shape.size() == 3 ? b * queries : 0) + t) * keys + s;
  case Kind::Local:
    return s < t - lo || s > t + hi ? -1 : t * w->shape[1] + s - t + lo;
  case Kind::Simple:
    return -1;
  case Kind::Conv:
    return convPlace(t, s, c);
  }
  return -1;
}
