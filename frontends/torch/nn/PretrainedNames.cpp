//===- PretrainedNames.cpp - What the names of Transformers' tensors mean -===//

#include "frontends/torch/nn/PretrainedNames.h"

#include <algorithm>
#include <cctype>

using namespace aft::nn;
using namespace aft::nn::pretrained;
using std::string;
using std::string_view;

//===----------------------------------------------------------------------===//
// The known names
//===----------------------------------------------------------------------===//

namespace {

/// How a weight may lie; conv1d is transposed in GPT-2 and linear in its offspring.
enum class Form { linear, conv1d, kernel };

struct Row {
  string_view transformer, model;
  Form form = Form::linear;
};

} // namespace

/// Names within an attention module, and of the mixer's projections.
static constexpr Row kAttention[] = {
    // torch::nn::MultiheadAttention; fairseq, OPT
    {"in_proj", "query key value"},
    {"q_proj", "query"},
    {"k_proj", "key"},
    {"v_proj", "value"},
    {"out_proj", "output"},
    {"o_proj", "output"},
    // GPT-2
    {"c_attn", "query key value", Form::conv1d},
    {"c_proj", "output", Form::conv1d},
    // DeiT, timm
    {"qkv", "query key value"},
    {"proj", "output"},
    // ViT and DeiT in transformers
    {"query", "query"},
    {"key", "key"},
    {"value", "value"},
    {"output.dense", "output"},
    // this library
    {"output", "output"},
};

/// Names of the attention module within a block.
static constexpr string_view kAttentionModules[] = {
    "self_attn", "attn", "attention", "attention.attention", "self_attention", "mixer"};

/// Names of everything else within a block.
static constexpr Row kBlock[] = {
    // torch::nn::TransformerEncoderLayer
    {"norm1", "norm1"},
    {"norm2", "norm2"},
    {"linear1", "up"},
    {"linear2", "down"},
    // GPT-2
    {"ln_1", "norm1"},
    {"ln_2", "norm2"},
    {"mlp.c_fc", "up", Form::conv1d},
    {"mlp.c_proj", "down", Form::conv1d},
    // DeiT, timm
    {"mlp.fc1", "up"},
    {"mlp.fc2", "down"},
    // ViT and DeiT in transformers
    {"layernorm_before", "norm1"},
    {"layernorm_after", "norm2"},
    {"intermediate.dense", "up"},
    {"output.dense", "down"},
    // fairseq, OPT
    {"self_attn_layer_norm", "norm1"},
    {"final_layer_norm", "norm2"},
    {"fc1", "up"},
    {"fc2", "down"},
    // this library
    {"up", "up"},
    {"down", "down"},
};

/// Names outside of the blocks.
static constexpr Row kModel[] = {
    // GPT-2
    {"wte", "tokens"},
    {"wpe", "positions"},
    {"ln_f", "norm"},
    {"lm_head", "head"},
    // DeiT, timm
    {"cls_token", "classToken"},
    {"pos_embed", "positions"},
    {"patch_embed.proj", "embed", Form::kernel},
    {"norm", "norm"},
    {"head", "head"},
    // ViT and DeiT in transformers
    {"patch_embeddings.projection", "embed", Form::kernel},
    {"position_embeddings", "positions"},
    {"layernorm", "norm"},
    {"classifier", "head"},
    // fairseq, OPT
    {"embed_tokens", "tokens"},
    {"embed_positions", "positions"},
    {"final_layer_norm", "norm"},
    // this library
    {"tokens", "tokens"},
    {"positions", "positions"},
    {"classToken", "classToken"},
    {"embed", "embed"},
};

//===----------------------------------------------------------------------===//
// Names and their components
//===----------------------------------------------------------------------===//

static bool isNumber(string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(),
                                      [](unsigned char letter) { return std::isdigit(letter); });
}

/// What stands before the first separator; `text` becomes the rest.
static string_view takeUntil(string_view &text, char separator) {
  size_t end = text.find(separator);
  string_view first = text.substr(0, end);
  text.remove_prefix(end == string_view::npos ? text.size() : end + 1);
  return first;
}

bool pretrained::matches(string_view pattern, string_view name, string &number) {
  while (!pattern.empty() && !name.empty()) {
    string_view expected = takeUntil(pattern, '.'), found = takeUntil(name, '.');
    if (expected == "#" && isNumber(found))
      number = found;
    else if (expected != found)
      return false;
  }
  return pattern.empty() && name.empty();
}

/// Parts a tensor's name into module and "weight" or "bias"; MultiheadAttention
/// writes in_proj_weight for in_proj.weight.
static string leafOf(string_view &name) {
  for (string_view leaf : {"weight", "bias"})
    if (name.size() > leaf.size() + 1 && name.ends_with(leaf)) {
      char before = name[name.size() - leaf.size() - 1];
      if (before != '.' && before != '_')
        continue;
      name.remove_suffix(leaf.size() + 1);
      return string(leaf);
    }
  return "";
}

static std::vector<string> modulesOf(string_view targets, const string &prefix,
                                     const string &number) {
  std::vector<string> modules;
  while (!targets.empty()) {
    string module = prefix + string(takeUntil(targets, ' '));
    if (size_t at = module.find('#'); at != string::npos)
      module.replace(at, 1, number);
    modules.push_back(std::move(module));
  }
  return modules;
}

//===----------------------------------------------------------------------===//
// From a name to its destination
//===----------------------------------------------------------------------===//

static Destination destination(const Row &row, const string &prefix, const string &leaf) {
  Destination result{modulesOf(row.model, prefix, ""), leaf};
  result.mayBeLinear = row.form == Form::conv1d;
  if (row.form != Form::linear)
    result.layout = row.form == Form::kernel ? WeightLayout::kernel : WeightLayout::transposed;
  return result;
}

template <size_t count> static const Row *find(const Row (&rows)[count], string_view name) {
  for (const Row &row : rows)
    if (row.transformer == name)
      return &row;
  return nullptr;
}

static std::optional<Destination> inLayer(string_view name, const string &leaf,
                                          const string &prefix) {
  if (const Row *row = find(kAttention, name))
    return destination(*row, prefix, leaf);
  return std::nullopt;
}

static std::optional<Destination> inBlock(string_view name, const string &leaf,
                                          const string &prefix) {
  if (const Row *row = find(kBlock, name))
    return destination(*row, prefix, leaf);
  for (string_view module : kAttentionModules)
    if (name.size() > module.size() && name.starts_with(module) && name[module.size()] == '.')
      if (auto found = inLayer(name.substr(module.size() + 1), leaf, prefix + "mixer."))
        return found;
  return std::nullopt;
}

/// A number among the components is that of a layer, whatever stands before it.
static std::optional<Destination> inModel(string_view name, const string &leaf) {
  bool numbered = false;
  for (string_view rest = name; !rest.empty();)
    if (string_view part = takeUntil(rest, '.'); isNumber(part)) {
      numbered = true;
      if (auto found = inBlock(rest, leaf, "blocks." + string(part) + "."))
        return found;
    }
  if (numbered)
    return std::nullopt;
  // What wraps a model adds components before its own.
  for (string_view rest = name; !rest.empty(); takeUntil(rest, '.'))
    if (const Row *row = find(kModel, rest))
      return destination(*row, "", leaf);
  return std::nullopt;
}

std::optional<Destination> pretrained::destinationOf(const string &name, Scope scope,
                                                     const std::vector<PretrainedName> &names) {
  string_view module = name;
  string leaf = leafOf(module), number;
  for (size_t i = 0; i < names.size(); ++i) {
    bool whole = matches(names[i].transformer, name, number);
    if (!whole && (leaf.empty() || !matches(names[i].transformer, module, number)))
      continue;
    Destination result{modulesOf(names[i].model, "", number), whole ? "" : leaf};
    result.layout = names[i].layout;
    result.row = static_cast<int>(i);
    return result;
  }
  if (scope == Scope::layer)
    return inLayer(module, leaf, "");
  return scope == Scope::block ? inBlock(module, leaf, "") : inModel(module, leaf);
}
