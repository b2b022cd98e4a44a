//===- Rules.cpp - All rules of the capture -------------------------------===//

#include "frontends/torch/capture/Rules.h"

using namespace aft::capture;

const Rules &aft::capture::rules() {
  static const Rules all = [] {
    Rules table;
    addElementwiseRules(table);
    addFunctionRules(table);
    addActivationRules(table);
    addReductionRules(table);
    addProductRules(table);
    addShapeRules(table);
    addIndexingRules(table);
    addWriteBackRules(table);
    addFactoryRules(table);
    addLayerRules(table);
    addConvolutionRules(table);
    addMixerRules(table);
    return table;
  }();
  return all;
}

const Rule *aft::capture::ruleFor(const std::string &name) {
  auto found = rules().find(name);
  if (found == rules().end() && name.back() == '_')
    found = rules().find(name.substr(0, name.size() - 1));
  return found == rules().end() ? nullptr : &found->second;
}
