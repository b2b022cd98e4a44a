//===- Quote.cpp - What files have, in messages ---------------------------===//

#include "runtime/core/Quote.h"

#include <cstdint>

using namespace aft;

/// How many bytes the character at the beginning of a text has, in UTF-8; 0 where it is none, or
/// one that would change how the rest of a line looks.
static size_t shownBytes(std::string_view text) {
  auto first = static_cast<unsigned char>(text[0]);
  if (first < 0x80)
    return first >= ' ' && first != 0x7F ? 1 : 0;
  size_t bytes = first >= 0xF5 ? 0 : first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : first >= 0xC2 ? 2 : 0;
  if (bytes == 0 || text.size() < bytes)
    return 0;
  uint32_t code = first & (0x7F >> bytes);
  for (size_t i = 1; i < bytes; ++i) {
    auto next = static_cast<unsigned char>(text[i]);
    if ((next & 0xC0) != 0x80)
      return 0;
    code = code << 6 | (next & 0x3F);
  }
  // Not longer than need be, no second half of the control characters, no surrogate.
  static constexpr uint32_t least[] = {0, 0, 0xA0, 0x800, 0x10000};
  bool isCharacter = code >= least[bytes] && code <= 0x10FFFF && (code < 0xD800 || code >= 0xE000);
  // Ends of lines and of paragraphs, and what turns the direction of writing.
  bool isLayout = code == 0x200E || code == 0x200F || (code >= 0x2028 && code <= 0x202E) ||
                  (code >= 0x2066 && code <= 0x2069);
  return isCharacter && !isLayout ? bytes : 0;
}

std::string aft::oneLine(std::string message) {
  for (char &c : message)
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7F)
      c = ' ';
  return message;
}

std::string aft::quote(std::string_view text, char mark) {
  std::string result(1, mark);
  size_t at = 0;
  for (size_t shown = 0; at < text.size() && shown < kMostShown; ++shown) {
    size_t bytes = shownBytes(text.substr(at));
    if (bytes > 0) {
      result += text.substr(at, bytes);
    } else {
      auto byte = static_cast<unsigned char>(text[at]);
      result += {'\\', 'x', "0123456789ABCDEF"[byte >> 4], "0123456789ABCDEF"[byte & 15]};
    }
    at += bytes > 0 ? bytes : 1;
  }
  if (at == text.size())
    return result + mark;
  return result + "..." + mark + " (" + std::to_string(text.size()) + " bytes)";
}
