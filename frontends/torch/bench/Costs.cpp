//===- Costs.cpp - The work that cannot be avoided ------------------------===//

#include "frontends/torch/bench/Costs.h"

#include <algorithm>

using namespace aft::bench;

/// Pairs under a filter along an axis: taps from `before` keys back to `after`
/// keys ahead.
static double axisPairs(int64_t length, int64_t before, int64_t after) {
  double pairs = 0;
  for (int64_t offset = -before; offset <= after; ++offset)
    pairs += static_cast<double>(std::max<int64_t>(0, length - std::abs(offset)));
  return pairs;
}

double aft::bench::weightedPairs(const Options &o) {
  double length = static_cast<double>(o.length);
  std::string mixer = o.mixerName();
  if (mixer == "full")
    return o.causal ? length * (length + 1) / 2 : length * length;
  if (mixer == "local")
    return axisPairs(o.length, o.window - 1, o.causal ? 0 : o.window - 1);
  if (mixer != "conv")
    return 0;
  if (o.causal)
    return axisPairs(o.length, o.window - 1, 0);
  double pairs = 1;
  for (int64_t extent : o.grid.empty() ? std::vector<int64_t>{o.length} : o.grid)
    pairs *= axisPairs(extent, (o.window - 1) / 2, o.window / 2);
  return pairs;
}

/// Work of the mixer on `pairs` weighted pairs and `positions` of a sequence.
static double mixerFlops(const Options &o, double pairs, double positions) {
  double batch = static_cast<double>(o.batch), dim = static_cast<double>(o.dim);
  double denominators = o.mixerName() == "conv" ? static_cast<double>(o.heads) : dim;
  return 2 * batch * pairs * (dim + denominators) + 8 * batch * positions * dim;
}

double aft::bench::forwardFlops(const Options &o) {
  double length = static_cast<double>(o.length), dim = static_cast<double>(o.dim);
  if (o.isProduct())
    return (o.op == "mlp" ? 8 : 2) * static_cast<double>(o.batch) * length * dim * dim;
  return mixerFlops(o, weightedPairs(o), length);
}

/// The same for the whole model.
static double modelFlops(const Options &o, double pairs, double positions) {
  double dim = static_cast<double>(o.dim), tokens = static_cast<double>(o.batch) * positions;
  double keys = o.mixer == "conv" ? static_cast<double>(o.heads) : dim;
  double layer = tokens * (22 * dim * dim + 2 * dim * keys) + mixerFlops(o, pairs, positions);
  if (o.mixer == "local" || o.mixer == "full")
    layer += 2 * static_cast<double>(o.rank) * pairs;
  return static_cast<double>(o.layers) * layer + 2 * tokens * dim * static_cast<double>(o.vocab);
}

/// Only the pooled position meets the head; a patch has 3 x 16 x 16 numbers.
static double imageFlops(const Options &o) {
  double batch = static_cast<double>(o.batch), length = static_cast<double>(o.length),
         dim = static_cast<double>(o.dim), classes = static_cast<double>(o.vocab);
  return ::modelFlops(o, weightedPairs(o), length) - 2 * batch * (length - 1) * dim * classes +
         2 * batch * length * 768 * dim;
}

double aft::bench::modelFlops(const Options &o) {
  if (o.op == "image")
    return imageFlops(o);
  return ::modelFlops(o, weightedPairs(o), static_cast<double>(o.length));
}

double aft::bench::tokenFlops(const Options &o) {
  double pairs = o.mixer == "full"     ? static_cast<double>(o.length)
                 : o.mixer == "simple" ? 0
                                       : static_cast<double>(std::min(o.window, o.length));
  return ::modelFlops(o, pairs, 1);
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

/// Inputs and results, once, and with eager LibTorch its terms and results.
static double operationMemory(const Options &o) {
  double length = static_cast<double>(o.length), dim = static_cast<double>(o.dim),
         window = static_cast<double>(o.window), rows = static_cast<double>(o.batch) * length,
         heads = static_cast<double>(o.heads), size = o.dtype == "bf16" ? 2 : 4;
  std::string mixer = o.mixerName();
  double bias = mixer == "full"    ? length * length
                : mixer == "local" ? length * window
                : mixer == "conv"  ? heads * window
                                   : 0;
  double elements = 4 * rows * dim + bias;
  if (o.op == "matmul")
    elements = (2 * rows + dim) * dim;
  if (o.op == "mlp")
    elements = (5 * rows + 4 * dim) * dim;
  return size * elements * (o.backward() ? 2 : 1) + (o.eager() ? size * 3 * rows * dim : 0);
}

/// The weights of a model, but for tables of positions.
static double parameters(const Options &o) {
  double dim = static_cast<double>(o.dim);
  return static_cast<double>(o.layers) * 12 * dim * dim + 2 * dim * static_cast<double>(o.vocab);
}

static double modelMemory(const Options &o) {
  double size = o.dtype == "bf16" ? 2 : 4, weights = parameters(o);
  double rows = static_cast<double>(o.batch * o.length);
  double stream = rows * static_cast<double>(o.dim), layers = static_cast<double>(o.layers);
  double logits = rows * static_cast<double>(o.vocab);
  double keys = o.mixer == "full" ? static_cast<double>(o.length * o.length) : 0;
  // In f64: the weights, the streams of a block and its weights of pairs.
  double check = 8 * (weights + 10 * stream + logits + keys);
  if (o.op != "train")
    return size * weights + check;
  // In f64 also the gradients and the blocks' inputs; then eager LibTorch's graph of at
  // least ten streams per layer. Ours keeps parameters and moments all the time.
  check += 8 * (weights + layers * stream);
  double eager = o.eager() ? size * (4 * weights + layers * (10 * stream + keys)) : 0;
  return size * 3 * weights + std::max(check, eager);
}

double aft::bench::leastMemory(const Options &o) {
  if (o.isRoof())
    return o.op == "fma" ? 0 : (o.op == "copy" ? 2 : 1) * static_cast<double>(o.mib) * 0x1p20;
  return o.isModel() ? modelMemory(o) : operationMemory(o);
}
