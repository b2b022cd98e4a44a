//===- Arrays.cpp - Memory of a GPU for callers on the host ---------------===//

#include "runtime/cuda/Arrays.h"

#include "runtime/cuda/Staging.h"

using namespace aft;
using namespace aft::cuda;

Status Arrays::open(std::shared_ptr<Device> device, std::shared_ptr<Arrays> &arrays) {
  arrays.reset(new Arrays(std::move(device)));
  return {};
}

Status Arrays::open(int ordinal, std::shared_ptr<Arrays> &arrays) {
  std::shared_ptr<Device> device;
  if (Status status = Device::shared(ordinal, device); !status.ok())
    return status;
  return open(std::move(device), arrays);
}

Status Arrays::make(int64_t bytes, std::shared_ptr<const Array> &array) const {
  Device::Scope scope(*device);
  if (!scope.status().ok())
    return scope.status();
  auto made = std::make_shared<Array>();
  made->device = device;
  made->size = bytes;
  Status status = made->memory.allocate(device->allocator(), bytes, device->stream());
  if (status.ok())
    array = std::move(made);
  return status;
}

Status Arrays::copyIn(const Array &array, const void *from) const {
  Device::Scope scope(*device);
  if (!scope.status().ok())
    return scope.status();
  return device->staging().copyIn(array.memory.address(), from, array.size, device->stream());
}

Status Arrays::copyOut(void *to, const Array &array) const {
  Device::Scope scope(*device);
  if (!scope.status().ok())
    return scope.status();
  if (Status status =
          device->staging().copyOut(to, array.memory.address(), array.size, device->stream());
      !status.ok())
    return status;
  return device->check(device->driver().streamSynchronize(device->stream()),
                       "a kernel before a copy failed");
}

void *Arrays::stream() const { return device->stream(); }
