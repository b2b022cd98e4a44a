//===- Json.h - A small JSON reader and writer ----------------------------===//
// For manifests, the headers of .safetensors files and the programs in .pt2 files,
// in a library that has no LLVM. What it reads may be damaged in any way.

#ifndef AFT_RUNTIME_CORE_JSON_H
#define AFT_RUNTIME_CORE_JSON_H

#include "aft/program.h"
#include "runtime/core/InternalApi.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace aft {

/// What a text may have.
struct JsonLimits {
  /// Lists and objects inside each other: the reader nests in the native stack.
  int nesting = 32;
  /// Values in all. Each takes some 100 bytes, for as few as two of the text.
  size_t values = size_t(1) << 22;
  /// Infinity, -Infinity and NaN as numbers, and whole numbers beyond 64 bits as other
  /// numbers: Python writes such texts.
  bool python = false;
};

struct AFT_INTERNAL Json {
  enum class Kind { Null, Bool, Integer, Number, Text, Array, Object };
  using Member = std::pair<std::string, Json>;

  Json() = default;
  Json(bool value) : kind(Kind::Bool), integer(value) {}
  Json(int value) : kind(Kind::Integer), integer(value) {}
  Json(int64_t value) : kind(Kind::Integer), integer(value) {}
  Json(double value) : kind(Kind::Number), number(value) {}
  Json(std::string value) : kind(Kind::Text), text(std::move(value)) {}
  Json(const char *value) : kind(Kind::Text), text(value) {}
  static Json array(std::vector<Json> items = {});
  static Json object(std::vector<Member> members = {});

  Kind kind = Kind::Null;
  int64_t integer = 0;
  double number = 0; ///< of a Number; an Integer fits 64 bits
  std::string text;
  std::vector<Json> items;
  std::vector<Member> members; ///< in order; no name twice

  /// The member of this name; null where there is none or this is no object.
  const Json *find(std::string_view name) const;

  /// Reads a whole text; the error, "JSON: expected … at byte …, found …", names the place.
  static Status parse(std::string_view text, Json &value, const JsonLimits &limits = {});
  /// With line breaks and indentation but for what fits a line.
  std::string print() const;

  friend AFT_INTERNAL std::string shown(const Json *json);

private:
  std::string printShort() const;
  void print(std::string &out, size_t indent, size_t used) const;
};

/// A value in a message: a text in quotes, as much of it as fits, a few numbers, or how many values
/// a list or an object has; of null, a member that is not there: "nothing".
AFT_INTERNAL std::string shown(const Json *json);

} // namespace aft

#endif // AFT_RUNTIME_CORE_JSON_H
