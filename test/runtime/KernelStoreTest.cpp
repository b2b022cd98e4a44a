//===- KernelStoreTest.cpp - Object code that earlier programs left -------===//

#include "runtime/jit/KernelStore.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>

using namespace aft;
namespace fs = std::filesystem;

namespace {
class KernelStoreTest : public testing::Test {
protected:
  void SetUp() override {
    std::string model = fs::temp_directory_path() / "aft-kernels-XXXXXX";
    ASSERT_NE(mkdtemp(model.data()), nullptr);
    folder = model;
  }
  void TearDown() override { fs::remove_all(folder); }

  /// Makes the process forget what it had before.
  void fill(const std::string &name) {
    Cache none("");
    KernelStore store(none);
    for (int i = 0; i < 8; ++i)
      store.store(hashOf(name + std::to_string(i)), std::string(KernelStore::kMostBytes / 8, 'x'));
  }

  std::string folder;
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
