//===- FakeDriver.cpp - A CUDA driver without a GPU, for tests ------------===//

#include "FakeDriver.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>

using namespace aft::cuda;
using namespace aft::test;
using namespace aft::test::fake;

namespace {

constexpr Result kCaptureUnsupported = static_cast<Result>(900);
constexpr int kFirstDevice = 100; ///< CUdevice of GPU 0

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

std::recursive_mutex mutex;
State current;
int retained[kMostDevices]; // their addresses are the contexts
thread_local std::vector<Context> stack;
thread_local int recordings = 0; ///< begun by this thread

FakeStream *of(Stream stream) { return reinterpret_cast<FakeStream *>(stream); }
FakeGraph *of(Graph graph) { return reinterpret_cast<FakeGraph *>(graph); }
FakeGraph *of(GraphExec exec) { return reinterpret_cast<FakeGraph *>(exec); }
FakeEvent *of(Event event) { return reinterpret_cast<FakeEvent *>(event); }
FakeModule *of(ModuleHandle module) { return reinterpret_cast<FakeModule *>(module); }
FakeFunction *of(Function function) { return reinterpret_cast<FakeFunction *>(function); }
Context contextOf(int device) { return reinterpret_cast<Context>(&retained[device]); }
/// Of the current context.
int currentDevice() { return static_cast<int>(reinterpret_cast<int *>(stack.back()) - retained); }
/// Whether a stream may be used with the current context.
bool isHere(Stream stream) { return !stream || of(stream)->device == currentDevice(); }

enum class Needs { Nothing, Context, Idle /* and no recording by this thread */ };

/// Begins every function: counts it and decides whether it fails.
struct Call {
  Call(const char *name, Needs needs = Needs::Context) : lock(mutex) {
    ++current.calls[name];
    if (auto failure = current.failures.find(name); failure != current.failures.end()) {
      if (failure->second.after-- == 0) {
        result = failure->second.result;
        failure->second.after = failure->second.always ? 0 : -1;
        return;
      }
    }
    if (needs != Needs::Nothing && stack.empty())
      result = Result::InvalidContext;
    else if (needs == Needs::Idle && recordings > 0)
      result = kCaptureUnsupported;
    else if (needs != Needs::Nothing)
      result = current.fault;
  }
  bool fails() const { return result != Result::Success; }
  Result fail(Result with) { return result = with; }

  std::unique_lock<std::recursive_mutex> lock;
  Result result = Result::Success;
};

void execute(const Launch &launch) {
  current.launches.push_back(launch);
  if (launch.work) {
    if (current.fault == Result::Success)
      launch.work();
    return;
  }
  const Kernel &kernel = current.kernels.at(launch.kernel);
  if (!kernel.body || current.fault != Result::Success)
    return;
  if (Result result = kernel.body(launch.parameters, launch.blocks); result != Result::Success)
    current.fault = result;
}

bool inMemory(Address address, size_t bytes) {
  auto after = current.memory.upper_bound(address);
  if (after == current.memory.begin())
    return false;
  auto [start, size] = *std::prev(after);
  return address + bytes <= start + size;
}

} // namespace

State &fake::state() { return current; }
size_t fake::depth() { return stack.size(); }

void fake::enqueue(void *stream, const std::string &name, std::function<void()> work) {
  Launch launch{name, 1, 1, 0, stream, {}, std::move(work), currentDevice()};
  FakeGraph *recording = stream ? of(static_cast<Stream>(stream))->recording : nullptr;
  if (recording)
    recording->nodes.push_back(std::move(launch));
  else
    execute(launch);
}

void fake::reset() {
  std::lock_guard<std::recursive_mutex> lock(mutex);
  for (auto [address, bytes] : current.memory)
    std::free(reinterpret_cast<void *>(address));
  for (auto [address, bytes] : current.hostMemory)
    std::free(address);
  for (void *stream : current.streams)
    delete static_cast<FakeStream *>(stream);
  for (void *event : current.events)
    delete static_cast<FakeEvent *>(event);
  for (void *module : current.modules)
    delete static_cast<FakeModule *>(module);
  for (const auto *graphs : {&current.graphs, &current.execs})
    for (void *graph : *graphs)
      delete static_cast<FakeGraph *>(graph);
  current = {};
  stack.clear();
}

//===----------------------------------------------------------------------===//
// Driver, device, context
//===----------------------------------------------------------------------===//

extern "C" {

Result cuInit(unsigned) {
  Call call("cuInit", Needs::Nothing);
  if (call.fails())
    return call.result;
  return current.devices == 0 ? Result::NoDevice : Result::Success;
}

Result cuDriverGetVersion(int *version) {
  Call call("cuDriverGetVersion", Needs::Nothing);
  *version = current.version;
  return call.result;
}

static const std::map<Result, std::pair<const char *, const char *>> kErrors = {
    {Result::InvalidValue, {"CUDA_ERROR_INVALID_VALUE", "invalid argument"}},
    {Result::OutOfMemory, {"CUDA_ERROR_OUT_OF_MEMORY", "out of memory"}},
    {Result::InvalidContext, {"CUDA_ERROR_INVALID_CONTEXT", "invalid device context"}},
    {Result::NoBinaryForGpu, {"CUDA_ERROR_NO_BINARY_FOR_GPU", "no kernel image"}},
    {Result::InvalidPtx, {"CUDA_ERROR_INVALID_PTX", "a PTX JIT compilation failed"}},
    {Result::UnsupportedPtxVersion,
     {"CUDA_ERROR_UNSUPPORTED_PTX_VERSION", "the provided PTX was compiled with an unsupported "
                                            "toolchain."}},
    {Result::NotFound, {"CUDA_ERROR_NOT_FOUND", "named symbol not found"}},
    {Result::IllegalAddress,
     {"CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"}},
    {Result::LaunchOutOfResources,
     {"CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES", "too many resources requested for launch"}},
    {Result::CaptureInvalidated, {"CUDA_ERROR_STREAM_CAPTURE_INVALIDATED", "capture failed"}},
};

Result cuGetErrorName(Result error, const char **text) {
  auto found = kErrors.find(error);
  *text = found == kErrors.end() ? nullptr : found->second.first;
  return *text ? Result::Success : Result::InvalidValue;
}

Result cuGetErrorString(Result error, const char **text) {
  auto found = kErrors.find(error);
  *text = found == kErrors.end() ? nullptr : found->second.second;
  return *text ? Result::Success : Result::InvalidValue;
}

Result cuDeviceGetCount(int *count) {
  Call call("cuDeviceGetCount", Needs::Nothing);
  *count = current.devices;
  return call.result;
}

Result cuDeviceGet(int *device, int ordinal) {
  Call call("cuDeviceGet", Needs::Nothing);
  *device = kFirstDevice + ordinal;
  return ordinal < std::min(current.devices, kMostDevices) ? call.result : Result::InvalidDevice;
}

Result cuDeviceGetName(char *name, int size, int) {
  Call call("cuDeviceGetName", Needs::Nothing);
  std::strncpy(name, "Fake GPU", static_cast<size_t>(size));
  return call.result;
}

Result cuDeviceGetAttribute(int *value, DeviceAttribute attribute, int) {
  Call call("cuDeviceGetAttribute", Needs::Nothing);
  switch (attribute) {
  case DeviceAttribute::MaxGridX:
    *value = current.mostBlocks;
    break;
  case DeviceAttribute::Multiprocessors:
    *value = 132;
    break;
  case DeviceAttribute::CapabilityMajor:
    *value = current.major;
    break;
  case DeviceAttribute::CapabilityMinor:
    *value = current.minor;
    break;
  case DeviceAttribute::MaxSharedBytesOptIn:
    *value = current.sharedOptIn;
    break;
  default:
    return Result::InvalidValue;
  }
  return call.result;
}

Result cuDevicePrimaryCtxRetain(Context *result, int device) {
  Call call("cuDevicePrimaryCtxRetain", Needs::Nothing);
  if (call.fails())
    return call.result;
  ++current.contexts;
  *result = contextOf(device - kFirstDevice);
  return Result::Success;
}

Result cuDevicePrimaryCtxRelease_v2(int) {
  Call call("cuDevicePrimaryCtxRelease_v2", Needs::Nothing);
  --current.contexts;
  return call.result;
}

Result cuCtxPushCurrent_v2(Context given) {
  Call call("cuCtxPushCurrent_v2", Needs::Nothing);
  if (call.fails())
    return call.result;
  if (given < contextOf(0) || given >= contextOf(kMostDevices) || current.contexts < 1)
    return Result::InvalidContext;
  stack.push_back(given);
  current.deepest = std::max(current.deepest, static_cast<int>(stack.size()));
  return Result::Success;
}

Result cuCtxPopCurrent_v2(Context *popped) {
  Call call("cuCtxPopCurrent_v2", Needs::Nothing);
  if (stack.empty())
    return Result::InvalidContext;
  *popped = stack.back();
  stack.pop_back();
  return call.result;
}

Result cuCtxSynchronize() { return Call("cuCtxSynchronize", Needs::Idle).result; }

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

Result cuMemGetInfo_v2(size_t *unused, size_t *total) {
  Call call("cuMemGetInfo_v2");
  *total = current.memoryBytes;
  *unused = current.memoryBytes - current.usedBytes;
  return call.result;
}

Result cuMemAlloc_v2(Address *memory, size_t bytes) {
  Call call("cuMemAlloc_v2", Needs::Idle);
  if (call.fails())
    return call.result;
  if (current.usedBytes + bytes > current.memoryBytes)
    return Result::OutOfMemory;
  void *made = std::aligned_alloc(512, (bytes + 511) / 512 * 512);
  *memory = reinterpret_cast<Address>(made);
  current.memory[*memory] = bytes;
  current.usedBytes += bytes;
  return Result::Success;
}

Result cuMemFree_v2(Address memory) {
  Call call("cuMemFree_v2");
  auto found = current.memory.find(memory);
  if (found == current.memory.end())
    return Result::InvalidValue;
  current.usedBytes -= found->second;
  current.memory.erase(found);
  std::free(reinterpret_cast<void *>(memory));
  return call.result;
}

Result cuMemHostAlloc(void **memory, size_t bytes, unsigned) {
  Call call("cuMemHostAlloc", Needs::Idle);
  if (call.fails())
    return call.result;
  *memory = std::malloc(bytes);
  current.hostMemory[*memory] = bytes;
  return Result::Success;
}

Result cuMemFreeHost(void *memory) {
  Call call("cuMemFreeHost");
  if (!current.hostMemory.erase(memory))
    return Result::InvalidValue;
  std::free(memory);
  return call.result;
}

Result cuMemcpyHtoDAsync_v2(Address to, const void *from, size_t bytes, Stream stream) {
  Call call("cuMemcpyHtoDAsync_v2");
  if (call.fails())
    return call.result;
  if (!isHere(stream))
    return Result::InvalidHandle;
  if (!inMemory(to, bytes))
    return Result::InvalidValue;
  std::memcpy(reinterpret_cast<void *>(to), from, bytes);
  return Result::Success;
}

Result cuMemcpyDtoHAsync_v2(void *to, Address from, size_t bytes, Stream stream) {
  Call call("cuMemcpyDtoHAsync_v2");
  if (call.fails())
    return call.result;
  if (!isHere(stream))
    return Result::InvalidHandle;
  if (!inMemory(from, bytes))
    return Result::InvalidValue;
  std::memcpy(to, reinterpret_cast<void *>(from), bytes);
  return Result::Success;
}

//===----------------------------------------------------------------------===//
// Streams and events
//===----------------------------------------------------------------------===//

Result cuStreamCreate(Stream *stream, unsigned flags) {
  Call call("cuStreamCreate");
  if (call.fails() || flags != kStreamNonBlocking)
    return call.fails() ? call.result : Result::InvalidValue;
  auto *made = new FakeStream{nullptr, currentDevice()};
  current.streams.insert(made);
  *stream = reinterpret_cast<Stream>(made);
  return Result::Success;
}

Result cuStreamDestroy_v2(Stream stream) {
  Call call("cuStreamDestroy_v2");
  if (!current.streams.erase(of(stream)))
    return Result::InvalidHandle;
  delete of(stream);
  return call.result;
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
  current.graphs.insert(made);
  of(stream)->recording = made;
  ++recordings;
  return Result::Success;
}

Result cuStreamEndCapture(Stream stream, Graph *graph) {
  Call call("cuStreamEndCapture");
  FakeGraph *made = of(stream)->recording;
  of(stream)->recording = nullptr;
  --recordings;
  *graph = call.fails() ? nullptr : reinterpret_cast<Graph>(made);
  if (call.fails()) {
    current.graphs.erase(made);
    delete made;
  }
  return call.result;
}

Result cuEventCreate(Event *event, unsigned flags) {
  Call call("cuEventCreate");
  if (call.fails())
    return call.result;
  auto *made = new FakeEvent{flags == kEventTimed, {}};
  current.events.insert(made);
  *event = reinterpret_cast<Event>(made);
  return Result::Success;
}

Result cuEventDestroy_v2(Event event) {
  Call call("cuEventDestroy_v2");
  if (!current.events.erase(of(event)))
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
    Kernel &kernel = current.kernels[ptx.substr(name, open - name)];
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
        options[i] == JitOption::ErrorLog ? current.jitErrors : current.jitNotes;
    size_t size = std::min(text.size() + 1, reinterpret_cast<size_t>(values[i + 1]));
    std::memcpy(values[i], text.c_str(), size);
  }
  if (call.fails())
    return call.result;
  current.images.emplace_back(static_cast<const char *>(image));
  declareKernels(current.images.back());
  auto *made = new FakeModule{{}, currentDevice()};
  current.modules.insert(made);
  *module = reinterpret_cast<ModuleHandle>(made);
  return Result::Success;
}

Result cuModuleUnload(ModuleHandle module) {
  Call call("cuModuleUnload");
  if (!current.modules.erase(of(module)))
    return Result::InvalidHandle;
  delete of(module);
  return call.result;
}

Result cuModuleGetFunction(Function *function, ModuleHandle module, const char *name) {
  Call call("cuModuleGetFunction");
  if (call.fails())
    return call.result;
  if (!current.kernels.count(name))
    return Result::NotFound;
  FakeFunction &kept = of(module)->functions[name];
  kept = {name, of(module)->device};
  *function = reinterpret_cast<Function>(&kept);
  return Result::Success;
}

static Kernel &kernelOf(Function function) { return current.kernels.at(of(function)->name); }

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
  if (attribute != FunctionAttribute::MaxDynamicSharedBytes || value > current.sharedOptIn)
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
  current.execs.insert(made);
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

Result cuGraphDestroy(Graph graph) {
  Call call("cuGraphDestroy");
  if (!current.graphs.erase(of(graph)))
    return Result::InvalidHandle;
  delete of(graph);
  return call.result;
}

Result cuGraphExecDestroy(GraphExec exec) {
  Call call("cuGraphExecDestroy");
  if (!current.execs.erase(of(exec)))
    return Result::InvalidHandle;
  delete of(exec);
  return call.result;
}

} // extern "C"
