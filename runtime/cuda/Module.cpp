//===- Module.cpp - Kernels of a program, loaded into a GPU ---------------===//

#include "runtime/cuda/Module.h"

#include "runtime/core/Log.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>

using namespace aft;
using namespace aft::cuda;

/// What a launch may ask for without the kernel being prepared for more.
static constexpr int kUsualSharedBytes = 48 << 10;
/// The driver's limit on the parameters of a kernel.
static constexpr int kMostParameterBytes = 4096;
static constexpr size_t kJitLogBytes = 16 << 10;

bool cuda::runsOn(const std::string &arch, const DeviceProperties &properties, bool isPtx) {
  if (arch.rfind("sm_", 0) != 0 || arch.size() < 5)
    return false;
  char *end;
  long wanted = std::strtol(arch.c_str() + 3, &end, 10);
  long found = properties.major * 10 + properties.minor;
  if (*end == 'a' && !end[1])
    return wanted == found;
  if (*end || wanted > found)
    return false;
  return isPtx || wanted / 10 == properties.major;
}

std::string cuda::labelOf(const KernelCode &kernel) {
  constexpr size_t most = 3;
  std::string places;
  for (size_t i = 0; i < std::min(most, kernel.places.size()); ++i)
    places += (i ? ", " : "") + kernel.places[i];
  if (kernel.places.size() > most)
    places += " and " + std::to_string(kernel.places.size() - most) + " more";
  return "kernel '" + kernel.name + "'" + (places.empty() ? "" : " (" + places + ")");
}

Status Module::compile(const DeviceCode::Image &ptx) {
  std::string errors(kJitLogBytes, '\0'), notes(kJitLogBytes, '\0');
  JitOption options[] = {JitOption::ErrorLog, JitOption::ErrorLogBytes, JitOption::InfoLog,
                         JitOption::InfoLogBytes};
  // Sizes are handed over in place of pointers.
  void *values[] = {errors.data(), reinterpret_cast<void *>(errors.size()), notes.data(),
                    reinterpret_cast<void *>(notes.size())};
  Result result = gpu->driver().moduleLoadDataEx(&handle, ptx.bytes.c_str(), 4, options, values);
  auto textOf = [](std::string &log) {
    log.resize(std::min(log.find('\0'), log.size()));
    while (!log.empty() && std::isspace(static_cast<unsigned char>(log.back())))
      log.pop_back();
    return log;
  };
  if (std::string text = textOf(notes); !text.empty())
    log("compile", gpu->properties().label() + ": " + text);
  if (result == Result::Success)
    return {};
  handle = nullptr;
  std::string text = textOf(errors);
  std::string hint = result == Result::UnsupportedPtxVersion
                         ? "; the driver is for CUDA " + versionText(gpu->driver().version()) +
                               ", a later one may read it"
                         : "";
  return {gpu->properties().label() + ": the driver refuses the PTX for " + ptx.arch + ": " +
          gpu->driver().nameOf(result) + hint + (text.empty() ? "" : "\n" + text)};
}

Status Module::loadImage(const DeviceCode &code) {
  const DeviceProperties &properties = gpu->properties();
  std::string known;
  for (const DeviceCode::Image &cubin : code.cubins) {
    known += (known.empty() ? "" : ", ") + cubin.arch;
    if (!runsOn(cubin.arch, properties, /*isPtx=*/false))
      continue;
    Result result =
        gpu->driver().moduleLoadDataEx(&handle, cubin.bytes.data(), 0, nullptr, nullptr);
    if (result == Result::Success)
      return {};
    handle = nullptr;
    // A driver may know the architecture, but not this form of its code, which a later
    // ptxas made.
    bool isUnknown = result == Result::NoBinaryForGpu || result == Result::InvalidImage ||
                     result == Result::UnsupportedPtxVersion;
    if (!isUnknown || code.ptx.bytes.empty())
      return gpu->check(result, "the code for " + cubin.arch + " cannot be loaded");
  }
  if (!code.ptx.bytes.empty() && runsOn(code.ptx.arch, properties, /*isPtx=*/true))
    return compile(code.ptx);
  if (!code.ptx.bytes.empty())
    known += (known.empty() ? "" : ", ") + code.ptx.arch + " (PTX)";
  std::string own = "sm_" + std::to_string(properties.major * 10 + properties.minor);
  return {properties.label() + " is " + own + ", but the program is compiled for " +
          (known.empty() ? "no GPU" : known) + "; --target=cuda:" + own + " compiles for this one"};
}

Status Module::addKernel(const KernelCode &code) {
  const Driver &driver = gpu->driver();
  Kernel kernel{code};
  std::string label = labelOf(code);
  if ((code.buffers + code.extents) * 8 > kMostParameterBytes)
    return {gpu->properties().label() + ": " + label + " takes " +
            std::to_string(code.buffers + code.extents) + " parameters, at most " +
            std::to_string(kMostParameterBytes / 8) + " are possible"};
  if (Status status =
          gpu->check(driver.moduleGetFunction(&kernel.function, handle, code.name.c_str()),
                     label + " is not in the code");
      !status.ok())
    return status;
  int threads = 0, declared = 0;
  (void)driver.funcGetAttribute(&threads, FunctionAttribute::MaxThreads, kernel.function);
  (void)driver.funcGetAttribute(&declared, FunctionAttribute::StaticSharedBytes, kernel.function);
  if (code.threads < 1 || code.threads > threads)
    return {gpu->properties().label() + ": " + label + " needs blocks of " +
            std::to_string(code.threads) + " threads, possible are " + std::to_string(threads)};
  int most = gpu->properties().mostSharedBytes;
  if (declared + code.sharedBytes > std::max(most, kUsualSharedBytes))
    return {gpu->properties().label() + ": " + label + " needs " +
            std::to_string(declared + code.sharedBytes) +
            " bytes of shared memory per block, there are " + std::to_string(most)};
  if (declared + code.sharedBytes > kUsualSharedBytes)
    if (Status status = gpu->check(
            driver.funcSetAttribute(kernel.function, FunctionAttribute::MaxDynamicSharedBytes,
                                    code.sharedBytes),
            label + " cannot have " + std::to_string(code.sharedBytes) + " bytes of shared memory");
        !status.ok())
      return status;
  kernels.emplace(code.name, std::move(kernel));
  return {};
}

Status Module::load(std::shared_ptr<Device> device, const DeviceCode &code,
                    std::shared_ptr<const Module> &module) {
  std::shared_ptr<Module> made(new Module(std::move(device)));
  Device::Scope scope(*made->gpu);
  if (!scope.status().ok())
    return scope.status();
  if (Status status = made->loadImage(code); !status.ok())
    return status;
  for (const KernelCode &kernel : code.kernels)
    if (Status status = made->addKernel(kernel); !status.ok())
      return status;
  module = std::move(made);
  return {};
}

Module::~Module() {
  if (!handle)
    return;
  Device::Scope scope(*gpu);
  (void)gpu->driver().moduleUnload(handle);
}

const Module::Kernel *Module::find(std::string_view name) const {
  auto found = kernels.find(name);
  return found == kernels.end() ? nullptr : &found->second;
}
