//===- Peaks.cpp - What a GPU can do at best ------------------------------===//

#include "runtime/cuda/Peaks.h"

#include <algorithm>
#include <iterator>

using namespace aft;
using namespace aft::cuda;

namespace {
/// Floating-point operations of a multiprocessor in a clock: of ordinary cores in f32, and of
/// tensor cores whose factors are bf16 and whose sums are f32. In TF32 these do half as much.
struct Speed {
  int capability, f32, bf16;
};
} // namespace

/// Of those of 8.6, 8.9 and 12.0, whose tensor cores differ, the faster ones. Products of f64 are
/// held against f32.
static constexpr Speed kSpeeds[] = {{80, 128, 2048}, {86, 256, 1024},  {89, 256, 1024},
                                    {90, 256, 4096}, {100, 256, 8192}, {120, 256, 1024}};

Roof cuda::roofOf(const DeviceProperties &properties) {
  Roof roof;
  auto megahertz = [](int kilohertz) { return std::to_string(kilohertz / 1000) + " MHz"; };
  int capability = properties.major * 10 + properties.minor;
  const auto *speed = std::find_if(std::begin(kSpeeds), std::end(kSpeeds),
                                   [&](const Speed &s) { return s.capability == capability; });
  if (speed != std::end(kSpeeds) && properties.clockKHz > 0) {
    double clocks = 1e3 * properties.clockKHz * properties.multiprocessors;
    roof.flopsPerSecond = speed->f32 * clocks;
    roof.peaks = {{"f32", speed->f32 * clocks},
                  {"tf32", 0.5 * speed->bf16 * clocks},
                  {"bf16", speed->bf16 * clocks}};
    roof.source = "compute capability " + std::to_string(properties.major) + "." +
                  std::to_string(properties.minor) + ", " +
                  std::to_string(properties.multiprocessors) + " multiprocessors at " +
                  megahertz(properties.clockKHz);
  }
  if (properties.memoryClockKHz > 0 && properties.memoryBusBits > 0) {
    // Twice per clock.
    double perSecond = 2e3 * properties.memoryClockKHz * properties.memoryBusBits / 8;
    roof.bandwidths.push_back({properties.memoryBytes, perSecond});
    roof.source += (roof.source.empty() ? "" : ", ") + std::string("memory of ") +
                   std::to_string(properties.memoryBusBits) + " bits at " +
                   megahertz(properties.memoryClockKHz);
  }
  return roof;
}
