//===- Sha256.cpp - Hashes of files ---------------------------------------===//
// FIPS 180-4. With the instructions that CPUs have for it a gigabyte takes about
// a second less than it takes to read it.

#include "runtime/artifact/Sha256.h"

#include <algorithm>
#include <bit>
#include <cstring>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

using namespace aft;

/// The first bits of the cube roots of the first 64 primes.
alignas(16) static constexpr uint32_t kRounds[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t bigEndian(const uint8_t *bytes) {
  return uint32_t(bytes[0]) << 24 | uint32_t(bytes[1]) << 16 | uint32_t(bytes[2]) << 8 | bytes[3];
}

static void plainBlocks(uint32_t *state, const uint8_t *data, size_t count) {
  for (; count > 0; --count, data += 64) {
    uint32_t w[64];
    for (int i = 0; i < 16; ++i)
      w[i] = bigEndian(data + 4 * i);
    for (int i = 16; i < 64; ++i) {
      uint32_t a = w[i - 15], b = w[i - 2];
      w[i] = w[i - 16] + (std::rotr(a, 7) ^ std::rotr(a, 18) ^ (a >> 3)) + w[i - 7] +
             (std::rotr(b, 17) ^ std::rotr(b, 19) ^ (b >> 10));
    }
    uint32_t s[8];
    std::copy_n(state, 8, s);
    for (int i = 0; i < 64; ++i) {
      uint32_t e = s[4], a = s[0];
      uint32_t t1 = s[7] + (std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25)) +
                    ((e & s[5]) ^ (~e & s[6])) + kRounds[i] + w[i];
      uint32_t t2 = (std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22)) +
                    ((a & s[1]) ^ (a & s[2]) ^ (s[1] & s[2]));
      std::copy_backward(s, s + 7, s + 8);
      s[4] += t1;
      s[0] = t1 + t2;
    }
    for (int i = 0; i < 8; ++i)
      state[i] += s[i];
  }
}

#if defined(__x86_64__)
static bool hasInstructions() {
  unsigned a, b, c, d;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b >> 29 & 1))
    return false;
  return __get_cpuid(1, &a, &b, &c, &d) && (c >> 19 & 1); // SSE4.1
}

/// The instructions keep the state as ABEF and CDGH, and do four rounds on four
/// words of the message, of which they make the next four.
__attribute__((target("sha,sse4.1"))) static void fastBlocks(uint32_t *state, const uint8_t *data,
                                                              size_t count) {
  const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
  __m128i low = _mm_loadu_si128(reinterpret_cast<const __m128i *>(state));
  __m128i high = _mm_loadu_si128(reinterpret_cast<const __m128i *>(state + 4));
  low = _mm_shuffle_epi32(low, 0xB1);
  high = _mm_shuffle_epi32(high, 0x1B);
  __m128i abef = _mm_alignr_epi8(low, high, 8), cdgh = _mm_blend_epi16(high, low, 0xF0);
  for (; count > 0; --count, data += 64) {
    __m128i w[4], abefBefore = abef, cdghBefore = cdgh;
    for (int i = 0; i < 4; ++i)
      w[i] = _mm_shuffle_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i *>(data) + i), swap);
    for (int i = 0; i < 16; ++i) {
      __m128i now = w[i % 4];
      __m128i sum = _mm_add_epi32(
          now, _mm_load_si128(reinterpret_cast<const __m128i *>(kRounds + 4 * i)));
      cdgh = _mm_sha256rnds2_epu32(cdgh, abef, sum);
      abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(sum, 0x0E));
      if (i >= 12)
        continue;
      __m128i last = w[(i + 3) % 4];
      __m128i next = _mm_sha256msg1_epu32(now, w[(i + 1) % 4]);
      next = _mm_add_epi32(next, _mm_alignr_epi8(last, w[(i + 2) % 4], 4));
      w[i % 4] = _mm_sha256msg2_epu32(next, last);
    }
    abef = _mm_add_epi32(abef, abefBefore);
    cdgh = _mm_add_epi32(cdgh, cdghBefore);
  }
  low = _mm_shuffle_epi32(abef, 0x1B);
  high = _mm_shuffle_epi32(cdgh, 0xB1);
  _mm_storeu_si128(reinterpret_cast<__m128i *>(state), _mm_blend_epi16(low, high, 0xF0));
  _mm_storeu_si128(reinterpret_cast<__m128i *>(state + 4), _mm_alignr_epi8(high, low, 8));
}
#endif

void Sha256::blocks(const uint8_t *data, size_t count) {
#if defined(__x86_64__)
  static const bool fast = hasInstructions();
  if (fast)
    return fastBlocks(state.data(), data, count);
#endif
  plainBlocks(state.data(), data, count);
}

void Sha256::add(std::string_view bytes) {
  auto data = reinterpret_cast<const uint8_t *>(bytes.data());
  size_t size = bytes.size();
  total += size;
  if (kept > 0) {
    size_t taken = std::min(size, rest.size() - kept);
    std::memcpy(rest.data() + kept, data, taken);
    kept += taken;
    data += taken;
    size -= taken;
    if (kept < rest.size())
      return;
    blocks(rest.data(), 1);
    kept = 0;
  }
  blocks(data, size / 64);
  kept = size % 64;
  if (kept > 0)
    std::memcpy(rest.data(), data + size - kept, kept);
}

std::array<uint8_t, 32> Sha256::digest() {
  uint8_t end[72] = {0x80};
  size_t zeros = (119 - kept) % 64;
  uint64_t bits = total * 8;
  for (int i = 0; i < 8; ++i)
    end[1 + zeros + i] = static_cast<uint8_t>(bits >> (56 - 8 * i));
  add({reinterpret_cast<char *>(end), 9 + zeros});
  std::array<uint8_t, 32> result;
  for (int i = 0; i < 32; ++i)
    result[i] = static_cast<uint8_t>(state[i / 4] >> (24 - 8 * (i % 4)));
  return result;
}

std::string Sha256::hex() {
  std::string text;
  for (uint8_t byte : digest()) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

std::string Sha256::hexOf(std::string_view bytes) {
  Sha256 hash;
  hash.add(bytes);
  return hash.hex();
}
