//===- Session.cpp - An entry with the state that its calls hand on -------===//

#include "runtime/artifact/Session.h"

#include "runtime/core/File.h"
#include "runtime/core/Quote.h"
#include "runtime/core/Seed.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <tuple>

using namespace aft;

/// As the arenas: a vector of any width is aligned.
static constexpr int64_t kAlignment = 64;

static Failure refused(const std::string &message) { return {AFT_ERROR_ARGUMENT, message}; }

using Owned = std::unique_ptr<void, decltype(&std::free)>;

/// Makes memory at least so large; its content is lost where it grows.
static Failure ensure(Owned &memory, int64_t &bytes, int64_t wanted) {
  if (memory && bytes >= wanted)
    return {};
  if (wanted < 0)
    return {AFT_ERROR_MEMORY, "a state of more bytes than 64 bits can count cannot be had"};
  if (wanted > (int64_t(1) << 46))
    return {AFT_ERROR_MEMORY, "a state of " + std::to_string(wanted) + " bytes cannot be had"};
  int64_t size = (std::max<int64_t>(wanted, 1) + kAlignment - 1) / kAlignment * kAlignment;
  Owned larger(std::aligned_alloc(kAlignment, size), &std::free);
  if (!larger)
    return {AFT_ERROR_MEMORY, "a state of " + std::to_string(wanted) + " bytes cannot be had"};
  memory = std::move(larger);
  bytes = size;
  return {};
}

Session::Session(std::shared_ptr<Artifact> artifact, size_t entry, int64_t batch)
    : program(std::move(artifact)), entry(entry), batch(batch) {
  const Artifact::Signature &values = signature();
  auto isState = [&](const std::string &name) {
    return std::any_of(all.begin(), all.end(),
                       [&](const State &state) { return state.name == name; });
  };
  for (size_t i = 0; i < values.arguments.size(); ++i) {
    const ManifestValue &argument = values.arguments[i];
    if (argument.role != ArgumentRole::State)
      continue;
    State state;
    state.name = argument.info.name;
    // Files have each name once.
    while (state.name.empty() || isState(state.name))
      state.name += (state.name.empty() ? "state." : ".state.") + std::to_string(all.size());
    state.argument = i;
    state.result = static_cast<size_t>(argument.partner);
    state.inPlace = values.results[state.result].info.alias == static_cast<int>(i);
    state.value.dtype = argument.info.type.dtype;
    all.push_back(std::move(state));
  }
}

Failure Session::create(std::shared_ptr<Artifact> artifact, size_t entry, int64_t batch,
                        std::unique_ptr<Session> &session) {
  if (batch < 1)
    return refused("expected a batch of 1 or more, found " + std::to_string(batch));
  const std::string &name = artifact->entries()[entry].name;
  std::unique_ptr<Session> made(new Session(std::move(artifact), entry, batch));
  if (made->all.empty())
    return refused("entry '" + name +
                   "' has no state: none of its results overwrites an argument "
                   "or has the name of one");
  if (batch > 1 && !made->takesBatches())
    return refused("entry '" + name +
                   "': expected a batch of 1, for its state has no free first "
                   "extent, found " +
                   std::to_string(batch));
  if (Failure failure = made->reset(); !failure.ok())
    return failure;
  session = std::move(made);
  return {};
}

/// Whether a state has as many rows as there are texts.
bool Session::takesBatches() const {
  return std::any_of(all.begin(), all.end(), [&](const State &state) {
    const std::vector<int64_t> &shape = signature().arguments[state.argument].info.type.shape;
    return !shape.empty() && shape[0] == kDynamic;
  });
}

/// The shape before the first step.
Failure Session::firstShape(const State &state, std::vector<int64_t> &shape) const {
  const ManifestValue &argument = signature().arguments[state.argument];
  const NamedTensor *tensor =
      argument.tensor.empty() ? nullptr : program->weights().find(argument.tensor);
  const std::vector<int64_t> &declared = argument.info.type.shape;
  shape = tensor ? tensor->value.shape : declared;
  for (size_t dim = 0; dim < shape.size(); ++dim) {
    if (shape[dim] == kDynamic && dim > 0)
      return refused("state '" + state.name + "' has no value in the artifact and a free extent " +
                     std::to_string(dim) + ": its first shape is not known");
    if (dim == 0 && declared[0] == kDynamic &&
        __builtin_mul_overflow(tensor ? shape[0] : 1, batch, &shape[0]))
      return refused("a batch of " + std::to_string(batch) + " is too large");
  }
  return {};
}

Failure Session::reset() {
  // All memory first: after a failure nothing has changed.
  std::vector<std::vector<int64_t>> shapes(all.size());
  for (size_t i = 0; i < all.size(); ++i) {
    State &state = all[i];
    if (Failure failure = firstShape(state, shapes[i]); !failure.ok())
      return failure;
    int64_t wanted = bytesOf({nullptr, state.value.dtype, shapes[i]});
    Owned &memory = state.memory && state.bytes < wanted ? state.next : state.memory;
    int64_t &bytes = state.memory && state.bytes < wanted ? state.nextBytes : state.bytes;
    if (Failure failure = ensure(memory, bytes, wanted); !failure.ok())
      return failure;
  }
  for (size_t i = 0; i < all.size(); ++i) {
    State &state = all[i];
    int64_t wanted = bytesOf({nullptr, state.value.dtype, shapes[i]});
    if (state.bytes < wanted) {
      std::swap(state.memory, state.next);
      std::swap(state.bytes, state.nextBytes);
    }
    state.value.shape = std::move(shapes[i]);
    state.value.data = state.memory.get();
    const std::string &source = signature().arguments[state.argument].tensor;
    const NamedTensor *tensor = source.empty() ? nullptr : program->weights().find(source);
    int64_t part = tensor ? bytesOf(tensor->value) : 0;
    if (!tensor)
      std::memset(state.value.data, 0, wanted);
    for (int64_t at = 0; tensor && part > 0 && at < wanted; at += part)
      std::memcpy(static_cast<char *>(state.value.data) + at, tensor->value.data, part);
  }
  steps = program->manifest().steps;
  return {};
}

/// The entry's arguments: the caller's, the state, step and seed.
Failure Session::collect(const std::vector<Buffer> &given, std::vector<Buffer> &arguments,
                         int64_t &number, int64_t &drawn) const {
  const Artifact::Signature &values = signature();
  size_t wanted = 0, next = 0, state = 0;
  for (const ManifestValue &value : values.arguments)
    wanted += value.role == ArgumentRole::Caller;
  if (given.size() != wanted)
    return refused("a step of entry '" + program->entries()[entry].name + "' takes " +
                   std::to_string(wanted) + " arguments besides its state, found " +
                   std::to_string(given.size()));
  for (const ManifestValue &value : values.arguments) {
    if (value.role == ArgumentRole::Caller)
      arguments.push_back(given[next++]);
    else if (value.role == ArgumentRole::State)
      arguments.push_back(all[state++].value);
    else
      arguments.push_back({value.role == ArgumentRole::Step ? &number : &drawn, DType::i64, {}});
  }
  return {};
}

/// The entry's results: the caller's memory, or that of the next state.
Failure Session::prepareResults(const std::vector<Buffer> &given,
                                const std::vector<Buffer> &arguments,
                                std::vector<Buffer> &results) {
  const Artifact::Signature &values = signature();
  if (given.size() + all.size() != values.results.size())
    return refused("a step of entry '" + program->entries()[entry].name + "' has " +
                   std::to_string(values.results.size() - all.size()) +
                   " results besides its state, found memory for " + std::to_string(given.size()));
  std::vector<std::vector<int64_t>> shapes;
  if (Status status = program->outputShapes(entry, arguments, shapes, nullptr); !status.ok())
    return refused(status.message);
  results.resize(values.results.size());
  for (State &state : all) {
    Buffer &result = results[state.result];
    result = {state.value.data, state.value.dtype, shapes[state.result]};
    if (state.inPlace)
      continue;
    if (Failure failure = ensure(state.next, state.nextBytes, bytesOf(result)); !failure.ok())
      return failure;
    result.data = state.next.get();
  }
  for (size_t i = 0, next = 0; i < results.size(); ++i)
    if (values.results[i].role == ArgumentRole::Caller)
      results[i] = given[next++];
  return {};
}

Failure Session::step(const std::vector<Buffer> &given, const std::vector<Buffer> &givenResults,
                      const aft_runtime_t *runtime) {
  std::vector<Buffer> arguments, results;
  if (steps == INT64_MAX)
    return refused("a step after " + std::to_string(steps) + " is more than 64 bits can count");
  int64_t number = steps + 1, drawn = stepSeed(seed, steps);
  if (Failure failure = collect(given, arguments, number, drawn); !failure.ok())
    return failure;
  if (Failure failure = prepareResults(givenResults, arguments, results); !failure.ok())
    return failure;
  CallError error;
  if (Status status = program->run(entry, arguments, results, runtime, error); !status.ok())
    return {codeOf(error), status.message};
  for (State &state : all) {
    if (state.inPlace)
      continue;
    std::swap(state.memory, state.next);
    std::swap(state.bytes, state.nextBytes);
    state.value = std::move(results[state.result]);
  }
  ++steps;
  return {};
}

//===----------------------------------------------------------------------===//
// Files
//===----------------------------------------------------------------------===//

Failure Session::save(const std::string &path) const {
  std::vector<NamedTensor> tensors;
  for (const State &state : all)
    tensors.push_back({state.name, state.value});
  std::string header = safetensorsHeader(
      tensors, {{"steps", std::to_string(steps)}, {"seed", std::to_string(seed)}});
  std::vector<std::string_view> parts = {header};
  for (const NamedTensor &tensor : tensors)
    parts.emplace_back(static_cast<const char *>(tensor.value.data), bytesOf(tensor.value));
  Status status = writeFile(path, parts);
  return {status.ok() ? AFT_OK : AFT_ERROR_FILE, status.message};
}

static bool readNumber(const Safetensors &file, const char *name, int64_t &number) {
  for (const auto &[key, value] : file.metadata)
    if (key == name) {
      auto result = std::from_chars(value.data(), value.data() + value.size(), number);
      return result.ec == std::errc() && result.ptr == value.data() + value.size();
    }
  return false;
}

/// Those of its metadata that a checkpoint has, for messages.
static std::string metadataText(const Safetensors &file) {
  std::string all;
  for (const char *name : {"steps", "seed"}) {
    auto found = std::find_if(file.metadata.begin(), file.metadata.end(),
                              [&](auto &member) { return member.first == name; });
    all += (all.empty() ? "" : ", ") + std::string(name) + " " +
           (found == file.metadata.end() ? "nothing" : quote(found->second));
  }
  return all;
}

Failure Session::load(const std::string &path) {
  FileBytes bytes;
  Safetensors file;
  if (Failure failure = bytes.open(path); !failure.ok())
    return failure;
  if (Status status = Safetensors::parse(bytes.bytes(), file); !status.ok())
    return {AFT_ERROR_FORMAT, path + ": " + status.message};
  int64_t newSteps = 0, newSeed = 0;
  if (!readNumber(file, "steps", newSteps) || !readNumber(file, "seed", newSeed) || newSteps < 0)
    return {AFT_ERROR_FORMAT, path +
                                  ": expected numbers of steps and seed in its metadata, found " +
                                  metadataText(file)};
  std::vector<std::pair<Owned, int64_t>> memories;
  for (const State &state : all) {
    const NamedTensor *tensor = file.find(state.name);
    if (!tensor)
      return {AFT_ERROR_FORMAT, path + ": has no tensor " + quote(state.name)};
    const TensorType &type = signature().arguments[state.argument].info.type;
    bool fits =
        tensor->value.dtype == type.dtype && tensor->value.shape.size() == type.shape.size();
    for (size_t dim = 0; fits && dim < type.shape.size(); ++dim)
      fits = type.shape[dim] == kDynamic || type.shape[dim] == tensor->value.shape[dim];
    if (!fits)
      return {AFT_ERROR_FORMAT, path + ": tensor " + quote(state.name) + ": expected " +
                                    typeText(type.dtype, type.shape) + ", found " +
                                    typeText(tensor->value.dtype, tensor->value.shape)};
    memories.emplace_back(Owned(nullptr, &std::free), 0);
    if (Failure failure =
            ensure(memories.back().first, memories.back().second, bytesOf(tensor->value));
        !failure.ok())
      return failure;
    std::memcpy(memories.back().first.get(), tensor->value.data, bytesOf(tensor->value));
  }
  for (size_t i = 0; i < all.size(); ++i) {
    std::tie(all[i].memory, all[i].bytes) = std::move(memories[i]);
    all[i].value.data = all[i].memory.get();
    all[i].value.shape = file.find(all[i].name)->value.shape;
  }
  steps = newSteps;
  seed = newSeed;
  return {};
}
