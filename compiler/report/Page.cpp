//===- Page.cpp - A report as one page of HTML ----------------------------===//
// The page's parts lie in page/ and are embedded when the compiler is built.

#include "compiler/report/Page.h"

#include "llvm/Support/raw_ostream.h"

using namespace aft;

// Defines kPage, kStyle and kScript.
#include "compiler/report/Page.inc"

/// In a script element only a '<' could end it; JSON has it in strings alone,
/// where it can be escaped.
static std::string escapeForScript(const std::string &json) {
  std::string result;
  for (char c : json) {
    if (c == '<')
      result += "\\u003c";
    else
      result += c;
  }
  return result;
}

/// The page with its parts in the places marked so.
static std::string fill(llvm::StringRef page,
                        llvm::ArrayRef<std::pair<llvm::StringRef, llvm::StringRef>> parts) {
  std::string result;
  while (!page.empty()) {
    size_t first = page.size();
    const std::pair<llvm::StringRef, llvm::StringRef> *next = nullptr;
    for (const auto &part : parts)
      if (size_t at = page.find(part.first); at < first) {
        first = at;
        next = &part;
      }
    result += page.take_front(first);
    page = page.drop_front(first + (next ? next->first.size() : 0));
    if (next)
      result += next->second;
  }
  return result;
}

std::string aft::renderPage(const llvm::json::Value &report) {
  std::string data;
  llvm::raw_string_ostream(data) << report;
  return fill(kPage,
              {{"@STYLE@", kStyle}, {"@SCRIPT@", kScript}, {"@DATA@", escapeForScript(data)}});
}

std::string aft::printReport(const llvm::json::Value &report) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  auto list = [&](const llvm::json::Array &items) {
    stream << "[";
    for (size_t i = 0; i < items.size(); ++i)
      stream << (i ? ",\n  " : "\n  ") << items[i];
    stream << (items.empty() ? "]" : "\n ]");
  };
  const llvm::json::Object *object = report.getAsObject();
  if (!object) {
    stream << report << '\n';
    return text;
  }
  stream << "{";
  bool first = true;
  // By name: the order of an object's members is that of its hash table.
  std::vector<std::pair<llvm::StringRef, const llvm::json::Value *>> members;
  for (const auto &[key, value] : *object)
    members.push_back({key, &value});
  llvm::sort(members);
  for (const auto &[key, value] : members) {
    stream << (first ? "\n \"" : ",\n \"") << key << "\": ";
    first = false;
    if (const llvm::json::Array *items = value->getAsArray())
      list(*items);
    else
      stream << *value;
  }
  stream << "\n}\n";
  return text;
}
