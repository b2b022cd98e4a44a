//===- Json.cpp - JSON from files of others -------------------------------===//

#include "frontends/torch/import/Json.h"

#include <c10/util/Exception.h>

#include <charconv>
#include <limits>

using namespace aft::import;

/// Deeper nesting is refused; what exporters write has less than twenty levels.
static constexpr int kDeepest = 100;

static const char *nameOf(Json::Kind kind) {
  static const char *const names[] = {"null",   "a truth value", "an integer", "a number",
                                      "a text", "a list",        "an object"};
  return names[static_cast<int>(kind)];
}

//===----------------------------------------------------------------------===//
// Access
//===----------------------------------------------------------------------===//

void Json::expect(Kind kind) const {
  TORCH_CHECK(kind_ == kind, "expected ", nameOf(kind), ", found ", nameOf(kind_));
}

bool Json::flag() const {
  expect(Kind::Bool);
  return integer_ != 0;
}

int64_t Json::integer() const {
  expect(Kind::Int);
  return integer_;
}

double Json::number() const {
  if (kind_ == Kind::Int)
    return static_cast<double>(integer_);
  if (kind_ == Kind::Text && text_ == "NaN")
    return std::numeric_limits<double>::quiet_NaN();
  if (kind_ == Kind::Text && (text_ == "Infinity" || text_ == "-Infinity"))
    return std::numeric_limits<double>::infinity() * (text_[0] == '-' ? -1 : 1);
  expect(Kind::Double);
  return number_;
}

const std::string &Json::text() const {
  expect(Kind::Text);
  return text_;
}

const std::vector<Json> &Json::items() const {
  expect(Kind::Array);
  return items_;
}

const std::vector<Json::Member> &Json::members() const {
  expect(Kind::Object);
  return members_;
}

const Json *Json::find(std::string_view name) const {
  for (const Member &member : members())
    if (member.first == name)
      return member.second.isNull() ? nullptr : &member.second;
  return nullptr;
}

const Json &Json::at(std::string_view name) const {
  const Json *found = find(name);
  TORCH_CHECK(found, "expected an object with a member '", name, "', found none");
  return *found;
}

const Json::Member &Json::alternative() const {
  TORCH_CHECK(members().size() == 1, "expected an object with one member, found ", members_.size());
  return members_.front();
}

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

namespace aft::import {

class JsonReader {
public:
  explicit JsonReader(std::string_view text) : text(text) {}
  Json all();

private:
  [[noreturn]] void fail(const char *expected) const;
  void skipSpace();
  bool take(std::string_view wanted);
  Json value(int depth);
  Json array(int depth);
  Json object(int depth);
  Json number();
  std::string string();
  unsigned hex();
  void appendEscaped(std::string &result);

  std::string_view text;
  size_t place = 0;
};

} // namespace aft::import

void JsonReader::fail(const char *expected) const {
  TORCH_CHECK(false, "is not JSON: expected ", expected, " at byte ", place);
}

void JsonReader::skipSpace() {
  while (place < text.size() &&
         (text[place] == ' ' || text[place] == '\n' || text[place] == '\t' || text[place] == '\r'))
    ++place;
}

bool JsonReader::take(std::string_view wanted) {
  if (text.substr(place, wanted.size()) != wanted)
    return false;
  place += wanted.size();
  return true;
}

Json JsonReader::all() {
  Json result = value(0);
  skipSpace();
  if (place != text.size())
    fail("the end");
  return result;
}

Json JsonReader::value(int depth) {
  if (depth > kDeepest)
    fail("less nesting");
  skipSpace();
  Json result;
  if (take("null"))
    return result;
  if (take("true") || take("false")) {
    result.kind_ = Json::Kind::Bool;
    result.integer_ = text[place - 2] == 'u';
    return result;
  }
  if (take("[") || take("{"))
    return text[place - 1] == '[' ? array(depth) : object(depth);
  if (place < text.size() && text[place] == '"') {
    result.kind_ = Json::Kind::Text;
    result.text_ = string();
    return result;
  }
  return number();
}

Json JsonReader::array(int depth) {
  Json result;
  result.kind_ = Json::Kind::Array;
  skipSpace();
  if (take("]"))
    return result;
  for (;;) {
    result.items_.push_back(value(depth + 1));
    skipSpace();
    if (take("]"))
      return result;
    if (!take(","))
      fail("',' or ']'");
  }
}

Json JsonReader::object(int depth) {
  Json result;
  result.kind_ = Json::Kind::Object;
  skipSpace();
  if (take("}"))
    return result;
  for (;;) {
    skipSpace();
    std::string name = string();
    skipSpace();
    if (!take(":"))
      fail("':'");
    result.members_.emplace_back(std::move(name), value(depth + 1));
    skipSpace();
    if (take("}"))
      return result;
    if (!take(","))
      fail("',' or '}'");
  }
}

Json JsonReader::number() {
  Json result;
  result.kind_ = Json::Kind::Double;
  if (take("NaN")) {
    result.number_ = std::numeric_limits<double>::quiet_NaN();
    return result;
  }
  if (take("Infinity") || take("-Infinity")) {
    bool negative = place > 8 && text[place - 9] == '-';
    result.number_ = std::numeric_limits<double>::infinity() * (negative ? -1 : 1);
    return result;
  }
  const char *begin = text.data() + place, *end = text.data() + text.size();
  // As an integer where that takes as much of the text.
  auto asDouble = std::from_chars(begin, end, result.number_);
  auto asInteger = std::from_chars(begin, end, result.integer_);
  bool fits = asDouble.ec == std::errc() || asDouble.ec == std::errc::result_out_of_range;
  if (!fits || asDouble.ptr == begin || (*begin != '-' && (*begin < '0' || *begin > '9')))
    fail("a value");
  if (asInteger.ec == std::errc() && asInteger.ptr == asDouble.ptr)
    result.kind_ = Json::Kind::Int;
  place += static_cast<size_t>(asDouble.ptr - begin);
  return result;
}

unsigned JsonReader::hex() {
  unsigned code = 0;
  const char *begin = text.data() + place;
  if (place + 4 > text.size() || std::from_chars(begin, begin + 4, code, 16).ptr != begin + 4)
    fail("four hexadecimal digits");
  place += 4;
  return code;
}

void JsonReader::appendEscaped(std::string &result) {
  static constexpr std::string_view names = "\"\\/bfnrt", meanings = "\"\\/\b\f\n\r\t";
  char escape = place < text.size() ? text[place++] : '\0';
  if (size_t known = names.find(escape); escape && known != std::string_view::npos) {
    result += meanings[known];
    return;
  }
  if (escape != 'u')
    fail("an escape sequence");
  unsigned code = hex();
  if (code >= 0xd800 && code < 0xdc00 && take("\\u"))
    code = 0x10000 + ((code - 0xd800) << 10) + ((hex() - 0xdc00) & 0x3ff);
  if (code < 0x80) {
    result += static_cast<char>(code);
    return;
  }
  int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  static constexpr unsigned lead[] = {0, 0xc0, 0xe0, 0xf0};
  result += static_cast<char>(lead[more] | code >> (6 * more));
  while (more-- > 0)
    result += static_cast<char>(0x80 | ((code >> (6 * more)) & 0x3f));
}

std::string JsonReader::string() {
  if (!take("\""))
    fail("a text");
  std::string result;
  for (;;) {
    size_t end = text.find_first_of("\"\\", place);
    if (end == std::string_view::npos)
      fail("the end of a text");
    result += text.substr(place, end - place);
    place = end + 1;
    if (text[end] == '"')
      return result;
    appendEscaped(result);
  }
}

Json Json::parse(std::string_view text) { return JsonReader(text).all(); }
