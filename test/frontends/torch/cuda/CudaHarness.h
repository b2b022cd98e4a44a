//===- CudaHarness.h - Modules on a GPU that is none ----------------------===//

#ifndef AFT_TEST_FRONTENDS_TORCH_CUDA_CUDAHARNESS_H
#define AFT_TEST_FRONTENDS_TORCH_CUDA_CUDAHARNESS_H

#include "EmulatedKernels.h"
#include "FakeBlas.h"
#include "FakeCudaDevice.h"
#include "aft/nn.h"
#include "aft/torch.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

namespace aft::test {

/// Kernels of programs have the same names: each test begins without any.
class CudaTensors : public ::testing::Test {
protected:
  void SetUp() override {
    fake::state().kernels.clear();
    fake::state().launches.clear();
    fake::state().devices = 2;
  }
};

inline torch::nn::Sequential makeModel() {
  torch::manual_seed(3);
  return torch::nn::Sequential(torch::nn::Linear(8, 16), torch::nn::GELU(),
                               torch::nn::LayerNorm(torch::nn::LayerNormOptions({16})),
                               torch::nn::Linear(16, 4));
}

inline at::Tensor lossOf(at::Tensor y, at::Tensor wanted) { return (y - wanted).square().mean(); }

inline CompileModuleOptions uncached() {
  CompileModuleOptions options;
  options.compile.cacheDir = "";
  return options;
}

/// Gives the driver's kernels their code: that of the same program for emulation, which
/// runs once on zeros, with 5 where an extent is free. The code is there while the result is.
[[nodiscard]] std::shared_ptr<Program> emulate(const std::string &text, const std::string &entry,
                                               std::shared_ptr<TrainingOptions> training = nullptr);

/// The training that a program was compiled with.
std::shared_ptr<TrainingOptions> trainingLike(const OptimizerOptions &adamw);

std::string messageOf(const std::function<void()> &work);
void expectContains(const std::string &text, const std::string &part);

/// A stream of the driver's, as LibTorch has them.
void *makeStream(int device = 0);

} // namespace aft::test

#endif // AFT_TEST_FRONTENDS_TORCH_CUDA_CUDAHARNESS_H
