//===- Peaks.h - What a GPU can do at best --------------------------------===//

#ifndef AFT_RUNTIME_CUDA_PEAKS_H
#define AFT_RUNTIME_CUDA_PEAKS_H

#include "runtime/core/Roof.h"
#include "runtime/cuda/Device.h"

namespace aft::cuda {

/// The limits that kernels are held against: not measured, but what the GPU says of its clocks
/// and memory, times what NVIDIA says that a multiprocessor of its compute capability does in a
/// clock. Memory is that of the device: what stays in its caches may come faster. Of a capability that is not known here there are no peaks.
Roof roofOf(const DeviceProperties &properties);

} // namespace aft::cuda

#endif // AFT_RUNTIME_CUDA_PEAKS_H
