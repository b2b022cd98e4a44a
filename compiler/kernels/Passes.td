//===- Passes.td - Passes of the kernels phase --------------------------------===//

#ifndef AFT_COMPILER_KERNELS_PASSES_TD
#define AFT_COMPILER_KERNELS_PASSES_TD

include "mlir/Pass/PassBase.td"

def Decompose : Pass<"aft-decompose", "::mlir::func::FuncOp"> {
  let summary = "rewrites model operations and named operations to generics";
  let description = [{
    layer_norm, cross_entropy, their derivatives, embedding, dropout, adamw and
    finish become linalg.generic; so do arith and math operations on tensors,
    pad, concat, insert_slice and all named linalg operations but fill and the
    matmuls. An id outside the table of an embedding reads row 0 and gives NaN;
    a target past the classes of a cross_entropy gives a NaN loss.
  }];
  let dependentDialects = ["::aft::AFTDialect", "::mlir::arith::ArithDialect",
    "::mlir::math::MathDialect", "::mlir::linalg::LinalgDialect",
    "::mlir::tensor::TensorDialect", "::mlir::affine::AffineDialect"];
}

def CollapseLoops : Pass<"aft-collapse-loops", "::mlir::func::FuncOp"> {
  let summary = "makes one loop of the leading loops of generics";
  let description = [{
    Outside the mixers [B, T, d] is B * T rows. Leading loops of one kind that
    every operand indexes together become one; the last loop stays.
  }];
  let dependentDialects = ["::mlir::affine::AffineDialect",
    "::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
}

def ResolveShapes : Pass<"aft-resolve-shapes", "::mlir::func::FuncOp"> {
  let summary = "derives all extents from the arguments and adds destinations";
  let description = [{
    Every tensor.dim reads an argument afterwards, extents that an operation
    requires to be equal are represented by one value, and operations of the aft
    dialect get destinations (tensor.empty). A requirement that the types do not
    prove becomes a cf.assert with a message that names the arguments.
  }];
  let dependentDialects = ["::aft::AFTDialect", "::mlir::arith::ArithDialect",
    "::mlir::cf::ControlFlowDialect", "::mlir::tensor::TensorDialect"];
}

def SplitBands : Pass<"aft-split-bands", "::mlir::func::FuncOp"> {
  let summary = "takes the gradients of bands in parts and sums these";
  let description = [{
    A causal `aft.local_grad` gives its dband as [P,T,L], a part for each batch entry and
    panel of channels that is computed by itself, where there are 128 channels or more (64 of
    f64) and the parts of an entry have no more numbers than q. A generic sums them.
  }];
  let dependentDialects = ["::aft::AFTDialect", "::mlir::affine::AffineDialect",
    "::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
    "::mlir::tensor::TensorDialect"];
}

def FuseElementwise : Pass<"aft-fuse-elementwise", "::mlir::func::FuncOp"> {
  let summary = "merges elementwise generics into the generics that use them";
  let description = [{
    A generic whose result has one user is merged into it. One with several
    users is computed again in each of them when that is as cheap as reading
    it. Nothing but the cheapest work is repeated for the sake of a broadcast.
  }];
  let dependentDialects = ["::mlir::affine::AffineDialect",
    "::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
}

def RecomputeBlocks : Pass<"aft-recompute-blocks", "::mlir::func::FuncOp"> {
  let summary = "computes blocks of the forward pass again instead of keeping them";
  let description = [{
    Runs for `memory = low`. Between two narrow places of the forward pass
    (positions at which all that comes later depends on one tensor) nothing is
    kept for the reverse pass: its operations are repeated before their first use
    there. As many narrow places are kept as make the sum of what is kept and of
    the largest block smallest. Results are the same bit for bit.
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
}

def RecomputeValues : Pass<"aft-recompute-values", "::mlir::func::FuncOp"> {
  let summary = "repeats cheap work instead of keeping its result";
  let description = [{
    An elementwise generic whose result is used long after the time at which most
    memory is in use, and whose operands are kept until then anyway, is repeated
    before its later uses: the outputs of norms and activations need not be kept
    for the reverse pass. So are the mixers local, simple and conv. No matrix
    product is repeated.
  }];
  let dependentDialects = ["::aft::AFTDialect", "::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
}

def OrderLaunches : Pass<"aft-order-launches", "::mlir::func::FuncOp"> {
  let summary = "lets launches whose results only leave the entry run early";
  let description = [{
    A launch whose results nobody but the caller reads, such as the update of a
    parameter, runs as soon as its operands are there and nobody needs the old
    contents of what it updates. So what it reads is not kept until the end. Sums of
    columns (`aft.column_sums`) wait for the product that sums over the same rows.
  }];
  let dependentDialects = ["::aft::AFTDialect", "::mlir::tensor::TensorDialect"];
}

def FormKernels : Pass<"aft-form-kernels", "::mlir::ModuleOp"> {
  let summary = "outlines groups of operations into kernel functions";
  let description = [{
    Every public function becomes an entry: it launches kernels and views their
    results, nothing else. A kernel is a private function on tensors in
    destination form with one root operation, whose last operation is what the
    tile phase tiles; the others are fused into its tiles.

    With `library-products` a matmul takes in only what a library's product does, too:
    the sum with a tensor and a bias, and, where the result is bf16, GELU by tanh of it.
  }];
  let options = [Option<"libraryProducts", "library-products", "bool", /*default=*/"false",
                        "Keeps products such that a library can compute them">];
  let dependentDialects = ["::aft::AFTDialect", "::mlir::arith::ArithDialect",
    "::mlir::func::FuncDialect", "::mlir::linalg::LinalgDialect",
    "::mlir::tensor::TensorDialect"];
}

def RoundProducts : Pass<"aft-round-products", "::mlir::func::FuncOp"> {
  let summary = "adds biases to matrix products and rounds them where they are computed";
  let description = [{
    A product whose readers all begin by adding the same bias, by rounding it to the same
    type, or by both, gets that right after it, once, where a library does not do all that
    its only reader does. The numbers are the same; what is rounded takes half the memory.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
    "::mlir::tensor::TensorDialect"];
}

def NarrowResults : Pass<"aft-narrow-results", "::mlir::func::FuncOp"> {
  let summary = "keeps what has been rounded in the type that it was rounded to";
  let description = [{
    The last thing that some loops do is to widen numbers: the loops that read these do it
    instead, or need not. The numbers are the same, and take half the memory.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
    "::mlir::tensor::TensorDialect"];
}

def MarkProducts : Pass<"aft-mark-products", "::mlir::ModuleOp"> {
  let summary = "says which kernels a library's matrix product can stand in for";
  let description = [{
    A kernel that is one matmul from zeros, perhaps with a tensor and a bias added and GELU
    taken, gets the attribute `aft.product`: its operands and extents by number, and their
    types. What launches it may call a library instead. A kernel that sums the columns of a
    matrix gets `aft.column_sums`: right before a product that sums over the same rows it is
    part of what the library may do. With `tf32` it may round factors of f32 to TF32.
  }];
  let options = [Option<"tf32", "tf32", "bool", /*default=*/"false",
                        "Products of f32 may be computed in TF32">];
}

def PlanMemory : Pass<"aft-plan-memory", "::mlir::ModuleOp"> {
  let summary = "puts tensors of entries into arguments and one arena";
  let description = [{
    An entry on tensors becomes a function on memrefs: inputs, outputs and the
    arena. A result with aft.alias is updated in its argument's memory; a kernel
    works in place when nobody reads the old contents later, else on a copy. The
    companion @entry.plan computes the extents of the outputs and the bytes of
    the arena from the inputs' extents and reports violated shape checks, whose
    messages stand in the module attribute aft.checks.
  }];
  let dependentDialects = ["::aft::AFTDialect", "::mlir::arith::ArithDialect",
    "::mlir::func::FuncDialect", "::mlir::linalg::LinalgDialect",
    "::mlir::memref::MemRefDialect"];
}

def DedupKernels : Pass<"aft-dedup-kernels", "::mlir::ModuleOp"> {
  let summary = "gives identical kernels one body";
  let description = [{
    Kernels that differ in nothing but names and locations become one: the equal
    layers of a model are compiled once. The kernels that stay are renumbered.
  }];
}

def CleanFunctions : Pass<"aft-clean-functions", "::mlir::func::FuncOp"> {
  let summary = "Cleans kernels alone, or all but kernels";
  let description = [{
    By `aft-canonicalize` and `cse`. Functions that launch kernels are cleaned before equal
    kernels are found: afterwards launches that compute a value again, to save memory, would
    look alike and be merged. Kernels are cleaned when equal ones have been found, since then
    there are fewer.
    Generics that only copy stay.
  }];
  let options = [Option<"kernels", "kernels", "bool", "true",
                        "Kernels, or all other functions">];
}

def VerifyKernels : Pass<"aft-verify-kernels", "::mlir::ModuleOp"> {
  let summary = "checks what the kernels phase hands on";
}

#endif // AFT_COMPILER_KERNELS_PASSES_TD
