//===- Model.h - A model from a file, ready to be captured ----------------===//

#ifndef AFT_TORCH_IMPORT_MODEL_H
#define AFT_TORCH_IMPORT_MODEL_H

#include "frontends/torch/capture/Sizes.h"

#include <memory>
#include <string>
#include <vector>

namespace aft::import {

/// What a file holds. `computation` replays its graph on the parameters and
/// buffers of `states`.
struct Model {
  std::shared_ptr<torch::nn::Module> states;
  Computation computation;
  Tensors examples; ///< zeros, in the sizes the file was made with
  std::vector<capture::DynamicExtent> extents;
  std::shared_ptr<void> keep; ///< what `computation` refers to
};

class Archive;

/// The model of a .pt2 file. Throws c10::Error.
Model readExported(Archive &archive);
/// The model of a .pt file, whose inputs are as the examples, with extents that
/// may change where those are kDynamic. Throws c10::Error.
Model readScript(Archive &archive, const std::vector<TensorType> &inputs);

/// A module with these parameters and buffers, by their paths.
class States {
public:
  States();
  void add(const std::string &path, const at::Tensor &tensor, bool isParameter);
  const std::shared_ptr<torch::nn::Module> &module() const { return root; }

private:
  std::shared_ptr<torch::nn::Module> root;
};

/// A tensor of zeros that stands for an input. Throws where it is too large.
at::Tensor exampleOf(const std::vector<int64_t> &sizes, at::ScalarType type);

} // namespace aft::import

#endif // AFT_TORCH_IMPORT_MODEL_H
