//===- ManifestReader.cpp - Reads and checks manifests --------------------===//

#include "runtime/artifact/ManifestNames.h"

#include <algorithm>
#include <limits>
#include <optional>

using namespace aft;

static constexpr int64_t kMostRank = 64;

namespace {

/// Reads members; the first that is not as expected makes the error. `where` is
/// a path such as "entries[0].arguments[2]".
class Reader {
public:
  std::string error;

  static std::string pathOf(const std::string &where, const char *name) {
    return where.empty() ? name : where + "." + name;
  }
  void complain(const std::string &where, const std::string &expected) {
    if (error.empty())
      error = "the manifest: expected " + expected + " at " + where;
  }
  const Json &member(const Json &json, const char *name, Json::Kind kind,
                     const std::string &where) {
    static constexpr const char *kinds[] = {"null",   "true or false", "a whole number", "a number",
                                            "a text", "a list",        "an object"};
    static const Json none;
    const Json *found = json.find(name);
    if (found && found->kind == kind)
      return *found;
    complain(pathOf(where, name), kinds[static_cast<int>(kind)]);
    return none;
  }
  std::string text(const Json &json, const char *name, const std::string &where) {
    return member(json, name, Json::Kind::Text, where).text;
  }
  int64_t number(const Json &json, const char *name, const std::string &where, int64_t least = 0,
                 int64_t most = std::numeric_limits<int64_t>::max()) {
    int64_t value = member(json, name, Json::Kind::Integer, where).integer;
    if (value < least || value > most)
      complain(pathOf(where, name),
               "a number from " + std::to_string(least) + " to " + std::to_string(most));
    return error.empty() ? value : least;
  }
  std::vector<std::string> texts(const Json &json, const char *name, const std::string &where) {
    std::vector<std::string> result;
    for (const Json &item : member(json, name, Json::Kind::Array, where).items) {
      if (item.kind != Json::Kind::Text)
        complain(pathOf(where, name), "texts");
      result.push_back(item.text);
    }
    return result;
  }
  std::string hash(const Json &json, const char *name, const std::string &where) {
    std::string value = text(json, name, where);
    if (value.size() != 64 || value.find_first_not_of("0123456789abcdef") != std::string::npos)
      complain(pathOf(where, name), "64 hexadecimal digits");
    return value;
  }

  ManifestValue value(const Json &json, bool isResult, const std::string &where);
  std::vector<ManifestValue> values(const Json &json, const char *name, bool isResult,
                                    const std::string &where);
  KernelInfo kernel(const Json &json, const std::string &where);
  void checkEntry(const ManifestEntry &entry, const std::string &where);
  ManifestWeights weights(const Json &json);
  DType dtype(const Json &json, const char *name, const std::string &where);
  cuda::ProductCode product(const Json &json, const KernelInfo &kernel, const std::string &where);
  cuda::ColumnSumsCode columnSums(const Json &json, const KernelInfo &kernel,
                                  const std::string &where);
  cuda::KernelCode deviceKernel(const Json &json, const std::vector<KernelInfo> &kernels,
                                const std::string &where);
  ManifestDevice device(const Json &json, const std::vector<KernelInfo> &kernels);
};

} // namespace

static std::optional<DType> dtypeOf(const std::string &name) {
  auto dtype = std::find_if(std::begin(kTypes), std::end(kTypes),
                            [&](DType dtype) { return name == nameOf(dtype); });
  return dtype == std::end(kTypes) ? std::nullopt : std::optional(*dtype);
}

ManifestValue Reader::value(const Json &json, bool isResult, const std::string &where) {
  constexpr int most = std::numeric_limits<int>::max();
  ManifestValue result;
  result.info.name = text(json, "name", where);
  std::optional<DType> dtype = dtypeOf(text(json, "dtype", where));
  std::string role = text(json, "role", where);
  auto known = std::find(std::begin(kRoles), std::end(kRoles), role);
  if (!dtype || known == std::end(kRoles)) {
    complain(where, "a known dtype and role");
    return result;
  }
  result.info.type.dtype = *dtype;
  result.role = static_cast<ArgumentRole>(known - std::begin(kRoles));
  for (const Json &extent : member(json, "shape", Json::Kind::Array, where).items) {
    bool free = extent.kind == Json::Kind::Text && extent.text == "?";
    if (!free && (extent.kind != Json::Kind::Integer || extent.integer < 0))
      complain(where + ".shape", "extents or '?'");
    result.info.type.shape.push_back(free ? kDynamic : extent.integer);
  }
  if (result.info.type.shape.size() > kMostRank)
    complain(where + ".shape", "at most " + std::to_string(kMostRank) + " extents");
  if (json.find(isResult ? "argument" : "result"))
    result.partner =
        static_cast<int>(number(json, isResult ? "argument" : "result", where, 0, most));
  if (json.find("tensor"))
    result.tensor = text(json, "tensor", where);
  if (isResult && json.find("overwrites"))
    result.info.alias = static_cast<int>(number(json, "overwrites", where, 0, most));
  if (const Json *limits = json.find("limits")) {
    for (const Json &pair : limits->items) {
      bool good = pair.items.size() == 2 && pair.items[0].kind == Json::Kind::Integer &&
                  pair.items[1].kind == Json::Kind::Integer;
      if (!good)
        complain(where + ".limits", "pairs of numbers");
      else
        result.info.limits.push_back({pair.items[0].integer, pair.items[1].integer});
    }
    if (result.info.limits.size() != result.info.type.shape.size())
      complain(where + ".limits", "a pair per extent");
  }
  return result;
}

std::vector<ManifestValue> Reader::values(const Json &json, const char *name, bool isResult,
                                          const std::string &where) {
  std::vector<ManifestValue> result;
  for (const Json &item : member(json, name, Json::Kind::Array, where).items)
    result.push_back(
        value(item, isResult, where + "." + name + "[" + std::to_string(result.size()) + "]"));
  return result;
}

KernelInfo Reader::kernel(const Json &json, const std::string &where) {
  KernelInfo result;
  result.name = text(json, "name", where);
  const Json &ranks = member(json, "ranks", Json::Kind::Array, where);
  const Json &bytes = member(json, "elementBytes", Json::Kind::Array, where);
  if (ranks.items.size() != bytes.items.size())
    complain(where, "as many ranks as elementBytes");
  for (size_t i = 0; error.empty() && i < ranks.items.size(); ++i) {
    const Json &rank = ranks.items[i], &size = bytes.items[i];
    if (rank.kind != Json::Kind::Integer || size.kind != Json::Kind::Integer || rank.integer < 0 ||
        rank.integer > kMostRank || size.integer < 1 || size.integer > 8)
      complain(where, "ranks and bytes of elements");
    result.operands.push_back({static_cast<int>(rank.integer), size.integer});
  }
  return result;
}

/// What the loader and sessions rely on.
void Reader::checkEntry(const ManifestEntry &entry, const std::string &where) {
  auto isScalar = [](const ManifestValue &value) {
    return value.info.type.dtype == DType::i64 && value.info.type.shape.empty();
  };
  auto same = [](const TensorType &a, const TensorType &b) {
    return a.dtype == b.dtype && a.shape.size() == b.shape.size();
  };
  int arguments = static_cast<int>(entry.arguments.size()),
      results = static_cast<int>(entry.results.size());
  for (int i = 0; i < arguments; ++i) {
    const ManifestValue &value = entry.arguments[i];
    bool isState = value.role == ArgumentRole::State;
    if (isState != (value.partner >= 0) || value.partner >= results ||
        (isState && entry.results[value.partner].partner != i))
      complain(where + ".arguments", "a result for every state");
    if ((value.role == ArgumentRole::Step || value.role == ArgumentRole::Seed) && !isScalar(value))
      complain(where + ".arguments", "step and seed to be i64 scalars");
    if (value.role == ArgumentRole::Weight && value.tensor.empty())
      complain(where + ".arguments", "a tensor for every weight");
  }
  for (int i = 0; i < results; ++i) {
    const ManifestValue &value = entry.results[i];
    bool isState = value.role == ArgumentRole::State;
    if ((!isState && value.role != ArgumentRole::Caller) || isState != (value.partner >= 0) ||
        value.partner >= arguments || (isState && entry.arguments[value.partner].partner != i) ||
        (isState && !same(entry.arguments[value.partner].info.type, value.info.type)))
      complain(where + ".results", "an argument for every state");
    if (value.info.alias >= arguments ||
        (value.info.alias >= 0 &&
         (entry.arguments[value.info.alias].role == ArgumentRole::Weight ||
          !same(entry.arguments[value.info.alias].info.type, value.info.type))))
      complain(where + ".results", "an argument of the same type to overwrite");
  }
}

ManifestWeights Reader::weights(const Json &json) {
  const Json &stored = member(json, "weights", Json::Kind::Object, "");
  ManifestWeights result;
  result.bytes = number(stored, "bytes", "weights");
  if (result.bytes == 0)
    return result;
  std::string place = text(stored, "place", "weights");
  result.sha256 = hash(stored, "sha256", "weights");
  if (place == "beside")
    result.file = text(stored, "file", "weights");
  // A name with a folder in it could lead anywhere.
  if ((place != "inside" && place != "beside") ||
      (place == "beside" &&
       (result.file.empty() || result.file == "." || result.file == ".." ||
        result.file.find('/') != std::string::npos || result.file.find('\0') != std::string::npos)))
    complain("weights", "a place inside, or beside with the name of a file");
  return result;
}

DType Reader::dtype(const Json &json, const char *name, const std::string &where) {
  std::optional<DType> dtype = dtypeOf(text(json, name, where));
  if (!dtype)
    complain(pathOf(where, name), "a known dtype");
  return dtype.value_or(DType::f32);
}

/// What a library may do in place of a kernel: with its operands, as the kernel would.
cuda::ProductCode Reader::product(const Json &json, const KernelInfo &kernel,
                                  const std::string &where) {
  cuda::ProductCode result;
  result.type = dtype(json, "type", where);
  result.result = dtype(json, "resultType", where);
  const std::vector<Json> &transposed = member(json, "transposed", Json::Kind::Array, where).items;
  if (transposed.size() != 2 || transposed[0].kind != Json::Kind::Bool ||
      transposed[1].kind != Json::Kind::Bool)
    complain(pathOf(where, "transposed"), "true or false for A and for B");
  else
    result.transposedA = transposed[0].integer, result.transposedB = transposed[1].integer;
  if (json.find("gelu"))
    result.gelu = member(json, "gelu", Json::Kind::Bool, where).integer;
  if (json.find("tf32"))
    result.tf32 = member(json, "tf32", Json::Kind::Bool, where).integer;
  for (auto [name, place] : kProductNumbers)
    if (result.*place >= 0 || json.find(name))
      result.*place = static_cast<int>(number(json, name, where, 0, 1 << 30));
  if (!error.empty())
    return result;
  if (std::string expected = cuda::expectationOf(result, kernel.operands); !expected.empty())
    complain(where, expected);
  return result;
}

cuda::ColumnSumsCode Reader::columnSums(const Json &json, const KernelInfo &kernel,
                                        const std::string &where) {
  auto place = [&](const char *name) {
    return static_cast<int>(number(json, name, where, 0, 1 << 30));
  };
  cuda::ColumnSumsCode result{dtype(json, "type", where),
                              dtype(json, "resultType", where),
                              place("matrix"),
                              place("sums"),
                              place("rows"),
                              place("columns")};
  if (!error.empty())
    return result;
  if (std::string expected = cuda::expectationOf(result, kernel.operands); !expected.empty())
    complain(where, expected);
  return result;
}

/// A kernel gets the operands that the host's function of its name does.
cuda::KernelCode Reader::deviceKernel(const Json &json, const std::vector<KernelInfo> &kernels,
                                      const std::string &where) {
  constexpr int most = 1 << 30;
  auto integer = [&](const char *name, int64_t least) {
    return static_cast<int>(number(json, name, where, least, most));
  };
  cuda::KernelCode kernel;
  kernel.name = text(json, "name", where);
  kernel.threads = integer("threads", 1);
  kernel.buffers = integer("buffers", 0);
  kernel.extents = integer("extents", 0);
  kernel.sharedBytes = integer("sharedBytes", 0);
  kernel.staticSharedBytes = integer("staticSharedBytes", 0);
  if (json.find("registers"))
    kernel.registers = integer("registers", 1);
  kernel.places = texts(json, "places", where);
  auto known = std::find_if(kernels.begin(), kernels.end(),
                            [&](const KernelInfo &info) { return info.name == kernel.name; });
  int64_t ranks = 0;
  if (known != kernels.end())
    for (const KernelInfo::Operand &operand : known->operands)
      ranks += operand.rank;
  if (known == kernels.end() || kernel.extents != ranks ||
      static_cast<size_t>(kernel.buffers) != known->operands.size())
    complain(where, "a kernel of the program with its operands");
  if (error.empty() && json.find("product"))
    kernel.product = product(member(json, "product", Json::Kind::Object, where), *known,
                             pathOf(where, "product"));
  if (error.empty() && json.find("columnSums"))
    kernel.columnSums = columnSums(member(json, "columnSums", Json::Kind::Object, where), *known,
                                   pathOf(where, "columnSums"));
  return kernel;
}

ManifestDevice Reader::device(const Json &json, const std::vector<KernelInfo> &kernels) {
  const Json &stored = member(json, "device", Json::Kind::Object, "");
  ManifestDevice result;
  if (text(stored, "target", "device") != "cuda")
    complain("device.target", "cuda");
  int64_t sum = 0;
  for (const Json &item : member(stored, "images", Json::Kind::Array, "device").items) {
    std::string where = "device.images[" + std::to_string(result.images.size()) + "]",
                kind = text(item, "kind", where);
    result.images.push_back(
        {kind == "ptx", text(item, "arch", where), number(item, "bytes", where, 1)});
    if (kind != "ptx" && kind != "cubin")
      complain(where + ".kind", "cubin or ptx");
    if (__builtin_add_overflow(sum, result.images.back().bytes, &sum))
      complain(where + ".bytes", "sizes that 64 bits can count");
  }
  result.bytes = number(stored, "bytes", "device", 1);
  if (sum != result.bytes)
    complain("device.bytes", "the sum of its images, " + std::to_string(sum) + ",");
  result.sha256 = hash(stored, "sha256", "device");
  for (const Json &item : member(stored, "kernels", Json::Kind::Array, "device").items)
    result.kernels.push_back(deviceKernel(
        item, kernels, "device.kernels[" + std::to_string(result.kernels.size()) + "]"));
  return result;
}

Status Manifest::parse(std::string_view text, Manifest &manifest) {
  Json json;
  if (Status status = Json::parse(text, json); !status.ok())
    return {"the manifest: " + status.message};
  Reader reader;
  Manifest result;
  result.format = static_cast<int>(reader.number(json, "format", "", 0, 1 << 30));
  const Json &compiler = reader.member(json, "compiler", Json::Kind::Object, "");
  result.compiler = reader.text(compiler, "version", "compiler");
  result.llvm = reader.text(compiler, "llvm", "compiler");
  const Json &cpu = reader.member(json, "cpu", Json::Kind::Object, "");
  result.arch = reader.text(cpu, "arch", "cpu");
  result.cpu = reader.text(cpu, "name", "cpu");
  result.features = reader.texts(cpu, "features", "cpu");
  result.options = reader.member(json, "options", Json::Kind::Object, "");
  for (const Json &item : reader.member(json, "entries", Json::Kind::Array, "").items) {
    std::string where = "entries[" + std::to_string(result.entries.size()) + "]";
    ManifestEntry entry;
    entry.name = reader.text(item, "name", where);
    entry.arguments = reader.values(item, "arguments", false, where);
    entry.results = reader.values(item, "results", true, where);
    if (reader.error.empty())
      reader.checkEntry(entry, where);
    result.entries.push_back(std::move(entry));
  }
  result.checks = reader.texts(json, "checks", "");
  for (const Json &item : reader.member(json, "kernels", Json::Kind::Array, "").items)
    result.kernels.push_back(
        reader.kernel(item, "kernels[" + std::to_string(result.kernels.size()) + "]"));
  result.launches = static_cast<int>(reader.number(json, "launches", "", 0, 1 << 30));
  result.steps = reader.number(json, "steps", "");
  const Json &code = reader.member(json, "code", Json::Kind::Object, "");
  result.codeId = reader.hash(code, "id", "code");
  result.codeBytes = reader.number(code, "bytes", "code", 1);
  result.codeSha256 = reader.hash(code, "sha256", "code");
  result.weights = reader.weights(json);
  if (json.find("device") || result.format > kOldestArtifactFormat)
    result.device = reader.device(json, result.kernels);
  if (result.entries.empty())
    reader.complain("entries", "at least one");
  if (!reader.error.empty())
    return {reader.error};
  manifest = std::move(result);
  return {};
}
