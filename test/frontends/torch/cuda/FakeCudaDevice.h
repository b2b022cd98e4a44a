//===- FakeCudaDevice.h - What LibTorch takes for a GPU -------------------===//
// Linked into a program, it makes a LibTorch without CUDA believe in two GPUs: "cuda"
// tensors lie in the host's memory, and the CPU computes what LibTorch computes on them.
// Streams are those of the driver for tests, whose kernels work on the same memory.

#ifndef AFT_TEST_FRONTENDS_TORCH_CUDA_FAKECUDADEVICE_H
#define AFT_TEST_FRONTENDS_TORCH_CUDA_FAKECUDADEVICE_H

#include <cstdint>

namespace aft::test {

/// Makes a stream of the driver's this thread's current one of a GPU for a while.
class CurrentStream {
public:
  explicit CurrentStream(void *stream, int device = 0);
  ~CurrentStream();
  CurrentStream(const CurrentStream &) = delete;
  CurrentStream &operator=(const CurrentStream &) = delete;

private:
  int device;
  int64_t before;
};

} // namespace aft::test

#endif // AFT_TEST_FRONTENDS_TORCH_CUDA_FAKECUDADEVICE_H
