//===- pretrained.h - Start an AFT model from a pretrained Transformer ----===//
// A softmax Transformer and an AFT model of the same size differ in how
// positions are mixed alone, so the rest of a Transformer's weights is a start
// for the AFT model. Errors are c10::Error.
//
//   aft::nn::LanguageModel model(…);
//   std::cout << aft::nn::initializeFrom(model, "gpt2.safetensors");

#ifndef AFT_PRETRAINED_H
#define AFT_PRETRAINED_H

#include "aft/export.h"
#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>
#include <torch/ordered_dict.h>

#include <iosfwd>
#include <memory>
#include <string>
#include <vector>

namespace aft::nn {

/// The tensors of a Transformer, by name: of a module, as they come, or of a
/// .safetensors file, which is mapped and not copied.
class AFT_API Pretrained {
public:
  using Tensors = torch::OrderedDict<std::string, torch::Tensor>;

  Pretrained(Tensors tensors) : all(std::move(tensors)) {}
  Pretrained(const torch::nn::Module &transformer);
  template <typename M>
  Pretrained(const torch::nn::ModuleHolder<M> &transformer) : Pretrained(*transformer) {}
  template <typename M>
  Pretrained(const std::shared_ptr<M> &transformer) : Pretrained(*transformer) {}
  /// Throws where the file is damaged or has an element type that LibTorch lacks.
  Pretrained(const std::string &safetensorsFile);
  Pretrained(const char *safetensorsFile) : Pretrained(std::string(safetensorsFile)) {}

  const Tensors &tensors() const { return all; }

private:
  Tensors all;
};

/// How a weight lies in a Transformer.
enum class WeightLayout {
  linear,     ///< [out, in], as torch::nn::Linear
  transposed, ///< [in, out], as GPT-2's Conv1D
  kernel,     ///< [out, channels, patch, patch], as a convolution over patches
};

/// What a name of a Transformer stands for. Both are names of modules, whose
/// weight and bias follow, or of single tensors; # is the number of a layer.
struct PretrainedName {
  /// In the Transformer: "h.#.attn.c_attn".
  std::string transformer;
  /// In the AFT model: "blocks.#.norm1", or several that share the rows of one
  /// fused weight equally: "blocks.#.mixer.query blocks.#.mixer.key …".
  std::string model;
  WeightLayout layout = WeightLayout::linear;
};

struct InitializeOptions {
  /// Takes only tensors whose name begins so, and drops that: "encoder." of a
  /// torch::nn::Transformer, "transformer.h.3.attn." for a layer alone.
  TORCH_ARG(std::string, prefix) = "";
  /// Names that come before those known: those of torch::nn's encoder layers and
  /// attention, GPT-2, DeiT and timm's ViT, and q_proj, k_proj, v_proj.
  TORCH_ARG(std::vector<PretrainedName>, names) = {};
  /// What does not carry over: any component of a parameter's name in the AFT
  /// model, such as "head" where the classes are others. The default is the
  /// paper's.
  TORCH_ARG(std::vector<std::string>, without) = { "positions", "classToken", "query", "key" };
  /// A tensor of another shape than its parameter is an error; false: it is left
  /// out, and the report says so.
  TORCH_ARG(bool, strict) = true;
};

/// What initializeFrom did; prints as a list in which layers are drawn together.
struct InitializeReport {
  enum class Reason {
    excluded,      ///< InitializeOptions::without, or outside of prefix
    shape,         ///< of another shape than its parameter, or no floating-point numbers
    noCounterpart, ///< the model has no such parameter, or not so many layers
    unknownName,   ///< no name tells what it is
  };
  struct Copied {
    std::string parameter, tensor;
    std::string how; ///< what was done besides copying: "columns 64 to 95, transposed"
  };
  struct Unused {
    std::string tensor;
    Reason reason;
    std::string why;
  };
  std::vector<Copied> copied;
  /// Biases where the Transformer has none beside the weight that was copied.
  std::vector<std::string> zeroed;
  /// Parameters of the model that are as they were.
  std::vector<std::string> kept;
  /// Tensors of the Transformer, or parts of fused ones, that went nowhere.
  std::vector<Unused> unused;
};
AFT_API std::ostream &operator<<(std::ostream &out, const InitializeReport &report);

/// Copies into `model` (a LanguageModel, an ImageClassifier, a Block or one of the
/// four layers) what a Transformer of the same size has in the same role: value and
/// output projections, feed-forward layers, norms, the embedding of tokens or
/// patches [d, 3, p, p], the head. Query and key projections, position embedding
/// and class token stay as they are (InitializeOptions::without). Without a head,
/// the embedding of the tokens is the language model's head as well; a linear
/// layer or norm without a bias gets the bias 0. Elements are converted to the
/// parameter's type. Norms are taken as they come: the block normalises before
/// mixer and feed-forward, its activation is GELU.
///
/// An error names the tensor, what was expected and what was found; the model is
/// as it was then.
AFT_API InitializeReport initializeFrom(torch::nn::Module &model, const Pretrained &transformer,
                                        const InitializeOptions &options = {});
template <typename M>
InitializeReport initializeFrom(const torch::nn::ModuleHolder<M> &model,
                                const Pretrained &transformer,
                                const InitializeOptions &options = {}) {
  return initializeFrom(static_cast<torch::nn::Module &>(*model.ptr()), transformer, options);
}

} // namespace aft::nn

#endif // AFT_PRETRAINED_H
