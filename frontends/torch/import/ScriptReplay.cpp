//===- ScriptReplay.cpp - Replays the TorchScript of a .pt file -----------===//

#include "frontends/torch/import/ScriptReplay.h"

#include "frontends/torch/import/ExportedArguments.h"
#include "frontends/torch/import/Operators.h"

#include <ATen/ScalarOps.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/ir/constants.h>

#include <algorithm>
#include <set>

using namespace aft;
using namespace aft::import;
using c10::IValue;
using torch::jit::Node;
using torch::jit::Stack;

/// More steps, or calls inside calls, than any model takes.
static constexpr int64_t kMostSteps = 2'000'000;
static constexpr size_t kDeepest = 100;

//===----------------------------------------------------------------------===//
// What may be called
//===----------------------------------------------------------------------===//

/// Operators of TorchScript on numbers, texts and lists, outside of LibTorch's
/// dispatcher: none changes anything but its arguments.
static bool isPlain(const std::string &name) {
  static const std::set<std::string> names = {
      "aten::Bool", "aten::Float", "aten::FloatImplicit", "aten::Int", "aten::IntImplicit",
      "aten::ScalarImplicit", "aten::__and__", "aten::__contains__", "aten::__derive_index",
      "aten::__getitem__", "aten::__is__", "aten::__isnot__", "aten::__not__", "aten::__or__",
      "aten::__range_length", "aten::add", "aten::all", "aten::any", "aten::append", "aten::ceil", "aten::copy", "aten::dim",
      "aten::div", "aten::eq", "aten::exp", "aten::extend", "aten::floor", "aten::floordiv",
      "aten::format", "aten::ge", "aten::gt", "aten::index", "aten::insert",
      "aten::is_autocast_enabled", "aten::is_floating_point", "aten::is_grad_enabled", "aten::items", "aten::keys", "aten::le", "aten::len", "aten::list",
      "aten::log", "aten::lt", "aten::mul", "aten::ne", "aten::neg", "aten::numel", "aten::pow",
      "aten::remainder", "aten::reverse", "aten::round", "aten::size", "aten::slice", "aten::sqrt",
      "aten::str", "aten::sub", "aten::truediv", "aten::values", "prim::TupleIndex", "prim::abs",
      "prim::device", "prim::dtype", "prim::is_cpu", "prim::is_cuda", "prim::is_nested", "prim::layout", "prim::max", "prim::min",
      "prim::requires_grad", "prim::type"};
  return names.count(name) != 0;
}

static bool isNumber(const IValue &value) {
  return value.isInt() || value.isDouble() || value.isBool();
}

/// A traced module keeps sizes in tensors and calculates with those. Here they
/// stay numbers: what Python's operator of such a calculation is called.
static std::optional<IValue> calculateSize(const std::string &name,
                                           const c10::FunctionSchema &schema, const Stack &inputs) {
  static const std::unordered_map<std::string, std::string> names = {
      {"aten::add", "add"},           {"aten::sub", "sub"},        {"aten::mul", "mul"},
      {"aten::floor_divide", "floordiv"}, {"aten::div", "truediv"}, {"aten::remainder", "mod"},
      {"aten::neg", "neg"},           {"aten::eq", "eq"},          {"aten::ne", "ne"},
      {"aten::lt", "lt"},             {"aten::le", "le"},          {"aten::gt", "gt"},
      {"aten::ge", "ge"},             {"aten::rsub", "sub"},       {"aten::pow", "pow"},
      {"aten::reciprocal", "truediv"}};
  auto known = names.find(name);
  bool takesTensor = false;
  for (const c10::Argument &parameter : schema.arguments())
    takesTensor |= parameter.type()->kind() == c10::TypeKind::TensorType;
  if (!takesTensor || inputs.empty() || !isNumber(inputs[0]))
    return std::nullopt;
  if (name == "aten::Int" || name == "aten::IntImplicit" || name == "aten::ScalarImplicit")
    return name == "aten::ScalarImplicit" ? inputs[0]
                                          : *calculate("torch.sym_int", {inputs[0]});
  if (name == "aten::Float" || name == "aten::FloatImplicit")
    return calculate("torch.sym_float", {inputs[0]});
  if (known == names.end())
    return std::nullopt;
  std::vector<IValue> numbers = {inputs[0]};
  if (inputs.size() > 1 && known->second != "neg") {
    if (!isNumber(inputs[1]))
      return std::nullopt;
    numbers.push_back(inputs[1]);
  }
  bool isSubtracted = name == "aten::rsub";
  if ((isSubtracted || name == "aten::add" || name == "aten::sub") && inputs.size() > 2) {
    if (!isNumber(inputs[2]))
      return std::nullopt;
    IValue &scaled = numbers[isSubtracted ? 0 : 1];
    scaled = *calculate("_operator.mul", {scaled, inputs[2]});
  }
  if (isSubtracted)
    std::reverse(numbers.begin(), numbers.end());
  if (name == "aten::reciprocal")
    numbers.insert(numbers.begin(), IValue(int64_t(1)));
  std::string operation = known->second;
  bool hasMode = name == "aten::div" && inputs.size() > 2 && inputs[2].isString();
  if (hasMode && inputs[2].toStringRef() == "trunc")
    return calculate("torch.sym_int", {*calculate("_operator.truediv", numbers)});
  if (hasMode)
    operation = "floordiv";
  return calculate("_operator." + operation, numbers);
}

//===----------------------------------------------------------------------===//
// Where a node comes from
//===----------------------------------------------------------------------===//

ScriptReplay::ScriptReplay(const torch::jit::Module &module) {
  for (const auto &named : module.named_modules())
    paths.emplace(named.value._ivalue().get(), named.name);
  modules.push_back("");
}

static std::string sourceLine(const Node &node) {
  try {
    torch::jit::SourceRange range = node.sourceRange();
    if (auto written = range.findSourceRangeThatGenerated())
      range = *written;
    if (auto found = range.file_line_col(); found && !std::get<0>(*found).empty())
      return std::get<0>(*found) + ":" + std::to_string(std::get<1>(*found));
  } catch (const std::exception &) {
    // The debug records of the file are damaged or absent.
  }
  return "";
}

void ScriptReplay::notePlace(const Node &node) {
  place = std::make_shared<capture::Place>();
  place->module = modules.back();
  place->source = sourceLine(node);
  capture::setPlace(place);
}

std::string ScriptReplay::describe(const Node &node) const {
  std::string text = std::string(node.kind().toQualString()) + " in " +
                     (modules.back().empty() ? std::string("the outermost module")
                                             : "module '" + modules.back() + "'");
  std::string source = sourceLine(node);
  return source.empty() ? text : text + ", " + source;
}

//===----------------------------------------------------------------------===//
// Running
//===----------------------------------------------------------------------===//

IValue ScriptReplay::run(const c10::FunctionSchema &schema, torch::jit::Graph &graph,
                         Stack arguments) {
  schema.checkAndNormalizeInputs(arguments);
  std::vector<IValue> results = runGraph(graph, std::move(arguments));
  capture::setPlace(nullptr);
  TORCH_CHECK(results.size() == 1, "forward returns ", results.size(), " values");
  return results[0];
}

std::vector<IValue> ScriptReplay::runGraph(torch::jit::Graph &graph, Stack arguments) {
  TORCH_CHECK(graph.inputs().size() == arguments.size(), "a function takes ",
              graph.inputs().size(), " arguments, found ", arguments.size());
  TORCH_CHECK(modules.size() < kDeepest, "has calls inside calls too deeply");
  Values values;
  for (size_t i = 0; i < arguments.size(); ++i)
    values[graph.inputs()[i]] = std::move(arguments[i]);
  runBlock(*graph.block(), values);
  std::vector<IValue> results;
  for (const torch::jit::Value *output : graph.outputs())
    results.push_back(values.at(output));
  return results;
}

void ScriptReplay::runBlock(const torch::jit::Block &block, Values &values) {
  for (const Node *node : block.nodes()) {
    TORCH_CHECK(++steps < kMostSteps, "takes more than ", kMostSteps, " steps; a loop whose end "
                "depends on what it computes cannot be captured");
    try {
      runNode(*node, values);
    } catch (const c10::Error &error) {
      std::string message = error.what_without_backtrace();
      bool placed = message.find(" in module '") != std::string::npos ||
                    message.find(" in the outermost module") != std::string::npos;
      TORCH_CHECK(false, message, placed ? "" : " (" + describe(*node) + ")");
    }
  }
}

void ScriptReplay::runNode(const Node &node, Values &values) {
  if (runControl(node, values))
    return;
  Stack inputs, outputs;
  for (const torch::jit::Value *input : node.inputs())
    inputs.push_back(values.at(input));
  if (!runStructure(node, inputs, outputs)) {
    outputs = std::move(inputs);
    runOperator(node, outputs);
  }
  TORCH_CHECK(outputs.size() == node.outputs().size(), "expected ", node.outputs().size(),
              " results, found ", outputs.size());
  for (size_t i = 0; i < outputs.size(); ++i)
    values[node.outputs()[i]] = std::move(outputs[i]);
}

/// Read outside of the capture, which takes it for a number that may change.
static int64_t numberIn(const at::Tensor &constant) {
  c10::impl::ExcludeDispatchKeyGuard outside(c10::DispatchKey::TESTING_ONLY_GenericMode);
  return constant.item<int64_t>();
}

static bool truth(const IValue &value) {
  TORCH_CHECK(value.isBool(), "a condition depends on the numbers in a tensor; what a captured "
                              "module computes may not depend on them");
  return value.toBool();
}

/// Constants, branches and loops; false for other nodes.
bool ScriptReplay::runControl(const Node &node, Values &values) {
  namespace prim = c10::prim;
  if (node.kind() == prim::Constant) {
    if (node.output()->type()->kind() == c10::TypeKind::FunctionType) {
      values[node.output()] = IValue(); // called by its type
      return true;
    }
    std::optional<IValue> value = torch::jit::toIValue(node.output());
    TORCH_CHECK(value, "a constant cannot be read");
    // A whole number in a tensor is one that a trace calculates sizes with.
    bool isSize = value->isTensor() && value->toTensor().dim() == 0 &&
                  value->toTensor().scalar_type() == at::kLong;
    values[node.output()] = isSize ? IValue(numberIn(value->toTensor())) : *value;
    return true;
  }
  if (node.kind() == prim::If) {
    const torch::jit::Block &taken = *node.blocks()[truth(values.at(node.input(0))) ? 0 : 1];
    runBlock(taken, values);
    for (size_t i = 0; i < node.outputs().size(); ++i)
      values[node.outputs()[i]] = values.at(taken.outputs()[i]);
    return true;
  }
  if (node.kind() == prim::Loop) {
    runLoop(node, values);
    return true;
  }
  return false;
}

/// (most iterations, condition, carried...) -> carried; its body (iteration,
/// carried...) -> (condition, carried...).
void ScriptReplay::runLoop(const Node &node, Values &values) {
  const torch::jit::Block &body = *node.blocks()[0];
  int64_t most = values.at(node.input(0)).toInt();
  bool goesOn = truth(values.at(node.input(1)));
  std::vector<IValue> carried;
  for (size_t i = 2; i < node.inputs().size(); ++i)
    carried.push_back(values.at(node.input(i)));
  for (int64_t iteration = 0; iteration < most && goesOn; ++iteration) {
    TORCH_CHECK(++steps < kMostSteps, "has a loop that takes too long to unroll");
    values[body.inputs()[0]] = iteration;
    for (size_t i = 0; i < carried.size(); ++i)
      values[body.inputs()[1 + i]] = carried[i];
    runBlock(body, values);
    goesOn = truth(values.at(body.outputs()[0]));
    for (size_t i = 0; i < carried.size(); ++i)
      carried[i] = values.at(body.outputs()[1 + i]);
  }
  for (size_t i = 0; i < carried.size(); ++i)
    values[node.outputs()[i]] = carried[i];
}

static IValue listOf(const c10::TypePtr &type, const Stack &items) {
  c10::TypePtr element = type->expectRef<c10::ListType>().getElementType();
  // LibTorch knows lists of indices by the address of this type.
  c10::TypePtr index = c10::getTypePtr<std::optional<at::Tensor>>();
  c10::impl::GenericList list(*element == *index ? index : element);
  for (const IValue &item : items) {
    // A size that a trace made a tensor of.
    bool wraps = isNumber(item) && element->kind() == c10::TypeKind::TensorType;
    list.push_back(wraps ? IValue(c10::scalar_to_tensor(item.toScalar())) : item);
  }
  return list;
}

/// Lists, tuples, attributes and calls; false for operators.
bool ScriptReplay::runStructure(const Node &node, const Stack &inputs, Stack &outputs) {
  namespace prim = c10::prim;
  auto kind = node.kind();
  if (kind == prim::GetAttr) {
    outputs.push_back(inputs[0].toObjectRef().getAttr(node.s(c10::attr::name)));
  } else if (kind == prim::ListConstruct) {
    outputs.push_back(listOf(node.output()->type(), inputs));
  } else if (kind == prim::TupleConstruct) {
    outputs.push_back(c10::ivalue::Tuple::create(inputs));
  } else if (kind == prim::DictConstruct) {
    const auto &type = node.output()->type()->expectRef<c10::DictType>();
    c10::impl::GenericDict dict(type.getKeyType(), type.getValueType());
    for (size_t i = 0; i + 1 < inputs.size(); i += 2)
      dict.insert_or_assign(inputs[i], inputs[i + 1]);
    outputs.push_back(dict);
  } else if (kind == prim::TupleUnpack) {
    const auto &elements = inputs[0].toTupleRef().elements();
    outputs.assign(elements.begin(), elements.end());
  } else if (kind == prim::ListUnpack) {
    outputs = inputs[0].toListRef().vec();
  } else if (kind == prim::NumToTensor || kind == prim::unchecked_cast ||
             kind == prim::unchecked_unwrap_optional) {
    outputs.push_back(inputs[0]);
  } else if (kind == prim::Uninitialized) {
    outputs.push_back(IValue());
  } else if (kind == prim::RaiseException) {
    bool hasText = !inputs.empty() && inputs[0].isString();
    TORCH_CHECK(false, "the model refuses this input",
                hasText ? ": " + inputs[0].toStringRef() : std::string());
  } else if (kind == prim::CallMethod || kind == prim::CallFunction) {
    outputs = inputs;
    callMethod(node, outputs);
  } else {
    return node.kind() == c10::aten::warn; // says something and does nothing
  }
  return true;
}

/// A method of a module, or a function.
void ScriptReplay::callMethod(const Node &node, Stack &stack) {
  torch::jit::Function *function = nullptr;
  std::string path = modules.back();
  if (node.kind() == c10::prim::CallMethod) {
    const c10::ivalue::Object &object = stack.at(0).toObjectRef();
    auto known = paths.find(&object);
    if (known != paths.end())
      path = known->second;
    function = object.type()->findMethod(node.s(c10::attr::name));
  } else {
    function = node.input(0)->type()->expectRef<c10::FunctionType>().function();
    stack.erase(stack.begin());
  }
  TORCH_CHECK(function && function->isGraphFunction(), "calls what is no function");
  modules.push_back(path);
  stack = runGraph(*torch::jit::toGraphFunction(*function).graph(), std::move(stack));
  modules.pop_back();
}

void ScriptReplay::runOperator(const Node &node, Stack &stack) {
  const c10::FunctionSchema *schema = node.maybeSchema();
  TORCH_CHECK(schema, "capture: no rule for the operator ", describe(node));
  const std::string &name = schema->name();
  if (std::optional<IValue> size = calculateSize(name, *schema, stack)) {
    stack = {*size};
    return;
  }
  notePlace(node);
  auto op = c10::Dispatcher::singleton().findSchema({name, schema->overload_name()});
  if (op && isReplayable(*op))
    return takeNumbers(*op, stack).callBoxed(&stack);
  TORCH_CHECK(!op && isPlain(name), "capture: no rule for the operator ", describe(node));
  node.getOperation()(stack);
}
