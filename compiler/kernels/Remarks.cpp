//===- Remarks.cpp - What was put together, and what was not --------------===//

#include "compiler/kernels/Remarks.h"

#include "compiler/report/CompileReport.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace aft;

/// The scalar operations named of a generic; more say little.
static constexpr size_t kOpsNamed = 4;

/// "matmul", "local", or what a generic is made of: "reduction of mulf, addf".
static std::string describe(Operation *op) {
  auto generic = dyn_cast<linalg::GenericOp>(op);
  if (!generic)
    return op->getName().stripDialect().str();
  llvm::SmallSetVector<StringRef, 8> names;
  for (Operation &scalar : generic.getBody()->without_terminator())
    if (!isa<arith::ConstantOp>(scalar))
      names.insert(scalar.getName().stripDialect());
  bool reduces = generic.getNumParallelLoops() != generic.getNumLoops();
  std::string text = reduces ? "reduction of " : "";
  SmallVector<StringRef> list(names.begin(), names.end());
  bool shortened = list.size() > kOpsNamed;
  if (shortened)
    list.resize(kOpsNamed);
  return text + (list.empty() ? "copy" : llvm::join(list, ", ")) + (shortened ? ", …" : "");
}

static std::string placeOf(Operation *op) {
  std::vector<std::string> places = placesOf(op->getLoc());
  return places.empty() ? "" : places.front();
}

static void add(CompileReport &report, StringRef pass, bool fused, Operation *producer,
                Operation *consumer, StringRef reason) {
  report.add({pass.str(), fused, describe(producer), describe(consumer), reason.str(),
              placeOf(producer), placeOf(consumer)});
}

void aft::remark(CompileReport &report, StringRef pass, Operation *producer, Operation *consumer,
                 StringRef reason) {
  add(report, pass, reason.empty(), producer, consumer, reason);
}

void aft::remarkDone(CompileReport &report, StringRef pass, Operation *producer,
                     Operation *consumer, StringRef note) {
  add(report, pass, true, producer, consumer, note);
}
