//===- WorkerTest.cpp - What counts as a finding in another process -------===//

#include "Worker.h"

#include <gtest/gtest.h>

using namespace aft::fuzz;

namespace {

/// "end" always ends its process, "hang" never does, "spoil" makes the next input do so,
/// "last" is the last that its process takes; each says in which process it was, in `seen`.
struct WorkerTest : testing::Test {
  WorkerTest()
      : seen(static_cast<pid_t *>(mmap(nullptr, sizeof(pid_t), PROT_READ | PROT_WRITE,
                                       MAP_SHARED | MAP_ANONYMOUS, -1, 0))) {}
  ~WorkerTest() override { munmap(seen, sizeof(pid_t)); }

  pid_t processOf(Worker &worker) {
    EXPECT_TRUE(worker.run("ID"));
    return *seen;
  }

  pid_t *seen;
  bool spoilt = false;
  Worker worker{[this](std::string_view input) {
                  if (input == "end" || spoilt)
                    abort();
                  for (volatile bool hangs = input == "hang"; hangs;)
                    ;
                  spoilt = input == "spoil";
                  *seen = getpid();
                  return input != "last";
                },
                /*seconds=*/1};
};

} // namespace

TEST_F(WorkerTest, TakesInputsInOneProcess) {
  pid_t process = processOf(worker);
  EXPECT_NE(process, getpid());
  EXPECT_TRUE(worker.run(""));
  EXPECT_TRUE(worker.run(std::string(1 << 20, 'x')));
  EXPECT_EQ(processOf(worker), process);
}

TEST_F(WorkerTest, FindsWhatEndsANewProcess) {
  EXPECT_FALSE(worker.run("end"));
  EXPECT_FALSE(worker.runAlone("end"));
  EXPECT_TRUE(worker.run("good"));
}

TEST_F(WorkerTest, FindsWhatHangs) {
  EXPECT_TRUE(worker.run("good"));
  EXPECT_FALSE(worker.run("hang"));
  EXPECT_FALSE(worker.runAlone("hang"));
}

TEST_F(WorkerTest, GivesInputsAfterOthersAnotherChance) {
  EXPECT_TRUE(worker.run("spoil"));
  EXPECT_FALSE(worker.run("good"));
  EXPECT_TRUE(worker.runAlone("good"));
}

TEST_F(WorkerTest, BeginsANewProcessWhereAskedTo) {
  pid_t process = processOf(worker);
  EXPECT_TRUE(worker.run("last"));
  EXPECT_NE(processOf(worker), process);
}

TEST_F(WorkerTest, BeginsANewProcessAfterManyInputs) {
  pid_t process = processOf(worker);
  for (int i = 0; i < 1000; ++i)
    EXPECT_TRUE(worker.run("good"));
  EXPECT_NE(processOf(worker), process);
}
