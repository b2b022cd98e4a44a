//===- Package.cpp - A compiled program as one string ---------------------===//

#include "runtime/jit/Package.h"

#include <algorithm>
#include <cstring>

using namespace aft;

namespace {

/// Numbers as 8 bytes, strings and lists with their length in front.
struct Writer {
  std::string bytes;
  void number(int64_t value) { bytes.append(reinterpret_cast<char *>(&value), sizeof value); }
  void text(const std::string &value) {
    number(static_cast<int64_t>(value.size()));
    bytes += value;
  }
};

/// Reads the same back; after the first value that does not fit `good` is
/// false and everything is 0.
struct Reader {
  const std::string &bytes;
  size_t at = 0;
  bool good = true;
  int64_t number() {
    int64_t value = 0;
    if (bytes.size() - at < sizeof value)
      good = false;
    if (!good)
      return 0;
    std::memcpy(&value, bytes.data() + at, sizeof value);
    at += sizeof value;
    return value;
  }
  int integer() {
    int64_t value = number();
    good &= value == static_cast<int>(value);
    return good ? static_cast<int>(value) : 0;
  }
  /// A length, of items that take at least `bytesEach`.
  int64_t count(size_t bytesEach = 8) {
    int64_t value = number();
    if (value < 0 || static_cast<uint64_t>(value) > (bytes.size() - at) / bytesEach)
      good = false;
    return good ? value : 0;
  }
  std::string text() {
    int64_t length = count(1);
    std::string value = bytes.substr(at, length);
    at += length;
    return value;
  }
};

} // namespace

static void writeValues(Writer &writer, const std::vector<ValueInfo> &values) {
  writer.number(values.size());
  for (const ValueInfo &value : values) {
    writer.text(value.name);
    writer.number(static_cast<int64_t>(value.type.dtype));
    writer.number(value.alias);
    writer.number(value.type.shape.size());
    for (int64_t extent : value.type.shape)
      writer.number(extent);
    writer.number(value.limits.size());
    for (const ExtentRange &range : value.limits) {
      writer.number(range.least);
      writer.number(range.most);
    }
  }
}

static DType readType(Reader &reader) {
  int64_t dtype = reader.number();
  reader.good &= dtype >= 0 && dtype <= static_cast<int64_t>(DType::i64);
  return static_cast<DType>(dtype);
}

static std::vector<ValueInfo> readValues(Reader &reader) {
  std::vector<ValueInfo> values(reader.count());
  for (ValueInfo &value : values) {
    value.name = reader.text();
    value.type.dtype = readType(reader);
    value.alias = reader.integer();
    value.type.shape.resize(reader.count());
    for (int64_t &extent : value.type.shape)
      extent = reader.number();
    value.limits.resize(reader.count());
    for (ExtentRange &range : value.limits) {
      range.least = reader.number();
      range.most = reader.number();
    }
    reader.good &= value.limits.empty() || value.limits.size() == value.type.shape.size();
  }
  return values;
}

static void writeProduct(Writer &writer, const std::optional<cuda::ProductCode> &product) {
  writer.number(product.has_value());
  if (!product)
    return;
  const cuda::ProductCode &p = *product;
  writer.number(static_cast<int64_t>(p.type));
  writer.number(static_cast<int64_t>(p.result));
  for (int number : {int(p.transposedA), int(p.transposedB), int(p.gelu), int(p.tf32), p.a, p.b,
                     p.d, p.c, p.bias, p.m, p.n, p.k, p.batch})
    writer.number(number);
}

static std::optional<cuda::ProductCode> readProduct(Reader &reader) {
  if (reader.number() == 0)
    return std::nullopt;
  cuda::ProductCode p;
  p.type = readType(reader);
  p.result = readType(reader);
  p.transposedA = reader.number() != 0;
  p.transposedB = reader.number() != 0;
  p.gelu = reader.number() != 0;
  p.tf32 = reader.number() != 0;
  for (int *number : {&p.a, &p.b, &p.d, &p.c, &p.bias, &p.m, &p.n, &p.k, &p.batch})
    *number = reader.integer();
  return p;
}

static void writeSums(Writer &writer, const std::optional<cuda::ColumnSumsCode> &sums) {
  writer.number(sums.has_value());
  if (!sums)
    return;
  writer.number(static_cast<int64_t>(sums->type));
  writer.number(static_cast<int64_t>(sums->result));
  for (int number : {sums->matrix, sums->sums, sums->rows, sums->columns})
    writer.number(number);
}

static std::optional<cuda::ColumnSumsCode> readSums(Reader &reader) {
  if (reader.number() == 0)
    return std::nullopt;
  cuda::ColumnSumsCode sums;
  sums.type = readType(reader);
  sums.result = readType(reader);
  for (int *number : {&sums.matrix, &sums.sums, &sums.rows, &sums.columns})
    *number = reader.integer();
  return sums;
}

static void writeDevice(Writer &writer, const cuda::DeviceCode &device) {
  writer.number(device.cubins.size());
  for (const cuda::DeviceCode::Image &cubin : device.cubins) {
    writer.text(cubin.arch);
    writer.text(cubin.bytes);
  }
  writer.text(device.ptx.arch);
  writer.text(device.ptx.bytes);
  writer.number(device.kernels.size());
  for (const cuda::KernelCode &kernel : device.kernels) {
    writer.text(kernel.name);
    for (int number : {kernel.threads, kernel.buffers, kernel.extents, kernel.sharedBytes,
                       kernel.staticSharedBytes, kernel.registers})
      writer.number(number);
    writer.number(kernel.places.size());
    for (const std::string &place : kernel.places)
      writer.text(place);
    writeProduct(writer, kernel.product);
    writeSums(writer, kernel.columnSums);
  }
}

/// `kernels`: of the host, with the same names.
static cuda::DeviceCode readDevice(Reader &reader, const std::vector<KernelInfo> &kernels) {
  cuda::DeviceCode device;
  device.cubins.resize(reader.count());
  for (cuda::DeviceCode::Image &cubin : device.cubins) {
    cubin.arch = reader.text();
    cubin.bytes = reader.text();
  }
  device.ptx.arch = reader.text();
  device.ptx.bytes = reader.text();
  device.kernels.resize(reader.count());
  for (cuda::KernelCode &kernel : device.kernels) {
    kernel.name = reader.text();
    for (int *number : {&kernel.threads, &kernel.buffers, &kernel.extents, &kernel.sharedBytes,
                        &kernel.staticSharedBytes, &kernel.registers})
      *number = reader.integer();
    kernel.places.resize(reader.count());
    for (std::string &place : kernel.places)
      place = reader.text();
    kernel.product = readProduct(reader);
    kernel.columnSums = readSums(reader);
    if (!kernel.product && !kernel.columnSums)
      continue;
    auto known = std::find_if(kernels.begin(), kernels.end(),
                              [&](const KernelInfo &info) { return info.name == kernel.name; });
    auto fits = [&](const auto &code) {
      return !code || cuda::expectationOf(*code, known->operands).empty();
    };
    reader.good &= known != kernels.end() && fits(kernel.product) && fits(kernel.columnSums);
  }
  return device;
}

std::string Package::serialize() const {
  Writer writer;
  writer.number(entries.size());
  for (const EntryInfo &entry : entries) {
    writer.text(entry.name);
    writeValues(writer, entry.inputs);
    writeValues(writer, entry.outputs);
  }
  writer.number(checks.size());
  for (const std::string &check : checks)
    writer.text(check);
  writer.number(kernels.size());
  for (const KernelInfo &kernel : kernels) {
    writer.text(kernel.name);
    writer.number(kernel.operands.size());
    for (const KernelInfo::Operand &operand : kernel.operands) {
      writer.number(operand.rank);
      writer.number(operand.elementBytes);
    }
  }
  writer.number(launches);
  writer.number(objects.size());
  for (const NamedObject &object : objects) {
    writer.text(object.name);
    writer.text(object.object);
  }
  writeDevice(writer, device);
  return std::move(writer.bytes);
}

std::optional<Package> Package::deserialize(const std::string &bytes) {
  Reader reader{bytes};
  Package package;
  package.entries.resize(reader.count());
  for (EntryInfo &entry : package.entries) {
    entry.name = reader.text();
    entry.inputs = readValues(reader);
    entry.outputs = readValues(reader);
    for (const ValueInfo &output : entry.outputs)
      reader.good &= output.alias >= -1 && output.alias < static_cast<int>(entry.inputs.size());
  }
  package.checks.resize(reader.count());
  for (std::string &check : package.checks)
    check = reader.text();
  package.kernels.resize(reader.count());
  for (KernelInfo &kernel : package.kernels) {
    kernel.name = reader.text();
    kernel.operands.resize(reader.count());
    for (KernelInfo::Operand &operand : kernel.operands) {
      operand.rank = reader.integer();
      operand.elementBytes = reader.number();
    }
  }
  package.launches = reader.integer();
  package.objects.resize(reader.count());
  for (NamedObject &object : package.objects) {
    object.name = reader.text();
    object.object = reader.text();
  }
  package.device = readDevice(reader, package.kernels);
  if (!reader.good || reader.at != bytes.size())
    return std::nullopt;
  return package;
}
