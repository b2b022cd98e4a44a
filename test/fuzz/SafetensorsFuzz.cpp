//===- SafetensorsFuzz.cpp - Files of named tensors -----------------------===//

#include "Target.h"

#include "runtime/artifact/Safetensors.h"

using namespace aft;
using namespace aft::fuzz;

/// The same tensors as they are written here.
static std::string written(std::vector<NamedTensor> tensors,
                           const std::vector<std::pair<std::string, std::string>> &metadata) {
  std::string bytes = safetensorsHeader(tensors, metadata);
  for (const NamedTensor &tensor : tensors)
    bytes.append(static_cast<const char *>(tensor.value.data), bytesOf(tensor.value));
  return bytes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  std::string_view bytes = textOf(data, size);
  Safetensors file, again;
  if (Status status = Safetensors::parse(bytes, file); !status.ok()) {
    promiseMessage(status.message);
    return 0;
  }
  size_t total = 0;
  for (const NamedTensor &tensor : file.tensors) {
    const char *begin = static_cast<const char *>(tensor.value.data);
    int64_t length = bytesOf(tensor.value);
    promise(length >= 0 && begin >= bytes.data() && length <= bytes.data() + bytes.size() - begin,
            "a tensor lies within its file");
    promise(file.find(tensor.name) == &tensor, "a name is that of one tensor");
    total += static_cast<size_t>(length);
  }
  promise(total <= size, "tensors share no bytes");
  std::string copy = written(file.tensors, file.metadata);
  promise(Safetensors::parse(copy, again).ok(), "what is written can be read");
  promise(written(again.tensors, again.metadata) == copy, "what is written reads as it was");
  return 0;
}
