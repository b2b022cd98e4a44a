//===- PretrainedNames.h - What the names of Transformers' tensors mean ---===//

#ifndef AFT_TORCH_NN_PRETRAINEDNAMES_H
#define AFT_TORCH_NN_PRETRAINEDNAMES_H

#include "aft/pretrained.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace aft::nn::pretrained {

/// What is to be initialised: names are relative to it.
enum class Scope { layer, block, model };

/// Where a tensor of a Transformer goes.
struct Destination {
  /// Modules of the model, or parameters where `leaf` is empty; several share the
  /// tensor's rows equally.
  std::vector<std::string> modules;
  std::string leaf; ///< "weight", "bias" or empty
  WeightLayout layout = WeightLayout::linear;
  bool mayBeLinear = false; ///< has the name of GPT-2's Conv1D: others give it to a Linear
  int row = -1;             ///< of the user's names; -1: a known name
};

/// What a tensor's name says; none: nothing that is known.
std::optional<Destination> destinationOf(const std::string &name, Scope scope,
                                         const std::vector<PretrainedName> &names);

/// Matches two names whose components are separated by points; # in the pattern is
/// a number, which `number` receives.
bool matches(std::string_view pattern, std::string_view name, std::string &number);

} // namespace aft::nn::pretrained

#endif // AFT_TORCH_NN_PRETRAINEDNAMES_H
