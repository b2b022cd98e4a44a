//===- Layers.cpp - Rules of normalisation, dropout and losses ------------===//

#include "frontends/torch/capture/Rules.h"

#include <ATen/core/Reduction.h>

#include <cmath>

using namespace aft;
using namespace aft::capture;

//===----------------------------------------------------------------------===//
// Normalisation
//===----------------------------------------------------------------------===//

static Results layerNorm(Operation &op) {
  Function &f = op.f;
  Value x = op.as("input"), weight = op.optional("weight"), bias = op.optional("bias");
  size_t dims = op.integers("normalized_shape").size();
  if (dims > 1) {
    x = f.flatten(x, -static_cast<int>(dims));
    weight = weight ? f.flatten(weight) : weight;
    bias = bias ? f.flatten(bias) : bias;
  }
  Value y = f.layerNorm(x, weight, bias, op.number("eps", 1e-5));
  return dims > 1 ? f.reshape(y, op.shape()) : y;
}

static Results rmsNorm(Operation &op) {
  Function &f = op.f;
  DType dtype = op.dtype(), wide = dtype == DType::f64 ? DType::f64 : DType::f32;
  Value x = op.as("input", wide);
  std::vector<int> dims;
  for (size_t i = 1; i <= op.integers("normalized_shape").size(); ++i)
    dims.push_back(-static_cast<int>(i));
  double smallest = dtype == DType::f64 ? 0x1p-52 : dtype == DType::bf16 ? 0x1p-7 : 0x1p-23;
  Value square = f.mean(f.mul(x, x), dims, true);
  Value y = f.mul(x, f.rsqrt(f.add(square, op.number("eps", smallest))));
  if (op.has("weight"))
    y = f.mul(y, op.as("weight", wide));
  return f.cast(y, dtype);
}

/// One number per channel, dimension 1 of x.
static Value perChannel(Operation &op, Value numbers, int rank) {
  std::vector<Extent> shape(rank, 1);
  shape[1] = op.f.extent(numbers, 0);
  return op.f.reshape(numbers, shape);
}

static Value scaledAndShifted(Operation &op, Value y, int rank) {
  if (op.has("weight"))
    y = op.f.mul(y, perChannel(op, op.as("weight"), rank));
  return op.has("bias") ? op.f.add(y, perChannel(op, op.as("bias"), rank)) : y;
}

/// `own`: with the statistics of the batch.
static Results batchNormWith(Operation &op, bool own) {
  Value x = op.as("input"), mean, variance;
  if (own && op.has("running_mean"))
    op.fail("batch normalisation that updates its running statistics is not supported; call eval()");
  if (own) {
    std::vector<int> dims = {0};
    for (int dim = 2; dim < x.rank(); ++dim)
      dims.push_back(dim);
    mean = op.f.mean(x, dims, true);
    variance = op.f.variance(x, dims, true);
  } else {
    mean = perChannel(op, op.as("running_mean"), x.rank());
    variance = perChannel(op, op.as("running_var"), x.rank());
  }
  Value scale = op.f.rsqrt(op.f.add(variance, op.number("eps", 1e-5)));
  return scaledAndShifted(op, op.f.mul(op.f.sub(x, mean), scale), x.rank());
}

static Results batchNorm(Operation &op) { return batchNormWith(op, op.flag("training")); }

/// `count`: the argument that says how many groups there are.
static Results groupNormWith(Operation &op, const char *count) {
  Function &f = op.f;
  Value x = op.as("input");
  int64_t groups = op.integer(count);
  Value rows = f.reshape(x, {f.extent(x, 0), groups, -1});
  Value centred = f.sub(rows, f.mean(rows, {2}, true));
  Value scale = f.rsqrt(f.add(f.mean(f.mul(centred, centred), {2}, true), op.number("eps", 1e-5)));
  return scaledAndShifted(op, f.reshape(f.mul(centred, scale), f.shape(x)), x.rank());
}

static Results groupNorm(Operation &op) { return groupNormWith(op, "num_groups"); }

//===----------------------------------------------------------------------===//
// Embedding and dropout
//===----------------------------------------------------------------------===//

static Results embedding(Operation &op) {
  return op.f.index(op.value("weight"), op.value("indices"));
}

static Results dropout(Operation &op) {
  Value x = op.as("input");
  double p = op.number("p");
  if (!op.flag("train") || p == 0)
    return x;
  if (!op.isTraining())
    op.fail("dropout draws random numbers; call eval() on a module that is not being trained");
  return p == 1 ? op.f.splat(0, op.dtype(), op.shape()) : op.f.dropout(x, op.seed(), p);
}

//===----------------------------------------------------------------------===//
// Losses
//===----------------------------------------------------------------------===//

static Value reducedLoss(Operation &op, Value loss) {
  int64_t reduction = op.integer("reduction", at::Reduction::Mean);
  if (reduction == at::Reduction::None)
    return loss;
  return reduction == at::Reduction::Mean ? op.f.mean(loss) : op.f.sum(loss);
}

/// Dimension 1, the classes, last: [N, C, ...] to [N, ..., C].
static Value classesLast(Operation &op, Value x) {
  if (x.rank() <= 2)
    return x;
  std::vector<int> order = {0};
  for (int dim = 2; dim < x.rank(); ++dim)
    order.push_back(dim);
  order.push_back(1);
  return op.f.permute(x, order);
}

/// Mean or sum over the targets that are not to be ignored of
/// -(logp[target] * (1 - smoothing) + mean(logp) * smoothing), each class with
/// its weight; the mean is over the weights of the targets.
static Results negativeLogLikelihood(Operation &op, Value logp, double smoothing) {
  Function &f = op.f;
  Value target = op.value("target"), weight;
  Value places = f.arange(f.extent(logp, -1), target.dtype());
  Value hot = f.cast(f.compare(Compare::eq, f.unsqueeze(target, -1), places), logp.dtype());
  Value weighted = logp, share = f.cast(f.compare(Compare::ge, target, 0), logp.dtype());
  if (op.has("weight")) {
    weight = op.as("weight", logp.dtype());
    weighted = f.mul(logp, weight);
    share = f.sum(f.mul(hot, weight), {-1});
  }
  Value loss = f.neg(f.sum(f.mul(weighted, hot), {-1}));
  if (smoothing > 0)
    loss = f.add(f.mul(loss, 1 - smoothing), f.mul(f.mean(weighted, {-1}), -smoothing));
  Value counts = f.compare(Compare::ne, target, op.integer("ignore_index", -100));
  loss = f.where(counts, loss, 0);
  int64_t reduction = op.integer("reduction", at::Reduction::Mean);
  if (reduction == at::Reduction::None)
    return loss;
  Value total = f.sum(loss);
  return reduction == at::Reduction::Sum ? total
                                         : f.div(total, f.sum(f.where(counts, share, 0)));
}

/// Against class probabilities: the mean over rows of -sum(p * logp).
static Value probabilityLoss(Operation &op, Value logp, Value target, double smoothing) {
  Function &f = op.f;
  target = classesLast(op, f.cast(target, logp.dtype()));
  if (smoothing > 0)
    target = f.add(f.mul(target, 1 - smoothing), smoothing / static_cast<double>(logp.dim(-1)));
  if (op.has("weight"))
    logp = f.mul(logp, op.as("weight", logp.dtype()));
  return reducedLoss(op, f.neg(f.sum(f.mul(logp, target), {-1})));
}

static Results crossEntropy(Operation &op) {
  Function &f = op.f;
  Value logits = classesLast(op, op.value("self")), target = op.value("target");
  bool numbers = target.dtype() == DType::i64 || target.dtype() == DType::i32;
  double smoothing = op.number("label_smoothing");
  bool plain = numbers && !op.has("weight") && smoothing == 0 && op.integer("ignore_index", -100) < 0 &&
               op.integer("reduction", at::Reduction::Mean) == at::Reduction::Mean;
  // Rows with any negative target do not count; LibTorch refuses all but one.
  if (plain && logits.rank() >= 2)
    return f.cast(f.crossEntropy(logits, target), op.dtype());
  DType wide = logits.dtype() == DType::f64 ? DType::f64 : DType::f32;
  Value logp = f.logSoftmax(f.cast(logits, wide), -1);
  Value loss = numbers ? negativeLogLikelihood(op, logp, smoothing)[0]
                       : probabilityLoss(op, logp, target, smoothing);
  return f.cast(loss, op.dtype());
}

static Results nllLoss(Operation &op) {
  return negativeLogLikelihood(op, classesLast(op, op.as("self")), 0);
}

static Results squaredLoss(Operation &op) {
  Value difference = op.f.sub(op.as("self"), op.as("target"));
  return reducedLoss(op, op.f.mul(difference, difference));
}

static Results absoluteLoss(Operation &op) {
  return reducedLoss(op, op.f.abs(op.f.sub(op.as("self"), op.as("target"))));
}

/// Squared up to a distance, then straight; `slope` scales the straight part.
static Value bentLoss(Operation &op, double width, double slope) {
  Function &f = op.f;
  Value size = f.abs(f.sub(op.as("self"), op.as("target")));
  Value straight = f.mul(f.sub(size, 0.5 * width), slope);
  Value bent = f.mul(f.mul(size, size), 0.5 * slope / width);
  return reducedLoss(op, f.where(f.compare(Compare::lt, size, width), bent, straight));
}

static Results smoothAbsoluteLoss(Operation &op) {
  double beta = op.number("beta", 1);
  return beta == 0 ? absoluteLoss(op) : Results(bentLoss(op, beta, 1));
}

static Results huberLoss(Operation &op) {
  double delta = op.number("delta", 1);
  return bentLoss(op, delta, delta);
}

/// Of probabilities; logarithms are at least -100, as in LibTorch.
static Results binaryCrossEntropyOfShares(Operation &op) {
  Function &f = op.f;
  Value x = op.as("self"), y = op.as("target");
  Value yes = f.maximum(f.log(x), -100), no = f.maximum(f.log1p(f.neg(x)), -100);
  Value loss = f.neg(f.add(f.mul(y, yes), f.mul(f.sub(1, y), no)));
  return reducedLoss(op, op.has("weight") ? f.mul(loss, op.as("weight")) : loss);
}

/// max(x, 0) - x * y + log(1 + exp(-|x|))
static Results binaryCrossEntropy(Operation &op) {
  Function &f = op.f;
  Value x = op.as("self"), y = op.as("target");
  Value tail = f.log1p(f.exp(f.neg(f.abs(x))));
  Value loss = f.add(f.sub(f.relu(x), f.mul(x, y)), tail);
  if (op.has("pos_weight")) {
    // (1 - y) x + (1 + (p - 1) y) (log(1 + exp(-|x|)) + max(-x, 0))
    Value factor = f.add(f.mul(f.sub(op.as("pos_weight"), 1), y), 1);
    loss = f.add(f.mul(f.sub(1, y), x), f.mul(factor, f.add(tail, f.relu(f.neg(x)))));
  }
  return reducedLoss(op, op.has("weight") ? f.mul(loss, op.as("weight")) : loss);
}

void aft::capture::addLayerRules(Rules &rules) {
  rules["aten::layer_norm"] = layerNorm;
  rules["aten::rms_norm"] = rmsNorm;
  rules["aten::batch_norm"] = batchNorm;
  rules["aten::group_norm"] = groupNorm;
  // What LibTorch makes of these. The statistics that are further results are for
  // derivatives.
  rules["aten::native_layer_norm"] = layerNorm;
  rules["aten::_fused_rms_norm"] = rmsNorm;
  rules["aten::native_batch_norm"] = batchNorm;
  rules["aten::_native_batch_norm_legit"] = batchNorm;
  rules["aten::_native_batch_norm_legit_no_training"] = [](Operation &op) {
    return batchNormWith(op, false);
  };
  rules["aten::native_group_norm"] = [](Operation &op) { return groupNormWith(op, "group"); };
  rules["aten::native_dropout"] = dropout;
  rules["aten::nll_loss_forward"] = rules["aten::nll_loss2d_forward"] = nllLoss;
  rules["aten::embedding"] = embedding;
  rules["aten::dropout"] = dropout;
  rules["aten::cross_entropy_loss"] = crossEntropy;
  rules["aten::nll_loss"] = rules["aten::nll_loss_nd"] = nllLoss;
  rules["aten::mse_loss"] = squaredLoss;
  rules["aten::l1_loss"] = absoluteLoss;
  rules["aten::smooth_l1_loss"] = smoothAbsoluteLoss;
  rules["aten::huber_loss"] = huberLoss;
  rules["aten::binary_cross_entropy"] = binaryCrossEntropyOfShares;
  rules["aten::binary_cross_entropy_with_logits"] = binaryCrossEntropy;
}
