//===- Placement.cpp - Where the tensors of a program are -----------------===//

#include "frontends/torch/ops/Placement.h"

#include "frontends/torch/ops/Kernels.h"
#include "runtime/cuda/DeviceCode.h"

#include <ATen/ATen.h>
#include <c10/core/impl/VirtualGuardImpl.h>

using namespace aft;
using namespace aft::ops;

Placement::Placement(const at::Tensor &tensor, std::string name)
    : place(tensor.device()), like(std::move(name)) {
  TORCH_CHECK(place.is_cpu() || place.is_cuda(), like, " is on ", place,
              ", where no program runs; expected cpu or cuda");
}

void Placement::check(const at::Tensor &tensor, const std::string &name) const {
  if (tensor.device() == place)
    return;
  std::string why = like.empty()   ? ""
                    : like == name ? ", as when the module was compiled"
                                   : ", as " + like + " is";
  TORCH_CHECK(false, name, " must be on ", place, why, ", found ", tensor.device());
}

std::string Placement::target(const std::string &wanted) const {
  if (!isGpu())
    return wanted;
  if (wanted == "cpu")
    return "cuda";
  TORCH_CHECK(wanted == "cuda" || wanted.rfind("cuda:", 0) == 0, like, " is on ", place,
              ", where code for the target '", wanted, "' does not run; expected cuda[:sm_XX]");
  return wanted;
}

at::Tensor Placement::ready(const at::Tensor &tensor) const {
  at::Tensor numbers = inMemory(tensor);
  // A view may begin anywhere.
  bool isAligned =
      reinterpret_cast<uintptr_t>(numbers.const_data_ptr()) % cuda::kBufferAlignment == 0;
  return isGpu() && !isAligned ? numbers.clone(at::MemoryFormat::Contiguous) : numbers;
}

at::Tensor Placement::empty(DType dtype, const std::vector<int64_t> &shape) const {
  return at::empty(shape, at::TensorOptions().dtype(scalarTypeOf(dtype)).device(place));
}

Status Placement::run(const Program &program, const std::string &entry,
                      const std::vector<Buffer> &inputs, const std::vector<Buffer> &outputs) const {
  if (!isGpu())
    return program.run(entry, inputs, outputs);
  c10::Stream stream = c10::impl::VirtualGuardImpl(place.type()).getStream(place);
  return program.runResident(entry, inputs, outputs, stream.native_handle());
}
