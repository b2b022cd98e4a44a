//===- Plugin.cpp - libaft_import.so: models for tools without LibTorch ---===//

#include "frontends/torch/capture/Arguments.h"
#include "frontends/torch/capture/Rules.h"
#include "frontends/torch/capture/Translation.h"
#include "frontends/torch/import/Import.h"
#include "runtime/jit/Import.h"

#include <ATen/ATen.h>

using namespace aft;

static constexpr const char *kEntry = "forward";

static ImportedTensor importedTensor(const capture::TracedState &state) {
  TORCH_CHECK(state.tensor.defined(), "draws random numbers, which only compileTraining does; "
                                      "export it after eval()");
  auto tensor = std::make_shared<at::Tensor>(state.tensor.detach().contiguous());
  return {state.name, capture::buffersOf({*tensor}).front(), tensor};
}

/// What a file leaves free and the program fixes.
static std::vector<std::string> remarksOf(const import::Imported &imported) {
  std::vector<std::string> remarks;
  for (const capture::DynamicExtent &extent : imported.model.extents)
    for (auto [input, dim] : extent.axes)
      if (std::string why = imported.capture->whyFixed(input, dim); !why.empty())
        remarks.push_back("input " + std::to_string(input) + ": dimension " + std::to_string(dim) +
                          " may change in the file, but is fixed at " +
                          std::to_string(extent.size) + ": " + why);
  return remarks;
}

static ImportedModel importedModel(const std::string &path, const ImportRequest &request) {
  import::Imported imported(path, request.inputs);
  Graph graph;
  capture::Translation translation(*imported.capture, graph, kEntry, request.training);
  translation.run();
  Status status = graph.status();
  TORCH_CHECK(status.ok(), status.message);
  ImportedModel model;
  model.text = graph.text();
  model.entry = kEntry;
  model.remarks = remarksOf(imported);
  model.inputs = imported.model.examples.size();
  for (const capture::TracedState &state : translation.states())
    model.tensors.push_back(importedTensor(state));
  return model;
}

extern "C" __attribute__((visibility("default"))) void
aft_import_model_2(const std::string &path, const ImportRequest &request, ImportedModel &model,
                   Status &status) {
  try {
    model = importedModel(path, request);
  } catch (const c10::Error &error) {
    status.message = error.what_without_backtrace();
  } catch (const std::exception &error) {
    status.message = error.what();
  }
  if (!status.ok() && status.message.rfind(path, 0) != 0)
    status.message = path + ": " + status.message;
}

extern "C" __attribute__((visibility("default"))) void
aft_import_operators_1(std::vector<std::string> &names) {
  for (const auto &rule : capture::rules())
    if (rule.first != capture::kWriteBack)
      names.push_back(rule.first);
}
