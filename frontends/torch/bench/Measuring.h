//===- Measuring.h - What is measured, how it is timed --------------------===//

#ifndef AFT_TORCH_BENCH_MEASURING_H
#define AFT_TORCH_BENCH_MEASURING_H

#include "frontends/torch/bench/Costs.h"

#include <functional>
#include <string>
#include <vector>

namespace aft::bench {

/// How far a result is from the truth.
struct Check {
  double error = 0, limit = 0;
  double cap = 0; ///< the largest limit that is accepted; 0: any
  std::string against;
  bool good() const { return error <= limit; }

  /// Takes in another error, which counts if it comes closer to its limit.
  void add(double otherError, double otherLimit);
};

struct CompileTimes {
  double cold = 0, cached = 0, capture = 0; ///< milliseconds
  double peakMiB = 0;                       ///< resident in the process during the cold one
};

/// Something that was compiled and checked.
struct Subject {
  std::function<void()> compiled, eager;
  /// Waits for what calls of `compiled` left to be done; may be empty.
  std::function<void()> wait = {};
  Check check;
  Cost cost;
  CompileTimes compile;
  int64_t shapes = 0, recompilations = 0; ///< other B and T that ran; those that could not
  int64_t scratch = 0;                    ///< bytes that a call takes besides inputs and results
  int64_t calls = 1;                      ///< how many a call of `compiled` or `eager` stands for
};

/// Milliseconds per call.
struct Times {
  double median = 0, least = 0, most = 0;
};

struct Measurement {
  Times compiled, eager;
  double peakMiB = 0;
};

/// Times the compiled side and, where there is one, the eager side in turns.
Measurement measure(const Subject &subject, int64_t repeat);

/// Prints {"ms": ...} for one call of the compiled side for every line "run" of
/// standard input, until "quit" or its end. Throws std::runtime_error for
/// another line.
void serve(const Subject &subject);

/// The largest resident memory of the process, in MiB, while `work` runs.
double peakOf(const std::function<void()> &work);

/// A folder that only this user may read and that goes away again: a cache.
class TemporaryFolder {
public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder &) = delete;
  TemporaryFolder &operator=(const TemporaryFolder &) = delete;
  const std::string &path() const { return folder; }

private:
  std::string folder;
};

} // namespace aft::bench

#endif // AFT_TORCH_BENCH_MEASURING_H
