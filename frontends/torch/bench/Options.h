//===- Options.h - The command line of aft-bench --------------------------===//

#ifndef AFT_TORCH_BENCH_OPTIONS_H
#define AFT_TORCH_BENCH_OPTIONS_H

#include <cstdint>
#include <string>
#include <vector>

namespace aft::bench {

/// What to measure; 0 and empty stand for "not given" until parse() has filled
/// in what suits the op.
struct Options {
  std::string op = "full", pass, mixer, dtype = "f32", target = "cpu", vs, inputs, outputs,
              memory = "normal", f32Products = "exact";
  int64_t batch = 0, length = 0, dim = 512, heads = 0, window = 0;
  int64_t layers = 12, vocab = 0, rank = 0, image = 0, mib = 0, threads = 0, repeat = 10;
  std::vector<int64_t> grid;
  double maxError = 0;
  bool causal = false, json = false, serve = false, tune = false;

  bool isLanguageModel() const { return op == "model" || op == "train" || op == "decode"; }
  bool isModel() const { return isLanguageModel() || op == "image"; }
  /// What the machine can do rather than what a program does.
  /// On a GPU itself, not emulated.
  bool onGpu() const { return target == "cuda" || target.rfind("cuda:", 0) == 0; }
  bool isRoof() const { return op == "fma" || op == "read" || op == "copy"; }
  /// A product of matrices, with what is fused to it.
  bool isProduct() const { return op == "matmul" || op == "mlp"; }
  bool backward() const { return pass == "fwdbwd"; }
  /// Whether matrix products round their factors to TF32.
  bool tf32() const { return f32Products == "tf32" && dtype == "f32"; }
  bool eager() const { return !vs.empty(); }
  /// The mixer that is measured, alone or inside the model; empty: a product.
  std::string mixerName() const { return isModel() ? mixer : isProduct() || isRoof() ? "" : op; }
};

/// Parses the command line. Prints a usage error and exits with 2; answers
/// --help and --list and exits with 0.
Options parse(int argc, char **argv);

} // namespace aft::bench

#endif // AFT_TORCH_BENCH_OPTIONS_H
