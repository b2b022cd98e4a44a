//===- Passes.td - Passes of the llvm phase -------------------------------===//

#ifndef AFT_COMPILER_LLVM_PASSES_TD
#define AFT_COMPILER_LLVM_PASSES_TD

include "mlir/Pass/PassBase.td"

def PrefixSymbols : Pass<"aft-prefix-symbols", "::mlir::ModuleOp"> {
  let summary = "Gives functions names that no library has";
  let description = [{
    A program's function `@exp` or `@memcpy` would be called wherever other code
    means the library's function of that name. All functions with a body get the
    prefix `aft.code.`; tables, messages and reports keep the program's names.
  }];
}

def LowerKernelABI : Pass<"aft-lower-kernel-abi", "::mlir::ModuleOp"> {
  let summary = "Gives kernels the calling convention of aft/abi.h";
  let description = [{
    A kernel `(memrefs…, %begin, %end) -> index` becomes a body on bare
    pointers that do not alias, and a wrapper of the kernel's name and the C type
    `aft_kernel_t` that unpacks the arrays of pointers and extents.
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect", "::mlir::arith::ArithDialect"];
}

def LowerHostABI : Pass<"aft-lower-host-abi", "::mlir::ModuleOp"> {
  let summary = "Gives entries and plans the calling convention of aft/abi.h";
  let description = [{
    Entries get the C type `aft_entry_t`: each `aft.launch` fills arrays of
    pointers and extents and calls back `parallel_for`. Plan functions get the
    C type `aft_plan_t`.
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect", "::mlir::arith::ArithDialect",
                           "::mlir::memref::MemRefDialect"];
}

#endif // AFT_COMPILER_LLVM_PASSES_TD
