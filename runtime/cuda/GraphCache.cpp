//===- GraphCache.cpp - Calls that repeat, as CUDA graphs -----------------===//

#include "runtime/cuda/GraphCache.h"

#include "runtime/core/Log.h"
#include "runtime/cuda/Launcher.h"

#include <algorithm>
#include <functional>

using namespace aft;
using namespace aft::cuda;

/// Calls that are remembered until they come again.
static constexpr size_t kMostKnown = 64;

static size_t hashOf(const EntryCall &call) {
  auto bytesOf = [](const auto &values) {
    return std::string_view(reinterpret_cast<const char *>(values.data()),
                            values.size() * sizeof values[0]);
  };
  std::hash<std::string_view> hash;
  return std::hash<const void *>()(call.entry) ^ hash(bytesOf(call.buffers)) ^
         (hash(bytesOf(call.dims)) << 1);
}

GraphCache::~GraphCache() { (void)clear(); }

bool GraphCache::clear() {
  std::lock_guard<std::mutex> lock(mutex);
  bool any = !instances.empty();
  while (!instances.empty())
    erase(instances.begin());
  return any;
}

GraphStats GraphCache::stats() const {
  std::lock_guard<std::mutex> lock(mutex);
  return counts;
}

/// The graph goes when its last launch is done; its arena must not be used before that.
void GraphCache::erase(Place place) {
  Device &device = module->device();
  Device::Scope scope(device);
  if (place->exec) {
    (void)device.driver().ctxSynchronize();
    (void)device.driver().graphExecDestroy(place->exec);
  }
  instances.erase(place);
}

/// Whether the call has come before; remembers it. Two calls with one hash do no harm.
bool GraphCache::isKnown(const EntryCall &call) {
  size_t hash = hashOf(call);
  if (auto found = std::find(known.begin(), known.end(), hash); found != known.end()) {
    known.erase(found);
    return true;
  }
  known.push_back(hash);
  if (known.size() > kMostKnown)
    known.pop_front();
  return false;
}

GraphCache::Place GraphCache::find(const EntryCall &call) {
  return std::find_if(instances.begin(), instances.end(), [&](const Instance &instance) {
    return instance.entry == call.entry && instance.buffers == call.buffers &&
           instance.dims == call.dims;
  });
}

/// Records what the entry launches, on a stream of its own: the default stream cannot be
/// recorded. Other threads may do meanwhile what they like.
Status GraphCache::capture(const EntryCall &call, const Instance &instance, Graph &graph) {
  const Device &device = module->device();
  const Driver &driver = device.driver();
  Stream stream = nullptr;
  if (Status status =
          device.check(driver.streamCreate(&stream, kStreamNonBlocking), "no stream can be made");
      !status.ok())
    return status;
  Status status = device.check(driver.streamBeginCapture(stream, CaptureMode::ThreadLocal),
                               "recording a graph cannot begin");
  if (status.ok()) {
    Launcher launcher(*module, stream, LaunchMode::Queued, /*kernels=*/nullptr,
                      {products, instance.workspace.address(), instance.workspaceBytes});
    call.entry->run(call.buffers.data(), call.dims.data(), instance.arena.pointer(),
                    launcher.runtime());
    launcher.finish();
    Status ended =
        device.check(driver.streamEndCapture(stream, &graph), "recording a graph failed");
    status = launcher.status().ok() ? ended : launcher.status();
    ++counts.captures;
  }
  (void)driver.streamDestroy(stream);
  return status;
}

Status GraphCache::instantiate(Instance &instance, Graph graph) {
  const Device &device = module->device();
  ++counts.instantiations;
  return device.check(device.driver().graphInstantiate(&instance.exec, graph, 0),
                      "a graph cannot be made executable");
}

/// Makes room for what products need: a recording cannot ask for memory. The call has run
/// before, so that their algorithms are chosen.
Status GraphCache::growWorkspace(Stream stream, Instance &instance) const {
  int64_t bytes = products ? products->workspaceBytes() : 0;
  if (bytes <= instance.workspaceBytes)
    return {};
  // The last launch of the graph may still use the old one.
  if (instance.exec)
    (void)module->device().driver().ctxSynchronize();
  instance.workspaceBytes = bytes;
  return instance.workspace.allocate(module->device().allocator(), bytes, stream);
}

/// Puts the call's graph in front.
Status GraphCache::make(const EntryCall &call, Stream stream) {
  const Driver &driver = module->device().driver();
  auto isAlike = [&](const Instance &instance) {
    return instance.entry == call.entry && instance.dims == call.dims;
  };
  Place place = instances.end();
  if (std::count_if(instances.begin(), instances.end(), isAlike) >=
      static_cast<std::ptrdiff_t>(kMostAlike))
    place = std::prev(std::find_if(instances.rbegin(), instances.rend(), isAlike).base());
  if (place == instances.end()) {
    if (instances.size() >= kMost) {
      erase(std::prev(instances.end()));
      ++counts.evictions;
    }
    place = instances.insert(instances.begin(), Instance{call.entry, call.buffers, call.dims});
    if (Status status =
            place->arena.allocate(module->device().allocator(), call.arenaBytes, stream);
        !status.ok()) {
      instances.erase(place);
      return status;
    }
  }
  Graph graph = nullptr;
  Status status = growWorkspace(stream, *place);
  if (status.ok())
    status = capture(call, *place, graph);
  GraphUpdateInfo info{};
  if (status.ok() && place->exec) {
    if (driver.graphExecUpdate(place->exec, graph, &info) == Result::Success) {
      ++counts.updates;
    } else {
      (void)driver.ctxSynchronize();
      (void)driver.graphExecDestroy(std::exchange(place->exec, nullptr));
    }
  }
  if (status.ok() && !place->exec)
    status = instantiate(*place, graph);
  if (graph)
    (void)driver.graphDestroy(graph);
  if (!status.ok()) {
    erase(place);
    return status;
  }
  place->buffers = call.buffers;
  instances.splice(instances.begin(), instances, place);
  return {};
}

Status GraphCache::launch(const EntryCall &call, Stream stream, bool &launched) {
  std::lock_guard<std::mutex> lock(mutex);
  launched = false;
  if (!works)
    return {};
  Place place = find(call);
  if (place != instances.end()) {
    instances.splice(instances.begin(), instances, place);
  } else {
    if (!isKnown(call))
      return {};
    if (Status status = make(call, stream); !status.ok()) {
      // The kernels one by one do the same; what is really wrong shows there, too.
      log("runtime", "no more CUDA graphs: " + status.message);
      works = false;
      return {};
    }
  }
  const Device &device = module->device();
  ++counts.launches;
  launched = true;
  Result result = device.driver().graphLaunch(instances.front().exec, stream);
  return device.check(result, isKernelFault(result) ? "a kernel before this call failed"
                                                    : "the graph of the call cannot be launched");
}
