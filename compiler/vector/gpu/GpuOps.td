//===- GpuOps.td - What blocks of threads do together ---------------------===//

#ifndef AFT_COMPILER_VECTOR_GPU_GPUOPS_TD
#define AFT_COMPILER_VECTOR_GPU_GPUOPS_TD

include "mlir/Dialect/Vector/IR/VectorAttributes.td"
include "mlir/IR/OpBase.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def AFTGPU_Dialect : Dialect {
  let name = "aft_gpu";
  let cppNamespace = "::aft";
  let summary = "What threads of a block do by instructions of their own";
  let description = [{
    Products and sums of warps and copies in the background, in the bodies of foralls
    over threads between the vector and the nvvm phase. There they become instructions
    of a GPU, or for `--target=cuda-emulated` plain loads, stores and loops.
  }];
  let dependentDialects = ["::mlir::vector::VectorDialect"];
}

class AFTGPU_Op<string mnemonic, list<Trait> traits = []> : Op<AFTGPU_Dialect, mnemonic, traits>;

def AFTGPU_Memory : MemRefOf<[BF16, F32]>;
def AFTGPU_Factor : MemRefOf<[BF16, F32]>;
def AFTGPU_Sums : VectorOfLengthAndType<[4], [F32]>;

def AFTGPU_CopyChunkOp : AFTGPU_Op<"copy_chunk", [AttrSizedOperandSegments]> {
  let summary = "copies 16 bytes to memory that the block shares, in the background";
  let description = [{
    The elements from an index on, which follow each other along the last
    dimension. They are there after a `copy_wait` that includes them and the
    barrier after it. Where memory lies so that the hardware cannot copy it like
    that, it is copied at once.

    Constraints:
    - C1: both have the same element type, and elements of the last dimension
      follow each other.
    - C2: an index for each dimension.
  }];
  let arguments = (ins Arg<AFTGPU_Memory, "", [MemRead]>:$from, Variadic<Index>:$fromIndices,
                       Arg<AFTGPU_Memory, "", [MemWrite]>:$to, Variadic<Index>:$toIndices);
  let assemblyFormat = [{ $from `[` $fromIndices `]` `to` $to `[` $toIndices `]` attr-dict
    `:` type($from) `to` type($to) }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    static constexpr int64_t kBytes = 16;
    /// Elements of a chunk.
    int64_t getCount() { return kBytes * 8 / getFrom().getType().getElementTypeBitWidth(); }
  }];
}

def AFTGPU_CopyFenceOp : AFTGPU_Op<"copy_fence"> {
  let summary = "makes the thread's copies since the last fence one group";
  let assemblyFormat = "attr-dict";
}

def AFTGPU_CopyWaitOp : AFTGPU_Op<"copy_wait"> {
  let summary = "waits for the thread's groups of copies, but for the last `pending`";
  let arguments = (ins ConfinedAttr<I64Attr, [IntNonNegative]>:$pending);
  let assemblyFormat = "$pending attr-dict";
}

def AFTGPU_WarpProductOp : AFTGPU_Op<"warp_product", [AttrSizedOperandSegments,
    DeclareOpInterfaceMethods<InferTypeOpInterface>]> {
  let summary = "C += A B for a warp, whose threads keep C";
  let description = [{
    A tile of A, `rows` x `depth`, and one of B, `depth` x `columns`, lie in memory
    that the block shares, from the indices on; `transposedA`: as [depth, rows],
    `transposedB`: as [columns, depth]. All threads of the warp take part. C is cut
    into fragments of 16 x 8, row by row, of which each thread has the four numbers
    that Fragment.h says. Numbers of A and B that are f32 are rounded to TF32: to 10 bits
    of mantissa, to the nearest, of two the one farther from 0. Sums are f32.

    Constraints:
    - C1: rows, columns and depth are multiples of 16.
    - C2: sums for rows / 16 times columns / 8 fragments.
    - C3: an index for each dimension, of which the last two are the matrix's; along the
      last one elements follow each other.
    - C4: A and B have the same element type.
  }];
  let arguments = (ins Index:$thread,
                       Arg<AFTGPU_Factor, "", [MemRead]>:$a, Variadic<Index>:$aIndices,
                       Arg<AFTGPU_Factor, "", [MemRead]>:$b, Variadic<Index>:$bIndices,
                       Variadic<AFTGPU_Sums>:$sums,
                       I64Attr:$rows, I64Attr:$columns, I64Attr:$depth,
                       UnitAttr:$transposedA, UnitAttr:$transposedB);
  let results = (outs Variadic<AFTGPU_Sums>:$results);
  let assemblyFormat = [{ $a `[` $aIndices `]` `,` $b `[` $bIndices `]` `to` `(` $sums `)` `in` $thread
    attr-dict `:` type($a) `,` type($b) `,` type($sums) }];
  let hasVerifier = 1;
}

def AFTGPU_WarpReduceOp : AFTGPU_Op<"warp_reduce", [SameOperandsAndResultType]> {
  let summary = "combines a number of each thread over groups of lanes of a warp";
  let description = [{
    `lanes` of the 32 threads of a warp form a group: with `stride` 1 those that follow
    each other, else those whose numbers differ by multiples of `stride` below
    `lanes` x `stride`. Each thread gets its group's numbers combined in a fixed order:
    with the thread `lanes` x `stride` / 2 away, then what both have with the thread half
    as far away, down to `stride`. So all threads of a group get the same.

    It stands in the body of a forall over threads itself, not inside of a loop or a
    branch there, and the forall has whole warps: all threads of a warp arrive.

    Constraints:
    - C1: lanes and stride are powers of two, lanes at least 2, their product at most 32.
    - C2: the combining function is one of numbers of this type, which has at most
      64 bits.

    Example: the sum of the warp, in each of its threads.

    ```mlir
    %sum = aft_gpu.warp_reduce <add>, %part {lanes = 32} : f32
    ```
  }];
  let arguments = (ins Vector_CombiningKindAttr:$kind,
                       AnyTypeOf<[AnyFloat, AnySignlessInteger, Index]>:$value,
                       I64Attr:$lanes, DefaultValuedAttr<I64Attr, "1">:$stride);
  let results = (outs AnyTypeOf<[AnyFloat, AnySignlessInteger, Index]>:$result);
  let assemblyFormat = "$kind `,` $value attr-dict `:` type($value)";
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// How far away the threads are that it combines with, one after the other.
    ::llvm::SmallVector<int64_t> distances();
    /// Whether it stands where all threads of its warp arrive, in a forall over threads.
    bool isReachedByWarps();
  }];
}

#endif // AFT_COMPILER_VECTOR_GPU_GPUOPS_TD
