//===- Import.h - From a file to a capture --------------------------------===//

#ifndef AFT_TORCH_IMPORT_IMPORT_H
#define AFT_TORCH_IMPORT_IMPORT_H

#include "frontends/torch/import/Model.h"
#include "runtime/core/InternalApi.h"

namespace aft::import {

/// A model from a file, captured. `inputs`: for .pt files, which do not say what
/// their inputs are. Throws c10::Error with the file's name.
struct AFT_INTERNAL Imported {
  Imported(const std::string &path, const std::vector<TensorType> &inputs);
  Model model;
  std::unique_ptr<capture::Capture> capture;
};

} // namespace aft::import

#endif // AFT_TORCH_IMPORT_IMPORT_H
