//===- Import.h - Models that LibTorch reads, for tools without LibTorch --===//
// .pt2 and .pt files are read by libaft_import.so, which is loaded when one is
// met: the tools themselves do without LibTorch.

#ifndef AFT_RUNTIME_JIT_IMPORT_H
#define AFT_RUNTIME_JIT_IMPORT_H

#include "aft/program.h"
#include "runtime/core/InternalApi.h"

namespace aft {

/// A parameter, buffer or constant of a model.
struct ImportedTensor {
  std::string name;
  Buffer data;
  std::shared_ptr<void> keep; ///< owns the memory
};

/// A model as a program. Its entry takes the model's inputs, then its tensors.
struct ImportedModel {
  std::string text, entry;
  size_t inputs = 0;
  std::vector<ImportedTensor> tensors;
  /// Dimensions that the file leaves free and the program does not, and why, to be shown.
  std::vector<std::string> remarks;
};

struct ImportRequest {
  /// Of a .pt file, which does not say what its inputs are.
  std::vector<TensorType> inputs;
  /// Its parameters are to be trained, and its first result is the loss.
  bool training = false;
};

/// Whether a file's name is that of a model to import.
AFT_INTERNAL bool isImported(const std::string &path);
/// Whether it does not say what its inputs are.
AFT_INTERNAL bool isTorchScript(const std::string &path);
AFT_INTERNAL Status importModel(const std::string &path, const ImportRequest &request,
                                ImportedModel &model);

/// The operators that such models may use, "aten::add", sorted.
AFT_INTERNAL Status importedOperators(std::vector<std::string> &names);

/// "?x16xf32", as MLIR writes the type between tensor< and >.
AFT_INTERNAL Status parseTensorType(const std::string &text, TensorType &type);

/// What libaft_import.so offers under the names kImportSymbol and kOperatorsSymbol.
using ImportFunction = void (*)(const std::string &path, const ImportRequest &request,
                                ImportedModel &model, Status &status);
inline constexpr const char *kImportSymbol = "aft_import_model_2";
using OperatorsFunction = void (*)(std::vector<std::string> &names);
inline constexpr const char *kOperatorsSymbol = "aft_import_operators_1";

} // namespace aft

#endif // AFT_RUNTIME_JIT_IMPORT_H
