//===- Device.h - The part of a program that runs on a GPU ----------------===//

#ifndef AFT_COMPILER_NVVM_DEVICE_H
#define AFT_COMPILER_NVVM_DEVICE_H

#include "compiler/binary/Target.h"
#include "compiler/kernels/ProductForm.h"
#include "mlir/IR/BuiltinOps.h"

#include <string>
#include <vector>

namespace aft {

/// The module of the kernels for a GPU inside a program's, and what stands on each kernel
/// there: threads of a block, and bytes that they share.
inline constexpr llvm::StringLiteral deviceModuleName = "device";
inline constexpr llvm::StringLiteral threadsAttrName = "aft.threads";
inline constexpr llvm::StringLiteral sharedAttrName = "aft.shared_bytes";
/// Blocks of a kernel that must fit on a multiprocessor together: its code takes no more
/// registers than that. Without it, one.
inline constexpr llvm::StringLiteral residentAttrName = "aft.resident_blocks";
/// Which operands of a kernel begin at a multiple of kDeviceAlignment bytes. What callers
/// hand to an entry must do so, and the arena.
inline constexpr llvm::StringLiteral alignedAttrName = "aft.aligned";
inline constexpr int64_t kDeviceAlignment = 16;

/// A kernel as the driver launches it: a grid of as many blocks, in one dimension, as the
/// host's function of the same name returns for an empty range. Its parameters take 8
/// bytes each, without gaps: the addresses of the operands, then all their extents, just
/// as aft_kernel_t gets them.
struct DeviceKernel {
  std::string name;
  int threads = 0, buffers = 0, extents = 0;
  int sharedBytes = 0; ///< static: no more is asked for at a launch
  int registers = 0;   ///< of a thread; 0: not known
  std::optional<ProductForm> product;
  std::optional<ColumnSumsForm> columnSums;
};

struct DeviceCode {
  std::string gpu;     ///< "sm_90a": what it is compiled for
  std::string ptxArch; ///< "sm_90": the PTX is for this and, without 'a', for all later GPUs
  std::string ptx;
  std::string cubin; ///< for `gpu`, see Ptxas.h; may be empty
  std::vector<DeviceKernel> kernels;
};

/// PTX for all kernels of a module after the nvvm phase, without a cubin yet; writes it to
/// the dump folder, if there is one.
mlir::FailureOr<DeviceCode> compileDevice(mlir::ModuleOp module, const Target &target,
                                          const std::string &dumpDir);

} // namespace aft

#endif // AFT_COMPILER_NVVM_DEVICE_H
