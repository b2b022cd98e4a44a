//===- PlanMemory.cpp - Entries on memrefs, temporaries in one arena ------===//

#include "compiler/kernels/Generic.h"
#include "compiler/kernels/HostEmitter.h"
#include "compiler/kernels/Passes.h"
#include "compiler/report/DescribeProgram.h"

using namespace mlir;

namespace aft {
#define GEN_PASS_DEF_PLANMEMORY
#include "compiler/kernels/Passes.h.inc"
} // namespace aft

using namespace aft;

namespace {

struct PlanMemory : aft::impl::PlanMemoryBase<PlanMemory> {
  explicit PlanMemory(CompileReport *report = nullptr) : report(report) {}

  void runOnOperation() override {
    ModuleOp module = getOperation();
    copyKernels.clear();
    SmallVector<std::string> messages = readChecks(module);
    for (func::FuncOp entry : entriesOf(module))
      if (!isPlanned(entry) && failed(planEntry(entry, messages)))
        return signalPassFailure();
    SmallVector<StringRef> texts(messages.begin(), messages.end());
    module->setAttr(checksAttrName, Builder(module).getStrArrayAttr(texts));
  }

  static bool isPlanned(func::FuncOp entry) {
    return llvm::all_of(entry.getArgumentTypes(),
                        [](Type type) { return isa<MemRefType>(type); }) &&
           entry.getNumArguments() > 0;
  }

  LogicalResult planEntry(func::FuncOp entry,
                          SmallVectorImpl<std::string> &messages) {
    FailureOr<EntryInterface> interface = readInterface(entry);
    ShapeAnalysis shapes(entry);
    if (failed(interface) || failed(shapes.run()))
      return failure();
    BufferAssignment assignment(entry, *interface);
    HostPlan plan{entry, shapes, assignment, *interface, {}, {}, {}};
    planArena(plan);
    if (report)
      describeArena(plan, *report);
    if (failed(emitPlan(plan, messages)))
      return failure();
    FailureOr<func::FuncOp> host =
        emitHost(plan, [&](RankedTensorType type) { return copyKernel(type); });
    if (failed(host))
      return failure();
    entry.erase();
    return success();
  }

  /// A kernel that copies one tensor.
  FlatSymbolRefAttr copyKernel(RankedTensorType type) {
    FlatSymbolRefAttr &known = copyKernels[type];
    if (known)
      return known;
    Location loc = getOperation().getLoc();
    OpBuilder builder(&getContext());
    auto kernel = func::FuncOp::create(
        loc, "kernel", builder.getFunctionType({type, type}, {type}));
    kernel.setPrivate();
    kernel->setAttr(kernelAttrName, builder.getUnitAttr());
    kernel->setAttr(kindAttrName, builder.getStringAttr("elementwise"));
    builder.setInsertionPointToStart(kernel.addEntryBlock());
    Generic g(builder, loc);
    unsigned loops = type.getRank();
    SmallVector<Value> copied =
        g.parallel({g.leading(kernel.getArgument(0), loops)},
                   {g.leading(kernel.getArgument(1), loops)},
                   [](ImplicitLocOpBuilder &, ValueRange args) {
                     return SmallVector<Value>{args[0]};
                   });
    builder.create<func::ReturnOp>(loc, copied);
    SymbolTable symbols(getOperation());
    StringAttr name =
        symbols.insert(kernel, getOperation().getBody()->begin());
    return known = FlatSymbolRefAttr::get(name);
  }

  CompileReport *report;
  llvm::DenseMap<Type, FlatSymbolRefAttr> copyKernels;
};

} // namespace

std::unique_ptr<Pass> aft::createPlanMemory(CompileReport *report) {
  return std::make_unique<PlanMemory>(report);
}
