//===- LayersTest.cpp - The layers and models as LibTorch modules ---------===//

#include "CaptureHarness.h"

#include "aft/nn.h"

#include <sstream>
#include <torch/optim/adam.h>
#include <torch/serialize.h>

using namespace aft;
using namespace aft::test;
using at::Tensor;

static double millions(const torch::nn::Module &module) {
  int64_t count = 0;
  for (const Tensor &parameter : module.parameters())
    count += parameter.numel();
  return static_cast<double>(count) / 1e6;
}

TEST(Layers, ImageClassifiersHaveThePapersParameterCounts) {
  struct Row {
    const char *mixer;
    int64_t dim, filter, heads;
    double millions;
  };
  // Tables 4 and 5 of the paper, which give one digit behind the point.
  for (const Row &row : std::vector<Row>{{"full", 192, 0, 0, 6.3},
                                         {"full", 384, 0, 0, 22.6},
                                         {"conv", 192, 11, 32, 5.4},
                                         {"conv", 192, 11, 192, 5.9},
                                         {"conv", 384, 11, 16, 20.3},
                                         {"conv", 384, 11, 384, 22.5},
                                         {"conv", 384, 15, 384, 23.0}}) {
    nn::ImageClassifierOptions options;
    options.mixer(row.mixer).dim(row.dim);
    if (row.heads)
      options.heads(row.heads).filter(row.filter);
    nn::ImageClassifier model(options);
    EXPECT_NEAR(millions(*model), row.millions, 0.1)
        << row.mixer << " " << row.dim << " " << row.filter << " " << row.heads;
  }
}

TEST(Layers, ConvModelsRunAtAnotherResolution) {
  nn::ImageClassifier model(nn::ImageClassifierOptions().image(32).patch(8).classes(3).layers(1)
                                .dim(16).heads(4).filter(3).mixer("conv"));
  model->eval();
  EXPECT_EQ(model->forward(at::randn({2, 3, 32, 32})).sizes(), (std::vector<int64_t>{2, 3}));
  model->resize(48);
  EXPECT_EQ(model->forward(at::randn({2, 3, 48, 48})).sizes(), (std::vector<int64_t>{2, 3}));
}

//===----------------------------------------------------------------------===//
// Copies
//===----------------------------------------------------------------------===//

namespace {
/// Says whether two modules hold the same numbers, and none in the same memory.
void expectCopy(const torch::nn::Module &module, const torch::nn::Module &copy) {
  auto parameters = module.named_parameters(), copies = copy.named_parameters();
  ASSERT_EQ(parameters.keys(), copies.keys());
  ASSERT_GT(parameters.size(), 0u);
  for (const auto &item : parameters) {
    Tensor own = copies[item.key()];
    EXPECT_TRUE(own.equal(item.value())) << item.key();
    EXPECT_NE(own.data_ptr(), item.value().data_ptr()) << item.key();
    EXPECT_EQ(own.scalar_type(), item.value().scalar_type()) << item.key();
    EXPECT_EQ(own.requires_grad(), item.value().requires_grad()) << item.key();
    EXPECT_TRUE(own.is_leaf()) << item.key();
  }
}

/// A user's own module around a layer of ours.
struct AroundImpl : torch::nn::Cloneable<AroundImpl> {
  AroundImpl() { reset(); }
  void reset() override {
    layer = register_module("layer", nn::AFTConv(nn::MixerOptions(8).heads(2).filter(3)));
  }
  nn::AFTConv layer = nullptr;
};

template <typename Module> std::shared_ptr<Module> cloned(const std::shared_ptr<Module> &module) {
  return std::dynamic_pointer_cast<Module>(module->clone());
}
} // namespace

TEST(Copies, OfLayersAreDeep) {
  torch::manual_seed(5);
  Tensor x = at::randn({2, 12, 8});
  for (const char *mixer : {"full", "local", "simple", "conv"})
    for (int64_t rank : {0, 3}) {
      SCOPED_TRACE(mixer);
      auto options = nn::MixerOptions(8).context(16).rank(rank).window(4).heads(2).filter(3);
      std::shared_ptr<nn::AFTLayer> layer = nn::makeLayer(mixer, options.causal(true).gate("tanh"));
      for (Tensor &parameter : layer->parameters())
        parameter.data().normal_();
      layer->query->weight.set_requires_grad(false);
      layer->eval();
      std::shared_ptr<nn::AFTLayer> copy = cloned(layer);
      ASSERT_TRUE(copy);
      EXPECT_EQ(typeid(*copy), typeid(*layer));
      EXPECT_FALSE(copy->is_training());
      expectCopy(*layer, *copy);
      at::NoGradGuard noGradients;
      Tensor y = layer->forward(x);
      EXPECT_TRUE(copy->forward(x).equal(y));
      // The members are those of the parameters, and nobody else's.
      copy->value->weight.zero_();
      copy->value->bias.zero_();
      copy->output->bias.zero_();
      EXPECT_EQ(copy->forward(x).abs().max().item<float>(), 0);
      EXPECT_TRUE(layer->forward(x).equal(y));
    }
}

TEST(Copies, OfModelsAreDeep) {
  torch::manual_seed(6);
  nn::LanguageModel model(
      nn::LanguageModelOptions().layers(2).dim(8).vocabulary(20).context(16).window(4).rank(2));
  nn::ImageClassifier images(nn::ImageClassifierOptions()
                                 .image(32)
                                 .patch(8)
                                 .classes(3)
                                 .layers(1)
                                 .dim(16)
                                 .heads(4)
                                 .filter(3)
                                 .mixer("conv"));
  images->resize(48);
  Tensor ids = at::randint(20, {2, 9}, at::kLong), pictures = at::randn({2, 3, 48, 48});
  auto block = model->blocks[1]->as<nn::BlockImpl>();
  block->dropout->options.p(0.75);
  block->mixer->eval();
  model->to(at::kDouble);
  auto copy = cloned(model.ptr());
  auto other = cloned(images.ptr());
  expectCopy(*model, *copy);
  expectCopy(*images, *other);
  EXPECT_EQ(copy->blocks[1]->as<nn::BlockImpl>()->dropout->options.p(), 0.75);
  EXPECT_EQ(copy->blocks[0]->as<nn::BlockImpl>()->dropout->options.p(), 0.1);
  EXPECT_FALSE(copy->blocks[1]->as<nn::BlockImpl>()->mixer->is_training());
  EXPECT_TRUE(copy->blocks[0]->as<nn::BlockImpl>()->mixer->is_training());
  EXPECT_TRUE(copy->is_training());
  model->eval();
  copy->eval();
  EXPECT_TRUE(copy->forward(ids).equal(model->forward(ids)));
  EXPECT_TRUE(other->forward(pictures).equal(images->forward(pictures)));
  // What is trained is one of them.
  auto kept = model->forward(ids).detach().clone();
  torch::optim::Adam adam(copy->parameters(), torch::optim::AdamOptions(0.1));
  copy->forward(ids).square().mean().backward();
  adam.step();
  EXPECT_FALSE(copy->forward(ids).equal(kept));
  EXPECT_TRUE(model->forward(ids).equal(kept));
  for (const Tensor &parameter : model->parameters())
    EXPECT_FALSE(parameter.grad().defined());
}

TEST(Copies, AreMadeWithTheModulesAround) {
  torch::manual_seed(7);
  auto around = std::make_shared<AroundImpl>();
  around->layer->gamma.data().normal_();
  around->layer->eval();
  auto copy = cloned(around);
  expectCopy(*around, *copy);
  EXPECT_FALSE(copy->layer->is_training());
  torch::nn::Sequential sequence(nn::AFTSimple(8), torch::nn::Linear(8, 4));
  expectCopy(*sequence, *sequence->clone());
  Tensor x = at::randn({2, 5, 8});
  EXPECT_TRUE(copy->layer->forward(x).equal(around->layer->forward(x)));
}

TEST(Copies, CanBeSavedAndLoaded) {
  torch::manual_seed(8);
  nn::AFTFull layer(nn::MixerOptions(8).context(16).rank(3)), loaded(layer->options);
  std::stringstream file;
  torch::save(cloned(layer.ptr()), file);
  torch::load(loaded, file);
  expectCopy(*layer, *loaded);
}

TEST(Copies, OfWhatWasChangedAreRefused) {
  nn::AFTSimple layer(8);
  layer->register_module("extra", torch::nn::Linear(8, 8));
  std::string message = refusal([&] { layer->clone(); });
  EXPECT_NE(message.find("got 'extra' after it was made"), std::string::npos) << message;
  nn::AFTSimple narrow(8);
  narrow->replace_module("output", torch::nn::Linear(8, 4));
  message = refusal([&] { narrow->clone(); });
  EXPECT_NE(message.find("'weight' of torch::nn::LinearImpl is not of the shape"),
            std::string::npos)
      << message;
}

TEST(Layers, ConvBeginsAsSimple) {
  torch::manual_seed(1);
  nn::AFTConv conv(nn::MixerOptions(8).heads(8).filter(5));
  Tensor q = at::randn({2, 9, 8}), k = at::randn({2, 9, 8}), v = at::randn({2, 9, 8});
  nn::AFTSimple simple(nn::MixerOptions(8));
  at::NoGradGuard noGradients;
  expectClose(conv->mix(q, k, v), simple->mix(q, k, v), 2e-6);
}

TEST(Layers, SaveLoadAndPrint) {
  torch::manual_seed(2);
  auto options = nn::LanguageModelOptions().layers(1).dim(8).context(12).window(3).rank(2)
                     .vocabulary(11);
  nn::LanguageModel saved(options), loaded(options);
  saved->eval();
  loaded->eval();
  Tensor ids = at::randint(11, {2, 12}, at::kLong);
  at::NoGradGuard noGradients;
  EXPECT_FALSE(saved->forward(ids).equal(loaded->forward(ids)));
  std::stringstream file;
  torch::save(saved, file);
  torch::load(loaded, file);
  EXPECT_TRUE(saved->forward(ids).equal(loaded->forward(ids)));
  std::ostringstream text;
  text << *saved;
  EXPECT_NE(text.str().find("(blocks)"), std::string::npos) << text.str();
}

TEST(Layers, TrainEagerly) {
  for (const char *mixer : {"full", "local", "simple", "conv"}) {
    SCOPED_TRACE(mixer);
    torch::manual_seed(3);
    nn::LanguageModel model(nn::LanguageModelOptions().layers(1).dim(16).context(12).window(3)
                                .rank(4).heads(4).vocabulary(7).mixer(mixer).dropout(0));
    torch::optim::Adam optimizer(model->parameters(), torch::optim::AdamOptions(1e-2));
    Tensor ids = at::arange(24, at::kLong).remainder(5).view({2, 12});
    Tensor targets = (ids + 1).remainder(5);
    double first = 0, last = 0;
    for (int step = 0; step < 30; ++step) {
      optimizer.zero_grad();
      Tensor loss = at::cross_entropy_loss(model->forward(ids).flatten(0, 1), targets.flatten());
      loss.backward();
      optimizer.step();
      (step ? last : first) = loss.item<double>();
    }
    EXPECT_LT(last, first / 3);
  }
}

TEST(Layers, RefuseWhatTheyWereNotMadeFor) {
  nn::LanguageModel model(nn::LanguageModelOptions().layers(1).dim(8).context(12).window(3).rank(2));
  EXPECT_NE(refusal([&] { model->forward(at::zeros({1, 13}, at::kLong)); })
                .find("at most 12 positions (context), found 13"),
            std::string::npos);
  EXPECT_NE(refusal([] { nn::makeLayer("linear", nn::MixerOptions(8)); })
                .find("mixer must be full, local, simple or conv, found 'linear'"),
            std::string::npos);
  EXPECT_NE(refusal([] { nn::AFTConv(nn::MixerOptions(8).heads(3)); }).find("multiple of heads"),
            std::string::npos);
}

TEST(Layers, RefuseOptionsThatMeanNothing) {
  auto refused = [](auto make, const std::string &message) {
    EXPECT_NE(refusal(make).find(message), std::string::npos) << message << "\n" << refusal(make);
  };
  auto language = [](auto change) {
    nn::LanguageModelOptions options;
    options.layers(1).dim(8).context(12).window(3).rank(2);
    change(options);
    return [options] { nn::LanguageModel model(options); };
  };
  using Language = nn::LanguageModelOptions;
  refused(language([](Language &o) { o.rank(-1); }), "rank must be at least 0, found -1");
  refused(language([](Language &o) { o.dim(0); }), "dim must be at least 1, found 0");
  refused(language([](Language &o) { o.vocabulary(0); }), "vocabulary must be at least 1, found 0");
  refused(language([](Language &o) { o.layers(-2); }), "layers must be at least 0, found -2");
  refused(language([](Language &o) { o.context(0); }), "context must be at least 1, found 0");
  refused(language([](Language &o) { o.window(0); }), "window must be at least 1, found 0");
  refused([] { nn::AFTSimple(nn::MixerOptions(0)); }, "dim must be at least 1, found 0");
  refused([] { nn::AFTFull(nn::MixerOptions(8).context(4).rank(-1)); }, "rank must be at least 0");
  refused([] { nn::AFTConv(nn::MixerOptions(8).heads(-1)); }, "heads must be at least 1, found -1");
  refused([] { nn::AFTConv(nn::MixerOptions(8).filter(0)); }, "filter must be at least 1, found 0");
  refused([] { nn::AFTConv(nn::MixerOptions(8).grid({4, 0})); },
          "grid must be at least 1, found 0");
  using Image = nn::ImageClassifierOptions;
  refused([] { nn::ImageClassifier model(Image().patch(0)); }, "patch must be at least 1, found 0");
  refused([] { nn::ImageClassifier model(Image().image(-16)); }, "image must be at least 1");
  refused([] { nn::ImageClassifier model(Image().classes(0)); }, "classes must be at least 1");
}
