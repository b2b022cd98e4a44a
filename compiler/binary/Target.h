//===- Target.h - The CPU that code is generated for ----------------------===//

#ifndef AFT_COMPILER_BINARY_TARGET_H
#define AFT_COMPILER_BINARY_TARGET_H

#include "runtime/core/InternalApi.h"

#include <string>
#include <vector>

namespace aft {

/// How products of bf16 are computed.
enum class PairDots {
  None,     ///< as f32
  Expanded, ///< in pairs along K by f32 arithmetic: what Hardware does, on any CPU
  Hardware, ///< in pairs along K by vdpbf16ps, which needs AVX512-BF16
  Tiles,    ///< in pairs along K by tdpbf16ps, which needs AMX
};

/// Where kernels run. The functions that launch them run on the CPU in any case.
enum class Device {
  Cpu,
  Cuda,         ///< on an NVIDIA GPU
  CudaEmulated, ///< on the CPU, but the kernels that a GPU would run: a test aid
};

/// A CPU by its features: a virtual machine may misreport its name.
struct AFT_INTERNAL Target {
  Device device = Device::Cpu;
  std::string gpu = "sm_90a"; ///< architecture of Device::Cuda
  std::string cpu = "generic"; ///< for the scheduling model only
  std::string features;        ///< LLVM's list, "+avx512f,-sse4a,…"
  unsigned vectorBits = 128;   ///< of the widest vector worth using
  bool bf16 = false;           ///< converts to bf16 in hardware
  PairDots pairDots = PairDots::None;
  bool tiles = false; ///< multiplies tiles of bf16 in hardware (AMX)
  bool tf32 = false;  ///< a GPU's: matrix products of f32 by tensor cores, which round factors

  /// How products of bf16, of matrices and of aft.full, are computed.
  PairDots productDots() const { return tiles ? PairDots::Tiles : pairDots; }

  /// The CPU this process runs on.
  static Target host();
  /// "native" is host(); other names are LLVM's. Empty `error`: success.
  static Target named(const std::string &name, std::string &error);

  /// Takes "cpu", "cuda", "cuda:sm_80" or "cuda-emulated"; a message where it is something
  /// else.
  std::string setDevice(const std::string &name);
  /// Device::Cuda, for GPUs of this compute capability, 80 or more: the latest architecture
  /// whose code they run.
  void setGpu(int capability);
  /// Whether kernels are made for blocks of threads.
  bool threadBlocks() const { return device != Device::Cpu; }

  /// The features that this target needs and the CPU this process runs on lacks,
  /// separated by commas.
  std::string missingHere() const;

  /// Those of these features that code for this target may use.
  std::vector<std::string> enabled(const std::vector<std::string> &features) const;
};

} // namespace aft

#endif // AFT_COMPILER_BINARY_TARGET_H
