//===- Replay.cpp - Runs a fuzz target on files and on changes of them ----===//
// A main function for targets that are built without libFuzzer.

#include "Target.h"

#include <algorithm>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <random>
#include <sys/resource.h>
#include <sys/time.h>
#include <vector>

using namespace aft::fuzz;
namespace fs = std::filesystem;

namespace {

struct Options {
  std::vector<std::string> paths;
  unsigned changes = 0, seed = 1;
  std::vector<std::string> words; ///< to insert
};

/// Makes inputs that are nearly one of the given.
class Changer {
public:
  Changer(const std::vector<std::string> &inputs, const Options &options)
      : inputs(inputs), words(options.words), random(options.seed) {}
  std::string next();

private:
  size_t below(size_t count) { return count ? random() % count : 0; }
  void change(std::string &bytes);

  const std::vector<std::string> &inputs, &words;
  std::mt19937_64 random;
};

} // namespace

/// Inputs longer than this are cut: most of the time would go to the longest.
static constexpr size_t kLongest = size_t(1) << 16;
/// No input may take longer, in time of the CPU; and by the clock where it waits for another
/// process, which a busy machine may hold up.
static constexpr unsigned kSeconds = 60, kSecondsByClock = 1200;

static std::string current;

/// Keeps the input that ends the process.
static void keepInput(int signal) {
  int fd = open("crash-input", O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (fd >= 0 && write(fd, current.data(), current.size()) >= 0)
    std::fprintf(stderr, "signal %d: the input is in ./crash-input\n", signal);
  std::signal(signal, SIG_DFL);
  raise(signal);
}

static void run(const std::string &input) {
  static constexpr itimerval limit{{0, 0}, {kSeconds, 0}}, none{};
  current = input;
  alarm(kSecondsByClock);
  setitimer(ITIMER_PROF, &limit, nullptr);
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t *>(current.data()), current.size());
  setitimer(ITIMER_PROF, &none, nullptr);
  alarm(0);
}

void Changer::change(std::string &bytes) {
  static const char numbers[] = {0, 1, -1, 127, -128, 16, 32, 64};
  size_t at = below(bytes.size() + 1), length = below(1 + below(32));
  switch (below(7)) {
  case 0:
    if (at < bytes.size())
      bytes[at] = static_cast<char>(bytes[at] ^ 1 << below(8));
    break;
  case 1:
    if (at < bytes.size())
      bytes[at] = numbers[below(sizeof numbers)];
    break;
  case 2:
    bytes.erase(at, length);
    break;
  case 3:
    bytes.insert(at, bytes.substr(below(bytes.size() + 1), length));
    break;
  case 4:
    if (!words.empty())
      bytes.insert(at, words[below(words.size())]);
    break;
  case 5:
    if (!words.empty()) {
      const std::string &word = words[below(words.size())];
      bytes.replace(at, std::min(word.size(), bytes.size() - at), word);
    }
    break;
  default:
    const std::string &other = inputs[below(inputs.size())];
    bytes.replace(at, below(bytes.size()), other.substr(below(other.size() + 1), 4 * length));
    break;
  }
}

std::string Changer::next() {
  std::string bytes = inputs[below(inputs.size())].substr(0, kLongest);
  for (size_t count = 1 + below(4); count > 0; --count)
    change(bytes);
  return bytes;
}

/// The words of a dictionary of libFuzzer: NAME="WORD".
static std::vector<std::string> readWords(const std::string &path) {
  std::ifstream file(path);
  std::vector<std::string> words;
  for (std::string line, word; std::getline(file, line); word.clear()) {
    size_t begin = line.find('"'), end = line.rfind('"');
    if (line.empty() || line[0] == '#' || begin == end)
      continue;
    for (size_t i = begin + 1; i < end; ++i) {
      bool isHex = line.compare(i, 2, "\\x") == 0 && i + 3 < end;
      i += line[i] == '\\';
      word += isHex ? static_cast<char>(std::stoi(line.substr(i + 1, 2), nullptr, 16)) : line[i];
      i += isHex ? 2 : 0;
    }
    words.push_back(word);
  }
  return words;
}

static Options parse(int argc, char **argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    std::string argument = argv[i];
    if (argument.rfind("-runs=", 0) == 0)
      options.changes = static_cast<unsigned>(std::stoul(argument.substr(6)));
    else if (argument.rfind("-seed=", 0) == 0)
      options.seed = static_cast<unsigned>(std::stoul(argument.substr(6)));
    else if (argument.rfind("-dict=", 0) == 0)
      options.words = readWords(argument.substr(6));
    else if (argument.rfind("-", 0) != 0) // libFuzzer has more flags
      options.paths.push_back(argument);
  }
  return options;
}

static std::vector<std::string> readInputs(const std::vector<std::string> &paths) {
  std::vector<fs::path> files;
  for (const std::string &path : paths) {
    if (!fs::is_directory(path)) {
      files.push_back(path);
      continue;
    }
    for (const auto &entry : fs::recursive_directory_iterator(path))
      if (entry.is_regular_file())
        files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  std::vector<std::string> inputs;
  for (const fs::path &path : files) {
    std::ifstream file(path, std::ios::binary);
    inputs.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return inputs;
}

int main(int argc, char **argv) {
  Options options = parse(argc, argv);
  std::vector<std::string> inputs = readInputs(options.paths);
  if (inputs.empty()) {
    std::fprintf(stderr, "usage: %s [-runs=N] [-seed=N] [-dict=FILE] FILE-OR-FOLDER...\n", argv[0]);
    return 2;
  }
#if !__has_feature(address_sanitizer)
  // No input may take more memory.
  rlimit memory{rlim_t(8) << 30, rlim_t(8) << 30};
  setrlimit(RLIMIT_AS, &memory);
  for (int signal : {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL})
    std::signal(signal, keepInput);
#endif
  for (int signal : {SIGALRM, SIGPROF})
    std::signal(signal, keepInput);
  for (const std::string &input : inputs)
    run(input);
  Changer changer(inputs, options);
  for (unsigned i = 0; i < options.changes; ++i)
    run(changer.next());
  std::printf("%zu inputs and %u changes of them\n", inputs.size(), options.changes);
  return 0;
}
