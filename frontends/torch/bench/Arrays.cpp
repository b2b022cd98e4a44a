//===- Arrays.cpp - Tensors in .npy files ---------------------------------===//

#include "frontends/torch/bench/Arrays.h"

#include "frontends/torch/ops/Kernels.h"
#include "runtime/core/Npy.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <stdexcept>

using namespace aft::bench;

static std::string pathOf(const std::string &folder, const std::string &name) {
  return folder + "/" + name + ".npy";
}

at::Tensor aft::bench::readTensor(const std::string &folder, const std::string &name,
                                  const std::vector<int64_t> &shape, at::ScalarType dtype) {
  std::string path = pathOf(folder, name);
  aft::Array array;
  if (aft::Status status = aft::readNpy(path, array); !status.ok())
    throw std::runtime_error(status.message);
  if (array.shape != shape) {
    auto text = [](const std::vector<int64_t> &extents) {
      std::string list;
      for (int64_t extent : extents)
        list += (list.empty() ? "" : ", ") + std::to_string(extent);
      return "[" + list + "]";
    };
    throw std::runtime_error(path + ": expected shape " + text(shape) + ", found " +
                             text(array.shape));
  }
  at::Tensor tensor = at::empty(shape, at::TensorOptions().dtype(ops::scalarTypeOf(array.dtype)));
  // What is empty has no address, which memcpy must not be given.
  std::copy_n(array.bytes.data(), array.bytes.size(), static_cast<char *>(tensor.data_ptr()));
  return tensor.to(dtype);
}

void aft::bench::writeTensor(const std::string &folder, const std::string &name,
                             const at::Tensor &tensor) {
  at::Tensor dense = tensor.detach().contiguous();
  if (dense.scalar_type() == at::kBFloat16)
    dense = dense.to(at::kFloat);
  aft::Buffer buffer = ops::bufferOf(dense);
  aft::Array array{buffer.dtype, buffer.shape, std::vector<char>(dense.nbytes())};
  std::copy_n(static_cast<const char *>(dense.data_ptr()), dense.nbytes(), array.bytes.data());
  if (aft::Status status = aft::writeNpy(pathOf(folder, name), array); !status.ok())
    throw std::runtime_error(status.message);
}
