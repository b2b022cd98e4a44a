//===- ScriptFuzz.cpp - .pt files with TorchScript ------------------------===//

#include "Models.h"

using namespace aft;
using namespace aft::fuzz;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static Models models(AFT_FUZZ_BASE ".pt",
                       {{'C', "model.py"}, {'D', "data.pkl"}, {'K', "constants.pkl"}});
  ImportRequest request;
  request.inputs = {{DType::f32, {3, 12}}};
  models.import(textOf(data, size), request);
  return 0;
}
