/* Loads many files in one process, for check_damage.py: names come on standard input, one a line,
 * and for each there is a line: "taken HASH" or "refused STATUS MESSAGE".
 *
 *   load-artifacts              artifacts; HASH is that of what the default entry gives
 *   load-artifacts MODEL.so     checkpoints of that model's default entry; HASH is that of the
 *                               state, after which one step is run
 */

#include "aft/aft.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { kMost = 8, kRank = 4, kExtent = 3 };

/* Buffers with memory of their own, and what free() wants back. */
typedef struct values {
  aft_buffer buffers[kMost];
  int64_t shapes[kMost][kRank];
  size_t count;
} values;

static uint64_t hashed(uint64_t hash, const void *data, size_t bytes) {
  for (size_t i = 0; i < bytes; ++i)
    hash = (hash ^ ((const unsigned char *)data)[i]) * 1099511628211u;
  return hash;
}

static size_t bytesOf(const aft_buffer *buffer) {
  size_t bytes = aft_dtype_bytes(buffer->dtype);
  for (int32_t i = 0; i < buffer->rank; ++i)
    bytes *= (size_t)buffer->shape[i];
  return bytes;
}

static void clear(values *all) {
  for (size_t i = 0; i < all->count; ++i)
    free(all->buffers[i].data);
  all->count = 0;
}

/* Memory for a value, all ones where it is f32. `extents`: its shape, or NULL: free ones are
 * kExtent. */
static void append(values *all, const aft_value *value, const int64_t *extents) {
  if (all->count == kMost || value->rank > kRank)
    exit(3);
  aft_buffer *buffer = &all->buffers[all->count];
  int64_t *shape = all->shapes[all->count++];
  for (int32_t i = 0; i < value->rank; ++i)
    shape[i] = extents ? extents[i] : value->shape[i] < 0 ? kExtent : value->shape[i];
  *buffer = (aft_buffer){NULL, value->dtype, value->rank, shape};
  size_t bytes = bytesOf(buffer);
  buffer->data = calloc(bytes ? bytes : 1, 1);
  if (!buffer->data)
    exit(3);
  for (size_t i = 0; value->dtype == AFT_F32 && i < bytes / 4; ++i)
    ((float *)buffer->data)[i] = 1;
}

static aft_status runEntry(const aft_model *model, uint64_t *hash) {
  values arguments = {.count = 0}, results = {.count = 0};
  int64_t extents[kMost * kRank], *next = extents;
  size_t entry;
  aft_value value;
  aft_status status = aft_find_entry(model, NULL, &entry);
  for (size_t i = 0; status == AFT_OK && i < aft_argument_count(model, entry); ++i)
    if ((status = aft_argument(model, entry, i, &value)) == AFT_OK)
      append(&arguments, &value, NULL);
  if (status == AFT_OK)
    status = aft_result_extents(model, entry, arguments.buffers, arguments.count, extents,
                                kMost * kRank, NULL);
  for (size_t i = 0; status == AFT_OK && i < aft_result_count(model, entry); ++i)
    if ((status = aft_result(model, entry, i, &value)) == AFT_OK) {
      append(&results, &value, next);
      next += value.rank;
    }
  if (status == AFT_OK)
    status = aft_run(model, entry, arguments.buffers, arguments.count, results.buffers,
                     results.count, NULL);
  for (size_t i = 0; status == AFT_OK && i < results.count; ++i)
    *hash = hashed(*hash, results.buffers[i].data, bytesOf(&results.buffers[i]));
  clear(&arguments);
  clear(&results);
  return status;
}

static aft_status openAndRun(const char *path, uint64_t *hash) {
  aft_model *model = NULL;
  const aft_open_options options = {.threads = 1};
  aft_status status = aft_open(path, &options, &model);
  if (status == AFT_OK)
    status = runEntry(model, hash);
  aft_close(model);
  return status;
}

/* One step with arguments of ones. */
static aft_status step(const aft_model *model, size_t entry, aft_session *session) {
  values arguments = {.count = 0}, results = {.count = 0};
  aft_value value;
  aft_status status = AFT_OK;
  for (size_t i = 0; status == AFT_OK && i < aft_argument_count(model, entry); ++i)
    if ((status = aft_argument(model, entry, i, &value)) == AFT_OK && value.role == AFT_ROLE_CALLER)
      append(&arguments, &value, NULL);
  for (size_t i = 0; status == AFT_OK && i < aft_result_count(model, entry); ++i)
    if ((status = aft_result(model, entry, i, &value)) == AFT_OK && value.role == AFT_ROLE_CALLER)
      append(&results, &value, NULL);
  if (status == AFT_OK)
    status = aft_session_step(session, arguments.buffers, arguments.count, results.buffers,
                              results.count, NULL);
  clear(&arguments);
  clear(&results);
  return status;
}

static aft_status loadAndStep(const aft_model *model, const char *path, uint64_t *hash) {
  aft_session *session = NULL;
  size_t entry;
  const char *name;
  aft_buffer state;
  aft_status status = aft_find_entry(model, NULL, &entry);
  if (status == AFT_OK)
    status = aft_session_create(model, entry, kExtent, &session);
  if (status == AFT_OK)
    status = aft_session_load(session, path);
  for (size_t i = 0; status == AFT_OK && i < aft_session_state_count(session); ++i)
    if ((status = aft_session_state(session, i, &name, &state)) == AFT_OK)
      *hash = hashed(*hash, state.data, bytesOf(&state));
  if (status == AFT_OK)
    status = step(model, entry, session);
  aft_session_destroy(session);
  return status;
}

int main(int argc, char **argv) {
  static char path[4096];
  aft_model *model = NULL;
  const aft_open_options options = {.threads = 1};
  if (argc > 1 && aft_open(argv[1], &options, &model) != AFT_OK) {
    fprintf(stderr, "load-artifacts: %s\n", aft_message());
    return 1;
  }
  while (fgets(path, sizeof path, stdin)) {
    uint64_t hash = 14695981039346656037u;
    path[strcspn(path, "\n")] = 0;
    aft_status status = model ? loadAndStep(model, path, &hash) : openAndRun(path, &hash);
    if (status == AFT_OK)
      printf("taken %016" PRIx64 "\n", hash);
    else
      printf("refused %d %s\n", (int)status, aft_message());
    fflush(stdout);
  }
  aft_close(model);
  return 0;
}
