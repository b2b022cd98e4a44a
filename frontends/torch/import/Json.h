//===- Json.h - JSON from files of others ---------------------------------===//

#ifndef AFT_TORCH_IMPORT_JSON_H
#define AFT_TORCH_IMPORT_JSON_H

#include "runtime/core/Json.h"

#include <optional>
#include <ranges>

namespace aft::import {

/// Reads what torch.export writes. Throws c10::Error with the position of what is
/// wrong.
aft::Json parseJson(std::string_view text);

/// A value, which stays where it is and must outlive this. What is asked of it and
/// not there is a c10::Error that says what was expected.
class JsonValue {
public:
  using Kind = aft::Json::Kind;
  struct Member;

  explicit JsonValue(const aft::Json &value) : value(&value) {}

  bool isNull() const { return value->kind == Kind::Null; }
  bool flag() const;
  int64_t integer() const;
  /// Of an integer too, and of the texts that torch.export writes for what is not
  /// finite.
  double number() const;
  const std::string &text() const;
  auto items() const {
    expect(Kind::Array);
    return value->items |
           std::views::transform([](const aft::Json &item) { return JsonValue(item); });
  }
  auto members() const;
  /// The member of an object; nothing where there is none or it is null.
  std::optional<JsonValue> find(std::string_view name) const;
  JsonValue at(std::string_view name) const;
  /// Of an object that is one of several alternatives: its only member.
  Member alternative() const;

private:
  void expect(Kind kind) const;
  const aft::Json *value;
};

struct JsonValue::Member {
  const std::string &name;
  JsonValue value;
};

inline auto JsonValue::members() const {
  expect(Kind::Object);
  return value->members | std::views::transform([](const aft::Json::Member &member) {
           return Member{member.first, JsonValue(member.second)};
         });
}

} // namespace aft::import

#endif // AFT_TORCH_IMPORT_JSON_H
