//===- ArtifactTest.cpp - What the loader lets in and what it refuses -----===//

#include "ArtifactHarness.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <random>
#include <sys/stat.h>

using namespace aft;
using namespace aft::test;
using ::testing::HasSubstr;

TEST_F(ArtifactTest, RunsAsTheProgramItWasMadeOf) {
  std::shared_ptr<Program> program = compiled(kAffine), loaded;
  ASSERT_TRUE(program->save(path("a.so"), affineWeights(0.5f)).ok());
  Status status = Program::load(path("a.so"), {2, false}, loaded);
  ASSERT_TRUE(status.ok()) << status.message;
  ASSERT_EQ(loaded->entries().size(), 2u);
  ASSERT_EQ(loaded->entry("main")->inputs.size(), 1u);
  EXPECT_EQ(loaded->stats().kernels, program->stats().kernels);
  for (int64_t rows : {0, 1, 3, 1000}) {
    std::vector<float> x(rows * 8), expected(rows * 8), found(rows * 8, -1);
    for (size_t i = 0; i < x.size(); ++i)
      x[i] = static_cast<float>(i) / 7;
    Buffer in{x.data(), DType::f32, {rows, 8}};
    ASSERT_TRUE(program->run("main", {in, {w, DType::f32, {8}}, {b, DType::f32, {8}}},
                             {{expected.data(), DType::f32, {rows, 8}}}).ok());
    status = loaded->run("main", {in}, {{found.data(), DType::f32, {rows, 8}}});
    ASSERT_TRUE(status.ok()) << status.message;
    EXPECT_EQ(found, expected);
  }
  EXPECT_THAT(loaded->save(path("b.so")).message, HasSubstr("cannot be saved; copy its file"));
  for (int threads : {-1, 4097})
    EXPECT_EQ(Program::load(path("a.so"), {threads, false}, loaded).message,
              path("a.so") + ": expected 0 to 4096 threads, found " + std::to_string(threads));
}

TEST_F(ArtifactTest, IsTheSameEachTime) {
  saved(kAffine, "a.so", affineWeights(1));
  saved(kAffine, "b.so", affineWeights(1));
  EXPECT_EQ(readAll(path("a.so")), readAll(path("b.so")));
}

// Thousands of files are slow to make: every so many bytes, the first ones all.
TEST_F(ArtifactTest, ChangedBytesAreFound) {
  std::string file = saved(kAffine, "a.so", affineWeights(1)), bytes = readAll(file);
  ASSERT_EQ(refusal(file), "");
  std::mt19937 random(1);
  std::fstream stream(file, std::ios::binary | std::ios::in | std::ios::out);
  auto put = [&](size_t at, char value) {
    stream.seekp(static_cast<std::streamoff>(at));
    stream.put(value);
    stream.flush();
  };
  for (size_t at = 0; at < bytes.size(); at += at < 64 ? 1 : 9) {
    put(at, static_cast<char>(bytes[at] ^ (1 << random() % 8)));
    ASSERT_NE(refusal(file), "") << "byte " << at;
    put(at, bytes[at]);
  }
  EXPECT_EQ(refusal(file), "");
}

TEST_F(ArtifactTest, OtherLengthsAreFound) {
  std::string file = saved(kAffine, "a.so", affineWeights(1)), bytes = readAll(file);
  writeAll(file, bytes + '\0');
  EXPECT_THAT(refusal(file), HasSubstr("expected a file of " + std::to_string(bytes.size())));
  writeAll(file, bytes);
  for (size_t length = bytes.size() - 1; length > 0; length -= length < 64 ? 1 : 13) {
    ASSERT_EQ(truncate(file.c_str(), static_cast<off_t>(length)), 0);
    ASSERT_NE(refusal(file), "") << "length " << length;
  }
  writeAll(file, "");
  EXPECT_THAT(refusal(file), HasSubstr("found an empty file"));
}

// The seal is right, the manifest is not: whatever it says, there is a message, or it
// is loaded and can be asked.
TEST_F(ArtifactTest, ManifestsOfAnyKindAreReadOrRefused) {
  std::string file = saved(kAffine, "a.so", affineWeights(1)), bytes = readAll(file);
  ArtifactSections sections;
  ASSERT_TRUE(findSections(bytes, sections).ok());
  size_t begin = sections.manifest.data() - bytes.data(), size = sections.manifest.size();
  std::mt19937 random(2);
  int loaded = 0, refused = 0;
  for (int round = 0; round < 800; ++round) {
    writeAll(file, bytes);
    change(file, [&](std::string &text) {
      for (unsigned edits = 1 + random() % 3; edits > 0; --edits) {
        static const char pieces[] = "0123456789{}[]\",:-?e.nulltrue \\";
        text[begin + random() % size] = pieces[random() % (sizeof pieces - 1)];
      }
    });
    std::shared_ptr<Artifact> artifact;
    Failure failure = Artifact::open(file, {1, false}, artifact);
    (failure.ok() ? loaded : refused) += 1;
    ASSERT_EQ(failure.ok(), failure.message.empty());
    if (failure.ok()) {
      ASSERT_FALSE(artifact->entries().empty());
    }
  }
  EXPECT_GT(refused, 200);
  EXPECT_GT(loaded, 10);
}

// Section headers that lead anywhere, with a seal that fits them.
TEST_F(ArtifactTest, SectionHeadersOfAnyKindAreReadOrRefused) {
  std::string file = saved(kAffine, "a.so", affineWeights(1)), bytes = readAll(file);
  std::mt19937_64 random(3);
  uint64_t headers;
  std::memcpy(&headers, bytes.data() + 40, sizeof headers);
  for (int round = 0; round < 800; ++round) {
    writeAll(file, bytes);
    change(file, [&](std::string &text) {
      uint64_t values[] = {0, 1, ~0ull, ~0ull - 63, 1ull << 63, text.size(), random()};
      uint64_t value = values[random() % 7];
      size_t place = headers + random() % ((text.size() - headers) / 4) * 4;
      std::memcpy(text.data() + place, &value, std::min<size_t>(8, text.size() - place));
    });
    std::string message = refusal(file);
    (void)message; // a name or a size of the linker's sections does not matter
  }
}

TEST_F(ArtifactTest, NamesTheVersionsItReads) {
  std::string file = saved(kAffine, "a.so"), bytes = readAll(file);
  ArtifactSections sections;
  ASSERT_TRUE(findSections(bytes, sections).ok());
  auto withFormat = [&](char format) {
    std::string changed = bytes;
    changed[sections.sealOffset + offsetof(Seal, format)] = format;
    writeAll(file, changed);
    return refusal(file);
  };
  EXPECT_THAT(withFormat(3), HasSubstr("expected an artifact of format 1 to 2, found format 3, which a "
                                       "newer compiler wrote: use its runtime"));
  EXPECT_THAT(withFormat(0), HasSubstr("found format 0, which is too old: compile the model again"));
  aft_model *model = nullptr;
  EXPECT_EQ(aft_open(file.c_str(), nullptr, &model), AFT_ERROR_VERSION);
  EXPECT_EQ(model, nullptr);
}

TEST_F(ArtifactTest, NamesTheCPUItNeeds) {
  std::string file = saved(kAffine, "a.so"), bytes = readAll(file);
  edit(file, "\"sse3\"", "\"zzz\"");
  EXPECT_THAT(refusal(file), HasSubstr("needs a CPU with 'zzz', which this one lacks"));
  // Such an artifact can still be looked at.
  VerifiedArtifact artifact;
  EXPECT_TRUE(readArtifact(file, {}, /*anyCPU=*/true, artifact).ok());
  writeAll(file, bytes);
  edit(file, "\"x86_64\"", "\"arm\"");
  EXPECT_THAT(refusal(file), HasSubstr("expected code for x86_64, found code for 'arm'"));
  std::string foreign = bytes;
  foreign[18] = static_cast<char>(183);
  foreign[19] = 0;
  writeAll(file, foreign);
  EXPECT_THAT(refusal(file), HasSubstr("expected code for x86-64, found code for AArch64"));
  foreign[18] = bytes[18];
  foreign[4] = 1;
  writeAll(file, foreign);
  EXPECT_THAT(refusal(file), HasSubstr("expected a 64-bit little-endian ELF file"));
  foreign[4] = bytes[4];
  foreign[16] = 2;
  writeAll(file, foreign);
  EXPECT_THAT(refusal(file), HasSubstr("expected an ELF shared object (type 3)"));
}

TEST_F(ArtifactTest, VerifiesWeightsBeside) {
  std::string file = saved(kAffine, "a.so", affineWeights(1, true)),
              beside = path("a.safetensors"), bytes = readAll(beside);
  ASSERT_FALSE(bytes.empty());
  EXPECT_EQ(refusal(file), "");
  std::string damaged = bytes;
  damaged.back() ^= 1;
  writeAll(beside, damaged);
  EXPECT_THAT(refusal(file),
              HasSubstr("the weights in " + beside + " are damaged: expected SHA-256 "));
  std::shared_ptr<Artifact> trusted;
  EXPECT_TRUE(Artifact::open(file, {1, /*trustWeights=*/true}, trusted).ok());
  writeAll(beside, bytes + "more");
  EXPECT_THAT(refusal(file), HasSubstr("expected " + std::to_string(bytes.size()) + " bytes"));
  // A file that is far too large takes no memory before it is refused.
  std::filesystem::resize_file(beside, uintmax_t(1) << 40);
  LoadOptions copied;
  copied.copyWeights = true;
  EXPECT_THAT(Artifact::open(file, copied, trusted).message,
              HasSubstr("the weights in " + beside + ": expected " + std::to_string(bytes.size()) +
                        " bytes, found 1099511627776"));
  std::filesystem::remove(beside);
  EXPECT_THAT(refusal(file), HasSubstr("a.safetensors: cannot be opened"));
  std::filesystem::create_directory(beside);
  EXPECT_THAT(refusal(file), HasSubstr("expected a file, found a folder"));
  edit(file, "\"a.safetensors\"", "\"../../passwd\"");
  EXPECT_THAT(refusal(file),
              HasSubstr("the manifest: weights.file: expected the name of a file without a folder, "
                        "found \"../../passwd\""));
}

TEST_F(ArtifactTest, IsReplacedWithItsWeightsOrNotAtAll) {
  std::string file = saved(kAffine, "a.so", affineWeights(1, true)), other = path("b.so");
  std::filesystem::create_symlink(path("none/a.so"), other);
  std::filesystem::copy_file(path("a.safetensors"), path("b.safetensors"));
  Status status = compiled(kAffine)->save(other, affineWeights(2, true));
  EXPECT_THAT(status.message, HasSubstr("b.so: cannot be written: No such file or directory"));
  EXPECT_EQ(readAll(path("b.safetensors")), readAll(path("a.safetensors")));
  size_t files = 0;
  for ([[maybe_unused]] const auto &entry : std::filesystem::directory_iterator(folder))
    ++files;
  EXPECT_EQ(files, 4u); // a and b; no temporary ones
}

TEST_F(ArtifactTest, RefusesWeightsThatDoNotFit) {
  std::string file = saved(kAffine, "a.so", affineWeights(1));
  std::string bytes = readAll(file);
  edit(file, "\"role\": \"weight\", \"tensor\": \"w\"", "\"role\": \"weight\", \"tensor\": \"v\"");
  EXPECT_THAT(refusal(file), HasSubstr("the weights have no tensor 'v', which entry 'main' uses"));
  writeAll(file, bytes);
  edit(file, "\"name\": \"w\", \"dtype\": \"f32\", \"shape\": [8]",
       "\"name\": \"w\", \"dtype\": \"f32\", \"shape\": [9]");
  EXPECT_THAT(refusal(file), HasSubstr("tensor 'w': expected f32 [9], found f32 [8]"));
  SaveOptions wrong = affineWeights(1);
  wrong.weights[1].value.shape = {4};
  EXPECT_THAT(compiled(kAffine)->save(path("b.so"), wrong).message,
              HasSubstr("the weight 'b' must be f32 [8] for entry 'main', found f32 [4]"));
  EXPECT_FALSE(std::filesystem::exists(path("b.so")));
}

// The system's loader knows files by their names.
TEST_F(ArtifactTest, ReplacedFileIsLoadedBesideTheOldOne) {
  auto valueOf = [](const Program &program) {
    float x[8] = {}, y[8];
    Status status =
        program.run("main", {{x, DType::f32, {1, 8}}}, {{y, DType::f32, {1, 8}}});
    EXPECT_TRUE(status.ok()) << status.message;
    return y[0];
  };
  std::string other = kAffine;
  other.replace(other.find("arith.addf"), 10, "arith.subf");
  std::string file = saved(kAffine, "a.so", affineWeights(3));
  std::shared_ptr<Program> first, second, third;
  ASSERT_TRUE(Program::load(file, {}, first).ok());
  saved(other, "a.so", affineWeights(3));
  Status status = Program::load(file, {}, second);
  ASSERT_TRUE(status.ok()) << status.message;
  status = Program::load(file, {}, third);
  ASSERT_TRUE(status.ok()) << status.message;
  EXPECT_EQ(valueOf(*first), 3);
  EXPECT_EQ(valueOf(*second), -3);
  first.reset();
  EXPECT_EQ(valueOf(*third), -3);
}

// What becomes of its files does not reach a program that is loaded.
TEST_F(ArtifactTest, OutlivesItsFiles) {
  for (bool beside : {false, true}) {
    std::string file = saved(kAffine, "a.so", affineWeights(1, beside));
    std::shared_ptr<Program> loaded;
    ASSERT_TRUE(Program::load(file, {}, loaded).ok());
    for (const std::string &each : {file, path("a.safetensors")})
      if (std::filesystem::exists(each)) {
        ASSERT_EQ(truncate(each.c_str(), 0), 0);
        writeAll(each, std::string(100000, '\xcc'));
      }
    float x[8] = {1, 1, 1, 1, 1, 1, 1, 1}, y[8] = {};
    Status status = loaded->run("main", {{x, DType::f32, {1, 8}}}, {{y, DType::f32, {1, 8}}});
    ASSERT_TRUE(status.ok()) << status.message;
    for (int i = 0; i < 8; ++i)
      EXPECT_EQ(y[i], w[i] + 1);
  }
}

TEST_F(ArtifactTest, LargeFilesAreMapped) {
  std::string file = path("large");
  writeAll(file, "before");
  FileBytes mapped, copied;
  ASSERT_TRUE(mapped.open(file, /*mostCopied=*/5).ok());
  ASSERT_TRUE(copied.open(file, /*mostCopied=*/6).ok());
  EXPECT_EQ(mapped.bytes(), "before");
  EXPECT_EQ(copied.bytes(), "before");
  EXPECT_TRUE(mapped.unchanged(file).ok());
  std::fstream(file, std::ios::binary | std::ios::in | std::ios::out) << "after!";
  EXPECT_EQ(mapped.bytes(), "after!");
  EXPECT_EQ(copied.bytes(), "before");
  struct timespec times[2] = {{1, 0}, {1, 0}};
  ASSERT_EQ(utimensat(AT_FDCWD, file.c_str(), times, 0), 0);
  EXPECT_EQ(mapped.unchanged(file).message, file + ": was changed while it was read");
  EXPECT_TRUE(copied.unchanged(file).ok());
}

TEST_F(ArtifactTest, KeepsLimitsOfExtents) {
  std::string limited = kAffine;
  const std::string name = R"(aft.name = "x")";
  limited.insert(limited.find(name), "aft.limits = array<i64: 2, 5, 8, 8>, ");
  std::shared_ptr<Program> loaded;
  ASSERT_TRUE(Program::load(saved(limited, "a.so", affineWeights(1)), {}, loaded).ok());
  std::vector<float> x(48), y(48);
  for (int64_t rows = 1; rows <= 6; ++rows) {
    Status status = loaded->run("main", {{x.data(), DType::f32, {rows, 8}}},
                                {{y.data(), DType::f32, {rows, 8}}});
    EXPECT_EQ(status.ok(), rows >= 2 && rows <= 5);
    if (!status.ok()) {
      EXPECT_EQ(status.message, "entry 'main': input 0 ('x') must have an extent from 2 to 5 in "
                                "dimension 0, found " + std::to_string(rows));
    }
  }
}

TEST(Safetensors, DamageIsFound) {
  std::vector<float> data(6, 1.5f);
  std::vector<NamedTensor> tensors = {{"a", {data.data(), DType::f32, {2, 3}}},
                                      {"b", {data.data(), DType::i64, {}}}};
  std::string header = safetensorsHeader(tensors, {{"steps", "4"}});
  std::string bytes = header + std::string(8, '\1') +
                      std::string(reinterpret_cast<char *>(data.data()), 24);
  Safetensors read;
  Status status = Safetensors::parse(bytes, read);
  ASSERT_TRUE(status.ok()) << status.message;
  ASSERT_NE(read.find("a"), nullptr);
  EXPECT_EQ(static_cast<float *>(read.find("a")->value.data)[5], 1.5f);
  EXPECT_EQ(read.metadata[0].second, "4");
  std::string shared = bytes;
  size_t place = shared.find("8, 32]");
  ASSERT_NE(place, std::string::npos);
  shared.replace(place, 6, "7, 31]");
  EXPECT_EQ(Safetensors::parse(shared, read).message,
            "tensors 'b' and 'a' share bytes, expected data_offsets that do not overlap");
  std::mt19937 random(4);
  for (size_t length = 0; length < bytes.size(); ++length)
    EXPECT_FALSE(Safetensors::parse(std::string_view(bytes).substr(0, length), read).ok());
  for (int round = 0; round < 20000; ++round) {
    std::string changed = bytes;
    changed[random() % header.size()] = static_cast<char>(random());
    if (!Safetensors::parse(changed, read).ok())
      continue;
    for (const NamedTensor &tensor : read.tensors) {
      auto begin = static_cast<const char *>(tensor.value.data) - changed.data();
      ASSERT_LE(begin + bytesOf(tensor.value), static_cast<int64_t>(changed.size()));
    }
  }
}
