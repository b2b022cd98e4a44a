//===- Passes.td - Passes of the tile phase -------------------------------===//

#ifndef AFT_COMPILER_TILE_PASSES_TD
#define AFT_COMPILER_TILE_PASSES_TD

include "mlir/Pass/PassBase.td"

def TileKernels : Pass<"aft-tile-kernels", "::mlir::func::FuncOp"> {
  let summary = "Splits kernels into a grid of tiles";
  let description = [{
    The last operation of a kernel is tiled over its parallel loops with
    `scf.forall`, and the operations it takes its operands from are computed in
    the same tile. Mixers make their own grid in the vector phase. The tiles of
    a matrix product are cut for the caches and the number of threads; where its
    rows are dynamic, their size is computed at run time.
  }];
  let options = [
    Option<"vectorBits", "vector-bits", "unsigned", /*default=*/"512",
           "Width of a vector register in bits">,
    Option<"threads", "threads", "unsigned", /*default=*/"0",
           "Threads to keep busy; 0: unknown">,
    Option<"bf16Tiles", "bf16-tiles", "bool", /*default=*/"false",
           "Whether products of bf16 are computed in tiles (AMX)">,
    Option<"threadBlocks", "thread-blocks", "bool", /*default=*/"false",
           "Tiles for blocks of threads on a GPU">,
    Option<"tf32", "tf32", "bool", /*default=*/"false",
           "Whether tensor cores compute products of f32">
  ];
  let dependentDialects = ["::mlir::affine::AffineDialect", "::mlir::scf::SCFDialect",
                           "::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
}

#endif // AFT_COMPILER_TILE_PASSES_TD
