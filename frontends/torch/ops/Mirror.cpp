//===- Mirror.cpp - Tensors of the host that have a copy on a GPU ---------===//

#include "frontends/torch/ops/Mirror.h"

#include "frontends/torch/ops/Kernels.h"

#include <ATen/ATen.h>

using namespace aft;
using namespace aft::ops;

using Array = std::shared_ptr<const cuda::Array>;

static void require(const Status &status) { TORCH_CHECK(status.ok(), status.message); }

bool ops::isForGpu(const std::string &target) {
  return target == "cuda" || target.rfind("cuda:", 0) == 0;
}

Buffer ops::bufferOf(const cuda::Array &array, DType dtype, std::vector<int64_t> shape) {
  return {array.pointer(), dtype, std::move(shape)};
}

//===----------------------------------------------------------------------===//
// Copies
//===----------------------------------------------------------------------===//

bool Reflection::isBehind(const at::Tensor &tensor) const {
  // What is made in inference mode counts no changes.
  return !array || tensor.is_inference() || tensor.const_data_ptr() != data ||
         static_cast<int64_t>(tensor._version()) != version;
}

void Reflection::note(const at::Tensor &tensor) {
  storage = tensor.storage();
  data = tensor.const_data_ptr();
  version = tensor.is_inference() ? -1 : static_cast<int64_t>(tensor._version());
}

Mirror::Mirror(int device) { require(cuda::Arrays::open(device, arrays)); }

Array Mirror::make(int64_t bytes) const {
  Array array;
  require(arrays->make(bytes, array));
  return array;
}

void Mirror::write(const cuda::Array &array, const at::Tensor &tensor) const {
  TORCH_INTERNAL_ASSERT(tensor.is_contiguous() &&
                        static_cast<int64_t>(tensor.nbytes()) == array.bytes());
  require(arrays->copyIn(array, tensor.const_data_ptr()));
}

Array Mirror::copy(const at::Tensor &tensor) const {
  Array array = make(static_cast<int64_t>(tensor.nbytes()));
  write(*array, tensor);
  return array;
}

void Mirror::update(Reflection &reflection, const at::Tensor &tensor) const {
  if (!reflection.isBehind(tensor))
    return;
  at::Tensor numbers = inMemory(tensor);
  if (!reflection.array || reflection.array->bytes() != static_cast<int64_t>(numbers.nbytes()))
    reflection.array = make(static_cast<int64_t>(numbers.nbytes()));
  write(*reflection.array, numbers);
  reflection.note(tensor);
}

void Mirror::read(const cuda::Array &array, const at::Tensor &tensor) const {
  TORCH_INTERNAL_ASSERT(tensor.is_contiguous() &&
                        static_cast<int64_t>(tensor.nbytes()) == array.bytes());
  require(arrays->copyOut(tensor.data_ptr(), array));
}

//===----------------------------------------------------------------------===//
// Tensors that stand for arrays
//===----------------------------------------------------------------------===//

at::Tensor Mirror::hand(Array array, DType dtype, const std::vector<int64_t> &shape) {
  at::Tensor tensor =
      at::empty(shape, at::TensorOptions().dtype(scalarTypeOf(dtype)).device(at::kMeta));
  std::lock_guard<std::mutex> lock(mutex);
  std::erase_if(handed, [](const auto &known) { return known.second.first.expired(); });
  handed.insert_or_assign(tensor.unsafeGetTensorImpl(),
                          Handed(c10::weak_intrusive_ptr<c10::TensorImpl, c10::UndefinedTensorImpl>(
                                     tensor.getIntrusivePtr()),
                                 std::move(array)));
  return tensor;
}

Array Mirror::find(const at::Tensor &tensor) const {
  if (!tensor.defined() || !tensor.is_meta())
    return nullptr;
  std::lock_guard<std::mutex> lock(mutex);
  auto known = handed.find(tensor.unsafeGetTensorImpl());
  // The address may be that of another tensor by now.
  return known == handed.end() || known->second.first.expired() ? nullptr : known->second.second;
}
