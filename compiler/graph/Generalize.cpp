//===- Generalize.cpp - Named linalg operations as generics ---------------===//

#include "compiler/graph/Generalize.h"

#include "mlir/Dialect/Linalg/Transforms/Transforms.h"

using namespace mlir;
using namespace aft;

/// Upstream leaves linalg.map alone: its body has no argument for the destination.
static linalg::GenericOp generalizeMap(RewriterBase &rewriter, linalg::MapOp map) {
  Value init = map.getInit();
  auto generic = rewriter.create<linalg::GenericOp>(
      map.getLoc(), map->getResultTypes(), map.getInputs(), ValueRange(init),
      map.getIndexingMapsArray(), map.getIteratorTypesArray());
  rewriter.inlineRegionBefore(map.getMapper(), generic.getRegion(), generic.getRegion().begin());
  generic.getBody()->addArgument(getElementTypeOrSelf(init), init.getLoc());
  rewriter.replaceOp(map, generic->getResults());
  return generic;
}

FailureOr<linalg::GenericOp> aft::generalize(RewriterBase &rewriter, linalg::LinalgOp op) {
  if (auto map = dyn_cast<linalg::MapOp>(*op))
    return generalizeMap(rewriter, map);
  return linalg::generalizeNamedOp(rewriter, op);
}
