//===- Archive.h - The container of .pt2 and .pt files --------------------===//

#ifndef AFT_TORCH_IMPORT_ARCHIVE_H
#define AFT_TORCH_IMPORT_ARCHIVE_H

#include <ATen/core/Tensor.h>
#include <caffe2/serialize/inline_container.h>

#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace aft::import {

/// A zip file, each record of which is read with its size and checksum compared.
/// Throws c10::Error.
class Archive {
public:
  explicit Archive(const std::string &path);
  const std::vector<std::string> &records() const { return names; }
  bool has(const std::string &name) const;
  /// The bytes of a record.
  at::Tensor bytes(const std::string &name);
  std::string text(const std::string &name);
  /// For LibTorch's own readers.
  std::shared_ptr<caffe2::serialize::ReadAdapterInterface> file() const { return source; }

private:
  void readChecksums();
  void check(const std::string &name, const at::Tensor &data) const;
  std::shared_ptr<caffe2::serialize::ReadAdapterInterface> source;
  std::unique_ptr<caffe2::serialize::PyTorchStreamReader> reader;
  std::vector<std::string> names;
  std::unordered_set<std::string> known;               ///< the same names
  std::unordered_map<std::string, uint32_t> checksums; ///< by record
};

} // namespace aft::import

#endif // AFT_TORCH_IMPORT_ARCHIVE_H
