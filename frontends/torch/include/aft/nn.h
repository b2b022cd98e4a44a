//===- nn.h - AFT layers and the paper's models as LibTorch modules -------===//
// Ordinary torch::nn::Modules: they run eagerly, train with torch::optim,
// print, clone, save and load as any other. Shapes use B batch, T positions, d
// channels. Source: Zhai et al., arXiv 2105.14103.
//
// clone() copies deeply, to a device where one is given: a copy has parameters of its own, which
// take gradients where those of the module do, and trains where it does. It throws c10::Error where
// parameters or modules were added, or replaced by ones of another shape.

#ifndef AFT_NN_H
#define AFT_NN_H

#include "aft/export.h"

#include <torch/nn/cloneable.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/modules/dropout.h>
#include <torch/nn/modules/embedding.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/normalization.h>
#include <torch/nn/pimpl.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace aft::nn {

/// What carries a causal mixer from one chunk of positions to the next; empty
/// before the first chunk. simple: m, n, z [B,d]. local and conv: the same and
/// the last window - 1 keys and values. full: all keys and values [B,S,d].
using MixerState = std::vector<torch::Tensor>;

/// Options of all four layers; a layer ignores what its mixer has no use for.
struct MixerOptions {
  explicit MixerOptions(int64_t dim) : dim_(dim) {}
  /// Channels d.
  TORCH_ARG(int64_t, dim);
  /// Longest sequence T for which full and local keep a position bias.
  TORCH_ARG(int64_t, context) = 0;
  /// Rank r of the factorised bias w(t,t') = u[t] . v[t']; 0 keeps it dense.
  TORCH_ARG(int64_t, rank) = 128;
  /// local: s, keys with |t - t'| < s have a learned bias.
  TORCH_ARG(int64_t, window) = 32;
  /// conv: heads h, and the filter's extent on every axis.
  TORCH_ARG(int64_t, heads) = 1;
  TORCH_ARG(int64_t, filter) = 11;
  /// conv: extents of the grid of positions; empty for a sequence.
  TORCH_ARG(std::vector<int64_t>, grid) = {};
  TORCH_ARG(bool, causal) = false;
  /// sigmoid, relu, tanh or none.
  TORCH_ARG(std::string, gate) = "sigmoid";
  /// Computes with plain LibTorch operators instead of the aft operators; for
  /// comparisons (see frontends/torch/nn/Plain.h for what that gives up).
  TORCH_ARG(bool, plain) = false;
};

/// What the four layers share: the projections around the mixer.
class AFT_API AFTLayer : public torch::nn::Module {
public:
  MixerOptions options;
  torch::nn::Linear query, key, value, output;

  /// x [B,T,d] -> [B,T,d].
  torch::Tensor forward(torch::Tensor x);

  /// The next chunk x [B,C,d] of a causal layer at positions [C] (int64),
  /// given the state of all earlier ones; replaces `state`.
  torch::Tensor step(torch::Tensor x, torch::Tensor positions, MixerState &state);

  /// The state before the first position.
  virtual MixerState initialState(int64_t batch) const = 0;
  /// The mixer itself on projected q, k and v.
  virtual torch::Tensor mix(torch::Tensor q, torch::Tensor k, torch::Tensor v) = 0;

protected:
  AFTLayer(MixerOptions options, int64_t keyChannels);
  virtual torch::Tensor mixStep(torch::Tensor q, torch::Tensor k, torch::Tensor v,
                                torch::Tensor positions, MixerState &state) = 0;
  torch::Tensor zeros(std::vector<int64_t> shape, double value = 0) const;
  MixerState emptySums(int64_t batch, int64_t keyChannels) const;

private:
  void clone_(torch::nn::Module &other, const std::optional<torch::Device> &device) override;
};

/// AFT-full (Eq 2): a learned bias for every pair of positions.
class AFT_API AFTFullImpl : public AFTLayer {
public:
  explicit AFTFullImpl(MixerOptions options);
  explicit AFTFullImpl(int64_t dim) : AFTFullImpl(MixerOptions(dim)) {}
  MixerState initialState(int64_t batch) const override;
  std::shared_ptr<torch::nn::Module>
  clone(const std::optional<torch::Device> &device = std::nullopt) const override;
  torch::Tensor mix(torch::Tensor q, torch::Tensor k, torch::Tensor v) override;
  /// u, v [context, rank], or bias [context, context] when the rank is 0.
  torch::Tensor u, v, bias;

protected:
  torch::Tensor mixStep(torch::Tensor q, torch::Tensor k, torch::Tensor v,
                        torch::Tensor positions, MixerState &state) override;
};
TORCH_MODULE(AFTFull);

/// AFT-local (Eq 4): a learned bias inside a window, 0 outside.
class AFT_API AFTLocalImpl : public AFTLayer {
public:
  explicit AFTLocalImpl(MixerOptions options);
  explicit AFTLocalImpl(int64_t dim) : AFTLocalImpl(MixerOptions(dim)) {}
  MixerState initialState(int64_t batch) const override;
  std::shared_ptr<torch::nn::Module>
  clone(const std::optional<torch::Device> &device = std::nullopt) const override;
  torch::Tensor mix(torch::Tensor q, torch::Tensor k, torch::Tensor v) override;
  /// u, v [context, rank], or band [context, taps] when the rank is 0.
  torch::Tensor u, v, band;

protected:
  torch::Tensor mixStep(torch::Tensor q, torch::Tensor k, torch::Tensor v,
                        torch::Tensor positions, MixerState &state) override;
};
TORCH_MODULE(AFTLocal);

/// AFT-simple (Eq 5): no position bias.
class AFT_API AFTSimpleImpl : public AFTLayer {
public:
  explicit AFTSimpleImpl(MixerOptions options);
  explicit AFTSimpleImpl(int64_t dim) : AFTSimpleImpl(MixerOptions(dim)) {}
  MixerState initialState(int64_t batch) const override;
  std::shared_ptr<torch::nn::Module>
  clone(const std::optional<torch::Device> &device = std::nullopt) const override;
  torch::Tensor mix(torch::Tensor q, torch::Tensor k, torch::Tensor v) override;

protected:
  torch::Tensor mixStep(torch::Tensor q, torch::Tensor k, torch::Tensor v,
                        torch::Tensor positions, MixerState &state) override;
};
TORCH_MODULE(AFTSimple);

/// AFT-conv (Eq 6): a filter per head, re-parameterised as
/// gamma * (w - mean(w)) / sqrt(var(w) + 1e-5) + beta with gamma = beta = 0 at
/// the beginning, so that the layer begins as AFT-simple.
class AFT_API AFTConvImpl : public AFTLayer {
public:
  explicit AFTConvImpl(MixerOptions options);
  explicit AFTConvImpl(int64_t dim) : AFTConvImpl(MixerOptions(dim)) {}
  MixerState initialState(int64_t batch) const override;
  std::shared_ptr<torch::nn::Module>
  clone(const std::optional<torch::Device> &device = std::nullopt) const override;
  torch::Tensor mix(torch::Tensor q, torch::Tensor k, torch::Tensor v) override;
  /// The filter after re-parameterisation: [h, s], [h, s, s] or [h, s, s, s].
  torch::Tensor effectiveFilter() const;
  torch::Tensor filter, gamma, beta;

protected:
  torch::Tensor mixStep(torch::Tensor q, torch::Tensor k, torch::Tensor v,
                        torch::Tensor positions, MixerState &state) override;
};
TORCH_MODULE(AFTConv);

/// Makes the layer for a mixer named full, local, simple or conv; throws
/// c10::Error for another name.
AFT_API std::shared_ptr<AFTLayer> makeLayer(const std::string &mixer, const MixerOptions &options);

/// Pre-LN block: x += mixer(LN(x)); x += FFN(LN(x)), FFN d -> 4d -> d, GELU.
class AFT_API BlockImpl : public torch::nn::Module {
public:
  BlockImpl(const std::string &mixer, const MixerOptions &options, double dropout);
  torch::Tensor forward(torch::Tensor x);
  torch::Tensor step(torch::Tensor x, torch::Tensor positions, MixerState &state);
  std::shared_ptr<torch::nn::Module>
  clone(const std::optional<torch::Device> &device = std::nullopt) const override;
  std::shared_ptr<AFTLayer> mixer;
  torch::nn::LayerNorm norm1, norm2;
  torch::nn::Linear up, down;
  torch::nn::Dropout dropout;

private:
  BlockImpl(std::shared_ptr<AFTLayer> mixer, double dropout);
  void clone_(torch::nn::Module &other, const std::optional<torch::Device> &device) override;
  torch::Tensor feedForward(torch::Tensor x);
};
TORCH_MODULE(Block);

struct LanguageModelOptions {
  TORCH_ARG(int64_t, vocabulary) = 256;
  TORCH_ARG(int64_t, layers) = 12;
  TORCH_ARG(int64_t, dim) = 512;
  /// Longest sequence (learned absolute positions).
  TORCH_ARG(int64_t, context) = 1024;
  /// full, local, simple or conv; always causal.
  TORCH_ARG(std::string, mixer) = "local";
  TORCH_ARG(int64_t, window) = 32;
  TORCH_ARG(int64_t, rank) = 256;
  TORCH_ARG(int64_t, heads) = 1;
  TORCH_ARG(double, dropout) = 0.1;
  /// See MixerOptions::plain.
  TORCH_ARG(bool, plain) = false;
};

/// Causal language model of the paper (section 6 of the enwik8 experiments).
class AFT_API LanguageModelImpl : public torch::nn::Module {
public:
  explicit LanguageModelImpl(LanguageModelOptions options = {});
  /// ids [B,T] (int64), T <= context -> logits [B,T,vocabulary].
  torch::Tensor forward(torch::Tensor ids);
  /// The decode step: {ids [B,C], positions [C], state…} -> {logits of the
  /// last position [B,vocabulary], state…}. All int64 but the state.
  std::vector<torch::Tensor> step(const std::vector<torch::Tensor> &inputs);
  /// The state before the first position, all layers' tensors in order.
  std::vector<torch::Tensor> initialState(int64_t batch) const;
  std::shared_ptr<torch::nn::Module>
  clone(const std::optional<torch::Device> &device = std::nullopt) const override;
  LanguageModelOptions options;
  torch::nn::Embedding tokens;
  torch::Tensor positions;
  torch::nn::Dropout dropout;
  torch::nn::ModuleList blocks;
  torch::nn::LayerNorm norm;
  torch::nn::Linear head;

private:
  void clone_(torch::nn::Module &other, const std::optional<torch::Device> &device) override;
};
TORCH_MODULE(LanguageModel);

struct ImageClassifierOptions {
  TORCH_ARG(int64_t, image) = 224;
  TORCH_ARG(int64_t, patch) = 16;
  TORCH_ARG(int64_t, classes) = 1000;
  TORCH_ARG(int64_t, layers) = 12;
  TORCH_ARG(int64_t, dim) = 192;
  /// full (class token, position embedding) or conv (average pooling).
  TORCH_ARG(std::string, mixer) = "full";
  TORCH_ARG(int64_t, rank) = 128;
  TORCH_ARG(int64_t, heads) = 32;
  TORCH_ARG(int64_t, filter) = 11;
  TORCH_ARG(double, dropout) = 0.0;
};

/// Image classifier of the paper: patches, blocks, class scores.
class AFT_API ImageClassifierImpl : public torch::nn::Module {
public:
  explicit ImageClassifierImpl(ImageClassifierOptions options = {});
  /// images [B,3,H,W] -> scores [B,classes]. A conv model also runs at another
  /// resolution after resize(H).
  torch::Tensor forward(torch::Tensor images);
  /// Sets the resolution of a conv model; weights stay as they are.
  void resize(int64_t image);
  std::shared_ptr<torch::nn::Module>
  clone(const std::optional<torch::Device> &device = std::nullopt) const override;
  ImageClassifierOptions options;
  torch::nn::Linear embed;
  torch::Tensor classToken, positions;
  torch::nn::ModuleList blocks;
  torch::nn::LayerNorm norm;
  torch::nn::Linear head;

private:
  void clone_(torch::nn::Module &other, const std::optional<torch::Device> &device) override;
};
TORCH_MODULE(ImageClassifier);

} // namespace aft::nn

#endif // AFT_NN_H
