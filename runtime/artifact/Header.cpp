//===- Header.cpp - A typed C header of an artifact -----------------------===//

#include "runtime/artifact/Header.h"

#include <algorithm>
#include <set>

using namespace aft;

namespace {

/// A parameter of an entry's function.
struct Parameter {
  std::string name;
  const TensorType *type;
  bool isResult;
  bool isWritten;    ///< a result, or an argument that a result overwrites
  std::string place; ///< of a result that overwrites an argument: that argument
};

/// Names that have been given in one scope of C.
class Names {
public:
  explicit Names(std::set<std::string> taken) : taken(std::move(taken)) {}
  /// `wanted`, or that with something behind it, and with it that name with `suffix`.
  std::string add(std::string wanted, const std::string &suffix = "") {
    while (taken.count(wanted) || taken.count(wanted + suffix))
      wanted += '_';
    taken.insert(wanted);
    taken.insert(wanted + suffix);
    return wanted;
  }

private:
  std::set<std::string> taken;
};

} // namespace

/// A name made of what C allows in one.
static std::string identifier(const std::string &text) {
  std::string result;
  for (char c : text) {
    bool good = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    result += good ? c : '_';
  }
  return result;
}

/// A string literal of C. Three digits end an octal escape, whatever comes behind it.
static std::string literal(const std::string &text) {
  std::string result = "\"";
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    // Two question marks could begin a trigraph.
    bool plain = byte >= ' ' && byte <= '~' && c != '"' && c != '\\' && c != '?';
    result += plain ? std::string(1, c)
                    : std::string{'\\', char('0' + (byte >> 6)), char('0' + (byte >> 3 & 7)),
                                  char('0' + (byte & 7))};
  }
  return result + '"';
}

static const char *cType(DType dtype) {
  switch (dtype) {
  case DType::f32: return "float";
  case DType::f64: return "double";
  case DType::bf16: return "uint16_t";
  case DType::i1: return "uint8_t";
  case DType::i8: return "int8_t";
  case DType::i32: return "int32_t";
  case DType::i64: return "int64_t";
  }
  return "void";
}

static std::string constantName(DType dtype) {
  std::string name = std::string("AFT_") + nameOf(dtype);
  std::transform(name.begin(), name.end(), name.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? char(c - 32) : c; });
  return name;
}

static std::string shapeText(const std::vector<int64_t> &shape) {
  std::string text;
  for (int64_t extent : shape)
    text += (text.empty() ? "" : ", ") + (extent == kDynamic ? "?" : std::to_string(extent));
  return "[" + text + "]";
}

/// The arguments and results that callers give, under names of their own.
static std::vector<Parameter> parametersOf(const ManifestEntry &entry) {
  std::vector<Parameter> result;
  Names names({"model", "host", "entry", "status", "arguments", "results"});
  std::vector<std::string> labels(entry.arguments.size());
  auto add = [&](const ManifestValue &value, const char *kind, size_t index, bool isResult,
                 bool isWritten) {
    std::string name = identifier(value.info.name);
    // With something before it no name is a word of C's or begins with a digit.
    std::string label =
        name.empty() ? kind + std::to_string(index) : std::string(isResult ? "out_" : "in_") + name;
    label = names.add(label, value.info.type.shape.empty() ? "" : "_shape");
    if (!isResult)
      labels[index] = label;
    bool overwrites = isResult && value.info.alias >= 0;
    result.push_back(
        {label, &value.info.type, isResult, isWritten, overwrites ? labels[value.info.alias] : ""});
  };
  for (size_t i = 0; i < entry.arguments.size(); ++i) {
    bool written = std::any_of(entry.results.begin(), entry.results.end(), [&](auto &value) {
      return value.info.alias == static_cast<int>(i);
    });
    if (entry.arguments[i].role != ArgumentRole::Weight)
      add(entry.arguments[i], "argument", i, false, written);
  }
  for (size_t i = 0; i < entry.results.size(); ++i)
    add(entry.results[i], "result", i, true, true);
  return result;
}

static std::string entryText(const ManifestEntry &entry, const std::string &name) {
  std::vector<Parameter> parameters = parametersOf(entry);
  std::string comment = "/* " + name + ":", declaration, shapes, buffers[2];
  size_t counts[2] = {0, 0};
  for (const Parameter &parameter : parameters) {
    const std::vector<int64_t> &shape = parameter.type->shape;
    bool isFree = std::find(shape.begin(), shape.end(), kDynamic) != shape.end();
    std::string extents = "NULL", type = cType(parameter.type->dtype);
    comment += "\n     " + parameter.name + ": " + nameOf(parameter.type->dtype) + " " +
               shapeText(shape) +
               (parameter.place.empty() ? "" : ", the memory of " + parameter.place);
    declaration += std::string(",\n    ") + (parameter.isWritten ? "" : "const ") + type + " *" +
                   parameter.name;
    if (isFree) {
      extents = parameter.name + "_shape";
      declaration += ", const int64_t " + extents + "[" + std::to_string(shape.size()) + "]";
    } else if (!shape.empty()) {
      extents = parameter.name + "_shape";
      std::string values = shapeText(shape);
      shapes += "  static const int64_t " + extents + "[] = {" +
                values.substr(1, values.size() - 2) + "};\n";
    }
    buffers[parameter.isResult] += "      {(void *)" + parameter.name + ", " +
                                   constantName(parameter.type->dtype) + ", " +
                                   std::to_string(shape.size()) + ", " + extents + "},\n";
    ++counts[parameter.isResult];
  }
  auto array = [&](int kind, const char *label) {
    return counts[kind] == 0 ? std::string("  const aft_buffer *") + label + " = NULL;\n"
                             : std::string("  const aft_buffer ") + label + "[] = {\n" +
                                   buffers[kind] + "  };\n";
  };
  return comment + " */\nstatic inline aft_status " + name + "(const aft_model *model" +
         declaration + ",\n    const aft_host *host) {\n" + shapes + array(0, "arguments") +
         array(1, "results") + "  size_t entry;\n  aft_status status = aft_find_entry(model, " +
         literal(entry.name) +
         ", &entry);\n  if (status != AFT_OK)\n    return status;\n"
         "  return aft_run(model, entry, arguments, " +
         std::to_string(counts[0]) + ", results, " + std::to_string(counts[1]) + ", host);\n}\n\n";
}

std::string aft::headerPrefix(const std::string &path) {
  std::string name = path.substr(path.rfind('/') + 1);
  name = identifier(name.substr(0, name.find('.')));
  return name.empty() || (name[0] >= '0' && name[0] <= '9') ? "model_" + name : name;
}

std::string aft::headerText(const Manifest &manifest, const std::string &prefix) {
  std::string text =
      "/* Written by aftc " + manifest.compiler +
      ". Shapes are in elements; '?' is free and comes from the caller.\n"
      "   bf16 is the upper half of an f32, as uint16_t. Errors as in aft/aft.h. */\n\n"
      "#ifndef AFT_MODEL_" +
      prefix + "_H\n#define AFT_MODEL_" + prefix +
      "_H\n\n#include \"aft/aft.h\"\n\n/* The code that this header is of: "
      "aft_code_id(model). */\n#define " +
      prefix + "_code_id \"" + manifest.codeId + "\"\n\n";
  Names names({prefix + "_code_id"});
  for (const ManifestEntry &entry : manifest.entries)
    text += entryText(entry, names.add(prefix + "_" + identifier(entry.name)));
  return text + "#endif\n";
}
