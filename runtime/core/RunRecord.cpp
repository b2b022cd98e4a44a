//===- RunRecord.cpp - Measures one call of an entry ----------------------===//

#include "runtime/core/RunRecord.h"

#include "runtime/core/Clock.h"

#include <algorithm>
#include <sys/syscall.h>
#include <unistd.h>

using namespace aft;

int aft::threadNumber() {
  thread_local const int number = static_cast<int>(syscall(SYS_gettid));
  return number;
}

int64_t KernelInfo::bytes(const int64_t *dims) const {
  int64_t sum = 0;
  for (const Operand &operand : operands) {
    int64_t size = operand.elementBytes;
    for (int dim = 0; dim < operand.rank; ++dim)
      size *= *dims++;
    sum += size;
  }
  return sum;
}

namespace {
/// What the wrapper gets in place of the kernel's buffers.
struct Wrapped {
  aft_kernel_t kernel;
  void *const *buffers;
  std::mutex mutex;
  std::vector<RunRecord::Work> work; ///< guarded by mutex
};
} // namespace

RunRecord::RunRecord(std::string entry, std::vector<int64_t> extents, int64_t arenaBytes,
                     int threads, const KernelTable &kernels, const aft_runtime_t *inner)
    : entry(std::move(entry)), extents(std::move(extents)), arenaBytes(arenaBytes),
      threads(threads), thread(threadNumber()), start(now()), kernels(kernels), inner(inner) {
  callbacks.self = this;
  callbacks.parallel_for = [](void *self, aft_kernel_t kernel, void *const *buffers,
                              const int64_t *dims, const char *name) {
    static_cast<RunRecord *>(self)->launch(kernel, buffers, dims, name);
  };
}

void RunRecord::finish() { end = now(); }

int64_t RunRecord::chunk(void *const *buffers, const int64_t *dims, int64_t begin, int64_t end) {
  Wrapped &wrapped = *static_cast<Wrapped *>(buffers[0]);
  if (begin == end)
    return wrapped.kernel(wrapped.buffers, dims, begin, end);
  int64_t start = now();
  int64_t groups = wrapped.kernel(wrapped.buffers, dims, begin, end);
  int64_t stop = now();
  std::lock_guard<std::mutex> lock(wrapped.mutex);
  int thread = threadNumber();
  auto mine = std::find_if(wrapped.work.begin(), wrapped.work.end(),
                           [&](const Work &work) { return work.thread == thread; });
  if (mine == wrapped.work.end())
    mine = wrapped.work.insert(mine, {thread, start, stop, 0, 0});
  mine->end = stop;
  mine->busy += stop - start;
  mine->groups += end - begin;
  return groups;
}

void RunRecord::launch(aft_kernel_t kernel, void *const *buffers, const int64_t *dims,
                       const char *name) {
  Wrapped wrapped{kernel, buffers, {}, {}};
  void *wrappedBuffers[] = {&wrapped};
  Launch launch{name, now(), 0, 0, 0, {}};
  inner->parallel_for(inner->self, chunk, wrappedBuffers, dims, name);
  launch.end = now();
  launch.work = std::move(wrapped.work);
  for (const Work &work : launch.work)
    launch.groups += work.groups;
  if (auto known = kernels.find(launch.name); known != kernels.end())
    launch.bytes = known->second->bytes(dims);
  launches.push_back(std::move(launch));
}
