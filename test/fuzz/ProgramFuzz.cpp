//===- ProgramFuzz.cpp - Programs as MLIR text ----------------------------===//
// An input is parsed, verified and taken through the graph phase. Nothing is run.

#include "Programs.h"
#include "Worker.h"

using namespace aft::fuzz;

/// In processes of their own: where MLIR 19's parser refuses a text, it may have written
/// to memory that it freed before (an operation with a region in a function that ends
/// too early), and what comes after cannot be trusted. So what a process that has taken
/// others before does not survive counts only if a new one does not survive it either.
/// libFuzzer does not see what such a process covers.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static Programs programs;
  static Worker worker([](std::string_view text) { return programs.check(text); });
  promise(worker.run(textOf(data, size)) || worker.runAlone(textOf(data, size)),
          "a program is taken or refused");
  return 0;
}
