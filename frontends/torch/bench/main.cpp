//===- main.cpp - aft-bench: measures compiled code -----------------------===//

#include "frontends/torch/bench/Report.h"
#include "frontends/torch/bench/Subjects.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <c10/util/Exception.h>

#include <cstdio>
#include <exception>
#include <stdexcept>
#include <unistd.h>

using namespace aft::bench;

/// Larger work would end the process without a word, or another one.
static void expectMemory(const Options &options) {
  double physical =
      static_cast<double>(::sysconf(_SC_PHYS_PAGES)) * static_cast<double>(::sysconf(_SC_PAGESIZE));
  double needed = leastMemory(options);
  if (needed > physical)
    throw std::runtime_error(options.op + ": takes at least " + std::to_string(needed / 0x1p30) +
                             " GiB of memory, found " + std::to_string(physical / 0x1p30) + " GiB");
}

/// Prints a timing only of what is right.
static int run(const Options &options) {
  expectMemory(options);
  at::set_num_threads(static_cast<int>(options.threads));
  at::manual_seed(1);
  Subject subject = options.isRoof()    ? makeRoof(options)
                    : options.isModel() ? makeModel(options)
                                        : makeOp(options);
  if (!subject.check.good()) {
    std::fprintf(stderr,
                 "aft-bench: error: %s: max_error against %s must be at most "
                 "%.3g, found %.3g; no "
                 "timing of a wrong result\n",
                 options.op.c_str(), subject.check.against.c_str(), subject.check.limit,
                 subject.check.error);
    return 1;
  }
  if (options.serve) {
    announce(options, subject);
    serve(subject);
    return 0;
  }
  report(options, subject, measure(subject, options.repeat));
  return 0;
}

int main(int argc, char **argv) {
  Options options = parse(argc, argv);
  try {
    return run(options);
  } catch (const c10::Error &error) {
    std::fprintf(stderr, "aft-bench: error: %s\n", error.what_without_backtrace());
  } catch (const std::exception &error) {
    std::fprintf(stderr, "aft-bench: error: %s\n", error.what());
  }
  return 1;
}
