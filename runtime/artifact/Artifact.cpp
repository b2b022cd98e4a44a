//===- Artifact.cpp - A program from an artifact --------------------------===//

#include "runtime/artifact/Artifact.h"

#include "runtime/core/Quote.h"
#include "runtime/cuda/Runner.h"

#include <cerrno>
#include <cstring>
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

using namespace aft;

namespace {

/// What keeps an artifact's code and weights in the process.
struct Loaded {
  explicit Loaded(std::shared_ptr<VerifiedArtifact> file) : file(std::move(file)) {}
  ~Loaded() {
    if (handle)
      dlclose(handle);
    if (code >= 0)
      close(code);
  }
  Loaded(const Loaded &) = delete;
  Loaded &operator=(const Loaded &) = delete;

  Failure load();

  std::shared_ptr<VerifiedArtifact> file;
  /// A file in memory. The system knows loaded objects by their names: that of an
  /// open file nothing else has, so it stays open.
  int code = -1;
  void *handle = nullptr;
  const aft_table_t *table = nullptr;
};

} // namespace

/// A file in memory that nobody can change any more; -1 and errno where that fails.
static int sealedFile(std::string_view bytes) {
#ifndef MFD_EXEC
  constexpr unsigned MFD_EXEC = 0x10;
#endif
  constexpr unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  int fd = memfd_create("aft-code", flags | MFD_EXEC);
  if (fd < 0 && errno == EINVAL) // before Linux 6.3 all can be executed
    fd = memfd_create("aft-code", flags);
  while (fd >= 0 && !bytes.empty()) {
    ssize_t put = write(fd, bytes.data(), bytes.size());
    if (put > 0)
      bytes.remove_prefix(static_cast<size_t>(put));
    else if (put == 0 || errno != EINTR)
      break;
  }
  if (fd >= 0 && bytes.empty() &&
      fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
    return fd;
  if (fd >= 0)
    close(fd);
  return -1;
}

/// Loads a copy of the code that was verified, not the file: that could be another one
/// by now, or become another one while its code runs.
Failure Loaded::load() {
  code = sealedFile(file->code);
  if (code < 0)
    return {AFT_ERROR_INTERNAL,
            std::string("a file in memory for its code cannot be had: ") + std::strerror(errno)};
  file->code = {};
  std::string name = "/proc/self/fd/" + std::to_string(code);
  if (access(name.c_str(), F_OK) != 0)
    return {AFT_ERROR_INTERNAL,
            "expected /proc, through which its code is loaded from memory, found "
            "none mounted there"};
  handle = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) {
    const char *reason = dlerror();
    return {AFT_ERROR_INTERNAL,
            std::string("the system does not load it: ") + (reason ? reason : "no reason given")};
  }
  table = static_cast<const aft_table_t *>(dlsym(handle, AFT_TABLE_SYMBOL));
  if (!table || table->magic != AFT_TABLE_MAGIC)
    return {AFT_ERROR_FORMAT, std::string("has no table of entries (") + AFT_TABLE_SYMBOL + ")"};
  if (table->version != AFT_ABI_VERSION)
    return {AFT_ERROR_VERSION, "expected entries of version " + std::to_string(AFT_ABI_VERSION) +
                                   ", found version " + std::to_string(table->version)};
  std::string_view found(table->code_id, sizeof table->code_id);
  if (file->manifest.codeId != found)
    return {AFT_ERROR_FORMAT, "expected code " + file->manifest.codeId +
                                  ", as its manifest says, found code " + quote(found)};
  return {};
}

/// What the run path needs of an entry.
static Failure makeEntry(const ManifestEntry &entry, const Loaded &loaded, CompiledEntry &result) {
  const aft_table_t &table = *loaded.table;
  const aft_table_entry_t *found = nullptr;
  for (int64_t i = 0; i < table.count && !found; ++i)
    if (entry.name == table.entries[i].name)
      found = &table.entries[i];
  if (!found)
    return {AFT_ERROR_FORMAT, "the code has no entry '" + entry.name + "'"};
  result.run = found->run;
  result.plan = found->plan;
  result.info.name = entry.name;
  result.bound.resize(entry.arguments.size());
  for (size_t i = 0; i < entry.arguments.size(); ++i) {
    const ManifestValue &value = entry.arguments[i];
    result.info.inputs.push_back(value.info);
    if (value.role == ArgumentRole::Weight)
      result.bound[i] = loaded.file->weights.find(value.tensor)->value;
  }
  for (const ManifestValue &value : entry.results)
    result.info.outputs.push_back(value.info);
  return {};
}

/// Loads the code for a GPU, if there is some.
static Failure startDevice(VerifiedArtifact &file, ProgramCode &code) {
  if (file.manifest.device.images.empty())
    return {};
  Status status = cuda::Runner::create(/*ordinal=*/0, file.device, code.runner);
  file.device = {};
  if (status.ok())
    return {};
  return {AFT_ERROR_DEVICE,
          "is compiled for a GPU, " + file.manifest.device.architectures() + ": " + status.message};
}

Failure Artifact::open(const std::string &path, const LoadOptions &options,
                       std::shared_ptr<Artifact> &artifact) {
  auto file = std::make_shared<VerifiedArtifact>();
  if (Failure failure = readArtifact(path, options, /*anyCPU=*/false, *file); !failure.ok())
    return failure;
  auto loaded = std::make_shared<Loaded>(file);
  ProgramCode code;
  code.checks = file->manifest.checks;
  code.kernels = file->manifest.kernels;
  code.memory = loaded;
  Failure failure = loaded->load();
  for (const ManifestEntry &entry : file->manifest.entries)
    if (failure.ok()) {
      code.entries.emplace_back();
      failure = makeEntry(entry, *loaded, code.entries.back());
    }
  if (failure.ok())
    failure = startDevice(*file, code);
  if (!failure.ok())
    return {failure.code, oneLine(path + ": " + failure.message)};
  artifact = std::make_shared<Artifact>(std::move(code), options.threads, std::move(file));
  return {};
}

/// Numbers of arguments as callers count them.
static Artifact::Signature signatureOf(const ManifestEntry &entry) {
  Artifact::Signature result;
  std::vector<int> number(entry.arguments.size(), -1);
  for (size_t i = 0; i < number.size(); ++i)
    if (entry.arguments[i].role != ArgumentRole::Weight) {
      number[i] = static_cast<int>(result.arguments.size());
      result.arguments.push_back(entry.arguments[i]);
    }
  result.results = entry.results;
  for (ManifestValue &value : result.results) {
    if (value.partner >= 0)
      value.partner = number[value.partner];
    if (value.info.alias >= 0)
      value.info.alias = number[value.info.alias];
  }
  return result;
}

Artifact::Artifact(ProgramCode code, int threads, std::shared_ptr<VerifiedArtifact> given)
    : CompiledProgram(std::move(code), threads), file(std::move(given)) {
  for (const ManifestEntry &entry : file->manifest.entries)
    signatures.push_back(signatureOf(entry));
  compileStats.kernels = static_cast<int>(file->manifest.kernels.size());
  compileStats.launches = file->manifest.launches;
}

Status Artifact::save(const std::string &path, const SaveOptions &) const {
  return {path + ": an artifact that was loaded cannot be saved; copy its file"};
}

Status Program::load(const std::string &path, const LoadOptions &options,
                     std::shared_ptr<Program> &program) {
  if (Status status = ThreadPool::check(options.threads); !status.ok())
    return {path + ": " + status.message};
  std::shared_ptr<Artifact> artifact;
  Failure failure = Artifact::open(path, options, artifact);
  if (failure.ok())
    program = std::move(artifact);
  return failure.status();
}

int aft::defaultEntry(const std::vector<EntryInfo> &entries) {
  for (const char *name : {"main", "forward"})
    for (size_t i = 0; i < entries.size(); ++i)
      if (entries[i].name == name)
        return static_cast<int>(i);
  return entries.size() == 1 ? 0 : -1;
}
