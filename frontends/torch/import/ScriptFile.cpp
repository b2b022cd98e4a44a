//===- ScriptFile.cpp - Reads .pt files with TorchScript ------------------===//
// LibTorch's loader parses the code of a file and makes its objects. It would
// run three kinds of code on the way: __setstate__ methods, default values of
// arguments that are expressions, and the constructors of custom C++ classes.
// Files with any of these are refused before it is called.

#include "frontends/torch/import/Archive.h"
#include "frontends/torch/import/Model.h"
#include "frontends/torch/import/ScriptReplay.h"

#include "frontends/torch/ops/Kernels.h"

#include <torch/csrc/jit/frontend/lexer.h>
#include <torch/csrc/jit/frontend/parser.h>
#include <torch/csrc/jit/serialization/import.h>

#include <algorithm>
#include <map>

using namespace aft;
using namespace aft::import;
using at::Tensor;
using c10::IValue;
using torch::jit::TreeRef;

/// Brackets and blocks inside others deeper than this are refused: LibTorch's
/// parser follows them by recursion.
static constexpr int kDeepest = 200;

//===----------------------------------------------------------------------===//
// Before loading
//===----------------------------------------------------------------------===//

static void checkNesting(const std::string &record, const std::string &code) {
  int depth = 0, operators = 0;
  for (char c : code) {
    depth += c == '(' || c == '[' || c == '{' ? 1 : 0;
    depth -= c == ')' || c == ']' || c == '}' ? 1 : 0;
    // Signs, "not" and the like in a row nest too, within one line.
    operators = c == '\n' ? 0 : operators + (c == '-' || c == '~' || c == '*' || c == ' ');
    TORCH_CHECK(depth < kDeepest && operators < 100 * kDeepest, "has code that nests too deeply, in ",
                record);
  }
}

static bool isLiteral(const TreeRef &tree) {
  switch (tree->kind()) {
  case torch::jit::TK_CONST:
  case torch::jit::TK_STRINGLITERAL:
  case torch::jit::TK_TRUE:
  case torch::jit::TK_FALSE:
  case torch::jit::TK_NONE: return true;
  case torch::jit::TK_UNARY_MINUS:
  case torch::jit::TK_LIST_LITERAL:
  case torch::jit::TK_TUPLE_LITERAL:
  case torch::jit::TK_LIST:
  case torch::jit::TK_OPTION:
    return std::all_of(tree->trees().begin(), tree->trees().end(), isLiteral);
  default: return false;
  }
}

static void checkFunction(const std::string &record, const torch::jit::Def &function) {
  const std::string &name = function.name().name();
  TORCH_CHECK(name != "__setstate__", "has a class with a method __setstate__ in ", record,
              ", which would be run to load it; such files are not read");
  for (const torch::jit::Param &parameter : function.decl().params())
    TORCH_CHECK(!parameter.defaultValue().present() ||
                    isLiteral(parameter.defaultValue().get().tree()),
                "has a default value that is computed, for '", parameter.ident().name(), "' of ",
                name, " in ", record, ", which would be run to load it; such files are not read");
}

/// A class has methods, types of attributes, and with a base class values.
static void checkClass(const std::string &record, const torch::jit::ClassDef &definition) {
  bool hasBase = definition.superclass().present() &&
                 !(definition.superclass().get().kind() == torch::jit::TK_VAR &&
                   torch::jit::Var(definition.superclass().get()).name().name() == "Module");
  for (const torch::jit::Stmt &statement : definition.body()) {
    if (statement.kind() == torch::jit::TK_DEF) {
      checkFunction(record, torch::jit::Def(statement));
    } else if (statement.kind() == torch::jit::TK_ASSIGN && hasBase) {
      torch::jit::Assign assignment(statement);
      TORCH_CHECK(!assignment.rhs().present() || isLiteral(assignment.rhs().get().tree()),
                  "has a value that is computed in the class ", definition.name().name(), " in ",
                  record, ", which would be run to load it; such files are not read");
    }
  }
}

/// Parses a file of code, which runs nothing.
static void checkCode(const std::string &record, const std::string &code) {
  checkNesting(record, code);
  torch::jit::Parser parser(std::make_shared<torch::jit::Source>(code));
  torch::jit::Lexer &lexer = parser.lexer();
  while (lexer.cur().kind != torch::jit::TK_EOF) {
    if (lexer.cur().kind == torch::jit::TK_CLASS_DEF)
      checkClass(record, torch::jit::ClassDef(parser.parseClass()));
    else if (lexer.cur().kind == torch::jit::TK_DEF)
      checkFunction(record, torch::jit::Def(parser.parseFunction(/*is_method=*/false)));
    else // "op_version_set = 1", "import ..."
      while (lexer.next().kind != torch::jit::TK_NEWLINE)
        TORCH_CHECK(lexer.cur().kind != torch::jit::TK_EOF, "has code that ends too early in ",
                    record);
  }
}

/// How many bytes of a number follow an instruction of a pickle, and whether that is the length
/// of a text behind it.
static std::pair<size_t, bool> operandOf(unsigned char instruction) {
  switch (instruction) {
  case 0x80: // PROTO
  case 'K':  // BININT1
  case 'q':  // BINPUT
  case 'h': return {1, false}; // BINGET
  case 'M': return {2, false}; // BININT2
  case 'J':  // BININT
  case 'r':  // LONG_BINPUT
  case 'j': return {4, false}; // LONG_BINGET
  case 'G': return {8, false}; // BINFLOAT
  case 0x8a: // LONG1
  case 'U':  // SHORT_BINSTRING
  case 'C': return {1, true}; // SHORT_BINBYTES
  case 'X':  // BINUNICODE
  case 'B': return {4, true}; // BINBYTES
  case 0x8d: // BINUNICODE8
  case 0x8e: return {8, true}; // BINBYTES8
  default: return {0, false};
  }
}

/// LibTorch's loader makes room for as many objects, and for as long a text, as a pickle names:
/// a few bytes could ask for all memory.
static void checkPickle(const std::string &record, const std::string &pickle) {
  for (size_t at = 0; at < pickle.size();) {
    unsigned char instruction = pickle[at++];
    if (instruction == '.') // STOP
      return;
    if (instruction == 'c') { // GLOBAL: two lines
      for (int line = 0; line < 2; ++line)
        at = std::min(pickle.find('\n', at), pickle.size() - 1) + 1;
      continue;
    }
    auto [count, isLength] = operandOf(instruction);
    TORCH_CHECK(count <= pickle.size() - at, "is damaged: ", record, " is cut off");
    uint64_t operand = 0;
    for (size_t i = 0; i < count; ++i)
      operand |= uint64_t(static_cast<unsigned char>(pickle[at + i])) << 8 * i;
    at += count;
    if (isLength) {
      TORCH_CHECK(operand <= pickle.size() - at, "is damaged: ", record, " is cut off");
      at += operand;
    }
    TORCH_CHECK(instruction != 'r' || operand < pickle.size(), "is damaged: ", record,
                " numbers an object ", operand, ", expected less than its ", pickle.size(),
                " bytes");
  }
}

static bool endsWith(const std::string &text, std::string_view end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

/// Reads every record, so that damage shows, and refuses what loading would run.
static void checkRecords(Archive &archive) {
  TORCH_CHECK(archive.has("data.pkl") && archive.has("constants.pkl") && !archive.has("model.json"),
              "is not a file that torch.jit.save of this version wrote");
  for (const std::string &record : archive.records()) {
    bool isCode = endsWith(record, ".py"), isPickle = endsWith(record, ".pkl");
    if (!isCode && !isPickle) {
      archive.bytes(record);
      continue;
    }
    std::string text = archive.text(record);
    // A pickle writes the parts of a name on lines of their own.
    std::string joined = text;
    std::replace(joined.begin(), joined.end(), '\n', '.');
    TORCH_CHECK(joined.find("torch.classes") == std::string::npos, "holds an object of a custom "
                "C++ class in ", record, ", which is not supported");
    if (isCode)
      checkCode(record, text);
    else
      checkPickle(record, text);
  }
}

//===----------------------------------------------------------------------===//
// The model
//===----------------------------------------------------------------------===//

namespace {

class ScriptFile {
public:
  ScriptFile(Archive &archive, const std::vector<TensorType> &inputs);
  Model model(const std::shared_ptr<ScriptFile> &self);

private:
  void readInputs(const std::vector<TensorType> &types);
  Tensors run(const Tensors &inputs) const;

  torch::jit::Module module;
  States states;
  Tensors examples;
  std::vector<capture::DynamicExtent> extents;
};

} // namespace

ScriptFile::ScriptFile(Archive &archive, const std::vector<TensorType> &inputs) {
  checkRecords(archive);
  module = torch::jit::load(archive.file(), c10::Device(c10::kCPU));
  TORCH_CHECK(module.find_method("forward"), "has no method forward");
  for (const auto &parameter : module.named_parameters())
    states.add(parameter.name, parameter.value, /*isParameter=*/true);
  for (const auto &buffer : module.named_buffers())
    states.add(buffer.name, buffer.value, /*isParameter=*/false);
  readInputs(inputs);
}

static std::string signature(const c10::FunctionSchema &schema) {
  std::string text;
  for (size_t i = 1; i < schema.arguments().size(); ++i)
    text += (i > 1 ? ", " : "") + schema.arguments()[i].name() + ": " +
            schema.arguments()[i].type()->annotation_str();
  return "(" + text + ")";
}

/// Sizes of the examples where they may change, by dimension.
static constexpr int64_t kSizes[] = {3, 14, 11, 9};

void ScriptFile::readInputs(const std::vector<TensorType> &types) {
  const c10::FunctionSchema &schema = module.get_method("forward").function().getSchema();
  size_t most = schema.arguments().size() - 1, least = 0;
  for (size_t i = 1; i <= most; ++i)
    least += !schema.arguments()[i].default_value();
  TORCH_CHECK(types.size() >= least && types.size() <= most, "takes the inputs ",
              signature(schema), ", of which it does not say the sizes; found ", types.size(),
              " types of inputs");
  std::map<size_t, capture::DynamicExtent> byDimension;
  for (size_t input = 0; input < types.size(); ++input) {
    std::vector<int64_t> sizes = types[input].shape;
    for (size_t dim = 0; dim < sizes.size(); ++dim) {
      if (sizes[dim] != kDynamic)
        continue;
      sizes[dim] = kSizes[std::min<size_t>(dim, 3)];
      capture::DynamicExtent &extent = byDimension[dim];
      extent.size = sizes[dim];
      extent.axes.emplace_back(static_cast<int>(input), static_cast<int>(dim));
    }
    examples.push_back(exampleOf(sizes, ops::scalarTypeOf(types[input].dtype)));
  }
  for (auto &[dim, extent] : byDimension)
    extents.push_back(extent);
  std::sort(extents.begin(), extents.end(),
            [](const auto &a, const auto &b) { return a.axes.front() < b.axes.front(); });
}

/// The tensors in a result, in order.
static void flatten(const IValue &value, Tensors &tensors) {
  if (value.isTensor()) {
    tensors.push_back(value.toTensor());
  } else if (value.isTuple()) {
    for (const IValue &element : value.toTupleRef().elements())
      flatten(element, tensors);
  } else if (value.isList()) {
    for (const IValue &element : value.toListRef())
      flatten(element, tensors);
  } else if (value.isGenericDict()) {
    for (const auto &entry : value.toGenericDict())
      flatten(entry.value(), tensors);
  } else {
    TORCH_CHECK(value.isNone(), "has a result that is not a tensor, which is not supported");
  }
}

Tensors ScriptFile::run(const Tensors &inputs) const {
  torch::jit::Stack arguments = {module._ivalue()};
  for (const Tensor &input : inputs)
    arguments.push_back(input);
  torch::jit::Function &forward = module.get_method("forward").function();
  IValue result = ScriptReplay(module).run(
      forward.getSchema(), *torch::jit::toGraphFunction(forward).graph(), std::move(arguments));
  Tensors tensors;
  flatten(result, tensors);
  TORCH_CHECK(!tensors.empty(), "has no result that is a tensor");
  return tensors;
}

Model ScriptFile::model(const std::shared_ptr<ScriptFile> &self) {
  Model model;
  model.states = states.module();
  model.examples = examples;
  model.extents = extents;
  model.computation = [this](const Tensors &inputs) { return run(inputs); };
  model.keep = self;
  return model;
}

Model aft::import::readScript(Archive &archive, const std::vector<TensorType> &inputs) {
  auto file = std::make_shared<ScriptFile>(archive, inputs);
  return file->model(file);
}
