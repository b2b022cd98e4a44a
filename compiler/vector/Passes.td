//===- Passes.td - Passes of the vector phase -----------------------------===//

#ifndef AFT_COMPILER_VECTOR_PASSES_TD
#define AFT_COMPILER_VECTOR_PASSES_TD

include "mlir/Pass/PassBase.td"

def VectorBits : Option<"vectorBits", "vector-bits", "unsigned", /*default=*/"512",
                          "Width of a vector register in bits">;

def Bf16PairDots : Option<"pairDots", "pair-dots", "::aft::PairDots",
                          /*default=*/"::aft::PairDots::None",
                          "How products of bf16 are computed", [{::llvm::cl::values(
                            clEnumValN(::aft::PairDots::None, "none", "as f32"),
                            clEnumValN(::aft::PairDots::Expanded, "expanded",
                                       "in pairs along K, by f32 arithmetic"),
                            clEnumValN(::aft::PairDots::Hardware, "hardware",
                                       "in pairs along K, by AVX512-BF16"),
                            clEnumValN(::aft::PairDots::Tiles, "tiles",
                                       "in tiles of pairs, by AMX"))}]>;

def BufferizeKernels : Pass<"aft-bufferize-kernels", "::mlir::ModuleOp"> {
  let summary = "Puts kernel functions on memrefs";
  let description = [{
    One-shot bufferisation of every `aft.kernel`. Tiles are computed straight
    into the destinations; what temporaries remain become stack memory of a
    static size, or memory that a block of threads shares (`memref.alloc`). A
    kernel returns nothing afterwards.
  }];
  let options = [Option<"threadBlocks", "thread-blocks", "bool", /*default=*/"false",
                        "For blocks of threads on a GPU">];
  let dependentDialects = ["::mlir::bufferization::BufferizationDialect",
                           "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect"];
}

def VectorizeLinalg : Pass<"aft-vectorize-linalg", "::mlir::func::FuncOp"> {
  let summary = "Turns linalg operations on memrefs into vector code";
  let options = [
    VectorBits, Bf16PairDots,
    Option<"manyRows", "many-rows", "bool", /*default=*/"false",
           "Only code for many rows where the rows of a product are unknown (training)">
  ];
  let dependentDialects = ["::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect",
                           "::mlir::LLVM::LLVMDialect",
                           "::mlir::math::MathDialect", "::mlir::memref::MemRefDialect",
                           "::mlir::scf::SCFDialect", "::mlir::vector::VectorDialect"];
}

def VectorizeMixers : Pass<"aft-vectorize-mixers", "::mlir::func::FuncOp"> {
  let summary = "Turns mixers on memrefs into a grid of vector code";
  let options = [VectorBits, Bf16PairDots];
  let dependentDialects = ["::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect",
                           "::mlir::LLVM::LLVMDialect", "::mlir::math::MathDialect", "::mlir::memref::MemRefDialect",
                           "::mlir::scf::SCFDialect", "::mlir::vector::VectorDialect"];
}

def MapToThreads : Pass<"aft-map-to-threads", "::mlir::func::FuncOp"> {
  let summary = "Makes kernels for the blocks of threads of a GPU";
  let description = [{
    In place of `aft-vectorize-linalg` and `aft-vectorize-mixers`. A tile is the
    work of a block: an `scf.forall` over its threads for each operation, after
    which all wait for each other. Matrix products have their tile of C in
    registers, those of bf16, with `tf32` also those of f32, by tensor cores
    (`aft_gpu.warp_product`), as are those of aft.full; other sums are shared by
    several threads and combined in a fixed order.
    Kernels that have no code of their own here take the CPU's, one of its work
    groups per thread.
  }];
  let options = [Option<"tf32", "tf32", "bool", /*default=*/"false",
                        "Products of f32 by tensor cores, which round factors to TF32">];
  let dependentDialects = ["::aft::AFTGPUDialect",
                           "::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect",
                           "::mlir::gpu::GPUDialect", "::mlir::math::MathDialect",
                           "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect",
                           "::mlir::vector::VectorDialect"];
}

def GridToRange : Pass<"aft-grid-to-range", "::mlir::func::FuncOp"> {
  let summary = "Makes a kernel work on a range of its groups";
  let description = [{
    The outermost `scf.forall`s of a kernel, which are independent of each
    other, become one loop over the groups [%begin, %end); the kernel returns
    the number of groups. A kernel without one is a single group.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect",
                           "::mlir::affine::AffineDialect"];
}

def ApproximateMath : Pass<"aft-approximate-math", "::mlir::func::FuncOp"> {
  let summary = "Computes f32 exp, log, tanh and erf by vector polynomials";
  let description = [{
    Functions of bf16 are those of f32, rounded.
    With `exp2`, exp is made of `math.exp2` on f32, which a GPU has an instruction for: the
    argument is multiplied by 1 / ln 2 with what the rounding of the product leaves, so
    that large arguments lose no digits.
    With `avx512`, exp and 1 + erf of whole registers of which only a bf16 is wanted are as
    precise as that ([RegisterMath.h](vector/RegisterMath.h)), in half as many instructions.
  }];
  let options = [Option<"exp2", "exp2", "bool", /*default=*/"false",
                        "2^x is an instruction of the target">,
                 Option<"avx512", "avx512", "bool", /*default=*/"false",
                        "Instructions of AVX-512 may be used">];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::math::MathDialect",
                           "::mlir::LLVM::LLVMDialect", "::mlir::vector::VectorDialect"];
}

#endif // AFT_COMPILER_VECTOR_PASSES_TD
