//===- CaptureMemoryTest.cpp - What a capture holds and touches -----------===//

#include "CaptureHarness.h"

#include "frontends/torch/capture/Rules.h"
#include "frontends/torch/capture/Sizes.h"

#include <algorithm>
#include <fstream>

using namespace aft;
using namespace aft::capture;
using namespace aft::test;

/// The most bytes of this process that were resident while `work` ran, beyond those before.
static int64_t touchedBy(const std::function<void()> &work) {
  auto bytesOf = [](const std::string &name) -> int64_t {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);)
      if (line.rfind(name + ":", 0) == 0)
        return std::stoll(line.substr(name.size() + 1)) * 1024;
    return 0;
  };
  std::ofstream("/proc/self/clear_refs") << "5" << std::flush; // the peak is what is resident now
  int64_t before = bytesOf("VmRSS");
  work();
  return bytesOf("VmHWM") - before;
}

/// All runs are held at once: what they computed with must not be.
TEST(CaptureMemory, ResultsAreReleased) {
  torch::nn::Linear linear(4, 4);
  std::vector<c10::weak_intrusive_ptr<c10::StorageImpl>> seen;
  auto body = [&](const Tensors &inputs) {
    at::Tensor hidden = linear(inputs[0]), result = (hidden * at::sigmoid(hidden)).sum(0);
    for (const at::Tensor &tensor : {hidden, result})
      seen.emplace_back(c10::intrusive_ptr<c10::StorageImpl>::unsafe_reclaim_from_nonowning(
          tensor.storage().unsafeGetStorageImpl()));
    return Tensors{result};
  };
  Computation computation = body;
  Capture capture(*linear, computation, {at::randn({6, 4})}, /*dynamic=*/true, hasRule);
  ASSERT_GT(capture.extents().size(), 0u);
  EXPECT_GE(seen.size(), 8u);
  EXPECT_TRUE(
      std::all_of(seen.begin(), seen.end(), [](auto &storage) { return storage.expired(); }));
  int results = 0;
  for (const TracedValue &value : capture.trace().values) {
    if (value.source != TracedValue::Source::Call)
      continue;
    ++results;
    EXPECT_TRUE(value.tensor.is_meta() && !value.tensor.requires_grad());
  }
  EXPECT_GT(results, 2);
}

/// Neither are the numbers of intermediate results filled in.
TEST(CaptureMemory, LayerNormLeavesItsInputUntouched) {
  constexpr int64_t rows = 1 << 15, dim = 1 << 12;
  constexpr int64_t bytes = rows * dim * 4; // 512 MiB
  torch::nn::LayerNorm norm(torch::nn::LayerNormOptions({dim}));
  Computation body = [&](const Tensors &inputs) {
    return Tensors{norm(inputs[0].expand({rows, dim}) * 2).sum()};
  };
  auto record = [&] { Capture(*norm, body, {at::randn({dim})}, /*dynamic=*/false, hasRule); };
  EXPECT_LT(touchedBy(record), bytes / 4);
}

TEST(CaptureMemory, EmbeddingsAreNotLookedUp) {
  constexpr int64_t rows = 1 << 15, dim = 1 << 12;
  constexpr int64_t bytes = rows * dim * 4; // 512 MiB
  torch::nn::Embedding table(3, dim);
  Computation body = [&](const Tensors &inputs) {
    return Tensors{table(inputs[0].expand({rows})).sum()};
  };
  at::Tensor index = at::ones({1}, at::kLong);
  auto record = [&] { Capture(*table, body, {index}, /*dynamic=*/false, hasRule); };
  EXPECT_LT(touchedBy(record), bytes / 4);
}
