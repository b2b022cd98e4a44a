//===- Archive.cpp - The container of .pt2 and .pt files ------------------===//

#include "frontends/torch/import/Archive.h"

#include "runtime/core/File.h"

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

template <typename T> static T numberAt(const char *bytes) {
  T number;
  std::memcpy(&number, bytes, sizeof number);
  return number;
}

/// A record may be larger than the file up to this size.
static constexpr size_t kLargestCompressed = size_t(1) << 26;

Archive::Archive(const std::string &path) {
  if (aft::Status status = aft::expectFile(path); !status.ok())
    TORCH_CHECK(false, status.message.substr(path.size() + 2));
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
    known.insert(names.begin(), names.end());
  } catch (const std::exception &) {
    TORCH_CHECK(false, "is damaged or cut off: its table of contents cannot be read");
  }
  readChecksums();
}

bool Archive::has(const std::string &name) const {
  return known.count(name) != 0;
}

/// The checksums of all records, from the table of contents at the end: LibTorch's
/// reader does not compare them.
void Archive::readChecksums() {
  static constexpr size_t kEnd = 22, kEnd64 = 56, kLocator = 20, kEntry = 46;
  size_t all = source->size(), begin = 0;
  auto read = [&](size_t at, size_t count) {
    TORCH_CHECK(at <= all && count <= all - at, "is damaged: its table of contents is cut off");
    std::string bytes(count, '\0');
    TORCH_CHECK(source->read(at, bytes.data(), count) == count, "cannot be read");
    return bytes;
  };
  // No comment follows in what LibTorch writes.
  std::string end = read(all - std::min(all, kEnd), kEnd);
  TORCH_CHECK(numberAt<uint32_t>(end.data()) == 0x06054b50,
              "is damaged or cut off: it does not end as a zip file");
  begin = numberAt<uint32_t>(end.data() + 16);
  size_t length = numberAt<uint32_t>(end.data() + 12);
  if (begin == 0xffffffff || length == 0xffffffff || numberAt<uint16_t>(end.data() + 10) == 0xffff) {
    std::string locator = read(all - std::min(all, kEnd + kLocator), kLocator);
    std::string end64 = read(numberAt<uint64_t>(locator.data() + 8), kEnd64);
    TORCH_CHECK(numberAt<uint32_t>(end64.data()) == 0x06064b50, "is damaged: its end is wrong");
    length = numberAt<uint64_t>(end64.data() + 40);
    begin = numberAt<uint64_t>(end64.data() + 48);
  }
  std::string table = read(begin, length);
  for (size_t at = 0; at < table.size();) {
    TORCH_CHECK(table.size() - at >= kEntry && numberAt<uint32_t>(&table[at]) == 0x02014b50,
                "is damaged: its table of contents is wrong");
    size_t name = numberAt<uint16_t>(&table[at + 28]);
    size_t rest = numberAt<uint16_t>(&table[at + 30]) + numberAt<uint16_t>(&table[at + 32]);
    TORCH_CHECK(table.size() - at - kEntry >= name + rest,
                "is damaged: its table of contents is wrong");
    std::string path = table.substr(at + kEntry, name);
    // Every record lies in a folder with the archive's name.
    TORCH_CHECK(checksums.emplace(path.substr(path.find('/') + 1), numberAt<uint32_t>(&table[at + 16]))
                    .second,
                "has two records with the name '", path, "'");
    at += kEntry + name + rest;
  }
}

/// Compares a record's checksum; 0: the writer was told to leave it out.
void Archive::check(const std::string &name, const at::Tensor &data) const {
  auto found = checksums.find(name);
  TORCH_CHECK(found != checksums.end(), "is damaged: its table of contents lacks '", name, "'");
  TORCH_CHECK(found->second == 0 ||
                  found->second == crc32(data.const_data_ptr<uint8_t>(), data.numel()),
              "is damaged: the checksum of record '", name, "' does not fit its content");
}

at::Tensor Archive::bytes(const std::string &name) {
  TORCH_CHECK(has(name), "has no record '", name, "'");
  at::Tensor data;
  try {
    // Only short ones are compressed; this bounds what is allocated.
    size_t size = reader->getRecordSize(name);
    TORCH_CHECK(size <= std::max(source->size(), kLargestCompressed), "larger than the file");
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
