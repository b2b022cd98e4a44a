//===- Placement.h - Where the tensors of a program are -------------------===//
// On the CPU, or on the GPU, in memory that LibTorch manages: a program then works on the
// tensors as they are, in the order of LibTorch's current stream. Only LibTorch's interfaces
// for any device are used: a LibTorch without CUDA is enough to build.

#ifndef AFT_TORCH_OPS_PLACEMENT_H
#define AFT_TORCH_OPS_PLACEMENT_H

#include "aft/program.h"

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

namespace aft::ops {

class Placement {
public:
  /// The CPU.
  Placement() = default;
  /// Where `tensor` is, which messages call `name` ("parameter 'w'"). Throws c10::Error
  /// where no program runs.
  Placement(const at::Tensor &tensor, std::string name);

  c10::Device device() const { return place; }
  bool isGpu() const { return place.is_cuda(); }
  /// Throws c10::Error unless a tensor is here, too.
  void check(const at::Tensor &tensor, const std::string &name) const;
  /// What a program must be compiled for, where its options say `wanted`. Throws
  /// c10::Error where that cannot be.
  std::string target(const std::string &wanted) const;
  /// The tensor with its numbers one after the other, and on a GPU where programs want them.
  at::Tensor ready(const at::Tensor &tensor) const;
  /// A new tensor, whose numbers are undefined.
  at::Tensor empty(DType dtype, const std::vector<int64_t> &shape) const;
  /// Runs an entry on tensors that are here. On a GPU it returns before that is done.
  Status run(const Program &program, const std::string &entry, const std::vector<Buffer> &inputs,
             const std::vector<Buffer> &outputs) const;

private:
  c10::Device place = c10::Device(c10::kCPU);
  std::string like; ///< the tensor that decided
};

} // namespace aft::ops

#endif // AFT_TORCH_OPS_PLACEMENT_H
