//===- Model.cpp - The model's operations in double -----------------------===//

#include "dialect/reference/MixerTerms.h"

#include "llvm/ADT/TypeSwitch.h"

#include <cmath>

using namespace mlir;
using namespace aft;

/// Row and column count when the last dimension is a row.
static std::pair<int64_t, int64_t> rowsOf(const RTensor &x) {
  int64_t width = x.shape.back();
  return {width == 0 ? 0 : x.size() / width, width};
}

static FailureOr<RTensors> wrongIndex(Operation *op, int64_t found, int64_t count) {
  op->emitError() << "index " << found << " is outside of [0, " << count << ")";
  return failure();
}

//===----------------------------------------------------------------------===//
// band
//===----------------------------------------------------------------------===//

/// Calls `body(t, tap, key)` for every tap whose key exists.
template <typename OpT>
static void forEachTap(OpT op, int64_t rows, int64_t taps,
                       llvm::function_ref<void(int64_t, int64_t, int64_t)> body) {
  for (int64_t t = 0; t < rows; ++t)
    for (int64_t tap = 0; tap < taps; ++tap)
      if (int64_t key = t + tap - (op.getWindow() - 1); key >= 0 && key < rows)
        body(t, tap, key);
}

static FailureOr<RTensors> band(BandOp op, const Frame &frame) {
  const RTensor &u = frame.get(op.getU()), &v = frame.get(op.getV());
  auto type = cast<RankedTensorType>(op->getResult(0).getType());
  int64_t rank = u.shape[1], taps = op.getCausal() ? op.getWindow() : 2 * op.getWindow() - 1;
  int64_t rows = type.isDynamicDim(0) ? u.shape[0] : type.getDimSize(0);
  RTensor result = RTensor::zeros({rows, taps});
  forEachTap(op, rows, taps, [&](int64_t t, int64_t tap, int64_t key) {
    for (int64_t i = 0; i < rank; ++i)
      result.reals[t * taps + tap] += u.reals[t * rank + i] * v.reals[key * rank + i];
  });
  return RTensors{result};
}

static FailureOr<RTensors> bandGrad(BandGradOp op, const Frame &frame) {
  const RTensor &dband = frame.get(op.getDband()), &u = frame.get(op.getU()),
                &v = frame.get(op.getV());
  RTensor du = RTensor::zeros(u.shape), dv = RTensor::zeros(v.shape);
  int64_t rank = u.shape[1], taps = dband.shape[1];
  forEachTap(op, dband.shape[0], taps, [&](int64_t t, int64_t tap, int64_t key) {
    double gradient = dband.reals[t * taps + tap];
    for (int64_t i = 0; i < rank; ++i) {
      du.reals[t * rank + i] += gradient * v.reals[key * rank + i];
      dv.reals[key * rank + i] += gradient * u.reals[t * rank + i];
    }
  });
  return RTensors{du, dv};
}

//===----------------------------------------------------------------------===//
// layer_norm
//===----------------------------------------------------------------------===//

static FailureOr<RTensors> layerNorm(LayerNormOp op, const Frame &frame) {
  const RTensor &x = frame.get(op.getX()), &gamma = frame.get(op.getGamma()),
                &beta = frame.get(op.getBeta());
  auto [rows, width] = rowsOf(x);
  RTensor y = RTensor::zeros(x.shape), mean = RTensor::zeros(ArrayRef(x.shape).drop_back()),
          rstd = mean;
  double eps = op.getEps().convertToDouble();
  for (int64_t row = 0; row < rows; ++row) {
    const double *in = x.reals.data() + row * width;
    double sum = 0, squares = 0;
    for (int64_t c = 0; c < width; ++c)
      sum += in[c];
    double average = sum / width;
    for (int64_t c = 0; c < width; ++c)
      squares += (in[c] - average) * (in[c] - average);
    mean.reals[row] = average;
    rstd.reals[row] = 1 / std::sqrt(squares / width + eps);
    for (int64_t c = 0; c < width; ++c)
      y.reals[row * width + c] =
          (in[c] - average) * rstd.reals[row] * gamma.reals[c] + beta.reals[c];
  }
  RTensors results = {y, mean, rstd};
  results.resize(op->getNumResults());
  return results;
}

static FailureOr<RTensors> layerNormGrad(LayerNormGradOp op, const Frame &frame) {
  const RTensor &dy = frame.get(op.getDy()), &x = frame.get(op.getX()),
                &gamma = frame.get(op.getGamma()), &mean = frame.get(op.getMean()),
                &rstd = frame.get(op.getRstd());
  auto [rows, width] = rowsOf(x);
  RTensor dx = RTensor::zeros(x.shape), dgamma = RTensor::zeros({width}), dbeta = dgamma;
  for (int64_t row = 0; row < rows; ++row) {
    auto normal = [&](int64_t c) {
      return (x.reals[row * width + c] - mean.reals[row]) * rstd.reals[row];
    };
    double sum = 0, product = 0;
    for (int64_t c = 0; c < width; ++c) {
      double gradient = dy.reals[row * width + c];
      dgamma.reals[c] += gradient * normal(c);
      dbeta.reals[c] += gradient;
      sum += gradient * gamma.reals[c];
      product += gradient * gamma.reals[c] * normal(c);
    }
    for (int64_t c = 0; c < width; ++c)
      dx.reals[row * width + c] =
          rstd.reals[row] * (dy.reals[row * width + c] * gamma.reals[c] - sum / width -
                             normal(c) * product / width);
  }
  return RTensors{dx, dgamma, dbeta};
}

//===----------------------------------------------------------------------===//
// embedding, cross_entropy
//===----------------------------------------------------------------------===//

static FailureOr<RTensors> embedding(EmbeddingOp op, const Frame &frame) {
  const RTensor &ids = frame.get(op.getIds()), &table = frame.get(op.getTable());
  SmallVector<int64_t> shape = ids.shape;
  int64_t width = table.shape[1];
  shape.push_back(width);
  RTensor y = RTensor::zeros(shape);
  for (auto [row, id] : llvm::enumerate(ids.integers)) {
    if (id < 0 || id >= table.shape[0])
      return wrongIndex(op, id, table.shape[0]);
    std::copy_n(table.reals.begin() + id * width, width, y.reals.begin() + row * width);
  }
  return RTensors{y};
}

static FailureOr<RTensors> embeddingGrad(EmbeddingGradOp op, const Frame &frame) {
  const RTensor &ids = frame.get(op.getIds()), &dy = frame.get(op.getDy());
  auto type = cast<RankedTensorType>(op->getResult(0).getType());
  if (!type.hasStaticShape())
    return op.emitError() << "the shape of 'dtable' must be static in the reference "
                             "interpreter, found " << type;
  RTensor dtable = RTensor::zeros(type.getShape());
  int64_t width = dy.shape.back();
  for (auto [row, id] : llvm::enumerate(ids.integers)) {
    if (id < 0 || id >= dtable.shape[0])
      return wrongIndex(op, id, dtable.shape[0]);
    for (int64_t c = 0; c < width; ++c)
      dtable.reals[id * width + c] += dy.reals[row * width + c];
  }
  return RTensors{dtable};
}

/// The rows of a loss that count: those without a negative target.
static double countedRows(const RTensor &targets) {
  return static_cast<double>(llvm::count_if(targets.integers, [](int64_t t) { return t >= 0; }));
}

static FailureOr<RTensors> crossEntropy(CrossEntropyOp op, const Frame &frame) {
  const RTensor &logits = frame.get(op.getLogits()), &targets = frame.get(op.getTargets());
  auto [rows, classes] = rowsOf(logits);
  RTensor loss = RTensor::zeros({}), lse = RTensor::zeros({rows});
  for (int64_t row = 0; row < rows; ++row) {
    int64_t target = targets.integers[row];
    if (target >= classes)
      return wrongIndex(op, target, classes);
    Sums sums;
    for (int64_t c = 0; c < classes; ++c)
      sums.add(logits.reals[row * classes + c], 1);
    lse.reals[row] = sums.logz();
    if (target >= 0)
      loss.reals[0] += lse.reals[row] - logits.reals[row * classes + target];
  }
  loss.reals[0] /= countedRows(targets);
  RTensors results = {loss, lse};
  results.resize(op->getNumResults());
  return results;
}

static FailureOr<RTensors> crossEntropyGrad(CrossEntropyGradOp op, const Frame &frame) {
  const RTensor &logits = frame.get(op.getLogits()), &targets = frame.get(op.getTargets()),
                &lse = frame.get(op.getLse());
  double dloss = frame.get(op.getDloss()).reals[0] / countedRows(targets);
  auto [rows, classes] = rowsOf(logits);
  RTensor dlogits = RTensor::zeros(logits.shape);
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t c = 0; c < classes && targets.integers[row] >= 0; ++c) {
      double share = std::exp(logits.reals[row * classes + c] - lse.reals[row]);
      dlogits.reals[row * classes + c] = dloss * (share - (c == targets.integers[row]));
    }
  return RTensors{dlogits};
}

//===----------------------------------------------------------------------===//
// dropout, adamw
//===----------------------------------------------------------------------===//

static bool keeps(uint64_t seed, uint64_t stream, uint64_t index, double p) {
  uint64_t x = seed + stream * 0x9E3779B97F4A7C15u + index * 0xD1B54A32D192ED03u;
  x ^= x >> 30;
  x *= 0xBF58476D1CE4E5B9u;
  x ^= x >> 27;
  x *= 0x94D049BB133111EBu;
  x ^= x >> 31;
  return static_cast<double>(x >> 40) * 0x1p-24 >= p;
}

static FailureOr<RTensors> dropout(DropoutOp op, const Frame &frame) {
  RTensor y = frame.get(op.getX());
  uint64_t seed = frame.get(op.getSeed()).integers[0];
  double p = op.getP().convertToDouble();
  for (int64_t i = 0, count = y.size(); i < count; ++i)
    y.reals[i] = keeps(seed, op.getStream(), i, p) ? y.reals[i] / (1 - p) : 0;
  return RTensors{y};
}

static FailureOr<RTensors> adamw(AdamWOp op, const Frame &frame) {
  RTensor param = frame.get(op.getParam()), m = frame.get(op.getM()), v = frame.get(op.getV());
  const RTensor &grad = frame.get(op.getGrad());
  double lr = frame.get(op.getLr()).reals[0], scale = frame.get(op.getScale()).reals[0],
         step = static_cast<double>(frame.get(op.getStep()).integers[0]);
  double beta1 = op.getBeta1().convertToDouble(), beta2 = op.getBeta2().convertToDouble(),
         eps = op.getEps().convertToDouble(), decay = op.getWeightDecay().convertToDouble();
  double first = 1 - std::pow(beta1, step), second = 1 - std::pow(beta2, step);
  for (int64_t i = 0, count = param.size(); i < count; ++i) {
    double g = grad.reals[i] * scale;
    m.reals[i] = beta1 * m.reals[i] + (1 - beta1) * g;
    v.reals[i] = beta2 * v.reals[i] + (1 - beta2) * g * g;
    double update = m.reals[i] / first / (std::sqrt(v.reals[i] / second) + eps);
    param.reals[i] -= lr * (decay * param.reals[i] + update);
  }
  return RTensors{param, m, v};
}

Evaluated aft::evaluateModel(Operation *op, const Frame &frame) {
  return llvm::TypeSwitch<Operation *, Evaluated>(op)
      .Case<BandOp>([&](auto own) { return band(own, frame); })
      .Case<BandGradOp>([&](auto own) { return bandGrad(own, frame); })
      .Case<LayerNormOp>([&](auto own) { return layerNorm(own, frame); })
      .Case<LayerNormGradOp>([&](auto own) { return layerNormGrad(own, frame); })
      .Case<EmbeddingOp>([&](auto own) { return embedding(own, frame); })
      .Case<EmbeddingGradOp>([&](auto own) { return embeddingGrad(own, frame); })
      .Case<CrossEntropyOp>([&](auto own) { return crossEntropy(own, frame); })
      .Case<CrossEntropyGradOp>([&](auto own) { return crossEntropyGrad(own, frame); })
      .Case<DropoutOp>([&](auto own) { return dropout(own, frame); })
      .Case<AdamWOp>([&](auto own) { return adamw(own, frame); })
      .Case<StopGradientOp>([&](auto own) { return RTensors{frame.get(own.getX())}; })
      .Default([](Operation *) { return Evaluated(); });
}
