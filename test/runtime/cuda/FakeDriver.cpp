//===- FakeDriver.cpp - A CUDA driver without a GPU, for tests ------------===//
// The device, its contexts and its memory; what runs is in FakeStreams.cpp.

#include "FakeObjects.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

using namespace aft::test;
using namespace aft::test::fake;

namespace {

constexpr int kFirstDevice = 100; ///< CUdevice of GPU 0

std::recursive_mutex mutex;
State current;
int retained[kMostDevices]; // their addresses are the contexts
thread_local std::vector<Context> stack;

Context contextOf(int device) { return reinterpret_cast<Context>(&retained[device]); }

bool inMemory(Address address, size_t bytes) {
  auto after = current.memory.upper_bound(address);
  if (after == current.memory.begin())
    return false;
  auto [start, size] = *std::prev(after);
  return address + bytes <= start + size;
}

} // namespace

int fake::currentDevice() {
  return static_cast<int>(reinterpret_cast<int *>(stack.back()) - retained);
}

bool fake::isHere(Stream stream) { return !stream || of(stream)->device == currentDevice(); }

int &fake::recordings() {
  thread_local int count = 0;
  return count;
}

Call::Call(const char *name, Needs needs) : lock(mutex) {
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
  else if (needs == Needs::Idle && recordings() > 0)
    result = kCaptureUnsupported;
  else if (needs != Needs::Nothing)
    result = current.fault;
}

State &fake::state() { return current; }
size_t fake::depth() { return stack.size(); }

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
  case DeviceAttribute::ClockKHz:
    *value = current.clockKHz;
    break;
  case DeviceAttribute::MemoryClockKHz:
    *value = current.memoryClockKHz;
    break;
  case DeviceAttribute::MemoryBusBits:
    *value = current.memoryBusBits;
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

} // extern "C"
