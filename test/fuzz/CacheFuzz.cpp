//===- CacheFuzz.cpp - Entries of the cache of compiled programs ----------===//
// An input is the content of an entry. It is stored under its checksum, and the
// same bytes are an entry's file, which must count as absent. Nothing is linked.

#include "Target.h"

#include "runtime/jit/Cache.h"
#include "runtime/jit/Package.h"
#include "test/TemporaryFolder.h"

#include <fstream>

using namespace aft;
using namespace aft::fuzz;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static test::TemporaryFolder folder; // goes with the process
  static unsigned count = 0;
  std::string content(textOf(data, size));
  if (std::optional<Package> package = Package::deserialize(content))
    promise(package->serialize() == content, "a package reads as it was");
  // Files are slow.
  if (count++ % 16 != 0)
    return 0;
  Cache cache(folder.path);
  std::string key = hashOf("key");
  promise(cache.store(key, content).ok() && cache.load(key) == content, "the cache keeps contents");
  std::ofstream(folder.path + "/" + key, std::ios::binary | std::ios::trunc) << content;
  promise(!cache.load(key), "what has no checksum is absent");
  return 0;
}
