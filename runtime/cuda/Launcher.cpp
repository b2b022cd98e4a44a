//===- Launcher.cpp - Launches the kernels of one call of an entry --------===//

#include "runtime/cuda/Launcher.h"

#include "runtime/core/Clock.h"

#include <limits>
#include <utility>

using namespace aft;
using namespace aft::cuda;

bool cuda::isKernelFault(Result result) {
  return result >= Result::IllegalAddress && result <= Result::LaunchFailed &&
         result != Result::LaunchOutOfResources;
}

Launcher::Launcher(const Module &module, Stream stream, LaunchMode mode, const KernelTable *kernels,
                   Library library)
    : module(module), driver(module.device().driver()), stream(stream), mode(mode),
      kernels(kernels), library(std::move(library)) {
  callbacks.self = this;
  callbacks.parallel_for = [](void *self, aft_kernel_t kernel, void *const *buffers,
                              const int64_t *dims, const char *name) {
    static_cast<Launcher *>(self)->launch(kernel, buffers, dims, name);
  };
  if (mode != LaunchMode::Timed)
    return;
  Result result = driver.eventCreate(&origin, kEventTimed);
  for (Event *event : {&before, &after})
    if (result == Result::Success)
      result = driver.eventCreate(event, kEventTimed);
  if (result == Result::Success)
    result = driver.eventRecord(origin, stream);
  if (result == Result::Success)
    result = driver.eventSynchronize(origin);
  start = now();
  error = module.device().check(result, "times cannot be taken");
}

Launcher::~Launcher() {
  for (Event event : {origin, before, after})
    if (event)
      (void)driver.eventDestroy(event);
}

void Launcher::fail(std::string message) {
  if (error.ok())
    error.message = module.device().properties().label() + ": " + std::move(message);
}

bool Launcher::succeeded(Result result, const Module::Kernel &kernel) {
  if (result == Result::Success)
    return true;
  std::string label = labelOf(kernel.code);
  if (isKernelFault(result) && mode == LaunchMode::Queued)
    fail("a kernel before " + label + " failed: " + driver.nameOf(result) +
         "; CUDA_LAUNCH_BLOCKING=1 finds out which");
  else
    fail(label + " failed: " + driver.nameOf(result));
  return false;
}

int64_t Launcher::blocksOf(const Module::Kernel &kernel, aft_kernel_t stub, void *const *buffers,
                           const int64_t *dims) {
  int64_t blocks = stub(buffers, dims, 0, 0);
  int64_t most = module.device().properties().mostBlocks;
  if (blocks >= 0 && blocks <= most)
    return blocks;
  fail(labelOf(kernel.code) + " needs " + std::to_string(blocks) + " blocks, expected from 0 to " +
       std::to_string(most));
  return -1;
}

void Launcher::enqueue(const Module::Kernel &kernel, int64_t blocks, void *const *buffers,
                       const int64_t *dims) {
  const KernelCode &code = kernel.code;
  parameters.clear();
  for (int i = 0; i < code.buffers; ++i)
    parameters.push_back(reinterpret_cast<uint64_t>(buffers[i]));
  parameters.insert(parameters.end(), dims, dims + code.extents);
  places.clear();
  for (uint64_t &parameter : parameters)
    places.push_back(&parameter);
  succeeded(driver.launchKernel(kernel.function, static_cast<unsigned>(blocks), 1, 1,
                                static_cast<unsigned>(code.threads), 1, 1,
                                static_cast<unsigned>(code.sharedBytes), stream, places.data(),
                                nullptr),
            kernel);
}

std::optional<Launcher::LibraryProduct>
Launcher::productFor(const Module::Kernel &kernel, void *const *buffers, const int64_t *dims) {
  if (!library.products || !kernel.code.product)
    return std::nullopt;
  auto [product, operands] = productOf(*kernel.code.product, buffers, dims);
  operands.workspace = library.workspace;
  operands.workspaceBytes = library.workspaceBytes;
  // A sum of nothing is no product of a library's.
  if (product.k == 0 || product.batch > std::numeric_limits<int32_t>::max())
    return std::nullopt;
  LibraryProduct withSums(product, operands);
  if (held.kernel &&
      takeSums(*held.kernel->code.columnSums, held.buffers.data(), held.dims.data(), withSums.first,
               withSums.second) &&
      library.products->knows(withSums.first, withSums.second)) {
    held.kernel = nullptr;
    return withSums;
  }
  if (!library.products->knows(product, operands))
    return std::nullopt;
  return LibraryProduct(product, operands);
}

/// Waits for a launch whose events have been recorded, if there are any.
void Launcher::wait(const Module::Kernel &kernel, int64_t blocks, const int64_t *dims) {
  if (mode == LaunchMode::Synchronous) {
    succeeded(driver.streamSynchronize(stream), kernel);
    return;
  }
  float from = 0, took = 0;
  if (!succeeded(driver.eventSynchronize(after), kernel) ||
      !succeeded(driver.eventElapsedTime(&from, origin, before), kernel) ||
      !succeeded(driver.eventElapsedTime(&took, before, after), kernel))
    return;
  auto nanoseconds = [](float milliseconds) {
    return static_cast<int64_t>(static_cast<double>(milliseconds) * 1e6);
  };
  int64_t begin = start + nanoseconds(from);
  times.push_back({kernel.code.name, begin, begin + nanoseconds(took), blocks, 0, {}});
  if (!kernels)
    return;
  if (auto known = kernels->find(kernel.code.name); known != kernels->end())
    times.back().bytes = known->second->bytes(dims);
}

/// Keeps sums of columns for the next launch, which may be a product that gives them, too.
bool Launcher::hold(const Module::Kernel &kernel, int64_t blocks, void *const *buffers,
                    const int64_t *dims) {
  if (!library.products || !kernel.code.columnSums)
    return false;
  held.kernel = &kernel;
  held.blocks = blocks;
  held.buffers.assign(buffers, buffers + kernel.code.buffers);
  held.dims.assign(dims, dims + kernel.code.extents);
  return true;
}

void Launcher::finish() {
  if (const Module::Kernel *kernel = std::exchange(held.kernel, nullptr))
    launchNow(*kernel, held.blocks, held.buffers.data(), held.dims.data());
}

void Launcher::launchNow(const Module::Kernel &kernel, int64_t blocks, void *const *buffers,
                         const int64_t *dims, const std::optional<LibraryProduct> &product) {
  if (!error.ok())
    return;
  if (mode == LaunchMode::Timed && !succeeded(driver.eventRecord(before, stream), kernel))
    return;
  if (!product)
    enqueue(kernel, blocks, buffers, dims);
  else if (Status status = library.products->run(product->first, product->second, stream);
           !status.ok())
    error = {labelOf(kernel.code) + ": " + status.message};
  if (mode == LaunchMode::Queued || !error.ok())
    return;
  if (mode == LaunchMode::Timed && !succeeded(driver.eventRecord(after, stream), kernel))
    return;
  wait(kernel, blocks, dims);
}

void Launcher::launch(aft_kernel_t stub, void *const *buffers, const int64_t *dims,
                      const char *name) {
  if (!error.ok())
    return;
  const Module::Kernel *kernel = module.find(name);
  if (!kernel)
    return fail("kernel '" + std::string(name) + "' is not in the code for the GPU");
  int64_t blocks = blocksOf(*kernel, stub, buffers, dims);
  if (blocks <= 0)
    return;
  std::optional<LibraryProduct> product = productFor(*kernel, buffers, dims);
  finish();
  if (!hold(*kernel, blocks, buffers, dims))
    launchNow(*kernel, blocks, buffers, dims, product);
}
