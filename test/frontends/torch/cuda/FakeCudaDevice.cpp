//===- FakeCudaDevice.cpp - What LibTorch takes for a GPU -----------------===//

#include "FakeCudaDevice.h"

#include <ATen/ATen.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <torch/library.h>

#include <algorithm>
#include <utility>

using namespace aft::test;
using at::Tensor;
using c10::Device;
using c10::IValue;
using c10::Stream;

namespace {

thread_local c10::StreamId currentStreams[2] = {};

struct Guard final : c10::impl::DeviceGuardImplInterface {
  c10::DeviceType type() const override { return at::kCUDA; }
  Device exchangeDevice(Device) const override { return getDevice(); }
  Device getDevice() const override { return Device(at::kCUDA, 0); }
  void setDevice(Device) const override {}
  void uncheckedSetDevice(Device) const noexcept override {}
  Stream getStream(Device device) const override {
    return Stream(Stream::UNSAFE, device, currentStreams[std::max<int>(0, device.index())]);
  }
  Stream exchangeStream(Stream stream) const override {
    Stream before = getStream(stream.device());
    currentStreams[std::max<int>(0, stream.device_index())] = stream.id();
    return before;
  }
  void *getStreamNativeHandle(const Stream stream) const override {
    return reinterpret_cast<void *>(stream.id());
  }
  c10::DeviceIndex deviceCount() const noexcept override { return 2; }
};
C10_REGISTER_GUARD_IMPL(CUDA, Guard)

/// The same memory, taken for that of another device.
Tensor onDevice(const Tensor &tensor, Device device) {
  if (!tensor.defined() || tensor.device() == device)
    return tensor;
  return at::from_blob(
      tensor.data_ptr(), tensor.sizes(), tensor.strides(), [kept = tensor](void *) {},
      tensor.options().device(device).requires_grad(false), device);
}

/// Every operator of this device: the CPU's, on the same memory.
void runOnHost(const c10::OperatorHandle &op, torch::jit::Stack *stack) {
  const c10::FunctionSchema &schema = op.schema();
  size_t first = stack->size() - schema.arguments().size();
  Device device(at::kCUDA, 0);
  Tensor written;
  for (size_t i = first; i < stack->size(); ++i) {
    IValue &value = (*stack)[i];
    if (value.isDevice()) {
      device = value.toDevice();
      value = Device(at::kCPU);
    } else if (value.isTensor() && value.toTensor().is_cuda()) {
      device = value.toTensor().device();
      const auto *alias = schema.arguments()[i - first].alias_info();
      if (alias && alias->isWrite())
        written = value.toTensor();
      value = onDevice(value.toTensor(), at::kCPU);
    }
  }
  op.callBoxed(stack);
  for (size_t i = stack->size() - schema.returns().size(); i < stack->size(); ++i)
    if (IValue &value = (*stack)[i]; value.isTensor())
      value = written.defined() ? written : onDevice(value.toTensor(), device);
}

} // namespace

TORCH_LIBRARY_IMPL(_, CUDA, m) {
  m.fallback(torch::CppFunction::makeFromBoxedFunction<&runOnHost>());
}
// What has a kernel for all devices, which looks for CUDA's own inside.
TORCH_LIBRARY_IMPL(aten, CUDA, m) {
  m.impl("copy_", torch::CppFunction::makeFromBoxedFunction<&runOnHost>());
}

CurrentStream::CurrentStream(void *stream, int device)
    : device(device),
      before(std::exchange(currentStreams[device], reinterpret_cast<c10::StreamId>(stream))) {}
CurrentStream::~CurrentStream() { currentStreams[device] = before; }
