//===- Json.cpp - JSON from files of others -------------------------------===//

#include "frontends/torch/import/Json.h"

#include <c10/util/Exception.h>

#include <limits>

using namespace aft::import;

static const char *kindText(JsonValue::Kind kind) {
  static const char *const names[] = {"null",   "a truth value", "an integer", "a number",
                                      "a text", "a list",        "an object"};
  return names[static_cast<int>(kind)];
}

aft::Json aft::import::parseJson(std::string_view text) {
  JsonLimits limits;
  limits.nesting = 100; // what exporters write has less than twenty levels
  limits.values = size_t(1) << 24;
  limits.python = true;
  aft::Json value;
  Status status = aft::Json::parse(text, value, limits);
  TORCH_CHECK(status.ok(), "is not ", status.message);
  return value;
}

void JsonValue::expect(Kind kind) const {
  TORCH_CHECK(value->kind == kind, "expected ", kindText(kind), ", found ", kindText(value->kind));
}

bool JsonValue::flag() const {
  expect(Kind::Bool);
  return value->integer != 0;
}

int64_t JsonValue::integer() const {
  expect(Kind::Integer);
  return value->integer;
}

double JsonValue::number() const {
  if (value->kind == Kind::Integer)
    return static_cast<double>(value->integer);
  const std::string &word = value->text;
  if (word == "NaN")
    return std::numeric_limits<double>::quiet_NaN();
  if (word == "Infinity" || word == "-Infinity")
    return std::numeric_limits<double>::infinity() * (word[0] == '-' ? -1 : 1);
  expect(Kind::Number);
  return value->number;
}

const std::string &JsonValue::text() const {
  expect(Kind::Text);
  return value->text;
}

std::optional<JsonValue> JsonValue::find(std::string_view name) const {
  expect(Kind::Object);
  const aft::Json *found = value->find(name);
  return found && found->kind != Kind::Null ? std::optional<JsonValue>(*found) : std::nullopt;
}

JsonValue JsonValue::at(std::string_view name) const {
  std::optional<JsonValue> found = find(name);
  TORCH_CHECK(found, "expected an object with a member '", name, "', found none");
  return *found;
}

JsonValue::Member JsonValue::alternative() const {
  expect(Kind::Object);
  TORCH_CHECK(value->members.size() == 1, "expected an object with one member, found ",
              value->members.size());
  const aft::Json::Member &only = value->members.front();
  return {only.first, JsonValue(only.second)};
}
