//===- CacheTest.cpp - What the cache accepts and what it refuses ---------===//

#include "runtime/jit/Cache.h"
#include "runtime/jit/Package.h"
#include "test/TemporaryFolder.h"

#include <atomic>
#include <fstream>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

using namespace aft;
namespace fs = std::filesystem;

namespace {

class CacheTest : public testing::Test {
protected:
  std::string read(const fs::path &path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void write(const fs::path &path, const std::string &bytes) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
  }

  test::TemporaryFolder temporary;
  const std::string base = temporary.path, folder = base + "/deep/er";
  const std::string key = hashOf("key"), content = std::string("code\0with zero", 14);
};

TEST_F(CacheTest, ReturnsWhatWasStored) {
  Cache cache(folder);
  EXPECT_FALSE(cache.load(key));
  ASSERT_TRUE(cache.store(key, content).ok());
  EXPECT_EQ(cache.load(key), content);
  ASSERT_TRUE(cache.store(key, "newer").ok());
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
  ASSERT_TRUE(cache.store(key, content).ok());
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
  ASSERT_TRUE(cache.store(key, content).ok());
  fs::path entry = fs::path(folder) / key;
  fs::rename(entry, base + "/elsewhere");
  fs::create_symlink(base + "/elsewhere", entry);
  EXPECT_FALSE(cache.load(key));
  fs::remove(entry);
  fs::rename(base + "/elsewhere", entry);
  EXPECT_TRUE(cache.load(key));

  fs::create_directory_symlink(folder, base + "/link");
  EXPECT_FALSE(Cache(base + "/link").load(key));
  EXPECT_EQ(Cache(base + "/link").store(key, content).message,
            base + "/link: expected a folder, found a link");

  for (mode_t mode : {0777, 0770, 0720, 0702}) {
    ASSERT_EQ(chmod(folder.c_str(), mode), 0);
    EXPECT_FALSE(cache.load(key)) << std::oct << mode;
    EXPECT_FALSE(cache.store(key, content).ok()) << std::oct << mode;
  }
  EXPECT_NE(cache.store(key, content).message.find("that only its owner, this user, can write to, "
                                                   "found owner "),
            std::string::npos);
  ASSERT_EQ(chmod(folder.c_str(), 0755), 0);
  EXPECT_TRUE(cache.load(key));
}

// A store replaces what has the name of the entry; it does not write through it.
TEST_F(CacheTest, WritesThroughNoLink) {
  Cache cache(folder);
  ASSERT_TRUE(cache.store(key, content).ok());
  fs::path entry = fs::path(folder) / key, victim = base + "/victim";
  write(victim, "precious");
  fs::remove(entry);
  fs::create_symlink(victim, entry);
  EXPECT_TRUE(cache.store(key, content).ok());
  EXPECT_EQ(read(victim), "precious");
  EXPECT_FALSE(fs::is_symlink(entry));
  struct stat info;
  ASSERT_EQ(stat(entry.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  EXPECT_EQ(cache.load(key), content);
}

TEST_F(CacheTest, TakesWhatIsNoFileForAbsence) {
  Cache cache(folder);
  ASSERT_TRUE(cache.store(key, content).ok());
  fs::path entry = fs::path(folder) / key;
  fs::remove(entry);
  ASSERT_EQ(mkfifo(entry.c_str(), 0600), 0);
  EXPECT_FALSE(cache.load(key)); // and does not wait for a writer
  fs::remove(entry);
  fs::create_directory(entry);
  EXPECT_FALSE(cache.load(key));
  EXPECT_FALSE(cache.store(key, content).ok());
  // Nothing is left of what could not be renamed.
  EXPECT_EQ(std::distance(fs::directory_iterator(folder), fs::directory_iterator()), 1);
}

TEST_F(CacheTest, RefusesWhatBelongsToOthers) {
  if (geteuid() != 0)
    GTEST_SKIP() << "only root can give files away";
  constexpr uid_t nobody = 65534;
  Cache cache(folder);
  ASSERT_TRUE(cache.store(key, content).ok());
  fs::path entry = fs::path(folder) / key;
  ASSERT_EQ(chown(entry.c_str(), nobody, gid_t(-1)), 0);
  EXPECT_FALSE(cache.load(key));
  ASSERT_EQ(chown(entry.c_str(), 0, gid_t(-1)), 0);
  EXPECT_TRUE(cache.load(key));
  ASSERT_EQ(chown(folder.c_str(), nobody, gid_t(-1)), 0);
  EXPECT_FALSE(cache.load(key));
  EXPECT_FALSE(cache.store(key, content).ok());
}

// What is read while others write is one of the contents as a whole.
TEST_F(CacheTest, ReadersSeeNoHalfEntry) {
  Cache cache(folder);
  const std::string contents[] = {std::string(300000, 'a'), std::string(200000, 'b')};
  ASSERT_TRUE(cache.store(key, contents[0]).ok());
  std::atomic<bool> stop = false;
  std::vector<std::thread> writers;
  for (const std::string &each : contents)
    writers.emplace_back([&] {
      while (!stop)
        EXPECT_TRUE(cache.store(key, each).ok());
    });
  for (int round = 0; round < 100; ++round) {
    std::optional<std::string> found = cache.load(key);
    EXPECT_TRUE(found && (*found == contents[0] || *found == contents[1])) << round;
  }
  stop = true;
  for (std::thread &writer : writers)
    writer.join();
}

TEST_F(CacheTest, IsSilentWhereItCannotWrite) {
  write(base + "/file", "");
  EXPECT_FALSE(Cache(base + "/file/folder").store(key, content).ok());
  Cache none("");
  EXPECT_FALSE(none.enabled());
  EXPECT_FALSE(none.store(key, content).ok());
  EXPECT_FALSE(none.load(key));
}

TEST(Package, SurvivesItsTextForm) {
  Package package;
  package.entries = {
      {"main", {{"x", {DType::bf16, {kDynamic, 8}}, -1, {{1, 64}, {8, 8}}}}, {{"", {}, 0}}}};
  package.checks = {"a check"};
  package.objects = {{"host", std::string("\0ELF", 4)}};
  package.kernels = {{"add", {{2, 4}, {0, 8}}}, {"empty", {}}};
  package.launches = 5;
  package.device.cubins = {{"sm_90a", std::string("\0ELF", 4)}};
  package.device.ptx = {"sm_90", ".version 8.0"};
  package.device.kernels = {{"add", 256, 2, 4, 0, {"layers.0", "layers.1"}}};
  package.device.kernels[0].registers = 40;
  std::string bytes = package.serialize();
  std::optional<Package> copy = Package::deserialize(bytes);
  ASSERT_TRUE(copy);
  EXPECT_EQ(copy->serialize(), bytes);
  EXPECT_EQ(copy->entries[0].inputs[0].type.shape, (std::vector<int64_t>{kDynamic, 8}));
  EXPECT_EQ(copy->entries[0].inputs[0].limits[0].most, 64);
  EXPECT_EQ(copy->entries[0].outputs[0].alias, 0);
  EXPECT_EQ(copy->device.cubins.at(0).arch, "sm_90a");
  EXPECT_EQ(copy->device.cubins[0].bytes, package.device.cubins[0].bytes);
  EXPECT_EQ(copy->device.kernels.at(0).places.at(1), "layers.1");
  EXPECT_EQ(copy->device.kernels[0].registers, 40);
  EXPECT_EQ(copy->device.ptx.arch, "sm_90");
  EXPECT_EQ(copy->device.ptx.bytes, ".version 8.0");
  EXPECT_EQ(copy->device.kernels.at(0).name, "add");
  EXPECT_EQ(copy->device.kernels[0].threads, 256);
  EXPECT_EQ(copy->device.kernels[0].extents, 4);
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
