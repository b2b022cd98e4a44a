//===- AllocatorTest.cpp - Memory of a GPU, kept between uses -------------===//

#include "CudaHarness.h"

#include <cstring>
#include <thread>

using namespace aft;
using namespace aft::cuda;
using namespace aft::test;
using fake::state;

namespace {

constexpr int64_t kMiB = 1 << 20;

class AllocatorTest : public CudaTest {
protected:
  void SetUp() override {
    CudaTest::SetUp();
    ASSERT_EQ(open(), "");
  }
  Address take(int64_t bytes, Stream stream = nullptr) {
    Address memory = 0;
    Status status = device->allocator().allocate(bytes, stream, memory);
    EXPECT_TRUE(status.ok()) << status.message;
    return memory;
  }
  void give(Address memory) { device->allocator().release(memory); }
  AllocatorStats stats() const { return device->allocator().stats(); }
};

TEST_F(AllocatorTest, GivesTheSameMemoryAgain) {
  Address first = take(1000);
  EXPECT_EQ(first % 512, 0u);
  give(first);
  EXPECT_EQ(take(900), first) << "the stream's order keeps both uses apart";
  EXPECT_EQ(state().calls["cuMemAlloc_v2"], 1);
  give(first);
}

TEST_F(AllocatorTest, KeepsStreamsApart) {
  OwnStream stream(*device);
  Address first = take(1000);
  give(first);
  Address second = take(1000, stream);
  EXPECT_NE(second, first);
  EXPECT_EQ(state().calls["cuMemAlloc_v2"], 2);
  give(second);
  EXPECT_EQ(take(1000, stream), second);
  give(second);
  device->allocator().trim();
}

TEST_F(AllocatorTest, SplitsAndJoins) {
  Address a = take(512), b = take(512), c = take(512);
  EXPECT_EQ(b, a + 512);
  EXPECT_EQ(c, a + 1024);
  give(a);
  give(c); // and with the rest of the segment behind it
  give(b); // and with both neighbours
  EXPECT_EQ(take(kMiB), a) << "the whole segment is one block again";
  give(a);
  EXPECT_EQ(stats().segments, 1);
  EXPECT_EQ(stats().used, 0);
  EXPECT_EQ(device->allocator().trim(), 2 * kMiB);
  EXPECT_TRUE(state().memory.empty());
}

TEST_F(AllocatorTest, TakesTheBlockThatFitsBest) {
  Address large = take(60 * kMiB), middle = take(40 * kMiB);
  give(large);
  give(middle);
  EXPECT_EQ(take(38 * kMiB), middle);
  give(middle);
}

TEST_F(AllocatorTest, DoesNotCutLargeSegmentsForSmallBlocks) {
  Address large = take(60 * kMiB);
  give(large);
  Address small = take(512);
  EXPECT_EQ(take(60 * kMiB), large);
  give(large);
  give(small);
}

TEST_F(AllocatorTest, CountsWhatIsUsed) {
  Address a = take(1), b = take(3 * kMiB);
  EXPECT_EQ(stats().used, 512 + 3 * kMiB);
  EXPECT_EQ(stats().reserved, 2 * kMiB + 32 * kMiB);
  give(a);
  give(b);
  EXPECT_EQ(stats().used, 0);
  EXPECT_EQ(stats().mostUsed, 512 + 3 * kMiB);
  EXPECT_EQ(stats().requests, 2);
  EXPECT_EQ(stats().segments, 2);
  EXPECT_EQ(stats().retries, 0);
  EXPECT_EQ(device->allocator().trim(), 34 * kMiB);
  EXPECT_EQ(stats().reserved, 0);
}

TEST_F(AllocatorTest, GivesZeroBytesAnAddress) {
  Address a = take(0), b = take(0);
  EXPECT_NE(a, 0u);
  EXPECT_NE(a, b);
  give(a);
  give(b);
}

TEST_F(AllocatorTest, GivesBackBeforeItIsOutOfMemory) {
  state().memoryBytes = 100 * kMiB;
  Address first = take(60 * kMiB);
  give(first);
  Address second = take(80 * kMiB);
  EXPECT_EQ(stats().retries, 1);
  EXPECT_EQ(stats().reserved, 80 * kMiB);
  EXPECT_EQ(state().calls["cuCtxSynchronize"], 1) << "kernels may still use what goes back";
  give(second);
}

TEST_F(AllocatorTest, TakesALittleWhereLittleIsLeft) {
  state().memoryBytes = 10 * kMiB;
  Address memory = take(3 * kMiB);
  EXPECT_EQ(stats().reserved, 4 * kMiB) << "not the usual 32 MiB";
  give(memory);
}

TEST_F(AllocatorTest, SaysWhatIsNeededAndFree) {
  state().memoryBytes = 100 * kMiB;
  Address used = take(60 * kMiB), memory;
  EXPECT_EQ(device->allocator().allocate(50 * kMiB, nullptr, memory).message,
            "GPU 0 (Fake GPU) is out of memory: needed are 52428800 bytes, free are 41943040 "
            "bytes of 1073741824 bytes; this process uses 62914560 bytes and keeps 0 bytes");
  give(used);
  EXPECT_EQ(device->allocator().allocate(-1, nullptr, memory).message.substr(0, 58),
            "GPU 0 (Fake GPU) is out of memory: needed are -1 bytes, fr");
  EXPECT_FALSE(device->allocator().allocate(INT64_MAX, nullptr, memory).ok());
  EXPECT_EQ(take(60 * kMiB), used) << "what was there is there still";
  give(used);
}

TEST_F(AllocatorTest, SucceedsAgainAfterAFailure) {
  state().failures["cuMemAlloc_v2"] = {Result::InvalidValue, 1};
  Address first = take(60 * kMiB), second = 0;
  EXPECT_EQ(device->allocator().allocate(60 * kMiB, nullptr, second).message,
            "GPU 0 (Fake GPU): memory cannot be had: CUDA_ERROR_INVALID_VALUE (invalid argument)");
  second = take(60 * kMiB);
  give(first);
  give(second);
}

TEST_F(AllocatorTest, ServesSeveralThreads) {
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int number = 0; number < 4; ++number)
    threads.emplace_back([&, number] {
      for (int round = 0; round < 300; ++round) {
        int64_t size = 1 + (round * 7919 + number * 104729) % 3000;
        DeviceMemory a, b;
        if (!a.allocate(device->allocator(), size, nullptr).ok() ||
            !b.allocate(device->allocator(), 2 * size, nullptr).ok()) {
          ++wrong;
          continue;
        }
        // The memory is the host's: two owners of one block would see each other.
        auto *bytes = static_cast<unsigned char *>(a.pointer());
        std::memset(bytes, number, static_cast<size_t>(size));
        std::memset(b.pointer(), number + 100, static_cast<size_t>(2 * size));
        std::this_thread::yield();
        for (int64_t i = 0; i < size; ++i)
          wrong += bytes[i] != number;
      }
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(stats().used, 0);
  EXPECT_EQ(device->allocator().trim(), stats().segments * 2 * kMiB) << "all blocks are joined";
}

} // namespace
