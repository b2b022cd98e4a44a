//===- Save.cpp - From a package to an artifact ---------------------------===//

#include "runtime/jit/Save.h"

#include "compiler/binary/LinkArtifact.h"
#include "runtime/artifact/ArtifactFile.h"
#include "runtime/artifact/CpuFeatures.h"
#include "runtime/artifact/Sha256.h"
#include "runtime/core/File.h"
#include "llvm/Config/llvm-config.h"

#include <algorithm>
#include <set>

using namespace aft;

static constexpr const char *kTrainStep = "train_step";

//===----------------------------------------------------------------------===//
// Roles
//===----------------------------------------------------------------------===//

static std::string textOf(const TensorType &type) {
  std::string text = std::string(nameOf(type.dtype)) + " [";
  for (size_t i = 0; i < type.shape.size(); ++i)
    text += (i ? ", " : "") +
            (type.shape[i] == kDynamic ? std::string("?") : std::to_string(type.shape[i]));
  return text + "]";
}

/// A state is overwritten by a result, or has a result of its own name and type.
static void pairStates(ManifestEntry &entry) {
  auto pair = [&](size_t argument, size_t result) {
    entry.arguments[argument].role = entry.results[result].role = ArgumentRole::State;
    entry.arguments[argument].partner = static_cast<int>(result);
    entry.results[result].partner = static_cast<int>(argument);
  };
  for (size_t i = 0; i < entry.results.size(); ++i) {
    const ValueInfo &result = entry.results[i].info;
    if (result.alias >= 0) {
      pair(result.alias, i);
      continue;
    }
    for (size_t j = 0; j < entry.arguments.size() && !result.name.empty(); ++j) {
      const ManifestValue &argument = entry.arguments[j];
      if (argument.partner < 0 && argument.info.name == result.name &&
          argument.info.type.dtype == result.type.dtype &&
          argument.info.type.shape.size() == result.type.shape.size()) {
        pair(j, i);
        break;
      }
    }
  }
}

/// What a training step counts and what dropout draws from.
static void markScalars(ManifestEntry &entry, bool training) {
  for (ManifestValue &value : entry.arguments) {
    if (value.role != ArgumentRole::Caller || value.info.type.dtype != DType::i64 ||
        !value.info.type.shape.empty())
      continue;
    if (training && entry.name == kTrainStep && value.info.name == "step")
      value.role = ArgumentRole::Step;
    else if (value.info.name == "dropout.seed")
      value.role = ArgumentRole::Seed;
  }
}

static ManifestEntry entryOf(const EntryInfo &info, bool training) {
  ManifestEntry entry{info.name, {}, {}};
  auto add = [](const std::vector<ValueInfo> &values, std::vector<ManifestValue> &result) {
    for (const ValueInfo &value : values) {
      result.emplace_back();
      result.back().info = value;
    }
  };
  add(info.inputs, entry.arguments);
  add(info.outputs, entry.results);
  pairStates(entry);
  markScalars(entry, training);
  return entry;
}

static Status checkWeight(const ManifestEntry &entry, const ManifestValue &argument,
                          const Buffer &value) {
  const TensorType &type = argument.info.type;
  bool fits = value.dtype == type.dtype && value.shape.size() == type.shape.size();
  for (size_t i = 0; fits && i < type.shape.size(); ++i)
    fits = type.shape[i] == kDynamic || type.shape[i] == value.shape[i];
  if (fits)
    return {};
  return {"the weight '" + argument.info.name + "' must be " + textOf(type) + " for entry '" +
          entry.name + "', found " + textOf({value.dtype, value.shape})};
}

/// Gives arguments their weights; `used` are the tensors that have one.
static Status bindWeights(std::vector<ManifestEntry> &entries, const SaveOptions &save,
                          std::vector<NamedTensor> &used) {
  std::set<std::string> states;
  for (const ManifestEntry &entry : entries)
    for (const ManifestValue &argument : entry.arguments)
      if (argument.role == ArgumentRole::State)
        states.insert(argument.info.name);
  std::string names;
  for (const NamedTensor &tensor : save.weights) {
    bool found = false;
    for (ManifestEntry &entry : entries)
      for (ManifestValue &argument : entry.arguments) {
        bool isState = argument.role == ArgumentRole::State;
        if (argument.info.name.empty() || argument.info.name != tensor.name ||
            (!isState && (argument.role != ArgumentRole::Caller || states.count(tensor.name))))
          continue;
        if (Status status = checkWeight(entry, argument, tensor.value); !status.ok())
          return status;
        argument.tensor = tensor.name;
        if (!isState)
          argument.role = ArgumentRole::Weight;
        found = true;
      }
    if (found)
      used.push_back(tensor);
    names += (names.empty() ? "" : ", ") + tensor.name;
  }
  if (used.empty() && !save.weights.empty())
    return {"no weight has the name of an input: " + names};
  return {};
}

//===----------------------------------------------------------------------===//
// The manifest
//===----------------------------------------------------------------------===//

static Json optionsOf(const PipelineOptions &options) {
  Json json = Json::object({{"vectorBits", static_cast<int64_t>(options.target.vectorBits)},
                            {"threads", static_cast<int64_t>(options.threads)},
                            {"memory", options.lowMemory ? "low" : "normal"}});
  if (options.target.threadBlocks())
    json.members.emplace_back("f32Products", options.target.tf32 ? "tf32" : "exact");
  json.members.emplace_back("training", Json());
  if (const auto &training = options.training)
    json.members.back().second = Json::object({{"optimizer", "adamw"},
                                               {"loss", training->lossEntry},
                                               {"beta1", training->beta1},
                                               {"beta2", training->beta2},
                                               {"eps", training->eps},
                                               {"weightDecay", training->weightDecay},
                                               {"clipNorm", training->clipNorm}});
  return json;
}

/// What an artifact says of the code for a GPU; `id` takes it in.
static void describeDevice(const cuda::DeviceCode &device, ManifestDevice &described, Sha256 &id) {
  if (device.kernels.empty())
    return;
  Sha256 hash;
  auto add = [&](const cuda::DeviceCode::Image &image, bool isPtx) {
    described.images.push_back({isPtx, image.arch, static_cast<int64_t>(image.bytes.size())});
    described.bytes += described.images.back().bytes;
    hash.add(image.bytes);
    id.add(image.arch + '\0' + std::to_string(image.bytes.size()) + '\0');
    id.add(image.bytes);
  };
  for (const cuda::DeviceCode::Image &cubin : device.cubins)
    add(cubin, /*isPtx=*/false);
  if (!device.ptx.bytes.empty())
    add(device.ptx, /*isPtx=*/true);
  described.kernels = device.kernels;
  described.sha256 = hash.hex();
}

/// Its images, one after the other.
static std::string deviceBytes(const cuda::DeviceCode &device) {
  std::string bytes;
  if (device.kernels.empty())
    return bytes;
  for (const cuda::DeviceCode::Image &cubin : device.cubins)
    bytes += cubin.bytes;
  return bytes + device.ptx.bytes;
}

static Status describe(const Package &package, const PipelineOptions &options,
                       const SaveOptions &save, Manifest &manifest,
                       std::vector<NamedTensor> &used) {
  manifest.compiler = AFT_VERSION;
  manifest.llvm = LLVM_VERSION_STRING;
  manifest.arch = cpuArchitecture();
  manifest.cpu = options.target.cpu;
  manifest.features = options.target.enabled(knownCpuFeatures());
  manifest.options = optionsOf(options);
  for (const EntryInfo &entry : package.entries)
    manifest.entries.push_back(entryOf(entry, options.training.has_value()));
  manifest.checks = package.checks;
  manifest.kernels = package.kernels;
  manifest.launches = package.launches;
  manifest.steps = save.steps;
  Sha256 id;
  for (const NamedObject &object : package.objects) {
    id.add(object.name + '\0' + std::to_string(object.object.size()) + '\0');
    id.add(object.object);
  }
  describeDevice(package.device, manifest.device, id);
  manifest.codeId = id.hex();
  return bindWeights(manifest.entries, save, used);
}

Status aft::describePackage(const Package &package, const PipelineOptions &options,
                            const SaveOptions &save, Manifest &manifest) {
  std::vector<NamedTensor> used;
  return describe(package, options, save, manifest, used);
}

//===----------------------------------------------------------------------===//
// The file
//===----------------------------------------------------------------------===//

/// A .safetensors file of these tensors.
static Status weightsFile(std::vector<NamedTensor> tensors, std::string &bytes) {
  if (tensors.empty())
    return {};
  for (const NamedTensor &tensor : tensors)
    if (bytesOf(tensor.value) < 0 || (!tensor.value.data && bytesOf(tensor.value) > 0))
      return {"the weight '" + tensor.name + "' has no memory"};
  bytes = safetensorsHeader(tensors, {});
  for (const NamedTensor &tensor : tensors)
    bytes.append(static_cast<const char *>(tensor.value.data), bytesOf(tensor.value));
  return {};
}

std::string aft::besidePath(const std::string &path) {
  std::string stem = path;
  if (stem.size() > 3 && stem.compare(stem.size() - 3, 3, ".so") == 0)
    stem.resize(stem.size() - 3);
  return stem + ".safetensors";
}

Status aft::savePackage(const Package &package, const PipelineOptions &options,
                        const std::string &path, const SaveOptions &save) {
  Manifest manifest;
  std::vector<NamedTensor> used;
  std::string weights, error;
  Status status = describe(package, options, save, manifest, used);
  if (status.ok())
    status = weightsFile(std::move(used), weights);
  if (!status.ok())
    return {path + ": " + status.message};
  std::vector<std::string> entries;
  for (const EntryInfo &entry : package.entries)
    entries.push_back(entry.name);
  std::string linked =
      linkArtifact(package.objects, entries, manifest.codeId, options.target, error);
  if (!error.empty())
    return {path + ": " + error};
  manifest.weights.bytes = static_cast<int64_t>(weights.size());
  if (!weights.empty())
    manifest.weights.sha256 = Sha256::hexOf(weights);
  bool beside = save.weightsBeside && !weights.empty();
  std::vector<FileParts> files;
  if (beside) {
    files.push_back({besidePath(path), {weights}});
    manifest.weights.file = files[0].path.substr(files[0].path.rfind('/') + 1);
  }
  ArtifactParts parts;
  if (Status composed =
          composeArtifact(std::move(linked), std::move(manifest), deviceBytes(package.device),
                          beside ? std::string_view() : weights, parts);
      !composed.ok())
    return {path + ": " + composed.message};
  files.push_back({path, {parts.front, parts.weights, parts.back}});
  return writeFiles(files);
}
