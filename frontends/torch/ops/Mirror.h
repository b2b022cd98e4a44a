//===- Mirror.h - Tensors of the host that have a copy on a GPU -----------===//
// For LibTorch without CUDA: what calls of a program for a GPU have in common stays there.

#ifndef AFT_TORCH_OPS_MIRROR_H
#define AFT_TORCH_OPS_MIRROR_H

#include "aft/program.h"
#include "runtime/cuda/Arrays.h"

#include <ATen/core/Tensor.h>

#include <map>
#include <mutex>
#include <vector>

namespace aft::ops {

/// A copy of a tensor, and of which numbers it is.
class Reflection {
public:
  /// Whether the tensor holds other numbers than when it was last noted, as far as LibTorch
  /// counts changes.
  bool isBehind(const at::Tensor &tensor) const;
  /// The copy now has the tensor's numbers.
  void note(const at::Tensor &tensor);

  std::shared_ptr<const cuda::Array> array;

private:
  c10::Storage storage; ///< kept, so that its address is nobody else's
  const void *data = nullptr;
  int64_t version = -1;
};

/// Throws c10::Error where the GPU fails. Safe to use from several threads; a Reflection is
/// used by one at a time.
class Mirror {
public:
  /// On the system's GPU of that number.
  explicit Mirror(int device);

  /// New memory, whose numbers are undefined.
  std::shared_ptr<const cuda::Array> make(int64_t bytes) const;
  /// A copy of a tensor, which is contiguous.
  std::shared_ptr<const cuda::Array> copy(const at::Tensor &tensor) const;
  /// Brings a copy up to date where it is not.
  void update(Reflection &reflection, const at::Tensor &tensor) const;
  /// Copies a tensor, which is contiguous and as large.
  void write(const cuda::Array &array, const at::Tensor &tensor) const;
  /// After all that was queued.
  void read(const cuda::Array &array, const at::Tensor &tensor) const;
  void *stream() const { return arrays->stream(); }

  /// A tensor without numbers (of the device "meta") that stands for an array.
  at::Tensor hand(std::shared_ptr<const cuda::Array> array, DType dtype,
                  const std::vector<int64_t> &shape);
  /// The array that a tensor stands for; null: it does for none of these.
  std::shared_ptr<const cuda::Array> find(const at::Tensor &tensor) const;

private:
  using Handed = std::pair<c10::weak_intrusive_ptr<c10::TensorImpl, c10::UndefinedTensorImpl>,
                           std::shared_ptr<const cuda::Array>>;

  std::shared_ptr<cuda::Arrays> arrays;
  mutable std::mutex mutex; ///< guards everything below
  std::map<const c10::TensorImpl *, Handed> handed;
};

/// Whether programs for such a target run on a GPU.
bool isForGpu(const std::string &target);

/// An array as an argument of a program.
Buffer bufferOf(const cuda::Array &array, DType dtype, std::vector<int64_t> shape);

} // namespace aft::ops

#endif // AFT_TORCH_OPS_MIRROR_H
