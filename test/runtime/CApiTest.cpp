//===- CApiTest.cpp - aft/aft.h: entries, calls, sessions, errors ---------===//

#include "ArtifactHarness.h"

#include <atomic>
#include <gmock/gmock.h>
#include <thread>

using namespace aft;
using namespace aft::test;
using ::testing::HasSubstr;
using ::testing::Not;

namespace {

struct CApi : ArtifactTest {
  void TearDown() override {
    aft_close(model);
    ArtifactTest::TearDown();
  }
  void open(const std::string &file) {
    ASSERT_EQ(aft_open(file.c_str(), nullptr, &model), AFT_OK) << aft_message();
  }
  aft_model *model = nullptr;
};

} // namespace

TEST_F(CApi, DescribesAnArtifact) {
  open(saved(kAffine, "a.so", affineWeights(1)));
  EXPECT_EQ(aft_format_version(model), 1);
  EXPECT_STREQ(aft_compiler_version(model), aft_library_version());
  EXPECT_EQ(std::strlen(aft_code_id(model)), 64u);
  EXPECT_THAT(aft_manifest(model), HasSubstr("\"entries\""));
  ASSERT_EQ(aft_entry_count(model), 2u);
  size_t entry = 9;
  ASSERT_EQ(aft_find_entry(model, nullptr, &entry), AFT_OK);
  EXPECT_STREQ(aft_entry_name(model, entry), "main");
  ASSERT_EQ(aft_argument_count(model, entry), 1u);
  ASSERT_EQ(aft_result_count(model, entry), 1u);
  aft_value value;
  ASSERT_EQ(aft_argument(model, entry, 0, &value), AFT_OK);
  EXPECT_STREQ(value.name, "x");
  EXPECT_EQ(value.dtype, AFT_F32);
  ASSERT_EQ(value.rank, 2);
  EXPECT_EQ(value.shape[0], -1);
  EXPECT_EQ(value.shape[1], 8);
  EXPECT_EQ(value.role, AFT_ROLE_CALLER);
  ASSERT_EQ(aft_weight_count(model), 2u);
  const char *name;
  aft_buffer weight;
  ASSERT_EQ(aft_weight(model, 0, &name, &weight), AFT_OK);
  EXPECT_STREQ(name, "w");
  EXPECT_EQ(static_cast<float *>(weight.data)[7], 8.f);
  EXPECT_EQ(aft_dtype_bytes(AFT_BF16), 2u);
  EXPECT_STREQ(aft_dtype_name(AFT_I64), "i64");
  EXPECT_EQ(aft_dtype_bytes(static_cast<aft_dtype>(99)), 0u);
  EXPECT_STREQ(aft_dtype_name(static_cast<aft_dtype>(99)), "?");
}

TEST_F(CApi, RunsFromManyThreadsAndWithTheHostsLoop) {
  open(saved(kAffine, "a.so", affineWeights(1)));
  static std::atomic<int64_t> groups;
  groups = 0;
  // Backwards and in pieces: any order will do.
  aft_host host{nullptr, [](void *, int64_t count, aft_body body, void *context) {
                  groups += count;
                  for (int64_t i = count; i-- > 0;)
                    body(context, i, i + 1);
                }};
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&, t] {
      std::vector<float> x(800, static_cast<float>(t)), y(800);
      int64_t shape[] = {100, 8};
      aft_buffer in{x.data(), AFT_F32, 2, shape}, out{y.data(), AFT_F32, 2, shape};
      for (int round = 0; round < 100; ++round) {
        std::fill(y.begin(), y.end(), -1.f);
        wrong += aft_run(model, 0, &in, 1, &out, 1, t % 2 ? &host : nullptr) != AFT_OK;
        for (int i = 0; i < 800; ++i)
          wrong += y[i] != static_cast<float>(t * (i % 8 + 1) + 1);
      }
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(groups, 0);
}

TEST_F(CApi, ErrorsAreReturned) {
  EXPECT_EQ(aft_open(path("none.so").c_str(), nullptr, &model), AFT_ERROR_FILE);
  EXPECT_THAT(aft_message(), HasSubstr("none.so: cannot be opened: No such file or directory"));
  EXPECT_EQ(aft_open(path("two\nlines.so").c_str(), nullptr, &model), AFT_ERROR_FILE);
  EXPECT_THAT(aft_message(), HasSubstr("two lines.so: cannot be opened"));
  EXPECT_EQ(aft_open("", nullptr, &model), AFT_ERROR_FILE);
  EXPECT_STREQ(aft_message(), "expected the path of an artifact, found an empty text");
  EXPECT_EQ(aft_open(nullptr, nullptr, &model), AFT_ERROR_ARGUMENT);
  aft_open_options options{-1, 0, 0};
  EXPECT_EQ(aft_open("x", &options, &model), AFT_ERROR_ARGUMENT);
  EXPECT_EQ(model, nullptr);
  open(saved(kAffine, "a.so", affineWeights(1)));
  std::string before = aft_message();
  float x[8] = {}, y[8] = {7};
  int64_t shape[] = {1, 8}, wrongShape[] = {1, 9}, extents[2] = {-5, -5};
  aft_buffer in{x, AFT_F32, 2, shape}, out{y, AFT_F32, 2, shape}, bad = in;
  auto run = [&](const aft_buffer &argument, size_t entry = 0, size_t count = 1) {
    aft_status status = aft_run(model, entry, &argument, count, &out, 1, nullptr);
    EXPECT_EQ(status, AFT_ERROR_ARGUMENT);
    return std::string(aft_message());
  };
  EXPECT_EQ(run(in, 2), "expected an entry below 2, found 2");
  EXPECT_EQ(run(in, 0, 0), "entry 'main' takes 1 inputs, found 0");
  bad.shape = wrongShape;
  EXPECT_EQ(run(bad), "entry 'main': input 0 ('x') must be tensor<?x8xf32>, found tensor<1x9xf32>");
  EXPECT_EQ(aft_result_extents(model, 0, &bad, 1, extents, 2, nullptr), AFT_ERROR_ARGUMENT);
  bad = in;
  bad.dtype = static_cast<aft_dtype>(99);
  EXPECT_EQ(run(bad), "arguments[0]: expected an aft_dtype, found 99");
  bad = in;
  bad.rank = -1;
  EXPECT_EQ(run(bad), "arguments[0]: expected a rank from 0 to 64, found -1");
  bad = in;
  bad.shape = nullptr;
  EXPECT_EQ(run(bad), "arguments[0]: expected a shape of 2 extents, found NULL");
  bad = in;
  bad.data = nullptr;
  EXPECT_EQ(run(bad), "entry 'main': input 0 ('x') has no memory");
  int64_t huge[] = {int64_t(1) << 62, 8};
  bad.shape = huge;
  EXPECT_THAT(run(bad), HasSubstr("is larger than 64 bits can count"));
  huge[0] = -1; // is no extent that is free, here
  EXPECT_THAT(run(bad), HasSubstr("must be tensor<?x8xf32>, found tensor<-1x8xf32>"));
  aft_host host{nullptr, nullptr};
  EXPECT_EQ(aft_run(model, 0, &in, 1, &out, 1, &host), AFT_ERROR_ARGUMENT);
  EXPECT_EQ(aft_result_extents(model, 0, &in, 1, extents, 1, nullptr), AFT_ERROR_ARGUMENT);
  EXPECT_EQ(std::string(aft_message()), "the results have 2 extents, found room for 1");
  EXPECT_EQ(extents[0], -5);
  aft_value value;
  EXPECT_EQ(aft_argument(model, 0, 1, &value), AFT_ERROR_ARGUMENT);
  EXPECT_STREQ(aft_message(), "expected an argument below 1, found 1");
  ASSERT_EQ(aft_result(model, 0, 0, &value), AFT_OK);
  EXPECT_STREQ(value.name, "y");
  EXPECT_EQ(aft_result(model, 0, 1, &value), AFT_ERROR_ARGUMENT);
  EXPECT_STREQ(aft_message(), "expected a result below 1, found 1");
  EXPECT_STREQ(value.name, "y");
  size_t entry;
  EXPECT_EQ(aft_find_entry(model, "nope", &entry), AFT_ERROR_ARGUMENT);
  EXPECT_EQ(std::string(aft_message()), "no entry 'nope', expected one of: main, exp");
  EXPECT_EQ(aft_find_entry(model, std::string(100000, 'x').c_str(), &entry), AFT_ERROR_ARGUMENT);
  EXPECT_LT(std::strlen(aft_message()), 200u);
  aft_session *session = nullptr;
  EXPECT_EQ(aft_session_create(model, 0, 1, &session), AFT_ERROR_ARGUMENT);
  EXPECT_THAT(aft_message(), HasSubstr("entry 'main' has no state"));
  EXPECT_EQ(y[0], 7);
  // The message is this thread's own.
  std::thread([] { EXPECT_STREQ(aft_message(), ""); }).join();
  EXPECT_EQ(aft_result_extents(model, 0, &in, 1, extents, 2, nullptr), AFT_OK);
  EXPECT_EQ(extents[0], 1);
  EXPECT_EQ(extents[1], 8);
}

TEST_F(CApi, NothingIsAskedOfNull) {
  EXPECT_EQ(aft_entry_count(nullptr), 0u);
  EXPECT_EQ(aft_entry_name(nullptr, 0), nullptr);
  EXPECT_STREQ(aft_manifest(nullptr), "");
  EXPECT_STREQ(aft_code_id(nullptr), "");
  EXPECT_STREQ(aft_compiler_version(nullptr), "");
  EXPECT_EQ(aft_format_version(nullptr), 0);
  EXPECT_EQ(aft_argument_count(nullptr, 0) + aft_result_count(nullptr, 0), 0u);
  EXPECT_EQ(aft_weight_count(nullptr), 0u);
  EXPECT_EQ(aft_session_state_count(nullptr), 0u);
  EXPECT_EQ(aft_session_steps(nullptr), 0);
  aft_session_set_steps(nullptr, 1);
  aft_session_set_seed(nullptr, 1);
  aft_session_destroy(nullptr);
  aft_close(nullptr);
  EXPECT_STREQ(aft_target(nullptr), "");
  aft_session *session = nullptr;
  size_t entry;
  aft_value value;
  const char *name;
  aft_buffer buffer;
  for (aft_status status :
       {aft_find_entry(nullptr, nullptr, &entry), aft_argument(nullptr, 0, 0, &value),
        aft_result(nullptr, 0, 0, &value), aft_weight(nullptr, 0, &name, &buffer),
        aft_result_extents(nullptr, 0, nullptr, 0, nullptr, 0, nullptr),
        aft_run(nullptr, 0, nullptr, 0, nullptr, 0, nullptr),
        aft_run_resident(nullptr, 0, nullptr, 0, nullptr, 0, nullptr),
        aft_session_create(nullptr, 0, 1, &session), aft_session_reset(nullptr),
        aft_session_step(nullptr, nullptr, 0, nullptr, 0, nullptr),
        aft_session_state(nullptr, 0, &name, &buffer), aft_session_save(nullptr, "x"),
        aft_session_load(nullptr, "x")})
    EXPECT_EQ(status, AFT_ERROR_ARGUMENT);
  EXPECT_STREQ(aft_message(), "expected a session, found NULL");
}

TEST_F(CApi, MoreBuffersThanTheEntryHasAreNotLookedAt) {
  open(saved(kAffine, "a.so", affineWeights(1)));
  float x[8] = {};
  int64_t shape[] = {1, 8};
  aft_buffer in{x, AFT_F32, 2, shape};
  EXPECT_EQ(aft_run(model, 0, &in, SIZE_MAX, &in, 1, nullptr), AFT_ERROR_ARGUMENT);
  EXPECT_STREQ(aft_message(), "the entry has 1 arguments, found 18446744073709551615");
  EXPECT_EQ(aft_run(model, 0, &in, 1, &in, 2, nullptr), AFT_ERROR_ARGUMENT);
  EXPECT_STREQ(aft_message(), "the entry has 1 results, found 2");
}

TEST_F(CApi, ResultsOverlapNothing) {
  open(saved(kAffine, "a.so", affineWeights(1)));
  float x[40] = {};
  int64_t shape[] = {2, 8}, none[] = {0, 8};
  aft_buffer in{x, AFT_F32, 2, shape}, out{x, AFT_F32, 2, shape};
  for (int first : {0, 1, 15}) {
    out.data = x + first;
    EXPECT_EQ(aft_run(model, 0, &in, 1, &out, 1, nullptr), AFT_ERROR_ARGUMENT);
    EXPECT_THAT(aft_message(), HasSubstr("output 0"));
    EXPECT_THAT(aft_message(), HasSubstr("must not overlap input 0 ('x')"));
  }
  out.data = x + 16;
  EXPECT_EQ(aft_run(model, 0, &in, 1, &out, 1, nullptr), AFT_OK) << aft_message();
  // What has no elements is nowhere.
  in.shape = out.shape = none;
  out.data = x;
  EXPECT_EQ(aft_run(model, 0, &in, 1, &out, 1, nullptr), AFT_OK) << aft_message();
}

TEST_F(CApi, SessionsCarryTheirState) {
  float first[4] = {10, 20, 30, 40};
  SaveOptions options;
  options.weights = {{"sum", {first, DType::f32, {1, 4}}}};
  open(saved(kSum, "s.so", options));
  aft_value value;
  ASSERT_EQ(aft_argument(model, 0, 1, &value), AFT_OK);
  EXPECT_EQ(value.role, AFT_ROLE_STATE);
  EXPECT_EQ(value.partner, 1);
  aft_session *session = nullptr, *other = nullptr;
  ASSERT_EQ(aft_session_create(model, 0, 0, &session), AFT_ERROR_ARGUMENT);
  ASSERT_EQ(aft_session_create(model, 0, 2, &session), AFT_OK) << aft_message();
  ASSERT_EQ(aft_session_create(model, 0, 1, &other), AFT_OK) << aft_message();
  float x[8] = {1, 1, 1, 1, 2, 2, 2, 2}, y[8];
  int64_t shape[] = {2, 4};
  aft_buffer in{x, AFT_F32, 2, shape}, out{y, AFT_F32, 2, shape};
  for (int step = 1; step <= 3; ++step) {
    ASSERT_EQ(aft_session_step(session, &in, 1, &out, 1, nullptr), AFT_OK) << aft_message();
    EXPECT_EQ(y[0], 2 * (10 + step));
    EXPECT_EQ(y[7], 2 * (40 + 2 * step));
  }
  EXPECT_EQ(aft_session_steps(session), 3);
  // An error leaves the state alone.
  in.rank = 1;
  EXPECT_EQ(aft_session_step(session, &in, 1, &out, 1, nullptr), AFT_ERROR_ARGUMENT);
  in.rank = 2;
  const char *name;
  aft_buffer state;
  ASSERT_EQ(aft_session_state_count(session), 1u);
  ASSERT_EQ(aft_session_state(session, 0, &name, &state), AFT_OK);
  EXPECT_STREQ(name, "sum");
  EXPECT_EQ(static_cast<float *>(state.data)[0], 13);
  ASSERT_EQ(aft_session_save(session, path("c.safetensors").c_str()), AFT_OK) << aft_message();
  ASSERT_EQ(aft_session_reset(session), AFT_OK);
  EXPECT_EQ(aft_session_steps(session), 0);
  ASSERT_EQ(aft_session_state(session, 0, &name, &state), AFT_OK);
  EXPECT_EQ(static_cast<float *>(state.data)[7], 40);
  // Takes over another batch, too.
  ASSERT_EQ(aft_session_load(other, path("c.safetensors").c_str()), AFT_OK) << aft_message();
  EXPECT_EQ(aft_session_steps(other), 3);
  ASSERT_EQ(aft_session_step(other, &in, 1, &out, 1, nullptr), AFT_OK) << aft_message();
  EXPECT_EQ(y[0], 2 * 14);
  EXPECT_EQ(aft_session_load(other, path("s.so").c_str()), AFT_ERROR_FORMAT);
  auto refused = [&](const std::vector<std::pair<std::string, std::string>> &metadata,
                     Buffer value) {
    std::vector<NamedTensor> tensors = {{"sum", value}};
    std::string header = safetensorsHeader(tensors, metadata);
    writeAll(path("w.safetensors"), header + std::string(bytesOf(value), '\0'));
    EXPECT_EQ(aft_session_load(other, path("w.safetensors").c_str()), AFT_ERROR_FORMAT);
    return std::string(aft_message()).substr(path("w.safetensors").size());
  };
  EXPECT_EQ(refused({{"steps", "-1"}}, {nullptr, DType::f32, {1, 4}}),
            ": expected numbers of steps and seed in its metadata, found steps '-1', seed nothing");
  EXPECT_EQ(refused({{"steps", "1"}, {"seed", "1"}}, {nullptr, DType::f32, {1, 5}}),
            ": tensor 'sum': expected f32 [?, 4], found f32 [1, 5]");
  EXPECT_EQ(aft_session_load(other, path("none").c_str()), AFT_ERROR_FILE);
  EXPECT_EQ(aft_session_save(other, path("no/where").c_str()), AFT_ERROR_FILE);
  // Steps are never less than 0, so that what is saved can be loaded.
  aft_session_set_steps(other, -5);
  EXPECT_EQ(aft_session_steps(other), 0);
  ASSERT_EQ(aft_session_save(other, path("d.safetensors").c_str()), AFT_OK) << aft_message();
  EXPECT_EQ(aft_session_load(other, path("d.safetensors").c_str()), AFT_OK) << aft_message();
  // And they do not go beyond what can be counted.
  aft_session_set_steps(other, INT64_MAX);
  EXPECT_EQ(aft_session_step(other, &in, 1, &out, 1, nullptr), AFT_ERROR_ARGUMENT);
  EXPECT_THAT(aft_message(), HasSubstr("a step after 9223372036854775807 is more than"));
  EXPECT_EQ(aft_session_steps(other), INT64_MAX);
  aft_session_destroy(session);
  ASSERT_EQ(aft_session_create(model, 0, INT64_MAX / 16, &session), AFT_ERROR_MEMORY);
  EXPECT_THAT(aft_message(), Not(HasSubstr("-1")));
  aft_session_destroy(other);
}

// As that of a training step, which has one batch whatever its size.
TEST_F(CApi, StatesWithoutFreeExtentsHaveOneBatch) {
  std::string fixed = kSum;
  for (size_t place; (place = fixed.find('?')) != std::string::npos;)
    fixed[place] = '2';
  open(saved(fixed, "s.so"));
  aft_session *session = nullptr;
  EXPECT_EQ(aft_session_create(model, 0, 3, &session), AFT_ERROR_ARGUMENT);
  EXPECT_STREQ(aft_message(), "entry 'step': expected a batch of 1, for its state has no free "
                              "first extent, found 3");
  EXPECT_EQ(session, nullptr);
  ASSERT_EQ(aft_session_create(model, 0, 1, &session), AFT_OK) << aft_message();
  aft_session_destroy(session);
}

TEST_F(CApi, StatesOfOneNameAreToldApart) {
  std::string twins = kSum;
  for (const char *name : {"\"x\"", "\"twice\""})
    twins.replace(twins.find(name), std::strlen(name), "\"sum\"");
  open(saved(twins, "s.so"));
  aft_session *session = nullptr, *other = nullptr;
  ASSERT_EQ(aft_session_create(model, 0, 1, &session), AFT_OK) << aft_message();
  ASSERT_EQ(aft_session_create(model, 0, 1, &other), AFT_OK) << aft_message();
  ASSERT_EQ(aft_session_state_count(session), 2u);
  const char *name;
  aft_buffer state;
  ASSERT_EQ(aft_session_state(session, 1, &name, &state), AFT_OK);
  EXPECT_STREQ(name, "sum.state.1");
  static_cast<float *>(state.data)[3] = 7;
  ASSERT_EQ(aft_session_save(session, path("c.safetensors").c_str()), AFT_OK) << aft_message();
  ASSERT_EQ(aft_session_load(other, path("c.safetensors").c_str()), AFT_OK) << aft_message();
  ASSERT_EQ(aft_session_state(other, 1, &name, &state), AFT_OK);
  EXPECT_EQ(static_cast<float *>(state.data)[3], 7);
  aft_session_destroy(session);
  aft_session_destroy(other);
}

// Whatever a name has in it, a message is one line.
TEST_F(CApi, MessagesAreOneLine) {
  std::string odd = kSum;
  odd.replace(odd.find("@step"), 5, "@\"st\\0Aep\"");
  for (size_t place; (place = odd.find("\"x\"")) != std::string::npos;)
    odd.replace(place, 3, "\"a\\0A\\1Bb\"");
  std::string file = saved(odd, "s.so");
  std::shared_ptr<Program> program;
  ASSERT_TRUE(Program::load(file, {}, program).ok());
  float x[4] = {};
  Buffer buffer{x, DType::f32, {4}};
  EXPECT_EQ(program->run("st\nep", {buffer, buffer}, {}).message,
            "entry 'st\\x0Aep': input 0 ('a\\x0A\\x1Bb') must be tensor<?x4xf32>, found "
            "tensor<4xf32>");
  EXPECT_EQ(program->run("none", {}, {}).message, "no entry 'none', expected one of: st ep");
}

TEST_F(CApi, SessionsAreSavedUnderOneNameAtOnce) {
  open(saved(kSum, "s.so"));
  std::string file = path("c.safetensors");
  auto save = [&] {
    aft_session *session = nullptr;
    ASSERT_EQ(aft_session_create(model, 0, 1, &session), AFT_OK) << aft_message();
    for (int i = 0; i < 200; ++i)
      ASSERT_EQ(aft_session_save(session, file.c_str()), AFT_OK) << aft_message();
    EXPECT_EQ(aft_session_load(session, file.c_str()), AFT_OK) << aft_message();
    aft_session_destroy(session);
  };
  std::thread other(save);
  save();
  other.join();
}
