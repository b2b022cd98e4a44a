//===- CompiledProgram.cpp - Runs entries whose code is in the process ----===//

#include "runtime/core/CompiledProgram.h"

#include "aft/profile.h"
#include "runtime/core/Log.h"

using namespace aft;

static std::string textOf(const std::vector<int64_t> &shape, DType dtype) {
  std::string text = "tensor<";
  for (int64_t extent : shape)
    text += (extent == kDynamic ? "?" : std::to_string(extent)) + "x";
  return text + nameOf(dtype) + ">";
}

static std::string labelOf(const char *kind, size_t index, const std::string &name) {
  return std::string(kind) + " " + std::to_string(index) +
         (name.empty() ? "" : " ('" + name + "')");
}

/// Whether a buffer can stand for a declared value.
static Status checkBuffer(const char *kind, size_t index, const ValueInfo &info,
                          const Buffer &buffer) {
  bool fits = info.type.dtype == buffer.dtype && info.type.shape.size() == buffer.shape.size();
  for (size_t dim = 0; fits && dim < buffer.shape.size(); ++dim)
    fits = buffer.shape[dim] >= 0 &&
           (info.type.shape[dim] == kDynamic || info.type.shape[dim] == buffer.shape[dim]);
  if (!fits)
    return {labelOf(kind, index, info.name) + " must be " +
            textOf(info.type.shape, info.type.dtype) + ", found " +
            textOf(buffer.shape, buffer.dtype)};
  int64_t elements = sizeOf(buffer.dtype);
  for (int64_t extent : buffer.shape)
    if (__builtin_mul_overflow(elements, extent, &elements))
      return {labelOf(kind, index, info.name) + " is larger than 64 bits can count"};
  if (!buffer.data && elements > 0)
    return {labelOf(kind, index, info.name) + " has no memory"};
  return {};
}

/// Whether an input's extents are such that the program was made for.
static Status checkLimits(size_t index, const ValueInfo &info, const Buffer &buffer) {
  for (size_t dim = 0; dim < info.limits.size(); ++dim) {
    auto [least, most] = info.limits[dim];
    int64_t found = buffer.shape[dim];
    if (found < least || found > most)
      return {labelOf("input", index, info.name) + " must have an extent " +
              (most == INT64_MAX ? "of at least " + std::to_string(least)
                                 : "from " + std::to_string(least) + " to " +
                                       std::to_string(most)) +
              " in dimension " + std::to_string(dim) + ", found " + std::to_string(found)};
  }
  return {};
}

static bool isBound(const CompiledEntry &entry, size_t input) {
  return input < entry.bound.size() && entry.bound[input];
}

/// An entry as callers see it.
static EntryInfo visiblePart(const CompiledEntry &entry) {
  EntryInfo info{entry.info.name, {}, entry.info.outputs};
  std::vector<int> number(entry.info.inputs.size(), -1);
  for (size_t i = 0; i < number.size(); ++i) {
    if (isBound(entry, i))
      continue;
    number[i] = static_cast<int>(info.inputs.size());
    info.inputs.push_back(entry.info.inputs[i]);
  }
  for (ValueInfo &output : info.outputs)
    if (output.alias >= 0)
      output.alias = number[output.alias];
  return info;
}

CompiledProgram::CompiledProgram(ProgramCode given, int threads)
    : code(std::move(given)), pool(ThreadPool::shared(threads)) {
  for (const CompiledEntry &entry : code.entries)
    visible.push_back(visiblePart(entry));
  for (const KernelInfo &kernel : code.kernels)
    kernels.emplace(kernel.name, &kernel);
}

Status CompiledProgram::find(const std::string &name, size_t &index) const {
  std::string all;
  for (index = 0; index < visible.size(); ++index) {
    if (visible[index].name == name)
      return {};
    all += (all.empty() ? "" : ", ") + visible[index].name;
  }
  return {"no entry '" + name + "', expected one of: " + all};
}

Status CompiledProgram::plan(size_t index, const std::vector<Buffer> &inputs,
                             std::vector<void *> &all, std::vector<int64_t> &dims,
                             int64_t &arenaBytes) const {
  const EntryInfo &info = visible[index];
  const CompiledEntry &entry = code.entries[index];
  if (inputs.size() != info.inputs.size())
    return {"entry '" + info.name + "' takes " + std::to_string(info.inputs.size()) +
            " inputs, found " + std::to_string(inputs.size())};
  for (size_t i = 0, next = 0; i < entry.info.inputs.size(); ++i) {
    const Buffer *buffer = isBound(entry, i) ? &*entry.bound[i] : &inputs[next];
    if (!isBound(entry, i)) {
      Status status = checkBuffer("input", next, info.inputs[next], *buffer);
      if (status.ok())
        status = checkLimits(next, info.inputs[next], *buffer);
      if (!status.ok())
        return {"entry '" + info.name + "': " + status.message};
      ++next;
    }
    all.push_back(buffer->data);
    dims.insert(dims.end(), buffer->shape.begin(), buffer->shape.end());
  }
  size_t given = dims.size(), wanted = 0;
  for (const ValueInfo &output : info.outputs)
    wanted += output.type.shape.size();
  dims.resize(given + wanted);
  int64_t check = entry.plan(dims.data(), dims.data() + given, &arenaBytes);
  if (check == 0)
    return {};
  size_t message = static_cast<size_t>(check) - 1;
  return {"entry '" + info.name + "': " +
          (message < code.checks.size() ? code.checks[message]
                                        : "the inputs' shapes do not fit together")};
}

Status CompiledProgram::outputShapes(const std::string &entry, const std::vector<Buffer> &inputs,
                                     std::vector<std::vector<int64_t>> &shapes,
                                     int64_t *arenaBytes) const {
  size_t index;
  if (Status status = find(entry, index); !status.ok())
    return status;
  return outputShapes(index, inputs, shapes, arenaBytes);
}

Status CompiledProgram::outputShapes(size_t index, const std::vector<Buffer> &inputs,
                                     std::vector<std::vector<int64_t>> &shapes,
                                     int64_t *arenaBytes) const {
  std::vector<void *> all;
  std::vector<int64_t> dims;
  int64_t bytes = 0;
  if (Status status = plan(index, inputs, all, dims, bytes); !status.ok())
    return status;
  auto next = dims.end();
  for (const ValueInfo &output : visible[index].outputs)
    next -= static_cast<std::ptrdiff_t>(output.type.shape.size());
  shapes.clear();
  for (const ValueInfo &output : visible[index].outputs) {
    auto end = next + static_cast<std::ptrdiff_t>(output.type.shape.size());
    shapes.emplace_back(next, end);
    next = end;
  }
  if (arenaBytes)
    *arenaBytes = bytes;
  return {};
}

Status CompiledProgram::takeOutputs(size_t index, const std::vector<Buffer> &inputs,
                                    const std::vector<Buffer> &outputs, const int64_t *extents,
                                    std::vector<void *> &all) const {
  const EntryInfo &info = visible[index];
  if (outputs.size() != info.outputs.size())
    return {"entry '" + info.name + "' has " + std::to_string(info.outputs.size()) +
            " outputs, found memory for " + std::to_string(outputs.size())};
  for (size_t i = 0; i < outputs.size(); ++i) {
    ValueInfo expected = info.outputs[i];
    for (int64_t &extent : expected.type.shape)
      extent = *extents++;
    if (Status status = checkBuffer("output", i, expected, outputs[i]); !status.ok())
      return {"entry '" + info.name + "': " + status.message};
    if (expected.alias >= 0 && outputs[i].data != inputs[expected.alias].data)
      return {"entry '" + info.name + "': " + labelOf("output", i, expected.name) + " updates " +
              labelOf("input", expected.alias, info.inputs[expected.alias].name) +
              " in place and must have its memory"};
    all.push_back(outputs[i].data);
  }
  return {};
}

Status CompiledProgram::run(const std::string &entry, const std::vector<Buffer> &inputs,
                            const std::vector<Buffer> &outputs,
                            const aft_runtime_t &runtime) const {
  size_t index;
  CallError error;
  if (Status status = find(entry, index); !status.ok())
    return status;
  return run(index, inputs, outputs, &runtime, error);
}

Status CompiledProgram::run(size_t index, const std::vector<Buffer> &inputs,
                            const std::vector<Buffer> &outputs, const aft_runtime_t *runtime,
                            CallError &error) const {
  std::vector<void *> all;
  std::vector<int64_t> dims;
  int64_t arenaBytes = 0;
  error = CallError::Argument;
  if (Status status = plan(index, inputs, all, dims, arenaBytes); !status.ok())
    return status;
  size_t extents = 0;
  for (const ValueInfo &output : visible[index].outputs)
    extents += output.type.shape.size();
  if (Status status =
          takeOutputs(index, inputs, outputs, dims.data() + dims.size() - extents, all);
      !status.ok())
    return status;
  ArenaPool::Lease arena(arenas, arenaBytes);
  error = arena.data() ? CallError::None : CallError::Memory;
  if (!arena.data())
    return {"entry '" + visible[index].name + "' needs " + std::to_string(arenaBytes) +
            " bytes of scratch memory, which could not be had"};
  if (!runtime)
    runtime = pool.runtime();
  if (Profile::wanted() || logs("runtime"))
    runMeasured(index, all.data(), dims, arena.data(), arenaBytes, *runtime);
  else
    code.entries[index].run(all.data(), dims.data(), arena.data(), runtime);
  return {};
}

void CompiledProgram::runMeasured(size_t index, void *const *buffers,
                                  const std::vector<int64_t> &dims, void *arena,
                                  int64_t arenaBytes, const aft_runtime_t &runtime) const {
  const CompiledEntry &entry = code.entries[index];
  int threads = &runtime == pool.runtime() ? pool.threads() : 0;
  std::ptrdiff_t inputExtents = 0;
  for (const ValueInfo &input : entry.info.inputs)
    inputExtents += static_cast<std::ptrdiff_t>(input.type.shape.size());
  RunRecord record(entry.info.name, {dims.begin(), dims.begin() + inputExtents}, arenaBytes,
                   threads, kernels, &runtime);
  entry.run(buffers, dims.data(), arena, record.runtime());
  record.finish();
  Profile::deliver(record);
  if (!logs("runtime"))
    return;
  Profile profile;
  profile.add(record);
  log("runtime", entry.info.name + ": " + std::to_string(arenaBytes) +
                     " bytes of scratch memory, " +
                     (threads ? std::to_string(threads) + " threads" : "the host's threads") +
                     profile.table());
}
