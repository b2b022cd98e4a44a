//===- ResidentCall.cpp - A call that repeats on memory of the GPU --------===//

#include "runtime/cuda/ResidentCall.h"

#include "runtime/cuda/Staging.h"

using namespace aft;
using namespace aft::cuda;

ResidentCall::ResidentCall(std::shared_ptr<Device> device, std::shared_ptr<const Program> program,
                           std::string entry, std::vector<Buffer> outputs)
    : device(std::move(device)), program(std::move(program)), entry(std::move(entry)),
      results(std::move(outputs)) {}

ResidentCall::~ResidentCall() {
  Device::Scope scope(*device);
  (void)device->driver().streamSynchronize(device->stream());
  memory.clear();
}

static int64_t bytesOf(const Buffer &buffer) {
  int64_t bytes = sizeOf(buffer.dtype);
  for (int64_t extent : buffer.shape)
    bytes *= extent;
  return bytes;
}

Status ResidentCall::place(const Buffer &buffer, Buffer &resident) {
  resident = buffer;
  memory.emplace_back();
  Status status = memory.back().allocate(device->allocator(), bytesOf(buffer), device->stream());
  resident.data = memory.back().pointer();
  return status;
}

Status ResidentCall::copyIn(const std::vector<Buffer> &given) {
  for (const Buffer &buffer : given) {
    inputs.emplace_back();
    Status status = place(buffer, inputs.back());
    if (status.ok())
      status = device->staging().copyIn(memory.back().address(), buffer.data, bytesOf(buffer),
                                        device->stream());
    if (!status.ok())
      return status;
  }
  return {};
}

Status ResidentCall::placeOutputs() {
  const EntryInfo *info = program->entry(entry);
  for (size_t i = 0; i < results.size(); ++i) {
    outputs.emplace_back();
    int alias = info && i < info->outputs.size() ? info->outputs[i].alias : -1;
    if (alias >= 0)
      outputs.back() = inputs[static_cast<size_t>(alias)];
    else if (Status status = place(results[i], outputs.back()); !status.ok())
      return status;
  }
  return {};
}

Status ResidentCall::create(std::shared_ptr<Device> device, std::shared_ptr<const Program> program,
                            std::string entry, const std::vector<Buffer> &inputs,
                            const std::vector<Buffer> &outputs,
                            std::shared_ptr<ResidentCall> &call) {
  // The program checks the call; sizes are computed from shapes that fit it.
  std::vector<std::vector<int64_t>> shapes;
  if (Status status = program->outputShapes(entry, inputs, shapes); !status.ok())
    return status;
  std::shared_ptr<ResidentCall> made(
      new ResidentCall(std::move(device), std::move(program), std::move(entry), outputs));
  Device::Scope scope(*made->device);
  Status status = scope.status();
  if (status.ok())
    status = made->copyIn(inputs);
  if (status.ok())
    status = made->placeOutputs();
  if (status.ok())
    call = std::move(made);
  return status;
}

Status ResidentCall::create(int ordinal, std::shared_ptr<const Program> program, std::string entry,
                            const std::vector<Buffer> &inputs, const std::vector<Buffer> &outputs,
                            std::shared_ptr<ResidentCall> &call) {
  std::shared_ptr<Device> device;
  if (Status status = Device::shared(ordinal, device); !status.ok())
    return status;
  return create(std::move(device), std::move(program), std::move(entry), inputs, outputs, call);
}

Status ResidentCall::run() const {
  return program->runResident(entry, inputs, outputs, device->stream());
}

Status ResidentCall::wait() const {
  Device::Scope scope(*device);
  if (!scope.status().ok())
    return scope.status();
  return device->check(device->driver().streamSynchronize(device->stream()),
                       "a kernel of entry '" + entry + "' failed");
}

Status ResidentCall::fetch() const {
  Device::Scope scope(*device);
  if (!scope.status().ok())
    return scope.status();
  for (size_t i = 0; i < results.size(); ++i)
    if (Status status =
            device->staging().copyOut(results[i].data, reinterpret_cast<Address>(outputs[i].data),
                                      bytesOf(results[i]), device->stream());
        !status.ok())
      return status;
  return wait();
}
