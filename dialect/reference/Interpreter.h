//===- Interpreter.h - What the parts of the reference share --------------===//

#ifndef AFT_DIALECT_REFERENCE_INTERPRETER_H
#define AFT_DIALECT_REFERENCE_INTERPRETER_H

#include "dialect/reference/Reference.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/OpDefinition.h"

namespace aft {

using RTensor = ReferenceTensor;
using RTensors = llvm::SmallVector<RTensor>;

/// A scalar of a body.
struct Cell {
  double real = 0;
  int64_t integer = 0;
};

inline bool isFloatType(mlir::Type type) {
  return mlir::isa<mlir::FloatType>(mlir::getElementTypeOrSelf(type));
}

/// The values of a function's (or a region's) names.
class Frame {
public:
  explicit Frame(const Frame *outer = nullptr) : outer(outer) {}
  void set(mlir::Value value, RTensor tensor) { values[value] = std::move(tensor); }
  const RTensor &get(mlir::Value value) const {
    auto found = values.find(value);
    return found != values.end() || !outer ? found->second : outer->get(value);
  }
  /// A scalar or an index.
  Cell cell(mlir::Value value) const {
    const RTensor &tensor = get(value);
    return tensor.isFloat ? Cell{tensor.reals[0], 0} : Cell{0, tensor.integers[0]};
  }
  int64_t index(mlir::OpFoldResult value) const;
  llvm::SmallVector<int64_t> indices(llvm::ArrayRef<mlir::OpFoldResult> values) const;
  RTensors operands(mlir::Operation *op) const;

private:
  const Frame *outer;
  llvm::DenseMap<mlir::Value, RTensor> values;
};

/// Applies one scalar operation of arith or math; false when it is unknown.
bool evaluateScalar(mlir::Operation *op, llvm::ArrayRef<Cell> operands, Cell &result);

/// The body of a generic as straight code.
class ScalarProgram {
public:
  /// Fails with an error for an operation that has no scalar meaning.
  llvm::LogicalResult build(mlir::Block &block, const Frame &frame);
  /// `arguments` as those of the block; `loops` for linalg.index. Writes what
  /// the terminator yields.
  void run(llvm::ArrayRef<Cell> arguments, llvm::ArrayRef<int64_t> loops,
           llvm::MutableArrayRef<Cell> yielded);

private:
  struct Step {
    mlir::Operation *op;
    unsigned result;
    llvm::SmallVector<unsigned, 3> operands;
    const RTensor *tensor = nullptr; ///< of tensor.extract
  };
  std::vector<Step> steps;
  std::vector<Cell> registers;
  llvm::SmallVector<unsigned> results;
  unsigned arguments = 0;
};

// Each evaluates the operations of one kind: nullopt when `op` is none of them,
// a failure (reported) when it cannot be evaluated.
using Evaluated = std::optional<llvm::FailureOr<RTensors>>;
Evaluated evaluateStructured(mlir::Operation *op, const Frame &frame);
Evaluated evaluateShape(mlir::Operation *op, const Frame &frame);
Evaluated evaluateMixer(mlir::Operation *op, const Frame &frame);
Evaluated evaluateMixerGrad(mlir::Operation *op, const Frame &frame);
Evaluated evaluateOnline(mlir::Operation *op, const Frame &frame);
Evaluated evaluateModel(mlir::Operation *op, const Frame &frame);

/// Whether the shapes of the operands fit the operation and each other; what
/// does not is reported as the verifier would.
llvm::LogicalResult checkShapes(mlir::Operation *op, const Frame &frame);

/// Evaluates the operations of a block up to its terminator.
llvm::LogicalResult evaluateBlock(mlir::Block &block, Frame &frame);

/// Row-major strides.
llvm::SmallVector<int64_t> stridesOf(llvm::ArrayRef<int64_t> shape);

/// Calls `body` with every index of a box, the last one fastest.
void forEachIndex(llvm::ArrayRef<int64_t> shape,
                  llvm::function_ref<void(llvm::ArrayRef<int64_t>)> body);

} // namespace aft

#endif // AFT_DIALECT_REFERENCE_INTERPRETER_H
