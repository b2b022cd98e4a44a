//===- Models.h - Archives of .pt2 and .pt files for fuzz targets ---------===//
// Most changes of an archive only show in its checksums. So the first byte of an
// input says what the rest is: the whole file, or one record of a file that is sound
// otherwise.

#ifndef AFT_TEST_FUZZ_MODELS_H
#define AFT_TEST_FUZZ_MODELS_H

#include "Target.h"

#include "runtime/jit/Import.h"

#include <ATen/core/Tensor.h>
#include <caffe2/serialize/file_adapter.h>
#include <caffe2/serialize/inline_container.h>

#include <map>

/// What libaft_import.so offers (kImportSymbol), linked in here.
extern "C" void aft_import_model_2(const std::string &path, const aft::ImportRequest &request,
                                   aft::ImportedModel &model, aft::Status &status);

namespace aft::fuzz {

class Models {
public:
  /// `base`: a sound file. `records`: the end of a record's name by the byte that
  /// stands for it.
  Models(const std::string &base, std::map<char, std::string> records)
      : records(std::move(records)) {
    caffe2::serialize::PyTorchStreamReader reader(
        std::make_shared<caffe2::serialize::FileAdapter>(base));
    for (const std::string &name : reader.getAllRecords()) {
      // LibTorch would unpack the places of the code, which nothing needs, for each input.
      if (name.ends_with(".debug_pkl"))
        continue;
      auto [data, size] = reader.getRecord(name);
      contents.emplace_back(name, std::string(static_cast<const char *>(data.get()), size));
    }
  }

  /// The bytes of the file that an input means.
  std::string fileOf(std::string_view input) const {
    auto record = input.empty() ? records.end() : records.find(input[0]);
    if (record == records.end())
      return std::string(input.substr(input.empty() ? 0 : 1));
    std::string bytes;
    caffe2::serialize::PyTorchStreamWriter writer([&](const void *data, size_t size) {
      bytes.append(static_cast<const char *>(data), size);
      return size;
    });
    for (const auto &[name, content] : contents) {
      // The writer adds these itself.
      if (name == "version" || name == ".data/serialization_id")
        continue;
      bool isMeant = name.ends_with(record->second);
      std::string_view text = isMeant ? input.substr(1) : std::string_view(content);
      writer.writeRecord(name, text.data(), text.size());
    }
    writer.writeEndOfFile();
    return bytes;
  }

  /// Imports the file that an input means, or has it refused.
  void import(std::string_view input, const ImportRequest &request) {
    std::string path = file.put(fileOf(input));
    ImportedModel model;
    Status status;
    aft_import_model_2(path, request, model, status);
    promise(status.ok() || status.message.rfind(path, 0) == 0, status.message.c_str());
    promise(!status.ok() || !model.text.empty(), "a model is a program");
  }

private:
  std::map<char, std::string> records;
  std::vector<std::pair<std::string, std::string>> contents;
  InputFile file;
};

} // namespace aft::fuzz

#endif // AFT_TEST_FUZZ_MODELS_H
