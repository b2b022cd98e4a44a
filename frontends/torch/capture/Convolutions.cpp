//===- Convolutions.cpp - Rules of convolutions and pooling ---------------===//
// A convolution is the sum over its taps of a shifted input times that tap's
// weights; where patches do not overlap, one matrix product of patches.

#include "frontends/torch/capture/Rules.h"

#include <algorithm>

using namespace aft;
using namespace aft::capture;

using Numbers = std::vector<int64_t>;

namespace {
/// x [B, C, ...], weight [O, C / groups, ...] and what the axes need.
struct Convolution {
  Value x, weight, bias;
  size_t axes;
  Numbers kernel, stride, dilation;
  std::vector<Extent> low, high;
  int64_t groups, channels;
};
} // namespace

/// One number per axis; LibTorch takes one for all.
static Numbers perAxis(Operation &op, const char *name, size_t axes, int64_t missing) {
  Numbers numbers = op.has(name) ? op.integers(name) : Numbers();
  if (numbers.empty())
    numbers = {missing};
  if (numbers.size() == 1)
    numbers.resize(axes, numbers[0]);
  return numbers;
}

static Convolution read(Operation &op, size_t axes) {
  Convolution c;
  c.axes = axes;
  c.x = op.as("input");
  c.weight = op.as("weight");
  c.bias = op.optional("bias");
  if (c.x.rank() != static_cast<int>(axes) + 2)
    op.fail("expected an input with a batch dimension");
  for (size_t axis = 0; axis < axes; ++axis)
    c.kernel.push_back(c.weight.dim(static_cast<int>(axis) + 2));
  c.stride = perAxis(op, "stride", axes, 1);
  c.dilation = perAxis(op, "dilation", axes, 1);
  c.groups = op.integer("groups", 1);
  c.channels = c.x.dim(1);
  std::string mode = op.text("padding");
  Numbers padding = mode.empty() ? perAxis(op, "padding", axes, 0) : Numbers(axes, 0);
  for (size_t axis = 0; axis < axes; ++axis) {
    int64_t reach = mode == "same" ? c.dilation[axis] * (c.kernel[axis] - 1) : 0;
    c.low.push_back(padding[axis] + reach / 2);
    c.high.push_back(padding[axis] + reach - reach / 2);
  }
  return c;
}

/// The places of all taps.
static std::vector<Numbers> tapsOf(const Numbers &kernel) {
  std::vector<Numbers> taps = {{}};
  for (int64_t size : kernel) {
    std::vector<Numbers> longer;
    for (const Numbers &tap : taps)
      for (int64_t place = 0; place < size; ++place) {
        longer.push_back(tap);
        longer.back().push_back(place);
      }
    taps = std::move(longer);
  }
  return taps;
}

/// What a tap sees of the padded input: one element per result.
static Value seen(Operation &op, Value x, const Numbers &tap, const Numbers &stride,
                  const Numbers &dilation, const std::vector<Extent> &shape) {
  for (size_t axis = 0; axis < tap.size(); ++axis) {
    Extent first = tap[axis] * dilation[axis];
    Extent end = first + (shape[axis + 2] - 1) * stride[axis] + 1;
    x = op.f.slice(x, static_cast<int>(axis) + 2, first, end, stride[axis]);
  }
  return x;
}

static Value padded(Operation &op, Value x, std::vector<Extent> low, std::vector<Extent> high,
                    double value = 0) {
  low.insert(low.begin(), 2, 0);
  high.insert(high.begin(), 2, 0);
  bool none = true;
  for (size_t dim = 0; dim < low.size(); ++dim)
    none &= low[dim].constant() == 0 && high[dim].constant() == 0;
  return none ? x : op.f.pad(x, low, high, value);
}

/// Dimension 1 last: [B, C, ...] to [B, ..., C].
static Value channelsLast(Operation &op, Value x) {
  std::vector<int> order = {0};
  for (int dim = 2; dim < x.rank(); ++dim)
    order.push_back(dim);
  order.push_back(1);
  return op.f.permute(x, order);
}

static Value channelsSecond(Operation &op, Value x) {
  std::vector<int> order = {0, x.rank() - 1};
  for (int dim = 1; dim + 1 < x.rank(); ++dim)
    order.push_back(dim);
  return op.f.permute(x, order);
}

/// The weights of one tap: [O, C / groups].
static Value weightsAt(Operation &op, Value weight, const Numbers &tap) {
  for (size_t axis = tap.size(); axis-- > 0;)
    weight = op.f.select(weight, static_cast<int>(axis) + 2, tap[axis]);
  return weight;
}

/// Every channel on its own: O = groups.
static Value depthwise(Operation &op, const Convolution &c, Value x) {
  Value total;
  for (const Numbers &tap : tapsOf(c.kernel)) {
    Value part = seen(op, x, tap, c.stride, c.dilation, op.shape());
    std::vector<Extent> shape(part.rank(), 1);
    shape[1] = c.channels;
    Value term = op.f.mul(part, op.f.reshape(weightsAt(op, c.weight, tap), shape));
    total = total ? op.f.add(total, term) : term;
  }
  return total;
}

/// The channels of all taps side by side, times all weights at once.
static Value asProduct(Operation &op, const Convolution &c, Value x) {
  std::vector<Value> columns, weights;
  for (const Numbers &tap : tapsOf(c.kernel)) {
    columns.push_back(channelsLast(op, seen(op, x, tap, c.stride, c.dilation, op.shape())));
    weights.push_back(weightsAt(op, c.weight, tap));
  }
  Value y = op.f.linear(op.f.concat(columns, -1), op.f.concat(weights, 1));
  return channelsSecond(op, y);
}

/// Every group of channels on its own.
static Value byGroups(Operation &op, const Convolution &c, Value x) {
  int64_t in = c.channels / c.groups, out = c.weight.dim(0) / c.groups;
  std::vector<Value> parts;
  for (int64_t group = 0; group < c.groups; ++group) {
    Convolution own = c;
    own.weight = op.f.slice(c.weight, 0, group * out, (group + 1) * out);
    parts.push_back(asProduct(op, own, op.f.slice(x, 1, group * in, (group + 1) * in)));
  }
  return op.f.concat(parts, 1);
}

static Rule convolution(size_t axes) {
  return [axes](Operation &op) -> Results {
    Convolution c = read(op, axes);
    Value x = padded(op, c.x, c.low, c.high), y;
    if (c.groups == c.channels && c.weight.dim(0) == c.channels)
      y = depthwise(op, c, x);
    else if (c.groups == 1)
      y = asProduct(op, c, x);
    else
      y = byGroups(op, c, x);
    if (!c.bias)
      return y;
    std::vector<Extent> shape(y.rank(), 1);
    shape[1] = op.f.extent(c.bias, 0);
    return op.f.add(y, op.f.reshape(c.bias, shape));
  };
}

//===----------------------------------------------------------------------===//
// Pooling
//===----------------------------------------------------------------------===//

static Rule pooling(size_t axes, bool takesMean) {
  return [axes, takesMean](Operation &op) -> Results {
    Value x = op.as("self"), total;
    Numbers kernel = perAxis(op, "kernel_size", axes, 1);
    bool strided = op.has("stride") && !op.integers("stride").empty();
    Numbers stride = strided ? perAxis(op, "stride", axes, 1) : kernel;
    Numbers dilation = perAxis(op, "dilation", axes, 1), padding = perAxis(op, "padding", axes, 0);
    bool pads = std::any_of(padding.begin(), padding.end(), [](int64_t n) { return n != 0; });
    if (op.flag("ceil_mode") || op.has("divisor_override") ||
        (pads && takesMean && !op.flag("count_include_pad", true)))
      op.fail("ceil_mode, divisor_override and means without the padding are not supported");
    std::vector<Extent> around(padding.begin(), padding.end());
    x = padded(op, x, around, around, takesMean ? 0 : -INFINITY);
    std::vector<Numbers> taps = tapsOf(kernel);
    for (const Numbers &tap : taps) {
      Value part = seen(op, x, tap, stride, dilation, op.shape());
      total = !total ? part : takesMean ? op.f.add(total, part) : op.f.maximum(total, part);
    }
    return takesMean ? op.f.mul(total, 1.0 / static_cast<double>(taps.size())) : total;
  };
}

/// Only to one element per channel, which is the mean.
static Results adaptiveMean(Operation &op) {
  for (int64_t size : op.integers("output_size"))
    if (size != 1)
      op.fail("only an output size of 1 is supported, found " + std::to_string(size));
  Value x = op.as("self");
  std::vector<int> dims;
  for (size_t axis = 1; axis <= op.integers("output_size").size(); ++axis)
    dims.push_back(-static_cast<int>(axis));
  return op.f.mean(x, dims, true);
}

static Results anyConvolution(Operation &op) {
  if (op.flag("transposed"))
    op.fail("transposed convolutions are not supported");
  return convolution(static_cast<size_t>(op.recorded("weight").dim() - 2))(op);
}

void aft::capture::addConvolutionRules(Rules &rules) {
  rules["aten::conv1d"] = convolution(1);
  rules["aten::conv2d"] = convolution(2);
  rules["aten::conv3d"] = convolution(3);
  // What LibTorch makes of the three, and a trace records.
  rules["aten::convolution"] = rules["aten::_convolution"] = anyConvolution;
  rules["aten::avg_pool1d"] = pooling(1, true);
  rules["aten::avg_pool2d"] = pooling(2, true);
  rules["aten::max_pool1d"] = pooling(1, false);
  rules["aten::max_pool2d"] = pooling(2, false);
  // Beside the numbers also their places, which nobody can be given.
  rules["aten::max_pool2d_with_indices"] = pooling(2, false);
  rules["aten::adaptive_avg_pool1d"] = adaptiveMean;
  rules["aten::adaptive_avg_pool2d"] = rules["aten::_adaptive_avg_pool2d"] = adaptiveMean;
}
