//===- ManifestReader.cpp - Reads and checks manifests --------------------===//

#include "runtime/artifact/ManifestNames.h"
#include "runtime/core/Quote.h"

#include <algorithm>
#include <climits>
#include <limits>
#include <optional>
#include <unordered_set>

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
  static std::string pathOf(const std::string &where, const char *name, size_t index) {
    return pathOf(where, name) + "[" + std::to_string(index) + "]";
  }
  void complain(const std::string &where, const std::string &expected, const std::string &found) {
    if (error.empty())
      error = "the manifest: " + where + (where.empty() ? "" : ": ") + "expected " + expected +
              ", found " + found;
  }
  void complain(const std::string &where, const std::string &expected, const Json *found) {
    complain(where, expected, shown(found));
  }
  bool has(const Json *item, Json::Kind kind, const std::string &where) {
    static constexpr const char *kinds[] = {"null",   "true or false", "a whole number", "a number",
                                            "a text", "a list",        "an object"};
    bool good = item && item->kind == kind;
    if (!good)
      complain(where, kinds[static_cast<int>(kind)], item);
    return good;
  }
  const Json &member(const Json &json, const char *name, Json::Kind kind,
                     const std::string &where) {
    static const Json none;
    const Json *found = json.find(name);
    return has(found, kind, pathOf(where, name)) ? *found : none;
  }
  std::string text(const Json &json, const char *name, const std::string &where) {
    return member(json, name, Json::Kind::Text, where).text;
  }
  int64_t within(const Json &item, const std::string &where, int64_t least, int64_t most) {
    if (has(&item, Json::Kind::Integer, where) && (item.integer < least || item.integer > most))
      complain(where, "a number from " + std::to_string(least) + " to " + std::to_string(most),
               &item);
    return error.empty() ? item.integer : least;
  }
  int64_t number(const Json &json, const char *name, const std::string &where, int64_t least = 0,
                 int64_t most = std::numeric_limits<int64_t>::max()) {
    const Json &item = member(json, name, Json::Kind::Integer, where);
    return error.empty() ? within(item, pathOf(where, name), least, most) : least;
  }
  std::vector<std::string> texts(const Json &json, const char *name, const std::string &where) {
    std::vector<std::string> result;
    for (const Json &item : member(json, name, Json::Kind::Array, where).items) {
      has(&item, Json::Kind::Text, pathOf(where, name, result.size()));
      result.push_back(item.text);
    }
    return result;
  }
  std::string hash(const Json &json, const char *name, const std::string &where) {
    std::string value = text(json, name, where);
    if (value.size() != 64 || value.find_first_not_of("0123456789abcdef") != std::string::npos)
      complain(pathOf(where, name), "64 hexadecimal digits", json.find(name));
    return value;
  }

  DType dtype(const Json &json, const char *name, const std::string &where);
  ArgumentRole role(const Json &json, const std::string &where);
  std::vector<int64_t> shape(const Json &json, const std::string &where);
  void limits(const Json &json, ValueInfo &info, const std::string &where);
  /// A name that is there once.
  void add(const std::string &name, std::unordered_set<std::string> &names,
           const std::string &where) {
    if (!names.insert(name).second)
      complain(pathOf(where, "name"), "a name that is not there yet", quote(name, '"'));
  }

  ManifestValue value(const Json &json, bool isResult, const std::string &where);
  std::vector<ManifestValue> values(const Json &json, const char *name, bool isResult,
                                    const std::string &where);
  KernelInfo kernel(const Json &json, const std::string &where);
  void checkArgument(const ManifestEntry &entry, int number, const std::string &where);
  void checkResult(const ManifestEntry &entry, int number, const std::string &where);
  void checkEntry(const ManifestEntry &entry, const std::string &where);
  ManifestWeights weights(const Json &json);
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

DType Reader::dtype(const Json &json, const char *name, const std::string &where) {
  if (std::optional<DType> dtype = dtypeOf(text(json, name, where)))
    return *dtype;
  std::string all;
  for (DType each : kTypes)
    all += (all.empty() ? "" : ", ") + std::string(nameOf(each));
  complain(pathOf(where, name), "one of " + all, json.find(name));
  return DType::f32;
}

ArgumentRole Reader::role(const Json &json, const std::string &where) {
  std::string role = text(json, "role", where), all;
  auto known = std::find(std::begin(kRoles), std::end(kRoles), role);
  if (known != std::end(kRoles))
    return static_cast<ArgumentRole>(known - std::begin(kRoles));
  for (const char *each : kRoles)
    all += (all.empty() ? "" : ", ") + std::string(each);
  complain(pathOf(where, "role"), "one of " + all, json.find("role"));
  return ArgumentRole::Caller;
}

std::vector<int64_t> Reader::shape(const Json &json, const std::string &where) {
  std::vector<int64_t> result;
  for (const Json &extent : member(json, "shape", Json::Kind::Array, where).items) {
    bool free = extent.kind == Json::Kind::Text && extent.text == "?";
    if (!free && (extent.kind != Json::Kind::Integer || extent.integer < 0))
      complain(pathOf(where, "shape", result.size()), "an extent or \"?\"", &extent);
    result.push_back(free ? kDynamic : extent.integer);
  }
  if (result.size() > kMostRank)
    complain(pathOf(where, "shape"), "at most " + std::to_string(kMostRank) + " extents",
             std::to_string(result.size()));
  return result;
}

void Reader::limits(const Json &json, ValueInfo &info, const std::string &where) {
  if (!json.find("limits"))
    return;
  for (const Json &pair : member(json, "limits", Json::Kind::Array, where).items) {
    std::string place = pathOf(where, "limits", info.limits.size());
    if (!has(&pair, Json::Kind::Array, place))
      return;
    if (pair.items.size() != 2)
      return complain(place, "two numbers", &pair);
    for (const Json &item : pair.items)
      if (!has(&item, Json::Kind::Integer, place))
        return;
    info.limits.push_back({pair.items[0].integer, pair.items[1].integer});
  }
  if (info.limits.size() != info.type.shape.size())
    complain(pathOf(where, "limits"),
             "as many pairs as extents, " + std::to_string(info.type.shape.size()),
             std::to_string(info.limits.size()));
}

ManifestValue Reader::value(const Json &json, bool isResult, const std::string &where) {
  constexpr int most = std::numeric_limits<int>::max();
  ManifestValue result;
  result.info.name = text(json, "name", where);
  result.info.type.dtype = dtype(json, "dtype", where);
  result.info.type.shape = shape(json, where);
  result.role = role(json, where);
  const char *partner = isResult ? "argument" : "result";
  if (json.find(partner))
    result.partner = static_cast<int>(number(json, partner, where, 0, most));
  if (json.find("tensor"))
    result.tensor = text(json, "tensor", where);
  if (isResult && json.find("overwrites"))
    result.info.alias = static_cast<int>(number(json, "overwrites", where, 0, most));
  limits(json, result.info, where);
  return result;
}

std::vector<ManifestValue> Reader::values(const Json &json, const char *name, bool isResult,
                                          const std::string &where) {
  std::vector<ManifestValue> result;
  for (const Json &item : member(json, name, Json::Kind::Array, where).items)
    result.push_back(value(item, isResult, pathOf(where, name, result.size())));
  return result;
}

KernelInfo Reader::kernel(const Json &json, const std::string &where) {
  KernelInfo result;
  result.name = text(json, "name", where);
  const Json &ranks = member(json, "ranks", Json::Kind::Array, where);
  const Json &bytes = member(json, "elementBytes", Json::Kind::Array, where);
  if (ranks.items.size() != bytes.items.size())
    complain(pathOf(where, "elementBytes"),
             "as many as ranks, " + std::to_string(ranks.items.size()),
             std::to_string(bytes.items.size()));
  for (size_t i = 0; error.empty() && i < ranks.items.size(); ++i)
    result.operands.push_back(
        {static_cast<int>(within(ranks.items[i], pathOf(where, "ranks", i), 0, kMostRank)),
         within(bytes.items[i], pathOf(where, "elementBytes", i), 1, 8)});
  return result;
}

static std::string numberOrNone(int number) { return number < 0 ? "none" : std::to_string(number); }

void Reader::checkArgument(const ManifestEntry &entry, int number, const std::string &where) {
  const ManifestValue &value = entry.arguments[number];
  bool isState = value.role == ArgumentRole::State;
  std::string results = std::to_string(entry.results.size()),
              role = kRoles[static_cast<int>(value.role)];
  if (!isState && value.partner >= 0)
    complain(pathOf(where, "result"), "none for the role " + role, std::to_string(value.partner));
  else if (isState && value.partner < 0)
    complain(pathOf(where, "result"), "a result of the entry for the role state", "none");
  else if (value.partner >= static_cast<int>(entry.results.size()))
    complain(pathOf(where, "result"), "a number below " + results, std::to_string(value.partner));
  else if (isState && entry.results[value.partner].partner != number)
    complain(pathOf(where, "result"), "a result that has argument " + std::to_string(number),
             "one that has " + numberOrNone(entry.results[value.partner].partner));
  bool counts = value.role == ArgumentRole::Step || value.role == ArgumentRole::Seed;
  if (counts && (value.info.type.dtype != DType::i64 || !value.info.type.shape.empty()))
    complain(where, "i64 [] for the role " + role,
             typeText(value.info.type.dtype, value.info.type.shape));
  if (value.role == ArgumentRole::Weight && value.tensor.empty())
    complain(pathOf(where, "tensor"), "the name of a tensor for the role weight",
             "an empty one or none");
}

void Reader::checkResult(const ManifestEntry &entry, int number, const std::string &where) {
  const ManifestValue &value = entry.results[number];
  const TensorType &type = value.info.type;
  int arguments = static_cast<int>(entry.arguments.size());
  std::string role = kRoles[static_cast<int>(value.role)];
  auto fits = [&](int argument) {
    const TensorType &other = entry.arguments[argument].info.type;
    return other.dtype == type.dtype && other.shape.size() == type.shape.size();
  };
  auto typeOf = [&](int argument) {
    const TensorType &other = entry.arguments[argument].info.type;
    return typeText(other.dtype, other.shape);
  };
  if (value.role != ArgumentRole::State && value.role != ArgumentRole::Caller)
    complain(pathOf(where, "role"), "caller or state for a result", role);
  else if (value.role == ArgumentRole::Caller && value.partner >= 0)
    complain(pathOf(where, "argument"), "none for the role caller", std::to_string(value.partner));
  else if (value.role == ArgumentRole::State && value.partner < 0)
    complain(pathOf(where, "argument"), "an argument of the entry for the role state", "none");
  else if (value.partner >= arguments)
    complain(pathOf(where, "argument"), "a number below " + std::to_string(arguments),
             std::to_string(value.partner));
  else if (value.partner >= 0 && entry.arguments[value.partner].partner != number)
    complain(pathOf(where, "argument"), "an argument that has result " + std::to_string(number),
             "one that has " + numberOrNone(entry.arguments[value.partner].partner));
  else if (value.partner >= 0 && !fits(value.partner))
    complain(where, "the type of its argument, " + typeOf(value.partner),
             typeText(type.dtype, type.shape));
  int alias = value.info.alias;
  if (alias >= arguments)
    complain(pathOf(where, "overwrites"), "a number below " + std::to_string(arguments),
             std::to_string(alias));
  else if (alias >= 0 && entry.arguments[alias].role == ArgumentRole::Weight)
    complain(pathOf(where, "overwrites"), "an argument that is no weight", std::to_string(alias));
  else if (alias >= 0 && !fits(alias))
    complain(where, "the type of the argument that it overwrites, " + typeOf(alias),
             typeText(type.dtype, type.shape));
}

/// What the loader and sessions rely on.
void Reader::checkEntry(const ManifestEntry &entry, const std::string &where) {
  for (size_t i = 0; error.empty() && i < entry.arguments.size(); ++i)
    checkArgument(entry, static_cast<int>(i), pathOf(where, "arguments", i));
  for (size_t i = 0; error.empty() && i < entry.results.size(); ++i)
    checkResult(entry, static_cast<int>(i), pathOf(where, "results", i));
}

ManifestWeights Reader::weights(const Json &json) {
  const Json &stored = member(json, "weights", Json::Kind::Object, "");
  ManifestWeights result;
  result.bytes = number(stored, "bytes", "weights");
  if (result.bytes == 0)
    return result;
  std::string place = text(stored, "place", "weights");
  result.sha256 = hash(stored, "sha256", "weights");
  if (place != "inside" && place != "beside")
    complain("weights.place", "inside or beside", stored.find("place"));
  if (place != "beside")
    return result;
  // A name with a folder in it could lead anywhere.
  result.file = text(stored, "file", "weights");
  if (result.file.empty() || result.file == "." || result.file == ".." ||
      result.file.size() > NAME_MAX || result.file.find('/') != std::string::npos ||
      result.file.find('\0') != std::string::npos)
    complain("weights.file", "the name of a file without a folder", stored.find("file"));
  return result;
}

/// What a library may do in place of a kernel: with its operands, as the kernel would.
cuda::ProductCode Reader::product(const Json &json, const KernelInfo &kernel,
                                  const std::string &where) {
  cuda::ProductCode result;
  result.type = dtype(json, "type", where);
  result.result = dtype(json, "resultType", where);
  const std::vector<Json> &transposed = member(json, "transposed", Json::Kind::Array, where).items;
  if (transposed.size() != 2)
    complain(pathOf(where, "transposed"), "true or false for A and for B", json.find("transposed"));
  for (size_t i = 0; error.empty() && i < 2; ++i)
    if (has(&transposed[i], Json::Kind::Bool, pathOf(where, "transposed", i)))
      (i == 0 ? result.transposedA : result.transposedB) = transposed[i].integer;
  if (json.find("gelu"))
    result.gelu = member(json, "gelu", Json::Kind::Bool, where).integer;
  if (json.find("tf32"))
    result.tf32 = member(json, "tf32", Json::Kind::Bool, where).integer;
  for (auto [name, place] : kProductNumbers)
    if (result.*place >= 0 || json.find(name))
      result.*place = static_cast<int>(number(json, name, where, 0, 1 << 30));
  if (!error.empty())
    return result;
  std::string expected = cuda::expectationOf(result, kernel.operands);
  if (expected.empty())
    return result;
  std::string found =
      std::string("type ") + nameOf(result.type) + ", resultType " + nameOf(result.result);
  for (auto [name, place] : kProductNumbers)
    if (result.*place >= 0)
      found += std::string(", ") + name + " " + std::to_string(result.*place);
  complain(where, expected, found);
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
    complain(where, expected,
             std::string("type ") + nameOf(result.type) + ", resultType " + nameOf(result.result) +
                 ", matrix " + std::to_string(result.matrix) + ", sums " +
                 std::to_string(result.sums) + ", rows " + std::to_string(result.rows) +
                 ", columns " + std::to_string(result.columns));
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
  if (known == kernels.end()) {
    complain(pathOf(where, "name"), "the name of a kernel of the program", json.find("name"));
    return kernel;
  }
  int64_t ranks = 0, operands = static_cast<int64_t>(known->operands.size());
  for (const KernelInfo::Operand &operand : known->operands)
    ranks += operand.rank;
  if (kernel.buffers != operands)
    complain(pathOf(where, "buffers"), "as many as the kernel's, " + std::to_string(operands),
             std::to_string(kernel.buffers));
  if (kernel.extents != ranks)
    complain(pathOf(where, "extents"), "as many as the kernel's, " + std::to_string(ranks),
             std::to_string(kernel.extents));
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
    complain("device.target", "cuda", stored.find("target"));
  int64_t sum = 0;
  for (const Json &item : member(stored, "images", Json::Kind::Array, "device").items) {
    std::string where = pathOf("device", "images", result.images.size()),
                kind = text(item, "kind", where);
    result.images.push_back(
        {kind == "ptx", text(item, "arch", where), number(item, "bytes", where, 1)});
    if (kind != "ptx" && kind != "cubin")
      complain(pathOf(where, "kind"), "cubin or ptx", item.find("kind"));
    if (__builtin_add_overflow(sum, result.images.back().bytes, &sum))
      complain(pathOf(where, "bytes"), "sizes whose sum 64 bits can count", item.find("bytes"));
  }
  result.bytes = number(stored, "bytes", "device", 1);
  if (sum != result.bytes)
    complain("device.bytes", "the sum of its images, " + std::to_string(sum), stored.find("bytes"));
  result.sha256 = hash(stored, "sha256", "device");
  for (const Json &item : member(stored, "kernels", Json::Kind::Array, "device").items)
    result.kernels.push_back(
        deviceKernel(item, kernels, pathOf("device", "kernels", result.kernels.size())));
  return result;
}

Status Manifest::parse(std::string_view text, Manifest &manifest) {
  Json json;
  if (Status status = Json::parse(text, json); !status.ok())
    return {"the manifest: " + status.message};
  Reader reader;
  Manifest result;
  reader.has(&json, Json::Kind::Object, "");
  result.format = static_cast<int>(reader.number(json, "format", "", 0, 1 << 30));
  const Json &compiler = reader.member(json, "compiler", Json::Kind::Object, "");
  result.compiler = reader.text(compiler, "version", "compiler");
  result.llvm = reader.text(compiler, "llvm", "compiler");
  const Json &cpu = reader.member(json, "cpu", Json::Kind::Object, "");
  result.arch = reader.text(cpu, "arch", "cpu");
  result.cpu = reader.text(cpu, "name", "cpu");
  result.features = reader.texts(cpu, "features", "cpu");
  result.options = reader.member(json, "options", Json::Kind::Object, "");
  std::unordered_set<std::string> names;
  for (const Json &item : reader.member(json, "entries", Json::Kind::Array, "").items) {
    std::string where = Reader::pathOf("", "entries", result.entries.size());
    ManifestEntry entry;
    entry.name = reader.text(item, "name", where);
    reader.add(entry.name, names, where);
    entry.arguments = reader.values(item, "arguments", false, where);
    entry.results = reader.values(item, "results", true, where);
    if (reader.error.empty())
      reader.checkEntry(entry, where);
    result.entries.push_back(std::move(entry));
  }
  result.checks = reader.texts(json, "checks", "");
  names.clear();
  for (const Json &item : reader.member(json, "kernels", Json::Kind::Array, "").items) {
    std::string where = Reader::pathOf("", "kernels", result.kernels.size());
    result.kernels.push_back(reader.kernel(item, where));
    reader.add(result.kernels.back().name, names, where);
  }
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
    reader.complain("entries", "at least one", "none");
  if (!reader.error.empty())
    return {reader.error};
  manifest = std::move(result);
  return {};
}
