//===- Activations.cpp - Rules of activations -----------------------------===//

#include "frontends/torch/capture/Elementwise.h"

using namespace aft;
using namespace aft::capture;

static Results gelu(Operation &op) {
  return op.f.gelu(op.as("self"), op.text("approximate", "none") == "tanh");
}

/// log(1 + exp(x)) without overflow.
static Value softplusOf(Function &f, Value x) {
  return f.add(f.relu(x), f.log1p(f.exp(f.neg(f.abs(x)))));
}

static Results softplus(Operation &op) {
  Value x = op.as("self");
  double beta = op.number("beta", 1), threshold = op.number("threshold", 20);
  Value scaled = op.f.mul(x, beta);
  Value soft = op.f.div(softplusOf(op.f, scaled), beta);
  return op.f.where(op.f.compare(Compare::gt, scaled, threshold), x, soft);
}

static Results logSigmoid(Operation &op) {
  return op.f.neg(softplusOf(op.f, op.f.neg(op.as("self"))));
}

static Results mish(Operation &op) {
  Value x = op.as("self");
  return op.f.mul(x, op.f.tanh(softplusOf(op.f, x)));
}

static Results leakyRelu(Operation &op) {
  Value x = op.as("self");
  return op.f.where(op.f.compare(Compare::gt, x, 0), x,
                    op.f.mul(x, op.number("negative_slope", 0.01)));
}

static Results elu(Operation &op) {
  Value x = op.as("self");
  Value low = op.f.expm1(op.f.mul(op.f.minimum(x, 0), op.number("input_scale", 1)));
  return op.f.mul(
      op.f.where(op.f.compare(Compare::gt, x, 0), x, op.f.mul(low, op.number("alpha", 1))),
      op.number("scale", 1));
}

static Results celu(Operation &op) {
  Value x = op.as("self");
  double alpha = op.number("alpha", 1);
  Value low = op.f.mul(op.f.expm1(op.f.div(op.f.minimum(x, 0), alpha)), alpha);
  return op.f.where(op.f.compare(Compare::gt, x, 0), x, low);
}

static Results selu(Operation &op) {
  constexpr double alpha = 1.6732632423543772, scale = 1.0507009873554805;
  Value x = op.as("self"), low = op.f.mul(op.f.expm1(op.f.minimum(x, 0)), alpha);
  return op.f.mul(op.f.where(op.f.compare(Compare::gt, x, 0), x, low), scale);
}

static Results hardShrink(Operation &op) {
  Value x = op.as("self");
  return op.f.where(op.f.compare(Compare::le, op.f.abs(x), op.number("lambd", 0.5)), 0, x);
}

static Results softShrink(Operation &op) {
  Value x = op.as("self");
  double lambda = op.number("lambd", 0.5);
  return op.f.sub(op.f.relu(op.f.sub(x, lambda)), op.f.relu(op.f.sub(op.f.neg(x), lambda)));
}

static Results thresholded(Operation &op) {
  Value x = op.as("self");
  return op.f.where(op.f.compare(Compare::le, x, op.number("threshold")), op.number("value"), x);
}

/// One slope per channel, dimension 1 of x.
static Results prelu(Operation &op) {
  Value x = op.as("self"), slope = op.as("weight");
  if (x.rank() >= 2) {
    std::vector<Extent> shape(x.rank(), 1);
    shape[1] = op.f.extent(slope, 0);
    slope = op.f.reshape(slope, shape);
  }
  return op.f.where(op.f.compare(Compare::gt, x, 0), x, op.f.mul(x, slope));
}

/// relu6(x + 3) / 6
static Value hardSigmoidOf(Function &f, Value x) {
  return f.div(f.minimum(f.relu(f.add(x, 3)), 6), 6);
}

static Results hardSigmoid(Operation &op) { return hardSigmoidOf(op.f, op.as("self")); }
static Results hardSwish(Operation &op) {
  Value x = op.as("self");
  return op.f.mul(x, hardSigmoidOf(op.f, x));
}
static Results relu6(Operation &op) { return op.f.minimum(op.f.relu(op.as("self")), 6); }

static Results glu(Operation &op) {
  Value x = op.value("self");
  int dim = static_cast<int>(op.integer("dim", -1));
  Extent half = op.f.extent(x, dim) / 2;
  return op.f.mul(op.f.slice(x, dim, 0, half), op.f.sigmoid(op.f.slice(x, dim, half)));
}

//===----------------------------------------------------------------------===//
// Table
//===----------------------------------------------------------------------===//

void aft::capture::addActivationRules(Rules &rules) {
  rules["aten::sigmoid"] = rules["aten::special_expit"] = unary(&Function::sigmoid);
  rules["aten::tanh"] = unary(&Function::tanh);
  rules["aten::relu"] = unary(&Function::relu);
  rules["aten::silu"] = unary(&Function::silu);
  rules["aten::gelu"] = gelu;
  rules["aten::softplus"] = softplus;
  rules["aten::log_sigmoid"] = logSigmoid;
  rules["aten::mish"] = mish;
  rules["aten::leaky_relu"] = leakyRelu;
  rules["aten::elu"] = elu;
  rules["aten::celu"] = celu;
  rules["aten::selu"] = selu;
  rules["aten::hardshrink"] = hardShrink;
  rules["aten::softshrink"] = softShrink;
  rules["aten::threshold"] = thresholded;
  rules["aten::prelu"] = prelu;
  rules["aten::hardsigmoid"] = hardSigmoid;
  rules["aten::hardswish"] = hardSwish;
  rules["aten::relu6"] = relu6;
  rules["aten::glu"] = glu;
}
