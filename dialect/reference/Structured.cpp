//===- Structured.cpp - linalg and elementwise operations in double -------===//

#include "dialect/reference/Interpreter.h"

#include "mlir/Dialect/Affine/Analysis/AffineStructures.h"
#include "mlir/IR/AffineExpr.h"

using namespace mlir;
using namespace aft;

namespace {
/// Where an operand's element lies: offset + sum of loop * step.
struct Access {
  SmallVector<int64_t> steps;
  int64_t offset = 0;
};
} // namespace

/// Fails for maps that are not linear.
static FailureOr<Access> accessOf(AffineMap map, ArrayRef<int64_t> shape, unsigned loops) {
  Access access{SmallVector<int64_t>(loops, 0), 0};
  SmallVector<int64_t> strides = stridesOf(shape);
  for (auto [dim, expr] : llvm::enumerate(map.getResults())) {
    SmallVector<int64_t> flat;
    if (failed(getFlattenedAffineExpr(expr, loops, 0, &flat)) || flat.size() != loops + 1)
      return failure();
    for (unsigned loop = 0; loop < loops; ++loop)
      access.steps[loop] += flat[loop] * strides[dim];
    access.offset += flat.back() * strides[dim];
  }
  return access;
}

/// The loops' extents: from operands that a loop indexes directly.
static SmallVector<int64_t> loopExtents(linalg::LinalgOp op, ArrayRef<RTensor> operands) {
  SmallVector<int64_t> extents(op.getNumLoops(), 0);
  for (auto [map, operand] : llvm::zip_equal(op.getIndexingMapsArray(), operands))
    for (auto [dim, expr] : llvm::enumerate(map.getResults()))
      if (auto loop = dyn_cast<AffineDimExpr>(expr))
        extents[loop.getPosition()] = operand.shape[dim];
  return extents;
}

static Cell load(const RTensor &tensor, int64_t offset) {
  return tensor.isFloat ? Cell{tensor.reals[offset], 0} : Cell{0, tensor.integers[offset]};
}

static void store(RTensor &tensor, int64_t offset, Cell cell) {
  if (tensor.isFloat)
    tensor.reals[offset] = cell.real;
  else
    tensor.integers[offset] = cell.integer;
}

static FailureOr<RTensors> evaluateLinalg(linalg::LinalgOp op, const Frame &frame) {
  RTensors operands;
  for (OpOperand &operand : op->getOpOperands())
    operands.push_back(frame.get(operand.get()));
  unsigned loops = op.getNumLoops(), inputs = op.getNumDpsInputs();
  SmallVector<Access> accesses;
  for (auto [map, operand] : llvm::zip_equal(op.getIndexingMapsArray(), operands)) {
    FailureOr<Access> access = accessOf(map, operand.shape, loops);
    if (failed(access)) {
      op.emitError("an indexing map that is not linear is not supported by the reference "
                   "interpreter");
      return failure();
    }
    accesses.push_back(*access);
  }
  ScalarProgram program;
  if (failed(program.build(*op.getBlock(), frame)))
    return failure();
  SmallVector<Cell> arguments(operands.size()), yielded(operands.size() - inputs);
  SmallVector<int64_t> offsets(operands.size());
  forEachIndex(loopExtents(op, operands), [&](ArrayRef<int64_t> index) {
    for (auto [number, operand] : llvm::enumerate(operands)) {
      int64_t offset = accesses[number].offset;
      for (unsigned loop = 0; loop < loops; ++loop)
        offset += accesses[number].steps[loop] * index[loop];
      offsets[number] = offset;
      arguments[number] = load(operand, offset);
    }
    program.run(arguments, index, yielded);
    for (auto [number, cell] : llvm::enumerate(yielded))
      store(operands[inputs + number], offsets[inputs + number], cell);
  });
  return RTensors(operands.begin() + inputs, operands.end());
}

/// One of the matmuls, which the general way would take too long for.
static FailureOr<RTensors> evaluateMatmul(linalg::LinalgOp op, const Frame &frame) {
  const RTensor &a = frame.get(op.getDpsInputs()[0]), &b = frame.get(op.getDpsInputs()[1]);
  RTensor c = frame.get(op.getDpsInits()[0]);
  bool transposeA = isa<linalg::MatmulTransposeAOp, linalg::BatchMatmulTransposeAOp>(op),
       transposeB = isa<linalg::MatmulTransposeBOp, linalg::BatchMatmulTransposeBOp>(op);
  size_t rank = c.shape.size();
  int64_t batches = rank == 3 ? c.shape[0] : 1, rows = c.shape[rank - 2],
          columns = c.shape[rank - 1], inner = a.shape[transposeA ? rank - 2 : rank - 1];
  for (int64_t batch = 0; batch < batches; ++batch) {
    const double *left = a.reals.data() + batch * rows * inner,
                 *right = b.reals.data() + batch * inner * columns;
    double *out = c.reals.data() + batch * rows * columns;
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t p = 0; p < inner; ++p) {
        double factor = transposeA ? left[p * rows + i] : left[i * inner + p];
        for (int64_t j = 0; j < columns; ++j)
          out[i * columns + j] +=
              factor * (transposeB ? right[j * inner + p] : right[p * columns + j]);
      }
  }
  return RTensors{c};
}

/// A scalar operation on whole tensors, or on scalars.
static Evaluated evaluateElementwise(Operation *op, const Frame &frame) {
  if (op->getNumResults() != 1 || op->getNumOperands() == 0 || op->getNumRegions() != 0)
    return std::nullopt;
  SmallVector<Cell> cells(op->getNumOperands(), Cell{1, 1});
  Cell result;
  if (!evaluateScalar(op, cells, result))
    return std::nullopt;
  RTensors operands = frame.operands(op);
  SmallVector<int64_t> shape;
  for (const RTensor &operand : operands)
    if (!operand.shape.empty())
      shape = operand.shape;
  RTensor out = RTensor::zeros(shape, isFloatType(op->getResult(0).getType()));
  for (int64_t i = 0, count = out.size(); i < count; ++i) {
    for (auto [cell, operand] : llvm::zip_equal(cells, operands))
      cell = load(operand, operand.shape.empty() ? 0 : i);
    evaluateScalar(op, cells, result);
    store(out, i, result);
  }
  return FailureOr<RTensors>(RTensors{out});
}

Evaluated aft::evaluateStructured(Operation *op, const Frame &frame) {
  if (isa<linalg::MatmulOp, linalg::MatmulTransposeAOp, linalg::MatmulTransposeBOp,
          linalg::BatchMatmulOp, linalg::BatchMatmulTransposeAOp,
          linalg::BatchMatmulTransposeBOp>(op) &&
      isFloatType(op->getResult(0).getType()))
    return evaluateMatmul(cast<linalg::LinalgOp>(op), frame);
  if (auto structured = dyn_cast<linalg::LinalgOp>(op))
    return evaluateLinalg(structured, frame);
  return evaluateElementwise(op, frame);
}
