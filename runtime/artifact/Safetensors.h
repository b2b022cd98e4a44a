//===- Safetensors.h - Named tensors in one file --------------------------===//
// The format of https://github.com/huggingface/safetensors: the length of a
// JSON header, the header, the data.

#ifndef AFT_RUNTIME_ARTIFACT_SAFETENSORS_H
#define AFT_RUNTIME_ARTIFACT_SAFETENSORS_H

#include "aft/program.h"
#include "runtime/core/InternalApi.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace aft {

/// One tensor of a file, of whatever type.
struct SafetensorsEntry {
  std::string name, type; ///< the type as the file spells it: "F32", "F16"
  std::vector<int64_t> shape;
  std::string_view data;
};

/// What a file holds; the tensors point into its bytes.
struct AFT_INTERNAL Safetensors {
  std::vector<NamedTensor> tensors;
  std::vector<std::pair<std::string, std::string>> metadata;

  /// The tensor of this name, or null.
  const NamedTensor *find(const std::string &name) const;

  /// Reads a file that is in memory. Tensors of types that programs do not have are
  /// left out.
  static Status parse(std::string_view bytes, Safetensors &result);

  /// Lists the tensors of all types. The number of bytes of each is as the file says:
  /// whoever knows the type compares it with the shape.
  static Status list(std::string_view bytes, std::vector<SafetensorsEntry> &entries);
};

/// What stands before the data of a file with these tensors: they follow in the
/// order of the result, their sizes from `bytesOf`, without anything in between.
AFT_INTERNAL std::string
safetensorsHeader(std::vector<NamedTensor> &tensors,
                  const std::vector<std::pair<std::string, std::string>> &metadata);

/// Bytes of a tensor's data; -1 where 64 bits do not suffice.
AFT_INTERNAL int64_t bytesOf(const Buffer &buffer);

} // namespace aft

#endif // AFT_RUNTIME_ARTIFACT_SAFETENSORS_H
