//===- Archive.cpp - The container of .pt2 and .pt files ------------------===//

#include "frontends/torch/import/Archive.h"

#include <ATen/ATen.h>
#include <caffe2/serialize/file_adapter.h>

#include <algorithm>
#include <array>
#include <cstring>

using namespace aft::import;

/// The checksum of zip files.
static uint32_t crc32(const uint8_t *data, size_t size) {
  static const std::array<uint32_t, 256> table = [] {
    std::array<uint32_t, 256> steps{};
    for (uint32_t byte = 0; byte < 256; ++byte) {
      uint32_t rest = byte;
      for (int bit = 0; bit < 8; ++bit)
        rest = rest >> 1 ^ (rest & 1 ? 0xedb88320u : 0);
      steps[byte] = rest;
    }
    return steps;
  }();
  uint32_t sum = ~0u;
  for (size_t i = 0; i < size; ++i)
    sum = sum >> 8 ^ table[(sum ^ data[i]) & 0xff];
  return ~sum;
}

Archive::Archive(const std::string &path) {
  source = std::make_shared<caffe2::serialize::FileAdapter>(path);
  char magic[4] = {};
  TORCH_CHECK(source->size() >= sizeof magic &&
                  source->read(0, magic, sizeof magic) == sizeof magic &&
                  std::memcmp(magic, "PK\3\4", sizeof magic) == 0,
              "is not a file that torch.export.save or torch.jit.save wrote: it does not begin as "
              "a zip file");
  try {
    reader = std::make_unique<caffe2::serialize::PyTorchStreamReader>(source);
    names = reader->getAllRecords();
  } catch (const std::exception &) {
    TORCH_CHECK(false, "is damaged or cut off: its table of contents cannot be read");
  }
}

bool Archive::has(const std::string &name) const {
  return std::find(names.begin(), names.end(), name) != names.end();
}

template <typename T> static T numberAt(const char *bytes) {
  T number;
  std::memcpy(&number, bytes, sizeof number);
  return number;
}

/// Compares a record's checksum, which LibTorch's reader does not: it is in the
/// header before the record or in the descriptor after it.
void Archive::check(const std::string &name, const at::Tensor &data) {
  char header[30] = {}, descriptor[8] = {};
  size_t size = data.numel(), begin = reader->getRecordHeaderOffset(name),
         end = reader->getRecordOffset(name) + size;
  TORCH_CHECK(source->read(begin, header, sizeof header) == sizeof header &&
                  numberAt<uint32_t>(header) == 0x04034b50,
              "is damaged: record '", name, "' has no header");
  uint32_t expected = numberAt<uint32_t>(header + 14);
  if (numberAt<uint16_t>(header + 6) & 8) {
    TORCH_CHECK(source->read(end, descriptor, sizeof descriptor) == sizeof descriptor &&
                    numberAt<uint32_t>(descriptor) == 0x08074b50,
                "is damaged: record '", name, "' has no checksum");
    expected = numberAt<uint32_t>(descriptor + 4);
  }
  // 0: the writer was told to leave it out.
  TORCH_CHECK(expected == 0 || expected == crc32(data.const_data_ptr<uint8_t>(), size),
              "is damaged: the checksum of record '", name, "' does not fit its content");
}

at::Tensor Archive::bytes(const std::string &name) {
  TORCH_CHECK(has(name), "has no record '", name, "'");
  at::Tensor data;
  try {
    size_t size = reader->getRecordSize(name), offset = reader->getRecordOffset(name),
           all = source->size();
    // Also bounds what is allocated.
    TORCH_CHECK(size <= all && offset <= all - size, "record '", name, "' is larger than the file");
    data = at::empty({static_cast<int64_t>(size)}, at::kByte);
    TORCH_CHECK(reader->getRecord(name, data.data_ptr(), size) == size, "record '", name,
                "' is cut off");
  } catch (const std::exception &) {
    TORCH_CHECK(false, "is damaged or cut off: record '", name, "' cannot be read");
  }
  check(name, data);
  return data;
}

std::string Archive::text(const std::string &name) {
  at::Tensor data = bytes(name);
  return std::string(static_cast<const char *>(data.const_data_ptr()), data.numel());
}
