//===- GraphCache.h - Calls that repeat, as CUDA graphs -------------------===//
// A training step or a step of a decoder is hundreds of short kernels, each of which costs
// the CPU some microseconds. A call that comes a second time with the same memory and
// extents is recorded once and from then on launched as a whole. Where only the memory
// changes, two recordings are kept side by side (a state that goes to and fro); the next
// takes the older one's place by an update of its parameters.

#ifndef AFT_RUNTIME_CUDA_GRAPHCACHE_H
#define AFT_RUNTIME_CUDA_GRAPHCACHE_H

#include "runtime/core/CallRunner.h"
#include "runtime/cuda/Allocator.h"
#include "runtime/cuda/Module.h"
#include "runtime/cuda/Products.h"

#include <deque>
#include <list>

namespace aft::cuda {

struct GraphStats {
  int64_t captures = 0, instantiations = 0, updates = 0, launches = 0, evictions = 0;
};

/// The graphs of a program on one GPU. Safe to use from several threads; calls are made
/// within a Device::Scope.
class GraphCache {
public:
  /// Graphs of all entries that are kept, and of one entry with the same extents.
  static constexpr size_t kMost = 16, kMostAlike = 2;

  /// `products`: null where kernels compute them.
  GraphCache(std::shared_ptr<const Module> module, std::shared_ptr<Products> products)
      : module(std::move(module)), products(std::move(products)) {}
  ~GraphCache();
  GraphCache(const GraphCache &) = delete;
  GraphCache &operator=(const GraphCache &) = delete;

  /// Launches a call's graph; `launched` is false where it has none (yet) and must be
  /// launched kernel by kernel.
  Status launch(const EntryCall &call, Stream stream, bool &launched);

  /// Gives up all graphs and their scratch memory; whether there were any.
  bool clear();

  GraphStats stats() const;

private:
  struct Instance {
    const CompiledEntry *entry;
    std::vector<void *> buffers;
    std::vector<int64_t> dims;
    DeviceMemory arena = {}, workspace = {};
    int64_t workspaceBytes = 0;
    GraphExec exec = nullptr;
  };
  using Place = std::list<Instance>::iterator;

  bool isKnown(const EntryCall &call);
  Place find(const EntryCall &call);
  Status make(const EntryCall &call, Stream stream);
  Status growWorkspace(Stream stream, Instance &instance) const;
  Status capture(const EntryCall &call, const Instance &instance, Graph &graph);
  Status instantiate(Instance &instance, Graph graph);
  void erase(Place place);

  const std::shared_ptr<const Module> module;
  const std::shared_ptr<Products> products;
  mutable std::mutex mutex;      ///< guards everything below
  std::list<Instance> instances; ///< the last used first
  std::deque<size_t> known;      ///< hashes of the last calls without a graph
  bool works = true;             ///< until a recording fails
  GraphStats counts;
};

} // namespace aft::cuda

#endif // AFT_RUNTIME_CUDA_GRAPHCACHE_H
