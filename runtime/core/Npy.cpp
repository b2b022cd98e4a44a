//===- Npy.cpp - Reading and writing NumPy's array files ------------------===//

#include "runtime/core/Npy.h"

#include "runtime/core/File.h"
#include "runtime/core/Quote.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <limits>
#include <new>

using namespace aft;

static constexpr char kMagic[] = "\x93NUMPY";
static constexpr size_t kMagicBytes = 6;
/// Larger headers are damage.
static constexpr uint32_t kMostHeader = 1 << 20;

static float bf16ToFloat(uint16_t bits) {
  uint32_t wide = static_cast<uint32_t>(bits) << 16;
  float value;
  std::memcpy(&value, &wide, sizeof value);
  return value;
}

static uint16_t floatToBf16(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  if (value != value)
    return static_cast<uint16_t>((bits >> 16) | 0x40);
  return static_cast<uint16_t>((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}

int64_t Array::elements() const {
  int64_t count = 1;
  for (int64_t extent : shape)
    count *= extent;
  return count;
}

template <typename T> static T readAs(const Array &array, int64_t i) {
  T value;
  std::memcpy(&value, array.bytes.data() + i * sizeof(T), sizeof(T));
  return value;
}

template <typename T> static void writeAs(Array &array, int64_t i, T value) {
  std::memcpy(array.bytes.data() + i * sizeof(T), &value, sizeof(T));
}

double Array::at(int64_t i) const {
  switch (dtype) {
  case DType::f32: return readAs<float>(*this, i);
  case DType::f64: return readAs<double>(*this, i);
  case DType::bf16: return bf16ToFloat(readAs<uint16_t>(*this, i));
  case DType::i1: return readAs<uint8_t>(*this, i) != 0;
  case DType::i8: return readAs<int8_t>(*this, i);
  case DType::i32: return readAs<int32_t>(*this, i);
  case DType::i64: return static_cast<double>(readAs<int64_t>(*this, i));
  }
  return 0;
}

void Array::set(int64_t i, double value) {
  switch (dtype) {
  case DType::f32: return writeAs<float>(*this, i, static_cast<float>(value));
  case DType::f64: return writeAs<double>(*this, i, value);
  case DType::bf16: return writeAs<uint16_t>(*this, i, floatToBf16(static_cast<float>(value)));
  case DType::i1: return writeAs<uint8_t>(*this, i, value != 0);
  case DType::i8: return writeAs<int8_t>(*this, i, static_cast<int8_t>(value));
  case DType::i32: return writeAs<int32_t>(*this, i, static_cast<int32_t>(value));
  case DType::i64: return writeAs<int64_t>(*this, i, static_cast<int64_t>(value));
  }
}

Status aft::makeArray(DType dtype, const std::vector<int64_t> &shape, Array &array) {
  int64_t bytes = sizeOf(dtype);
  for (int64_t extent : shape)
    if (extent < 0 || __builtin_mul_overflow(bytes, extent, &bytes))
      return {"an array's size does not fit 64 bits"};
  array.dtype = dtype;
  array.shape = shape;
  try {
    array.bytes.assign(static_cast<size_t>(bytes), 0);
  } catch (const std::exception &) {
    return {"an array of " + std::to_string(bytes) + " bytes does not fit memory"};
  }
  return {};
}

//===----------------------------------------------------------------------===//
// The header: a Python dictionary with three keys
//===----------------------------------------------------------------------===//

namespace {

/// What the header says, as far as it has been read.
class HeaderReader {
public:
  HeaderReader(const std::string &path, const std::string &text) : path(path), text(text) {}
  Status read();

  std::string descr;
  bool isFortran = false;
  std::vector<int64_t> shape;

private:
  Status bad(const std::string &what) const { return {path + ": the header" + what}; }
  void skipSpace() {
    while (at < text.size() && text[at] == ' ')
      ++at;
  }
  /// Takes `c` behind spaces, if it is there.
  bool take(char c) {
    skipSpace();
    if (at == text.size() || text[at] != c)
      return false;
    ++at;
    return true;
  }
  bool takeWord(const char *word) {
    skipSpace();
    if (text.compare(at, std::strlen(word), word) != 0)
      return false;
    at += std::strlen(word);
    return true;
  }
  bool readText(std::string &value);
  Status readShape();
  Status readValue(const std::string &key);

  const std::string &path, &text;
  size_t at = 0;
};

} // namespace

bool HeaderReader::readText(std::string &value) {
  skipSpace();
  char quote = at < text.size() ? text[at] : 0;
  size_t end = quote == '\'' || quote == '"' ? text.find(quote, at + 1) : std::string::npos;
  if (end == std::string::npos)
    return false;
  value = text.substr(at + 1, end - at - 1);
  at = end + 1;
  return true;
}

Status HeaderReader::readShape() {
  Status isNone = bad("'s shape is not a tuple of extents");
  if (!take('('))
    return isNone;
  bool hasComma = true;
  while (!take(')')) {
    if (!hasComma)
      return isNone;
    int64_t extent = 0;
    size_t digits = 0;
    for (skipSpace(); at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, ++digits)
      if (__builtin_mul_overflow(extent, 10, &extent) ||
          __builtin_add_overflow(extent, text[at] - '0', &extent))
        return {path + ": an extent of the shape does not fit 64 bits"};
    if (digits == 0)
      return isNone;
    shape.push_back(extent);
    hasComma = take(',');
  }
  // (3) is a number, (3,) a tuple.
  return shape.size() == 1 && !hasComma ? isNone : Status();
}

Status HeaderReader::readValue(const std::string &key) {
  if (key == "descr")
    return readText(descr) ? Status() : bad(" has no element type that is supported");
  if (key == "shape")
    return readShape();
  if (key != "fortran_order")
    return bad(" has the key " + quote(key) + ", expected descr, fortran_order and shape");
  isFortran = takeWord("True");
  return isFortran || takeWord("False") ? Status() : bad("'s fortran_order is not True or False");
}

/// A dictionary of three keys, and nothing but spaces behind it.
Status HeaderReader::read() {
  std::string keys[3];
  size_t count = 0;
  if (!take('{'))
    return bad(" is no dictionary");
  for (bool hasComma = true; !take('}');) {
    if (count == 3 || !hasComma || !readText(keys[count]) || !take(':') ||
        std::count(keys, keys + count, keys[count]))
      return bad(" is not a dictionary of descr, fortran_order and shape");
    if (Status status = readValue(keys[count++]); !status.ok())
      return status;
    hasComma = take(',');
  }
  if (count != 3)
    return bad(" is not a dictionary of descr, fortran_order and shape");
  skipSpace();
  return at == text.size() || (text[at] == '\n' && at + 1 == text.size())
             ? Status()
             : bad(" has something behind its dictionary");
}

static Status parseHeader(const std::string &path, const std::string &header, DType &dtype,
                          std::vector<int64_t> &shape) {
  HeaderReader reader(path, header);
  if (Status status = reader.read(); !status.ok())
    return status;
  const std::string &descr = reader.descr;
  if (descr == "<f4")
    dtype = DType::f32;
  else if (descr == "<f8")
    dtype = DType::f64;
  else if (descr == "<i4")
    dtype = DType::i32;
  else if (descr == "<i8")
    dtype = DType::i64;
  else if (descr == "|i1")
    dtype = DType::i8;
  else if (descr == "|b1")
    dtype = DType::i1;
  else
    return {path + ": element type " + quote(descr) +
            " is not supported, expected <f4, <f8, <i4, <i8, |i1 or |b1"};
  if (reader.isFortran)
    return {path + ": expected C order, found Fortran order"};
  shape = std::move(reader.shape);
  return {};
}

Status aft::readNpy(const std::string &path, Array &array) {
  if (Status status = expectFile(path); !status.ok())
    return status;
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file)
    return {path + ": cannot be opened: " + std::strerror(errno)};
  char start[8];
  if (!file.read(start, 8) || std::memcmp(start, kMagic, kMagicBytes) != 0)
    return {path + ": not a .npy file"};
  unsigned major = static_cast<unsigned char>(start[6]);
  if (major < 1 || major > 3)
    return {path + ": .npy version " + std::to_string(major) +
            " is not supported, expected 1 to 3"};
  unsigned char length[4] = {};
  size_t lengthBytes = major == 1 ? 2 : 4;
  if (!file.read(reinterpret_cast<char *>(length), lengthBytes))
    return {path + ": truncated header"};
  uint32_t size = length[0] | length[1] << 8 | length[2] << 16 |
                  static_cast<uint32_t>(length[3]) << 24;
  if (size > kMostHeader)
    return {path + ": a header of " + std::to_string(size) + " bytes is not plausible"};
  std::string header(size, 0);
  if (!file.read(header.data(), size))
    return {path + ": truncated header"};
  DType dtype;
  std::vector<int64_t> shape;
  if (Status status = parseHeader(path, header, dtype, shape); !status.ok())
    return status;
  // The file must hold what the header promises before memory is taken for it.
  int64_t bytes = sizeOf(dtype);
  for (int64_t extent : shape)
    if (__builtin_mul_overflow(bytes, extent, &bytes))
      return {path + ": the array's size does not fit 64 bits"};
  std::streamoff begin = file.tellg();
  file.seekg(0, std::ios::end);
  std::streamoff found = file.tellg() - begin;
  if (found < bytes)
    return {path + ": truncated: expected " + std::to_string(bytes) + " bytes of data, found " +
            std::to_string(found)};
  file.seekg(begin);
  if (Status status = makeArray(dtype, shape, array); !status.ok())
    return {path + ": " + status.message};
  if (bytes > 0 && !file.read(array.bytes.data(), bytes))
    return {path + ": could not be read"};
  return {};
}

Status aft::convertArray(const Array &from, DType dtype, Array &to) {
  if (Status status = makeArray(dtype, from.shape, to); !status.ok())
    return status;
  if (from.dtype == dtype) {
    to.bytes = from.bytes;
    return {};
  }
  for (int64_t i = 0, count = from.elements(); i < count; ++i)
    to.set(i, from.at(i));
  return {};
}

Status aft::writeNpy(const std::string &path, const Array &array) {
  Array widened;
  const Array *source = &array;
  if (array.dtype == DType::bf16) {
    if (Status status = convertArray(array, DType::f32, widened); !status.ok())
      return {path + ": " + status.message};
    source = &widened;
  }
  const char *descr = "<f4";
  switch (source->dtype) {
  case DType::f64: descr = "<f8"; break;
  case DType::i32: descr = "<i4"; break;
  case DType::i64: descr = "<i8"; break;
  case DType::i8: descr = "|i1"; break;
  case DType::i1: descr = "|b1"; break;
  default: break;
  }
  std::string header = std::string("{'descr': '") + descr +
                       "', 'fortran_order': False, 'shape': (";
  for (int64_t extent : source->shape)
    header += std::to_string(extent) + ",";
  header += "), }";
  // The data begins at a multiple of 64.
  size_t total = (10 + header.size() + 1 + 63) / 64 * 64;
  header.resize(total - 11, ' ');
  header += '\n';
  char start[10];
  std::memcpy(start, kMagic, kMagicBytes);
  start[6] = 1;
  start[7] = 0;
  start[8] = static_cast<char>(header.size() & 255);
  start[9] = static_cast<char>(header.size() >> 8);
  return writeFile(path,
                   {{start, sizeof start}, header, {source->bytes.data(), source->bytes.size()}});
}
