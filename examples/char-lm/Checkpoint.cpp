//===- Checkpoint.cpp - A training run on disk ----------------------------===//

#include "examples/char-lm/Checkpoint.h"

#include <torch/serialize.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <unistd.h>

using namespace charlm;
using torch::serialize::InputArchive;
using torch::serialize::OutputArchive;

static constexpr const char *kFormat = "aft char-lm checkpoint 2";

std::string charlm::checkpointPath(const std::string &modelDir) {
  return modelDir + "/checkpoint.pt";
}

/// What describes the model, as name and text.
static std::vector<std::pair<std::string, std::string>> describeModel(const Options &options) {
  return {{"layers", std::to_string(options.layers)},
          {"dim", std::to_string(options.dim)},
          {"context", std::to_string(options.context)},
          {"mixer", options.mixer},
          {"window", std::to_string(options.window)},
          {"rank", std::to_string(options.rank)},
          {"dtype", options.dtype}};
}

/// Of the numbers in tensors, in this order: LibTorch's reader does not look at a file's own.
static int64_t checksumOf(const std::vector<at::Tensor> &tensors) {
  uint64_t sum = 0xcbf29ce484222325;
  for (const at::Tensor &tensor : tensors) {
    at::Tensor data = tensor.detach().contiguous();
    const char *bytes = static_cast<const char *>(data.const_data_ptr());
    for (size_t at = 0, size = data.nbytes(), length; at < size; at += length) {
      uint64_t word = 0;
      length = std::min(sizeof word, size - at);
      std::memcpy(&word, bytes + at, length);
      sum = (sum ^ word) * 0x100000001b3;
      sum ^= sum >> 32;
    }
  }
  return static_cast<int64_t>(sum);
}

//===----------------------------------------------------------------------===//
// Writing
//===----------------------------------------------------------------------===//

namespace {

/// A file that is removed again unless it was committed.
class TemporaryFile {
public:
  explicit TemporaryFile(std::string target)
      : target(std::move(target)), path(this->target + ".tmp" + std::to_string(::getpid())) {
    // A link that lies there is not followed: it could lead to any file.
    std::remove(path.c_str());
    file = std::fopen(path.c_str(), "wbx");
    if (!file)
      fail();
  }
  ~TemporaryFile() {
    if (file)
      std::fclose(file);
    if (!committed)
      std::remove(path.c_str());
  }
  /// Throws nothing; commit() tells of a failure.
  void write(const void *data, size_t size) {
    if (!error && std::fwrite(data, 1, size, file) != size)
      error = errno ? errno : EIO;
  }
  void commit() {
    errno = error;
    if (error)
      fail();
    bool flushed = std::fflush(file) == 0 && ::fsync(::fileno(file)) == 0;
    if (!flushed)
      fail();
    bool closed = std::fclose(file) == 0;
    file = nullptr;
    if (!closed || std::rename(path.c_str(), target.c_str()) != 0)
      fail();
    committed = true;
  }

private:
  [[noreturn]] void fail() {
    throw std::runtime_error(target + ": cannot be written: " + std::strerror(errno));
  }
  std::string target, path;
  std::FILE *file = nullptr;
  int error = 0;
  bool committed = false;
};

} // namespace

void charlm::requireWritable(const std::string &path) {
  if (std::filesystem::is_directory(path))
    throw std::runtime_error(path + ": cannot be written: expected a file, found a folder");
  TemporaryFile probe(path);
}

void charlm::prepareModelDir(const Options &options) {
  std::error_code error;
  std::filesystem::create_directories(options.modelDir, error);
  if (error)
    throw std::runtime_error(options.modelDir + ": cannot be made: " + error.message());
  requireWritable(checkpointPath(options.modelDir));
}

void charlm::saveCheckpoint(const Options &options, aft::nn::LanguageModel model,
                            const aft::TrainingModule &training) {
  prepareModelDir(options);
  training.fetch();
  OutputArchive archive;
  archive.write("format", c10::IValue(kFormat));
  for (const auto &[name, text] : describeModel(options))
    archive.write(name, c10::IValue(text));
  OutputArchive weights;
  model->save(weights);
  archive.write("weights", weights);
  std::vector<at::Tensor> tensors = model->parameters();
  c10::List<std::string> names;
  int64_t count = 0;
  for (const auto &[name, tensor] : training.state()) {
    names.push_back(name);
    tensors.push_back(tensor);
    archive.write("state" + std::to_string(count++), tensor);
  }
  archive.write("names", c10::IValue(names));
  archive.write("checksum", c10::IValue(checksumOf(tensors)));
  // LibTorch's writer reports a failing disk badly: it is told of none.
  TemporaryFile file(checkpointPath(options.modelDir));
  archive.save_to([&](const void *data, size_t size) {
    file.write(data, size);
    return size;
  });
  file.commit();
}

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

/// Opens the checkpoint; LibTorch's errors become one line.
static InputArchive openCheckpoint(const Options &options) {
  std::string path = checkpointPath(options.modelDir);
  if (!std::filesystem::exists(path))
    throw std::runtime_error(path + ": no checkpoint there; char-lm train writes one");
  InputArchive archive;
  c10::IValue format;
  try {
    archive.load_from(path);
    archive.read("format", format);
  } catch (const c10::Error &) {
    throw std::runtime_error(path + ": not a checkpoint of char-lm, or damaged");
  }
  if (!format.isString() || format.toStringRef() != kFormat)
    throw std::runtime_error(path + ": expected the format '" + kFormat + "', found another");
  return archive;
}

static std::string readText(InputArchive &archive, const std::string &name,
                            const std::string &path) {
  c10::IValue value;
  if (!archive.try_read(name, value) || !value.isString())
    throw std::runtime_error(path + ": damaged: no entry '" + name + "'");
  return value.toStringRef();
}

static int64_t readNumber(InputArchive &archive, const std::string &name, const std::string &path) {
  std::string text = readText(archive, name, path);
  char *end = nullptr;
  long long number = std::strtoll(text.c_str(), &end, 10);
  if (text.empty() || *end || number < 0 || number > (1LL << 32))
    throw std::runtime_error(path + ": damaged: entry '" + name + "' is '" + text + "'");
  return number;
}

void charlm::readModelOptions(Options &options) {
  InputArchive archive = openCheckpoint(options);
  std::string path = checkpointPath(options.modelDir);
  options.layers = readNumber(archive, "layers", path);
  options.dim = readNumber(archive, "dim", path);
  options.context = readNumber(archive, "context", path);
  options.window = readNumber(archive, "window", path);
  options.rank = readNumber(archive, "rank", path);
  options.mixer = readText(archive, "mixer", path);
  options.dtype = readText(archive, "dtype", path);
}

/// The weights of the checkpoint as a model, so that a damaged file changes nothing.
static aft::nn::LanguageModel readWeights(InputArchive &archive, aft::nn::LanguageModel model,
                                          const std::string &path) {
  aft::nn::LanguageModel copy(model->options);
  copy->to(model->head->weight.scalar_type());
  try {
    InputArchive weights;
    archive.read("weights", weights);
    copy->load(weights);
  } catch (const c10::Error &error) {
    throw std::runtime_error(path + ": damaged: its weights cannot be read");
  }
  auto loaded = copy->named_parameters();
  for (auto &own : model->named_parameters())
    if (loaded[own.key()].sizes() != own.value().sizes())
      throw std::runtime_error(path + ": damaged: '" + own.key() + "' has another shape");
  return copy;
}

using State = std::vector<std::pair<std::string, at::Tensor>>;

/// The optimiser's state.
static State readState(InputArchive &archive, const std::string &path) {
  State state;
  try {
    c10::IValue names;
    archive.read("names", names);
    for (const c10::IValue &name : names.toListRef()) {
      at::Tensor tensor;
      archive.read("state" + std::to_string(state.size()), tensor);
      state.emplace_back(name.toStringRef(), tensor);
    }
  } catch (const c10::Error &error) {
    throw std::runtime_error(path + ": damaged: " + error.what_without_backtrace());
  }
  return state;
}

static void verify(InputArchive &archive, const aft::nn::LanguageModel &weights, const State &state,
                   const std::string &path) {
  std::vector<at::Tensor> tensors = weights->parameters();
  for (const auto &[name, tensor] : state)
    tensors.push_back(tensor);
  c10::IValue found;
  if (!archive.try_read("checksum", found) || !found.isInt() ||
      found.toInt() != checksumOf(tensors))
    throw std::runtime_error(path + ": damaged: its numbers do not have its checksum");
}

static void requireSameModel(InputArchive &archive, const Options &options) {
  std::string path = checkpointPath(options.modelDir);
  for (const auto &[name, expected] : describeModel(options))
    if (std::string found = readText(archive, name, path); found != expected)
      throw std::runtime_error(path + ": checkpoint of another model: " + name + " is " + found +
                               " there, expected " + expected);
}

void charlm::requireCheckpoint(const Options &options) {
  InputArchive archive = openCheckpoint(options);
  requireSameModel(archive, options);
}

void charlm::loadCheckpoint(const Options &options, aft::nn::LanguageModel model,
                            const aft::TrainingModule *training) {
  InputArchive archive = openCheckpoint(options);
  std::string path = checkpointPath(options.modelDir);
  requireSameModel(archive, options);
  aft::nn::LanguageModel weights = readWeights(archive, model, path);
  State state = readState(archive, path);
  verify(archive, weights, state, path);
  if (training) {
    try {
      training->loadState(state);
    } catch (const c10::Error &error) {
      throw std::runtime_error(path + ": damaged: " + error.what_without_backtrace());
    }
  }
  at::NoGradGuard guard;
  auto loaded = weights->named_parameters();
  for (auto &own : model->named_parameters())
    own.value().copy_(loaded[own.key()]);
}
