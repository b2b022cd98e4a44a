//===- Import.cpp - Models from .pt2 and .pt files ------------------------===//

#include "frontends/torch/import/Import.h"

#include "frontends/torch/capture/Arguments.h"
#include "frontends/torch/capture/Rules.h"
#include "frontends/torch/import/Archive.h"

#include <algorithm>

using namespace aft;
using namespace aft::import;

static Model readModel(const std::string &path, const std::vector<TensorType> &inputs) {
  Archive archive(path);
  const std::vector<std::string> &records = archive.records();
  auto any = [&](const char *prefix) {
    return std::any_of(records.begin(), records.end(),
                       [&](const std::string &record) { return record.rfind(prefix, 0) == 0; });
  };
  if (any("models/")) {
    TORCH_CHECK(inputs.empty(), "says itself what its inputs are; expected no types of inputs");
    return readExported(archive);
  }
  if (any("code/"))
    return readScript(archive, inputs);
  TORCH_CHECK(false, "holds neither an exported program (torch.export.save) nor TorchScript "
                     "(torch.jit.save)");
}

/// A message of LibTorch on one line. Its parser shows the code from the second line on.
static std::string onOneLine(std::string message, bool firstOnly) {
  message.erase(0, message.find_first_not_of(" \n"));
  std::string line = message.substr(0, firstOnly ? message.find('\n') : message.size());
  for (size_t end = line.find('\n'); end != std::string::npos; end = line.find('\n', end))
    line.replace(end, 1, " ");
  line.erase(line.find_last_not_of(" :") + 1);
  return line;
}

Imported::Imported(const std::string &path, const std::vector<TensorType> &inputs) {
  std::string problem;
  try {
    model = readModel(path, inputs);
    capture = std::make_unique<capture::Capture>(*model.states, model.computation, model.examples,
                                                 model.extents, capture::hasRule);
    return;
  } catch (const c10::Error &error) {
    problem = onOneLine(error.what_without_backtrace(), /*firstOnly=*/false);
  } catch (const std::exception &error) {
    problem = onOneLine(error.what(), /*firstOnly=*/true);
  }
  TORCH_CHECK(false, path, ": ", problem);
}

CompiledModule aft::importModel(const std::string &path, const ImportOptions &options) {
  Imported imported(path, options.inputs);
  CompileModuleOptions module;
  module.compile = options.compile;
  module.name = path;
  return capture::compileCapture(*imported.capture, imported.model.examples, module);
}
