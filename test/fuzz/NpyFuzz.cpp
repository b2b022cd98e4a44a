//===- NpyFuzz.cpp - NumPy's array files ----------------------------------===//

#include "Target.h"

#include "runtime/core/Npy.h"

using namespace aft;
using namespace aft::fuzz;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static InputFile file;
  Array array, other;
  Status status = readNpy(file.put(textOf(data, size)), array);
  if (!status.ok()) {
    promiseMessage(status.message);
    return 0;
  }
  promise(array.bytes.size() <= size, "an array is no larger than its file");
  promise(array.elements() * sizeOf(array.dtype) == static_cast<int64_t>(array.bytes.size()),
          "an array has the bytes of its shape");
  if (array.bytes.empty())
    return 0;
  for (DType dtype : {array.dtype, DType::f32, DType::f64, DType::bf16}) {
    status = convertArray(array, dtype, other);
    promise(status.ok() && other.shape == array.shape, "an array has other types too");
  }
  return 0;
}
