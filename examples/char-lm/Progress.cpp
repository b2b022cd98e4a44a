//===- Progress.cpp - A progress bar on the terminal ----------------------===//

#include "examples/char-lm/Progress.h"

#include <cstdio>
#include <unistd.h>

using namespace charlm;
using Clock = std::chrono::steady_clock;

Progress::Progress(std::string name, int64_t done, int64_t all, bool plain, double patient)
    : title(std::move(name)), first(done), total(all), patience(patient),
      terminal(!plain && isatty(STDOUT_FILENO)), start(Clock::now()) {}

double Progress::seconds() const {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

static std::string clockTime(double seconds) {
  char text[32];
  int whole = static_cast<int>(seconds + 0.5);
  std::snprintf(text, sizeof text, "%d:%02d", whole / 60, whole % 60);
  return text;
}

void Progress::update(int64_t done, const std::string &note) {
  double spent = seconds();
  if (spent < patience)
    return;
  double left = done > first ? spent / (done - first) * (total - done) : 0;
  if (!terminal) {
    int64_t tenth = done * 10 / total;
    if (tenth == lastTenth && done != total)
      return;
    lastTenth = tenth;
    std::printf("%s %lld/%lld  %s  %s spent, %s left\n", title.c_str(), (long long)done,
                (long long)total, note.c_str(), clockTime(spent).c_str(),
                clockTime(left).c_str());
    std::fflush(stdout);
    return;
  }
  // Ten frames a second are enough for an eye and cost nothing.
  auto now = Clock::now();
  if (done != total && now - lastDraw < std::chrono::milliseconds(100))
    return;
  lastDraw = now;
  drawn = true;
  constexpr int width = 24;
  std::string bar(static_cast<size_t>(done * width / total), '#');
  bar.resize(width, '.');
  std::printf("\r%s [%s] %lld/%lld  %s  %s left \033[K", title.c_str(), bar.c_str(),
              (long long)done, (long long)total, note.c_str(), clockTime(left).c_str());
  std::fflush(stdout);
}

void Progress::finish() {
  if (drawn)
    std::printf("\n");
  drawn = false;
}

void Progress::erase() {
  if (drawn)
    std::printf("\r\033[K");
  drawn = false;
}
