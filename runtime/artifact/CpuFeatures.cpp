//===- CpuFeatures.cpp - What the CPU of this process can do --------------===//

#include "runtime/artifact/CpuFeatures.h"

#include <cstdint>
#include <cstdlib>

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#ifdef __linux__
#include <sys/syscall.h>
#include <unistd.h>
#endif

using namespace aft;

std::string aft::cpuArchitecture() {
#if defined(__x86_64__)
  return "x86_64";
#elif defined(__aarch64__)
  return "aarch64";
#else
  return "unknown";
#endif
}

#if defined(__x86_64__)

namespace {

/// Registers that the system must save when it changes threads (XCR0).
enum Saved : uint64_t { None = 0, Ymm = 0x6, Zmm = 0xE6, Tiles = 0x60000 };
enum Register { EAX, EBX, ECX, EDX };

/// Where CPUID tells of a feature.
struct Feature {
  const char *name;
  unsigned leaf, subleaf;
  Register where;
  int bit;
  Saved saved;
};

} // namespace

static constexpr unsigned kExtended = 0x80000001;
static constexpr Feature kFeatures[] = {
    {"sse3", 1, 0, ECX, 0, None},
    {"pclmul", 1, 0, ECX, 1, None},
    {"ssse3", 1, 0, ECX, 9, None},
    {"fma", 1, 0, ECX, 12, Ymm},
    {"cx16", 1, 0, ECX, 13, None},
    {"sse4.1", 1, 0, ECX, 19, None},
    {"sse4.2", 1, 0, ECX, 20, None},
    {"movbe", 1, 0, ECX, 22, None},
    {"popcnt", 1, 0, ECX, 23, None},
    {"aes", 1, 0, ECX, 25, None},
    {"avx", 1, 0, ECX, 28, Ymm},
    {"f16c", 1, 0, ECX, 29, Ymm},
    {"bmi", 7, 0, EBX, 3, None},
    {"avx2", 7, 0, EBX, 5, Ymm},
    {"bmi2", 7, 0, EBX, 8, None},
    {"avx512f", 7, 0, EBX, 16, Zmm},
    {"avx512dq", 7, 0, EBX, 17, Zmm},
    {"adx", 7, 0, EBX, 19, None},
    {"avx512ifma", 7, 0, EBX, 21, Zmm},
    {"avx512cd", 7, 0, EBX, 28, Zmm},
    {"sha", 7, 0, EBX, 29, None},
    {"avx512bw", 7, 0, EBX, 30, Zmm},
    {"avx512vl", 7, 0, EBX, 31, Zmm},
    {"avx512vbmi", 7, 0, ECX, 1, Zmm},
    {"avx512vbmi2", 7, 0, ECX, 6, Zmm},
    {"gfni", 7, 0, ECX, 8, None},
    {"vaes", 7, 0, ECX, 9, Ymm},
    {"vpclmulqdq", 7, 0, ECX, 10, Ymm},
    {"avx512vnni", 7, 0, ECX, 11, Zmm},
    {"avx512bitalg", 7, 0, ECX, 12, Zmm},
    {"avx512vpopcntdq", 7, 0, ECX, 14, Zmm},
    {"avx512vp2intersect", 7, 0, EDX, 8, Zmm},
    {"amx-bf16", 7, 0, EDX, 22, Tiles},
    {"avx512fp16", 7, 0, EDX, 23, Zmm},
    {"amx-tile", 7, 0, EDX, 24, Tiles},
    {"amx-int8", 7, 0, EDX, 25, Tiles},
    {"sha512", 7, 1, EAX, 0, Ymm},
    {"avxvnni", 7, 1, EAX, 4, Ymm},
    {"avx512bf16", 7, 1, EAX, 5, Zmm},
    {"amx-fp16", 7, 1, EAX, 21, Tiles},
    {"avxifma", 7, 1, EAX, 23, Ymm},
    {"avxvnniint8", 7, 1, EDX, 4, Ymm},
    {"avxneconvert", 7, 1, EDX, 5, Ymm},
    {"avxvnniint16", 7, 1, EDX, 10, Ymm},
    {"sahf", kExtended, 0, ECX, 0, None},
    {"lzcnt", kExtended, 0, ECX, 5, None},
    {"sse4a", kExtended, 0, ECX, 6, None},
    {"xop", kExtended, 0, ECX, 11, Ymm},
    {"fma4", kExtended, 0, ECX, 16, Ymm},
    {"tbm", kExtended, 0, ECX, 21, None},
};

/// XCR0; 0 where the system does not use it.
static uint64_t savedRegisters() {
  unsigned a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c >> 27 & 1))
    return 0;
  unsigned low, high;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return uint64_t(high) << 32 | low;
}

/// Linux gives the registers of tiles only to a process that asks for them.
static bool mayUseTiles() {
#ifdef __linux__
  constexpr long kRequestPermission = 0x1023,
                 kTileData = 18; // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILE_DATA
  static const bool granted = syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
  return granted;
#else
  return false;
#endif
}

/// Whether AFT_ASSUME_CPU names a feature: a test aid, for features that whoever sets it
/// emulates.
static bool isAssumed(const std::string &name) {
  const char *assumed = std::getenv("AFT_ASSUME_CPU");
  return assumed && ("," + std::string(assumed) + ",").find("," + name + ",") != std::string::npos;
}

bool aft::cpuHas(const std::string &name) {
  static const uint64_t saved = savedRegisters();
  for (const Feature &feature : kFeatures) {
    if (name != feature.name)
      continue;
    if (isAssumed(name))
      return true;
    unsigned registers[4] = {};
    return __get_cpuid_count(feature.leaf, feature.subleaf, &registers[EAX], &registers[EBX],
                             &registers[ECX], &registers[EDX]) &&
           (registers[feature.where] >> feature.bit & 1) &&
           (saved & feature.saved) == feature.saved && (feature.saved != Tiles || mayUseTiles());
  }
  return false;
}

const std::vector<std::string> &aft::knownCpuFeatures() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> result;
    for (const Feature &feature : kFeatures)
      result.push_back(feature.name);
    return result;
  }();
  return names;
}

#else

bool aft::cpuHas(const std::string &) { return false; }

const std::vector<std::string> &aft::knownCpuFeatures() {
  static const std::vector<std::string> none;
  return none;
}

#endif
