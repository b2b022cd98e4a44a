//===- Passes.td - Passes of the graph phase --------------------------------===//

#ifndef AFT_COMPILER_GRAPH_PASSES_TD
#define AFT_COMPILER_GRAPH_PASSES_TD

include "mlir/Pass/PassBase.td"

def RaiseMixers : Pass<"aft-raise-mixers", "::mlir::ModuleOp"> {
  let summary = "Turns mixers that are written by hand into aft operations";
  let description = [{
    Recognises `g(q) * sum_t' exp(k + w) v / sum_t' exp(k + w)` however it is
    spelled in linalg, tensor, arith and math, and makes `aft.full` of it; `aft.simple`
    without a bias, `aft.local` where the bias is 0 far from the diagonal, `aft.conv`
    where it depends on the distance of key and query alone: with or without maxima
    subtracted before the exponentials, as matrix products, depth-wise convolutions,
    reductions, running sums, a softmax over time or one product with
    [exp(k)v | exp(k)], as an unrolled loop over time, in any layout, masked causally
    (from either end) or by lengths. Distances may be computed or lie in a constant.

    Each candidate is read as a formula of symbolic places (compiler/graph/raise/)
    and brought into one normal form, so that spellings fall together. What
    resembles a mixer and is none stays as it is and gives a remark that says why:
    a numerator or denominator that has another use, weights that differ between
    the two, a number that bounds the denominator (left out with `fast`), a mask that
    is neither causal nor one of lengths. Only definitions in one block are opened.
  }];
  let options = [
    Option<"fast", "fast", "bool", /*default=*/"false",
           "Leaves out small numbers added to denominators, or that bound them">,
    Option<"verbose", "remarks", "bool", /*default=*/"false",
           "Emits a remark for what is raised and for what nearly is">
  ];
  let dependentDialects = ["::aft::AFTDialect", "::mlir::affine::AffineDialect",
                           "::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
                           "::mlir::math::MathDialect", "::mlir::tensor::TensorDialect"];
}

def FoldTransposes : Pass<"aft-fold-transposes", "::mlir::ModuleOp"> {
  let summary = "Lets matrix products read transposed operands where they are";
  let description = [{
    `linalg.matmul` of a copy with the last two dimensions swapped becomes
    `linalg.matmul_transpose_a` or `_b` of the original, `linalg.batch_matmul`
    likewise, also through a collapse_shape of the batch. Runs before
    differentiation, so that the derivative needs no copy either.
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
}

def Differentiate : Pass<"aft-differentiate", "::mlir::ModuleOp"> {
  let summary = "Adds the gradient of an entry as a function of its own";
  let description = [{
    From `@NAME(params and inputs) -> (loss, ...)` makes
    `@NAME_grad(same) -> (loss, ..., one gradient per parameter)`. Parameters are
    the arguments with the attribute `aft.param`; the loss is a scalar tensor.
    Gradients come in the order of the parameters and are called
    `grad.<name of the parameter>`. Functions must have no calls left (run
    `inline` first) and one block.
  }];
  let options = [Option<"entry", "entry", "std::string", /*default=*/"\"main\"",
                        "The function to differentiate">];
  let dependentDialects = ["::aft::AFTDialect", "::mlir::arith::ArithDialect",
                           "::mlir::linalg::LinalgDialect", "::mlir::math::MathDialect",
                           "::mlir::tensor::TensorDialect"];
}

def BuildTraining : Pass<"aft-training", "::mlir::ModuleOp"> {
  let summary = "Replaces a loss by a training step";
  let description = [{
    From `@NAME(params and inputs) -> (loss, ...)` makes
    `@train_step(params, m, v, step, lr, inputs) -> (loss, params, m, v, ...)`:
    forward, reverse, clipping of the gradients' global norm and one AdamW update
    per parameter, with `m.<name>` and `v.<name>` for the moments, which are kept
    in the accumulation type. `step` (i64) counts from 1. The updated tensors
    carry `aft.alias`: they overwrite the arguments. The loss function becomes
    private.
  }];
  let options = [
    Option<"entry", "entry", "std::string", /*default=*/"\"main\"", "The function of the loss">,
    Option<"beta1", "beta1", "double", /*default=*/"0.9", "Decay of the first moment">,
    Option<"beta2", "beta2", "double", /*default=*/"0.999", "Decay of the second moment">,
    Option<"eps", "eps", "double", /*default=*/"1.0e-8", "Added to the root of the second moment">,
    Option<"weightDecay", "weight-decay", "double", /*default=*/"0.01", "Decoupled weight decay">,
    Option<"clipNorm", "clip-norm", "double", /*default=*/"0.0",
           "Largest global norm of the gradients; 0: no clipping">
  ];
  let dependentDialects = ["::aft::AFTDialect", "::mlir::arith::ArithDialect",
                           "::mlir::func::FuncDialect", "::mlir::linalg::LinalgDialect",
                           "::mlir::math::MathDialect", "::mlir::tensor::TensorDialect"];
}

def DropGradientStops : Pass<"aft-drop-gradient-stops", "::mlir::ModuleOp"> {
  let summary = "Replaces aft.stop_gradient by its operand";
  let description = [{
    Runs when all derivatives have been taken.
  }];
}

#endif // AFT_COMPILER_GRAPH_PASSES_TD
