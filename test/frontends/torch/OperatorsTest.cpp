//===- OperatorsTest.cpp - The rules of the capture, one by one -----------===//

#include "CaptureHarness.h"

using namespace aft;
using namespace aft::test;
using at::Tensor;
using namespace at::indexing;

static Tensor normal(std::vector<int64_t> shape, int64_t seed = 1) {
  at::manual_seed(seed);
  return at::randn(shape);
}

/// Results of many small computations on x [B,T,8].
static void expectAll(const std::vector<std::function<Tensor(Tensor)>> &computations,
                      double tolerance = 2e-6) {
  Computation all = [&](const Tensors &inputs) {
    Tensors results;
    for (const auto &computation : computations)
      results.push_back(computation(inputs[0]));
    return results;
  };
  expectSame(all, {normal({3, 5, 8})}, {{normal({2, 7, 8}, 2)}, {normal({1, 1, 8}, 3)}},
             tolerance);
}

TEST(Operators, Arithmetic) {
  expectAll({
      [](Tensor x) { return x + x * 2 - x / 3; },
      [](Tensor x) { return 1 - x; },
      [](Tensor x) { return 2 / (x.abs() + 1); },
      [](Tensor x) { return at::add(x, x.cos(), 0.5); },
      [](Tensor x) { return at::rsub(x, 3, 2); },
      [](Tensor x) { return x.pow(2) + x.pow(3) + x.abs().pow(0.5) + x.abs().pow(1.7); },
      [](Tensor x) { return at::pow(2, x); },
      [](Tensor x) { return at::floor_divide(x * 7, 2) + at::remainder(x * 7, 3) + at::fmod(x * 7, 3); },
      [](Tensor x) { return at::div(x * 9, x.abs() + 1, "trunc"); },
      [](Tensor x) { return at::lerp(x, x * x, 0.25); },
      [](Tensor x) { return at::addcmul(x, x, x, 0.5) + at::addcdiv(x, x, x.abs() + 1, 2); },
      [](Tensor x) { return -x + x.neg().square() + (x.abs() + 1).reciprocal(); },
      [](Tensor x) { return x.exp() + x.expm1() + x.exp2(); },
      [](Tensor x) { return (x.abs() + 1).log() + x.abs().log1p() + (x.abs() + 1).log2(); },
      [](Tensor x) { return x.sin() + x.cos() + x.erf() + x.sign(); },
      [](Tensor x) { return (x * 5).floor() + (x * 5).trunc(); },
      [](Tensor x) { return (x.abs() + 1).rsqrt() + x.abs().sqrt(); },
  });
}

TEST(Operators, ActivationsAndChoices) {
  expectAll({
      [](Tensor x) { return at::sigmoid(x) + at::tanh(x) + at::relu(x) + at::silu(x); },
      [](Tensor x) { return at::gelu(x) + at::gelu(x, "tanh"); },
      [](Tensor x) { return at::softplus(x * 20) + at::log_sigmoid(x * 20); },
      [](Tensor x) { return at::leaky_relu(x, 0.1) + at::elu(x) + at::mish(x); },
      [](Tensor x) { return at::hardswish(x * 3) + at::hardsigmoid(x * 3) + at::relu6(x * 5); },
      [](Tensor x) { return at::glu(x, -1); },
      [](Tensor x) { return x.clamp(-0.5, 0.5) + x.clamp_min(0.1) + at::hardtanh(x); },
      [](Tensor x) { return at::where(x > 0, x, x * 2); },
      [](Tensor x) { return at::where(x > 0, 1.0, x); },
      [](Tensor x) { return x.masked_fill(x < 0, -7); },
      [](Tensor x) { return (x > 0).logical_and(x < 1).logical_not().to(at::kFloat); },
      [](Tensor x) { return ((x > 0) & (x < 1)) | (x == 0); },
      [](Tensor x) { return at::maximum(x, x.cos()) + at::minimum(x, x.sin()); },
      [](Tensor x) { return (x / (x - x)).nan_to_num(1, 2, 3); },
      [](Tensor x) { return at::isnan(x / 0 * 0).to(at::kLong); },
      [](Tensor x) { return x.to(at::kDouble).to(at::kInt) * 3 / 2; },
  });
}

TEST(Operators, FurtherFunctions) {
  expectAll({
      [](Tensor x) { return at::celu(x, 0.7) + at::selu(x) + at::elu(x, 0.7); },
      [](Tensor x) { return at::hardshrink(x) + at::softshrink(x) + at::threshold(x, 0.1, 3); },
      [](Tensor x) { return (x * 5).round() + (x * 4).ceil() + x.frac() + at::round(at::floor(x) + 0.5); },
      [](Tensor x) { return at::sinh(x) + at::cosh(x) + at::tan(x * 0.3) + at::erfc(x); },
      [](Tensor x) { return at::logaddexp(x, x * 2) + at::hypot(x, x + 1) + at::xlogy(x.abs(), x.abs()); },
      [](Tensor x) { return at::logit(x.sigmoid()) + at::fmax(x, x / 0 * 0) + at::fmin(x, x + 1); },
      [](Tensor x) { return at::prelu(x.transpose(1, 2), at::arange(8, at::kFloat) / 8); },
      [](Tensor x) { return x.argmin(-1) + x.argmax(1, true).sum(-1); },
      [](Tensor x) { return std::get<1>(at::topk(x, 3, -1)); },
      [](Tensor x) { return x.norm(3, -1) + std::get<0>(at::var_mean(x, -1)) + at::nansum(x, 2); },
      [](Tensor x) { return at::count_nonzero(x > 0, std::vector<int64_t>{1}); },
      [](Tensor x) { return at::cosine_similarity(x, x * 2 + 1, -1); },
      [](Tensor x) { return at::hstack({x, at::tensordot(x, at::eye(8), {2}, {0})}); },
      [](Tensor x) { return at::einsum("b...d,...d->b...", {x, x.select(0, 0)}); },
      [](Tensor x) { return at::replication_pad1d(x, {2, 1}) + at::reflection_pad1d(x, {1, 2}); },
      [](Tensor x) { return x.scatter(2, at::zeros({x.size(0), x.size(1), 1}, at::kLong), 1.5); },
      [](Tensor x) { return at::zeros_like(x).scatter_add(2, (x > 0).to(at::kLong), x); },
      [](Tensor x) { return x.roll(2) + at::linspace(0, 1, x.size(1)).unsqueeze(-1); },
      [](Tensor x) {
        Tensor q = x.view({x.size(0), x.size(1), 4, 2}).transpose(1, 2), k = q.slice(1, 0, 2);
        return at::scaled_dot_product_attention(q, k, k, {}, 0, true, {}, true);
      },
  }, 1e-5);
}

TEST(Operators, Reductions) {
  expectAll({
      [](Tensor x) { return x.sum(); },
      [](Tensor x) { return x.sum(1); },
      [](Tensor x) { return x.mean(std::vector<int64_t>{0, 2}, true); },
      [](Tensor x) { return x.amax(-1) + x.amin(-1); },
      [](Tensor x) { return std::get<0>(x.max(1)) + std::get<0>(x.min(1)); },
      [](Tensor x) { return x.max() + x.min(); },
      [](Tensor x) { return x.var(-1) + x.std(-1, false) + x.var(std::vector<int64_t>{2}, 1, false); },
      [](Tensor x) { return x.logsumexp(1); },
      [](Tensor x) { return at::softmax(x, 1) + at::log_softmax(x, -1); },
      [](Tensor x) { return x.cumsum(1); },
      [](Tensor x) { return x.norm(2, 1) + at::linalg_vector_norm(x, 1, std::vector<int64_t>{1}); },
      [](Tensor x) { return (x > 2).any(-1).to(at::kFloat) + (x > -2).all(-1).to(at::kFloat); },
      [](Tensor x) { return (x > 0).sum(1); },
  }, 5e-6);
}

TEST(Operators, RunningProductsAndExtrema) {
  expectAll({
      [](Tensor x) { return x.cumprod(1); },
      [](Tensor x) { return x.cumprod(-1) + x.relu().cumprod(0); },
      [](Tensor x) { return (x * 2).round().to(at::kLong).cumprod(2); },
      [](Tensor x) { return x.prod(1) + x.prod(-1, true).sum(1); },
      [](Tensor x) { return x.prod() + x.slice(1, 0, 0).prod(1).sum(); },
      [](Tensor x) { return (x * 2).round().to(at::kLong).prod(2); },
      [](Tensor x) { return (x > -2).prod(1); },
      [](Tensor x) { return std::get<0>(x.cummax(1)); },
      [](Tensor x) { return std::get<1>(x.cummax(1)); },
      [](Tensor x) { return std::get<0>(x.cummin(-1)); },
      // The last of equals, and the last NaN.
      [](Tensor x) { return std::get<1>(x.round().cummin(-1)); },
      [](Tensor x) { return std::get<0>((x.relu() / x.relu()).cummax(1)); },
      [](Tensor x) { return std::get<1>((x.relu() / x.relu()).cummax(1)); },
      [](Tensor x) { return std::get<0>((x * 3).to(at::kInt).cummin(1)); },
      [](Tensor x) { return std::get<1>((x * 3).to(at::kInt).cummax(2)); },
      [](Tensor x) { return std::get<0>((x > 0).cummax(1)); },
  });
}

TEST(Operators, RunningProductsOfOtherTypes) {
  expectSame([](const Tensors &in) -> Tensors { return {in[0].cumprod(1)}; },
             {normal({2, 5}).to(at::kDouble)}, {{normal({3, 40}, 2).to(at::kDouble)}}, 1e-13);
  expectSame([](const Tensors &in) -> Tensors { return {in[0].cumprod(1)}; },
             {normal({2, 5}).to(at::kBFloat16)}, {}, 2e-2);
  expectSame([](const Tensors &in) -> Tensors { return {in[0].prod(1)}; },
             {normal({2, 5}).to(at::kDouble)}, {{normal({3, 40}, 2).to(at::kDouble)}}, 1e-13);
  expectSame([](const Tensors &in) -> Tensors { return {in[0].prod(1)}; },
             {normal({2, 5}).to(at::kBFloat16)}, {}, 2e-2);
}

TEST(Operators, MemoryReadByStrides) {
  // Sizes that are fixed, as slices; others by place.
  expectSame(
      [](const Tensors &in) -> Tensors {
        Tensor x = in[0];
        return {x.as_strided({6, 4}, {4, 1}),
                x.as_strided({4, 6}, {1, 4}),
                x.as_strided({4, 3, 4}, {4, 4, 1}),
                x.as_strided({3, 3}, {5, 2}, 1),
                x.as_strided({2, 3, 2}, {12, 0, 3}),
                x.as_strided({3, 1, 5}, {8, 7, 1}, 3),
                x.as_strided({}, {}, 7),
                x.as_strided({20, 5}, {1, 1}),
                x.select(0, 1).contiguous().as_strided({2, 2}, {2, 1}) + 1,
                x.transpose(0, 1).contiguous().as_strided({3}, {7}),
                (x > 0).as_strided({3, 2}, {2, 1}),
                x.select(0, 1).as_strided({2}, {1})};
      },
      {normal({4, 6})});
  expectSame(
      [](const Tensors &in) -> Tensors {
        int64_t batch = in[0].size(0), time = in[0].size(1);
        return {in[0].as_strided({batch, time - 2, 3, 4}, {time * 4, 4, 4, 1}),
                in[0].as_strided({batch, 4, time}, {time * 4, 1, 4})};
      },
      {normal({2, 6, 4})}, {{normal({3, 9, 4}, 2)}, {normal({1, 3, 4}, 3)}});
}

TEST(Operators, MemoryOutsideOfWhatIsShownIsRefused) {
  auto message = [](const std::function<Tensor(Tensor)> &body) {
    return refusal([&] {
      expectSame([&](const Tensors &in) -> Tensors { return {body(in[0])}; }, {normal({4, 6})});
    });
  };
  EXPECT_NE(message([](Tensor x) { return x.select(0, 0).as_strided({4}, {6}); })
                .find("aten::as_strided in the outermost module: reads more memory"),
            std::string::npos);
  EXPECT_NE(message([](Tensor x) { return x.t().as_strided({4}, {6}); }).find("row by row"),
            std::string::npos);
  EXPECT_NE(message([](Tensor x) { return x.select(0, 1).as_strided({4}, {1}, 7); }).find("storage_offset"),
            std::string::npos);
}

TEST(Operators, Shapes) {
  expectAll({
      [](Tensor x) { return x.view({x.size(0) * x.size(1), 8}); },
      [](Tensor x) { return x.reshape({x.size(0), -1}); },
      [](Tensor x) { return x.view({x.size(0), x.size(1), 2, 4}).transpose(1, 2).contiguous(); },
      [](Tensor x) { return x.flatten(0, 1).unflatten(0, {x.size(0), x.size(1)}); },
      [](Tensor x) { return x.unsqueeze(1).squeeze(1).permute({2, 0, 1}); },
      [](Tensor x) { return x.movedim(1, 0) + x.swapaxes(0, 1); },
      [](Tensor x) { return x.slice(2, 1, 7, 2); },
      [](Tensor x) { return x.slice(2, -3); },
      [](Tensor x) { return x.select(2, -1) + x.index({Ellipsis, 0}); },
      [](Tensor x) { return x.narrow(2, 2, 3); },
      [](Tensor x) { return x.index({Slice(), Slice(0, 1), Slice()}) + x; },
      [](Tensor x) { return at::cat({x.chunk(2, -1)[1], x.split(3, -1)[0]}, -1); },
      [](Tensor x) { return x.unbind(2)[3]; },
      [](Tensor x) { return at::stack({x, x * 2}, 1); },
      [](Tensor x) { return x.select(2, 0).unsqueeze(-1).expand({x.size(0), x.size(1), 4}); },
      [](Tensor x) { return x.repeat({2, 1, 3}); },
      [](Tensor x) { return x.repeat_interleave(3, 2); },
      [](Tensor x) { return at::constant_pad_nd(x, {1, 2, 0, 3}, 0.5); },
      [](Tensor x) { return x.flip({1}) + x.roll(3, 2) + x.roll(-1, 2); },
      [](Tensor x) { return x.tril() + x.triu(1); },
      [](Tensor x) { return x.unfold(2, 3, 2); },
      [](Tensor x) { return at::constant_pad_nd(x, {0, 0, 3, 0}).unfold(1, 4, 1); },
      [](Tensor x) { return x.index_select(2, at::arange(0, 8, 3)); },
      [](Tensor x) { return x.gather(2, at::ones_like(x, at::kLong).slice(2, 0, 2) * 5); },
  });
}

TEST(Operators, Products) {
  expectAll({
      [](Tensor x) { return at::matmul(x, x.transpose(1, 2)); },
      [](Tensor x) { return at::bmm(x.transpose(1, 2), x); },
      [](Tensor x) { return at::mm(x.flatten(0, 1).t(), x.flatten(0, 1)); },
      [](Tensor x) { return at::einsum("btd,bsd->bts", {x, x}); },
      [](Tensor x) { return at::einsum("btd,d->bt", {x, at::arange(8, at::kFloat)}); },
      [](Tensor x) { return at::einsum("btd,bsd,bsd->tb", {x, x, x}); },
      [](Tensor x) { return at::einsum("btd->dbt", {x}); },
      [](Tensor x) { return at::einsum("btd,bsd->bts", {x.mean(2, true), x}); },
      [](Tensor x) { return at::einsum("b...,b...->...b", {x, x.sum(1, true)}); },
      [](Tensor x) { return at::addmm(at::ones({8}), x.select(1, 0), at::ones({8, 8}), 2, 3); },
      [](Tensor x) { return at::baddbmm(x, x.select(2, 0).unsqueeze(2), at::ones({x.size(0), 1, 8})); },
      [](Tensor x) { return at::outer(x.select(0, 0).select(0, 0), at::arange(3, at::kFloat)); },
      [](Tensor x) {
        return at::scaled_dot_product_attention(x.unsqueeze(1), x.unsqueeze(1), x.unsqueeze(1), {},
                                                0, true);
      },
  }, 1e-5);
}

TEST(Operators, Factories) {
  expectAll({
      [](Tensor x) { return x + at::arange(x.size(1), at::kFloat).unsqueeze(-1); },
      [](Tensor x) { return at::arange(2, x.size(1) + 2, at::kLong); },
      [](Tensor x) { return x * at::ones({x.size(1), 1}) + at::zeros({8}) + at::full({1}, 3); },
      [](Tensor x) { return at::zeros_like(x) + at::full_like(x, 2) + x.new_ones({8}); },
      [](Tensor x) { return at::eye(8) + at::linspace(0, 1, 8); },
      [](Tensor x) { return x.sum(1) / x.size(1); },
      [](Tensor x) { return at::one_hot((x.select(2, 0) > 0).to(at::kLong), 4); },
      [](Tensor x) { return x + torch::tensor({1.f, 2.f, 3.f, 4.f, 5.f, 6.f, 7.f, 8.f}); },
      [](Tensor x) { return torch::arange(x.size(1)) * 2; },
  });
}

TEST(Operators, LayersAndLosses) {
  Tensor weight = normal({8}, 5), bias = normal({8}, 6), table = normal({5, 8}, 7);
  expectAll({
      [=](Tensor x) { return at::layer_norm(x, {8}, weight, bias); },
      [=](Tensor x) { return at::layer_norm(x, {8}); },
      [=](Tensor x) { return at::rms_norm(x, {8}, weight); },
      [=](Tensor x) { return at::group_norm(x.transpose(1, 2), 2, weight, bias); },
      [=](Tensor x) { return at::batch_norm(x.transpose(1, 2), weight, bias, weight, weight.abs() + 1, false, 0.1, 1e-5, false); },
      [=](Tensor x) { return at::embedding(table, (x.select(2, 0) > 0).to(at::kLong) * 3); },
      [=](Tensor x) { return at::dropout(x, 0.5, false); },
      [=](Tensor x) { return at::mse_loss(x, x * 2) + at::l1_loss(x, x * 2, at::Reduction::Sum); },
      [=](Tensor x) { return at::binary_cross_entropy_with_logits(x, at::sigmoid(x)); },
      [=](Tensor x) { return at::cross_entropy_loss(x.flatten(0, 1), (x.flatten(0, 1).select(1, 0) > 0).to(at::kLong)); },
      [=](Tensor x) { return at::cross_entropy_loss(x.transpose(1, 2), (x.select(2, 0) > 0).to(at::kLong), {}, at::Reduction::Sum, 0, 0.1); },
      [=](Tensor x) { return at::nll_loss(at::log_softmax(x.select(1, 0), -1), (x.select(1, 0).select(1, 0) > 0).to(at::kLong)); },
  }, 5e-6);
}

TEST(Operators, LossesWithIgnoredTargetsAndWeights) {
  Tensor weight = normal({8}, 8).abs(), shares = at::softmax(normal({4, 8}, 9), -1);
  auto body = [=](const Tensors &in) -> Tensors {
    Tensor x = in[0], ids = in[1];
    constexpr auto mean = at::Reduction::Mean;
    return {at::cross_entropy_loss(x, ids),
            at::cross_entropy_loss(x, ids, {}, at::Reduction::Sum),
            at::cross_entropy_loss(x, ids, {}, at::Reduction::None),
            at::cross_entropy_loss(x, ids, {}, mean, -100, 0.1),
            at::cross_entropy_loss(x, ids, weight, mean, -100, 0.1),
            at::cross_entropy_loss(x, ids.clamp_min(0), {}, mean, 3),
            at::cross_entropy_loss(x, at::softmax(x, -1), weight, mean, -100, 0.1),
            at::nll_loss(at::log_softmax(x, -1), ids, weight),
            at::smooth_l1_loss(x, x * 2, mean, 0.5) + at::huber_loss(x, x * 2, mean, 0.5),
            at::binary_cross_entropy(at::sigmoid(x), at::softmax(x, -1)),
            at::binary_cross_entropy_with_logits(x, at::softmax(x, -1), {}, weight)};
  };
  Tensor ids = torch::tensor({2L, -100L, 0L, 7L});
  expectSame(body, {normal({4, 8}), ids},
             {{normal({3, 8}, 2), torch::tensor({-100L, 3L, -100L})},
              {normal({2, 8}, 3), torch::full({2}, -100, at::kLong)}}, 5e-6);
}

TEST(Operators, Convolutions) {
  Tensor image = normal({2, 3, 8, 12}), kernel = normal({4, 3, 4, 4}, 2), bias = normal({4}, 3);
  Tensor small = normal({4, 3, 3, 2}, 4), each = normal({3, 1, 3, 3}, 5), line = normal({5, 8, 3}, 6);
  Tensor pairs = normal({4, 3, 2, 2}, 7);
  expectSame(
      [&](const Tensors &in) -> Tensors {
        Tensor rows = in[0].flatten(1, 2).slice(1, 0, 8);
        return {at::conv2d(in[0], kernel, bias, 4),
                at::conv2d(in[0], small, bias, {2, 1}, {1, 1}, {1, 2}),
                at::conv2d(in[0], each, {}, 1, 1, 1, 3),
                at::conv2d(in[0], small, {}, 1, "same"),
                at::conv1d(rows, line, {}, 1, 2),
                at::max_pool2d(in[0], 2), at::avg_pool2d(in[0], {3, 3}, {1, 1}, {1, 1}),
                at::adaptive_avg_pool2d(in[0], {1, 1}),
                at::conv2d(in[0].repeat({1, 2, 1, 1}), pairs, {}, at::IntArrayRef{1, 1}, at::IntArrayRef{0, 0}, 1, 2),
                at::instance_norm(rows, {}, {}, {}, {}, true, 0.1, 1e-5, false),
                at::pixel_unshuffle(in[0], 2), at::pixel_shuffle(in[0].repeat({1, 4, 1, 1}), 2),
                at::upsample_nearest2d(in[0], {16, 24}),
                at::upsample_nearest2d(in[0], {5, 30}), at::upsample_nearest1d(rows, 7),
                at::upsample_nearest2d(in[0], {27, 9}, 3.4, 0.8),
                at::_upsample_nearest_exact2d(in[0], {5, 30}),
                at::upsample_linear1d(rows, 5, true),
                at::upsample_bilinear2d(in[0], {20, 18}, false, 2.6, 1.5),
                at::_upsample_bicubic2d_aa(in[0], {5, 5}, false)};
      },
      {image}, {{normal({3, 3, 8, 12}, 9)}}, 1e-5);
}

TEST(Operators, MixersAndTypes) {
  for (at::ScalarType type : {at::kFloat, at::kDouble, at::kBFloat16}) {
    double tolerance = type == at::kBFloat16 ? 2e-2 : 1e-5;
    expectSame(
        [](const Tensors &in) -> Tensors {
          Tensor x = in[0];
          static auto simple = c10::Dispatcher::singleton()
                                   .findSchemaOrThrow("aft::simple", "")
                                   .typed<Tensor(const Tensor &, const Tensor &, const Tensor &, bool,
                                                 const std::optional<Tensor> &, c10::string_view)>();
          return {simple.call(x, x, x, true, std::nullopt, "sigmoid"),
                  simple.call(x, x * 2, x, false, at::full({x.size(0)}, 2, at::kInt), "tanh"),
                  (x + 1).softmax(-1)};
        },
        {normal({2, 5, 8}).to(type)}, {{normal({3, 4, 8}, 2).to(type)}}, tolerance);
  }
}
