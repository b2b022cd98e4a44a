//===- Mixers.cpp - The aft mixers, their derivatives and online forms -----===//

#include "frontends/builder/FunctionImpl.h"

using namespace aft;
using Impl = Function::Impl;

bool Impl::bind(const char *operation, const std::vector<Named> &operands, Letters &letters) {
  for (const Named &operand : operands) {
    if (!check(operation, {operand.value}))
      return false;
    Shape shape = shapeOf(operand.value);
    std::string own = std::string("'") + operand.name + "'";
    if (shape.size() != operand.letters.size()) {
      Strings names;
      for (char letter : operand.letters)
        names.push_back(std::string(1, letter));
      fail(operation, own + " must have rank " + std::to_string(operand.letters.size()) + " [" +
                          joined(names) + "], found " + typeTextOf(operand.value));
      return false;
    }
    for (size_t dim = 0; dim < shape.size(); ++dim) {
      char letter = operand.letters[dim];
      auto [known, isNew] = letters.try_emplace(letter, shape[dim], "in " + own);
      if (isNew || unify(known->second.first, shape[dim]))
        continue;
      fail(operation, own + " dimension " + std::to_string(dim) + " (" + letter + ") must be " +
                          describe(known->second.first) + " as " + known->second.second +
                          ", found " + describe(shape[dim]));
      return false;
    }
  }
  return true;
}

std::vector<Value> Impl::aftOp(const char *mnemonic, const std::string &form,
                               const std::vector<Named> &operands,
                               const std::vector<Result> &results, Letters letters) {
  std::vector<Value> none(results.size());
  if (!bind(mnemonic, operands, letters))
    return none;
  Strings names, types, resultTypes;
  for (const Named &operand : operands) {
    Value value = refined(operand.value);
    names.push_back(nameOf(value));
    types.push_back(typeTextOf(value));
  }
  std::vector<std::pair<DType, Shape>> shapes;
  for (const Result &result : results) {
    Shape shape;
    for (char letter : result.letters)
      shape.push_back(canonical(letters.at(letter).first));
    resultTypes.push_back(typeText(typeOf(result.dtype, shape)));
    shapes.emplace_back(result.dtype, shape);
  }
  std::string content = std::string("aft.") + mnemonic + " ";
  for (size_t at = 0; at < form.size(); ++at) {
    if (form[at] != '$') {
      content += form[at];
      continue;
    }
    size_t digits = 0;
    int number = std::stoi(form.substr(at + 1), &digits);
    content += names[number];
    at += digits;
  }
  std::string result = joined(resultTypes);
  content += " : (" + joined(types) + ") -> " + (results.size() > 1 ? "(" + result + ")" : result);
  return defineAll(content, shapes);
}

//===----------------------------------------------------------------------===//
// What all mixers share
//===----------------------------------------------------------------------===//

namespace {

using Named = Impl::Named;
using Letters = Impl::Letters;

/// One mixer: its operands, and what its text has beside them.
struct Mixer {
  const char *name;
  std::vector<Named> operands; ///< q, k, v and the bias if there is one
  std::string attributes;      ///< window or grid
  std::string logz = "BTd";
  Letters letters = {};
};

} // namespace

static bool checkGate(Impl &impl, const char *operation, const std::string &gate) {
  for (const char *known : {"sigmoid", "relu", "tanh", "none"})
    if (gate == known)
      return true;
  impl.fail(operation, "gate must be sigmoid, relu, tanh or none, found '" + gate + "'");
  return false;
}

static std::string gateText(const std::string &gate) {
  return gate == "sigmoid" ? "" : " gate = " + gate;
}

bool Impl::checkWindow(const char *operation, int64_t window) {
  // Beyond any sequence; what is computed from a window stays far from what 64 bits count.
  constexpr int64_t most = int64_t(1) << 30;
  if (window >= 1 && window <= most)
    return true;
  fail(operation,
       "window must be from 1 to " + std::to_string(most) + ", found " + std::to_string(window));
  return false;
}

/// Element types of q, k, v and the bias.
static bool checkElements(Impl &impl, const Mixer &mixer) {
  std::vector<Value> values;
  for (const Named &operand : mixer.operands)
    values.push_back(operand.value);
  if (!impl.check(mixer.name, values) || !impl.checkFloat(mixer.name, values[0], "'q'") ||
      !impl.checkSameType(mixer.name, values[0], values[1], "'q' and 'k'") ||
      !impl.checkSameType(mixer.name, values[0], values[2], "'q' and 'v'"))
    return false;
  DType dtype = values[0].dtype();
  if (values.size() > 3 && values[3].dtype() != dtype &&
      values[3].dtype() != accumulationOf(dtype)) {
    impl.fail(mixer.name, std::string("'") + mixer.operands[3].name + "' must have element type " +
                              nameOf(dtype) + ", found " + impl.typeTextOf(values[3]));
    return false;
  }
  return true;
}

/// "$0, $1, $2, $3 lengths($4) window = 4 causal gate = none"
static std::string formOf(const Mixer &mixer, size_t count, const MixerOptions &options) {
  std::string form;
  for (size_t i = 0; i < count; ++i)
    form += (i ? ", $" : "$") + std::to_string(i);
  if (options.lengths)
    form += " lengths($" + std::to_string(count) + ")";
  return form + mixer.attributes + (options.causal ? " causal" : "") + gateText(options.gate);
}

static bool addLengths(Impl &impl, const Mixer &mixer, const MixerOptions &options,
                       std::vector<Named> &operands) {
  if (!options.lengths)
    return true;
  if (!impl.check(mixer.name, {options.lengths}))
    return false;
  if (options.lengths.dtype() != DType::i32) {
    impl.fail(mixer.name, "'lengths' must have element type i32, found " +
                              impl.typeTextOf(options.lengths));
    return false;
  }
  operands.push_back({"lengths", options.lengths, "B"});
  return true;
}

static Value forward(Impl &impl, const Mixer &mixer, const MixerOptions &options) {
  std::vector<Named> operands = mixer.operands;
  if (!checkElements(impl, mixer) || !checkGate(impl, mixer.name, options.gate) ||
      !addLengths(impl, mixer, options, operands))
    return {};
  if (!options.ratio != !options.logz)
    return impl.fail(mixer.name, "ratio and logz are received together or not at all");
  DType dtype = operands[0].value.dtype(), wide = accumulationOf(dtype);
  std::vector<Impl::Result> results = {{dtype, "BTd"}};
  if (options.ratio) {
    results.push_back({wide, "BTd"});
    results.push_back({wide, mixer.logz});
  }
  std::vector<Value> values = impl.aftOp(
      mixer.name, formOf(mixer, mixer.operands.size(), options), operands, results, mixer.letters);
  if (options.ratio) {
    *options.ratio = values[1];
    *options.logz = values[2];
  }
  return values[0];
}

static MixerGrads backward(Impl &impl, const Mixer &mixer, Value dy, Value ratio, Value logz,
                           const MixerOptions &options) {
  std::vector<Named> operands = mixer.operands;
  if (!checkElements(impl, mixer) || !checkGate(impl, mixer.name, options.gate))
    return {};
  operands.insert(operands.begin(), {"dy", dy, "BTd"});
  operands.push_back({"ratio", ratio, "BTd"});
  operands.push_back({"logz", logz, mixer.logz});
  size_t count = operands.size();
  if (!addLengths(impl, mixer, options, operands))
    return {};
  std::vector<Impl::Result> results;
  for (const Named &operand : mixer.operands)
    results.push_back({operand.value.dtype(), operand.letters});
  std::string name = std::string(mixer.name) + "_grad";
  std::vector<Value> values =
      impl.aftOp(name.c_str(), formOf(mixer, count, options), operands, results, mixer.letters);
  return {values[0], values[1], values[2], values.size() > 3 ? values[3] : Value()};
}

//===----------------------------------------------------------------------===//
// The four mixers
//===----------------------------------------------------------------------===//

static std::optional<Mixer> fullMixer(Impl &impl, Value q, Value k, Value v, Value w,
                                      const MixerOptions &options) {
  if (!impl.check("full", {q, k, v, w}))
    return std::nullopt;
  Mixer mixer{"full",
              {{"q", q, "BTd"}, {"k", k, "BSd"}, {"v", v, "BSd"}, {"w", w, w.rank() == 3 ? "BTS" : "TS"}},
              ""};
  int64_t queries = q.dim(1), keys = k.dim(1);
  if (options.causal && queries >= 0 && keys >= 0 && queries > keys) {
    impl.fail("full", "causal needs as many keys as queries or more, found " +
                          std::to_string(queries) + " queries and " + std::to_string(keys) +
                          " keys");
    return std::nullopt;
  }
  return mixer;
}

static std::optional<Mixer> localMixer(Impl &impl, Value q, Value k, Value v, Value band,
                                       int64_t window, const MixerOptions &options) {
  if (!impl.checkWindow("local", window))
    return std::nullopt;
  Mixer mixer{"local",
              {{"q", q, "BTd"}, {"k", k, "BTd"}, {"v", v, "BTd"}, {"band", band, "TL"}},
              " window = " + std::to_string(window)};
  mixer.letters['L'] = {options.causal ? window : 2 * window - 1, "follows from the window"};
  return mixer;
}

static Mixer simpleMixer(Value q, Value k, Value v) {
  return {"simple", {{"q", q, "BTd"}, {"k", k, "BTd"}, {"v", v, "BTd"}}, ""};
}

static std::optional<Mixer> convMixer(Impl &impl, Value q, Value k, Value v, Value filter,
                                      const std::vector<int64_t> &grid,
                                      const MixerOptions &options) {
  auto refuse = [&](const std::string &message) {
    impl.fail("conv", message);
    return std::nullopt;
  };
  if (!impl.check("conv", {q, k, v, filter}))
    return std::nullopt;
  static const char *const letters[] = {"hx", "hyx", "hzyx"};
  size_t axes = grid.empty() ? 1 : grid.size();
  if (axes > 3 || static_cast<size_t>(filter.rank()) != axes + 1)
    return refuse("expected a filter with one dimension for heads and one for each of the 1 to 3 "
                  "axes of the grid, found " +
                  impl.typeTextOf(filter) + " and " + std::to_string(axes) + " axes");
  if (options.causal && axes > 1)
    return refuse("causal needs one dimension, found a grid of " + std::to_string(axes));
  Mixer mixer{"conv",
              {{"q", q, "BTd"}, {"k", k, "BTh"}, {"v", v, "BTd"}, {"filter", filter, letters[axes - 1]}},
              "",
              "BTh"};
  int64_t channels = q.dim(-1), heads = k.dim(-1);
  if (channels >= 0 && (heads < 1 || channels % heads != 0))
    return refuse("the channels of 'q' must be a multiple of the heads of 'k', found " +
                  std::to_string(channels) + " and " + std::to_string(heads));
  if (!grid.empty()) {
    Strings extents;
    Polynomial positions = 1;
    for (int64_t extent : grid) {
      if (extent < 1)
        return refuse("the grid's extents must be positive, found " + std::to_string(extent));
      extents.push_back(std::to_string(extent));
      positions = positions * extent;
    }
    mixer.attributes = " grid = [" + joined(extents) + "]";
    mixer.letters['T'] = {positions, "follows from the grid"};
  }
  return mixer;
}

Value Function::full(Value q, Value k, Value v, Value w, const MixerOptions &options) {
  std::optional<Mixer> mixer = fullMixer(*impl, q, k, v, w, options);
  return mixer ? forward(*impl, *mixer, options) : Value();
}

Value Function::local(Value q, Value k, Value v, Value band, int64_t window,
                      const MixerOptions &options) {
  std::optional<Mixer> mixer = localMixer(*impl, q, k, v, band, window, options);
  return mixer ? forward(*impl, *mixer, options) : Value();
}

Value Function::simple(Value q, Value k, Value v, const MixerOptions &options) {
  return forward(*impl, simpleMixer(q, k, v), options);
}

Value Function::conv(Value q, Value k, Value v, Value filter, const std::vector<int64_t> &grid,
                     const MixerOptions &options) {
  std::optional<Mixer> mixer = convMixer(*impl, q, k, v, filter, grid, options);
  return mixer ? forward(*impl, *mixer, options) : Value();
}

MixerGrads Function::fullGrad(Value dy, Value q, Value k, Value v, Value w, Value ratio,
                              Value logz, const MixerOptions &options) {
  std::optional<Mixer> mixer = fullMixer(*impl, q, k, v, w, options);
  return mixer ? backward(*impl, *mixer, dy, ratio, logz, options) : MixerGrads();
}

MixerGrads Function::localGrad(Value dy, Value q, Value k, Value v, Value band, Value ratio,
                               Value logz, int64_t window, const MixerOptions &options) {
  std::optional<Mixer> mixer = localMixer(*impl, q, k, v, band, window, options);
  return mixer ? backward(*impl, *mixer, dy, ratio, logz, options) : MixerGrads();
}

MixerGrads Function::simpleGrad(Value dy, Value q, Value k, Value v, Value ratio, Value logz,
                                const MixerOptions &options) {
  return backward(*impl, simpleMixer(q, k, v), dy, ratio, logz, options);
}

MixerGrads Function::convGrad(Value dy, Value q, Value k, Value v, Value filter, Value ratio,
                              Value logz, const std::vector<int64_t> &grid,
                              const MixerOptions &options) {
  std::optional<Mixer> mixer = convMixer(*impl, q, k, v, filter, grid, options);
  return mixer ? backward(*impl, *mixer, dy, ratio, logz, options) : MixerGrads();
}
