//===- KernelStore.cpp - Object code of kernels, in memory and on disk ----===//

#include "runtime/jit/KernelStore.h"

#include <deque>
#include <mutex>
#include <unordered_map>

using namespace aft;

namespace {
/// The last objects of this process.
class Recent {
public:
  std::optional<std::string> load(const std::string &key) {
    std::lock_guard lock(mutex);
    auto found = objects.find(key);
    return found == objects.end() ? std::nullopt : std::optional(found->second);
  }

  void store(const std::string &key, const std::string &object) {
    std::lock_guard lock(mutex);
    if (object.size() > KernelStore::kMostBytes || !objects.emplace(key, object).second)
      return;
    order.push_back(key);
    bytes += object.size();
    while (bytes > KernelStore::kMostBytes) {
      auto oldest = objects.find(order.front());
      bytes -= oldest->second.size();
      objects.erase(oldest);
      order.pop_front();
    }
  }

private:
  std::mutex mutex;
  std::unordered_map<std::string, std::string> objects;
  std::deque<std::string> order;
  size_t bytes = 0;
};
} // namespace

static Recent &recent() {
  static Recent instance;
  return instance;
}

KernelStore::KernelStore(const Cache &cache) : cache(cache), identity(compilerIdentity()) {}

KernelStore::~KernelStore() = default;

std::string KernelStore::cacheKey(const std::string &key) const {
  return hashOf("kernel " + identity + "\n" + key);
}

std::optional<std::string> KernelStore::load(const std::string &key) {
  std::optional<std::string> object = recent().load(key);
  if (object) {
    // It may come from another folder, or from before there was one.
    if (cache.enabled() && !cache.has(cacheKey(key)))
      (void)cache.store(cacheKey(key), *object);
  } else if ((object = cache.load(cacheKey(key)))) {
    recent().store(key, *object);
  }
  count += object.has_value();
  return object;
}

void KernelStore::store(const std::string &key, const std::string &object) {
  recent().store(key, object);
  if (cache.enabled())
    (void)cache.store(cacheKey(key), object);
}
