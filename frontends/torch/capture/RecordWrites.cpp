//===- RecordWrites.cpp - Changes in place, recorded ----------------------===//

#include "frontends/torch/capture/Recorder.h"

#include <ATen/ATen.h>

using namespace aft;
using namespace aft::capture;
using at::Tensor;
using c10::IValue;

bool capture::showsSame(const Tensor &a, const Tensor &b) {
  return a.has_storage() && b.has_storage() && a.is_alias_of(b) && a.sizes() == b.sizes() &&
         a.strides() == b.strides() && a.dtype() == b.dtype() &&
         a.storage_offset() == b.storage_offset();
}

/// What is wrong with using a tensor whose memory something else has changed.
void Recorder::checkFresh(const Tensor &tensor) {
  auto changed = stale.find(tensor.unsafeGetTensorImpl());
  if (changed == stale.end())
    return;
  auto known = ids.find(tensor.unsafeGetTensorImpl());
  refusal = "uses " + (known == ids.end() ? std::string("a tensor") : nameOf(known->second)) +
            ", which shares memory with what " + changed->second.by +
            " changed in place; write the change without the in-place operator";
  TORCH_CHECK(changed->second.ofConstants, "capture: an operator ", refusal);
}

/// Finds what the call changes in place and refuses what may not change.
void Recorder::checkWrite(Call &call, at::ArrayRef<IValue> arguments) {
  const auto &declared = call.schema->arguments();
  for (size_t i = 0; i < declared.size(); ++i) {
    if (!declared[i].alias_info() || !declared[i].alias_info()->isWrite())
      continue;
    TORCH_CHECK(call.written < 0 && call.args[i].kind == Arg::Kind::Value && !declared[i].is_out(),
                "capture: ", call.name, " writes into its argument '", declared[i].name(),
                "', which is not supported; use the form that returns its result");
    const TracedValue &target = trace.values[call.args[i].values[0]];
    TORCH_CHECK(target.source == TracedValue::Source::Call || target.isConstant,
                "capture: ", call.name, " changes ", nameOf(call.args[i].values[0]),
                " in place; a captured module may only change what it has computed itself");
    call.written = static_cast<int>(i);
  }
}

/// Views through which a change can be carried back to what they show.
static bool canWriteBack(const std::string &name) {
  static const std::set<std::string> names = {
      "aten::select",  "aten::slice",    "aten::narrow",   "aten::view",      "aten::reshape",
      "aten::flatten", "aten::squeeze",  "aten::alias",    "aten::unsqueeze", "aten::unflatten",
      "aten::t",       "aten::swapaxes", "aten::swapdims", "aten::transpose", "aten::permute"};
  return names.count(name) != 0;
}

/// Remembers a result that is a view of the first argument.
void Recorder::noteView(size_t place) {
  const Call &call = trace.calls[place];
  if (!canWriteBack(call.name) || call.args[0].kind != Arg::Kind::Value)
    return;
  const Tensor &shown = trace.values[call.args[0].values[0]].tensor;
  const Tensor &view = trace.values[call.results[0]].tensor;
  if (!view.is_same(shown) && view.is_alias_of(shown))
    viewCalls.emplace(view.unsafeGetTensorImpl(), place);
}

/// The calls that made a tensor as a view, innermost first, and what each shows.
std::vector<std::pair<size_t, int>> Recorder::viewsBehind(const Tensor &target) const {
  std::vector<std::pair<size_t, int>> views;
  auto made = viewCalls.find(target.unsafeGetTensorImpl());
  while (made != viewCalls.end()) {
    int shown = trace.calls[made->second].args[0].values[0];
    views.emplace_back(made->second, shown);
    TORCH_CHECK(trace.values[shown].source == TracedValue::Source::Call ||
                    trace.values[shown].isConstant,
                "capture: an operator changes ", nameOf(shown),
                " in place through a view; a captured module may only change what it has "
                "computed itself");
    made = viewCalls.find(trace.values[shown].tensor.unsafeGetTensorImpl());
  }
  return views;
}

/// A changed tensor and all that show the same of its memory have a new value.
void Recorder::renew(const Tensor &tensor, int id) {
  for (const TracedValue &value : trace.values)
    if (showsSame(value.tensor, tensor)) {
      ids[value.tensor.unsafeGetTensorImpl()] = id;
      stale.erase(value.tensor.unsafeGetTensorImpl());
    }
}

/// Gives what the views show the value that it has after a part, now `source`,
/// was changed.
void Recorder::writeBack(const std::vector<std::pair<size_t, int>> &views, int source,
                         bool isConstant) {
  for (auto [place, shown] : views) {
    Tensor base = trace.values[shown].tensor;
    Call call = trace.calls[place];
    call.view = call.name;
    call.name = kWriteBack;
    call.source = source;
    call.args[0].values = {ids.at(base.unsafeGetTensorImpl())};
    call.refusal.clear();
    size_t own = trace.calls.size();
    source = addValue(TracedValue::Source::Call, static_cast<int>(own), base);
    trace.values[source].isConstant = isConstant;
    renew(base, source);
    call.results = {source};
    trace.calls.push_back(std::move(call));
  }
}

/// What shares memory with the changed tensor no longer has the traced value.
void Recorder::finishWrite(const Call &call, const Tensor &target, bool isConstant) {
  for (const TracedValue &value : trace.values) {
    const void *impl = value.tensor.unsafeGetTensorImpl();
    if (impl != target.unsafeGetTensorImpl() && value.tensor.has_storage() &&
        value.tensor.is_alias_of(target))
      stale.insert_or_assign(impl, Change{call.name, isConstant});
  }
}
