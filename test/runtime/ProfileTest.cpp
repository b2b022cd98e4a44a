//===- ProfileTest.cpp - Totals and timelines of measured calls -----------===//

#include "aft/profile.h"
#include "runtime/core/RunRecord.h"
#include "runtime/core/ThreadPool.h"
#include "test/TemporaryFolder.h"

#include "llvm/Support/JSON.h"

#include <fstream>
#include <gtest/gtest.h>
#include <set>
#include <thread>

using namespace aft;

namespace {

/// Busy for some microseconds per group; dims[0] is the size of the grid.
int64_t spin(void *const *, const int64_t *dims, int64_t begin, int64_t end) {
  for (int64_t group = begin; group < end; ++group)
    for (int i = 0; i < 2000; ++i)
      asm volatile("");
  return dims[0];
}

/// A call of an entry with a launch of "small" and two of "large".
void callEntry(RunRecord &record) {
  const aft_runtime_t *runtime = record.runtime();
  int64_t small[] = {3, 5}, large[] = {64, 2};
  runtime->parallel_for(runtime->self, spin, nullptr, small, "small");
  runtime->parallel_for(runtime->self, spin, nullptr, large, "large");
  runtime->parallel_for(runtime->self, spin, nullptr, large, "large");
  record.finish();
}

class ProfileTest : public testing::Test {
protected:
  void addCall(Profile &profile, const char *entry = "main", int64_t arenaBytes = 100) {
    RunRecord record(entry, {}, arenaBytes, pool.threads(), kernels, pool.runtime());
    callEntry(record);
    profile.add(record);
  }
  /// The slices of a category in a timeline.
  std::vector<llvm::json::Object> slices(const Profile &profile, llvm::StringRef category) {
    auto value = llvm::json::parse(profile.trace());
    EXPECT_TRUE(static_cast<bool>(value)) << llvm::toString(value.takeError());
    std::vector<llvm::json::Object> found;
    if (value)
      for (const llvm::json::Value &event : *value->getAsObject()->getArray("traceEvents"))
        if (event.getAsObject()->getString("cat") == category)
          found.push_back(*event.getAsObject());
    return found;
  }

  ThreadPool pool{2};
  KernelInfo large{"large", {{1, 4}, {1, 8}, {0, 2}}};
  KernelTable kernels{{"large", &large}};
};

TEST_F(ProfileTest, SumsPerKernelAndEntry) {
  Profile profile;
  addCall(profile);
  addCall(profile, "main", 50);
  addCall(profile, "other");
  std::vector<KernelTotal> totals = profile.kernels();
  ASSERT_EQ(totals.size(), 4u);
  const KernelTotal *found = nullptr;
  for (const KernelTotal &total : totals)
    if (total.entry == "main" && total.kernel == "large")
      found = &total;
  ASSERT_TRUE(found);
  EXPECT_EQ(found->launches, 4);
  EXPECT_EQ(found->groups, 4 * 64);
  EXPECT_EQ(found->bytes, 4 * (64 * 4 + 2 * 8 + 2));
  EXPECT_GT(found->threadMilliseconds, 0);
  EXPECT_LE(found->threadMilliseconds, 2 * found->milliseconds);
  for (const KernelTotal &total : totals)
    if (total.kernel == "small") {
      EXPECT_EQ(total.bytes, 0) << "its operands are not known";
    }
  EXPECT_TRUE(std::is_sorted(totals.begin(), totals.end(), [](const auto &a, const auto &b) {
    return a.milliseconds > b.milliseconds;
  }));

  std::vector<EntryTotal> entries = profile.entries();
  ASSERT_EQ(entries.size(), 2u);
  const EntryTotal &main = entries[entries[0].entry == "main" ? 0 : 1];
  EXPECT_EQ(main.runs, 2);
  EXPECT_EQ(main.arenaBytes, 100);
  EXPECT_EQ(main.threads, 2);
  EXPECT_GE(main.milliseconds, main.kernelMilliseconds);
  EXPECT_NE(profile.table().find("large"), std::string::npos);
}

TEST_F(ProfileTest, DrawsATimeline) {
  Profile profile(1000);
  addCall(profile, "a \"quoted\\ name\n");
  std::vector<llvm::json::Object> entries = slices(profile, "entry"),
                                  launches = slices(profile, "launch"),
                                  work = slices(profile, "work");
  ASSERT_EQ(entries.size(), 1u);
  EXPECT_EQ(entries[0].getString("name"), llvm::StringRef("a \"quoted\\ name\n"));
  ASSERT_EQ(launches.size(), 3u);
  EXPECT_EQ(launches[1].getString("name"), llvm::StringRef("large"));
  EXPECT_EQ(launches[1].getObject("args")->getInteger("groups"), 64);
  // Launches lie in the call and follow each other.
  double end = *entries[0].getNumber("ts"), last = end + *entries[0].getNumber("dur");
  for (const llvm::json::Object &launch : launches) {
    EXPECT_EQ(launch.getInteger("tid"), entries[0].getInteger("tid"));
    EXPECT_GE(*launch.getNumber("ts"), end - 1e-2);
    end = *launch.getNumber("ts") + *launch.getNumber("dur");
  }
  EXPECT_LE(end, last + 1e-2);
  // Every group is somebody's work.
  int64_t groups = 0;
  for (const llvm::json::Object &part : work)
    groups += *part.getObject("args")->getInteger("groups");
  EXPECT_EQ(groups, 3 + 64 + 64);
}

TEST_F(ProfileTest, BoundsTheTimelineButNotTheTotals) {
  Profile profile(5), none;
  for (int i = 0; i < 3; ++i) {
    addCall(profile);
    addCall(none);
  }
  EXPECT_EQ(slices(profile, "entry").size() + slices(profile, "launch").size() +
                slices(profile, "work").size(),
            5u);
  EXPECT_EQ(profile.trace().find("\"dropped_slices\":0"), std::string::npos);
  EXPECT_EQ(profile.entries()[0].runs, 3);
  EXPECT_TRUE(slices(none, "entry").empty());
}

TEST_F(ProfileTest, ScopesBelongToOneThreadAndNest) {
  EXPECT_FALSE(Profile::wanted());
  Profile outer, inner;
  {
    Profile::Scope scope(outer);
    EXPECT_TRUE(Profile::wanted());
    std::thread([] { EXPECT_FALSE(Profile::wanted()); }).join();
    Profile::Scope other(inner);
    RunRecord record("main", {}, 0, 1, kernels, pool.runtime());
    record.finish();
    Profile::deliver(record);
  }
  EXPECT_FALSE(Profile::wanted());
  EXPECT_EQ(inner.entries().size(), 1u);
  EXPECT_TRUE(outer.entries().empty());
}

TEST_F(ProfileTest, WritesTheTimelineOrSaysWhyNot) {
  Profile profile(10);
  addCall(profile);
  test::TemporaryFolder temporary;
  const std::string &folder = temporary.path;
  Status status = profile.writeTrace(folder + "/trace.json");
  EXPECT_TRUE(status.ok()) << status.message;
  std::ifstream file(folder + "/trace.json");
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), profile.trace());
  EXPECT_EQ(profile.writeTrace(folder + "/no/where").message,
            folder + "/no/where: cannot be written: No such file or directory");
}

} // namespace
