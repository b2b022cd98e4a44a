//===- Places.cpp - Which module a recorded call belongs to ---------------===//

#include "frontends/torch/capture/Trace.h"

#include <algorithm>

using namespace aft;
using namespace aft::capture;

static std::string commonPath(const std::string &a, const std::string &b) {
  size_t end = 0, length = std::min(a.size(), b.size());
  for (size_t i = 0; i <= length; ++i) {
    bool stopA = i == a.size() || a[i] == '.', stopB = i == b.size() || b[i] == '.';
    if (stopA && stopB)
      end = i;
    if (i == length || a[i] != b[i])
      break;
  }
  return a.substr(0, end);
}

/// The nearest call on one side that uses a parameter or buffer, or nothing.
static const Call *nearest(const Trace &trace, size_t call, int step) {
  for (size_t place = call; place < trace.calls.size(); place += step)
    if (trace.calls[place].usesState)
      return &trace.calls[place];
  return nullptr;
}

std::string capture::modulePath(const Trace &trace, size_t call) {
  if (trace.calls[call].place)
    return trace.calls[call].place->module;
  const Call *before = nearest(trace, call, -1), *after = nearest(trace, call, 1);
  if (!before || !after)
    return "";
  // Between the parameters of two modules lies what contains both.
  return before->module == after->module ? before->module
                                         : commonPath(before->module, after->module);
}

std::string capture::describe(const Trace &trace, size_t call) {
  std::string path = modulePath(trace, call);
  std::string text = trace.calls[call].name + " in " +
                     (path.empty() ? "the outermost module" : "module '" + path + "'");
  if (const Place *place = trace.calls[call].place.get())
    return place->source.empty() ? text : text + ", " + place->source;
  const Call *before = nearest(trace, call, -1);
  if (before && !trace.calls[call].usesState && !before->module.empty())
    text += ", after '" + before->module + "'";
  return text;
}
