//===- KernelStoreTest.cpp - Object code that earlier programs left -------===//

#include "runtime/jit/KernelStore.h"
#include "test/TemporaryFolder.h"

#include <fstream>
#include <gtest/gtest.h>

using namespace aft;
namespace fs = std::filesystem;

namespace {
class KernelStoreTest : public testing::Test {
protected:
  /// Makes the process forget what it had before.
  void fill(const std::string &name) {
    Cache none("");
    KernelStore store(none);
    for (int i = 0; i < 8; ++i)
      store.store(hashOf(name + std::to_string(i)), std::string(KernelStore::kMostBytes / 8, 'x'));
  }

  test::TemporaryFolder temporary;
  const std::string folder = temporary.path;
  std::string object = std::string("\x7f"
                                   "ELF code\0and data",
                                   18);
};
} // namespace

TEST_F(KernelStoreTest, FindsWhatTheProcessCompiled) {
  Cache none("");
  KernelStore first(none), second(none);
  EXPECT_FALSE(first.load(hashOf("process")));
  first.store(hashOf("process"), object);
  EXPECT_EQ(second.load(hashOf("process")), object);
  EXPECT_EQ(first.found(), 0);
  EXPECT_EQ(second.found(), 1);
}

TEST_F(KernelStoreTest, LeavesWhatTheProcessHasInEveryFolder) {
  Cache none(""), cache(folder + "/one"), other(folder + "/other");
  KernelStore(none).store(hashOf("early"), object);
  for (const Cache *each : {&cache, &other})
    EXPECT_EQ(KernelStore(*each).load(hashOf("early")), object);
  fill("most");
  for (const Cache *each : {&cache, &other})
    EXPECT_EQ(KernelStore(*each).load(hashOf("early")), object);
  // What is there is left alone.
  fs::path entry = fs::directory_iterator(folder + "/one")->path();
  fs::file_time_type early = fs::last_write_time(entry) - std::chrono::hours(1);
  fs::last_write_time(entry, early);
  EXPECT_EQ(KernelStore(cache).load(hashOf("early")), object);
  EXPECT_EQ(fs::last_write_time(entry), early);
}

TEST_F(KernelStoreTest, ForgetsTheOldestWhereThereIsNoCache) {
  Cache none("");
  KernelStore store(none);
  store.store(hashOf("oldest"), object);
  fill("other");
  EXPECT_FALSE(store.load(hashOf("oldest")));
  EXPECT_TRUE(store.load(hashOf("other7")));
  store.store(hashOf("large"), std::string(KernelStore::kMostBytes + 1, 'x'));
  EXPECT_FALSE(store.load(hashOf("large")));
  EXPECT_TRUE(store.load(hashOf("other7")));
}

TEST_F(KernelStoreTest, FindsWhatIsInTheCacheUnlessDamaged) {
  Cache cache(folder);
  KernelStore store(cache);
  store.store(hashOf("disk"), object);
  fill("more");
  EXPECT_EQ(store.load(hashOf("disk")), object);
  fill("still more");
  for (const auto &entry : fs::directory_iterator(folder)) {
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(fs::file_size(entry) - 3));
    file.write("?", 1);
  }
  EXPECT_FALSE(store.load(hashOf("disk")));
}
