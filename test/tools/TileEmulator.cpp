//===- TileEmulator.cpp - The tile instructions of AMX on CPUs without -----===//
// A library that a test loads before a program (LD_PRELOAD) or is linked with. Where the
// CPU does not know an instruction the system sends SIGILL; if it is one of AMX for tiles of
// bf16 the handler does what it would do, on tiles of each thread, and goes on behind it.
// Together with AFT_ASSUME_CPU=amx-tile,amx-bf16, which makes the compiler emit them, the
// machine code for a CPU with AMX runs anywhere. A CPU with AMX is kept from lending its
// registers: it sends SIGILL, too, then. What a CPU would refuse ends the process
// with a message: tiles that are not configured or of another shape, an unknown palette.

#include <cerrno>
#include <cmath>
#include <cpuid.h>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <signal.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

namespace {

constexpr int kTiles = 8, kMostRows = 16, kRowBytes = 64;

/// As ldtilecfg reads it.
struct Config {
  uint8_t palette, startRow, reserved[14];
  uint16_t bytes[16];
  uint8_t rows[16];
};
static_assert(sizeof(Config) == 64);

struct TileState {
  Config config;
  uint8_t data[kTiles][kMostRows][kRowBytes];
};

[[noreturn]] void die(const char *what) {
  static const char prefix[] = "tile emulator: ";
  (void)!write(2, prefix, sizeof prefix - 1);
  (void)!write(2, what, std::strlen(what));
  (void)!write(2, "\n", 1);
  _exit(97);
}

/// A VEX instruction of map 0F38 with W = 0 and 128 bits.
struct Instruction {
  int prefix; ///< 0 none, 1 66, 2 F3, 3 F2
  uint8_t opcode;
  int mod, reg, rm, vvvv;
  uint64_t address = 0, stride = 0; ///< of its operand in memory; the index register scaled
  int length;
};

/// By the numbers of x86-64's registers.
uint64_t registerOf(const ucontext_t *context, int number) {
  static constexpr int kPlaces[] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
                                    REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                    REG_R12, REG_R13, REG_R14, REG_R15};
  return static_cast<uint64_t>(context->uc_mcontext.gregs[kPlaces[number]]);
}

bool decode(const ucontext_t *context, Instruction &found) {
  auto *start = reinterpret_cast<const uint8_t *>(context->uc_mcontext.gregs[REG_RIP]), *at = start;
  if (*at != 0xc4 || (at[1] & 0x1f) != 2 || (at[2] & 0x84) != 0)
    return false;
  bool r = !(at[1] & 0x80), x = !(at[1] & 0x40), b = !(at[1] & 0x20);
  found.vvvv = ~(at[2] >> 3) & 15;
  found.prefix = at[2] & 3;
  found.opcode = at[3];
  if (found.opcode != 0x49 && found.opcode != 0x4b && found.opcode != 0x5c)
    return false;
  at += 4;
  found.mod = *at >> 6;
  found.reg = (*at >> 3 & 7) | r << 3;
  found.rm = (*at++ & 7);
  if (found.mod == 3) {
    found.rm |= b << 3;
    found.length = static_cast<int>(at - start);
    return true;
  }
  int base = found.rm, index = 4, scale = 0;
  if (base == 4) {
    scale = *at >> 6;
    index = (*at >> 3 & 7) | x << 3;
    base = *at++ & 7;
  }
  int displacementBytes = found.mod == 1 ? 1 : found.mod == 2 ? 4 : 0;
  bool noBase = found.mod == 0 && base == 5;
  if (noBase)
    displacementBytes = 4;
  int64_t displacement = 0;
  if (displacementBytes == 1)
    displacement = static_cast<int8_t>(*at);
  if (displacementBytes == 4) {
    int32_t read;
    std::memcpy(&read, at, sizeof read);
    displacement = read;
  }
  at += displacementBytes;
  found.length = static_cast<int>(at - start);
  found.address = static_cast<uint64_t>(displacement);
  if (!noBase)
    found.address += registerOf(context, base | b << 3);
  else if (found.rm == 5) // relative to the next instruction
    found.address += reinterpret_cast<uint64_t>(at);
  if (index != 4)
    found.stride = registerOf(context, index) << scale;
  return true;
}

float widen(uint16_t bits) {
  uint32_t wide = uint32_t(bits) << 16;
  float result;
  std::memcpy(&result, &wide, sizeof result);
  return result;
}

/// Numbers below 2^-126 count for 0, as sources and as sums.
float flush(float number) { return std::fpclassify(number) == FP_SUBNORMAL ? 0.0f : number; }

void checkTile(const TileState &state, int tile, const char *what) {
  if (state.config.palette != 1)
    die("a tile is used before ldtilecfg");
  if (tile >= kTiles || state.config.rows[tile] == 0 || state.config.bytes[tile] == 0)
    die(what);
}

void configure(TileState &state, const void *from) {
  std::memcpy(&state.config, from, sizeof state.config);
  if (state.config.palette > 1)
    die("ldtilecfg: an unknown palette");
  for (int tile = 0; tile < kTiles; ++tile)
    if (state.config.rows[tile] > kMostRows || state.config.bytes[tile] > kRowBytes)
      die("ldtilecfg: a tile is too large");
  std::memset(state.data, 0, sizeof state.data);
}

void clear(TileState &state, int tile) {
  checkTile(state, tile, "tilezero of a tile of no size");
  std::memset(state.data[tile], 0, sizeof state.data[tile]);
}

void move(TileState &state, const Instruction &instruction, bool toMemory) {
  checkTile(state, instruction.reg, "a tile of no size is loaded or stored");
  int tile = instruction.reg;
  for (int row = 0; row < state.config.rows[tile]; ++row) {
    auto *memory = reinterpret_cast<uint8_t *>(instruction.address + row * instruction.stride);
    size_t bytes = state.config.bytes[tile];
    if (toMemory) {
      std::memcpy(memory, state.data[tile][row], bytes);
    } else {
      std::memset(state.data[tile][row], 0, kRowBytes);
      std::memcpy(state.data[tile][row], memory, bytes);
    }
  }
}

/// c += a * b, first and second numbers of the pairs summed apart.
void multiply(TileState &state, int c, int a, int b) {
  for (int tile : {a, b, c})
    checkTile(state, tile, "tdpbf16ps of a tile of no size");
  const Config &config = state.config;
  int rows = config.rows[c], columns = config.bytes[c] / 4, pairs = config.bytes[a] / 4;
  if (config.rows[a] != rows || config.bytes[b] / 4 != columns || config.rows[b] != pairs ||
      a == b || a == c || b == c)
    die("tdpbf16ps of tiles that do not fit");
  for (int row = 0; row < rows; ++row)
    for (int column = 0; column < columns; ++column) {
      float sums[2] = {0, 0}, total;
      for (int pair = 0; pair < pairs; ++pair)
        for (int half : {0, 1}) {
          uint16_t left, right;
          std::memcpy(&left, &state.data[a][row][4 * pair + 2 * half], sizeof left);
          std::memcpy(&right, &state.data[b][pair][4 * column + 2 * half], sizeof right);
          sums[half] = flush(std::fma(flush(widen(left)), flush(widen(right)), sums[half]));
        }
      uint8_t *place = &state.data[c][row][4 * column];
      std::memcpy(&total, place, sizeof total);
      total = flush(total + (sums[0] + sums[1]));
      std::memcpy(place, &total, sizeof total);
    }
}

thread_local TileState state;
struct sigaction previous;
/// Where among the saved registers of a CPU with AMX its tile configuration is, else 0.
unsigned savedConfig;

/// Such a CPU takes ldtilecfg from anybody: the configuration is its own.
void readConfig(const ucontext_t *context) {
  constexpr size_t kHeader = 512;
  constexpr uint64_t kTileConfig = uint64_t(1) << 17;
  auto *saved = reinterpret_cast<const uint8_t *>(context->uc_mcontext.fpregs);
  uint64_t present;
  std::memcpy(&present, saved + kHeader, sizeof present);
  Config config = {};
  if (present & kTileConfig)
    std::memcpy(&config, saved + savedConfig, sizeof config);
  if (std::memcmp(&config, &state.config, sizeof config) != 0)
    configure(state, &config);
}

bool emulate(const Instruction &instruction) {
  bool inMemory = instruction.mod != 3;
  auto is = [&](uint8_t opcode, int prefix, bool memory) {
    return instruction.opcode == opcode && instruction.prefix == prefix && inMemory == memory;
  };
  if (is(0x49, 0, true))
    configure(state, reinterpret_cast<const void *>(instruction.address));
  else if (is(0x49, 0, false))
    std::memset(&state, 0, sizeof state);
  else if (is(0x49, 3, false))
    clear(state, instruction.reg);
  else if (is(0x4b, 3, true) || is(0x4b, 1, true))
    move(state, instruction, /*toMemory=*/false);
  else if (is(0x4b, 2, true))
    move(state, instruction, /*toMemory=*/true);
  else if (is(0x5c, 2, false))
    multiply(state, instruction.reg, instruction.rm, instruction.vvvv);
  else
    return false;
  return true;
}

void onIllegalInstruction(int signal, siginfo_t *info, void *untyped) {
  auto *context = static_cast<ucontext_t *>(untyped);
  Instruction instruction;
  if (savedConfig)
    readConfig(context);
  if (decode(context, instruction) && emulate(instruction)) {
    context->uc_mcontext.gregs[REG_RIP] += instruction.length;
    return;
  }
  // Not ours: as without this library.
  if (previous.sa_flags & SA_SIGINFO)
    return previous.sa_sigaction(signal, info, untyped);
  sigaction(signal, &previous, nullptr);
}

[[gnu::constructor]] void install() {
  unsigned a, b, c, d;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) && (d >> 24 & 1) &&
      __get_cpuid_count(0xd, 17, &a, &b, &c, &d))
    savedConfig = b;
  struct sigaction action = {};
  action.sa_sigaction = onIllegalInstruction;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGILL, &action, &previous);
}

} // namespace

/// In place of libc's: this process does not get the registers of tiles (ARCH_REQ_XCOMP_PERM).
extern "C" [[gnu::visibility("default")]] long syscall(long number, ...) {
  constexpr long kRequestPermission = 0x1023;
  va_list list;
  va_start(list, number);
  long arguments[6];
  for (long &argument : arguments)
    argument = va_arg(list, long);
  va_end(list);
  if (number == SYS_arch_prctl && arguments[0] == kRequestPermission) {
    errno = EPERM;
    return -1;
  }
  register long r10 asm("r10") = arguments[3];
  register long r8 asm("r8") = arguments[4];
  register long r9 asm("r9") = arguments[5];
  long result;
  asm volatile("syscall"
               : "=a"(result)
               : "a"(number), "D"(arguments[0]), "S"(arguments[1]), "d"(arguments[2]), "r"(r10),
                 "r"(r8), "r"(r9)
               : "rcx", "r11", "memory");
  if (result >= 0 || result < -4095)
    return result;
  errno = static_cast<int>(-result);
  return -1;
}
