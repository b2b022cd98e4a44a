//===- LargePages.h - Weights in pages of 2 MiB ---------------------------===//

#ifndef AFT_TORCH_OPS_LARGEPAGES_H
#define AFT_TORCH_OPS_LARGEPAGES_H

#include "aft/torch.h"

namespace aft::ops {

/// Has Linux move what the tensors hold on the host into pages of 2 MiB (MADV_COLLAPSE, Linux 6.1
/// and later), where such a page would hold nothing else. Reading weights for every token is
/// then bound by memory alone and no longer by finding their pages. The numbers, their
/// addresses and the memory they take stay as they are. Takes a quarter of a second at most, and
/// next to nothing where it was done before. Returns the bytes that are in such pages
/// afterwards; 0 where the kernel cannot or may not, or where the tensors are small enough for
/// the caches.
int64_t useLargePages(const Tensors &tensors);

} // namespace aft::ops

#endif // AFT_TORCH_OPS_LARGEPAGES_H
