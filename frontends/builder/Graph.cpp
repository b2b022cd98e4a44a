//===- Graph.cpp - A program under construction ----------------------------===//

#include "frontends/builder/FunctionImpl.h"

using namespace aft;

struct Graph::Impl {
  bool isText = false;
  std::string text, name;
  std::vector<std::unique_ptr<Function>> functions;
};

Graph::Graph(std::string name) : impl(std::make_unique<Impl>()) {
  impl->name = std::move(name);
}
Graph::~Graph() = default;
Graph::Graph(Graph &&) = default;
Graph &Graph::operator=(Graph &&) = default;

Graph Graph::fromText(std::string text, const std::string &name) {
  Graph graph(name);
  graph.impl->isText = true;
  graph.impl->text = std::move(text);
  return graph;
}

Function &Graph::function(const std::string &name) {
  for (const auto &function : impl->functions)
    if (function->name() == name)
      return *function;
  auto content = std::make_unique<Function::Impl>();
  content->name = name;
  impl->functions.push_back(std::make_unique<Function>(std::move(content)));
  return *impl->functions.back();
}

Status Graph::status() const {
  Status status;
  auto report = [&](const std::string &message) {
    status.message += (status.message.empty() ? "" : "\n") + message;
  };
  if (impl->isText && !impl->functions.empty())
    report("a program from text takes no more functions, found '" +
           impl->functions.front()->name() + "'");
  for (const auto &function : impl->functions) {
    if (size_t zero = function->name().find('\0'); zero != std::string::npos)
      report("a function's name must not hold a zero byte, found one behind '" +
             function->name().substr(0, zero) + "'");
    for (const std::string &error : function->get().errors)
      report(error);
  }
  return status;
}

std::string Graph::text() const {
  if (impl->isText)
    return impl->text;
  std::string text = "module {\n";
  for (const auto &function : impl->functions)
    text += function->get().functionText();
  return text + "}\n";
}

Status Graph::compile(const CompileOptions &options, std::shared_ptr<Program> &program) const {
  if (Status found = status(); !found.ok())
    return found;
  if (!impl->isText && impl->functions.empty())
    return {"the program has no function"};
  for (const auto &function : impl->functions)
    if (function->get().outputs.empty())
      return {"function '" + function->name() + "' has no output"};
  return Program::compile(text(), impl->name, options, program);
}
