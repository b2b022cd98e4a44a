//===- CaptureHarness.h - Compiled modules against the eager ones ---------===//

#ifndef AFT_TEST_CAPTURE_HARNESS_H
#define AFT_TEST_CAPTURE_HARNESS_H

#include "aft/torch.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/nn.h>

namespace aft::test {

/// A module whose forward is a lambda: R(tensors...).
struct Body : torch::nn::Module {
  explicit Body(Computation body) : body(std::move(body)) {}
  Tensors forward(Tensors inputs) { return body(inputs); }
  Computation body;
};

inline CompileModuleOptions withoutCache() {
  CompileModuleOptions options;
  options.compile.cacheDir = "";
  return options;
}

inline void expectClose(const at::Tensor &found, const at::Tensor &expected, double tolerance) {
  ASSERT_EQ(found.sizes(), expected.sizes());
  ASSERT_EQ(found.scalar_type(), expected.scalar_type());
  if (expected.numel() == 0)
    return;
  at::Tensor a = found.detach().to(at::kDouble), b = expected.detach().to(at::kDouble);
  ASSERT_TRUE(at::isnan(a).equal(at::isnan(b)));
  at::Tensor same = a.eq(b).logical_or(at::isnan(b));
  double size = std::max(1.0, b.nan_to_num(0, 0, 0).abs().max().item<double>());
  double error = (a - b).masked_fill(same, 0).abs().max().item<double>();
  EXPECT_LE(error, tolerance * size) << "found " << found << "\nexpected " << expected;
}

/// Captures `body` on the examples and compares with eager runs on `others` and
/// on the examples. All of it is one compilation.
inline void expectSame(const Computation &body, const Tensors &examples,
                       const std::vector<Tensors> &others = {}, double tolerance = 2e-6) {
  torch::nn::Module none;
  CompiledModule compiled = compileComputation(none, body, examples, withoutCache());
  std::vector<Tensors> all = others;
  all.push_back(examples);
  at::NoGradGuard noGradients;
  for (const Tensors &inputs : all) {
    Tensors expected = body(inputs), found = compiled.run(inputs);
    ASSERT_EQ(found.size(), expected.size());
    for (size_t i = 0; i < found.size(); ++i) {
      SCOPED_TRACE("result " + std::to_string(i));
      expectClose(found[i], expected[i], tolerance);
    }
  }
}

/// The message with which something is refused.
inline std::string refusal(const std::function<void()> &work) {
  try {
    work();
  } catch (const c10::Error &error) {
    return error.what_without_backtrace();
  }
  return "";
}

} // namespace aft::test

#endif // AFT_TEST_CAPTURE_HARNESS_H
