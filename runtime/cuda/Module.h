//===- Module.h - Kernels of a program, loaded into a GPU -----------------===//

#ifndef AFT_RUNTIME_CUDA_MODULE_H
#define AFT_RUNTIME_CUDA_MODULE_H

#include "runtime/cuda/Device.h"
#include "runtime/cuda/DeviceCode.h"

#include <map>
#include <string_view>

namespace aft::cuda {

/// Whether code for an architecture runs on a GPU. A cubin for sm_XY runs on X.Y and later
/// ones of the same X, PTX on all later ones; both on X.Y alone with 'a' at the end.
bool runsOn(const std::string &arch, const DeviceProperties &properties, bool isPtx);

/// Loaded once per program and GPU, until it is destroyed.
class Module {
public:
  struct Kernel {
    KernelCode code;
    Function function = nullptr;
  };

  /// Loads the first cubin that fits, else the PTX; finds and checks every kernel.
  static Status load(std::shared_ptr<Device> device, const DeviceCode &code,
                     std::shared_ptr<const Module> &module);
  ~Module();
  Module(const Module &) = delete;
  Module &operator=(const Module &) = delete;

  Device &device() const { return *gpu; }
  /// Null when there is none of that name.
  const Kernel *find(std::string_view name) const;

private:
  explicit Module(std::shared_ptr<Device> device) : gpu(std::move(device)) {}
  Status loadImage(const DeviceCode &code);
  Status compile(const DeviceCode::Image &ptx);
  Status addKernel(const KernelCode &code);

  std::shared_ptr<Device> gpu;
  ModuleHandle handle = nullptr;
  std::map<std::string, Kernel, std::less<>> kernels;
};

/// "kernel 'k' (layers.0.mixer, layers.1.mixer and 2 more)"
std::string labelOf(const KernelCode &kernel);

} // namespace aft::cuda

#endif // AFT_RUNTIME_CUDA_MODULE_H
