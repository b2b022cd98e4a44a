//===- FakeStreams.cpp - What runs on the fake driver ----------------------===//
// Streams, events, modules, kernels and graphs.

#include "FakeObjects.h"

#include <algorithm>
#include <cstring>

using namespace aft::test;
using namespace aft::test::fake;

void fake::execute(const Launch &launch) {
  state().launches.push_back(launch);
  if (launch.work) {
    if (state().fault == Result::Success)
      launch.work();
    return;
  }
  const Kernel &kernel = state().kernels.at(launch.kernel);
  if (!kernel.body || state().fault != Result::Success)
    return;
  if (Result result = kernel.body(launch.parameters, launch.blocks); result != Result::Success)
    state().fault = result;
}

void fake::enqueue(void *stream, const std::string &name, std::function<void()> work) {
  Launch launch{name, 1, 1, 0, stream, {}, std::move(work), currentDevice()};
  FakeGraph *recording = stream ? of(static_cast<Stream>(stream))->recording : nullptr;
  if (recording)
    recording->nodes.push_back(std::move(launch));
  else
    execute(launch);
}

/// Ends an object of the driver that is there.
template <typename Objects, typename Object>
static Result destroy(const char *name, Objects &objects, Object *object) {
  Call call(name);
  if (!objects.erase(object))
    return Result::InvalidHandle;
  delete object;
  return call.result;
}

extern "C" {

//===----------------------------------------------------------------------===//
// Streams and events
//===----------------------------------------------------------------------===//

Result cuStreamCreate(Stream *stream, unsigned flags) {
  Call call("cuStreamCreate");
  if (call.fails() || flags != kStreamNonBlocking)
    return call.fails() ? call.result : Result::InvalidValue;
  auto *made = new FakeStream{nullptr, currentDevice()};
  state().streams.insert(made);
  *stream = reinterpret_cast<Stream>(made);
  return Result::Success;
}

Result cuStreamDestroy_v2(Stream stream) {
  return destroy("cuStreamDestroy_v2", state().streams, of(stream));
}

Result cuStreamSynchronize(Stream stream) {
  Call call("cuStreamSynchronize");
  if (stream && of(stream)->recording)
    return kCaptureUnsupported;
  return call.result;
}

Result cuStreamIsCapturing(Stream stream, CaptureStatus *status) {
  Call call("cuStreamIsCapturing");
  *status = stream && of(stream)->recording ? CaptureStatus::Active : CaptureStatus::None;
  return call.result;
}

Result cuStreamBeginCapture_v2(Stream stream, CaptureMode) {
  Call call("cuStreamBeginCapture_v2");
  if (call.fails() || !stream)
    return call.fails() ? call.result : kCaptureUnsupported;
  auto *made = new FakeGraph;
  state().graphs.insert(made);
  of(stream)->recording = made;
  ++recordings();
  return Result::Success;
}

Result cuStreamEndCapture(Stream stream, Graph *graph) {
  Call call("cuStreamEndCapture");
  FakeGraph *made = of(stream)->recording;
  of(stream)->recording = nullptr;
  --recordings();
  *graph = call.fails() ? nullptr : reinterpret_cast<Graph>(made);
  if (call.fails()) {
    state().graphs.erase(made);
    delete made;
  }
  return call.result;
}

Result cuEventCreate(Event *event, unsigned flags) {
  Call call("cuEventCreate");
  if (call.fails())
    return call.result;
  auto *made = new FakeEvent{flags == kEventTimed, {}};
  state().events.insert(made);
  *event = reinterpret_cast<Event>(made);
  return Result::Success;
}

Result cuEventDestroy_v2(Event event) {
  Call call("cuEventDestroy_v2");
  if (!state().events.erase(of(event)))
    return Result::InvalidHandle;
  delete of(event);
  return call.result;
}

Result cuEventRecord(Event event, Stream) {
  Call call("cuEventRecord");
  of(event)->time = std::chrono::steady_clock::now();
  return call.result;
}

Result cuEventSynchronize(Event) { return Call("cuEventSynchronize").result; }

Result cuEventElapsedTime(float *milliseconds, Event from, Event to) {
  Call call("cuEventElapsedTime");
  if (!of(from)->timed || !of(to)->timed)
    return Result::InvalidHandle;
  *milliseconds = std::chrono::duration<float, std::milli>(of(to)->time - of(from)->time).count();
  return call.result;
}

//===----------------------------------------------------------------------===//
// Modules and kernels
//===----------------------------------------------------------------------===//

/// Kernels that PTX declares, with as many parameters, where the test has none of that name.
static void declareKernels(const std::string &ptx) {
  static const std::string kEntry = ".entry ";
  for (size_t at = ptx.find(kEntry); at != std::string::npos; at = ptx.find(kEntry, at)) {
    size_t name = at + kEntry.size(), open = ptx.find('(', name), close = ptx.find(')', open);
    Kernel &kernel = state().kernels[ptx.substr(name, open - name)];
    if (kernel.parameters == 0)
      for (size_t i = ptx.find(".param", open); i < close; i = ptx.find(".param", i + 1))
        ++kernel.parameters;
    at = close;
  }
}

Result cuModuleLoadDataEx(ModuleHandle *module, const void *image, unsigned count,
                          JitOption *options, void **values) {
  Call call("cuModuleLoadDataEx", Needs::Idle);
  for (unsigned i = 0; i + 1 < count; i += 2) {
    const std::string &text =
        options[i] == JitOption::ErrorLog ? state().jitErrors : state().jitNotes;
    size_t size = std::min(text.size() + 1, reinterpret_cast<size_t>(values[i + 1]));
    std::memcpy(values[i], text.c_str(), size);
  }
  if (call.fails())
    return call.result;
  state().images.emplace_back(static_cast<const char *>(image));
  declareKernels(state().images.back());
  auto *made = new FakeModule{{}, currentDevice()};
  state().modules.insert(made);
  *module = reinterpret_cast<ModuleHandle>(made);
  return Result::Success;
}

Result cuModuleUnload(ModuleHandle module) {
  Call call("cuModuleUnload");
  if (!state().modules.erase(of(module)))
    return Result::InvalidHandle;
  delete of(module);
  return call.result;
}

Result cuModuleGetFunction(Function *function, ModuleHandle module, const char *name) {
  Call call("cuModuleGetFunction");
  if (call.fails())
    return call.result;
  if (!state().kernels.count(name))
    return Result::NotFound;
  FakeFunction &kept = of(module)->functions[name];
  kept = {name, of(module)->device};
  *function = reinterpret_cast<Function>(&kept);
  return Result::Success;
}

static Kernel &kernelOf(Function function) { return state().kernels.at(of(function)->name); }

Result cuFuncGetAttribute(int *value, FunctionAttribute attribute, Function function) {
  Call call("cuFuncGetAttribute");
  const Kernel &kernel = kernelOf(function);
  *value = attribute == FunctionAttribute::MaxThreads          ? kernel.maxThreads
           : attribute == FunctionAttribute::StaticSharedBytes ? kernel.staticSharedBytes
                                                               : kernel.dynamicSharedBytes;
  return call.result;
}

Result cuFuncSetAttribute(Function function, FunctionAttribute attribute, int value) {
  Call call("cuFuncSetAttribute");
  if (call.fails())
    return call.result;
  if (attribute != FunctionAttribute::MaxDynamicSharedBytes || value > state().sharedOptIn)
    return Result::InvalidValue;
  kernelOf(function).dynamicSharedBytes = value;
  return Result::Success;
}

Result cuLaunchKernel(Function function, unsigned gridX, unsigned gridY, unsigned gridZ,
                      unsigned blockX, unsigned blockY, unsigned blockZ, unsigned sharedBytes,
                      Stream stream, void **parameters, void **extra) {
  Call call("cuLaunchKernel");
  if (call.fails())
    return call.result;
  const Kernel &kernel = kernelOf(function);
  if (!isHere(stream) || of(function)->device != currentDevice())
    return Result::InvalidHandle;
  if (gridX == 0 || gridY != 1 || gridZ != 1 || blockX == 0 || blockY != 1 || blockZ != 1 ||
      extra || sharedBytes > static_cast<unsigned>(kernel.dynamicSharedBytes))
    return Result::InvalidValue;
  Launch launch{of(function)->name, gridX, blockX, sharedBytes, stream, {}, {}, currentDevice()};
  for (size_t i = 0; i < kernel.parameters; ++i)
    launch.parameters.push_back(*static_cast<uint64_t *>(parameters[i]));
  if (stream && of(stream)->recording)
    of(stream)->recording->nodes.push_back(std::move(launch));
  else
    execute(launch);
  return Result::Success;
}

//===----------------------------------------------------------------------===//
// Graphs
//===----------------------------------------------------------------------===//

Result cuGraphInstantiateWithFlags(GraphExec *exec, Graph graph, unsigned long long) {
  Call call("cuGraphInstantiateWithFlags");
  if (call.fails())
    return call.result;
  auto *made = new FakeGraph(*of(graph));
  state().execs.insert(made);
  *exec = reinterpret_cast<GraphExec>(made);
  return Result::Success;
}

Result cuGraphExecUpdate_v2(GraphExec exec, Graph graph, GraphUpdateInfo *info) {
  Call call("cuGraphExecUpdate_v2");
  info->result = 0;
  if (call.fails())
    return call.result;
  auto isSame = [](const Launch &a, const Launch &b) { return a.kernel == b.kernel; };
  const auto &old = of(exec)->nodes, &given = of(graph)->nodes;
  if (!std::equal(old.begin(), old.end(), given.begin(), given.end(), isSame))
    return Result::GraphUpdateFailure;
  of(exec)->nodes = given;
  return Result::Success;
}

Result cuGraphLaunch(GraphExec exec, Stream stream) {
  Call call("cuGraphLaunch");
  if (call.fails())
    return call.result;
  if (!isHere(stream))
    return Result::InvalidHandle;
  for (Launch launch : of(exec)->nodes) {
    launch.stream = stream;
    execute(launch);
  }
  return Result::Success;
}

Result cuGraphDestroy(Graph graph) { return destroy("cuGraphDestroy", state().graphs, of(graph)); }

Result cuGraphExecDestroy(GraphExec exec) {
  return destroy("cuGraphExecDestroy", state().execs, of(exec));
}

} // extern "C"
