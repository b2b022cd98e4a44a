//===- FakeBlas.h - cuBLASLt without a GPU, for tests ---------------------===//
// A library with the functions of cuBLASLt that the runtime uses, for f32, bf16 and f64, on
// streams of the driver for tests. It refuses arguments that do not fit each other. Factors are
// rounded to TF32 where that is asked for.

#ifndef AFT_TEST_RUNTIME_CUDA_FAKEBLAS_H
#define AFT_TEST_RUNTIME_CUDA_FAKEBLAS_H

#include "runtime/cuda/BlasApi.h"

#include <map>
#include <string>

namespace aft::test::fake {

struct BlasState {
  size_t workspaceBytes = 0; ///< that every algorithm wants
  bool knowsAlgorithms = true, knowsSums = true; ///< sums besides a product
  std::map<std::string, int> failures; ///< status by the function's exported name
  std::map<std::string, int> calls;
  int objects = 0;                         ///< handles and descriptors that live
  uint32_t alignmentA = 0, alignmentD = 0; ///< last asked for
  uint32_t reductionSchemes = ~0u;         ///< last allowed
  void *workspace = nullptr;               ///< of the last product
  int sums = 0;                            ///< products that gave sums besides
  int tf32 = 0;                            ///< products that rounded factors to TF32
};

BlasState &blasState();

} // namespace aft::test::fake

#endif // AFT_TEST_RUNTIME_CUDA_FAKEBLAS_H
