//===- Progress.h - A progress bar on the terminal ------------------------===//

#ifndef AFT_EXAMPLES_CHARLM_PROGRESS_H
#define AFT_EXAMPLES_CHARLM_PROGRESS_H

#include <chrono>
#include <cstdint>
#include <string>

namespace charlm {

/// Shows how far a long run is: a bar that redraws in place on a terminal, one
/// line for every tenth elsewhere (and with `plain`).
class Progress {
public:
  /// Work that ends within `patience` seconds shows nothing.
  Progress(std::string title, int64_t done, int64_t total, bool plain, double patience = 0);
  /// Reports `done` steps of the total with a note such as the loss.
  void update(int64_t done, const std::string &note);
  /// Ends the line of the bar.
  void finish();
  /// Takes the bar away: what comes next says it all.
  void erase();
  double seconds() const;

private:
  std::string title;
  int64_t first, total, lastTenth = -1;
  double patience;
  bool terminal, drawn = false;
  std::chrono::steady_clock::time_point start, lastDraw{};
};

} // namespace charlm

#endif // AFT_EXAMPLES_CHARLM_PROGRESS_H
