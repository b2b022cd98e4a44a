//===- CacheTest.cpp - What the cache accepts and what it refuses ---------===//

#include "runtime/jit/Cache.h"
#include "runtime/jit/Package.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <sys/stat.h>

using namespace aft;
namespace fs = std::filesystem;

namespace {

class CacheTest : public testing::Test {
protected:
  void SetUp() override {
    std::string model = fs::temp_directory_path() / "aft-cache-XXXXXX";
    ASSERT_NE(mkdtemp(model.data()), nullptr);
    base = model;
    folder = base + "/deep/er";
  }
  void TearDown() override { fs::remove_all(base); }

  std::string read(const fs::path &path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void write(const fs::path &path, const std::string &bytes) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
  }

  std::string base, folder;
  const std::string key = hashOf("key"), content = std::string("code\0with zero", 14);
};

TEST_F(CacheTest, ReturnsWhatWasStored) {
  Cache cache(folder);
  EXPECT_FALSE(cache.load(key));
  ASSERT_TRUE(cache.store(key, content));
  EXPECT_EQ(cache.load(key), content);
  ASSERT_TRUE(cache.store(key, "newer"));
  EXPECT_EQ(cache.load(key), "newer");
  EXPECT_FALSE(cache.load(hashOf("other")));
  struct stat info;
  ASSERT_EQ(stat(folder.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
  // No temporary file stays behind.
  EXPECT_EQ(std::distance(fs::directory_iterator(folder), fs::directory_iterator()), 1);
}

TEST_F(CacheTest, TakesDamageForAbsence) {
  Cache cache(folder);
  ASSERT_TRUE(cache.store(key, content));
  fs::path entry = fs::path(folder) / key;
  const std::string good = read(entry);
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] ^= 1;
    write(entry, bad);
    ASSERT_FALSE(cache.load(key)) << "byte " << i << " was changed";
    write(entry, good.substr(0, i));
    ASSERT_FALSE(cache.load(key)) << "the file ends after " << i << " bytes";
  }
  write(entry, good + "x");
  EXPECT_FALSE(cache.load(key));
  write(entry, good);
  EXPECT_EQ(cache.load(key), content);
  // One entry's file does not stand for another's.
  fs::copy_file(entry, fs::path(folder) / hashOf("other"));
  EXPECT_FALSE(cache.load(hashOf("other")));
}

TEST_F(CacheTest, RefusesSymbolicLinksAndSharedFolders) {
  Cache cache(folder);
  ASSERT_TRUE(cache.store(key, content));
  fs::path entry = fs::path(folder) / key;
  fs::rename(entry, base + "/elsewhere");
  fs::create_symlink(base + "/elsewhere", entry);
  EXPECT_FALSE(cache.load(key));
  fs::remove(entry);
  fs::rename(base + "/elsewhere", entry);
  EXPECT_TRUE(cache.load(key));

  fs::create_directory_symlink(folder, base + "/link");
  EXPECT_FALSE(Cache(base + "/link").load(key));
  EXPECT_FALSE(Cache(base + "/link").store(key, content));

  ASSERT_EQ(chmod(folder.c_str(), 0777), 0);
  EXPECT_FALSE(cache.load(key));
  EXPECT_FALSE(cache.store(key, content));
}

TEST_F(CacheTest, IsSilentWhereItCannotWrite) {
  write(base + "/file", "");
  EXPECT_FALSE(Cache(base + "/file/folder").store(key, content));
  Cache none("");
  EXPECT_FALSE(none.enabled());
  EXPECT_FALSE(none.store(key, content));
  EXPECT_FALSE(none.load(key));
}

TEST(Package, SurvivesItsTextForm) {
  Package package;
  package.entries = {{"main", {{"x", {DType::bf16, {kDynamic, 8}}, -1}}, {{"", {}, 0}}}};
  package.checks = {"a check"};
  package.objects = {{"host", std::string("\0ELF", 4)}};
  package.kernels = {{"add", {{2, 4}, {0, 8}}}, {"empty", {}}};
  package.launches = 5;
  std::string bytes = package.serialize();
  std::optional<Package> copy = Package::deserialize(bytes);
  ASSERT_TRUE(copy);
  EXPECT_EQ(copy->serialize(), bytes);
  EXPECT_EQ(copy->entries[0].inputs[0].type.shape, (std::vector<int64_t>{kDynamic, 8}));
  EXPECT_EQ(copy->entries[0].outputs[0].alias, 0);
  for (size_t length = 0; length < bytes.size(); ++length)
    EXPECT_FALSE(Package::deserialize(bytes.substr(0, length))) << length;
  EXPECT_FALSE(Package::deserialize(bytes + "x"));
  // Nonsense never makes it read or allocate beyond its bytes.
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string bad = bytes;
    bad[i] = static_cast<char>(0xff);
    (void)Package::deserialize(bad);
  }
}

} // namespace
