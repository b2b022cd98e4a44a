//===- TextLimits.cpp - Texts that MLIR's parser does not withstand -------===//

#include "runtime/jit/TextLimits.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"

#include <algorithm>

using namespace aft;
using llvm::StringRef;

static constexpr int kMostNesting = 256;
/// In one expression of an affine map.
static constexpr int kMostOperators = 1024;
/// Brackets of an alias and of all it is made of.
static constexpr int64_t kMostExpanded = int64_t(1) << 20;

namespace {

class Scan {
public:
  explicit Scan(StringRef text) : text(text) {}
  std::optional<TextProblem> run();

private:
  /// What an alias stands for.
  struct Alias {
    int depth = 0;
    int64_t brackets = 0;
  };

  char step();
  void skipText();
  void readCharacter(char c);
  void readAlias(char sigil);
  void endOfDefinition(char c);
  void open();
  void nest(int reached, int64_t brackets);
  void complain(const std::string &what) {
    if (problem.message.empty())
      problem = {line, column, what};
  }

  StringRef text;
  size_t at = 0;
  unsigned line = 1, column = 0;
  int depth = 0, operators = 0;
  llvm::StringMap<Alias> aliases; ///< by sigil and name
  std::string defined;            ///< the alias whose definition this is, or ""
  Alias definition;
  bool mayEnd = false; ///< a line of it is over
  TextProblem problem;
};

} // namespace

char Scan::step() {
  char c = text[at++];
  ++column;
  if (c == '\n') {
    ++line;
    column = 0;
  }
  return c;
}

/// To the end of a string; one that does not end on its line is an error of its own.
void Scan::skipText() {
  while (at < text.size() && text[at] != '\n')
    if (char c = step(); c == '\\' && at < text.size() && text[at] != '\n')
      step();
    else if (c == '"')
      return;
}

void Scan::nest(int reached, int64_t brackets) {
  if (reached > kMostNesting)
    complain("brackets nest deeper than " + std::to_string(kMostNesting));
  if (defined.empty())
    return;
  definition.depth = std::max(definition.depth, reached);
  definition.brackets += brackets;
  if (definition.brackets > kMostExpanded)
    complain("an alias stands for more than " + std::to_string(kMostExpanded) + " brackets");
}

void Scan::open() {
  ++depth;
  operators = 0;
  nest(depth, 1);
}

/// `#name` or `!name`: a definition, a use, or something else of that form.
void Scan::readAlias(char sigil) {
  size_t begin = at;
  while (at < text.size() && (llvm::isAlnum(text[at]) || text[at] == '_' || text[at] == '$' ||
                              text[at] == '-' || text[at] == '.'))
    step();
  std::string name = sigil + text.slice(begin, at).str();
  StringRef rest = text.substr(at).ltrim(" \t\r\n");
  if (depth == 0 && rest.starts_with("=") && !rest.starts_with("==")) {
    if (!defined.empty())
      aliases[defined] = definition;
    defined = name;
    definition = {};
    mayEnd = false;
    return;
  }
  if (auto known = aliases.find(name); known != aliases.end())
    nest(depth + known->second.depth, known->second.brackets);
}

/// A definition goes on in the next line only with a bracket, or where it has not begun.
void Scan::endOfDefinition(char c) {
  if (defined.empty() || !mayEnd || StringRef(" \t\r\n").contains(c))
    return;
  mayEnd = false;
  if (StringRef("<[({=").contains(c))
    return;
  aliases[defined] = definition;
  defined.clear();
}

void Scan::readCharacter(char c) {
  endOfDefinition(c);
  switch (c) {
  case '\n':
    mayEnd = depth == 0 && !StringRef(text.take_front(at - 1)).rtrim(" \t\r\n").ends_with("=");
    return;
  case '"':
    return skipText();
  case '(':
  case '[':
  case '{':
  case '<':
    return open();
  case '>':
    if (at > 1 && text[at - 2] == '-') {
      --operators;
      return;
    }
    [[fallthrough]];
  case ')':
  case ']':
  case '}':
    depth = std::max(0, depth - 1);
    [[fallthrough]];
  case ',':
  case '=':
  case ':':
    operators = 0;
    return;
  case '+':
  case '-':
  case '*':
    if (++operators > kMostOperators)
      complain("an expression has more than " + std::to_string(kMostOperators) + " operators");
    return;
  case '#':
  case '!':
    return readAlias(c);
  default:
    return;
  }
}

std::optional<TextProblem> Scan::run() {
  while (at < text.size() && problem.message.empty()) {
    if (text.substr(at).starts_with("//")) {
      while (at < text.size() && text[at] != '\n')
        step();
      continue;
    }
    readCharacter(step());
  }
  return problem.message.empty() ? std::nullopt : std::optional(problem);
}

std::optional<TextProblem> aft::checkTextLimits(StringRef text) { return Scan(text).run(); }
