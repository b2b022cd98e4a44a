//===- FakeObjects.h - What the handles of the fake driver are -----------===//
// Shared by the files that FakeDriver.h consists of.

#ifndef AFT_TEST_RUNTIME_CUDA_FAKEOBJECTS_H
#define AFT_TEST_RUNTIME_CUDA_FAKEOBJECTS_H

#include "FakeDriver.h"

#include <chrono>
#include <mutex>

namespace aft::test::fake {

using namespace aft::cuda;

constexpr Result kCaptureUnsupported = static_cast<Result>(900);

struct FakeGraph {
  std::vector<Launch> nodes;
};
struct FakeStream {
  FakeGraph *recording = nullptr;
  int device = 0;
};
struct FakeEvent {
  bool timed = false;
  std::chrono::steady_clock::time_point time;
};
struct FakeFunction {
  std::string name;
  int device;
};
struct FakeModule {
  std::map<std::string, FakeFunction> functions; ///< addresses are handles
  int device = 0;
};

inline FakeStream *of(Stream stream) { return reinterpret_cast<FakeStream *>(stream); }
inline FakeGraph *of(Graph graph) { return reinterpret_cast<FakeGraph *>(graph); }
inline FakeGraph *of(GraphExec exec) { return reinterpret_cast<FakeGraph *>(exec); }
inline FakeEvent *of(Event event) { return reinterpret_cast<FakeEvent *>(event); }
inline FakeModule *of(ModuleHandle module) { return reinterpret_cast<FakeModule *>(module); }
inline FakeFunction *of(Function function) { return reinterpret_cast<FakeFunction *>(function); }

/// Of the current context.
int currentDevice();
/// Whether a stream may be used with the current context.
bool isHere(Stream stream);
/// Recordings that this thread has begun.
int &recordings();
/// Notes a launch and does its work, or what the test has for its kernel.
void execute(const Launch &launch);

enum class Needs { Nothing, Context, Idle /* and no recording by this thread */ };

/// Begins every function: counts it and decides whether it fails.
struct Call {
  Call(const char *name, Needs needs = Needs::Context);
  bool fails() const { return result != Result::Success; }

  std::unique_lock<std::recursive_mutex> lock;
  Result result = Result::Success;
};

} // namespace aft::test::fake

#endif // AFT_TEST_RUNTIME_CUDA_FAKEOBJECTS_H
