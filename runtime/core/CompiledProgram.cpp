//===- CompiledProgram.cpp - Runs entries whose code is in the process ----===//

#include "runtime/core/CompiledProgram.h"

#include "aft/profile.h"
#include "runtime/core/Log.h"
#include "runtime/core/Quote.h"

#include <algorithm>
#include <functional>

using namespace aft;

/// `declared`: an extent of kDynamic is free; of a buffer it is a number like any other.
static std::string textOf(const std::vector<int64_t> &shape, DType dtype, bool declared) {
  std::string text = "tensor<";
  for (int64_t extent : shape)
    text += (declared && extent == kDynamic ? "?" : std::to_string(extent)) + "x";
  return text + nameOf(dtype) + ">";
}

static std::string labelOf(const char *kind, size_t index, const std::string &name) {
  return std::string(kind) + " " + std::to_string(index) +
         (name.empty() ? "" : " (" + quote(name) + ")");
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
            textOf(info.type.shape, info.type.dtype, /*declared=*/true) + ", found " +
            textOf(buffer.shape, buffer.dtype, /*declared=*/false)};
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
              (most == INT64_MAX
                   ? "of at least " + std::to_string(least)
                   : "from " + std::to_string(least) + " to " + std::to_string(most)) +
              " in dimension " + std::to_string(dim) + ", found " + std::to_string(found)};
  }
  return {};
}

namespace {
/// The memory of a buffer that is checked already.
struct Span {
  const char *begin, *end;
  size_t index;
  Span(const Buffer &buffer, size_t index) : index(index) {
    int64_t bytes = sizeOf(buffer.dtype);
    for (int64_t extent : buffer.shape)
      bytes *= extent;
    begin = static_cast<const char *>(buffer.data);
    end = begin + bytes;
  }
};
} // namespace

/// Whether outputs lie beside each other and beside all inputs but those that they update.
static Status checkOverlaps(const EntryInfo &info, const std::vector<Buffer> &inputs,
                            const std::vector<Buffer> &outputs) {
  std::vector<Span> spans;
  auto name = [&](size_t i) { return labelOf("output", i, info.outputs[i].name); };
  for (size_t i = 0; i < outputs.size(); ++i)
    if (Span span(outputs[i], i); span.begin != span.end)
      spans.push_back(span);
  std::sort(spans.begin(), spans.end(),
            [](const Span &a, const Span &b) { return std::less<>()(a.begin, b.begin); });
  for (size_t i = 1; i < spans.size(); ++i)
    if (std::less<>()(spans[i].begin, spans[i - 1].end))
      return {name(spans[i].index) + " must not overlap " + name(spans[i - 1].index)};
  for (size_t i = 0; i < inputs.size(); ++i) {
    Span own(inputs[i], i);
    // The last output that begins before the input ends is the only one that may reach into it.
    auto next =
        std::lower_bound(spans.begin(), spans.end(), own.end,
                         [](const Span &a, const char *b) { return std::less<>()(a.begin, b); });
    if (own.begin == own.end || next == spans.begin())
      continue;
    const Span &span = *--next;
    if (std::less<>()(own.begin, span.end) && info.outputs[span.index].alias != static_cast<int>(i))
      return {name(span.index) + " must not overlap " + labelOf("input", i, info.inputs[i].name)};
  }
  return {};
}

/// Extents of all values together.
static size_t rankSum(const std::vector<ValueInfo> &values) {
  size_t sum = 0;
  for (const ValueInfo &value : values)
    sum += value.type.shape.size();
  return sum;
}

std::vector<int64_t> EntryCall::inputExtents() const {
  return {dims.begin(), dims.begin() + static_cast<std::ptrdiff_t>(rankSum(entry->info.inputs))};
}

std::vector<int64_t> EntryCall::bufferBytes() const {
  std::vector<int64_t> bytes;
  auto next = dims.begin();
  for (const auto *values : {&entry->info.inputs, &entry->info.outputs})
    for (const ValueInfo &value : *values) {
      bytes.push_back(sizeOf(value.type.dtype));
      for (size_t dim = 0; dim < value.type.shape.size(); ++dim)
        bytes.back() *= *next++;
    }
  return bytes;
}

/// An entry as callers see it.
static EntryInfo visiblePart(const CompiledEntry &entry) {
  EntryInfo info{entry.info.name, {}, entry.info.outputs};
  std::vector<int> number(entry.info.inputs.size(), -1);
  for (size_t i = 0; i < number.size(); ++i) {
    if (entry.isBound(i))
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
    : code(std::move(given)), pool(ThreadPool::shared(code.runner ? 1 : threads)) {
  for (const CompiledEntry &entry : code.entries)
    visible.push_back(visiblePart(entry));
  for (const KernelInfo &kernel : code.kernels)
    kernels.emplace(kernel.name, &kernel);
}

std::string aft::entryNames(const std::vector<EntryInfo> &entries) {
  static constexpr size_t most = 20;
  std::string all;
  for (size_t i = 0; i < std::min(entries.size(), most); ++i)
    all += (all.empty() ? "" : ", ") + oneLine(entries[i].name.substr(0, kMostShown));
  return entries.size() <= most ? all
                                : all + " and " + std::to_string(entries.size() - most) + " more";
}

Status CompiledProgram::find(const std::string &name, size_t &index) const {
  for (index = 0; index < visible.size(); ++index)
    if (visible[index].name == name)
      return {};
  return {"no entry " + quote(name) + ", expected one of: " + entryNames(visible)};
}

Status CompiledProgram::plan(size_t index, const std::vector<Buffer> &inputs,
                             EntryCall &call) const {
  const EntryInfo &info = visible[index];
  const CompiledEntry &entry = code.entries[index];
  call.entry = &entry;
  if (inputs.size() != info.inputs.size())
    return {"entry " + quote(info.name) + " takes " + std::to_string(info.inputs.size()) +
            " inputs, found " + std::to_string(inputs.size())};
  for (size_t i = 0, next = 0; i < entry.info.inputs.size(); ++i) {
    const Buffer *buffer = entry.isBound(i) ? &*entry.bound[i] : &inputs[next];
    if (!entry.isBound(i)) {
      Status status = checkBuffer("input", next, info.inputs[next], *buffer);
      if (status.ok())
        status = checkLimits(next, info.inputs[next], *buffer);
      if (!status.ok())
        return {"entry " + quote(info.name) + ": " + status.message};
      ++next;
    }
    call.buffers.push_back(buffer->data);
    call.dims.insert(call.dims.end(), buffer->shape.begin(), buffer->shape.end());
  }
  size_t given = call.dims.size();
  call.dims.resize(given + rankSum(info.outputs));
  int64_t check = entry.plan(call.dims.data(), call.dims.data() + given, &call.arenaBytes);
  if (check == 0)
    return {};
  size_t message = static_cast<size_t>(check) - 1;
  return {"entry " + quote(info.name) + ": " +
          (message < code.checks.size() ? oneLine(code.checks[message])
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
  EntryCall call;
  if (Status status = plan(index, inputs, call); !status.ok())
    return status;
  auto next = call.dims.end() - static_cast<std::ptrdiff_t>(rankSum(visible[index].outputs));
  shapes.clear();
  for (const ValueInfo &output : visible[index].outputs) {
    auto end = next + static_cast<std::ptrdiff_t>(output.type.shape.size());
    shapes.emplace_back(next, end);
    next = end;
  }
  if (arenaBytes)
    *arenaBytes = call.arenaBytes;
  return {};
}

Status CompiledProgram::takeOutputs(size_t index, const std::vector<Buffer> &inputs,
                                    const std::vector<Buffer> &outputs, EntryCall &call) const {
  const EntryInfo &info = visible[index];
  const int64_t *extents = call.dims.data() + call.dims.size() - rankSum(info.outputs);
  if (outputs.size() != info.outputs.size())
    return {"entry " + quote(info.name) + " has " + std::to_string(info.outputs.size()) +
            " outputs, found memory for " + std::to_string(outputs.size())};
  for (size_t i = 0; i < outputs.size(); ++i) {
    ValueInfo expected = info.outputs[i];
    for (int64_t &extent : expected.type.shape)
      extent = *extents++;
    if (Status status = checkBuffer("output", i, expected, outputs[i]); !status.ok())
      return {"entry " + quote(info.name) + ": " + status.message};
    if (expected.alias >= 0 && outputs[i].data != inputs[expected.alias].data)
      return {"entry " + quote(info.name) + ": " + labelOf("output", i, expected.name) +
              " updates " + labelOf("input", expected.alias, info.inputs[expected.alias].name) +
              " in place and must have its memory"};
    call.buffers.push_back(outputs[i].data);
  }
  if (Status status = checkOverlaps(info, inputs, outputs); !status.ok())
    return {"entry " + quote(info.name) + ": " + status.message};
  return {};
}

Status CompiledProgram::prepare(size_t index, const std::vector<Buffer> &inputs,
                                const std::vector<Buffer> &outputs, EntryCall &call) const {
  if (Status status = plan(index, inputs, call); !status.ok())
    return status;
  return takeOutputs(index, inputs, outputs, call);
}

Status CompiledProgram::run(const std::string &entry, const std::vector<Buffer> &inputs,
                            const std::vector<Buffer> &outputs) const {
  size_t index;
  CallError error;
  if (Status status = find(entry, index); !status.ok())
    return status;
  return run(index, inputs, outputs, nullptr, error);
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
  EntryCall call;
  error = CallError::Argument;
  if (code.runner && runtime)
    return {"entry " + quote(visible[index].name) +
            " is compiled for a GPU: no parallel_for of the host can run it"};
  if (Status status = prepare(index, inputs, outputs, call); !status.ok())
    return status;
  error = CallError::None;
  if (code.runner)
    return code.runner->run(call, kernels, error);
  return runOnThreads(call, runtime ? *runtime : *pool.runtime(), error);
}

Status CompiledProgram::runResident(const std::string &entry, const std::vector<Buffer> &inputs,
                                    const std::vector<Buffer> &outputs, void *stream) const {
  size_t index;
  CallError error;
  if (Status status = find(entry, index); !status.ok())
    return status;
  return runResident(index, inputs, outputs, stream, error);
}

Status CompiledProgram::runResident(size_t index, const std::vector<Buffer> &inputs,
                                    const std::vector<Buffer> &outputs, void *stream,
                                    CallError &error) const {
  EntryCall call;
  error = CallError::Argument;
  if (!code.runner)
    return {"entry " + quote(visible[index].name) +
            " is compiled for the CPU: it cannot run on memory of a GPU"};
  if (Status status = prepare(index, inputs, outputs, call); !status.ok())
    return status;
  error = CallError::None;
  return code.runner->runResident(call, kernels, stream, error);
}

Status CompiledProgram::runOnThreads(const EntryCall &call, const aft_runtime_t &runtime,
                                     CallError &error) const {
  ArenaPool::Lease arena(arenas, call.arenaBytes);
  error = arena.data() ? CallError::None : CallError::Memory;
  if (!arena.data())
    return {"entry " + quote(call.entry->info.name) + " needs " + std::to_string(call.arenaBytes) +
            " bytes of scratch memory, which could not be had"};
  if (Profile::wanted() || logs("runtime"))
    runMeasured(call, arena.data(), runtime);
  else
    call.entry->run(call.buffers.data(), call.dims.data(), arena.data(), &runtime);
  return {};
}

void CompiledProgram::runMeasured(const EntryCall &call, void *arena,
                                  const aft_runtime_t &runtime) const {
  int threads = &runtime == pool.runtime() ? pool.threads() : 0;
  RunRecord record(call.entry->info.name, call.inputExtents(), call.arenaBytes, threads, kernels,
                   &runtime);
  call.entry->run(call.buffers.data(), call.dims.data(), arena, record.runtime());
  record.finish();
  reportRun(record, threads ? std::to_string(threads) + " threads" : "the host's threads");
}

void aft::reportRun(const RunRecord &record, const std::string &where) {
  Profile::deliver(record);
  if (!logs("runtime"))
    return;
  Profile profile;
  profile.add(record);
  log("runtime", record.entry + ": " + std::to_string(record.arenaBytes) +
                     " bytes of scratch memory, " + where + profile.table());
}
