//===- Rules.h - How captured operators are translated --------------------===//

#ifndef AFT_TORCH_CAPTURE_RULES_H
#define AFT_TORCH_CAPTURE_RULES_H

#include "frontends/torch/capture/Operation.h"
#include "runtime/core/InternalApi.h"

#include <functional>
#include <map>
#include <string>

namespace aft::capture {

using Rule = std::function<Results(Operation &)>;
/// By operator without its overload: "aten::add". One rule serves all overloads
/// and the in-place form.
using Rules = std::map<std::string, Rule>;

/// All rules.
AFT_INTERNAL const Rules &rules();
/// The rule of an operator, by the name of its in-place form too; null if there
/// is none.
const Rule *ruleFor(const std::string &name);
inline bool hasRule(const std::string &name) { return ruleFor(name) != nullptr; }

// The parts, a file each.
void addElementwiseRules(Rules &rules);
void addFunctionRules(Rules &rules);
void addActivationRules(Rules &rules);
void addReductionRules(Rules &rules);
void addProductRules(Rules &rules);
void addShapeRules(Rules &rules);
void addIndexingRules(Rules &rules);
void addWriteBackRules(Rules &rules);
void addFactoryRules(Rules &rules);
void addLayerRules(Rules &rules);
void addConvolutionRules(Rules &rules);
void addMixerRules(Rules &rules);

} // namespace aft::capture

#endif // AFT_TORCH_CAPTURE_RULES_H
