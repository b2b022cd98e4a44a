//===- Json.h - JSON from files of others ---------------------------------===//
// Nesting is bounded, so that no file can exhaust the stack, and Infinity and
// NaN are numbers, plain as Python writes them or as texts as torch.export does.

#ifndef AFT_TORCH_IMPORT_JSON_H
#define AFT_TORCH_IMPORT_JSON_H

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace aft::import {

/// A value. What is asked of it and not there is a c10::Error that says what was
/// expected.
class Json {
public:
  enum class Kind { Null, Bool, Int, Double, Text, Array, Object };
  using Member = std::pair<std::string, Json>;

  /// Throws c10::Error with the position of what is wrong.
  static Json parse(std::string_view text);

  Kind kind() const { return kind_; }
  bool isNull() const { return kind_ == Kind::Null; }
  bool flag() const;
  int64_t integer() const;
  double number() const; ///< of an integer too
  const std::string &text() const;
  const std::vector<Json> &items() const;
  const std::vector<Member> &members() const;
  /// The member of an object; null where there is none or it is null.
  const Json *find(std::string_view name) const;
  const Json &at(std::string_view name) const;
  /// Of an object that is one of several alternatives: its only member.
  const Member &alternative() const;

private:
  friend class JsonReader;
  void expect(Kind kind) const;
  Kind kind_ = Kind::Null;
  int64_t integer_ = 0; ///< of Bool too
  double number_ = 0;
  std::string text_;
  std::vector<Json> items_;
  std::vector<Member> members_;
};

} // namespace aft::import

#endif // AFT_TORCH_IMPORT_JSON_H
