//===- EmulatedKernels.h - Kernels of the driver for tests, emulated ------===//

#ifndef AFT_TEST_RUNTIME_CUDA_EMULATEDKERNELS_H
#define AFT_TEST_RUNTIME_CUDA_EMULATEDKERNELS_H

#include "FakeDriver.h"
#include "aft/program.h"

namespace aft::test {

/// Runs kernels of a program for cuda-emulated and makes them the code of the driver's
/// kernels of the same names.
class EmulatedKernels {
public:
  const aft_runtime_t &runtime() const { return callbacks; }

private:
  static void launch(void *, aft_kernel_t kernel, void *const *buffers, const int64_t *dims,
                     const char *name) {
    // Generated code hands on extents right after the addresses.
    auto count = reinterpret_cast<void *const *>(dims) - buffers;
    fake::state().kernels[name].body = [kernel, count](const std::vector<uint64_t> &parameters,
                                                       unsigned blocks) {
      const uint64_t *values = parameters.data();
      kernel(reinterpret_cast<void *const *>(values),
             reinterpret_cast<const int64_t *>(values + count), 0, blocks);
      return cuda::Result::Success;
    };
    kernel(buffers, dims, 0, kernel(buffers, dims, 0, 0));
  }
  const aft_runtime_t callbacks{nullptr, launch};
};

} // namespace aft::test

#endif // AFT_TEST_RUNTIME_CUDA_EMULATEDKERNELS_H
