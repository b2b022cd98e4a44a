//===- ImportTest.cpp - Models from files, through aft/torch.h ------------===//

#include "aft/torch.h"

#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>

using namespace aft;

namespace {

/// A folder with a model that Python has exported and scripted.
struct Import : testing::Test {
  static void SetUpTestSuite() {
    folder = std::filesystem::temp_directory_path() / ("aft-import-" + std::to_string(getpid()));
    std::filesystem::create_directories(folder);
    std::string script = AFT_SOURCE "/test/frontends/torch/import/one.py";
    std::string command = std::string(AFT_TEST_PYTHON) + " " + script + " " + folder.string();
    ASSERT_EQ(std::system(command.c_str()), 0) << command;
  }
  static void TearDownTestSuite() { std::filesystem::remove_all(folder); }

  static at::Tensor read(const char *name) {
    at::Tensor tensor = at::empty({2, 9, 8});
    std::ifstream file(folder / name, std::ios::binary);
    EXPECT_TRUE(file.read(static_cast<char *>(tensor.data_ptr()), tensor.nbytes()));
    return tensor;
  }

  static void check(const CompiledModule &module) {
    at::Tensor expected = read("y.bin"), found = module.run({read("x.bin")}).at(0);
    ASSERT_EQ(found.sizes(), expected.sizes());
    EXPECT_LE((found - expected).abs().max().item<float>(),
              1e-4 * expected.abs().max().item<float>());
  }

  static std::string refusal(const std::function<void()> &call) {
    try {
      call();
    } catch (const c10::Error &error) {
      return error.what_without_backtrace();
    }
    return "";
  }

  static std::filesystem::path folder;
};

std::filesystem::path Import::folder;

} // namespace

TEST_F(Import, ExportedModelGivesWhatPyTorchGives) {
  CompiledModule module = importModel(folder / "model.pt2");
  check(module);
  EXPECT_NE(module.text().find("tensor<?x?x8xf32>"), std::string::npos);
  EXPECT_NE(module.text().find("\"qkv.weight\""), std::string::npos);
  EXPECT_NE(module.text().find("loc(\"qkv:aten::linear\")"), std::string::npos) << module.text();
}

TEST_F(Import, SizesOutsideOfTheFilesRangeAreRefused) {
  CompiledModule module = importModel(folder / "model.pt2");
  EXPECT_EQ(module.run({torch::randn({4, 15, 8})}).at(0).size(1), 15);
  EXPECT_NE(refusal([&] { module.run({torch::randn({5, 9, 8})}); }).find("at most 4"),
            std::string::npos);
  EXPECT_NE(refusal([&] { module.run({torch::randn({2, 16, 8})}); }).find("at most 15"),
            std::string::npos);
}

TEST_F(Import, ScriptedModelTakesTheSizesThatItIsGiven) {
  ImportOptions options;
  options.inputs = {{DType::f32, {kDynamic, kDynamic, 8}}};
  CompiledModule module = importModel(folder / "model.pt", options);
  check(module);
  EXPECT_EQ(module.run({torch::randn({5, 12, 8})}).at(0).size(0), 5);
  EXPECT_NE(refusal([&] { importModel(folder / "model.pt"); }).find("x: Tensor"),
            std::string::npos);
}

TEST_F(Import, MissingFileIsNamed) {
  std::string path = folder / "none.pt2";
  EXPECT_EQ(refusal([&] { importModel(path); }).rfind(path + ": ", 0), 0u);
}
