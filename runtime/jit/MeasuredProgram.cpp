//===- MeasuredProgram.cpp - How long a program's kernels take ------------===//

#include "runtime/jit/MeasuredProgram.h"

#include "aft/profile.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <memory>
#include <unistd.h>

using namespace aft;

/// An extent that nobody gave.
static constexpr int64_t kTypicalExtent = 1024;
/// Runs of an entry: at least so many, more while they are short.
static constexpr int kLeastRuns = 3, kMostRuns = 100;
static constexpr double kEnoughSeconds = 0.1;
/// Made-up numbers take this part of the machine's memory at most.
static constexpr int64_t kPartOfMemory = 4;

//===----------------------------------------------------------------------===//
// Shapes
//===----------------------------------------------------------------------===//

static bool isFree(const std::vector<int64_t> &shape) {
  return std::count(shape.begin(), shape.end(), kDynamic) > 0;
}

static bool fits(const std::vector<int64_t> &declared, const std::vector<int64_t> &shape) {
  return std::equal(declared.begin(), declared.end(), shape.begin(), shape.end(),
                    [](int64_t a, int64_t b) { return b >= 0 && (a == kDynamic || a == b); });
}

static std::vector<int64_t> typicalShape(std::vector<int64_t> shape) {
  auto first = std::find(shape.begin(), shape.end(), kDynamic);
  if (std::count(shape.begin(), shape.end(), kDynamic) > 1)
    *first = 1;
  std::replace(shape.begin(), shape.end(), kDynamic, kTypicalExtent);
  return shape;
}

std::vector<std::vector<int64_t>>
aft::concreteShapes(const std::vector<std::vector<int64_t>> &declared,
                    const std::vector<std::vector<int64_t>> &wanted) {
  if (std::equal(declared.begin(), declared.end(), wanted.begin(), wanted.end(), fits))
    return wanted;
  std::vector<std::vector<int64_t>> given = declared, typical = declared;
  size_t next = 0;
  bool all = true;
  for (size_t i = 0; i < declared.size(); ++i) {
    typical[i] = typicalShape(declared[i]);
    if (!isFree(declared[i]))
      continue;
    while (next < wanted.size() && !fits(declared[i], wanted[next]))
      ++next;
    all &= next < wanted.size();
    if (all)
      given[i] = wanted[next++];
  }
  return all ? given : typical;
}

//===----------------------------------------------------------------------===//
// Numbers
//===----------------------------------------------------------------------===//

/// Elements that are neither zero, which some code treats apart, nor large; whole
/// numbers are 0, a valid index of everything.
static void fill(const Buffer &buffer, int64_t bytes) {
  auto repeat = [&](auto value) {
    std::fill_n(static_cast<decltype(value) *>(buffer.data), bytes / sizeof(value), value);
  };
  switch (buffer.dtype) {
  case DType::f32:
    return repeat(0.01f);
  case DType::f64:
    return repeat(0.01);
  case DType::bf16:
    return repeat(uint16_t(0x3c24)); // 0.01
  default:
    std::memset(buffer.data, 0, static_cast<size_t>(bytes));
  }
}

namespace {

/// Memory for the inputs and results of an entry.
class Trial {
public:
  Status make(const Program &program, const EntryInfo &entry, const EntryShapes &wanted);
  Status run(const Program &program) const { return program.run(name, inputs, outputs); }

private:
  Status allocate(Buffer &buffer);

  std::string name;
  std::vector<Buffer> inputs, outputs;
  std::vector<std::unique_ptr<char[]>> memory;
  int64_t total = 0;
};

} // namespace

Status Trial::allocate(Buffer &buffer) {
  int64_t bytes = sizeOf(buffer.dtype);
  bool overflow = false;
  for (int64_t extent : buffer.shape)
    overflow |= __builtin_mul_overflow(bytes, extent, &bytes);
  overflow |= __builtin_add_overflow(total, bytes, &total);
  int64_t most = sysconf(_SC_PHYS_PAGES) / kPartOfMemory * sysconf(_SC_PAGESIZE);
  if (overflow || total > most)
    return {"entry '" + name + "' takes more memory than there is for tuning"};
  memory.emplace_back(new char[static_cast<size_t>(bytes)]);
  buffer.data = memory.back().get();
  fill(buffer, bytes);
  return {};
}

Status Trial::make(const Program &program, const EntryInfo &entry, const EntryShapes &wanted) {
  name = entry.name;
  for (size_t i = 0; i < entry.inputs.size(); ++i) {
    inputs.push_back({nullptr, entry.inputs[i].type.dtype, wanted.shapes[i]});
    if (Status status = allocate(inputs.back()); !status.ok())
      return status;
  }
  std::vector<std::vector<int64_t>> shapes;
  if (Status status = program.outputShapes(name, inputs, shapes); !status.ok())
    return status;
  for (size_t i = 0; i < shapes.size(); ++i) {
    outputs.push_back({nullptr, entry.outputs[i].type.dtype, shapes[i]});
    if (int alias = entry.outputs[i].alias; alias >= 0)
      outputs.back().data = inputs[static_cast<size_t>(alias)].data;
    else if (Status status = allocate(outputs.back()); !status.ok())
      return status;
  }
  return {};
}

//===----------------------------------------------------------------------===//
// Times
//===----------------------------------------------------------------------===//

/// Takes over the least time of each kernel.
static void takeLeast(const Profile &profile, KernelTimes &least) {
  for (const KernelTotal &total : profile.kernels()) {
    auto [known, added] = least.try_emplace(total.kernel, total.milliseconds);
    if (!added)
      known->second = std::min(known->second, total.milliseconds);
  }
}

static Status measureEntry(const Program &program, const Trial &trial, KernelTimes &least) {
  if (Status status = trial.run(program); !status.ok()) // The first run warms up.
    return status;
  auto start = std::chrono::steady_clock::now();
  std::chrono::duration<double> spent{0};
  for (int run = 0; run < kLeastRuns || (run < kMostRuns && spent.count() < kEnoughSeconds);
       ++run) {
    Profile profile;
    {
      Profile::Scope scope(profile);
      if (Status status = trial.run(program); !status.ok())
        return status;
    }
    takeLeast(profile, least);
    spent = std::chrono::steady_clock::now() - start;
  }
  return {};
}

Status aft::measureKernels(Package package, const std::vector<EntryShapes> &entries, int threads,
                           KernelTimes &times) {
  std::shared_ptr<Program> program;
  if (Status status = loadPackage(std::move(package), threads, program); !status.ok())
    return status;
  for (const EntryShapes &wanted : entries) {
    const EntryInfo *entry = program->entry(wanted.name);
    if (!entry)
      return {"there is no entry '" + wanted.name + "'"};
    Trial trial;
    KernelTimes least;
    if (Status status = trial.make(*program, *entry, wanted); !status.ok())
      return status;
    if (Status status = measureEntry(*program, trial, least); !status.ok())
      return status;
    for (const auto &kernel : least)
      times[kernel.first()] += kernel.second;
  }
  return {};
}
