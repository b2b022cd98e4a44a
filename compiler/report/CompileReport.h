//===- CompileReport.h - What a compilation did, and why ------------------===//
// The phases fill it in where PipelineOptions::report asks for it; the JIT keeps
// it beside the code in the cache, and pages and tools read it as JSON.

#ifndef AFT_COMPILER_REPORT_COMPILEREPORT_H
#define AFT_COMPILER_REPORT_COMPILEREPORT_H

#include "compiler/report/Expression.h"
#include "mlir/IR/Location.h"

#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace aft {

struct CompileReport {
  /// A phase, and within it a pass: summed over all functions it ran on, which
  /// may be several at a time.
  struct Time {
    std::string name;
    double milliseconds = 0;
    int runs = 1;
  };
  struct Phase : Time {
    std::vector<Time> passes;
  };
  struct Object {
    std::string name;
    double milliseconds = 0;
    int64_t bytes = 0;
  };
  /// Whether a producer was put together with what reads it.
  struct Remark {
    std::string pass;
    bool fused = false;
    std::string producer, consumer, reason; ///< where it was fused: none, or a note
    std::string producerPlace, consumerPlace;
  };
  struct Kernel {
    std::string name, kind;
    std::string element; ///< of its first operand: "bf16", …
  };
  struct Launch {
    std::string kernel;
    std::vector<std::string> places; ///< where in the program it comes from
    Expression flops, bytes;         ///< over the entry's extents
  };
  /// Memory of the arena while one value, or several that follow each other in
  /// place, live in it: from the launch `first` to `last`, both included.
  struct ArenaBuffer {
    Expression offset, bytes;
    int64_t first = 0, last = 0;
    std::string type, kernel; ///< of the first value, and what made it
    std::vector<std::string> places;
  };
  /// The extents of all inputs in order are the symbols of its expressions.
  struct Entry {
    std::string name;
    std::vector<std::string> extents;   ///< "x[0]", …
    std::vector<int64_t> staticExtents; ///< negative: dynamic
    std::vector<Launch> launches;
    std::vector<ArenaBuffer> buffers;
    Expression arenaBytes;
  };

  std::vector<Phase> phases;
  std::vector<Object> objects;
  std::vector<Remark> remarks;
  std::vector<Kernel> kernels;
  std::vector<Entry> entries;
  std::mutex mutex; ///< guards remarks and passes: passes run on several functions at once

  void add(Remark remark);
  Entry &entry(llvm::StringRef name);

  /// Remarks that say the same of different places are one with a count there.
  llvm::json::Object toJSON() const;
};

/// The places in a program that a location names: module paths, or
/// "file:line:column".
std::vector<std::string> placesOf(mlir::Location location);

} // namespace aft

#endif // AFT_COMPILER_REPORT_COMPILEREPORT_H
