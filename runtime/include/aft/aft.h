/*===- aft.h - Compiled models from C --------------------------------------===*\
|* Loads the artifacts that aftc and the save functions write, and runs them.  *|
|* C11 or C++, no other header of the project; link libaft_runtime             *|
|* (-laft_runtime; pkg-config and CMake know it as aft-runtime, AFT::runtime). *|
|*                                                                             *|
|*   aft_model *model;                                                         *|
|*   if (aft_open("model.so", NULL, &model) != AFT_OK)                         *|
|*     return fprintf(stderr, "%s\n", aft_message()), 1;                       *|
|*   float x[2 * 5 * 64] = {0}, y[2 * 5 * 64];                                 *|
|*   int64_t shape[] = {2, 5, 64};                                             *|
|*   aft_buffer in = {x, AFT_F32, 3, shape}, out = {y, AFT_F32, 3, shape};     *|
|*   if (aft_run(model, 0, &in, 1, &out, 1, NULL) != AFT_OK)                   *|
|*     return fprintf(stderr, "%s\n", aft_message()), 1;                       *|
|*   aft_close(model);                                                         *|
|*                                                                             *|
|* An artifact is code and runs with the rights of the process. What is        *|
|* verified before any of it runs finds damage and mistakes, not malice.       *|
\*===----------------------------------------------------------------------===*/

#ifndef AFT_AFT_H
#define AFT_AFT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What the library offers; it hides the rest. */
#ifndef AFT_API
#define AFT_API __attribute__((visibility("default")))
#endif

/* The version of this header; what came with version 2 says so. A later version of the library keeps what an
   earlier header declares. */
#define AFT_API_VERSION 2

/*===--- Errors -----------------------------------------------------------===*/

/* What a function returns. Anything but AFT_OK means that nothing was done
   and that every output argument is as it was, unless its function says else.
   NULL for a model or a session is an error of argument; what returns no status
   gives 0 for it, or an empty text, and does nothing. */
typedef enum aft_status {
  AFT_OK = 0,
  AFT_ERROR_ARGUMENT = 1, /* what was handed in: a count, a name, a dtype, a shape */
  AFT_ERROR_FILE = 2,     /* a file cannot be opened, read or written */
  AFT_ERROR_FORMAT = 3,   /* no artifact, a damaged one, or one that is truncated */
  AFT_ERROR_VERSION = 4,  /* of a format that this library does not read */
  AFT_ERROR_CPU = 5,      /* code for a CPU that this one is not */
  AFT_ERROR_MEMORY = 6,   /* memory could not be had */
  AFT_ERROR_INTERNAL = 7, /* the system refused to load the code, or an error in the library */
  AFT_ERROR_DEVICE = 8    /* of the GPU (since version 2): none, no driver, one that the code is
                             not for, a kernel that failed. Results may be written in part, and
                             after a kernel's fault the process can use the GPU no more */
} aft_status;

/* One line on the last call that failed in this thread: what was expected and
   what was found; "" before the first. Never NULL. It belongs to the library
   and stays until the thread's next failing call. Ask for it in a statement of its
   own: C does not say which argument of printf("%d %s", aft_run(...), aft_message())
   is computed first. */
AFT_API const char *aft_message(void);

/* "0.1.0": the version of the library. Static memory. */
AFT_API const char *aft_library_version(void);

/*===--- Tensors ----------------------------------------------------------===*/

/* Element types. bf16 is the upper half of an f32; an i1 takes one byte, 0 or 1;
   integers have a sign. */
typedef enum aft_dtype {
  AFT_F32 = 0,
  AFT_F64 = 1,
  AFT_BF16 = 2,
  AFT_I1 = 3,
  AFT_I8 = 4,
  AFT_I32 = 5,
  AFT_I64 = 6
} aft_dtype;

/* Bytes of one element: 1 to 8; 0 for a number that is no aft_dtype. */
AFT_API size_t aft_dtype_bytes(aft_dtype dtype);
/* "f32", "bf16", ...; "?" for a number that is no aft_dtype. Static memory. */
AFT_API const char *aft_dtype_name(aft_dtype dtype);

/* Memory of the caller: contiguous and row-major, as many elements as the
   product of the extents, aligned as the element type asks. */
typedef struct aft_buffer {
  void *data;           /* may be NULL when an extent is 0; arguments are not written to,
                           but for those that a result overwrites */
  aft_dtype dtype;
  int32_t rank;         /* 0: a scalar */
  const int64_t *shape; /* `rank` extents, in elements; may be NULL when rank is 0 */
} aft_buffer;

/* Where the value of an argument comes from when a session runs an entry, and
   where a result goes. aft_run takes them all from the caller: what the others
   say is then the caller's to do. */
typedef enum aft_role {
  AFT_ROLE_CALLER = 0, /* from and to the caller, in sessions too */
  AFT_ROLE_STATE = 1,  /* a session keeps it: a result becomes the next call's argument */
  AFT_ROLE_STEP = 2,   /* i64 scalar: a session counts its steps, from 1 */
  AFT_ROLE_SEED = 3    /* i64 scalar: a session draws it from its seed and its steps */
} aft_role;

/* What an entry expects or gives. Pointers belong to the model. */
typedef struct aft_value {
  const char *name;     /* "" for one without a name */
  aft_dtype dtype;
  int32_t rank;
  const int64_t *shape; /* `rank` extents; -1: any, fixed by the arguments of a call */
  aft_role role;
  int32_t partner;      /* state: of an argument its result, of a result its argument; else -1 */
  int32_t in_place;     /* of a result: not 0: it must have its partner's memory */
} aft_value;

/*===--- Models -----------------------------------------------------------===*/

/* An artifact that is open. All functions on one may be called by any number of
   threads at once, but for aft_close. */
typedef struct aft_model aft_model;

/* Options of aft_open; zeros are the defaults. */
typedef struct aft_open_options {
  int32_t threads;      /* that run kernels, the caller's included; 0: AFT_NUM_THREADS, else
                           all CPUs the process may use. Models share the threads. */
  int32_t trust_weights; /* not 0: the weights' sizes are verified, their hash is not: opening
                           takes no time that grows with them */
  int32_t copy_weights; /* not 0: weights are read into memory of the process, see below */
} aft_open_options;

/* Verifies an artifact and loads it: its format and version, its sections, the
   hashes of code and weights, the features of the CPU, all before any of its
   code runs. Code is loaded from memory, for which /proc must be mounted. Code for a GPU
   is loaded into the first GPU that the driver has (its CUDA_VISIBLE_DEVICES chooses);
   without one that is an error. `options` may be NULL. A file of weights beside the
   artifact is found by the name that the artifact has of it, in the folder of `path`; where
   a link leads does not matter.
   *model is to be closed.
   What becomes of the files later does not reach code, nor files of up to 64 MiB:
   they are read. Larger files are mapped read-only, and the memory is that of all
   processes that use them; until the model is closed nobody may write to them or cut
   them off, or a process that reads what is gone gets the signal SIGBUS. To replace
   one, write another and rename it, as the compiler does. copy_weights reads these,
   too. */
AFT_API aft_status aft_open(const char *path, const aft_open_options *options, aft_model **model);

/* Unloads a model; NULL does nothing. No call and no session may be left, and
   pointers from the model are no longer good. */
AFT_API void aft_close(aft_model *model);

/* The manifest, a JSON object: compiler, options, CPU features, entries, weights,
   hashes. It belongs to the model. */
AFT_API const char *aft_manifest(const aft_model *model);
/* 64 hexadecimal digits that name the compiled code: equal for equal code. */
AFT_API const char *aft_code_id(const aft_model *model);
/* Where entries run: "cpu", or "cuda" on an NVIDIA GPU. Static memory. Since version 2. */
AFT_API const char *aft_target(const aft_model *model);
/* The version of the compiler that wrote the artifact, and that of the format. */
AFT_API const char *aft_compiler_version(const aft_model *model);
AFT_API int32_t aft_format_version(const aft_model *model);

/* Entries have numbers from 0. */
AFT_API size_t aft_entry_count(const aft_model *model);
/* NULL for a number that is too large. */
AFT_API const char *aft_entry_name(const aft_model *model, size_t entry);
/* The number of a name; of NULL: `main`, else `forward`, else the only entry. */
AFT_API aft_status aft_find_entry(const aft_model *model, const char *name, size_t *entry);

/* 0 for an entry that is none. Weights are no arguments. */
AFT_API size_t aft_argument_count(const aft_model *model, size_t entry);
AFT_API size_t aft_result_count(const aft_model *model, size_t entry);
AFT_API aft_status aft_argument(const aft_model *model, size_t entry, size_t index,
                                aft_value *value);
AFT_API aft_status aft_result(const aft_model *model, size_t entry, size_t index, aft_value *value);

/* Weights have numbers from 0, too. The name and the buffer's pointers belong to the
   model; its data is read-only: writing to it ends the process. */
AFT_API size_t aft_weight_count(const aft_model *model);
AFT_API aft_status aft_weight(const aft_model *model, size_t index, const char **name,
                              aft_buffer *value);

/*===--- Running ----------------------------------------------------------===*/

/* How the host runs a loop: body(context, begin, end) on ranges that cover
   [0, count) once, from any threads of its own, all done when it returns. The
   body takes up to 4 MiB of stack, and does not return by an exception. */
typedef void (*aft_body)(void *context, int64_t begin, int64_t end);
typedef struct aft_host {
  void *self; /* handed to parallel_for, which several threads may call at once */
  void (*parallel_for)(void *self, int64_t count, aft_body body, void *context);
} aft_host;

/* Checks the arguments and computes the results' extents: of all results in
   order, one after the other, into extents[0 .. capacity): as many as the ranks of
   the results (aft_result) add up to; a capacity that is too small is an error.
   `scratch` may be NULL; else it receives the bytes of
   memory that a call takes besides. The arguments' data is not looked at. */
AFT_API aft_status aft_result_extents(const aft_model *model, size_t entry,
                                      const aft_buffer *arguments, size_t argument_count,
                                      int64_t *extents, size_t capacity, int64_t *scratch);

/* Runs an entry on the caller's memory. Results have the extents that
   aft_result_extents gives and overlap neither each other nor an argument, but
   for those in place. Scratch memory is kept by the model from call to call.
   `host` may be NULL: the library's own threads. After an error of memory or
   argument no result was written. What numbers are in arguments is not looked at:
   an id outside of an embedding's table reads NaN, and nothing beside the table.
   A model for a GPU takes memory of the host, too: each call copies the arguments
   there, waits for the kernels, and copies the results back; weights are copied once.
   Its `host` must be NULL. */
AFT_API aft_status aft_run(const aft_model *model, size_t entry, const aft_buffer *arguments,
                           size_t argument_count, const aft_buffer *results, size_t result_count,
                           const aft_host *host);

/* The same on memory of the GPU, for a model whose target is "cuda", without copies.
   Since version 2.
   `data` of each buffer is an address of the GPU's memory (cuMemAlloc, cudaMalloc) in
   the GPU's primary context, at a multiple of 16 bytes; shapes are the host's memory.
   `stream` is a CUstream or cudaStream_t of that context; NULL: its default stream.
   The call queues its work on the stream and may return before it is done: until then
   buffers must stay, and results may be read only by what comes later on the stream.
   What a kernel does wrong is reported by a later call, here or of the driver.
   The calling thread needs no current context, and keeps the one that it has. A stream
   that is being captured takes the work into its graph. */
AFT_API aft_status aft_run_resident(const aft_model *model, size_t entry,
                                    const aft_buffer *arguments, size_t argument_count,
                                    const aft_buffer *results, size_t result_count, void *stream);

/*===--- Sessions ---------------------------------------------------------===*/

/* An entry with the state that its calls hand on: parameters and moments of a
   training step, what a decoder remembers of a text. One thread at a time; any
   number of sessions may run at once on one model, which must outlive them.
   A training step (aftc --training) is the entry `train_step`; its state are the
   parameters by their names and two moments of each, "m.NAME" and "v.NAME". */
typedef struct aft_session aft_session;

/* Makes a session of an entry with the state before the first step: the values
   that the artifact has, repeated `batch` times along a free first extent, and
   zeros where it has none: parameters without values must be set (aft_session_state,
   aft_session_load) before they can be trained. `batch`: how many texts a decoder
   writes at once, 1 or more; where no state has a free first extent, as in training,
   another number than 1 is an error of argument. An entry without state is an error, and
   so is a state without a value that has another free extent. *session is to be destroyed. */
AFT_API aft_status aft_session_create(const aft_model *model, size_t entry, int64_t batch,
                                      aft_session **session);
/* NULL does nothing. */
AFT_API void aft_session_destroy(aft_session *session);

/* Runs the entry once: arguments and results are those of role CALLER, in
   order; for a training step the learning rate (an f32 scalar) and the batch, and the
   loss (a scalar). Results are memory of the caller, as for aft_run; where their
   extents are not known, aft_result_extents says them, for all arguments of the entry
   in order, with those of the state from aft_session_state. After an error the state
   is that before the call. */
AFT_API aft_status aft_session_step(aft_session *session, const aft_buffer *arguments,
                                    size_t argument_count, const aft_buffer *results,
                                    size_t result_count, const aft_host *host);

/* Back to the state before the first step. */
AFT_API aft_status aft_session_reset(aft_session *session);

/* The tensors of the state, in the order of the arguments, each under a name of its own:
   "state.1", say, of one without a name, "NAME.state.1" of one with that of another. The
   name and the buffer's pointers are the session's own; its data may be read and written between
   steps. Ask again after each step, reset and load: data and extents may be others. */
AFT_API size_t aft_session_state_count(const aft_session *session);
AFT_API aft_status aft_session_state(const aft_session *session, size_t index, const char **name,
                                     aft_buffer *value);

/* Steps done, which a checkpoint restores, too, and which are never less than 0 (a step
   after INT64_MAX is an error of argument); and the seed of dropout (0). */
AFT_API int64_t aft_session_steps(const aft_session *session);
AFT_API void aft_session_set_steps(aft_session *session, int64_t steps);
AFT_API void aft_session_set_seed(aft_session *session, int64_t seed);

/* Writes state, steps and seed as a .safetensors file, under a temporary name
   that is then changed; and takes over such a file. One that lacks a tensor or
   has it with another type is an error and changes nothing. */
AFT_API aft_status aft_session_save(const aft_session *session, const char *path);
AFT_API aft_status aft_session_load(aft_session *session, const char *path);

#ifdef __cplusplus
}
#endif

#endif /* AFT_AFT_H */
