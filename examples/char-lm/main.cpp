//===- main.cpp - A byte-level AFT language model -------------------------===//
// Trains, generates with and measures a language model whose training and
// decode steps are compiled in process.

#include "examples/char-lm/Commands.h"

#include <ATen/Parallel.h>
#include <c10/util/Exception.h>

#include <cstdio>
#include <cstdlib>
#include <exception>

static int run(const charlm::Options &options) {
  if (options.command == "train")
    return charlm::train(options);
  if (options.command == "save")
    return charlm::save(options);
  return options.command == "generate" ? charlm::generate(options) : charlm::bench(options);
}

int main(int argc, char **argv) {
  charlm::Options options = charlm::parseOptions(argc, argv);
  if (options.threads > 0)
    at::set_num_threads(static_cast<int>(options.threads));
  try {
    return run(options);
  } catch (const c10::Error &error) {
    std::fprintf(stderr, "char-lm: error: %s\n", error.what_without_backtrace());
  } catch (const std::exception &error) {
    std::fprintf(stderr, "char-lm: error: %s\n", error.what());
  }
  return 1;
}
