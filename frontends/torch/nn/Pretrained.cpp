//===- Pretrained.cpp - The tensors of a Transformer ----------------------===//

#include "aft/pretrained.h"

#include "runtime/artifact/FileBytes.h"
#include "runtime/artifact/Safetensors.h"
#include "runtime/core/Quote.h"

#include <ATen/ATen.h>

#include <algorithm>

using namespace aft;
using namespace aft::nn;

Pretrained::Pretrained(const torch::nn::Module &transformer) {
  for (const auto &parameter : transformer.named_parameters())
    if (parameter.value().defined())
      all.insert(parameter.key(), parameter.value().detach());
}

//===----------------------------------------------------------------------===//
// .safetensors
//===----------------------------------------------------------------------===//

static std::optional<at::ScalarType> scalarTypeNamed(const std::string &type) {
  static constexpr std::pair<const char *, at::ScalarType> kTypes[] = {
      {"F32", at::kFloat},
      {"F64", at::kDouble},
      {"BF16", at::kBFloat16},
      {"F16", at::kHalf},
      {"BOOL", at::kBool},
      {"I8", at::kChar},
      {"U8", at::kByte},
      {"I16", at::kShort},
      {"U16", at::kUInt16},
      {"I32", at::kInt},
      {"U32", at::kUInt32},
      {"I64", at::kLong},
      {"U64", at::kUInt64},
      {"F8_E4M3", at::kFloat8_e4m3fn},
      {"F8_E5M2", at::kFloat8_e5m2}};
  for (const auto &[name, scalar] : kTypes)
    if (type == name)
      return scalar;
  return std::nullopt;
}

/// Bytes of a tensor's data; -1 where 64 bits do not suffice.
static int64_t byteCount(const SafetensorsEntry &entry, at::ScalarType type) {
  int64_t bytes = static_cast<int64_t>(c10::elementSize(type));
  for (int64_t extent : entry.shape)
    if (__builtin_mul_overflow(bytes, extent, &bytes))
      return -1;
  return bytes;
}

/// The tensor in the file's memory, or a copy where elements would not be aligned.
static at::Tensor tensorOf(const SafetensorsEntry &entry, at::ScalarType type,
                           const std::shared_ptr<FileBytes> &file) {
  auto *data = const_cast<char *>(entry.data.data());
  if (reinterpret_cast<uintptr_t>(data) % c10::elementSize(type) == 0)
    return at::from_blob(data, entry.shape, [file](void *) {}, type);
  at::Tensor copy = at::empty(entry.shape, type);
  // What is empty has no address, which memcpy must not be given.
  std::copy_n(data, entry.data.size(), static_cast<char *>(copy.data_ptr()));
  return copy;
}

Pretrained::Pretrained(const std::string &path) {
  auto file = std::make_shared<FileBytes>();
  Failure failure = file->open(path);
  TORCH_CHECK(failure.ok(), failure.message);
  std::vector<SafetensorsEntry> entries;
  Status status = Safetensors::list(file->bytes(), entries);
  TORCH_CHECK(status.ok(), path, ": ", status.message);
  for (const SafetensorsEntry &entry : entries) {
    std::optional<at::ScalarType> type = scalarTypeNamed(entry.type);
    TORCH_CHECK(type, path, ": tensor ", quote(entry.name), " has the type ", quote(entry.type),
                ", which LibTorch has not");
    int64_t bytes = byteCount(entry, *type);
    TORCH_CHECK(bytes >= 0 && static_cast<uint64_t>(bytes) == entry.data.size(), path, ": tensor ",
                quote(entry.name), " has ", entry.data.size(), " bytes of data, expected ",
                bytes < 0 ? "more than 64 bits can count" : std::to_string(bytes));
    all.insert(entry.name, tensorOf(entry, *type, file));
  }
}
