//===- FakeDriver.h - A CUDA driver without a GPU, for tests --------------===//
// A library with the functions of CUDA's driver that the runtime uses. Memory of the GPU
// is that of the host; kernels are functions that a test registers, before or after PTX that
// declares them is loaded. They run when they are
// launched, so that orders between streams are not tested. What a real driver refuses is
// refused: calls without a current context, memory asked for while recording, or streams and
// kernels of another GPU than that of the context.

#ifndef AFT_TEST_RUNTIME_CUDA_FAKEDRIVER_H
#define AFT_TEST_RUNTIME_CUDA_FAKEDRIVER_H

#include "runtime/cuda/DriverApi.h"

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace aft::test::fake {

using cuda::Result;

/// Gets the parameters, 8 bytes each.
using Body = std::function<Result(const std::vector<uint64_t> &parameters, unsigned blocks)>;

struct Kernel {
  size_t parameters = 0;
  Body body = {}; ///< none: does nothing
  int maxThreads = 1024, staticSharedBytes = 0;
  int dynamicSharedBytes = 48 << 10; ///< what a launch may ask for
};

struct Launch {
  std::string kernel;
  unsigned blocks, threads, sharedBytes;
  void *stream;
  std::vector<uint64_t> parameters;
  std::function<void()> work = {}; ///< of a library, in place of a kernel
  int device = 0;                  ///< whose context was current
};

/// A function's call that fails: the first after so many that work.
struct Failure {
  Result result;
  int after = 0;
  bool always = false; ///< and all later ones
};

struct State {
  // What the test sets.
  int version = 12040, devices = 1, major = 9, minor = 0;
  int mostBlocks = 2147483647, sharedOptIn = 227 << 10;
  size_t memoryBytes = size_t(1) << 30;
  int clockKHz = 1980000, memoryClockKHz = 2619000, memoryBusBits = 5120; ///< 0: it does not say
  std::map<std::string, Kernel> kernels;
  std::map<std::string, Failure> failures; ///< by the function's exported name
  std::string jitErrors, jitNotes;

  // What happened.
  std::map<std::string, int> calls;
  std::vector<Launch> launches;      ///< that ran, those of graphs included
  std::vector<std::string> images;   ///< that were loaded
  std::map<uint64_t, size_t> memory; ///< that is allocated
  size_t usedBytes = 0;
  std::map<void *, size_t> hostMemory;
  std::set<void *> streams, events, modules, graphs, execs;
  int contexts = 0;               ///< retained
  int deepest = 0;                ///< of the stacks of contexts
  Result fault = Result::Success; ///< what a kernel did wrong, from then on
};

State &state();
/// As new; frees what is left.
void reset();
/// What a library puts on a stream: done now, or whenever what is recorded is launched.
void enqueue(void *stream, const std::string &name, std::function<void()> work);
/// Contexts on the stack of this thread.
size_t depth();
constexpr int kMostDevices = 4;

} // namespace aft::test::fake

#endif // AFT_TEST_RUNTIME_CUDA_FAKEDRIVER_H
