//===- Clone.h - Deep copies of layers and models -------------------------===//
// A module is made from its options again and gets the numbers. (torch::nn::Cloneable knows one
// class only, and the layers have a common one.)

#ifndef AFT_TORCH_NN_CLONE_H
#define AFT_TORCH_NN_CLONE_H

#include "aft/nn.h"

namespace aft::nn {

using Device = std::optional<torch::Device>;

/// Gives a module that is made like another one its numbers, modes and options. Throws c10::Error
/// where they consist of different parts.
void copyInto(const torch::nn::Module &from, torch::nn::Module &to, const Device &device);

template <typename Module>
std::shared_ptr<Module> copied(const Module &from, std::shared_ptr<Module> to,
                               const Device &device) {
  copyInto(from, *to, device);
  return to;
}

} // namespace aft::nn

#endif // AFT_TORCH_NN_CLONE_H
