//===- Runner.cpp - Runs the entries of a program on a GPU ----------------===//

#include "runtime/cuda/Runner.h"

#include "aft/profile.h"
#include "runtime/core/Log.h"
#include "runtime/cuda/Peaks.h"
#include "runtime/cuda/Staging.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

using namespace aft;
using namespace aft::cuda;

RunnerOptions RunnerOptions::fromEnvironment() {
  const char *text = std::getenv("CUDA_LAUNCH_BLOCKING");
  RunnerOptions options;
  options.synchronous = text && std::strcmp(text, "1") == 0;
  return options;
}

Runner::Runner(std::shared_ptr<const Module> loaded, const RunnerOptions &options)
    : module(std::move(loaded)), device(module->device()), options(options),
      graphCache(std::make_unique<GraphCache>(module, options.products)) {}

Runner::~Runner() {
  Device::Scope scope(device);
  // Calls may still be at work with what is given back here.
  (void)device.driver().ctxSynchronize();
  graphCache.reset();
}

Status Runner::create(std::shared_ptr<Device> device, const DeviceCode &code,
                      const RunnerOptions &options, std::shared_ptr<Runner> &runner) {
  std::shared_ptr<const Module> module;
  if (Status status = Module::load(std::move(device), code, module); !status.ok())
    return status;
  runner.reset(new Runner(std::move(module), options));
  return {};
}

Status Runner::create(int ordinal, const DeviceCode &code, std::shared_ptr<CallRunner> &runner) {
  std::shared_ptr<Device> device;
  std::shared_ptr<Runner> made;
  Status status = Device::shared(ordinal, device);
  RunnerOptions options = RunnerOptions::fromEnvironment();
  if (status.ok() && std::any_of(code.kernels.begin(), code.kernels.end(),
                                 [](const KernelCode &kernel) { return kernel.product; }))
    options.products = Products::shared(device);
  if (status.ok())
    status = create(std::move(device), code, options, made);
  if (status.ok())
    runner = std::move(made);
  return status;
}

/// An error of a call, with the entry's name.
static Status named(const EntryCall &call, const Status &status) {
  return status.ok() ? status : Status{"entry '" + call.entry->info.name + "': " + status.message};
}

/// Waits for the kernels of a call on our own stream.
Status Runner::waitForKernels() const {
  Result result = device.driver().streamSynchronize(device.stream());
  Status status = device.check(result, "a kernel of the call failed");
  if (!status.ok() && !options.synchronous)
    status.message += "; CUDA_LAUNCH_BLOCKING=1 finds out which";
  return status;
}

//===----------------------------------------------------------------------===//
// On memory of the GPU
//===----------------------------------------------------------------------===//

Status Runner::allocate(int64_t bytes, Stream stream, DeviceMemory &memory, CallError &error) {
  Status status = memory.allocate(device.allocator(), bytes, stream);
  if (!status.ok() && graphCache->clear())
    status = memory.allocate(device.allocator(), bytes, stream);
  error = status.ok() ? CallError::None : CallError::Memory;
  return status;
}

Status Runner::launchAll(const EntryCall &call, const KernelTable &kernels, Stream stream,
                         const Manner &manner, CallError &error) {
  DeviceMemory arena, workspace;
  if (Status status = allocate(call.arenaBytes, stream, arena, error); !status.ok())
    return status;
  // What is recorded needs it later; else products ask for what each of them uses.
  int64_t bytes = !manner.recorded ? -1 : options.products ? options.products->workspaceBytes() : 0;
  if (bytes > 0)
    if (Status status = allocate(bytes, stream, workspace, error); !status.ok())
      return status;
  RunRecord record(call.entry->info.name, call.inputExtents(), call.arenaBytes, /*threads=*/0,
                   kernels, /*inner=*/nullptr);
  Launcher launcher(*module, stream, manner.mode, &kernels,
                    {options.products, workspace.address(), bytes});
  call.entry->run(call.buffers.data(), call.dims.data(), arena.pointer(), launcher.runtime());
  launcher.finish();
  if (!launcher.status().ok()) {
    error = CallError::Device;
    return launcher.status();
  }
  if (manner.mode == LaunchMode::Timed) {
    record.finish();
    record.launches = launcher.takeTimes();
    reportRun(record, device.properties().label());
  }
  if (manner.recorded) {
    std::lock_guard<std::mutex> lock(mutex);
    kept.push_back(std::move(arena));
    kept.push_back(std::move(workspace));
  }
  return {};
}

/// How a call is launched now.
Runner::Manner Runner::mannerOf(Stream stream) const {
  CaptureStatus capture = CaptureStatus::None;
  // The default stream cannot be recorded.
  if (stream)
    (void)device.driver().streamIsCapturing(stream, &capture);
  // What the host records cannot be waited for.
  if (capture != CaptureStatus::None)
    return {LaunchMode::Queued, /*recorded=*/true};
  if (Profile::wanted() || logs("runtime"))
    return {LaunchMode::Timed, false};
  return {options.synchronous ? LaunchMode::Synchronous : LaunchMode::Queued, false};
}

Status Runner::enqueue(const EntryCall &call, const KernelTable &kernels, Stream stream,
                       CallError &error) {
  Manner manner = mannerOf(stream);
  if (manner.mode == LaunchMode::Queued && !manner.recorded && options.graphs) {
    bool launched = false;
    Status status = graphCache->launch(call, stream, launched);
    if (!status.ok())
      error = CallError::Device;
    if (!status.ok() || launched)
      return status;
  }
  return launchAll(call, kernels, stream, manner, error);
}

/// Gives a bound input its memory, which stays as long as the program.
Status Runner::placeBound(size_t input, int64_t bytes, EntryCall &resident, CallError &error) {
  std::lock_guard<std::mutex> lock(mutex);
  const void *host = resident.buffers[input];
  auto known = bound.find(host);
  if (known == bound.end()) {
    DeviceMemory memory;
    if (Status status = allocate(bytes, device.stream(), memory, error); !status.ok())
      return status;
    error = CallError::Device;
    Status status = device.staging().copyIn(memory.address(), host, bytes, device.stream());
    // Calls on any stream will read it.
    if (status.ok())
      status =
          device.check(device.driver().streamSynchronize(device.stream()), "copying to it failed");
    if (!status.ok())
      return status;
    error = CallError::None;
    known = bound.emplace(host, std::move(memory)).first;
  }
  resident.buffers[input] = known->second.pointer();
  return {};
}

/// Kernels read several numbers at once.
static Status checkAlignment(const EntryCall &call, const std::vector<int64_t> &bytes) {
  for (size_t i = 0; i < bytes.size(); ++i) {
    bool isInput = i < call.inputs();
    if (bytes[i] == 0 || (isInput && call.entry->isBound(i)) ||
        reinterpret_cast<Address>(call.buffers[i]) % kBufferAlignment == 0)
      continue;
    size_t number = isInput ? i : i - call.inputs();
    const EntryInfo &info = call.entry->info;
    const std::string &name = (isInput ? info.inputs : info.outputs)[number].name;
    return {std::string(isInput ? "input " : "output ") + std::to_string(number) +
            (name.empty() ? "" : " ('" + name + "')") + " must begin at a multiple of " +
            std::to_string(kBufferAlignment) + " bytes, found address " +
            std::to_string(reinterpret_cast<Address>(call.buffers[i]))};
  }
  return {};
}

MachineFacts Runner::machine() const {
  return {device.properties().label(), roofOf(device.properties())};
}

Status Runner::runResident(const EntryCall &call, const KernelTable &kernels, void *stream,
                           CallError &error) {
  Device::Scope scope(device);
  error = CallError::Device;
  if (!scope.status().ok())
    return named(call, scope.status());
  EntryCall resident = call;
  std::vector<int64_t> bytes = call.bufferBytes();
  error = CallError::Argument;
  if (Status status = checkAlignment(call, bytes); !status.ok())
    return named(call, status);
  error = CallError::None;
  for (size_t i = 0; i < call.inputs(); ++i)
    if (call.entry->isBound(i))
      if (Status status = placeBound(i, bytes[i], resident, error); !status.ok())
        return named(call, status);
  return named(call, enqueue(resident, kernels, static_cast<Stream>(stream), error));
}

//===----------------------------------------------------------------------===//
// On arrays of the host
//===----------------------------------------------------------------------===//

/// Gives every array its memory, inputs with their content.
Status Runner::placeArrays(const EntryCall &call, EntryCall &resident,
                           std::vector<DeviceMemory> &memory, CallError &error) {
  std::vector<int64_t> bytes = call.bufferBytes();
  auto place = [&](size_t i) {
    memory.emplace_back();
    Status status = allocate(bytes[i], device.stream(), memory.back(), error);
    resident.buffers[i] = memory.back().pointer();
    return status;
  };
  for (size_t i = 0; i < call.inputs(); ++i) {
    if (call.entry->isBound(i)) {
      if (Status status = placeBound(i, bytes[i], resident, error); !status.ok())
        return status;
      continue;
    }
    if (Status status = place(i); !status.ok())
      return status;
    if (Status status = device.staging().copyIn(memory.back().address(), call.buffers[i], bytes[i],
                                                device.stream());
        !status.ok()) {
      error = CallError::Device;
      return status;
    }
  }
  for (size_t i = call.inputs(); i < bytes.size(); ++i) {
    int alias = call.entry->info.outputs[i - call.inputs()].alias;
    if (alias >= 0)
      resident.buffers[i] = resident.buffers[static_cast<size_t>(alias)];
    else if (Status status = place(i); !status.ok())
      return status;
  }
  return {};
}

Status Runner::run(const EntryCall &call, const KernelTable &kernels, CallError &error) {
  Device::Scope scope(device);
  error = CallError::Device;
  if (!scope.status().ok())
    return named(call, scope.status());
  EntryCall resident = call;
  std::vector<DeviceMemory> memory;
  if (Status status = placeArrays(call, resident, memory, error); !status.ok())
    return named(call, status);
  if (Status status = enqueue(resident, kernels, device.stream(), error); !status.ok())
    return named(call, status);
  error = CallError::Device;
  if (Status status = waitForKernels(); !status.ok())
    return named(call, status);
  std::vector<int64_t> bytes = call.bufferBytes();
  for (size_t i = call.inputs(); i < bytes.size(); ++i)
    if (Status status = device.staging().copyOut(call.buffers[i],
                                                 reinterpret_cast<Address>(resident.buffers[i]),
                                                 bytes[i], device.stream());
        !status.ok())
      return named(call, status);
  error = CallError::None;
  return {};
}
