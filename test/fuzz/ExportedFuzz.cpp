//===- ExportedFuzz.cpp - .pt2 files --------------------------------------===//

#include "Models.h"

using namespace aft;
using namespace aft::fuzz;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static Models models(AFT_FUZZ_BASE ".pt2",
                       {{'P', "models/model.json"}, {'W', "weights_config.json"}});
  models.import(textOf(data, size), {});
  return 0;
}
