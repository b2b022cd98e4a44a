//===- CApi.cpp - aft/aft.h -----------------------------------------------===//
// No exception leaves this file.

#include "aft/aft.h"

#include "runtime/artifact/Session.h"
#include "runtime/core/Quote.h"

#include <algorithm>
#include <cstring>
#include <new>

using namespace aft;

struct aft_model {
  std::shared_ptr<Artifact> artifact;
};

struct aft_session {
  std::unique_ptr<Session> session;
};

static_assert(int(AFT_F32) == int(DType::f32) && int(AFT_F64) == int(DType::f64) &&
              int(AFT_BF16) == int(DType::bf16) && int(AFT_I1) == int(DType::i1) &&
              int(AFT_I8) == int(DType::i8) && int(AFT_I32) == int(DType::i32) &&
              int(AFT_I64) == int(DType::i64));

//===----------------------------------------------------------------------===//
// Errors
//===----------------------------------------------------------------------===//

static std::string &lastMessage() {
  static thread_local std::string message;
  return message;
}

/// Keeps a message for aft_message.
static void keep(std::string message) { lastMessage() = oneLine(std::move(message)); }

/// Runs `body`; a failure's message is kept for aft_message.
template <typename Body> static aft_status guarded(Body body) {
  try {
    Failure failure = body();
    if (!failure.ok())
      keep(std::move(failure.message));
    return failure.code;
  } catch (const std::bad_alloc &) {
    // Short enough to need no memory of its own.
    lastMessage() = "out of memory";
    return AFT_ERROR_MEMORY;
  } catch (const std::exception &error) {
    try {
      keep(std::string("internal error: ") + error.what());
    } catch (...) {
    }
    return AFT_ERROR_INTERNAL;
  } catch (...) {
    return AFT_ERROR_INTERNAL;
  }
}

static Failure refused(const std::string &message) { return {AFT_ERROR_ARGUMENT, message}; }

static Failure missing(const char *what) {
  return refused(std::string("expected ") + what + ", found NULL");
}

const char *aft_message(void) { return lastMessage().c_str(); }
const char *aft_library_version(void) { return AFT_VERSION; }

//===----------------------------------------------------------------------===//
// Tensors
//===----------------------------------------------------------------------===//

static constexpr int32_t kMostRank = 64;

/// What a caller wrote: to load another number than those of the enumeration is undefined.
static int32_t numberOf(const aft_dtype &dtype) {
  int32_t number;
  static_assert(sizeof(number) == sizeof(dtype));
  std::memcpy(&number, &dtype, sizeof(number));
  return number;
}

static bool isDType(const aft_dtype &dtype) {
  int32_t number = numberOf(dtype);
  return number >= 0 && number <= static_cast<int32_t>(AFT_I64);
}

size_t aft_dtype_bytes(aft_dtype dtype) {
  return isDType(dtype) ? static_cast<size_t>(sizeOf(static_cast<DType>(dtype))) : 0;
}

const char *aft_dtype_name(aft_dtype dtype) {
  return isDType(dtype) ? nameOf(static_cast<DType>(dtype)) : "?";
}

/// `most`: those that the entry has; of more none is looked at, for they may not be there.
static Failure takeBuffers(const char *kind, const aft_buffer *given, size_t count, size_t most,
                           std::vector<Buffer> &buffers) {
  if (count > most)
    return refused("the entry has " + std::to_string(most) + " " + kind + ", found " +
                   std::to_string(count));
  if (count > 0 && !given)
    return missing(kind);
  buffers.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    std::string label = std::string(kind) + "[" + std::to_string(i) + "]";
    if (!isDType(given[i].dtype))
      return refused(label + ": expected an aft_dtype, found " +
                     std::to_string(numberOf(given[i].dtype)));
    if (given[i].rank < 0 || given[i].rank > kMostRank)
      return refused(label + ": expected a rank from 0 to " + std::to_string(kMostRank) +
                     ", found " + std::to_string(given[i].rank));
    if (given[i].rank > 0 && !given[i].shape)
      return refused(label + ": expected a shape of " + std::to_string(given[i].rank) +
                     " extents, found NULL");
    buffers.push_back({given[i].data, static_cast<DType>(given[i].dtype), {}});
    if (given[i].rank > 0)
      buffers.back().shape.assign(given[i].shape, given[i].shape + given[i].rank);
  }
  return {};
}

static aft_buffer bufferOf(const Buffer &buffer) {
  return {buffer.data, static_cast<aft_dtype>(buffer.dtype),
          static_cast<int32_t>(buffer.shape.size()), buffer.shape.data()};
}

//===----------------------------------------------------------------------===//
// Models
//===----------------------------------------------------------------------===//

aft_status aft_open(const char *path, const aft_open_options *options, aft_model **model) {
  return guarded([&]() -> Failure {
    if (!path || !model)
      return missing(path ? "a place for the model" : "a path");
    if (!*path)
      return {AFT_ERROR_FILE, "expected the path of an artifact, found an empty text"};
    LoadOptions load;
    if (options) {
      if (Status status = ThreadPool::check(options->threads); !status.ok())
        return refused(status.message);
      load.threads = options->threads;
      load.trustWeights = options->trust_weights != 0;
      load.copyWeights = options->copy_weights != 0;
    }
    auto made = std::make_unique<aft_model>();
    if (Failure failure = Artifact::open(path, load, made->artifact); !failure.ok())
      return failure;
    *model = made.release();
    return {};
  });
}

void aft_close(aft_model *model) { delete model; }

const char *aft_manifest(const aft_model *model) {
  return model ? model->artifact->manifestText().c_str() : "";
}
const char *aft_code_id(const aft_model *model) {
  return model ? model->artifact->manifest().codeId.c_str() : "";
}
const char *aft_compiler_version(const aft_model *model) {
  return model ? model->artifact->manifest().compiler.c_str() : "";
}
int32_t aft_format_version(const aft_model *model) {
  return model ? model->artifact->manifest().format : 0;
}
const char *aft_target(const aft_model *model) {
  if (!model)
    return "";
  return model->artifact->isForGpu() ? "cuda" : "cpu";
}

size_t aft_entry_count(const aft_model *model) {
  return model ? model->artifact->entries().size() : 0;
}

const char *aft_entry_name(const aft_model *model, size_t entry) {
  return entry < aft_entry_count(model) ? model->artifact->entries()[entry].name.c_str() : nullptr;
}

aft_status aft_find_entry(const aft_model *model, const char *name, size_t *entry) {
  return guarded([&]() -> Failure {
    if (!model || !entry)
      return missing(model ? "a place for the entry" : "a model");
    const std::vector<EntryInfo> &entries = model->artifact->entries();
    if (!name) {
      int found = defaultEntry(entries);
      if (found < 0)
        return refused("which entry? expected one of: " + entryNames(entries));
      *entry = static_cast<size_t>(found);
      return {};
    }
    for (size_t i = 0; i < entries.size(); ++i)
      if (entries[i].name == name) {
        *entry = i;
        return {};
      }
    return refused("no entry " + quote(name) + ", expected one of: " + entryNames(entries));
  });
}

static Failure checkEntry(const aft_model *model, size_t entry) {
  if (!model)
    return missing("a model");
  size_t count = aft_entry_count(model);
  if (entry >= count)
    return refused("expected an entry below " + std::to_string(count) + ", found " +
                   std::to_string(entry));
  return {};
}

size_t aft_argument_count(const aft_model *model, size_t entry) {
  return entry < aft_entry_count(model) ? model->artifact->signature(entry).arguments.size() : 0;
}

size_t aft_result_count(const aft_model *model, size_t entry) {
  return entry < aft_entry_count(model) ? model->artifact->signature(entry).results.size() : 0;
}

static Failure describe(const std::vector<ManifestValue> &values, const char *kind, size_t index,
                        aft_value *result) {
  static_assert(int(ArgumentRole::Caller) == 0);
  if (!result)
    return missing("a place for the value");
  if (index >= values.size())
    return refused(std::string("expected ") + kind + " below " +
                   std::to_string(values.size()) + ", found " + std::to_string(index));
  const ManifestValue &value = values[index];
  aft_role role = value.role == ArgumentRole::State  ? AFT_ROLE_STATE
                  : value.role == ArgumentRole::Step ? AFT_ROLE_STEP
                  : value.role == ArgumentRole::Seed ? AFT_ROLE_SEED
                                                     : AFT_ROLE_CALLER;
  const TensorType &type = value.info.type;
  *result = {value.info.name.c_str(),
             static_cast<aft_dtype>(type.dtype),
             static_cast<int32_t>(type.shape.size()),
             type.shape.data(),
             role,
             value.partner,
             value.info.alias >= 0};
  return {};
}

aft_status aft_argument(const aft_model *model, size_t entry, size_t index, aft_value *value) {
  return guarded([&]() -> Failure {
    if (Failure failure = checkEntry(model, entry); !failure.ok())
      return failure;
    return describe(model->artifact->signature(entry).arguments, "an argument", index, value);
  });
}

aft_status aft_result(const aft_model *model, size_t entry, size_t index, aft_value *value) {
  return guarded([&]() -> Failure {
    if (Failure failure = checkEntry(model, entry); !failure.ok())
      return failure;
    return describe(model->artifact->signature(entry).results, "a result", index, value);
  });
}

size_t aft_weight_count(const aft_model *model) {
  return model ? model->artifact->weights().tensors.size() : 0;
}

aft_status aft_weight(const aft_model *model, size_t index, const char **name, aft_buffer *value) {
  return guarded([&]() -> Failure {
    if (!model || !name || !value)
      return missing("a model and places for name and value");
    const std::vector<NamedTensor> &tensors = model->artifact->weights().tensors;
    if (index >= tensors.size())
      return refused("expected a weight below " + std::to_string(tensors.size()) + ", found " +
                     std::to_string(index));
    *name = tensors[index].name.c_str();
    *value = bufferOf(tensors[index].value);
    return {};
  });
}

//===----------------------------------------------------------------------===//
// Running
//===----------------------------------------------------------------------===//

namespace {

/// A kernel's grid as the loop of a host.
struct Loop {
  aft_kernel_t kernel;
  void *const *buffers;
  const int64_t *dims;
  static void body(void *self, int64_t begin, int64_t end) {
    auto *loop = static_cast<Loop *>(self);
    loop->kernel(loop->buffers, loop->dims, begin, end);
  }
};

/// A host's parallel_for in the form that generated code calls.
struct Host {
  explicit Host(const aft_host *given) : host(given) {}
  const aft_runtime_t *runtime() const { return host ? &callbacks : nullptr; }

  const aft_host *host;
  aft_runtime_t callbacks{this, [](void *self, aft_kernel_t kernel, void *const *buffers,
                                   const int64_t *dims, const char *) {
                            const aft_host *host = static_cast<Host *>(self)->host;
                            Loop loop{kernel, buffers, dims};
                            int64_t count = kernel(buffers, dims, 0, 0);
                            if (count > 0)
                              host->parallel_for(host->self, count, &Loop::body, &loop);
                          }};
};

} // namespace

aft_status aft_result_extents(const aft_model *model, size_t entry, const aft_buffer *arguments,
                              size_t argument_count, int64_t *extents, size_t capacity,
                              int64_t *scratch) {
  return guarded([&]() -> Failure {
    std::vector<Buffer> inputs;
    if (Failure failure = checkEntry(model, entry); !failure.ok())
      return failure;
    if (Failure failure = takeBuffers("arguments", arguments, argument_count,
                                      aft_argument_count(model, entry), inputs);
        !failure.ok())
      return failure;
    // Data is not looked at, and may not be there yet.
    for (Buffer &input : inputs)
      input.data = input.data ? input.data : &inputs;
    std::vector<std::vector<int64_t>> shapes;
    int64_t bytes = 0;
    if (Status status = model->artifact->outputShapes(entry, inputs, shapes, &bytes); !status.ok())
      return refused(status.message);
    std::vector<int64_t> all;
    for (const std::vector<int64_t> &shape : shapes)
      all.insert(all.end(), shape.begin(), shape.end());
    if (all.size() > capacity || (!extents && !all.empty()))
      return refused("the results have " + std::to_string(all.size()) +
                     " extents, found room for " + std::to_string(extents ? capacity : 0));
    std::copy(all.begin(), all.end(), extents);
    if (scratch)
      *scratch = bytes;
    return {};
  });
}

namespace {

/// What a run and a step are called with, after its checks.
struct CallBuffers {
  std::vector<Buffer> inputs, outputs;
  Failure take(const Artifact::Signature &entry, const aft_buffer *arguments, size_t argumentCount,
               const aft_buffer *results, size_t resultCount, const aft_host *host) {
    if (Failure failure =
            takeBuffers("arguments", arguments, argumentCount, entry.arguments.size(), inputs);
        !failure.ok())
      return failure;
    if (Failure failure =
            takeBuffers("results", results, resultCount, entry.results.size(), outputs);
        !failure.ok())
      return failure;
    return host && !host->parallel_for ? missing("a parallel_for of the host") : Failure();
  }
};

} // namespace

aft_status aft_run(const aft_model *model, size_t entry, const aft_buffer *arguments,
                   size_t argument_count, const aft_buffer *results, size_t result_count,
                   const aft_host *host) {
  return guarded([&]() -> Failure {
    CallBuffers buffers;
    if (Failure failure = checkEntry(model, entry); !failure.ok())
      return failure;
    if (Failure failure = buffers.take(model->artifact->signature(entry), arguments, argument_count,
                                       results, result_count, host);
        !failure.ok())
      return failure;
    CallError error;
    Status status =
        model->artifact->run(entry, buffers.inputs, buffers.outputs, Host(host).runtime(), error);
    if (status.ok())
      return {};
    return {codeOf(error), status.message};
  });
}

aft_status aft_run_resident(const aft_model *model, size_t entry, const aft_buffer *arguments,
                            size_t argument_count, const aft_buffer *results, size_t result_count,
                            void *stream) {
  return guarded([&]() -> Failure {
    CallBuffers buffers;
    if (Failure failure = checkEntry(model, entry); !failure.ok())
      return failure;
    if (Failure failure = buffers.take(model->artifact->signature(entry), arguments, argument_count,
                                       results, result_count, /*host=*/nullptr);
        !failure.ok())
      return failure;
    CallError error;
    Status status =
        model->artifact->runResident(entry, buffers.inputs, buffers.outputs, stream, error);
    if (status.ok())
      return {};
    return {codeOf(error), status.message};
  });
}

//===----------------------------------------------------------------------===//
// Sessions
//===----------------------------------------------------------------------===//

aft_status aft_session_create(const aft_model *model, size_t entry, int64_t batch,
                              aft_session **session) {
  return guarded([&]() -> Failure {
    if (Failure failure = checkEntry(model, entry); !failure.ok())
      return failure;
    if (!session)
      return missing("a place for the session");
    auto made = std::make_unique<aft_session>();
    if (Failure failure = Session::create(model->artifact, entry, batch, made->session);
        !failure.ok())
      return failure;
    *session = made.release();
    return {};
  });
}

void aft_session_destroy(aft_session *session) { delete session; }

aft_status aft_session_step(aft_session *session, const aft_buffer *arguments,
                            size_t argument_count, const aft_buffer *results, size_t result_count,
                            const aft_host *host) {
  return guarded([&]() -> Failure {
    CallBuffers buffers;
    if (!session)
      return missing("a session");
    if (Failure failure = buffers.take(session->session->signature(), arguments, argument_count,
                                       results, result_count, host);
        !failure.ok())
      return failure;
    return session->session->step(buffers.inputs, buffers.outputs, Host(host).runtime());
  });
}

aft_status aft_session_reset(aft_session *session) {
  return guarded([&] { return session ? session->session->reset() : missing("a session"); });
}

size_t aft_session_state_count(const aft_session *session) {
  return session ? session->session->states().size() : 0;
}

aft_status aft_session_state(const aft_session *session, size_t index, const char **name,
                             aft_buffer *value) {
  return guarded([&]() -> Failure {
    if (!session || !name || !value)
      return missing("a session and places for name and value");
    const std::vector<Session::State> &states = session->session->states();
    if (index >= states.size())
      return refused("expected a state below " + std::to_string(states.size()) + ", found " +
                     std::to_string(index));
    *name = states[index].name.c_str();
    *value = bufferOf(states[index].value);
    return {};
  });
}

int64_t aft_session_steps(const aft_session *session) {
  return session ? session->session->steps : 0;
}

void aft_session_set_steps(aft_session *session, int64_t steps) {
  if (session)
    session->session->steps = std::max<int64_t>(steps, 0);
}

void aft_session_set_seed(aft_session *session, int64_t seed) {
  if (session)
    session->session->seed = seed;
}

aft_status aft_session_save(const aft_session *session, const char *path) {
  return guarded([&]() -> Failure {
    if (!session || !path)
      return missing(session ? "a path" : "a session");
    return session->session->save(path);
  });
}

aft_status aft_session_load(aft_session *session, const char *path) {
  return guarded([&]() -> Failure {
    if (!session || !path)
      return missing(session ? "a path" : "a session");
    return session->session->load(path);
  });
}
