//===- ExportedArguments.h - Arguments in .pt2 files as LibTorch's values -===//

#ifndef AFT_TORCH_IMPORT_EXPORTEDARGUMENTS_H
#define AFT_TORCH_IMPORT_EXPORTEDARGUMENTS_H

#include "frontends/torch/import/Json.h"

#include <ATen/core/function_schema.h>
#include <ATen/core/ivalue.h>

#include <string>
#include <unordered_map>

namespace aft::import {

/// What the names of a graph stand for while it is replayed.
class Names {
public:
  void set(const std::string &name, c10::IValue value) { values[name] = std::move(value); }
  const c10::IValue &at(const std::string &name) const;

private:
  std::unordered_map<std::string, c10::IValue> values;
};

at::ScalarType scalarTypeOf(JsonValue number);

/// An argument as it stands in the file.
c10::IValue valueOf(JsonValue argument, const Names &names);
/// The same as an operator's parameter takes it.
c10::IValue valueFor(const c10::Argument &parameter, JsonValue argument, const Names &names);

/// Gives the names of a node's result their value.
void bindResult(JsonValue output, const c10::IValue &value, Names &names);

/// A calculation with numbers, "_operator.mul"; nothing where `target` is none
/// that is known.
std::optional<c10::IValue> calculate(const std::string &target,
                                     const std::vector<c10::IValue> &arguments);

} // namespace aft::import

#endif // AFT_TORCH_IMPORT_EXPORTEDARGUMENTS_H
