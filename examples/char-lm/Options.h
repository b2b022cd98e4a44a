//===- Options.h - The command line of char-lm ----------------------------===//

#ifndef AFT_EXAMPLES_CHARLM_OPTIONS_H
#define AFT_EXAMPLES_CHARLM_OPTIONS_H

#include <cstdint>
#include <string>

namespace charlm {

struct Options {
  std::string command; ///< train, generate, save or bench
  std::string data, modelDir = "char-lm-model";
  std::string initFrom; ///< train: a Transformer's weights to begin with; empty: none
  /// What does not carry over from them, separated by commas.
  std::string initWithout = "positions,classToken,query,key";
  std::string report;              ///< a file for what was compiled and how fast it ran
  std::string trace;               ///< train: where the timeline goes; empty: none
  std::string output = "model.so"; ///< save: the artifact
  std::string mixer = "local", dtype = "f32", memory = "normal", target = "cpu",
              f32Products = "exact", prompt = "namespace mlir {\n";
  int64_t steps = 500, layers = 4, dim = 128, context = 256, window = 32, rank = 64;
  int64_t batch = 8, threads = 0, seed = 1, length = 400, checkpointEvery = 200;
  double learningRate = 4e-3, weightDecay = 0.1, dropout = 0.0, clip = 1.0;
  double temperature = 0.7;
  bool resume = false, plain = false, tune = false;
};

/// Parses the command line; on a usage error prints it and exits with 2, on
/// --help prints the usage and exits with 0.
Options parseOptions(int argc, char **argv);

} // namespace charlm

#endif // AFT_EXAMPLES_CHARLM_OPTIONS_H
