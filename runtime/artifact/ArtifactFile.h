//===- ArtifactFile.h - The layout of an artifact -------------------------===//
// An artifact is an ELF shared object that the linker made, with sections more:
//
//   the linked code      as linked, but for the place of the section headers
//   .aft.manifest        JSON; has the hashes of all code and of the weights
//   .aft.seal            a Seal: version, sizes, hash of all the rest
//   .aft.device          code for a GPU, cubins and PTX one after the other; or missing
//   .aft.weights         a .safetensors file, at a multiple of the page size; or missing
//   names and headers of the sections
//
// So every byte is under a hash, and all are checked before the system's loader
// gets to see the file.

#ifndef AFT_RUNTIME_ARTIFACT_ARTIFACTFILE_H
#define AFT_RUNTIME_ARTIFACT_ARTIFACTFILE_H

#include "runtime/artifact/FileBytes.h"
#include "runtime/artifact/Manifest.h"
#include "runtime/artifact/Safetensors.h"
#include "runtime/core/InternalApi.h"

#include <array>

namespace aft {

constexpr char kManifestSection[] = ".aft.manifest", kSealSection[] = ".aft.seal",
               kDeviceSection[] = ".aft.device", kWeightsSection[] = ".aft.weights";

/// The content of .aft.seal.
struct Seal {
  char magic[8] = {'A', 'F', 'T', 'S', 'E', 'A', 'L', '\n'};
  uint32_t format = kOldestArtifactFormat;
  uint32_t reserved = 0;
  uint64_t fileBytes = 0;
  uint64_t codeBytes = 0;
  uint8_t digest[32] = {}; ///< of all after the code but itself, device and weights
};
static_assert(sizeof(Seal) == 64);

/// The parts of a file, one after the other.
struct ArtifactParts {
  std::string front;
  std::string_view weights;
  std::string back;
};

/// Makes the file of what the linker made. The manifest's hashes and sizes of the code
/// are filled in; `device` and `weights` are the bytes to put inside, and may be empty.
AFT_INTERNAL Status composeArtifact(std::string linked, Manifest manifest, std::string_view device,
                                    std::string_view weights, ArtifactParts &parts);

/// The sections of a file that is in memory.
struct ArtifactSections {
  std::string_view code, manifest, device, weights;
  Seal seal;
  size_t sealOffset = 0;
};

/// Finds them, checks the seal and its hash. Nothing else is verified.
Failure findSections(std::string_view file, ArtifactSections &sections);

/// The hash of a seal.
std::array<uint8_t, 32> sealDigest(std::string_view file, const ArtifactSections &sections);

/// An artifact of whose bytes all are verified, and none has run.
struct VerifiedArtifact {
  FileBytes file;
  std::string code; ///< a copy: what is verified is what is loaded
  std::string manifestText;
  Manifest manifest;
  cuda::DeviceCode device; ///< a copy, too
  FileBytes weightsFile;   ///< where they are beside
  Safetensors weights;
};

/// Reads an artifact. `anyCPU`: also code for a CPU that this is not.
AFT_INTERNAL Failure readArtifact(const std::string &path, const LoadOptions &options, bool anyCPU,
                                  VerifiedArtifact &artifact);

} // namespace aft

#endif // AFT_RUNTIME_ARTIFACT_ARTIFACTFILE_H
