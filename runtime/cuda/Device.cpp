//===- Device.cpp - A GPU and its context ---------------------------------===//

#include "runtime/cuda/Device.h"

#include "runtime/core/Log.h"
#include "runtime/cuda/Allocator.h"
#include "runtime/cuda/Staging.h"

#include <map>
#include <mutex>

using namespace aft;
using namespace aft::cuda;

Device::Scope::Scope(const Device &device) : driver(device.driver()) {
  result = device.check(driver.ctxPushCurrent(device.context), "its context cannot be used");
}

Device::Scope::~Scope() {
  Context popped;
  if (result.ok())
    (void)driver.ctxPopCurrent(&popped);
}

Device::Device(std::shared_ptr<const Driver> driver, int ordinal)
    : library(std::move(driver)), memory(std::make_unique<Allocator>(*this)),
      transfers(std::make_unique<Staging>(*this)) {
  facts.ordinal = ordinal;
  facts.name = "name unknown";
}

Device::~Device() {
  if (!context)
    return;
  {
    Scope scope(*this);
    transfers.reset();
    memory.reset();
    if (own)
      (void)library->streamDestroy(own);
  }
  (void)library->primaryCtxRelease(number);
}

Status Device::check(Result result, const std::string &what) const {
  return library->check(result, facts.label() + ": " + what);
}

int64_t Device::freeBytes() const {
  size_t unused = 0, total = 0;
  return library->memGetInfo(&unused, &total) == Result::Success ? static_cast<int64_t>(unused) : 0;
}

Status Device::readProperties() {
  char name[256] = "";
  if (library->deviceGetName(name, sizeof name, number) == Result::Success)
    facts.name = name;
  int blocks = 0;
  const std::pair<DeviceAttribute, int *> attributes[] = {
      {DeviceAttribute::CapabilityMajor, &facts.major},
      {DeviceAttribute::CapabilityMinor, &facts.minor},
      {DeviceAttribute::Multiprocessors, &facts.multiprocessors},
      {DeviceAttribute::MaxGridX, &blocks},
      {DeviceAttribute::MaxSharedBytesOptIn, &facts.mostSharedBytes}};
  for (auto [attribute, value] : attributes)
    if (Status status = check(library->deviceGetAttribute(value, attribute, number),
                              "its properties cannot be read");
        !status.ok())
      return status;
  facts.mostBlocks = blocks;
  const std::pair<DeviceAttribute, int *> speeds[] = {
      {DeviceAttribute::ClockKHz, &facts.clockKHz},
      {DeviceAttribute::MemoryClockKHz, &facts.memoryClockKHz},
      {DeviceAttribute::MemoryBusBits, &facts.memoryBusBits}};
  for (auto [attribute, value] : speeds)
    if (library->deviceGetAttribute(value, attribute, number) != Result::Success)
      *value = 0;
  if (facts.major * 10 + facts.minor < kLeastCapability)
    return {facts.label() + " is too old: its compute capability is " +
            std::to_string(facts.major) + "." + std::to_string(facts.minor) + ", needed is " +
            std::to_string(kLeastCapability / 10) + "." + std::to_string(kLeastCapability % 10) +
            " (sm_" + std::to_string(kLeastCapability) + ") or higher"};
  return {};
}

Status Device::initialize() {
  int count = 0;
  if (Status status = library->check(library->deviceGetCount(&count), "GPUs cannot be counted");
      !status.ok())
    return status;
  if (facts.ordinal < 0 || facts.ordinal >= count)
    return {"no GPU " + std::to_string(facts.ordinal) + ": the CUDA driver finds " +
            std::to_string(count) + " (CUDA_VISIBLE_DEVICES may hide some)"};
  if (Status status = check(library->deviceGet(&number, facts.ordinal), "it cannot be opened");
      !status.ok())
    return status;
  if (Status status = readProperties(); !status.ok())
    return status;
  if (Status status = check(library->primaryCtxRetain(&context, number), "no context can be made");
      !status.ok()) {
    context = nullptr;
    return status;
  }
  Scope scope(*this);
  if (!scope.status().ok())
    return scope.status();
  size_t unused = 0, total = 0;
  if (Status status = check(library->memGetInfo(&unused, &total), "its memory cannot be read");
      !status.ok())
    return status;
  facts.memoryBytes = static_cast<int64_t>(total);
  return check(library->streamCreate(&own, kStreamNonBlocking), "no stream can be made");
}

Status Device::open(std::shared_ptr<const Driver> driver, int ordinal,
                    std::shared_ptr<Device> &device) {
  std::shared_ptr<Device> made(new Device(std::move(driver), ordinal));
  if (Status status = made->initialize(); !status.ok())
    return status;
  const DeviceProperties &facts = made->properties();
  log("runtime", facts.label() + ": sm_" + std::to_string(facts.major * 10 + facts.minor) + ", " +
                     std::to_string(facts.multiprocessors) + " multiprocessors, " +
                     std::to_string(facts.memoryBytes >> 20) + " MiB");
  device = std::move(made);
  return {};
}

Status Device::shared(int ordinal, std::shared_ptr<Device> &device) {
  // Never destroyed: the driver may be gone when the process exits.
  static std::mutex &mutex = *new std::mutex;
  static auto &devices = *new std::map<int, std::shared_ptr<Device>>;
  std::shared_ptr<const Driver> driver;
  if (Status status = Driver::shared(driver); !status.ok())
    return status;
  std::lock_guard<std::mutex> lock(mutex);
  auto &known = devices[ordinal];
  if (!known)
    if (Status status = open(driver, ordinal, known); !status.ok())
      return status;
  device = known;
  return {};
}

Status cuda::readDevice(int ordinal, DeviceProperties &properties) {
  std::shared_ptr<Device> device;
  if (Status status = Device::shared(ordinal, device); !status.ok())
    return status;
  properties = device->properties();
  return {};
}
