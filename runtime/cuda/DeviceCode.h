//===- DeviceCode.h - What a compiler gives for a GPU ---------------------===//

#ifndef AFT_RUNTIME_CUDA_DEVICECODE_H
#define AFT_RUNTIME_CUDA_DEVICECODE_H

#include "aft/program.h"
#include "runtime/core/InternalApi.h"
#include "runtime/core/RunRecord.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace aft::cuda {

/// Buffers of callers begin at a multiple of so many bytes; scratch memory does.
inline constexpr uint64_t kBufferAlignment = 16;

/// That a kernel is the product D = A B + C + bias, or GELU (by tanh, to bf16) of that, which
/// a library may compute in its place. All row-major and dense: A [batch,m,k], B [batch,k,n], C and
/// D [batch,m,n], bias [n]. Numbers of -1: there is none.
struct ProductCode {
  DType type = DType::f32;                       ///< of A and B
  DType result = DType::f32;                     ///< of C, D and bias
  bool transposedA = false, transposedB = false; ///< stored as [k,m], [n,k]
  int a = 0, b = 0, d = 0, c = -1, bias = -1;    ///< among the kernel's buffers
  int m = 0, n = 0, k = 0, batch = -1;           ///< among its extents
  bool gelu = false;
  bool tf32 = false; ///< factors of f32 may be rounded to TF32
};

/// That a kernel sums the columns of a dense matrix, [rows,columns] to [columns], which a
/// library does, too, with a product that sums over the same rows, where that comes next.
struct ColumnSumsCode {
  DType type = DType::f32, result = DType::f32;
  int matrix = 0, sums = 0;  ///< among the kernel's buffers
  int rows = 0, columns = 0; ///< among its extents
};

/// What is expected of a product of a kernel with these operands ("A to be …"); empty where it
/// is all right: types, operands and extents are such that it reads and writes these alone.
AFT_INTERNAL std::string expectationOf(const ProductCode &product,
                                       const std::vector<KernelInfo::Operand> &operands);
AFT_INTERNAL std::string expectationOf(const ColumnSumsCode &sums,
                                       const std::vector<KernelInfo::Operand> &operands);

/// A kernel as it is launched: a grid of as many blocks, in one dimension, as the host's
/// function of the same name returns for an empty range. Its parameters take 8 bytes
/// each, without gaps: the addresses of the operands, then all their extents, just as
/// aft_kernel_t gets them.
struct KernelCode {
  std::string name;
  int threads = 0; ///< of a block
  int buffers = 0, extents = 0;
  int sharedBytes = 0; ///< asked for at a launch, besides what the code declares itself
  std::vector<std::string> places = {}; ///< modules or lines that it serves, for messages
  std::optional<ProductCode> product = std::nullopt;
  std::optional<ColumnSumsCode> columnSums = std::nullopt;
  int staticSharedBytes = 0;            ///< that the code declares itself
  int registers = 0;                    ///< of a thread; 0: not known
};

/// The kernels of a program, from the JIT or from an artifact.
struct DeviceCode {
  /// Code for one architecture ("sm_90a"): a cubin, or PTX, which the driver compiles.
  struct Image {
    std::string arch, bytes;
  };
  std::vector<Image> cubins; ///< tried first, in order
  Image ptx;                 ///< may be empty
  std::vector<KernelCode> kernels;
};

} // namespace aft::cuda

#endif // AFT_RUNTIME_CUDA_DEVICECODE_H
