//===- DriverApi.h - The part of CUDA's driver API that is used -----------===//
// Declared here so that no CUDA toolkit is needed to build. Names of handles are
// those of NVIDIA's headers: a program may include both.

#ifndef AFT_RUNTIME_CUDA_DRIVERAPI_H
#define AFT_RUNTIME_CUDA_DRIVERAPI_H

#include <cstddef>
#include <cstdint>

struct CUctx_st;
struct CUevent_st;
struct CUfunc_st;
struct CUgraph_st;
struct CUgraphExec_st;
struct CUgraphNode_st;
struct CUmod_st;
struct CUstream_st;

namespace aft::cuda {

using Context = CUctx_st *;
using Event = CUevent_st *;
using Function = CUfunc_st *;
using Graph = CUgraph_st *;
using GraphExec = CUgraphExec_st *;
using ModuleHandle = CUmod_st *;
using Stream = CUstream_st *; ///< null: the default stream
/// Of memory of a GPU. Kernels get it as a pointer; the CPU must not follow it.
using Address = uint64_t;

/// CUresult.
enum class Result : int {
  Success = 0,
  InvalidValue = 1,
  OutOfMemory = 2,
  NoDevice = 100,
  InvalidDevice = 101,
  InvalidImage = 200,
  InvalidContext = 201,
  NoBinaryForGpu = 209,
  InvalidPtx = 218,
  UnsupportedPtxVersion = 222,
  InvalidHandle = 400,
  NotFound = 500,
  NotReady = 600,
  // From here to LaunchFailed: what a kernel did, reported by whatever call comes next.
  IllegalAddress = 700,
  LaunchOutOfResources = 701, ///< of the launch itself
  LaunchFailed = 719,
  CaptureInvalidated = 901,
  GraphUpdateFailure = 910,
};

/// CUdevice_attribute.
enum class DeviceAttribute : int {
  MaxGridX = 5,
  ClockKHz = 13,
  Multiprocessors = 16,
  MemoryClockKHz = 36,
  MemoryBusBits = 37,
  CapabilityMajor = 75,
  CapabilityMinor = 76,
  MaxSharedBytesOptIn = 97,
};

/// CUfunction_attribute.
enum class FunctionAttribute : int {
  MaxThreads = 0,
  StaticSharedBytes = 1,
  MaxDynamicSharedBytes = 8,
};

/// CUjit_option.
enum class JitOption : int {
  InfoLog = 3,
  InfoLogBytes = 4,
  ErrorLog = 5,
  ErrorLogBytes = 6,
};

/// CUstreamCaptureMode: which calls a capture forbids, and to whom.
enum class CaptureMode : int { Global = 0, ThreadLocal = 1, Relaxed = 2 };
/// CUstreamCaptureStatus.
enum class CaptureStatus : int { None = 0, Active = 1, Invalidated = 2 };

/// CUgraphExecUpdateResultInfo: why a graph could not be updated.
struct GraphUpdateInfo {
  int result;
  CUgraphNode_st *node, *from;
};

constexpr unsigned kStreamNonBlocking = 1; ///< CU_STREAM_NON_BLOCKING
constexpr unsigned kEventTimed = 0;        ///< CU_EVENT_DEFAULT
constexpr unsigned kEventUntimed = 2;      ///< CU_EVENT_DISABLE_TIMING

/// X(member, exported name, parameters): all return a Result. Exported names are those of
/// CUDA 12.0, which later drivers keep.
#define AFT_CUDA_FUNCTIONS(X)                                                                      \
  X(init, "cuInit", (unsigned flags))                                                              \
  X(driverGetVersion, "cuDriverGetVersion", (int *version))                                        \
  X(getErrorName, "cuGetErrorName", (Result error, const char **text))                             \
  X(getErrorString, "cuGetErrorString", (Result error, const char **text))                         \
  X(deviceGetCount, "cuDeviceGetCount", (int *count))                                              \
  X(deviceGet, "cuDeviceGet", (int *device, int ordinal))                                          \
  X(deviceGetName, "cuDeviceGetName", (char *name, int size, int device))                          \
  X(deviceGetAttribute, "cuDeviceGetAttribute",                                                    \
    (int *value, DeviceAttribute attribute, int device))                                           \
  X(primaryCtxRetain, "cuDevicePrimaryCtxRetain", (Context * context, int device))                 \
  X(primaryCtxRelease, "cuDevicePrimaryCtxRelease_v2", (int device))                               \
  X(ctxPushCurrent, "cuCtxPushCurrent_v2", (Context context))                                      \
  X(ctxPopCurrent, "cuCtxPopCurrent_v2", (Context * context))                                      \
  X(ctxSynchronize, "cuCtxSynchronize", ())                                                        \
  X(memGetInfo, "cuMemGetInfo_v2", (size_t *unused, size_t *total))                                \
  X(memAlloc, "cuMemAlloc_v2", (Address * memory, size_t bytes))                                   \
  X(memFree, "cuMemFree_v2", (Address memory))                                                     \
  X(memHostAlloc, "cuMemHostAlloc", (void **memory, size_t bytes, unsigned flags))                 \
  X(memFreeHost, "cuMemFreeHost", (void *memory))                                                  \
  X(memcpyHtoDAsync, "cuMemcpyHtoDAsync_v2",                                                       \
    (Address to, const void *from, size_t bytes, Stream stream))                                   \
  X(memcpyDtoHAsync, "cuMemcpyDtoHAsync_v2",                                                       \
    (void *to, Address from, size_t bytes, Stream stream))                                         \
  X(streamCreate, "cuStreamCreate", (Stream * stream, unsigned flags))                             \
  X(streamDestroy, "cuStreamDestroy_v2", (Stream stream))                                          \
  X(streamSynchronize, "cuStreamSynchronize", (Stream stream))                                     \
  X(streamIsCapturing, "cuStreamIsCapturing", (Stream stream, CaptureStatus * status))             \
  X(streamBeginCapture, "cuStreamBeginCapture_v2", (Stream stream, CaptureMode mode))              \
  X(streamEndCapture, "cuStreamEndCapture", (Stream stream, Graph * graph))                        \
  X(eventCreate, "cuEventCreate", (Event * event, unsigned flags))                                 \
  X(eventDestroy, "cuEventDestroy_v2", (Event event))                                              \
  X(eventRecord, "cuEventRecord", (Event event, Stream stream))                                    \
  X(eventSynchronize, "cuEventSynchronize", (Event event))                                         \
  X(eventElapsedTime, "cuEventElapsedTime", (float *milliseconds, Event from, Event to))           \
  X(moduleLoadDataEx, "cuModuleLoadDataEx",                                                        \
    (ModuleHandle * module, const void *image, unsigned count, JitOption *options, void **values)) \
  X(moduleUnload, "cuModuleUnload", (ModuleHandle module))                                         \
  X(moduleGetFunction, "cuModuleGetFunction",                                                      \
    (Function * function, ModuleHandle module, const char *name))                                  \
  X(funcGetAttribute, "cuFuncGetAttribute",                                                        \
    (int *value, FunctionAttribute attribute, Function function))                                  \
  X(funcSetAttribute, "cuFuncSetAttribute",                                                        \
    (Function function, FunctionAttribute attribute, int value))                                   \
  X(launchKernel, "cuLaunchKernel",                                                                \
    (Function function, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX,           \
     unsigned blockY, unsigned blockZ, unsigned sharedBytes, Stream stream, void **parameters,     \
     void **extra))                                                                                \
  X(graphInstantiate, "cuGraphInstantiateWithFlags",                                               \
    (GraphExec * exec, Graph graph, unsigned long long flags))                                     \
  X(graphExecUpdate, "cuGraphExecUpdate_v2",                                                       \
    (GraphExec exec, Graph graph, GraphUpdateInfo * info))                                         \
  X(graphLaunch, "cuGraphLaunch", (GraphExec exec, Stream stream))                                 \
  X(graphDestroy, "cuGraphDestroy", (Graph graph))                                                 \
  X(graphExecDestroy, "cuGraphExecDestroy", (GraphExec exec))

} // namespace aft::cuda

#endif // AFT_RUNTIME_CUDA_DRIVERAPI_H
