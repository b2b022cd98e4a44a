//===- ArtifactHarness.h - Artifacts made for tests -----------------------===//

#ifndef AFT_TEST_ARTIFACTHARNESS_H
#define AFT_TEST_ARTIFACTHARNESS_H

#include "aft/aft.h"
#include "runtime/artifact/Artifact.h"
#include "test/TemporaryFolder.h"

#include <cstring>
#include <fstream>
#include <functional>
#include <gtest/gtest.h>
#include <unistd.h>

namespace aft::test {

/// y = x * w + b, and the exponential of x as another entry.
inline const char kAffine[] = R"mlir(
#id = affine_map<(i, c) -> (i, c)>
#row = affine_map<(i, c) -> (c)>
func.func @main(%x: tensor<?x8xf32> {aft.name = "x"}, %w: tensor<8xf32> {aft.name = "w"},
                %b: tensor<8xf32> {aft.name = "b"}) -> (tensor<?x8xf32> {aft.name = "y"}) {
  %y = linalg.generic {indexing_maps = [#id, #row, #row, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x, %w, %b : tensor<?x8xf32>, tensor<8xf32>, tensor<8xf32>) outs(%x : tensor<?x8xf32>) {
  ^bb0(%a: f32, %s: f32, %t: f32, %o: f32):
    %p = arith.mulf %a, %s : f32
    %q = arith.addf %p, %t : f32
    linalg.yield %q : f32
  } -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}
func.func @exp(%x: tensor<?xf32> {aft.name = "x"}) -> tensor<?xf32> {
  %y = math.exp %x : tensor<?xf32>
  return %y : tensor<?xf32>
}
)mlir";

/// A sum that goes on from call to call; x may have any batch.
inline const char kSum[] = R"mlir(
func.func @step(%x: tensor<?x4xf32> {aft.name = "x"}, %sum: tensor<?x4xf32> {aft.name = "sum"})
    -> (tensor<?x4xf32> {aft.name = "twice"}, tensor<?x4xf32> {aft.name = "sum"}) {
  %s = arith.addf %x, %sum : tensor<?x4xf32>
  %t = arith.addf %s, %s : tensor<?x4xf32>
  return %t, %s : tensor<?x4xf32>, tensor<?x4xf32>
}
)mlir";

inline std::string readAll(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void writeAll(const std::string &path, const std::string &bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

class ArtifactTest : public ::testing::Test {
protected:
  std::string path(const std::string &name) const { return folder + "/" + name; }

  std::shared_ptr<Program> compiled(const std::string &text) {
    CompileOptions options;
    options.cacheDir = "";
    options.threads = 2;
    std::shared_ptr<Program> program;
    Status status = Program::compile(text, "test.mlir", options, program);
    EXPECT_TRUE(status.ok()) << status.message;
    return program;
  }

  std::string saved(const std::string &text, const std::string &name,
                    const SaveOptions &options = {}) {
    Status status = compiled(text)->save(path(name), options);
    EXPECT_TRUE(status.ok()) << status.message;
    return path(name);
  }

  /// kAffine with w = 1, 2, … and b = bias.
  SaveOptions affineWeights(float bias, bool beside = false) {
    for (int i = 0; i < 8; ++i) {
      w[i] = static_cast<float>(i + 1);
      b[i] = bias;
    }
    SaveOptions options;
    options.weights = {{"w", {w, DType::f32, {8}}}, {"b", {b, DType::f32, {8}}}};
    options.weightsBeside = beside;
    return options;
  }

  /// The message with which a file is refused; "" when it loads.
  static std::string refusal(const std::string &path) {
    std::shared_ptr<Artifact> artifact;
    Failure failure = Artifact::open(path, {1, false}, artifact);
    EXPECT_EQ(failure.ok(), artifact != nullptr);
    EXPECT_EQ(failure.ok(), failure.message.empty());
    return failure.message;
  }

  /// Changes bytes after the code and gives the file the seal that fits them.
  static void change(const std::string &path, const std::function<void(std::string &)> &edit) {
    std::string bytes = readAll(path);
    ArtifactSections sections;
    Failure failure = findSections(bytes, sections);
    ASSERT_TRUE(failure.ok()) << failure.message;
    size_t code = sections.code.size(), manifest = sections.manifest.data() - bytes.data(),
           manifestSize = sections.manifest.size(),
           device = sections.device.empty() ? 0 : sections.device.data() - bytes.data(),
           deviceSize = sections.device.size(),
           weights = sections.weights.empty() ? 0 : sections.weights.data() - bytes.data(),
           weightsSize = sections.weights.size();
    edit(bytes);
    std::string_view file = bytes;
    sections.code = file.substr(0, code);
    sections.manifest = file.substr(manifest, manifestSize);
    sections.device = device ? file.substr(device, deviceSize) : std::string_view();
    sections.weights = weights ? file.substr(weights, weightsSize) : std::string_view();
    auto digest = sealDigest(file, sections);
    std::memcpy(bytes.data() + sections.sealOffset + offsetof(Seal, digest), digest.data(), 32);
    writeAll(path, bytes);
  }

  /// Replaces a text of the manifest by one that is no longer.
  static void edit(const std::string &path, const std::string &from, std::string to) {
    ASSERT_LE(to.size(), from.size());
    to.resize(from.size(), ' ');
    change(path, [&](std::string &bytes) {
      size_t place = bytes.find(from, bytes.find("\"compiler\"") - 40);
      ASSERT_NE(place, std::string::npos);
      bytes.replace(place, from.size(), to);
    });
  }

  TemporaryFolder temporary;
  const std::string folder = temporary.path;
  float w[8], b[8];
};

} // namespace aft::test

#endif // AFT_TEST_ARTIFACTHARNESS_H
