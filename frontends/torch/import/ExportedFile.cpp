//===- ExportedFile.cpp - Reads .pt2 files --------------------------------===//
// What torch.export.save writes: models/NAME.json holds the graph, and
// data/weights and data/constants the numbers as plain bytes with their shapes
// beside them. Nothing in it is code; pickled objects are refused.

#include "frontends/torch/import/Archive.h"
#include "frontends/torch/import/ExportedGraph.h"
#include "frontends/torch/import/Model.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <map>

using namespace aft;
using namespace aft::import;
using at::Tensor;

/// The major version of the schema that is understood.
static constexpr int64_t kSchema = 8;

namespace {

/// A file while it is read, and what its replay needs.
class ExportedFile {
public:
  explicit ExportedFile(Archive &archive) : archive(archive) {}
  void read();
  Model model(const std::shared_ptr<ExportedFile> &self);

private:
  void readConfig(const std::string &record, const std::string &folder, bool constants);
  Tensor readTensor(JsonValue meta, const std::string &record);
  void readInput(JsonValue spec);
  void readUserInput(const std::string &name);
  void readState(const std::string &name, const std::string &path);
  void readOutput(JsonValue spec);
  int64_t exampleSize(JsonValue size, int input, int dimension);
  void findExtents();
  Tensors run(const Tensors &inputs) const;

  Archive &archive;
  aft::Json document;
  JsonValue program{document};
  std::optional<JsonValue> graph;
  std::unique_ptr<ExportedGraph> steps;
  std::map<std::string, Tensor> bytes;   ///< by record
  std::map<std::string, Tensor> tensors; ///< by record and shape: tied ones are one
  std::map<std::string, Tensor> stateByPath;
  States states;
  Names fixed; ///< what does not change from run to run
  std::vector<std::string> inputs, outputs;
  Tensors examples;
  /// Dimensions by the symbol that they are, or by one that they depend on.
  struct Symbol {
    capture::DynamicExtent extent;
    bool isPlain = true;
  };
  std::map<std::string, Symbol> symbols;
};

} // namespace

//===----------------------------------------------------------------------===//
// Weights
//===----------------------------------------------------------------------===//

/// A number of a tensor's description, where no symbol is allowed.
static int64_t fixedNumber(JsonValue number) {
  const auto &[kind, content] = number.alternative();
  TORCH_CHECK(kind == "as_int" && content.integer() >= 0,
              "has a weight whose shape is not made of numbers");
  return content.integer();
}

/// Bytes that a strided view spans; throws where that is no number.
static int64_t spannedBytes(const std::vector<int64_t> &sizes, const std::vector<int64_t> &strides,
                            int64_t offset, int64_t element) {
  // Without elements nothing is read, whatever the strides are.
  if (std::find(sizes.begin(), sizes.end(), 0) != sizes.end())
    return 0;
  int64_t last = offset, step = 0;
  bool overflows = false;
  for (size_t i = 0; i < sizes.size(); ++i)
    overflows |= __builtin_mul_overflow(sizes[i] - 1, strides[i], &step) ||
                 __builtin_add_overflow(last, step, &last);
  int64_t count = last, total = 0;
  overflows |=
      __builtin_add_overflow(last, 1, &count) || __builtin_mul_overflow(count, element, &total);
  TORCH_CHECK(!overflows, "is larger than any file");
  return total;
}

Tensor ExportedFile::readTensor(JsonValue meta, const std::string &record) {
  std::vector<int64_t> sizes, strides;
  for (JsonValue size : meta.at("sizes").items())
    sizes.push_back(fixedNumber(size));
  for (JsonValue stride : meta.at("strides").items())
    strides.push_back(fixedNumber(stride));
  int64_t offset = fixedNumber(meta.at("storage_offset"));
  at::ScalarType type = scalarTypeOf(meta.at("dtype"));
  TORCH_CHECK(sizes.size() == strides.size() && sizes.size() <= 64, "has ", sizes.size(),
              " sizes and ", strides.size(), " strides");
  TORCH_CHECK(meta.at("layout").integer() == 7, "is not a dense tensor");
  if (!bytes.count(record))
    bytes[record] = archive.bytes(record);
  const Tensor &data = bytes[record];
  int64_t element = static_cast<int64_t>(c10::elementSize(type));
  int64_t needed = spannedBytes(sizes, strides, offset, element);
  TORCH_CHECK(needed <= data.numel(), "takes ", needed, " bytes, but record '", record, "' has ",
              data.numel());
  std::string key =
      record + "/" + std::to_string(static_cast<int>(type)) + "/" + std::to_string(offset);
  for (size_t i = 0; i < sizes.size(); ++i)
    key += "/" + std::to_string(sizes[i]) + ":" + std::to_string(strides[i]);
  Tensor &tensor = tensors[key];
  if (!tensor.defined()) {
    // An empty record has no address, and none is needed.
    char *start = needed > 0 ? static_cast<char *>(data.data_ptr()) + offset * element : nullptr;
    tensor = start ? at::from_blob(
                         start, sizes, strides, [data](void *) {}, type)
                   : at::empty(sizes, type);
    std::optional<JsonValue> trains = meta.find("requires_grad");
    if (trains && trains->flag() && at::isFloatingType(type))
      tensor.requires_grad_(true);
  }
  return tensor;
}

void ExportedFile::readConfig(const std::string &record, const std::string &folder,
                              bool constants) {
  if (!archive.has(record))
    return;
  aft::Json config = parseJson(archive.text(record));
  for (const auto &[path, payload] : JsonValue(config).at("config").members()) {
    try {
      TORCH_CHECK(!payload.at("use_pickle").flag(), "is pickled, and pickled objects are code: "
                                                    "they are not read");
      stateByPath[path] =
          readTensor(payload.at("tensor_meta"), folder + payload.at("path_name").text());
    } catch (const c10::Error &error) {
      TORCH_CHECK(false, constants ? "constant '" : "weight '", path, "' ",
                  error.what_without_backtrace());
    }
  }
}

//===----------------------------------------------------------------------===//
// Inputs
//===----------------------------------------------------------------------===//

void ExportedFile::readState(const std::string &name, const std::string &path) {
  auto found = stateByPath.find(path);
  TORCH_CHECK(found != stateByPath.end(), "holds no numbers for '", path, "'");
  fixed.set(name, found->second);
}

/// The symbols in an expression: "Mul(Integer(2), Symbol('s0', positive=True))",
/// or "2*s0" in older files.
static std::vector<std::string> symbolsIn(const std::string &expression) {
  static constexpr std::string_view symbol = "Symbol('";
  std::vector<std::string> names;
  size_t at = expression.find(symbol);
  for (; at != std::string::npos; at = expression.find(symbol, at + 1)) {
    size_t begin = at + symbol.size();
    names.push_back(expression.substr(begin, expression.find('\'', begin) - begin));
  }
  if (!names.empty())
    return names;
  auto isPart = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; };
  for (size_t i = 0; i < expression.size(); ++i) {
    size_t end = i;
    while (end < expression.size() && isPart(expression[end]))
      ++end;
    if (end > i && !std::isdigit(static_cast<unsigned char>(expression[i])))
      names.push_back(expression.substr(i, end - i));
    i = std::max(i, end);
  }
  return names;
}

/// The size of an input in the examples; what may change is noted.
int64_t ExportedFile::exampleSize(JsonValue size, int input, int dimension) {
  const auto &[kind, content] = size.alternative();
  if (kind == "as_int")
    return content.integer();
  TORCH_CHECK(kind == "as_expr", "has an input with a size of the kind '", kind, "'");
  const std::string &expression = content.at("expr_str").text();
  std::vector<std::string> names = symbolsIn(expression);
  bool isPlain = names.size() == 1 && (expression == names[0] || expression.find("Symbol('") == 0);
  std::optional<JsonValue> hint = content.find("hint");
  TORCH_CHECK(hint && hint->alternative().name == "as_int", "does not say what size input ",
              inputs.size(), " had in dimension ", dimension, " when it was exported");
  int64_t found = hint->alternative().value.integer();
  for (const std::string &name : names) {
    Symbol &symbol = symbols[name];
    symbol.isPlain &= isPlain && (symbol.extent.axes.empty() || symbol.extent.size == found);
    symbol.extent.size = found;
    symbol.extent.axes.emplace_back(input, dimension);
  }
  return found;
}

void ExportedFile::readUserInput(const std::string &name) {
  JsonValue meta = graph->at("tensor_values").at(name);
  std::vector<int64_t> sizes;
  for (JsonValue size : meta.at("sizes").items())
    sizes.push_back(
        exampleSize(size, static_cast<int>(examples.size()), static_cast<int>(sizes.size())));
  examples.push_back(exampleOf(sizes, scalarTypeOf(meta.at("dtype"))));
  inputs.push_back(name);
}

void ExportedFile::readInput(JsonValue spec) {
  const auto &[kind, content] = spec.alternative();
  if (kind == "parameter" || kind == "buffer") {
    const std::string &path =
        content.at(kind == "buffer" ? "buffer_name" : "parameter_name").text();
    readState(content.at("arg").at("name").text(), path);
    states.add(path, stateByPath.at(path), kind == "parameter");
  } else if (kind == "tensor_constant") {
    // Without a name in the module, small ones become part of the program.
    readState(content.at("arg").at("name").text(), content.at("tensor_constant_name").text());
  } else if (kind == "constant_input") {
    fixed.set(content.at("name").text(), valueOf(content.at("value"), fixed));
  } else if (kind == "user_input") {
    const auto &[type, value] = content.at("arg").alternative();
    if (type == "as_tensor")
      return readUserInput(value.at("name").text());
    TORCH_CHECK(type == "as_none" || type == "as_int" || type == "as_float" || type == "as_bool" ||
                    type == "as_string",
                "takes a number that may change as an input, which is not supported; export it "
                "with that number fixed, or as a tensor");
  } else {
    TORCH_CHECK(false, "has an input of the kind '", kind, "', which is not supported");
  }
}

void ExportedFile::findExtents() {
  for (auto symbol = symbols.begin(); symbol != symbols.end();) {
    capture::DynamicExtent &extent = symbol->second.extent;
    // A size that is computed from another one ties both to those of the example.
    if (!symbol->second.isPlain || extent.size < 1) {
      symbol = symbols.erase(symbol);
      continue;
    }
    std::optional<JsonValue> ranges = program.find("range_constraints");
    std::optional<JsonValue> range = ranges ? ranges->find(symbol->first) : std::nullopt;
    std::optional<JsonValue> least = range ? range->find("min_val") : std::nullopt;
    std::optional<JsonValue> most = range ? range->find("max_val") : std::nullopt;
    if (least)
      extent.least = least->integer();
    if (most)
      extent.most = most->integer();
    extent.isGiven = true;
    TORCH_CHECK(extent.least <= extent.size && extent.size <= extent.most, "gives ", symbol->first,
                " a range without the size it was exported with");
    ++symbol;
  }
}

//===----------------------------------------------------------------------===//
// Outputs
//===----------------------------------------------------------------------===//

void ExportedFile::readOutput(JsonValue spec) {
  const auto &[kind, content] = spec.alternative();
  for (const char *changed : {"buffer_mutation", "parameter_mutation", "user_input_mutation"})
    if (kind == changed) {
      std::optional<JsonValue> buffer = content.find("buffer_name");
      TORCH_CHECK(false, "changes ",
                  buffer ? "its buffer '" + buffer->text() + "'" : "a parameter or an input",
                  ", which is not supported; export it after eval()");
    }
  TORCH_CHECK(kind == "user_output" || kind == "loss_output", "has a result of the kind '", kind,
              "', which is not supported");
  JsonValue argument = content.at("arg");
  if (kind == "loss_output") {
    outputs.push_back(argument.at("name").text());
    return;
  }
  const auto &[type, value] = argument.alternative();
  if (type == "as_none")
    return;
  TORCH_CHECK(type == "as_tensor", "has a result, number ", outputs.size(),
              ", that is not a tensor, which is not supported");
  outputs.push_back(value.at("name").text());
}

//===----------------------------------------------------------------------===//
// The whole
//===----------------------------------------------------------------------===//

void ExportedFile::read() {
  static const std::string folder = "models/", suffix = ".json";
  std::string name;
  for (const std::string &record : archive.records())
    if (record.rfind(folder, 0) == 0 && record.size() > folder.size() + suffix.size() &&
        record.compare(record.size() - suffix.size(), suffix.size(), suffix) == 0) {
      TORCH_CHECK(name.empty(), "holds several models, expected one");
      name = record.substr(folder.size(), record.size() - folder.size() - suffix.size());
    }
  TORCH_CHECK(!name.empty(), "holds no model: it has no record 'models/NAME.json'");
  if (archive.has("byteorder"))
    TORCH_CHECK(archive.text("byteorder") == "little", "was written on a big-endian machine");
  std::string text = archive.text(folder + name + suffix);
  document = parseJson(text);
  int64_t major = program.at("schema_version").at("major").integer();
  TORCH_CHECK(major == kSchema, "has version ", major,
              " of the schema of exported programs, "
              "expected ",
              kSchema, " (PyTorch 2.13); export it again");
  JsonValue module = program.at("graph_module");
  graph = module.at("graph");
  steps = std::make_unique<ExportedGraph>(*graph);
  readConfig("data/weights/" + name + "_weights_config.json", "data/weights/", false);
  readConfig("data/constants/" + name + "_constants_config.json", "data/constants/", true);
  for (JsonValue input : module.at("signature").at("input_specs").items())
    readInput(input);
  for (JsonValue output : module.at("signature").at("output_specs").items())
    readOutput(output);
  TORCH_CHECK(!outputs.empty(), "has no result that is a tensor");
  findExtents();
}

Tensors ExportedFile::run(const Tensors &tensors) const {
  Names names = fixed;
  for (size_t i = 0; i < inputs.size(); ++i)
    names.set(inputs[i], tensors.at(i));
  steps->run(names);
  Tensors results;
  for (const std::string &output : outputs) {
    const c10::IValue &value = names.at(output);
    TORCH_CHECK(value.isTensor(), "the result '", output, "' is not a tensor");
    results.push_back(value.toTensor());
  }
  return results;
}

Model ExportedFile::model(const std::shared_ptr<ExportedFile> &self) {
  Model model;
  model.states = states.module();
  model.examples = examples;
  for (const auto &[name, symbol] : symbols)
    model.extents.push_back(symbol.extent);
  std::sort(model.extents.begin(), model.extents.end(),
            [](const capture::DynamicExtent &a, const capture::DynamicExtent &b) {
              return a.axes.front() < b.axes.front();
            });
  model.computation = [this](const Tensors &inputs) { return run(inputs); };
  model.keep = self;
  return model;
}

Model aft::import::readExported(Archive &archive) {
  auto file = std::make_shared<ExportedFile>(archive);
  file->read();
  return file->model(file);
}
