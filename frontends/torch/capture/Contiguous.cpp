//===- Contiguous.cpp - Calls that depend on the sizes alone --------------===//

#include "frontends/torch/capture/Trace.h"

#include <algorithm>

using namespace aft;
using namespace aft::capture;

/// Whether some call changes the memory of a value in place.
static bool isChanged(const Trace &trace, int id) {
  return std::any_of(trace.calls.begin(), trace.calls.end(), [&](const Call &call) {
    return call.written >= 0 &&
           trace.values[call.results[0]].tensor.is_alias_of(trace.values[id].tensor);
  });
}

Trace capture::withoutContiguous(Trace trace) {
  std::vector<char> drops;
  for (const Call &call : trace.calls)
    drops.push_back(call.name == "aten::contiguous" && !isChanged(trace, call.results[0]) &&
                    !isChanged(trace, call.args[0].values[0]));
  auto isDropped = [&](const TracedValue &value) {
    return value.source == TracedValue::Source::Call && drops[value.number];
  };
  std::vector<int> newValue(trace.values.size()), newCall(trace.calls.size());
  std::vector<TracedValue> values;
  std::vector<Call> calls;
  for (size_t call = 0; call < trace.calls.size(); ++call) {
    newCall[call] = static_cast<int>(calls.size());
    if (!drops[call])
      calls.push_back(trace.calls[call]);
  }
  for (size_t id = 0; id < trace.values.size(); ++id) {
    TracedValue &value = trace.values[id];
    if (isDropped(value)) {
      newValue[id] = newValue[trace.calls[value.number].args[0].values[0]];
      continue;
    }
    newValue[id] = static_cast<int>(values.size());
    if (value.source == TracedValue::Source::Call)
      value.number = newCall[value.number];
    values.push_back(value);
  }
  auto renumber = [&](std::vector<int> &ids) {
    for (int &id : ids)
      id = id < 0 ? id : newValue[id];
  };
  for (Call &call : calls) {
    renumber(call.results);
    for (Arg &arg : call.args)
      renumber(arg.values);
  }
  renumber(trace.outputs);
  trace.values = std::move(values);
  trace.calls = std::move(calls);
  return trace;
}
