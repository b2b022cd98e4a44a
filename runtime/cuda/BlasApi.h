//===- BlasApi.h - The part of cuBLASLt's API that is used ----------------===//
// Declared here so that no CUDA toolkit is needed to build.

#ifndef AFT_RUNTIME_CUDA_BLASAPI_H
#define AFT_RUNTIME_CUDA_BLASAPI_H

#include "runtime/cuda/DriverApi.h"

namespace aft::cuda::blas {

/// cublasLtHandle_t and the descriptors of a product, a matrix and what is preferred.
using Handle = struct HandleTag *;
using MatmulDesc = struct MatmulDescTag *;
using Layout = struct LayoutTag *;
using Preference = struct PreferenceTag *;

/// cublasStatus_t: 0 is success.
using BlasResult = int;
/// cudaDataType.
enum class DataType : int { F32 = 0, F64 = 1, BF16 = 14 };
/// cublasComputeType_t: sums in f32, of factors as they are or rounded to TF32, or in f64.
enum class ComputeType : int { F32 = 68, F64 = 70, F32FastTF32 = 77 };
/// cublasLtMatmulDescAttributes_t.
enum class DescAttribute : int { TransposeA = 3, TransposeB = 4, Epilogue = 7, BiasPointer = 8 };
/// cublasLtMatrixLayoutAttribute_t.
enum class LayoutAttribute : int { BatchCount = 5, BatchStride = 6 };
/// cublasLtMatmulPreferenceAttributes_t; alignments are those of the operands.
enum class PreferenceAttribute : int {
  MaxWorkspaceBytes = 1,
  ReductionSchemes = 3,
  AlignmentA = 5,
  AlignmentB = 6,
  AlignmentC = 7,
  AlignmentD = 8,
};
/// cublasOperation_t.
constexpr int32_t kPlain = 0, kTransposed = 1;
/// cublasLtReductionScheme_t, bits of which may be joined.
constexpr uint32_t kReduceInComputeType = 2;
/// cublasLtEpilogue_t, bits of which may be joined.
constexpr uint32_t kNoEpilogue = 1, kBias = 4, kGelu = 32;
/// Alone: sums of A, or of B, over the depth of the product, to the address of the bias.
constexpr uint32_t kSumsOfA = 256, kSumsOfB = 512;

/// cublasLtMatmulAlgo_t and cublasLtMatmulHeuristicResult_t.
struct Algorithm {
  uint64_t data[8];
};
struct Heuristic {
  Algorithm algorithm;
  size_t workspaceBytes;
  BlasResult state;
  float waves;
  int reserved[4];
};

/// X(member, exported name, parameters), as AFT_CUDA_FUNCTIONS.
#define AFT_CUBLASLT_FUNCTIONS(X)                                                                  \
  X(create, "cublasLtCreate", (Handle * handle))                                                   \
  X(destroy, "cublasLtDestroy", (Handle handle))                                                   \
  X(descCreate, "cublasLtMatmulDescCreate",                                                        \
    (MatmulDesc * desc, ComputeType compute, DataType scale))                                      \
  X(descDestroy, "cublasLtMatmulDescDestroy", (MatmulDesc desc))                                   \
  X(descSet, "cublasLtMatmulDescSetAttribute",                                                     \
    (MatmulDesc desc, DescAttribute attribute, const void *value, size_t bytes))                   \
  X(layoutCreate, "cublasLtMatrixLayoutCreate",                                                    \
    (Layout * layout, DataType type, uint64_t rows, uint64_t columns, int64_t stride))             \
  X(layoutDestroy, "cublasLtMatrixLayoutDestroy", (Layout layout))                                 \
  X(layoutSet, "cublasLtMatrixLayoutSetAttribute",                                                 \
    (Layout layout, LayoutAttribute attribute, const void *value, size_t bytes))                   \
  X(preferenceCreate, "cublasLtMatmulPreferenceCreate", (Preference * preference))                 \
  X(preferenceDestroy, "cublasLtMatmulPreferenceDestroy", (Preference preference))                 \
  X(preferenceSet, "cublasLtMatmulPreferenceSetAttribute",                                         \
    (Preference preference, PreferenceAttribute attribute, const void *value, size_t bytes))       \
  X(getHeuristic, "cublasLtMatmulAlgoGetHeuristic",                                                \
    (Handle handle, MatmulDesc desc, Layout a, Layout b, Layout c, Layout d,                       \
     Preference preference, int wanted, Heuristic *results, int *found))                           \
  X(matmul, "cublasLtMatmul",                                                                      \
    (Handle handle, MatmulDesc desc, const void *alpha, const void *a, Layout aLayout,             \
     const void *b, Layout bLayout, const void *beta, const void *c, Layout cLayout, void *d,      \
     Layout dLayout, const Algorithm *algorithm, void *workspace, size_t workspaceBytes,           \
     Stream stream))

struct Functions {
#define AFT_CUBLASLT_MEMBER(name, symbol, parameters) BlasResult(*name) parameters = nullptr;
  AFT_CUBLASLT_FUNCTIONS(AFT_CUBLASLT_MEMBER)
#undef AFT_CUBLASLT_MEMBER
};

} // namespace aft::cuda::blas

#endif // AFT_RUNTIME_CUDA_BLASAPI_H
