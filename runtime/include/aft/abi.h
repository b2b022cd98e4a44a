/*===- abi.h - What generated code and the runtime agree on ----------------===*\
|* Plain C. Generated code is called through these types and calls back only   *|
|* through aft_runtime_t.                                                      *|
\*===----------------------------------------------------------------------===*/

#ifndef AFT_ABI_H
#define AFT_ABI_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define AFT_ABI_VERSION 1

/* A kernel works on the groups [begin, end) of its grid and returns the size of
   the grid; called with an empty range (0, 0) it only reports that size.
   buffers: one pointer per memref operand (inputs, then outputs), contiguous, row-major.
   dims: all extents of all operands in order, static ones included. */
typedef int64_t (*aft_kernel_t)(void *const *buffers, const int64_t *dims,
                                int64_t begin, int64_t end);

/* What an entry needs from its surroundings. parallel_for runs the whole grid
   of a kernel and returns when it is done. */
typedef struct aft_runtime {
  void *self;
  void (*parallel_for)(void *self, aft_kernel_t kernel, void *const *buffers,
                       const int64_t *dims, const char *name);
} aft_runtime_t;

/* An entry: buffers are the inputs, then the outputs; dims are all extents of
   the inputs, then of the outputs, in order; arena is scratch memory, 64-byte aligned, as large as
   the plan says. An output that aliases an input is the same pointer. */
typedef void (*aft_entry_t)(void *const *buffers, const int64_t *dims, void *arena,
                            const aft_runtime_t *runtime);

/* The plan of an entry: from the extents of the inputs to the extents of the
   outputs in order, and the bytes of arena. Returns 0, or 1 + the index of the
   violated shape check. */
typedef int64_t (*aft_plan_t)(const int64_t *dims, int64_t *output_dims,
                              int64_t *arena_bytes);

/* The entries of an artifact, as its only symbol, AFT_TABLE_SYMBOL: loaders check
   magic and version before they look at the rest. */
#define AFT_TABLE_SYMBOL "aft_artifact_table"
#define AFT_TABLE_MAGIC 0x54544641u /* "AFTT" */

typedef struct aft_table_entry {
  const char *name;
  aft_entry_t run;
  aft_plan_t plan;
} aft_table_entry_t;

typedef struct aft_table {
  uint32_t magic;
  uint32_t version;  /* AFT_ABI_VERSION */
  char code_id[64];  /* as in the manifest; no zero at the end */
  int64_t count;
  const aft_table_entry_t *entries;
} aft_table_t;

#ifdef __cplusplus
}
#endif

#endif /* AFT_ABI_H */
