//===- Verify.cpp - Checks an artifact before anything of it runs ---------===//

#include "runtime/artifact/ArtifactFile.h"
#include "runtime/artifact/CpuFeatures.h"
#include "runtime/artifact/Sha256.h"
#include "runtime/core/Quote.h"

using namespace aft;

/// That a message names.
static constexpr size_t kMostFeatures = 8;

static Failure malformed(const std::string &message) { return {AFT_ERROR_FORMAT, message}; }

static Failure checkCPU(const Manifest &manifest) {
  if (manifest.arch != cpuArchitecture())
    return {AFT_ERROR_CPU,
            "expected code for " + cpuArchitecture() + ", found code for " + quote(manifest.arch)};
  std::string missing;
  size_t count = 0;
  for (const std::string &feature : manifest.features)
    if (!cpuHas(feature) && ++count <= kMostFeatures)
      missing += (missing.empty() ? "" : ", ") + quote(feature);
  if (count > kMostFeatures)
    missing += " and " + std::to_string(count - kMostFeatures) + " more";
  if (missing.empty())
    return {};
  return {AFT_ERROR_CPU, "needs a CPU with " + missing + ", which this one lacks; compiled for " +
                             quote(manifest.cpu)};
}

static size_t mostCopied(const LoadOptions &options) {
  return options.copyWeights ? SIZE_MAX : FileBytes::kMostCopied;
}

/// The bytes of the weights, wherever they are; `what` names them.
static Failure weightsBytes(const std::string &path, const LoadOptions &options,
                            std::string_view inside, VerifiedArtifact &artifact,
                            std::string_view &bytes, std::string &what) {
  const ManifestWeights &weights = artifact.manifest.weights;
  auto size = static_cast<uint64_t>(weights.bytes);
  bytes = inside;
  what = "the weights";
  if (!weights.file.empty()) {
    size_t slash = path.rfind('/');
    std::string beside =
        (slash == std::string::npos ? "" : path.substr(0, slash + 1)) + weights.file;
    what += " in " + beside;
    Failure failure = artifact.weightsFile.open(beside, mostCopied(options), size);
    if (!failure.ok())
      return {failure.code,
              (failure.code == AFT_ERROR_FORMAT ? "the weights in " : "the weights beside it: ") +
                  failure.message};
    bytes = artifact.weightsFile.bytes();
  }
  if (size != bytes.size())
    return malformed(what + ": expected " + std::to_string(size) + " bytes, found " +
                     std::to_string(bytes.size()));
  return {};
}

/// The tensors that arguments are bound to or begin with.
static Failure checkTensors(const VerifiedArtifact &artifact) {
  for (const ManifestEntry &entry : artifact.manifest.entries)
    for (const ManifestValue &value : entry.arguments) {
      if (value.tensor.empty())
        continue;
      const NamedTensor *tensor = artifact.weights.find(value.tensor);
      const TensorType &type = value.info.type;
      if (!tensor)
        return malformed("the weights have no tensor " + quote(value.tensor) + ", which entry " +
                         quote(entry.name) + " uses");
      bool fits =
          tensor->value.dtype == type.dtype && tensor->value.shape.size() == type.shape.size();
      for (size_t i = 0; fits && i < type.shape.size(); ++i)
        fits = type.shape[i] == kDynamic || type.shape[i] == tensor->value.shape[i];
      if (!fits)
        return malformed("the weights' tensor " + quote(value.tensor) + ": expected " +
                         typeText(type.dtype, type.shape) + ", found " +
                         typeText(tensor->value.dtype, tensor->value.shape));
      if (reinterpret_cast<uintptr_t>(tensor->value.data) % sizeOf(type.dtype) != 0)
        return malformed("the weights' tensor " + quote(value.tensor) + " is not aligned to its " +
                         std::to_string(sizeOf(type.dtype)) + " bytes");
    }
  return {};
}

static Failure checkWeights(const std::string &path, const LoadOptions &options,
                            std::string_view inside, VerifiedArtifact &artifact) {
  const ManifestWeights &weights = artifact.manifest.weights;
  std::string_view bytes;
  std::string what;
  if (Failure failure = weightsBytes(path, options, inside, artifact, bytes, what); !failure.ok())
    return failure;
  if (weights.bytes > 0) {
    if (!options.trustWeights)
      if (std::string found = Sha256::hexOf(bytes); found != weights.sha256)
        return malformed(what + " are damaged: expected SHA-256 " + weights.sha256 + ", found " +
                         found);
    if (Status status = Safetensors::parse(bytes, artifact.weights); !status.ok())
      return malformed(what + ": " + status.message);
  }
  return checkTensors(artifact);
}

/// Takes the code for a GPU apart; the manifest's sizes are known to add up.
static Failure checkDevice(std::string_view inside, VerifiedArtifact &artifact) {
  const ManifestDevice &device = artifact.manifest.device;
  if (static_cast<uint64_t>(device.bytes) != inside.size())
    return malformed("the code for the GPU: expected " + std::to_string(device.bytes) +
                     " bytes, found " + std::to_string(inside.size()));
  if (device.bytes == 0)
    return {};
  if (std::string found = Sha256::hexOf(inside); found != device.sha256)
    return malformed("the code for the GPU is damaged: expected SHA-256 " + device.sha256 +
                     ", found " + found);
  for (const ManifestDevice::Image &image : device.images) {
    auto size = static_cast<size_t>(image.bytes);
    cuda::DeviceCode::Image copy{image.arch, std::string(inside.substr(0, size))};
    inside.remove_prefix(size);
    if (image.isPtx)
      artifact.device.ptx = std::move(copy);
    else
      artifact.device.cubins.push_back(std::move(copy));
  }
  artifact.device.kernels = device.kernels;
  return {};
}

static Failure verify(const std::string &path, const LoadOptions &options, bool anyCPU,
                      VerifiedArtifact &artifact) {
  ArtifactSections sections;
  if (Failure failure = findSections(artifact.file.bytes(), sections); !failure.ok())
    return failure;
  artifact.manifestText = sections.manifest;
  if (Status status = Manifest::parse(artifact.manifestText, artifact.manifest); !status.ok())
    return malformed(status.message);
  const Manifest &manifest = artifact.manifest;
  if (manifest.format != static_cast<int>(sections.seal.format) ||
      static_cast<uint64_t>(manifest.codeBytes) != sections.code.size())
    return malformed("the manifest: expected the format and the bytes of code of the seal, " +
                     std::to_string(sections.seal.format) + " and " +
                     std::to_string(sections.code.size()) + ", found " +
                     std::to_string(manifest.format) + " and " +
                     std::to_string(manifest.codeBytes));
  if (!anyCPU)
    if (Failure failure = checkCPU(manifest); !failure.ok())
      return failure;
  artifact.code = sections.code;
  if (std::string found = Sha256::hexOf(artifact.code); found != manifest.codeSha256)
    return malformed("the code is damaged: expected SHA-256 " + manifest.codeSha256 + ", found " +
                     found);
  if (Failure failure = checkDevice(sections.device, artifact); !failure.ok())
    return failure;
  if (Failure failure = checkWeights(path, options, sections.weights, artifact); !failure.ok())
    return failure;
  return artifact.weightsFile.unchanged(manifest.weights.file);
}

Failure aft::readArtifact(const std::string &path, const LoadOptions &options, bool anyCPU,
                          VerifiedArtifact &artifact) {
  if (Failure failure = artifact.file.open(path, mostCopied(options)); !failure.ok())
    return failure;
  Failure failure = verify(path, options, anyCPU, artifact);
  if (failure.ok())
    return artifact.file.unchanged(path);
  failure.message = oneLine(path + ": " + failure.message);
  return failure;
}
