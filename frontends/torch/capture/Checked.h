//===- Checked.h - Integers that know when they overflowed -----*- C++ -*-===//

#ifndef AFT_FRONTENDS_TORCH_CAPTURE_CHECKED_H
#define AFT_FRONTENDS_TORCH_CAPTURE_CHECKED_H

#include <cstdint>
#include <limits>
#include <optional>

namespace aft::capture {

/// A number that is nothing from the first overflow on.
class Checked {
public:
  Checked(int64_t value) : number(value) {}
  std::optional<int64_t> value() const { return number; }

  friend Checked operator+(Checked a, Checked b) {
    int64_t result;
    if (!a.number || !b.number || __builtin_add_overflow(*a.number, *b.number, &result))
      return Checked();
    return result;
  }
  friend Checked operator-(Checked a, Checked b) {
    int64_t result;
    if (!a.number || !b.number || __builtin_sub_overflow(*a.number, *b.number, &result))
      return Checked();
    return result;
  }
  friend Checked operator*(Checked a, Checked b) {
    int64_t result;
    if (!a.number || !b.number || __builtin_mul_overflow(*a.number, *b.number, &result))
      return Checked();
    return result;
  }
  /// Rounds to 0.
  friend Checked operator/(Checked a, int64_t b) {
    if (!a.number || b == 0 || (b == -1 && *a.number == std::numeric_limits<int64_t>::min()))
      return Checked();
    return *a.number / b;
  }

private:
  Checked() = default;
  std::optional<int64_t> number;
};

} // namespace aft::capture

#endif
