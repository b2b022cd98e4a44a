//===- TileSearch.cpp - The fastest of some tile sizes --------------------===//

#include "runtime/jit/TileSearch.h"

#include <algorithm>
#include <limits>

using namespace aft;

/// What a candidate must gain: less is noise.
static constexpr double kLeastGain = 0.03;

std::vector<TileScale> aft::tileCandidates(TileKind kind) {
  if (kind == TileKind::Other)
    return {{}, {.tile = 1}, {.tile = -1}, {.tile = 2}, {.tile = -2}};
  return {{},
          {.tile = 1},
          {.tile = -1},
          {.columns = 1},
          {.columns = -1},
          {.depth = 1},
          {.depth = -1},
          {.columns = -1, .depth = 1}};
}

/// After each candidate's: the model's again, and what was found.
static constexpr size_t kLastRounds = 2;

static bool gains(double found, double model) { return found < model * (1 - kLeastGain); }

namespace {
struct Search {
  std::vector<std::vector<TileScale>> candidates; ///< per kernel
  std::vector<TileScale> found;
  std::vector<double> model, best; ///< milliseconds

  /// The kernels' candidates of a round; the model's where one has none left.
  std::vector<TileScale> round(size_t number) const {
    std::vector<TileScale> scales;
    for (const std::vector<TileScale> &own : candidates)
      scales.push_back(number < own.size() ? own[number] : TileScale());
    return scales;
  }

  void take(const std::vector<TileScale> &scales, const std::vector<double> &times) {
    for (size_t kernel = 0; kernel < times.size(); ++kernel) {
      if (scales[kernel] == TileScale())
        model[kernel] = std::min(model[kernel], times[kernel]);
      else if (times[kernel] < best[kernel]) {
        best[kernel] = times[kernel];
        found[kernel] = scales[kernel];
      }
    }
  }

  /// Goes back to the model's choice where `times` gain nothing; whether anything else
  /// is left.
  bool keepGains(const std::vector<double> &times) {
    bool any = false;
    for (size_t kernel = 0; kernel < times.size(); ++kernel) {
      if (!gains(times[kernel], model[kernel]))
        found[kernel] = {};
      any |= !(found[kernel] == TileScale());
    }
    return any;
  }
};
} // namespace

static std::vector<TileScale> search(const std::vector<TileKind> &kernels, size_t rounds,
                                     const MeasureTiles &measure, const SearchProgress &progress) {
  Search search;
  size_t count = kernels.size();
  for (TileKind kind : kernels)
    search.candidates.push_back(tileCandidates(kind));
  const double never = std::numeric_limits<double>::infinity();
  const std::vector<TileScale> asModel(count);
  search.found = asModel;
  search.model = search.best = std::vector<double>(count, never);
  size_t all = rounds + kLastRounds;
  for (size_t round = 0; round < rounds; ++round) {
    progress(round, all);
    std::vector<TileScale> scales = search.round(round);
    std::optional<std::vector<double>> times = measure(scales);
    if (!times && round == 0)
      return asModel; // Nothing to compare with.
    if (times)
      search.take(scales, *times);
  }
  if (!search.keepGains(search.best))
    return asModel;
  progress(rounds, all);
  if (std::optional<std::vector<double>> times = measure(asModel))
    search.take(asModel, *times);
  progress(rounds + 1, all);
  std::optional<std::vector<double>> times = measure(search.found);
  if (!times)
    return asModel;
  search.keepGains(*times);
  return search.found;
}

std::vector<TileScale> aft::searchTiles(const std::vector<TileKind> &kernels,
                                        const MeasureTiles &measure,
                                        const SearchProgress &progress) {
  size_t rounds = 0;
  for (TileKind kind : kernels)
    rounds = std::max(rounds, tileCandidates(kind).size());
  std::vector<TileScale> found = search(kernels, rounds, measure, progress);
  progress(rounds + kLastRounds, rounds + kLastRounds);
  return found;
}
