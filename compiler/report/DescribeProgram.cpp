//===- DescribeProgram.cpp - Kernels, launches and memory for the report --===//

#include "compiler/report/DescribeProgram.h"

#include "compiler/report/KernelCost.h"
#include "llvm/ADT/StringMap.h"

using namespace mlir;
using namespace aft;

/// Names the extents of an entry's inputs: "x[0]", or "input 2[0]".
static void describeExtents(const EntryInterface &interface, CompileReport::Entry &entry) {
  for (auto [number, input] : llvm::enumerate(interface.inputs)) {
    std::string name = input.name.empty() ? "input " + std::to_string(number) : input.name;
    for (auto [dim, extent] : llvm::enumerate(input.type.getShape())) {
      entry.extents.push_back(name + "[" + std::to_string(dim) + "]");
      entry.staticExtents.push_back(ShapedType::isDynamic(extent) ? -1 : extent);
    }
  }
}

/// The extents of all operands of a launch, in order.
static SmallVector<Expression> operandExtents(LaunchOp launch, ExtentReader &extents) {
  SmallVector<Expression> all;
  for (Value operand : launch->getOperands())
    for (int64_t dim = 0; dim < cast<ShapedType>(operand.getType()).getRank(); ++dim)
      all.push_back(extents.extent(operand, dim));
  return all;
}

void aft::describeProgram(ModuleOp module, CompileReport &report) {
  llvm::StringMap<KernelCost> costs;
  for (func::FuncOp function : module.getOps<func::FuncOp>()) {
    if (!function->hasAttr(kernelAttrName))
      continue;
    auto kind = function->getAttrOfType<StringAttr>(kindAttrName);
    CompileReport::Kernel &kernel = report.kernels.emplace_back();
    kernel = {function.getName().str(), kind ? kind.str() : "", ""};
    if (function.getNumArguments() > 0)
      llvm::raw_string_ostream(kernel.element)
          << getElementTypeOrSelf(function.getArgumentTypes()[0]);
    costs[function.getName()] = costOf(function);
  }
  for (func::FuncOp function : entriesOf(module)) {
    CompileReport::Entry &entry = report.entry(function.getName());
    if (FailureOr<EntryInterface> interface = readInterface(function); succeeded(interface))
      describeExtents(*interface, entry);
    ExtentReader extents(function.front());
    for (auto launch : function.getOps<LaunchOp>()) {
      SmallVector<Expression> operands = operandExtents(launch, extents);
      const KernelCost &cost = costs[launch.getKernel()];
      entry.launches.push_back({launch.getKernel().str(), placesOf(launch.getLoc()),
                                cost.flops.replaceSymbols(operands),
                                cost.bytes.replaceSymbols(operands)});
    }
  }
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

namespace {
/// The launches that take place at one operation: copies first.
struct LaunchRange {
  int64_t first, last;
};
} // namespace

/// By the position of the operation in the function.
static SmallVector<LaunchRange> launchRanges(HostPlan &plan) {
  SmallVector<LaunchRange> ranges;
  int64_t count = 0;
  for (Operation &op : plan.source.front()) {
    int64_t first = count;
    for (const HostCopy &copy : plan.assignment.copies())
      count += copy.before == &op;
    count += isa<LaunchOp>(op);
    ranges.push_back({first, std::max(first, count - 1)});
  }
  // What is used at the end is alive until the last launch.
  for (LaunchRange &range : ranges) {
    range.first = std::min(range.first, std::max<int64_t>(count - 1, 0));
    range.last = std::min(range.last, std::max<int64_t>(count - 1, 0));
  }
  return ranges;
}

/// The product of a region's dynamic extents, rounded up as the plan does it.
static Expression unitsOf(const ArenaRegion &region, ExtentReader &extents) {
  Expression units = 1;
  for (Value factor : region.factors)
    units = units * extents.index(factor);
  return region.factors.empty() ? units : ceilDivide(units, unitMultiple) * unitMultiple;
}

void aft::describeArena(HostPlan &plan, CompileReport &report) {
  CompileReport::Entry &entry = report.entry(plan.source.getName());
  ExtentReader extents(plan.source.front());
  SmallVector<LaunchRange> ranges = launchRanges(plan);
  SmallVector<Expression> starts, units;
  entry.arenaBytes = 0;
  for (const ArenaRegion &region : plan.regions) {
    starts.push_back(entry.arenaBytes);
    units.push_back(unitsOf(region, extents));
    entry.arenaBytes = entry.arenaBytes + units.back() * region.bytes;
  }
  for (auto [number, buffer] : llvm::enumerate(plan.assignment.buffers())) {
    if (plan.temporaryOf[number] < 0)
      continue;
    const Temporary &temporary = plan.temporaries[plan.temporaryOf[number]];
    CompileReport::ArenaBuffer described;
    described.offset = starts[temporary.region] + units[temporary.region] * temporary.offset;
    described.bytes = units[temporary.region] * temporary.bytes;
    described.first = ranges[temporary.first].first;
    described.last = ranges[temporary.last].last;
    llvm::raw_string_ostream(described.type) << buffer.value.getType();
    auto launch = buffer.value.getDefiningOp<LaunchOp>();
    described.kernel = launch ? launch.getKernel().str() : "copy";
    described.places = placesOf(buffer.value.getLoc());
    entry.buffers.push_back(std::move(described));
  }
}
