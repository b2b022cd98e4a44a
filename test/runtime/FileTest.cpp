//===- FileTest.cpp - Files that are written as a whole -------------------===//

#include "runtime/core/File.h"
#include "test/TemporaryFolder.h"

#include <fstream>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace aft;
namespace fs = std::filesystem;

namespace {
struct FileTest : testing::Test {
  std::string path(const std::string &name) const { return temporary.path + "/" + name; }
  static std::string contentOf(const std::string &path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  size_t count() const {
    return static_cast<size_t>(
        std::distance(fs::directory_iterator(temporary.path), fs::directory_iterator()));
  }
  test::TemporaryFolder temporary;
};
} // namespace

TEST_F(FileTest, ReplacesAFileAndKeepsALink) {
  ASSERT_TRUE(writeFile(path("a"), {"one", "", " two"}).ok());
  EXPECT_EQ(contentOf(path("a")), "one two");
  fs::create_symlink(path("a"), path("link"));
  std::ifstream before(path("a"));
  ASSERT_TRUE(writeFile(path("link"), {"three"}).ok());
  EXPECT_TRUE(fs::is_symlink(path("link")));
  EXPECT_EQ(contentOf(path("a")), "three");
  // Who has the old one open keeps it.
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(before), {}), "one two");
  EXPECT_EQ(count(), 2u);
  fs::create_symlink("new", path("dangling"));
  ASSERT_TRUE(writeFile(path("dangling"), {"four"}).ok());
  EXPECT_TRUE(fs::is_symlink(path("dangling")));
  EXPECT_EQ(contentOf(path("new")), "four");
}

TEST_F(FileTest, WritesAllOrNone) {
  ASSERT_TRUE(writeFile(path("a"), {"old"}).ok());
  EXPECT_EQ(writeFiles({{path("a"), {"new"}}, {path("no/where"), {"new"}}}).message,
            path("no/where") + ": cannot be written: No such file or directory");
  EXPECT_EQ(contentOf(path("a")), "old");
  fs::create_directory(path("folder"));
  EXPECT_EQ(writeFiles({{path("a"), {"new"}}, {path("folder"), {"new"}}}).message,
            path("folder") + ": cannot be written: Is a directory");
  EXPECT_EQ(contentOf(path("a")), "old");
  EXPECT_EQ(writeFile("/dev/full", {"x"}).message,
            "/dev/full: cannot be written: No space left on device");
  EXPECT_TRUE(writeFile("/dev/null", {"x"}).ok());
  EXPECT_EQ(count(), 2u);
}

// In a folder where others may write, too.
TEST_F(FileTest, FollowsNoLinkThatWasPutInItsWay) {
  ASSERT_TRUE(writeFile(path("victim"), {"precious"}).ok());
  std::string start = path("a") + ".tmp" + std::to_string(getpid()) + ".";
  for (int i = 0; i < 100; ++i)
    fs::create_symlink(path("victim"), start + std::to_string(i));
  ASSERT_TRUE(writeFile(path("a"), {"mine"}).ok());
  EXPECT_EQ(contentOf(path("a")), "mine");
  EXPECT_FALSE(fs::is_symlink(path("a")));
  EXPECT_EQ(contentOf(path("victim")), "precious");
}
