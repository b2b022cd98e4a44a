//===- InitializeTest.cpp - AFT models from Transformers ------------------===//

#include "CaptureHarness.h"

#include "aft/nn.h"
#include "aft/pretrained.h"

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

using namespace aft;
using namespace aft::test;
using at::Tensor;
using nn::InitializeOptions;
using nn::InitializeReport;
using State = nn::Pretrained::Tensors;
using Reason = InitializeReport::Reason;

static constexpr int64_t kDim = 8, kLayers = 2, kVocabulary = 11, kContext = 6;

//===----------------------------------------------------------------------===//
// Transformers
//===----------------------------------------------------------------------===//

/// As GPT-2 stores it, without biases where `biases` is false.
static State gpt2(bool conv1d = true, bool biases = true) {
  torch::manual_seed(7);
  State state;
  auto linear = [&](const std::string &name, int64_t in, int64_t out) {
    state.insert(name + ".weight", conv1d ? at::randn({in, out}) : at::randn({out, in}));
    if (biases)
      state.insert(name + ".bias", at::randn({out}));
  };
  auto norm = [&](const std::string &name) {
    state.insert(name + ".weight", at::randn({kDim}));
    state.insert(name + ".bias", at::randn({kDim}));
  };
  state.insert("wte.weight", at::randn({kVocabulary, kDim}));
  state.insert("wpe.weight", at::randn({kContext, kDim}));
  for (int64_t layer = 0; layer < kLayers; ++layer) {
    std::string block = "h." + std::to_string(layer) + ".";
    norm(block + "ln_1");
    state.insert(block + "attn.bias", at::ones({1, 1, kContext, kContext}).tril());
    linear(block + "attn.c_attn", kDim, 3 * kDim);
    linear(block + "attn.c_proj", kDim, kDim);
    norm(block + "ln_2");
    linear(block + "mlp.c_fc", kDim, 4 * kDim);
    linear(block + "mlp.c_proj", 4 * kDim, kDim);
  }
  norm("ln_f");
  return state;
}

static State timmViT(int64_t tokens, int64_t patch, int64_t classes) {
  torch::manual_seed(8);
  State state;
  auto both = [&](const std::string &name, std::vector<int64_t> shape) {
    state.insert(name + ".weight", at::randn(shape));
    state.insert(name + ".bias", at::randn({shape[0]}));
  };
  state.insert("cls_token", at::randn({1, 1, kDim}));
  state.insert("pos_embed", at::randn({1, tokens, kDim}));
  both("patch_embed.proj", {kDim, 3, patch, patch});
  for (int64_t layer = 0; layer < kLayers; ++layer) {
    std::string block = "blocks." + std::to_string(layer) + ".";
    both(block + "norm1", {kDim});
    both(block + "attn.qkv", {3 * kDim, kDim});
    both(block + "attn.proj", {kDim, kDim});
    both(block + "norm2", {kDim});
    both(block + "mlp.fc1", {4 * kDim, kDim});
    both(block + "mlp.fc2", {kDim, 4 * kDim});
  }
  both("norm", {kDim});
  both("head", {classes, kDim});
  return state;
}

static nn::LanguageModel languageModel(const char *mixer = "simple", int64_t layers = kLayers) {
  torch::manual_seed(9);
  nn::LanguageModel model(nn::LanguageModelOptions()
                              .vocabulary(kVocabulary)
                              .layers(layers)
                              .dim(kDim)
                              .context(kContext)
                              .window(3)
                              .rank(2)
                              .heads(4)
                              .mixer(mixer));
  model->eval();
  return model;
}

static std::vector<Tensor> valuesOf(const torch::nn::Module &module) {
  std::vector<Tensor> values;
  for (const Tensor &parameter : module.parameters())
    values.push_back(parameter.detach().clone());
  return values;
}

static bool unchanged(const torch::nn::Module &module, const std::vector<Tensor> &before) {
  std::vector<Tensor> now = module.parameters();
  return std::equal(now.begin(), now.end(), before.begin(), before.end(),
                    [](const Tensor &a, const Tensor &b) { return a.equal(b); });
}

static Tensor parameter(const torch::nn::Module &module, const std::string &name) {
  return module.named_parameters()[name].detach();
}

static bool contains(const std::vector<std::string> &names, const std::string &name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

static const InitializeReport::Unused *unused(const InitializeReport &report,
                                              const std::string &tensor) {
  for (const auto &row : report.unused)
    if (row.tensor == tensor)
      return &row;
  return nullptr;
}

/// Gives every projection of queries the gate 1 and makes all keys alike: then
/// attention and mixer are means over the keys that are visible.
static void makeUniform(torch::nn::Module &model) {
  at::NoGradGuard noGradients;
  for (auto &item : model.named_parameters())
    for (const char *projection : {"query.", "key."})
      if (item.key().find(projection) != std::string::npos)
        item.value().fill_(item.key().ends_with("query.bias") ? 40 : 0);
}

//===----------------------------------------------------------------------===//
// Layouts
//===----------------------------------------------------------------------===//

/// What a Transformer with the weights of gpt2() computes when it looks at all
/// keys alike.
static Tensor uniformGpt2(const State &state, Tensor ids) {
  auto linear = [&](const std::string &name, Tensor x) {
    return at::matmul(x, state[name + ".weight"]) + state[name + ".bias"];
  };
  auto norm = [&](const std::string &name, Tensor x) {
    return at::layer_norm(x, {kDim}, state[name + ".weight"], state[name + ".bias"]);
  };
  Tensor x = at::embedding(state["wte.weight"], ids) + state["wpe.weight"];
  Tensor count = at::arange(1, kContext + 1).view({kContext, 1});
  for (int64_t layer = 0; layer < kLayers; ++layer) {
    std::string block = "h." + std::to_string(layer) + ".";
    Tensor values = linear(block + "attn.c_attn", norm(block + "ln_1", x)).chunk(3, -1)[2];
    x = x + linear(block + "attn.c_proj", values.cumsum(1) / count);
    x = x +
        linear(block + "mlp.c_proj", at::gelu(linear(block + "mlp.c_fc", norm(block + "ln_2", x))));
  }
  return at::matmul(norm("ln_f", x), state["wte.weight"].t());
}

TEST(Initialize, ComputesWhatTheTransformerDoes) {
  at::NoGradGuard noGradients;
  State state = gpt2();
  Tensor ids = at::randint(kVocabulary, {3, kContext}, at::kLong);
  for (const char *mixer : {"simple", "full", "local", "conv"}) {
    SCOPED_TRACE(mixer);
    nn::LanguageModel model = languageModel(mixer);
    nn::initializeFrom(model, state, InitializeOptions().without({"query", "key", "classToken"}));
    for (auto &item : model->named_parameters())
      if (item.key().ends_with("mixer.u"))
        item.value().zero_(); // no position bias
    makeUniform(*model);
    expectClose(model->forward(ids), uniformGpt2(state, ids), 1e-5);
  }
}

TEST(Initialize, CopiesGpt2Exactly) {
  State state = gpt2();
  nn::LanguageModel model = languageModel(), before = languageModel();
  InitializeReport report = nn::initializeFrom(model, state);
  EXPECT_TRUE(model->tokens->weight.equal(state["wte.weight"]));
  EXPECT_TRUE(model->head->weight.equal(state["wte.weight"]));
  EXPECT_TRUE(model->norm->bias.equal(state["ln_f.bias"]));
  EXPECT_TRUE(model->positions.equal(before->positions));
  for (std::string layer : {"0", "1"}) {
    std::string to = "blocks." + layer + ".", from = "h." + layer + ".";
    Tensor fused = state[from + "attn.c_attn.weight"];
    EXPECT_TRUE(parameter(*model, to + "mixer.value.weight").equal(fused.slice(1, 16).t()));
    EXPECT_TRUE(parameter(*model, to + "mixer.value.bias")
                    .equal(state[from + "attn.c_attn.bias"].slice(0, 16)));
    EXPECT_TRUE(parameter(*model, to + "mixer.output.weight")
                    .equal(state[from + "attn.c_proj.weight"].t()));
    EXPECT_TRUE(parameter(*model, to + "up.weight").equal(state[from + "mlp.c_fc.weight"].t()));
    EXPECT_TRUE(parameter(*model, to + "down.weight").equal(state[from + "mlp.c_proj.weight"].t()));
    EXPECT_TRUE(parameter(*model, to + "norm1.weight").equal(state[from + "ln_1.weight"]));
    EXPECT_TRUE(parameter(*model, to + "norm2.bias").equal(state[from + "ln_2.bias"]));
    for (std::string name : {"query.weight", "query.bias", "key.weight", "key.bias"}) {
      EXPECT_TRUE(
          parameter(*model, to + "mixer." + name).equal(parameter(*before, to + "mixer." + name)));
      EXPECT_TRUE(contains(report.kept, to + "mixer." + name));
    }
  }
  EXPECT_EQ(report.copied.size() + report.zeroed.size() + report.kept.size(),
            model->parameters().size());
  EXPECT_EQ(report.zeroed, std::vector<std::string>{"head.bias"});
  EXPECT_EQ(model->head->bias.abs().max().item<float>(), 0);
  ASSERT_TRUE(unused(report, "h.0.attn.bias"));
  EXPECT_EQ(unused(report, "h.0.attn.bias")->reason, Reason::unknownName);
  ASSERT_TRUE(unused(report, "wpe.weight"));
  EXPECT_EQ(unused(report, "wpe.weight")->reason, Reason::excluded);
}

TEST(Initialize, KnowsConv1dFromLinear) {
  State state = gpt2(/*conv1d=*/false);
  nn::LanguageModel model = languageModel();
  nn::initializeFrom(model, state);
  EXPECT_TRUE(
      parameter(*model, "blocks.1.mixer.output.weight").equal(state["h.1.attn.c_proj.weight"]));
  EXPECT_TRUE(parameter(*model, "blocks.1.up.weight").equal(state["h.1.mlp.c_fc.weight"]));
}

TEST(Initialize, BiasesThatAreMissingAreZero) {
  nn::LanguageModel model = languageModel();
  InitializeReport report = nn::initializeFrom(model, gpt2(true, /*biases=*/false));
  for (std::string name : {"blocks.1.mixer.value.bias", "blocks.0.up.bias", "head.bias"}) {
    EXPECT_TRUE(contains(report.zeroed, name)) << name;
    EXPECT_EQ(parameter(*model, name).abs().max().item<float>(), 0) << name;
  }
  EXPECT_FALSE(contains(report.zeroed, "blocks.0.mixer.key.bias"));
}

TEST(Initialize, AttentionOfLibTorchIntoEachLayer) {
  at::NoGradGuard noGradients;
  torch::manual_seed(10);
  torch::nn::MultiheadAttention attention(torch::nn::MultiheadAttentionOptions(kDim, 2));
  attention->in_proj_bias.normal_();
  attention->out_proj->bias.normal_();
  Tensor x = at::randn({2, kContext, kDim});
  for (const char *mixer : {"simple", "full", "local", "conv"}) {
    SCOPED_TRACE(mixer);
    auto layer = nn::makeLayer(
        mixer, nn::MixerOptions(kDim).context(kContext).rank(0).window(2).heads(4).gate("none"));
    InitializeReport report = nn::initializeFrom(*layer, attention);
    EXPECT_TRUE(layer->value->weight.equal(attention->in_proj_weight.slice(0, 16)));
    EXPECT_TRUE(layer->output->bias.equal(attention->out_proj->bias));
    EXPECT_EQ(report.copied.size(), 4u);
    torch::nn::MultiheadAttention uniform(torch::nn::MultiheadAttentionOptions(kDim, 2));
    for (auto &item : uniform->named_parameters())
      item.value().copy_(attention->named_parameters()[item.key()]);
    uniform->in_proj_weight.slice(0, 0, 16).zero_();
    uniform->in_proj_bias.slice(0, 0, 16).zero_();
    layer->key->weight.zero_();
    Tensor in = x.transpose(0, 1);
    Tensor expected = std::get<0>(uniform->forward(in, in, in)).transpose(0, 1);
    expectClose(layer->forward(x), expected, 1e-5);
  }
}

TEST(Initialize, EncoderOfLibTorch) {
  torch::manual_seed(11);
  torch::nn::TransformerEncoderLayer layer(
      torch::nn::TransformerEncoderLayerOptions(kDim, 2).dim_feedforward(4 * kDim));
  torch::nn::TransformerEncoder encoder(
      torch::nn::TransformerEncoderOptions(layer, kLayers)
          .norm(torch::nn::AnyModule(torch::nn::LayerNorm(torch::nn::LayerNormOptions({kDim})))));
  nn::LanguageModel model = languageModel("full");
  InitializeReport report = nn::initializeFrom(model, encoder);
  auto from = encoder->named_parameters();
  EXPECT_TRUE(parameter(*model, "blocks.1.mixer.value.weight")
                  .equal(from["layers.1.self_attn.in_proj_weight"].slice(0, 16)));
  EXPECT_TRUE(parameter(*model, "blocks.0.up.weight").equal(from["layers.0.linear1.weight"]));
  EXPECT_TRUE(parameter(*model, "blocks.0.down.bias").equal(from["layers.0.linear2.bias"]));
  EXPECT_TRUE(parameter(*model, "blocks.1.norm2.weight").equal(from["layers.1.norm2.weight"]));
  EXPECT_TRUE(contains(report.kept, "tokens.weight"));
  EXPECT_TRUE(contains(report.kept, "head.weight")) << "no embedding to be tied to";
  EXPECT_EQ(report.copied.size(), 2 * 12 + 2u);

  // One layer of it, for a block.
  nn::Block block("simple", nn::MixerOptions(kDim), 0.0);
  report = nn::initializeFrom(block, encoder, InitializeOptions().prefix("layers.1."));
  EXPECT_TRUE(block->mixer->output->weight.equal(from["layers.1.self_attn.out_proj.weight"]));
  EXPECT_EQ(report.copied.size(), 12u);
}

TEST(Initialize, AnEncoderAndADecoderNeedAPrefix) {
  torch::nn::Transformer both(
      torch::nn::TransformerOptions(kDim, 2, kLayers, kLayers).dim_feedforward(4 * kDim));
  nn::LanguageModel model = languageModel();
  std::vector<Tensor> before = valuesOf(*model);
  std::string message = refusal([&] { nn::initializeFrom(model, both); });
  EXPECT_NE(message.find("both stand for blocks.0."), std::string::npos) << message;
  EXPECT_TRUE(unchanged(*model, before));
  InitializeReport report = nn::initializeFrom(model, both, InitializeOptions().prefix("decoder."));
  EXPECT_TRUE(
      parameter(*model, "blocks.0.mixer.value.weight")
          .equal(
              both->named_parameters()["decoder.layers.0.self_attn.in_proj_weight"].slice(0, 16)));
  ASSERT_TRUE(unused(report, "encoder.norm.weight"));
  EXPECT_EQ(unused(report, "encoder.norm.weight")->reason, Reason::excluded);
}

TEST(Initialize, ImageClassifiers) {
  at::NoGradGuard noGradients;
  State state = timmViT(5, 4, 3);
  auto options = nn::ImageClassifierOptions()
                     .image(8)
                     .patch(4)
                     .classes(3)
                     .layers(kLayers)
                     .dim(kDim)
                     .rank(2)
                     .heads(4)
                     .filter(3);
  nn::ImageClassifier full(options), conv(nn::ImageClassifierOptions(options).mixer("conv"));
  Tensor classToken = full->classToken.clone();
  InitializeReport report = nn::initializeFrom(full, state);
  EXPECT_TRUE(full->classToken.equal(classToken));
  EXPECT_EQ(unused(report, "cls_token")->why, "'classToken' does not carry over");
  report = nn::initializeFrom(conv, state);
  EXPECT_EQ(unused(report, "pos_embed")->reason, Reason::excluded);
  for (nn::ImageClassifier model : {full, conv}) {
    EXPECT_TRUE(parameter(*model, "blocks.1.mixer.value.weight")
                    .equal(state["blocks.1.attn.qkv.weight"].slice(0, 16)));
    EXPECT_TRUE(model->head->weight.equal(state["head.weight"]));
    // The embedding of patches is the convolution.
    Tensor image = at::randn({1, 3, 8, 8});
    Tensor expected = at::conv2d(image, state["patch_embed.proj.weight"],
                                 state["patch_embed.proj.bias"], /*stride=*/4);
    Tensor patch = image.slice(2, 4, 8).slice(3, 0, 4).reshape({1, 48});
    expectClose(model->embed(patch), expected.select(2, 1).select(2, 0), 1e-5);
  }
  nn::initializeFrom(full, state, InitializeOptions().without({"query", "key"}));
  EXPECT_TRUE(full->classToken.equal(state["cls_token"]));
  EXPECT_TRUE(full->positions.equal(state["pos_embed"][0]));
  // A conv model has neither.
  report = nn::initializeFrom(conv, state, InitializeOptions().without({"query", "key"}));
  EXPECT_EQ(unused(report, "cls_token")->reason, Reason::noCounterpart);
}

TEST(Initialize, NamesOfTransformersAndPlainProjections) {
  torch::manual_seed(12);
  State vit, plain;
  vit.insert("vit.encoder.layer.1.attention.attention.value.weight", at::randn({kDim, kDim}));
  vit.insert("vit.encoder.layer.1.attention.output.dense.weight", at::randn({kDim, kDim}));
  vit.insert("vit.encoder.layer.1.output.dense.weight", at::randn({kDim, 4 * kDim}));
  vit.insert("vit.encoder.layer.1.layernorm_after.weight", at::randn({kDim}));
  nn::LanguageModel model = languageModel();
  nn::initializeFrom(model, vit);
  EXPECT_TRUE(parameter(*model, "blocks.1.mixer.value.weight").equal(vit[0].value()));
  EXPECT_TRUE(parameter(*model, "blocks.1.mixer.output.weight").equal(vit[1].value()));
  EXPECT_TRUE(parameter(*model, "blocks.1.down.weight").equal(vit[2].value()));
  EXPECT_TRUE(parameter(*model, "blocks.1.norm2.weight").equal(vit[3].value()));
  for (const char *name : {"q_proj", "k_proj", "v_proj", "out_proj"})
    plain.insert(std::string("self_attn.") + name + ".weight", at::randn({kDim, kDim}));
  nn::AFTSimple layer(kDim);
  nn::initializeFrom(layer, plain, InitializeOptions().prefix("self_attn.").without({}));
  EXPECT_TRUE(layer->query->weight.equal(plain["self_attn.q_proj.weight"]));
  EXPECT_TRUE(layer->key->weight.equal(plain["self_attn.k_proj.weight"]));
  EXPECT_TRUE(layer->value->weight.equal(plain["self_attn.v_proj.weight"]));
  EXPECT_TRUE(layer->output->weight.equal(plain["self_attn.out_proj.weight"]));
}

TEST(Initialize, NamesOfTheUser) {
  torch::manual_seed(13);
  State state;
  state.insert("stage.1.vq.weight", at::randn({kDim, 2 * kDim}));
  state.insert("shift", at::randn({kDim}));
  nn::LanguageModel model = languageModel();
  InitializeReport report =
      nn::initializeFrom(model, state,
                         InitializeOptions().without({}).names(
                             {{"stage.#.vq", "blocks.#.mixer.value blocks.#.mixer.query",
                               nn::WeightLayout::transposed},
                              {"shift", "norm.bias"}}));
  EXPECT_TRUE(
      parameter(*model, "blocks.1.mixer.query.weight").equal(state[0].value().slice(1, 8).t()));
  EXPECT_TRUE(model->norm->bias.equal(state["shift"]));
  EXPECT_EQ(report.copied[0].how, "columns 0 to 7 of 16, transposed");
}

//===----------------------------------------------------------------------===//
// Refusals
//===----------------------------------------------------------------------===//

TEST(Initialize, RefusesWhatDoesNotFitAndChangesNothing) {
  nn::LanguageModel model = languageModel();
  std::vector<Tensor> before = valuesOf(*model);
  auto refuses = [&](const State &state, const std::string &expected,
                     const InitializeOptions &options = {}) {
    std::string message = refusal([&] { nn::initializeFrom(model, state, options); });
    EXPECT_NE(message.find(expected), std::string::npos) << message << "\nlacks " << expected;
    EXPECT_TRUE(unchanged(*model, before));
  };
  State state = gpt2();
  state["h.1.mlp.c_fc.weight"] = at::randn({kDim, 30});
  refuses(state, "'h.1.mlp.c_fc.weight' for blocks.1.up.weight: expected the shape [8, 32], "
                 "found [8, 30]");
  state = gpt2();
  state["h.1.attn.c_attn.weight"] = at::randn({kDim, 2 * kDim});
  refuses(state, "expected the shape [8, 24], found [8, 16]");
  state = gpt2();
  state["wte.weight"] = at::randn({50257, kDim});
  refuses(state, "'wte.weight' for tokens.weight: expected the shape [11, 8], found [50257, 8]");
  state["wte.weight"] = at::zeros({kVocabulary, kDim}, at::kInt);
  refuses(state, "expected floating-point numbers, found CPUIntType");
  State other;
  other.insert("weights.first", at::randn({3}));
  refuses(other, "nothing carries over from 1 tensors; 'weights.first'");
  refuses(State(), "nothing carries over from 0 tensors");
  refuses(gpt2(), "without: the model has no parameter 'querry'",
          InitializeOptions().without({"querry"}));
  refuses(gpt2(), "names: the model has no parameter 'blocks.#.mixer.values'",
          InitializeOptions().names({{"h.#.attn.c_attn", "blocks.#.mixer.values"}}));
  refuses(gpt2(), "names: no tensor is named 'g.#.attn'",
          InitializeOptions().names({{"g.#.attn", "blocks.#.norm1"}}));
  refuses(gpt2(), "its name does not begin with 'transformer.'",
          InitializeOptions().prefix("transformer."));
}

TEST(Initialize, LeavesOutWhatDoesNotFitWhereAsked) {
  State state = gpt2();
  state["wte.weight"] = at::randn({50257, kDim});
  nn::LanguageModel model = languageModel("simple", /*layers=*/1);
  Tensor head = model->head->weight.detach().clone();
  InitializeReport report = nn::initializeFrom(model, state, InitializeOptions().strict(false));
  EXPECT_EQ(unused(report, "wte.weight")->reason, Reason::shape);
  EXPECT_TRUE(model->head->weight.equal(head));
  EXPECT_EQ(unused(report, "h.1.ln_1.weight")->reason, Reason::noCounterpart);
  EXPECT_EQ(unused(report, "h.1.ln_1.weight")->why, "the model has no blocks.1.norm1.weight");
  EXPECT_TRUE(parameter(*model, "blocks.0.norm1.weight").equal(state["h.0.ln_1.weight"]));
  // The same by name.
  EXPECT_NO_THROW(nn::initializeFrom(
      model, state, InitializeOptions().without({"tokens", "head", "positions", "query", "key"})));
}

TEST(Initialize, ReportPrintsLayersTogether) {
  nn::LanguageModel model = languageModel();
  std::ostringstream text;
  text << nn::initializeFrom(model, gpt2());
  for (const char *line :
       {"copied from the Transformer:\n  tokens.weight <- wte.weight\n",
        "  blocks.#.norm1.weight <- h.#.ln_1.weight (2 times)\n",
        "  blocks.#.mixer.value.weight <- h.#.attn.c_attn.weight (columns 16 to 23 of 24, "
        "transposed) (2 times)\n",
        "  head.weight <- wte.weight (tied to the tokens)\n",
        "set to 0, for it has no such bias:\n  head.bias\n",
        "kept as initialised:\n  positions\n  blocks.#.mixer.query.weight (2 times)\n",
        "not copied:\n  wpe.weight: 'positions' does not carry over\n",
        "  h.#.attn.bias: its name says nothing that is known (2 times)\n"})
    EXPECT_NE(text.str().find(line), std::string::npos) << line << "in\n" << text.str();
}

//===----------------------------------------------------------------------===//
// Files and types
//===----------------------------------------------------------------------===//

/// Writes a .safetensors file; `padding` misaligns the data.
static std::string writeFile(const std::string &name, const State &state,
                             const std::string &padding = "") {
  std::string header = "{", data = padding;
  for (const auto &item : state) {
    Tensor tensor = item.value().contiguous();
    const char *type = tensor.scalar_type() == at::kHalf       ? "F16"
                       : tensor.scalar_type() == at::kBFloat16 ? "BF16"
                                                               : "F32";
    std::ostringstream entry;
    entry << (header.size() > 1 ? ", " : "") << '"' << item.key() << "\": {\"dtype\": \"" << type
          << "\", \"shape\": " << tensor.sizes() << ", \"data_offsets\": [" << data.size() << ", "
          << data.size() + tensor.nbytes() << "]}";
    header += entry.str();
    data.append(static_cast<const char *>(tensor.data_ptr()), tensor.nbytes());
  }
  header += "}";
  uint64_t length = header.size();
  std::string path = testing::TempDir() + name;
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char *>(&length), sizeof length);
  file << header << data;
  return path;
}

TEST(Initialize, FromFilesOfSeveralTypes) {
  for (at::ScalarType type : {at::kFloat, at::kHalf, at::kBFloat16}) {
    SCOPED_TRACE(toString(type));
    State state;
    for (const auto &item : gpt2())
      state.insert(item.key(), item.value().to(type));
    for (const char *padding : {"", "x"}) {
      std::string path = writeFile("gpt2.safetensors", state, padding);
      nn::LanguageModel model = languageModel(), expected = languageModel();
      nn::initializeFrom(model, path);
      nn::initializeFrom(expected, state);
      EXPECT_TRUE(unchanged(*model, valuesOf(*expected)));
      EXPECT_TRUE(model->tokens->weight.equal(state["wte.weight"].to(at::kFloat)));
    }
  }
  nn::LanguageModel narrow = languageModel();
  narrow->to(at::kBFloat16);
  nn::initializeFrom(narrow, gpt2());
  EXPECT_TRUE(narrow->tokens->weight.equal(gpt2()["wte.weight"].to(at::kBFloat16)));
}

TEST(Initialize, RefusesDamagedFiles) {
  auto message = [](const std::string &path) {
    return refusal([&] { nn::Pretrained weights(path); });
  };
  auto write = [](const std::string &header, const std::string &data) {
    uint64_t length = header.size();
    std::string path = testing::TempDir() + "damaged.safetensors";
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char *>(&length), sizeof length);
    file << header << data;
    return path;
  };
  EXPECT_NE(message("/nowhere/x.safetensors").find("cannot be opened"), std::string::npos);
  EXPECT_NE(message(testing::TempDir()).find("found a folder"), std::string::npos);
  EXPECT_NE(
      message(write("{\"a\": {\"dtype\": \"F4\", \"shape\": [1], \"data_offsets\": [0, 1]}}", "x"))
          .find("damaged.safetensors: tensor 'a' has the type 'F4', which LibTorch has not"),
      std::string::npos);
  EXPECT_NE(message(write("{\"a\": {\"dtype\": \"F16\", \"shape\": [3], \"data_offsets\": [0, 4]}}",
                          "four"))
                .find("tensor 'a' has 4 bytes of data, expected 6"),
            std::string::npos);
  EXPECT_NE(message(write("{\"a\": {\"dtype\": \"F16\", \"shape\": [4611686018427387904, 4], "
                          "\"data_offsets\": [0, 4]}}",
                          "four"))
                .find("expected more than 64 bits can count"),
            std::string::npos);
  EXPECT_NE(message(write("[]", "")).find("expected a JSON object"), std::string::npos);
  State state = gpt2();
  std::string whole = writeFile("cut.safetensors", state);
  std::filesystem::resize_file(whole, std::filesystem::file_size(whole) - 1);
  EXPECT_NE(message(whole).find("expected data_offsets that ascend within the "),
            std::string::npos);
}

TEST(Initialize, ModelsTrainFromThere) {
  nn::LanguageModel model = languageModel("local");
  nn::initializeFrom(model, gpt2());
  Tensor ids = at::arange(2 * kContext, at::kLong).remainder(5).view({2, kContext});
  Tensor targets = (ids + 1).remainder(5);
  auto loss = [](Tensor logits, Tensor targets) {
    return at::cross_entropy_loss(logits.flatten(0, 1), targets.flatten());
  };
  auto step = compileTraining(model, loss, torch::optim::AdamWOptions(1e-2), {ids, targets},
                              withoutCache());
  double first = step(ids, targets).item<double>(), last = 0;
  for (int i = 0; i < 60; ++i)
    last = step(ids, targets).item<double>();
  EXPECT_TRUE(std::isfinite(first));
  EXPECT_LT(last, first / 3);
}
