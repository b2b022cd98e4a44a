//===- ExportedGraph.cpp - Replays the graph of a .pt2 file ---------------===//

#include "frontends/torch/import/ExportedGraph.h"

#include "frontends/torch/import/Operators.h"

#include <ATen/core/stack.h>

using namespace aft;
using namespace aft::import;
using c10::IValue;

static constexpr std::string_view kOperators = "torch.ops.", kAround = "torch.ops.higher_order.";

/// Graphs inside graphs deeper than this are refused.
static constexpr int kDeepest = 16;

//===----------------------------------------------------------------------===//
// Where a node comes from
//===----------------------------------------------------------------------===//

/// The path in the last of "key,path,type;key,path,type".
static std::string modulePath(const std::string &stack) {
  size_t begin = stack.rfind(';');
  begin = begin == std::string::npos ? 0 : begin + 1;
  size_t first = stack.find(',', begin), second = stack.find(',', first + 1);
  if (first == std::string::npos || second == std::string::npos ||
      stack.compare(begin, 26, "_empty_nn_module_stack_fro") == 0)
    return "";
  return stack.substr(first + 1, second - first - 1);
}

/// "model.py:12" of the last line outside of PyTorch itself in a Python stack trace.
static std::string sourceLine(const std::string &trace) {
  static constexpr std::string_view file = "File \"", line = "\", line ";
  std::string found;
  for (size_t at = trace.find(file); at != std::string::npos; at = trace.find(file, at + 1)) {
    size_t begin = at + file.size(), end = trace.find(line, begin);
    if (end == std::string::npos)
      break;
    std::string name = trace.substr(begin, end - begin);
    size_t number = end + line.size();
    std::string place =
        name + ":" + trace.substr(number, trace.find_first_not_of("0123456789", number) - number);
    bool isTorch = name.find("/torch/") != std::string::npos || name.rfind("torch/", 0) == 0;
    if (!isTorch || found.empty())
      found = place;
  }
  return found;
}

static std::shared_ptr<const capture::Place> placeOf(JsonValue node) {
  auto place = std::make_shared<capture::Place>();
  if (std::optional<JsonValue> metadata = node.find("metadata")) {
    if (std::optional<JsonValue> stack = metadata->find("nn_module_stack"))
      place->module = modulePath(stack->text());
    if (std::optional<JsonValue> trace = metadata->find("stack_trace"))
      place->source = sourceLine(trace->text());
  }
  return place;
}

std::string ExportedGraph::describe(const Step &step) {
  std::string text =
      step.target + " in " +
      (step.place->module.empty() ? "the outermost module" : "module '" + step.place->module + "'");
  return step.place->source.empty() ? text : text + ", " + step.place->source;
}

//===----------------------------------------------------------------------===//
// Before the first run
//===----------------------------------------------------------------------===//

ExportedGraph::ExportedGraph(JsonValue graph, int depth) : graph(graph) {
  TORCH_CHECK(depth < kDeepest, "has graphs inside graphs too deeply");
  for (JsonValue node : graph.at("nodes").items()) {
    Step step{node, node.at("target").text(), std::nullopt, placeOf(node), nullptr, true};
    prepare(step, depth);
    steps.push_back(std::move(step));
  }
}

/// Python's name of an operator, "torch.ops.aten.add.Tensor", as the dispatcher has it.
static c10::OperatorName operatorName(std::string_view target) {
  target.remove_prefix(kOperators.size());
  size_t space = target.find('.'), overload = target.rfind('.');
  if (space == std::string_view::npos || space == overload)
    return {std::string(target), ""};
  std::string name(target.substr(0, overload)), which(target.substr(overload + 1));
  name.replace(space, 1, "::");
  return {name, which == "default" ? "" : which};
}

/// A graph under torch.no_grad or torch.autocast.
void ExportedGraph::prepareInner(Step &step, int depth) {
  std::optional<bool> enabled; // the first truth value
  for (JsonValue input : step.node.at("inputs").items()) {
    const auto &[kind, content] = input.at("arg").alternative();
    if (kind == "as_bool" && !enabled)
      enabled = content.flag();
    if (kind == "as_graph") {
      step.inner = std::make_shared<ExportedGraph>(content.at("graph"), depth + 1);
      break;
    }
  }
  TORCH_CHECK(step.inner && enabled, "has no graph in ", describe(step));
  bool mixes = step.target.find("autocast") != std::string::npos;
  TORCH_CHECK(!mixes || !*enabled, "computes with automatic mixed precision in ", describe(step),
              ", which is not supported; export it without torch.autocast");
  step.gradients = mixes || *enabled;
}

void ExportedGraph::prepare(Step &step, int depth) {
  std::string_view target = step.target;
  if (target.substr(0, kAround.size()) == kAround) {
    TORCH_CHECK(target == "torch.ops.higher_order.wrap_with_set_grad_enabled" ||
                    target == "torch.ops.higher_order.wrap_with_autocast",
                "uses ", describe(step), ", which is not supported");
    prepareInner(step, depth);
    return;
  }
  if (target.substr(0, kOperators.size()) != kOperators)
    return; // a calculation, checked when it is run
  c10::OperatorName name = operatorName(target);
  step.op = c10::Dispatcher::singleton().findSchema(name);
  TORCH_CHECK(step.op &&
                  (isReplayable(*step.op) || isSizeQuestion(name.name) || isAssertion(name.name)),
              "capture: no rule for the operator ", describe(step));
}

//===----------------------------------------------------------------------===//
// Running
//===----------------------------------------------------------------------===//

void ExportedGraph::run(Names &names) const {
  for (const Step &step : steps) {
    capture::setPlace(step.place);
    try {
      run(step, names);
    } catch (const c10::Error &error) {
      std::string message = error.what_without_backtrace();
      // The capture's own errors say where they are from.
      bool placed = message.find(" in module '") != std::string::npos ||
                    message.find(" in the outermost module") != std::string::npos;
      TORCH_CHECK(false, message, placed ? "" : " (" + describe(step) + ")");
    }
  }
  capture::setPlace(nullptr);
}

static std::vector<IValue> argumentsOf(JsonValue node, const Names &names) {
  std::vector<IValue> arguments;
  for (JsonValue input : node.at("inputs").items())
    arguments.push_back(valueOf(input.at("arg"), names));
  return arguments;
}

void ExportedGraph::run(const Step &step, Names &names) const {
  if (step.inner)
    return runInner(step, names);
  auto outputs = step.node.at("outputs").items();
  if (step.op && isAssertion(step.op->schema().name())) {
    checkAssertion(argumentsOf(step.node, names));
    for (JsonValue output : outputs)
      bindResult(output, IValue(), names);
    return;
  }
  if (step.op && !isSizeQuestion(step.op->schema().name()))
    return runOperator(step, names);
  std::vector<IValue> arguments = argumentsOf(step.node, names);
  IValue result;
  if (step.op) {
    result = answerSize(step.op->schema().name(), arguments);
  } else {
    std::optional<IValue> found = calculate(step.target, arguments);
    TORCH_CHECK(found, "capture: no rule for the operator ", describe(step));
    result = *found;
  }
  TORCH_CHECK(outputs.size() == 1, "expected one result, found ", outputs.size());
  bindResult(outputs[0], result, names);
}

/// A bool for a number, as in `full([2, 2], True, dtype=bool)`: the schema wants a number,
/// and dtype says what becomes of it.
static void takeBools(const c10::FunctionSchema &schema, torch::jit::Stack &stack) {
  std::optional<int> dtype = schema.argumentIndexWithName("dtype");
  if (!dtype || stack[*dtype].isNone())
    return;
  for (size_t i = 0; i < stack.size(); ++i)
    if (stack[i].isBool() && schema.arguments()[i].type()->kind() == c10::TypeKind::NumberType)
      stack[i] = static_cast<int64_t>(stack[i].toBool());
}

void ExportedGraph::runOperator(const Step &step, Names &names) const {
  std::vector<std::optional<IValue>> given(step.op->schema().arguments().size());
  for (JsonValue input : step.node.at("inputs").items()) {
    const std::string &name = input.at("name").text();
    std::optional<int> index = step.op->schema().argumentIndexWithName(name);
    TORCH_CHECK(index && !given[*index], "the operator takes no argument '", name, "', or once");
    given[*index] = valueFor(step.op->schema().arguments()[*index], input.at("arg"), names);
  }
  torch::jit::Stack stack;
  for (size_t i = 0; i < given.size(); ++i) {
    const c10::Argument &parameter = step.op->schema().arguments()[i];
    if (!given[i])
      given[i] = parameter.default_value();
    TORCH_CHECK(given[i], "the argument '", parameter.name(), "' is missing");
    stack.push_back(std::move(*given[i]));
  }
  takeBools(step.op->schema(), stack);
  c10::OperatorHandle op = takeNumbers(*step.op, stack);
  op.schema().checkAndNormalizeInputs(stack);
  op.callBoxed(&stack);
  auto outputs = step.node.at("outputs").items();
  TORCH_CHECK(outputs.size() <= stack.size(), "expected ", outputs.size(), " results, found ",
              stack.size());
  for (size_t i = 0; i < outputs.size(); ++i)
    bindResult(outputs[i], stack[i], names);
}

/// A graph inside a graph sees its own inputs only.
void ExportedGraph::runInner(const Step &step, Names &names) const {
  std::vector<IValue> arguments;
  bool after = false;
  for (JsonValue input : step.node.at("inputs").items()) {
    if (after)
      arguments.push_back(valueOf(input.at("arg"), names));
    after |= input.at("arg").alternative().name == "as_graph";
  }
  JsonValue inner = step.inner->graph;
  TORCH_CHECK(inner.at("inputs").items().size() == arguments.size(), "a graph takes ",
              inner.at("inputs").items().size(), " inputs, found ", arguments.size());
  Names own;
  for (size_t i = 0; i < arguments.size(); ++i)
    bindResult(inner.at("inputs").items()[i], arguments[i], own);
  {
    at::AutoGradMode mode(at::GradMode::is_enabled() && step.gradients);
    step.inner->run(own);
  }
  auto results = inner.at("outputs").items();
  auto outputs = step.node.at("outputs").items();
  // All results as one list, or one by one.
  if (outputs.size() == 1 && outputs[0].alternative().name == "as_tensors") {
    auto wanted = outputs[0].alternative().value.items();
    TORCH_CHECK(wanted.size() == results.size(), "expected ", results.size(), " results, found ",
                wanted.size());
    for (size_t i = 0; i < results.size(); ++i)
      names.set(wanted[i].at("name").text(), valueOf(results[i], own));
    return;
  }
  TORCH_CHECK(outputs.size() == results.size(), "expected ", results.size(), " results, found ",
              outputs.size());
  for (size_t i = 0; i < results.size(); ++i)
    bindResult(outputs[i], valueOf(results[i], own), names);
}
