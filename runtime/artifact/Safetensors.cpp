//===- Safetensors.cpp - Named tensors in one file ------------------------===//

#include "runtime/artifact/Safetensors.h"

#include "runtime/core/Json.h"
#include "runtime/core/Quote.h"

#include <algorithm>
#include <cstring>

using namespace aft;

static constexpr uint64_t kMostHeader = 100'000'000;
/// Where the data begins in files that are written here.
static constexpr size_t kAlignment = 64;

static constexpr std::pair<const char *, DType> kTypes[] = {
    {"F32", DType::f32}, {"F64", DType::f64}, {"BF16", DType::bf16}, {"BOOL", DType::i1},
    {"I8", DType::i8},   {"I32", DType::i32}, {"I64", DType::i64}};

int64_t aft::bytesOf(const Buffer &buffer) {
  int64_t bytes = sizeOf(buffer.dtype);
  for (int64_t extent : buffer.shape)
    if (extent < 0 || __builtin_mul_overflow(bytes, extent, &bytes))
      return -1;
  return bytes;
}

const NamedTensor *Safetensors::find(const std::string &name) const {
  for (const NamedTensor &tensor : tensors)
    if (tensor.name == name)
      return &tensor;
  return nullptr;
}

/// Two ascending places within the data.
static bool readPlaces(const Json *value, uint64_t size, uint64_t &begin, uint64_t &end) {
  if (!value || value->items.size() != 2)
    return false;
  const Json &first = value->items[0], &last = value->items[1];
  if (first.kind != Json::Kind::Integer || last.kind != Json::Kind::Integer || first.integer < 0 ||
      last.integer < first.integer)
    return false;
  begin = static_cast<uint64_t>(first.integer);
  end = static_cast<uint64_t>(last.integer);
  return end <= size;
}

static Status readEntry(const std::string &name, const Json &value, std::string_view data,
                        SafetensorsEntry &entry) {
  auto fail = [&](const std::string &expected, const Json *found) {
    return Status{"tensor " + quote(name) + ": expected " + expected + ", found " + shown(found)};
  };
  const Json *type = value.find("dtype"), *shape = value.find("shape"),
             *places = value.find("data_offsets");
  if (!type || type->kind != Json::Kind::Text)
    return fail("a text as dtype", type);
  if (!shape || shape->kind != Json::Kind::Array)
    return fail("a list as shape", shape);
  uint64_t begin = 0, end = 0;
  if (!readPlaces(places, data.size(), begin, end))
    return fail("data_offsets that ascend within the " + std::to_string(data.size()) +
                    " bytes of data",
                places);
  entry = {name, type->text, {}, data.substr(begin, end - begin)};
  for (const Json &extent : shape->items) {
    if (extent.kind != Json::Kind::Integer || extent.integer < 0)
      return fail("extents of 0 or more in its shape", &extent);
    entry.shape.push_back(extent.integer);
  }
  return {};
}

/// The JSON before the data.
static Status readHeader(std::string_view bytes, Json &header, std::string_view &data) {
  uint64_t length = 0;
  if (bytes.size() < sizeof length)
    return {"expected a .safetensors file, found " + std::to_string(bytes.size()) + " bytes"};
  std::memcpy(&length, bytes.data(), sizeof length);
  if (length > kMostHeader || length > bytes.size() - sizeof length)
    return {"expected a .safetensors file, whose header lies within the file, found one of " +
            std::to_string(length) + " bytes in a file of " + std::to_string(bytes.size())};
  if (Status status = Json::parse(bytes.substr(sizeof length, length), header); !status.ok())
    return {"the header: " + status.message};
  if (header.kind != Json::Kind::Object)
    return {"the header: expected a JSON object, found " + shown(&header)};
  data = bytes.substr(sizeof length + length);
  return {};
}

static constexpr std::string_view kMetadata = "__metadata__";

/// Bytes belong to one tensor: in a file that says else, one of two is not what was written.
static Status checkOverlaps(const std::vector<SafetensorsEntry> &entries) {
  std::vector<const SafetensorsEntry *> sorted;
  for (const SafetensorsEntry &entry : entries)
    if (!entry.data.empty())
      sorted.push_back(&entry);
  std::sort(sorted.begin(), sorted.end(),
            [](auto *a, auto *b) { return a->data.data() < b->data.data(); });
  for (size_t i = 1; i < sorted.size(); ++i)
    if (sorted[i - 1]->data.data() + sorted[i - 1]->data.size() > sorted[i]->data.data())
      return {"tensors " + quote(sorted[i - 1]->name) + " and " + quote(sorted[i]->name) +
              " share bytes, expected data_offsets that do not overlap"};
  return {};
}

static Status readEntries(const Json &header, std::string_view data,
                          std::vector<SafetensorsEntry> &entries) {
  entries.clear();
  for (const auto &[name, value] : header.members) {
    if (name == kMetadata)
      continue;
    entries.emplace_back();
    if (Status status = readEntry(name, value, data, entries.back()); !status.ok())
      return status;
  }
  return checkOverlaps(entries);
}

Status Safetensors::list(std::string_view bytes, std::vector<SafetensorsEntry> &entries) {
  Json header;
  std::string_view data;
  Status status = readHeader(bytes, header, data);
  return status.ok() ? readEntries(header, data, entries) : status;
}

Status Safetensors::parse(std::string_view bytes, Safetensors &result) {
  Json header;
  std::string_view data;
  std::vector<SafetensorsEntry> entries;
  if (Status status = readHeader(bytes, header, data); !status.ok())
    return status;
  if (Status status = readEntries(header, data, entries); !status.ok())
    return status;
  result = {};
  if (const Json *metadata = header.find(kMetadata))
    for (const auto &[key, value] : metadata->members)
      result.metadata.emplace_back(key, value.text);
  for (SafetensorsEntry &entry : entries) {
    auto known = std::find_if(std::begin(kTypes), std::end(kTypes),
                              [&](auto &pair) { return entry.type == pair.first; });
    if (known == std::end(kTypes))
      continue;
    Buffer value{const_cast<char *>(entry.data.data()), known->second, std::move(entry.shape)};
    if (int64_t size = bytesOf(value); size < 0 || uint64_t(size) != entry.data.size())
      return {"tensor " + quote(entry.name) + " has " + std::to_string(entry.data.size()) +
              " bytes of data, expected " +
              (size < 0 ? "more than 64 bits can count" : std::to_string(size))};
    result.tensors.push_back({std::move(entry.name), std::move(value)});
  }
  return {};
}

std::string
aft::safetensorsHeader(std::vector<NamedTensor> &tensors,
                       const std::vector<std::pair<std::string, std::string>> &metadata) {
  // Wide elements first: then each is aligned for its type.
  std::vector<NamedTensor> sorted;
  for (int64_t bytes : {8, 4, 2, 1})
    for (const NamedTensor &tensor : tensors)
      if (sizeOf(tensor.value.dtype) == bytes)
        sorted.push_back(tensor);
  tensors = std::move(sorted);
  Json header = Json::object();
  if (!metadata.empty()) {
    Json all = Json::object();
    for (const auto &[key, value] : metadata)
      all.members.emplace_back(key, value);
    header.members.emplace_back(kMetadata, std::move(all));
  }
  int64_t at = 0;
  for (const NamedTensor &tensor : tensors) {
    const char *type = "";
    for (const auto &[name, dtype] : kTypes)
      if (dtype == tensor.value.dtype)
        type = name;
    Json shape = Json::array();
    for (int64_t extent : tensor.value.shape)
      shape.items.emplace_back(extent);
    int64_t end = at + bytesOf(tensor.value);
    header.members.emplace_back(tensor.name,
                                Json::object({{"dtype", type},
                                              {"shape", std::move(shape)},
                                              {"data_offsets", Json::array({at, end})}}));
    at = end;
  }
  std::string text = header.print();
  text.pop_back();
  text.append((kAlignment - (text.size() + 8) % kAlignment) % kAlignment, ' ');
  uint64_t length = text.size();
  return std::string(reinterpret_cast<char *>(&length), sizeof length) + text;
}
