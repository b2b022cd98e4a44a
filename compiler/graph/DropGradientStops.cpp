//===- DropGradientStops.cpp - aft.stop_gradient has done its work --------===//

#include "compiler/graph/Passes.h"
#include "dialect/ir/AFT.h"

namespace aft {
#define GEN_PASS_DEF_DROPGRADIENTSTOPS
#include "compiler/graph/Passes.h.inc"
} // namespace aft

using namespace mlir;
using namespace aft;

namespace {
struct DropGradientStops : aft::impl::DropGradientStopsBase<DropGradientStops> {
  void runOnOperation() override {
    getOperation().walk([](StopGradientOp op) {
      op.replaceAllUsesWith(op.getX());
      op.erase();
    });
  }
};
} // namespace
