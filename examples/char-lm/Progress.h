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
  Progress(std::string title, int64_t done, int64_t total, bool plain);
  /// Reports `done` steps of the total with a note such as the loss.
  void update(int64_t done, const std::string &note);
  /// Ends the line of the bar.
  void finish();
  double seconds() const;

private:
  std::string title;
  int64_t first, total, lastTenth = -1;
  bool terminal;
  std::chrono::steady_clock::time_point start, lastDraw{};
};

} // namespace charlm

#endif // AFT_EXAMPLES_CHARLM_PROGRESS_H
