//===- Plain.cpp - The mixers in plain LibTorch operators -----------------===//

#include "frontends/torch/nn/Plain.h"

#include <ATen/ATen.h>

using at::Tensor;

namespace aft::nn::plain {

static Tensor gated(const Tensor &q, const Tensor &ratio, const std::string &gate) {
  if (gate == "sigmoid")
    return at::sigmoid(q) * ratio;
  if (gate == "relu")
    return at::relu(q) * ratio;
  if (gate == "tanh")
    return at::tanh(q) * ratio;
  TORCH_CHECK(gate == "none", "gate must be sigmoid, relu, tanh or none, found '", gate, "'");
  return ratio;
}

/// [exp(k - max k) * v | exp(k - max k)], numerator and denominator side by side.
static Tensor weighted(const Tensor &k, const Tensor &v) {
  Tensor e = at::exp(k - at::amax(k.detach(), {1}, /*keepdim=*/true));
  return at::cat({e * v, e}, -1);
}

static Tensor divided(const Tensor &q, const Tensor &sums, const std::string &gate) {
  std::vector<Tensor> parts = sums.chunk(2, -1);
  return gated(q, parts[0] / parts[1], gate);
}

Tensor simple(const Tensor &q, const Tensor &k, const Tensor &v, bool causal,
              const std::string &gate) {
  Tensor terms = weighted(k, v);
  return divided(q, causal ? terms.cumsum(1) : terms.sum(1, /*keepdim=*/true), gate);
}

Tensor full(const Tensor &q, const Tensor &k, const Tensor &v, const Tensor &w, bool causal,
            const std::string &gate) {
  Tensor bias = w - at::amax(w.detach(), {-1}, /*keepdim=*/true);
  Tensor weights = at::exp(bias);
  if (causal)
    weights = weights.tril(k.size(1) - q.size(1));
  return divided(q, at::matmul(weights, weighted(k, v)), gate);
}

/// Shifts row i of the last two dimensions [rows, columns] right by i.
static Tensor skew(const Tensor &x) {
  int64_t rows = x.size(-2), columns = x.size(-1);
  Tensor padded = at::constant_pad_nd(x, {0, rows}).flatten(-2);
  std::vector<int64_t> shape(x.sizes().begin(), x.sizes().end());
  shape.back() = rows + columns - 1;
  return padded.slice(-1, 0, rows * (rows + columns - 1)).reshape(shape);
}

/// The banded product in blocks of rows: a block sees its own keys and those of
/// one window before; older keys come as a prefix sum.
static Tensor causalBand(const Tensor &terms, const Tensor &weights, int64_t window) {
  constexpr int64_t block = 64;
  int64_t length = terms.size(1), blocks = (length + block - 1) / block;
  int64_t padding = blocks * block - length;
  Tensor rows = at::constant_pad_nd(weights, {0, 0, 0, padding})
                    .reshape({blocks, block, window});
  Tensor keys = at::constant_pad_nd(terms, {0, 0, window - 1, padding})
                    .unfold(1, block + window - 1, block)
                    .transpose(-1, -2);
  Tensor inside = at::matmul(skew(rows), keys)
                      .reshape({terms.size(0), blocks * block, terms.size(2)})
                      .slice(1, 0, length);
  if (window >= length)
    return inside;
  return inside + at::constant_pad_nd(terms.slice(1, 0, length - window).cumsum(1),
                                      {0, 0, window, 0});
}

Tensor local(const Tensor &q, const Tensor &k, const Tensor &v, const Tensor &band,
             int64_t window, bool causal, const std::string &gate) {
  if (causal)
    return divided(q, causalBand(weighted(k, v), at::exp(band), window), gate);
  // Both sides: the band as a dense bias.
  int64_t length = q.size(1);
  Tensor position = at::arange(length, q.options().dtype(at::kLong));
  Tensor offset = position.unsqueeze(0) - position.unsqueeze(1) + (window - 1);
  Tensor inside = (offset >= 0) & (offset < 2 * window - 1);
  Tensor w = band.gather(1, offset.clamp(0, 2 * window - 2)) * inside;
  return full(q, k, v, w, /*causal=*/false, gate);
}

Tensor conv(const Tensor &q, const Tensor &k, const Tensor &v, const Tensor &filter,
            at::IntArrayRef grid, bool causal, const std::string &gate) {
  // Eq 6 as printed: a depth-wise convolution with exp(w) - 1 plus the sum over
  // all keys.
  TORCH_CHECK(grid.size() <= 2, "the plain form of conv knows grids of 1 or 2 extents, found ",
              grid.size());
  int64_t batch = q.size(0), length = q.size(1), dim = q.size(2), heads = k.size(2);
  Tensor e = at::exp(k - at::amax(k.detach(), {1}, /*keepdim=*/true));
  Tensor wide = e.repeat_interleave(dim / heads, 2);
  Tensor terms = at::cat({wide * v, e}, -1);
  Tensor taps = at::expm1(filter);
  taps = at::cat({taps.repeat_interleave(dim / heads, 0), taps}, 0).unsqueeze(1);
  Tensor image = terms.transpose(1, 2);
  Tensor inside;
  if (grid.size() == 2) {
    int64_t y = filter.size(1), x = filter.size(2);
    image = at::constant_pad_nd(image.reshape({batch, dim + heads, grid[0], grid[1]}),
                                {(x - 1) / 2, x / 2, (y - 1) / 2, y / 2});
    inside = at::conv2d(image, taps, {}, at::IntArrayRef{1}, at::IntArrayRef{0},
                        at::IntArrayRef{1}, dim + heads);
  } else {
    int64_t s = filter.size(1);
    image = at::constant_pad_nd(image, {causal ? s - 1 : (s - 1) / 2, causal ? 0 : s / 2});
    inside = at::conv1d(image, taps, {}, at::IntArrayRef{1}, at::IntArrayRef{0},
                        at::IntArrayRef{1}, dim + heads);
  }
  Tensor sums = inside.reshape({batch, dim + heads, length}).transpose(1, 2) +
                (causal ? terms.cumsum(1) : terms.sum(1, /*keepdim=*/true));
  Tensor numerator = sums.slice(2, 0, dim), denominator = sums.slice(2, dim);
  return gated(q, numerator / denominator.repeat_interleave(dim / heads, 2), gate);
}

Tensor band(const Tensor &u, const Tensor &v, int64_t window, bool causal) {
  int64_t after = causal ? 0 : window - 1;
  Tensor keys = at::constant_pad_nd(v, {0, 0, window - 1, after})
                    .unfold(0, window + after, 1);
  return at::matmul(u.unsqueeze(1), keys).squeeze(1);
}

//===----------------------------------------------------------------------===//
// Step by step
//===----------------------------------------------------------------------===//

/// exp(a - b), 0 where both are -inf.
static Tensor shrink(const Tensor &a, const Tensor &b) {
  return at::exp(a - b).nan_to_num(0);
}

/// [B,h] to [B,d]: one value per head for all of its channels.
static Tensor perChannel(const Tensor &x, int64_t dim) {
  return x.size(-1) == dim ? x : x.repeat_interleave(dim / x.size(-1), -1);
}

/// Adds one key k [B,h] with value v [B,d] to the sums.
static void addKey(const Tensor &k, const Tensor &v, Tensor &m, Tensor &n, Tensor &z) {
  Tensor top = at::maximum(m, k), old = shrink(m, top), own = shrink(k, top);
  n = n * perChannel(old, n.size(-1)) + perChannel(own, n.size(-1)) * v;
  z = z * old + own;
  m = top;
}

std::tuple<Tensor, Tensor, Tensor, Tensor>
simpleOnline(const Tensor &q, const Tensor &k, const Tensor &v, const Tensor &m0,
             const Tensor &n0, const Tensor &z0, const std::string &gate) {
  Tensor m = m0, n = n0, z = z0;
  std::vector<Tensor> rows;
  for (int64_t t = 0; t < q.size(1); ++t) {
    addKey(k.select(1, t), v.select(1, t), m, n, z);
    rows.push_back(gated(q.select(1, t), n / z, gate));
  }
  return {at::stack(rows, 1), m, n, z};
}

/// One window of keys [B,s,h] and values [B,s,d] with biases [s,1] or [s,h].
static Tensor windowRow(const Tensor &q, const Tensor &keys, const Tensor &values,
                        const Tensor &w, const Tensor &m, const Tensor &n, const Tensor &z,
                        const std::string &gate) {
  int64_t dim = q.size(-1);
  Tensor x = keys + w, top = at::maximum(m, at::amax(x, {1}));
  Tensor weights = at::exp(x - top.unsqueeze(1)), old = shrink(m, top);
  Tensor numerator = n * perChannel(old, dim) + (perChannel(weights, dim) * values).sum(1);
  Tensor denominator = z * old + weights.sum(1);
  return gated(q, numerator / perChannel(denominator, dim), gate);
}

/// `bias(t)` gives [s,1] or [s,h].
template <typename Bias>
static std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor, Tensor>
windowOnline(const Tensor &q, const Tensor &k, const Tensor &v, Bias bias, const Tensor &m0,
             const Tensor &n0, const Tensor &z0, const Tensor &recentK, const Tensor &recentV,
             const std::string &gate) {
  Tensor m = m0, n = n0, z = z0, keys = at::cat({recentK, k}, 1),
         values = at::cat({recentV, v}, 1);
  int64_t recent = recentK.size(1);
  std::vector<Tensor> rows;
  for (int64_t t = 0; t < q.size(1); ++t) {
    rows.push_back(windowRow(q.select(1, t), keys.slice(1, t, t + recent + 1),
                             values.slice(1, t, t + recent + 1), bias(t), m, n, z, gate));
    addKey(keys.select(1, t), values.select(1, t), m, n, z);
  }
  int64_t seen = q.size(1);
  return {at::stack(rows, 1),    m, n, z, keys.slice(1, seen, seen + recent),
          values.slice(1, seen, seen + recent)};
}

std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor, Tensor>
localOnline(const Tensor &q, const Tensor &k, const Tensor &v, const Tensor &band,
            const Tensor &m, const Tensor &n, const Tensor &z, const Tensor &recentK,
            const Tensor &recentV, int64_t, const std::string &gate) {
  auto bias = [&](int64_t t) { return band.select(0, t).unsqueeze(1); };
  return windowOnline(q, k, v, bias, m, n, z, recentK, recentV, gate);
}

std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor, Tensor>
convOnline(const Tensor &q, const Tensor &k, const Tensor &v, const Tensor &filter,
           const Tensor &m, const Tensor &n, const Tensor &z, const Tensor &recentK,
           const Tensor &recentV, const std::string &gate) {
  Tensor taps = filter.transpose(0, 1);
  return windowOnline(q, k, v, [&](int64_t) { return taps; }, m, n, z, recentK, recentV, gate);
}

} // namespace aft::nn::plain
