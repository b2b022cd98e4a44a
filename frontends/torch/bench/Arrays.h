//===- Arrays.h - Tensors in .npy files -----------------------------------===//

#ifndef AFT_TORCH_BENCH_ARRAYS_H
#define AFT_TORCH_BENCH_ARRAYS_H

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

namespace aft::bench {

/// DIR/NAME.npy, rounded to `dtype`. Throws std::runtime_error when it cannot be
/// read or has another shape.
at::Tensor readTensor(const std::string &folder, const std::string &name,
                      const std::vector<int64_t> &shape, at::ScalarType dtype);

/// Writes DIR/NAME.npy; bf16 as f32. Throws std::runtime_error.
void writeTensor(const std::string &folder, const std::string &name, const at::Tensor &tensor);

} // namespace aft::bench

#endif // AFT_TORCH_BENCH_ARRAYS_H
