//===- ManifestTest.cpp - What is said of manifests that are refused ------===//

#include "runtime/artifact/Manifest.h"

#include <gtest/gtest.h>

using namespace aft;

/// One with all that a manifest may have: weights, a state, a step and code for a GPU.
static Manifest makeManifest() {
  std::string hash(64, 'a');
  Manifest manifest;
  manifest.format = kArtifactFormat;
  manifest.compiler = "0.1.0";
  manifest.llvm = "19";
  manifest.arch = "x86_64";
  manifest.cpu = "znver5";
  manifest.features = {"avx2", "fma"};
  ManifestEntry entry{"main", {}, {}};
  entry.arguments = {{{"x", {DType::f32, {kDynamic, 8}}, -1, {{1, 64}, {8, 8}}}, {}, -1, ""},
                     {{"w", {DType::f32, {8}}}, ArgumentRole::Weight, -1, "w"},
                     {{"sum", {DType::f64, {kDynamic, 4}}}, ArgumentRole::State, 1, ""},
                     {{"n", {DType::i64, {}}}, ArgumentRole::Step, -1, ""}};
  entry.results = {{{"y", {DType::f32, {kDynamic, 8}}}, {}, -1, ""},
                   {{"sum", {DType::f64, {kDynamic, 4}}, 2}, ArgumentRole::State, 2, ""}};
  manifest.entries = {entry};
  manifest.kernels = {{"k0", {{2, 4}, {2, 4}, {2, 4}}}, {"k1", {{2, 4}, {1, 4}}}};
  manifest.codeId = manifest.codeSha256 = hash;
  manifest.codeBytes = 4096;
  manifest.weights = {"w.safetensors", 100, hash};
  cuda::KernelCode product{"k0", 128, 3, 6}, sums{"k1", 64, 2, 3};
  product.product = cuda::ProductCode{DType::f32, DType::f32, false, false, 0, 1, 2};
  product.product->m = 4, product.product->n = 5, product.product->k = 1;
  sums.columnSums = cuda::ColumnSumsCode{DType::f32, DType::f32, 0, 1, 0, 1};
  manifest.device = {{{false, "sm_90a", 70}, {true, "sm_90", 30}}, {product, sums}, 100, hash};
  return manifest;
}

/// The message on a manifest where a text is replaced by another one.
static std::string refusal(const std::string &from, const std::string &to) {
  std::string text = makeManifest().print();
  size_t place = text.find(from);
  EXPECT_NE(place, std::string::npos) << from << " in " << text;
  if (place != std::string::npos)
    text.replace(place, from.size(), to);
  Manifest manifest;
  return Manifest::parse(text, manifest).message;
}

TEST(ManifestTest, ReadsWhatItPrints) {
  std::string text = makeManifest().print();
  Manifest manifest;
  Status status = Manifest::parse(text, manifest);
  ASSERT_TRUE(status.ok()) << status.message;
  EXPECT_EQ(manifest.print(), text);
}

TEST(ManifestTest, NamesTheFieldAndWhatWasFound) {
  std::string hash(64, 'a');
  struct Case {
    std::string from, to, message;
  };
  for (const Case &each : std::initializer_list<Case>{
           {"\"format\": 2", "\"format\": \"2\"", "format: expected a whole number, found \"2\""},
           {"\"format\": 2", "\"format\": -1",
            "format: expected a number from 0 to 1073741824, found -1"},
           {"\"format\": 2", "\"f\": 2", "format: expected a whole number, found nothing"},
           {"\"arch\": \"x86_64\"", "\"arch\": null", "cpu.arch: expected a text, found null"},
           {"[\"avx2\", \"fma\"]", "{}", "cpu.features: expected a list, found an object of 0"},
           {"\"fma\"", "7.5", "cpu.features[1]: expected a text, found 7.5"},
           {"\"main\"", "true", "entries[0].name: expected a text, found true"},
           {"\"shape\": [\"?\", 8]", "\"shape\": [\"*\", 8]",
            "entries[0].arguments[0].shape[0]: expected an extent or \"?\", found \"*\""},
           {"\"shape\": [\"?\", 8]", "\"shape\": [\"?\", -8]",
            "entries[0].arguments[0].shape[1]: expected an extent or \"?\", found -8"},
           {"[[1, 64], [8, 8]]", "[[1, 64]]",
            "entries[0].arguments[0].limits: expected as many pairs as extents, 2, found 1"},
           {"[[1, 64], [8, 8]]", "[[1, 64], [8, 8, 8]]",
            "entries[0].arguments[0].limits[1]: expected two numbers, found [8, 8, 8]"},
           {"[[1, 64], [8, 8]]", "[[1, 64], [8, \"8\"]]",
            "entries[0].arguments[0].limits[1]: expected a whole number, found \"8\""},
           {"[[1, 64], [8, 8]]", "[1, 64]",
            "entries[0].arguments[0].limits[0]: expected a list, found 1"},
           {"\"dtype\": \"f64\"", "\"dtype\": \"f16\"",
            "entries[0].arguments[2].dtype: expected one of f32, f64, bf16, i1, i8, i32, i64, "
            "found \"f16\""},
           {"\"weight\"", "\"wait\"",
            "entries[0].arguments[1].role: expected one of caller, weight, state, step, seed, "
            "found \"wait\""},
           {"\"tensor\": \"w\"", "\"tensor\": \"\"",
            "entries[0].arguments[1].tensor: expected the name of a tensor for the role weight, "
            "found an empty one or none"},
           {"\"result\": 1", "\"result\": 7",
            "entries[0].arguments[2].result: expected a number below 2, found 7"},
           {"\"result\": 1", "\"result\": 0",
            "entries[0].arguments[2].result: expected a result that has argument 2, found one "
            "that has none"},
           {"\"result\": 1", "\"results\": 1",
            "entries[0].arguments[2].result: expected a result of the entry for the role state, "
            "found none"},
           {"\"role\": \"state\"", "\"role\": \"seed\"",
            "entries[0].arguments[2].result: expected none for the role seed, found 1"},
           {"\"role\": \"caller\"", "\"role\": \"step\"",
            "entries[0].arguments[0]: expected i64 [] for the role step, found f32 [?, 8]"},
           {"\"argument\": 2", "\"argument\": 4",
            "entries[0].arguments[2].result: expected a result that has argument 2, found one "
            "that has 4"},
           {"\"role\": \"caller\"}", "\"role\": \"state\", \"argument\": 4}",
            "entries[0].results[0].argument: expected a number below 4, found 4"},
           {"\"overwrites\": 2", "\"overwrites\": 1",
            "entries[0].results[1].overwrites: expected an argument that is no weight, found 1"},
           {"\"overwrites\": 2", "\"overwrites\": 0",
            "entries[0].results[1]: expected the type of the argument that it overwrites, f32 "
            "[?, 8], found f64 [?, 4]"},
           {"\"ranks\": [2, 1]", "\"ranks\": [2]",
            "kernels[1].elementBytes: expected as many as ranks, 1, found 2"},
           {"\"ranks\": [2, 1]", "\"ranks\": [2, 65]",
            "kernels[1].ranks[1]: expected a number from 0 to 64, found 65"},
           {"\"elementBytes\": [4, 4]", "\"elementBytes\": [4, 9]",
            "kernels[1].elementBytes[1]: expected a number from 1 to 8, found 9"},
           {"\"name\": \"k1\"", "\"name\": \"k0\"",
            "kernels[1].name: expected a name that is not there yet, found \"k0\""},
           {"\"bytes\": 4096", "\"bytes\": 0",
            "code.bytes: expected a number from 1 to 9223372036854775807, found 0"},
           {"\"id\": \"" + hash, "\"id\": \"" + hash + "a",
            "code.id: expected 64 hexadecimal digits, found \"" + hash + "a\""},
           {"\"id\": \"" + hash, "\"id\": \"A",
            "code.id: expected 64 hexadecimal digits, found \"A\""},
           {"\"beside\"", "\"be\\nside\"",
            "weights.place: expected inside or beside, found \"be\\x0Aside\""},
           {"\"w.safetensors\"", "\"../w\"",
            "weights.file: expected the name of a file without a folder, found \"../w\""},
           {"\"w.safetensors\"", "\"" + std::string(256, 'w') + "\"",
            "weights.file: expected the name of a file without a folder, found \"" +
                std::string(100, 'w') + "...\" (256 bytes)"},
           {"\"target\": \"cuda\"", "\"target\": \"tpu\"",
            "device.target: expected cuda, found \"tpu\""},
           {"\"kind\": \"cubin\"", "\"kind\": \"elf\"",
            "device.images[0].kind: expected cubin or ptx, found \"elf\""},
           {"\"bytes\": 30", "\"bytes\": 31",
            "device.bytes: expected the sum of its images, 101, found 100"},
           {"\"bytes\": 30", "\"bytes\": 9223372036854775807",
            "device.images[1].bytes: expected sizes whose sum 64 bits can count, found "
            "9223372036854775807"},
           {"\"name\": \"k1\",\n", "\"name\": \"k2\",\n",
            "device.kernels[1].name: expected the name of a kernel of the program, found \"k2\""},
           {"\"buffers\": 3", "\"buffers\": 2",
            "device.kernels[0].buffers: expected as many as the kernel's, 3, found 2"},
           {"\"extents\": 6", "\"extents\": 5",
            "device.kernels[0].extents: expected as many as the kernel's, 6, found 5"},
           {"\"transposed\": [false, false]", "\"transposed\": [false, 0]",
            "device.kernels[0].product.transposed[1]: expected true or false, found 0"},
           {"\"transposed\": [false, false]", "\"transposed\": [false]",
            "device.kernels[0].product.transposed: expected true or false for A and for B, found "
            "a list of 1"},
           {"\"a\": 0", "\"a\": 9",
            "device.kernels[0].product: expected A to be an operand with 2 extents and elements of "
            "4 bytes, found type f32, resultType f32, a 9, b 1, d 2, m 4, n 5, k 1"},
           {"\"rows\": 0", "\"rows\": 1",
            "device.kernels[1].columnSums: expected extents of the matrix: rows 0, columns 1, "
            "found type f32, resultType f32, matrix 0, sums 1, rows 1, columns 1"},
       })
    EXPECT_EQ(refusal(each.from, each.to), "the manifest: " + each.message);
}

TEST(ManifestTest, SaysWhatElseIsThere) {
  Manifest manifest;
  EXPECT_EQ(Manifest::parse("[1]", manifest).message,
            "the manifest: expected an object, found [1]");
  EXPECT_EQ(Manifest::parse("{\"a\x1b", manifest).message,
            "the manifest: JSON: expected no control character in a text at byte 3, found "
            "'\\x1B'");
  manifest = makeManifest();
  manifest.entries.push_back(manifest.entries[0]);
  EXPECT_EQ(Manifest::parse(manifest.print(), manifest).message,
            "the manifest: entries[1].name: expected a name that is not there yet, found "
            "\"main\"");
  manifest.entries.clear();
  EXPECT_EQ(Manifest::parse(manifest.print(), manifest).message,
            "the manifest: entries: expected at least one, found none");
}
