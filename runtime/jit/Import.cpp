//===- Import.cpp - Models that LibTorch reads, for tools without LibTorch ===//

#include "runtime/jit/Import.h"

#include "llvm/ADT/StringRef.h"

#include <dlfcn.h>

using namespace aft;
using llvm::StringRef;

bool aft::isTorchScript(const std::string &path) { return StringRef(path).ends_with(".pt"); }

bool aft::isImported(const std::string &path) {
  return StringRef(path).ends_with(".pt2") || isTorchScript(path);
}

/// libaft_import.so lies beside the library that this code is in.
static std::string libraryPath() {
  Dl_info own;
  std::string path;
  if (dladdr(reinterpret_cast<void *>(&aft::isImported), &own) && own.dli_fname)
    path = own.dli_fname;
  size_t slash = path.rfind('/');
  return (slash == std::string::npos ? "" : path.substr(0, slash + 1)) + "libaft_import.so";
}

/// A function of libaft_import.so; null with a reason.
static void *importSymbol(const char *name, std::string &reason) {
  // Never unloaded: LibTorch does not support that.
  void *library = dlopen(libraryPath().c_str(), RTLD_NOW | RTLD_LOCAL);
  void *symbol = library ? dlsym(library, name) : nullptr;
  if (!symbol) {
    const char *error = dlerror();
    reason = std::string("such files are read by libaft_import.so, which is built with LibTorch "
                         "(AFT_ENABLE_TORCH); it cannot be loaded: ") +
             (error ? error : "unknown error");
  }
  return symbol;
}

Status aft::importModel(const std::string &path, const ImportRequest &request,
                        ImportedModel &model) {
  std::string reason;
  void *symbol = importSymbol(kImportSymbol, reason);
  if (!symbol)
    return {path + ": " + reason};
  Status status;
  reinterpret_cast<ImportFunction>(symbol)(path, request, model, status);
  return status;
}

Status aft::importedOperators(std::vector<std::string> &names) {
  std::string reason;
  void *symbol = importSymbol(kOperatorsSymbol, reason);
  if (!symbol)
    return {".pt2 and .pt: " + reason};
  reinterpret_cast<OperatorsFunction>(symbol)(names);
  return {};
}

Status aft::parseTensorType(const std::string &text, TensorType &type) {
  Status wrong = {"expected a type such as ?x16xf32, found '" + text + "'"};
  type.shape.clear();
  StringRef rest = text;
  while (rest.contains('x')) {
    auto [size, others] = rest.split('x');
    int64_t number = kDynamic;
    if (size != "?" && (size.getAsInteger(10, number) || number < 0))
      return wrong;
    type.shape.push_back(number);
    rest = others;
  }
  for (DType dtype :
       {DType::f32, DType::f64, DType::bf16, DType::i1, DType::i8, DType::i32, DType::i64})
    if (rest == nameOf(dtype)) {
      type.dtype = dtype;
      return {};
    }
  return wrong;
}
