//===- Json.cpp - A small JSON reader and writer --------------------------===//

#include "runtime/core/Json.h"

#include "runtime/core/Quote.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <unordered_set>

using namespace aft;

/// Lines of the printed form are not much longer.
static constexpr size_t kLine = 120;
/// What an error shows of the text.
static constexpr size_t kShown = 8;
/// Numbers of a list that a message shows.
static constexpr size_t kFew = 4;

namespace {

class Reader {
public:
  Reader(std::string_view text, const JsonLimits &limits) : text(text), limits(limits) {}
  Status all(Json &value) {
    good(read(value, 0)) && (skip(), good(at == text.size(), "nothing more"));
    return {error};
  }

private:
  bool good(bool holds, const char *expected = "a value") {
    return holds || fail(expected, at < text.size() ? quote(text.substr(at, kShown)) : "the end");
  }
  /// The first error is kept.
  bool fail(const std::string &expected, const std::string &found) {
    if (error.empty())
      error = "JSON: expected " + expected + " at byte " + std::to_string(at) + ", found " + found;
    return false;
  }
  void skip() {
    while (at < text.size() &&
           (text[at] == ' ' || text[at] == '\n' || text[at] == '\t' || text[at] == '\r'))
      ++at;
  }
  bool take(char c) {
    skip();
    if (at >= text.size() || text[at] != c)
      return false;
    ++at;
    return true;
  }
  bool word(std::string_view expected) {
    if (text.substr(at, expected.size()) != expected)
      return good(false);
    at += expected.size();
    return true;
  }
  bool read(Json &value, int depth);
  bool readText(std::string &result);
  bool readEscape(std::string &result);
  bool readCode(uint32_t &code);
  bool readNumber(Json &value);
  bool readWordNumber(Json &value);
  bool readArray(Json &value, int depth);
  bool readObject(Json &value, int depth);

  std::string_view text;
  const JsonLimits &limits;
  size_t at = 0, values = 0;
  std::string error;
};

} // namespace

bool Reader::read(Json &value, int depth) {
  skip();
  if (depth >= limits.nesting)
    return fail("at most " + std::to_string(limits.nesting) +
                    " lists and objects inside each other",
                "more");
  if (values++ >= limits.values)
    return fail("at most " + std::to_string(limits.values) + " values", "more");
  if (!good(at < text.size()))
    return false;
  switch (text[at]) {
  case '{':
    return readObject(value, depth);
  case '[':
    return readArray(value, depth);
  case '"':
    value.kind = Json::Kind::Text;
    return readText(value.text);
  case 't':
    value = Json(true);
    return word("true");
  case 'f':
    value = Json(false);
    return word("false");
  case 'n':
    return word("null");
  default:
    return readWordNumber(value) || readNumber(value);
  }
}

/// Python's words for what is no finite number.
bool Reader::readWordNumber(Json &value) {
  static constexpr double infinity = std::numeric_limits<double>::infinity();
  static constexpr std::pair<std::string_view, double> words[] = {
      {"NaN", std::numeric_limits<double>::quiet_NaN()},
      {"Infinity", infinity},
      {"-Infinity", -infinity}};
  for (auto [name, number] : words)
    if (limits.python && text.substr(at, name.size()) == name) {
      at += name.size();
      value = Json(number);
      return true;
    }
  return false;
}

bool Reader::readNumber(Json &value) {
  const char *begin = text.data() + at, *end = text.data() + text.size(), *last = begin;
  bool whole = true;
  while (last < end && (std::string_view("+-.eE").find(*last) != std::string_view::npos ||
                        (*last >= '0' && *last <= '9'))) {
    whole &= *last != '.' && *last != 'e' && *last != 'E';
    ++last;
  }
  if (!good(begin < last && *begin != '+' && *begin != '.'))
    return false;
  std::from_chars_result result{};
  if (whole) {
    value.kind = Json::Kind::Integer;
    result = std::from_chars(begin, last, value.integer);
    whole = !limits.python || result.ec != std::errc::result_out_of_range;
  }
  if (!whole) {
    value.kind = Json::Kind::Number;
    result = std::from_chars(begin, last, value.number);
  }
  if (!good(result.ec == std::errc() && result.ptr == last, "a number"))
    return false;
  at += static_cast<size_t>(last - begin);
  return true;
}

bool Reader::readCode(uint32_t &code) {
  if (!good(text.size() - at >= 4, "four hexadecimal digits"))
    return false;
  auto result = std::from_chars(text.data() + at, text.data() + at + 4, code, 16);
  if (!good(result.ptr == text.data() + at + 4, "four hexadecimal digits"))
    return false;
  at += 4;
  return true;
}

static void appendUtf8(std::string &result, uint32_t code) {
  if (code < 0x80) {
    result += static_cast<char>(code);
    return;
  }
  int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  result += static_cast<char>((0xFF00 >> (more + 1) & 0xFF) | code >> (6 * more));
  while (more-- > 0)
    result += static_cast<char>(0x80 | (code >> (6 * more) & 0x3F));
}

bool Reader::readEscape(std::string &result) {
  static constexpr std::string_view from = "\"\\/bfnrt", to = "\"\\/\b\f\n\r\t";
  if (!good(at < text.size(), "an escape"))
    return false;
  char c = text[at++];
  if (size_t place = from.find(c); place != std::string_view::npos) {
    result += to[place];
    return true;
  }
  uint32_t code = 0, low = 0;
  if (!good(c == 'u', "an escape") || !readCode(code))
    return false;
  if (code >= 0xD800 && code < 0xDC00) {
    if (!word("\\u") || !readCode(low) || !good(low >= 0xDC00 && low < 0xE000, "a low surrogate"))
      return false;
    code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
  } else if (!good(code < 0xDC00 || code >= 0xE000, "a high surrogate")) {
    return false;
  }
  appendUtf8(result, code);
  return true;
}

bool Reader::readText(std::string &result) {
  if (!good(take('"'), "a text"))
    return false;
  for (;;) {
    if (!good(at < text.size(), "'\"'"))
      return false;
    char c = text[at++];
    if (c == '"')
      return true;
    if (c == '\\') {
      if (!readEscape(result))
        return false;
      continue;
    }
    if (static_cast<unsigned char>(c) < 0x20) {
      --at;
      return good(false, "no control character in a text");
    }
    result += c;
  }
}

bool Reader::readArray(Json &value, int depth) {
  value.kind = Json::Kind::Array;
  ++at;
  if (take(']'))
    return true;
  do {
    value.items.emplace_back();
    if (!read(value.items.back(), depth + 1))
      return false;
  } while (take(','));
  return good(take(']'), "',' or ']'");
}

/// Which names an object has. Most have few, for which a set would be slow.
namespace {
class Names {
public:
  /// Whether the last member's name is not that of another.
  bool add(const std::vector<Json::Member> &members) {
    static constexpr size_t few = 8;
    const std::string &name = members.back().first;
    if (members.size() <= few) {
      for (size_t i = 0; i + 1 < members.size(); ++i)
        if (members[i].first == name)
          return false;
      return true;
    }
    for (; taken + 1 < members.size(); ++taken)
      set.insert(members[taken].first);
    return !set.count(name);
  }

private:
  std::unordered_set<std::string> set;
  size_t taken = 0; ///< how many are in `set`
};
} // namespace

bool Reader::readObject(Json &value, int depth) {
  value.kind = Json::Kind::Object;
  Names names;
  ++at;
  if (take('}'))
    return true;
  do {
    value.members.emplace_back(std::string(), Json());
    auto &[name, member] = value.members.back();
    skip();
    if (!readText(name))
      return false;
    if (!names.add(value.members))
      return fail("a name that is not there yet", quote(name, '"'));
    if (!good(take(':'), "':'") || !read(member, depth + 1))
      return false;
  } while (take(','));
  return good(take('}'), "',' or '}'");
}

Status Json::parse(std::string_view text, Json &value, const JsonLimits &limits) {
  value = Json();
  return Reader(text, limits).all(value);
}

//===----------------------------------------------------------------------===//
// Values and printing
//===----------------------------------------------------------------------===//

Json Json::array(std::vector<Json> items) {
  Json value;
  value.kind = Kind::Array;
  value.items = std::move(items);
  return value;
}

Json Json::object(std::vector<Member> members) {
  Json value;
  value.kind = Kind::Object;
  value.members = std::move(members);
  return value;
}

const Json *Json::find(std::string_view name) const {
  for (const Member &member : members)
    if (member.first == name)
      return &member.second;
  return nullptr;
}

std::string aft::shown(const Json *json) {
  if (!json)
    return "nothing";
  switch (json->kind) {
  case Json::Kind::Text:
    return quote(json->text, '"');
  case Json::Kind::Array:
    if (json->items.size() <= kFew &&
        std::all_of(json->items.begin(), json->items.end(),
                    [](auto &item) { return item.kind == Json::Kind::Integer; }))
      return json->printShort();
    return "a list of " + std::to_string(json->items.size());
  case Json::Kind::Object:
    return "an object of " + std::to_string(json->members.size());
  default:
    return json->printShort();
  }
}

static std::string quoted(const std::string &text) {
  std::string result = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\')
      result += '\\';
    if (static_cast<unsigned char>(c) >= 0x20) {
      result += c;
      continue;
    }
    result += "\\u00";
    result += "0123456789abcdef"[c >> 4];
    result += "0123456789abcdef"[c & 15];
  }
  return result + '"';
}

std::string Json::printShort() const {
  std::string result;
  char digits[32];
  switch (kind) {
  case Kind::Null:
    return "null";
  case Kind::Bool:
    return integer ? "true" : "false";
  case Kind::Integer:
    return std::to_string(integer);
  case Kind::Number:
    if (!std::isfinite(number))
      return "null";
    result.assign(digits, std::to_chars(digits, digits + sizeof digits, number).ptr);
    return result.find_first_of(".e") == std::string::npos ? result + ".0" : result;
  case Kind::Text:
    return quoted(text);
  case Kind::Array:
    for (const Json &item : items)
      result += (result.empty() ? "" : ", ") + item.printShort();
    return "[" + result + "]";
  case Kind::Object:
    for (const auto &[name, member] : members)
      result += (result.empty() ? "" : ", ") + quoted(name) + ": " + member.printShort();
    return "{" + result + "}";
  }
  return result;
}

void Json::print(std::string &out, size_t indent, size_t used) const {
  std::string line = printShort();
  size_t count = items.size() + members.size();
  if (count == 0 || indent + used + line.size() < kLine) {
    out += line;
    return;
  }
  bool isArray = kind == Kind::Array;
  if (isArray && items.front().kind == Kind::Text) {
    // Words fill lines.
    std::string words = "[";
    for (size_t i = 0, width = indent + used + 1; i < count; ++i) {
      std::string word = items[i].printShort() + (i + 1 < count ? "," : "]");
      bool wraps = i > 0 && width + 1 + word.size() > kLine;
      words += wraps ? "\n" + std::string(indent + 1, ' ') : i > 0 ? " " : "";
      width = (wraps ? indent + 1 : width + 1) + word.size();
      words += word;
    }
    out += words;
    return;
  }
  out += isArray ? "[\n" : "{\n";
  for (size_t i = 0; i < count; ++i) {
    std::string name = isArray ? "" : quoted(members[i].first) + ": ";
    out.append(indent + 2, ' ');
    out += name;
    (isArray ? items[i] : members[i].second).print(out, indent + 2, name.size() + 1);
    out += i + 1 < count ? ",\n" : "\n";
  }
  out.append(indent, ' ');
  out += isArray ? "]" : "}";
}

std::string Json::print() const {
  std::string out;
  print(out, 0, 0);
  return out + "\n";
}
