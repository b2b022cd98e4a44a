//===- SaveTest.cpp - Saved modules against those in the process ----------===//

#include "CaptureHarness.h"

#include "aft/aft.h"
#include "aft/nn.h"
#include "test/TemporaryFolder.h"

using namespace aft;
using namespace aft::test;
using at::Tensor;

namespace {

struct Save : ::testing::Test {
  TemporaryFolder temporary;
  const std::string folder = temporary.path;
};

nn::LanguageModel smallModel() {
  return nn::LanguageModel(
      nn::LanguageModelOptions().layers(1).dim(8).vocabulary(20).context(16).window(4).rank(2));
}

Buffer bufferOf(const Tensor &tensor) {
  DType dtype = tensor.scalar_type() == at::kLong ? DType::i64 : DType::f32;
  return {tensor.data_ptr(), dtype, tensor.sizes().vec()};
}

} // namespace

TEST_F(Save, InferenceGivesTheSameNumbers) {
  nn::LanguageModel model = smallModel();
  model->eval();
  Tensor ids = at::randint(20, {2, 9}, at::kLong);
  auto compiled = compile(model, {ids}, withoutCache());
  compiled.save(folder + "/m.so");
  SaveModuleOptions beside;
  beside.weightsBeside = true;
  compiled.save(folder + "/n.so", beside);
  EXPECT_TRUE(std::filesystem::exists(folder + "/n.safetensors"));
  for (const char *name : {"/m.so", "/n.so"}) {
    std::shared_ptr<Program> program;
    Status status = Program::load(folder + name, {}, program);
    ASSERT_TRUE(status.ok()) << status.message;
    ASSERT_EQ(program->entry("forward")->inputs.size(), 1u);
    for (int64_t length : {9, 12}) {
      Tensor x = at::randint(20, {3, length}, at::kLong), y = at::empty({3, length, 20});
      status = program->run("forward", {bufferOf(x)}, {bufferOf(y)});
      ASSERT_TRUE(status.ok()) << status.message;
      EXPECT_TRUE(y.equal(compiled(x)));
    }
    // The module refuses what is longer than its context, and so does the artifact.
    Tensor x = at::randint(20, {1, 17}, at::kLong), y = at::empty({1, 17, 20});
    EXPECT_NE(program->run("forward", {bufferOf(x)}, {bufferOf(y)}).message, "");
  }
}

TEST_F(Save, TrainingGoesOnFromWhereItWas) {
  nn::LanguageModel model = smallModel();
  Tensor ids = at::randint(20, {2, 9}, at::kLong), targets = at::randint(20, {2, 9}, at::kLong);
  auto loss = [](Tensor logits, Tensor wanted) {
    return at::cross_entropy_loss(logits.flatten(0, 1), wanted.flatten());
  };
  OptimizerOptions options;
  options.lr = 0x1p-7;
  auto step = compileTraining(model, loss, options, {ids, targets}, withoutCache());
  step(ids, targets);
  step(ids, targets);
  step.save(folder + "/t.so");
  aft_model *loaded = nullptr;
  aft_session *session = nullptr;
  size_t entry = 0;
  ASSERT_EQ(aft_open((folder + "/t.so").c_str(), nullptr, &loaded), AFT_OK) << aft_message();
  ASSERT_EQ(aft_find_entry(loaded, "train_step", &entry), AFT_OK);
  ASSERT_EQ(aft_session_create(loaded, entry, 1, &session), AFT_OK) << aft_message();
  EXPECT_EQ(aft_session_steps(session), 2);
  int64_t shape[] = {2, 9};
  float rate = 0x1p-7f, found = 0;
  aft_buffer arguments[] = {{&rate, AFT_F32, 0, nullptr},
                            {ids.data_ptr(), AFT_I64, 2, shape},
                            {targets.data_ptr(), AFT_I64, 2, shape}};
  aft_buffer result{&found, AFT_F32, 0, nullptr};
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(aft_session_step(session, arguments, 3, &result, 1, nullptr), AFT_OK)
        << aft_message();
    EXPECT_EQ(found, step(ids, targets).item<float>());
  }
  aft_session_destroy(session);
  aft_close(loaded);
}

TEST_F(Save, WrongNamesAndStatesAreRefused) {
  torch::nn::Module none;
  auto body = [](const Tensors &in) { return Tensors{in[0] + in[1], in[1] * 2}; };
  Tensors examples = {at::rand({2, 4}), at::rand({2, 4})};
  CompileModuleOptions options = withoutCache();
  options.state = {{2, 1}};
  EXPECT_NE(refusal([&] { compileComputation(none, body, examples, options); })
                .find("state: expected a result below 2 and an input below 2, found 2 and 1"),
            std::string::npos);
  options.state = {{1, 1}};
  options.inputNames = {"x", "carried"};
  CompiledModule compiled = compileComputation(none, body, examples, options);
  SaveModuleOptions save;
  save.initialState = {at::zeros({1, 4}), at::zeros({1, 4})};
  EXPECT_NE(refusal([&] { compiled.save(folder + "/x.so", save); })
                .find("expected 1 tensors of the initial state, found 2"),
            std::string::npos);
  EXPECT_NE(refusal([&] { compiled.save(folder + "/no/x.so"); }).find("cannot be written"),
            std::string::npos);
}
