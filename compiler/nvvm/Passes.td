//===- Passes.td - Passes of the nvvm phase -------------------------------===//

#ifndef AFT_COMPILER_NVVM_PASSES_TD
#define AFT_COMPILER_NVVM_PASSES_TD

include "mlir/Pass/PassBase.td"

def EmulateThreads : Pass<"aft-emulate-threads", "::mlir::func::FuncOp"> {
  let summary = "Runs the threads of a block one after the other";
  let description = [{
    The kernels that a GPU would run, on a CPU: every `scf.forall` over threads
    becomes a loop, memory that threads share or keep becomes stack memory. Where
    threads combine numbers of each other (`aft_gpu.warp_reduce`), the loop ends and
    others combine them, in the order of a GPU and to the same bits. So the logic of
    these kernels is tested without a GPU (`--target=cuda-emulated`).
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::math::MathDialect",
                           "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect",
                           "::mlir::vector::VectorDialect"];
}

def OutlineDevice : Pass<"aft-outline-device", "::mlir::ModuleOp"> {
  let summary = "Separates what runs on the GPU from what launches it";
  let description = [{
    Each kernel is copied to the module @device and loses its code on the host,
    where only the number of blocks is left: called with an empty range, a kernel
    returns it.
  }];
}

def LowerThreads : Pass<"aft-lower-threads", "::mlir::ModuleOp"> {
  let summary = "Makes the kernels of the module @device functions of a thread";
  let description = [{
    What ran over threads is done by the thread that the function runs in, and a
    barrier stands where all wait for each other. A block does the group of its
    number. A kernel takes bare pointers to its operands that do not alias, then
    their extents; `aft.threads` and `aft.shared_bytes` say how it is launched.
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect", "::mlir::NVVM::NVVMDialect",
                           "::mlir::arith::ArithDialect", "::mlir::memref::MemRefDialect",
                           "::mlir::scf::SCFDialect", "::mlir::vector::VectorDialect"];
}

def LowerWarps : Pass<"aft-lower-warps", "::mlir::func::FuncOp"> {
  let summary = "Makes what warps do together and copies in the background instructions of a GPU";
  let description = [{
    `aft_gpu.warp_product` becomes `ldmatrix` and `mma.sync` of 16 x 8 x 16 bf16 or, with
    `cvt.rna.tf32.f32` before it, of 16 x 8 x 8 f32; sums are f32. `aft_gpu.copy_chunk`
    becomes `cp.async`, and `aft_gpu.warp_reduce` a `shfl.sync.bfly` for each distance
    between lanes, or two for numbers of 64 bits, and what combines them.
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect", "::mlir::NVVM::NVVMDialect",
                           "::mlir::arith::ArithDialect", "::mlir::vector::VectorDialect"];
}

#endif // AFT_COMPILER_NVVM_PASSES_TD
