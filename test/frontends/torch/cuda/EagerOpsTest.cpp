//===- EagerOpsTest.cpp - The operators aft:: on tensors of a GPU ---------===//

#include "CudaHarness.h"

#include <ATen/core/dispatch/Dispatcher.h>

using namespace aft;
using namespace aft::test;
using fake::state;

namespace {

const at::Device kSecond(at::kCUDA, 1);

at::Tensor simple(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v,
                  const std::optional<at::Tensor> &lengths = std::nullopt) {
  using Signature = at::Tensor(const at::Tensor &, const at::Tensor &, const at::Tensor &, bool,
                               const std::optional<at::Tensor> &, std::string_view);
  return c10::Dispatcher::singleton()
      .findSchemaOrThrow("aft::simple", "")
      .typed<Signature>()
      .call(q, k, v, true, lengths, "sigmoid");
}

/// The kernel of the operator has that name in any program of its own.
std::shared_ptr<Program> emulateSimple() {
  return emulate(
      R"(func.func @main(%0: tensor<?x?x6xf32>, %1: tensor<?x?x6xf32>, %2: tensor<?x?x6xf32>) -> tensor<?x?x6xf32> {
  %r = aft.simple %0, %1, %2 causal : (tensor<?x?x6xf32>, tensor<?x?x6xf32>, tensor<?x?x6xf32>) -> tensor<?x?x6xf32>
  return %r : tensor<?x?x6xf32>
}
)",
      "main");
}

using EagerOps = CudaTensors;

TEST_F(EagerOps, RunWhereTheTensorsAre) {
  at::Tensor q = torch::randn({2, 7, 6}), k = torch::randn({2, 7, 6}), v = torch::randn({2, 7, 6});
  at::Tensor expected = simple(q, k, v);
  EXPECT_TRUE(state().launches.empty());
  std::shared_ptr<Program> emulated = emulateSimple();
  for (at::Device device : {at::Device(at::kCUDA, 0), kSecond}) {
    void *stream = makeStream(device.index());
    CurrentStream current(stream, device.index());
    state().launches.clear();
    at::Tensor y = simple(q.to(device), k.to(device), v.to(device));
    EXPECT_EQ(y.device(), device);
    EXPECT_TRUE(at::allclose(y.cpu(), expected, 1e-5, 1e-6));
    ASSERT_EQ(state().launches.size(), 1u);
    EXPECT_EQ(state().launches[0].device, device.index());
    EXPECT_EQ(state().launches[0].stream, stream);
  }
}

/// An operator's results.
std::vector<at::Tensor> call(const char *name, std::vector<c10::IValue> arguments) {
  c10::Dispatcher::singleton().findSchemaOrThrow(name, "").callBoxed(&arguments);
  std::vector<at::Tensor> results;
  for (const c10::IValue &value : arguments)
    results.push_back(value.toTensor());
  return results;
}

/// What autograd calls for aft::simple: y, ratio and log z, then dq, dk and dv. Autograd itself
/// wants more of a GPU than there is here.
std::vector<at::Tensor> forwardAndBackward(const std::vector<at::Tensor> &x) {
  at::NoGradGuard guard;
  const std::vector<c10::IValue> mixer = {
      "simple", x[0],     x[1], x[2], c10::IValue(), c10::IValue(), 0, std::vector<int64_t>(),
      true,     "sigmoid"};
  std::vector<at::Tensor> results = call("aft::mixer_forward", mixer);
  std::vector<c10::IValue> arguments = {x[3], results[1], results[2]};
  arguments.insert(arguments.end(), mixer.begin(), mixer.end());
  for (const at::Tensor &gradient : call("aft::mixer_backward", arguments))
    results.push_back(gradient);
  return results;
}

TEST_F(EagerOps, HaveDerivatives) {
  torch::manual_seed(4);
  std::vector<at::Tensor> onHost, onGpu;
  for (int i = 0; i < 4; ++i) {
    onHost.push_back(torch::randn({2, 7, 6}));
    onGpu.push_back(onHost.back().to(at::kCUDA));
  }
  std::vector<at::Tensor> expected = forwardAndBackward(onHost);
  const char *program =
      R"(func.func @main(%0: tensor<?x?x6xf32>, %1: tensor<?x?x6xf32>, %2: tensor<?x?x6xf32>) -> (tensor<?x?x6xf32>, tensor<?x?x6xf32>, tensor<?x?x6xf32>) {
  %r:3 = aft.simple %0, %1, %2 causal : (tensor<?x?x6xf32>, tensor<?x?x6xf32>, tensor<?x?x6xf32>) -> (tensor<?x?x6xf32>, tensor<?x?x6xf32>, tensor<?x?x6xf32>)
  return %r#0, %r#1, %r#2 : tensor<?x?x6xf32>, tensor<?x?x6xf32>, tensor<?x?x6xf32>
}
)";
  const char *derivative =
      R"(func.func @main(%0: tensor<?x?x6xf32>, %1: tensor<?x?x6xf32>, %2: tensor<?x?x6xf32>, %3: tensor<?x?x6xf32>, %4: tensor<?x?x6xf32>, %5: tensor<?x?x6xf32>) -> (tensor<?x?x6xf32>, tensor<?x?x6xf32>, tensor<?x?x6xf32>) {
  %r:3 = aft.simple_grad %0, %1, %2, %3, %4, %5 causal : (tensor<?x?x6xf32>, tensor<?x?x6xf32>, tensor<?x?x6xf32>, tensor<?x?x6xf32>, tensor<?x?x6xf32>, tensor<?x?x6xf32>) -> (tensor<?x?x6xf32>, tensor<?x?x6xf32>, tensor<?x?x6xf32>)
  return %r#0, %r#1, %r#2 : tensor<?x?x6xf32>, tensor<?x?x6xf32>, tensor<?x?x6xf32>
}
)";
  std::shared_ptr<Program> forward = emulate(program, "main"),
                           backward = emulate(derivative, "main");
  std::vector<at::Tensor> found = forwardAndBackward(onGpu);
  ASSERT_EQ(found.size(), 3u + 4u);
  for (size_t i = 0; i < found.size(); ++i) {
    EXPECT_TRUE(found[i].is_cuda()) << i;
    EXPECT_TRUE(at::allclose(found[i].cpu(), expected[i], 1e-4, 1e-5)) << i;
  }
  EXPECT_EQ(state().launches.size(), 2u);
}

TEST_F(EagerOps, NameTensorsThatAreElsewhere) {
  at::Tensor q = torch::randn({2, 7, 6});
  at::Tensor onFirst = q.to(at::kCUDA), onSecond = q.to(kSecond);
  expectContains(messageOf([&] { simple(onFirst, onFirst, onSecond); }),
                 "aft::simple: operand 2 must be on cuda:0, as aft::simple: operand 0 is, found "
                 "cuda:1");
  expectContains(messageOf([&] { simple(onFirst, q, onFirst); }), "found cpu");
}

/// Nothing to sum: no program runs.
TEST_F(EagerOps, GiveZerosWhereThereAreNoKeys) {
  at::Tensor empty = torch::randn({0, 7, 6}).to(kSecond);
  at::Tensor y = simple(empty, empty, empty);
  EXPECT_EQ(y.device(), kSecond);
  EXPECT_TRUE(state().launches.empty());
}

} // namespace
