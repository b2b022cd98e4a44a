//===- Save.cpp - char-lm save --------------------------------------------===//

#include "examples/char-lm/Checkpoint.h"
#include "examples/char-lm/Commands.h"
#include "examples/char-lm/Model.h"

#include <cstdio>

using namespace charlm;

int charlm::save(Options options) {
  readModelOptions(options);
  aft::nn::LanguageModel model = makeModel(options);
  loadCheckpoint(options, model, nullptr);
  aft::SaveModuleOptions saved;
  saved.initialState = model->initialState(1);
  compileDecode(model, compileOptions(options)).save(options.output, saved);
  std::printf("artifact: %s\n", options.output.c_str());
  return 0;
}
