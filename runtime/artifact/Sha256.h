//===- Sha256.h - Hashes of files -----------------------------------------===//

#ifndef AFT_RUNTIME_ARTIFACT_SHA256_H
#define AFT_RUNTIME_ARTIFACT_SHA256_H

#include "runtime/core/InternalApi.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace aft {

/// SHA-256 of bytes that come in parts.
class AFT_INTERNAL Sha256 {
public:
  void add(std::string_view bytes);
  std::array<uint8_t, 32> digest();
  /// digest() as 64 hexadecimal digits.
  std::string hex();

  static std::string hexOf(std::string_view bytes);

private:
  void blocks(const uint8_t *data, size_t count);

  std::array<uint32_t, 8> state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                   0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<uint8_t, 64> rest{};
  size_t kept = 0; ///< bytes in `rest`
  uint64_t total = 0;
};

} // namespace aft

#endif // AFT_RUNTIME_ARTIFACT_SHA256_H
